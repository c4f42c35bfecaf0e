#!/usr/bin/env bash
# A reader of FCPXML that knows whole frame rates only, and cuts frames off.
#
# Versions: OpenTimelineIO 0.18.1, otio-fcpx-xml-adapter 1.0.0, Python 3.11.
#
# Expected: a clip at 7/25 s in a sequence of 25 frames a second is at frame 7; a
# sequence with frameDuration="1001/30000s" has 30000/1001 frames a second.
#
# Seen: int(7 / 25 * 25 / 1) style arithmetic in floats puts some clips a frame
# early, and the second sequence is read at 29 frames a second.
#
# What it means: do not judge an FCPXML by this reader; compare its fractions.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentimelineio==0.18.1 otio-fcpx-xml-adapter==1.0.0

cat > show.py <<'PY'
import opentimelineio as otio

FILE = """<?xml version="1.0"?><!DOCTYPE fcpxml><fcpxml version="1.8"><resources>
<format id="r1" frameDuration="{one}"/><asset id="r2" name="a" src="file:///a.wav" start="0s" duration="{long}"
hasAudio="1" audioSources="1" audioChannels="2" audioRate="48000"/></resources><library><event name="e">
<project name="p"><sequence format="r1" duration="{long}" tcStart="0s"><spine>
<gap name="g" offset="0s" start="0s" duration="{long}">
<asset-clip ref="r2" lane="-1" offset="{at}" start="0s" duration="{one}" name="c"/></gap></spine></sequence></project>
</event></library></fcpxml>"""


def read(frame, up, down):
    times = {"one": "%d/%ds" % (up, down), "at": "%d/%ds" % (frame * up, down), "long": "%d/%ds" % (9000 * up, down)}
    [timeline] = otio.adapters.read_from_string(FILE.format(**times), "fcpx_xml")
    [clip] = timeline.find_clips()
    start = clip.range_in_parent().start_time
    return start.value, start.rate


early = [frame for frame in range(1, 2000) if read(frame, 1, 25)[0] == frame - 1]
wrong = [frame for frame in range(1, 2000) if read(frame, 1, 25)[0] not in (frame, frame - 1)]
print("  25: %d of 1999 places a frame early, such as %s" % (len(early), early[:5]))
print("  30000/1001: read at", read(100, 1001, 30000)[1])
if not early or wrong or read(100, 1001, 30000)[1] != 29:
    raise SystemExit("the behaviour has changed")
print("as described: a frame early, and 29 frames a second")
PY
venv/bin/python show.py
