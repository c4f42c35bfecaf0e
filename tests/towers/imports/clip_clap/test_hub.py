"""Models from a hub: fetched from one on this machine, kept, and what is wrong is said."""

import errno
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import small_clip_clap

from towers.imports.clip_clap.hub import HubFile, HubModel, obtain_model
from towers.imports.clip_clap.sources import MODELS, licences, summary
from towers.imports.errors import ImportedError

BODY = {"config.json": b"{}", "weights.bin": b"w" * 30_000_000}
MODEL = HubModel(
    repo="them/theirs",
    revision="c" * 40,
    licence="MIT",
    licence_url="https://example.org/MIT",
    holds="a network",
    files=(
        HubFile("config.json", 2),
        HubFile("weights.bin", 30_000_000, hashlib.sha256(BODY["weights.bin"]).hexdigest()),
    ),
    weights="weights.bin",
)


@dataclass
class Hub:
    """What a hub has and what was asked of it. ``cut``: after so many bytes the first longer answer ends."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: dict(BODY))
    asked: list[str] = field(default_factory=list)
    cut: int = 0


@pytest.fixture
def hub() -> Iterator[Hub]:
    """As ``huggingface_hub`` asks one: sizes and tags by HEAD, then bytes, from the middle on where it was cut."""
    hub = Hub()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(False)

        def do_GET(self) -> None:
            self.answer(True)

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self, body: bool) -> None:
            repo, _, name = self.path.partition(f"/resolve/{MODEL.revision}/")
            hub.asked.append(f"{self.command} {name} {self.headers.get('Range') or ''}".strip())
            if repo != "/them/theirs" or name not in hub.files:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.end_headers()
                return
            data = hub.files[name]
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", MODEL.revision)
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if body and len(data) > hub.cut > 0:
                data, hub.cut = data[: hub.cut], 0
                self.close_connection = True
            if body:
                self.wfile.write(data[start:])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def download(hub: Hub) -> Any:
    small_clip_clap.needed()
    from huggingface_hub import hf_hub_download

    return partial(hf_hub_download, endpoint=hub.url, token=False)


def nobody(*_: object, **__: object) -> str:
    raise AssertionError("something was fetched")


def test_a_model_is_fetched_once_and_then_nobody_is_asked(hub: Hub, tmp_path: Path) -> None:
    said: list[str] = []
    folder = obtain_model(MODEL, tmp_path, progress=said.append, download=download(hub))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == BODY
    assert said == ["fetching theirs/config.json, 0 MB", "fetching theirs/weights.bin, 30 MB"]
    hub.asked.clear()
    assert obtain_model(MODEL, tmp_path, download=download(hub)) == folder
    assert hub.asked == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_connection_that_is_cut_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    hub.cut = 25_000_000
    folder = obtain_model(MODEL, tmp_path, download=download(hub))
    assert (folder / "weights.bin").read_bytes() == BODY["weights.bin"]
    assert any(asked.startswith("GET weights.bin bytes=") for asked in hub.asked)


def test_other_bytes_than_are_known_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.files["weights.bin"] = b"other"
    with pytest.raises(
        ImportedError, match=r"has SHA-256 .* \(5 bytes, 30000000 are expected\), them/theirs has .*delete"
    ):
        obtain_model(MODEL, tmp_path, download=download(hub))


def test_a_hub_that_has_it_no_more_is_named(hub: Hub, tmp_path: Path) -> None:
    del hub.files["weights.bin"]
    with pytest.raises(ImportedError, match=r"theirs/weights.bin: cannot be fetched \(404.*--file"):
        obtain_model(MODEL, tmp_path, download=download(hub))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ConnectionError("no route"),
            r"cannot be fetched \(no route\); mend the network .*folder called theirs.*--file",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), r"the disk is full at theirs/config.json .*make room"),
        (PermissionError(errno.EACCES, "Permission denied"), r"cannot be written \(Permission denied\); name another"),
        (RuntimeError(""), r"cannot be fetched \(RuntimeError\)"),
    ],
)
def test_what_stands_in_the_way_is_said(tmp_path: Path, error: Exception, said: str) -> None:
    def fails(*_: object, **__: object) -> str:
        raise error

    with pytest.raises(ImportedError, match=said):
        obtain_model(MODEL, tmp_path, download=fails)


def test_a_folder_that_is_here_needs_no_hub(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name, data in BODY.items():
        (folder / name).write_bytes(data)
    assert obtain_model(MODEL, folders=[tmp_path / "others", folder], download=nobody) == folder
    (folder / "weights.bin").write_bytes(BODY["weights.bin"][:1000])
    with pytest.raises(ImportedError, match=r"1000 bytes, 30000000 are expected.*put it there from https"):
        obtain_model(MODEL, folders=[folder], download=nobody)
    (folder / "config.json").write_bytes(b"")
    with pytest.raises(ImportedError, match=r"config.json: is empty"):
        obtain_model(MODEL, folders=[folder], download=nobody)
    (folder / "config.json").unlink()
    with pytest.raises(ImportedError, match=r"config.json: cannot be read \(No such file"):
        obtain_model(MODEL, folders=[folder], download=nobody)


def test_licence_size_and_sum_are_shown_before_anything_is_fetched() -> None:
    assert MODEL.about() == (
        f"them/theirs (30 MB, licence MIT): a network; from https://huggingface.co/them/theirs/tree/{'c' * 40}; "
        f"weights.bin has SHA-256 {MODEL.files[1].sha256}"
    )
    lines = summary().splitlines()
    assert len(lines) == len(MODELS) == 2 and "licence MIT" in lines[0] and "licence Apache-2.0" in lines[1]
    for model, line in zip(MODELS, lines, strict=True):
        weights = next(file for file in model.files if file.name == model.weights)
        assert len(weights.sha256) == 64 and weights.sha256 in line and len(model.revision) == 40
        assert model.record()["sha256"][model.weights] == weights.sha256
        assert model.licence_url in licences() and model.url in licences()
