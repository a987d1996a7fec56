"""The server's threads use the batch scheduling policy, unless another was set, so that they do not preempt each other.

Beside programs that keep all processors busy they use the default one, so that they need not wait for those.
"""
import os
import struct
import subprocess
import sys
import tempfile

from bare_clients import Tcp, wait_until

METHOD = b"\x0a\x1cweir.v1.System/GetServerInfo"


def policies(pid):
    tasks = [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    assert len(tasks) > 4, f"a server of {len(tasks)} threads"
    return {os.sched_getscheduler(task) for task in tasks}


def ask(client, connection):
    request = struct.pack(">I", 0x80000001) + METHOD
    connection.sendall(client.head(len(request)) + request)
    assert b"sqlite" in client.receive_reply(connection)


def wait_for(policy, pid, client, connection):
    def is_set():
        ask(client, connection)
        return policies(pid) == {policy}

    wait_until(f"the server's threads do not get policy {policy}: {policies(pid)}", is_set)


def check_beside_others(pid, url):
    client = Tcp(url)
    with client.connect() as connection:
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
        try:
            wait_for(os.SCHED_OTHER, pid, client, connection)
        finally:
            for other in others:
                other.kill()
                other.wait()
        wait_for(os.SCHED_BATCH, pid, client, connection)


def check(chosen, expected):
    def choose():
        os.sched_setscheduler(0, chosen, os.sched_param(0))

    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen", "tcp://127.0.0.1:0"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, preexec_fn=choose) as server:
            try:
                line = server.stdout.readline().decode()
                assert line.startswith("listening on ")
                found = policies(server.pid)
                assert found == {expected}, f"policies {found} of a server started with {chosen}"
                if expected == os.SCHED_BATCH:
                    check_beside_others(server.pid, line.split()[-1])
            finally:
                server.terminate()


def main():
    check(os.SCHED_OTHER, os.SCHED_BATCH)
    check(os.SCHED_IDLE, os.SCHED_IDLE)


main()
