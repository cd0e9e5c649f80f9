#!/bin/sh
# Writes bundles.tar with a key that is thrown away, and prints the key for `trust` of the device: sh make.sh, with
# `ens` in PATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME="$work"

bundle() { # NAME VERSION MORE
    mkdir -p "$1/etc"
    echo "$4" > "$1/etc/$1.conf"
    printf '#!/bin/sh\n' > "$1/run"
    chmod 755 "$1/run"
    cat > "$1/bundle.toml" << END
id = "org.example.$1"
version = "$2"
name = "$1"
about = "For a test"
$3
END
    ens bundle build "$1" >&2
}

ens bundle key
bundle tools 2.0.0 'kind = "runtime"' two
bundle absent 1.0.0 'kind = "runtime"' nothing
bundle lonely 1.0.0 '[runtime]
bundle = "org.example.absent"
version = "1.0.0"
[[ability]]
name = "main"
exec = ["run"]' nothing
bundle late 1.0.0 '[runtime]
bundle = "org.example.tools"
version = "2.0.0"
[[ability]]
name = "main"
exec = ["run"]' nothing
tar --sort=name --owner=0 --group=0 --mtime=@0 -cf "$here/bundles.tar" tools.bundle lonely.bundle late.bundle
