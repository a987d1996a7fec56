"""Clients that disconnect early leave no trace on the server: before or during the greeting, with requests in flight, or in
the middle of a reply.

The clients speak the SP protocol on tcp://, ipc:// and, if openssl is installed, tls+tcp://. Afterwards the server must
serve a real client and hold no more connections than before.
"""
import os
import resource
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

from connections import check_closed, sockets
from tls_listener import tls_options

# Fewer than the listen backlog: after most failed greetings nng accepts no connection for 100 ms.
TIMES = 60
PARTS = [b"", b"\0SP", b"\0SP\0\0\x30\0\0"]  # prefixes of a REQ socket's greeting, which a length follows
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection
GREETING = PARTS[-1]
ANSWER = b"\0SP\0\0\x31\0\0"
# Enough clients for rare interleavings to happen.
VANISHING = 300
PIPELINED = 4
SMALL = b"\x0a\x1cweir.v1.System/GetServerInfo"


def connect(url):
    scheme, address = url.split("://")
    if scheme == "ipc":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)  # without a timeout it waits while the backlog is full
        connection.settimeout(20)
        return connection
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=20)
    if scheme != "tls+tcp":
        return connection
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def come_and_go(url):
    for i in range(TIMES):
        connection = connect(url)
        if i % 5 == 4:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            connection.sendall(PARTS[i % len(PARTS)])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has closed the connection already
        connection.close()


def frame(request, number):
    body = struct.pack(">I", 0x80000000 | number) + request
    return struct.pack(">Q", len(body)) + body


def field(number, text):
    assert len(text) < 128
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def read_some(connection, left):
    try:
        while left > 0 and (part := connection.recv(min(left, 65536))):
            left -= len(part)
    except (ConnectionResetError, ssl.SSLError):
        pass  # the server has closed it because the client ended its direction


def ask_and_go(url, request, read_bytes, times=VANISHING):
    """Sends some requests at once, reads part of the replies, and then ends its direction or the connection."""
    for i in range(times):
        with connect(url) as connection:
            connection.sendall(GREETING + b"".join(frame(request, n) for n in range(PIPELINED)))
            if i % 3 == 2:
                connection.shutdown(socket.SHUT_WR)
            read_some(connection, read_bytes * (i % 7))


def break_off(url):
    """Connects clients that disconnect in the middle of their first request."""
    for _ in range(8):
        with connect(url) as connection:
            connection.sendall(GREETING)
            assert connection.recv(len(GREETING), socket.MSG_WAITALL) == ANSWER
            connection.sendall(frame(SMALL, 1)[:-1])


def check_answered(url):
    """Makes a call with TLS. A real client would refuse the certificate."""
    with connect(url) as connection:
        connection.sendall(GREETING + frame(SMALL, 1))
        assert connection.recv(len(ANSWER)) == ANSWER
        assert connection.recv(65536), f"no answer on {url}"


def leave_handshakes(url):
    """Connects TLS clients that disconnect once the server has answered the first part of the handshake."""
    host, port = url.split("://")[1].rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for i in range(TIMES):
        to_server = ssl.MemoryBIO()
        try:
            context.wrap_bio(ssl.MemoryBIO(), to_server, server_hostname="localhost").do_handshake()
        except ssl.SSLWantReadError:
            pass
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(to_server.read())
            assert connection.recv(65536), "the handshake is not answered"
            if i % 2 == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def ask_and_offend(url):
    """Sends requests and then an excessive length or a message that is not a request."""
    for i in range(30):
        with connect(url) as connection:
            offence = struct.pack(">Q", 1 << 40) if i % 2 == 0 else struct.pack(">Q", 2) + b"no"
            connection.sendall(GREETING + b"".join(frame(SMALL, n) for n in range(i % PIPELINED)) + offence)
            read_some(connection, 1 << 20)


def run(url, directory, *arguments):
    command = [os.environ["WEIR_PROGRAM"], "--server", url, "--token-file", directory + "/data/default.token", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def write_much(url, directory):
    for _ in range(30):
        run(url, directory, "write", "s-1", "Happened", '"' + "x" * 100000 + '"')


def read_all(directory):
    with open(directory + "/data/default.token", encoding="ascii") as file:
        token = file.read().strip()
    return field(1, "weir.v1.MessageStore/GetCategoryMessages") + field(2, token)


def check_served(url, directory):
    command = [os.environ["WEIR_PROGRAM"], "--server", url, "--timeout", "20", "health"]
    status = subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, check=False).returncode
    assert status == 0, f"nobody is served any more on {url}"


def main():
    with tempfile.TemporaryDirectory() as directory:
        tls = tls_options(directory)
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/data",
                                   "--listen", "tcp://127.0.0.1:0", "--listen", f"ipc://{directory}/socket", *tls],
                                  stdout=subprocess.PIPE, text=True)
        try:
            urls = [server.stdout.readline().removeprefix("listening on ").strip() for _ in range(2)]
            tls_urls = [server.stdout.readline().removeprefix("listening on ").strip()] if tls else []
            for url in urls:
                check_served(url, directory)
            before = sockets(server.pid)
            for url in urls:
                come_and_go(url)
                check_served(url, directory)
                ask_and_go(url, SMALL, 0)
                check_served(url, directory)
            check_closed(server, before)
            for url in [urls[0], *tls_urls]:
                ask_and_offend(url)
            check_closed(server, before)
            for url in tls_urls:
                leave_handshakes(url)
                check_closed(server, before)
                ask_and_go(url, SMALL, 0)
                for _ in range(10):  # in memory that other requests have used
                    break_off(urls[0])
                    check_answered(url)
            write_much(urls[0], directory)
            for url in urls:
                ask_and_go(url, read_all(directory), 500000)
                check_served(url, directory)
            for url in tls_urls:  # fewer clients: the server still encrypts the rest, which is slow
                ask_and_go(url, read_all(directory), 500000, 20)
            check_closed(server, before)
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()
    print(f"hundreds of clients came and went on each of {', '.join(u.split('://')[0] for u in urls + tls_urls)}")


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))


def run_out_of_files():
    """Opens more connections than the server has descriptors: it logs that once, and serves again after some have closed."""
    with tempfile.TemporaryDirectory() as directory, open(directory + "/log", "w+", encoding="utf-8") as log:
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/data",
                                   "--listen", "tcp://127.0.0.1:0"],
                                  stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=few_files)
        try:
            url = server.stdout.readline().removeprefix("listening on ").strip()
            connections = [connect(url) for _ in range(100)]
            until = time.monotonic() + 20
            while (said := open(log.name, encoding="utf-8").read()).count("cannot accept a connection") == 0:
                assert time.monotonic() < until, f"nothing is said: {said}"
                time.sleep(0.05)
            for connection in connections:
                connection.close()
            check_served(url, directory)
            said = open(log.name, encoding="utf-8").read()
            assert said.count("cannot accept a connection: Too many open files") == 1, said
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()
    print("a server without free files said so")


if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 1024:
    print("skipped: hundreds of clients at once need 1024 file descriptors")
    sys.exit(77)
main()
run_out_of_files()
