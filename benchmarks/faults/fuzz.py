"""Thousands of wrong inputs by every way in, while two good publishers are served, one of them under attack itself."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from benchmarks.load import SDP
from stream.server import viewer_routes

from . import mutate, raw_socket
from .material import pictures, right_offers, webm
from .outcome import Outcome, rate_and_gap
from .raw_socket import post, status_of
from .scripted_publisher import Step, Viewer, published, scripted
from .target import Scene, Target
from .waiting import together

# of each kind (a method of `Fuzzer`) how many, and how many at a time
INPUTS: Final = {
    "offers": (2600, 5),
    "requests": (3600, 6),
    "bodies": (1300, 3),
    "commands": (2600, 4),
    "ingest": (400, 10),
}
WARM: Final = 0.1  # of them come first, before memory is looked at
FUZZ_S: Final = 120.0  # at the bound it stops, and says how many there were
GROWTH_MB: Final = 80.0
STILL_SERVED: Final = 0.25  # suggestions a second that a good publisher gets meanwhile, at least
GOOD_ENOUGH: Final = 3  # suggestions that show that a publisher is served
ENOUGH: Final = 10_000
WORDS: Final = (
    *("--handshake-s", "1", "--idle-s", "12", "--grace", "1", "--max-sessions", "24", "--max-late-ms", "0"),
    "--allow-pull",
)


@dataclass
class Fuzzer:
    """Inputs to one server, made of right ones; ``events``: of the session whose viewers send commands. ``sent`` counts
    them by kind, ``answers`` what came of them; every viewer is told the answers to commands, so those are more."""

    server: Target
    events: str
    offer_texts: Sequence[str]
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    pictures: Sequence[bytes] = field(default_factory=pictures)
    webm: bytes = field(default_factory=webm)

    async def run(self, rng: Random, share: float = 1.0) -> None:
        """Every kind side by side; what is sent depends on the seed alone, in which order it arrives does not."""
        async with asyncio.TaskGroup() as group:
            for kind, (count, abreast) in INPUTS.items():
                for _ in range(abreast):
                    group.create_task(self._repeat(kind, Random(rng.getrandbits(64)), -int(-share * count // abreast)))

    async def _repeat(self, kind: str, rng: Random, count: int) -> None:
        done = 0
        while done < count:
            sent = 1
            try:
                sent = await getattr(self, kind)(rng)
            except (WebSocketException, OSError, TimeoutError) as error:
                self._note("not connected", type(error).__name__)
            done += sent
            self.sent[kind] += sent

    def _note(self, kind: str, answer: str) -> None:
        self.answers.setdefault(kind, Counter())[answer] += 1

    async def offers(self, rng: Random) -> int:
        body = mutate.offer(rng, self.offer_texts)
        path = "/whip" + rng.choice(("", "?label=x", "?key=k", "?key=" + "k" * rng.choice((5, 128, 129))))
        self._note("offers", await status_of(self.server.url, post(path, body, SDP["content-type"])))
        return 1

    async def requests(self, rng: Random) -> int:
        self._note("requests", await status_of(self.server.url, mutate.request(rng), 0.5))
        return 1

    async def bodies(self, rng: Random) -> int:
        body = mutate.json_text(rng, mutate.PULLS).encode("utf-8", "surrogatepass")
        self._note("bodies", await status_of(self.server.url, post("/api/pull", body, "application/json"), 30.0))
        return 1

    async def commands(self, rng: Random) -> int:
        """As many to one socket as are taken at once; the answers are counted, and suggestions pass."""
        socket_url = f"{self.server.ws}{self.events}"
        async with connect(socket_url, close_timeout=0.3) as socket, together(self._note_answers(socket)):
            for sent in range(viewer_routes.COMMANDS):
                text = mutate.json_text(rng, mutate.COMMANDS)
                damaged = mutate.damaged(rng, text.encode("utf-8", "surrogatepass"))
                try:
                    await socket.send(without_surrogates(text) if rng.random() < 0.8 else damaged)
                except ConnectionClosed:
                    self._note("commands closed", str(socket.close_code))
                    return max(1, sent)
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
        return viewer_routes.COMMANDS

    async def _note_answers(self, socket: ClientConnection) -> None:
        async for message in socket:
            if (kind := json.loads(message)["type"]) in ("accepted", "refused"):
                self._note("commands", kind)

    async def ingest(self, rng: Random) -> int:
        """A hello, right or wrong, then binary messages of which most are wrong."""
        right = rng.choice(mutate.HELLOS)
        hello = json.dumps(right) if rng.random() < 0.7 else mutate.json_text(rng, [right])
        wholes = self.pictures if right["kind"] == "frames" else [self.webm]
        messages = [rng.choice(wholes) for _ in range(rng.choice((1, 2, 6)))]
        messages = [mutate.damaged(rng, whole) if rng.random() < 0.8 else whole for whole in messages]
        answer = await raw_socket.ingest(self.server, without_surrogates(hello), *messages, answer_s=0.4)
        self._note("ingest", answer)
        return 1


def without_surrogates(text: str) -> str:
    """What a websocket can carry as text."""
    return text.encode("utf-8", "replace").decode()


async def fuzz(scene: Scene, out: Outcome) -> None:
    """At least 10,000 inputs to one server; see `INPUTS`."""
    scene.say(f"fuzz: --seed {scene.seed} gives the same inputs")
    with scene.server(WORDS) as server:
        most, threads = server.most_descriptors(), server.threads()
        out.count("memory_mb", server.memory_mb(), 1, "MB", when="idle")
        async with scene.good_publishers(server, 2, 190.0) as (attacked, beside):
            fuzzer = Fuzzer(server, urlsplit(attacked.url).path, await right_offers())
            await attack(fuzzer, Random(scene.seed), {"attacked": attacked, "beside": beside}, out)
        total = fuzzer.sent.total()
        for kind, answers in fuzzer.answers.items():
            out.counts("answers", answers, to=kind)
        for kind, n in fuzzer.sent.items():
            out.count("inputs", n, total, of=kind)
        out.expect(total >= ENOUGH, f"only {total} inputs in {FUZZ_S:g} s")
        out.expect(fuzzer.answers.keys() >= INPUTS.keys(), f"only {list(fuzzer.answers)} were answered")
        failed = {f"{kind}: {a}": n for kind, c in fuzzer.answers.items() for a, n in c.items() if is_failure(a)}
        out.expect(not failed, f"answers that tell of a failure: {failed}")
        await server.expect_no_sessions(out)
        out.count("descriptors", most, 1, when="idle, at most")
        await server.expect_few_descriptors(most, out)
        out.count("threads", threads, 1, when="idle")
        out.count("threads", server.threads(), 1, when="afterwards")
        async with published(server.url, scripted(Step())) as viewer:
            await asyncio.sleep(6)
        served = viewer.kinds["suggestions"]
        out.count("suggestions_afterwards", served, served, at_least=GOOD_ENOUGH)
        server.expect_unspoilt_log(total, out)


async def attack(fuzzer: Fuzzer, rng: Random, publishers: dict[str, Viewer], out: Outcome) -> None:
    """All inputs; memory is compared with that after a tenth, and the good publishers are served meanwhile."""
    server = fuzzer.server
    await fuzzer.run(rng, WARM)
    memory_mb, begun_s, before = server.memory_mb(), time.monotonic(), fuzzer.sent.total()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FUZZ_S):
            await fuzzer.run(rng)
    ended_s, n = time.monotonic(), fuzzer.sent.total() - before
    out.count("memory_mb", memory_mb, 1, "MB", when="after a tenth")
    out.count("memory_mb", server.memory_mb(), 1, "MB", at_most=memory_mb + GROWTH_MB, when="after all")
    out.count("inputs_a_second", n / (ended_s - begun_s), n, "1/s")
    for publisher, viewer in publishers.items():
        rate, _ = rate_and_gap(viewer.suggested_s, begun_s, ended_s)
        n = round(rate * (ended_s - begun_s))
        out.count("suggestions_a_second", rate, n, "1/s", at_least=STILL_SERVED, publisher=publisher)


def is_failure(answer: str) -> bool:
    """A 5xx other than 503, or a websocket closed with "internal error"."""
    return (answer.startswith("5") and len(answer) == 3 and answer != "503") or answer == "1011"
