"""A limit on how often one address may do something. Pure: time is an argument."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

ADDRESSES: Final = 4096  # remembered; beyond that the one that was quiet longest is forgotten


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class RateLimit:
    """A token bucket for each address: ``burst`` at once, ``per_s`` a second after that. 0 a second: no limit."""

    def __init__(self, burst: int, per_s: float) -> None:
        self.burst, self.per_s = burst, per_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Take one token: 0 if there was one, else the time until the next one."""
        if not self.per_s:
            return 0.0
        bucket = self._buckets.pop(address, None) or _Bucket(float(self.burst), now_s)
        bucket.left = min(float(self.burst), bucket.left + max(0.0, now_s - bucket.at_s) * self.per_s)
        bucket.at_s = now_s
        self._buckets[address] = bucket  # the newest last
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0.0
        return (1.0 - bucket.left) / self.per_s
