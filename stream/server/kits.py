"""Kits: wishes under a name (filters, steer, weights), kept in the catalogue's folder for every show.

*Bounds*: 64 kits, 4096 bytes each, 32 KiB together. Reads and writes block for as long as one small file takes.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from stream.core.commands import CommandError, GiveBack, read_command
from stream.core.preferences import Preferences, apply_wish
from stream.errors import StreamError
from stream.messages import COMMAND_BYTES

from .access import AccessOptions, require
from .whip import limited_body
from .whole_file import write_whole

log = logging.getLogger(__name__)

FILE: Final = "kits.json"
ASIDE: Final = "kits.damaged.json"
MOST: Final = 64
FILE_BYTES: Final = 32 * 1024
NAME_CHARACTERS: Final = 60
PARTS: Final = ("filters", "steer", "weights")

Kit = dict[str, Any]


class KitError(StreamError):
    """A kit that cannot be kept or applied."""


class NoKitError(KitError):
    """There is no kit of that name."""


class FullError(KitError):
    """No further kit has room."""


class NotWrittenError(KitError):
    """The file cannot be written."""


def kit_of(message: Any) -> Kit:
    """A kit's own fields, in the form of the commands of these names. Raises `KitError` with the reason."""
    if not isinstance(message, Mapping):
        raise KitError('a kit is an object such as {"steer":{"energy":-0.5},"filters":{"instrumental":true}}')
    kit = {name: value for name, value in message.items() if name not in ("v", "name") and value is not None}
    if not kit:
        raise KitError(f"the kit is empty; give at least one of {', '.join(PARTS)}")
    if unknown := [name for name in kit if name not in PARTS]:
        raise KitError(f"unknown field {unknown[0][:40]!r}; a kit has {', '.join(PARTS)}")
    try:
        apply_wish(Preferences(), wish_of(kit))
    except CommandError as error:
        raise KitError(str(error)) from error
    return kit


def wish_of(kit: Mapping[str, Any]) -> GiveBack:
    """A kit as one wish. Raises CommandError for one that this version does not know how to meet."""
    wish = read_command({**kit, "type": "wishes"})
    assert isinstance(wish, GiveBack)
    return wish


def check_name(name: str) -> str:
    """The name without spaces around it. Raises `KitError` for one that cannot stand in an address or on a button."""
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARACTERS or "/" in name or not name.isprintable() or name in (".", ".."):
        raise KitError(f"a kit's name has 1 to {NAME_CHARACTERS} characters that can be printed, and no slash")
    return name


class Kits:
    """The kits of one catalogue. Any thread may call; several processes may read, and the last that writes wins."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._aside = folder / ASIDE
        self._lock = threading.Lock()

    def all(self) -> dict[str, Kit]:
        """Name -> kit, in the order of names; none where the file cannot be read."""
        with self._lock:
            try:
                return self._read()
            except OSError as error:
                log.warning("%s: cannot be read (%s): there are no kits", self._path, error.strerror)
                return {}

    def get(self, name: str) -> Kit:
        """Raises `NoKitError` for a name that is not there."""
        kits = self.all()
        if name not in kits:
            raise NoKitError(f"there is no kit {name[:NAME_CHARACTERS]!r}; GET /api/kits lists them")
        return kits[name]

    def put(self, name: str, kit: Kit) -> bool:
        """Keep a kit, over another one of that name. Returns whether it is new. Raises `FullError`,
        `NotWrittenError`."""
        with self._lock:
            kits = self._read_to_change()
            new = name not in kits
            if new and len(kits) >= MOST:
                raise FullError(f"there are {MOST} kits already; delete one first")
            self._write(kits | {name: kit})
        return new

    def remove(self, name: str) -> None:
        """Raises `NoKitError`, `NotWrittenError`."""
        with self._lock:
            kits = self._read_to_change()
            if kits.pop(name, None) is None:
                raise NoKitError(f"there is no kit {name[:NAME_CHARACTERS]!r}; GET /api/kits lists them")
            self._write(kits)

    def _read_to_change(self) -> dict[str, Kit]:
        """Raises `NotWrittenError` where the kits cannot be read: to write would lose them."""
        try:
            return self._read()
        except OSError as error:
            raise not_kept(f"{FILE} cannot be read", "read it", error) from error

    def _read(self) -> dict[str, Kit]:
        """Raises OSError."""
        try:
            with self._path.open("rb") as file:
                data = file.read(2 * FILE_BYTES)
        except FileNotFoundError:
            return {}
        try:
            kits = json.loads(data, parse_constant=no_constant)["kits"]
            if not all(isinstance(kit, dict) for kit in kits.values()):
                raise ValueError("a kit is no object")
            return dict(sorted(kits.items()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self._put_aside(str(error))
            return {}

    def _put_aside(self, reason: str) -> None:
        with contextlib.suppress(OSError):
            self._path.replace(self._aside)
            log.warning("%s: holds no kits (%s); it is kept as %s", self._path, reason[:100], self._aside.name)
            return
        log.warning("%s: holds no kits (%s); mend or delete it", self._path, reason[:100])

    def _write(self, kits: dict[str, Kit]) -> None:
        text = json.dumps({"v": 1, "kits": kits}, ensure_ascii=False, indent=1, allow_nan=False, sort_keys=True)
        data = text.encode("utf-8", "replace")
        if len(data) > FILE_BYTES:
            raise FullError(f"the kits together are larger than {FILE_BYTES} bytes; delete one first")
        try:
            write_whole(self._path, data)
        except OSError as error:
            raise not_kept("the catalogue's folder cannot be written", "write there", error) from error


def kit_routes(kits: Kits, access: AccessOptions | None = None) -> APIRouter:
    """``GET /api/kits``, and ``GET``, ``PUT``, ``DELETE /api/kits/NAME``; the last two need the right to control."""
    router, rights = APIRouter(), access or AccessOptions()
    view = [Depends(require(rights, "view"))]
    control = [*view, Depends(require(rights, "control"))]

    @router.get("/api/kits", dependencies=view)
    def every() -> dict[str, Any]:
        return {"v": 1, "kits": [shown(name, kit) for name, kit in kits.all().items()]}

    @router.get("/api/kits/{name}", dependencies=view)
    def one(name: str) -> Response:
        try:
            return JSONResponse({"v": 1, **shown(name, kits.get(name))})
        except NoKitError as error:
            return refused(error)

    @router.put("/api/kits/{name}", dependencies=control)
    async def put(request: Request, name: str) -> Response:
        body = await limited_body(request, COMMAND_BYTES)
        if body is None:
            return refused(KitError(f"a kit has at most {COMMAND_BYTES} bytes"), 413)
        try:
            name, kit = check_name(name), kit_of(parsed(body))
            new = await anyio.to_thread.run_sync(kits.put, name, kit)
        except KitError as error:
            return refused(error)
        return JSONResponse({"v": 1, **shown(name, kit)}, 201 if new else 200)

    @router.delete("/api/kits/{name}", dependencies=control)
    def delete(name: str) -> Response:
        try:
            kits.remove(name)
        except KitError as error:
            return refused(error)
        return Response(status_code=204)

    return router


def shown(name: str, kit: Kit) -> dict[str, Any]:
    return {"name": name, **{part: kit.get(part) for part in PARTS}}


def parsed(body: bytes) -> Any:
    """Raises `KitError`."""
    try:
        return json.loads(body, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise KitError(f"the kit is not JSON ({str(error)[:80]}); send one object") from error


def no_constant(name: str) -> None:
    """For NaN and the infinities."""
    raise ValueError(f"{name} is not JSON")


def not_kept(what: str, to: str, error: OSError) -> NotWrittenError:
    reason = error.strerror or type(error).__name__
    return NotWrittenError(f"the kit is not kept: {what} ({reason}); give the server's user the right to {to}")


def refused(error: KitError, status: int | None = None) -> JSONResponse:
    kinds = ((NoKitError, 404), (FullError, 409), (NotWrittenError, 507), (KitError, 422))
    found = next(code for kind, code in kinds if isinstance(error, kind))
    return JSONResponse({"v": 1, "error": str(error)}, status or found)
