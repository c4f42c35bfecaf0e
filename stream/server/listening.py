"""``--listen``: addresses at which publishers without HTTP come (OBS's custom output, ffmpeg), each with a session.

At each address a confined process waits for a publisher, for ever, decodes what it sends and ends with it; then the
next one waits. The first picture begins a session with the address's key, or continues the one that still waits for its
publisher. *Bounds*: `MOST` addresses, one publisher at each; a process is bounded as one that pulls a client's URL is.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import av

from stream.core.quality_level import QualityLevel
from stream.errors import SourceError
from stream.sources.arrival import Arrival
from stream.sources.ended import Cause, Ended, lost
from stream.sources.feed import ignore_call
from stream.sources.listen.address import ListenAddress, parsed
from stream.sources.listen.ports import open_port
from stream.sources.pull.external import program_for
from stream.sources.sandbox.remote_pull import Listening, RemoteOptions, RemotePull

from .errors import BusyError, ServeError
from .inputs import Connect, OnEnd, OnFrame, OnSound

log = logging.getLogger(__name__)

MOST: Final = 4  # addresses; each has a process that waits
GAP_S: Final = 0.1  # from one publisher's end to the next process
AGAIN_S: Final = 2.0  # at most, after publishers of which no picture came; SRT callers knock for 3 s
ASK_AGAIN_S: Final = 1.0  # while there is no place for a session


@dataclass(frozen=True)
class ListenOptions:
    """``remote``: from a publisher's coming to its first picture, and from one picture to the next."""

    addresses: tuple[ListenAddress, ...] = ()
    remote: RemoteOptions = field(default_factory=lambda: RemoteOptions(idle_s=15.0))


class Begins(Protocol):
    """The part of a `Hub` that is needed here."""

    def begin(self, label: str, key: str, connect: Connect) -> object: ...


@dataclass(frozen=True)
class Port:
    """An address, and its socket, which stays open for as long as the server runs; None for SRT."""

    address: ListenAddress
    bound: socket.socket | None


def checked(texts: Sequence[str], public: bool) -> tuple[ListenAddress, ...]:
    """The addresses. Raises `ServeError` for one that cannot be taken, or that lets in whoever reaches the machine."""
    try:
        addresses = tuple(parsed(text) for text in texts)
    except SourceError as error:
        raise ServeError(f"--listen: {error}") from error
    if len(addresses) > MOST:
        raise ServeError(f"--listen is given {len(addresses)} times; at most {MOST} addresses are listened on")
    ports = [address.port for address in addresses]
    if twice := {port for port in ports if ports.count(port) > 1}:
        raise ServeError(f"--listen names port {min(twice)} twice; each address needs a port of its own")
    for address in addresses:
        if not (address.loopback or address.guarded or public):
            cure = "give 127.0.0.1, or --listen-public if a firewall or network of yours keeps strangers out"
            more = "; SRT may have ?passphrase= (10 characters or more) instead" if address.scheme == "srt" else ""
            raise ServeError(f"--listen {address.text}: whoever reaches this machine could send; {cure}{more}")
    return addresses


@contextlib.contextmanager
def open_ports(options: ListenOptions) -> Iterator[tuple[Port, ...]]:
    """The sockets of the addresses, before anything slow is started. Raises SourceError where one is taken, or no
    program speaks its protocol."""
    with contextlib.ExitStack() as stack:
        ports = []
        for address in options.addresses:
            if address.scheme == "srt":
                program_for("srt")
            bound = open_port(address)
            if bound is not None:
                stack.callback(bound.close)
            ports.append(Port(address, bound))
        yield tuple(ports)


@contextlib.asynccontextmanager
async def listening(hub: Begins, ports: Sequence[Port], options: ListenOptions) -> AsyncIterator[list["Listener"]]:
    """Listen until the block ends."""
    listeners = [Listener(hub, port, options.remote) for port in ports]
    tasks = [asyncio.get_running_loop().create_task(listener.run()) for listener in listeners]
    try:
        yield listeners
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ListenedPublisher:
    """What came to an address, as its session sees it."""

    def __init__(self, over: asyncio.Event, on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> None:
        self.connected = True
        self.on_frame, self.on_sound = on_frame, on_sound
        self.on_note: Callable[[str], None] = ignore_call
        self._over = over
        self._on_end: OnEnd | None = on_end

    def follow(self, level: QualityLevel) -> None:
        """Does nothing: the process decodes in full at every level."""

    def hear_notes(self, on_note: Callable[[str], None]) -> None:
        """Call ``on_note`` with notes on the stream for viewers."""
        self.on_note = on_note

    async def close(self) -> None:
        """The session is over, or another publisher feeds it: the connection ends."""
        self._on_end = None
        self.connected = False
        self.on_frame = self.on_sound = self.on_note = ignore_call
        self._over.set()

    def end(self, ended: Ended) -> None:
        """Tell the session that the publisher has gone."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(ended)
        self.connected = False


class Listener:
    """One address. ``receiving``: whether pictures come; ``note``: why the last publisher did not get through."""

    def __init__(self, hub: Begins, port: Port, options: RemoteOptions) -> None:
        self.receiving = False
        self.note = ""
        self.hub, self.port, self.options = hub, port, options

    @property
    def state(self) -> dict[str, object]:
        """For the health routes."""
        address = self.port.address
        state = "receiving" if self.receiving else "waiting"
        return {"address": address.text, "key": address.key, "state": state, "note": self.note}

    async def run(self) -> None:
        """One publisher after another, until cancelled."""
        pause_s = GAP_S
        while True:
            came = False
            try:
                came = await _Visit(self).run()
            except Exception:
                log.exception("%s: a publisher's end failed", self.port.address.text)
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise asyncio.CancelledError from None  # the failure came while this was ended, and hid that
            self.receiving = False
            pause_s = GAP_S if came else min(AGAIN_S, 2 * pause_s)
            await asyncio.sleep(pause_s)


class _Visit:
    """One process at an address, and the publisher that comes to it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._over = asyncio.Event()
        self._publisher: ListenedPublisher | None = None
        self._ended: Ended | None = None
        self._ask_again_s = 0.0

    async def run(self) -> bool:
        """Returns after the publisher's end whether a picture came from it."""
        address, bound = self._listener.port.address, self._listener.port.bound
        remote = RemotePull(
            address.url,
            (),
            self._take,
            self._hear,
            self._end,
            self._listener.options,
            Listening(None if bound is None else bound.fileno()),
        )
        remote.hear_notes(self._note)
        try:
            await self._over.wait()
        finally:
            await remote.close()
            if self._publisher is not None:
                self._publisher.end(self._ended or lost(f"{address.label} is not listened on any more"))
        return self._listener.receiving

    def _take(self, arrival: Arrival) -> None:
        self._listener.receiving = True
        if self._publisher is None:
            self._begin()
        if self._publisher is not None:
            self._publisher.on_frame(arrival)

    def _hear(self, sound: av.AudioFrame) -> None:
        if self._publisher is not None:
            self._publisher.on_sound(sound)

    def _note(self, text: str) -> None:
        if self._publisher is not None:
            self._publisher.on_note(text)

    def _begin(self) -> None:
        """Feed a session from now on. Without a place the publisher stays, and it is asked again."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._ask_again_s:
            return
        address = self._listener.port.address
        try:
            self._listener.hub.begin(address.label, address.key, self._connect)
        except BusyError as error:
            if not self._ask_again_s:
                log.warning("%s: a publisher waits for a place: %s", address.text, error)
            self._ask_again_s = now_s + ASK_AGAIN_S
            self._listener.note = str(error)
        except Exception:
            log.exception("%s: no session could be begun", address.text)
            self._ask_again_s = now_s + ASK_AGAIN_S
        else:
            self._listener.note = ""

    def _connect(self, on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> ListenedPublisher:
        self._publisher = ListenedPublisher(self._over, on_frame, on_sound, on_end)
        return self._publisher

    def _end(self, ended: Ended) -> None:
        """The process has ended. Whether the publisher signed off cannot be told, so its session waits for it."""
        address = self._listener.port.address
        if not self._listener.receiving:
            note = ended.text.removeprefix(f"{address.text}: ")
            if note != self._listener.note:  # whoever knocks again and again is logged once
                log.warning("%s: a publisher came and no picture of it: %s", address.text, note)
            self._listener.note = note
        if ended.cause is not Cause.SILENT:
            ended = lost(f"the publisher at {address.label} has gone")
        self._ended = ended
        self._over.set()
