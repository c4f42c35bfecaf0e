"""Tags that tell of voices, and what is believed: what was heard, before what tags say."""

from pathlib import Path

import pytest

from catalog.records import Filters, Track, is_vocal
from catalog.vocal_tags import tells_of_vocals


@pytest.mark.parametrize(
    ("tags", "vocal"),
    [
        ((), False),
        (("ambient", "calm"), False),
        (("Vocals",), True),
        (("pop", "Singer-Songwriter"), True),
        (("RAP",), True),
        (("trap", "wrapped", "therapy"), False),
        (("vocal trance",), True),
        (("no vocals",), False),
        (("Instrumental song",), False),
        (("non-vocal", "song"), True),
        (("gesang, voice",), True),
    ],
)
def test_tags_tell_voices_by_whole_words(tags: tuple[str, ...], vocal: bool) -> None:
    assert tells_of_vocals(tags) is vocal


@pytest.mark.parametrize(
    ("tags", "heard", "vocal"),
    [(("song",), None, True), ((), None, False), (("song",), 0.02, False), (("instrumental",), 0.7, True)],
)
def test_what_was_heard_goes_before_what_tags_say(tags: tuple[str, ...], heard: float | None, vocal: bool) -> None:
    track = Track("0" * 16, "", "", Path("a"), 60.0, 100.0, "", tags, vocals=heard)
    assert is_vocal(track) is vocal
    assert Filters(instrumental=True).passes(track) is not vocal and Filters().passes(track)
