"""The media playlists of an HLS input, as they were loaded last."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from stream.errors import SourceError

from .parts import Reader
from .playlist import Media, read_media

TEXT_BYTES: Final = 8 * 1024**2
WAIT_S: Final = 10.0  # for the first segment of a live stream


class Place(Reader, Protocol):
    """What a `Client` opens; ``url`` is its final address."""

    url: str

    def read_all(self, limit: int) -> bytes: ...


class Client(Protocol):
    """Opens addresses. Raises SourceError if it cannot. ``join``: the full address of an entry in a file."""

    def join(self, base: str, place: str) -> str: ...
    def open(
        self, url: str, begin: int = 0, end: int | None = None, headers: Mapping[str, str] | None = None
    ) -> Place: ...


class Playlists:
    """``known``: the newest one of each address. ``fresh``: the text of the only one, where that is loaded already; it
    is used once."""

    def __init__(self, client: Client, fresh: str) -> None:
        self.known: dict[str, Media] = {}
        self._client, self._fresh = client, fresh

    def load(self, url: str) -> Media:
        """A playlist as it is now. Raises SourceError."""
        text, self._fresh = self._fresh, ""
        place = url
        if not text:
            reader = self._client.open(url)
            try:
                text, place = reader.read_all(TEXT_BYTES).decode(errors="replace"), reader.url
            finally:
                reader.close()
        media = read_media(text, lambda written: self._client.join(place, written))
        if not url.startswith("http"):
            media = replace(media, ended=True)  # a file: the recording is complete
        if not media.segments and (media.ended or not text.lstrip("\ufeff \r\n").startswith("#EXTM3U")):
            raise SourceError(f"{url}: is no playlist of a stream; check the address")
        self.known[url] = media
        return media

    def begun(self, url: str, begin: int, stopped: Callable[[], bool]) -> Media:
        """A playlist that has a segment from number ``begin`` on; for a live stream this waits, at most `WAIT_S`."""
        until_s = time.monotonic() + WAIT_S
        while True:
            media = self.load(url)
            if stopped() or media.part(begin)[0] or media.ended or time.monotonic() > until_s:
                return media
            time.sleep(min(2.0, max(0.2, media.target_s / 2)))
