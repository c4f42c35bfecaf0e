"""A track as text, for an index that keeps tracks where no Python object can be kept.

JSON in ASCII, a key for each field. A field that the text lacks has its default; one that is not known is passed over.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from catalog.records import Track
from catalog.rights import Rights

_TUPLES = frozenset({"tags", "moods", "playlists"})
_OF_TRACK = frozenset(each.name for each in fields(Track))
_OF_RIGHTS = frozenset(each.name for each in fields(Rights))


def write_track(track: Track) -> str:
    """Every number comes back as it is."""
    values = {each.name: getattr(track, each.name) for each in fields(Track)}
    rights = asdict(track.rights)
    return json.dumps(values | {"path": str(track.path), "rights": rights}, separators=(",", ":"))


def read_track(text: str) -> Track:
    """Raises ``ValueError`` for a text that is no track."""
    values: dict[str, Any] = json.loads(text)
    try:
        known: dict[str, Any] = {name: value for name, value in values.items() if name in _OF_TRACK}
        rights = {name: value for name, value in known["rights"].items() if name in _OF_RIGHTS}
        words = {name: tuple(known[name]) for name in _TUPLES if name in known}
        return Track(**(known | words | {"path": Path(known["path"]), "rights": Rights(**rights)}))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a track: {error}") from error
