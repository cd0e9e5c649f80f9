#!/bin/sh
# Writes diary.bundle, signed with a key that is thrown away: sh make.sh, with `ens` in PATH.
# It writes a canary of its own into each class, as content and as a name, and leaves it to root to look what it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME="$work"

mkdir diary
cat > diary/run << 'END'
#!/bin/sh
for class in "$ENSEMBLE_DATA_EL1" "$ENSEMBLE_DATA_EL2"; do
    canary=$(head -c 32 /dev/urandom | sha256sum | cut -c 1-32)
    echo "$canary" > "$class/$canary"
    echo "$canary" > "$class/canary"
done
sync
echo written
exec tail -f /dev/null
END
chmod 755 diary/run
cat > diary/bundle.toml << END
id = "org.example.diary"
version = "1.0.0"
name = "Diary"
about = "Writes what nobody is to find once it is removed"

[[ability]]
name = "main"
exec = ["run"]
END
ens bundle key >&2
ens bundle build diary >&2
cp diary.bundle "$here"
