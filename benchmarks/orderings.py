"""Which system is better than which in a paper, and whether it is here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from towers.intervals import Interval, compare, recall_at

Ranks = Mapping[tuple[str, str], npt.NDArray[np.integer]]  # (system, direction) -> (seeds, queries)

# (claim, better, worse)
CLAIMS: Final = (
    ("UT-CMVMR: A-SE > AE", "ut-cmvmr/a-se", "ut-cmvmr/ae"),
    ("UT-CMVMR: SE > A-SE", "ut-cmvmr/se", "ut-cmvmr/a-se"),
    ("UT-CMVMR: SE&R > SE", "ut-cmvmr/se-r", "ut-cmvmr/se"),
    ("VM-NET: inter + soft intra > inter", "vmnet/inter-intra", "vmnet/inter"),
    ("VM-NET: inter > linear CCA", "vmnet/inter", "linear/cca"),
    ("DPVM: In > Sp", "dpvm/in", "dpvm/sp"),
    ("DPVM: In + PPML > In", "dpvm/in+ppml", "dpvm/in"),
    ("DPVM: content + PPML > content", "dpvm/content+ppml", "dpvm/content"),
    ("DPVM: emotion + PPML > emotion", "dpvm/emotion+ppml", "dpvm/emotion"),
    ("DPVM: fused (In) > content path", "dpvm/in", "dpvm/content"),
    ("DPVM: fused (In) > emotion path", "dpvm/in", "dpvm/emotion"),
    ("EmoMV: multi-task > single-task", "emomv/retrieval", "emomv/retrieval-single"),
)


@dataclass(frozen=True)
class Verdict:
    """``difference`` in R@10, percentage points, both directions together; ``verdict``: holds, reversed or open."""

    claim: str
    better: str
    worse: str
    difference: Interval
    verdict: str


def verdicts(ranks: Ranks) -> list[Verdict]:
    """For every claim whose two systems were measured."""
    out = []
    for claim, better, worse in CLAIMS:
        if any((system, direction) not in ranks for system in (better, worse) for direction in ("v2m", "m2v")):
            continue
        difference = compare(both_ways(ranks, better), both_ways(ranks, worse), recall_at(10))
        out.append(Verdict(claim, better, worse, difference, verdict(difference)))
    return out


def verdict(difference: Interval) -> str:
    """``holds`` or ``reversed`` if the interval excludes 0, else ``open``."""
    if not difference.excludes_zero():
        return "open"
    return "holds" if difference.value > 0 else "reversed"


def both_ways(ranks: Ranks, system: str) -> npt.NDArray[np.integer]:
    """(seeds, 2 n): queries are videos, then tracks."""
    return np.concatenate([np.atleast_2d(ranks[system, direction]) for direction in ("v2m", "m2v")], axis=1)
