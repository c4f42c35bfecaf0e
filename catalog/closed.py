"""A bundle where an engine is expected on which nothing is run."""

from typing import NoReturn

from engines.base import Arrays
from engines.bundle import Bundle
from engines.errors import EngineClosed
from engines.manifest import GraphSpec


class Closed:
    """An engine of ``bundle`` that was never opened, or is closed: other processes run the networks."""

    name = "none here"

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def spec(self, graph: str) -> GraphSpec:
        return self.bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> NoReturn:
        raise EngineClosed(f"graph {graph}: this process opened no engine; others run the networks")

    def warmup(self) -> None:
        """Nothing to warm up."""

    def close(self) -> None:
        """Nothing to close."""
