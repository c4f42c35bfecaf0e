"""The papers' figures, to quote beside ours: other music, other videos, other galleries.

Keys are (system, direction), values are metric -> figure, in percent.
"""

from collections.abc import Mapping
from typing import Final

Figures = Mapping[str, float]

# HIMV-200K, gallery of 1,000 (VM-NET, table 2); UT-CMVMR's internal set (table 1); MVED (DPVM, table 2).
RETRIEVAL: Final[Mapping[tuple[str, str], Figures]] = {
    ("vmnet/inter", "v2m"): {"r1": 7.6, "r10": 20.1, "r25": 31.8},
    ("vmnet/inter", "m2v"): {"r1": 9.1, "r10": 22.5, "r25": 32.6},
    ("vmnet/inter-intra", "v2m"): {"r1": 8.2, "r10": 23.3, "r25": 35.7},
    ("vmnet/inter-intra", "m2v"): {"r1": 8.9, "r10": 25.2, "r25": 37.9},
    ("linear/pca", "v2m"): {"r1": 0.1, "r10": 1.1, "r25": 2.7},
    ("linear/pls-svd", "v2m"): {"r1": 0.8, "r10": 6.8, "r25": 14.1},
    ("linear/pls-ca", "v2m"): {"r1": 0.4, "r10": 7.1, "r25": 14.1},
    ("linear/cca", "v2m"): {"r1": 1.8, "r10": 14.3, "r25": 26.6},
    ("cmvae", "v2m"): {"r1": 4.95, "r5": 18.00, "r10": 29.70, "r25": 43.86},
    ("ut-cmvmr/ae", "v2m"): {"r1": 5.13, "r5": 19.83, "r10": 30.32, "r25": 44.80},
    ("ut-cmvmr/a-se", "v2m"): {"r1": 5.18, "r5": 22.38, "r10": 35.76, "r25": 45.50},
    ("ut-cmvmr/se", "v2m"): {"r1": 5.58, "r5": 21.02, "r10": 35.80, "r25": 46.11},
    ("ut-cmvmr/se-r", "v2m"): {"r1": 8.82, "r5": 22.92, "r10": 36.28, "r25": 53.82},
    ("two-branch/b-emotion", "v2m"): {"r1": 5.39, "r5": 10.61, "r10": 15.37, "r25": 26.17},
    ("two-branch/b-content", "v2m"): {"r1": 7.59, "r5": 15.23, "r10": 20.31, "r25": 34.27},
    ("dpvm/sp", "v2m"): {"r1": 9.13, "r5": 16.94, "r10": 22.33, "r25": 42.35},
    ("dpvm/in", "v2m"): {"r1": 10.94, "r5": 18.84, "r10": 24.39, "r25": 49.97},
    ("dpvm/in+ppml", "v2m"): {"r1": 11.53, "r5": 20.11, "r10": 26.67, "r25": 50.63},
}
SOURCES: Final = (
    "VM-NET and linear: HIMV-200K, gallery of 1,000 pairs. CMVAE and UT-CMVMR: UT-CMVMR's internal set. B-Content, "
    "B-Emotion and DPVM: MVED. None of these sets is ours, and each has extractors trained on far more."
)
