"""Playlists as text: the variant that suits, and the part that is played next; no network."""

import itertools
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.pull.playlist import Segment, Variant, is_playlist, read_master, read_media, write_media

BASE = "http://h/live/i.m3u8"


def join(place: str) -> str:
    return urljoin(BASE, place)


def master(*variants: str, more: str = "") -> list[str]:
    """The places of the variants in order of preference."""
    lines = ["#EXTM3U", more]
    for n, facts in enumerate(variants):
        lines += [f"#EXT-X-STREAM-INF:{facts}", f"{n}.m3u8"]
    return [variant.url.rpartition("/")[2][0] for variant in read_master("\n".join(lines), join).variants]


@pytest.mark.parametrize(
    ("variants", "order"),
    [
        (["BANDWIDTH=3,RESOLUTION=960x540", "BANDWIDTH=1,RESOLUTION=320x180", "BANDWIDTH=2,RESOLUTION=640x360"], "120"),
        (["BANDWIDTH=1,RESOLUTION=80x45", "BANDWIDTH=3,RESOLUTION=640x360", "BANDWIDTH=2,RESOLUTION=160x90"], "210"),
        (["BANDWIDTH=1,RESOLUTION=80x45", "BANDWIDTH=2,RESOLUTION=128x72"], "10"),  # none is enough: the largest
        (["BANDWIDTH=1,RESOLUTION=100x180", "BANDWIDTH=2,RESOLUTION=60x120"], "01"),  # held upright
        (["BANDWIDTH=900", "BANDWIDTH=300", "BANDWIDTH=600"], "120"),  # sizes unknown: the lowest bandwidth
        (['BANDWIDTH=1,CODECS="mp4a.40.2"', 'BANDWIDTH=9,CODECS="avc1.4d,mp4a.40.2"'], "10"),  # one with pictures
        (['BANDWIDTH=1,CODECS="opus"', "BANDWIDTH=9,RESOLUTION=640x360"], "10"),
        (["BANDWIDTH=2,RESOLUTION=320x180", "BANDWIDTH=1,RESOLUTION=320x180"], "10"),
        (["BANDWIDTH=1,RESOLUTION=320x180,FRAME-RATE=5", "BANDWIDTH=2,RESOLUTION=640x360,FRAME-RATE=25"], "10"),
        (["BANDWIDTH=x,RESOLUTION=axb", "BANDWIDTH=1"], "01"),
        (["CODECS=\"mp4a.40.2\"", "CODECS=\"wvtt\""], "01"),  # nothing better is there
    ],
)  # fmt: skip
def test_the_variant_that_suits_comes_first(variants: list[str], order: str) -> None:
    assert "".join(master(*variants)) == order


def test_pictures_for_seeking_are_no_variant() -> None:
    assert master("BANDWIDTH=1", more='#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=320x180,URI="k.m3u8"') == ["0"]


def test_the_sound_that_belongs_to_a_variant_is_kept() -> None:
    text = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="de",DEFAULT=NO,URI="de.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="en",DEFAULT=YES,AUTOSELECT=YES,URI="en, 1.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="en",DEFAULT=YES,URI="hi.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="in",NAME="en",DEFAULT=YES
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="en",URI="s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,AUDIO="hi",SUBTITLES="s"
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=320x180,AUDIO="lo"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1920x1080,AUDIO="in"
full.m3u8
"""
    found = read_master(text, join)
    shown = [found.text(variant) for variant in found.variants]
    for said, here, gone in (
        (shown[0], ['URI="http://h/live/en, 1.m3u8"', "http://h/live/low.m3u8"], ["de.m3u8", "hi", "s.m3u8"]),
        (shown[1], ["http://h/live/hi.m3u8", "http://h/live/high.m3u8"], ["en, 1", "low"]),
        (shown[2], ["http://h/live/full.m3u8"], ["AUDIO", "low"]),
    ):
        assert all(text in said for text in here) and not any(text in said for text in gone)
        assert said.count("#EXT-X-STREAM-INF") == 1


MEDIA = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-MAP:URI="a.mp4"
#EXT-X-KEY:METHOD=AES-128,URI="k1"
#EXTINF:4.0,title, with commas
#EXT-X-BYTERANGE:100@50
s.m4s
#EXTINF:3.5,
#EXT-X-BYTERANGE:200
s.m4s
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=NONE
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:4,
ad/1.m4s
#EXT-X-MAP:URI="b.mp4"
#EXTINF:2,
http://other/2.m4s
"""


def test_what_is_said_of_segments_is_read() -> None:
    media = read_media(MEDIA, join)
    key, none = ('#EXT-X-KEY:METHOD=AES-128,URI="http://h/live/k1"',), ("#EXT-X-KEY:METHOD=NONE",)
    first, second = ('#EXT-X-MAP:URI="http://h/live/a.mp4"', '#EXT-X-MAP:URI="http://h/live/b.mp4"')
    assert media.segments == (
        Segment(7, "http://h/live/s.m4s", 4.0, 50, 150, key, first),
        Segment(8, "http://h/live/s.m4s", 3.5, 150, 350, key, first),
        Segment(9, "http://h/live/ad/1.m4s", 4.0, 0, None, none, first, True),
        Segment(10, "http://other/2.m4s", 2.0, 0, None, none, second, True),
    )
    assert (media.target_s, media.ended, media.seconds) == (4.0, False, 13.5)
    assert [[s.number for s in media.part(n)[0]] for n in (0, 7, 8, 9, 10, 11)] == [[7, 8], [7, 8], [8], [9], [10], []]
    assert [media.part(n)[1] for n in (7, 9, 10)] == [True, True, False]
    assert (media.live_edge(), media.before(9), media.at(7.4), media.at(7.5), media.at(99)) == (8, 7.5, 8, 9, 11)


def test_what_is_written_is_read_the_same() -> None:
    media = read_media(MEDIA, join)
    for number in (7, 8, 9, 10):
        segments, _ = media.part(number)
        again = read_media(write_media(segments, media.target_s, True), join)
        assert [s.url for s in again.segments] == [s.url for s in segments] and again.ended
        for before, after in zip(segments, again.segments, strict=True):
            assert (before.number, before.seconds, before.begin, before.end) == (
                after.number, after.seconds, after.begin, after.end,
            )  # fmt: skip
            assert before.map == after.map and (before.keys == after.keys or before.keys == ("#EXT-X-KEY:METHOD=NONE",))


def test_a_playlist_is_known_by_its_head() -> None:
    for head in (b"#EXTM3U\n", b"\xef\xbb\xbf#EXTM3U", b"\r\n#EXTM3U8"):
        assert is_playlist(head)
    assert not is_playlist(b"#EXT") and not is_playlist(b"") and not is_playlist(b"G#EXTM3U")


LINES = st.lists(
    st.sampled_from([*MEDIA.splitlines(), "", "#EXT-X-ENDLIST", "#EXTINF:x", "#EXT-X-BYTERANGE:-1@-5", "#EXT-X-MAP:"])
    | st.text(max_size=30),
    max_size=30,
)  # fmt: skip


@given(LINES, st.integers(0, 40))
def test_any_text_is_read(lines: list[str], number: int) -> None:
    text = "\n".join(lines)
    media = read_media(text, lambda place: place)
    segments, _ = media.part(number)
    write_media(segments, media.target_s, media.ended)
    numbers = [s.number for s in media.segments]
    assert all(b == a + 1 for a, b in itertools.pairwise(numbers))
    found = read_master(text, lambda place: place)
    assert all(isinstance(found.text(variant), str) for variant in found.variants)


@given(st.lists(st.builds(Variant, st.text(max_size=3), st.integers(0, 10), st.integers(0, 999), st.integers(1, 999))))
def test_a_burden_can_be_compared(variants: list[Variant]) -> None:
    sorted(variants, key=Variant.burden)
