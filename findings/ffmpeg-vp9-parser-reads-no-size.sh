#!/usr/bin/env bash
# FFmpeg's parser tells the picture size of VP8, AV1 and H.264, but not of VP9.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: after CodecContext.parse() has seen a key picture, the codec context
# has its width and height, without anything being decoded. VP9 writes its size
# into the header of each key picture, as the others do.
#
# Seen: that is so for VP8, AV1 and H.264; for VP9 both stay 0, and are known
# only once a picture is decoded.
#
# What it means: a program that looks at the size before it decodes, to refuse
# what is too large, sees 0x0 for VP9 and lets it through if it only asks whether
# that is above its limit. It has to treat 0 as "not known", and read the header
# itself or limit the decoder.
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


def coded(encoder, options):
    coder = av.CodecContext.create(encoder, "w")
    coder.width, coder.height, coder.pix_fmt = 160, 120, "yuv420p"
    coder.framerate, coder.time_base = 25, Fraction(1, 25)
    coder.options = options
    packets = []
    for number in range(3):
        picture = av.VideoFrame(160, 120, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([40 + 10 * number]) * plane.buffer_size)
        picture.pts = number
        packets += coder.encode(picture)
    packets += coder.encode(None)
    return [bytes(packet) for packet in packets]


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
seen = {}
for name, encoder, decoder, options in (
    ("VP8", "libvpx", "vp8", {}),
    ("AV1", "libsvtav1", "libdav1d", {}),
    ("H.264", "libx264", "h264", {"bf": "0"}),
    ("VP9", "libvpx-vp9", "vp9", {}),
):
    packets = coded(encoder, options)
    context = av.CodecContext.create(decoder, "r")
    for packet in packets:
        context.parse(packet)
    context.parse(None)
    parsed = context.width, context.height

    context = av.CodecContext.create(decoder, "r")
    for packet in packets:
        context.decode(av.Packet(packet))
    context.decode(None)
    seen[name] = parsed, (context.width, context.height)
    print("  %-6s after parsing: %s, after decoding: %s" % (name, *seen[name]))

size = 160, 120
if seen != {
    "VP8": (size, size),
    "AV1": (size, size),
    "H.264": (size, size),
    "VP9": ((0, 0), size),
}:
    raise SystemExit("the behaviour has changed")
print("as described: the parser tells no size for VP9")
PY
SVT_LOG=1 venv/bin/python show.py
