"""Excerpts of tracks over HTTP: parses a request, decides who may decode now, and releases everything at the end.

*Bounds*: `MOST` excerpts at a time. `THREADS` threads decode for all of them, one piece at a time for one address. A
piece is decoded when the one before has been sent. For a client that takes nothing for `STALL_S` the file is closed,
though its answer goes on when it reads again. One flag a file is remembered, for the `REMEMBERED` newest files.
"""

import asyncio
import hashlib
import math
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .byte_range import BeyondError, parse_range
from .excerpt import Excerpt, ExcerptRequest
from .track_pcm import SoundGoneError, TrackPcm

THREADS: Final = 2
MOST: Final = 64
STALL_S: Final = 10.0
REMEMBERED: Final = 1024
MAX_FADE_S: Final = 10.0
RETRY_S: Final = 2

ResultT = TypeVar("ResultT")
Key = tuple[str, int, int]  # of a file as it is: path, time of the last change, size


@dataclass(frozen=True, slots=True)
class MusicFile:
    """A readable file. ``length_s``: the counted length of its track, ``begin_s``: where the track begins in the file.
    ``file_s``: the length of the whole file, if known."""

    path: Path
    status: os.stat_result
    length_s: float
    begin_s: float = 0.0
    file_s: float | None = None

    @property
    def key(self) -> Key:
        return str(self.path), self.status.st_mtime_ns, self.status.st_size


def parse_query(start: str | None, fade: str | None, length_s: float) -> ExcerptRequest | None:
    """The excerpt that a query asks for; None without ``start``. Raises 400 for an invalid time, 416 beyond the
    track."""
    if start is None:
        if fade is not None:
            raise HTTPException(400, "fade goes with start; give both")
        return None
    start_s = _seconds("start", start)
    fade_s = 0.0 if fade is None else _seconds("fade", fade)
    if fade_s > MAX_FADE_S:
        raise HTTPException(400, f"fade is {fade_s:g} s; give at most {MAX_FADE_S:g}")
    if start_s >= length_s:
        raise HTTPException(416, f"start is {start_s:g} s, but the track is {length_s:.3f} s long")
    return ExcerptRequest(start_s, fade_s)


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise HTTPException(400, f"{name} is {text[:32]!r}; give seconds, 0 or more, as in {name}=48.2")
    return value


class Excerpts:
    """The state that the excerpts of one process share."""

    def __init__(self, most: int = MOST, stall_s: float = STALL_S) -> None:
        self.most, self.stall_s = most, stall_s
        self.open = 0
        self._threads = anyio.CapacityLimiter(THREADS)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stamps_hold: OrderedDict[Key, bool] = OrderedDict()

    async def answer(self, request: Request, file: MusicFile, excerpt_request: ExcerptRequest) -> Response:
        """The excerpt, or the part of it that the request asks for. Raises 404, 416 and 503."""
        if self.open >= self.most:
            detail = f"{self.open} excerpts are being played, and this server decodes no more at a time"
            raise HTTPException(503, f"{detail}; try again", {"Retry-After": str(RETRY_S)})
        self.open += 1
        playing = False
        try:
            known = self._stamps_hold.get(file.key)
            try:
                sound = await self.run(request, lambda: TrackPcm(file.path, file.file_s, known))
            except SoundGoneError as error:
                raise HTTPException(404, f"the file of this track {error}; index the folder again") from error
            excerpt = Excerpt(sound, excerpt_request, file.length_s, file.begin_s)
            try:
                response = self._answer(request, excerpt, file, _tag(file, excerpt_request, sound.steady))
                playing = isinstance(response, _Playing)
                return response
            finally:
                if not playing:
                    await self.run(request, sound.close)
        finally:
            if not playing:
                self.open -= 1

    def _answer(self, request: Request, excerpt: Excerpt, file: MusicFile, tag: str) -> Response:
        headers = {"accept-ranges": "bytes", "cache-control": "private, no-store", "etag": tag}
        request_headers = request.headers
        if tag.removeprefix("W/") in request_headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        same = "if-range" not in request_headers or (request_headers["if-range"] == tag and not tag.startswith("W/"))
        try:
            part = parse_range(request_headers.get("range") if same else None, excerpt.size)
        except BeyondError:
            detail = f"{request_headers['range'][:64]} lies beyond the end: there are {excerpt.size} bytes"
            raise HTTPException(416, detail, {"content-range": f"bytes */{excerpt.size}"}) from None
        first, stop = part or (0, excerpt.size)
        headers["content-length"] = str(stop - first)
        if part is not None:
            headers["content-range"] = f"bytes {first}-{stop - 1}/{excerpt.size}"
        code = 200 if part is None else 206
        if request.method == "HEAD":
            return Response(status_code=code, headers=headers, media_type="audio/wav")
        return _Playing(self, request, excerpt, file, range(first, stop), code, headers)

    async def run(self, request: Request, work: Callable[[], ResultT]) -> ResultT:
        """Do ``work`` in a thread when it is this client's turn. Once begun, it is waited for."""
        client = request.client.host if request.client else ""
        turn = self._turns.get(client) or asyncio.Lock()
        self._turns[client] = turn
        async with turn:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)

    def remember(self, file: MusicFile, stamps_hold: bool | None) -> None:
        """Remember for a file's next excerpt whether its time stamps hold."""
        if stamps_hold is not None:
            self._stamps_hold[file.key] = stamps_hold
            self._stamps_hold.move_to_end(file.key)
            if len(self._stamps_hold) > REMEMBERED:
                self._stamps_hold.popitem(last=False)


def _tag(file: MusicFile, excerpt_request: ExcerptRequest, steady: bool) -> str:
    """The ETag: strong (RFC 9110, section 8.8.1) only where parts of two answers fit together to the bit."""
    content = (file.key, file.begin_s, file.length_s, excerpt_request.start_s, excerpt_request.fade_s)
    text = hashlib.sha256(repr(content).encode()).hexdigest()[:32]
    return f'"{text}"' if steady else f'W/"{text}"'


class _Playing(StreamingResponse):
    """The body of an excerpt: decoded as the client reads it; released at its end, or when the client leaves."""

    def __init__(
        self,
        shared: Excerpts,
        request: Request,
        excerpt: Excerpt,
        file: MusicFile,
        part: range,
        code: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(self._pieces(), code, headers, "audio/wav")
        self._shared, self._request, self._excerpt, self._file, self._part = shared, request, excerpt, file, part
        self._stalled: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._stalled is not None:
                self._stalled.cancel()
            self._shared.open -= 1
            self._shared.remember(self._file, self._excerpt.sound.stamps_hold)
            with anyio.CancelScope(shield=True):
                await self._shared.run(self._request, self._excerpt.close)

    async def _pieces(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        left = len(self._part)
        self._excerpt.seek(self._part.start)
        while left:
            piece = (await self._shared.run(self._request, self._excerpt.read))[:left]
            left -= len(piece)
            if piece:
                # while the client reads nothing, no thread uses the excerpt, so it can be closed from here
                self._stalled = loop.call_later(self._shared.stall_s, self._excerpt.close)
                yield piece
                self._stalled.cancel()
