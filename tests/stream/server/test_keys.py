"""Viewing by the key of a stream: before it begins, while it runs, at another worker; and the key stays a secret."""

import json
from collections.abc import Callable
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
from stream.server.worker_status import Status, WorkerStatuses

SDP = {"content-type": "application/sdp"}
KEY = "studio-7f3a"


def code_of(viewer: Any) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        viewer.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert KEY not in closed.value.rcvd.reason
    return int(closed.value.rcvd.code)


def test_a_stream_is_found_by_its_key_while_it_runs(server: Any, client: httpx.Client, offer: str) -> None:
    address = f"ws://{server.netloc}/events?key={KEY}"
    with connect(address) as early:
        assert code_of(early) == 4404
    for _ in range(2):  # it may end and begin anew
        response = client.post(f"/whip?key={KEY}", content=offer, headers=SDP)
        (listed,) = client.get("/api/sessions").json()["sessions"]
        with connect(address) as viewer, connect(f"ws://{server.netloc}{listed['events']}") as other:
            viewer.send('{"type":"pin","track":null}')
            told = [json.loads(each.recv(timeout=5)) for each in (viewer, other)]
            assert told[0] == told[1] and told[0]["type"] == "accepted"
            client.delete(response.headers["location"])
            assert [json.loads(text)["type"] for text in viewer] == ["end"]
            assert viewer.protocol.close_code == 1000
        with connect(address) as late:
            assert code_of(late) == 4404


@pytest.mark.parametrize("query", ["", "?key=", "?key=" + "x" * 5000, "?key=%00", "?other=1"])
def test_no_key_finds_nothing(server: Any, client: httpx.Client, offer: str, query: str) -> None:
    response = client.post("/whip", content=offer, headers=SDP)  # a session without a key
    with connect(f"ws://{server.netloc}/events{query}") as viewer:
        assert code_of(viewer) == 4404
    client.delete(response.headers["location"])


def test_the_key_opens_nothing_that_the_token_does_not_and_nobody_is_told_it(
    serving: Callable[..., Any], offer: str
) -> None:
    access = AccessOptions(publish="pub", view="see", control="do")
    with serving(access=access) as running, httpx.Client(base_url=running.url) as client:
        posted = client.post(f"/whip?key={KEY}&token=pub", content=offer, headers=SDP)
        address = f"ws://{running.netloc}/events?key={KEY}"
        for token in ("", "&token=pub", "&token=wrong"):
            with connect(address + token) as viewer:
                assert code_of(viewer) == 4401
        with connect(f"{address}&token=see") as viewer:
            assert json.loads(viewer.recv(timeout=5))["may"] is False
            assert KEY not in client.get("/api/sessions?token=see").text
            viewer.send('{"type":"player","take":true}')
            assert json.loads(viewer.recv(timeout=5))["type"] == "refused"
        client.delete(posted.headers["location"])


def test_of_several_workers_the_one_that_has_the_stream_is_named_to_who_may_view(
    small_catalog: Path, tiny_bundle: Path, tmp_path: Path, ingesting: Any
) -> None:
    options = ServeOptions(small_catalog, bundle=tiny_bundle, access=AccessOptions(view="see"))
    with open_parts(options) as parts, bind("127.0.0.1", 0) as own, bind("127.0.0.1", 0) as shared:
        place = Place(own, shared, (1, 2, 9001), WorkerStatuses(tmp_path, 0))
        WorkerStatuses(tmp_path, 1).exchange(Status(9001, True, True, (), (digest(KEY),)))
        place.statuses.exchange(Status(2, True, True, (), ()))
        with ingesting.running(create_app(parts, options, place=place)) as netloc:
            with connect(f"ws://{netloc}/events?key={KEY}&token=see") as viewer:
                moved = json.loads(viewer.recv(timeout=5))
                assert moved == {"v": 1, "type": "moved", "events": "http://127.0.0.1:9001/events"}
                assert code_of(viewer) == 4307
            with connect(f"ws://{netloc}/events?key={KEY}&token=no") as viewer:
                assert code_of(viewer) == 4401
