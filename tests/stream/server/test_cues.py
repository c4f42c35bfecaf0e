"""Cues by HTTP, from a player's word to a file."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from catalog.catalog import Catalog
from stream.server import cues
from stream.server.access import AccessOptions

SDP = {"content-type": "application/sdp"}
VIEW, CONTROL = "v" * 16, "c" * 16


def until(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cues") / "sessions"


@pytest.fixture(scope="module")
def server(serving: Callable[..., Any], folder: Path) -> Iterator[Any]:
    with serving(cues=folder, access=AccessOptions(view=VIEW, control=CONTROL)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {CONTROL}"}
    with httpx.Client(base_url=server.url, timeout=10, headers=headers) as session:
        yield session


@pytest.fixture(scope="module")
def played(server: Any, client: httpx.Client, offer: str, small_catalog: Path) -> dict[str, Any]:
    """One session in which a track was played for a while; what /api/cues says of it."""
    response = client.post("/whip", content=offer, headers=SDP)
    (listed,) = client.get("/api/sessions").json()["sessions"]
    with connect(f"ws://{server.netloc}{listed['events']}?token={CONTROL}") as viewer:
        with Catalog.open(small_catalog, None) as catalog:
            track = catalog.tracks()[0].id
        viewer.send(json.dumps({"type": "playing", "track": track, "position_s": 1.5}))
        until(lambda: client.get("/api/cues").json()["sessions"])
        viewer.send(json.dumps({"type": "playing", "track": None}))
        until(lambda: client.get(f"/api/cues/{listed['id']}").json()["cues"][0]["end"])
    client.delete(response.headers["location"])
    [session] = until(lambda: [one for one in client.get("/api/cues").json()["sessions"] if one["ended"]])
    assert session["session"] == listed["id"]
    return {**session, "track": track}


def test_a_session_and_its_files(client: httpx.Client, played: dict[str, Any], folder: Path) -> None:
    session = client.get(f"/api/cues/{played['id']}").json()
    [cue] = session["cues"]
    assert cue["kind"] == "taken" and cue["track"] == played["track"] and cue["title"].startswith("tune ")
    assert cue["from_s"] == 1.5 and cue["end"]["pts_s"] >= cue["start"]["pts_s"] == 0.0
    assert until(lambda: (folder / f"{played['id']}.jsonl").exists())
    edl = client.get(f"/api/cues/{played['id']}/cues.edl?fps=29.97")
    assert (
        "FCM: DROP FRAME" in edl.text
        and f'filename="segue-{played["id"]}-cues.edl"' in edl.headers["content-disposition"]
    )
    for file in ("cues.fcpxml", "cues.xml", "cues.otio", "cues.csv", "cues.json", "cues.m3u8", "cues.jspf", "cues.cue",
                 "chapters.vtt", "youtube.txt", "cuesheet.csv", "cuesheet.txt"):  # fmt: skip
        answer = client.get(f"/api/cues/{played['id']}/{file}")
        assert answer.status_code == 200 and "tune" in answer.text, file


def test_history(client: httpx.Client, played: dict[str, Any]) -> None:
    [entry] = client.get("/api/history").json()["history"]
    assert entry["track"] == played["track"] and entry["session"] == played["id"] and entry["from_s"] == 1.5
    assert client.get("/api/history?limit=0").json() == {"v": 1, "history": []}


def test_paths_are_for_those_who_control(
    client: httpx.Client, server: Any, played: dict[str, Any], small_catalog: Path
) -> None:
    address = f"/api/cues/{played['id']}/cues.m3u8"
    assert str(small_catalog.parent / "music") in client.get(address).text
    seen = httpx.get(f"{server.url.rstrip('/')}{address}?token={VIEW}").text
    assert str(small_catalog.parent) not in seen and f"/tracks/{played['track']}/audio" in seen
    for path in ("/api/cues", f"/api/cues/{played['id']}", address, "/api/history", f"/cues/{played['id']}"):
        assert httpx.get(f"{server.url.rstrip('/')}{path}").status_code == 401


def test_the_page(client: httpx.Client, server: Any, played: dict[str, Any]) -> None:
    answer = client.get(f"/cues/{played['id']}")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "default-src 'none'; style-src 'sha256-" in policy
    assert "<style>" in answer.text and "tune " in answer.text
    shown = httpx.get(f"{server.url}cues/{played['id']}?token={VIEW}").text
    assert f"/api/cues/{played['id']}/cues.edl?token={VIEW}" in shown


def test_what_is_asked_wrongly(client: httpx.Client, played: dict[str, Any]) -> None:
    id = played["id"]
    for path, status, text in (
        ("/api/cues/nobody", 404, "/api/cues lists them"), (f"/api/cues/{id}/cues.exe", 404, "there are cues.edl"),
        (f"/api/cues/{id}/cues.edl?fps=29", 422, "frames a second"), ("/cues/..%2f..%2fx", 404, ""),
        (f"/api/cues/{id}/cues.edl?kinds=x", 422, "no cues are called"),
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == status and text in answer.text, path


def test_a_viewer_cannot_hold_the_server_by_exports(
    server: Any, client: httpx.Client, played: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While as many as may are made or wait, one more is told when to come again, and all else is answered."""
    go, begun = threading.Event(), threading.Semaphore(0)
    make = cues.export

    def slow(*arguments: Any) -> Any:
        begun.release()
        assert go.wait(30)
        return make(*arguments)

    monkeypatch.setattr(cues, "export", slow)
    address = f"{server.url}api/cues/{played['id']}/cues.edl?token={VIEW}"
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(httpx.get, address, timeout=60) for _ in range(cues.THREADS + cues.WAITING + 30)]
        try:
            refused = [answer.result() for answer in islice(as_completed(asked, 30), 30)]
            assert {answer.status_code for answer in refused} == {503} and "retry-after" in refused[0].headers
            assert client.get("/api/history").status_code == client.get("/").status_code == 200
            assert begun.acquire(timeout=30) and begun.acquire(timeout=30) and not begun.acquire(blocking=False)
        finally:
            go.set()
        codes = [answer.result().status_code for answer in asked]
    assert codes.count(200) == cues.THREADS + cues.WAITING


def test_without_cues(serving: Callable[..., Any]) -> None:
    with serving(no_cues=True) as running:
        assert httpx.get(f"{running.url}api/cues").status_code == 404


def test_the_page_asks_for_the_frame_rate_and_the_clock(
    client: httpx.Client, played: dict[str, Any], folder: Path
) -> None:
    other = folder / "20200101T000000Z-00000000.jsonl"
    path = until(lambda: [one for one in folder.glob("*.jsonl") if one != other])[0]
    run = {"number": 0, "output": "record", "take": 1, "pts_s": 0.0, "at_s": 1.5}
    other.write_text(f"{path.read_text()}{json.dumps({'run': run})}\n")
    here = f"/cues/{played['id']}"
    text = client.get(f"{here}?fps=29.97").text
    assert f'href="/api/cues/{played["id"]}/cues.edl?fps=29.97"' in text and "<b>29.97</b>" in text
    assert f'href="{here}?fps=25"' in text and f'href="{here}"' in text and "OBS&#x27;s" not in text
    text = client.get(f"/cues/{other.stem}?clock=record").text
    assert "<b>OBS&#x27;s recording</b>" in text and "clock=record" in text and "clock=stream" not in text
    assert "tune" in client.get(f"/api/cues/{other.stem}/cues.edl?clock=record").text
    again = {**run, "number": 1, "take": 2}
    other.write_text(f"{other.read_text()}{json.dumps({'run': again})}\n")
    for asked, chosen in (("record-1", "1"), ("record-2", "2"), ("record", "2")):
        assert f"<b>OBS&#x27;s recording {chosen}</b>" in client.get(f"/cues/{other.stem}?clock={asked}").text
    assert client.get(f"{here}?fps=29").status_code == client.get(f"{here}?clock=x").status_code == 422
    other.unlink()
