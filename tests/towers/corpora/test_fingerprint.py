"""The same music is found again through coding, level and noise; different pieces of one synthesiser stay apart."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from features.decode.sound import decode
from studio import pairs
from studio.music import render
from towers.corpora.fingerprint import Fingerprint, agreeing, fingerprint, first_occurrences, group_recordings

RATE = 16_000


@cache
def piece(seed: int) -> np.ndarray:
    rng = np.random.default_rng([31, seed])
    recipe = pairs.music_recipe(pairs.draw_latent(rng), rng)
    return render.render(recipe, 40, rate_hz=RATE).mean(axis=1, dtype=np.float32)


def coded(path: Path, samples: np.ndarray) -> np.ndarray:
    with path.open("wb") as file:
        soundfile.write(file, samples, RATE, format="MP3")
    return decode(path).samples


def test_pieces_meet_their_own_excerpts_and_no_others(tmp_path: Path) -> None:
    count = 8
    whole = [fingerprint(piece(seed)) for seed in range(count)]
    rng = np.random.default_rng(0)
    excerpts = [0.3 * piece(seed)[int(11.37 * RATE) :][: 24 * RATE] for seed in range(count)]
    noisy = [part + 0.1 * part.std() * rng.standard_normal(len(part)).astype(np.float32) for part in excerpts]
    again = [fingerprint(coded(tmp_path / f"{seed}.mp3", part)) for seed, part in enumerate(noisy)]
    numbers = group_recordings([*whole, *again])
    assert numbers.tolist() == [*range(count), *range(count)]


def test_a_song_in_many_recordings_is_one() -> None:
    prints = [fingerprint(piece(0)[int(at * 0.11 * RATE) :][: 20 * RATE]) for at in range(60)]
    prints.insert(30, fingerprint(piece(1)))
    numbers = group_recordings(prints)
    assert numbers[30] == 30 and set(numbers) == {0, 30}


def test_the_threshold_counts_hashes_at_one_distance() -> None:
    hashes = np.arange(20, dtype=np.uint32)
    at = np.arange(20, dtype=np.int32) * 3
    one, later, strewn = Fingerprint(hashes, at), Fingerprint(hashes, at + 40), Fingerprint(hashes, at[::-1].copy())
    assert agreeing([one, later, strewn]) == {(0, 1)}
    assert agreeing([one, Fingerprint(hashes[:15], at[:15])]) == set()
    assert agreeing([one, Fingerprint(hashes[:16], at[:16] - 7)]) == {(0, 1)}


def test_repeats_are_counted_twice_at_most() -> None:
    loop = Fingerprint(np.array([5, 5, 5, 6, 5], np.uint32), np.array([0, 1, 2, 3, 4], np.int32))
    kept = first_occurrences(loop)
    assert kept.hashes.tolist() == [5, 5, 6] and kept.frames.tolist() == [0, 1, 3]


@pytest.mark.parametrize("samples", [0, 100, 1024, 5000])
def test_short_and_silent_sound_has_no_hashes_or_few(samples: int) -> None:
    assert len(fingerprint(np.zeros(samples, np.float32)).hashes) == 0
    assert group_recordings([fingerprint(np.zeros(samples, np.float32))] * 3).tolist() == [0, 1, 2]
    assert group_recordings([]).tolist() == []
