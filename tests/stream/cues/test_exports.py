"""Every format is read back by a program that is not ours: sixty cues in an hour, differences 0."""

import csv
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cuetools
import m3u8
import pycmx
import pytest
import webvtt

from stream.cues.errors import CueError
from stream.cues.export.cue_sheet import index
from stream.cues.export.formats import FORMATS, export, find
from stream.cues.export.options import read_options
from stream.cues.export.sheet import Sheet
from stream.cues.export.youtube import CHARACTERS, chapters
from stream.cues.known import Known
from stream.cues.model import Session
from stream.cues.runs import Run

Hour = Callable[..., Session]
LookUp = Callable[[str], Known]
RATES = ("23.976", "24", "25", "29.97df", "29.97ndf", "30", "48", "50", "59.94df", "59.94ndf", "60")
WITH_OTIO_EDL = [rate for rate in RATES if rate != "48"]
NAMES = "taken,proposed"
READER = Path(__file__).with_name("otio_reader.py")


def made(session: Session, look_up: LookUp, format: str, fps: str = "25", **options: Any) -> tuple[str, Sheet]:
    return export(session, find(format), read_options(fps, **options), look_up)


def the(spans: Any, attribute: str) -> list[Any]:
    return [getattr(span, attribute) for span in spans]


@pytest.mark.parametrize("fps", RATES)
def test_edl_by_pycmx(make_hour: Hour, look_up: LookUp, fps: str) -> None:
    text, sheet = made(make_hour(), look_up, "edl", fps)
    rate = sheet.options.rate
    edits = pycmx.parse_cmx3600(io.StringIO(text))
    events = [event.edits[0] for event in edits.events]
    assert len(events) == len(sheet.music) == 60 and not any(
        statement.content for statement in edits.unrecognized_statements
    )
    assert text.splitlines()[1] == ("FCM: DROP FRAME" if rate.drop else "FCM: NON-DROP FRAME")
    start = sheet.options.start
    assert [rate.parse(event.record_in) - start for event in events] == the(sheet.music, "begin")
    assert [rate.parse(event.record_out) - start for event in events] == the(sheet.music, "end")
    assert [rate.parse(event.source_in) for event in events] == the(sheet.music, "source")
    lengths = [rate.parse(event.source_out) - rate.parse(event.source_in) for event in events]
    assert lengths == [span.end - span.begin for span in sheet.music]
    assert all(event.source == "AX" and event.channels.a1 and not event.channels.video for event in events)
    assert [event.source_file for event in events] == the(sheet.music, "place")
    assert events[0].clip_name == "A. Name - Night Bus 0" and events[1].clip_name == "A. Name - Uberfahrt 1"


@pytest.mark.parametrize("fps", RATES)
def test_markers_of_resolve_by_pycmx(make_hour: Hour, look_up: LookUp, fps: str) -> None:
    text, sheet = made(make_hour(), look_up, "markers", fps, names=NAMES)
    rate, start = sheet.options.rate, sheet.options.start
    events = [event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(text)).events]
    assert [rate.parse(event.record_in) - start for event in events] == the(sheet.spans, "begin")
    marks = [line.split(" |") for line in text.splitlines() if line.startswith(" |C:")]
    assert [int(mark[3].removeprefix("D:")) for mark in marks] == [span.end - span.begin for span in sheet.spans]
    assert marks[0][1:3] == ["C:ResolveColorCyan", "M:proposed: A. Name - Night Bus 0"] and len(marks) == 120
    assert {len(mark) for mark in marks} == {4}


@pytest.fixture(scope="module")
def otio_reads() -> Callable[..., list[dict[str, Any]]]:
    """``otio_reads((text, adapter, rate), ...)``: what OpenTimelineIO finds in each, read in one other process."""

    def read(*files: tuple[str, str, float | None]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, READER], input=json.dumps(files), capture_output=True, text=True, timeout=60
        )
        assert done.stdout, done.stderr[-2000:]
        return [dict(facts) for facts in json.loads(done.stdout)]

    return read


def in_frames(clips: list[dict[str, Any]], name: str) -> list[int]:
    return [clip[name] for clip in clips]


def test_edl_by_opentimelineio(make_hour: Hour, look_up: LookUp, otio_reads: Any) -> None:
    """Clips at every rate; markers where it can read them: its drop-frame reader passes over every locator."""
    sheets = [made(make_hour(), look_up, "edl", fps, names=NAMES) for fps in WITH_OTIO_EDL]
    rates = [sheet.options.rate.fps for _, sheet in sheets]
    files = [
        (text, "cmx_3600", rate.numerator / rate.denominator) for (text, _), rate in zip(sheets, rates, strict=True)
    ]
    for (_, sheet), read in zip(sheets, otio_reads(*files), strict=True):
        left, right = (track["clips"] for track in read["tracks"])  # AA: two channels
        assert len(left) == len(right) == 60
        begins, first = in_frames(left, "begin"), sheet.music[0].begin
        assert [begin - begins[0] for begin in begins] == [span.begin - first for span in sheet.music]
        assert in_frames(left, "frames") == [span.end - span.begin for span in sheet.music]
        assert in_frames(left, "source") == the(sheet.music, "source")
        assert sum(len(clip["markers"]) for clip in left) == (0 if sheet.options.rate.drop else 120)


def times(text: str, frame: Fraction) -> int:
    """A time of FCPXML in frames; fails for one that is no whole number of them."""
    assert text.endswith("s")
    frames = Fraction(text[:-1]) / frame
    assert frames.denominator == 1, text
    return int(frames)


@pytest.mark.parametrize("fps", RATES)
def test_fcpxml_by_an_xml_parser(make_hour: Hour, look_up: LookUp, fps: str) -> None:
    text, sheet = made(make_hour(), look_up, "fcpxml", fps, names=NAMES)
    root = ET.fromstring(text)
    frame = Fraction(root.find("resources/format").get("frameDuration")[:-1])  # type: ignore[union-attr,index]
    assert frame == 1 / sheet.options.rate.fps
    for element in root.iter():
        for name in ("offset", "start", "duration", "tcStart"):
            if name in element.attrib:
                times(element.attrib[name], frame)
    sequence, [gap] = root.find(".//sequence"), root.findall(".//gap")
    assert sequence is not None and sequence.get("tcFormat") == ("DF" if sheet.options.rate.drop else "NDF")
    start = times(sequence.attrib["tcStart"], frame)
    assert start == sheet.options.start
    clips = gap.findall("asset-clip")
    assert [times(clip.attrib["offset"], frame) - start for clip in clips] == the(sheet.music, "begin")
    assert [times(clip.attrib["start"], frame) for clip in clips] == the(sheet.music, "source")
    assert [times(clip.attrib["duration"], frame) for clip in clips] == [s.end - s.begin for s in sheet.music]
    markers = gap.findall("marker")
    assert [times(marker.attrib["start"], frame) - start for marker in markers] == the(sheet.spans, "begin")
    assert len(gap.findall("chapter-marker")) == 60 and not root.findall(".//*[@completed]")
    assert [child.tag for child in gap][:60] == ["asset-clip"] * 60  # as its DTD wants: clips, then markers
    lengths = {asset.get("id"): times(asset.attrib["duration"], frame) for asset in root.iter("asset")}
    for clip in clips:
        end = times(clip.attrib["start"], frame) + times(clip.attrib["duration"], frame)
        assert end <= lengths[clip.get("ref")]


def test_fcpxml_by_opentimelineio(make_hour: Hour, look_up: LookUp, otio_reads: Any) -> None:
    """Its reader takes whole rates only, and cuts frames off: 0.28 s times 25 is 6.999. The file itself is exact, see
    above."""
    sheets = [made(make_hour(), look_up, "fcpxml", fps) for fps in ("24", "25", "30", "50", "60")]
    for (_, sheet), read in zip(sheets, otio_reads(*((text, "fcpx_xml", None) for text, _ in sheets)), strict=True):
        [track] = read["tracks"]
        starts = [clip["begin"] - sheet.options.start for clip in track["clips"]]
        assert len(starts) == 60
        assert {span.begin - start for start, span in zip(starts, sheet.music, strict=True)} <= {0, 1}
        sources = in_frames(track["clips"], "source")
        assert {span.source - source for source, span in zip(sources, sheet.music, strict=True)} <= {0, 1}


def test_final_cut_7_by_opentimelineio(make_hour: Hour, look_up: LookUp, otio_reads: Any) -> None:
    sheets = [made(make_hour(), look_up, "xml", fps, names=NAMES) for fps in RATES]
    for (text, sheet), read in zip(sheets, otio_reads(*((text, "fcp_xml", None) for text, _ in sheets)), strict=True):
        [clips] = [track["clips"] for track in read["tracks"] if track["kind"] == "Audio"]
        assert in_frames(clips, "begin") == the(sheet.music, "begin")
        assert in_frames(clips, "frames") == [span.end - span.begin for span in sheet.music]
        assert in_frames(clips, "source") == the(sheet.music, "source")
        assert read["marks"] == the(sheet.spans, "begin")
        assert clips[2]["name"] == "A. Name - 夜のバス 2" and clips[4]["name"] == "A. Name - AC/DC & <friends> 4"
        root = ET.fromstring(text)
        assert root.findtext("sequence/timecode/displayformat") == ("DF" if sheet.options.rate.drop else "NDF")
        assert root.findtext("sequence/timecode/string") == sheet.timecode(0)


def test_otio_by_opentimelineio(make_hour: Hour, look_up: LookUp, otio_reads: Any) -> None:
    sheets = [made(make_hour(), look_up, "otio", fps, names=NAMES) for fps in RATES]
    for (_, sheet), read in zip(sheets, otio_reads(*((text, "otio_json", None) for text, _ in sheets)), strict=True):
        [track] = read["tracks"]
        clips = track["clips"]
        assert in_frames(clips, "begin") == the(sheet.music, "begin")
        assert in_frames(clips, "source") == the(sheet.music, "source")
        assert in_frames(clips, "frames") == [span.end - span.begin for span in sheet.music]
        assert read["marks"] == the(sheet.spans, "begin") and read["start"] == sheet.options.start
        assert {clip["licence"] for clip in clips} == {"CC-BY-4.0"}


def test_csv(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "csv", "29.97", names=NAMES)
    assert text.startswith("\ufeff")
    rows = [*csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]
    assert len(rows) == 120
    rate, start = sheet.options.rate, sheet.options.start
    for row, span in zip(rows, sheet.spans, strict=True):
        assert rate.parse(row["timecode_in"]) - start == span.begin and row["track"] == span.cue.track
        assert float(row["pts_s"]) == span.cue.start.pts_s and row["wall_utc"] == span.cue.start.wall
        assert not row["title"].startswith(("=", "+", "-", "@"))
    wide = replace(make_hour(1), cues=tuple(replace(cue, title="＝1+1") for cue in make_hour(1).cues))
    assert ",'＝1+1," in made(wide, look_up, "csv")[0]
    assert {row["title"] for row in rows if "1+1" in row["title"]} == {f"'=1+1 {n}" for n in (7, 19, 31, 43, 55)}


def test_m3u8_by_a_package(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "m3u8")
    segments = m3u8.loads(text).segments
    assert [segment.uri for segment in segments] == the(sheet.music, "place")
    assert [segment.duration for segment in segments] == [181.0] * 60
    lines = text.splitlines()
    offsets = [float(line.partition("=")[2]) for line in lines if line.startswith("#EXTVLCOPT:start-time=")]
    assert offsets == [span.cue.from_s for span in sheet.music]


def test_jspf(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "jspf")
    tracks = json.loads(text)["playlist"]["track"]
    assert [track["location"] for track in tracks] == [
        [f"file:///music/tune%20{span.cue.track}.mp3"] for span in sheet.music
    ]
    assert [track["extension"]["urn:segue:cue:1"][0]["from_s"] for track in tracks] == [
        span.cue.from_s for span in sheet.music
    ]
    assert {track["duration"] for track in tracks} == {181300}


def test_cue_sheet_by_cuetools(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "cue")
    album = cuetools.loads(text)
    assert len(album.tracks) == 60
    for track, span in zip(album.tracks, sheet.music, strict=True):
        assert str(track.index01) == index(span.begin_s)
        minutes, seconds, frames = map(int, index(span.begin_s).split(":"))
        assert abs(Fraction(4500 * minutes + 75 * seconds + frames, 75) - span.begin_s) <= Fraction(1, 150)


def test_vtt_by_webvtt(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "vtt")
    captions = webvtt.from_string(text).captions
    assert [round(1000 * c.start_in_seconds) // 1000 for c in captions] == [int(s.begin_s) for s in sheet.music]
    starts = [caption.start for caption in captions]
    assert starts[0] == f"00:00:{float(sheet.music[0].begin_s):06.3f}"
    assert "a --&gt; b" in text and text.count("-->") == 60
    for caption, following in pairwise(captions):
        assert caption.start < caption.end <= following.start


def test_youtube(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "youtube")
    marks = [at for at, _ in chapters(sheet)]
    assert marks[0] == 0 and len(marks) >= 3 and "<" not in text and ">" not in text and len(text) <= CHARACTERS
    assert all(two - one >= 10 for one, two in pairwise(marks)) and sheet.end_s - marks[-1] >= 10
    assert text.startswith("0:00 ")
    one = made(make_hour(6), look_up, "youtube")[0]
    assert '"Überfahrt 1" by A. Name (CC-BY-4.0)' in one.splitlines()


def test_what_youtube_has_no_room_for_is_counted(make_hour: Hour, look_up: LookUp) -> None:
    session = make_hour(300)
    cues = [replace(cue, title="x" * 40, attribution="and one more") for cue in session.of("taken")]
    text, sheet = made(replace(session, cues=tuple(cues)), look_up, "youtube")
    *kept, last, end = text.split("\n")
    left_out = len(chapters(sheet)) + 2 + len(cues) - len(kept)
    assert end == "" and last == f"and {left_out} more" and CHARACTERS - 60 < len(text) <= CHARACTERS


def test_youtube_takes_no_short_chapters(make_hour: Hour, make_moment: Any, look_up: LookUp) -> None:
    def marks(*begins: float) -> list[int]:
        [cue] = make_hour(1).of("taken")
        cues = [replace(cue, number=n, start=make_moment(at), end=make_moment(at + 4)) for n, at in enumerate(begins)]
        session = replace(make_hour(1), cues=tuple(cues), last=make_moment(100.0))
        return [int(at) for at, _ in chapters(made(session, look_up, "youtube")[1])]

    assert marks(4.0, 30.0, 60.0) == [0, 30, 60]
    assert marks(12.0, 30.0, 35.0, 60.0) == [0, 12, 30, 60]
    assert marks(12.0, 30.0, 95.0) == [0, 12, 30]
    assert marks() == [0]


def test_music_cue_sheet(make_hour: Hour, look_up: LookUp) -> None:
    text, sheet = made(make_hour(), look_up, "cuesheet", "25")
    rows = [*csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]
    assert [row["Timecode in"] for row in rows] == [sheet.timecode(span.begin) for span in sheet.music]
    assert {row["Usage"] for row in rows} == {"background instrumental"} and {row["Composer"] for row in rows} == {""}
    assert {(row["Source"], row["Live OK"], row["VOD OK"]) for row in rows} == {("jamendo.com", "yes", "no")}
    unknown = made(make_hour(1), lambda id: Known("/music/x.mp3"), "cuesheet")[0].splitlines()
    assert unknown[1].endswith(",,unknown,unknown") and unknown[0].endswith("UTC,Source,Live OK,VOD OK")
    printed = made(make_hour(), look_up, "cuesheet-txt", "25")[0]
    assert printed.count("Allowed:    live yes, VOD no\n     Source:     jamendo.com\n") == 60
    assert printed.count("Duration:") == 60


def test_by_the_clock_of_the_recording(make_hour: Hour, look_up: LookUp) -> None:
    """12.5 s into the session it begins: what was over is left out, and said; what was under way is in it from 0 on."""
    _, sheet = made(make_hour(), look_up, "csv", clock="record", names=NAMES)
    ends = [cue.end.pts_s for cue in make_hour().cues if cue.end is not None]
    assert sheet.left_out == sum(end < 12.5 for end in ends) > 0
    for span in sheet.spans:
        assert span.begin_s == max(0, Fraction(round(1000 * (span.cue.start.pts_s - 12.5)), 1000))
    assert sheet.spans[0].begin_s == 0 and sheet.length_s == Fraction(7175, 2)
    assert made(make_hour(), look_up, "csv", clock="stream")[1].left_out == 60


def test_music_ends_where_the_recording_does(make_hour: Hour, make_moment: Any, look_up: LookUp) -> None:
    """A recording of two parts, a pause between them, and a second one: each has what was heard in it, at its place."""
    [taken] = make_hour(1).of("taken")
    cue = replace(taken, start=make_moment(10.0, 0.0), end=replace(make_moment(110.0), record_s=4.0), from_s=5.0,
                  to_s=105.0)  # fmt: skip
    first = Run(0, "record", 1, 20.0, 0.0, 40.0, 20.0), Run(1, "record", 1, 50.0, 20.0, 70.0, 40.0)
    second = Run(2, "record", 2, 106.0, 0.0, 120.0, 14.0)
    session = replace(make_hour(1), cues=(cue,), runs=(*first, second), last=make_moment(130.0))
    assert session.clocks == ["pts", "record-1", "record-2"]

    def spans(clock: str) -> list[tuple[float, ...]]:
        _, sheet = made(session, look_up, "cuesheet", clock=clock)
        return [(float(s.begin_s), float(s.end_s), s.source / 25, s.cue.from_s, s.cue.to_s) for s in sheet.spans]

    assert spans("record-1") == [(0, 20, 15, 15, 35), (20, 40, 45, 45, 65)]
    assert spans("record") == spans("record-2") == [(0, 4, 101, 101, 105)]
    assert spans("record-3") == [] and spans("pts") == [(10, 110, 5, 5, 105)]
    assert made(session, look_up, "fcpxml", clock="record-1")[1].frames == 40 * 25


def test_a_track_that_was_started_again_is_two_rows(make_hour: Hour, make_moment: Any, look_up: LookUp) -> None:
    """Each with its own place in the track, in every report of what was heard."""
    [taken] = make_hour(1).of("taken")
    one = replace(taken, number=0, start=make_moment(10.0), end=make_moment(40.0), from_s=60.0, to_s=90.0)
    two = replace(taken, number=1, start=make_moment(40.0), end=make_moment(55.0), from_s=0.0, to_s=15.0, how="jumped")
    session = replace(make_hour(1), cues=(one, two))
    rows = [*csv.DictReader(io.StringIO(made(session, look_up, "cuesheet")[0].removeprefix("\ufeff")))]
    found = [
        [row[name] for name in ("Title", "Timecode in", "Timecode out", "Duration", "From in track")] for row in rows
    ]
    assert found == [
        ["Night Bus 0", "01:00:10:00", "01:00:40:00", "0:00:30", "0:01:00"],
        ["Night Bus 0", "01:00:40:00", "01:00:55:00", "0:00:15", "0:00:00"],
    ]
    edits = [event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(made(session, look_up, "edl")[0])).events]
    assert [(edit.source_in, edit.source_out) for edit in edits] == [
        ("00:01:00:00", "00:01:30:00"), ("00:00:00:00", "00:00:15:00"),
    ]  # fmt: skip


@pytest.mark.parametrize("fps", ["29.97df", "59.94df"])
def test_nothing_and_one_cue_without_an_end(
    make_hour: Hour, make_moment: Any, look_up: LookUp, otio_reads: Any, fps: str
) -> None:
    """A session that is running: the cue goes on until now. One whose program was killed at once: it lasts a frame."""
    [taken] = make_hour(1).of("taken")
    cue = replace(taken, start=make_moment(3599.0), end=None, to_s=None, title="\u202eodd\x00 | ; 'n\u00e4me' \\ %s")
    running = replace(make_hour(1), cues=(cue,), last=make_moment(3630.0), ended=False)
    hertz = 30000 / 1001 if fps == "29.97df" else 60000 / 1001
    for session, lasts_s in ((running, 31), (replace(running, last=None), 0), (replace(running, cues=()), None)):
        sheets = [made(session, look_up, name, fps) for name in ("edl", "xml", "otio")]
        rates = (hertz, None, None)
        adapters = ("cmx_3600", "fcp_xml", "otio_json")
        read = otio_reads(*((text, *how) for (text, _), *how in zip(sheets, adapters, rates, strict=True)))
        for (_, sheet), name, found in zip(sheets, adapters, read, strict=True):
            clips = next((track["clips"] for track in found["tracks"] if track["kind"] == "Audio"), [])
            if lasts_s is None:
                assert not clips and sheet.spans == []
                continue
            [clip] = clips
            assert clip["frames"] == max(1, round(lasts_s * hertz)) and clip["source"] == sheet.music[0].source
            if name != "cmx_3600":  # its tracks begin with the first event
                assert clip["begin"] == round(3599 * hertz)
    edl = made(running, look_up, "edl", fps)[0]
    # an hour later drop-frame is with the clock; 30 s of pictures are 0.9 or 1.8 numbers less
    assert f" 01:59:59;00 02:00:29;{29 if fps == '29.97df' else 58}\n" in edl


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "cue"])
def test_a_session_without_any_music(make_hour: Hour, look_up: LookUp, name: str) -> None:
    empty = replace(make_hour(), cues=())
    text, sheet = made(empty, look_up, name)
    assert sheet.spans == [] and text
    proposals = replace(make_hour(), cues=tuple(make_hour().of("proposed")))
    assert "Night Bus" in made(proposals, look_up, name, names="proposed")[0] or name in (
        "cue",
        "cuesheet",
        "cuesheet-txt",
        "youtube",
    )


def test_what_a_format_cannot_number_is_said(make_hour: Hour, look_up: LookUp) -> None:
    [cue] = make_hour(1).of("taken")
    many = replace(make_hour(), cues=tuple(replace(cue, number=number) for number in range(1000)))
    for name, most in (("edl", 999), ("cue", 99)):
        with pytest.raises(CueError, match=f"{most} at most"):
            made(many, look_up, name)
    with pytest.raises(CueError, match="no music was on air"):
        made(replace(many, cues=()), look_up, "cue")


def test_what_is_asked_wrongly_is_said() -> None:
    for options, text in (
        ({"fps": "29"}, "frames a second"), ({"start": "25:00:00:00"}, "timecode"), ({"clock": "sun"}, "clock"),
        ({"names": "taken,x"}, "no cues are called"), ({"names": ","}, "no cues are asked for"),
    ):  # fmt: skip
        with pytest.raises(CueError, match=text):
            read_options(**options)  # type: ignore[arg-type]
    with pytest.raises(CueError, match="did you mean edl"):
        find("edk")


def test_a_track_within_a_file(make_hour: Hour) -> None:
    """Offsets count from where the file begins."""
    text, sheet = made(make_hour(1), lambda id: Known("/music/album.flac", 600.0, 200.0), "m3u8")
    [span] = sheet.music
    assert f"start-time={600 + (span.cue.from_s or 0):g}" in text
    assert span.source == sheet.options.rate.frame(Fraction(600) + Fraction(round(1000 * (span.cue.from_s or 0)), 1000))


def test_names_that_no_utf8_can_hold(make_hour: Hour) -> None:
    """A file whose name is in another encoding: places are then URLs."""
    path = "/music/\udce9t\udce9.mp3"
    for name in FORMATS:
        text, _ = made(make_hour(3), lambda id: Known(path, 0.0, 90.0), name)
        text.encode()
    assert "file:///music/%E9t%E9.mp3" in made(make_hour(1), lambda id: Known(path, 0.0, 90.0), "m3u8")[0]
