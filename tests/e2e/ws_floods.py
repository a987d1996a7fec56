"""What WebSocket clients may do with frames: a large write in many pieces, with pings between them, is served, also when
its first frames come with the request that opens the WebSocket. Messages in far too many pieces, and pings whose answers
are not read, end their connections; an honest client is served beside them, and later.
"""
import base64
import os
import socket
import struct
import subprocess
import tempfile

from bare_clients import WebSocket, is_ended, varint, wait_until
from connections import receive, sockets

WRITE = b"\x0a\x22weir.v1.MessageStore/WriteMessages"
MESSAGE_FOR_A_STREAM = b"\x2a\x08\x0a\x01s\x12\x03\x12\x01T"  # payload: a message of type T for stream s
OK = b"\x0a\x02\x08\x00"  # status of a reply
LARGE = 8 << 20  # a write
PIECE = 4096  # as the libraries make them that divide messages
FIN, CONTINUED, BINARY, PING, PONG = 0x80, 0, 2, 9, 10
FLOOD = 1 << 20  # frames


def frame(first, data):
    """Returns a client's frame. A client must mask its data; a mask of zeros changes nothing."""
    head = bytes([first]) + WebSocket.head(len(data))[1:]
    return head + data


def write(token, padding):
    """Returns a write that an unknown field makes large."""
    request = WRITE + b"\x12" + varint(len(token)) + token + MESSAGE_FOR_A_STREAM
    return struct.pack(">I", 0x80000001) + request + varint(15 << 3 | 2) + varint(padding) + b"x" * padding


def pieces(message, size):
    parts = [message[at:at + size] for at in range(0, len(message), size)]
    return [frame((CONTINUED if i else BINARY) | (FIN if i == len(parts) - 1 else 0), part)
            for i, part in enumerate(parts)]


def receive_frame(connection):
    first, length = receive(connection, 2)
    if length >= 126:
        length = int.from_bytes(receive(connection, 2 if length == 126 else 8), "big")
    return first, receive(connection, length)


def check_reply(connection):
    first, reply = receive_frame(connection)
    assert first == FIN | BINARY and reply[4:8] == OK, f"the write was not served: {first} {reply}"


def check_write_in_pieces(server, token):
    with server.connect() as connection:
        parts = pieces(write(token, LARGE), PIECE)
        middle = len(parts) // 2
        connection.sendall(b"".join(parts[:middle]) + frame(FIN | PING, b"still there?") + b"".join(parts[middle:]))
        assert receive_frame(connection) == (FIN | PONG, b"still there?")
        check_reply(connection)
        connection.sendall(b"".join(pieces(write(token, 100), 1)))
        check_reply(connection)


def connect_with(server, line_end, frames):
    """Sends the request that opens a WebSocket, and with it what follows."""
    lines = ("GET / HTTP/1.1", "Host: %s:%d" % server.address, "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode(), "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Protocol: rep.sp.nanomsg.org", "", "")
    connection = server.open()
    connection.sendall(line_end.join(lines).encode() + frames)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += receive(connection, 1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return connection


def check_write_with_the_request(server, token):
    with connect_with(server, "\r\n", b"".join(pieces(write(token, 5000), 1000))) as connection:
        check_reply(connection)


def check_long_request(server):
    """nng would wait for what the request announces."""
    with server.open() as connection:
        head = "GET / HTTP/1.1\r\nHost: %s:%d\r\nContent-Length: 100000\r\n\r\n" % server.address
        connection.sendall(head.encode() + b"x" * 20000)
        wait_until("the connection is kept", lambda: is_ended(connection))


def check_long_control_frame(server):
    """nng would take in all of it before it refuses it."""
    with server.connect() as connection:
        connection.sendall(frame(FIN | PONG, b"x" * LARGE)[:1024])
        wait_until("the connection is kept", lambda: is_ended(connection))


def check_disguised_flood(server):
    """Lines that end without '\\r' belong to a request of HTTP as well. Who does not see that takes the ping, without its
    two bytes that have come with the request, for the beginning of an endless message, and all that follows for its data.
    """
    ping = bytes([FIN | PING, 0x80 | 6, FIN | BINARY, 127, 0x7F]) + bytes(7)
    with connect_with(server, "\n", ping[:2]) as connection:
        connection.sendall(ping[2:])
        assert receive_frame(connection) == (FIN | PONG, ping[2:6] + ping[2:4])
        flood_on(connection, frame(BINARY, b"\x80"), frame(CONTINUED, b""))


def flood_on(connection, first, other):
    """Sends frames until the server ends the connection."""
    try:
        connection.sendall(first)
        for _ in range(FLOOD // 1024):
            connection.sendall(other * 1024)
    except (BrokenPipeError, ConnectionResetError, socket.timeout) as fault:
        assert not isinstance(fault, socket.timeout), "the connection is kept, and not served"
        return
    raise AssertionError("the connection is kept")


def flood(server, first, other):
    with server.connect() as connection:
        flood_on(connection, first, other)


def main():
    with tempfile.TemporaryDirectory() as directory:
        data = directory + "/data"
        process = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + data, "--listen",
                                    "ws://127.0.0.1:0/"], stdout=subprocess.PIPE, text=True)
        try:
            server = WebSocket(process.stdout.readline().removeprefix("listening on ").strip())
            with open(data + "/default.token", "rb") as file:
                token = file.readline().strip()
            with server.connect() as honest:
                before = sockets(process.pid)
                for tiny in (frame(CONTINUED, b""), frame(CONTINUED, b"x"), frame(CONTINUED, b"x" * 100)):
                    flood(server, frame(BINARY, b"\x80"), tiny)
                flood(server, b"", frame(FIN | PING, b"x" * 100))
                check_long_request(server)
                check_long_control_frame(server)
                check_disguised_flood(server)
                honest.sendall(frame(FIN | BINARY, write(token, 0)))
                check_reply(honest)
                wait_until("a connection is left behind", lambda: sockets(process.pid) <= before)
            check_write_in_pieces(server, token)
            check_write_with_the_request(server, token)
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


main()
