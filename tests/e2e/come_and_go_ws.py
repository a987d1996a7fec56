"""WebSocket clients that send requests and disconnect in the middle of the replies leave no connection behind.

A leak depends on timing, so the test uses many clients: a server with such a leak loses about one connection in a thousand.
"""
import base64
import os
import socket
import struct
import subprocess
import tempfile

from connections import check_closed, sockets

CLIENTS = 6000
PIPELINED = 4
REQUEST = b"\x0a\x1cweir.v1.System/GetServerInfo"
# nng occasionally leaks a reply when it closes such a connection because of invalid data.
SERVER_ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
KEY = base64.b64encode(bytes(16)).decode()


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(4096)
        assert part, f"the server does not speak WebSocket: {answer}"
        answer += part
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return connection


def frame(message):
    """Returns a client frame. A client must mask its data; a mask of zeros changes nothing."""
    assert len(message) < 126
    return bytes([0x82, 0x80 | len(message), 0, 0, 0, 0]) + message


def ask_and_go(port, number):
    with connect(port) as connection:
        requests = [frame(struct.pack(">I", 0x80000000 | n) + REQUEST) for n in range(PIPELINED)]
        offence = [b"", b"\xff" * 8, frame(b"no")][number % 3]
        try:
            for part in [*requests, offence]:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has closed it because of the invalid data


def main():
    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen", "ws://127.0.0.1:0/"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=directory, env=SERVER_ENVIRONMENT)
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1].rstrip("/\n"))
            with connect(port):
                before = sockets(server.pid) - 1
            for number in range(CLIENTS):
                ask_and_go(port, number)
            check_closed(server, before)
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()
    print(f"{CLIENTS} clients came and went by WebSocket")


main()
