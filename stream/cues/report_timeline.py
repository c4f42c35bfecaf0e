"""A session along its pictures' time, as a drawing: lanes for proposals, for what was on air, for wishes and scenes."""

from collections.abc import Callable
from html import escape
from typing import Final

from .export.texts import one_line, short_clock
from .model import Cue, Session

WIDTH: Final = 1000.0
LEFT: Final = 76.0
RIGHT: Final = 14.0
STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # seconds between ticks
LETTER: Final = 7.2  # about the width of a letter
PROPOSED: Final = 34.0
AIR: Final = 70.0
BOX: Final = 24.0


def timeline(session: Session, watched: bool) -> str:
    """An ``svg`` element. ``watched``: without the lanes of what viewers did."""
    length_s = max(1.0, session.length_s)
    wishes, scenes = 120.0, 72.0 if watched else 138.0

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, seconds / length_s))

    made = [f'<svg viewBox="0 0 {WIDTH:g} {scenes + 10:g}" role="img" aria-label="{escape(_summary(session))}">']
    step = next((step for step in STEPS if length_s / step <= 10), STEPS[-1])
    for tick in range(0, int(length_s) + 1, step):
        at = x(tick)
        anchor = "end" if at > WIDTH - 40 else "start"
        made.append(f'<path class="grid" d="M{at:.1f} 26V{scenes + 2:g}"/>')
        made.append(f'<text x="{at:.1f}" y="18" text-anchor="{anchor}">{short_clock(tick)}</text>')
    lanes = [("proposed", PROPOSED + 16), ("on air", AIR + 16), ("wishes", wishes), ("scenes", scenes)]
    made += [
        f'<text x="8" y="{y:g}">{name}</text>' for name, y in lanes if not watched or name in ("proposed", "scenes")
    ]
    for cue in filter(lambda cue: cue.stands, session.cues):
        match cue.kind:
            case "scene":
                place = f"M{x(cue.start.pts_s):.1f} {scenes - 8:g}V{scenes + 2:g}"
                made.append(f'<path class="scene" d="{place}"><title>a new scene</title></path>')
            case "proposed":
                made.append(_box(cue, x, PROPOSED, "offer went" if cue.outcome == "taken" else "offer", "offer-ink"))
            case "taken":
                made.append(_box(cue, x, AIR, "air", "air-ink"))
            case kind:
                mark, word = ("♥", "like") if kind == "liked" else ("✕", "skip")
                tip = f"<title>{kind}: {escape(one_line(cue.words))}</title>"
                made.append(f'<text class="{word}" x="{x(cue.start.pts_s):.1f}" y="{wishes:g}">{mark}{tip}</text>')
    return "".join([*made, "</svg>"])


def _box(cue: Cue, x: Callable[[float], float], y: float, kind: str, ink: str) -> str:
    begin, end = x(cue.start.pts_s), x((cue.end or cue.start).pts_s)
    width = max(1.5, end - begin - 1)
    words = one_line(cue.title or cue.words)
    room = int((width - 8) / LETTER)
    label = words if len(words) <= room else words[: room - 1] + "…" if room > 3 else ""
    span = f"{short_clock(cue.start.pts_s)} to {short_clock((cue.end or cue.start).pts_s)}"
    tip = escape(f"{one_line(cue.words)}, {span}")
    text = f'<text class="{ink}" x="{begin + 5:.1f}" y="{y + 16:g}">{escape(label)}</text>' if label else ""
    box = f'<rect class="{kind}" x="{begin:.1f}" y="{y:g}" width="{width:.1f}" height="{BOX:g}" rx="3"/>'
    return f"<g><title>{tip}</title>{box}{text}</g>"


def _summary(session: Session) -> str:
    taken, proposals = session.of("taken"), session.of("proposed")
    return f"Timeline of {short_clock(session.length_s)}: {len(proposals)} proposals, {len(taken)} times on air"
