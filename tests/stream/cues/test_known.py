"""What the catalogue knows of a track, as exports show it."""

from pathlib import Path

from catalog.errors import UnknownTrackError
from catalog.records import Track
from catalog.rights import Rights
from stream.cues.known import Known, in_files, of_catalog


class Shelf:
    def track(self, id: str) -> Track:
        if id != "a":
            raise UnknownTrackError(id)
        rights = Rights("Music by Ann", live_ok=True, source="Ann's shop")
        path = Path("/music/a.flac")
        return Track("a", "T" * 600, "Ann", path, 60.0, 0.0, "CC0", (), 5.0, vocals=0.9, rights=rights)


def test_what_it_knows() -> None:
    look_up = of_catalog(Shelf(), in_files)
    assert look_up("b") is None
    assert look_up("a") == Known(
        "/music/a.flac", 5.0, 60.0, "T" * 500, "Ann", "CC0", "Music by Ann", "vocal", "Ann's shop", True, None
    )
