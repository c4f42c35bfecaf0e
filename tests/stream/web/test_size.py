"""How large the page may become: all of its own code and style, as it is written."""

from importlib import resources
from pathlib import Path

MOST = 200_000  # bytes; see docs/PANEL.md


def test_all_code_and_style_together_is_small() -> None:
    files = [path for path in Path(str(resources.files("stream.web"))).iterdir() if path.is_file()]
    sizes = {path.name: path.stat().st_size for path in files if path.suffix != ".py"}
    assert len(sizes) > 40 and sum(sizes.values()) <= MOST, sizes
