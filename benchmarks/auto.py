"""Ten minutes of Auto: what plays if nobody touches anything, rendered and measured.

The session runs in media time and gets the same ``playing`` commands as from the page. The page's rules apply to every
list: the first suggestion begins; another one follows where the advice is to switch, and where the track on air should
end. Every piece is decoded, cut at its start and raised or lowered by its ``gain_db``.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from catalog.records import Track
from features.decode.sound import decode
from features.loudness import loudness
from features.spec import MUSIC_RATE_HZ
from stream.core.events import Item, Suggestions
from stream.core.session import Session
from stream.driver.runtime import Runtime

from .footage import lists_of
from .harness import Row

SILENT_LUFS: Final = -50.0
STEADY_S: Final = 10.0  # of a piece that is compared with the next
Floats = NDArray[np.float32]


@dataclass(slots=True)
class Piece:
    """A track on air from ``at_s`` to ``until_s`` of media time; it starts at ``start_s`` of the track."""

    track: str
    at_s: float
    start_s: float
    gain_db: float
    until_s: float = 0.0


class AutoSession(Session):
    """A session whose viewer lets Auto play."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.model)
        self.pieces: list[Piece] = []

    def follow_list(self, suggestions: Suggestions) -> None:
        """Do what the page does with a list in Auto."""
        now = self.pieces[-1] if self.pieces else None
        first = next((item for item in suggestions.items if now is None or item.track != now.track), None)
        if first is None:
            return
        if now is None:
            self._start(suggestions.items[0], suggestions.pts_s)
            return
        air = suggestions.on_air
        over = air is not None and air.next_in_s is not None and air.next_in_s <= 0.5
        if suggestions.advice == "switch" and suggestions.items[0].track != now.track:
            self._start(suggestions.items[0], suggestions.pts_s)
        elif over:
            self._start(first, suggestions.pts_s)

    def _start(self, item: Item, at_s: float) -> None:
        if self.pieces:
            self.pieces[-1].until_s = at_s
        self.pieces.append(Piece(item.track, at_s, item.start_s, item.gain_db or 0.0))
        self.command({"type": "playing", "track": item.track, "position_s": item.start_s})


def play_auto(runtime: Runtime, videos: Sequence[Path], seconds: float) -> list[Piece]:
    """What Auto plays to ``seconds`` of the videos, which repeat when they end."""
    session = AutoSession(runtime)
    lists = lists_of(runtime, _repeat_forever(videos), session, seconds, session.follow_list)
    if session.pieces:
        session.pieces[-1].until_s = lists[-1].pts_s
    return session.pieces


def render_pieces(pieces: Sequence[Piece], tracks: Sequence[Track]) -> list[Floats]:
    """The sound of each piece, mono at 16 kHz, zeros where its track is over."""
    by_id = {track.id: track for track in tracks}
    sounds: dict[str, Floats] = {}
    parts = []
    for piece in pieces:
        track = by_id[piece.track]
        if piece.track not in sounds:
            samples = decode(Path(track.path)).samples
            end = None if track.end_s is None else round(track.end_s * MUSIC_RATE_HZ)
            sounds[piece.track] = samples[round(track.begin_s * MUSIC_RATE_HZ) : end]
        begin = round(piece.start_s * MUSIC_RATE_HZ)
        length = round((piece.until_s - piece.at_s) * MUSIC_RATE_HZ)
        part = sounds[piece.track][begin : begin + length] * np.float32(10 ** (piece.gain_db / 20))
        parts.append(np.pad(part, (0, length - len(part))))
    return parts


def auto_rows(pieces: Sequence[Piece], tracks: Sequence[Track]) -> list[Row]:
    """``auto_silent_s``: seconds below -50 LUFS. ``auto_level_step_lu``: the largest difference in level from a track
    to the next, each measured whole by FFmpeg's ``ebur128``, with its gain and, in another row, without. The part that
    plays may be softer than the rest of its track: ``auto_piece_step_lu`` compares the pieces themselves."""
    parts = render_pieces(pieces, tracks)
    whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    seconds = [
        loudness(whole[at : at + MUSIC_RATE_HZ]) for at in range(0, len(whole) - MUSIC_RATE_HZ + 1, MUSIC_RATE_HZ)
    ]
    by_id = {track.id: track for track in tracks}
    levels = {piece.track: integrated_lufs(Path(by_id[piece.track].path)) for piece in pieces}
    with_gain = _steps([levels[piece.track] + piece.gain_db for piece in pieces])
    without = _steps([levels[piece.track] for piece in pieces])
    long = [loudness(part) for part in parts if len(part) >= STEADY_S * MUSIC_RATE_HZ]
    labels: dict[str, str | int | float] = {"seconds": len(seconds), "pieces": len(pieces)}
    return [
        Row("auto_silent_s", sum(level < SILENT_LUFS for level in seconds), len(seconds), "s", labels),
        Row("auto_level_step_lu", max(with_gain, default=0.0), len(with_gain), "LU", _middle(with_gain)),
        Row("auto_level_step_without_gain_lu", max(without, default=0.0), len(without), "LU", _middle(without)),
        Row("auto_piece_step_lu", max(_steps(long), default=0.0), len(long) - 1, "LU", _middle(_steps(long))),
    ]


def integrated_lufs(path: Path) -> float:
    """EBU R 128 of a whole file by FFmpeg."""
    graph: Any = av.filter.Graph()
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        source, meter, sink = graph.add_abuffer(template=stream), graph.add("ebur128", "metadata=1"), "abuffersink"
        end = graph.add(sink)
        source.link_to(meter)
        meter.link_to(end)
        graph.configure()
        level = -70.0
        for frame in container.decode(stream):
            source.push(frame)
            with contextlib.suppress(av.error.BlockingIOError):
                while True:
                    level = float(end.pull().metadata.get("lavfi.r128.I", level))
    return level


def _steps(levels: Sequence[float]) -> list[float]:
    return [abs(before - after) for before, after in pairwise(levels)]


def _middle(steps: Sequence[float]) -> dict[str, str | int | float]:
    return {"median": round(float(np.median(steps)), 2) if steps else 0.0}


def _repeat_forever(videos: Sequence[Path]) -> Iterator[Path]:
    while True:
        yield from videos
