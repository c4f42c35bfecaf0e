"""The options beside ``--record``, the same for every command that has it."""

import argparse


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``--record``, which names a file or a folder."""
    parser.add_argument(
        "--record-pictures", action="store_true", help="keep the pictures as well, at 160x90 (default: features alone)"
    )
    parser.add_argument(
        "--record-limit",
        type=_mebibytes,
        default=1024,
        metavar="MIB",
        help="stop recording at this size of a file (%(default)s)",
    )


def _mebibytes(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
