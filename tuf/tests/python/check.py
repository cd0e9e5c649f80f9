#!/usr/bin/env python3
"""Reads a store as python-tuf's client does, from its first root on, and prints its files, sorted:

    check.py STORE [FILE...]      downloads and checks these files too
"""

import os
import sys
import tempfile

from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater


class Disk(FetcherInterface):
    def _fetch(self, url):
        try:
            with open(url.removeprefix("file://"), "rb") as file:
                yield file.read()
        except FileNotFoundError:
            raise DownloadHTTPError("not there", 404) from None


store = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as kept:
    with open(store + "/metadata/1.root.json", "rb") as file:
        root = file.read()
    updater = Updater(
        kept, f"file://{store}/metadata", kept, f"file://{store}/targets", fetcher=Disk(), bootstrap=root
    )
    updater.refresh()
    with open(kept + "/targets.json", "rb") as file:
        targets = Metadata.from_bytes(file.read()).signed.targets
    for name in sorted(targets):
        print(name)
    for name in sys.argv[2:]:
        info = updater.get_targetinfo(name)
        updater.download_target(info, kept + "/download")
