"""Clients that connect and are gone, in the middle of the greeting or before it, leave the listener as it was.

On tcp:// and ipc://, by the transport's own bytes. Afterwards a real client is served, and the server holds no more
files than before.
"""
import os
import socket
import struct
import subprocess
import tempfile
import time

# Fewer than a backlog holds: after most failed greetings nng accepts nobody for 100 ms.
TIMES = 60
PARTS = [b"", b"\0SP", b"\0SP\0\0\x30\0\0"]  # of the greeting of a REQ socket; what follows it is a length
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


def connect(url):
    scheme, address = url.split("://")
    if scheme == "ipc":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(address)
        return connection
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def come_and_go(url):
    for i in range(TIMES):
        connection = connect(url)
        if i % 5 == 4:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            connection.sendall(PARTS[i % len(PARTS)])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server was faster
        connection.close()


def files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def check_served(url, directory):
    command = [os.environ["WEIR_PROGRAM"], "--server", url, "--timeout", "20", "health"]
    status = subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, check=False).returncode
    assert status == 0, f"nobody is served any more on {url}"


def check_files(server, before):
    until = time.monotonic() + 20
    while files(server.pid) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert files(server.pid) <= before, f"{files(server.pid)} files are open, {before} were before"


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/data",
                                   "--listen", "tcp://127.0.0.1:0", "--listen", f"ipc://{directory}/socket"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            urls = [server.stdout.readline().removeprefix("listening on ").strip() for _ in range(2)]
            for url in urls:
                check_served(url, directory)
            before = files(server.pid)
            for url in urls:
                come_and_go(url)
                check_served(url, directory)
            check_files(server, before)
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()
    print(f"{TIMES} clients came and went on each of {' and '.join(u.split('://')[0] for u in urls)}")


main()
