"""Tracks -> an M3U8 playlist, which OBS's VLC source and players open."""

import os
from collections.abc import Sequence
from pathlib import Path

from catalog.errors import CatalogError
from catalog.records import Track


def write_playlist(path: Path, tracks: Sequence[tuple[Track, float]]) -> list[str]:
    """Write ``tracks``, each with the time to start it at, s; returns what had to be left out, in words.

    Files in the playlist's folder are named from there, others whole. VLC obeys the times, others ignore them. Written
    whole or not at all. Raises ``CatalogError``.
    """
    lines = [b"#EXTM3U"]
    left_out: list[str] = []
    for track, start_s in tracks:
        if set(os.fsencode(track.path)) & {10, 13}:
            left_out.append(f"{str(track.path)!r} has a line break in its name, which no playlist can hold; left out")
            continue
        name = f"{track.artist} - {track.title}" if track.artist else track.title
        lines.append(f"#EXTINF:{round(track.duration_s - start_s)},{name}".encode())
        begin_s = track.begin_s + start_s
        if begin_s:
            lines.append(f"#EXTVLCOPT:start-time={begin_s:.3f}".encode())
        if track.end_s is not None:
            lines.append(f"#EXTVLCOPT:stop-time={track.end_s:.3f}".encode())
        lines.append(_entry(track.path, path.absolute().parent))
    partial = path.with_name(f".{path.name}.tmp")
    try:
        partial.write_bytes(b"\n".join(lines) + b"\n")
        partial.replace(path)
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written ({error.strerror}); name a file in a folder that can") from error
    return left_out


def _entry(file: Path, folder: Path) -> bytes:
    """From ``folder``, if the file is in it; a name that begins with a hash would be a comment."""
    if not file.is_relative_to(folder):
        return os.fsencode(file)
    name = os.fsencode(file.relative_to(folder))
    return b"./" + name if name.startswith((b"#", b" ")) else name
