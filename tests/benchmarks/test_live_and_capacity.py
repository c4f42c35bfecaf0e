"""The pure parts of the live and capacity benchmarks, and that the load is what it says."""

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.capacity import MOST, boundary, freshness, spread
from benchmarks.live import HopTracks, draw_latent, join, pair_scenes, reaction_s
from benchmarks.load import read_packets
from benchmarks.streams import FPS, write_stream


def heard(*styles: tuple[str, ...]) -> list[HopTracks]:
    return [HopTracks(float(second), ("t",) * len(found), found) for second, found in enumerate(styles, start=1)]


def test_reaction_counts_from_the_join_and_leaves_out_what_was_there_before() -> None:
    told = heard(("a",), ("a", "b"), ("c",), ("c",), ("b",))
    assert reaction_s(told, 3.0, lambda one: "b" in one.styles) == 2.0
    assert reaction_s(told, 2.0, lambda one: "b" in one.styles) is None  # listed already
    assert reaction_s(told, 3.0, lambda one: "z" in one.styles) == float("inf")
    assert reaction_s([], 3.0, lambda one: True) is None


def test_joined_scenes_are_of_different_styles_and_the_same_each_time() -> None:
    joins = [join(number) for number in range(6)]
    assert joins == [join(number) for number in range(6)]
    every = pair_scenes(joins, 3)
    assert every[:6] == joins and 6 < len(every) <= 18
    assert all(one.first.style != one.second.style for one in every)
    assert len({one.number for one in every}) == len(every)  # filmed anew
    titles = {one.title: one.second for one in joins}
    assert all(titles[one.title] == one.second for one in every)
    rng = joins[0].rng()
    assert draw_latent(rng, joins[0].first).style != joins[0].first.style


def test_freshness_and_spread() -> None:
    rows = freshness([10.0, 20.0, 30.0] * 200, 4)
    assert [(row.metric, row.n, row.labels["sessions"]) for row in rows] == [
        ("freshness_p50_ms", 600, 4),
        ("freshness_p95_ms", 600, 4),
        ("freshness_p99_ms", 600, 4),
    ]
    assert [row.metric for row in freshness([10.0, 20.0, 30.0], 4)] == ["freshness_p50_ms"]
    assert rows[0].value == 20.0 and freshness([], 4) == []
    assert spread([2.0, 1.0, 3.0]) == {"least": 1.0, "most": 3.0}


def test_the_load_is_h264_that_any_publisher_could_send(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "s.mp4", 2)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.codec_context.profile) == (640, 360, "Constrained Baseline")
        keys = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
    assert len(keys) == 2 * FPS and keys[0] and sum(keys) >= 2
    packets, fps = read_packets(path)
    assert fps == FPS and len(packets) == 2 * FPS
    assert all(packet.startswith((b"\0\0\0\1", b"\0\0\1")) for packet in packets)
    assert sum(map(len, packets)) * 8 / 2 == pytest.approx(1_500_000, rel=0.4)


@given(st.integers(0, MOST), st.integers(1, MOST))
def test_the_most_that_holds_is_found_in_few_trials(most: int, guess: int) -> None:
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count <= most

    assert boundary(holds, guess) == most
    assert len(set(asked)) == len(asked) <= abs(most - guess) // 4 + 4 and all(1 <= count <= MOST for count in asked)
