"""Length headers that claim 4 GiB and more are refused before memory is allocated, without effect on other clients.

Speaks the SP protocol over TCP: the greeting of a REQ socket, then an 8-byte length. The server's address space (VmPeak)
must not grow by the claimed size, and a real client must be served meanwhile.
"""
import os
import socket
import struct
import subprocess
import tempfile

GREETING = b"\0SP\0\0\x30\0\0"  # REQ, version 0
CLAIMS = [1 << 32, (1 << 32) - 1, 1 << 63, (1 << 64) - 1, (64 << 20) + 4096]
GROWTH_MAX_KIB = 1024 * 1024  # the C library reserves 64 MiB for each thread that allocates


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmPeak:"):
                return int(line.split()[1])
    raise AssertionError("no VmPeak")


def greet(host, port):
    connection = socket.create_connection((host, port), timeout=20)
    connection.sendall(GREETING)
    answer = b""
    while len(answer) < len(GREETING):
        answer += connection.recv(len(GREETING) - len(answer))
    assert answer == b"\0SP\0\0\x31\0\0", f"the server greets with {answer}"
    return connection


def health(url, directory):
    return subprocess.run([os.environ["WEIR_PROGRAM"], "--server", url, "health"], cwd=directory,
                          stdout=subprocess.DEVNULL, check=False).returncode


def refuse_claims(server, url, directory):
    host, port = url.removeprefix("tcp://").rsplit(":", 1)
    greet(host, int(port)).close()
    assert health(url, directory) == 0
    before = peak_kib(server.pid)
    for claim in CLAIMS:
        connection = greet(host, int(port))
        connection.sendall(struct.pack(">Q", claim) + b"some bytes of it")
        try:
            rest = connection.recv(1)
        except ConnectionResetError:
            rest = b""
        assert rest == b"", f"a claim of {claim} bytes was answered"
        connection.close()
        assert health(url, directory) == 0, f"after a claim of {claim} bytes nobody is served"
    growth = peak_kib(server.pid) - before
    assert growth <= GROWTH_MAX_KIB, f"the address space grew by {growth} KiB"
    print(f"{len(CLAIMS)} claims refused; the address space grew by {growth} KiB")


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite:" + directory + "/data",
                                   "--listen", "tcp://127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().removeprefix("listening on ").strip()
            refuse_claims(server, url, directory)
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()


main()
