"""One thread for each library of numbers, to be imported before the first of them: they ask as they are loaded.

Small networks on few cores: threads that wait for each other cost more than they bring, and most where several test
processes share the cores. What is started from a test does the same.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(_name, "1")
