"""Pages of a mapped file: mapped at once where the system can, and nothing changes where it cannot."""

import sys
from pathlib import Path

import numpy as np
import pytest

from catalog.index.compact_pages import map_pages


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux maps pages so")
def test_reading_faults_no_more(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "rows").write_bytes(bytes(1000) + bytes(range(256)) * 16 * 2000)
    memory = np.asarray(np.memmap(tmp_path / "rows", np.uint8, "r", offset=1000))
    if not map_pages(memory):
        pytest.skip("Linux before 5.14")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    total = int(memory[::4096].astype(np.int64).sum())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 100  # of 2,000 pages
    assert total == int(memory[0]) * 2000


def test_nothing_to_map_and_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not map_pages(np.zeros(0, np.uint8))
    monkeypatch.setattr(sys, "platform", "win32")
    assert not map_pages(np.zeros(10, np.uint8))
