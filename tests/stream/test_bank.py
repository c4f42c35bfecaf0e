"""``segue bank``: windows of real files through the live path, into the bundle, or nothing is changed."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream import bank
from stream.errors import StreamError

Video = Callable[..., Path]


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def videos(write_video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two of six seconds; windows are taken at every second from the second one on."""
    monkeypatch.setattr(bank, "FIRST_S", 2)
    monkeypatch.setattr(bank, "EVERY_S", 1)
    return [str(write_video(tmp_path / f"{width}.mp4", frames=72, width=width)) for width in (64, 96)]


def names(bundle: Path) -> list[str]:
    return sorted(path.name for path in bundle.iterdir() if path.suffix == ".npz")


def test_windows_of_every_video_are_kept(
    bundle: Path, videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    before = load_bundle(bundle, FEATURES).identity
    assert bank.main([videos[0], str(broken), videos[1], "--bundle", str(bundle)]) == 0
    found = load_bundle(bundle, FEATURES)
    assert found.bank is not None and len(found.bank) == 8 and found.identity != before
    assert found.manifest.bank is not None and found.manifest.bank.videos == 2
    assert (found.bank.moods is not None) == ("mood" in found.manifest.graphs)
    np.testing.assert_allclose(np.linalg.norm(found.bank.queries, axis=1), 1.0, atol=1e-5)
    said = capsys.readouterr()
    assert "passed over" in said.err and "broken.mp4" in said.err and found.identity in said.out
    first = names(bundle)
    assert bank.main([videos[1], videos[0], "--bundle", str(bundle)]) == 0
    assert len(names(bundle)) == 1 and names(bundle) != first  # the one before is gone
    assert bank.main([videos[1], videos[0], "--bundle", str(bundle)]) == 0
    assert len(names(bundle)) == 1


def test_too_few_windows_change_nothing(bundle: Path, videos: list[str]) -> None:
    before = load_bundle(bundle, FEATURES).identity
    with pytest.raises(StreamError, match="1 videos have 4 windows, a bank needs 8"):
        again = Path(videos[0]).parent / ".." / Path(videos[0]).parent.name / Path(videos[0]).name
        bank.main([videos[0], videos[0], str(again), "--bundle", str(bundle)])
    assert load_bundle(bundle, FEATURES).identity == before and names(bundle) == []


def test_videos_that_all_look_the_same_change_nothing(
    bundle: Path, videos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank, "ALIKE", 2.0)
    with pytest.raises(StreamError, match="look the same"):
        bank.main([*videos, "--bundle", str(bundle)])
    assert names(bundle) == []


def test_what_is_not_needed_of_a_video_is_not_looked_at(videos: list[str], bundle: Path) -> None:
    engine = OnnxEngine(load_bundle(bundle, FEATURES))
    asked: list[int] = []
    search = bank.QueryLog.search
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bank, "PER_VIDEO", 2)
        patched.setattr(bank.QueryLog, "search", lambda self, *given: asked.append(1) or search(self, *given))
        assert len(bank.windows_of(videos[0], engine)) == 2
    assert len(asked) == 3  # of six seconds
    engine.close()


def test_a_short_video_gives_its_last_window(bundle: Path, videos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "FIRST_S", 99)
    with pytest.raises(StreamError, match="2 videos have 2 windows"):
        bank.main([*videos, "--bundle", str(bundle)])


def test_where_it_cannot_be_written_the_bundle_stays_as_it_was(
    bundle: Path, videos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bank.os, "replace", full)
    before = load_bundle(bundle, FEATURES).identity
    with pytest.raises(StreamError, match="No space left on device"):
        bank.main([*videos, "--bundle", str(bundle)])
    assert load_bundle(bundle, FEATURES).identity == before
    assert names(bundle) == [] and not list(bundle.glob(".*"))  # and nothing lies about
