"""The demo's library: made once, completed when interrupted, and where it is kept."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from engines.bundle import load_bundle
from features.spec import FEATURES
from stream.demo import cache_folder, compose, main, prepare
from stream.server.errors import ServeError
from studio.library import DemoTrack, demo_tracks, write_track

HOME = Path("/home/someone")


def short_tracks(n: int, seed: int = 0) -> list[DemoTrack]:
    """The demo's tracks, cut to what a test has time for."""
    return [replace(track, duration_s=8.0) for track in demo_tracks(n, seed)]


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({"XDG_CACHE_HOME": "/fast"}, "linux", "/fast/segue"),
        ({"XDG_CACHE_HOME": "/fast"}, "darwin", "/fast/segue"),
        ({"XDG_CACHE_HOME": ""}, "linux", "/home/someone/.cache/segue"),
        ({}, "linux", "/home/someone/.cache/segue"),
        ({}, "darwin", "/home/someone/Library/Caches/segue"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/segue/cache"),
        ({}, "win32", "/home/someone/AppData/Local/segue/cache"),
    ],
)
def test_where_it_is_kept(environment: dict[str, str], platform: str, folder: str) -> None:
    assert cache_folder(environment, platform, HOME) == Path(folder)


def test_a_catalogue_is_made_and_used_again(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.demo.demo_tracks", short_tracks)
    bundle = load_bundle(tiny_bundle, FEATURES)
    steps: list[tuple[int, int, str]] = []
    folder = prepare(tmp_path, bundle, 2, 1, lambda *step: steps.append(step))
    with Catalog.open(folder, bundle) as catalog:
        assert sorted(track.title for track in catalog.tracks()) == sorted(track.title for track in demo_tracks(2, 0))
        assert {track.licence for track in catalog.tracks()} == {"CC0-1.0"}
        assert {(track.rights.live_ok, track.rights.vod_ok, track.marks) for track in catalog.tracks()} == {
            (True, True, ())
        }
        times = {track.id: Path(track.path).stat().st_mtime_ns for track in catalog.tracks()}
    assert (2, 2, "Composing 2 tracks") in steps and any("Listening" in text for _, _, text in steps)

    again = prepare(tmp_path, bundle, 2, 1, lambda *_: None)
    assert again == folder
    with Catalog.open(again, bundle) as catalog:
        assert {track.id: Path(track.path).stat().st_mtime_ns for track in catalog.tracks()} == times


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def note(track: object, folder: Path) -> Path:
        path = folder / track.file_name  # type: ignore[attr-defined]
        path.write_bytes(b"music")
        written.append(path.name)
        if len(written) == 2:
            raise KeyboardInterrupt
        return path

    tracks = demo_tracks(4)
    tmp_path.joinpath(".half.ogg.123.part").write_bytes(b"x")
    monkeypatch.setattr("stream.demo.write_track", note)
    with pytest.raises(KeyboardInterrupt):
        compose(tracks, tmp_path, 1, lambda *_: None)
    steps: list[int] = []
    compose(tracks, tmp_path, 1, lambda done, *_: steps.append(done))
    assert steps == [2, 3, 4]
    assert written == [track.file_name for track in tracks]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)


def test_processes_write_what_one_writes(tmp_path: Path) -> None:
    tracks = short_tracks(2)
    compose(tracks, tmp_path / "many", 2, lambda *_: None)
    for track in tracks:
        alone = write_track(track, tmp_path / "one")
        assert (tmp_path / "many" / track.file_name).read_bytes() == alone.read_bytes()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ServeError, match="--folder"):
        main(
            [
                "--folder",
                str(tmp_path / "file"),
                "--tracks",
                "1",
                "--jobs",
                "1",
                "--bundle",
                str(tiny_bundle),
                "--port",
                "0",
            ]
        )


def test_a_port_in_use_is_found_before_the_work(tmp_path: Path, tiny_bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(ServeError, match=port):
            main(["--folder", str(tmp_path / "demo"), "--bundle", str(tiny_bundle), "--port", port])
    assert not (tmp_path / "demo").exists()
