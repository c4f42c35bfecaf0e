"""``segue serve``."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from .action_token import with_action_token
from .actions import NAMES
from .address import named
from .assemble import options_of
from .config import Values, add_flags, as_toml, from_environment, from_flags, merge, read_file
from .errors import ServeError
from .options import ServeOptions
from .process import serve

EXAMPLES: Final = {"take": "n=1&", "pin": "n=1&", "duck": "on=1&", "auto": "on=1&", "kit": "name=NAME&"}
NOT_OF_DEMO: Final = ("catalog", "workers", "worker_ports", "record", "record_pictures", "record_limit", "watch")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue serve",
        description="Take live video (WHIP, or the page's camera) and publish suggestions.",
        epilog="Every flag can stand in the file of --config; docs/OPERATIONS.md says more.",
    )
    arguments.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML; flags win over them")
    arguments.add_argument("--print-config", action="store_true", help="print the settings in effect and exit")
    arguments.add_argument(
        "--print-actions",
        nargs="?",
        const="",
        metavar="KEY",
        help="print the addresses that do something when a key calls them, for the stream KEY (default: the newest), "
        "and exit; they hold the action token",
    )
    add_flags(arguments)
    return arguments


def add_server_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the flags that ``demo`` has in common with ``serve``."""
    add_flags(arguments, without=NOT_OF_DEMO)


def serve_options(arguments: argparse.Namespace, catalog: Path) -> ServeOptions:
    """The options from flags and environment alone. Raises `ServeError`."""
    return options_of(merge(from_flags(arguments), from_environment(os.environ)) | {"catalog": catalog})


def settings(arguments: argparse.Namespace) -> Values:
    """Flags before the environment before the file. Raises `ServeError`."""
    file = {} if arguments.config is None else read_file(arguments.config)
    return merge(from_flags(arguments), from_environment(os.environ), file)


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    values = settings(arguments)
    if arguments.print_config:
        sys.stdout.write(as_toml(values))
        return 0

    if arguments.print_actions is not None:
        sys.stdout.write(action_addresses(options_of(values), arguments.print_actions))
        return 0

    def ready(url: str) -> None:
        for address in options.listen.addresses:
            say(f"segue serve: {address.text} takes a stream, key {address.key}")
        say(f"segue serve: {url} is the page, {url}whip takes streams; Ctrl-C stops")

    options = options_of(values)
    return until_interrupted(options, ready)


def action_addresses(options: ServeOptions, key: str) -> str:
    """A line for each action: an address that does it when it is called. Raises `ServeError` without a token."""
    token = with_action_token(options).access.action
    if not token:
        raise ServeError(f"{options.catalog}: no action token can be kept there; give one with --action-token")
    scheme, name = "http" if options.tls is None else "https", named(options.host)
    base = options.public_url or f"{scheme}://{name}:{options.port}"
    query = urlencode({**({"key": key} if key else {}), "token": token})
    lines = [f"{base}/actions/{action}?{EXAMPLES.get(action, '')}{query}" for action in NAMES]
    return "\n".join(lines) + "\n"


def until_interrupted(options: ServeOptions, ready: Callable[[str], None]) -> int:
    """Serve; Ctrl-C is the normal way to end."""
    with contextlib.suppress(KeyboardInterrupt):
        serve(options, ready, lambda engine: say(f"segue: engine {engine}"))
    return 0


def say(text: str) -> None:
    """Print one line and flush it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
