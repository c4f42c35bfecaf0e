"""HLS with a real server: one variant of a ladder, another one where it goes away, and all that playlists may say."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from stream.errors import SourceError
from stream.sources.pull import playlists
from stream.sources.pull.pull import Pull
from stream.sources.sandbox.addresses import networks
from stream.sources.sandbox.guarded import guarded

Clip = Callable[..., bytes]
Site = Callable[..., Any]
OPENERS = pytest.mark.parametrize("opener", [None, guarded(networks(["127.0.0.1/32"]))], ids=["watch", "pull"])
LADDER = {"low": (192, 108), "mid": (320, 180), "high": (640, 360)}
COUNT = 6  # segments of half a second
MASTER = "#EXTM3U\n" + "".join(
    f'#EXT-X-STREAM-INF:BANDWIDTH={w * 1000},RESOLUTION={w}x{h},CODECS="avc1.42c00b,mp4a.40.2"\n{name}/i.m3u8\n'
    for name, (w, h) in reversed(LADDER.items())
)


def listed(names: list[str], first: int = 0, ended: bool = True, seconds: float = 0.5) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for name in names:
        lines += [f"#EXTINF:{seconds},", name]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""]).encode()


@pytest.fixture(scope="module")
def segments(clip: Clip) -> dict[str, bytes]:
    return {
        f"/{name}/{n}.ts": clip(6, width=w, height=h, begin=12 + 6 * n, sound=True)
        for name, (w, h) in LADDER.items()
        for n in range(COUNT)
    }


@pytest.fixture
def ladder(site: Site, segments: dict[str, bytes]) -> Any:
    whole = {f"/{name}/i.m3u8": listed([f"{n}.ts" for n in range(COUNT)]) for name in LADDER}
    return site({"/master.m3u8": MASTER.encode(), **segments, **whole})


def watched(url: str, opener: Any, hear: Any = None) -> tuple[list[float], list[str], list[int], Pull]:
    """Times of the frames, what was told, the widths."""
    told: list[str] = []
    times, widths = [], []
    with Pull(url, 1, opener) as pull:
        for frame in pull.frames(hear, told.append):
            assert frame.pts is not None and frame.time_base is not None
            times.append(float(frame.pts * frame.time_base))
            widths.append(frame.width)
    return times, told, widths, pull


def whole(times: list[float]) -> bool:
    """Every frame once, in order."""
    steps = [b - a for a, b in itertools.pairwise(times)]
    return len(times) == 6 * COUNT and all(abs(step - 1 / 12) < 0.01 for step in steps)


@OPENERS
def test_one_variant_of_a_ladder_is_fetched(ladder: Any, opener: Any) -> None:
    times, told, widths, pull = watched(f"{ladder.url}/master.m3u8", opener, lambda _: None)
    assert whole(times) and told == [] and set(widths) == {192} and pull.warning is None
    assert pull.duration_s == pytest.approx(3.0) and not pull.endless
    assert {path for path in ladder.paths() if path.endswith(".ts")} == {f"/low/{n}.ts" for n in range(COUNT)}
    assert ladder.paths().count("/low/0.ts") == 1


@OPENERS
def test_a_variant_that_lies_about_its_pictures_is_left(ladder: Any, clip: Clip, opener: Any) -> None:
    for n in range(COUNT):
        ladder.pages[f"/low/{n}.ts"] = clip(6, begin=12 + 6 * n, sound=True, pictures=False)
    times, _, widths, _ = watched(f"{ladder.url}/master.m3u8", opener)
    assert whole(times) and set(widths) == {320}


@OPENERS
@pytest.mark.parametrize("gone", ["segments", "playlist", "the last segment", "shorter", "cut off"])
def test_a_recording_goes_on_in_another_variant(ladder: Any, opener: Any, gone: str) -> None:
    if gone == "segments":
        for n in range(2, COUNT):
            del ladder.pages[f"/low/{n}.ts"]
    elif gone == "playlist":
        del ladder.pages["/low/i.m3u8"]
    elif gone == "the last segment":
        del ladder.pages[f"/low/{COUNT - 1}.ts"]
    elif gone == "shorter":
        ladder.pages["/low/i.m3u8"] = listed(["0.ts", "1.ts", "2.ts"])
    else:
        ladder.pages["/low/i.m3u8"] = b""
    times, told, widths, pull = watched(f"{ladder.url}/master.m3u8", opener)
    assert whole(times) and pull.warning is None and widths[-1] == 320
    if gone in ("playlist", "cut off"):
        assert told == [] and set(widths) == {320}
    else:
        assert len(told) == 1 and "another one is taken (h264 320x180, aac)" in told[0]


def test_after_the_last_variant_the_rest_is_told(ladder: Any) -> None:
    for name in LADDER:
        for n in range(3, COUNT):
            del ladder.pages[f"/{name}/{n}.ts"]
    times, _, _, pull = watched(f"{ladder.url}/master.m3u8", None)
    assert len(times) == 18 and pull.warning is not None and "could not be had" in pull.warning


def test_a_missing_segment_is_passed_over_and_told(ladder: Any) -> None:
    del ladder.pages["/low/2.ts"]
    times, told, widths, pull = watched(f"{ladder.url}/low/i.m3u8", None)
    assert len(times) == 30 and set(widths) == {192} and told == []
    assert pull.warning is not None and "1 parts of the playlist could not be had" in pull.warning


def on_air(ladder: Any, **fates: tuple[str, float]) -> None:
    """The ladder as it grows, by a segment every 0.4 s; a variant's fate: "gone", "ended" or "stalled" at a time."""
    begun = time.monotonic()

    def playlist(name: str) -> Callable[[Any], None]:
        def answer(a: Any) -> None:
            now_s = time.monotonic() - begun
            fate, at_s = fates.get(name, ("", 99.0))
            if fate == "gone" and now_s > at_s:
                return a.say(404, b"")
            until_s = min(now_s, at_s) if fate else now_s
            count = min(COUNT, 2 + int(until_s / 0.4))
            ended = count == COUNT or (fate == "ended" and now_s > at_s)
            first = max(0, count - 4)
            return a.say(200, listed([f"{n}.ts" for n in range(first, count)], first, ended))

        return answer

    for name in LADDER:
        ladder.pages[f"/{name}/i.m3u8"] = playlist(name)


@OPENERS
@pytest.mark.parametrize("fate", ["", "gone", "ended", "stalled"])
def test_what_is_on_air_goes_on_in_another_variant(ladder: Any, opener: Any, fate: str) -> None:
    on_air(ladder, **({"low": (fate, 0.6)} if fate else {}))
    times, told, widths, pull = watched(f"{ladder.url}/master.m3u8", opener)
    assert whole(times) and pull.endless and pull.duration_s is None and pull.finished
    assert widths[0] == 192 and widths[-1] == (320 if fate else 192) and len(told) == bool(fate)


def test_what_is_on_air_and_gone_for_good_is_lost_and_not_finished(ladder: Any) -> None:
    on_air(ladder, low=("gone", 0.6), mid=("gone", 0.6), high=("gone", 0.6))
    times, _, _, pull = watched(f"{ladder.url}/master.m3u8", None)
    assert times and not pull.finished and pull.warning is not None and "404" in pull.warning


@OPENERS
def test_what_is_on_air_begins_near_its_end(ladder: Any, opener: Any) -> None:
    ladder.pages["/low/i.m3u8"] = listed([f"{n}.ts" for n in range(COUNT)], ended=False)
    with Pull(f"{ladder.url}/low/i.m3u8", 1, opener) as pull:
        frame = next(pull.frames())
    assert frame.pts is not None and frame.time_base is not None and pull.endless
    assert float(frame.pts * frame.time_base) == pytest.approx(1.0 + 1.5, abs=0.05)
    assert "/low/0.ts" not in ladder.paths()


@OPENERS
def test_the_sound_that_stands_apart_is_heard_and_no_other(site: Site, clip: Clip, opener: Any) -> None:
    pages: dict[str, Any] = {
        "/m.m3u8": b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="other.m3u8"\n'
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="y",DEFAULT=YES,URI="sound.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"\nw.m3u8\n'
    }
    for name in ("v", "w", "sound", "other"):
        pages[f"/{name}.m3u8"] = listed([f"{name}{n}.ts" for n in range(3)], seconds=1)
        for n in range(3):
            pages[f"/{name}{n}.ts"] = clip(12, begin=12 * n, pictures=name in "vw", sound=name not in "vw")
    there = site(pages)
    heard: list[Any] = []
    times, _, _, _ = watched(f"{there.url}/m.m3u8", opener, heard.append)
    assert len(times) == 36 and len(heard) > 36
    assert not any(path.startswith(("/w", "/other")) for path in there.paths() if path.endswith(".ts"))
    there.asked.clear()
    del there.pages["/sound.m3u8"]
    assert len(watched(f"{there.url}/m.m3u8", opener, heard.append)[0]) == 36  # the pictures go on without


@OPENERS
@pytest.mark.parametrize("kind", ["mpegts", "mp4"])
def test_parts_of_one_file(site: Site, clip: Clip, tmp_path: Path, opener: Any, kind: str) -> None:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
    if kind == "mpegts":
        pieces, begin = [clip(6, begin=6 * n, width=320, height=180) for n in range(6)], 0
        data = b"".join(pieces)
    else:
        data = clip(36, "mp4", width=320, options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
        cuts = [at - 4 for at in range(len(data)) if data[at : at + 4] == b"moof"]
        begin, pieces = cuts[0], [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]
        lines.append(f'#EXT-X-MAP:URI="all",BYTERANGE="{begin}@0"')
    for n, piece in enumerate(pieces):
        lines += ["#EXTINF:0.5,", f"#EXT-X-BYTERANGE:{len(piece)}" + (f"@{begin}" if n == 0 else ""), "all"]
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).replace("all", "all.ts" if kind == "mpegts" else "all.mp4")
    name = "all.ts" if kind == "mpegts" else "all.mp4"
    there = site({"/i.m3u8": text.encode(), f"/{name}": data})
    times, told, _, pull = watched(f"{there.url}/i.m3u8", opener)
    assert whole(times) and told == [] and pull.warning is None
    assert there.sent[f"/{name}"] <= len(data) + 200  # each byte once
    there.ranges = False
    assert whole(watched(f"{there.url}/i.m3u8", opener)[0])
    if opener is None:
        (tmp_path / "i.m3u8").write_text(text)
        (tmp_path / name).write_bytes(data)
        assert whole(watched(str(tmp_path / "i.m3u8"), None)[0])


@OPENERS
def test_blanks_and_letters_beyond_ascii_in_names(site: Site, clip: Clip, opener: Any) -> None:
    parts = {f"/a%20b/{n}%20%C3%A9.ts": clip(6, begin=6 * n) for n in range(2)}
    there = site({"/i.m3u8": listed([f"a b/{n} é.ts" for n in range(2)]), **parts})
    assert len(watched(f"{there.url}/i.m3u8", opener)[0]) == 12


@OPENERS
def test_cookies_packed_playlists_and_other_names_of_playlists(site: Site, clip: Clip, opener: Any) -> None:
    import gzip

    def playlist(a: Any) -> None:
        more = {"Content-Encoding": "gzip", "Set-Cookie": "t=1; Path=/"}
        a.say(200, gzip.compress(listed(["part.ts?n=0", "part.ts?n=1"])), more)

    def part(a: Any) -> None:
        data = clip(6, begin=6 * int(a.path[-1]))
        a.say(200 if a.headers.get("Cookie") == "t=1" else 403, data)

    there = site({"/watch": playlist, "/part.ts": part})
    times, _, _, pull = watched(f"{there.url}/watch?v=7", opener)
    assert len(times) == 12 and pull.warning is None


@OPENERS
def test_segments_may_be_called_anything(site: Site, clip: Clip, opener: Any) -> None:
    names = ["part", "1.jpg", "2.php?x=1", "3"]
    pages = {f"/{name.partition('?')[0]}": clip(6, begin=6 * n) for n, name in enumerate(names)}
    assert len(watched(f"{site({'/i.m3u8': listed(names), **pages}).url}/i.m3u8", opener)[0]) == 24


@OPENERS
def test_segments_are_found_beside_where_the_playlist_really_is(site: Site, clip: Clip, opener: Any) -> None:
    there = site({"/deep/i.m3u8": listed(["0.ts"]), "/deep/0.ts": clip(6)})
    there.pages["/go"] = lambda a: a.say(302, b"", {"Location": "/deep/i.m3u8"})
    there.pages["/m.m3u8"] = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ngo\n"
    for path in ("/go", "/m.m3u8"):
        assert len(watched(there.url + path, opener)[0]) == 6


@OPENERS
def test_ciphered_segments(site: Site, clip: Clip, opener: Any) -> None:
    key = bytes(range(16))
    pages: dict[str, Any] = {"/k": key}
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:3", '#EXT-X-KEY:METHOD=AES-128,URI="k"']
    for n in range(3):
        pad, seal = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC((3 + n).to_bytes(16, "big"))).encryptor()
        data = pad.update(clip(12, begin=12 * n)) + pad.finalize()
        pages[f"/{n}.ts"] = seal.update(data) + seal.finalize()
        lines += ["#EXTINF:1,", f"{n}.ts"]
    there = site({**pages, "/i.m3u8": "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()})
    times, _, _, pull = watched(f"{there.url}/i.m3u8", opener)
    assert len(times) == 36 and pull.warning is None
    there.pages["/k"] = bytes(16)
    with pytest.raises(SourceError):
        watched(f"{there.url}/i.m3u8", opener)


@pytest.mark.parametrize(
    "text", [b"#EXTM3U\n", b"#EXTM3U\n#EXT-X-ENDLIST\n", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"]
)
def test_a_playlist_of_nothing_is_named(
    site: Site, tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playlists, "WAIT_S", 0.5)
    there = site({"/i.m3u8": text})
    with pytest.raises(SourceError, match=r"i\.m3u8"):
        Pull(f"{there.url}/i.m3u8")
    (tmp_path / "i.m3u8").write_bytes(text)
    with pytest.raises(SourceError, match=r"i\.m3u8: .*; "):
        Pull(str(tmp_path / "i.m3u8"))


def test_a_playlist_on_this_machine_names_files_alone(site: Site, clip: Clip, tmp_path: Path) -> None:
    there = site({"/0.ts": clip(6)})
    (tmp_path / "i.m3u8").write_bytes(listed([f"{there.url}/0.ts"]))
    with pytest.raises(SourceError):
        watched(str(tmp_path / "i.m3u8"), None)
    assert there.asked == []
    (tmp_path / "i.m3u8").write_bytes(listed([f"{n}.ts" for n in range(5)], ended=False))  # its recording broke off
    for n in range(5):
        (tmp_path / f"{n}.ts").write_bytes(clip(6, begin=6 * n))
    times, _, _, pull = watched(str(tmp_path / "i.m3u8"), None)
    assert len(times) == 30 and not pull.endless
    (tmp_path / "m.m3u8").write_bytes(MASTER.replace("/i.m3u8", ".m3u8").encode())
    for name, (w, h) in LADDER.items():
        (tmp_path / f"{name}.m3u8").write_bytes(listed([f"{name} 0.ts"]))
        (tmp_path / f"{name} 0.ts").write_bytes(clip(6, width=w, height=h))
    assert watched(str(tmp_path / "m.m3u8"), None)[2] == [192] * 6
