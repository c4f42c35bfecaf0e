"""Inputs that nobody should send, through a real server: refused in words, forgotten, and no failure of ours."""

import asyncio
import contextlib
import io
import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import av
import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.faults import mutate
from benchmarks.faults.material import pictures
from stream.core.events import Infer
from stream.server import app, whip
from stream.server import head_timeout as patience
from stream.server import viewer_routes as viewers
from stream.server.ingest import parse_hello
from stream.server.security import of_ports, origin_allowed
from stream.sinks.viewers import QUEUE_LIMIT, Viewer
from stream.sources.feed import FeedError
from stream.sources.webrtc.offer import OfferError, checked_offer
from stream.sources.webrtc.trickle import is_port, read_fragment
from stream.sources.websocket.webm import WebmFeed

SDP = {"content-type": "application/sdp"}
INPUTS = 240


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing at the level of errors is logged."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# ---- text and numbers, without a server -----------------------------------------------------------------------------


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_offer_is_usable_or_refused_in_words(offer: str, seed: int) -> None:
    text = mutate.offer(Random(seed), [offer]).decode("utf-8", "replace")
    try:
        assert checked_offer(text).startswith("v=0")
    except OfferError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("a=rtpmap:96 VP8/90000", "a=fmtp:97 x=1", "cannot be parsed"),
        ("a=group:BUNDLE 0", "a=group:BUNDLE 7", "BUNDLE names '7'"),
    ],
)
def test_offers_that_broke_the_server(offer: str, right: str, wrong: str, says: str) -> None:
    with pytest.raises(OfferError, match=says):
        checked_offer(offer.replace(right, wrong))


def test_sections_of_the_same_name_are_refused(offer: str) -> None:
    section = offer[offer.index("m=video") :]
    with pytest.raises(OfferError, match="two sections are called a=mid:0"):
        checked_offer(offer + section)


@pytest.mark.parametrize("port", ["0", "65536", "99999999999999999999", "-1", "x", "", "٣"])
def test_candidates_of_no_port_are_passed_over(offer: str, port: str) -> None:
    line = f"candidate:1 1 udp 1 127.0.0.1 {port} typ host"
    assert not is_port(port)
    if port and port.isascii():
        assert line not in checked_offer(offer + f"a={line}\r\n")
        assert read_fragment(f"a=ice-ufrag:abcd\r\na=mid:0\r\na={line}\r\n").candidates == ()


@given(st.text(max_size=60) | st.sampled_from(["http://[::1", "http://[", "https://[x]:y", "//["]))
@example("http://[::1")
def test_any_origin_is_judged(origin: str) -> None:
    assert origin_allowed(origin, "studio.example:1") in (True, False)
    assert of_ports(origin, "studio.example:1", (1,)) in (True, False)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_any_kind_of_hello_is_taken_or_refused(kind: Any) -> None:
    try:
        assert parse_hello(json.dumps({"v": 1, "type": "hello", "kind": kind})).kind in ("frames", "webm")
    except FeedError as error:
        assert error.code == 4400


@given(st.lists(st.booleans(), max_size=200))
def test_suggestions_outlive_a_flood_of_answers(answers: list[bool]) -> None:
    viewer = Viewer()
    for number, answer in enumerate(answers):
        viewer.put(f"{number}", answer)

    async def waiting() -> list[int]:
        viewer.close("")
        return [int(text) for text in [await viewer.next() for _ in range(len(viewer))] if text is not None]

    kept = asyncio.run(waiting())
    told = [number for number, answer in enumerate(answers) if not answer]
    assert len(kept) == min(len(answers), QUEUE_LIMIT) and viewer.lost == len(answers) - len(kept)
    assert kept == sorted(kept) and [number for number in kept if not answers[number]] == told[-QUEUE_LIMIT:]


def test_a_webm_of_a_codec_that_ffmpeg_does_not_know_is_refused(quiet: None) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unknown = out.getvalue().replace(b"V_VP8", b"V_XYZ")
    told: list[FeedError] = []

    async def feed() -> None:
        made = WebmFeed(lambda frame: None, lambda frame: None, told.append)
        made.put(unknown)
        await made.finish(20)
        await made.close()

    asyncio.run(feed())
    assert [error.code for error in told] == [4415] and "unknown codec" in str(told[0])


# ---- through a server -----------------------------------------------------------------------------------------------


def raw(netloc: str, data: bytes, wait_s: float = 0.5) -> bytes:
    """The first bytes of the answer to a request as it is; empty for none."""
    host, _, port = netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=wait_s) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        return connection.recv(4096)
    return b""


def test_wrong_inputs_by_every_way_in_leave_nothing_behind(
    serving: Callable[..., Any], offer: str, quiet: None
) -> None:
    """Statuses below 500, or 503; no session, and no error in the log; afterwards a good client is served."""
    rng = Random(7)
    peer = replace(app.HubOptions().peer, handshake_timeout_s=0.5)
    with serving(hub=app.HubOptions(peer=peer, grace_s=0)) as server:
        statuses = set()
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for _ in range(INPUTS):
                answer = client.post("/whip", content=mutate.offer(rng, [offer]), headers=SDP)
                body = mutate.json_text(rng, mutate.PULLS).encode("utf-8", "surrogatepass")
                statuses |= {answer.status_code, client.post("/api/pull", content=body).status_code}
        assert statuses <= {201, 400, 403, 413, 415, 422, 503} and {201, 400} <= statuses
        for _ in range(INPUTS):
            words = raw(server.netloc, mutate.request(rng), 0.2).split(b" ") if rng.random() < 0.5 else []
            assert len(words) < 2 or words[1][:1] in b"234" or words[1] == b"503"
        for _ in range(INPUTS // 8):
            right = rng.choice(mutate.HELLOS)
            with connect(f"ws://{server.netloc}/ingest") as ingest, contextlib.suppress(ConnectionClosed, TimeoutError):
                ingest.send(mutate.json_text(rng, [right]).encode("utf-8", "replace").decode())
                ingest.send(mutate.damaged(rng, pictures(1)[0]))
                ingest.recv(timeout=0.05)
        assert until(lambda: not server.hub.sessions)
        with connect(f"ws://{server.netloc}/ingest") as ingest:
            ingest.send(json.dumps(mutate.HELLOS[0]))
            ready = json.loads(ingest.recv(timeout=20))
            with connect(f"ws://{server.netloc}{ready['events']}") as viewer:
                for picture in pictures(20):
                    ingest.send(picture)
                    time.sleep(0.02)
                for _ in range(INPUTS // viewers.COMMANDS):
                    with connect(f"ws://{server.netloc}{ready['events']}") as other:
                        for _ in range(viewers.COMMANDS):
                            other.send(mutate.json_text(rng, mutate.COMMANDS).encode("utf-8", "replace").decode())
                            other.recv(timeout=20)  # a client that does not read cannot close
                viewer.send('{"type":"pin","track":null}')
                while json.loads(viewer.recv(timeout=30)).get("type") != "suggestions":
                    pass


def test_who_does_not_say_what_it_wants_is_let_go_of(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.3)
    monkeypatch.setattr(whip, "BODY_S", 0.3)
    with serving() as server:
        with connect(f"ws://{server.netloc}/ingest") as patient:  # a websocket is not, however long it takes
            for start in (b"", b"GET / HTTP/1.1\r\nho", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGET /"):
                host, _, port = server.netloc.partition(":")
                with socket.create_connection((host, int(port)), timeout=20) as connection:
                    connection.sendall(start)
                    received = b"".join(iter(lambda connection=connection: connection.recv(4096), b""))
                    assert received[:12] == (b"HTTP/1.1 200" if b"healthz" in start else b"")
            patient.send(json.dumps(mutate.HELLOS[0]))
            assert json.loads(patient.recv(timeout=20))["type"] == "ready"
        head = b"POST /whip HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/sdp\r\ncontent-length: 9\r\n\r\nv="
        assert raw(server.netloc, head, 20).startswith(b"HTTP/1.1 408")


def test_leaving_in_the_middle_of_a_body_is_no_failure(serving: Callable[..., Any], quiet: None) -> None:
    with serving() as server:
        for path, kind in (("whip", "application/sdp"), ("api/pull", "application/json")):
            host, _, port = server.netloc.partition(":")
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                head = f"POST /{path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 9\r\n\r\n"
                connection.sendall(head.encode() + b"v=")
        assert httpx.get(f"{server.url}healthz").status_code == 200


# ---- an engine that fails -------------------------------------------------------------------------------------------


def test_an_engine_that_fails_ends_one_session_which_says_why(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one asked after the fault is armed fails; the other session goes on."""
    armed: list[bool] = []
    real = app.Runtime.submit

    def submit(self: Any, question: Any) -> Any:
        if armed and isinstance(question, Infer) and question.graph == "video_clip":
            armed.clear()
            raise RuntimeError("the device is lost")
        return real(self, question)

    monkeypatch.setattr(app.Runtime, "submit", submit)
    with serving() as server, contextlib.ExitStack() as stack:
        feeds, viewers = [], []
        for _ in range(2):
            ingest = stack.enter_context(connect(f"ws://{server.netloc}/ingest"))
            ingest.send(json.dumps(mutate.HELLOS[0]))
            ready = json.loads(ingest.recv(timeout=20))
            feeds.append(ingest)
            viewers.append(stack.enter_context(connect(f"ws://{server.netloc}{ready['events']}")))
        messages = pictures(200)
        told: list[list[dict[str, Any]]] = [[], []]

        def step(number: int) -> None:
            for ingest, viewer, heard in zip(feeds, viewers, told, strict=True):
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    ingest.send(messages[number])
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    while True:
                        heard.append(json.loads(viewer.recv(timeout=0.02)))

        def suggested(heard: list[dict[str, Any]]) -> int:
            return sum(message["type"] == "suggestions" for message in heard)

        numbers = iter(range(len(messages)))
        while not all(suggested(heard) for heard in told):
            step(next(numbers))
        armed.append(True)
        while not any(message["type"] == "end" for heard in told for message in heard):
            step(next(numbers))
        failed, other = sorted(told, key=lambda heard: heard[-1]["type"] != "end")
        assert [message["type"] for message in failed[-2:]] == ["error", "end"]
        assert failed[-2]["reason"] == "internal error, RuntimeError: the device is lost"
        before = suggested(other)
        while suggested(other) < before + 2:
            step(next(numbers))
        assert all(message["type"] not in ("error", "end") for message in other)
        assert len(server.hub.sessions) == 1
