"""Many connections that send most of a request and then stop: the server closes some of them, so that the memory for
incomplete requests is bounded; a client that sends a large write slowly is served meanwhile; the memory is freed
afterwards; and the server logs the closed connections at a limited rate.

The clients speak the SP protocol on tcp://, ws:// and, if openssl is installed, tls+tcp://. --measure checks the server's
memory, which is meaningless with sanitizers, since they keep freed memory.
"""
import os
import struct
import subprocess
import sys
import tempfile

from bare_clients import Tcp, Tls, WebSocket, is_ended, resident, varint, wait_until
from tls_listener import tls_options

REQUEST_BYTES = 8 << 20  # maximum
AT_A_TIME = 8  # this many complete requests may arrive at once
SENT = 7 << 20  # by an attacker
ATTACKERS = 30
WRITE = b"\x0a\x22weir.v1.MessageStore/WriteMessages"
MESSAGE_FOR_A_STREAM = b"\x2a\x08\x0a\x01s\x12\x03\x12\x01T"  # payload: a message of type T for stream s
OK = b"\x0a\x02\x08\x00"  # status of a reply
ROOM = 40 << 20  # for other memory of the server


def large_write(transport, token):
    """Returns a write that an unknown field makes large."""
    request = WRITE + b"\x12" + varint(len(token)) + token + MESSAGE_FOR_A_STREAM
    request += varint(15 << 3 | 2) + varint(SENT) + b"x" * SENT
    body = struct.pack(">I", 0x80000001) + request
    return transport.head(len(body)) + body


def attack(transport):
    connection = transport.connect()
    connection.sendall(transport.head(REQUEST_BYTES) + b"\x80" + b"x" * SENT)
    return connection


def check_served(transport, connection):
    reply = transport.receive_reply(connection)
    assert reply[4:8] == OK, f"the write was not served: {reply}"


def write_much(transport, write):
    """Complete requests do not count, even if one connection sends many."""
    with transport.connect() as connection:
        for _ in range(AT_A_TIME + 2):
            connection.sendall(write)
            check_served(transport, connection)


def check(transport, token, memory):
    write = large_write(transport, token)
    write_much(transport, write)
    before = memory()
    with transport.connect() as honest:
        piece = len(write) // ATTACKERS + 1
        attackers = []
        for i in range(ATTACKERS):
            honest.sendall(write[i * piece:(i + 1) * piece])
            attackers.append(attack(transport))
        wait_until("the attackers are left alone", lambda: sum(map(is_ended, attackers)) >= ATTACKERS - 9)
        wait_until("too much is held", lambda: memory() - before < AT_A_TIME * REQUEST_BYTES + ROOM)
        held = memory() - before
        check_served(transport, honest)
    ended = sum(map(is_ended, attackers))
    for attacker in attackers:
        attacker.close()
    wait_until("the memory is kept", lambda: memory() - before < ROOM)
    print(f"{type(transport).__name__}: {ended} of {ATTACKERS} were ended; {held >> 20} MiB were held, "
          f"{memory() - before >> 20} MiB afterwards")


def main():
    with tempfile.TemporaryDirectory() as directory, open(directory + "/log", "w+", encoding="utf-8") as log:
        data = directory + "/data"
        tls = tls_options(directory)
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + data, "--max-request-bytes",
                                   str(REQUEST_BYTES), "--listen", "tcp://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/",
                                   *tls], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            kinds = [Tcp, WebSocket, Tls] if tls else [Tcp, WebSocket]
            transports = [kind(server.stdout.readline().removeprefix("listening on ").strip()) for kind in kinds]
            with open(data + "/default.token", "rb") as file:
                token = file.readline().strip()
            for transport in transports:
                check(transport, token, lambda: resident(server.pid) if "--measure" in sys.argv else 0)
            server.terminate()
            assert server.wait(20) == 0
            log.seek(0)
            said = log.read()
            assert 1 <= said.count("have stopped in the middle of a request") <= 3, said
        finally:
            server.kill()


main()
