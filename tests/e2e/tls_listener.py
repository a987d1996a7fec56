"""Options of a server that also listens on tls+tcp://, with a certificate made for it; none without openssl."""
import shutil
import subprocess


def tls_options(directory):
    if shutil.which("openssl") is None:
        print("no openssl: tls+tcp:// is left out")
        return []
    key, certificate_path = directory + "/key.pem", directory + "/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key,
                    "-out", certificate_path], stderr=subprocess.DEVNULL, check=True)
    return ["--listen", "tls+tcp://127.0.0.1:0", "--tls-cert", certificate_path, "--tls-key", key]
