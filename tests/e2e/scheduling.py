"""The server's threads keep the scheduling policy that the server was started with: by the batch policy every thread that is
woken waits while others use the processors, so a server beside busy programs would be several times slower."""
import os
import subprocess
import tempfile


def policies(pid):
    tasks = [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    assert len(tasks) > 4, f"a server of {len(tasks)} threads"
    return {os.sched_getscheduler(task) for task in tasks}


def check(chosen):
    def choose():
        os.sched_setscheduler(0, chosen, os.sched_param(0))

    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen", "tcp://127.0.0.1:0"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, preexec_fn=choose) as server:
            try:
                assert server.stdout.readline().startswith(b"listening on ")
                found = policies(server.pid)
                assert found == {chosen}, f"policies {found} of a server started with {chosen}"
            finally:
                server.terminate()


def main():
    check(os.SCHED_OTHER)
    check(os.SCHED_BATCH)


main()
