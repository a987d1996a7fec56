#!/bin/sh
# weir over TLS: the CA must have signed the server's certificate, which must name the host; the server may require a
# client certificate.
. "$(dirname "$0")/lib.sh"
command -v openssl >/dev/null || exit 77

# ca NAME makes a CA; certificate NAME SUBJECT-ALT-NAME CA makes a certificate.
ca() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE 2>/dev/null
}
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 2 -extfile "$1.ext" \
        -out "$1.pem" 2>/dev/null
}
ca authority
ca stranger
certificate server DNS:localhost,IP:127.0.0.1 authority
certificate client DNS:client authority
certificate fake DNS:client stranger

listen_url=tls+tcp://127.0.0.1:0
start_server --tls-cert server.pem --tls-key server.key
port=${listen_url##*:}
export WEIR_TIMEOUT=2 WEIR_SERVER="tls+tcp4://localhost:$port"
run 0 "$weir" health --tls-ca authority.pem
run 0 env WEIR_TLS_CA=authority.pem "$weir" write account-1 T 1
run 3 "$weir" health --tls-ca stranger.pem --timeout 0.7
err_has 'no connection to .* within 700 ms; .*a certificate may not have been accepted'
run 3 "$weir" health --timeout 0.7
run 2 "$weir" health --tls-ca no-such-file
err_has 'no-such-file'
run 2 "$weir" health --tls-ca authority.pem --tls-cert client.pem
err_has 'must be given together'
run 2 "$weir" health --tls-ca authority.key
err_has "'authority.key' contains no PEM certificate, or a damaged one"
run 2 "$weir" health --tls-ca authority.pem --tls-cert client.pem --tls-key fake.key
err_has "the key in 'fake.key' does not belong to 'client.pem'"
run 2 "$weir" health --tls-ca authority.pem --tls-cert client.key --tls-key client.key
err_has "'client.key' contains no PEM certificate"
run 2 "$weir" health --tls-ca authority.pem --tls-cert client.pem --tls-key client.pem
err_has "'client.pem' contains no PEM private key without a password"

# A host name that the certificate does not contain.
run 3 "$weir" health --tls-ca authority.pem --server "tls+tcp://ip6-localhost:$port" --timeout 0.7
stop_server
certificate server DNS:elsewhere authority
listen_url=tls+tcp://127.0.0.1:$port
start_server --tls-cert server.pem --tls-key server.key
export WEIR_SERVER="tls+tcp4://localhost:$port"
run 3 "$weir" health --tls-ca authority.pem --timeout 0.7
stop_server

# The server requires a client certificate.
certificate server DNS:localhost authority
start_server --tls-cert server.pem --tls-key server.key --tls-client-ca authority.pem
export WEIR_SERVER="tls+tcp4://localhost:$port"
run 0 "$weir" health --tls-ca authority.pem --tls-cert client.pem --tls-key client.key
run 3 "$weir" health --tls-ca authority.pem --timeout 0.7
run 3 "$weir" health --tls-ca authority.pem --tls-cert fake.pem --tls-key fake.key --timeout 0.7
stop_server

# Certificates that are not valid now: the server says so in its log, with the time, once, and serves.
cat >ca.cnf <<'CONFIG'
[ca]
default_ca = test
[test]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
CONFIG
# signed NAME FROM UNTIL: a new certificate for the key of `server`.
signed() {
    touch index
    openssl ca -batch -config ca.cnf -keyfile authority.key -cert authority.pem -in server.csr -extfile server.ext \
        -startdate "$2" -enddate "$3" -notext -out "$1.pem" 2>/dev/null
}
signed expired 20200101000000Z 20210203040506Z
signed early 20980101000000Z 20990101000000Z
: >server.log
start_server --tls-cert expired.pem --tls-key server.key --listen tls+tcp://127.0.0.1:0
export WEIR_SERVER="tls+tcp4://localhost:$port"
run 3 "$weir" health --tls-ca authority.pem --timeout 0.7
is_equal "$(grep -c 'warn certificate 1 in expired.pem expired at 2021-02-03T04:05:06Z; clients refuse it$' server.log)" 1
stop_server
listen_url=tls+tcp://127.0.0.1:$port
cat server.pem early.pem >chain.pem
cat authority.pem expired.pem >authorities.pem
: >server.log
start_server --tls-cert chain.pem --tls-key server.key --tls-client-ca authorities.pem
is_equal "$(grep -c 'warn certificate 2 in chain.pem is not valid before 2098-01-01T00:00:00Z; clients' server.log)" 1
is_equal "$(grep -c 'warn certificate 2 in authorities.pem expired at 2021-02-03T04:05:06Z; clients with' server.log)" 1
stop_server

# Connections that end in the middle of a reply: nng may not notice such an end, but the call is repeated all the same.
cat >ending.py <<'PROGRAM'
import socket, ssl, struct

def receive(connection, n):
    data = b''
    while len(data) < n:
        part = connection.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
listener = socket.create_server(('127.0.0.1', 0))
print('%d' % listener.getsockname()[1], flush=True)
for left in reversed(range(11)):
    connection = context.wrap_socket(listener.accept()[0], server_side=True)
    connection.sendall(b'\0SP\0\0\x31\0\0')
    receive(connection, 8)
    request = receive(connection, struct.unpack('>Q', receive(connection, 8))[0])
    body = request[:4] + b'\x0a\x02\x08\x00\x12\x04\x08\x01\x10\x05'  # version 5
    connection.sendall(struct.pack('>Q', len(body)))
    if left == 0:
        connection.sendall(body)
        connection.recv(1)
    connection.close()
PROGRAM
python3 ending.py >ending.port &
ending=$!
until [ -s ending.port ]; do kill -0 $ending || break; done
run 0 "$weir" version account-1 --server "tls+tcp://localhost:$(cat ending.port)" --tls-ca authority.pem --timeout 60
out_is 5
wait $ending
finish
