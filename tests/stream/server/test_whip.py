"""The WHIP endpoint over HTTP: good offers, bad offers, bounds and clocks."""

import asyncio
import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from stream.server.hub import Hub, HubOptions
from stream.server.whip import WhipOptions, whip_routes
from stream.sources.webrtc.peer import PeerOptions
from stream.sources.webrtc.ports import PortRange

SDP = {"content-type": "application/sdp"}


@pytest.fixture(scope="module")
def small(serving: Callable[..., Any]) -> Iterator[Any]:
    """Two sessions at most, and little patience."""
    options = HubOptions(max_sessions=2, peer=PeerOptions(handshake_timeout_s=0.4, idle_timeout_s=0.4))
    with serving(hub=options) as running:
        yield running


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_an_offer_is_answered_and_deleted(client: httpx.Client, server: Any, offer: str) -> None:
    response = client.post("/whip?label=Test%20cam", content=offer, headers=SDP)
    assert response.status_code == 201, response.text
    assert response.headers["content-type"].startswith("application/sdp")
    assert "a=recvonly" in response.text and "a=candidate:" in response.text
    location = response.headers["location"]
    assert re.fullmatch(r"/whip/[\w-]{30,}", location)
    events = response.headers["segue-events"]
    assert re.fullmatch(r"/sessions/[\w-]+/events", events)
    (listed,) = client.get("/api/sessions").json()["sessions"]
    assert listed["events"] == events and listed["label"] == "Test cam" and listed["connected"] is False
    assert location.rpartition("/")[2] not in client.get("/api/sessions").text
    assert client.delete(location).status_code == 200
    assert client.get("/api/sessions").json()["sessions"] == []
    again = client.delete(location)
    assert again.status_code == 404 and "no such session" in again.text


def test_candidates_with_hidden_addresses_do_not_delay_the_answer(client: httpx.Client, offer: str) -> None:
    hidden = "a=candidate:1 1 udp 2113937151 0cb7ac4a-1e5e-4b6c-9d0e-1c1f0f9f7a11.local 50000 typ host\r\n"
    began = time.monotonic()
    response = client.post("/whip", content=offer + 8 * hidden + "a=end-of-candidates\r\n", headers=SDP)
    assert response.status_code == 201
    assert time.monotonic() - began < 0.9  # resolving one takes a second
    client.delete(response.headers["location"])


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_another_type_is_415(client: httpx.Client, kind: str, offer: str) -> None:
    response = client.post("/whip", content=offer, headers={"content-type": kind})
    assert response.status_code == 415
    assert "application/sdp" in response.text


def test_an_oversized_offer_is_413(client: httpx.Client, offer: str) -> None:
    response = client.post("/whip", content=offer + "a=x-filler:" + 70_000 * "x", headers=SDP)
    assert response.status_code == 413
    assert "65536" in response.text


def cut(pattern: str) -> Callable[[str], str]:
    """The offer without the lines that match."""
    return lambda offer: re.sub(f"{pattern}[^\n]*\n", "", offer)


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda offer: offer.replace(old, new)


MALFORMED: dict[str, tuple[Callable[[str], str | bytes], int, str]] = {
    "empty": (lambda _: "", 400, "not SDP"),
    "prose": (lambda _: "hello there", 400, "not SDP"),
    "json": (lambda _: '{"sdp": "v=0"}', 400, "not SDP"),
    "version alone": (lambda _: "v=0\r\n", 400, "no media"),
    "binary": (lambda _: b"\xff\xfe\x00v=0", 400, "UTF-8"),
    "broken media line": (swap("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video"), 400, "'m=video'"),
    "port in words": (swap("m=video 9", "m=video nine"), 400, "'m=video nine"),
    "payload type in words": (swap("SAVPF 96", "SAVPF vp8"), 400, "SAVPF vp8'"),
    "rtpmap without a codec": (swap("VP8/90000", ""), 400, "'a=rtpmap:96'"),
    "rtpmap of another payload type": (swap("rtpmap:96", "rtpmap:97"), 422, "no codec"),
    "broken candidate": (lambda offer: offer + "a=candidate:x\r\n", 400, "'a=candidate:x'"),
    "broken fingerprint": (swap("sha-256 AB", "AB"), 400, "a=fingerprint"),
    "no fingerprint": (cut("a=fingerprint"), 400, "fingerprint"),
    "no ICE credentials": (cut("a=ice-"), 400, "ICE"),
    "broken ssrc": (swap("a=ssrc:1234", "a=ssrc:many"), 400, "a=ssrc:many"),
    "only AV1": (swap("VP8/", "AV1/"), 422, "AV1; this server decodes H264 and VP8"),
    "only receives": (swap("sendonly", "recvonly"), 422, "sends no video"),
    "audio only": (
        lambda offer: offer.replace("m=video", "m=audio").replace("VP8/90000", "opus/48000/2"),
        422,
        "sends no video",
    ),
    "rejected video": (swap("m=video 9 ", "m=video 0 "), 422, "sends no video"),
    "many sections": (lambda offer: offer + 12 * offer[offer.index("m=video") :], 422, "13 media sections"),
    "many candidates": (
        lambda offer: offer + 99 * "a=candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host\r\n",
        422,
        "64 ICE candidates",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_bad_offer_is_refused_with_a_reason(client: httpx.Client, server: Any, offer: str, name: str) -> None:
    damage, status, words = MALFORMED[name]
    response = client.post("/whip", content=damage(offer), headers=SDP)
    assert response.status_code == status, response.text
    assert words in response.text
    assert server.hub.sessions == []


H264_OFFERS = {
    "no fmtp": "",
    "mode 0": "a=fmtp:96 packetization-mode=0;profile-level-id=42e01f\r\n",
    "Main": "a=fmtp:96 packetization-mode=1;profile-level-id=4d0028\r\n",
    "High, blanks": "a=fmtp:96 packetization-mode=1; profile-level-id=64001f\r\n",
    "constrained High": "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\r\n",
}


@pytest.mark.parametrize("mid", [True, False], ids=["mid", "no mid"])
@pytest.mark.parametrize("name", H264_OFFERS)
def test_h264_of_any_profile_is_answered_as_it_was_offered(
    client: httpx.Client, offer: str, name: str, mid: bool
) -> None:
    text = offer.replace("VP8/", "H264/") + H264_OFFERS[name]
    if not mid:
        text = re.sub("a=(mid|group):[^\n]*\n", "", text)
    response = client.post("/whip", content=text, headers=SDP)
    assert response.status_code == 201, response.text
    told = re.search("a=fmtp:96 ([^\r]*)", response.text)
    expected = H264_OFFERS[name].partition("96 ")[2].strip().replace(" ", "")
    assert (told[1] if told else "") == expected
    assert ("a=mid:0" in response.text and "a=group:BUNDLE 0" in response.text) == mid
    client.delete(response.headers["location"])


def test_a_refused_offer_is_told_in_the_log(client: httpx.Client, offer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stream.server.whip")
    answer = client.post("/whip", content=offer.replace("VP8/", "AV1/"), headers=SDP)
    assert answer.status_code == 422
    assert f"an offer was refused: {answer.text}" in [record.getMessage() for record in caplog.records]
    client.post("/whip", content=offer.replace("m=video 9", "m=video nine"), headers=SDP)
    assert "an offer was refused: the SDP cannot be parsed at the line" in caplog.text


def test_lines_cut_out_of_an_offer_never_break_the_server(client: httpx.Client, server: Any, offer: str) -> None:
    lines = offer.split("\r\n")
    for gone in range(len(lines)):
        response = client.post("/whip", content="\r\n".join(lines[:gone] + lines[gone + 1 :]), headers=SDP)
        assert response.status_code in (201, 400, 422), (lines[gone], response.text)
        if response.status_code == 201:
            client.delete(response.headers["location"])
    for length in range(0, len(offer), 7):
        response = client.post("/whip", content=offer[:length], headers=SDP)
        assert response.status_code in (201, 400, 422), (offer[:length], response.text)
        if response.status_code == 201:
            client.delete(response.headers["location"])
    assert server.hub.sessions == []


def test_an_offer_that_never_connects_is_closed_and_counted(small: Any, offer: str) -> None:
    with httpx.Client(base_url=small.url) as client:
        before = small.hub.counters.never_connected
        location = client.post("/whip", content=offer, headers=SDP).headers["location"]
        assert len(small.hub.sessions) == 1
        assert wait_until(lambda: small.hub.sessions == [])
        assert small.hub.counters.never_connected == before + 1
        assert client.delete(location).status_code == 404
        assert client.get("/healthz").json()["counters"]["never_connected"] == before + 1


def test_the_bound_is_503_until_a_place_is_free(small: Any, offer: str) -> None:
    with httpx.Client(base_url=small.url) as client:
        answers = [client.post("/whip", content=offer, headers=SDP) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 503, 503]
        assert int(answers[2].headers["retry-after"]) > 0
        assert "2 sessions" in answers[2].text
        assert wait_until(lambda: small.hub.sessions == [])
        assert client.post("/whip", content=offer, headers=SDP).status_code == 201
        assert wait_until(lambda: small.hub.sessions == [])


def test_refused_offers_leave_no_place_taken(small: Any, offer: str) -> None:
    with httpx.Client(base_url=small.url) as client:
        for _ in range(5):
            assert client.post("/whip", content="v=0\r\n", headers=SDP).status_code == 400
        answer = client.post("/whip", content=offer, headers=SDP)
        assert answer.status_code == 201
        client.delete(answer.headers["location"])


def test_options_say_what_is_taken(client: httpx.Client) -> None:
    response = client.options("/whip", headers={"origin": "http://localhost:3000"})
    assert response.status_code == 204
    assert response.headers["accept-post"] == "application/sdp"
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert {"location", "segue-events"} <= {
        name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")
    }
    assert client.options("/whip/anything").status_code == 204
    assert response.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    assert client.put("/whip").status_code == 405


def test_pages_from_elsewhere_may_not_publish(client: httpx.Client, offer: str) -> None:
    response = client.post("/whip", content=offer, headers=SDP | {"origin": "https://evil.example"})
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_names_that_point_here_from_elsewhere_are_refused(client: httpx.Client) -> None:
    response = client.get("/healthz", headers={"host": "rebound.example:8765"})
    assert response.status_code == 403
    assert "localhost" in response.text


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files the Linux way")
def test_publishers_that_come_and_go_leave_nothing_open(small: Any, offer: str) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with httpx.Client(base_url=small.url) as client:

        def come_and_go(times: int) -> None:
            for _ in range(times):
                client.delete(client.post("/whip", content=offer, headers=SDP).headers["location"])
                client.post("/whip", content=offer.replace("VP8/", "AV1/"), headers=SDP)
                client.post("/whip", content=offer, headers=SDP)  # left to its timeout
                assert wait_until(lambda: small.hub.sessions == [])

        come_and_go(1)
        before, threads = open_files(), threading.active_count()
        come_and_go(5)
        assert wait_until(lambda: open_files() <= before and threading.active_count() <= threads)


FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}
CANDIDATES = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host\r\na=end-of-candidates\r\n"
)


def test_candidates_may_come_later(client: httpx.Client, offer: str) -> None:
    answer = client.post("/whip", content=offer, headers=SDP)
    location, tag = answer.headers["location"], {"if-match": answer.headers["etag"]}
    assert location.rpartition("/")[2] not in answer.headers["etag"]

    def patch(content: str | bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.patch(location, content=content, headers=named)

    done = patch(CANDIDATES, **FRAGMENT, **tag)
    assert done.status_code == 204 and not done.content
    assert patch("a=ice-ufrag:abcd\r\na=end-of-candidates\r\n", **FRAGMENT, **tag).status_code == 204
    assert patch(CANDIDATES, content_type="application/sdp", **tag).status_code == 415
    assert patch(CANDIDATES, **FRAGMENT).status_code == 428
    assert patch(CANDIDATES, **FRAGMENT, if_match='"other"').status_code == 412
    restart = patch(CANDIDATES, **FRAGMENT, if_match="*")
    assert restart.status_code == 422 and "restart" in restart.text
    restart = patch(CANDIDATES.replace("abcd", "wxyz", 1), **FRAGMENT, **tag)
    assert restart.status_code == 422 and "restart" in restart.text
    for body, words in (
        ("hello", "no line of an SDP fragment"),
        ("m=video 9\r\n", "no a=ice-ufrag"),
        (CANDIDATES.replace(" 50000 typ host", ""), "cut short|cannot be read"),
        (CANDIDATES + 70 * "a=candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host\r\n", "64 are the limit"),
        (b"\xff\xfe", "utf-8"),
    ):
        refused = patch(body, **FRAGMENT, **tag)
        assert refused.status_code == 400 and re.search(words, refused.text), refused.text
    assert patch("a=x:" + 20_000 * "x", **FRAGMENT, **tag).status_code == 413
    assert client.delete(location).status_code == 200
    assert patch(CANDIDATES, **FRAGMENT, **tag).status_code == 404


def test_a_get_has_no_content_and_does_nothing(client: httpx.Client, server: Any, offer: str) -> None:
    location = client.post("/whip", content=offer, headers=SDP).headers["location"]
    for path in ("/whip", location):
        for method in ("GET", "HEAD"):
            answer = client.request(method, path)
            assert answer.status_code == 204 and not answer.content
    assert len(server.hub.sessions) == 1
    assert client.delete(location).status_code == 200
    assert client.get(location).status_code == 404


def test_the_same_key_keeps_the_session_under_a_new_address(client: httpx.Client, server: Any, offer: str) -> None:
    first = client.post("/whip?key=desk", content=offer, headers=SDP)
    again = client.post("/whip?key=desk", content=offer, headers=SDP)
    assert first.headers["segue-events"] == again.headers["segue-events"]
    assert first.headers["location"] != again.headers["location"] and first.headers["etag"] != again.headers["etag"]
    assert client.delete(first.headers["location"]).status_code == 404  # who was taken over cannot end it
    refused = client.post("/whip?key=desk", content=offer.replace("VP8/", "AV1/"), headers=SDP)
    assert refused.status_code == 422 and len(server.hub.sessions) == 1  # nor can a bad offer
    assert client.delete(again.headers["location"]).status_code == 200
    assert client.post(f"/whip?key={200 * 'k'}", content=offer, headers=SDP).status_code == 400


def test_ice_servers_ports_and_announced_addresses_are_told(serving: Callable[..., Any], offer: str) -> None:
    options = HubOptions(peer=PeerOptions(announced=("203.0.113.7",)))
    ice = WhipOptions(ice_servers=("stun:stun.example:3478", "turn:turn.example?transport=udp"))
    with (
        serving(hub=options, whip=ice, udp_ports=PortRange(47_100, 47_140)) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        answer = client.post("/whip", content=offer, headers=SDP)
        link = '<stun:stun.example:3478>; rel="ice-server", <turn:turn.example?transport=udp>; rel="ice-server"'
        assert answer.headers["link"] == link == client.options("/whip").headers["link"]
        candidates = [line.split() for line in answer.text.splitlines() if line.startswith("a=candidate:")]
        assert candidates[0][4] == "203.0.113.7"
        assert all(47_100 <= int(words[5]) <= 47_140 for words in candidates)
        client.delete(answer.headers["location"])


def test_no_port_left_is_busy_not_an_answer_that_cannot_work(serving: Callable[..., Any], offer: str) -> None:
    with (
        serving(udp_ports=PortRange(47_150, 47_150)) as running,
        httpx.Client(base_url=running.url) as client,
        contextlib.ExitStack() as taken,
    ):
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            with contextlib.suppress(OSError):  # without IPv6
                held = taken.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                if family == socket.AF_INET6:
                    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                held.bind((address, 47_150))
        answer = client.post("/whip", content=offer, headers=SDP)
        assert answer.status_code == 503 and "--udp-ports" in answer.text
        assert running.hub.sessions == []


def test_an_address_that_knocks_too_often_is_told_to_wait(offer: str) -> None:
    async def scene() -> None:
        app = FastAPI()
        app.include_router(whip_routes(Hub(None, HubOptions(max_sessions=1)), options=WhipOptions(burst=3, per_s=0.5)))  # type: ignore[arg-type]

        async def knock(address: str) -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post("/whip", content="v=0\r\n", headers=SDP)

        answers = [await knock("203.0.113.9") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429, 429]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 2
        assert (await knock("203.0.113.10")).status_code == 400  # others are not held up
        assert {(await knock("127.0.0.1")).status_code for _ in range(6)} == {400}  # nor is this machine

    asyncio.run(scene())
