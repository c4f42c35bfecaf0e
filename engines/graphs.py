"""Which graphs a bundle has, what each works on, where its inputs come from, and in which order they can be run.

A graph works on a clip or a window of one side, on an embedding, or on a pair of windows. It takes features, masks, and
the vectors of other graphs. ``wiring.py`` reads all this from a manifest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a graph works on, in a manifest's words and in the order of the work."""

    VIDEO_CLIP = "video clip"
    MUSIC_CLIP = "music clip"
    VIDEO_WINDOW = "video window"
    MUSIC_WINDOW = "music window"
    EMBEDDING = "embedding"  # of a window of either side
    PAIR = "pair"  # of windows

    @property
    def is_clip(self) -> bool:
        return self in (Kind.VIDEO_CLIP, Kind.MUSIC_CLIP)

    @property
    def side(self) -> str:
        """ "video" or "music"; empty for what both have."""
        return self.partition(" ")[0] if " " in self else ""


@dataclass(frozen=True, slots=True)
class Feature:
    """An input that is measured."""

    name: str


@dataclass(frozen=True, slots=True)
class Mask:
    """Which clips of a window are valid."""

    window: Kind


@dataclass(frozen=True, slots=True)
class Vectors:
    """The output of another graph: one vector, or where ``many`` one for each clip of a window."""

    graph: str
    many: bool


Source = Feature | Mask | Vectors


@dataclass(frozen=True)
class Graph:
    """``inputs`` by name, in the manifest's order; ``output`` is the name of the only one; ``width``: the length of the
    vector that it gives, 0 for the score and the mood of a pair and of an embedding. ``after``: the graphs that must
    run before it: its sources and, unless it works on a clip, every tower, since all see the same clips."""

    name: str
    kind: Kind
    inputs: Mapping[str, Source]
    output: str
    width: int
    after: frozenset[str]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features that it takes, in the order of its inputs."""
        return tuple(source.name for source in self.inputs.values() if isinstance(source, Feature))


@dataclass(frozen=True)
class Graphs:
    """All graphs of a bundle, each behind its sources; and which graph has which part.

    ``query`` gives the vector of a window that a search starts from; ``segment`` gives the vectors of windows of music
    that are searched, both of unit norm; ``music_tower`` gives the vectors of clips that the catalogue keeps.
    """

    all: Mapping[str, Graph]
    query: Graph
    segment: Graph
    music_tower: Graph
    mood: Graph | None
    matcher: Graph | None

    def __getitem__(self, name: str) -> Graph:
        return self.all[name]

    def __contains__(self, name: object) -> bool:
        return name in self.all

    def __iter__(self) -> Iterator[Graph]:
        return iter(self.all.values())

    def of(self, *kinds: Kind) -> tuple[Graph, ...]:
        """Those that work on any of ``kinds``, in the order of running."""
        return tuple(graph for graph in self if graph.kind in kinds)

    @cached_property
    def video_towers(self) -> tuple[Graph, ...]:
        return self.of(Kind.VIDEO_CLIP)

    @cached_property
    def ends(self) -> dict[str, Graph]:
        """By side, the graphs whose vectors a search compares."""
        return {"video": self.query, "music": self.segment}

    @cached_property
    def live(self) -> tuple[Graph, ...]:
        """What a live session runs: all but those that work on music alone."""
        return tuple(graph for graph in self if graph.kind not in (Kind.MUSIC_CLIP, Kind.MUSIC_WINDOW))

    @cached_property
    def widths(self) -> dict[str, int]:
        """The width of every graph that gives a vector."""
        return {graph.name: graph.width for graph in self if graph.width}
