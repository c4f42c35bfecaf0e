"""Options of every command that opens a catalogue to search it."""

import argparse

from .gpu_search import AUTO_ROWS, DEVICES


def add_search_device(parser: argparse.ArgumentParser) -> None:
    """``--search-device``, whose value ``Catalog.open`` takes."""
    parser.add_argument(
        "--search-device",
        choices=DEVICES,
        default="cpu",
        help=f"where segments are searched; auto: on a GPU from {AUTO_ROWS} segments (default cpu)",
    )
