"""Clients that take all connections leave the server descriptors for /healthz and /metrics, and HTTP clients leave it
descriptors for the store.
"""
import os
import resource
import socket
import subprocess
import tempfile
import urllib.request

FILES = 128


def address_of(line):
    host, port = line.rstrip("/\n").rsplit("/", 1)[1].rsplit(":", 1)
    return host, int(port)


def is_taken(connection):
    """Returns whether the server serves a connection: it sends first, and closes a refused connection at once."""
    try:
        return connection.recv(1) != b""
    except ConnectionResetError:
        return False


def hold_all(address):
    held = []
    while not held or is_taken(held[-1]):
        held.append(socket.create_connection(address, timeout=20))
        assert len(held) < FILES, "the server takes more connections than it has files"
    return held


def get(address, path):
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=5) as response:
        return response.read().decode()


def main():
    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory, "--listen", "tcp://127.0.0.1:0",
                   "--http", "http://127.0.0.1:0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)))
        try:
            rpc, http = (address_of(server.stdout.readline()) for _ in range(2))
            held = hold_all(rpc)
            for _ in range(20):
                assert get(http, "/healthz") == "SERVING\n"
            assert "weir_build_info" in get(http, "/metrics")
            idle = [socket.create_connection(http, timeout=20) for _ in range(FILES // 4)]
            assert get(http, "/healthz") == "SERVING\n"
            print(f"{len(held)} connections and {len(idle)} idle ones of HTTP left room for /healthz")
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()


main()
