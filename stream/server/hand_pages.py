"""The pages that stand outside of the panel: the overlay, and the file that an OBS dock opens from the disk."""

from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from .address import named_host, resolved
from .channel import KEY_CHARACTERS

NAME: Final = "segue-dock.html"
EMPTY: Final = 'data-address="" data-key=""'


def hand_pages(public_url: str = "") -> APIRouter:
    """``/overlay``, and ``/dock-file?key=KEY``: a page with the server's address and the key in it, to be kept."""
    router, folder = APIRouter(), Path(str(resources.files("stream.web")))
    waiting = (folder / "waiting.html").read_text(encoding="utf-8")
    assert EMPTY in waiting

    @router.get("/overlay")
    def overlay() -> Response:
        return FileResponse(folder / "overlay.html", media_type="text/html", headers={"cache-control": "no-cache"})

    @router.get("/dock-file")
    def dock_file(request: Request, key: str = "") -> Response:
        address = public_url or address_of(request)
        filled = f'data-address="{escape(address)}" data-key="{escape(key[:KEY_CHARACTERS])}"'
        headers = {"content-disposition": f'attachment; filename="{NAME}"', "cache-control": "no-store"}
        return Response(waiting.replace(EMPTY, filled, 1).encode("utf-8", "replace"), 200, headers, "text/html")

    return router


def address_of(request: Request) -> str:
    """Scheme, host and port by which the client reached the server."""
    port = request.url.port
    host = named_host(request.headers.get("host", ""))
    return resolved(f"{{scheme}}://{host}" + ("" if port is None else f":{port}"), request)
