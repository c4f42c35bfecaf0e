"""A file of cues: torn, damaged, or of a later program."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.cues import lines
from stream.cues.model import WHY_CHARACTERS, Session
from stream.cues.runs import Run

MOMENT = {"pts_s": 3.0, "wall": "2026-11-30T18:00:03.000Z", "stream_s": None, "record_s": 1.5}
FILE = [
    '{"v":1,"id":"x","started":"2026-11-30T18:00:00.000Z","session":"abc","label":"Show"}',
    json.dumps({"cue": {"number": 0, "kind": "taken", "start": MOMENT, "track": "a", "from_s": 48.2}}),
    json.dumps({"of": 0, "end": {**MOMENT, "pts_s": 9.0}, "to_s": 54.2, "from_s": 48.2, "outcome": ""}),
    json.dumps({"run": {"number": 0, "output": "record", "take": 1, "pts_s": 1.5, "at_s": 0.0}}),
    json.dumps({"ended": {**MOMENT, "pts_s": 10.0}, "left_out": 2}),
]


def test_whole() -> None:
    session = lines.read("x", FILE)
    [cue] = session.cues
    assert cue.end is not None and (cue.end.pts_s, cue.to_s, cue.start.record_s) == (9.0, 54.2, 1.5)
    assert (session.label, session.ended, session.left_out, session.length_s) == ("Show", True, 2, 10.0)
    assert session.runs == (Run(0, "record", 1, 1.5, 0.0),) and session.closed().runs[0].end_at_s == 8.5


def test_every_torn_end_leaves_the_lines_before_it() -> None:
    text = "\n".join(FILE)
    for end in range(len(text)):
        whole = text[:end].count("\n")
        session = lines.read("x", text[:end].split("\n"))
        assert len(session.cues) in ({0, 1} if whole < 2 else {1}) and session.ended <= (whole >= 4)
        assert (session.cues[0].end is not None) == (whole >= 3) if whole not in (1, 2) and session.cues else True


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FILE), st.text(max_size=40)), max_size=12))
def test_anything_is_read(texts: list[str]) -> None:
    assert isinstance(lines.read("x", texts), Session)


WORDS = (
    "cue",
    "run",
    "output",
    "take",
    "at_s",
    "of",
    "at",
    "end",
    "ended",
    "number",
    "kind",
    "start",
    "pts_s",
    "wall",
    "label",
    "left_out",
)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def test_times_that_are_none_are_passed_over() -> None:
    for pts in ("NaN", "Infinity", "-1", "1e300", '"x"'):
        assert lines.read("x", [FILE[0], FILE[1].replace("3.0", pts)]).cues == ()


@settings(deadline=None)
@given(st.lists(JSON.map(json.dumps), max_size=6))
def test_any_json_is_read(texts: list[str]) -> None:
    session = lines.read("x", texts)
    assert 0 <= session.closed().length_s <= lines.MOST_S and session.summary()["id"] == "x"


def test_a_damaged_line_costs_itself_alone() -> None:
    huge = "9" * 400
    damaged = [
        '{"of":Infinity,"end":{}}',
        '{"ended":null,"left_out":Infinity}',
        FILE[1].replace("3.0", huge),
        "[" * 200_000,
    ]
    session = lines.read("x", [FILE[0], *damaged, *FILE[1:]])
    assert len(session.cues) == 1 and session.ended


def test_texts_are_those_that_can_be_sent() -> None:
    half = json.dumps({"v": 1, "label": "a\ud800"}), FILE[1].replace('"a"', json.dumps("b\udfff" + "c" * 5000))
    session = lines.read("x", half)
    json.dumps(lines.session_object(session), ensure_ascii=False).encode()
    assert session.label == "a?" and len(session.cues[0].track) == WHY_CHARACTERS
