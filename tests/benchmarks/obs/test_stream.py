"""The figures of a scripted stream, from what was seen of it."""

import numpy as np

from benchmarks.obs.stream_rows import Seen, rows
from benchmarks.soak import Sample


def seen() -> Seen:
    """100 s of lists each second but for one that is lost and some in which OBS is away; two takes, one in no cue."""
    at_s = [float(at) for at in range(100) if at not in (50, 51, 52) and not 70 <= at < 80]
    found = Seen(lists_s=at_s, late_ms=[100.0] * len(at_s), downs=[(70.0, 80.0)], action_ms=[5.0, 15.0], scenes=3)
    found.takes |= {"a", "b"}
    found.right[True, True], found.right[True, False], found.right[False, False] = 50, 2, 8
    found.answers["take", 200] = 2
    found.samples += [Sample(float(at), 100.0, 40, 5, 2, 20, 1, at, 0.1 * at) for at in range(0, 100, 5)]
    return found


def test_gaps_that_a_kill_explains_do_not_count_and_others_do() -> None:
    cues = [{"track": "a", "kind": "taken"}, {"track": "c", "kind": "proposed"}]
    found = rows(seen(), cues, {"cues.edl": 200})
    by_name = {row.metric: row for row in found}
    assert by_name["gaps"].value == 1 and by_name["kills"].value == 1
    assert by_name["tracks_without_a_cue"].value == 1 and by_name["tracks_on_air"].value == 2
    assert (by_name["heard_as_told"].value, by_name["heard_as_told"].n) == (50, 52)
    assert by_name["action_p50"].value == 10.0 and by_name["late_p95"].value == 100.0
    assert np.isclose(by_name["cpu_cores"].value, 0.1) and by_name["export_status"].value == 200
