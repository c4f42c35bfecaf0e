#!/usr/bin/env bash
# NumPy's transforms of float32 are calculated in double precision, but only with the default norm.
#
# Versions: NumPy 2.4.6 (its wheel for CPython 3.11), SciPy 1.17.1 for comparison.
#
# Expected: the notes of NumPy 2.0 say that numpy.fft calculates natively in the
# precision of its input; numpy.fft.rfft(float32) gives complex64. So its last
# digits should be those of single precision, whatever the norm.
#
# Seen: with the default norm, rfft and fft of float32 and complex64 give, bit for
# bit, what the same call gives for the float64 copy, rounded afterwards. With
# norm="ortho" and norm="forward", and in irfft, they are calculated in single
# precision: the results differ from the rounded ones in most values.
#
# What it means: the default call takes the time of double precision (about twice
# that of SciPy's for float32) and is more exact than its type; another norm of
# the same data has an error of another size, so the two do not differ by their
# factor alone. For speed take scipy.fft.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1

cat > show.py <<'PY'
import numpy as np
import scipy.fft

print("NumPy", np.__version__, "SciPy", scipy.__version__)
rows = np.random.default_rng(0).standard_normal((64, 1024)).astype(np.float32)
pairs = (rows + 1j * rows[::-1]).astype(np.complex64)
half = pairs[:, :513]


def share(transform, values, **named):
    """Which share of the results differs from those of double precision, rounded."""
    wide = values.astype(np.result_type(values, np.float64))
    single, double = transform(values, **named), transform(wide, **named)
    assert single.dtype.itemsize * 2 == double.dtype.itemsize
    return float((single != double.astype(single.dtype)).mean())


seen = {
    "numpy rfft": share(np.fft.rfft, rows),
    "numpy fft": share(np.fft.fft, pairs),
    "numpy rfft ortho": share(np.fft.rfft, rows, norm="ortho"),
    "numpy rfft forward": share(np.fft.rfft, rows, norm="forward"),
    "numpy irfft": share(np.fft.irfft, half),
    "scipy rfft": share(scipy.fft.rfft, rows),
}
for name, part in seen.items():
    print("  %-20s %5.1f %% of the values differ from double, rounded" % (name, 100 * part))
if seen["numpy rfft"] or seen["numpy fft"]:
    raise SystemExit("the behaviour has changed: the default norm is calculated in single precision")
if min(part for name, part in seen.items() if name not in ("numpy rfft", "numpy fft")) < 0.3:
    raise SystemExit("the behaviour has changed: another norm is calculated in double precision")
print("as described: double precision with the default norm alone")
PY
venv/bin/python show.py
