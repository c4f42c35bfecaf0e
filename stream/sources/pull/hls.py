"""HLS (RFC 8216): one variant of a ladder, one part after another, and another variant where one goes away.

FFmpeg's demuxer plays a playlist as long as nothing changes in it. It would fetch every variant of a ladder, and PyAV
would not see streams that begin in the middle. So it gets one variant, cut where other streams begin, and is opened
anew for the next part. All that it opens comes through here, so its position and missing segments are known.
"""

import io
import time
from collections.abc import Mapping
from typing import Any, Final

import av
from av.error import FFmpegError

from stream.errors import SourceError

from .fetch import request_headers
from .opened import CHANGED, LIVE_OPTIONS, Opened, cause_of
from .parts import Deciphered, Forgiving, Reader
from .playlist import Master, Media, Segment, Variant, is_master, read_master, write_media
from .playlists import Client, Playlists
from .transport import SIZES, Layout

MISSES: Final = 3  # missing segments, or failed reloads of a playlist, in a row: then the variant is gone
STALLED: Final = 4  # target durations without a new segment, while another variant has some
HEAD_BYTES: Final = 12 * SIZES[-1]  # of a segment: its tables are among them
TIMEOUT_S: Final = 30.0  # for a packet; opening has only those of each request, since PyAV fails with one there
# FFmpeg gets everything by HTTP from the client, with any name
ANY_NAME: Final = {"extension_picky": "0", "allowed_extensions": "ALL", "allowed_segment_extensions": "ALL"}


class Hls:
    """One input; ``open`` opens it where it begins. ``options`` are FFmpeg's, added to those needed here."""

    def __init__(self, client: Client, url: str, text: str, options: Mapping[str, str]) -> None:
        self._client = client
        self._options = dict(options)
        self._url = url
        self._master: Master | None = None
        self._variants: list[Variant] = [Variant(url)]
        if is_master(text):
            self._master = read_master(text, lambda place: client.join(url, place))
            self._variants = list(self._master.variants)
            if not self._variants:
                raise SourceError(f"{url}: is a playlist without any stream; check the address")
            text = ""
        self._playlists = Playlists(client, text)
        self._variant = self._variants[0]
        self._live = False
        self._begin: int | None = None  # the number of the part's first segment
        self._opening = False
        self._with_sound = True  # whether separate sound is requested
        self._next = 0  # the number of the segment that comes next
        self._layout: dict[int, Any] | None = None  # what the segments of this part carry
        self._cut: int | None = None  # the number of a segment with other streams than those before
        self._served: tuple[Segment, ...] = ()  # the segments in the newest playlist for FFmpeg
        self._missed = 0  # segments in a row
        self._failed = 0  # reloads in a row
        self._missing_from = 0
        self._lost = 0
        self._newest = (-1, 0.0)  # the newest segment's number, and since when
        self._gone: str | None = None  # why the variant is
        self._stopped = self._finished = False

    def open(self) -> Opened:
        """The first variant that can be opened. Raises SourceError."""
        while True:
            try:
                return self._open_part(None)
            except (SourceError, FFmpegError, OSError) as error:
                reason = self._gone or cause_of(error)
                if not self._drop_variant():
                    message = f"{self._url.removeprefix('file:')}: {reason}; give a playlist of a video"
                    raise SourceError(reason if "; " in reason else message) from error

    # -- the callbacks of a ``Pull``

    def _following(self) -> Opened | None:
        """Open what comes after a container's end. Raises SourceError if the stream is lost."""
        media = self._playlists.known.get(self._variant.url)
        if self._stopped or media is None:
            return None
        note = None
        if self._gone is not None or (self._missed and len(self._variants) > 1):
            self._gone = self._gone or "its parts cannot be had"
            note = f"a variant of the stream is gone ({self._gone}); another one is taken"
            number = self._missing_from if self._missed else self._next
        elif self._cut is not None:
            number = self._cut
        else:
            segments, more = media.part(self._begin or 0)
            number = segments[-1].number + 1 if segments else self._next
            if not more:
                if self._ahead(media) is None:
                    self._finished = media.ended
                    return None
                self._gone, note = "it ended", "a variant of the stream ended, others go on; another one is taken"
        return self._go_on(number, media.before(number), note)

    def _go_on(self, number: int, seconds: float, note: str | None) -> Opened | None:
        """Open a place in this variant, or in the next one that has it."""
        first, cut = self._gone, self._cut is not None
        while True:
            reason = self._gone
            first = first or reason
            if reason is not None and not self._drop_variant():
                if self._live:
                    raise SourceError(first or reason)
                self._lost += 1
                return None
            try:
                if reason is not None:
                    media = self._playlists.load(self._variant.url)
                    here = number if self._live else media.at(seconds)
                    within = media.segments and media.segments[0].number <= here <= media.segments[-1].number + 1
                    self._begin = here if within else media.live_edge()
                    if media.ended and here > media.segments[-1].number:
                        self._gone = "it ended"
                        continue
                else:
                    self._begin = number
                return self._open_part(note)
            except (SourceError, FFmpegError, OSError) as error:
                if self._stopped:
                    return None
                if self._gone is None and (after := self._after(number, cut)) is not None:
                    note = f"a part of the playlist was passed over ({cause_of(error)})"
                    number = after
                    continue
                self._gone = self._gone or cause_of(error)

    def _after(self, number: int, cut: bool) -> int | None:
        """The number of a later segment to try: that of the next part, or, within one that was cut, the next."""
        media = self._playlists.known.get(self._variant.url)
        segments, more = media.part(number) if media is not None else ((), False)
        if cut and len(segments) > 1:
            return segments[1].number
        return segments[-1].number + 1 if more else None

    def _drop_variant(self) -> bool:
        """Drop the variant and take the next one. False if there is none."""
        self._lost -= self._missed  # the next one may have them
        self._variants = [variant for variant in self._variants if variant is not self._variant]
        self._gone, self._missed, self._failed, self._cut, self._newest = None, 0, 0, None, (-1, 0.0)
        if not self._variants:
            return False
        self._variant = self._variants[0]
        return True

    def _ahead(self, media: Media) -> Variant | None:
        """Another variant that has more than this one, if there is one. The others are left for good."""
        for variant in self._variants:
            if variant is self._variant:
                continue
            try:
                other = self._playlists.load(variant.url)
            except (SourceError, OSError):
                continue
            if self._live and media.segments and other.segments:
                further = other.segments[-1].number > media.segments[-1].number
                longer = further or (media.ended and not other.ended)
            else:
                longer = other.seconds > media.seconds + max(1.0, media.target_s)
            if longer:
                return variant
        return None

    def _shortfall(self) -> str | None:
        return f"{self._lost} parts of the playlist could not be had" if self._lost else None

    def _stop(self) -> None:
        self._stopped = True

    # -- opening

    def _open_part(self, note: str | None) -> Opened:
        before, self._layout = self._layout, None
        self._cut, self._opening, self._with_sound, self._served = None, True, True, ()
        self._missed = self._failed = 0
        self._next = self._begin or 0
        options = {
            "http_persistent": "0",
            "http_multiple": "0",
            "live_start_index": "0",
            "seg_format_options": "fpsprobesize=0",
            **(ANY_NAME if self._url.startswith("http") else {}),
            **LIVE_OPTIONS,
            **self._options,
        }
        try:
            container = self._container(options)
        except (FFmpegError, OSError):
            if not self._with_sound or self._master is None or self._variant.audio not in self._master.sounds:
                raise
            self._with_sound, self._opening, self._gone = False, True, None  # the sound may be missing
            self._missed, self._next = 0, self._begin or 0
            container = self._container(options)
        if not container.streams.video:
            sounds = len(container.streams.audio)
            container.close()
            raise SourceError("has only audio" if sounds else "has no video stream")
        if self._gone is not None:
            container.close()
            raise SourceError(self._gone)
        media = self._playlists.known[self._variant.url]
        return Opened(
            container,
            self._stop,
            endless=self._live,
            following=self._following,
            finished=lambda: self._finished,
            shortfall=self._shortfall,
            note=note or (CHANGED if before and before != self._layout else None),
            duration_s=None if self._live else media.seconds,
            whole=False,
        )

    def _container(self, options: dict[str, str]) -> av.container.InputContainer:
        opener: Any = self._io_open
        limits: Any = (None, TIMEOUT_S)
        return av.open(self._url, "r", format="hls", options=options, io_open=opener, timeout=limits)

    def _io_open(self, url: str, flags: int, options: dict[str, str]) -> Any:
        """Open an address for FFmpeg. Never raises, since FFmpeg would try again: on errors the file is empty."""
        try:
            return self._serve(url, options)
        except Exception as error:  # noqa: BLE001 - PyAV cannot pass it on from here
            self._gone = cause_of(error)
            return io.BytesIO()

    def _serve(self, url: str, options: dict[str, str]) -> Any:
        if self._master is not None and url == self._url:
            return io.BytesIO(self._master.text(self._variant, self._with_sound).encode())
        if url == self._variant.url:
            return io.BytesIO(self._playlist().encode())
        if self._master is not None and url == self._master.sounds.get(self._variant.audio):
            return io.BytesIO(self._sound(url).encode())
        return io.BytesIO() if self._over else self._segment(url, options)

    @property
    def _over(self) -> bool:
        return self._stopped or self._gone is not None

    def _playlist(self) -> str:
        """The playlist of the present part; ended if the variant is gone. Empty text without a segment: FFmpeg fails on
        such a playlist."""
        if not self._over:
            try:
                if self._opening:
                    begun = self._playlists.begun(self._variant.url, self._begin or 0, lambda: self._stopped)
                    self._live = self._live or not begun.ended
                    self._opening = False
                else:
                    self._reload(self._variant.url)
            except (SourceError, OSError) as error:
                self._gone = cause_of(error)
        media = self._playlists.known.get(self._variant.url)
        if media is None:
            return ""
        if self._begin is None:
            self._begin = self._next = media.live_edge()
        segments, more = media.part(self._begin)
        if segments and segments[0].first and segments[0].number > self._begin:
            segments, more = (), True  # the part has left the playlist
        if self._cut is not None:
            segments, more = tuple(s for s in segments if s.number < (self._cut or 0)), True
        over = media.ended or more or self._over
        if segments:
            self._served = segments
        elif self._served:
            segments, over = self._served, True
        return write_media(segments, media.target_s, over) if segments else ""

    def _reload(self, url: str) -> None:
        """Load the playlist again; after a failure the old one stays, up to `MISSES` times."""
        try:
            media = self._playlists.load(url)
            self._failed = 0
        except (SourceError, OSError) as error:
            self._failed += 1
            if self._failed >= MISSES:
                self._gone = cause_of(error)
            return
        newest, now_s = media.segments[-1].number if media.segments else -1, time.monotonic()
        if newest != self._newest[0]:
            self._newest = newest, now_s
        elif not media.ended and now_s - self._newest[1] > STALLED * max(1.0, media.target_s):
            self._newest = newest, now_s
            if self._ahead(media) is not None:
                self._gone = "nothing was added to it any more"

    def _sound(self, url: str) -> str:
        """The playlist of the sound, from about where the pictures begin; empty if it is missing."""
        try:
            media = self._playlists.load(url)
        except (SourceError, OSError):
            media = self._playlists.known.get(url) or Media((), 1.0, True)
        begin = self._begin or 0
        if not media.segments or not media.segments[0].number <= begin <= media.segments[-1].number:
            begin = media.live_edge()
        segments, more = media.part(begin)
        over = media.ended or more or self._over
        return write_media(segments, media.target_s, over) if segments else ""

    def _segment(self, url: str, options: Mapping[str, str]) -> Any:
        """A segment, or its key or initialisation section; empty if it is missing."""
        inner = url.removeprefix("crypto+").removeprefix("crypto:")
        begin, end = int(options.get("offset", 0)), options.get("end_offset")
        number = self._number(inner, begin)
        if number is not None and self._cut is not None and number >= self._cut:
            return io.BytesIO()
        reader: Any = None
        try:
            reader = self._client.open(inner, begin, None if end is None else int(end), request_headers(options))
            if inner != url:
                reader = Deciphered(reader, bytes.fromhex(options["key"]), bytes.fromhex(options["iv"]))
            head = b"" if number is None else _head(reader)
        except (SourceError, OSError) as error:
            if reader is not None:
                reader.close()
            return self._miss(number, error)
        if number is not None:
            self._missed, self._next = 0, number + 1
            layout = Layout()
            layout.push(head, 0)
            if layout.programs:
                self._layout = self._layout or layout.programs
                if layout.programs != self._layout:
                    reader.close()
                    self._cut = number
                    return io.BytesIO()
        if begin and not inner.startswith("http"):  # FFmpeg seeks by itself
            reader.close()
            return self._client.open(inner)
        return Forgiving(reader, head, lambda error: self._count_lost())

    def _number(self, url: str, begin: int) -> int | None:
        """The number of the segment that FFmpeg opens; None if it is none of the variant's."""
        media = self._playlists.known.get(self._variant.url)
        numbers = [s.number for s in media.segments if s.url == url and s.begin == begin] if media is not None else []
        return next((number for number in numbers if number >= self._next), numbers[-1] if numbers else None)

    def _miss(self, number: int | None, error: Exception) -> Any:
        self._count_lost()
        if self._missed == 0:
            self._missing_from = self._next if number is None else number
        self._missed += 1
        if number is not None:
            self._next = number + 1
        if self._missed >= MISSES and (self._live or len(self._variants) > 1):
            self._gone = cause_of(error)
        return io.BytesIO()

    def _count_lost(self) -> None:
        self._lost += 1


def _head(reader: Reader) -> bytes:
    data = b""
    while len(data) < HEAD_BYTES and (more := reader.read(HEAD_BYTES - len(data))):
        data += more
    return data
