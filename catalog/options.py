"""Options of every command that opens a catalogue to search it."""

import argparse
from typing import Final

from .gpu_search import AUTO_ROWS, DEVICES

SEARCH_HELP: Final = f"where segments are searched; auto: on a GPU from {AUTO_ROWS} segments"


def add_search_device(parser: argparse.ArgumentParser) -> None:
    """``--search-device``, whose value ``Catalog.open`` takes."""
    parser.add_argument(
        "--search-device",
        choices=DEVICES,
        default="cpu",
        help=f"{SEARCH_HELP} (default cpu)",
    )
