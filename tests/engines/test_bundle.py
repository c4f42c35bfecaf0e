"""Every way in which a bundle can be wrong, and what the user is told."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engines import bundle as bundle_module
from engines.bundle import default_bundle, load_bundle
from engines.errors import BundleError
from features.spec import FEATURES, MAX_CLIPS

REQUIRED = ("video_clip", "music_clip", "video_sequence", "music_sequence")


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@contextmanager
def manifest_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The manifest's JSON, written back at the end."""
    file = folder / "manifest.json"
    data = json.loads(file.read_text())
    yield data
    file.write_text(json.dumps(data))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, FEATURES)
    text = str(caught.value)
    assert str(folder) in text and "\n" not in text
    return text


def test_a_valid_bundle(tiny_bundle: Path) -> None:
    bundle = load_bundle(str(tiny_bundle), FEATURES)
    assert bundle.path == tiny_bundle
    assert (bundle.manifest.video_dim, bundle.manifest.embedding_dim, bundle.manifest.max_clips) == (16, 32, MAX_CLIPS)
    assert set(bundle.manifest.graphs) == {
        "video_clip",
        "music_clip",
        "video_sequence",
        "music_sequence",
        "matcher",
        "mood",
    }
    assert bundle.spec("video_clip").inputs[0].shape == ("batch", 64, 256)
    assert bundle.spec("matcher").outputs[0].shape == ("batch",)
    assert bundle.identity == hashlib.sha256((tiny_bundle / "manifest.json").read_bytes()).hexdigest()


def test_the_identity_follows_the_weights(tmp_path: Path, write_tiny_bundle: Callable[..., Path]) -> None:
    one, same, other = (write_tiny_bundle(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    identities = [load_bundle(path, FEATURES).identity for path in (one, same, other)]
    assert identities[0] == identities[1] != identities[2]


def test_optional_graphs_may_be_absent(folder: Path) -> None:
    with manifest_of(folder) as data:
        del data["graphs"]["matcher"], data["graphs"]["mood"]
    assert set(load_bundle(folder, FEATURES).manifest.graphs) == set(REQUIRED)


def test_no_such_folder(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere")


def test_no_manifest(tmp_path: Path) -> None:
    assert "has no manifest.json" in refusal(tmp_path)


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b"", b"[" * 100_000])
def test_manifest_is_not_json(folder: Path, text: bytes) -> None:
    (folder / "manifest.json").write_bytes(text)
    assert "manifest.json is not JSON" in refusal(folder)


@pytest.mark.parametrize(("text", "said"), [("[]", "a list"), ("3", "a number"), ("null", "null")])
def test_manifest_is_not_an_object(folder: Path, text: str, said: str) -> None:
    (folder / "manifest.json").write_text(text)
    assert f"holds {said}, not an object" in refusal(folder)


@pytest.mark.parametrize("version", [2, 0, "1", True, None])
def test_another_format(folder: Path, version: object) -> None:
    with manifest_of(folder) as data:
        data["format"] = version
    assert f"format is {version!r}, this segue reads 1" in refusal(folder)


@pytest.mark.parametrize("name", ["name", "system", "graphs", "features", "training"])
def test_a_missing_field(folder: Path, name: str) -> None:
    with manifest_of(folder) as data:
        del data[name]
    assert f"the field {name} is missing" in refusal(folder)


@pytest.mark.parametrize("value", [0, -1, 1.5, "16", True, None])
def test_sizes_are_positive_whole_numbers(folder: Path, value: object) -> None:
    with manifest_of(folder) as data:
        data["clip_dim"] = value
    assert f"clip_dim is {value!r}, not a positive whole number" in refusal(folder)


def test_a_field_of_another_type(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["inputs"] = {}
    assert "graph mood: inputs is an object, not a list" in refusal(folder)


def test_a_tensor_without_a_batch_axis(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["outputs"][0]["shape"] = [1, 3]
    assert "graph mood: outputs.mood: shape [1, 3] is not ['batch', sizes...]" in refusal(folder)


@pytest.mark.parametrize("size", [0, -3, True, "n", None])
def test_a_tensor_with_a_bad_size(folder: Path, size: object) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["outputs"][0]["shape"] = ["batch", size]
    assert "is not ['batch', sizes...]" in refusal(folder)


def test_an_unknown_dtype(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["outputs"][0]["dtype"] = "float64"
    assert "dtype 'float64' is none of float32, uint8, bool" in refusal(folder)


@pytest.mark.parametrize("file", ["../mood.onnx", "/etc/passwd", "a\\b.onnx", "..", "", "c:x"])
def test_file_names_stay_in_the_folder(folder: Path, file: str) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["file"] = file
    assert f"file {file!r} is not a plain file name" in refusal(folder)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_a_digest_that_is_none(folder: Path, digest: str) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["sha256"] = digest
    assert "is not 64 hex digits" in refusal(folder)


@pytest.mark.parametrize("graph", REQUIRED)
def test_a_missing_required_graph(folder: Path, graph: str) -> None:
    with manifest_of(folder) as data:
        del data["graphs"][graph]
    assert f"the graph {graph} is missing" in refusal(folder)


def test_an_unknown_graph(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["oracle"] = data["graphs"]["mood"]
    assert "unknown graph oracle" in refusal(folder)


def test_a_missing_file(folder: Path) -> None:
    (folder / "video_clip.onnx").unlink()
    assert "the file video_clip.onnx of graph video_clip is missing" in refusal(folder)


def test_another_hash(folder: Path, tiny_bundle: Path) -> None:
    shutil.copy(tiny_bundle / "mood.onnx", folder / "video_clip.onnx")
    text = refusal(folder)
    found = hashlib.sha256((folder / "video_clip.onnx").read_bytes()).hexdigest()[:12]
    assert f"has SHA-256 {found}..., manifest.json says" in text


def test_a_truncated_file(folder: Path) -> None:
    file = folder / "matcher.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert f"matcher.onnx ({len(whole) // 2} bytes) has SHA-256" in refusal(folder)


def test_a_clip_dim_that_contradicts_the_graphs(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["clip_dim"] = 24
    text = refusal(folder)
    assert "graph video_clip: output is embedding float32 (batch, 16)" in text
    assert "clip_dim 24" in text and "asks for embedding float32 (batch, 24)" in text


@pytest.mark.parametrize(
    ("graph", "side", "at", "shape", "wanted"),
    [
        ("music_sequence", "inputs", 0, [7, 20], "(batch, 7, 16)"),
        ("music_sequence", "outputs", 0, [40], "(batch, 32)"),
        ("mood", "inputs", 0, [16], "(batch, 32)"),
        ("video_sequence", "inputs", 1, [8], "(batch, 7)"),
        ("matcher", "outputs", 0, [1], "(batch)"),
        ("music_sequence", "inputs", 2, [7, 4], "(batch, 7, 3)"),
        ("video_clip", "inputs", 0, [64, 64], "(batch, 64, 256)"),
    ],
)
def test_graphs_that_contradict_each_other(
    folder: Path, graph: str, side: str, at: int, shape: list[int], wanted: str
) -> None:
    with manifest_of(folder) as data:
        data["graphs"][graph][side][at]["shape"] = ["batch", *shape]
    text = refusal(folder)
    claimed = "(" + ", ".join(map(str, ["batch", *shape])) + ")"
    assert f"graph {graph}: {side[:-1]}" in text
    assert claimed in text and wanted in text


def test_inputs_of_other_names(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["graphs"]["mood"]["inputs"][0]["name"] = "vector"
    assert "graph mood: inputs are vector, must be embedding" in refusal(folder)


def test_a_feature_that_is_not_offered(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["features"]["lyrics"] = {"dtype": "float32"}
    assert "asks for the feature lyrics, this segue offers clip_image, displacement, clip_mel, rhythm" in refusal(
        folder
    )


@pytest.mark.parametrize(
    ("feature", "key", "value", "said"),
    [
        ("clip_mel", "hop", 128, "feature clip_mel: hop is 128 in the bundle and 160 in this segue"),
        ("clip_image", "shape", [64, 128], "shape is [64, 128] in the bundle and [64, 256] in this segue"),
        ("rhythm", "swing", 1, "feature rhythm: swing is 1 in the bundle and absent in this segue"),
    ],
)
def test_a_feature_with_other_parameters(folder: Path, feature: str, key: str, value: object, said: str) -> None:
    with manifest_of(folder) as data:
        data["features"][feature][key] = value
    assert said in refusal(folder)


def test_a_parameter_that_the_bundle_lacks(folder: Path) -> None:
    with manifest_of(folder) as data:
        del data["features"]["clip_mel"]["fft"]
    assert "feature clip_mel: fft is absent in the bundle and 512 in this segue" in refusal(folder)


def test_an_input_whose_feature_is_not_described(folder: Path) -> None:
    with manifest_of(folder) as data:
        del data["features"]["rhythm"]
    assert re.search(
        r"graph music_sequence: inputs are clips, mask, rhythm, must be clips, mask, the features among them described",
        refusal(folder),
    )


def test_an_unknown_graph_is_asked_for(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"has no graph oracle; it has video_clip, music_clip"):
        load_bundle(tiny_bundle, FEATURES).spec("oracle")


def test_the_default_bundle_is_inside_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bundle_module, "__file__", str(tmp_path / "bundle.py"))
    with pytest.raises(BundleError, match=r"bundles/default: is not installed"):
        default_bundle()
    (tmp_path / "bundles" / "default").mkdir(parents=True)
    (tmp_path / "bundles" / "default" / "manifest.json").touch()
    assert default_bundle() == tmp_path / "bundles" / "default"


def test_either_side_may_have_a_width_of_its_own(folder: Path) -> None:
    with manifest_of(folder) as data:
        data["clip_dim"] = {"video": 16, "music": 24}
    text = refusal(folder)
    assert "clip_dim 16 (video) and 24 (music)" in text and "graph music_clip" in text
    with manifest_of(folder) as data:
        data["clip_dim"] = {"video": 16, "music": 16}
    assert load_bundle(folder, FEATURES).manifest.music_dim == 16
    with manifest_of(folder) as data:
        data["clip_dim"] = {"video": 16}
    assert "clip_dim: music is None, not a positive whole number" in refusal(folder)


def test_the_features_of_a_graph_are_what_it_takes_beside_the_fixed(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle, FEATURES)
    assert bundle.features_of("video_clip") == ("clip_image",)
    assert bundle.features_of("music_sequence") == ("rhythm",)
    assert set(bundle.features_of("matcher")) == {"displacement", "rhythm"}
    assert bundle.features_of("mood") == () == bundle.features_of("nothing")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("of", 7, "graph video_shades: of is a number, not text"),
        ("takes", ["clips"], "graph video_shades: takes is a list, not an object"),
        ("takes", {"clips": 1}, "graph video_shades: takes: clips is a number, not text"),
        ("of", "music clip", "the graphs music_clip and video_shades both work on: music clip"),
    ],
)
def test_wiring_that_is_none(
    tmp_path: Path, write_tiny_bundle: Callable[..., Path], field: str, value: object, said: str
) -> None:
    folder = write_tiny_bundle(tmp_path / "two", two_towers=True)
    with manifest_of(folder) as data:
        data["graphs"]["video_shades"][field] = value
    assert said in refusal(folder)


def test_a_second_tower_of_another_width_than_is_taken(tmp_path: Path, write_tiny_bundle: Callable[..., Path]) -> None:
    folder = write_tiny_bundle(tmp_path / "two", two_towers=True)
    assert load_bundle(folder, FEATURES).graphs.widths["video_shades"] == 5
    with manifest_of(folder) as data:
        data["graphs"]["video_sequence"]["inputs"][3]["shape"] = ["batch", 7, 6]
    text = refusal(folder)
    assert "graph video_sequence: input is shades float32 (batch, 7, 6)" in text
    assert "video_shades 5 asks for shades float32 (batch, 7, 5)" in text
