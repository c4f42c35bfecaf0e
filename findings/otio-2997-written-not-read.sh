#!/usr/bin/env bash
# OpenTimelineIO makes timecode of a rate that it cannot read again.
#
# Versions: OpenTimelineIO 0.18.1, Python 3.11.
#
# Expected: what RationalTime.to_timecode() writes at a rate, from_timecode()
# reads at that rate.
#
# Seen: at 29.97 and 59.94 to_timecode() writes drop-frame timecode, at 23.976
# plain timecode, without any word; from_timecode() at the same rates raises
# ValueError. With the fractions 30000/1001, 60000/1001 and 24000/1001 both work.
#
# What it means: a timeline that was made with a decimal rate can be saved, and
# exported, and not be read. Use the fractions, never the decimals.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentimelineio==0.18.1

cat > show.py <<'PY'
from opentimelineio.opentime import RationalTime, from_timecode, to_timecode

for rate in (29.97, 59.94, 23.976, 30000 / 1001, 60000 / 1001, 24000 / 1001):
    text = to_timecode(RationalTime(100_000, rate), rate)
    try:
        read = from_timecode(text, rate).value
    except ValueError as error:
        read = error
    print("  %-18r %s  read: %s" % (rate, text, read))
    decimal = rate in (29.97, 59.94, 23.976)
    if isinstance(read, ValueError) != decimal or (not decimal and read != 100_000):
        raise SystemExit("the behaviour has changed")
print("as described: decimal rates are written and not read")
PY
venv/bin/python show.py
