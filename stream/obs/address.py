"""Where OBS's websocket is, and its password, which is never printed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from .errors import ObsError

PORT: Final = 4455
ENVIRONMENT: Final = "SEGUE_OBS_PASSWORD"
PASSWORD_BYTES: Final = 4096
SCHEMES: Final = ("ws", "wss", "obs", "obsws")  # the last is what OBS's "Show Connect Info" has in its code
EXAMPLE: Final = f"write ws://127.0.0.1:{PORT}"


@dataclass(frozen=True)
class ObsAddress:
    """``secure``: TLS, which OBS itself has not (a proxy before it has)."""

    host: str
    port: int = PORT
    password: str = field(default="", repr=False)
    secure: bool = False

    def __str__(self) -> str:
        """Without the password."""
        return f"{'wss' if self.secure else 'ws'}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def is_obs(url: str) -> bool:
    """Whether this is one of the addresses that only OBS has."""
    return url.lower().startswith(("obs://", "obsws://"))


def parse_address(text: str, password: str = "") -> ObsAddress:
    """The address in ``ws://host:port``, ``obs://...``, or OBS's own ``obsws://host:port/PASSWORD``.

    A password in the address (``ws://:password@host``) is used where none is given apart. Raises ObsError, whose text
    never has the password.
    """
    try:
        parts = urlsplit(text.strip())
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ObsError(f"the address of OBS has no valid host or port; {EXAMPLE}") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        shown = f"{scheme[:20]}://" if scheme and parts.netloc else "it"
        raise ObsError(f"{shown} is no address of OBS's websocket; {EXAMPLE}")
    if not host or port == 0:
        raise ObsError(f"the address of OBS names no host or port; {EXAMPLE}")
    path = parts.path.strip("/")
    if (path and scheme != "obsws") or parts.query or parts.fragment:
        raise ObsError(f"the address of OBS has a path, which its websocket has not; {EXAMPLE}")
    inside = unquote(parts.password or "") or unquote(path)
    return ObsAddress(host, port or PORT, password or inside, scheme == "wss")


def password_of(path: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """The password in a file, else in SEGUE_OBS_PASSWORD, else "". Raises ObsError for a file that cannot be read."""
    if path is None:
        return environment.get(ENVIRONMENT, "")
    try:
        with path.open("rb") as file:
            text = file.read(PASSWORD_BYTES).decode("utf-8").strip("\r\n")
    except OSError as error:
        raise ObsError(
            f"{path}: cannot be read ({error.strerror}); --obs-password-file names a file with the password"
        ) from error
    except UnicodeDecodeError:  # its text would show what is in the file
        raise ObsError(f"{path}: is no text; --obs-password-file names a file with OBS's password") from None
    if not text:
        raise ObsError(f"{path}: is empty; write the password of OBS's websocket into it")
    return text
