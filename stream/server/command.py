"""``segue serve``."""

import argparse
import contextlib
import ipaddress
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stream.sources.ports import PortRange
from stream.sources.webrtc import PeerOptions

from .app import ServeOptions, serve
from .hub import HubOptions
from .whip import WhipOptions


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue serve", description="Take live video (WHIP, or the page's camera) and publish suggestions."
    )
    arguments.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    add_server_arguments(arguments)
    return arguments


def add_server_arguments(arguments: argparse.ArgumentParser) -> None:
    """What ``serve`` and ``demo`` have in common."""
    default = ServeOptions(Path())
    arguments.add_argument("--host", default=default.host, help="address to listen on (%(default)s)")
    arguments.add_argument("--port", type=port, default=default.port, help="port, 0 for any free one (%(default)s)")
    arguments.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    arguments.add_argument(
        "--max-sessions", type=positive, default=default.hub.max_sessions, metavar="N", help="live inputs (%(default)s)"
    )
    arguments.add_argument(
        "--threads", type=positive, default=default.threads, metavar="N", help="threads of the engine (%(default)s)"
    )
    arguments.add_argument(
        "--grace",
        type=seconds,
        default=default.hub.grace_s,
        metavar="S",
        help="wait for a lost publisher (%(default)s)",
    )
    arguments.add_argument(
        "--max-late-ms",
        type=seconds,
        default=default.hub.late_ms,
        metavar="MS",
        help="refuse publishers while messages are later than this; 0 never (%(default)s)",
    )
    arguments.add_argument(
        "--max-session",
        type=seconds,
        default=default.hub.max_session_s,
        metavar="S",
        help="end of any session; 0 none (%(default)s)",
    )
    arguments.add_argument("--udp-ports", type=port_range, metavar="LOW-HIGH", help="of WebRTC (default: any)")
    arguments.add_argument(
        "--announce",
        action="append",
        default=[],
        type=address,
        metavar="ADDRESS",
        help="address by which publishers reach this machine from outside; repeatable",
    )
    arguments.add_argument(
        "--ice-server", action="append", default=[], metavar="URL", help="stun: or turn: server told to publishers"
    )
    arguments.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="let pages of this origin in; repeatable",
    )


def serve_options(asked: argparse.Namespace, catalog: Path) -> ServeOptions:
    return ServeOptions(
        catalog=catalog,
        bundle=asked.bundle,
        host=asked.host,
        port=asked.port,
        threads=asked.threads,
        origins=tuple(origin.rstrip("/") for origin in asked.allow_origin),
        hub=HubOptions(
            max_sessions=asked.max_sessions,
            grace_s=asked.grace,
            late_ms=asked.max_late_ms,
            max_session_s=asked.max_session,
            peer=PeerOptions(announced=tuple(asked.announce)),
        ),
        whip=WhipOptions(ice_servers=tuple(asked.ice_server)),
        udp_ports=asked.udp_ports,
    )


def main(argv: Sequence[str]) -> int:
    asked = parser().parse_args(argv)

    def ready(url: str) -> None:
        say(f"segue serve: {url} is the page, {url}whip takes streams; Ctrl-C stops")

    return until_interrupted(serve_options(asked, asked.catalog), ready)


def until_interrupted(options: ServeOptions, ready: Callable[[str], None]) -> int:
    """Serve; Ctrl-C is the normal way to end."""
    with contextlib.suppress(KeyboardInterrupt):
        serve(options, ready)
    return 0


def say(text: str) -> None:
    """One line, at once, whoever reads it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return number


def seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def port_range(text: str) -> PortRange:
    low, dash, high = text.partition("-")
    if not dash or not 1 <= int(low) <= int(high) <= 65535:
        raise argparse.ArgumentTypeError("must be two ports, as in 50000-50100")
    return PortRange(int(low), int(high))


def address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
