"""What is known of figures by their names: which way is better, and what is asked of them."""

import re
from typing import Final

LOWER: Final = "lower"
HIGHER: Final = "higher"

# A row's labels say what was measured. These say more of the result, and may differ between two runs of one thing.
FACTS: Final = frozenset({
    "low", "high", "least", "most", "error", "deviation", "published", "lower", "upper", "never", "joins", "reason",
    "of_min", "seen_by_viewers", "pace",
})  # fmt: skip

# (pattern of the metric, which way is better); the first that fits
BY_NAME: Final = tuple(
    (re.compile(pattern), better)
    for pattern, better in (
        (r"recall|overlap|cosine|accuracy|psnr|kept|top\d|speedup|faster|x_real_time|speed_x|rolling", HIGHER),
        (r"^r\d+$|^f1$|^auc$|^map$|right_|same_session|frames_taken|suggestions_served|max_sessions|available", HIGHER),
        (r"^peak_(copy|float)", HIGHER),
        (r"ratio|difference|slowest|medr|bytes|memory|descriptors|zombie|failed|refused|wrong|unanswered", LOWER),
        (r"changes_per_min|first_suggestion|reaction|cost|late|freshness|cpu_cores|peak_mb|private_mb", LOWER),
    )
)
BY_UNIT: Final = {"ms": LOWER, "s": LOWER, "s/s": LOWER, "MB": LOWER, "bytes": LOWER, "x real time": HIGHER}
RECALLS: Final = re.compile(r"recall|^r\d+$|overlap|^map$|^auc$|^f1$|accuracy|^top\d|right_|kept|cosine")

# (benchmark, metric) -> what is asked of it, as in a condition of --fail-if
ASKED: Final = {
    ("latency", "rolling_speedup"): ">= 5",
    ("capacity", "cost_ratio_decode_only"): "<= 1.4",
    ("search", "track_recall32"): ">= 0.99",
    ("search", "speedup_flat"): ">= 40",
    ("index", "faster_than_rival"): ">= 1",
    ("kills", "wrong"): "<= 0",
    ("soak", "zombie_sessions"): "<= 0",
    ("soak", "failed"): "<= 0",
}


def better(metric: str, unit: str) -> str:
    """``lower``, ``higher``, or nothing where neither is better."""
    for pattern, way in BY_NAME:
        if pattern.search(metric):
            return way
    return BY_UNIT.get(unit, "")


def is_recall(metric: str) -> bool:
    """Whether the figure says how right results are, not how fast they come."""
    return RECALLS.search(metric) is not None


def asked(bench: str, metric: str) -> str:
    return ASKED.get((bench, metric), "")
