#!/bin/sh
# Writes shop.tar, the store of this case and of store-shipped, with keys that are thrown away: sh make.sh, with `ens` in PATH.
# Two states of it, and timestamps for what is to be refused.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME="$work"
long="--expires root=36500 --expires targets=36500 --expires snapshot=36500 --expires timestamp=36500"

bundle() { # NAME VERSION MORE
    mkdir -p "$1"
    printf '#!/bin/sh\necho %s %s\nexec tail -f /dev/null\n' "$1" "$2" > "$1/run"
    chmod 755 "$1/run"
    cat > "$1/bundle.toml" << END
id = "org.example.$1"
version = "$2"
name = "$1"
about = "Says what it is"
$3
[[ability]]
name = "main"
exec = ["run"]
END
    ens bundle build "$1"
    ens store add shop "$1.bundle"
}

ens bundle key
ens store init shop $long | sed 's/.*root \([^ ]*\) .*/\1/' > fingerprint
ens store init other $long
bundle greeter 1.0.0 ""
bundle cinema 1.0.0 '[requires]
form-factors = ["tv"]
'
ens store publish shop $long
cp shop/metadata/timestamp.json timestamp-1.json
bundle greeter 1.1.0 ""
ens store publish shop $long
cp -r shop expired
ens store publish expired --expires timestamp=0
cp expired/metadata/timestamp.json timestamp-expired.json
cp other/metadata/timestamp.json timestamp-other.json

cp shop/metadata/1.root.json "$here/../store-shipped/root.json"
mv fingerprint timestamp-*.json shop/
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$here/shop.tar" shop
