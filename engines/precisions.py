"""In which arithmetic each graph of a bundle runs, and what engines that open a bundle's graphs tell of it."""

from collections.abc import Mapping

from .bundle import FLOAT32, Bundle
from .errors import EngineError, EngineUnavailable
from .manifest import PRECISIONS, GraphSpec


class OfBundle:
    """The part of an engine that says what it runs: it sets these three."""

    _bundle: Bundle
    _precision: str  # asked for
    _precisions: Mapping[str, str]  # of each graph

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def spec(self, graph: str) -> GraphSpec:
        return self._bundle.spec(graph)

    def precision_of(self, graph: str) -> str:
        """The arithmetic that ``graph`` really runs in."""
        self.spec(graph)
        return self._precisions[graph]

    def _named(self, place: str) -> str:
        """Runtime and device, and the precision unless that is float32."""
        return place if self._precision == FLOAT32 else f"{place}-{self._precision}"


def choose_precisions(bundle: Bundle, precision: str) -> dict[str, str]:
    """For each graph ``precision`` where the bundle has it, float32 otherwise.

    Raises ``EngineError`` for an unknown precision, ``EngineUnavailable`` where no graph has the one that was chosen.
    """
    if precision not in PRECISIONS:
        raise EngineError(f"precision is {precision}, must be one of {', '.join(PRECISIONS)}")
    chosen = {
        graph: precision if precision in bundle.precisions(graph) else FLOAT32 for graph in bundle.manifest.graphs
    }
    if precision not in chosen.values():
        raise EngineUnavailable(
            f"bundle {bundle.path}: has no graph in {precision}; export it again with --precision {precision}"
        )
    return chosen
