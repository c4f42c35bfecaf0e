"""Ways to film a place: painters that are framed around another scene's painter.

A form that stands still paints its place once a shot. ``Moment.travel`` drives what moves in it, so that the mean
optical flow over the whole picture is the film's, however small the moving part is.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from studio.video.stage import Moment, Painter, Painting, Stage, blur, over, px, soft, unit
from studio.video.texture import Plane, look

Framing = Callable[[Stage, np.random.Generator, Painter], Painter]


def locked(stage: Stage, rng: np.random.Generator, place: Painter) -> Painter:
    """A camera on a tripod: the place stands still, a few figures or things move about in it."""
    back = place(Moment(0.0, float(rng.uniform(0, 50)), 0.01, 0.0))
    count = int(rng.integers(1, 5))
    tall = rng.uniform(0.18, 0.75, count) * stage.height
    spot, foot = rng.uniform(0.1, 0.9, count), rng.uniform(0.6, 1.1, count)
    reach, turn = rng.uniform(0.05, 0.4, count), rng.uniform(0, 4, count)
    shade, person = rng.uniform(0.05, 0.95, count), rng.random(count) < 0.7
    cloth = look(stage.noise[1], stage.x, stage.y)

    def paint(moment: Moment) -> Painting:
        figures, mask = stage.canvas(), stage.canvas()
        for k in range(count):
            phase = (moment.travel / reach[k] + turn[k]) % 4
            x = (spot[k] + reach[k] * (abs(phase - 2) - 1)) * stage.width
            y = foot[k] * stage.height
            value = int(255 * shade[k])
            for canvas, level in ((figures, value), (mask, 255)):
                if person[k]:
                    middle = (px(x), px(y - 0.42 * tall[k]))
                    cv2.ellipse(canvas, middle, (px(0.17 * tall[k]), px(0.42 * tall[k])), 0, 0, 360, level, -1, 4, 4)
                    head = min(level + 50, 255)
                    cv2.circle(canvas, (px(x), px(y - 0.88 * tall[k])), px(0.12 * tall[k]), head, -1, 4, 4)
                else:
                    box = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.0), (-0.5, 0.0)]
                    points = [(px(x + a * tall[k] * 1.3), px(y + b * tall[k])) for a, b in box]
                    cv2.fillConvexPoly(canvas, np.array(points, np.int32), level, cv2.LINE_AA, 4)
        shift = np.array([[1, 0, (moment.travel % 1) * stage.width], [0, 1, 0]], np.float32)
        worn = cv2.warpAffine(cloth, shift, (stage.width, stage.height), borderMode=cv2.BORDER_WRAP)
        cover = unit(mask)
        tone = over(back[0], np.clip(unit(figures) + 0.35 * (worn - 0.5), 0, 1), cover)
        return tone, over(back[1], np.float32(0.6) * cover, cover)

    return paint


def talk(stage: Stage, rng: np.random.Generator, place: Painter) -> Painter:
    """Somebody who talks into the camera before a still place that is out of focus."""
    tone, tint = place(Moment(0.0, float(rng.uniform(0, 50)), 0.01, 0.0))
    away = float(rng.uniform(0.0, 0.03)) * stage.width
    back = (blur(tone, away), blur(tint, away))
    middle, big = rng.uniform(0.3, 0.7), rng.uniform(0.6, 1.5)
    skin, hair, dress = rng.uniform(0.3, 0.8), rng.uniform(0.02, 0.6), rng.uniform(0.05, 0.9)
    side = float(rng.choice([-1.0, 1.0]))
    phase = rng.uniform(0, 2 * np.pi, 3)
    weave = look(stage.noise[1], stage.x * 1.3, stage.y * 1.3) - np.float32(0.5)
    skin_grain = look(stage.noise[1], stage.x * 0.6, stage.y * 0.6) - np.float32(0.5)
    hand_side = float(rng.choice([-1.0, 1.0])) if rng.random() < 0.5 else 0.0

    def paint(moment: Moment) -> Painting:
        way = moment.travel
        x = middle + 0.05 * np.sin(phase[0] + 9 * way)
        y = 0.36 + 0.03 * np.sin(phase[1] + 14 * way)
        across = (stage.x - np.float32(x)) / np.float32(0.115 * big)
        down = (stage.y - np.float32(y)) * np.float32(stage.aspect / (0.15 * big))
        torso_x = (stage.x - np.float32((x + middle) / 2)) / np.float32(0.3 * big)
        torso = soft(1 - np.sqrt(torso_x**2 + ((stage.y - np.float32(y + 0.95)) / np.float32(0.62)) ** 2), 0.07)
        face = soft(1 - np.sqrt(across**2 + down**2), 0.09)
        cap = soft(1 - np.sqrt((across * 0.88) ** 2 + (down + 0.3) ** 2 * 0.85), 0.1)
        lit = np.float32(skin) * (1 + np.float32(0.35 * side) * np.clip(across, -1, 1)) + 0.12 * skin_grain
        for eye in (-0.38, 0.38):
            lit = lit - 0.35 * soft(0.13 - np.hypot(across - np.float32(eye), (down + 0.12) * 1.6), 0.08)
        gape = 0.05 + 0.14 * abs(np.sin(phase[2] + 31 * way))
        lit = lit - 0.4 * soft(1 - np.hypot(across / np.float32(0.33), (down - 0.5) / np.float32(gape)), 0.3)
        tones = over(back[0], np.float32(dress) + 0.3 * weave, torso)
        tones = over(tones, np.full_like(tones, hair) + 0.25 * weave, cap)
        tones = over(tones, lit, face * soft(down + 0.62 - 0.2 * across**2, 0.25))
        cover = np.maximum(torso, cap)
        if hand_side:
            hx, hy = x + hand_side * 0.27 * big + 0.06 * np.sin(23 * way), 0.82 + 0.09 * np.sin(phase[2] + 17 * way)
            palm = soft(1 - np.hypot((stage.x - np.float32(hx)) / 0.05, (stage.y - np.float32(hy)) / 0.1), 0.25)
            tones = over(tones, np.full_like(tones, skin * 0.9), palm)
            cover = np.maximum(cover, palm)
        return np.clip(tones, 0, 1), over(back[1], np.clip(0.75 * face + 0.3 * torso, 0, 1), cover)

    return paint


def screen(stage: Stage, rng: np.random.Generator, place: Painter) -> Painter:
    """A recorded screen: windows, text that scrolls, a pointer, and perhaps the place in a window."""
    dark = rng.random() < 0.5
    paper, ink = (0.1, 0.75) if dark else (0.95, 0.25)
    height, width = stage.height, stage.width
    base = np.full((height, width), paper + (0.06 if dark else -0.12), np.float32)
    tint = np.zeros((height, width), np.float32)
    bar, rail = max(2, round(height * rng.uniform(0.04, 0.1))), round(width * rng.uniform(0.0, 0.25))
    base[:bar], tint[:bar] = paper + (0.14 if dark else -0.35), 0.8
    base[bar:, :rail] = paper + (0.1 if dark else -0.2)
    for row in range(bar + 4, height - 4, 7):
        base[row : row + 2, 3 : max(4, round(rail * rng.uniform(0.4, 0.85)))] = ink
    left, right = rail + 3, width - 3
    top, bottom = bar + 3, height - 3
    inset = None
    if rng.random() < 0.5:
        wide = round((right - left) * rng.uniform(0.35, 0.75))
        high = min(round(wide * 9 / 16), bottom - top)
        x, y = int(rng.integers(left, right - wide + 1)), int(rng.integers(top, bottom - high + 1))
        inset = (slice(y, y + high), slice(x, x + wide))
    text, ticks = _text(rng, 3 * height, right - left, paper, ink)
    moves = rng.random() < 0.35  # the place in its window
    still = place(Moment(0.0, float(rng.uniform(0, 50)), 0.01, 0.0))
    phase = rng.uniform(0, 2 * np.pi, 2)

    def paint(moment: Moment) -> Painting:
        tone, colour = base.copy(), tint.copy()
        rolled = (moment.travel * width) % (2 * height)
        start = int(rolled)
        part = np.float32(rolled - start)
        lines = text[start : start + bottom - top + 1]
        tone[top:bottom, left:right] = lines[:-1] * (1 - part) + lines[1:] * part
        colour[top:bottom, left:right] = ticks[start : start + bottom - top]
        if inset is not None:
            view = place(replace(moment, travel=moment.travel * 0.5)) if moves else still
            shape = (inset[1].stop - inset[1].start, inset[0].stop - inset[0].start)
            tone[inset] = cv2.resize(view[0], shape, interpolation=cv2.INTER_AREA)
            colour[inset] = cv2.resize(view[1], shape, interpolation=cv2.INTER_AREA)
        at_x = (0.5 + 0.42 * np.sin(phase[0] + 3 * moment.travel)) * width
        at_y = (0.5 + 0.42 * np.sin(phase[1] + 4.3 * moment.travel)) * height
        row, column = int(min(max(at_y, 0), height - 4)), int(min(max(at_x, 0), width - 3))
        tone[row : row + 4, column : column + 2] = 1.0 if dark else 0.0
        return np.clip(tone, 0, 1), colour

    return paint


def _text(rng: np.random.Generator, height: int, width: int, paper: float, ink: float) -> tuple[Plane, Plane]:
    """Lines of words on paper, and where they are coloured."""
    tone, tint = np.full((height, width), paper, np.float32), np.zeros((height, width), np.float32)
    pitch = int(rng.integers(4, 8))
    for row in range(2, height - 3, pitch):
        if rng.random() < 0.15:
            continue
        column = int(rng.integers(1, 10))
        end = width * rng.uniform(0.3, 0.95)
        while column < end:
            word = int(rng.integers(3, 16))
            stop = min(column + word, width)
            tone[row : row + max(1, pitch - 4), column:stop] = ink + (paper - ink) * rng.uniform(0.0, 0.4)
            tint[row : row + max(1, pitch - 4), column:stop] = float(rng.random() < 0.2)
            column += word + 2
    return tone, tint


def slides(stage: Stage, rng: np.random.Generator, place: Painter) -> Painter:
    """A still, which the camera may approach."""
    still = place(Moment(0.0, float(rng.uniform(0, 50)), 0.01, 0.0))
    return lambda moment: still


def moving(stage: Stage, rng: np.random.Generator, place: Painter) -> Painter:
    """The place itself."""
    return place
