#!/usr/bin/env bash
# A download that was killed is not gone on with: the next process asks for the whole file again.
#
# Versions: huggingface_hub 2.4.0, Python 3.11.
#
# Expected: what is in the cache as an incomplete file is gone on with by the next process, as it is within a process
# when a connection is cut.
#
# Seen: a process that is killed when 20 of 31 MB have come leaves 10 MB in the cache. The next process sends its
# request without a range, gets all of it again, and the incomplete file of the first one stays where it is.
# Within one process a cut connection is gone on with, by a range from the byte at which it was cut.
#
# What it means: on a line that breaks off, a model of a gigabyte begins at nothing each time the program is started
# again, and each try leaves its part on the disk. Do not kill what is slow; look into the cache when the disk is full.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0

cat > show.py <<'PY'
"""A hub of one file, and processes that fetch it."""

import http.server
import pathlib
import re
import subprocess
import sys
import threading

BODY = bytes(range(256)) * 120_000  # 30.7 MB
COMMIT, TAG = "c" * 40, '"' + "e" * 64 + '"'
asked, stop_at, cut_at, reached = [], [None], [None], threading.Event()


class Hub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def begin(self, status, length, more=()):
        self.send_response(status)
        for name, value in (("ETag", TAG), ("X-Repo-Commit", COMMIT), ("Accept-Ranges", "bytes"),
                            ("Content-Length", str(length)), *more):
            self.send_header(name, value)
        self.end_headers()

    def do_HEAD(self):
        self.begin(200, len(BODY))

    def do_GET(self):
        wanted = self.headers.get("Range", "")
        asked.append(wanted or "all")
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        first = int(found[1]) if found else 0
        part = BODY[first:]
        more = [("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")] if found else []
        self.begin(206 if found else 200, len(part), more)
        if stop_at[0] is not None:  # so much, and then nothing until the reader is gone
            self.wfile.write(part[: stop_at[0]])
            self.wfile.flush()
            reached.set()
            threading.Event().wait(30)
        elif cut_at[0] is not None:
            self.wfile.write(part[: cut_at[0]])
            self.close_connection, cut_at[0] = True, None
            self.connection.shutdown(2)
        else:
            self.wfile.write(part)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
FETCH = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download("them/model", "weights.bin", cache_dir=sys.argv[1], endpoint=sys.argv[2], token=False))
"""


def fetch(cache):
    return subprocess.Popen([sys.executable, "-c", FETCH, cache, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def incomplete(cache):
    return [path.stat().st_size for path in pathlib.Path(cache).rglob("*.incomplete")]


stop_at[0] = 20_000_000
process = fetch("killed")
if not reached.wait(60):
    raise SystemExit("the behaviour has changed: nothing was asked for")
while sum(incomplete("killed")) < 10_000_000:
    threading.Event().wait(0.1)
process.kill()
process.wait()
left, stop_at[0] = incomplete("killed"), None
asked.clear()
out, _ = fetch("killed").communicate(timeout=120)
whole = pathlib.Path(out.decode().strip()).read_bytes() == BODY
print("killed after", [f"{size / 1e6:.0f} MB" for size in left], "; then asked for:", asked, "; whole:", whole)
print("  left in the cache behind it:", [f"{size / 1e6:.0f} MB" for size in incomplete("killed")])
again = list(asked)

asked.clear()
cut_at[0] = 20_000_000
fetch("cut").communicate(timeout=120)
print("connection cut within a process; asked for:", asked)
if not (whole and left and again == ["all"] and incomplete("killed") and len(asked) > 1 and asked[1].startswith("bytes=")):
    raise SystemExit("the behaviour has changed")
print("as described: gone on with within a process, begun again by the next")
PY
timeout 200 venv/bin/python show.py
