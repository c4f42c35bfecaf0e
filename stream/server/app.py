"""The server: one engine, one catalogue, one hub of sessions, and the page.

Parts start in the order in which they depend on each other and stop in reverse: socket, engine, catalogue, workers,
sessions. Whatever the user can mend is found before the first request is taken.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

from catalog.catalog import Catalog
from engines.batcher import MicroBatcher
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.core.events import Notice
from stream.live import LiveOptions, LiveSession
from stream.runtime import Runtime
from stream.sources.ports import PortRange, hold_to

from .access import AccessOptions
from .errors import ServeError
from .hub import Hub, HubOptions, Live
from .preview import preview_routes
from .security import Guard, is_loopback
from .viewers import viewer_routes
from .whip import WhipOptions, whip_routes

PAGE_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STOP_S: Final = 3  # how long open connections may take to end
COMMAND_BYTES: Final = 64 * 1024  # of one websocket message; the protocol's own bound is smaller and answers politely


@dataclass(frozen=True)
class ServeOptions:
    """What ``segue serve`` is told. ``bundle`` None: the one that is shipped."""

    catalog: Path
    bundle: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    threads: int = 1  # of the engine
    origins: tuple[str, ...] = ()
    hub: HubOptions = field(default_factory=HubOptions)
    access: AccessOptions = field(default_factory=AccessOptions)
    whip: WhipOptions = field(default_factory=WhipOptions)
    udp_ports: PortRange | None = None  # of WebRTC; None: any
    live: LiveOptions = field(default_factory=LiveOptions)


@dataclass(frozen=True)
class Parts:
    """What every session shares."""

    runtime: Runtime
    catalog: Catalog
    workers: Executor


@contextlib.contextmanager
def open_parts(options: ServeOptions) -> Iterator[Parts]:
    """Engine, catalogue and workers, started in this order and stopped in reverse.

    Raises the errors of bundles, engines and catalogues.
    """
    with contextlib.ExitStack() as stack:
        bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
        engine = MicroBatcher(OnnxEngine(bundle, options.threads))
        stack.callback(engine.close)
        catalog = stack.enter_context(Catalog.open(options.catalog, bundle))
        if not len(catalog):
            raise ServeError(f"{options.catalog}: the catalogue is empty; segue index MUSIC_DIR -c CATALOG fills it")
        engine.warmup()
        # a worker waits while the engine computes, so there are more of them than cores
        count = max(2, min(options.hub.max_sessions, 2 * (os.cpu_count() or 1)))
        workers = stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix="session"))
        yield Parts(Runtime(engine, catalog), catalog, workers)


def create_app(parts: Parts, options: ServeOptions) -> FastAPI:
    """The application; its lifespan ends every session before the parts may be closed."""

    def start(publish: Callable[[Notice], None]) -> Live:
        return LiveSession(parts.runtime, options.live, publish, workers=parts.workers)

    hub = Hub(start, options.hub)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if options.udp_ports is not None:
            hold_to(asyncio.get_running_loop(), options.udp_ports)
        try:
            yield
        finally:
            await hub.close()

    app = FastAPI(title="Segue", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    app.add_middleware(Guard, loopback_only=is_loopback(options.host), origins=options.origins)
    app.include_router(whip_routes(hub, options.access, options.whip))
    app.include_router(viewer_routes(hub, options.access))
    app.include_router(preview_routes(parts.catalog, options.access))

    @app.get("/healthz")
    async def health() -> dict[str, object]:
        return {
            "status": "ok",
            "sessions": len(hub.sessions),
            "max_sessions": hub.options.max_sessions,
            "tracks": len(parts.catalog),
            "bundle": parts.runtime.engine.bundle.identity,
            "engine": parts.runtime.engine.name,
            "counters": asdict(hub.counters),
        }

    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    """The page's files, by the names that the folder has when the server starts; nothing else can be asked for."""
    folder = Path(str(resources.files("stream.web")))
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in PAGE_TYPES}

    @app.get("/{name}")
    def page(name: str) -> FileResponse:
        if name not in files:
            raise HTTPException(404, "no such page")
        fresh = {"cache-control": "no-cache"}  # else a browser may run yesterday's scripts against today's server
        return FileResponse(files[name], media_type=PAGE_TYPES[files[name].suffix], headers=fresh)

    @app.get("/")
    def index() -> FileResponse:
        return page("index.html")


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; taken before anything slow is started. Raises `ServeError` with the cause."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"{host}: not an address to listen on ({error.strerror}); try --host 127.0.0.1") from error
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        cure = "stop what listens there, or choose another with --port"
        raise ServeError(f"port {port} of {host} cannot be used ({error.strerror}); {cure}") from error
    return bound


def address_of(bound: socket.socket, host: str) -> str:
    """The page's URL. A server on every address is reached as localhost."""
    name = "localhost" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{bound.getsockname()[1]}/"


def server_of(parts: Parts, options: ServeOptions, ready: Callable[[], None]) -> uvicorn.Server:
    """The server, to be run with its socket; ``ready`` is called once requests are taken."""
    config = uvicorn.Config(
        create_app(parts, options),
        log_level=logging.WARNING,
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=COMMAND_BYTES,
        ws_max_queue=8,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
    )
    return _Announcing(config, ready)


def serve(options: ServeOptions, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; ``ready`` is called with the URL once requests are taken.

    Raises `ServeError` and the errors of bundles and catalogues before that.
    """
    with contextlib.closing(bind(options.host, options.port)) as bound, open_parts(options) as parts:
        url = address_of(bound, options.host)
        server_of(parts, options, lambda: ready(url)).run(sockets=[bound])


class _Announcing(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
