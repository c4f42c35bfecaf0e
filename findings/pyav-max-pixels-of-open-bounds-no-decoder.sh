#!/usr/bin/env bash
# A size limit given to av.open() does not limit the decoder.
#
# Versions: PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2), Python 3.11.
#
# Expected: av.open()'s "options" are said to go to the container and to all of
# its streams, so with {"max_pixels": "100"} a picture of 160x120 is refused by
# the decoder of its stream.
#
# Seen: every picture is decoded, just as without the limit, from Matroska and
# from MPEG-TS alike. Giving it as "stream_options" changes nothing, either. The
# decoder refuses only if the limit is set on the stream's own codec context
# before the first packet is decoded.
#
# What it means: a program that opens files from strangers and limits their
# picture size through av.open() has no limit at all, and no error says so.
# Set stream.codec_context.options before decoding, and test the limit.
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

LIMIT = {"max_pixels": "100"}
COUNT = 10


def make(name, encoder):
    """A small, ordinary video of 160x120."""
    with av.open(name, "w") as out:
        stream = out.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(COUNT):
            picture = av.VideoFrame(160, 120, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([40 + 10 * number]) * plane.buffer_size)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def decoded(name, own=None, **how):
    with av.open(name, **how) as source:
        stream = source.streams.video[0]
        if own:
            stream.codec_context.options = own
        try:
            return len(list(source.decode(stream)))
        except av.error.FFmpegError as error:
            return type(error).__name__


print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
for name, encoder in (("small.mkv", "libvpx"), ("small.ts", "mpeg2video")):
    make(name, encoder)
    seen = [
        decoded(name),
        decoded(name, options=LIMIT),
        decoded(name, stream_options=[LIMIT]),
        decoded(name, own=LIMIT),
    ]
    print(name)
    print("  no limit:                       ", seen[0])
    print("  limit in options of av.open:    ", seen[1])
    print("  limit in its stream_options:    ", seen[2])
    print("  limit on the codec context:     ", seen[3])
    if seen != [COUNT, COUNT, COUNT, "ArgumentError"]:
        raise SystemExit("the behaviour has changed")
print("as described: the limit given to av.open() bounds no decoder")
PY
venv/bin/python show.py
