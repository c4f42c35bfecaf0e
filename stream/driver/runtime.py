"""The one place that computes the answers to a session's questions."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from catalog.errors import UnknownTrackError
from engines.batcher import MicroBatcher
from engines.graphs import Kind
from features.clip import keep_for
from features.keep import Keep
from features.spec import MUSIC_FEATURES, VIDEO_FEATURES
from stream.core.events import Answer, Beats, Infer, Question
from stream.core.model import Model
from stream.errors import StreamError

from .speech_detector import SpeechDetector

if TYPE_CHECKING:
    from concurrent.futures import Future

    from catalog.index.base import SearchState
    from catalog.records import Candidate, Filters
    from engines.base import Engine
    from engines.bundle import Bundle


class Library(Protocol):
    """The part of a ``Catalog`` that a session needs."""

    def search(
        self,
        query: np.ndarray,
        n: int,
        filters: "Filters",
        keep: frozenset[str] = frozenset(),
        lean: tuple[float, ...] = (),
    ) -> "list[Candidate]": ...
    def beats(self, id: str) -> np.ndarray: ...
    @property
    def search_state(self) -> "SearchState": ...


def model_of(bundle: "Bundle") -> Model:
    """``StreamError`` for a bundle whose video graphs take something that no live session measures."""
    bank = bundle.bank
    for graph in bundle.graphs.live:
        of_music = MUSIC_FEATURES if graph.kind is Kind.PAIR else ()
        if missing := [name for name in graph.features if name not in (*VIDEO_FEATURES, *of_music)]:
            raise StreamError(
                f"bundle {bundle.path}: graph {graph.name} takes {', '.join(missing)}, a live session measures "
                f"{', '.join(VIDEO_FEATURES)}; use another bundle or a newer program"
            )
    moods = () if bank is None or bank.moods is None else tuple(map(tuple, np.sort(bank.moods, axis=0).T.tolist()))
    return Model(bundle.graphs, moods)


def needs_small(model: Model) -> Keep:
    """The pictures that the graphs take, beside features; false for none."""
    return keep_for(model.features)


class Runtime:
    """An engine and a catalogue, shared by every session; ``answer`` may be called from several threads at once."""

    def __init__(self, engine: "Engine", catalog: Library) -> None:
        self.engine = engine
        self.catalog = catalog
        self.model = model_of(engine.bundle)
        self.speech = SpeechDetector()

    def submit(self, question: Question) -> "Future[dict[str, np.ndarray]] | None":
        """The future outputs of a graph, where requests are joined; None for a question that needs `answer`. Never
        blocks; raises ``EngineBusy`` as `answer` does."""
        if not isinstance(question, Infer) or not isinstance(self.engine, MicroBatcher):
            return None
        return self.engine.submit(question.graph, question.inputs, owner=question.owner, deadline_s=question.deadline_s)

    def answer(self, question: Question) -> Answer:
        """The outputs of a graph by name, the candidates of a search, best first, or the beats of a track. Blocks.

        Raises ``EngineBusy`` for a question that came when too many waited, and ``EngineLate`` when its deadline passed
        before its turn; both only where requests are joined.
        """
        future = self.submit(question)
        if future is not None:
            return future.result()
        if isinstance(question, Infer):
            return self.engine.run(question.graph, question.inputs)
        if isinstance(question, Beats):
            try:
                return self.catalog.beats(question.track)
            except UnknownTrackError:  # music from elsewhere may be on air
                return np.empty(0, np.float32)
        return self.catalog.search(question.query, question.n, question.filters, question.keep, question.lean)
