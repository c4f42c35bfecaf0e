"""What a bundle's graphs ask of a track."""

from types import SimpleNamespace
from typing import Any

import pytest

from catalog.errors import BundleMismatchError
from catalog.needs import needs_of, shape_of


def bundle(**graphs: tuple[str, ...]) -> Any:
    """With these features of its graphs."""
    roles = {"music_tower": "music_clip", "segment": "music_sequence", "matcher": "matcher"}
    made = {role: SimpleNamespace(name=name, features=graphs.get(name, ())) for role, name in roles.items()}
    return SimpleNamespace(path="b", graphs=SimpleNamespace(**made))


def test_just_what_is_asked_and_rhythm_which_ranking_reads() -> None:
    needs = needs_of(
        bundle(music_clip=("content_mfcc",), music_sequence=("harmony",), matcher=("displacement", "rhythm"))
    )
    assert needs.clip == ("content_mfcc",) and needs.sequence == ("harmony",)
    assert needs.track == ("rhythm", "harmony") and needs.kept == ("harmony",)
    assert needs.kept_width == 12 and shape_of("harmony") == (12,)
    assert needs_of(bundle(music_clip=("low_level",))).track == ("rhythm",)


@pytest.mark.parametrize(
    ("graph", "feature"), [("music_clip", "clip_image"), ("music_sequence", "clip_mel"), ("matcher", "content_mfcc")]
)
def test_what_a_track_is_not_measured_for_is_named(graph: str, feature: str) -> None:
    with pytest.raises(BundleMismatchError, match=f"graph {graph} takes {feature}, a track is measured for"):
        needs_of(bundle(**{graph: (feature,)}))
