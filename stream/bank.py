"""``segue bank VIDEO ... --bundle FOLDER``: what a bundle's towers say of real footage, kept in the bundle.

Each video goes through the live path as fast as it can. A few vectors of each video are kept: numbers only, from which
no picture can be made. A bundle with another bank is another bundle: catalogues have to be indexed again.
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
ALIKE: Final = 0.02  # least deviation of the cosines of a bank's windows; below it the bank is of no use


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue bank",
        description="Keep in a bundle what its towers say of real footage, so that no music is near to everything. "
        f"Some ten videos or more, of any kind; at most {PER_VIDEO} windows of each count.",
    )
    arguments.add_argument("videos", metavar="VIDEO", nargs="+", help="video files")
    arguments.add_argument(
        "--bundle", type=Path, required=True, help="the bundle that gets the bank; it is changed in place"
    )
    return arguments


def main(argv: Sequence[str]) -> int:
    """Measure and write the bank. Videos that cannot be read are named on standard error and left out."""
    options = parser().parse_args(argv)
    bundle = load_bundle(options.bundle, FEATURES)
    engine = OnnxEngine(bundle, 1)
    vectors: list[np.ndarray] = []
    used = 0
    videos: dict[Path, str] = {}
    for video in options.videos:
        videos.setdefault(Path(video).resolve(), video)
    try:
        for video in list(videos.values())[: banks.MOST // PER_VIDEO]:
            try:
                queries = windows_of(video, engine)
            except (StreamError, FeatureError) as error:
                sys.stderr.write(f"segue bank: passed over: {error}\n")
                continue
            used += 1
            vectors += queries
            sys.stderr.write(f"segue bank: {video}: {len(queries)} windows\n")
        if len(vectors) < banks.LEAST:
            raise StreamError(
                f"{used} videos have {len(vectors)} windows, a bank needs {banks.LEAST}; give more of them, each once"
            )
        if np.std(np.stack(vectors) @ np.stack(vectors).T) < ALIKE:
            raise StreamError(f"{used} videos all look the same to this bundle; give videos of several kinds")
        bank = bank_of(np.stack(vectors), engine)
    finally:
        engine.close()
    identity = write_bank(bank, used, bundle)
    sys.stdout.write(f"{options.bundle}: a bank of {len(bank)} windows of {used} videos; it is bundle {identity} now\n")
    return 0


def windows_of(video: str, engine: "Engine") -> list[np.ndarray]:
    """Vectors (E,) of a few windows of a video, in order of time; the last one of a video shorter than ``FIRST_S``."""
    log = QueryLog(FIRST_S + (PER_VIDEO - 1) * EVERY_S)
    with Pull(video) as pull, suppress(Enough):
        watch_fast(pull, Runtime(engine, log), SessionOptions(), Sinks())
    return log.queries[FIRST_S - 1 :: EVERY_S][:PER_VIDEO] or log.queries[-1:]


def bank_of(queries: np.ndarray, engine: "Engine") -> Bank:
    """The bank of these vectors (n, E)."""
    mood = engine.bundle.graphs.mood
    if mood is None:
        return Bank(queries)
    return Bank(queries, engine.run(mood.name, dict.fromkeys(mood.inputs, queries))[mood.output])


def write_bank(bank: Bank, videos: int, bundle: Bundle) -> str:
    """Write the bank into its bundle, and return the bundle's new identity. Whatever happens, either the old bank or
    the new one is there. Raises ``StreamError`` where it cannot be written."""
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


class Enough(Exception):  # noqa: N818 - it ends a film and is no error
    """The rest of a video is not needed."""


class QueryLog:
    """An empty library that keeps the queries it gets; with the query number ``most`` it raises `Enough`."""

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
