"""The one place where a session's question becomes numbers."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from stream.core.events import Answer, Infer, Question
from stream.core.session import Model

if TYPE_CHECKING:
    from catalog.records import Candidate, Filters
    from engines.base import Engine


class Library(Protocol):
    """The part of a ``Catalog`` that a session needs."""

    def search(self, query: np.ndarray, n: int, filters: "Filters") -> "list[Candidate]": ...


class Runtime:
    """An engine and a catalogue, shared by every session; ``answer`` may be called from several threads at once."""

    def __init__(self, engine: "Engine", catalog: Library) -> None:
        self.engine = engine
        self.catalog = catalog
        manifest = engine.bundle.manifest
        self.model = Model(
            clip_dim=manifest.video_dim,
            embedding_dim=manifest.embedding_dim,
            matcher="matcher" in manifest.graphs,
            mood="mood" in manifest.graphs,
        )

    def answer(self, question: Question) -> Answer:
        """The outputs of a graph by name, or the candidates of a search, best first. Blocks."""
        if isinstance(question, Infer):
            return self.engine.run(question.graph, question.inputs)
        return self.catalog.search(question.query, question.n, question.filters)
