"""Options of every command that opens a catalogue to search it."""

import argparse
from typing import Final

from .gain import TARGET_LUFS
from .index.gpu import AUTO_ROWS, DEVICES
from .index.names import DEFAULT, PASSWORD

SEARCH_HELP: Final = f"where segments are searched; auto: on a GPU from {AUTO_ROWS} segments"


INDEX_HELP: Final = (
    "what searches segments: an index's name, or the address of a server, as in milvus://HOST/NAME or "
    f"postgres://USER@HOST/DATABASE; a password better in {PASSWORD} than in the address"
)
LOUDNESS_HELP: Final = (
    f"loudness that suggestions' gains bring tracks to, LUFS (default: {TARGET_LUFS:g}, less where peaks forbid it)"
)
LOUDNESS: Final = (-40.0, -5.0)


def add_loudness(parser: argparse.ArgumentParser) -> None:
    """``--loudness``, whose value ``Catalog.open`` takes as ``target_lufs``."""
    parser.add_argument("--loudness", type=_loudness, metavar="LUFS", help=LOUDNESS_HELP)


def _loudness(text: str) -> float:
    low, high = LOUDNESS
    value = float(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text}: give a loudness from {low:g} to {high:g} LUFS")
    return value


def add_index(parser: argparse.ArgumentParser) -> None:
    """``--index``, whose value ``Catalog.open`` takes."""
    parser.add_argument("--index", default=DEFAULT, metavar="NAME", help=f"{INDEX_HELP} (default {DEFAULT})")


def add_search_device(parser: argparse.ArgumentParser) -> None:
    """``--search-device``, whose value ``Catalog.open`` takes."""
    parser.add_argument(
        "--search-device",
        choices=DEVICES,
        default="cpu",
        help=f"{SEARCH_HELP} (default cpu)",
    )


def add_dask(parser: argparse.ArgumentParser) -> None:
    """``--dask``, whose value ``dask_pool.on_cluster`` takes."""
    parser.add_argument(
        "--dask",
        metavar="tcp://SCHEDULER:8786",
        help="analyse on the workers of this Dask cluster instead of here (--jobs does not count); they must see MUSIC "
        "under the same path",
    )
