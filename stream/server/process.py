"""One serving process: its sockets, its signals, its end.

SIGTERM drains (see `drain`); a second one, or SIGINT, ends the sessions at once; one more does not wait for their end.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Final

import uvicorn

from stream.sources import feed

from .action_token import with_action_token
from .address import address_of, base_url, bind
from .app import create_app
from .connections import Connections, affordable, connections_for
from .drain import Drain, Phase
from .head_timeout import HeadTimeoutProtocol
from .health import starting
from .listening import ListenOptions
from .logs import Logs, guessable
from .memory import few_heaps
from .options import ServeOptions
from .parts import Parts, make_catalog, open_parts
from .place import Place
from .shared_acceptor import SharedAcceptor
from .tls import context_of
from .workers import supervise

log = logging.getLogger(__name__)

STOP_S: Final = 3  # how long open connections may take to end
MESSAGE_BYTES: Final = 2 * feed.MESSAGE_BYTES  # of one websocket message; the protocols' own bounds answer politely


def serve(
    options: ServeOptions, ready: Callable[[str], None], tell: Callable[[str], None] = lambda engine: None
) -> None:
    """Serve until interrupted or drained. Once the server takes requests, calls ``ready`` with the page's URL and then,
    with a single process, ``tell`` with a line that says which engine runs and why.

    Before that, raises `ServeError` and the errors of bundles and catalogues.
    """
    if options.tls is not None:
        context_of(options.tls)  # reports mistakes before anything slow is started
    options = with_action_token(options)
    if options.workers > 1:
        make_catalog(options)
        return supervise(options, serve_place, ready)
    with contextlib.closing(bind(options.host, options.port)) as bound:
        url = address_of(bound, options.host, "http" if options.tls is None else "https")
        serve_socket(options, bound, None, lambda: ready(url), tell)
    return None


def serve_place(options: ServeOptions, place: Place, ready: Callable[[], None]) -> None:
    """Serve as one of several processes; the first one has the addresses of --listen."""
    if not place.first:
        options = replace(options, listen=ListenOptions())
    serve_socket(options, place.own, place, ready)


def serve_socket(
    options: ServeOptions,
    bound: socket.socket,
    place: Place | None,
    ready: Callable[[], None],
    tell: Callable[[str], None] = lambda engine: None,
) -> None:
    """Serve on the process's own socket and, for one of several workers, on the shared one."""
    tls = None if options.tls is None else context_of(options.tls)
    access = options.access
    few_heaps()  # before threads begin
    with contextlib.ExitStack() as stack:
        password = options.obs.address.password if options.obs else ""
        own = (access.publish, access.view, access.control, access.action)
        tokens = own if guessable(password) else (*own, password)
        logs = stack.enter_context(Logs(options.log_format, options.log_level, tokens))
        if access.lack and (place is None or place.first):
            log.warning("%s", access.lack)
        with starting(bound, tls):
            parts = stack.enter_context(open_parts(options))

        def announce() -> None:
            ready()
            tell(parts.engine_choice)

        server = server_of(parts, options, announce, place, tls)
        hub = server.config.app.state.hub  # type: ignore[union-attr]
        logs.add(lambda: [secret for session in hub.sessions for secret in session.secrets])
        server.run(sockets=[bound])


def server_of(
    parts: Parts,
    options: ServeOptions,
    ready: Callable[[], None],
    place: Place | None = None,
    tls: ssl.SSLContext | None = None,
) -> "Server":
    """The server, to be run with its socket; it calls ``ready`` once it takes requests. ``tls``: the context of
    ``options.tls``, where the caller has made it already."""
    if tls is None and options.tls is not None:
        tls = context_of(options.tls)
    app = create_app(parts, options, base_url(options.public_url, None if place is None else place.port), place)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        http=HeadTimeoutProtocol,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_max_queue=2,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    most = options.max_connections or connections_for(options.hub)
    return Server(config, app.state.drain, ready, place, affordable(most, options.hub.max_sessions), tls)


class Server(uvicorn.Server):
    """Calls ``ready`` when it has started, takes at most ``most`` connections, in ``tls``, and drains before it
    ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Drain,
        ready: Callable[[], None],
        place: Place | None,
        most: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._drain, self._ready, self._place, self._most, self._tls = drain, ready, place, most, tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._accepting: list[asyncio.Task[None]] = []
        self._connections: Connections | None = None
        self._shared_acceptor: SharedAcceptor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])  # uvicorn would take any number of connections
        if not self.started:
            return
        self._loop = asyncio.get_running_loop()
        self._drain.mark_serving()
        self._connections = Connections(self._most, self.server_state.connections, self._connection, self._tls)
        if self._place is not None:
            hub = self.config.app.state.hub  # type: ignore[union-attr]
            self._shared_acceptor = SharedAcceptor(self._place, hub, self._drain, self._connections)
            self._shared_acceptor.start()
        for bound in sockets or []:
            bound.listen(self.config.backlog)
            self._accepting.append(self._loop.create_task(self._connections.accept(bound)))
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        if self._shared_acceptor is not None:
            await self._shared_acceptor.close()
        if self._connections is not None:
            await self._connections.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal. Unlike uvicorn's, the server does not raise it again at the end, so it exits with 0."""
        if sig == signal.SIGTERM and self._loop is not None and self._drain.phase is not Phase.DRAINING:
            self._loop.call_soon_threadsafe(self._drain.begin, self._stop)
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    def _stop(self) -> None:
        self.should_exit = True

    def _connection(self) -> asyncio.Protocol:
        """The protocol for a connection, as uvicorn would make it."""
        return HeadTimeoutProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, room=self._connections
        )
