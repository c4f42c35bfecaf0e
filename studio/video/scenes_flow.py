"""Scenes of one moving surface or space: stars, a tunnel, abstract colour, fire."""

import cv2
import numpy as np

from .stage import Moment, Painter, Painting, Stage, blur, soft, unit
from .texture import look


def starfield(stage: Stage, rng: np.random.Generator) -> Painter:
    """Flight through stars before a nebula."""
    count = stage.count(120, 300)
    x, y, far = rng.uniform(-1, 1, count), rng.uniform(-1, 1, count), rng.random(count)
    centre = rng.uniform(0.35, 0.65, 2)
    radius = np.hypot(stage.x - np.float32(centre[0]), (stage.y - np.float32(centre[1])) * np.float32(stage.aspect))
    angle = np.arctan2((stage.y - np.float32(centre[1])) * np.float32(stage.aspect), stage.x - np.float32(centre[0]))
    turns = angle / np.float32(2 * np.pi)
    inverse = np.log(radius + np.float32(0.04)) * np.float32(0.35)
    offset = np.float32(rng.random())
    rim = np.clip(radius * 3, 0.2, 1)

    def paint(moment: Moment) -> Painting:
        way = np.float32(moment.travel * 1.1 % 1)
        cloud = look(stage.noise[0], turns * 2 + offset, inverse - way)
        now = (far - moment.travel * 0.9) % 1
        ends = []
        for back in (0.0, min(moment.step, 0.1) + 0.004):
            z_safe = np.maximum(now + back * 0.9, 0.03)
            ends.append(
                np.stack(
                    [
                        (centre[0] + 0.22 * x / z_safe) * stage.width,
                        centre[1] * stage.height + 0.16 * y / z_safe * stage.width,
                    ],
                    axis=1,
                )
            )
        head, tail = (np.round(np.clip(end, -2000, 4000) * 16).astype(np.int32) for end in ends)
        bright = np.clip(1.15 - now, 0.15, 1)
        canvas = stage.canvas()
        for a, b, level in zip(head.tolist(), tail.tolist(), bright.tolist(), strict=True):
            thick = 1 if level < 0.75 else max(1, stage.width // 90)
            cv2.line(canvas, a, b, int(255 * level), thick, cv2.LINE_AA, 4)
        stars = unit(canvas)
        glow = blur(stars, stage.width * 0.012)
        tone = 0.03 + 0.42 * cloud**2 * rim + stars + 0.6 * glow
        return np.clip(tone, 0, 1), np.clip(cloud * 0.8 - stars, 0, 1)

    return paint


def tunnel(stage: Stage, rng: np.random.Generator) -> Painter:
    """Flight along a textured tube with rings of light."""
    cx, cy = rng.uniform(0.4, 0.6, 2).astype(np.float32)
    dx, dy = stage.x - cx, (stage.y - cy) * np.float32(stage.aspect)
    square = rng.random() < 0.35
    radius = np.maximum(np.abs(dx), np.abs(dy)) if square else np.hypot(dx, dy)
    radius = np.maximum(radius, np.float32(0.015))
    turns = np.arctan2(dy, dx) / np.float32(2 * np.pi)
    depth = np.float32(0.16) / radius
    repeat = int(rng.integers(2, 5))
    twist = rng.normal(0, 0.25)
    rings = rng.uniform(0.6, 1.6)
    dark = np.clip(radius * np.float32(rng.uniform(2.5, 4.5)), 0, 1)
    ribs = int(rng.integers(0, 3)) * 4
    seam = soft(np.cos(turns * np.float32(2 * np.pi * ribs)) - 0.9, 0.15) * (ribs > 0)

    def paint(moment: Moment) -> Painting:
        way = np.float32(moment.travel * 1.3 % 64)
        around = turns * repeat + np.float32(twist * moment.travel % 1)
        wall = look(stage.noise[0], around, depth * 0.5 + way * 0.5)
        grain = look(stage.noise[1], around, depth + way)
        ring = soft(np.sin((depth + way) * np.float32(2 * np.pi * rings)) - 0.82, 0.2)
        tone = (0.1 + 0.5 * wall + 0.3 * (grain - 0.4) + 0.55 * ring + 0.2 * seam) * dark
        return np.clip(tone, 0, 1), np.clip(ring + 0.5 * wall, 0, 1)

    return paint


def gradient(stage: Stage, rng: np.random.Generator) -> Painter:
    """Folded colour: noise read at places moved by other noise (domain warping)."""
    turn = rng.uniform(0, 2 * np.pi)
    scale = np.float32(rng.uniform(0.25, 0.5))
    u, v = stage.x * scale, stage.y * scale * np.float32(stage.aspect)
    a, b, c = rng.random(3).astype(np.float32)
    bands = rng.uniform(1.5, 4.0) * (0.6 + stage.detail)
    warp = np.float32(rng.uniform(0.15, 0.4))

    def paint(moment: Moment) -> Painting:
        way = moment.travel * float(scale)
        dx, dy = np.float32(way * np.cos(turn) % 1), np.float32(way * np.sin(turn) % 1)
        slow = np.float32(moment.travel * 0.2 % 1)
        first = look(stage.noise[0], u + dx + a, v + dy + b)
        second = look(stage.noise[0], u + dx + warp * first + c, v + dy + slow)
        third = look(stage.noise[0], u + dx + warp * second, v + dy + warp * first + a)
        fold = 0.5 + 0.5 * np.sin((third + 0.5 * second) * np.float32(2 * np.pi * bands / 2))
        return np.clip(0.08 + 0.62 * fold + 0.3 * (third - 0.3), 0, 1), np.clip(second * 1.4 - 0.2, 0, 1)

    return paint


def fire(stage: Stage, rng: np.random.Generator) -> Painter:
    """Flames, or slow smoke, rising."""
    smoke = rng.random() < 0.35
    base = rng.uniform(0.9, 1.3)
    middle = np.float32(rng.uniform(0.35, 0.65))
    wide = np.float32(rng.uniform(0.3, 0.8))
    a, b = rng.random(2).astype(np.float32)
    body = np.clip(1.15 - ((stage.x - middle) / wide) ** 2 - (1 - stage.y) * np.float32(base), -1, 1)
    count = 0 if smoke else stage.count(15, 50)
    x, y, rate = rng.random(count), rng.random(count), rng.uniform(0.8, 1.6, count)

    def paint(moment: Moment) -> Painting:
        up = moment.travel
        bend = look(stage.noise[0], stage.x * 0.5 + a, stage.y * 0.3 + np.float32(0.5 * up % 1))
        slow = look(stage.noise[0], stage.x * 0.7 + 0.18 * bend, stage.y * 0.4 + np.float32(0.6 * up % 1) + b)
        fast = look(stage.noise[1], stage.x * 0.8 + 0.25 * bend + b, stage.y * 0.5 + np.float32(0.9 * up % 1))
        heat = body * 0.75 + 0.75 * slow + 0.4 * fast - 0.35
        if smoke:
            return np.clip(0.2 + 0.6 * slow * fast + 0.35 * (slow - 0.4) + 0.15 * body, 0, 1), 0.5 * slow
        tone = np.clip(heat, 0, 1) ** 1.4
        sparks = stage.canvas()
        rows = (y - rate * up) % 1.1
        columns = (x + 0.04 * np.sin(9 * rows + 20 * x)) % 1
        places = np.round(np.stack([columns * stage.width, rows * stage.height], axis=1) * 16).astype(int)
        for place in places.tolist():
            cv2.circle(sparks, place, max(10, stage.width // 10), 230, -1, cv2.LINE_AA, 4)
        return np.clip(0.05 + 0.9 * tone + 0.8 * unit(sparks), 0, 1), np.clip(0.8 - tone, 0, 1)

    return paint
