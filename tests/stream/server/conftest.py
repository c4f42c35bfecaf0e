"""Fixtures of the server's tests: a catalogue made once, a server a module, and offers to post."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


def _beside(name: str) -> Any:
    """A module beside this file; tests are not packages, so a plain import would not find it."""
    full = f"{name}_for_tests"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module  # dataclasses look it up
        spec.loader.exec_module(module)
    return sys.modules[full]


def _serving() -> Any:
    return _beside("serving")


@pytest.fixture(scope="session")
def ingesting() -> Any:
    """The fake hub, a server for it, and what to send: see ``ingesting.py``."""
    return _beside("ingesting")


@pytest.fixture(scope="session")
def excerpting() -> Any:
    """A signal in which every place is told from every other, in many encodings: see ``excerpting.py``."""
    return _beside("excerpting")


@pytest.fixture(scope="session")
def playing() -> Any:
    """A session with a list and a player, without pictures: see ``playing.py``."""
    return _beside("playing")


@pytest.fixture
def stage(playing: Any, fake_runtime: Callable[..., Any]) -> Callable[..., Any]:
    """``stage(rows=5, key="studio")``: a session and what its player was asked for."""
    return lambda **options: playing.Stage(fake_runtime().model, **options)


@pytest.fixture(scope="session")
def small_catalog(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    made: Path = _serving().shared_catalog(tmp_path_factory, tiny_bundle)
    return made


@pytest.fixture
def own_catalog(tmp_path: Path, tiny_bundle: Path) -> Path:
    """One whose music may be changed."""
    made: Path = _serving().make_catalog(tmp_path / "library", tiny_bundle, 6.0)
    return made


@pytest.fixture(scope="session")
def serving(small_catalog: Path, tiny_bundle: Path) -> Callable[..., Any]:
    """``serving(catalog=small_catalog, **options)``: a context manager with a server's ``url`` and ``hub``."""
    return lambda catalog=small_catalog, **options: _serving().serving(catalog, tiny_bundle, **options)


@pytest.fixture(scope="module")
def server(serving: Callable[..., Any]) -> Iterator[Any]:
    """A server with the default options, for a whole module."""
    with serving() as running:
        yield running


@pytest.fixture
def client(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10) as session:
        yield session


@pytest.fixture(scope="session")
def offer() -> str:
    """A valid offer of VP8 from nobody: it is answered and never connects."""
    text: str = _serving().OFFER
    return text
