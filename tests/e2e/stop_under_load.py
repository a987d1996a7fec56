"""A server that is told to stop while clients send requests without a pause ends soon.

nng never returns from closing the socket then, so the server has to end without it. Until it does these clients wait, and
cannot look for its successor.
"""
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time

from bare_clients import Tcp

ROUNDS = 6
CLIENTS = 16
UNDER_WAY = 64  # requests of one client
REQUEST = b"\x0a\x1cweir.v1.System/GetServerInfo"
SOON = 4  # seconds; a server that is stuck ends by itself after 4.8


def ask_on(server, is_over):
    """Sends requests and takes the replies until the server ends."""
    body = struct.pack(">I", 0x80000001) + REQUEST
    requests = (server.head(len(body)) + body) * UNDER_WAY
    try:
        with server.connect() as connection:
            connection.settimeout(10)
            while not is_over.is_set():
                connection.sendall(requests)
                connection.recv(1 << 20)
    except (OSError, AssertionError):
        pass  # the server has ended


def stop_once(directory):
    """Returns how long the server takes to stop."""
    process = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen",
                                "tcp://127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               cwd=directory)
    is_over = threading.Event()
    try:
        server = Tcp(process.stdout.readline().removeprefix("listening on ").strip())
        clients = [threading.Thread(target=ask_on, args=(server, is_over)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        took = time.monotonic() - began
        is_over.set()
        for client in clients:
            client.join()
        return took
    finally:
        process.kill()


def main():
    with tempfile.TemporaryDirectory() as directory:
        times = [stop_once(directory) for _ in range(ROUNDS)]
    print(f"{ROUNDS} stops took {min(times):.2f} to {max(times):.2f} s, "
          f"{sum(time > SOON for time in times)} of them more than {SOON} s")
    assert max(times) < SOON


main()
