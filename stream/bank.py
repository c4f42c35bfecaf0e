"""``segue bank VIDEO ... --bundle FOLDER``: what a bundle's towers say of real footage, kept in the bundle.

Each video goes through the live path, as fast as it goes; of what its windows are, a few vectors are kept, and numbers
only: no picture can be made of them. A bundle with another bank is another bundle: catalogues are indexed anew.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.index.base import SearchState
from engines import bank as banks
from engines.bank import Bank
from engines.bundle import MANIFEST, Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.errors import FeatureError
from features.spec import FEATURES
from stream.driver.runtime import Runtime
from stream.sources.pull.pull import Pull

from .core.session import SessionOptions
from .errors import StreamError
from .sinks.base import Sinks
from .watch import watch_fast

if TYPE_CHECKING:
    from catalog.records import Candidate, Filters
    from engines.base import Engine

FIRST_S: Final = 8  # into a video
EVERY_S: Final = 10
PER_VIDEO: Final = 4
ALIKE: Final = 0.02  # deviation of the cosines of a bank's windows, below which it tells nothing


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue bank",
        description="Keep in a bundle what its towers say of real footage, so that no music is near to everything. "
        f"Some ten videos or more, of any kind; at most {PER_VIDEO} windows of each count.",
    )
    arguments.add_argument("videos", metavar="VIDEO", nargs="+", help="video files")
    arguments.add_argument("--bundle", type=Path, required=True, help="the bundle that is given a bank, in its place")
    return arguments


def main(argv: Sequence[str]) -> int:
    """Measure and write; videos that cannot be read are told and passed over."""
    asked = parser().parse_args(argv)
    bundle = load_bundle(asked.bundle, FEATURES)
    engine = OnnxEngine(bundle, 1)
    found: list[np.ndarray] = []
    used = 0
    each: dict[Path, str] = {}
    for video in asked.videos:
        each.setdefault(Path(video).resolve(), video)
    try:
        for video in list(each.values())[: banks.MOST // PER_VIDEO]:
            try:
                queries = windows_of(video, engine)
            except (StreamError, FeatureError) as error:
                sys.stderr.write(f"segue bank: passed over: {error}\n")
                continue
            used += 1
            found += queries
            sys.stderr.write(f"segue bank: {video}: {len(queries)} windows\n")
        if len(found) < banks.LEAST:
            raise StreamError(
                f"{used} videos have {len(found)} windows, a bank needs {banks.LEAST}; give more of them, each once"
            )
        if np.std(np.stack(found) @ np.stack(found).T) < ALIKE:
            raise StreamError(f"{used} videos all look the same to this bundle; give videos of several kinds")
        bank = bank_of(np.stack(found), engine)
    finally:
        engine.close()
    identity = put(bank, used, bundle)
    sys.stdout.write(f"{asked.bundle}: a bank of {len(bank)} windows of {used} videos; it is bundle {identity} now\n")
    return 0


def windows_of(video: str, engine: "Engine") -> list[np.ndarray]:
    """Vectors (E,) of a few windows of a video, in time; of one that is shorter than ``FIRST_S`` its last."""
    asked = QueryLog(FIRST_S + (PER_VIDEO - 1) * EVERY_S)
    with Pull(video) as pull, suppress(Enough):
        watch_fast(pull, Runtime(engine, asked), SessionOptions(), Sinks())
    return asked.queries[FIRST_S - 1 :: EVERY_S][:PER_VIDEO] or asked.queries[-1:]


def bank_of(queries: np.ndarray, engine: "Engine") -> Bank:
    """Of vectors (n, E)."""
    mood = engine.bundle.graphs.mood
    if mood is None:
        return Bank(queries)
    return Bank(queries, engine.run(mood.name, dict.fromkeys(mood.inputs, queries))[mood.output])


def put(bank: Bank, videos: int, bundle: Bundle) -> str:
    """Write the bank into its bundle: there is either the old one or the new one, whatever happens. Returns the
    bundle's identity. Raises ``StreamError`` where it cannot be written."""
    data = banks.to_bytes(bank)
    digest = hashlib.sha256(data).hexdigest()
    name = f"bank-{digest[:8]}.npz"
    path = bundle.path / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    before = manifest.get("bank", {}).get("file")
    manifest["bank"] = {"file": name, "sha256": digest, "videos": videos}
    partial = path.with_name(f".{MANIFEST}.part")
    try:
        (bundle.path / name).write_bytes(data)
        partial.write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105
    except OSError as error:
        for left in (partial, *([] if before == name else [bundle.path / name])):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        raise StreamError(
            f"{bundle.path}: the bank cannot be written ({error.strerror}); make room, or mend its permissions"
        ) from error
    if before not in (None, name):
        with suppress(OSError):
            (bundle.path / before).unlink(missing_ok=True)
    return load_bundle(bundle.path, FEATURES).identity


class Enough(Exception):  # noqa: N818 - it ends a film, and is no error
    """The rest of a video is not needed."""


class QueryLog:
    """A library that has nothing and notes what it is asked for; from ``most`` on it raises `Enough`."""

    def __init__(self, most: int) -> None:
        self.queries: list[np.ndarray] = []
        self._most = most

    def search(
        self,
        query: np.ndarray,
        n: int,
        filters: "Filters",
        keep: frozenset[str] = frozenset(),
        lean: tuple[float, ...] = (),
    ) -> "list[Candidate]":
        self.queries.append(query)
        if len(self.queries) >= self._most:
            raise Enough
        return []

    def beats(self, id: str) -> np.ndarray:
        return np.empty(0, np.float32)

    @property
    def search_state(self) -> SearchState:
        return SearchState("cpu")
