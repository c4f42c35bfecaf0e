#!/usr/bin/env bash
# Markers in an EDL with drop-frame timecode are written and not read.
#
# Versions: OpenTimelineIO 0.18.1, otio-cmx3600-adapter 1.0.0, Python 3.11.
#
# Expected: the markers of a clip come back from an EDL at every rate.
#
# Seen: at 25 and 24000/1001 all of them do. At 30000/1001 each is in the file,
# as "* LOC: 00:00:03;10 RED name", and none comes back, without an error or a
# warning: the reader looks for digits and colons only. The file has no FCM line
# either, which tells other readers that the timecode is drop-frame.
#
# What it means: at 29.97 and 59.94 an EDL of this adapter loses every marker
# on the way. Carry them in another format, or write and read the lines yourself.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentimelineio==0.18.1 otio-cmx3600-adapter==1.0.0

cat > show.py <<'PY'
import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

for rate in (25.0, 24000 / 1001, 30000 / 1001):
    timeline = otio.schema.Timeline("t")
    track = otio.schema.Track("v", kind="Video")
    timeline.tracks.append(track)
    whole = TimeRange(RationalTime(0, rate), RationalTime(3000, rate))
    clip = otio.schema.Clip("c", otio.schema.ExternalReference("/c.mov", whole), whole)
    for number in range(20):
        at = TimeRange(RationalTime(100 * number, rate), RationalTime(1, rate))
        clip.markers.append(otio.schema.Marker("m%d" % number, at, "RED"))
    track.append(clip)
    text = otio.adapters.write_to_string(timeline, "cmx_3600", rate=rate)
    again = otio.adapters.read_from_string(text, "cmx_3600", rate=rate)
    read = sum(len(one.markers) for one in again.find_clips())
    written = text.count("* LOC:")
    print("  %-18r written %d, read %d, FCM line: %s" % (rate, written, read, "FCM" in text))
    if written != 20 or read != (0 if rate == 30000 / 1001 else 20) or "FCM" in text:
        raise SystemExit("the behaviour has changed")
print("as described: drop-frame markers are written and not read")
PY
venv/bin/python show.py
