"""Many connections that each request a large reply and do not read it: the server limits the memory for unread replies,
refuses further requests, closes the connections after a timeout, and frees the memory. It also frees a reply when it
closes a WebSocket connection in the middle of the reply because of invalid data.

The clients speak the SP protocol on tcp://, ws:// and, if openssl is installed, tls+tcp://. --measure checks the server's
memory, which is meaningless with sanitizers, since they keep freed memory.
"""
import os
import struct
import subprocess
import sys
import tempfile
import time

from bare_clients import Tcp, Tls, WebSocket, resident, varint, wait_until
from connections import check_closed, sockets
from tls_listener import tls_options

REPLY_BYTES = 8 << 20  # more than the socket buffers of a connection hold
REPLIES_AT_MOST = 64
LARGE = 10000  # longer than a refusal, shorter than a WebSocket frame of a reply
ATTACKERS = 100
OFFENDERS = 30
WINDOW = 4096
PATIENCE_S = 9  # then the server closes the first connections, which makes room
ROOM = 100 << 20  # for other memory of the server
OK = b"\x0a\x02\x08\x00"  # status of a reply


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def request(method, token, payload):
    body = field(1, b"weir.v1.MessageStore/" + method) + field(2, token) + field(5, payload)
    return struct.pack(">I", 0x80000001) + body


def write_large_message(transport, token):
    message = field(2, b"T") + field(3, b'"' + b"x" * (REPLY_BYTES - 1000) + b'"')
    body = request(b"WriteMessages", token, field(1, b"s") + field(2, message))
    with transport.connect() as connection:
        connection.sendall(transport.head(len(body)) + body)
        assert transport.receive_reply(connection)[4:8] == OK


def ask(transport, token):
    """Returns the connection, and whether a large reply arrives, of which only the length is read."""
    connection = transport.connect()
    body = request(b"GetStreamMessages", token, field(1, b"s"))
    connection.sendall(transport.head(len(body)) + body)
    return connection, transport.receive_length(connection) > LARGE


def check_unread(transport, token, server, memory):
    before, connections_before = memory(), sockets(server.pid)
    begun = time.monotonic()
    attackers = [ask(transport, token) for _ in range(ATTACKERS)]
    is_in_time = time.monotonic() - begun < PATIENCE_S
    answered = sum(is_answered for _, is_answered in attackers)
    held = memory() - before
    for connection, is_answered in attackers:
        if not is_answered:
            connection.close()
    assert held < REPLIES_AT_MOST * REPLY_BYTES + ROOM, f"{held >> 20} MiB are held"
    assert REPLIES_AT_MOST <= answered, f"{answered} are answered"
    assert answered <= REPLIES_AT_MOST + 2 or not is_in_time, f"{answered} are answered"
    check_closed(server, connections_before)
    wait_until("the memory is kept", lambda: memory() - before < ROOM)
    print(f"{type(transport).__name__}: {answered} of {ATTACKERS} were answered; {held >> 20} MiB were held, "
          f"{memory() - before >> 20} MiB afterwards")


def check_offence(transport, token, server, memory):
    before, connections_before = memory(), sockets(server.pid)
    for _ in range(OFFENDERS):
        connection, is_answered = ask(transport, token)
        assert is_answered
        connection.sendall(b"\xff" * 8)
        connection.close()
    check_closed(server, connections_before)
    wait_until("the memory is kept", lambda: memory() - before < ROOM)


def main():
    with tempfile.TemporaryDirectory() as directory, open(directory + "/log", "w+", encoding="utf-8") as log:
        data = directory + "/data"
        tls = tls_options(directory)
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + data, "--max-message-bytes",
                                   str(REPLY_BYTES), "--max-reply-bytes", str(REPLY_BYTES), "--listen",
                                   "tcp://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/", *tls],
                                  stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            kinds = [Tcp, WebSocket, Tls] if tls else [Tcp, WebSocket]
            transports = [kind(server.stdout.readline().removeprefix("listening on ").strip()) for kind in kinds]
            with open(data + "/default.token", "rb") as file:
                token = file.readline().strip()
            write_large_message(transports[0], token)
            for transport in transports:
                transport.window = WINDOW
                memory = lambda: resident(server.pid) if "--measure" in sys.argv else 0
                check_unread(transport, token, server, memory)
                if isinstance(transport, WebSocket):
                    check_offence(transport, token, server, memory)
            server.terminate()
            assert server.wait(20) == 0
            log.seek(0)
            assert "it does not read its replies" in log.read()
        finally:
            server.kill()


main()
