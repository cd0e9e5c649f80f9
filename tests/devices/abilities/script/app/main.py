import os
import sys
import time

print("python of the runtime:", sys.version_info >= (3, 11), os.getcwd())
print("beside it:", os.path.exists("/opt/over"), os.path.exists("/usr/lib/ensemble"))
sys.stdout.flush()
time.sleep(1e6)
