"""The suggestions socket: what happens to odd messages, odd viewers and slow ones."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from stream.server.hub import HubOptions
from stream.server.process import MESSAGE_BYTES
from stream.server.viewer_routes import TOO_FAST


@pytest.fixture
def session(client: httpx.Client, offer: str) -> Iterator[dict[str, Any]]:
    """A session whose publisher has not connected yet."""
    response = client.post("/whip", content=offer, headers={"content-type": "application/sdp"})
    assert response.status_code == 201
    (listed,) = client.get("/api/sessions").json()["sessions"]
    yield listed
    client.delete(response.headers["location"])


def ask(viewer: Any, text: str | bytes) -> dict[str, Any]:
    viewer.send(text)
    return dict(json.loads(viewer.recv(timeout=5)))


BAD_COMMANDS = (
    "",
    "{",
    "[]",
    "null",
    '"skip"',
    "{}",
    b"\xff\x00",
    "[" * 4000,
    '{"type": 7}',
    '{"v": 2, "type": "skip", "track": "x"}',
    '{"type": "skip"}',
    '{"type": "explode"}',
    '{"type": "skip", "track": "' + 5000 * "x" + '"}',
)


@pytest.mark.parametrize("text", BAD_COMMANDS, ids=range(len(BAD_COMMANDS)))
def test_a_bad_command_is_answered_and_the_socket_stays(
    server: Any, session: dict[str, Any], text: str | bytes
) -> None:
    with connect(f"ws://{server.netloc}{session['events']}") as viewer:
        answer = ask(viewer, text)
        assert answer["type"] == "refused" and len(answer["reason"]) > 10
        assert ask(viewer, '{"type": "pin", "track": null}') == {
            "v": 1,
            "type": "accepted",
            "command": "pin",
            "track": None,
            "effect": None,
        }


def test_commands_that_come_too_fast_are_refused_to_who_sends_them_alone(server: Any, session: dict[str, Any]) -> None:
    address = f"ws://{server.netloc}{session['events']}"
    pin = '{"type": "pin", "track": null}'
    with connect(address) as flood, connect(address) as other:
        begun_s = time.monotonic()
        heard = Counter()
        for _ in range(10):  # answers are read as they come, so that none is lost
            for _ in range(6):
                flood.send(pin)
            for _ in range(6):
                heard[json.loads(flood.recv(timeout=5))["type"]] += 1
        lasted_s = time.monotonic() - begun_s
        assert 20 <= heard["accepted"] <= 20 + 10 * lasted_s + 1 and sum(heard.values()) == 60
        assert heard["refused"] > 0, lasted_s
        for text in (pin, "{"):  # whether it can be read or not
            answers = []
            for _ in range(25):
                flood.send(text)
                answers.append(json.loads(flood.recv(timeout=5)))
            heard["accepted"] += sum(answer["type"] == "accepted" for answer in answers)  # on a machine that is slow
            assert any(answer["type"] == "refused" and answer["reason"] == TOO_FAST for answer in answers)
        # the other one hears what was accepted, as every viewer, no refusal, and may go on
        accepted = heard["accepted"]
        assert ask(other, pin)["type"] == "accepted"
        told = [json.loads(other.recv(timeout=5))["type"] for _ in range(accepted)]
        assert set(told) == {"accepted"}
        time.sleep(0.5)  # who waits may again
        flood.send(pin)
        assert [json.loads(flood.recv(timeout=5))["type"] for _ in range(2)] == ["accepted"] * 2


def test_a_huge_message_ends_that_viewer_alone(server: Any, session: dict[str, Any]) -> None:
    address = f"ws://{server.netloc}{session['events']}"
    with connect(address) as other, connect(address) as viewer:
        assert "at most 4096 are read" in ask(viewer, 200_000 * "x")["reason"]
        with pytest.raises(ConnectionClosed) as closed:
            ask(viewer, (MESSAGE_BYTES + 1) * "x")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
        assert ask(other, '{"type": "pin", "track": null}')["type"] == "accepted"


def test_an_unknown_session_is_closed_with_the_reason(server: Any) -> None:
    with connect(f"ws://{server.netloc}/sessions/nothing/events") as viewer:
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404 and "no such session" in closed.value.rcvd.reason


def test_pages_from_elsewhere_may_not_watch(server: Any, session: dict[str, Any]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.netloc}{session['events']}", origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    with connect(f"ws://{server.netloc}{session['events']}", origin=f"http://{server.netloc}") as viewer:  # type: ignore[arg-type]
        assert ask(viewer, "{}")["type"] == "refused"


def test_deleting_the_session_ends_its_viewers(server: Any, client: httpx.Client, offer: str) -> None:
    response = client.post("/whip", content=offer, headers={"content-type": "application/sdp"})
    (listed,) = client.get("/api/sessions").json()["sessions"]
    with connect(f"ws://{server.netloc}{listed['events']}") as viewer:
        client.delete(response.headers["location"])
        assert [json.loads(text)["type"] for text in viewer] == ["end"]
        assert viewer.protocol.close_code == 1000
        assert viewer.protocol.close_reason == "the publisher stopped"


def test_viewers_are_bounded(serving: Callable[..., Any], offer: str) -> None:
    with serving(hub=HubOptions(max_viewers=1)) as running, httpx.Client(base_url=running.url) as client:
        client.post("/whip", content=offer, headers={"content-type": "application/sdp"})
        (listed,) = client.get("/api/sessions").json()["sessions"]
        address = f"ws://{running.netloc}{listed['events']}"
        with connect(address) as first:
            assert ask(first, "{}")["type"] == "refused"
            with connect(address) as second, pytest.raises(ConnectionClosed) as closed:
                second.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4503


def test_stopping_the_server_ends_sessions_and_viewers(serving: Callable[..., Any], offer: str) -> None:
    with contextlib.ExitStack() as after:
        with serving() as running:
            with httpx.Client(base_url=running.url) as client:
                client.post("/whip", content=offer, headers={"content-type": "application/sdp"})
                (listed,) = client.get("/api/sessions").json()["sessions"]
            viewer = after.enter_context(connect(f"ws://{running.netloc}{listed['events']}"))
        with pytest.raises(ConnectionClosed):
            while True:
                viewer.recv(timeout=5)
        assert running.hub.sessions == []
