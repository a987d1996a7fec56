"""The server becomes the parent of processes whose own parent has ended, as the first process of a container does. When they
end they are gone, and stay as zombies no longer than that."""
import ctypes
import os
import signal
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
ORPHANS = 3
WAIT_S = 60


def leave_orphans(report):
    """Makes this process, which becomes the server, the parent of orphans, whose ids are written to `report`."""
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    for _ in range(ORPHANS):
        parent = os.fork()
        if parent == 0:
            orphan = os.fork()
            if orphan == 0:
                os.execvp("sleep", ["sleep", "600"])
            os.write(report, b"%d\n" % orphan)
            os._exit(0)
        os.waitpid(parent, 0)


def parent_of(process):
    """Returns the id of a process's parent; None where there is no such process, not even a zombie."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def main():
    reading, report = os.pipe()
    with tempfile.TemporaryDirectory() as directory:
        command = [os.environ["WEIR_SERVER_PROGRAM"], "--store", "sqlite::memory:", "--listen", "tcp://127.0.0.1:0"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE,
                              preexec_fn=lambda: leave_orphans(report)) as server:
            orphans = [int(line) for line in os.read(reading, 4096).split()]
            try:
                assert server.stdout.readline().startswith(b"listening on ")
                assert len(orphans) == ORPHANS
                for orphan in orphans:
                    assert parent_of(orphan) == server.pid
                    os.kill(orphan, signal.SIGTERM)
                until = time.monotonic() + WAIT_S
                while any(parent_of(orphan) == server.pid for orphan in orphans):
                    assert time.monotonic() < until, "zombies are left"
                    time.sleep(0.01)
            finally:
                server.terminate()
                for orphan in orphans:
                    if parent_of(orphan) is not None:
                        os.kill(orphan, signal.SIGKILL)
        assert server.returncode == 0


main()
