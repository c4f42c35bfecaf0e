"""What the rest of the project relies on, of every system in every setting, at scale tiny."""

import importlib.util
import json
import zlib
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from export.onnx_graph import export_graph
from features import spec
from towers.batch import Batch, Labels, Side, Sizes
from towers.system import SYSTEMS, ClosedForm, Prepared, System, build, make, system_file

PAIRS, VIDEO, MUSIC, TAGS, EMOTIONS = 24, 12, 10, 6, 3
CASES = [
    (name, setting)
    for name, place in SYSTEMS.items()
    if importlib.util.find_spec(place) is not None
    for setting in system_file(name).SETTINGS
]
each = pytest.mark.parametrize(("name", "setting"), CASES, ids=["/".join(case) for case in CASES])


def sizes() -> Sizes:
    known: dict[str, Any] = {"video": VIDEO, "music": MUSIC, "vocabulary": TAGS, "emotions": EMOTIONS}
    if "extras" in {part.name for part in fields(Sizes)}:
        known["extras"] = (*spec.VIDEO_FEATURES, *spec.MUSIC_FEATURES)
    return Sizes(**known)


def feature(name: str, rows: int, clips: int, rng: np.random.Generator) -> Tensor:
    description = spec.FEATURES[name]
    shape = (rows, clips, *description["shape"])  # type: ignore[misc]
    if description["dtype"] == "uint8":
        return torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def batch(system: System, rows: int = PAIRS, clips: int = spec.MAX_CLIPS, seed: int = 0) -> Batch:
    """Windows of 1 to ``clips`` clips; a pair shares three numbers, two pairs share music, labels have gaps."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(rows, 3))

    def side(width: int, extras: tuple[str, ...], matrix: int) -> Side:
        mix = np.random.default_rng(matrix).normal(size=(3, width))
        values = (latent @ mix)[:, None] + 0.3 * rng.normal(size=(rows, clips, width))
        lengths = np.concatenate([[clips, 1], rng.integers(1, clips + 1, rows)])[:rows]
        mask = torch.from_numpy(np.arange(clips) < lengths[:, None])
        return Side(
            torch.from_numpy(values.astype(np.float32)),
            mask,
            {name: feature(name, rows, clips, rng) for name in extras},
        )

    music = torch.arange(rows)
    music[-1] = music[0]
    mood = torch.from_numpy(rng.random((rows, 3), dtype=np.float32))
    mood[0] = torch.nan
    emotion = torch.from_numpy(rng.integers(0, EMOTIONS, rows))
    emotion[0] = -1
    polarity = torch.from_numpy(rng.uniform(-1, 1, rows).astype(np.float32))
    polarity[0] = torch.nan
    tags = torch.from_numpy(rng.random((rows, TAGS), dtype=np.float32) * (rng.random((rows, TAGS)) > 0.5))
    course = torch.from_numpy(rng.random((rows, clips), dtype=np.float32))
    course[0] = torch.nan
    return Batch(
        side(VIDEO, system.video_extras, 1),
        side(MUSIC, system.music_extras, 2),
        Labels(tags, mood, emotion, polarity, music, course),
        course,
        course,
    )


def ready(name: str, setting: str, clips: int = spec.MAX_CLIPS) -> System:
    torch.manual_seed(zlib.crc32(f"{name}/{setting}".encode()))
    system = make(name, setting, sizes(), "tiny")
    train = batch(system, 40, clips, seed=9)
    if isinstance(system, Prepared):
        system.prepare(train)
    if isinstance(system, ClosedForm):
        system.fit(train)
    system.module().eval()
    return system


@each
def test_it_is_a_system(name: str, setting: str) -> None:
    system = ready(name, setting)
    assert isinstance(system, System)
    assert (system.name, system.setting) == (name, setting)
    assert set(system.video_extras) <= set(spec.VIDEO_FEATURES)
    assert set(system.music_extras) <= set(spec.MUSIC_FEATURES)


@each
def test_the_loss_is_finite_and_reaches_what_it_should_move(name: str, setting: str) -> None:
    system = ready(name, setting)
    system.module().train()
    loss, parts = system.loss(batch(system))
    assert torch.isfinite(loss)
    assert parts
    assert all(np.isfinite(value) for value in parts.values())
    if isinstance(system, ClosedForm):
        return
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = dict(system.module().named_parameters())
    moved = {key for key, value in parameters.items() if value.grad is not None and bool(value.grad.any())}
    assert all(bool(torch.isfinite(parameters[key].grad).all()) for key in moved)  # type: ignore[arg-type]
    # Tables of rare codes, and units that are off on so small a batch, may rest; most must not.
    assert len(moved) > 0.7 * len(parameters)


@each
def test_a_few_steps_descend(name: str, setting: str) -> None:
    system = ready(name, setting)
    if isinstance(system, ClosedForm):
        return
    system.module().train()
    optimiser = torch.optim.Adam(system.module().parameters(), lr=3e-3)
    data, course = batch(system), []
    for _ in range(40):
        optimiser.zero_grad()
        torch.manual_seed(3)  # the same draws, so that losses compare
        loss, _parts = system.loss(data)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        course.append(float(loss.detach()))
    assert min(course[-5:]) < course[0]


@each
def test_pairs_without_labels_can_be_learned_from(name: str, setting: str) -> None:
    system = ready(name, setting)
    system.module().train()
    full = batch(system)
    blank = Labels(
        torch.zeros_like(full.labels.tags),
        torch.full_like(full.labels.mood, torch.nan),
        torch.full_like(full.labels.emotion, -1),
        torch.full_like(full.labels.polarity, torch.nan),
        full.labels.music,
        torch.full_like(full.labels.course, torch.nan),
    )
    loss, _ = system.loss(Batch(full.video, full.music, blank, blank.course, blank.course))
    assert torch.isfinite(loss)


@each
@pytest.mark.parametrize("clips", [1, spec.MAX_CLIPS])
def test_embeddings_are_of_unit_norm(name: str, setting: str, clips: int) -> None:
    system = ready(name, setting, clips)
    data = batch(system, clips=clips)
    loss, _ = system.loss(data)
    assert torch.isfinite(loss)
    with torch.no_grad():
        for embedding in (system.video(data.video), system.music(data.music)):
            assert embedding.shape == (PAIRS, system.embedding_dim)
            assert embedding.dtype == torch.float32
            assert torch.allclose(embedding.norm(dim=-1), torch.ones(PAIRS), atol=1e-4)
            assert embedding.std(dim=0).max() > 1e-3  # they differ


@each
def test_what_stands_behind_the_mask_is_never_read(name: str, setting: str) -> None:
    system = ready(name, setting)
    data = batch(system)

    def spoilt(side: Side) -> Side:
        def spoil(value: Tensor) -> Tensor:
            where = side.mask.view(*side.mask.shape, *[1] * (value.dim() - 2))
            return torch.where(where, value, torch.full((), 77, dtype=value.dtype))

        return Side(spoil(side.clips), side.mask, {key: spoil(value) for key, value in side.extras.items()})

    with torch.no_grad():
        assert torch.allclose(system.video(data.video), system.video(spoilt(data.video)), atol=1e-5)
        assert torch.allclose(system.music(data.music), system.music(spoilt(data.music)), atol=1e-5)


@each
def test_configuration_and_weights_make_the_same_system(name: str, setting: str) -> None:
    system = ready(name, setting)
    again = build(name, json.loads(json.dumps(system.configuration())))
    again.module().load_state_dict(system.module().state_dict())
    again.module().eval()
    data = batch(system)
    assert again.configuration() == system.configuration()
    assert (again.video_extras, again.music_extras) == (system.video_extras, system.music_extras)
    with torch.no_grad():
        assert torch.equal(again.video(data.video), system.video(data.video))
        assert torch.equal(again.music(data.music), system.music(data.music))


@each
def test_the_same_seed_makes_the_same_weights(name: str, setting: str) -> None:
    first, second = (ready(name, setting).module().state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@each
def test_graphs_take_what_they_declare_and_agree_with_the_system(name: str, setting: str) -> None:
    system = ready(name, setting)
    graphs = system.graphs()
    extras = {"video_sequence": system.video_extras, "music_sequence": system.music_extras}
    assert set(extras) <= set(graphs) <= {*extras, "matcher", "mood"}
    for graph, names in extras.items():
        declared = graphs[graph]
        assert list(declared.inputs) == ["clips", "mask", *names]
        assert declared.features == tuple(names)
        assert declared.outputs == ("embedding",)
        assert declared.inputs["clips"].shape == (3, spec.MAX_CLIPS, VIDEO if graph == "video_sequence" else MUSIC)
        for key in names:
            shape = spec.FEATURES[key]["shape"]
            assert declared.inputs[key].shape == (3, spec.MAX_CLIPS, *shape)  # type: ignore[misc]
            assert str(declared.inputs[key].dtype) == f"torch.{spec.FEATURES[key]['dtype']}"
    for rows in (1, 2, 3):
        data = batch(system, rows)
        with torch.no_grad():
            for graph, side, embed in (
                ("video_sequence", data.video, system.video),
                ("music_sequence", data.music, system.music),
            ):
                assert not graphs[graph].module.training
                said = graphs[graph].module(side.clips, side.mask, *(side.extras[key] for key in extras[graph]))
                assert torch.allclose(said, embed(side), atol=1e-6)
            if "matcher" in graphs:
                video = (data.video.clips, data.video.mask, *(data.video.extras[key] for key in system.video_extras))
                music = (data.music.clips, data.music.mask, *(data.music.extras[key] for key in system.music_extras))
                score = graphs["matcher"].module(*video, *music)
                assert score.shape == (rows,)
                assert bool(((score >= 0) & (score <= 1)).all())
            if "mood" in graphs:
                mood = graphs["mood"].module(system.video(data.video))
                assert mood.shape == (rows, len(spec.MOOD_AXES))
                assert bool(((mood >= 0) & (mood <= 1)).all())


@pytest.mark.parametrize("name", [name for name, place in SYSTEMS.items() if importlib.util.find_spec(place)])
def test_it_exports(name: str) -> None:
    """One setting of each: an exported graph says what torch says, of batches that were not traced."""
    import onnxruntime

    system = ready(name, system_file(name).SETTINGS[0])
    declared = system.graphs()["video_sequence"]
    graph = export_graph("video_sequence", declared.module, declared.inputs, declared.outputs)
    session = onnxruntime.InferenceSession(graph.data, providers=["CPUExecutionProvider"])
    for rows in (1, 2):
        side = batch(system, rows).video
        feeds = {"clips": side.clips, "mask": side.mask, **side.extras}
        (said,) = session.run(None, {key: value.numpy() for key, value in feeds.items()})
        with torch.no_grad():
            assert np.allclose(said, system.video(side).numpy(), atol=1e-4)
