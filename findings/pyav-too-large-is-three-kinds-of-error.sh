#!/usr/bin/env bash
# One limit on the picture size, three kinds of error when it is passed.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2, with libdav1d),
# Python 3.11.
#
# Expected: with max_pixels set, every decoder refuses a larger picture in the
# same way, so that one "except" tells "too large" from "broken".
#
# Seen: VP8 and VP9 raise ArgumentError (EINVAL, a ValueError); AV1 by libdav1d
# raises av.error.OverflowError (ERANGE, Python's OverflowError, no ValueError);
# H.264 raises InvalidDataError, just as it does for bytes that are no video.
#
# What it means: to catch "too large", catch av.error.FFmpegError. The kind of
# the error does not tell whether a picture is too large or damaged, and
# "except ValueError" misses AV1.
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

COUNT = 3


def coded(encoder, options):
    coder = av.CodecContext.create(encoder, "w")
    coder.width, coder.height, coder.pix_fmt = 160, 120, "yuv420p"
    coder.framerate, coder.time_base = 25, Fraction(1, 25)
    coder.options = options
    packets = []
    for number in range(COUNT):
        picture = av.VideoFrame(160, 120, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([40 + 10 * number]) * plane.buffer_size)
        picture.pts = number
        packets += coder.encode(picture)
    packets += coder.encode(None)
    return [bytes(packet) for packet in packets]


def decode(decoder, packets, limit):
    context = av.CodecContext.create(decoder, "r")
    context.options = {"max_pixels": str(limit)}
    try:
        count = sum(len(context.decode(av.Packet(packet))) for packet in packets)
        return count + len(context.decode(None))
    except av.error.FFmpegError as error:
        value = "a ValueError" if isinstance(error, ValueError) else "no ValueError"
        return type(error).__name__, value


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
seen = {}
for decoder, encoder, options in (
    ("vp8", "libvpx", {}),
    ("vp9", "libvpx-vp9", {}),
    ("libdav1d", "libsvtav1", {}),
    ("h264", "libx264", {"bf": "0"}),
):
    packets = coded(encoder, options)
    if decode(decoder, packets, 160 * 120 * 4) != COUNT:
        raise SystemExit("%s does not decode below the limit: nothing was tried" % decoder)
    seen[decoder] = decode(decoder, packets, 100)
    print("  %-9s above the limit:" % decoder, *seen[decoder])
noise = decode("h264", [bytes([85]) * 200], 160 * 120 * 4)
print("  h264      for bytes that are no video:", *noise)
if noise != seen["h264"]:
    raise SystemExit("the behaviour has changed")
if seen != {
    "vp8": ("ArgumentError", "a ValueError"),
    "vp9": ("ArgumentError", "a ValueError"),
    "libdav1d": ("OverflowError", "no ValueError"),
    "h264": ("InvalidDataError", "a ValueError"),
}:
    raise SystemExit("the behaviour has changed")
print("as described: three kinds of error for one limit")
PY
SVT_LOG=1 venv/bin/python show.py
