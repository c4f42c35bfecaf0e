"""From a film's recipe to its pictures.

Each shot is painted as tone and tint by its scene in its form, seen by a camera (sway, zoom, roll, a hand's tremor),
graded to its look, and finished: vignette, lens blur, noise, overlays.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.video.palette import ramps
from studio.video.recipe import PALETTES
from studio.video.render import SCENES
from studio.video.stage import Moment, Painter, Painting, Stage, blur, make_stage
from studio.video.texture import Plane, tile
from studio.video.timing import GRID_HZ

from . import forms, overlays, spread
from .course import Course, course, hand
from .grade import Look, grade_ramps
from .recipe import Film

Picture = NDArray[np.uint8]

# Per form: how it is framed, and the factor that brings the mean optical flow to the film's speed (measured with DIS).
FORMS: Final = {
    "moving": (forms.moving, 1.15),
    "locked": (forms.locked, 6.5),
    "talk": (forms.talk, 8.0),
    "screen": (forms.screen, 1.7),
    "slides": (forms.slides, 1.6),
}
SAMPLED: Final = 4  # every fourth row and column is measured for the grade


class _Shot:
    """One shot: its painter, its camera and its look."""

    def __init__(self, film: Film, stage: Stage, index: int, plan: Course) -> None:
        rng = np.random.default_rng([film.seed, 2, index])
        framing, gain = SCENES[film.kind]
        around, factor = FORMS[film.form]
        self.paint: Painter = around(stage, rng, framing(stage, rng))
        self.gain = factor * (gain if film.form == "moving" else 1.0) * (1 - film.shake)
        self.stage, self.plan = stage, plan
        self.mirror = bool(rng.random() < 0.5) and film.form != "screen"
        steady = film.form in ("locked", "talk", "screen")
        self.zoom = float(rng.uniform(1.02, 1.5)) if film.form in ("moving", "locked") else 1.0
        if film.form == "moving":
            self.gain *= 1.2 / self.zoom
        self.smear = 0.0 if steady else 0.07 * stage.width
        # Shares of travel that are the camera's sway, zoom and roll.
        self.move = np.zeros(3) if steady else rng.dirichlet([0.8, 0.8, 0.8]) * rng.uniform(0.15, 0.5)
        if film.form == "slides":
            self.move = rng.dirichlet([0.6, 1.5, 0.1])
        self.phase, self.way = rng.uniform(0, 4, 3), float(rng.uniform(0, 2 * np.pi))
        if steady:
            self.phase = np.ones(3)  # upright, and where it was framed
        self.hand = hand(rng) if film.shake > 0 and film.form != "screen" else None
        self.shake = film.shake
        self.soft = film.soft * rng.uniform(0.3, 1.0) * 1.4 * stage.width / 160
        begin = self.moment(plan.starts_s[index], 0.125)
        first = self.camera(self.paint(begin), begin)
        tone = np.clip(blur(first[0], self.soft)[::SAMPLED, ::SAMPLED].ravel() * 255, 0, 255).astype(np.uint8)
        tint = first[1][::SAMPLED, ::SAMPLED].ravel()
        palette = str(rng.choice(PALETTES)) if index > 0 and rng.random() < 0.35 else film.palette
        plain = ramps(palette, 0.5, 0.5, 1.0, rng)
        spot = rng.uniform(0.42, 0.58, 2)
        away = (stage.x - np.float32(spot[0])) ** 2 + ((stage.y - np.float32(spot[1])) * np.float32(0.75)) ** 2
        self.vignette = (1 - np.float32(rng.uniform(0.0, 0.6) * (film.form != "screen")) * away)[..., None]
        shade = self.vignette[::SAMPLED, ::SAMPLED].ravel()
        look = _change(film.look, film.change, rng) if index > 0 else film.look
        self.ramps = grade_ramps(plain, tone, tint, shade, look)
        self.pivot = 255 * look.brightness

    def moment(self, t_s: float, step_s: float) -> Moment:
        """The moment at a time, with the gain on travel."""
        travel = self.plan.at(self.plan.travel, t_s)
        before = self.plan.at(self.plan.travel, max(t_s - step_s, 0.0))
        accent = self.plan.at(self.plan.accent, t_s)
        return Moment(t_s, travel * self.gain, (travel - before) * self.gain, accent)

    def camera(self, painting: Painting, moment: Moment) -> Painting:
        """The painting as the camera sees it."""
        sway, zoom, roll = (share * moment.travel for share in self.move)
        reach = 0.05
        along = reach * _swing(sway / reach + self.phase[0])
        scale = self.zoom * (1 + 0.09 * _swing(zoom / 0.03 + self.phase[1]))
        angle = 0.12 * _swing(roll / 0.035 + self.phase[2])
        shift_x, shift_y = along * np.cos(self.way), along * np.sin(self.way)
        if self.hand is not None:
            place = moment.t_s * GRID_HZ
            speed = self.plan.at(self.plan.calm, moment.t_s)
            row = int(place)
            part = place - row
            offset = self.hand[row % len(self.hand)] * (1 - part) + self.hand[(row + 1) % len(self.hand)] * part
            shift_x, shift_y = shift_x + self.shake * speed * offset[0], shift_y + self.shake * speed * offset[1]
        elif not self.move.any() and self.zoom == 1.0 and not self.mirror:
            return painting
        width, height = self.stage.width, self.stage.height
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(angle)), float(scale))
        matrix[0, 2] += shift_x * width
        matrix[1, 2] += shift_y * width
        if self.mirror:
            matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
        size = (width, height)
        tone, tint = (cv2.warpAffine(plane, matrix, size, borderMode=cv2.BORDER_REFLECT_101) for plane in painting)
        return np.asarray(tone, np.float32), np.asarray(tint, np.float32)

    def picture(self, t_s: float, step_s: float, grain: Plane | None) -> Picture:
        """One finished picture, (h, w, 3) uint8 RGB."""
        moment = self.moment(t_s, step_s)
        tone, tint = self.camera(self.paint(moment), moment)
        # An open shutter smears what moves fast.
        tone = blur(tone, self.soft + self.smear * min(moment.step, 0.2))
        index = np.clip(tone * 255, 0, 255).astype(np.uint8)
        triple = cv2.merge([index, index, index])
        main, second = (np.asarray(cv2.LUT(triple, ramp[None]), np.float32) for ramp in self.ramps)
        colour = main + (second - main) * np.clip(tint, 0, 1)[..., None]
        stretch, light = self.plan.at(self.plan.stretch, t_s), self.plan.at(self.plan.light, t_s)
        colour *= self.vignette * np.float32(stretch * light * (1 + 0.2 * moment.accent))
        colour += np.float32(self.pivot * light * (1 - stretch))
        if grain is not None:
            colour += grain[..., None]
        picture: Picture = np.clip(colour + np.float32(0.5), 0, 255).astype(np.uint8)
        return picture


def _change(look: Look, change: float, rng: np.random.Generator) -> Look:
    """The look of another shot: each number is moved within the real ones."""
    moved = []
    for name, part in (("brightness", 1.0), ("contrast", 1.3), ("colourfulness", 1.0), ("warmth", 1.3)):
        rank = float(np.interp(getattr(look, name), spread.REAL[name], spread.RANKS))
        moved.append(float(spread.real(name, spread.blur_rank(rank, min(part * change, 1.0), rng))))
    return Look(*moved)


def _swing(phase: float) -> float:
    """A triangle wave in [-1, 1] with slope 1: a camera that turns back without changing speed."""
    return float(abs((phase % 4) - 2) - 1)


def frames(film: Film, duration_s: float, fps: float = 8, width: int = 160, height: int = 90) -> Iterator[Picture]:
    """Pictures (height, width, 3) uint8 RGB, one every ``1 / fps`` s, made one by one on iteration.

    Raises StudioError for a duration, rate or size that cannot be rendered.
    """
    if not 0 < duration_s <= 24 * 3600:
        raise StudioError(f"duration {duration_s} s is out of range: give more than 0 and at most 86400")
    if not 0 < fps <= 240:
        raise StudioError(f"frame rate {fps} is out of range: give more than 0 and at most 240")
    if not (64 <= width <= 4096 and 36 <= height <= 4096):
        raise StudioError(f"picture size {width}x{height} is out of range: give 64x36 to 4096x4096")
    return _frames(film, duration_s, fps, width, height)


def _frames(film: Film, duration_s: float, fps: float, width: int, height: int) -> Iterator[Picture]:
    rng = np.random.default_rng([film.seed, 3])
    octaves = 5 + round(2 * film.detail)
    fall = 0.42 + 0.2 * film.detail
    noise = (tile(rng, octaves, 4, fall), tile(rng, 5, 16, 0.7))
    stage = make_stage(width, height, noise, film.detail)
    plan = course(film, duration_s)
    sensor = rng.normal(0, film.grain, (height + 64, width + 64)).astype(np.float32) if film.grain > 0 else None
    patches = overlays.draw(film.overlays, width, height, rng, film.look.colourfulness)
    shot: _Shot | None = None
    index = -1
    starts = (*plan.starts_s, float("inf"))
    grain = None if sensor is None else sensor[:height, :width]
    for k in range(max(1, round(duration_s * fps))):
        t_s = k / fps
        while shot is None or t_s >= starts[index + 1]:
            index += 1
            if t_s < starts[index + 1]:
                shot = _Shot(film, stage, index, plan)
        if sensor is not None and not film.still_grain:
            dx, dy = rng.integers(0, 64, 2)
            grain = sensor[dy : dy + height, dx : dx + width]
        picture = shot.picture(t_s, 1 / fps, grain)
        for patch in patches:
            patch.lay(picture, t_s)
        yield picture


def render(film: Film, duration_s: float, fps: float = 8, width: int = 160, height: int = 90) -> Picture:
    """The whole video, (n, height, width, 3) uint8 RGB with n = duration x rate. Raises StudioError as ``frames``."""
    return np.stack(list(frames(film, duration_s, fps, width, height)))
