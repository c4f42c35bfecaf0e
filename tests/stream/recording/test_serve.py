"""``serve --record``: a file for each session that was sent pictures, from a WHIP client that is not ours."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from websockets.sync.client import connect

import segue
from stream.recording.errors import RecordingError
from stream.recording.format import Reader
from stream.server.options import ServeOptions
from stream.server.parts import open_parts

SERVER = Path(__file__).parents[1] / "server"


@pytest.fixture(scope="module")
def serving() -> Any:
    """The module of the server's tests; tests are not packages, so a plain import would not find it."""
    spec = importlib.util.spec_from_file_location("serving_for_recordings", SERVER / "serving.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["serving_for_recordings"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library(serving: Any, tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    made: Path = serving.make_catalog(tmp_path_factory.mktemp("library"), tiny_bundle)
    return made


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


@pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")
def test_two_sessions_are_two_files_that_replay(
    tmp_path: Path, serving: Any, library: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, heard = tmp_path / "recordings", {}
    with serving.serving(library, tiny_bundle, record=folder) as running, httpx.Client(base_url=running.url) as client:
        clients = []
        for number in range(2):
            (tmp_path / str(number)).mkdir()
            words = [f"{running.url}whip?label={number}", "5", str(tmp_path / str(number))]
            clients.append(subprocess.Popen([sys.executable, str(SERVER / "publisher.py"), *words]))

        def connected() -> list[dict[str, Any]]:
            sessions = client.get("/api/sessions").json()["sessions"]
            return sessions if sum(session["connected"] for session in sessions) == 2 else []

        try:
            first, second = until(connected)
            addresses = [f"ws://{running.netloc}{session['events']}" for session in (first, second)]
            with connect(addresses[0]) as one, connect(addresses[1]) as two:
                one.send(json.dumps({"type": "filters", "min_bpm": 80}))
                for viewer in (one, two):
                    lines = [json.loads(text) for text in viewer]
                    heard[viewer] = [line for line in lines if line["type"] in ("suggestions", "accepted", "end")]
            health = client.get("/healthz").json()
            assert until(lambda: client.get("/healthz").json()["recordings"]["ended"] == 2), health
            assert client.get("/healthz").json()["recordings"] == {
                "open": 0,
                "ended": 2,
                "stopped": 0,
                "lost_records": 0,
            }
        finally:
            for each in clients:
                each.kill()
                each.communicate()
    files = sorted(folder.iterdir())
    assert len(files) == 2 and all(file.suffix == ".seguerec" for file in files)
    replayed = []
    for file in files:
        with Reader(file) as reader:
            assert reader.header["engine"] == {"name": "onnx-cpu-1-batched", "threads": 1, "batched": True}
            assert "label" not in json.dumps(reader.header)
        code = segue.main(["replay", str(file), "-c", str(library), "--bundle", str(tiny_bundle), "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        replayed.append([line for line in lines if line["type"] in ("suggestions", "accepted", "end")])
    for lines in heard.values():  # a viewer that came late missed the first ones
        plain = [{**line, "late_ms": None} if line["type"] == "suggestions" else line for line in lines]
        assert any(plain == again[-len(plain) :] for again in replayed)
        assert sum(line["type"] == "suggestions" for line in plain) >= 3


def test_a_publisher_that_never_sends_leaves_no_file(
    tmp_path: Path, serving: Any, library: Path, tiny_bundle: Path
) -> None:
    folder = tmp_path / "recordings"
    with serving.serving(library, tiny_bundle, record=folder) as running, httpx.Client(base_url=running.url) as client:
        offered = client.post("/whip", content=serving.OFFER, headers={"content-type": "application/sdp"})
        assert offered.status_code == 201
        assert client.delete(offered.headers["location"]).status_code == 200
        assert client.post("/whip", content="v=0", headers={"content-type": "application/sdp"}).status_code >= 400
        until(lambda: client.get("/healthz").json()["counters"]["ended"] == 1)
        assert client.get("/healthz").json()["recordings"]["open"] == 0
    assert list(folder.iterdir()) == []


def test_a_server_that_does_not_record_says_so(serving: Any, library: Path, tiny_bundle: Path) -> None:
    with serving.serving(library, tiny_bundle) as running:
        assert httpx.get(f"{running.url}healthz").json()["recordings"] is None


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_served(
    tmp_path: Path, library: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    options = ServeOptions(library, bundle=tiny_bundle, record=tmp_path / "file" / "folder")
    with pytest.raises(RecordingError, match="recordings cannot be written there"), open_parts(options):
        pass
    words = ["-c", str(library), "--bundle", str(tiny_bundle), "--port", "0", "--record", str(tmp_path / "file")]
    assert segue.main(["serve", *words]) == 2
    assert "recordings cannot be written there" in capsys.readouterr().err
