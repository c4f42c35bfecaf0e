"""The figures of what OBS has recorded, against what was asked of it."""

from typing import Final

import numpy as np

from benchmarks.harness import Row
from stream.obs.duck import DEPTH_DB
from stream.obs.sources import ALONE_S

from .play_acts import Log
from .play_tracks import LOUDNESS
from .recorded import SILENCE, Find, Sound, begins_at, level_db, levels, located, longest

LATE_S: Final = 0.1
LOST_MS: Final = 10.0  # a block has 21.3


def starts(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    """How far from the place asked for a track is first heard, and where it is ``LATE_S`` later: there a block of OBS's
    mixer may be lost in between, which is no matter of the start."""
    errors: dict[str, list[tuple[float, float]]] = {}
    late = round(LATE_S * rate_hz)
    for took in log.starts:
        first, _ = find(took.at_s)
        begun_s = begins_at(took.path, took.asked_s, sound, first, rate_hz)
        later_s = located(took.path, took.asked_s, sound, first + late, rate_hz) - late / rate_hz
        off = (1000 * (begun_s + ALONE_S - took.asked_s), 1000 * (later_s + ALONE_S - took.asked_s))
        errors.setdefault(took.kind, []).append(off)
    rows = []
    for kind, found in errors.items():
        for metric, each in zip(("start_error", "later_error"), np.transpose(found), strict=True):
            rows += [
                Row(f"{metric}_median_ms", float(np.median(each)), len(each), "ms", {"of": kind}),
                Row(f"{metric}_most_ms", float(np.max(np.abs(each))), len(each), "ms", {"of": kind}),
            ]
        lost = sum(abs(begun - later) > LOST_MS for begun, later in found)
        rows.append(Row("later_by_lost_blocks", float(lost), len(found), "starts", {"of": kind}))
        after = [1000 * took.after_s for took in log.starts if took.kind == kind]
        rows.append(Row("take_to_begun_p50_ms", float(np.median(after)), len(after), "ms", {"of": kind}))
        rows.append(Row("take_to_begun_most_ms", float(np.max(after)), len(after), "ms", {"of": kind}))
    return rows


def changes(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    """How well the second track meets the first one, and how loud they are."""
    marks = log.marks.get("changes", [])
    off: dict[float, list[float]] = {}
    silent: dict[float, list[float]] = {}
    for at_s, fade_s, one, one_s, two, two_s, falls_s, after_s in marks:
        first, _ = find(at_s)
        at = first + round(0.2 * rate_hz)
        first_ends = at + (falls_s + fade_s - located(one, one_s + 0.2, sound, at, rate_hz)) * rate_hz
        at = first + round((after_s + fade_s + 0.25) * rate_hz)
        second_full = at + (two_s - located(two, two_s + 0.25, sound, at, rate_hz)) * rate_hz
        off.setdefault(fade_s, []).append(1000 * (second_full - first_ends) / rate_hz)
        around = sound[int(first_ends - 0.3 * rate_hz) : int(first_ends + 0.3 * rate_hz)]
        silent.setdefault(fade_s, []).append(1000 * longest(np.abs(around) < SILENCE) / rate_hz)
    rows = []
    for fade_s in off:
        label = {"of": "hard change" if fade_s < 0.1 else f"{fade_s:g} s of fade"}
        rows += [
            Row("meeting_error_median_ms", float(np.median(off[fade_s])), len(off[fade_s]), "ms", label),
            Row("meeting_error_most_ms", float(np.max(np.abs(off[fade_s]))), len(off[fade_s]), "ms", label),
            Row("gap_most_ms", float(np.max(silent[fade_s])), len(silent[fade_s]), "ms", label),
        ]
    steps, dips = [], []
    for at_s, left_s in log.marks.get("steps", []):
        first, last = find(at_s)
        change = first + round(left_s * rate_hz)
        length = round((log.beside_s - 1.0) * rate_hz)
        second = sound[change + round(1.3 * rate_hz) : min(last, change + round(1.3 * rate_hz) + length)]
        before, after = (
            level_db(sound[change - round(0.2 * rate_hz) - length : change - round(0.2 * rate_hz)]),
            level_db(second),
        )
        between = sound[change : change + round(1.1 * rate_hz)]
        part = round(0.1 * rate_hz)
        within = [level_db(between[at : at + part]) for at in range(0, len(between) - part, part)]
        steps.append(abs(after - before))
        dips.append(max(abs(level - (before + after) / 2) for level in within))
    if steps:
        rows.append(Row("level_step_most_lu", float(np.max(steps)), len(steps), "LU", {"of": f"{LOUDNESS} LUFS"}))
        rows.append(Row("level_within_fade_most_lu", float(np.max(dips)), len(dips), "LU", {"of": "blocks of 0.1 s"}))
    return rows


def ducks(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    depths, times = [], []
    for at_s in log.marks.get("ducks", []):
        first, _ = find(at_s)
        step = round(0.02 * rate_hz)
        piece = sound[first : first + 4 * rate_hz]
        heard = levels(piece, step)
        full, low = float(np.median(heard[10:60])), float(np.median(heard[110:140]))
        depths.append(low - full)
        below = np.flatnonzero(heard < full + 0.1 * (low - full) - 0.5)
        there = np.flatnonzero(heard < low + 0.1 * (full - low) + 0.5)
        times.append(0.02 * float(there[0] - below[0]))
    falls, gones = [], []
    for at_s in log.marks.get("voices", []):
        first, _ = find(at_s)
        heard = levels(sound[first : first + 5 * rate_hz], step := round(0.02 * rate_hz))
        full = float(np.median(heard[10:60]))
        low = float(np.median(np.sort(heard[:200])[:40]))
        below = np.flatnonzero(heard < full - 1.0)
        falls.append(low - full)
        gones.append(0.02 * float(np.flatnonzero(heard < 0.9 * (low - full) + full)[0] - below[0]))
    if not depths:
        return []
    return [
        Row("voice_duck_depth_median_db", float(np.median(falls)), len(falls), "dB", {"of": "OBS's compressor"}),
        Row("voice_duck_fall_most_s", float(np.max(gones)), len(gones), "s", {"of": "1 dB to 90 %"}),
        Row("duck_depth_median_db", float(np.median(depths)), len(depths), "dB", {"of": f"{DEPTH_DB:g} dB asked"}),
        Row("duck_fall_median_s", float(np.median(times)), len(times), "s", {"of": "10 to 90 %"}),
        Row("duck_fall_most_s", float(np.max(times)), len(times), "s", {"of": "10 to 90 %"}),
    ]
