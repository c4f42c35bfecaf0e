"""Pictures and sounds that the tests of features share."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def texture() -> np.ndarray:
    """A soft random texture, (300, 600, 3) uint8, for a camera to move over."""
    coarse = np.random.default_rng(11).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    return cv2.resize(coarse, (600, 300), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="session")
def other_texture() -> np.ndarray:
    """Another one, darker and greener, so that a change to it is a cut."""
    coarse = np.random.default_rng(12).integers(0, 120, (40, 80, 3), dtype=np.uint8)
    coarse[..., 1] += 60
    return cv2.resize(coarse, (600, 300), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="session")
def view():
    """view(texture, x, y): the canonical picture whose top left corner is there."""

    def look(texture: np.ndarray, x: int, y: int = 100) -> np.ndarray:
        return np.ascontiguousarray(texture[y : y + 90, x : x + 160])

    return look


@pytest.fixture(scope="session")
def clicks():
    """clicks(bpm, duration_s): noise bursts over faint hiss, and when they begin."""

    def make(bpm: float, duration_s: float, gain: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(3)
        samples = 1e-3 * rng.standard_normal(int(duration_s * 16_000))
        times_s = np.arange(0.5, duration_s - 0.2, 60.0 / bpm)
        for time_s in times_s:
            at = round(time_s * 16_000)
            samples[at : at + 320] += rng.standard_normal(320) * np.exp(-np.arange(320) / 80)
        return (gain * samples).astype(np.float32), times_s

    return make
