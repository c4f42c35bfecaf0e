"""Streams that change on the way: the pictures go on, and a warning tells."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from stream.sources.pull.pull import Pull
from stream.sources.sandbox.addresses import networks
from stream.sources.sandbox.guarded import guarded

Clip = Callable[..., bytes]
Site = Callable[..., Any]
HERE = networks(["127.0.0.1/32"])


def listed(names: list[str], live: bool = False) -> bytes:
    """A playlist of segments of a second; "" is a discontinuity."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
    for name in names:
        lines += ["#EXTINF:1.0,", name] if name else ["#EXT-X-DISCONTINUITY"]
    return "\n".join([*lines, *([] if live else ["#EXT-X-ENDLIST"]), ""]).encode()


def watched(source: str, opener: Any = None) -> tuple[list[float], list[str], list[av.AudioFrame], Pull]:
    """Times of the frames, what was told, the sound."""
    told: list[str] = []
    sounds: list[av.AudioFrame] = []
    with Pull(source, 1, opener) as pull:
        times = [float(f.pts * f.time_base) for f in pull.frames(sounds.append, told.append) if f.pts is not None]
    return times, told, sounds, pull


CHANGES: dict[str, dict[str, Any]] = {
    "other streams": {"pid": 0x200, "sound": True},
    "swapped": {"sound": True, "sound_first": True},
    "another codec": {"codec": "libx265", "sound": True},
    "another size": {"width": 128, "sound": True},
    "sound gone": {},
}


@pytest.fixture(scope="module")
def before(clip: Clip) -> list[bytes]:
    return [clip(12, begin=12 * n, sound=True) for n in range(2)]


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, clip: Clip, before: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """What changes, and three segments, of which the last two are changed."""
    yield request.param, [before[0], *(clip(12, begin=12 * n, **CHANGES[request.param]) for n in (1, 2))]


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
@pytest.mark.parametrize("way", ["watch", "pull", "file"])
def test_a_playlist_goes_on_whatever_changes(
    changed: tuple[str, list[bytes]], site: Site, tmp_path: Path, marked: bool, way: str
) -> None:
    kind, segments = changed
    names = ["0.ts", *([""] if marked else []), "1.ts", "2.ts"]
    pages = {f"/{n}.ts": data for n, data in enumerate(segments)} | {"/a.m3u8": listed(names)}
    if way == "file":
        for name, data in pages.items():
            (tmp_path / name[1:]).write_bytes(data)
        source = str(tmp_path / "a.m3u8")
    else:
        source = f"{site(pages).url}/a.m3u8"
    times, told, sounds, pull = watched(source, guarded(HERE) if way == "pull" else None)
    assert len(times) == 36 and times == sorted(times) and pull.warning is None
    assert len(sounds) > (12 if kind == "sound gone" else 36)
    if kind != "another size" or marked:
        assert len(told) == 1 and "goes on with other streams" in told[0] and source in told[0]


@pytest.mark.parametrize("way", ["http", "live", "file"])
def test_a_transport_stream_goes_on_whatever_changes(
    changed: tuple[str, list[bytes]], site: Site, tmp_path: Path, way: str
) -> None:
    kind, segments = changed
    data = b"".join(segments)
    if way == "file":
        source = str(tmp_path / "a.ts")
        Path(source).write_bytes(data)
    elif way == "http":
        source = f"{site({'/a.ts': data}).url}/a.ts"
    else:
        pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)]
        source = f"{site({'/a.ts': lambda answer: answer.stream(pieces)}).url}/a.ts"
    times, told, _, pull = watched(source)
    assert len(times) == 36 and times == sorted(times) and pull.warning is None
    assert len(told) == (kind != "another size")


def test_sound_that_comes_in_the_middle_is_heard(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(clip(12) + clip(12, begin=12, sound=True))
    times, told, sounds, _ = watched(str(tmp_path / "a.ts"))
    assert len(times) == 24 and len(sounds) > 5 and "h264 64x48, aac" in told[0]


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_a_stretch_of_sound_alone_is_passed_over(clip: Clip, before: list[bytes], site: Site, marked: bool) -> None:
    alone = clip(12, begin=12, sound=True, pictures=False)
    names = ["0.ts", "", "1.ts", "", "2.ts"] if marked else ["0.ts", "1.ts", "2.ts"]
    segments = [before[0], alone, clip(12, begin=24, sound=True)]
    there = site({f"/{n}.ts": data for n, data in enumerate(segments)} | {"/a.m3u8": listed(names)})
    times, told, _, _ = watched(f"{there.url}/a.m3u8")
    assert len(times) == 24 and "passed over (has only audio)" in told[0]
    there.pages["/a.ts"] = b"".join(segments)
    assert len(watched(f"{there.url}/a.ts")[0]) == 24


def test_an_advertisement_goes_and_comes(clip: Clip, site: Site) -> None:
    """Eight times, as a channel has them; each has times of its own."""
    segments = [clip(6, begin=6 * n, pid=0x100 * (1 + n % 2), sound=True) for n in range(8)]
    names = [name for n in range(8) for name in ("", f"{n}.ts")][1:]
    there = site({f"/{n}.ts": data for n, data in enumerate(segments)} | {"/a.m3u8": listed(names)})
    times, told, _, pull = watched(f"{there.url}/a.m3u8", guarded(HERE))
    assert len(times) == 48 and len(told) == 7 and pull.warning is None


def test_without_anybody_to_tell_it_is_in_the_warning(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(clip(6) + clip(6, begin=6, pid=0x200))
    with Pull(str(tmp_path / "a.ts"), 1) as pull:
        assert len(list(pull.frames())) == 12
    assert pull.warning is not None and "goes on with other streams (h264 64x48, no sound)" in pull.warning


def test_other_initialisation_sections_begin_a_part(clip: Clip, site: Site) -> None:
    pages: dict[str, bytes] = {}
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
    for name, width in (("a", 64), ("b", 128)):
        whole = clip(12, "mp4", width=width, options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
        at = whole.index(b"moof") - 4
        pages |= {f"/{name}.init": whole[:at], f"/{name}.m4s": whole[at:]}
        lines += [f'#EXT-X-MAP:URI="{name}.init"', "#EXTINF:1,", f"{name}.m4s"]
    pages["/a.m3u8"] = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()
    times, told, _, _ = watched(f"{site(pages).url}/a.m3u8")
    assert len(times) == 24 and ["128x48" in text for text in told] == [True]


def test_a_stream_that_changes_all_the_time_is_followed(clip: Clip, tmp_path: Path) -> None:
    kinds = itertools.islice(itertools.cycle(CHANGES.values()), 10)
    (tmp_path / "a.ts").write_bytes(b"".join(clip(6, begin=6 * n, **kind) for n, kind in enumerate(kinds)))
    assert len(watched(str(tmp_path / "a.ts"))[0]) == 60
