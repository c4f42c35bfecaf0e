"""Thousands of wrong inputs by every way in, while two good publishers are served, one of them under attack itself."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from aiortc import RTCPeerConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from benchmarks.load import watch
from benchmarks.served import loaded
from stream.server import viewer_routes as viewers

from . import mutate
from .material import pictures, webm
from .outcome import Outcome
from .scene import Scene
from .target import GOOD_ENOUGH, Target, good_publisher, together, unspoilt_log, until, without_sessions
from .wires import post, status_of

COUNTS: Final = {"offers": 2600, "requests": 3600, "bodies": 1300, "commands": 2600, "ingest": 400}
WARM: Final = 0.1  # of them come first, before memory is looked at
ABREAST: Final = {"offers": 5, "requests": 6, "bodies": 3, "commands": 4, "ingest": 10}  # at a time
COMMANDS_A_SOCKET: Final = viewers.COMMANDS  # as many are taken at once
FUZZ_S: Final = 120.0  # at the bound it stops, and says how many there were
GROWTH_MB: Final = 80.0
STILL_SERVED: Final = 0.25  # suggestions a second that a good publisher gets meanwhile, at least
ENOUGH: Final = 10_000
SPARE: Final = 4  # descriptors: of a connection that is just being closed
WORDS: Final = (
    *("--handshake-s", "1", "--idle-s", "12", "--grace", "1", "--max-sessions", "24", "--max-late-ms", "0"),
    "--allow-pull",
)


@dataclass
class Found:
    """How often each answer came, by the kind of input."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    inputs: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, answer: str) -> None:
        self.answers.setdefault(kind, Counter())[answer] += 1

    def total(self) -> int:
        """Inputs; of commands every viewer hears the answers, so those are more."""
        return self.inputs.total()


@dataclass(frozen=True)
class Fuzzer:
    """What the inputs of one server are made of. ``session``: the one whose viewers send commands."""

    url: str
    session: str
    offers: Sequence[str]
    pictures: Sequence[bytes]
    webm: bytes

    async def all(self, rng: Random, counts: Mapping[str, int], found: Found) -> None:
        """Every kind side by side; what is sent depends on the seed alone, in which order it arrives does not."""
        acts: dict[str, Callable[[Random, Found], Awaitable[int]]] = {
            "offers": self._offer,
            "requests": self._request,
            "bodies": self._body,
            "commands": self._commands,
            "ingest": self._ingest,
        }
        async with asyncio.TaskGroup() as group:
            for kind, act in acts.items():
                for _ in range(ABREAST[kind]):
                    own = Random(rng.getrandbits(64))
                    group.create_task(_repeat(kind, act, own, -(-counts[kind] // ABREAST[kind]), found))

    async def _offer(self, rng: Random, found: Found) -> int:
        body = mutate.offer(rng, self.offers)
        path = "/whip" + rng.choice(("", "?label=x", "?key=k", "?key=" + "k" * rng.choice((5, 128, 129))))
        found.note("offers", await status_of(self.url, post(path, body, "application/sdp")))
        return 1

    async def _request(self, rng: Random, found: Found) -> int:
        found.note("requests", await status_of(self.url, mutate.request(rng), 0.5))
        return 1

    async def _body(self, rng: Random, found: Found) -> int:
        body = mutate.json_text(rng, mutate.PULLS).encode("utf-8", "surrogatepass")
        found.note("bodies", await status_of(self.url, post("/api/pull", body, "application/json"), 30.0))
        return 1

    async def _commands(self, rng: Random, found: Found) -> int:
        """Several to one socket; the answers are counted, and suggestions pass."""
        sent = 0
        async with self._socket(f"/sessions/{self.session}/events") as socket:
            reading = asyncio.create_task(_note_answers(socket, found))
            try:
                for _ in range(COMMANDS_A_SOCKET):
                    text = mutate.json_text(rng, mutate.COMMANDS)
                    data = text.encode("utf-8", "surrogatepass")
                    await socket.send(text if rng.random() < 0.8 and _is_utf8(text) else mutate.damaged(rng, data))
                    sent += 1
                    await asyncio.sleep(0)
                await asyncio.sleep(0.2)
            except ConnectionClosed:
                found.note("commands closed", str(socket.close_code))
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return max(1, sent)

    async def _ingest(self, rng: Random, found: Found) -> int:
        """A hello, right or wrong, then binary messages of which most are wrong."""
        async with self._socket("/ingest") as socket:
            try:
                right = rng.choice(mutate.HELLOS)
                await socket.send(json.dumps(right) if rng.random() < 0.7 else _text(mutate.json_text(rng, [right])))
                for _ in range(rng.choice((1, 2, 6))):
                    whole = rng.choice(self.pictures) if right["kind"] == "frames" else self.webm
                    await socket.send(mutate.damaged(rng, whole) if rng.random() < 0.8 else whole)
                    await asyncio.sleep(0.01)
                async with asyncio.timeout(0.4):
                    while True:
                        await socket.recv()
            except TimeoutError:
                found.note("ingest", "taken")
            except ConnectionClosed:
                found.note("ingest", str(socket.close_code))
        return 1

    @contextlib.asynccontextmanager
    async def _socket(self, path: str) -> AsyncIterator[ClientConnection]:
        async with connect(f"ws{self.url.removeprefix('http')}{path}", close_timeout=0.3, max_queue=64) as socket:
            yield socket


async def _repeat(
    kind: str, act: Callable[[Random, Found], Awaitable[int]], rng: Random, count: int, found: Found
) -> None:
    done = 0
    while done < count:
        sent = 1
        try:
            sent = await act(rng, found)
        except (WebSocketException, OSError, TimeoutError) as error:
            found.note("not connected", type(error).__name__)
        done += sent
        found.inputs[kind] += sent


async def _note_answers(socket: ClientConnection, found: Found) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            kind = json.loads(message)["type"]
            if kind in ("accepted", "refused"):
                found.note("commands", kind)


def _is_utf8(text: str) -> bool:
    return text.isprintable() or text.encode("utf-8", "replace").decode() == text


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


async def right_offers() -> list[str]:
    """Offers of video alone, and of video with sound."""
    return [await _offer_of("video"), await _offer_of("audio", "video")]


async def _offer_of(*kinds: str) -> str:
    connection = RTCPeerConnection()
    try:
        for kind in kinds:
            connection.addTransceiver(kind, direction="sendonly")
        await connection.setLocalDescription()
        return str(connection.localDescription.sdp)
    finally:
        await connection.close()


async def fuzz(scene: Scene, out: Outcome) -> None:
    """At least 10,000 inputs to one server; see `COUNTS`."""
    found = Found()
    scene.say(f"fuzz: --seed {scene.seed} gives the same inputs")
    with scene.server(WORDS) as server:
        idle, threads = server.descriptors(), server.threads()
        out.count("memory_mb", server.memory_mb(), 1, "MB", when="idle")
        with loaded(server.url, scene.stream, 2, 190.0, scene.cores):
            await _attack(server, Random(scene.seed), found, out)
        for kind, answers in found.answers.items():
            out.counts("answers", answers, to=kind)
        for kind, n in found.inputs.items():
            out.count("inputs", n, found.total(), "", of=kind)
        out.expect(found.total() >= ENOUGH, f"only {found.total()} inputs in {FUZZ_S:g} s")
        failed = {f"{kind}: {a}": n for kind, c in found.answers.items() for a, n in c.items() if _is_failure(a)}
        out.expect(not failed, f"answers that tell of a failure: {failed}")
        out.expect(await without_sessions(server), f"{len(server.sessions())} sessions are left")
        await _settled(server, idle + server.health()["tracks"], out)  # each track's file stays open
        out.count("threads", threads, 1, "", when="idle")
        out.count("threads", server.threads(), 1, "", when="afterwards")
        served = await good_publisher(server.url, scene.stream, 6.0)
        out.count("suggestions_afterwards", served, served)
        out.expect(served >= GOOD_ENOUGH, f"afterwards a good publisher got {served} suggestions")
        unspoilt_log(server, found.total(), out)


async def _attack(server: Target, rng: Random, found: Found, out: Outcome) -> None:
    """All inputs, while two publishers are watched; memory is compared with that after a tenth."""

    async def both() -> bool:
        return len(await asyncio.to_thread(server.sessions)) == 2

    if not await until(both):
        return out.expect(False, "two good publishers were not let in")
    sessions = [str(session["id"]) for session in server.sessions()]
    fuzzer = Fuzzer(server.url, sessions[0], await right_offers(), pictures(), webm())
    told: dict[str, list[list[Any]]] = {"attacked": [], "beside": []}
    sockets = [f"ws{server.url.removeprefix('http')}/sessions/{session}/events" for session in sessions]
    async with together(*(watch(socket, heard) for socket, heard in zip(sockets, told.values(), strict=True))):
        await fuzzer.all(rng, {kind: int(WARM * n) for kind, n in COUNTS.items()}, found)
        memory_mb, begun_s, before = server.memory_mb(), time.monotonic(), found.total()
        said = {publisher: len(heard) for publisher, heard in told.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FUZZ_S):
                await fuzzer.all(rng, COUNTS, found)
        lasted_s = time.monotonic() - begun_s
    out.count("memory_mb", memory_mb, 1, "MB", when="after a tenth")
    out.count("memory_mb", server.memory_mb(), 1, "MB", when="after all")
    grown_mb = server.memory_mb() - memory_mb
    out.expect(grown_mb < GROWTH_MB, f"memory grew by {grown_mb:.0f} MB")
    out.count("inputs_a_second", (found.total() - before) / lasted_s, found.total() - before, "1/s")
    for publisher, heard in told.items():
        new = len(heard) - said[publisher]
        out.count("suggestions_a_second", new / lasted_s, new, "1/s", publisher=publisher)
        served = new >= STILL_SERVED * lasted_s
        out.expect(served, f"the publisher {publisher} got {new} suggestions in {lasted_s:.0f} s")
    return None


async def _settled(server: Target, idle: int, out: Outcome) -> None:
    """Descriptors go back to what an idle server has at most."""

    async def few() -> bool:
        return server.descriptors() <= idle + SPARE

    flat = await until(few)
    out.count("descriptors", idle, 1, "", when="idle, at most")
    out.count("descriptors", server.descriptors(), 1, "", when="afterwards")
    out.expect(flat, f"{server.descriptors()} descriptors are open, an idle server has {idle}")


def _is_failure(answer: str) -> bool:
    """A 5xx other than 503, or a websocket closed with "internal error"."""
    return (answer.startswith("5") and len(answer) == 3 and answer != "503") or answer == "1011"
