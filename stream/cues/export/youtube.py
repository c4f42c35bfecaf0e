"""Chapters and credits to paste into a video's description on YouTube.

Its rules (support.google.com/youtube/answer/9884579): the first chapter is at 0:00, there are three at least, in rising
order, each of 10 s or more. A description has at most 5000 characters and no angle brackets.
"""

from fractions import Fraction
from typing import Final

from .sheet import Sheet, Span
from .texts import one_line, short_clock

LEAST_S: Final = 10
LEAST: Final = 3
CHARACTERS: Final = 5000
BEFORE: Final = "Start"


def make(sheet: Sheet) -> str:
    """The text. With fewer than three chapters YouTube shows none: they are then a list of tracks."""
    lines = [f"{short_clock(float(at))} {_plain(words)}" for at, words in chapters(sheet)]
    lines += ["", "Music:", *credits(sheet.music)] if sheet.music else []
    return _fitted(lines)


def chapters(sheet: Sheet) -> list[tuple[Fraction, str]]:
    """The chapters by YouTube's rules: a track that was heard for less than 10 s gives its place to the
    next one, and one that begins in the last 10 s is left out."""
    wanted: list[tuple[Fraction, str]] = []
    for span in sheet.music:
        at, words = Fraction(int(span.begin_s)), span.cue.words
        if not wanted:
            wanted = [(Fraction(0), BEFORE), (at, words)] if at >= LEAST_S else [(Fraction(0), words)]
        elif at - wanted[-1][0] < LEAST_S:
            wanted[-1] = wanted[-1][0], words
        else:
            wanted.append((at, words))
    if len(wanted) > 1 and sheet.end_s - wanted[-1][0] < LEAST_S:
        wanted.pop()
    return wanted or [(Fraction(0), BEFORE)]


def credits(spans: list[Span]) -> list[str]:
    """One line for each track, in the order of play."""
    lines: dict[str, str] = {}
    for span in spans:
        lines.setdefault(span.cue.track, _plain(credit(span)))
    return list(lines.values())


def credit(span: Span) -> str:
    """The words that the track's maker asks for, else title, artist and licence."""
    cue = span.cue
    if cue.attribution:
        return cue.attribution
    by = f" by {cue.artist}" if cue.artist else ""
    return f'"{cue.title or cue.track}"{by} ({cue.licence or "licence unknown"})'


def _plain(text: str) -> str:
    return one_line(text).replace("<", "‹").replace(">", "›")


def _fitted(lines: list[str]) -> str:
    kept, left_out, more = list(lines), 0, ""
    length = sum(len(line) + 1 for line in kept)
    while length + len(more) > CHARACTERS:
        length -= len(kept.pop()) + 1
        left_out += 1
        more = f"and {left_out} more\n"
    return "\n".join([*kept, more])
