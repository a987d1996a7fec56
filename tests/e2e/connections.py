"""Counts the connections that a server holds, and receives from one."""
import os
import time


def is_socket(path):
    try:
        return os.readlink(path).startswith("socket:")
    except FileNotFoundError:
        return False  # closed since the listing


def sockets(pid):
    directory = f"/proc/{pid}/fd/"
    return sum(is_socket(directory + fd) for fd in os.listdir(directory))


def check_closed(server, before):
    until = time.monotonic() + 60
    while sockets(server.pid) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert sockets(server.pid) <= before, f"{sockets(server.pid)} connections are open, {before} were before"


def receive(connection, length):
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        assert part, "the server has closed the connection"
        received += part
    return received
