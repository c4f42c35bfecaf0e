"""Recordings made once, of every kind of input (``make_kept.py``), still come out as they did.

On a processor like the one that made them, bit for bit. On another the networks' last digits may differ: there every
list has the same tracks in the same order, and scores agree to six digits.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.catalog import Catalog
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.core.events import Accepted, Cut, End, Notice, Refused, Reset, Scene, Suggestions
from stream.driver.runtime import Runtime
from stream.recording.format import Reader
from stream.recording.player import replay

HERE = Path(__file__).parent
KEPT = HERE / "kept"
HOLDS: dict[str, tuple[type[Notice], ...]] = {
    "commands": (Suggestions, Accepted, Refused, Scene, End),
    "file": (Suggestions, Cut, Scene, End),
    "paced": (Suggestions, Scene, End),
    "resets": (Suggestions, Reset, End),
    "whip": (Suggestions, End),
}


def beside(path: Path) -> Any:
    """A module of the tests, which are not packages."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_for_kept", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    """The tunes that the recordings were made with."""
    made: Path = beside(HERE.parent / "server" / "serving.py").make_catalog(
        tmp_path_factory.mktemp("kept"), tiny_bundle
    )
    return made


@pytest.fixture(scope="module")
def played(library: Path, tiny_bundle: Path) -> Callable[[str], Any]:
    """``played(name)`` -> the outcome and what was published."""

    def run(name: str) -> Any:
        bundle, said = load_bundle(tiny_bundle, FEATURES), list[Notice]()
        engine = OnnxEngine(bundle)
        with Catalog.open(library, bundle) as catalog, Reader(KEPT / f"{name}.seguerec") as reader:
            outcome = replay(reader, Runtime(engine, catalog), said.append)
        engine.close()
        return outcome, said

    return run


def test_every_kind_is_there() -> None:
    assert sorted(path.stem for path in KEPT.glob("*.seguerec")) == sorted(HOLDS)


@pytest.mark.parametrize("name", sorted(HOLDS))
def test_it_comes_out_as_it_did(name: str, played: Callable[[str], Any]) -> None:
    outcome, said = played(name)
    assert outcome.ending is None and outcome.lists >= 8 and outcome.answers >= 3 * outcome.lists
    assert {type(notice) for notice in said} >= set(HOLDS[name]) and isinstance(said[-1], End)
    assert (outcome.moved, outcome.loose) == (0, False) and outcome.gap < 1e-6, outcome.first
    if beside(HERE / "make_kept.py").machine() == json.loads((KEPT / "machine.json").read_text()):
        assert outcome.first is None
