"""notify.py: runs the real weir-server (WEIR_SERVER_PROGRAM) as a service manager does. The server must send READY=1 once
it serves and STOPPING=1 when told to stop, and exit with status 0. Where its standard error is the journal, which
JOURNAL_STREAM tells, the lines there begin with their priority."""
import os
import signal
import socket
import subprocess
import sys
import tempfile


def start(directory, journal, store):
    stream = os.fstat(journal)
    environment = {**os.environ, "NOTIFY_SOCKET": directory + "/manager",
                   "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
    return subprocess.Popen(
        [os.environ["WEIR_SERVER_PROGRAM"], "--listen", "tcp://127.0.0.1:0", "--store", store],
        cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=journal)


with tempfile.TemporaryDirectory() as directory:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(60)
    manager.bind(directory + "/manager")
    journal_out, journal = os.pipe()
    server = start(directory, journal, "sqlite:data")
    try:
        told = [manager.recv(64)]
        line = server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        told.append(manager.recv(64))
        status = server.wait(60)
    finally:
        server.kill()
    created = os.read(journal_out, 4096)
    failed_status = start(directory, journal, "sqlite:manager").wait(60)
    failed = os.read(journal_out, 4096)
if told != [b"READY=1", b"STOPPING=1"] or not line.startswith(b"listening on tcp://") or status != 0:
    sys.exit(f"the manager was told {told}; the server wrote {line} and ended with {status}")
if not created.startswith(b"<6>2") or not failed.startswith(b"<3>weir-server: ") or failed_status != 1:
    sys.exit(f"the journal got {created}, and from a server that ended with {failed_status} {failed}")
print("READY=1, STOPPING=1, exit status 0, priorities in the journal")
