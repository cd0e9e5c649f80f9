#!/usr/bin/python3
"""A page that knows nothing of its lifecycle.

It is started, stands still when it is not on the screen, and is ended by SIGTERM. What it keeps is in
$ENSEMBLE_DATA_EL2.
"""

import os
import pathlib
import signal

# From here on SIGTERM waits until somebody asks for it.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

counter = pathlib.Path(os.environ["ENSEMBLE_DATA_EL2"]) / "times"
times = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(times))
print(f"Hello, started {times} times", flush=True)

signal.sigwait({signal.SIGTERM})
