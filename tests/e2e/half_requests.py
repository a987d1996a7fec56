"""Many connections that send most of a message and then nothing: some are ended, so that what the server holds for them
is bounded; a client that sends a large write slowly meanwhile is served; and the memory is the system's again afterwards.

Speaks the transport's own bytes. With --measure the server's memory is looked at, which sanitizers keep for themselves.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

GREETING = b"\0SP\0\0\x30\0\0"  # REQ, version 0
REQUEST_BYTES = 8 << 20  # at most
AT_A_TIME = 8  # as many whole ones may be arriving
SENT = 7 << 20  # of an attacker's
ATTACKERS = 30
WRITE = b"\x0a\x22weir.v1.MessageStore/WriteMessages"
MESSAGE_FOR_A_STREAM = b"\x2a\x08\x0a\x01s\x12\x03\x12\x01T"  # the payload, of type T for stream s
OK = b"\x0a\x02\x08\x00"  # a reply's status
ROOM = 40 << 20  # for all else that the server does meanwhile


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def receive(connection, length):
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        assert part, "the server has closed the connection"
        received += part
    return received


def greet(host, port):
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(GREETING)
    assert receive(connection, len(GREETING)) == b"\0SP\0\0\x31\0\0"
    return connection


def large_write(token):
    """A field that the server does not know makes it large."""
    request = WRITE + b"\x12" + varint(len(token)) + token + MESSAGE_FOR_A_STREAM
    request += varint(15 << 3 | 2) + varint(SENT) + b"x" * SENT
    body = struct.pack(">I", 0x80000001) + request
    return struct.pack(">Q", len(body)) + body


def attack(host, port):
    connection = greet(host, port)
    connection.sendall(struct.pack(">Q", REQUEST_BYTES) + b"\x80" + b"x" * SENT)
    return connection


def is_ended(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until(what, is_so):
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def check(pid, url, token, measures):
    host, port = url.removeprefix("tcp://").rsplit(":", 1)
    memory = resident if measures else lambda pid: 0
    before = memory(pid)
    with greet(host, port) as honest:
        write = large_write(token)
        piece = len(write) // ATTACKERS + 1
        attackers = []
        for i in range(ATTACKERS):
            honest.sendall(write[i * piece:(i + 1) * piece])
            attackers.append(attack(host, port))
        wait_until("the attackers are left alone", lambda: sum(map(is_ended, attackers)) >= ATTACKERS - 9)
        held = memory(pid) - before
        assert held < AT_A_TIME * REQUEST_BYTES + ROOM, f"{held >> 20} MiB are held"
        reply = receive(honest, struct.unpack(">Q", receive(honest, 8))[0])
        assert reply[4:8] == OK, f"the write was not served: {reply}"
    ended = sum(map(is_ended, attackers))
    for attacker in attackers:
        attacker.close()
    wait_until("the memory is kept", lambda: memory(pid) - before < ROOM)
    print(f"{ended} of {ATTACKERS} were ended; {held >> 20} MiB were held, {memory(pid) - before >> 20} MiB afterwards")


def main():
    with tempfile.TemporaryDirectory() as directory:
        data = directory + "/data"
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + data,
                                   "--max-request-bytes", str(REQUEST_BYTES), "--listen", "tcp://127.0.0.1:0"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().removeprefix("listening on ").strip()
            with open(data + "/default.token", "rb") as file:
                token = file.readline().strip()
            check(server.pid, url, token, "--measure" in sys.argv)
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()


main()
