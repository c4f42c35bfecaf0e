#!/usr/bin/env bash
# aiortc's receiver takes the order of B-frames for wraps of the RTP clock.
#
# Versions: aiortc 1.16.0, PyAV 18.1.0 (its wheel brings FFmpeg 8.1.2),
# Python 3.11.
#
# Expected: pictures that are sent in another order than they are shown (H.264
# with B-frames) keep their times: one goes a few hundredths of a second back
# now and then, and all stay inside the length of the video.
#
# Seen: aiortc.rtcrtpreceiver.TimestampMapper, through which the receiver passes
# the time of every picture, takes each time that is lower than the one before
# for a wrap of the 32-bit clock and adds 2**32 ticks of 1/90000 s: 13.26 hours.
# It does so at every step back, and never takes it off again, so a third of a
# second of video is 40 hours long.
#
# What it means: a program that receives video from a sender with B-frames (a
# hardware encoder, or an H.264 file passed on as it is) must not take the times
# of aiortc's frames as they are: bring them back modulo 2**32, or ask the
# sender for no B-frames.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0 aiortc==1.16.0

cat > show.py <<'PY'
from fractions import Fraction
from importlib.metadata import version

import av
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtcrtpreceiver import TimestampMapper

CLOCK, WRAP, COUNT = 90000, 2**32, 10


def rtp_times(**options):
    """The RTP times aiortc sends for a video that is passed on as it is."""
    coder = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = 160, 120, "yuv420p"
    coder.framerate, coder.time_base = 30, Fraction(1, 30)
    coder.options = options
    packets = []
    for number in range(COUNT):
        picture = av.VideoFrame(160, 120, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([40 + 10 * number]) * plane.buffer_size)
        picture.pts = number
        packets += coder.encode(picture)
    packets += coder.encode(None)
    sender = H264Encoder()
    for packet in packets:
        packet.time_base = Fraction(1, 30)
    return [sender.pack(packet)[1] for packet in packets]


def mapped(times):
    mapper = TimestampMapper()
    return [mapper.map(time) for time in times]


def show(title, sent, got):
    print(title)
    print("  sent (ticks):    ", sent)
    print("  received (s):    ", [round(time / CLOCK, 3) for time in got])


print("aiortc", version("aiortc"), "PyAV", av.__version__)

plain = rtp_times(bf="0")
show("without B-frames", plain, mapped(plain))
if mapped(plain) != plain:
    raise SystemExit("the behaviour has changed")

wrapped = [WRAP - 3000, 0, 3000]
show("a true wrap", wrapped, mapped(wrapped))
if mapped(wrapped) != [0, 3000, 6000]:
    raise SystemExit("the behaviour has changed")

order = rtp_times(bf="2", b_adapt="0")
got = mapped(order)
show("with B-frames", order, got)
steps_back = sum(later < sooner for sooner, later in zip(order, order[1:]))
if sorted(order) != plain or not steps_back:
    raise SystemExit("this video has no B-frames: nothing was tried")
print("  steps back sent: ", steps_back)
print("  hours received:  ", round((got[-1] - got[0]) / CLOCK / 3600, 2))
if got[-1] - got[0] != order[-1] - order[0] + steps_back * WRAP:
    raise SystemExit("the behaviour has changed")
print("as described: each step back becomes", round(WRAP / CLOCK / 3600, 2), "hours")
PY
venv/bin/python show.py
