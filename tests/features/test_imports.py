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
