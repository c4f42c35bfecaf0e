"""A session's page: what is in it, and that nothing in a title becomes part of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from stream.cues.known import Known, nothing
from stream.cues.model import Session
from stream.cues.report import Link, data_link, page

HOSTILE = "<script>alert(1)</script>\"' onload=x ]]> \x00\ud800 \u202e"


class Tags(HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_it_shows(make_hour: Callable[..., Session], look_up: Callable[[str], Known]) -> None:
    found = Tags(page(make_hour(), look_up, [Link("/api/cues/x/cues.edl", "segue-x-cues.edl", "CMX 3600")]))
    assert found.open == [] and "Show" in found.text and "60proposals" in found.text.replace(" ", "")
    boxes = [attributes["class"] for tag, attributes in found.tags if tag == "rect"]
    assert boxes.count("air") == 60 and boxes.count("offer went") == 60
    assert ("a", {"href": "/api/cues/x/cues.edl", "download": "segue-x-cues.edl"}) in found.tags
    assert '"Überfahrt 1" by A. Name (CC-BY-4.0)' in found.text
    assert not [tag for tag, attributes in found.tags if tag == "script" or "style" in attributes]


def test_hostile_titles_stay_text(make_hour: Callable[..., Session]) -> None:
    session = make_hour(2)
    cues = tuple(replace(cue, title=HOSTILE, artist=HOSTILE, licence=HOSTILE, why=HOSTILE) for cue in session.cues)
    text = page(replace(session, cues=cues, label=HOSTILE), nothing)
    found = Tags(text)
    names = {name for _, attributes in found.tags for name in attributes}
    assert "script" not in {tag for tag, _ in found.tags} and "onload" not in names
    assert "<script>alert(1)</script>" in found.text and found.open == []
    text.encode()
    assert "\x00" not in text


def test_sessions_of_any_length(make_hour: Callable[..., Session], make_moment: Any) -> None:
    for seconds in (0.0, 0.4, 3.0, 59.0, 86_400.0, 1e6):
        session = replace(make_hour(1), cues=(), last=make_moment(seconds))
        ticks = re.findall(r'class="grid"', page(session, nothing))
        assert 1 <= len(ticks) <= 80
    assert Tags(page(Session("x", ""), nothing)).open == []


def test_many_cues_are_cut_in_the_tables_only(make_hour: Callable[..., Session]) -> None:
    session = make_hour(1)
    [proposal] = session.of("proposed")
    many = replace(session, cues=tuple(replace(proposal, number=number) for number in range(1500)))
    found = Tags(page(many, nothing))
    assert "500 more in the files." in found.text


def test_a_file_within_the_page() -> None:
    link = data_link("é,1\n", "cues.csv", "text/csv", "fields")
    assert link.href == "data:text/csv;base64,w6ksMQo="


def test_where_nobody_could_take_anything_nothing_is_said_of_it(make_hour: Callable[..., Session]) -> None:
    cues = tuple(replace(cue, outcome="") for cue in make_hour().of("proposed"))
    text = Tags(page(replace(make_hour(), cues=cues), nothing)).text
    assert "60proposals" in text.replace(" ", "") and "Night Bus" in text
    assert "on air" not in text and "wishes" not in text and "Came of it" not in text and "liked" not in text
    assert "Came of it" in Tags(page(make_hour(), nothing)).text
