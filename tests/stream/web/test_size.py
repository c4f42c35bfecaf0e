"""How large the page may become: all of its own code and style, as it is written."""

import re
from importlib import resources
from pathlib import Path

FOLDER = Path(str(resources.files("stream.web")))
MOST, OPENED = 197_900, 150_000  # bytes; see docs/PANEL.md


def sizes() -> dict[str, int]:
    return {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"}


def imported(name: str, found: set[str]) -> set[str]:
    """The scripts that a script needs before it runs, and itself."""
    if name not in found:
        found.add(name)
        for other in re.findall(
            r'^import [^;]+ from "\./(\w+\.js)";$', (FOLDER / name).read_text("utf-8"), re.MULTILINE
        ):
            imported(other, found)
    return found


def test_all_code_and_style_together_is_small() -> None:
    assert len(sizes()) > 40 and sum(sizes().values()) <= MOST, sizes()


def test_what_an_opened_page_loads_is_small() -> None:
    opened = {"index.html", "style.css", "early.js", "icon.svg"} | imported("main.js", set())
    assert len(opened) > 30 and sum(sizes()[name] for name in opened) <= OPENED, opened
