"""A catalogue for benchmarks that need a server."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from catalog.cli import main as catalog_main


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    folder = tmp_path_factory.mktemp("music")
    rng = np.random.default_rng(4)
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", rng.normal(0, 0.1, 16_000 * 5), 16_000)
    target = folder / "catalogue"
    assert catalog_main("index", [str(folder), "-c", str(target), "--bundle", str(tiny_bundle), "--jobs", "1"]) == 0
    return target
