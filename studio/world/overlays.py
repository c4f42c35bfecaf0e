"""Overlays of a picture: logos, captions, a game's display, a chat, the streamer's own camera, a drawn frame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.video.stage import px, unit

from .grade import LUMA

Picture = NDArray[np.uint8]
FULL_COLOUR: Final = 0.3  # a picture this colourful has overlays in full colour


@dataclass
class Patch:
    """A part of the picture that is covered: where, with what, how much (h, w, 1); ``change`` makes its next state."""

    where: tuple[slice, slice]
    colour: NDArray[np.float32]
    cover: NDArray[np.float32]
    change: Callable[[NDArray[np.float32], float], None] | None = None
    saturation: float = 1.0  # share of its colour that stays

    def lay(self, picture: Picture, t_s: float) -> None:
        """Over the picture, in place."""
        if self.change is not None:
            self.change(self.colour, t_s)
        below = picture[self.where].astype(np.float32)
        grey = (self.colour @ LUMA)[..., None]
        colour = grey + (self.colour - grey) * np.float32(self.saturation)
        picture[self.where] = (below + (colour - below) * self.cover).astype(np.uint8)


def draw(
    names: tuple[str, ...], width: int, height: int, rng: np.random.Generator, colourfulness: float
) -> list[Patch]:
    """The patches of every named overlay; grey over a grey picture, since old films had no colour anywhere."""
    patches = [patch for name in names for patch in _DRAWN[name](width, height, rng)]
    for patch in patches:
        patch.saturation = min(1.0, colourfulness / FULL_COLOUR)
    return patches


def _box(
    width: int, height: int, left: float, top: float, wide: float, high: float
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Shares of the picture as slices, and their size (h, w), at least 2 pixels a side."""
    x, y = min(int(left * width), width - 2), min(int(top * height), height - 2)
    w, h = max(2, min(round(wide * width), width - x)), max(2, min(round(high * height), height - y))
    return (slice(y, y + h), slice(x, x + w)), (h, w)


def _rgb(red: float, green: float, blue: float) -> NDArray[np.float32]:
    return np.array([red, green, blue], np.float32)


def _ink(rng: np.random.Generator) -> NDArray[np.float32]:
    """Mostly white, else a loud colour."""
    return _rgb(240, 240, 240) if rng.random() < 0.6 else rng.integers(20, 256, 3).astype(np.float32)


def _corner(rng: np.random.Generator, wide: float, high: float) -> tuple[float, float]:
    return (0.03 if rng.random() < 0.5 else 0.97 - wide), (0.04 if rng.random() < 0.5 else 0.96 - high)


def _plain(where: tuple[slice, slice], size: tuple[int, int], colour: NDArray[np.float32], cover: float) -> Patch:
    return Patch(where, np.broadcast_to(colour, (*size, 3)).copy(), np.full((*size, 1), cover, np.float32))


def _logo(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    wide, high = rng.uniform(0.04, 0.1), rng.uniform(0.06, 0.14)
    where, size = _box(width, height, *_corner(rng, wide, high), wide, high)
    mask = np.zeros(size, np.uint8)
    middle, round_ = (px(size[1] / 2), px(size[0] / 2)), px(min(size) * 0.45)
    cv2.circle(mask, middle, round_, 255, -1 if rng.random() < 0.5 else 1, cv2.LINE_AA, 4)
    patch = _plain(where, size, _ink(rng), 1.0)
    patch.cover = unit(mask)[..., None] * np.float32(rng.uniform(0.4, 1.0))
    return [patch]


def _words(patch: Patch, rng: np.random.Generator, pitch: int, ink: NDArray[np.float32]) -> None:
    """Lines of words into a patch."""
    high, wide = patch.colour.shape[:2]
    for row in range(1, high - 1, pitch):
        column = 1
        while column < wide * rng.uniform(0.6, 1.0):
            word = int(rng.integers(3, 12))
            patch.colour[row : row + max(1, pitch - 2), column : column + word] = ink
            column += word + 2


def _caption(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    wide = rng.uniform(0.3, 0.8)
    where, size = _box(width, height, 0.5 - wide / 2, rng.uniform(0.76, 0.86), wide, 0.08)
    patch = _plain(where, size, _rgb(10, 10, 10), float(rng.uniform(0.5, 1.0)))
    _words(patch, rng, 4, _ink(rng))
    return [patch]


def _hud(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    """Bars of health, a map, a score, something in the hand."""
    patches = []
    left, top = _corner(rng, 0.25, 0.05)
    for row in range(int(rng.integers(1, 4))):
        where, size = _box(width, height, left, abs(top - 0.055 * row), 0.25, 0.04)
        bar = _plain(where, size, _rgb(25, 25, 25), 0.85)
        bar.colour[:, : max(1, round(size[1] * rng.uniform(0.2, 1.0)))] = rng.integers(0, 256, 3)
        patches.append(bar)
    if rng.random() < 0.6:
        wide = rng.uniform(0.1, 0.18)
        where, size = _box(width, height, *_corner(rng, wide, wide * 16 / 9), wide, wide * 16 / 9)
        chart = _plain(where, size, rng.integers(0, 120, 3).astype(np.float32), 0.8)
        for _ in range(6):
            row, column = int(rng.integers(size[0])), int(rng.integers(size[1]))
            chart.colour[row : row + 2, column : column + 5] = rng.integers(60, 256, 3)
        patches.append(chart)
    where, size = _box(width, height, 0.42, 0.03, 0.16, 0.06)
    score = _plain(where, size, _rgb(0, 0, 0), 0.5)
    _words(score, rng, 4, _ink(rng))
    patches.append(score)
    if rng.random() < 0.4:
        where, size = _box(width, height, rng.uniform(0.55, 0.7), 0.72, 0.22, 0.28)
        item = _plain(where, size, rng.integers(10, 140, 3).astype(np.float32), 1.0)
        mask = np.zeros(size, np.uint8)
        points = [(0.0, 0.4), (0.3, 0.0), (0.6, 0.2), (1.0, 1.0), (0.3, 1.0)]
        cv2.fillConvexPoly(
            mask, np.array([(px(a * size[1]), px(b * size[0])) for a, b in points], np.int32), 255, 16, 4
        )
        item.cover = unit(mask)[..., None]
        patches.append(item)
    return patches


def _chat(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    """Lines that move up when somebody writes, every few seconds."""
    wide, high = rng.uniform(0.18, 0.28), rng.uniform(0.4, 0.9)
    where, size = _box(width, height, *_corner(rng, wide, high), wide, high)
    patch = _plain(where, size, _rgb(15, 15, 20), float(rng.uniform(0.4, 0.95)))
    _words(patch, rng, 5, _ink(rng))
    before = patch.colour.copy()
    said_s = np.cumsum(rng.exponential(rng.uniform(1.0, 8.0), 64))

    def change(colour: NDArray[np.float32], t_s: float) -> None:
        colour[...] = np.roll(before, -5 * int(np.searchsorted(said_s, t_s % said_s[-1])), axis=0)

    patch.change = change
    return [patch]


def _webcam(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    """A small picture of somebody who plays."""
    wide = rng.uniform(0.16, 0.3)
    where, size = _box(width, height, *_corner(rng, wide, wide), wide, wide)
    patch = _plain(where, size, rng.integers(10, 130, 3).astype(np.float32), 1.0)
    room = patch.colour.copy()
    skin, dress = _rgb(200, 150, 125) * np.float32(rng.uniform(0.4, 1.1)), rng.integers(10, 230, 3).astype(np.float32)
    rate, phase = rng.uniform(0.1, 0.5), rng.uniform(0, 6.28)

    def change(colour: NDArray[np.float32], t_s: float) -> None:
        colour[...] = room
        # A head that rests most of the time and then moves.
        sway = np.sin(phase + 2 * np.pi * rate * t_s)
        x = size[1] * (0.5 + 0.05 * sway**3)
        shades = (dress.tolist(), skin.tolist())
        cv2.ellipse(
            colour,
            (px(x), px(size[0] * 1.05)),
            (px(size[1] * 0.36), px(size[0] * 0.42)),
            0,
            0,
            360,
            shades[0],
            -1,
            16,
            4,
        )
        cv2.circle(colour, (px(x), px(size[0] * 0.42)), px(size[0] * 0.24), shades[1], -1, 16, 4)

    patch.change = change
    return [patch]


def _frame(width: int, height: int, rng: np.random.Generator) -> list[Patch]:
    """A drawn border around the picture, or down both its sides as upright video has it."""
    colour = rng.integers(0, 200, 3).astype(np.float32)
    share = rng.uniform(0.02, 0.06) if rng.random() < 0.6 else rng.uniform(0.2, 0.33)
    boxes = [(0.0, 0.0, share, 1.0), (1.0 - share, 0.0, share, 1.0)]
    if share < 0.1:
        boxes += [(0.0, 0.0, 1.0, share * 1.5), (0.0, 1.0 - share * 1.5, 1.0, share * 1.5)]
    return [_plain(*_box(width, height, *box), colour, 1.0) for box in boxes]


_DRAWN: Final[Mapping[str, Callable[[int, int, np.random.Generator], list[Patch]]]] = {
    "logo": _logo,
    "caption": _caption,
    "hud": _hud,
    "chat": _chat,
    "webcam": _webcam,
    "frame": _frame,
}
