"""Black bars around a picture: films wider than the screen or narrower, telephones held upright, a window in black.

If bars were measured as part of the picture, they would darken it, slow its motion and hide its cuts. Not every steady
black edge is a bar: night shots, fades and credits are black at the edges too. A bar is detected where for most of a
second

- whole rows or columns along an edge of the frame stayed black, up to the same line,
- behind that line the picture is lit along most of it, in each frame that is lit at all: darkness has a ragged edge, a
  bar a straight one,
- no black line goes through the picture: a title on black has gaps between its letters,
- and the black is even: dark parts of a camera's picture still hold noise.

A detected bar stays while the picture inside is dark, and is dropped when something lies across its edge. A few lit
spots in a bar, such as subtitles, change nothing.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STEADY: Final = 6  # pictures that must agree: three quarters of a second at eight a second
BLACK: Final = 24  # of 255, the brightest channel; coded black is a few levels off, and pictures are dithered
LIT: Final = 40
SPOTS: Final = 0.02  # share of a black line that may be lit
ALONG: Final = 0.6  # share of the picture's first line that must be lit, over the pictures that agree
ALONG_ONE_SIDE: Final = 0.8  # the same, where the bar across from it is missing: a dark floor is no bar
EACH: Final = 0.3  # share of it in each picture that is lit at all
EVEN: Final = 8.0  # mean level of a bar at most
LEAST: Final = 1  # lines
SMALLEST: Final = 0.2  # share of the frame's side that a picture has at least
ACROSS: Final = 0.5  # share of a bar's innermost lines that is lit where the picture crosses its edge

Levels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """Where the picture is in its frame, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE: Final = Box(0.0, 0.0, 1.0, 1.0)
Edges = tuple[int, int, int, int]  # first and end row, first and end column


class BarMeter:
    """``box`` is where the picture is. State: the levels of the last frames, and how many in a row crossed an edge."""

    def __init__(self) -> None:
        self.box = WHOLE
        self._edges: Edges | None = None
        self._newest: deque[Levels] = deque(maxlen=STEADY)
        self._across = 0

    def push(self, frame: NDArray[np.uint8]) -> bool:
        """Measure a whole frame, (height, width, 3) uint8 RGB, shrunk; whether ``box`` changed with it."""
        levels: Levels = np.maximum(np.maximum(frame[..., 0], frame[..., 1]), frame[..., 2])
        if self._newest and self._newest[-1].shape != levels.shape:  # the stream was turned
            changed = self._edges is not None
            self._take(None, levels)
            return changed
        if self._edges is not None and self._is_crossed(levels, self._edges):
            self._take(None, levels)
            return True
        if not _dark_at_the_edge(levels, self._edges or (0, levels.shape[0], 0, levels.shape[1])):
            self._newest.clear()
            return False
        self._newest.append(levels)
        if len(self._newest) < STEADY:
            return False
        edges = self._find_edges(np.max(self._newest, axis=0))
        if edges is None or edges == self._edges or not self._grows(edges):
            return False
        self._take(edges, levels)
        return True

    def _take(self, edges: Edges | None, levels: Levels) -> None:
        height, width = levels.shape
        self._edges, self._across = edges, 0
        if edges is None:
            self._newest.clear()
            self._newest.append(levels)
            self.box = WHOLE
        else:
            top, bottom, left, right = edges
            self.box = Box(left / width, top / height, right / width, bottom / height)

    def _grows(self, edges: Edges) -> bool:
        """Whether the new bars are larger by more than a line that flickers; bars are dropped only when the picture
        crosses them."""
        if self._edges is None:
            return True
        (top, bottom, left, right), (a, b, c, d) = edges, self._edges
        grown = (top - a, b - bottom, left - c, d - right)
        return min(grown) >= -1 and max(grown) >= LEAST

    def _find_edges(self, brightest: Levels) -> Edges | None:
        """The edges of the picture that the newest frames agree on."""
        height, width = brightest.shape
        dark = brightest <= BLACK
        rows, columns = _run(dark.mean(axis=1) >= 1 - SPOTS), _run(dark.mean(axis=0) >= 1 - SPOTS)
        if rows is None or columns is None:
            return None
        (top, bottom), (left, right) = rows, columns
        bars = top, height - bottom, left, width - right
        if max(bars) < LEAST or bottom - top < SMALLEST * height or right - left < SMALLEST * width:
            return None
        outside = np.ones_like(dark)
        outside[top:bottom, left:right] = False
        if float(brightest[outside].mean()) > EVEN:
            return None
        inside = dark[top:bottom, left:right]
        if max(float(inside.all(axis=0).mean()), float(inside.all(axis=1).mean())) > SPOTS:
            return None  # black from edge to edge within it: words on black
        for side, size in enumerate(bars):
            if not size:
                continue
            across_from = bars[side ^ 1]
            paired = across_from >= LEAST and min(size, across_from) > 0.5 * max(size, across_from)
            if not self._straight(brightest, (top, bottom, left, right), side, ALONG if paired else ALONG_ONE_SIDE):
                return None
        return top, bottom, left, right

    def _straight(self, brightest: Levels, edges: Edges, side: int, along: float) -> bool:
        """Whether the picture is lit along this side, in every frame in which it is lit."""
        if float((_line(brightest, edges, side) > LIT).mean()) < along:
            return False
        top, bottom, left, right = edges
        for levels in self._newest:
            inside = levels[top:bottom, left:right]
            if float((inside > LIT).mean()) > EACH and float((_line(levels, edges, side) > LIT).mean()) < EACH:
                return False
        return float((_line(self._newest[-1], edges, side) > LIT).mean()) >= EACH

    def _is_crossed(self, levels: Levels, edges: Edges) -> bool:
        """Whether the picture crosses an edge: in two frames in a row, or over most of the bars in one."""
        top, bottom, left, right = edges
        lit = levels > LIT
        outside = np.ones_like(lit)
        outside[top:bottom, left:right] = False
        if float(lit[outside].mean()) > ACROSS:
            return True
        lines = (lit[max(0, top - LEAST) : top], lit[bottom : bottom + LEAST])
        columns = (lit[:, max(0, left - LEAST) : left], lit[:, right : right + LEAST])
        across = any(line.size and float(line.all(axis=0).mean()) > ACROSS for line in lines)
        across = across or any(line.size and float(line.all(axis=1).mean()) > ACROSS for line in columns)
        self._across = self._across + 1 if across else 0
        return self._across > 1


def refine(luma: Levels, box: Box) -> Box:
    """``box``, measured on a shrunk frame, moved to exact lines of the frame itself: ``luma``, (height, width)
    uint8."""
    height, width = luma.shape
    left, right = round(box.left * width), max(1, round(box.right * width))
    top, bottom = round(box.top * height), max(1, round(box.bottom * height))
    rows, columns = luma[:, left:right] > BLACK, luma[top:bottom] > BLACK
    return Box(
        _edge(columns.mean(axis=0), box.left, width),
        _edge(rows.mean(axis=1), box.top, height),
        1.0 - _edge(columns.mean(axis=0)[::-1], 1.0 - box.right, width),
        1.0 - _edge(rows.mean(axis=1)[::-1], 1.0 - box.bottom, height),
    )


def _edge(lit: NDArray[np.float64], share: float, side: int) -> float:
    """Where the picture begins, in shares of a side: the first line near ``share`` that is at least half as lit as
    the lines behind it. ``lit``: the lit share of each line."""
    if share == 0.0:
        return 0.0
    reach = max(2, side // 60)
    near = round(share * side)
    first, end = max(0, near - reach), min(side, near + reach)
    behind = float(lit[end : end + reach].mean()) if end < side else 0.0
    lit_lines = np.flatnonzero(lit[first:end] >= 0.5 * behind)
    return (first + int(lit_lines[0])) / side if behind > 0.0 and lit_lines.size else share


def _dark_at_the_edge(levels: Levels, edges: Edges) -> bool:
    """Whether any line along the edge of the picture is dark; without one there is no bar."""
    top, bottom, left, right = edges
    inside = levels[top:bottom, left:right]
    lines = inside[0], inside[-1], inside[:, 0], inside[:, -1]
    return any(float((line <= BLACK).mean()) >= 1 - SPOTS for line in lines)


def _run(dark: NDArray[np.bool_]) -> tuple[int, int] | None:
    """From the first line that is not dark to the one after the last; None where all are."""
    lit = np.flatnonzero(~dark)
    return None if not lit.size else (int(lit[0]), int(lit[-1]) + 1)


def _line(levels: Levels, edges: Edges, side: int) -> Levels:
    """The brighter of the two outermost lines of the picture on a side: 0 top, 1 bottom, 2 left, 3 right."""
    top, bottom, left, right = edges
    inside = levels[top:bottom, left:right]
    outer = (inside[:2], inside[-2:], inside[:, :2].T, inside[:, -2:].T)[side]
    brighter: Levels = outer.max(axis=0)
    return brighter
