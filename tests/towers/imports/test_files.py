"""Weights from where they are published: whole or not at all, the sum that was found kept, a word on what to do."""

import errno
import hashlib
import http.server
import io
import threading
import urllib.error
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from towers.imports import files
from towers.imports.errors import ImportedError
from towers.imports.files import WeightFile, cache_folder, licences_of, obtain_file, record_of, summary_of

DATA = bytes(range(256)) * 9000  # more than one block
SUM = hashlib.sha256(DATA).hexdigest()
FILE = WeightFile(
    "a network", "net.pth", "https://example.org/net.pth", SUM[:8], len(DATA), "MIT", "https://example.org/L", "words"
)


class Answer(io.BytesIO):
    def __init__(self, data: bytes, promised: int | None = None) -> None:
        super().__init__(data)
        self.headers = {} if promised is None else {"Content-Length": str(promised)}


class Site:
    """Stands for ``urlopen``."""

    def __init__(self, data: bytes = DATA, promised: int | None = None, error: Exception | None = None) -> None:
        self.data, self.promised, self.error, self.asked = data, promised, error, 0

    def __call__(self, url: str, timeout: float) -> Answer:
        self.asked += 1
        assert url == FILE.url and timeout > 0
        if self.error is not None:
            raise self.error
        return Answer(self.data, self.promised)


NEVER = Site(error=AssertionError("the network was asked"))


def test_it_is_fetched_once_and_its_sum_is_kept(tmp_path: Path) -> None:
    said: list[str] = []
    kept = obtain_file(FILE, tmp_path / "c", progress=said.append, open_url=Site(promised=len(DATA)))
    assert kept.path.read_bytes() == DATA and kept.sha256 == SUM
    assert said[-1] == "fetching a network: 2 of 2 MB" and len(said) == 3
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["net.pth", "net.pth.sha256"]
    assert obtain_file(FILE, tmp_path / "c", open_url=NEVER) == kept
    assert record_of([(FILE, kept)])["sources"][0]["sha256"] == SUM


@pytest.mark.parametrize("published", ["", SUM[:8], SUM])
def test_what_changes_in_the_cache_is_noticed_whatever_is_published(tmp_path: Path, published: str) -> None:
    """Also where nothing is: then by the sum that was found."""
    weights = replace(FILE, sha256=published, size=0)
    kept = obtain_file(weights, tmp_path, open_url=Site())
    kept.path.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(ImportedError, match=f"{SUM[:8]}.*delete it and import again"):
        obtain_file(weights, tmp_path, open_url=NEVER)


def test_a_kept_sum_that_contradicts_what_is_published_does_not_count(tmp_path: Path) -> None:
    kept = obtain_file(FILE, tmp_path, open_url=Site())
    (tmp_path / "net.pth.sha256").write_text("0" * 64)
    assert obtain_file(FILE, tmp_path, open_url=NEVER) == kept
    (tmp_path / "net.pth.sha256").write_bytes(b"\xff")
    assert obtain_file(FILE, tmp_path, open_url=NEVER) == kept


def test_a_file_that_is_given_is_taken_where_it_is(tmp_path: Path) -> None:
    here = tmp_path / "net.pth"
    here.write_bytes(DATA)
    assert obtain_file(FILE, tmp_path / "cache", [tmp_path / "other", here], open_url=NEVER).path == here
    assert not (tmp_path / "cache").exists()
    here.write_bytes(DATA[:100])
    with pytest.raises(ImportedError, match=rf"\(100 bytes, {len(DATA)} are expected\).*name another file"):
        obtain_file(FILE, tmp_path / "cache", [here], open_url=NEVER)
    here.unlink()
    with pytest.raises(ImportedError, match="cannot be read"):
        obtain_file(FILE, tmp_path / "cache", [here], open_url=NEVER)


@pytest.mark.parametrize(
    ("site", "says"),
    [
        (Site(DATA[:5], promised=len(DATA)), f"5 of {len(DATA)} bytes came.*try again, or fetch https"),
        (Site(DATA[:5]), f"5 of {len(DATA)} bytes came"),  # nothing is promised, the size is known
        (Site(DATA[:-1] + b"x"), "another file: do not use it"),
        (
            Site(error=urllib.error.URLError("Name or service not known")),
            "Name or service.*network or its proxy.*--file",
        ),
        (Site(error=urllib.error.HTTPError(FILE.url, 404, "Not Found", None, None)), "Not Found"),  # type: ignore[arg-type]
        (Site(error=TimeoutError("timed out")), "timed out"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing(tmp_path: Path, site: Site, says: str) -> None:
    with pytest.raises(ImportedError, match=says):
        obtain_file(FILE, tmp_path / "cache", open_url=site)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_that_fills_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file, self.blocks = file, 0

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, block: bytes) -> None:
            self.blocks += 1
            if self.blocks > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(block)

        def flush(self) -> None: ...

    def opened(self: Path, mode: str = "r", **words: Any) -> Any:
        return Full(real(self, mode, **words)) if mode == "wb" else real(self, mode, **words)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(ImportedError, match=r"the disk is full; make room, or name another with --cache"):
        obtain_file(FILE, tmp_path / "cache", open_url=Site())
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_without_room_is_told_before_anything_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 5_000_000

    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(ImportedError, match="has 5 MB free, a network needs 9; make room"):
        obtain_file(replace(FILE, size=9_000_000), tmp_path, open_url=NEVER)


def test_a_cache_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(ImportedError, match=r"cache .*cannot be written"):
        obtain_file(FILE, tmp_path / "cache", open_url=NEVER)


def test_what_is_agreed_to_says_how_sure_it_is() -> None:
    assert "the first 8 digits are published" in summary_of([FILE]) and "licence MIT" in summary_of([FILE])
    assert "its sum is not published" in replace(FILE, sha256="").about()
    assert "its sum is known" in replace(FILE, sha256=SUM).about()
    assert "https://example.org/L" in licences_of([FILE])


def test_the_cache_is_beside_that_of_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "segue" / "weights"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/net.pth":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_over_http(tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert obtain_file(replace(FILE, url=f"{site}/net.pth"), tmp_path).sha256 == SUM
    with pytest.raises(ImportedError, match="Not Found"):
        obtain_file(replace(FILE, file="other.pth", url=f"{site}/other.pth"), tmp_path)
