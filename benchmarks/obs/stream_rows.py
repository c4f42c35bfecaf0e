"""What happens in a scripted stream with OBS, and the figures that are made of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from benchmarks.harness import Row
from benchmarks.soak import Sample, second_half, slope

LATE_S: Final = 2.5  # between two lists: one was lost


@dataclass
class Seen:
    """What happened. Times by the monotonic clock."""

    lists_s: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    downs: list[tuple[float, float]] = field(default_factory=list)  # OBS was away
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    action_ms: list[float] = field(default_factory=list)
    back_list_s: list[float] = field(default_factory=list)
    back_sound_s: list[float] = field(default_factory=list)
    scenes: int = 0
    restless_s: float = 0.0  # until then nothing is judged by ear
    right: Counter[tuple[bool, bool]] = field(default_factory=Counter)  # seconds: (should be heard, is heard)
    in_silence: int = 0  # seconds of music that somebody has begun in the silent scene
    ends: list[str] = field(default_factory=list)
    takes: set[str] = field(default_factory=set)  # tracks that were on air
    samples: list[Sample] = field(default_factory=list)


def rows(seen: Seen, cues: list[dict[str, Any]], exports: Mapping[str, int]) -> list[Row]:
    """The figures of a stream."""
    gaps = np.diff(seen.lists_s)
    away = sum(
        1 for at_s, gap in zip(seen.lists_s[1:], gaps, strict=True)
        if gap > LATE_S and not any(down - 1 < at_s and at_s - gap < up + LATE_S for down, up in seen.downs)
    )  # fmt: skip
    taken = {cue["track"] for cue in cues if cue["kind"] == "taken"}
    right, samples = seen.right, seen.samples
    half = second_half(samples)
    out = [
        Row("lists", len(seen.lists_s), 1, "lists"),
        Row("gaps", away, len(gaps), "count", {"longer_than_s": LATE_S}),
        Row("late_p50", float(np.median(seen.late_ms)), len(seen.late_ms), "ms"),
        Row("late_p95", float(np.percentile(seen.late_ms, 95)), len(seen.late_ms), "ms"),
        Row("scenes", seen.scenes, 1, "count"),
        Row("kills", len(seen.downs), 1, "count"),
        Row("sessions_ended", len(seen.ends), 1, "count"),
        Row("action_p50", float(np.median(seen.action_ms)), len(seen.action_ms), "ms"),
        Row("action_p95", float(np.percentile(seen.action_ms, 95)), len(seen.action_ms), "ms"),
        Row("heard_as_told", right[True, True], right[True, True] + right[True, False], "s"),
        Row("silent_as_told", right[False, False], right[False, False] + right[False, True], "s"),
        Row("begun_in_the_silent_scene", seen.in_silence, sum(right.values()), "s"),
        Row("tracks_on_air", len(seen.takes), 1, "count"),
        Row("tracks_without_a_cue", len(seen.takes - taken), len(seen.takes), "count"),
        Row("cues", sum(cue["kind"] == "taken" for cue in cues), 1, "count", {"kind": "taken"}),
        Row("cues", sum(cue["kind"] == "proposed" for cue in cues), 1, "count", {"kind": "proposed"}),
    ]
    out += [
        Row("actions", n, 1, "count", {"action": a, "status": code}) for (a, code), n in sorted(seen.answers.items())
    ]
    for name, times in (("back_list", seen.back_list_s), ("back_sound", seen.back_sound_s)):
        out += [Row(f"{name}_most", max(times), len(times), "s")] if times else []
    out += [Row("export_status", code, 1, "status", {"file": file}) for file, code in sorted(exports.items())]
    if (memory := slope([each.at_s for each in half], [each.memory_mb for each in half])) is not None:
        labels = {"error": round(memory.error, 3), "of_min": round((half[-1].at_s - half[0].at_s) / 60, 1)}
        out.append(Row("memory_slope_mb_per_hour", memory.per_hour, memory.blocks, "MB/h", labels))
    for name, at in (("start", samples[0]), ("middle", samples[len(samples) // 2]), ("end", samples[-1])):
        out += [
            Row("memory_mb", at.memory_mb, 1, "MB", {"at": name}),
            Row("descriptors", at.descriptors - at.clip_files, 1, "count", {"at": name}),
            Row("threads", at.threads, 1, "count", {"at": name}),
        ]
    seconds = samples[-1].at_s - samples[0].at_s
    return [*out, Row("cpu_cores", (samples[-1].cpu_s - samples[0].cpu_s) / seconds, 1, "cores")]
