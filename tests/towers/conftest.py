"""A corpus of made-up features, in which sound and picture share two numbers: quick to write, quick to learn."""

import json
from pathlib import Path

import numpy as np
import pytest

from features import spec
from towers.corpora.corpus import Pair, write_manifest, write_shard


def made_up(split: str, count: int, seed: int) -> tuple[list[Pair], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    light, pace = rng.random(count), rng.random(count)
    clips = spec.MAX_CLIPS
    thumbs = 255 * light[:, None, None, None] * np.ones((1, 28, 64, 64)) + rng.normal(0, 10, (count, 28, 64, 64))
    mels = -12 + 10 * light[:, None, None, None] * np.linspace(0, 1, 80) + rng.normal(0, 1, (count, clips, 398, 80))
    rhythm = np.stack([4 + 8 * pace, 0.5 + pace, 1 / (1 + 2 * pace)], axis=-1)[:, None].repeat(clips, axis=1)
    arrays = {
        "thumbs": np.clip(thumbs, 0, 255).astype(np.uint8),
        "displacement": (0.02 + 0.5 * pace[:, None] * np.ones((1, clips))).astype(np.float32),
        "mels": mels.astype(np.float16),
        "rhythm": rhythm.astype(np.float32),
    }
    pairs = [
        Pair(f"{split}-{i:06d}", tags_of(float(light[i]), float(pace[i])), (float(pace[i]), float(light[i]), 0.5), {})
        for i in range(count)
    ]
    return pairs, arrays


def tags_of(light: float, pace: float) -> tuple[str, ...]:
    return ("bright" if light > 0.5 else "dark", f"pace{int(pace * 3)}")


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 training pairs in two shards, 12 for validation, 12 for testing."""
    folder = tmp_path_factory.mktemp("corpus")
    shards = {"train": ["train-000000-000020", "train-000020-000032"], "val": ["val-0"], "test": ["test-0"]}
    for number, (split, count) in enumerate((("train", 20), ("train", 12), ("val", 12), ("test", 12))):
        pairs, arrays = made_up(split, count, number)
        name = shards[split][number if split == "train" else 0]
        write_shard(folder / name, pairs, arrays)
    write_manifest(folder, "made-up", 0, shards)
    assert json.loads((folder / "manifest.json").read_text())["name"] == "made-up"
    return folder
