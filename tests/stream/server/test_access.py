"""Three tokens, each for one thing: right, wrong, missing, and never shown."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stream.server.access import AccessOptions

SDP = {"content-type": "application/sdp"}
ACCESS = AccessOptions(publish="pub", view="see", control="do")


@pytest.fixture(scope="module")
def guarded(serving: Callable[..., Any]) -> Iterator[Any]:
    with serving(access=ACCESS) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_what_each_token_opens() -> None:
    table = {
        ("publish", "pub"): True,
        ("publish", "see"): False,
        ("publish", "do"): False,
        ("publish", ""): False,
        ("view", "see"): True,
        ("view", "do"): True,
        ("view", "pub"): False,
        ("control", "do"): True,
        ("control", "see"): False,
        ("control", "dö"): False,
    }
    for (right, token), granted in table.items():
        assert ACCESS.grants(right, token) is granted, (right, token)  # type: ignore[arg-type]
    assert AccessOptions().grants("publish", "") and AccessOptions(control="x").grants("view", "")
    assert "pub" not in repr(ACCESS).replace("publish", "") and "see" not in repr(ACCESS)


def test_publishing_needs_its_token(guarded: Any, offer: str) -> None:
    with httpx.Client(base_url=guarded.url) as client:
        for headers in ({}, bearer("see"), bearer("wrong"), {"authorization": "Basic pub"}):
            refused = client.post("/whip", content=offer, headers=SDP | headers)
            assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer")
        answer = client.post("/whip", content=offer, headers=SDP | bearer("pub"))
        assert answer.status_code == 201
        # The session's address is a secret of its own.
        assert client.delete(answer.headers["location"]).status_code == 200
        answer = client.post("/whip?token=pub", content=offer, headers=SDP)
        assert answer.status_code == 201
        client.delete(answer.headers["location"])


def test_viewing_and_controlling(guarded: Any, offer: str) -> None:
    with httpx.Client(base_url=guarded.url) as client:
        assert client.get("/api/sessions").status_code == 401
        assert client.get("/api/sessions", headers=bearer("see")).status_code == 200
        assert client.get("/api/tracks/x").status_code == 401
        assert client.get("/tracks/x/audio?token=do").status_code == 404
        answer = client.post("/whip", content=offer, headers=SDP | bearer("pub"))
        url = f"ws://{guarded.netloc}{answer.headers['segue-events']}"
        for token in ("", "?token=pub"):
            with connect(url + token) as viewer, pytest.raises(ConnectionClosed) as closed:
                viewer.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
        command = json.dumps({"type": "playing", "track": "x"})
        with connect(url + "?token=see") as viewer:
            viewer.send(command)
            refused = json.loads(viewer.recv(timeout=5))
            assert refused["type"] == "refused" and "may not control" in refused["reason"]
        with connect(url, additional_headers=bearer("do")) as viewer:
            viewer.send(command)
            assert json.loads(viewer.recv(timeout=5))["type"] == "accepted"
        client.delete(answer.headers["location"])
