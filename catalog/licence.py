"""Licences: one spelling for those of Creative Commons, and which licences a filter matches.

The spelling is SPDX's (https://spdx.org/licenses), without the country that old versions were ported to: CC-BY-SA-3.0,
CC0-1.0; CC-BY where no version is given; CC-PDM-1.0 for Creative Commons' public domain mark, and ``public domain``
where a text says no more. Any other licence stays as it is spelled.
"""

import re
from functools import lru_cache

PUBLIC_DOMAIN = "public domain"
NON_COMMERCIAL, NO_DERIVATIVES, UNKNOWN = "NC", "ND", "licence unknown"  # what ``marks`` warns of
_ADDRESS = re.compile(r"creativecommons\.org/licen[cs]es/([a-z+-]+)(?:/(\d\.\d))?", re.IGNORECASE)
_ZERO_ADDRESS = re.compile(
    r"creativecommons\.org/(?:publicdomain|licen[cs]es)/(zero|mark)(?:/(\d\.\d))?", re.IGNORECASE
)
_VERSION = r"(?:[\s_-]*v?(?:ersion\s*)?(\d\.\d)\b)?"
_KINDS = r"((?:[\s_/-]*(?:BY|NC|ND|SA)\b)+)"
_SHORT = re.compile(rf"\bCC[\s_-]*(?=BY\b){_KINDS}{_VERSION}", re.IGNORECASE)
_ZERO = re.compile(rf"\b(?:CC[\s_-]*0|CC[\s_-]*zero|Creative\s+Commons\s+(?:Zero|0))\b(?:\s+universal)?{_VERSION}",
                   re.IGNORECASE)  # fmt: skip
_DUTIES = {
    "BY": "credit the author (BY)",
    "NC": "no commercial use (NC)",
    "ND": "no changed versions (ND)",
    "SA": "what is made from it comes under the same licence (SA)",
}
_CODES = ("BY", "NC", "ND", "SA")
_WORDS = {"attribution": "BY", "noncommercial": "NC", "noderivatives": "ND", "noderivs": "ND", "sharealike": "SA"}
_LONG = re.compile(
    r"\b(attribution(?:[\s,-]*(?:non-?\s?commercial|no-?\s?deriv(?:ative)?s(?:\s+works)?|share-?\s?alike))*)"
    rf"{_VERSION}",
    re.IGNORECASE,
)
_MARK = re.compile(rf"\bCC[\s_-]*PDM\b{_VERSION}", re.IGNORECASE)
_PUBLIC = re.compile(r"\bpublic[\s-]domain\b", re.IGNORECASE)
_NOT_PUBLIC = re.compile(r"\b(?:not|no|isn't|never|nor)\b[^.;]{0,20}\bpublic[\s-]domain\b", re.IGNORECASE)
# A line that says who owns a track, not what others may do with it.
_OWNED = re.compile(r"[^\w(©℗]*(?:©|℗|\([cp]\)|copyright\b|all rights reserved|\d{4}\b)", re.IGNORECASE)
# Words of somebody who does not know, or knows of none.
_UNSTATED = re.compile(
    r"\W*(?:(?:unknown|unclear|unspecified|none|not (?:known|stated|specified|given)|no|n/a|na|tbd)"
    r"(?: licen[cs]e)?)?\W*",
    re.IGNORECASE,
)
_NOT_COMMERCIAL = re.compile(r"\bnon[\s-]?commercial\b", re.IGNORECASE)
_VERSIONED = re.compile(r"(.+?)-\d+(?:\.\d+)*$")


def recognise(text: str) -> str:
    """The licence that ``text`` names, in its one spelling; empty where it names no licence that is known here."""
    if match := _ZERO_ADDRESS.search(text):
        return _spell("CC0" if match[1].casefold() == "zero" else "CC-PDM", match[2] or "1.0")
    if match := _ADDRESS.search(text):
        return _spell("CC-" + match[1].upper().strip("-"), match[2])
    if match := _SHORT.search(text):
        return _spell("CC-" + "-".join(code for code in _CODES if code in match[1].upper()), match[2])
    if match := _ZERO.search(text):
        return _spell("CC0", match[1] or "1.0")  # there is one version
    if match := _MARK.search(text):
        return _spell("CC-PDM", match[1] or "1.0")
    if "creative commons" in text.casefold() and (match := _LONG.search(text)):
        plain = re.sub(r"[\s,-]|works", "", match[1].casefold()).replace("noderivatives", "noderivs")
        return _spell("CC-" + "-".join(code for word, code in _WORDS.items() if word in plain), match[2])
    if _PUBLIC.search(text) and not _NOT_PUBLIC.search(text):
        return PUBLIC_DOMAIN
    return ""


@lru_cache(maxsize=1024)
def normalise(text: str) -> str:
    """``recognise(text)``, or ``text`` itself where that is empty."""
    return recognise(text) or text


def matches(requested: str, licence: str) -> bool:
    """Whether a filter on the licence ``requested`` passes a track of ``licence``, whatever the spelling and case.

    A filter without a version passes any version, so CC0 passes CC0-1.0; but CC-BY does not pass CC-BY-NC-4.0, which
    demands more.
    """
    name, own = _plain(requested), _plain(licence)
    return bool(own) and (name == own or (family(name) == name and family(own) == name))


def family(licence: str) -> str:
    """A licence without its version."""
    match = _VERSIONED.match(licence)
    return match[1] if match else licence


@lru_cache(maxsize=1024)
def marks(licence: str) -> tuple[str, ...]:
    """What to warn of: "NC" (no commercial use, so perhaps not in a stream that earns money), "ND" (no changed
    versions; whether music under a picture is one differs by country and by who is asked), "licence unknown" (none is
    stated, or only that it is not known, or who owns the track)."""
    name = normalise(licence)
    if _UNSTATED.fullmatch(name) or (name == licence and _OWNED.match(licence)):
        return (UNKNOWN,)
    codes = name.split("-") if name.startswith("CC-BY") else []
    found = [code for code in (NON_COMMERCIAL, NO_DERIVATIVES) if code in codes]
    return tuple(found) or ((NON_COMMERCIAL,) if not codes and _NOT_COMMERCIAL.search(licence) else ())


def duties(licence: str) -> tuple[str, ...]:
    """What a licence of Creative Commons asks for, in words; nothing for others."""
    name = normalise(licence)
    if not name.startswith("CC-BY"):
        return ()
    codes = name.split("-")
    return tuple(words for code, words in _DUTIES.items() if code in codes)


@lru_cache(maxsize=1024)
def address(licence: str) -> str:
    """Where the text of a licence of Creative Commons is, empty for another one, or without a version."""
    name = normalise(licence)
    version = name.rpartition("-")[2]
    if family(name) == name:
        return ""
    if name.startswith(("CC0-", "CC-PDM-")):
        return f"https://creativecommons.org/publicdomain/{'zero' if name.startswith('CC0') else 'mark'}/{version}/"
    if name.startswith("CC-BY"):
        return f"https://creativecommons.org/licenses/{family(name).removeprefix('CC-').lower()}/{version}/"
    return ""


@lru_cache(maxsize=1024)
def readable(licence: str) -> str:
    """A licence as people write it: CC BY-SA 4.0."""
    name = normalise(licence)
    if not name.startswith(("CC-", "CC0")):
        return licence
    kind, version = family(name), name.removeprefix(family(name)).removeprefix("-")
    plain = kind if kind.startswith("CC0") else "CC " + kind.removeprefix("CC-")
    return f"{plain} {version}".rstrip()


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return " ".join(normalise(text).casefold().split())


def _spell(kind: str, version: str | None) -> str:
    return f"{kind}-{version}" if version else kind
