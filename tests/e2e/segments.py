"""Each request gets one reply, however its bytes arrive: all requests at once, byte by byte, or cut anywhere.

Replies leave at once: the kernel must not hold one back, as it does for 40 or 200 ms after MSG_MORE.

Speaks the SP protocol on tcp:// and ipc://. The lengths of the requests are around those that a server may receive in one
call; an unknown field makes up the length.
"""
import os
import random
import socket
import struct
import subprocess
import tempfile
import time

from connections import receive

GREETING = b"\0SP\0\0\x30\0\0"  # REQ, version 0
METHOD = b"\x0a\x1cweir.v1.System/GetServerInfo"
WRITE = b"\x0a\x22weir.v1.MessageStore/WriteMessages"
OK = b"\x0a\x02\x08\x00"  # status of a reply
MESSAGE_FOR_A_STREAM = b"\x2a\x08\x0a\x01s\x12\x03\x12\x01T"  # payload: a message of type T for stream s
UNKNOWN = 15
LENGTHS = [0, 1, 100, 1900, 1990, 2000, 2010, 2040, 2048, 2100, 4000, 4096, 4100, 8192, 70000]
TIMES = 4  # all lengths, each time in a different order
HELD_S = 0.035  # minimum delay of a held reply
BURSTS = 30


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def frame(number, length, method=METHOD):
    request = method
    if length > 0:
        request += varint(UNKNOWN << 3 | 2) + varint(length) + b"x" * length
    body = struct.pack(">I", 0x80000000 | number) + request
    return struct.pack(">Q", len(body)) + body


def requests(chance):
    lengths = [length for _ in range(TIMES) for length in chance.sample(LENGTHS, len(LENGTHS))]
    return [frame(number, length) for number, length in enumerate(lengths)]


def connect(url):
    scheme, address = url.split("://")
    if scheme == "ipc":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
    else:
        host, port = address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(60)
    return connection


def receive_message(connection, prefix_bytes):
    """Receives a message. On ipc:// the prefix is one byte longer."""
    return receive(connection, struct.unpack(">Q", receive(connection, prefix_bytes)[-8:])[0])


def answered(connection, prefix_bytes):
    """Returns the number of the request that the next message answers."""
    body = receive_message(connection, prefix_bytes)
    assert b"sqlite" in body, f"no answer to GetServerInfo: {body[:100]}"
    return struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF


def pieces(stream, sizes):
    at = 0
    while at < len(stream):
        size = next(sizes)
        yield stream[at:at + size]
        at += size


def constant(size):
    while True:
        yield size


def by_chance(chance):
    while True:
        yield chance.choice([1, 7, 8, 9, 40, 2047, 2048, 2049, 5000, 30000])


def greet(connection):
    connection.sendall(GREETING)
    assert receive(connection, len(GREETING)) == b"\0SP\0\0\x31\0\0"


def ask(url, frames, sizes):
    prefix = b"\x01" if url.startswith("ipc") else b""
    with connect(url) as connection:
        greet(connection)
        for piece in pieces(b"".join(prefix + f for f in frames), sizes):
            connection.sendall(piece)
        numbers = sorted(answered(connection, len(prefix) + 8) for _ in frames)
        assert numbers == list(range(len(frames))), f"answered: {numbers}"


def ask_in_all_ways(url):
    chance = random.Random(1)
    ask(url, requests(chance), constant(1 << 20))
    ask(url, [frame(number, length) for number, length in enumerate([0, 1, 100, 0, 2040])], constant(1))
    for _ in range(10):
        ask(url, requests(chance), by_chance(chance))


def write_request(token_path):
    with open(token_path, "rb") as file:
        token = file.readline().strip()
    return WRITE + b"\x12" + varint(len(token)) + token + MESSAGE_FOR_A_STREAM


def seconds_until_answered(connection, frames):
    begun = time.monotonic()
    connection.sendall(b"".join(frames))
    for _ in frames:
        assert receive_message(connection, 8)[4:8] == OK
    return time.monotonic() - begun


def ask_in_bursts(url, method):
    """Times bursts: the last reply of a burst and a single reply are sent by different threads of the server."""
    with connect(url) as connection:
        greet(connection)
        for requests_n in [1, 2, 20]:
            frames = [frame(number, 0, method) for number in range(requests_n)]
            times = sorted(seconds_until_answered(connection, frames) for _ in range(BURSTS))
            assert times[BURSTS * 4 // 5] < HELD_S, f"{requests_n} at once: {times}"


def main():
    with tempfile.TemporaryDirectory() as directory:
        ipc = "ipc://" + directory + "/socket"
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/data",
                                   "--listen", "tcp://127.0.0.1:0", "--listen", ipc], stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(2):
                url = server.stdout.readline().removeprefix("listening on ").strip()
                ask_in_all_ways(url)
                if url.startswith("tcp"):
                    ask_in_bursts(url, METHOD)
                    ask_in_bursts(url, write_request(directory + "/data/default.token"))
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()


main()
