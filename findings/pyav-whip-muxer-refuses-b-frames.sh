#!/usr/bin/env bash
# The WHIP output refuses what the H.264 encoder makes by default.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: an output of format "whip" with a libx264 stream and no options goes
# as far as asking the server, as with any other output.
#
# Seen: it fails while the header is written, before the server is asked
# anything, with PatchWelcomeError ("Not yet implemented in FFmpeg"): libx264
# uses B-frames unless told not to, and the WHIP muxer does not take them. With
# bf=0 the same program sends its offer to the server.
#
# What it means: whoever sends by WHIP must turn B-frames off (bf=0). The error
# sounds as if WHIP itself were missing from the build; the reason is only in
# the log, which PyAV keeps silent unless its level is raised.
#
# The server here is on loopback, in a process of its own, and answers each
# offer with 503, so no session ever comes about.
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


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        offer = self.rfile.read(int(self.headers.get("content-length") or 0))
        with open("offers", "ab") as log:
            log.write(offer[:3] + b"\n")
        self.send_response(503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as port:
    port.write(str(server.server_port))
os.rename("port.part", "port")
server.serve_forever()
PY

cat > show.py <<'PY'
import os

import av


def send(options):
    """The error's name, and how many offers have reached the server."""
    out = av.open("http://127.0.0.1:%s/whip" % open("port").read(), "w", format="whip")
    stream = out.add_stream("libx264", rate=25, options=options)
    stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
    try:
        out.start_encoding()
        error = "no error"
    except av.error.FFmpegError as problem:
        error = type(problem).__name__
    offers = open("offers").read().split() if os.path.exists("offers") else []
    print("  options", options, "->", error, "- offers the server has seen:", offers)
    return error, offers


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
default = send({})
plain = send({"bf": "0"})
if default != ("PatchWelcomeError", []):
    raise SystemExit("the behaviour has changed")
if plain[0] == "PatchWelcomeError" or plain[1] != ["v=0"]:
    raise SystemExit("the behaviour has changed")
print("as described: no offer with the default settings, an offer without B-frames")
PY

python3 server.py &
server=$!
for _ in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done
timeout 60 venv/bin/python show.py
