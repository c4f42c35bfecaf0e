"""Plots as SVG text, coloured by the page's style, so that they follow light and dark. Written here, since the plotting
libraries draw fixed colours, and the smallest is forty megabytes.

Every function takes finite numbers and returns one ``<svg>`` element; text is escaped. Colours are classes ``s0`` to
``s5``; a series beyond these repeats them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 10, 40
COLOURS: Final = 6
BAR, GAP = 20, 9
NAME: Final = 190  # pixels for the names of bars
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """Points (x, y) with a name; joined by a line, as steps or not at all (``dots``)."""

    name: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Bar:
    """``begin``: where a bar of a waterfall starts; ``low`` and ``high``: its interval; ``note`` stands behind it."""

    name: str
    value: float
    begin: float = 0.0
    low: float | None = None
    high: float | None = None
    note: str = ""
    colour: int = 0


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high`` in ``pixels``, which begin at ``at`` and may run backwards."""

    low: float
    high: float
    at: float
    pixels: float
    log: bool = False

    def place(self, value: float) -> float:
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.at + self.pixels * min(max(share, -0.02), 1.02)

    def ticks(self) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high)


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, a step of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next((m * power for m in (1, 2, 5, 10) if m * power >= raw), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, first + 4 * about) if number * step <= high * (1 + 1e-9) + 1e-12]


def log_ticks(low: float, high: float) -> list[float]:
    wide = high / low > 1000
    return [
        m * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for m in ((1,) if wide else (1, 2, 5))
        if low * (1 - 1e-9) <= m * 10.0**power <= high * (1 + 1e-9)
    ]


def axis_of(values: Sequence[float], at: float, pixels: float, log: bool, zero: bool) -> Axis:
    low, high = min(values), max(values)
    if log:
        low = max(low, high / 1e9, 1e-12)
        return Axis(low / 1.15, max(high, low) * 1.15, at, pixels, True)
    low = min(low, 0.0) if zero else low
    pad = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return Axis(low if zero and low == 0.0 else low - pad, high + pad, at, pixels)


def chart(
    series: Sequence[Series], x: str, y: str, *, log_x: bool = False, log_y: bool = False, zero: bool = True,
    height: int = 300, title: str = "",
) -> str:  # fmt: skip
    """Lines or dots over two axes; ``zero``: the vertical axis begins there."""
    points = [point for one in series for point in one.points]
    if not points:
        return ""
    across = axis_of([p[0] for p in points], LEFT, WIDTH - LEFT - RIGHT, log_x, not log_x)
    up = axis_of([p[1] for p in points], height - BOTTOM, TOP + BOTTOM - height, log_y, zero and not log_y)
    parts = [frame(across, up, x, y, height)]
    for number, one in enumerate(series):
        colour = f"s{number % COLOURS}"
        placed = [(across.place(a), up.place(b)) for a, b in one.points]
        if not one.dots and len(placed) > 1:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
            parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        if one.dots or len(placed) <= 12:
            parts += [
                f'<circle class="dot {colour}" cx="{a:.1f}" cy="{b:.1f}" r="4"><title>{escape(one.name)}: '
                f"{number_text(p)}, {number_text(q)}</title></circle>"
                for (a, b), (p, q) in zip(placed, one.points, strict=True)
            ]
    return whole(parts, height, title)


def frame(across: Axis, up: Axis, x: str, y: str, height: int) -> str:
    lines = []
    for value in up.ticks():
        at = up.place(value)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{number_text(value)}</text>')
    for value in across.ticks():
        at = across.place(value)
        lines.append(f'<line class="grid" y1="{TOP}" y2="{height - BOTTOM}" x1="{at:.1f}" x2="{at:.1f}"/>')
        lines.append(f'<text x="{at:.1f}" y="{height - BOTTOM + 16}" text-anchor="middle">{number_text(value)}</text>')
    middle = (height - BOTTOM + TOP) / 2
    lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 6}" text-anchor="middle">{escape(x)}</text>')
    lines.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(y)}</text>'
    )
    return "".join(lines)


def bars(given: Sequence[Bar], unit: str, title: str = "") -> str:
    """Horizontal bars from ``begin`` on, the value behind each, its interval as a whisker."""
    if not given:
        return ""
    height = len(given) * (BAR + GAP) + 30
    most = max(max(bar.begin + bar.value, bar.high or 0.0) for bar in given) or 1.0
    across = Axis(0.0, most, NAME, WIDTH - NAME - 130)
    bottom = height - 26
    parts = []
    for value in across.ticks():
        at = across.place(value)
        parts.append(f'<line class="grid" y1="0" y2="{bottom}" x1="{at:.1f}" x2="{at:.1f}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{number_text(value)}</text>')
    parts.append(f'<text x="{WIDTH - 4}" y="{bottom + 16}" text-anchor="end">{escape(unit)}</text>')
    for number, bar in enumerate(given):
        top, middle = number * (BAR + GAP) + 4, number * (BAR + GAP) + 4 + BAR / 2
        begin, end = across.place(bar.begin), across.place(bar.begin + bar.value)
        ends = [end]
        parts.append(f'<text x="{NAME - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(short(bar.name))}</text>')
        parts.append(
            f'<rect class="bar s{bar.colour % COLOURS}" x="{begin:.1f}" y="{top}" width="{max(1.0, end - begin):.1f}" '
            f'height="{BAR}" rx="3"><title>{escape(bar.name)}: {number_text(bar.value)} {escape(unit)}</title></rect>'
        )
        if bar.low is not None and bar.high is not None:
            low, high = across.place(bar.begin + bar.low), across.place(bar.begin + bar.high)
            parts.append(f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>')
            ends.append(high)
        text = escape(" ".join(filter(None, [number_text(bar.value), bar.note])))
        parts.append(f'<text class="value" x="{max(ends) + 6:.1f}" y="{middle + 4:.1f}">{text}</text>')
    return whole(parts, height, title)


def whole(parts: Sequence[str], height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def short(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def number_text(value: float) -> str:
    """Three digits, thousands in groups."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.0e}"
