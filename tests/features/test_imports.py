"""What the live path loads."""

import subprocess
import sys


def test_the_live_path_waits_for_no_sound_library():
    code = (
        "import sys, features.frame, features.music, features.quantise\n"
        "print(sorted({'librosa', 'numba', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_music_is_measured_without_librosa():
    """Not of the base install, where it would bring a compiler for two tables."""
    code = (
        "import sys; sys.modules['librosa'] = None\n"
        "import numpy as np; from features.beats import course_of; from features.onsets import onsets_by_second\n"
        "from features.music import PER_CLIP, PER_TRACK, clip_features, track_features\n"
        "sound = np.random.default_rng(0).normal(size=80_000).astype(np.float32) / 10\n"
        "list(clip_features(sound, tuple(PER_CLIP))); track_features(sound, tuple(PER_TRACK))\n"
        "print(onsets_by_second(course_of(sound).envelope, 5.0).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(5,)"
