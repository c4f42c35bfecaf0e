"""A session's page: one file of HTML without scripts, for screens and paper.

Along the pictures' time: what was proposed, what was on air, likes, skips and scenes; below them tables, and the
credits to copy.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from .export.options import read_options
from .export.sheet import make_sheet
from .export.texts import one_line, short_clock
from .export.youtube import credits
from .known import Lookup
from .model import Cue, Session
from .report_style import STYLE

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ROWS: Final = 1000  # of each table; the files have them all
WIDTH, LEFT, RIGHT = 1000.0, 76.0, 14.0
STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
LETTER: Final = 7.2  # width of a letter of the timeline's text


@dataclass(frozen=True, slots=True)
class Link:
    """A file to take away."""

    href: str
    file: str
    about: str


def page(session: Session, look_up: Lookup, links: Sequence[Link] = ()) -> str:
    """The page's text."""
    sheet = make_sheet(session, read_options(), look_up)
    whole, music = sheet.session, sheet.music
    title = one_line(sheet.title)
    heard_s = float(sum(span.seconds for span in music))
    proposals, taken = whole.of("proposed"), whole.of("taken")
    facts = [
        (short_clock(whole.length_s), "of video"),
        (short_clock(heard_s), "of music on air"),
        (str(len({cue.track for cue in taken})), "tracks on air"),
        (str(len(proposals)), "proposals"),
        (str(sum(cue.outcome == "taken" for cue in proposals)), "of them taken"),
        (str(len(whole.of("scene"))), "scenes"),
    ]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_began(whole))}</p>',
        f'<ul class="facts">{"".join(f"<li><b>{value}</b>{name}</li>" for value, name in facts)}</ul>',
        '<div class="wide" tabindex="0" role="group" aria-label="Timeline">' + _timeline(whole) + "</div>",
        '<p class="soft">Proposals with an outline were taken. ♥ liked, ✕ skipped.</p>' if proposals else "",
    ]
    if taken:
        parts += ["<h2>On air</h2>", _taken_table(taken)]
        lines = escape("\n".join(credits(music)))
        parts += ["<h2>Credits</h2>", f'<div class="wide"><pre>{lines}</pre></div>']
    if links:
        items = "".join(
            f'<li><a href="{escape(link.href)}" download="{escape(link.file)}"><b>{escape(link.file)}</b>'
            f'<span class="soft">{escape(link.about)}</span></a></li>'
            for link in links
        )
        parts += ['<h2 class="screen">Files</h2>', f'<ul class="files">{items}</ul>']
    if proposals:
        state = "" if taken else " open"
        parts.append(f"<details{state}><summary>Proposals</summary>{_proposals_table(proposals)}</details>")
    if whole.left_out:
        parts.append(f'<p class="soft">{whole.left_out} further cues were not kept.</p>')
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - Segue</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n"
        "</main>\n</body>\n</html>\n"
    )


def data_link(text: str, file: str, kind: str, about: str) -> Link:
    """A file within the page itself."""
    return Link(f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}", file, about)


def _began(session: Session) -> str:
    if not session.started:
        return "It is not known when this session began"
    day, _, time = session.started.partition("T")
    state = "" if session.ended else "; it is running, or ended without a word"
    return f"{day}, from {time[:8]} UTC{state}"


def _timeline(session: Session) -> str:
    length_s = max(1.0, session.length_s)

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, seconds / length_s))

    step = next((step for step in STEPS if length_s / step <= 10), STEPS[-1])
    made = [f'<svg viewBox="0 0 {WIDTH:g} 148" role="img" aria-label="{escape(_summary(session))}">']
    for tick in range(0, int(length_s) + 1, step):
        at = x(tick)
        made.append(f'<path class="grid" d="M{at:.1f} 26V140"/>')
        anchor = "end" if at > WIDTH - 40 else "start"
        made.append(f'<text x="{at:.1f}" y="18" text-anchor="{anchor}">{short_clock(tick)}</text>')
    made += [
        f'<path class="scene" d="M{x(cue.start.pts_s):.1f} 130V140"><title>a new scene</title></path>'
        for cue in session.of("scene")
    ]
    for name, y in (("proposed", 50), ("on air", 86), ("wishes", 120), ("scenes", 138)):
        made.append(f'<text x="8" y="{y}">{name}</text>')
    for cue in session.of("proposed"):
        box = "offer went" if cue.outcome == "taken" else "offer"
        made += [_box(cue, x, 34, box, "offer-ink")]
    made += [_box(cue, x, 70, "air", "air-ink") for cue in session.of("taken")]
    for cue in session.of("liked", "skipped"):
        if cue.kind not in ("liked", "skipped"):  # "skipped" proposals go by "ignored"
            continue
        mark, word = ("♥", "like") if cue.kind == "liked" else ("✕", "skip")
        tip = f"{cue.kind}: {escape(one_line(cue.words))}"
        made.append(f'<text class="{word}" x="{x(cue.start.pts_s):.1f}" y="120">{mark}<title>{tip}</title></text>')
    return "".join([*made, "</svg>"])


def _box(cue: Cue, x: Callable[[float], float], y: int, kind: str, ink: str) -> str:
    begin, end = x(cue.start.pts_s), x((cue.end or cue.start).pts_s)
    width = max(1.5, end - begin - 1)
    words = one_line(cue.title or cue.words)
    room = int((width - 8) / LETTER)
    label = words if len(words) <= room else words[: room - 1] + "…" if room > 3 else ""
    span = f"{short_clock(cue.start.pts_s)} to {short_clock((cue.end or cue.start).pts_s)}"
    tip = escape(f"{one_line(cue.words)}, {span}")
    text = f'<text class="{ink}" x="{begin + 5:.1f}" y="{y + 16}">{escape(label)}</text>' if label else ""
    return (
        f'<g><title>{tip}</title><rect class="{kind}" x="{begin:.1f}" y="{y}" width="{width:.1f}" height="24" rx="3"/>'
        f"{text}</g>"
    )


def _summary(session: Session) -> str:
    taken, proposals = session.of("taken"), session.of("proposed")
    return f"Timeline of {short_clock(session.length_s)}: {len(proposals)} proposals, {len(taken)} times on air"


def _taken_table(cues: Sequence[Cue]) -> str:
    rows = []
    for cue in cues[:ROWS]:
        how = f' <span class="mark">{escape(cue.how)}</span>' if cue.how else ""
        cells = (
            ("time", short_clock(cue.start.pts_s)), ("time", _lasted(cue)), ("text", _track(cue) + how),
            ("time", _from(cue)), ("licence", escape(one_line(cue.licence)) or "unknown"),
            ("text", escape(one_line(cue.why))), ("time", escape(cue.start.wall[11:19])),
        )  # fmt: skip
        rows.append(cells)
    return _table(("At", "Lasted", "Track", "From", "Licence", "Why", "UTC"), rows, len(cues))


def _proposals_table(cues: Sequence[Cue]) -> str:
    rows = []
    for cue in cues[:ROWS]:
        score = "" if cue.score is None else f"{100 * cue.score:.0f}"
        cells = (
            ("time", short_clock(cue.start.pts_s)), ("time", _lasted(cue)), ("text", _track(cue)),
            ("time", _from(cue)), ("time", score), ("", f'<span class="mark">{escape(cue.outcome or "open")}</span>'),
            ("text", escape(one_line(cue.why))),
        )  # fmt: skip
        rows.append(cells)
    return _table(("At", "Stood", "Track", "From", "Score", "Came of it", "Why"), rows, len(cues))


def _track(cue: Cue) -> str:
    artist = f'<br><span class="soft">{escape(one_line(cue.artist))}</span>' if cue.artist else ""
    return f"<b>{escape(one_line(cue.title or cue.track))}</b>{artist}"


def _lasted(cue: Cue) -> str:
    return "" if cue.end is None else short_clock(cue.end.pts_s - cue.start.pts_s)


def _from(cue: Cue) -> str:
    return "" if cue.from_s is None else short_clock(cue.from_s)


def _table(columns: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], count: int) -> str:
    """``rows``: of each cell its class, and its markup."""
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    body = []
    for cells in rows:
        made = (
            f'<td class="{kind}" data-label="{name}">{text}</td>'
            for name, (kind, text) in zip(columns, cells, strict=True)
        )
        body.append(f"<tr>{''.join(made)}</tr>")
    more = f'<p class="soft">{count - ROWS} more in the files.</p>' if count > ROWS else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>{more}'
