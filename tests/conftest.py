"""Fixtures that several folders' tests share."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import few_threads  # noqa: F401 - first
import needs
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from random_inputs import random_inputs

from engines.bundle import Bundle, load_bundle
from features.spec import FEATURES

Draw = Callable[..., dict[str, NDArray[Any]]]
Writer = Callable[..., Path]


def _load(name: str) -> ModuleType:
    """A file beside this one; tests are not packages, so a plain import would not find it."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.needs("ffmpeg")``, and a place behind the browsers for whatever runs beside them."""
    needs.all_of(item.iter_markers("needs"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        from shares import give_way

        give_way(item.nodeid)


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of ``--dist loadfile``."""
    if config.getvalue("dist") != "loadfile":
        return None
    from shares import Shares

    return Shares(config, log)


@pytest.fixture(autouse=True, scope="module")
def ordinary_priority() -> Iterator[None]:
    """Some encoders make their caller a real-time thread, and every process that it starts then starves the rest."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER, "this module's tests have made the thread a real-time one"


@pytest.fixture(scope="session")
def write_tiny_bundle() -> Callable[..., Path]:
    """``write_tiny_bundle(folder, name="tiny", seed=0, two_towers=False, without=())``: another bundle of one's own,
    free to be damaged."""
    function: Callable[..., Path] = _load("tiny_bundle").write_tiny_bundle
    return function


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Path]) -> Path:
    """Folder of a valid bundle with all six graphs (C = 16, E = 32). Shared: do not change it."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def pulse(duration_s: float, rate_hz: int, bpm: float, seed: int) -> NDArray[np.float32]:
    """A soft chord with a noise burst on every beat, the first at 0.25 s."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(duration_s * rate_hz)) / rate_hz
    sound = 0.05 * sum(np.sin(2 * np.pi * f * t) for f in rng.uniform(150, 900, 3))
    for beat_s in np.arange(0.25, duration_s - 0.05, 60 / bpm):
        at = int(beat_s * rate_hz)
        burst = rng.normal(size=int(0.04 * rate_hz)) * np.exp(-np.linspace(0, 6, int(0.04 * rate_hz)))
        sound[at : at + len(burst)] += 0.4 * burst[: len(sound) - at]
    return np.clip(sound, -1, 1).astype(np.float32)


@pytest.fixture(scope="session")
def write_music() -> Writer:
    """``write_music(path, duration_s=6, bpm=120, seed=0, rate_hz=22_050, channels=2)`` -> path; the format by name."""

    def write(
        path: Path, duration_s: float = 6, bpm: float = 120, seed: int = 0, rate_hz: int = 22_050, channels: int = 2
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = pulse(duration_s, rate_hz, bpm, seed)
        kind = {"wav": "WAV", "ogg": "OGG", "flac": "FLAC", "mp3": "MP3"}[path.suffix[1:]]
        with path.open("wb") as file:
            soundfile.write(file, np.repeat(sound[:, None], channels, axis=1), rate_hz, format=kind)
        return path

    return write


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    """The tiny bundle, loaded. Shared: do not change its folder."""
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """``draw(bundle, graph, rows, seed=0)``: random valid input, masks with the valid clips first."""

    def make(bundle: Bundle, graph: str, rows: int, seed: int = 0) -> dict[str, NDArray[Any]]:
        return random_inputs(bundle.spec(graph), rows, seed)

    return make
