"""The options of a server, from its settings: contradictions are told, and files that hold tokens are read."""

import os
from pathlib import Path
from typing import Final

from engines.arguments import check_options
from engines.choose import EngineOptions
from stream.obs.address import parse_address, password_of
from stream.obs.deck_parts import DeckOptions
from stream.obs.rules import parse_rules
from stream.recording.header import RecordOptions
from stream.sources.webrtc.peer import PeerOptions
from stream.sources.webrtc.ports import PortRange

from .config import Values
from .errors import ServeError
from .hub import HubOptions
from .listening import ListenOptions, checked
from .music_watch import MOST, WatchOptions
from .obs_input import ObsOptions
from .obs_play import ObsPlayOptions
from .options import ServeOptions
from .pulls import PullOptions
from .security import is_loopback
from .setting_kinds import rows_of
from .settings import BY_NAME, TOKENS, access_of
from .tls import TlsOptions
from .whip import WhipOptions

TOKEN_BYTES: Final = 4096


def options_of(values: Values) -> ServeOptions:
    """The options for these settings; reads the files that contain tokens.

    Raises `ServeError` for settings that contradict each other.
    """
    if values["catalog"] is None:
        raise ServeError("no catalogue; -c CATALOG names one (segue index MUSIC_DIR -c CATALOG makes it)")
    cert, key = values["tls_cert"], values["tls_key"]
    if (cert is None) != (key is None):
        given, missing = ("--tls-cert", "--tls-key") if key is None else ("--tls-key", "--tls-cert")
        raise ServeError(f"{given} without {missing}; TLS needs both")
    options = ServeOptions(
        catalog=values["catalog"],
        bundle=values["bundle"],
        host=values["host"],
        port=values["port"],
        threads=values["threads"],
        engine=values["engine"],
        engines=check_options(
            values["engine"],
            EngineOptions(
                device=values["device"],
                precision=values["precision"],
                triton=values["triton"],
                plans=values["plans"],
            ),
        ),
        search_device=values["search_device"],
        index=values["index"],
        target_lufs=values["loudness"],
        batch_sizes=None if values["batch_sizes"] is None else rows_of(values["batch_sizes"]),
        origins=tuple(values["allow_origin"] or ()),
        hub=HubOptions(
            max_sessions=values["max_sessions"],
            max_viewers=values["max_viewers"],
            grace_s=values["grace"],
            late_ms=values["max_late_ms"],
            max_session_s=values["max_session"],
            peer=PeerOptions(values["handshake_s"], values["idle_s"], tuple(values["announce"] or ())),
        ),
        whip=WhipOptions(ice_servers=tuple(values["ice_server"] or ())),
        plain_webrtc=bool(values["plain_webrtc"]),
        udp_ports=None if values["udp_ports"] is None else PortRange(*values["udp_ports"]),
        access=access_of({token: _token_of(values, token) for token in TOKENS}),
        tls=None if cert is None else TlsOptions(cert, key),
        pull=PullOptions(bool(values["allow_pull"]), tuple(values["pull_network"] or ())),
        listen=ListenOptions(checked(values["listen"] or (), bool(values["listen_public"]))),
        obs=_obs_of(values),
        watch=_watch(values),
        record=values["record"],
        obs_play=_obs_play(values),
        recording=RecordOptions(bool(values["record_pictures"]), values["record_limit"] * 1024**2),
        cues=values["cues"],
        no_cues=bool(values["no_cues"]),
        max_connections=values["max_connections"],
        drain_s=values["drain_s"],
        workers=values["workers"],
        worker_ports=values["worker_ports"],
        public_url=values["public_url"] or "",
        now_file=values["now_file"],
        now_format=values["now_format"],
        log_format=values["log_format"],
        log_level=values["log_level"],
    )
    if options.now_file is not None and options.workers > 1:
        raise ServeError("--now-file with several workers: each would write it; use GET /now.txt, or --workers 1")
    if not values["no_tokens"]:
        _check_guarded(options)
    return options


def _check_guarded(options: ServeOptions) -> None:
    """Tokens are required, unless only this machine can reach the server."""
    missing = [f"--{name}-token" for name in ("publish", "view") if not getattr(options.access, name)]
    if missing and not is_loopback(options.host):
        raise ServeError(
            f"--host {options.host} lets other machines in, and nothing asks them who they are; "
            f"give {' and '.join(missing)}, or --no-tokens if a proxy in front of it does"
        )


def _watch(values: Values) -> WatchOptions:
    folders = tuple(values["watch"] or ())
    if not folders:
        return WatchOptions()
    if len(folders) > MOST:
        raise ServeError(f"--watch is given {len(folders)} times; at most {MOST} folders are mirrored")
    for folder in folders:
        if not folder.is_dir():
            raise ServeError(f"--watch {folder}: no such folder; name one of music, or mount its disk first")
    bundle = [] if values["bundle"] is None else ["--bundle", str(values["bundle"])]
    return WatchOptions(folders, ("--jobs", str(max(1, (os.cpu_count() or 1) // 2)), *bundle))


def _obs_of(values: Values) -> ObsOptions | None:
    if values["obs"] is None:
        return None
    return ObsOptions(parse_address(values["obs"], password_of(values["obs_password_file"])), values["obs_key"])


def _obs_play(values: Values) -> ObsPlayOptions | None:
    if not values["obs_play"]:
        return None
    if values["obs"] is None:
        raise ServeError("--obs-play without --obs, which names OBS's websocket: --obs ws://127.0.0.1:4455")
    rules = parse_rules(values["scenes"] or {})
    deck = DeckOptions(
        values["obs_fade_s"], values["obs_level"], values["obs_vod_track"], values["obs_mic"] or "", rules
    )
    return ObsPlayOptions(deck, values["obs_cuts"])


def _token_of(values: Values, name: str) -> str:
    path: Path | None = values[f"{name}_file"]
    if path is None:
        return values[name] or ""
    try:
        with path.open("rb") as file:
            text = file.read(TOKEN_BYTES).decode("ascii").strip()
        return str(BY_NAME[name].kind.of_text(text))
    except OSError as error:
        raise ServeError(
            f"{path}: cannot be read ({error.strerror}); {name}_file names a file with the token"
        ) from error
    except ValueError:  # its text would show what is in the file
        raise ServeError(f"{path}: holds no token; it must be {BY_NAME[name].kind.what}") from None
