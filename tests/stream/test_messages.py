"""The wire format: every event to JSON and back, and what a viewer may not send."""

import dataclasses
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Filters
from stream.core.events import (
    Accepted,
    Cut,
    Effect,
    End,
    Failed,
    Item,
    Message,
    OnAirNow,
    Reasons,
    Refused,
    Reset,
    Scene,
    Steer,
    Suggestions,
    Switch,
    ViewerState,
    VisualStats,
    Warned,
    Weights,
    Wished,
)
from stream.errors import MessageError
from stream.messages import COMMAND_BYTES, KINDS, encode, filters_object, line, parse_command

ITEM = Item(1, "00ff", "Tïtle", "", 48.2, 181.3, 0.81, Reasons(0.77, 0.91, 0.7), 118.0, "CC-BY-4.0")
CREDITED = replace(ITEM, attribution="by A", live_ok=True, vod_ok=False, marks=("NC", "ND"))
NOTICES = [
    Suggestions(12.0, 12.0, "stay", (CREDITED,)),
    Suggestions(12.0, 12.0, "stay", (ITEM, ITEM), 7.9),
    Suggestions(0.625, 0.625, "switch", (), seen=VisualStats(0.0, 0.0, 0.02)),
    Suggestions(9.0, 2.5, "switch", (ITEM,), switch=Switch("00ff", (12.25, 14.25), 0.75), duck_db=-11.5),
    Suggestions(9.0, 2.5, "stay", (), switch=Switch(None, (), None), duck_db=0.0),
    Suggestions(
        9.0, 2.5, "stay", (), asked=ViewerState(Steer(-0.5, 0.0, 1.0, 0.25), Weights(4.0, 0.0, 0.25), "00ff", 50)
    ),
    Suggestions(
        9.0,
        2.5,
        "stay",
        (),
        asked=ViewerState(
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


def fields_of(value: Any) -> Any:
    """What JSON makes of an event's fields, every digit kept."""
    plain = dataclasses.asdict(value)
    if (asked := plain.get("asked")) is not None:
        asked["filters"] = filters_object(value.asked.filters)
    return json.loads(json.dumps(plain))


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_every_field_is_there(notice: Message) -> None:
    text = line(notice)
    message = json.loads(text)
    assert "\n" not in text and message.pop("v") == 1 and message.pop("type") == KINDS[type(notice)]
    assert message == fields_of(notice)  # none of these has more digits than are told


def test_an_item_tells_what_is_said_of_its_rights() -> None:
    [first, second] = encode(Suggestions(1.0, 1.0, "stay", (CREDITED, ITEM)))["items"]
    names = ("attribution", "live_ok", "vod_ok", "marks")
    assert [first[name] for name in names] == ["by A", True, False, ["NC", "ND"]]
    assert [second[name] for name in names] == ["", None, None, []]
    told = filters_object(Filters(live_ok=True, moods=frozenset({"sad", "calm"}), playlists=frozenset({"b", "a"})))
    assert told["playlists"] == ["a", "b"] and told["keys"] is told["near_keys"] is told["min_energy"] is None
    assert (told["live_ok"], told["vod_ok"], told["moods"]) == (True, None, ["calm", "sad"])
    told = filters_object(Filters(keys=frozenset({"F#m", "Am"}), near_keys=True, min_energy=0.0, max_energy=0.5))
    assert told["keys"] == ["Am", "F#m"] and told["near_keys"] is True
    assert (told["min_energy"], told["max_energy"]) == (0.0, 0.5)


def test_every_message_has_a_type_of_its_own() -> None:
    assert set(KINDS) == set(get_args(Message)) and len(set(KINDS.values())) == len(KINDS)


@given(st.floats(-1e6, 1e6))
def test_numbers_have_as_many_digits_as_the_protocol_says(number: float) -> None:
    wished = Wished("a", "A", number)
    item = replace(ITEM, start_s=number, score=number, gain_db=number, loop=(number, number), leave_s=number)
    told = encode(
        Suggestions(
            number,
            number,
            "stay",
            (item,),
            number,
            VisualStats(number, number, number),
            Switch("a", (number,), number),
            number,
            ViewerState(Steer(number), Weights(), None, 0, skipped=(wished,)),
            OnAirNow("a", number, loop=(number, number)),
        )
    )
    seconds, share, tenth = round(number, 3), round(number, 4), round(number, 1)
    [listed] = told["items"]
    assert (listed["start_s"], listed["leave_s"], listed["loop"]) == (seconds, seconds, [seconds, seconds])
    assert (listed["score"], listed["gain_db"], told["asked"]["skipped"][0]["left_s"]) == (share, tenth, seconds)
    assert (told["pts_s"], told["late_ms"], told["duck_db"], told["asked"]["steer"]["energy"]) == (
        seconds, tenth, tenth, share
    )  # fmt: skip
    assert told["seen"] == {"tempo_bpm": tenth, "confidence": share, "speed": share}
    assert told["switch"] == {"track": "a", "at_s": [seconds], "in_s": seconds}
    assert (told["on_air"]["position_s"], told["on_air"]["loop"]) == (seconds, [seconds, seconds])
    assert encode(Cut(number, number)) == {"v": 1, "type": "cut", "pts_s": seconds, "strength": share}


def test_the_published_example() -> None:
    assert line(NOTICES[0]).startswith(
        '{"v":1,"type":"suggestions","pts_s":12.0,"window_s":12.0,"advice":"stay","items":[{"rank":1,'
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
