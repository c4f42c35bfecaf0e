"""The wire format: every event to JSON and back, and what a viewer may not send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Filters
from stream.core.events import (
    Accepted,
    Asked,
    Cut,
    Effect,
    End,
    Failed,
    Item,
    Notice,
    Reasons,
    Refused,
    Reset,
    Scene,
    Seen,
    Steer,
    Suggestions,
    Switch,
    Warned,
    Weights,
    Wished,
)
from stream.errors import MessageError
from stream.messages import COMMAND_BYTES, decode, encode, line, parse_command

ITEM = Item(1, "00ff", "Tïtle", "", 48.2, 181.3, 0.81, Reasons(0.77, 0.91, 0.7), 118.0, "CC-BY-4.0")
NOTICES = [
    Suggestions(12.0, 12.0, "stay", (ITEM, ITEM), 7.9),
    Suggestions(0.625, 0.625, "switch", (), seen=Seen(0.0, 0.0, 0.02)),
    Suggestions(9.0, 2.5, "switch", (ITEM,), switch=Switch("00ff", (12.25, 14.25), 0.75), duck_db=-11.5),
    Suggestions(9.0, 2.5, "stay", (), switch=Switch(None, (), None), duck_db=0.0),
    Suggestions(9.0, 2.5, "stay", (), asked=Asked(Steer(-0.5, 0.0, 1.0, 0.25), Weights(4.0, 0.0, 0.25), "00ff", 50)),
    Suggestions(
        9.0,
        2.5,
        "stay",
        (),
        asked=Asked(
            Steer(),
            Weights(),
            None,
            3,
            (Wished("00ff", "Tïtle"),),
            (Wished("01", "", 12.5), Wished("02")),
            7,
            Filters(90.0, None, frozenset({"CC0"}), frozenset({"calm", "dark"}), min_duration_s=60.0, jingles=True),
        ),
    ),
    Cut(13.125, 0.62),
    Scene(13.125),
    Reset("time stepped back by 40 s"),
    Refused("jump", "unknown command"),
    Accepted("pin", None),
    Accepted("skip", "00ff"),
    Accepted("skip", "00ff", Effect("left out for 10 minutes", 1, 2, 0.025)),
    Warned("cut short"),
    Failed("it broke"),
    End(900, 240, 3, 29, 1),
]


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_there_and_back(notice: Notice) -> None:
    text = line(notice)
    assert "\n" not in text and decode(json.loads(text)) == notice


def test_the_published_example() -> None:
    assert line(NOTICES[0]).startswith(
        '{"v":1,"type":"suggestions","pts_s":12.0,"window_s":12.0,"advice":"stay","late_ms":7.9,"items":[{"rank":1,'
        '"track":"00ff","title":"Tïtle","artist":"","start_s":48.2,"duration_s":181.3,"score":0.81,'
        '"reasons":{"content":0.77,"rhythm":0.91,"mood":0.7},"tempo_bpm":118.0,"licence":"CC-BY-4.0",'
        '"adjust":0.0,"liked":false,"held":"",'
    )
    assert encode(NOTICES[-1]) == {
        "v": 1, "type": "end", "frames": 900, "sampled": 240, "dropped": 3, "suggestions": 29, "skipped_hops": 1
    }  # fmt: skip


def test_a_name_in_another_encoding_does_not_stop_the_line() -> None:
    assert line(Warned("caf\udce9.mp4: cut short")) == '{"v":1,"type":"warning","reason":"caf?.mp4: cut short"}'


def test_what_is_not_a_number_never_leaves() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        line(Cut(1.0, float("nan")))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"v": 2, "type": "cut"},
        {"v": 1, "type": "wave"},
        {"v": 1, "type": "cut"},
        {"v": 1, "type": "suggestions", "items": 3},
    ],
)
def test_a_foreign_object_is_no_event(message: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        decode(message)


def test_a_command_is_an_object_with_a_type() -> None:
    assert parse_command('{"type":"skip","track":"00ff"}') == {"type": "skip", "track": "00ff"}
    assert parse_command(b'{"v":1,"type":"pin","track":null}')["track"] is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no object"),
        ('"skip"', "no object"),
        ("{}", "no object"),
        ('{"type":3}', "no object"),
        ('{"type":"skip","v":2}', "version 2"),
        ('{"type":"filters","min_bpm":NaN}', "not JSON"),
        ('{"type":"filters","min_bpm":Infinity}', "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        ("[" * COMMAND_BYTES, "not JSON"),
        ('{"type":"' + "x" * COMMAND_BYTES + '"}', "at most 4096"),
        ('{"type":"' + "\U0001f3b5" * 1100 + '"}', "at most 4096"),
    ],
)
def test_what_is_no_command_is_refused(data: str | bytes, said: str) -> None:
    with pytest.raises(MessageError, match=said):
        parse_command(data)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_anything_else_is_a_message_error_too(data: str | bytes) -> None:
    try:
        assert isinstance(parse_command(data)["type"], str)
    except MessageError as error:
        assert "\n" not in str(error) or len(str(error)) < 200


def test_what_was_seen_goes_over_the_wire_and_back() -> None:
    told = Suggestions(3.0, 3.0, "stay", (), late_ms=None, seen=Seen(120.4, 0.62, 0.31))
    assert encode(told)["seen"] == {"tempo_bpm": 120.4, "confidence": 0.62, "speed": 0.31}
    assert decode(json.loads(line(told))) == told


def test_when_to_switch_is_rounded_like_all_else() -> None:
    told = Suggestions(9.0, 2.5, "switch", (), switch=Switch("00ff", (12.2504, 14.00049), 0.74999), duck_db=-11.4499)
    said = encode(told)
    assert said["switch"] == {"track": "00ff", "at_s": [12.25, 14.0], "in_s": 0.75} and said["duck_db"] == -11.4
    assert encode(decode(json.loads(line(told)))) == said


def test_lists_of_before_are_still_read() -> None:
    old = encode(Suggestions(12.0, 12.0, "stay", (ITEM,), 7.9))
    del old["switch"], old["duck_db"], old["asked"], old["items"][0]["adjust"], old["items"][0]["liked"]
    assert decode(old) == Suggestions(12.0, 12.0, "stay", (ITEM,), 7.9)
