"""Whatever a session holds, every format is a file that its kind of reader takes."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pycmx
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.cues import lines
from stream.cues.errors import CueError
from stream.cues.export.formats import FORMATS, export
from stream.cues.export.options import ExportOptions
from stream.cues.export.sheet import Sheet
from stream.cues.known import Known
from stream.cues.model import KINDS, NAMED, OUTCOMES, Cue, Moment, Session, bounded
from stream.cues.report import page
from stream.cues.runs import Run
from stream.cues.timecode import DROPPED, RATES, Rate

SECONDS = st.floats(0, 90_000).map(lambda seconds: round(seconds, 3))
TEXT = st.text(st.characters(), max_size=20).map(bounded)
RATE = st.sampled_from([*map(Rate, RATES), *(Rate(fps, drop=True) for fps in DROPPED)])


@st.composite
def sessions(draw: Callable[..., object]) -> Session:
    """At most six cues, in any order, with any times."""
    cues = []
    for number in range(draw(st.integers(0, 6))):  # type: ignore[call-overload]
        pts_s = float(draw(SECONDS))  # type: ignore[arg-type]
        lasts = draw(st.none() | SECONDS)
        start = Moment(pts_s, "2026-11-30T18:00:00.000Z", draw(st.none() | SECONDS), None)  # type: ignore[arg-type]
        end = None if lasts is None else Moment(round(pts_s + float(lasts), 3), start.wall)  # type: ignore[arg-type]
        kind = str(draw(st.sampled_from(KINDS)))
        cue = Cue(
            number, kind, start, str(draw(TEXT)), str(draw(TEXT)), str(draw(TEXT)), str(draw(TEXT)), str(draw(TEXT)),
            draw(st.none() | SECONDS), why=str(draw(TEXT)), end=end,  # type: ignore[arg-type]
        )  # fmt: skip
        if kind == "proposed":
            cue = replace(cue, outcome=str(draw(st.sampled_from(OUTCOMES))))
        cues.append(cue)
    runs = [
        Run(number, "stream", take, begin, place, begin + 50 * take, place + 50 * take)
        for number, (take, begin, place) in enumerate(draw(st.lists(st.tuples(st.integers(1, 2), SECONDS, SECONDS))))  # type: ignore[call-overload]
    ]
    return Session("x", "2026-11-30T18:00:00.000Z", label=str(draw(TEXT)), cues=tuple(cues), runs=tuple(runs))


def look_up(track: str) -> Known | None:
    return Known(f"/music/{track}", 1.5, 100.0) if len(track) % 2 else None


def check(name: str, text: str, sheet: Sheet) -> None:
    """That a reader takes it."""
    text.encode()
    spans = len(sheet.spans)
    if name in ("fcpxml", "xml"):
        ET.fromstring(text)
    elif name in ("json", "jspf", "otio"):
        json.loads(text)
    elif name == "csv":
        assert len([*csv.reader(io.StringIO(text))]) == spans + 1
    elif name in ("edl", "markers"):
        edits = pycmx.parse_cmx3600(io.StringIO(text))
        assert sum(len(event.edits) for event in edits.events) == (
            spans if name == "markers" else max(1, len(sheet.music))
        )
        assert not any(one.content for one in edits.unrecognized_statements if not one.content.startswith("|C:"))
    elif name == "vtt":
        assert len(webvtt.from_string(text).captions) <= spans


@settings(max_examples=60, deadline=None)
@given(sessions(), RATE, st.sampled_from(["pts", "stream"]), st.sets(st.sampled_from(NAMED), min_size=1))
def test_every_format(session: Session, rate: Rate, clock: str, names: set[str]) -> None:
    options = ExportOptions(rate, rate.parse("01:00:00:00"), clock, tuple(sorted(names)))
    for format in FORMATS.values():
        try:
            text, sheet = export(session, format, options, look_up)
        except CueError:
            assert format.name == "cue"  # without any music
            continue
        check(format.name, text, sheet)
    HTMLParser().feed(page(session, look_up))
    assert lines.read("x", [lines.line({"cue": lines.cue_object(cue)}) for cue in session.cues]).cues == session.cues
