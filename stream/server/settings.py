"""Every setting of ``segue serve``: one table, from which the flags, the file's keys and their checks are made.

A setting's name is its key in the file; with dashes it is its flag.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from catalog.arguments import INDEX_HELP, LOUDNESS, LOUDNESS_HELP, SEARCH_HELP
from catalog.index.address import shown_index
from catalog.index.gpu import DEVICES
from catalog.index.names import DEFAULT
from engines.arguments import HELP
from engines.choose import AUTO, NAMES
from engines.manifest import PRECISIONS
from stream.obs.address import ENVIRONMENT, parse_address
from stream.obs.deck_parts import DeckOptions
from stream.obs.errors import ObsError
from stream.obs.rules import WHAT as SCENE_RULES
from stream.obs.rules import parse_rules
from stream.sources.webrtc.peer import PeerOptions

from .access import AccessOptions
from .connections import LEAST
from .hub import HubOptions
from .logs import FORMATS, LEVELS, MASK
from .now_text import FIELDS, FORMAT, MOVING, check_format
from .obs_input import KEY as OBS_KEY
from .origin import origin_of

TOKENS: Final = ("publish_token", "view_token", "control_token", "action_token")
TOKEN_CHARACTERS: Final = 16  # at least; shorter tokens can be guessed
MAX_WORKERS: Final = 64
MAX_DRAIN_S: Final = 3600.0
MAX_SIZES: Final = 16
MAX_ROWS: Final = 1024


@dataclass(frozen=True)
class Kind:
    """The values of a setting. ``of_text`` takes a flag's text, ``of_toml`` a file's value and the file's folder; both
    raise ValueError for a value that is not ``what``."""

    what: str
    of_text: Callable[[str], Any]
    of_toml: Callable[[Any, Path], Any]
    many: bool = False
    switch: bool = False


@dataclass(frozen=True)
class Setting:
    """One setting. ``default`` None: not set. A ``secret`` is never printed. ``file_only``: no flag has it."""

    section: str
    name: str
    kind: Kind
    help: str
    default: Any = None
    metavar: str | None = None
    short: tuple[str, ...] = field(default=())
    secret: bool = False
    file_only: bool = False
    shown: Callable[[Any], Any] | None = None  # what to print of a value that may hold a secret

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"


def _check_type(value: Any, *types: type) -> Any:
    """The value if it is of these types; a TOML boolean is no number. Raises ValueError for others."""
    if type(value) not in types:
        raise ValueError
    return value


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError
    return value


def integer(low: int, high: int | None = None) -> Kind:
    top = high if high is not None else 2**31
    what = f"a whole number of {low} or more" if high is None else f"a whole number from {low} to {high}"
    return Kind(
        what,
        lambda text: int(_within(int(text), low, top)),
        lambda value, _: int(_within(_check_type(value, int), low, top)),
    )


def number(low: float, high: float) -> Kind:
    return Kind(
        f"a number from {low:g} to {high:g}",
        lambda text: _within(float(text), low, high),
        lambda value, _: _within(float(_check_type(value, int, float)), low, high),
    )


def choice(*words: str) -> Kind:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(f"one of {', '.join(words)}", check, lambda value, _: check(_check_type(value, str)))


def checked(what: str, check: Callable[[str], Any]) -> Kind:
    return Kind(what, check, lambda value, _: check(_check_type(value, str)))


def _non_empty(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError
    return text


def _token(text: str) -> str:
    if not re.fullmatch(rf"[!-~]{{{TOKEN_CHARACTERS},}}", text):
        raise ValueError
    return text


def _url(text: str) -> str:
    """An http(s) origin, as browsers write it."""
    if (origin := origin_of(text.rstrip("/"))) is None:
        raise ValueError
    return str(origin)


def _without_query(address: str) -> str:
    """An address whose query, which may hold a passphrase, is masked."""
    path, mark, _ = address.partition("?")
    return f"{path}{mark}{MASK if mark else ''}"


def _obs(text: str) -> str:
    try:
        parse_address(text)
    except ObsError:
        raise ValueError from None
    return text


def _ports(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError
    return int(match[1]), int(match[2])


SECONDS: Final = number(0, 1e9)
TEXT: Final = checked("text that is not empty", _non_empty)
PATH: Final = Kind(
    "a path",
    lambda text: Path(_non_empty(text)),
    lambda value, folder: folder / Path(_non_empty(_check_type(value, str))).expanduser(),
)
TOKEN: Final = checked(f"at least {TOKEN_CHARACTERS} ASCII characters without spaces", _token)
STILL: Final = tuple(name for name in FIELDS if name not in MOVING)
NOW: Final = checked(
    f"a text with any of {', '.join(f'{{{name}}}' for name in STILL)}",
    lambda text: check_format(_non_empty(text), STILL),
)
URL: Final = checked("an http or https address without a path", _url)
PORTS: Final = checked("a range of ports, FIRST-LAST", _ports)
OBS: Final = checked("the address of OBS's websocket, as in ws://127.0.0.1:4455", _obs)
SWITCH: Final = Kind(
    "true or false", lambda text: text == "true", lambda value, _: _check_type(value, bool), switch=True
)


def rows_of(text: str) -> tuple[int, ...]:
    """Batch sizes: rising, few, and not so large that one batch could fill a GPU's memory. Raises ValueError for
    others."""
    sizes = tuple(int(part) for part in text.split(","))
    if len(sizes) > MAX_SIZES or sizes[0] < 1 or sizes[-1] > MAX_ROWS or sorted(set(sizes)) != list(sizes):
        raise ValueError
    return sizes


ROWS: Final = checked(
    f"rising numbers of rows, at most {MAX_SIZES} of them and none above {MAX_ROWS}, as in 1,4,16",
    lambda text: ",".join(map(str, rows_of(text))),
)


def several(what: str, check: Callable[[str], str]) -> Kind:
    return Kind(
        what, check, lambda value, _: [check(_check_type(item, str)) for item in _check_type(value, list)], many=True
    )


def _scene_rules(tables: Any) -> dict[str, dict[str, Any]]:
    parse_rules(tables)
    return {name: dict(table) for name, table in tables.items()}


def _no_text(_: str) -> Any:
    raise ValueError


SCENES: Final = Kind(SCENE_RULES, _no_text, lambda value, _: _scene_rules(value))
ORIGINS: Final = several("a list of texts", lambda text: _non_empty(text.rstrip("/")))
TEXTS: Final = several("a list of texts", _non_empty)
NETWORKS: Final = several("a list of networks, as in 10.0.0.0/8", lambda text: str(ipaddress.ip_network(text)))
ADDRESSES: Final = several("a list of IP addresses", lambda text: str(ipaddress.ip_address(text)))


def _token_settings() -> list[Setting]:
    uses = {
        "publish": "to send streams",
        "view": "to watch",
        "control": "to send commands",
        "action": "in the addresses of actions (default: one that is kept in the catalogue's folder)",
    }
    settings = []
    for name in TOKENS:
        use = uses[name.removesuffix("_token")]
        text = f"token needed {use}; better in SEGUE_{name.upper()} or a file than on the command line"
        settings.append(Setting("access", name, TOKEN, text, metavar="TOKEN", secret=True))
        text = f"file with the {name.replace('_', ' ')}"
        settings.append(Setting("access", f"{name}_file", PATH, text, metavar="FILE"))
    return settings


SETTINGS: Final = (
    Setting("library", "catalog", PATH, "catalogue made by segue index", short=("-c",)),
    Setting("library", "loudness", number(*LOUDNESS), LOUDNESS_HELP, metavar="LUFS"),
    Setting("engine", "bundle", PATH, "bundle to run (default: the one that ships)"),
    Setting("engine", "engine", choice(*NAMES), HELP["engine"], AUTO),
    Setting("engine", "threads", integer(1), "threads of the engine on the CPU", 1, "N"),
    Setting("engine", "device", integer(0, 255), HELP["device"], 0, "N"),
    Setting("engine", "precision", choice(*PRECISIONS), HELP["precision"], PRECISIONS[0]),
    Setting("engine", "triton", TEXT, HELP["triton"], metavar="URL"),
    Setting("engine", "plans", PATH, HELP["plans"], metavar="FOLDER"),
    Setting("engine", "search_device", choice(*DEVICES), SEARCH_HELP, DEVICES[0]),
    Setting("engine", "index", TEXT, INDEX_HELP, DEFAULT, "NAME", secret=True, shown=shown_index),
    Setting("engine", "batch_sizes", ROWS, "rows that batches are padded to (default: 1,2,4,8,16,32)", metavar="N,N"),
    Setting("server", "host", TEXT, "address to listen on", "127.0.0.1"),
    Setting("server", "port", integer(0, 65535), "port, 0 for any free one", 8765),
    Setting("server", "public_url", URL, "address at which clients reach this very machine", metavar="URL"),
    Setting(
        "server",
        "max_connections",
        integer(LEAST),
        "open connections of each process (default: as many as --max-sessions and --max-viewers need)",
        metavar="N",
    ),
    Setting("server", "drain_s", number(0, MAX_DRAIN_S), "how long sessions may go on after SIGTERM", 20.0, "S"),
    Setting("server", "workers", integer(1, MAX_WORKERS), "processes, each with an engine of its own", 1, "N"),
    Setting("server", "worker_ports", PORTS, "the workers' own ports (default: those after --port)", metavar="A-B"),
    Setting(
        "sessions", "max_sessions", integer(1), "live inputs of each process", HubOptions().max_sessions, metavar="N"
    ),
    Setting("sessions", "max_viewers", integer(1), "viewers of each session", HubOptions().max_viewers, metavar="N"),
    Setting(
        "sessions", "grace", SECONDS, "how long to wait for a lost publisher with a key", HubOptions().grace_s, "S"
    ),
    Setting(
        "sessions",
        "max_late_ms",
        SECONDS,
        "refuse publishers while messages are later than this; 0 never",
        HubOptions().late_ms,
        "MS",
    ),
    Setting(
        "sessions",
        "max_session",
        SECONDS,
        "longest duration of a session; 0: no limit",
        HubOptions().max_session_s,
        "S",
    ),
    Setting(
        "sessions",
        "handshake_s",
        number(1, 600),
        "time for a publisher to connect",
        PeerOptions().handshake_timeout_s,
        "S",
    ),
    Setting(
        "sessions",
        "idle_s",
        number(1, 600),
        "time without a picture after which a publisher is closed",
        PeerOptions().idle_timeout_s,
        "S",
    ),
    Setting("obs", "obs_play", SWITCH, "let OBS play the music: sessions may take it as their player (needs --obs)"),
    Setting("obs", "obs_mic", TEXT, "OBS's source under whose voice OBS lowers the music", metavar="NAME"),
    Setting(
        "obs", "obs_vod_track", integer(0, 6), "OBS's audio track for the VOD; 0: none", DeckOptions().vod_track, "N"
    ),
    Setting("obs", "obs_fade_s", number(0, 10), "crossfade between tracks in OBS", DeckOptions().fade_s, "S"),
    Setting(
        "obs",
        "obs_level",
        number(-60, 0),
        "level of the music in OBS, beside the common loudness",
        DeckOptions().level_db,
        "DB",
    ),
    Setting("obs", "obs_cuts", PATH, "folder for the sound that OBS plays, which it can read", metavar="FOLDER"),
    Setting("obs", "scenes", SCENES, "what OBS's scenes ask of the music", file_only=True),
    Setting("webrtc", "udp_ports", PORTS, "ports of WebRTC (default: any)", metavar="LOW-HIGH"),
    Setting(
        "webrtc",
        "announce",
        ADDRESSES,
        "address at which publishers reach this machine from outside; repeatable",
        metavar="ADDRESS",
    ),
    Setting(
        "webrtc", "plain_webrtc", SWITCH, "leave aiortc unchanged, at more cost: where the short path makes trouble"
    ),
    Setting("webrtc", "ice_server", TEXTS, "stun: or turn: server for publishers; repeatable", metavar="URL"),
    *_token_settings(),
    Setting("access", "no_tokens", SWITCH, "allow missing tokens, since something else (a proxy) controls access"),
    Setting("access", "allow_origin", ORIGINS, "allow pages of this origin; repeatable", metavar="URL"),
    Setting("pull", "allow_pull", SWITCH, "let publishers name URLs that this server fetches"),
    Setting(
        "pull",
        "pull_network",
        NETWORKS,
        "network that such URLs may reach though it is not public; repeatable",
        metavar="NETWORK",
    ),
    Setting(
        "listen",
        "listen",
        TEXTS,
        "take streams at srt://, rtmp:// or udp://127.0.0.1:PORT, as OBS's custom output sends them; repeatable",
        metavar="ADDRESS",
        shown=lambda addresses: [_without_query(address) for address in addresses],
    ),
    Setting(
        "listen", "listen_public", SWITCH, "let other machines send to these addresses, which ask nobody who it is"
    ),
    Setting(
        "obs",
        "obs",
        OBS,
        "show OBS's program as a session, by its websocket: ws://127.0.0.1:4455",
        metavar="URL",
        secret=True,
        shown=lambda text: str(parse_address(text)),
    ),
    Setting("obs", "obs_password_file", PATH, f"file with its password (or {ENVIRONMENT})", metavar="FILE"),
    Setting("obs", "obs_key", TEXT, "key of OBS's session", OBS_KEY, "KEY"),
    Setting("recording", "record", PATH, "record each session in this folder", metavar="FOLDER"),
    Setting("recording", "record_pictures", SWITCH, "record the pictures as well, at 160x90"),
    Setting("recording", "record_limit", integer(1), "stop a recording when its file reaches this size", 1024, "MIB"),
    Setting("cues", "cues", PATH, "keep each session's cues here (default: CATALOG/sessions)", metavar="FOLDER"),
    Setting("cues", "no_cues", SWITCH, "keep no cues"),
    Setting("tls", "tls_cert", PATH, "certificate and chain, PEM", metavar="FILE"),
    Setting("tls", "tls_key", PATH, "private key of the certificate, PEM", metavar="FILE"),
    Setting("log", "log_format", choice(*FORMATS), "one line an event, on standard error", "text"),
    Setting("log", "log_level", choice(*LEVELS), "how much is logged", "warning"),
    Setting("now", "now_file", PATH, "keep in this file one line that says what is on air", metavar="FILE"),
    Setting("now", "now_format", NOW, "its form", FORMAT, "TEXT"),
)
BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def access_of(tokens: dict[str, str]) -> AccessOptions:
    """The options for tokens by the names in `TOKENS`."""
    return AccessOptions(**{name.removesuffix("_token"): token for name, token in tokens.items()})
