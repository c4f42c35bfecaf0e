"""Every setting of ``segue serve``: one table, from which the flags, the file's keys and their checks are made.

A setting's name is its key in the file; with dashes it is its flag.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
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
from stream.sources.webrtc.peer import PeerOptions

from .access import AccessOptions
from .connections import LEAST
from .hub import HubOptions
from .logs import FORMATS, LEVELS, MASK
from .now_text import FORMAT
from .obs_input import KEY as OBS_KEY
from .setting_kinds import (
    ADDRESSES,
    NETWORKS,
    NOW,
    OBS,
    ORIGINS,
    PATH,
    PATHS,
    PORTS,
    ROWS,
    SCENES,
    SECONDS,
    SWITCH,
    TEXT,
    TEXTS,
    TOKEN,
    URL,
    Kind,
    choice,
    integer,
    number,
)

TOKENS: Final = ("publish_token", "view_token", "control_token", "action_token")
MAX_WORKERS: Final = 64
MAX_DRAIN_S: Final = 3600.0


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


def _without_query(address: str) -> str:
    """An address whose query, which may hold a passphrase, is masked."""
    path, mark, _ = address.partition("?")
    return f"{path}{mark}{MASK if mark else ''}"


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
    Setting(
        "library",
        "watch",
        PATHS,
        "folder of music that the catalogue mirrors meanwhile; repeatable",
        metavar="MUSIC_DIR",
    ),
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
