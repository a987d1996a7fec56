"""notify.py: runs the real weir-server (WEIR_SERVER_PROGRAM) as a service manager does. The server must send READY=1 once
it serves and STOPPING=1 when told to stop, and exit with status 0."""
import os
import signal
import socket
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as directory:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(60)
    manager.bind(directory + "/manager")
    environment = {**os.environ, "NOTIFY_SOCKET": directory + "/manager"}
    server = subprocess.Popen(
        [os.environ["WEIR_SERVER_PROGRAM"], "--listen", "tcp://127.0.0.1:0", "--store", "sqlite::memory:"],
        cwd=directory, env=environment, stdout=subprocess.PIPE)
    try:
        told = [manager.recv(64)]
        line = server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        told.append(manager.recv(64))
        status = server.wait(60)
    finally:
        server.kill()
if told != [b"READY=1", b"STOPPING=1"] or not line.startswith(b"listening on tcp://") or status != 0:
    sys.exit(f"the manager was told {told}; the server wrote {line} and ended with {status}")
print("READY=1, STOPPING=1, exit status 0")
