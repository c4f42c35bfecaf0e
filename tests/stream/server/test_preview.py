"""Track facts and audio over HTTP: ranges, unknown tracks, files that are gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.catalog import Catalog
from stream.server.preview import course_of


@pytest.fixture(scope="module")
def track(small_catalog: Path) -> Any:
    with Catalog.open(small_catalog, None) as catalog:
        return catalog.tracks()[0]


def test_facts_of_a_track(client: httpx.Client, track: Any) -> None:
    facts = client.get(f"/api/tracks/{track.id}").json()
    assert facts["track"] == track.id and facts["title"] == track.title
    assert facts["duration_s"] == pytest.approx(20.0, abs=0.1)
    assert facts["audio"] == f"/tracks/{track.id}/audio"
    assert "path" not in facts
    assert -24 <= facts["gain_db"] <= 12 and facts["gain_db"] != 0
    said = {name: facts[name] for name in ("attribution", "live_ok", "vod_ok", "source", "bought", "list_at", "moods")}
    assert said == {"attribution": "", "live_ok": None, "vod_ok": None, "source": "", "bought": "", "list_at": "",
                    "moods": []}  # fmt: skip
    assert facts["marks"] == ["licence unknown"] and facts["vocals"] in (True, False, None)


def test_the_course_of_a_track(client: httpx.Client, track: Any, small_catalog: Path) -> None:
    with Catalog.open(small_catalog, None) as catalog:
        outline = catalog.outline(track.id)
    assert outline is not None
    facts = client.get(f"/api/tracks/{track.id}").json()
    assert facts["peaks"] == outline.peaks.tolist() and len(set(facts["peaks"])) > 1
    assert facts["sections_s"] == pytest.approx(outline.sections_s.tolist(), abs=0.001) and facts["sections_s"]
    assert facts["downbeats_s"] == pytest.approx(outline.downbeats_s.tolist(), abs=0.001)
    assert facts["lufs"] == pytest.approx(outline.lufs, abs=0.06)


def test_a_course_that_is_not_known(outline: Callable[..., Any]) -> None:
    assert set(course_of(None).values()) == {None}
    assert course_of(outline(lufs=float("-inf")))["lufs"] is None  # JSON has no infinity


def test_the_whole_file(client: httpx.Client, track: Any) -> None:
    response = client.get(f"/tracks/{track.id}/audio")
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.content == Path(track.path).read_bytes()


@pytest.mark.parametrize(("asked", "start", "stop"), [("0-99", 0, 100), ("1000-", 1000, None), ("-64", -64, None)])
def test_ranges(client: httpx.Client, track: Any, asked: str, start: int, stop: int | None) -> None:
    whole = Path(track.path).read_bytes()
    response = client.get(f"/tracks/{track.id}/audio", headers={"range": f"bytes={asked}"})
    assert response.status_code == 206
    assert response.content == whole[start:stop]
    first = start if start >= 0 else len(whole) + start
    assert response.headers["content-range"] == f"bytes {first}-{first + len(response.content) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_416(client: httpx.Client, track: Any) -> None:
    response = client.get(f"/tracks/{track.id}/audio", headers={"range": "bytes=999999999-"})
    assert response.status_code == 416


@pytest.mark.parametrize(
    "name",
    ["0" * 16, "..", "../../../../etc/passwd", "..%2F..%2F..%2Fetc%2Fpasswd", "%2e%2e%2fcatalog.json", "%00"],
)
def test_nothing_but_known_tracks(client: httpx.Client, name: str) -> None:
    raw = httpx.URL(str(client.base_url)).copy_with(raw_path=f"/tracks/{name}/audio".encode())
    response = client.get(raw)
    assert response.status_code == 404
    assert b"root:" not in response.content


def test_only_the_pages_own_files_are_served(client: httpx.Client) -> None:
    assert client.get("/").headers["content-type"].startswith("text/html")
    assert client.get("/dock").content == client.get("/").content
    script = client.get("/main.js").headers
    assert script["content-type"].startswith("text/javascript") and script["cache-control"] == "no-cache"
    for name in ("__init__.py", "..%2Fapp.py", "nothing.js", "catalog.sqlite"):
        assert client.get(f"/{name}").status_code == 404


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    for path in ("/", "/healthz", "/nowhere", "/tracks/x/audio"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]


def test_a_vanished_file_is_a_404_with_the_reason(
    serving: Callable[..., Any], own_catalog: Path, tmp_path: Path
) -> None:
    with (
        serving(own_catalog) as running,
        httpx.Client(base_url=running.url) as client,
        Catalog.open(own_catalog, None) as catalog,
    ):
        victim = catalog.tracks()[-1]
        path, aside = Path(victim.path), tmp_path / "aside"
        path.rename(aside)
        try:
            response = client.get(f"/tracks/{victim.id}/audio")
        finally:
            aside.rename(path)
    assert response.status_code == 404
    assert "index the folder again" in response.json()["detail"]
    assert str(path) not in response.text
