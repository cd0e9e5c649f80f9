#!/usr/bin/env python3
"""Writes `repository`, as python-tuf (pip install tuf securesystemslib[crypto]) makes one:

    python3 make.py

Root 1 is signed by one key, root 2 by two of three new ones; targets have version 3. Keys are thrown away.
"""

import os
import shutil
from datetime import datetime, timezone

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, Metadata, Role, Root, Snapshot, TargetFile, Targets, Timestamp

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "repository")
EXPIRES = datetime(2100, 1, 1, tzinfo=timezone.utc)

shutil.rmtree(OUT, ignore_errors=True)
os.makedirs(OUT + "/metadata")
os.makedirs(OUT + "/targets")
signers = {role: CryptoSigner.generate_ed25519() for role in ("root", "timestamp", "snapshot", "targets")}


def write(name, metadata):
    metadata.to_file(f"{OUT}/metadata/{name}")
    return f"{OUT}/metadata/{name}"


root = Metadata(Root(version=1, expires=EXPIRES, consistent_snapshot=True))
for role, signer in signers.items():
    root.signed.add_key(signer.public_key, role)
root.sign(signers["root"])
write("1.root.json", root)

new = [CryptoSigner.generate_ed25519() for _ in range(3)]
root.signed.revoke_key(signers["root"].public_key.keyid, "root")
for signer in new:
    root.signed.add_key(signer.public_key, "root")
root.signed.roles["root"].threshold = 2
root.signed.version = 2
root.signatures.clear()
for signer in (signers["root"], new[0], new[2]):
    root.sign(signer, append=True)
write("2.root.json", root)

targets = Metadata(Targets(version=3, expires=EXPIRES))
content = "Ein Text mit \u00e4 und \"Zeichen\"\\\n".encode()
target = TargetFile.from_data("apps/text.txt", content, ["sha256", "sha512"])
target.unrecognized_fields["custom"] = {"bundle": "org.example.text", "version": "1.0.0", "keys": [], "name": {"": "T\u00e4xt \u2028\x7f\t"}}
targets.signed.targets["apps/text.txt"] = target
targets.sign(signers["targets"])
path = write("3.targets.json", targets)
os.makedirs(OUT + "/targets/apps")
with open(f"{OUT}/targets/apps/{target.hashes['sha256']}.text.txt", "wb") as file:
    file.write(content)

snapshot = Metadata(Snapshot(version=5, expires=EXPIRES))
snapshot.signed.meta["targets.json"] = MetaFile.from_data(3, open(path, "rb").read(), ["sha256"])
snapshot.sign(signers["snapshot"])
path = write("5.snapshot.json", snapshot)

timestamp = Metadata(Timestamp(version=8, expires=EXPIRES))
timestamp.signed.snapshot_meta = MetaFile.from_data(5, open(path, "rb").read(), ["sha256", "sha512"])
timestamp.sign(signers["timestamp"])
write("timestamp.json", timestamp)
