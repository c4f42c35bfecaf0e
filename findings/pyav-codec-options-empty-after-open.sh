#!/usr/bin/env bash
# The options of a codec context vanish when it is opened.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: a codec context's "options" still tell what was set after open(), so
# that a program can check that its limit is in place.
#
# Seen: after open(), "options" holds only what the decoder did NOT take. An
# option that is in force is gone from it; a misspelt one, which does nothing, is
# all that stays, and raises no error.
#
# What it means: reading "options" back after open() gives the opposite of what
# it seems to. {} means that all was taken; anything left in it was ignored. To
# know that a limit works, look at what is left over, or decode something that
# is too large.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0

cat > show.py <<'PY'
from fractions import Fraction

import av


def key_picture():
    """One VP8 key picture of 160x120."""
    coder = av.CodecContext.create("libvpx", "w")
    coder.width, coder.height, coder.pix_fmt = 160, 120, "yuv420p"
    coder.framerate, coder.time_base = 25, Fraction(1, 25)
    picture = av.VideoFrame(160, 120, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes([90]) * plane.buffer_size)
    picture.pts = 0
    return bytes((coder.encode(picture) + coder.encode(None))[0])


def try_options(options, packet):
    decoder = av.CodecContext.create("vp8", "r")
    decoder.options = dict(options)
    before = dict(decoder.options)
    decoder.open()
    after = dict(decoder.options)
    try:
        result = "decoded %d" % len(decoder.decode(av.Packet(packet)))
    except av.error.FFmpegError as error:
        result = type(error).__name__
    print("  set:", before, " after open():", after, " a picture of 160x120:", result)
    return before, after, result


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
packet = key_picture()
good = try_options({"max_pixels": "100"}, packet)
typo = try_options({"max_pixel": "100"}, packet)
if good != ({"max_pixels": "100"}, {}, "ArgumentError"):
    raise SystemExit("the behaviour has changed")
if typo != ({"max_pixel": "100"}, {"max_pixel": "100"}, "decoded 1"):
    raise SystemExit("the behaviour has changed")
print("as described: what is in force cannot be read back, what is ignored can")
PY
venv/bin/python show.py
