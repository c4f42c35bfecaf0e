"""The values of the fields that somebody may say of a track: one form of each, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.fields import FIELDS, FieldError, as_answer, as_list, parse, shown, usable


@pytest.mark.parametrize(
    ("name", "given_text", "kept"),
    [
        ("licence", "CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("licence", " Bought at the\nband's shop ", "Bought at the band's shop"),
        ("live_ok", "TRUE", "yes"),
        ("vod_ok", " No ", "no"),
        ("vod_ok", "?", "unknown"),
        ("vocals", "0", "no"),
        ("bought", "2026-3-01", "2026-03-01"),
        ("bought", "2026-03-01T10:00:00Z", "2026-03-01"),
        ("bought", "1.3.2026", "2026-03-01"),
        ("moods", "calm, dark;calm ;", '["calm", "dark"]'),
        ("tags", "Größe", '["Größe"]'),
        ("attribution", "a " * 400, ("a " * 400).strip()),
    ],
)
def test_one_form(name: str, given_text: str, kept: str) -> None:
    assert parse(name, given_text) == kept


@pytest.mark.parametrize(
    ("name", "given_text", "says"),
    [
        ("vod_ok", "maybe", "give yes, no or unknown"),
        ("bought", "2026-02-30", "no day"),
        ("bought", "03/04/2026", "as 2026-11-30"),  # whose month comes first?
        ("licence", "x" * 301, "at most 300"),
        ("attribution", "x" * 1001, "at most 1000"),
        ("title", "\x01\x02", "nothing that can be shown"),
        ("moods", " ; ", "no word"),
        ("moods", ";".join(map(str, range(33))), "at most 32"),
        ("tags", "x" * 81, "of at most 80"),
        ("licence", "CC\x000", "NUL"),
        ("colour", "red", "there are licence, attribution"),
    ],
)
def test_what_is_none(name: str, given_text: str, says: str) -> None:
    with pytest.raises(FieldError, match=says):
        parse(name, given_text)


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=40))
def test_what_is_kept_is_written_and_read_as_the_same(name: str, text: str) -> None:
    try:
        kept = parse(name, text)
    except FieldError:
        return
    assert parse(name, shown(name, kept)) == kept
    assert "\n" not in kept and kept.encode()  # one line, and of this world


def test_notes_of_others_are_read_with_care() -> None:
    assert as_list('["a", 3, "b"]') == ("a", "b") and as_list("{}") == as_list("[") == as_list("") == ()
    assert [as_answer(text) for text in ("yes", "no", "unknown", "")] == [True, False, None, None]
    assert usable([("moods", "calm"), ("vod_ok", "perhaps"), ("live_ok", "1")]) == (
        ("moods", json.dumps(["calm"])),
        ("live_ok", "yes"),
    )
