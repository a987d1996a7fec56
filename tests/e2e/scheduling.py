"""The server's threads use the batch scheduling policy, unless another was set, so that they do not preempt each other."""
import os
import subprocess
import tempfile


def policies(pid):
    tasks = [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    assert len(tasks) > 4, f"a server of {len(tasks)} threads"
    return {os.sched_getscheduler(task) for task in tasks}


def check(chosen, expected):
    def choose():
        os.sched_setscheduler(0, chosen, os.sched_param(0))

    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen", "tcp://127.0.0.1:0"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, preexec_fn=choose) as server:
            try:
                assert server.stdout.readline().startswith(b"listening on ")
                found = policies(server.pid)
                assert found == {expected}, f"policies {found} of a server started with {chosen}"
            finally:
                server.terminate()


def main():
    check(os.SCHED_OTHER, os.SCHED_BATCH)
    check(os.SCHED_IDLE, os.SCHED_IDLE)


main()
