"""How plans are built: what the user may choose, and what of it is part of a plan's key."""

from dataclasses import dataclass
from typing import Final

from .errors import EngineError

# (fewest, best, most) rows of each profile: one session alone, and a batch of many. Kernels are chosen for the best.
PROFILES: Final = ((1, 1, 1), (8, 16, 32))
PRECISIONS: Final = ("float32", "float16", "bfloat16")  # int8 is made for the CPU, with operators that TensorRT lacks


@dataclass(frozen=True)
class Recipe:
    """How plans are built. All of it but ``minutes`` is part of a plan's key.

    ``same_capability``: the plan runs on every GPU of the same compute capability, without kernels of cuBLAS and
    without those tuned to one GPU only. ``version_compatible``: later versions of TensorRT run it too; it carries a
    small runtime of its own (tens of MB) whose code runs when it is loaded, and leaves out kernels. Both cost speed.
    ``effort``: 0 to 5, how long TensorRT searches; its own default is 3. TensorRT for RTX, which chooses kernels where
    the plan runs, takes ``profiles``, ``tf32`` and ``minutes`` alone.
    """

    profiles: tuple[tuple[int, int, int], ...] = PROFILES
    effort: int = 3
    tf32: bool = False
    same_capability: bool = False
    version_compatible: bool = False
    workspace_bytes: int = 1 << 30
    minutes: float = 15.0

    def __post_init__(self) -> None:
        if not self.profiles or any(not 1 <= low <= best <= high for low, best, high in self.profiles):
            raise EngineError(f"profiles are {self.profiles}, must be (fewest, best, most) rows, each at least 1")
        if not 0 <= self.effort <= 5:
            raise EngineError(f"effort is {self.effort}, must be between 0 and 5")
        if self.minutes <= 0 or self.workspace_bytes < 0:
            raise EngineError(f"minutes is {self.minutes}, workspace {self.workspace_bytes}; both must be positive")

    @property
    def flags(self) -> tuple[str, ...]:
        """The part of a plan's key that describes the recipe, beside the profiles."""
        named = ("tf32", "same_capability", "version_compatible")
        return (
            *(name for name in named if getattr(self, name)),
            f"effort={self.effort}",
            f"mem={self.workspace_bytes}",
        )
