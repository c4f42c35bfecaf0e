"""Three tokens, each for one thing: right, wrong, missing, and never shown."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stream.server.access import AccessOptions
from stream.server.address import bind
from stream.server.app import create_app
from stream.server.key_redirect import digest
from stream.server.options import ServeOptions
from stream.server.parts import open_parts
from stream.server.place import Place
from stream.server.pulls import PullOptions
from stream.server.worker_status import Status, WorkerStatuses

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
            assert json.loads(viewer.recv(timeout=5))["may"] is False
            viewer.send(command)
            refused = json.loads(viewer.recv(timeout=5))
            assert refused["type"] == "refused" and "may not control" in refused["reason"]
        with connect(url, additional_headers=bearer("do")) as viewer:
            viewer.send(command)
            assert json.loads(viewer.recv(timeout=5))["type"] == "accepted"
        client.delete(answer.headers["location"])


@pytest.mark.parametrize("path", ["/whip?key=mine", "/api/pull"])
def test_where_a_key_s_session_is_only_who_may_publish_learns(
    small_catalog: Path, tiny_bundle: Path, tmp_path: Path, path: str
) -> None:
    """Of several workers, the other one holds the session."""
    options = ServeOptions(small_catalog, bundle=tiny_bundle, access=ACCESS, pull=PullOptions(True))
    with open_parts(options) as parts, bind("127.0.0.1", 0) as own, bind("127.0.0.1", 0) as shared:
        place = Place(own, shared, (1, 2, 9001), WorkerStatuses(tmp_path, 0))
        WorkerStatuses(tmp_path, 1).exchange(Status(9001, True, True, (), (digest("mine"),)))
        place.statuses.exchange(Status(2, True, True, (), ()))
        transport = httpx.ASGITransport(create_app(parts, options, place=place))

        async def answers() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:1") as client:
                body = json.dumps({"url": "http://127.0.0.1:1/v.mp4", "key": "mine"})
                return [
                    await client.post(path, content=body, headers=SDP | headers)
                    for headers in ({}, bearer("see"), bearer("wrong"), bearer("pub"))
                ]

        *refused, allowed = asyncio.run(answers())
        for answer in refused:
            assert answer.status_code == 401 and "location" not in answer.headers and "9001" not in answer.text
        assert allowed.status_code == 307 and allowed.headers["location"] == f"http://localhost:9001{path}"


def test_viewers_who_may_control_are_pointed_out() -> None:
    assert "no control token" in AccessOptions(view="see").lack
    for closed in (ACCESS, AccessOptions(), AccessOptions(publish="pub"), AccessOptions(control="do")):
        assert closed.lack == ""


def test_it_is_said_at_the_start(small_catalog: Path, tiny_bundle: Path) -> None:
    words = ("-c", str(small_catalog), "--bundle", str(tiny_bundle), "--port", "0", "--view-token", "v" * 16)
    command = [sys.executable, "-m", "segue", "serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "http://" in process.stdout.readline()
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert said.count("\n") == 1 and "everybody who may view may send commands too" in said and "vvvv" not in said
