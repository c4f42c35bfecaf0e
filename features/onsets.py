"""How many notes and hits set in, second by second: how dense music is, whether or not it has a pulse."""

from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .spec import BEAT_FFT, BEAT_HOP, MUSIC_RATE_HZ

LEAST: Final = 0.1  # of what sets in where most does (99th percentile): less is the unrest of a held note
MOST: Final = 255


def onsets_by_second(envelope: NDArray[np.float32], duration_s: float) -> NDArray[np.uint8]:
    """(ceil(duration_s),) onsets in each second, from ``beats.Course.envelope``.

    Peaks of the envelope, picked as librosa does (Boeck, Krebs, Schedl: "Evaluating the online capabilities of onset
    detection methods", 2012). Silence has none.
    """
    from librosa.onset import onset_detect  # here, because the live path must not wait for librosa

    counts = np.zeros(ceil(duration_s), np.uint8)
    full = float(np.percentile(envelope, 99.0)) if len(envelope) else 0.0
    if full <= 0.0:
        return counts
    frames = onset_detect(
        onset_envelope=np.where(envelope < LEAST * full, 0.0, envelope),
        sr=MUSIC_RATE_HZ,
        hop_length=BEAT_HOP,
        units="frames",
    )
    seconds = ((np.asarray(frames) * BEAT_HOP + BEAT_FFT / 2) / MUSIC_RATE_HZ).astype(np.int64)
    found = np.bincount(seconds[seconds < len(counts)], minlength=len(counts))
    return np.minimum(found, MOST).astype(np.uint8)
