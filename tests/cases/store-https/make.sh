#!/bin/sh
# Writes the certificates of this case and of store/tests/https.rs, with keys that are good for nothing else: sh make.sh.
# ca.pem signs good.pem and expired.pem; stranger.pem is signed by itself, whom nobody trusts. Each but ca.pem has its key with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"; }

leaf() { # NAME FIRST-DAY LAST-DAY
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    openssl ca -batch -notext -config ca.conf -startdate "$2" -enddate "$3" -in "$1.csr" -out "$1.crt"
    cat "$1.crt" "$1.key" > "$here/$1.pem"
}

cat > ca.conf << END
[ca]
default_ca = test
[test]
certificate = ca.pem
private_key = ca.key
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:shop.example,DNS:localhost
basicConstraints = CA:FALSE
END
: > index
key ca
openssl req -x509 -new -key ca.key -subj "/CN=The CA of a test" -days 36500 -out ca.pem
leaf good 20200101000000Z 21200101000000Z
leaf expired 20200101000000Z 20210101000000Z
key stranger
openssl req -x509 -new -key stranger.key -subj "/CN=A stranger" -days 36500 -addext "subjectAltName=DNS:shop.example,DNS:localhost" \
    -addext "basicConstraints=critical,CA:FALSE" -out stranger.crt
cat stranger.crt stranger.key > "$here/stranger.pem"
cp ca.pem "$here/ca.pem"
