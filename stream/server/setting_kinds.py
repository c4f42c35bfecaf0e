"""The kinds of values that settings have: what is one, and how flags and files say it."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.obs.address import parse_address
from stream.obs.errors import ObsError
from stream.obs.rules import WHAT as SCENE_RULES
from stream.obs.rules import parse_rules

from .now_text import FIELDS, MOVING, check_format
from .origin import origin_of

TOKEN_CHARACTERS: Final = 16  # at least; shorter tokens can be guessed
MAX_SIZES: Final = 16
MAX_ROWS: Final = 1024


@dataclass(frozen=True)
class Kind:
    """The values of a setting. ``of_text`` takes a flag's text, ``of_toml`` a file's value and the file's folder; both
    raise ValueError for a value that is not ``what``."""

    what: str
    of_text: Callable[[str], Any]
    of_toml: Callable[[Any, Path], Any]
    many: bool = False
    switch: bool = False


def _check_type(value: Any, *types: type) -> Any:
    """The value if it is of these types; a TOML boolean is no number. Raises ValueError for others."""
    if type(value) not in types:
        raise ValueError
    return value


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError
    return value


def integer(low: int, high: int | None = None) -> Kind:
    top = high if high is not None else 2**31
    what = f"a whole number of {low} or more" if high is None else f"a whole number from {low} to {high}"
    return Kind(
        what,
        lambda text: int(_within(int(text), low, top)),
        lambda value, _: int(_within(_check_type(value, int), low, top)),
    )


def number(low: float, high: float) -> Kind:
    return Kind(
        f"a number from {low:g} to {high:g}",
        lambda text: _within(float(text), low, high),
        lambda value, _: _within(float(_check_type(value, int, float)), low, high),
    )


def choice(*words: str) -> Kind:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(f"one of {', '.join(words)}", check, lambda value, _: check(_check_type(value, str)))


def checked(what: str, check: Callable[[str], Any]) -> Kind:
    return Kind(what, check, lambda value, _: check(_check_type(value, str)))


def _non_empty(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError
    return text


def _token(text: str) -> str:
    if not re.fullmatch(rf"[!-~]{{{TOKEN_CHARACTERS},}}", text):
        raise ValueError
    return text


def _url(text: str) -> str:
    """An http(s) origin, as browsers write it."""
    if (origin := origin_of(text.rstrip("/"))) is None:
        raise ValueError
    return str(origin)


def _obs(text: str) -> str:
    try:
        parse_address(text)
    except ObsError:
        raise ValueError from None
    return text


def _ports(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError
    return int(match[1]), int(match[2])


SECONDS: Final = number(0, 1e9)
TEXT: Final = checked("text that is not empty", _non_empty)
PATH: Final = Kind(
    "a path",
    lambda text: Path(_non_empty(text)),
    lambda value, folder: folder / Path(_non_empty(_check_type(value, str))).expanduser(),
)
PATHS: Final = Kind(
    "a list of paths",
    PATH.of_text,
    lambda value, folder: [PATH.of_toml(item, folder) for item in _check_type(value, list)],
    many=True,
)
TOKEN: Final = checked(f"at least {TOKEN_CHARACTERS} ASCII characters without spaces", _token)
STILL: Final = tuple(name for name in FIELDS if name not in MOVING)
NOW: Final = checked(
    f"a text with any of {', '.join(f'{{{name}}}' for name in STILL)}",
    lambda text: check_format(_non_empty(text), STILL),
)
URL: Final = checked("an http or https address without a path", _url)
PORTS: Final = checked("a range of ports, FIRST-LAST", _ports)
OBS: Final = checked("the address of OBS's websocket, as in ws://127.0.0.1:4455", _obs)
SWITCH: Final = Kind(
    "true or false", lambda text: text == "true", lambda value, _: _check_type(value, bool), switch=True
)


def rows_of(text: str) -> tuple[int, ...]:
    """Batch sizes: rising, few, and not so large that one batch could fill a GPU's memory. Raises ValueError for
    others."""
    sizes = tuple(int(part) for part in text.split(","))
    if len(sizes) > MAX_SIZES or sizes[0] < 1 or sizes[-1] > MAX_ROWS or sorted(set(sizes)) != list(sizes):
        raise ValueError
    return sizes


ROWS: Final = checked(
    f"rising numbers of rows, at most {MAX_SIZES} of them and none above {MAX_ROWS}, as in 1,4,16",
    lambda text: ",".join(map(str, rows_of(text))),
)


def several(what: str, check: Callable[[str], str]) -> Kind:
    return Kind(
        what, check, lambda value, _: [check(_check_type(item, str)) for item in _check_type(value, list)], many=True
    )


def _scene_rules(tables: Any) -> dict[str, dict[str, Any]]:
    parse_rules(tables)
    return {name: dict(table) for name, table in tables.items()}


def _no_text(_: str) -> Any:
    raise ValueError


SCENES: Final = Kind(SCENE_RULES, _no_text, lambda value, _: _scene_rules(value))
ORIGINS: Final = several("a list of texts", lambda text: _non_empty(text.rstrip("/")))
TEXTS: Final = several("a list of texts", _non_empty)
NETWORKS: Final = several("a list of networks, as in 10.0.0.0/8", lambda text: str(ipaddress.ip_network(text)))
ADDRESSES: Final = several("a list of IP addresses", lambda text: str(ipaddress.ip_address(text)))
