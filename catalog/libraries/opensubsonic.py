"""A server that speaks OpenSubsonic (Navidrome, Ampache, LMS, Supysonic...): its songs, their ratings, its playlists.

Requests as in the Subsonic API 1.16.1 and https://opensubsonic.netlify.app/docs/: ``/rest/VIEW.view`` with the user and
a salted hash of the password; JSON back. Albums are listed page by page, since not all servers answer an empty search.
A server is a stranger: whatever it sends is bounded and checked, and none of its texts becomes a path as it is.
"""

import hashlib
import http.client
import json
import math
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from catalog.errors import LibraryError
from catalog.tags import one_line

TIMEOUT_S: Final = 30.0
MAX_ANSWER: Final = 64 << 20  # bytes of JSON
MAX_SONG: Final = 4 << 30
MAX_SONGS: Final = 500_000
PAGE: Final = 500  # the most that servers give at once
_NO_TOKENS: Final = (41, 10)  # errors of servers that only keep hashes of passwords: by the book, and Supysonic's
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Song:
    """``path``: as the server lays its music out, for display; ``size`` in bytes, ``length_s``, ``bpm``: 0 where not
    known."""

    id: str
    path: str
    size: int
    length_s: float
    bpm: float
    rating: int | None


class SongError(ValueError):
    """One song that could not be fetched; the text says why."""


class Server:
    """``address``: ``https://USER@HOST[:PORT][/BASE]``. Raises ``LibraryError`` for another one."""

    def __init__(self, address: str, password: str) -> None:
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            parts, host, port = urlsplit(""), "", ""
        if parts.scheme not in ("http", "https") or not host or not parts.username or parts.password:
            raise LibraryError(
                "the address of a server is https://USER@HOST or https://USER@HOST/BASE, without the password; "
                "give the password in SEGUE_OPENSUBSONIC_PASSWORD"
            )
        self.name = f"{f'[{host}]' if ':' in host else host}{port}{parts.path.rstrip('/')}"
        self._base = f"{parts.scheme}://{self.name}/rest"
        self._user, self._password, self._tokens = unquote(parts.username), password, True
        self._may_send_password = parts.scheme == "https" or host in ("localhost", "127.0.0.1", "::1")

    def songs(self) -> Iterator[Song]:
        """Every song of every album, each once. A server may give fewer albums than it is asked for, or the same ones
        again: only a page with no new one is the last."""
        seen: set[str] = set()
        known: set[str] = set()
        offset = 0
        while offset < MAX_SONGS:
            given = self._ask("getAlbumList2", type="alphabeticalByName", size=PAGE, offset=offset)
            albums = _list(given, "albumList2", "album")
            fresh = list(dict.fromkeys(id for album in albums if (id := _text(album.get("id"))) not in known))
            for id in fresh:
                for entry in _list(self._ask("getAlbum", id=id), "album", "song"):
                    song = _song(entry)
                    if song is not None and song.id not in seen:
                        seen.add(song.id)
                        yield song
            if not fresh or len(seen) > MAX_SONGS:
                return
            known.update(fresh)
            offset += len(albums)

    def playlists(self) -> dict[str, list[str]]:
        """The ids of songs by the playlist's name."""
        found: dict[str, list[str]] = {}
        for playlist in _list(self._ask("getPlaylists"), "playlists", "playlist"):
            whole = self._ask("getPlaylist", id=_text(playlist.get("id")))
            ids = [_text(entry.get("id")) for entry in _list(whole, "playlist", "entry")]
            found.setdefault(one_line(_text(playlist.get("name"))) or "playlist", []).extend(ids)
        return found

    def fetch(self, song: Song, path: Path) -> None:
        """Write a song's file as the server has it. Raises ``SongError``; then ``path`` is not there."""
        try:
            with self._open("download", id=song.id) as answer, path.open("wb") as file:
                kind = answer.headers.get_content_type()
                if kind in ("application/json", "text/xml", "application/xml"):
                    raise SongError(f"the server refuses it ({one_line(answer.read(2000).decode('utf-8', 'replace'))})")
                declared = int(answer.headers.get("Content-Length") or 0)
                size = 0
                while piece := answer.read(_PIECE):
                    size += len(piece)
                    if size > MAX_SONG:
                        raise SongError(f"is larger than {MAX_SONG >> 30} GB")
                    file.write(piece)
            if declared and size != declared:
                raise SongError(f"broke off: {size} of {declared} bytes came")
        except (SongError, OSError, http.client.HTTPException, ValueError) as error:
            path.unlink(missing_ok=True)
            if isinstance(error, SongError):
                raise
            raise SongError(f"cannot be fetched: {_why(error)}") from error

    def _ask(self, view: str, **values: str | int) -> Mapping[str, Any]:
        """The answer to a request. Raises ``LibraryError``."""
        try:
            with self._open(view, **values) as answer:
                data = answer.read(MAX_ANSWER + 1)
            if len(data) > MAX_ANSWER:
                raise LibraryError(f"{self.name}: {view} answers more than {MAX_ANSWER >> 20} MB")
            given: Any = json.loads(data)
            inner: Any = given["subsonic-response"]
            if inner["status"] == "ok":
                return dict(inner)
            error: Any = inner.get("error") or {}
            if error.get("code") in _NO_TOKENS and self._tokens:
                if not self._may_send_password:
                    raise LibraryError(f"{self.name}: takes only the password itself, for which https is needed")
                self._tokens = False
                return self._ask(view, **values)
        except LibraryError:
            raise
        except (OSError, http.client.HTTPException) as failure:
            raise LibraryError(
                f"{self.name}: cannot be reached ({_why(failure)}); check address and server"
            ) from failure
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
            raise LibraryError(
                f"{self.name}: {view} is not answered as OpenSubsonic's servers do; check the address and its base"
            ) from failure
        raise LibraryError(
            f"{self.name}: {one_line(_text(error.get('message'))) or 'refused'} ({view}); check user and password"
        )

    def _open(self, view: str, **values: str | int) -> Any:
        salt = secrets.token_hex(8)
        secret = (
            {"t": hashlib.md5(f"{self._password}{salt}".encode(), usedforsecurity=False).hexdigest(), "s": salt}
            if self._tokens
            else {"p": "enc:" + self._password.encode().hex()}
        )
        query = urlencode({"u": self._user, **secret, "v": "1.16.1", "c": "segue", "f": "json", **values})
        try:
            return urllib.request.urlopen(f"{self._base}/{view}.view?{query}", timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            raise


def enough_room(folder: Path, size: int, least: int = 1 << 30) -> bool:
    """Whether ``size`` bytes fit and leave ``least``."""
    return shutil.disk_usage(folder).free - size >= least


def _song(entry: Mapping[str, Any]) -> Song | None:
    id = _text(entry.get("id"))
    if not id or entry.get("isDir") is True or entry.get("isVideo") is True:
        return None
    stars = entry.get("userRating")
    return Song(
        id,
        _text(entry.get("path")),
        int(_real(entry.get("size"))),
        _real(entry.get("duration")),
        _real(entry.get("bpm")),
        stars if isinstance(stars, int) and 1 <= stars <= 5 else None,
    )


def _list(given: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    """The objects in a list inside of an answer; empty ones are left out by servers."""
    inner: Any = given
    for name in names:
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return [entry for entry in inner if isinstance(entry, Mapping)] if isinstance(inner, list) else []


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _real(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good and 0 <= value < 1e15 else 0.0


def _why(error: BaseException) -> str:
    """Without the address, which holds a token."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    return one_line(str(getattr(error, "reason", "") or error)) or type(error).__name__
