"""Both networks out of folders as the hub has them, small and drawn; and folders that hold something else."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_clip_clap
import torch
from safetensors.torch import load_file, save_file

from towers.imports.clip_clap.networks import CLAP_FRAMES, COMPUTED, Sound, read_pictures, read_sound
from towers.imports.clip_clap.tagging import picture_tags, sound_tags, tag_vectors
from towers.imports.clip_clap.vocabulary import PICTURE_TEMPLATES, TAG_NAMES, TAGS
from towers.imports.errors import ImportedError


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    small_clip_clap.needed()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return small_clip_clap.write_pictures(tmp_path / "pictures")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared: do not change it."""
    return small_clip_clap.write_sound(tmp_path_factory.mktemp("models") / "sound")


def test_a_picture_is_squeezed_into_a_square_and_scaled_as_the_model_says(pictures: Path) -> None:
    tower = read_pictures(pictures)
    shown: list[torch.Tensor] = []
    tower.network.vision.register_forward_pre_hook(
        lambda _, args, given: shown.append(given["pixel_values"]), with_kwargs=True
    )
    scene = np.full((2, 90, 160, 3), 255, np.uint8)
    scene[..., 2] = 0
    with torch.inference_mode():
        vectors = tower.network(torch.from_numpy(scene))
    assert shown[0].shape == (2, 3, small_clip_clap.SIZE, small_clip_clap.SIZE)
    np.testing.assert_allclose(shown[0][0, :, 5, 5], [2.0, 2.0, -2.0], atol=1e-5)  # mean .5, deviation .25
    assert vectors.shape == (2, small_clip_clap.EMBED)
    np.testing.assert_allclose(vectors.norm(dim=1), 1.0, atol=1e-5)


def test_a_clip_is_heard_twice_and_then_silence(sound: Path) -> None:
    tower = read_sound(sound)
    heard: list[torch.Tensor] = []
    assert isinstance(tower.network, Sound)
    tower.network.audio.register_forward_pre_hook(
        lambda _, args, given: heard.append(given["input_features"]), with_kwargs=True
    )
    mel = torch.randn(2, 400, 64) * 10 - 40
    with torch.inference_mode():
        vectors = tower.network(mel)
    assert heard[0].shape == (2, 1, CLAP_FRAMES, 64)
    assert torch.equal(heard[0][:, 0, :400], mel) and torch.equal(heard[0][:, 0, 400:800], mel)
    assert (heard[0][:, 0, 801:] == -100).all()
    assert vectors.shape == (2, small_clip_clap.EMBED)


def test_what_a_clip_becomes_is_what_its_publishers_make_of_it(sound: Path) -> None:
    """Our 16 kHz feature against transformers' own, of the same sound at 48 kHz."""
    from scipy.signal import resample_poly
    from transformers import ClapFeatureExtractor

    from features.clap_mel import clap_mel

    rng = np.random.default_rng(0)
    t = np.arange(64_000) / 16_000
    samples = (0.2 * np.sin(2 * np.pi * 440 * t * (1 + t / 10)) + 0.02 * rng.normal(size=len(t))).astype(np.float32)
    extract = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50, frequency_max=14_000)
    raised = resample_poly(samples, 3, 1, padtype="wrap")
    theirs = extract(raised, sampling_rate=48_000, return_tensors="np")["input_features"][0, 0]
    network = read_sound(sound).network
    heard: list[torch.Tensor] = []
    network.audio.register_forward_pre_hook(
        lambda _, args, given: heard.append(given["input_features"]), with_kwargs=True
    )
    network(torch.from_numpy(clap_mel(samples)[None]))
    ours = heard[0][0, 0].numpy()
    assert ours.shape == theirs.shape
    same = np.delete(np.arange(CLAP_FRAMES), [0, 1, 799, 800, 801])  # where theirs begins and ends in the middle of it
    np.testing.assert_allclose(ours[same], theirs[same], atol=0.02)


def test_texts_do_not_know_what_they_are_padded_with(pictures: Path, sound: Path) -> None:
    for tower in (read_pictures(pictures), read_sound(sound)):
        short, long = "a piano", "a still from a film: people at work in an office"
        both = tower.texts([short, long])
        np.testing.assert_allclose(tower.texts([short])[0], both[0], atol=1e-5)
        assert float(both[0] @ both[1]) < 0.999


def test_a_tags_vector_is_the_mean_of_its_templates(pictures: Path) -> None:
    tower = read_pictures(pictures)
    vectors = tag_vectors(tower, ["a piano", "a choir"], PICTURE_TEMPLATES)
    by_hand = torch.stack([tower.texts([template.format("a piano")])[0] for template in PICTURE_TEMPLATES]).mean(dim=0)
    np.testing.assert_allclose(vectors[0], by_hand / by_hand.norm(), atol=1e-5)


def test_clips_are_told_in_every_tag(pictures: Path, sound: Path) -> None:
    tower = read_pictures(pictures)
    scene = torch.randint(0, 256, (2, 90, 160, 3), dtype=torch.uint8)
    with torch.inference_mode():
        said = picture_tags(tower)(scene)
        at = TAG_NAMES.index("piano")
        cosine = tower.network(scene) @ tag_vectors(tower, [TAGS[at].picture], PICTURE_TEMPLATES)[0]
        np.testing.assert_allclose(said[:, at], 100 * cosine, atol=1e-3)
        assert sound_tags(read_sound(sound))(torch.zeros(3, 400, 64) - 50).shape == (3, len(TAGS))


def change(path: Path, name: str, what: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
    weights = load_file(path)
    if what is None:
        del weights[name]
    else:
        weights[name] = what(weights[name]) if name in weights else torch.zeros(3)
    save_file({key: value.contiguous() for key, value in weights.items()}, path)


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        ("visual.proj", None, "there is no visual.proj"),
        ("visual.head.weight", lambda x: x, "1 tensors are left over, visual.head.weight"),
        ("visual.conv1.weight", lambda x: x[:, :, :16, :16], r"visual.conv1.weight is \(64, 3, 16, 16\), must be"),
        ("transformer.resblocks.0.attn.in_proj_weight", lambda x: x[:100], r"is \(100, 64\), must be \(64, 64\)"),
        ("visual.ln_pre.bias", lambda x: x.to(torch.int64), "is torch.int64, must be a float"),
    ],
)
def test_pictures_of_another_shape_or_type_are_named(pictures: Path, name: str, what: Any, said: str) -> None:
    change(pictures / "open_clip_model.safetensors", name, what)
    with pytest.raises(ImportedError, match=said):
        read_pictures(pictures)


def test_half_precision_is_read_as_what_it_is(pictures: Path) -> None:
    scene = torch.randint(0, 256, (1, 90, 160, 3), dtype=torch.uint8)
    before = read_pictures(pictures).network(scene)
    path = pictures / "open_clip_model.safetensors"
    save_file({name: value.to(torch.float16) for name, value in load_file(path).items()}, path)
    after = read_pictures(pictures)
    assert after.network.projection.weight.dtype == torch.float32
    np.testing.assert_allclose(after.network(scene).detach(), before.detach(), atol=0.02)


def test_folders_that_hold_something_else_are_named(pictures: Path, sound: Path, tmp_path: Path) -> None:
    config = json.loads((pictures / "open_clip_config.json").read_text())
    (pictures / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": {**config["model_cfg"], "vision_cfg": {}}})
    )
    with pytest.raises(ImportedError, match="describes no OpenCLIP model with a ViT"):
        read_pictures(pictures)
    (pictures / "open_clip_config.json").write_text(json.dumps(config))
    (pictures / "open_clip_model.safetensors").write_bytes(b"half")
    with pytest.raises(ImportedError, match=r"open_clip_model\.safetensors: holds no weights"):
        read_pictures(pictures)
    with pytest.raises(ImportedError, match="holds no CLAP model"):
        read_sound(tmp_path)


def copy_of(sound: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in sound.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_sound_of_another_shape_or_cut_short_is_named(sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, tmp_path / "sound")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    name = "audio_projection.linear1.weight"
    torch.save({key: value for key, value in weights.items() if key != name}, folder / "pytorch_model.bin")
    with pytest.raises(ImportedError, match=f"1 tensors are missing or misshapen, {name}"):
        read_sound(folder)
    torch.save({**weights, name: weights[name][:3]}, folder / "pytorch_model.bin")
    with pytest.raises(ImportedError, match=r"holds no CLAP model|misshapen"):
        read_sound(folder)
    (folder / "pytorch_model.bin").write_bytes((sound / "pytorch_model.bin").read_bytes()[:5000])
    with pytest.raises(ImportedError, match="holds no CLAP model"):
        read_sound(folder)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes((sound / "pytorch_model.bin").read_bytes())
    with pytest.raises(ImportedError, match=r"tokenizer\.json: is no tokenizer"):
        read_sound(folder)


def test_what_is_computed_need_not_be_in_the_file(sound: Path, tmp_path: Path) -> None:
    """Old files have buffers that new code makes itself, and the other way round."""
    folder = copy_of(sound, tmp_path / "sound")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    computed = [name for name in weights if name.endswith(COMPUTED)]
    assert computed
    kept = {name: value for name, value in weights.items() if name not in computed}
    torch.save({**kept, "audio_model.head.bias": torch.zeros(3)}, folder / "pytorch_model.bin")
    mel = torch.randn(1, 400, 64) * 10 - 40
    before, after = read_sound(sound), read_sound(folder)
    with torch.inference_mode():
        np.testing.assert_allclose(after.network(mel), before.network(mel), atol=1e-5)
    np.testing.assert_allclose(after.texts(["a piano"]), before.texts(["a piano"]), atol=1e-5)


def test_a_tokenizer_of_something_else_is_named(pictures: Path, sound: Path) -> None:
    (pictures / "tokenizer.json").write_bytes((sound / "tokenizer.json").read_bytes())
    with pytest.raises(ImportedError, match=r"tokenizer: ends a text with 2, the text tower looks for \d{3}"):
        read_pictures(pictures).texts(["a piano"])


def test_a_phrase_longer_than_the_tower_is_named(sound: Path) -> None:
    with pytest.raises(ImportedError, match="a phrase has 42 tokens, the text tower takes 28"):
        read_sound(sound).texts(["piano " * 40])


class Harm:
    def __reduce__(self) -> Any:
        return (Path.write_text, (Path("harm.txt"), "done"))


def test_code_in_a_pickle_does_not_run(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = copy_of(sound, tmp_path / "sound")
    torch.save({"audio_projection.linear1.weight": Harm()}, folder / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(ImportedError, match="holds no CLAP model"):
        read_sound(folder)
    assert not (tmp_path / "harm.txt").exists()
