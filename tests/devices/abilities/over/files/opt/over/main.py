import os
import sys
import time

print("seen as one:", open("/etc/over.conf").read().strip(), len(os.listdir("/usr/lib")) > 1)
print("its own alone:", sorted(os.listdir("/run/bundles/org.example.over")))
try:
    open("/usr/lib/new", "w")
except OSError as e:
    print("writing:", e.strerror)
sys.stdout.flush()
time.sleep(1e6)
