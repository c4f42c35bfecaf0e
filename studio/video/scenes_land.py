"""Open country: hills, trees, water, rain and snow.

Each function frames one shot (draws its random choices, prepares its strips) and returns what paints its moments.
"""

import cv2
import numpy as np

from .stage import Moment, Painter, Painting, Stage, blur, loop, over, px, scroll, soft, unit
from .texture import Plane, look, profile


def sky_strip(stage: Stage, rng: np.random.Generator, light: float) -> Plane:
    """A gradient with clouds and perhaps a sun, (h, 2 w) periodic."""
    wide = 2 * stage.width
    y = np.linspace(0, 1, stage.height, dtype=np.float32)[:, None]
    x = np.linspace(0, 2, wide, endpoint=False, dtype=np.float32)[None, :]
    grid_x, grid_y = (plane.astype(np.float32) for plane in np.broadcast_arrays(x, y))
    clouds = look(stage.noise[0], grid_x * 0.5 + np.float32(rng.random()), grid_y * 0.8 + np.float32(rng.random()))
    sky = light * (0.75 + 0.35 * y) + 0.35 * (clouds - 0.5) * (1.1 - y)
    if rng.random() < 0.5:
        away = (x - np.float32(rng.uniform(0.3, 1.7))) ** 2 + (
            (y - np.float32(rng.uniform(0.1, 0.5))) * stage.aspect
        ) ** 2
        sky = sky + 0.6 * np.exp(-away / np.float32(rng.uniform(0.002, 0.02)))
    return loop(np.asarray(np.clip(sky, 0, 1), np.float32), stage.width)


def hill_strip(
    stage: Stage, rng: np.random.Generator, top: float, rise: float, tone: float, rough: int
) -> tuple[Plane, Plane]:
    """Tone and coverage of one ridge, (h, 3 w) periodic."""
    wide = 3 * stage.width
    line = top - rise * profile(rng, wide, first=int(rng.integers(3, 7)), octaves=rough)
    y = (np.arange(stage.height, dtype=np.float32)[:, None] + 0.5) / stage.height
    below = y - line[None, :]
    alpha = soft(below * stage.height, 1.6)
    x = np.linspace(0, 3, wide, endpoint=False, dtype=np.float32)[None, :]
    u, v = (plane.astype(np.float32) for plane in np.broadcast_arrays(x / 3 * 4, y * 1.3 + rng.random()))
    ground = 0.6 * look(stage.noise[0], u, v) + 0.4 * look(stage.noise[1], u, v)
    lit = np.gradient(line).astype(np.float32)[None, :] * stage.width * 0.25
    land = np.clip(tone + 0.45 * (ground - 0.5) + 0.12 * lit - 0.15 * np.minimum(below, 1), 0, 1)
    return loop(land, stage.width), loop(alpha, stage.width)


def landscape(stage: Stage, rng: np.random.Generator) -> Painter:
    """Ridges behind one another, seen from a moving camera."""
    sky = sky_strip(stage, rng, rng.uniform(0.65, 0.9))
    count = stage.count(3, 5)
    horizon = rng.uniform(0.45, 0.75)
    hills = []
    for k in range(count):
        near = k / (count - 1)
        top = horizon + (1.05 - horizon) * near * 0.8
        hills.append(
            hill_strip(stage, rng, top, 0.30 * rng.uniform(0.6, 1.3), 0.62 - 0.36 * near, 4 + round(3 * stage.detail))
        )
    rates = np.linspace(0.25, 1.5, count) * stage.width
    start = rng.uniform(0, 3 * stage.width)

    def paint(moment: Moment) -> Painting:
        tone = scroll(sky, start + moment.travel * 0.08 * stage.width, stage.width)
        tint = np.full_like(tone, 0.9)
        for (ground, alpha), rate in zip(hills, rates, strict=True):
            shift = start + moment.travel * rate
            cover = scroll(alpha, shift, stage.width)
            tone = over(tone, scroll(ground, shift, stage.width), cover)
            tint *= 1 - 0.6 * cover
        return tone, tint

    return paint


def forest(stage: Stage, rng: np.random.Generator) -> Painter:
    """Trunks at several depths before hazy leaves, with shafts of light."""
    wide = 3 * stage.width
    haze = sky_strip(stage, rng, rng.uniform(0.5, 0.75))
    layers = []
    for near in (0.0, 0.45, 1.0):
        canvas = np.zeros((stage.height, wide), np.uint8)
        for _ in range(max(3, round(stage.count(10, 22) * (1.25 - near)))):
            at, thick = rng.uniform(0, wide), stage.width * (0.012 + 0.05 * near) * rng.uniform(0.6, 1.4)
            lean = rng.normal(0, 0.04) * stage.width
            for wrap in (-wide, 0, wide):
                top = at + wrap + lean
                quad = [(at + wrap - thick / 2, stage.height + 1), (top - thick / 3, -1), (top + thick / 3, -1)]
                quad.append((at + wrap + thick / 2, stage.height + 1))
                points = np.array([[px(a), px(b)] for a, b in quad], np.int32)
                cv2.fillConvexPoly(canvas, points, 255, cv2.LINE_AA, 4)
        x, y = np.meshgrid(np.linspace(0, 3, wide, endpoint=False), np.linspace(0, 1, stage.height))
        u: Plane = x.astype(np.float32)
        v: Plane = y.astype(np.float32)
        leaf = look(stage.noise[0], (u * 5 / 3 + rng.random()).astype(np.float32), v * 1.2)
        crown = soft(leaf - 0.35 - v * (1.1 - 0.3 * near), 0.12)
        bark = look(stage.noise[1], u * 4, v * 0.7)
        alpha = np.maximum(unit(canvas), crown)
        wood = np.clip(0.5 - 0.36 * near + 0.4 * (bark - 0.5) + 0.12 * crown, 0, 1)
        layers.append((loop(wood, stage.width), loop(blur(alpha, 0.6 * (1 - near)), stage.width)))
    floor = rng.uniform(0.78, 0.92)
    start = rng.uniform(0, wide)
    slant = (0.5 * stage.x - 0.2 * stage.y).astype(np.float32)
    shaft = 0.22 * look(stage.noise[0], slant, stage.zeros()) * (1 - stage.y)

    def paint(moment: Moment) -> Painting:
        tone = scroll(haze, start + moment.travel * 0.15 * stage.width, stage.width)
        earth = look(stage.noise[1], stage.x + np.float32(moment.travel % 1), stage.y * 2)
        tone = over(tone, 0.25 + 0.3 * earth, soft(stage.y - floor, 0.06))
        tint = np.full_like(tone, 0.55)
        for (ground, alpha), rate in zip(layers, (0.35, 0.8, 1.5), strict=True):
            shift = start + moment.travel * rate * stage.width
            cover = scroll(alpha, shift, stage.width)
            tone = over(tone, scroll(ground, shift, stage.width), cover)
            tint *= 1 - 0.4 * cover
        return np.clip(tone + shaft, 0, 1), tint

    return paint


def water(stage: Stage, rng: np.random.Generator) -> Painter:
    """Waves: from above, or towards a horizon."""
    top_down = rng.random() < 0.4
    horizon = np.float32(-1.0 if top_down else rng.uniform(0.2, 0.5))
    sky = sky_strip(stage, rng, rng.uniform(0.6, 0.9))
    depth = np.ones_like(stage.y) if top_down else np.float32(0.3) / np.maximum(stage.y - horizon, 0.02)
    u = (stage.x - np.float32(0.5)) * depth * np.float32(rng.uniform(0.5, 0.9))
    v = stage.y * np.float32(0.55) if top_down else depth * np.float32(0.5)
    turn = rng.uniform(0, 2 * np.pi)
    a, b = rng.random(2).astype(np.float32)
    sea = soft(stage.y - horizon, 0.02)
    fade = np.clip(1.6 / depth, 0.15, 1)
    start = rng.uniform(0, 500)

    def paint(moment: Moment) -> Painting:
        way = moment.travel * 0.8
        dx, dy = np.float32(way * np.cos(turn) % 64), np.float32(way * np.sin(turn) % 64)
        swell = look(stage.noise[0], u + dx + a, v + dy + b)
        ripple = look(stage.noise[1], u * 1.7 + dx * 1.4 + swell * 0.15, v * 1.9 + dy * 1.3 + b)
        crest = 1 - np.abs(2 * (0.6 * swell + 0.4 * ripple) - 1)
        wave = 0.12 + 0.55 * fade * crest**2 + 0.28 * fade * (ripple - 0.4)
        foam = soft(crest - 0.93, 0.08) * fade
        tone = np.clip(wave + 0.4 * foam + 0.12 * (1 - fade), 0, 1)
        if not top_down:
            tone = over(scroll(sky, start + moment.travel * 8, stage.width), tone, sea)
        return tone, 0.7 * foam + (0 if top_down else 0.6 * (1 - sea))

    return paint


def weather(stage: Stage, rng: np.random.Generator) -> Painter:
    """Rain or snow before a blurred place."""
    snow = rng.random() < 0.5
    sky = sky_strip(stage, rng, 0.5)
    back, back_alpha = hill_strip(stage, rng, rng.uniform(0.6, 0.9), 0.4, 0.25, 6)
    back, back_alpha = blur(back, stage.width * 0.005), blur(back_alpha, stage.width * 0.004)
    count = stage.count(90, 240)
    x, y, near = rng.random(count), rng.random(count), rng.uniform(0.25, 1.0, count)
    slant = rng.normal(0, 0.25)
    start = rng.uniform(0, 500)
    rate = near * (1.3 if snow else 1.7)
    aspect = stage.aspect

    def paint(moment: Moment) -> Painting:
        shift = start + moment.travel * 0.9 * stage.width
        tone = over(
            scroll(sky, shift * 0.3, stage.width),
            scroll(back, shift, stage.width),
            scroll(back_alpha, shift, stage.width),
        )
        fall = (y + rate * moment.travel) % 1.2 - 0.1
        drift = slant * rate * moment.travel + (0.03 * np.sin(9 * moment.travel + 40 * y) if snow else 0)
        across = (x + drift) % 1.1 - 0.05
        canvas = stage.canvas()
        at = np.stack([across * stage.width, fall * stage.width * aspect * 1.0], axis=1)
        if snow:
            for (px_x, px_y), size in zip(at, near, strict=True):
                radius = px(0.008 * size**2 * stage.width + 0.4)
                cv2.circle(canvas, (px(px_x), px(px_y)), radius, int(120 + 135 * size), -1, cv2.LINE_AA, 4)
        else:
            long = (0.02 + np.clip(rate * moment.step, 0, 0.12)) * stage.width
            tail = at - np.stack([slant * long, long], axis=1)
            ends = np.round(np.stack([at, tail], axis=1) * 16).astype(np.int32)
            cv2.polylines(canvas, list(ends), False, 200, max(1, stage.width // 320), cv2.LINE_AA, 4)
        fleck = unit(canvas) * np.float32(0.8 if snow else 0.5)
        return np.clip(tone * 0.85 + fleck, 0, 1), np.full_like(tone, 0.3)

    return paint
