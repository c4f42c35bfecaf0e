"""Scenes of things: walking crowds, a portrait before soft lights, cells, spinning solids, particles."""

import cv2
import numpy as np

from .stage import Moment, Painter, Painting, Stage, blur, over, px, soft, unit
from .texture import look


def crowd(stage: Stage, rng: np.random.Generator) -> Painter:
    """Figures walking past one another over textured ground, the near ones in front."""
    count = stage.count(22, 48)
    depth = np.sort(rng.uniform(0.25, 1.0, count))
    place, rate = rng.random(count), rng.uniform(0.7, 1.4, count) * rng.choice([-1, 1], count, p=[0.3, 0.7])
    shade, build = rng.integers(30, 235, count), rng.uniform(0.8, 1.25, count)
    stride = rng.uniform(0, 2 * np.pi, count)
    horizon = rng.uniform(0.15, 0.4)
    lift = soft(stage.y - np.float32(horizon), 0.25)

    def paint(moment: Moment) -> Painting:
        pan = np.float32(moment.travel * 0.6 % 1)
        ground = look(stage.noise[1], stage.x * 0.9 + pan, stage.y * 1.6)
        wall = look(stage.noise[0], stage.x * 0.7 + pan, stage.y * 0.4)
        tone = over(0.45 + 0.4 * wall, 0.25 + 0.4 * ground, lift)
        figures = stage.canvas()  # 0 where nobody stands
        for k in range(count):
            size = 0.26 * depth[k] ** 1.3 * build[k] * stage.height
            walked = rate[k] * moment.travel * (0.5 + depth[k])
            x = ((place[k] + walked) % 1.3 - 0.15) * stage.width
            step = np.sin(stride[k] + 40 * walked)
            foot = (horizon + (1.08 - horizon) * depth[k]) * stage.height
            y = foot - size * (1 + 0.03 * abs(step))
            value = int(shade[k])
            hip, spread, thick = (px(x), px(y + 0.5 * size)), 0.16 * step * size, max(1, int(size * 0.14))
            legs = np.array([(px(x - spread), px(foot)), hip, (px(x + spread), px(foot))], np.int32)
            cv2.polylines(figures, [legs], False, max(value - 25, 5), thick, cv2.LINE_AA, 4)
            body, head = (px(x), px(y + 0.25 * size)), (px(x + 0.02 * step * size), px(y - 0.42 * size))
            cv2.ellipse(figures, body, (px(0.2 * size), px(0.5 * size)), 0, 0, 360, value, -1, cv2.LINE_AA, 4)
            cv2.circle(figures, head, px(0.15 * size), min(value + 60, 250), -1, cv2.LINE_AA, 4)
        cover = blur((figures > 0).astype(np.float32), 0.5)
        cloth = unit(figures) + 0.25 * (ground - 0.5)
        return np.clip(over(tone, cloth, cover), 0, 1), cover * 0.7

    return paint


def portrait(stage: Stage, rng: np.random.Generator) -> Painter:
    """Head and shoulders swaying before soft discs of light."""
    count = stage.count(10, 26)
    x, y = rng.random(count), rng.random(count)
    size, level = rng.uniform(0.02, 0.085, count), rng.integers(50, 190, count)
    rate, way = rng.uniform(0.3, 1.0, count), rng.uniform(0, 2 * np.pi, count)
    middle, big = rng.uniform(0.3, 0.7), rng.uniform(0.75, 1.25)
    rim = rng.choice([-1.0, 1.0])
    hair = rng.uniform(0.05, 0.5)
    small = (stage.width // 2, stage.height // 2)
    phase = rng.uniform(0, 2 * np.pi)
    mid = np.float32(0.5)

    def paint(moment: Moment) -> Painting:
        discs = np.zeros((small[1], small[0]), np.uint8)
        for k in range(count):
            at_x = (x[k] + rate[k] * moment.travel * np.cos(way[k])) % 1.2 - 0.1
            at_y = (y[k] + rate[k] * moment.travel * np.sin(way[k])) % 1.2 - 0.1
            disc = np.zeros_like(discs)
            centre = (px(at_x * small[0]), px(at_y * small[1]))
            cv2.circle(disc, centre, px(size[k] * small[0]), int(level[k]), -1, cv2.LINE_AA, 4)
            cv2.add(discs, disc, discs)
        lights = cv2.resize(blur(unit(discs), stage.width * 0.004), (stage.width, stage.height))
        wall = look(stage.noise[0], stage.x * 0.5 + np.float32(moment.travel * 0.4 % 1), stage.y * 0.3)
        back = 0.1 + 0.3 * wall + 0.75 * lights
        sway = 0.07 * np.sin(phase + moment.travel * 5)
        nod = 0.02 * np.sin(1.7 * phase + moment.travel * 7)
        head_x, head_y = middle + sway, 0.28 + nod
        across = (stage.x - np.float32(head_x)) / np.float32(0.11 * big)
        down = (stage.y - np.float32(head_y + 0.1)) * np.float32(stage.aspect / (0.15 * big))
        face = soft(1 - np.sqrt(across**2 + down**2), 0.09)
        cap = soft(1 - np.sqrt((across * 0.86) ** 2 + (down + 0.28) ** 2 * 0.9), 0.1)
        torso_x = (stage.x - np.float32(middle + sway * 0.5)) / np.float32(0.27 * big)
        torso = soft(1 - np.sqrt(torso_x**2 + ((stage.y - np.float32(1.18)) / np.float32(0.62)) ** 2), 0.07)
        neck = soft(0.45 - np.abs(across), 0.1) * (stage.y > head_y + 0.1) * (stage.y < 0.75)
        grain = look(stage.noise[1], stage.x - np.float32(sway), stage.y - np.float32(nod))
        lit = mid + np.float32(0.35 * rim) * np.clip(across, -1, 1)
        tone = over(back, 0.12 + 0.3 * grain + 0.12 * np.clip(torso_x * np.float32(rim), -1, 1), torso)
        tone = over(tone, 0.35 * lit + 0.2 + 0.1 * grain, np.clip(neck, 0, 1))
        tone = over(tone, hair + 0.3 * (grain - mid), cap)
        tone = over(tone, 0.3 + 0.5 * lit + 0.14 * (grain - mid), face * soft(down + 0.6 - 0.25 * across**2, 0.25))
        return np.clip(tone, 0, 1), np.clip(lights * 1.5 + 0.6 * face, 0, 1)

    return paint


def cells(stage: Stage, rng: np.random.Generator) -> Painter:
    """Soft bodies that drift, merge and part (metaballs, worked out at half size)."""
    count = stage.count(8, 20)
    x, y = rng.random(count), rng.random(count)
    radius = rng.uniform(0.04, 0.10, count)
    speed_x, speed_y = rng.normal(0, 1.4, count), rng.normal(0, 1.1, count)
    phase = rng.uniform(0, 2 * np.pi, count)
    half_x, half_y = np.ascontiguousarray(stage.x[::2, ::2])[None], np.ascontiguousarray(stage.y[::2, ::2])[None]
    aspect = np.float32(stage.aspect)

    def fold(value: np.ndarray) -> np.ndarray:
        return np.asarray(1.1 * np.abs((value % 2) - 1) - 0.05, np.float32)  # there and back, no jump

    def paint(moment: Moment) -> Painting:
        at_x = fold(x + speed_x * moment.travel)[:, None, None]
        at_y = fold(y + speed_y * moment.travel)[:, None, None]
        swell = radius * (1 + 0.2 * np.sin(phase + 6 * moment.travel) + 0.25 * moment.accent)
        away = (half_x - at_x) ** 2 + ((half_y - at_y) * aspect) ** 2
        pull = (swell[:, None, None].astype(np.float32) ** 2) / (away + np.float32(1e-4))
        small = np.stack([pull.sum(axis=0), pull.max(axis=0)], axis=-1)
        field, core = cv2.split(cv2.resize(np.log(small), (stage.width, stage.height), interpolation=cv2.INTER_LINEAR))
        drift = np.float32(moment.travel * 0.6 % 1)
        plasm = look(stage.noise[1], stage.x * 0.8 + drift + field * 0.04, stage.y * 0.5)
        medium = look(stage.noise[0], stage.x * 0.6 + drift, stage.y * 0.4 + np.float32(0.3))
        inside = soft(field - 0.3, 0.25)
        wall = np.exp(-((field - 0.25) ** 2) / np.float32(0.03))
        nucleus = soft(core - 2.0, 0.5)
        body = 0.3 + 0.32 * plasm + 0.14 * np.clip(field, 0, 2)
        tone = over(0.15 + 0.4 * medium, body, inside) + 0.3 * wall - 0.3 * nucleus
        return np.clip(tone, 0, 1), np.clip(0.2 + 0.8 * nucleus + 0.3 * inside, 0, 1)

    return paint


_CUBE = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float64)
_CUBE_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_OCTA = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64) * 1.5
_OCTA_FACES = tuple((a, b, c) for a in (0, 1) for b in (2, 3) for c in (4, 5))


def _turn(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation matrix by Rodrigues' formula."""
    return np.asarray(cv2.Rodrigues(axis * angle)[0])


def geometry(stage: Stage, rng: np.random.Generator) -> Painter:
    """Shaded solids spinning and drifting over a moving surface."""
    count = stage.count(4, 11)
    solids = [(_CUBE, _CUBE_FACES) if rng.random() < 0.6 else (_OCTA, _OCTA_FACES) for _ in range(count)]
    axes = rng.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    spin, phase = rng.uniform(4, 8, count) * rng.choice([-1, 1], count), rng.uniform(0, 6.28, count)
    x, y, size = rng.random(count), rng.uniform(0.1, 0.9, count), np.sort(rng.uniform(0.05, 0.14, count))
    drift = rng.normal(0, 0.7, count)
    light = rng.normal(size=3)
    light /= np.linalg.norm(light)
    slope = np.float32(rng.uniform(-0.5, 0.5))

    def paint(moment: Moment) -> Painting:
        pan = np.float32(moment.travel * 0.8 % 1)
        ground = look(stage.noise[0], stage.x * 0.7 + pan, stage.y * 0.5 + slope * stage.x)
        grain = look(stage.noise[1], stage.x * 1.2 + pan, stage.y * 0.8)
        stripes = soft(np.sin((stage.x + pan + slope * stage.y) * np.float32(12 * np.pi)), 1.0)
        tone = 0.18 + 0.3 * ground + 0.14 * stripes
        shapes, mask = stage.canvas(), stage.canvas()
        for k, (corners, faces) in enumerate(solids):
            turned = corners @ _turn(axes[k], phase[k] + spin[k] * moment.travel).T
            scale = size[k] * (1 + 0.25 * moment.accent) * stage.width
            at_x = ((x[k] + drift[k] * moment.travel) % 1.3 - 0.15) * stage.width
            points = np.round((turned[:, :2] * scale + [at_x, y[k] * stage.height]) * 16).astype(np.int32)
            for face in sorted(faces, key=lambda f: turned[list(f), 2].sum()):
                centre = turned[list(face)].mean(axis=0)
                if centre[2] <= 0:
                    continue
                shade = 70 + 170 * abs(float(centre @ light)) / float(np.linalg.norm(centre))
                cv2.fillConvexPoly(shapes, points[list(face)], min(int(shade), 250), cv2.LINE_AA, 4)
                cv2.fillConvexPoly(mask, points[list(face)], 255, cv2.LINE_AA, 4)
        cover = unit(mask)
        return np.clip(over(tone, unit(shapes) + 0.3 * (grain - 0.5), cover), 0, 1), cover

    return paint


def particles(stage: Stage, rng: np.random.Generator) -> Painter:
    """Glowing dust carried round a slow swirl."""
    count = stage.count(70, 170)
    away, angle = rng.uniform(0.03, 0.75, count), rng.uniform(0, 2 * np.pi, count)
    spin = rng.uniform(0.8, 1.5, count) / (away + 0.25)
    near = rng.uniform(0.2, 1.0, count)
    centre = rng.uniform(0.3, 0.7, 2)
    rise = rng.normal(0, 0.4)
    streaked = rng.random() < 0.5

    def paint(moment: Moment) -> Painting:
        pan = np.float32(moment.travel * 0.9 % 1)
        smoke = look(stage.noise[0], stage.x * 0.6 + pan, stage.y * 0.4 + np.float32(rise * moment.travel % 1))
        canvas = stage.canvas()
        ends = []
        for back in (0.0, min(moment.step, 0.12)):
            turned = angle + spin * (moment.travel - back)
            reach = away * (1 + 0.12 * moment.accent)
            at_x = (centre[0] + reach * np.cos(turned)) * stage.width
            at_y = (centre[1] + reach * np.sin(turned) / stage.aspect * 0.75) * stage.height
            ends.append(np.stack([at_x, at_y], axis=1))
        heads = np.round(ends[0] * 16).astype(int)
        tails = np.round(ends[1] * 16).astype(int)
        for head, tail, size in zip(heads.tolist(), tails.tolist(), near.tolist(), strict=True):
            level = int(90 + 165 * size)
            if streaked:
                cv2.line(canvas, head, tail, level, max(1, round(size * stage.width / 110)), cv2.LINE_AA, 4)
            else:
                cv2.circle(canvas, head, px(0.011 * size * stage.width), level, -1, cv2.LINE_AA, 4)
        dust = 1.3 * blur(unit(canvas), stage.width / 300)  # small drawn discs are crosses else
        glow = blur(dust, stage.width * 0.02)
        return np.clip(0.04 + 0.4 * smoke**2 + dust + 1.1 * glow, 0, 1), np.clip(0.3 * smoke + dust + glow, 0, 1)

    return paint
