"""Alive and ready are two things; and a server that is still starting says so."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from stream.server.address import address_of, bind
from stream.server.drain import Phase
from stream.server.health import STARTING_CLIENT_S, starting, unready
from stream.server.hub import HubOptions

SDP = {"content-type": "application/sdp"}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("refusal", [None, "all 8 sessions are taken"])
def test_ready_is_serving_with_room(phase: Phase, refusal: str | None) -> None:
    assert (unready(phase, refusal) == "") is (phase is Phase.SERVING and refusal is None)


def test_a_full_server_is_alive_but_not_ready(serving: Callable[..., Any], offer: str) -> None:
    with serving(hub=HubOptions(max_sessions=1)) as running, httpx.Client(base_url=running.url) as client:
        assert client.get("/readyz").status_code == 200
        location = client.post("/whip", content=offer, headers=SDP).headers["location"]
        full = client.get("/readyz")
        assert full.status_code == 503 and full.json()["reason"].startswith("full") and "retry-after" in full.headers
        alive = client.get("/healthz")
        assert alive.status_code == 200 and alive.json()["sessions"] == 1 and alive.json()["phase"] == "serving"
        client.delete(location)
        assert client.get("/readyz").status_code == 200


def test_health_tells_nobody_a_driver_s_own_words(serving: Callable[..., Any]) -> None:
    """They may name files and addresses: the log has them, and the figures for who may view."""
    with serving(search_device="auto") as running:
        told = httpx.get(f"{running.url}healthz").json()
        assert told["search"] == {"device": "cpu", "proposed": 0, "passed_on": 0}
        assert {"pid", "bundle", "engine", "tracks"} <= told.keys() and "segments" not in str(told["search"])
        assert 'segue_search_info{device="cpu",reason="' in httpx.get(f"{running.url}metrics").text


def test_while_it_starts_it_lives_and_takes_nothing(offer: str) -> None:
    with bind("127.0.0.1", 0) as bound:
        url = address_of(bound, "127.0.0.1")
        with starting(bound):
            assert httpx.get(f"{url}healthz").json() == {"status": "ok", "phase": "starting"}
            refused = httpx.get(f"{url}readyz?x=1")
            assert refused.status_code == 503 and refused.json() == {"ready": False, "reason": "starting"}
            for answer in (httpx.post(f"{url}whip", content=20 * offer, headers=SDP), httpx.get(url), httpx.head(url)):
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert bound.fileno() >= 0 and bound.getsockname()  # still ours
        with socket.create_connection(bound.getsockname(), timeout=5):
            assert bound.accept()[0].close() is None  # and still listening


@pytest.mark.parametrize("sent", [b"", b"GET", b"\xff" * 100_000, b"\r\n\r\n", b"GET /healthz HTTP/1.1\r\nx: "])
def test_a_client_that_says_little_or_nonsense_does_not_hold_up_the_others(sent: bytes) -> None:
    with bind("127.0.0.1", 0) as bound:
        url = address_of(bound, "127.0.0.1")
        with starting(bound), socket.create_connection(bound.getsockname(), timeout=5) as rude:
            rude.sendall(sent)
            assert httpx.get(f"{url}healthz", timeout=20 * STARTING_CLIENT_S).status_code == 200
        assert not [thread for thread in threading.enumerate() if thread.name == "starting"]
