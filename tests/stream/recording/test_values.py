"""Values to JSON and bytes and back, exactly; hashes that notice every bit and no file's place."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from catalog.records import Filters, Track
from catalog.rights import Rights
from features.appearance import ColourStats
from features.frame import FrameFeatures, FrameMeter
from stream.core.events import Infer, Item, Reasons, Search, Steer, Suggestions, ViewerState, Weights, Wished
from stream.recording.values import DTYPES, Packer, Unpacker, answer_digest, digest, event_record

ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
NUMBERS = st.floats(-1e5, 1e5)


def again(value: Any) -> Any:
    packer = Packer()
    packed = packer.pack(value)
    return Unpacker(packer.blob).unpack(packed)


@given(st.lists(ARRAYS, max_size=3), st.floats(allow_nan=False), st.text(), st.integers())
def test_values_come_back(arrays: list[Any], number: float, text: str, whole: int) -> None:
    back = again({"arrays": arrays, "rest": [number, text, whole, None, True, {"x": [1]}]})
    assert back["rest"] == [number, text, whole, None, True, {"x": [1]}]
    assert [(a.dtype, a.shape, a.tobytes()) for a in back["arrays"]] == [
        (a.dtype, a.shape, a.tobytes()) for a in arrays
    ]
    assert all(array.flags.writeable and array.flags.c_contiguous for array in back["arrays"])


@given(st.lists(NUMBERS, min_size=8, max_size=8), st.booleans(), st.integers(0, 2**32 - 1))
def test_frames_come_back(numbers: list[float], small: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    thumb = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    colour = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) if small else None
    frame = FrameFeatures(thumb, ColourStats(*numbers[:4]), numbers[4], numbers[5], numbers[6], 0.1, numbers[7], colour)
    assert same(frame, again(frame))


def test_a_measured_frame_comes_back_with_the_same_types() -> None:
    meter = FrameMeter(small=True)
    for step in range(3):
        frame = meter.push(np.random.default_rng(step).integers(0, 256, (90, 160, 3), dtype=np.uint8), step / 8)
    back = again(frame)
    assert same(frame, back)
    for field in fields(frame):
        assert isinstance(getattr(frame, field.name), type(getattr(back, field.name))), field.name


def same(one: FrameFeatures, other: FrameFeatures) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def test_fields_that_came_later_do_not_count_while_they_have_their_defaults() -> None:
    """Hashes as the program before these fields made them: recordings of then stay of use."""
    filters = Filters(min_bpm=90.0, tags=frozenset({"calm"}))
    track = Track("a" * 16, "t", "x", Path("/m/a.ogg"), 60.0, 120.0, "CC0", ("calm",))
    assert digest(filters) == "c2286aa401cedf94f440c73fcbe422c8bbd1754ed427aa1b5d2881987a404df5"
    assert digest(track) == "4369f74e5b37dc77383bef2de89658fc6fa894386a43ac7069e746a59c861ab2"
    others = [replace(filters, vod_ok=True), replace(filters, moods=frozenset({"calm"})), replace(track, moods=("a",))]
    others += [replace(track, rights=Rights(vod_ok=False)), replace(track, sung=False)]
    assert len({digest(value) for value in (filters, track, *others)}) == 7
    item = Item(1, "a", "t", "", 0.0, 60.0, 0.5, Reasons(0.5, 0.5, 0.5), 120.0, "")
    kept = event_record(Suggestions(1.0, 1.0, "stay", (item, replace(item, vod_ok=False, marks=("NC",)))))["items"]
    assert not {"attribution", "live_ok", "vod_ok", "marks"} & kept[0].keys()
    assert (kept[1]["vod_ok"], kept[1]["marks"]) == (False, ["NC"]) and "live_ok" not in kept[1]


def test_what_is_not_kept_is_refused() -> None:
    for value in (object(), {1, 2}, np.zeros(2, "U3"), np.zeros(2, object)):
        with pytest.raises(TypeError, match="not kept"):
            Packer().pack(value)


@given(ARRAYS, st.data())
def test_a_hash_notices_every_bit_type_and_shape(array: Any, data: st.DataObject) -> None:
    before = digest({"x": array})
    assert digest({"x": array.copy(order="F")}) == before and digest({"y": array}) != before
    assert digest({"x": array[None]}) != before
    if array.size:
        raw = bytearray(array.tobytes())
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1
        assert digest({"x": np.frombuffer(raw, array.dtype).reshape(array.shape)}) != before


def test_neighbouring_values_do_not_run_into_each_other() -> None:
    values: list[Any] = [
        ["ab", "c"],
        ["a", "bc"],
        [["ab"], "c"],
        "abc",
        1,
        1.0,
        True,
        "1",
        None,
        [],
        {},
        [[]],
        frozenset(),
    ]
    assert len({digest(value) for value in values}) == len(values)


def test_a_candidates_hash_knows_everything_but_its_path(candidate: Any) -> None:
    one = candidate(3, mood=(0.1, 0.2, 0.3))
    moved = replace(one, track=replace(one.track, path=Path("/elsewhere")))
    assert answer_digest([one]) == answer_digest([moved])
    others = [
        replace(one, start_s=one.start_s + 1e-9),
        replace(one, similarity=np.nextafter(one.similarity, 1.0)),
        replace(one, mood=None),
        replace(one, clips=one.clips + np.float32(1e-6)),
        replace(one, track=replace(one.track, title="another")),
        replace(one, extras={"clip_mel": one.clips}),
    ]
    assert len({answer_digest([other]) for other in (one, *others)}) == len(others) + 1
    assert answer_digest([one, others[0]]) != answer_digest([others[0], one])


def test_events_are_compared_by_every_digit() -> None:
    item = Item(1, "t", "title", "", 1.0, 2.0, 1 / 3, Reasons(0.1, np.float64(0.2), 0.3), 90.0, "")
    told = event_record(Suggestions(1.0, 1.0, "stay", (item,)))
    assert told["say"] == "Suggestions" and told["items"][0]["score"] == 1 / 3 and told["seen"] is None
    query = np.ones(3, np.float32)
    asked = event_record(Search(4, query, 5, Filters()))
    assert asked != event_record(Search(4, query, 5, Filters(exclude=frozenset({"x"})))) and asked["id"] == 4
    assert event_record(Infer(1, "mood", {"embedding": query})) == event_record(
        Infer(1, "mood", {"embedding": query.copy()})
    )


def test_what_was_asked_is_kept_with_the_words_of_its_filters() -> None:
    filters = Filters(licences=frozenset({"CC0"}), tags=frozenset({"dark", "calm"}))
    asked = ViewerState(Steer(), Weights(), None, 1, skipped=(Wished("a", "A", 2.5),), filters=filters)
    kept = event_record(Suggestions(1.0, 1.0, "stay", (), asked=asked))["asked"]
    assert kept["filters"]["tags"] == ["calm", "dark"] and kept["filters"]["licences"] == ["CC0"]
    assert kept["skipped"] == [{"track": "a", "title": "A", "left_s": 2.5}]
