#!/usr/bin/env bash
# While a WHIP output waits for its server, the whole Python process stands still.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: PyAV lets Python's other threads run while FFmpeg waits for the
# network, as it does when a file is opened for reading over HTTP.
#
# Seen: while the header of an output of format "whip" is written (the offer is
# posted and the answer awaited), no other thread of the process runs at all: a
# thread that ticks every 20 ms does not tick once until the server answers.
#
# What it means: a slow WHIP server freezes every thread of the program that
# sends to it; a test whose WHIP server is a thread of the same process waits
# for itself. Run the sender, or the server, in a process of its own, with a
# limit on its time.
#
# The server here is on loopback, in a process of its own, and answers after two
# seconds with 503, so the wait is bounded and no session ever comes about.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0

cat > server.py <<'PY'
import http.server
import os
import time


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        time.sleep(2)
        self.send_response(503)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *words):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as port:
    port.write(str(server.server_port))
os.rename("port.part", "port")
server.serve_forever()
PY

cat > show.py <<'PY'
import threading
import time

import av

URL = "http://127.0.0.1:%s/" % open("port").read()


def watched(title, action):
    """How long the action took, and how often another thread ran meanwhile."""
    ticks, over = [], threading.Event()

    def tick():
        while not over.wait(0.02):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    time.sleep(0.2)
    begin = time.monotonic()
    try:
        action()
        error = "no error"
    except OSError as problem:
        error = type(problem).__name__
    except av.error.FFmpegError as problem:
        error = type(problem).__name__
    end = time.monotonic()
    over.set()
    thread.join()
    during = sum(begin + 0.3 < moment < end - 0.3 for moment in ticks)
    print("  %s: %.1f s, %s, ticks in the middle of it: %d" % (title, end - begin, error, during))
    return end - begin, during


def write():
    out.start_encoding()


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
out = av.open(URL, "w", format="whip")
stream = out.add_stream("libx264", rate=25, options={"bf": "0"})
stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
stream.codec_context.open()
reading = watched("reading over HTTP", lambda: av.open(URL + "a.mkv"))
writing = watched("writing by WHIP  ", write)
if min(reading[0], writing[0]) < 1.8:
    raise SystemExit("one of them did not wait for the server: nothing was tried")
if reading[1] < 10 or writing[1] != 0:
    raise SystemExit("the behaviour has changed")
print("as described: no other thread runs while the WHIP output waits")
PY

python3 server.py &
server=$!
for _ in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done
timeout 60 venv/bin/python show.py
