"""Clients that speak the SP protocol on plain sockets, so that no library reads replies on their behalf."""
import base64
import os
import socket
import ssl
import struct
import time

from connections import receive

GREETING = b"\0SP\0\0\x30\0\0"  # REQ, version 0


class Tcp:
    window = 0  # receive buffer in bytes; 0: the default of the system

    def __init__(self, url):
        host, port = url.split("://")[1].rstrip("/").rsplit(":", 1)
        self.address = host, int(port)

    def open(self):
        connection = socket.socket()
        if self.window:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        connection.settimeout(60)
        connection.connect(self.address)
        return connection

    def connect(self):
        connection = self.open()
        connection.sendall(GREETING)
        assert receive(connection, len(GREETING)) == b"\0SP\0\0\x31\0\0"
        return connection

    @staticmethod
    def head(length):
        return struct.pack(">Q", length)

    @staticmethod
    def receive_length(connection):
        return struct.unpack(">Q", receive(connection, 8))[0]

    def receive_reply(self, connection):
        return receive(connection, self.receive_length(connection))


class Tls(Tcp):
    def open(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(super().open())


class WebSocket(Tcp):
    def connect(self):
        connection = self.open()
        host, port = self.address
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += receive(connection, 1)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return connection

    @staticmethod
    def head(length):
        """Returns the shortest frame header. A client must mask its data; a mask of zeros changes nothing."""
        if length < 126:
            return bytes([0x82, 0x80 | length]) + bytes(4)
        return (struct.pack(">BBH", 0x82, 0xFE, length) if length < 1 << 16
                else struct.pack(">BBQ", 0x82, 0xFF, length)) + bytes(4)

    @staticmethod
    def receive_length(connection):
        """Receives the length of a frame; a long reply has several frames."""
        length = receive(connection, 2)[1]
        if length < 126:
            return length
        return int.from_bytes(receive(connection, 2 if length == 126 else 8), "big")


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def is_ended(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until(what, is_so):
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.01)
