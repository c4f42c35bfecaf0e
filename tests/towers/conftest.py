"""A corpus of made-up features, in which sound and picture share two numbers: quick to write, quick to learn."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features import spec
from towers.corpora.corpus import THUMBS, THUMBS_COLUMN, Pair, column_of, write_manifest, write_shard

COLUMNS = {
    THUMBS: THUMBS_COLUMN,
    **{name: column_of(name) for name in ("displacement", "colour", "clip_mel", "rhythm", "clip_frames", "key_frames")},
    **{name: column_of(name) for name in ("content_mfcc", "emotion_mfcc")},
}
EMOTIONS = ("dark", "bright")


def made_up(split: str, count: int, seed: int, first: int = 0) -> tuple[list[Pair], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    light, pace = rng.random(count), rng.random(count)
    clips = spec.MAX_CLIPS

    def shone(*shape: int) -> np.ndarray:
        """Bytes about as bright as the pair."""
        bright = 255 * light.reshape(count, *[1] * len(shape)) * np.ones((1, *shape))
        return np.clip(bright + rng.normal(0, 10, (count, *shape)), 0, 255).astype(np.uint8)

    def sung(rows: int, columns: int) -> np.ndarray:
        tilt = light[:, None, None, None] * np.linspace(0, 1, rows)[:, None]
        return (10 * tilt + rng.normal(0, 1, (count, clips, rows, columns))).astype(np.float16)

    mels = -12 + 10 * light[:, None, None, None] * np.linspace(0, 1, 80) + rng.normal(0, 1, (count, clips, 398, 80))
    rhythm = np.stack([4 + 8 * pace, 0.5 + pace, 1 / (1 + 2 * pace)], axis=-1)[:, None].repeat(clips, axis=1)
    colour = light[:, None, None] * np.ones((1, clips, len(spec.COLOUR_FIELDS)))
    size, keys = spec.FRAME_SIZE, spec.KEY_FRAMES_PER_CLIP
    arrays = {
        "thumbs": shone(28, 64, 64),
        "displacement": (0.02 + 0.5 * pace[:, None] * np.ones((1, clips))).astype(np.float32),
        "colour": colour.astype(np.float32),
        "clip_mel": mels.astype(np.float16),
        "rhythm": rhythm.astype(np.float32),
        "clip_frames": shone(clips, spec.FRAMES_PER_CLIP, size, size, 3),
        "key_frames": shone(clips, keys, size, size, 3),
        "content_mfcc": sung(*spec.CONTENT_MFCC_SHAPE),
        "emotion_mfcc": sung(*spec.EMOTION_MFCC_SHAPE),
    }
    pairs = [
        Pair(
            id=f"{split}-{first + i:06d}",
            tags=tags_of(float(light[i]), float(pace[i])),
            mood=(float(pace[i]), float(light[i]), 0.5),
            emotion=EMOTIONS[int(light[i] > 0.5)],
            polarity=float(2 * light[i] - 1),
            music=f"{split}-{first + i:06d}",
        )
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
    sizes = (("train", 20, 0), ("train", 12, 20), ("val", 12, 0), ("test", 12, 0))
    for number, (split, count, first) in enumerate(sizes):
        pairs, arrays = made_up(split, count, number, first)
        name = shards[split][number if split == "train" else 0]
        write_shard(folder / name, pairs, arrays, COLUMNS)
    write_manifest(folder, "made-up", shards, COLUMNS, EMOTIONS, {"seed": 0})
    assert json.loads((folder / "manifest.json").read_text())["name"] == "made-up"
    return folder


@pytest.fixture
def two_threads() -> Iterator[None]:
    """For products of matrices, as a process has them that nobody bounds: other last bits than with one."""
    with threadpool_limits(2):
        yield
