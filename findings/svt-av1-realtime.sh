#!/usr/bin/env bash
# An AV1 encoder makes the thread that opens it a real-time one.
#
# Versions: PyAV 18.1.0 (its wheel's FFmpeg with SVT-AV1), Linux, run as root or with CAP_SYS_NICE, as in most containers.
#
# Expected: opening an encoder leaves the scheduling of the thread that opens it as it was.
# Seen: opening libsvtav1 puts the calling thread into SCHED_FIFO at priority 99, and it stays there, also after the
#        encoder is closed. Threads and processes that it starts from then on inherit that: in a process that once
#        encoded AV1, a browser that was started later took both cores of a machine at real-time priority, and nothing
#        else ran. libvpx-vp9 changes nothing.
# For users: a server that encodes AV1 in its own process must do so in a child, or set its scheduling back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[ "$(id -u)" = 0 ] || { echo "to be run as root: others may not change their scheduling"; exit 2; }
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0
cat > "$folder/open.py" <<'PY'
import os
import sys
from fractions import Fraction

import av


def scheduling():
    return os.sched_getscheduler(0) == os.SCHED_FIFO, os.sched_getparam(0).sched_priority


seen = [scheduling()]
context = av.CodecContext.create(sys.argv[1], "w")
context.width, context.height, context.pix_fmt = 64, 64, "yuv420p"
context.time_base, context.framerate = Fraction(1, 15), Fraction(15)
if sys.argv[1] == "libsvtav1":
    context.options = {"preset": "12", "svtav1-params": "lp=1"}
context.open()
seen.append(scheduling())
del context
seen.append(scheduling())
print(sys.argv[1], "real-time and priority before, open, closed:", *seen)
PY
first=$(taskset -p -c $$ | sed 's/.*: *\([0-9]*\).*/\1/') # on one core: the others stay free whatever happens
for codec in libvpx-vp9 libsvtav1; do
  taskset -c "$first" timeout -s KILL 60 "$folder/env/bin/python" "$folder/open.py" "$codec" 2>/dev/null | tee "$folder/$codec"
done
grep -qF "(False, 0) (False, 0) (False, 0)" "$folder/libvpx-vp9"
grep -qF "(False, 0) (True, 99) (True, 99)" "$folder/libsvtav1"
echo "as described"
