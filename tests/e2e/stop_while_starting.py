"""stop_while_starting.py: stops the real weir-server (WEIR_SERVER_PROGRAM) while it waits for a database that accepts its
connection and never answers. The server must stop at once in an orderly way, not when it gives up the database (10 s)."""
import os
import signal
import socket
import subprocess
import sys
import tempfile

SOON_S = 5

for told in (signal.SIGTERM, signal.SIGINT):
    with tempfile.TemporaryDirectory() as directory:
        database = socket.socket(socket.AF_UNIX)
        database.settimeout(60)
        database.bind(directory + "/.s.PGSQL.5432")
        database.listen()
        server = subprocess.Popen(
            [os.environ["WEIR_SERVER_PROGRAM"], "--listen", "tcp://127.0.0.1:0",
             "--store", "postgresql://postgres@/weir?host=" + directory],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            connection, _ = database.accept()
            server.send_signal(told)
            out, err = server.communicate(timeout=SOON_S)
        finally:
            server.kill()
    if server.returncode != 0 or out != b"" or b"stopped before it had started" not in err:
        sys.exit(f"after {told!r} the server wrote {out} and {err} and ended with {server.returncode}")
print("ended while it was starting, exit status 0")
