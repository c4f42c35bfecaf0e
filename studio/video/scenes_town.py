"""Streets: city lights at night, and driving along a road."""

import cv2
import numpy as np

from .scenes_land import hill_strip, sky_strip
from .stage import Moment, Painter, Painting, Stage, blur, loop, over, px, scroll, soft, unit
from .texture import look


def city(stage: Stage, rng: np.random.Generator) -> Painter:
    """A skyline at night with lit windows, and headlights along a street."""
    wide, high = 3 * stage.width, stage.height
    layers = []
    for near in (0.0, 0.5, 1.0):
        tone, alpha = np.zeros((high, wide), np.float32), np.zeros((high, wide), np.float32)
        left = 0
        while left < wide:
            across = max(4, round(stage.width * rng.uniform(0.05, 0.13) * (0.7 + 0.8 * near)))
            top = round(high * (rng.uniform(0.12, 0.55) + 0.15 * near))
            right = min(left + across, wide)
            tone[top:, left:right] = rng.uniform(0.05, 0.16) + 0.10 * (1 - near)
            alpha[top:, left:right] = 1
            pitch = max(3, round(stage.width * (0.014 + 0.012 * near)))
            rows, columns = (high - top) // pitch, (right - left - 2) // pitch
            if rows > 0 and columns > 0:
                lit = rng.random((rows, columns)) < 0.2 + 0.35 * stage.detail
                bright = np.where(lit, rng.uniform(0.35, 1.0, lit.shape), 0.06).astype(np.float32)
                pane = np.zeros((pitch, pitch), np.float32)
                pane[: max(1, pitch - 2), : max(1, pitch - 1)] = 1
                block = np.kron(bright, pane)
                region = tone[top + 1 : top + 1 + block.shape[0], left + 1 : left + 1 + block.shape[1]]
                np.maximum(region, block[: region.shape[0], : region.shape[1]], out=region)
            left = right
        layers.append((loop(blur(tone, 0.5), stage.width), loop(alpha, stage.width)))
    sky = sky_strip(stage, rng, 0.22)
    street = rng.uniform(0.74, 0.88)
    cars = stage.count(6, 16)
    lane, place, rate = rng.integers(0, 2, cars), rng.random(cars), rng.uniform(0.8, 2.2, cars)
    start = rng.uniform(0, wide)

    def paint(moment: Moment) -> Painting:
        tone = scroll(sky, start + moment.travel * 0.05 * stage.width, stage.width)
        for (wall, alpha), speed in zip(layers, (0.35, 0.75, 1.2), strict=True):
            shift = start + moment.travel * speed * stage.width
            tone = over(tone, scroll(wall, shift, stage.width), scroll(alpha, shift, stage.width))
        tint = np.clip(tone * 1.4 - 0.2, 0, 1)
        earth = look(stage.noise[1], stage.x + np.float32(moment.travel * 1.2 % 1), stage.y * 3)
        tone = over(tone, 0.08 + 0.16 * earth, soft(stage.y - np.float32(street), 0.02))
        lights = stage.canvas()
        for k in range(cars):
            sign = 1 if lane[k] else -1
            at = ((place[k] + sign * rate[k] * moment.travel) % 1.3 - 0.15) * stage.width
            row = (street + 0.04 + 0.07 * lane[k]) * stage.height
            tail = at - sign * min(rate[k] * moment.step, 0.15) * stage.width
            size = max(1, round(stage.width * 0.012))
            cv2.line(lights, (px(at), px(row)), (px(tail), px(row)), 235, size, cv2.LINE_AA, 4)
        glow = unit(lights)
        glow = glow + 0.9 * blur(glow, stage.width * 0.018)
        return np.clip(tone + glow, 0, 1), np.clip(tint + glow, 0, 1)

    return paint


def road(stage: Stage, rng: np.random.Generator) -> Painter:
    """Driving along a road: ground in perspective, lane marks, posts, hills on the horizon."""
    horizon = np.float32(rng.uniform(0.35, 0.5))
    sky = sky_strip(stage, rng, rng.uniform(0.5, 0.85))
    hill, hill_alpha = hill_strip(stage, rng, float(horizon) + 0.03, 0.14, 0.45, 4)
    depth = np.float32(0.25) / np.maximum(stage.y - horizon, 0.012)  # 1 at a quarter of the height below the horizon
    side = (stage.x - np.float32(rng.uniform(0.35, 0.65))) * depth
    half = rng.uniform(0.28, 0.45)
    verge = soft(np.abs(side) - half, 0.04)
    near = np.clip(2.2 / depth - 0.1, 0, 1)
    centre = np.float32(0.5)
    ground = soft(stage.y - horizon, 0.01)
    posts = rng.uniform(0, 6, stage.count(5, 12))
    rail = float(half * 1.25)
    tall = rng.uniform(0.25, 0.8)
    lamp = rng.random() < 0.5
    start = rng.uniform(0, 100)
    middle = float(0.5 - (side[0, stage.width // 2] / depth[0, 0]))

    def paint(moment: Moment) -> Painting:
        far = np.float32((start + moment.travel * 1.6) % 64)
        tone = scroll(sky, start * 7, stage.width)
        cover = scroll(hill_alpha, start * 9 + moment.travel * 6, stage.width)
        tone = over(tone, scroll(hill, start * 9 + moment.travel * 6, stage.width), cover)
        along = depth * np.float32(0.6) + far
        asphalt = 0.22 + 0.22 * look(stage.noise[1], side, along * 0.5)
        grass = 0.25 + 0.5 * look(stage.noise[0], side * 0.6, along * 0.5)
        line = soft(0.02 - np.abs(side), 0.02) * ((along * 2) % 1 < centre)
        line = line + soft(0.018 - np.abs(np.abs(side) - np.float32(half * 0.92)), 0.02)
        surface = over(np.clip(asphalt + 0.55 * line, 0, 1), grass, verge)
        tone = over(tone, over(np.full_like(tone, 0.5), surface, near), ground)
        tint = 1 - ground * verge
        canvas = stage.canvas()
        for k, post in enumerate(posts):
            z = 0.35 + (post - moment.travel * 1.6 / 0.6) % 6
            x = middle + (rail if k % 2 else -rail) / z
            y = float(horizon) + 0.25 / z
            top = y - tall / z
            thick = max(1, round(0.012 / z * stage.width))
            foot = (px(x * stage.width), px(y * stage.height))
            cv2.line(canvas, foot, (px(x * stage.width), px(top * stage.height)), 255, thick, cv2.LINE_AA, 4)
        mask = unit(canvas)
        return np.clip(over(tone, np.full_like(tone, 0.8 if lamp else 0.1), mask), 0, 1), tint

    return paint
