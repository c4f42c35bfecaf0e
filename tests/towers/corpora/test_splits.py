"""No music stands in two splits, whatever lists say; a corpus may grow without pairs changing sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towers.corpora.splits import SplitSource, divide
from towers.errors import CorpusError

SPLIT = st.sampled_from([None, "train", "val", "test"])


@given(st.lists(st.tuples(st.integers(0, 12), SPLIT), min_size=1, max_size=60), st.floats(0, 0.5), st.floats(0, 0.5))
def test_every_source_is_used_or_left_out_and_no_music_crosses(
    drawn: list[tuple[int, str | None]], val: float, test: float
) -> None:
    sources = [SplitSource(f"s{place}", music, split) for place, (music, split) in enumerate(drawn)]
    try:
        splits, left = divide(sources, val, test)
    except CorpusError:
        return
    assert splits.keys() | left.keys() == {one.id for one in sources} and not splits.keys() & left.keys()
    assert set(splits.values()) == {"train", "val", "test"}
    musics = {
        split: [one.music for one in sources if splits.get(one.id) == split] for split in ("train", "val", "test")
    }
    assert not set(musics["train"]) & set(musics["test"]) and not set(musics["train"]) & set(musics["val"])
    assert not set(musics["val"]) & set(musics["test"])
    for split in ("val", "test"):  # a gallery holds a piece once
        assert len(musics[split]) == len(set(musics[split]))


def test_the_strictest_split_takes_the_music() -> None:
    sources = [
        SplitSource("a", 0, "train"),
        SplitSource("b", 0, "test"),
        SplitSource("c", 1, "train"),
        SplitSource("d", 1, "train"),
        SplitSource("e", 2, "val"),
        SplitSource("f", 2, None),
    ]
    splits, left = divide(sources, 0.1, 0.1)
    assert splits == {"b": "test", "c": "train", "d": "train", "e": "val"}
    assert left == {"a": "its music is in test", "f": "another pair of its music is in val"}


def test_a_list_without_validation_gets_one_out_of_its_training() -> None:
    sources = [SplitSource(f"t{at}", at, "train") for at in range(40)] + [SplitSource("x", 99, "test")]
    splits, left = divide(sources, 0.2, 0.5)
    assert not left and 1 <= sum(split == "val" for split in splits.values()) < 20
    assert [name for name, split in splits.items() if split == "test"] == ["x"]


def test_a_corpus_grows_without_moving_anything() -> None:
    few = [SplitSource(f"s{at:03d}", at, None) for at in range(60)]
    more = [SplitSource(f"s{at:03d}", at, None) for at in range(200)]
    before, after = divide(few, 0.1, 0.1)[0], divide(more, 0.1, 0.1)[0]
    assert all(after[name] == split for name, split in before.items())
    shares = [sum(value == split for value in after.values()) / 200 for split in ("val", "test")]
    assert all(0.05 < share < 0.17 for share in shares)


def test_too_few_musics_are_refused() -> None:
    with pytest.raises(CorpusError, match="2 different musics"):
        divide([SplitSource("a", 0, None), SplitSource("b", 1, None), SplitSource("c", 1, None)], 0.1, 0.1)
    assert sorted(divide([SplitSource(n, i, None) for i, n in enumerate("abc")], 0.0, 0.0)[0].values()) == [
        "test",
        "train",
        "val",
    ]


def drawn(count: int, more: list[SplitSource], kept: dict[str, str]) -> dict[str, str]:
    sources = [
        SplitSource(f"s{at:03d}", at, None, mark=f"{at * 7919:08x}", earlier=kept.get(f"s{at:03d}"))
        for at in range(count)
    ]
    return divide(sources + more, 0.1, 0.1)[0]


def test_a_video_of_the_same_music_that_sorts_first_moves_nothing() -> None:
    before = drawn(60, [], {})
    for kept in ({}, before):  # a folder of its own, or the same one
        more = [SplitSource(f"a{at:03d}", at, None, mark=f"{at * 7919:08x}") for at in range(60)]
        after = drawn(60, more, kept)
        if kept:
            assert {name: after.get(name) for name in before} == before
        assert all(after[name] == split for name, split in before.items() if name in after)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2**32 - 1)), max_size=40))
def test_no_pair_that_was_drawn_moves_or_goes(new: list[tuple[int, int]]) -> None:
    before = drawn(20, [], {})
    after = drawn(20, [SplitSource(f"a{i}", music, None, mark=f"{m:08x}") for i, (music, m) in enumerate(new)], before)
    assert {name: after.get(name) for name in before} == before


def test_a_video_with_the_music_of_two_splits_stays_out() -> None:
    sources = [
        SplitSource("a", 0, None, earlier="train"),
        SplitSource("b", 0, None, earlier="test"),
        SplitSource("medley", 0, None),
        SplitSource("c", 1, None, earlier="val"),
    ]
    with pytest.raises(CorpusError):
        divide(sources, 0.1, 0.1)  # two musics
    splits, left = divide([*sources, SplitSource("d", 2, None, earlier="train")], 0.1, 0.1)
    assert splits == {"a": "train", "b": "test", "c": "val", "d": "train"}
    assert left == {"medley": "its music is in test and train"}
