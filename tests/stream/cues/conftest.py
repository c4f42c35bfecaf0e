"""Sessions to export: sixty stretches of music in an hour, with titles of every kind."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from stream.cues.known import Known
from stream.cues.model import Cue, Moment, Session
from stream.cues.runs import Run

TITLES = (
    "Night Bus", "Überfahrt", "夜のバス", "my song.mp3", "AC/DC & <friends>", "a --> b", '"Quoted", twice', "=1+1",
    "مرحبا", "Line\nbreak\x07", "x" * 500, "* FROM CLIP NAME: no",
)  # fmt: skip


def moment(pts_s: float, record_s: float | None = None) -> Moment:
    """A moment of a session that began at 18:00; the recording began 12.5 s into it."""
    ms = round(1000 * pts_s)
    wall = f"2026-11-30T{18 + ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}Z"
    return Moment(pts_s, wall, None, pts_s - 12.5 if record_s is None and pts_s >= 12.5 else record_s)


def hour(count: int = 60, seed: int = 1) -> Session:
    """``count`` stretches of music in an hour, each proposed a little before; places and lengths to the millisecond."""
    rng = random.Random(seed)
    cues: list[Cue] = []
    for number in range(count):
        begin = round(3600 / count * number + rng.uniform(5, 20), 3)
        end = round(begin + rng.uniform(8, 3600 / count - 22), 3)
        from_s = round(rng.uniform(0, 150), 3)
        title = f"{TITLES[number % len(TITLES)]} {number}"
        fields: dict[str, Any] = {
            "track": f"{number:016x}",
            "title": title,
            "artist": "A. Name",
            "licence": "CC-BY-4.0",
        }
        before = moment(round(begin - 3, 3))
        cues.append(
            Cue(2 * number, "proposed", before, **fields, from_s=from_s, outcome="taken", end=moment(begin), score=0.8)
        )
        cues.append(
            Cue(
                2 * number + 1, "taken", moment(begin), **fields, from_s=from_s, to_s=round(from_s + end - begin, 3),
                end=moment(end), score=0.8, why="118 bpm on the pulse of the picture",
            )
        )  # fmt: skip
    return Session(
        "20261130T180000Z-0123abcd",
        "2026-11-30T18:00:00.000Z",
        "abc",
        "Show",
        tuple(cues),
        (Run(0, "record", 1, 12.5, 0.0, 3600.0, 3587.5),),
        moment(3600.0),
        True,
    )


def known(track: str) -> Known:
    """Every track has a file with a blank in its name."""
    return Known(
        f"/music/tune {track}.mp3", 0.0, 181.3, usage="instrumental", source="jamendo.com", live_ok=True, vod_ok=False
    )


@pytest.fixture
def make_hour() -> Callable[..., Session]:
    return hour


@pytest.fixture
def make_moment() -> Callable[..., Moment]:
    return moment


@pytest.fixture
def look_up() -> Callable[[str], Known]:
    return known
