"""One hop under way: which of its graphs can run now, with which inputs, and the answers so far."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate
from engines.graphs import Graph, Kind

from .events import Infer
from .feeding import Inputs, clip_inputs, pair_inputs, window_inputs
from .model import Model
from .ranking import Pictures
from .window import View, Window


@dataclass(slots=True)
class Hop:
    """``end`` is the second at which its window ends, ``pts_s`` the time to publish, ``start`` the slot at which the
    scene began; ``graphs`` are those to be run."""

    end: int
    pts_s: float
    start: int
    graphs: InitVar[Iterable[Graph]]
    waiting: list[Graph] = field(init=False)  # those that are still to be run
    pending: set[str] = field(init=False)  # those without an answer
    questions: dict[int, Graph | str] = field(default_factory=dict)  # that are open: id -> graph, or a search's purpose
    begun: bool = False  # a graph has been requested
    ends: dict[str, list[int]] = field(default_factory=dict)  # clip tower -> the clips that were requested of it
    view: View | None = None  # the window, once every clip tower has answered
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # window's graph -> (1, W)
    query: NDArray[np.float32] | None = None  # (E,), the window's vector
    mood: NDArray[np.float32] | None = None
    scores: NDArray[np.float64] | None = None  # of ``hits``, by the matcher
    hits: list[Candidate] = field(default_factory=list)
    bounded: bool = False  # ``hits`` is what will be ranked
    needed: frozenset[str] = frozenset()  # tracks to be ranked however far they are
    examples: list[str] = field(default_factory=list)  # tracks that somebody liked or skipped, not known yet
    passing: dict[str, bool] = field(default_factory=dict)  # filter, in words -> whether anything passes it alone

    def __post_init__(self, graphs: Iterable[Graph]) -> None:
        self.waiting = list(graphs)
        self.pending = {graph.name for graph in self.waiting}

    def open(self, ids: Iterator[int], of: Graph | str) -> int:
        """The id of a new question."""
        question = next(ids)
        self.questions[question] = of
        return question

    def ready(self, window: Window, ids: Iterator[int]) -> list[Infer]:
        """Questions for every graph that can run now and was not requested before: the sources of such a graph have all
        answered. A pair's graph waits for candidates."""
        questions: list[Infer] = []
        able = [graph for graph in self.waiting if self.pending.isdisjoint(graph.after)]
        for graph in able:
            if graph.kind is Kind.PAIR and not (self.bounded and self.hits):
                continue
            self.waiting.remove(graph)
            inputs = self._inputs(graph, window)
            if inputs is None:
                self.pending.discard(graph.name)
                return [*questions, *self.ready(window, ids)]
            questions.append(Infer(self.open(ids, graph), graph.name, inputs, first=not self.begun))
            self.begun = True
        return questions

    def take(self, graph: Graph, answer: Mapping[str, NDArray[Any]], window: Window) -> None:
        """The answer of a graph."""
        output = answer[graph.output]
        self.pending.discard(graph.name)
        if graph.kind is Kind.VIDEO_CLIP:
            window.store(graph.name, self.ends[graph.name], output, self.start)
        elif graph.kind is Kind.VIDEO_WINDOW:
            self.vectors[graph.name] = output
        elif graph.kind is Kind.EMBEDDING:
            self.mood = output[0]
        else:
            self.scores = np.asarray(output, np.float64)

    def bound(self, most: int, needed: Set[str], without: Set[str]) -> None:
        """Keep ``most`` of what was retrieved, the ``needed`` ones first, none of ``without``."""
        hits = [candidate for candidate in self.hits if candidate.track.id not in without]
        self.hits = sorted(hits, key=lambda candidate: candidate.track.id not in needed)[:most]
        self.bounded = True

    def pictures(self, window: Window, model: Model) -> Pictures:
        """What the pictures of its window are like."""
        brightness, contrast, colourfulness, warmth = window.colour(self.end, self.start)
        return Pictures(
            tempo=window.tempo(self.end, self.start),
            speed=window.speed(self.end, self.start),
            brightness=brightness,
            contrast=contrast,
            colourfulness=colourfulness,
            warmth=warmth,
            mood=self.mood,
            mood_places=model.mood_places(self.mood),
        )

    def _inputs(self, graph: Graph, window: Window) -> Inputs | None:
        """None for a clip tower that has embedded all of these clips before."""
        if graph.kind is Kind.VIDEO_CLIP:
            self.ends[graph.name] = ends = window.missing(graph.name, self.end, self.start)
            return clip_inputs(graph, window, ends, self.start) if ends else None
        if self.view is None:
            self.view = window.view(self.end, self.start)
        if graph.kind is Kind.PAIR:
            return pair_inputs(graph, self.view, self.vectors, self.hits)
        return window_inputs(graph, self.view, self.vectors)
