"""How well each pitch class fits a key, from the tonic upwards: the probe-tone ratings of C. Krumhansl and E. Kessler
("Tracing the dynamic changes in perceived tonal organization in a spatial representation of musical keys", 1982)."""

from typing import Final

MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
