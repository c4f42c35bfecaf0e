"""What a check of ``segue doctor`` is asked and finds."""

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engines.choose import EngineOptions

OK: Final = "ok"
ABSENT: Final = "absent"
BROKEN: Final = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: ok, absent (not needed) or broken (the main job cannot run); ``text`` says why; ``data``: figures for
    programs."""

    part: str
    state: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """``limit_s``: how long one engine may take. ``bundle`` None: the one that ships; ``index`` None: none is to be
    reached."""

    limit_s: float = 10.0
    bundle: Path | None = None
    engines: EngineOptions = field(default_factory=EngineOptions)
    index: str | None = None  # a name or an address


Check = Callable[[CheckOptions], Iterator[Finding]]


def installed(name: str) -> str | None:
    """The version of a distribution, or None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
