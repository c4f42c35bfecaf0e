"""Every route that a server has, read from the application itself: one that is added is attacked as well."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from benchmarks.errors import BenchError
from stream.server.app import create_app
from stream.server.options import ServeOptions
from stream.server.parts import open_parts
from stream.server.pulls import PullOptions

WEBSOCKET: Final = "WEBSOCKET"
PARAMETER: Final = re.compile(r"\{[^}]+\}")


@dataclass(frozen=True, order=True)
class Route:
    """``path`` with its parameters in braces; ``method``: of HTTP, or `WEBSOCKET`."""

    path: str
    method: str

    @property
    def parameters(self) -> list[str]:
        return PARAMETER.findall(self.path)

    def filled(self, text: str, others: str = "x") -> list[str]:
        """The path once for each of its parameters, with ``text`` there and ``others`` in the other ones; as it is
        where it has none."""
        around = [self.path.split(name) for name in self.parameters]
        return [text.join(PARAMETER.sub(others, part) for part in parts) for parts in around] or [self.path]


def routes_of(app: FastAPI) -> list[Route]:
    """All of them, those of included routers and of mounted applications too.

    Raises `BenchError` for an entry of a kind that is not known, so that none is left out unseen.
    """
    return sorted({*_walk(app.routes, "")})


def _walk(routes: Iterable[Any], prefix: str) -> Iterator[Route]:
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:  # how FastAPI keeps an included router
            yield from _walk(inner.routes, prefix + str(getattr(route.include_context, "prefix", "")))
            continue
        path = getattr(route, "path", None)
        if path is None:
            raise BenchError(f"a route of the kind {type(route).__name__} is not known to the faults: teach routes.py")
        if methods := getattr(route, "methods", None):
            yield from (Route(prefix + path, method) for method in methods)
        elif hasattr(route, "app") and hasattr(route, "endpoint"):
            yield Route(prefix + path, WEBSOCKET)
        else:  # something mounted, a folder of files perhaps: whatever stands behind its path is asked for
            yield Route(f"{prefix}{path}/{{rest}}", "GET")


def served_routes(catalog: Path) -> list[Route]:
    """Those of ``segue serve``. Raises the errors of bundles and catalogues."""
    options = ServeOptions(catalog, pull=PullOptions(allowed=True))
    with open_parts(options) as parts:
        return routes_of(create_app(parts, options))
