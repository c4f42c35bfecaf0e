"""The core is importable, and stays free of clocks, loops, sockets and decoders, in a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_importing_the_core_pulls_in_no_input_or_output() -> None:
    script = (
        "import sys; import stream.core.session, stream.core.commands; "
        "print(*(name for name in ('asyncio', 'av', 'aiortc', 'fastapi', 'faiss', 'onnxruntime', 'torch', 'librosa', "
        "'sqlite3', 'stream.driver.live', 'catalog.catalog', 'engines.base', 'features.frame') if name in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []
