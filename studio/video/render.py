"""From a recipe to pictures.

Each shot is painted as tone and tint by its scene, moved by a camera (sway, zoom, roll, shake, a push at accents),
coloured by two ramps, and finished as a camera would: exposure, vignette, lens blur, sensor noise.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError

from . import scenes_flow, scenes_form, scenes_land, scenes_town
from .palette import ramps
from .recipe import PALETTES, SceneRecipe
from .stage import Moment, Painter, Painting, Stage, blur, make_stage
from .texture import Plane, tile
from .timing import Timeline, timeline

Picture = NDArray[np.uint8]

# Per kind: how a shot is framed, and the factor that brings its mean optical flow to its speed (measured with DIS).
SCENES: Final = {
    "landscape": (scenes_land.landscape, 1.50),
    "forest": (scenes_land.forest, 0.90),
    "city": (scenes_town.city, 0.85),
    "road": (scenes_town.road, 1.90),
    "water": (scenes_land.water, 1.10),
    "weather": (scenes_land.weather, 1.30),
    "crowd": (scenes_form.crowd, 1.20),
    "portrait": (scenes_form.portrait, 2.00),
    "particles": (scenes_form.particles, 1.60),
    "starfield": (scenes_flow.starfield, 1.20),
    "tunnel": (scenes_flow.tunnel, 1.40),
    "gradient": (scenes_flow.gradient, 0.90),
    "cells": (scenes_form.cells, 1.00),
    "geometry": (scenes_form.geometry, 1.30),
    "fire": (scenes_flow.fire, 1.00),
}


class _Shot:
    """One shot: its painter, its camera and its look."""

    def __init__(self, recipe: SceneRecipe, stage: Stage, index: int, course: Timeline) -> None:
        rng = np.random.default_rng([recipe.seed, 2, index])
        framing, self.gain = SCENES[recipe.kind]
        self.paint: Painter = framing(stage, rng)
        self.stage, self.course = stage, course
        self.mirror = bool(rng.random() < 0.5)
        self.move = rng.dirichlet([0.8, 0.8, 0.8]) * rng.uniform(0.15, 0.5)  # shares of sway, zoom and roll
        self.phase = rng.uniform(0, 4, 4)
        self.way = rng.uniform(0, 2 * np.pi)
        self.zoom = rng.uniform(1.02, 1.5)  # framing, from wide to close
        self.gain *= 1.2 / self.zoom
        self.shake = recipe.shake * 0.012
        self.soft = rng.uniform(0.0, 0.7) * stage.width / 160
        natural = float(np.mean(self.paint(self.moment(course.starts_s[index], 0.125))[0]))
        palette = str(rng.choice(PALETTES)) if index > 0 and rng.random() < 0.35 else recipe.palette
        desired = 0.14 + 0.62 * recipe.brightness + (rng.normal(0, 0.06) if index > 0 else 0)
        target = np.clip(0.65 * desired + 0.35 * natural, 0.08, 0.9)
        gamma = float(np.clip(np.log(target) / np.log(np.clip(natural, 0.03, 0.95)), 0.35, 3.0))
        contrast = float(np.clip(recipe.contrast + rng.normal(0, 0.05), 0, 1))
        self.ramps = ramps(palette, recipe.warmth, contrast, gamma, rng)
        spot = rng.uniform(0.42, 0.58, 2)
        away = (stage.x - np.float32(spot[0])) ** 2 + ((stage.y - np.float32(spot[1])) * np.float32(0.75)) ** 2
        self.vignette = (1 - np.float32(rng.uniform(0.2, 0.9)) * away)[..., None]

    def moment(self, t_s: float, step_s: float) -> Moment:
        """The moment at a time, with this kind's gain on travel."""
        travel = self.course.at(self.course.travel, t_s)
        before = self.course.at(self.course.travel, max(t_s - step_s, 0.0))
        accent = self.course.at(self.course.accent, t_s)
        return Moment(t_s, travel * self.gain, (travel - before) * self.gain, accent)

    def camera(self, painting: Painting, moment: Moment) -> Painting:
        """The painting as the camera sees it."""
        sway, zoom, roll = (share * moment.travel for share in self.move)
        reach = 0.05
        along = reach * _swing(sway / reach + self.phase[0])
        scale = self.zoom * (1 + 0.09 * _swing(zoom / 0.03 + self.phase[1])) * (1 + 0.10 * moment.accent)
        angle = 0.12 * _swing(roll / 0.035 + self.phase[2])
        t = moment.t_s
        jolt_x = self.shake * (np.sin(7.3 * t + self.phase[0]) + 0.7 * np.sin(17.1 * t + self.phase[1]))
        jolt_y = self.shake * (np.sin(6.1 * t + self.phase[2]) + 0.7 * np.sin(19.7 * t + self.phase[3]))
        width, height = self.stage.width, self.stage.height
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(angle)), float(scale))
        matrix[0, 2] += (along * np.cos(self.way) + jolt_x) * width
        matrix[1, 2] += (along * np.sin(self.way) + jolt_y) * width
        if self.mirror:
            matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
        size = (width, height)
        tone, tint = (cv2.warpAffine(plane, matrix, size, borderMode=cv2.BORDER_REFLECT_101) for plane in painting)
        return np.asarray(tone, np.float32), np.asarray(tint, np.float32)

    def picture(self, t_s: float, step_s: float, grain: Plane) -> Picture:
        """One finished picture, (h, w, 3) uint8 RGB."""
        moment = self.moment(t_s, step_s)
        tone, tint = self.camera(self.paint(moment), moment)
        shutter = 0.07 * min(moment.step, 0.2) * self.stage.width  # an open shutter smears what moves fast
        tone = blur(tone, self.soft + shutter) * (1 + np.float32(0.12 * moment.accent))
        index = np.clip(tone * 255, 0, 255).astype(np.uint8)
        triple = cv2.merge([index, index, index])
        main, second = (np.asarray(cv2.LUT(triple, ramp[None]), np.float32) for ramp in self.ramps)
        colour = main + (second - main) * np.clip(tint, 0, 1)[..., None]
        colour = colour * self.vignette + grain[..., None]
        picture: Picture = np.clip(colour, 0, 255).astype(np.uint8)
        return picture


def _swing(phase: float) -> float:
    """A triangle wave in [-1, 1] with slope 1: a camera that turns back without changing speed."""
    return float(abs((phase % 4) - 2) - 1)


def frames(
    recipe: SceneRecipe, duration_s: float, fps: float = 8, width: int = 160, height: int = 90
) -> Iterator[Picture]:
    """Pictures (height, width, 3) uint8 RGB, one every ``1 / fps`` s, made one by one on iteration.

    Raises StudioError for a duration, rate or size that cannot be rendered.
    """
    if not 0 < duration_s <= 24 * 3600:
        raise StudioError(f"duration {duration_s} s is out of range: give more than 0 and at most 86400")
    if not 0 < fps <= 240:
        raise StudioError(f"frame rate {fps} is out of range: give more than 0 and at most 240")
    if not (16 <= width <= 4096 and 16 <= height <= 4096):
        raise StudioError(f"picture size {width}x{height} is out of range: give 16 to 4096 a side")
    return _frames(recipe, duration_s, fps, width, height)


def _frames(recipe: SceneRecipe, duration_s: float, fps: float, width: int, height: int) -> Iterator[Picture]:
    rng = np.random.default_rng([recipe.seed, 3])
    octaves = 5 + round(2 * recipe.detail)
    fall = 0.42 + 0.2 * recipe.detail
    noise = (tile(rng, octaves, 4, fall), tile(rng, 5, 16, 0.7))
    stage = make_stage(width, height, noise, recipe.detail)
    course = timeline(recipe, duration_s)
    sensor = rng.normal(0, rng.uniform(0.5, 3.5), (height + 64, width + 64)).astype(np.float32)
    shot: _Shot | None = None
    index = -1
    starts = (*course.starts_s, float("inf"))
    for k in range(max(1, round(duration_s * fps))):
        t_s = k / fps
        while shot is None or t_s >= starts[index + 1]:
            index += 1
            if t_s < starts[index + 1]:
                shot = _Shot(recipe, stage, index, course)
        dx, dy = rng.integers(0, 64, 2)
        yield shot.picture(t_s, 1 / fps, sensor[dy : dy + height, dx : dx + width])


def render(recipe: SceneRecipe, duration_s: float, fps: float = 8, width: int = 160, height: int = 90) -> Picture:
    """The whole video, (n, height, width, 3) uint8 RGB with n = duration x rate. Raises StudioError as ``frames``."""
    return np.stack(list(frames(recipe, duration_s, fps, width, height)))
