"""``segue towers import clip-clap`` with small drawn models, all the way to suggestions; and what it refuses."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import small_clip_clap
import torch
from rtx_builds import check_builds, rtx_builds

import segue
from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from export import import_clip_clap
from export.errors import ExportError
from export.import_clip_clap import fit_curves, read_labels
from export.imports import ImportOptions
from features.spec import FEATURES
from towers.imports.clip_clap import association
from towers.imports.clip_clap.networks import read_pictures, read_sound
from towers.imports.clip_clap.tagging import picture_tags, sound_tags
from towers.imports.clip_clap.vocabulary import MEANINGS, TAG_NAMES
from towers.imports.clip_clap.whole import measure_words

TAGS = len(TAG_NAMES)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, write_music: Callable[..., Path]) -> SimpleNamespace:
    """Models as folders, what the program is to know of them, and media."""
    small_clip_clap.needed()
    root = tmp_path_factory.mktemp("given")
    models = small_clip_clap.small_models(root / "models")
    small_clip_clap.film(root / "background" / "film.mp4", 81, seed=1)
    for seed in range(4):
        write_music(root / "background" / f"{seed}.wav", duration_s=21, bpm=80 + 30 * seed, seed=seed, rate_hz=16_000)
    (root / "background" / "broken.mp4").write_text("no film")
    for seed in range(4):
        small_clip_clap.film(root / "pairs" / f"{seed}.mp4", 5, seed=10 + seed, sound=True)
    for seed in range(2):
        write_music(root / "music" / f"{seed}.ogg", duration_s=9, bpm=90 + 40 * seed, seed=20 + seed)
    folders = [root / "models" / model.folder for model in models]
    return SimpleNamespace(root=root, models=models, folders=folders)


def asked(given: SimpleNamespace, out: Path, base: Path, *more: object) -> list[str]:
    files = [word for folder in given.folders for word in ("--file", folder)]
    words = ["towers", "import", "clip-clap", "-o", out, "--base", base, "--accept-licence", *files, *more]
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def made(given: SimpleNamespace, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("made") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_clip_clap, "MODELS", given.models)
        words = asked(
            given, out, tiny_bundle, "--background", given.root / "background", "--pairs", given.root / "pairs"
        )
        assert segue.main(words) == 0
    return load_bundle(out, FEATURES)


def test_it_is_a_bundle_with_a_record_of_what_it_is_made_of(made: Bundle, given: SimpleNamespace) -> None:
    assert made.manifest.system.endswith("+clip-clap")
    assert "scene" in made.features_of("video_clip") and "clap_mel" in made.features_of("music_clip")
    assert (made.manifest.video_dim, made.manifest.music_dim) == (16 + TAGS, 16 + TAGS)
    assert made.manifest.embedding_dim == 32 + len(MEANINGS) + 2
    record = made.manifest.training["imported"]
    assert [source["repo"] for source in record["sources"]] == [model.repo for model in given.models]
    assert record["tags"] == list(TAG_NAMES) and record["axes"] == list(MEANINGS)
    assert record["background"]["video_clips"] == 20 and record["background"]["music_clips"] == 4 * 6
    assert len(record["background"]["video"]["mean"]) == TAGS and set(record["background"]["music"]["slope"]) == {1.0}
    assert record["association"]["pairs"] == 4 and record["association"]["learnt"] is False
    assert 0.1 <= record["chosen"]["share"] <= 0.9 and record["chosen"]["videos"] == 4
    said = (made.path / "LICENCES.txt").read_text()
    assert "MIT, as its model card states" in said and "Apache-2.0" in said


def test_its_graphs_say_what_the_networks_say(made: Bundle, given: SimpleNamespace) -> None:
    engine = OnnxEngine(made)
    rng = np.random.default_rng(0)
    words = {
        "video_clip": (picture_tags(read_pictures(given.folders[0])), "scene", "video"),
        "music_clip": (sound_tags(read_sound(given.folders[1])), "clap_mel", "music"),
    }
    background = made.manifest.training["imported"]["background"]
    for graph, (tagged, name, side) in words.items():
        inputs: dict[str, Any] = {}
        for feature in made.features_of(graph):
            shape = (3, *FEATURES[feature]["shape"])  # type: ignore[misc]
            if FEATURES[feature]["dtype"] == "uint8":
                inputs[feature] = rng.integers(0, 256, shape, np.uint8)
            else:
                inputs[feature] = (20 * rng.normal(size=shape) - 50).astype(np.float32)
        found = engine.run(graph, inputs)["embedding"][:, -TAGS:]
        with torch.inference_mode():
            raw = tagged(torch.from_numpy(inputs[name])).numpy()
        mean, deviation = (np.array(background[side][part]) for part in ("mean", "deviation"))
        np.testing.assert_allclose(found, (raw - mean) / deviation, atol=0.05)
        assert np.ptp(found, axis=0).min() > 0
    engine.close()


def test_it_indexes_and_suggests(
    made: Bundle, given: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["-c", str(tmp_path / "catalogue"), "--bundle", str(made.path)]
    assert segue.main(["index", str(given.root / "music"), *common, "--jobs", "1"]) == 0
    capsys.readouterr()
    film = small_clip_clap.film(tmp_path / "film.mp4", 6, seed=30)
    assert segue.main(["watch", str(film), *common, "--fast", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    suggested = [line for line in lines if line["type"] == "suggestions"]
    assert len(suggested) == 6
    for line in suggested:
        assert len({item["track"] for item in line["items"]}) == 2
        assert all(np.isfinite(item["score"]) for item in line["items"])


def test_what_pairs_teach_goes_to_the_pictures_and_is_said(
    given: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice itself is tested where it is made; here four pairs are enough, and what they teach is a mark."""
    taught: list[tuple[np.ndarray, ...]] = []
    built: list[tuple[Any, ...]] = []

    def learn(seen: np.ndarray, heard: np.ndarray, hand: np.ndarray) -> association.Learnt:
        taught.append((seen, heard))
        return association.Learnt(hand + 1.0, 3.0, 40, 0.5, 0.6)

    monkeypatch.setattr(import_clip_clap, "MODELS", given.models)
    monkeypatch.setattr(association, "learn", learn)
    monkeypatch.setattr(import_clip_clap, "build", lambda *parts: built.append(parts))
    asked = ImportOptions(
        files=tuple(given.folders), background=(given.root / "background",), pairs=given.root / "pairs"
    )
    loaded = import_clip_clap.load(asked, lambda step: None)
    (seen, heard), (_, _, words, raw, matrices) = taught[0], built[0]
    hand = association.by_hand().numpy()
    np.testing.assert_allclose(matrices[0], hand + 1.0)
    np.testing.assert_allclose(matrices[1], hand)
    assert seen.shape == heard.shape == (4, TAGS) and np.abs(seen).max() <= 1 and not np.allclose(seen, heard)
    assert [len(rows) for rows in raw] == [20, 24] and [word.mean.shape for word in words] == [(TAGS,)] * 2
    np.testing.assert_allclose(words[0].mean, raw[0].mean(axis=0))
    assert loaded.notes == (association.Learnt(hand, 3.0, 40, 0.5, 0.6).text(),)
    assert loaded.record["association"] == {"pairs": 40, "learnt": True, "own": 0.6}


@pytest.fixture
def refused(
    given: SimpleNamespace,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    def run(*more: object) -> str:
        monkeypatch.setattr(import_clip_clap, "MODELS", given.models)
        assert segue.main(asked(given, tmp_path / "out", tiny_bundle, *more)) == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    return run


def test_without_a_background_nothing_is_compared(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "none comes with the program; name folders of yours with --background" in refused()
    assert "there is no file of video in it" in refused("--background", tmp_path)


def test_a_small_background_is_refused(
    refused: Callable[..., str], tmp_path: Path, write_music: Callable[..., Path]
) -> None:
    small_clip_clap.film(tmp_path / "few" / "film.mp4", 9)
    write_music(tmp_path / "few" / "track.wav", duration_s=9)
    assert "background: 2 clips of video, at least 20 are needed" in refused("--background", tmp_path / "few")


def test_without_transformers_it_says_what_to_install(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "transformers" else real(name, *more)
    )
    assert 'needs transformers (there is no transformers); install it: pip install ".[clip-clap]"' in refused()


def test_a_licence_that_is_not_agreed_to_fetches_nothing(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_clip_clap, "load", None)
    words = ["towers", "import", "clip-clap", "-o", tmp_path / "out", "--base", tiny_bundle]
    monkeypatch.setattr("sys.stdin", None)
    assert segue.main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert "licence MIT" in said and "licence Apache-2.0" in said and "SHA-256 92c26d60d320" in said
    assert said.splitlines()[-1].endswith("read them, then give --accept-licence")


def labels(folder: Path, text: str) -> Path:
    for name in ("a.wav", "b.wav"):
        (folder / name).write_text("")
    (folder / "tags.csv").write_text(text)
    return folder


def test_labels_are_read_by_file(tmp_path: Path) -> None:
    folder = labels(tmp_path, "a.wav,sad, piano \n\nb.wav\n")
    assert read_labels([folder, tmp_path / "none"]) == {
        folder / "a.wav": frozenset({"sad", "piano"}),
        folder / "b.wav": frozenset(),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("c.wav,sad\n", "c.wav is not there"), ("a.wav,sadness\n", "'sadness' is no tag; they are joyful")],
)
def test_labels_that_are_none_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        read_labels([labels(tmp_path, text)])


def test_a_tag_with_labels_has_its_curve_and_no_other_has() -> None:
    rng = np.random.default_rng(0)
    at = TAG_NAMES.index("sad")
    paths = [Path(f"{number}.wav") for number in range(40)]
    rows = {path: rng.normal(size=(5, TAGS)) for path in paths}
    known = {
        path: frozenset({"sad"} if number % 2 else {"piano"} if number < 6 else ()) for number, path in enumerate(paths)
    }
    for path in paths:
        rows[path][:, at] += 2.0 if "sad" in known[path] else -2.0
    words = fit_curves(measure_words(np.concatenate(list(rows.values()))), rows, known)
    assert words.slope[at] > 2 and np.delete(words.slope, at).tolist() == [1.0] * (TAGS - 1)
    assert not np.delete(words.offset, at).any()  # three pianos teach nothing
    assert fit_curves(words, rows, {}) is words


@rtx_builds
def test_tensorrt_for_rtx_builds_its_graphs(made: Bundle) -> None:
    assert len(check_builds(made)) == 2 * len(made.manifest.graphs)
