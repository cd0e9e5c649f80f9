"""Uses what its wheel brings."""

import sys

import greet

print("greet is at", greet.__file__, flush=True)
greet.main(["", "main of Python %d" % sys.version_info.major])
