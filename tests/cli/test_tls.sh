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
finish
