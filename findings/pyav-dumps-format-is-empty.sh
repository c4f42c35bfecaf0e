#!/usr/bin/env bash
# What a container says of itself is an empty text unless logging is turned up.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: container.dumps_format() returns the description of an open file that
# the ffmpeg program prints for it: format, length, streams.
#
# Seen: it returns "". The text is caught from FFmpeg's log, which PyAV keeps
# silent by default; only with the level at INFO or more does it come back.
#
# What it means: the return value depends on a global setting that has nothing
# to do with it, and an empty text says nothing of the file. Raise the level
# around the call, or read container.streams instead.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0

cat > show.py <<'PY'
import av

with av.open("small.mkv", "w") as out:
    stream = out.add_stream("libvpx", rate=25)
    stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
    for number in range(5):
        picture = av.VideoFrame(160, 120, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([40 + 10 * number]) * plane.buffer_size)
        out.mux(stream.encode(picture))
    out.mux(stream.encode(None))


def described():
    with av.open("small.mkv") as source:
        return source.dumps_format()


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
seen = {"default": described()}
for name in ("ERROR", "WARNING", "INFO"):
    av.logging.set_level(getattr(av.logging, name))
    seen[name] = described()
av.logging.set_level(None)
for name, text in seen.items():
    print("  level %-8s" % name, repr(text))
if seen["default"] or seen["ERROR"] or seen["WARNING"]:
    raise SystemExit("the behaviour has changed")
if "vp8" not in seen["INFO"] or "160x120" not in seen["INFO"]:
    raise SystemExit("the behaviour has changed")
print("as described: empty unless the level of the log is at INFO")
PY
venv/bin/python show.py
