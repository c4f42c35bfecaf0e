"""A session's page: one file of HTML without scripts, for screens and paper.

Along the pictures' time: what was proposed, what was on air, likes, skips and scenes; below them tables, and the
credits to copy.
"""

import base64
import hashlib
from collections.abc import Sequence
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
from .report_timeline import timeline

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ROWS: Final = 1000  # of each table; the files have them all


@dataclass(frozen=True, slots=True)
class Link:
    """A file to take away, called ``file`` here and ``saved`` (empty: the same) where it is saved."""

    href: str
    file: str
    about: str
    saved: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the files are made with: of ``options``, each with the page's address for it, ``chosen`` is the one."""

    name: str
    options: tuple[tuple[str, str], ...]
    chosen: str


def page(session: Session, look_up: Lookup, links: Sequence[Link] = (), choices: Sequence[Choice] = ()) -> str:
    """The page's text. Of a session in which nobody did anything with the proposals it shows these and the scenes."""
    sheet = make_sheet(session, read_options(), look_up)
    whole, music = sheet.session, sheet.music
    title = one_line(sheet.title)
    heard_s = float(sum(span.seconds for span in music))
    proposals, taken = whole.of("proposed"), whole.of("taken")
    watched = not taken and not any(cue.outcome or cue.kind in ("liked", "skipped") for cue in whole.cues)
    facts = [
        (short_clock(whole.length_s), "of video"),
        (short_clock(heard_s), "of music on air"),
        (str(len({cue.track for cue in taken})), "tracks on air"),
        (str(len(proposals)), "proposals"),
        (str(sum(cue.outcome == "taken" for cue in proposals)), "of them taken"),
        (str(len(whole.of("scene"))), "scenes"),
    ]
    facts = [fact for fact in facts if not watched or fact[1] in ("of video", "proposals", "scenes")]
    legend = "Proposals with an outline were taken. ♥ liked, ✕ skipped."
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_began(whole))}</p>',
        f'<ul class="facts">{"".join(f"<li><b>{value}</b>{name}</li>" for value, name in facts)}</ul>',
        '<div class="wide" tabindex="0" role="group" aria-label="Timeline">' + timeline(whole, watched) + "</div>",
        "" if watched else f'<p class="soft">{legend}</p>',
    ]
    if taken:
        parts += ["<h2>On air</h2>", _taken_table(taken)]
        lines = escape("\n".join(credits(music)))
        parts += ["<h2>Credits</h2>", f'<div class="wide"><pre>{lines}</pre></div>']
    if links:
        parts += ['<div class="screen"><h2>Files</h2>', *map(_choice, choices)]
        parts += [f'<ul class="files">{"".join(map(_file, links))}</ul></div>']
    if proposals:
        state = "" if taken else " open"
        parts.append(f"<details{state}><summary>Proposals</summary>{_proposals_table(proposals, watched)}</details>")
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


def _file(link: Link) -> str:
    saved = escape(link.saved or link.file)
    about = f'<span class="soft">{escape(link.about)}</span>'
    return f'<li><a href="{escape(link.href)}" download="{saved}"><b>{escape(link.file)}</b>{about}</a></li>'


def _choice(choice: Choice) -> str:
    options = (
        f"<b>{escape(word)}</b>" if word == choice.chosen else f'<a href="{escape(href)}">{escape(word)}</a>'
        for word, href in choice.options
    )
    return f'<p class="choice"><span class="soft">{escape(choice.name)}</span> {" ".join(options)}</p>'


def _began(session: Session) -> str:
    if not session.started:
        return "It is not known when this session began"
    day, _, time = session.started.partition("T")
    state = "" if session.ended else "; it is running, or ended without a word"
    return f"{day}, from {time[:8]} UTC{state}"


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


def _proposals_table(cues: Sequence[Cue], watched: bool) -> str:
    rows = []
    for cue in cues[:ROWS]:
        score = "" if cue.score is None else f"{100 * cue.score:.0f}"
        cells = (
            ("time", short_clock(cue.start.pts_s)), ("time", _lasted(cue)), ("text", _track(cue)),
            ("time", _from(cue)), ("time", score), ("", f'<span class="mark">{escape(cue.outcome or "open")}</span>'),
            ("text", escape(one_line(cue.why))),
        )  # fmt: skip
        rows.append(cells[:5] + cells[6:] if watched else cells)
    columns = ("At", "Stood", "Track", "From", "Score", "Came of it", "Why")
    return _table(columns[:5] + columns[6:] if watched else columns, rows, len(cues))


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
