"""The real packages, from the index or the cache: imported, and asked for one picture and one track.

46 MB are fetched the first time, so it runs where it is asked for: ``CI`` or ``SEGUE_REAL_IMPORTS`` is set.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import segue
from catalog.catalog import Catalog
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from features.tag_mel import tag_mel
from towers.imports import wheels
from towers.imports.lite import GROUP_NAMES, TAG_NAMES

ASKED = bool(os.environ.get("CI") or os.environ.get("SEGUE_REAL_IMPORTS"))


def plucked() -> np.ndarray:
    """Four seconds of single plucked tones: nothing else there is."""
    t = np.arange(64_000) / 16_000
    sound = np.zeros(64_000)
    for at, pitch in enumerate((196, 247, 294, 392, 494, 392, 294, 247)):
        tone = sum(np.sin(2 * np.pi * pitch * k * (t - at / 2)) / k for k in range(1, 7))
        sound += np.where(t >= at / 2, tone * np.exp(-6 * np.maximum(t - at / 2, 0)), 0)
    return (0.1 * sound).astype(np.float32)


def painted() -> np.ndarray:
    """Sky, sea and sand, as a child would paint them."""
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:40], picture[40:65], picture[65:] = (150, 200, 250), (20, 90, 150), (230, 210, 160)
    grain = np.random.default_rng(0).integers(-8, 9, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


NETWORK = ("timed out", "pip took more", "Connection", "Temporary failure", "Name or service", "HTTP error 5")


@pytest.mark.timeout(900)
@pytest.mark.skipif(not ASKED, reason="fetches 46 MB: set CI or SEGUE_REAL_IMPORTS")
def test_lite(
    tmp_path: Path,
    tiny_bundle: Path,
    write_music: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wheels, "LIMIT_S", 150)
    out = tmp_path / "lite"
    code = segue.main(["towers", "import", "lite", "-o", str(out), "--base", str(tiny_bundle), "--accept-licence"])
    said = capsys.readouterr()
    if code and any(word in said.err for word in NETWORK):
        pytest.skip(said.err.splitlines()[-1])
    assert code == 0, said.err
    assert "Apache" in (out / "LICENCES.txt").read_text() and "Pompeu Fabra" in (out / "LICENCES.txt").read_text()
    bundle = load_bundle(out, FEATURES)
    engine = OnnxEngine(bundle)
    known = {name: np.zeros((1, *np.shape(np.empty(FEATURES[name]["shape"]))), str(FEATURES[name]["dtype"]))
             for name in (*bundle.features_of("video_clip"), *bundle.features_of("music_clip"))}  # fmt: skip
    video = {name: known[name] for name in bundle.features_of("video_clip")} | {"scene": painted()[None]}
    groups = engine.run("video_clip", video)["embedding"][0, -len(GROUP_NAMES) :]
    music = {name: known[name] for name in bundle.features_of("music_clip")} | {"tag_mel": tag_mel(plucked())[None]}
    tags = engine.run("music_clip", music)["embedding"][0, -len(TAG_NAMES) :]
    engine.close()
    assert GROUP_NAMES[int(groups.argmax())] == "print and drawing"
    scores = dict(zip(TAG_NAMES, tags.tolist(), strict=True))
    assert max(scores, key=scores.__getitem__) == "mtt:solo"
    assert scores["mtt:harp"] > scores["mtt:drums"] + 3 and scores["msd:instrumental"] > scores["msd:pop"] + 3

    write_music(tmp_path / "music" / "short.wav", duration_s=6)
    assert segue.main(
        ["index", str(tmp_path / "music"), "-c", str(tmp_path / "catalogue"), "--bundle", str(out), "--jobs", "1"]
    ) == 0  # fmt: skip
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert len(catalog) == 1
