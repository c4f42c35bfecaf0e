"""From a manifest to graphs: what each works on and which graphs' vectors it takes; no circles.

A manifest says both of a graph where it has to:

    "of": "video clip"                      what it works on
    "takes": {"clips": "video_clip"}        its inputs that are other graphs' vectors; the rest are masks and features

The six classic names need neither: ``CLASSIC`` says what they work on, and without ``takes`` a window takes the vectors
of its side's first tower as ``clips``, a pair those of both sides as ``video_clips`` and ``music_clips``, and an
embedding is the query's.

There may be several graphs of a kind that a live session runs (clips and windows of the video); one of the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from .errors import BundleError
from .graphs import Feature, Graph, Graphs, Kind, Mask, Source, Vectors
from .manifest import GraphSpec, Manifest

CLASSIC: Final[Mapping[str, Kind]] = {
    "video_clip": Kind.VIDEO_CLIP,
    "music_clip": Kind.MUSIC_CLIP,
    "video_sequence": Kind.VIDEO_WINDOW,
    "music_sequence": Kind.MUSIC_WINDOW,
    "matcher": Kind.PAIR,
    "mood": Kind.EMBEDDING,
}
REQUIRED: Final = (Kind.VIDEO_CLIP, Kind.MUSIC_CLIP, Kind.VIDEO_WINDOW, Kind.MUSIC_WINDOW)
SEVERAL: Final = (Kind.VIDEO_CLIP, Kind.VIDEO_WINDOW)
MASKS: Final[Mapping[Kind, Mapping[str, Kind]]] = {  # input -> the window that it is the mask of
    Kind.VIDEO_WINDOW: {"mask": Kind.VIDEO_WINDOW},
    Kind.MUSIC_WINDOW: {"mask": Kind.MUSIC_WINDOW},
    Kind.PAIR: {"video_mask": Kind.VIDEO_WINDOW, "music_mask": Kind.MUSIC_WINDOW},
}
FROM: Final[Mapping[Kind, tuple[Kind, ...]]] = {  # the kinds whose vectors a graph may take
    Kind.VIDEO_CLIP: (Kind.VIDEO_CLIP,),
    Kind.MUSIC_CLIP: (),
    Kind.VIDEO_WINDOW: (Kind.VIDEO_CLIP, Kind.VIDEO_WINDOW),
    Kind.MUSIC_WINDOW: (Kind.MUSIC_CLIP,),
    Kind.EMBEDDING: (Kind.VIDEO_WINDOW,),
    Kind.PAIR: (Kind.VIDEO_CLIP, Kind.MUSIC_CLIP, Kind.VIDEO_WINDOW),
}
OUTPUTS: Final[Mapping[Kind, str]] = dict.fromkeys(Kind, "embedding") | {Kind.EMBEDDING: "mood", Kind.PAIR: "score"}


def graphs_of(manifest: Manifest, where: str) -> Graphs:
    """The graphs of a manifest; ``where`` stands in front of every error.

    Raises ``BundleError`` for a graph of an unknown name that does not say what it works on, for a graph that is
    missing, too many or of no use, and for one that takes from an unknown graph, from the wrong side, or in a circle.
    ``contract.check_graphs`` checks that the tensors fit.
    """
    specs = manifest.graphs
    kinds = {name: kind_of(name, spec.of, where) for name, spec in specs.items()}
    for kind in REQUIRED:
        if kind not in kinds.values():
            usual = next(name for name, works_on in CLASSIC.items() if works_on is kind)
            raise BundleError(
                f"{where}: the graph {usual} is missing, it has {', '.join(specs) or 'none'}; export again"
            )
    for kind in Kind:
        names = [name for name, works_on in kinds.items() if works_on is kind]
        if len(names) > 1 and kind not in SEVERAL:
            raise BundleError(
                f"{where}: the graphs {' and '.join(names)} both work on: {kind}; of these this segue runs one: "
                "export again with one of them"
            )
    takes = {name: _takes(specs[name], kinds, where) for name in specs if kinds[name] is not Kind.EMBEDDING}
    order = _order(kinds, takes, where)
    last = {kind: _last(kind, kinds, takes, where) for kind in (Kind.VIDEO_WINDOW, Kind.MUSIC_WINDOW)}
    for name in specs:
        if kinds[name] is Kind.EMBEDDING:
            takes[name] = _of_query(specs[name], last[Kind.VIDEO_WINDOW], where)
    widths = _widths(manifest, kinds, last.values(), where)
    towers = frozenset(name for name, kind in kinds.items() if kind.is_clip)
    graphs = {
        name: Graph(
            name,
            kind := kinds[name],
            _inputs(specs[name], kinds, takes[name]),
            OUTPUTS[kind],
            widths[name],
            frozenset(takes[name].values()) | (frozenset() if kind.is_clip else towers),
        )
        for name in order
    }
    by_kind = {graph.kind: graph for graph in graphs.values()}
    return Graphs(
        all=graphs,
        query=graphs[last[Kind.VIDEO_WINDOW]],
        segment=graphs[last[Kind.MUSIC_WINDOW]],
        music_tower=by_kind[Kind.MUSIC_CLIP],
        mood=by_kind.get(Kind.EMBEDDING),
        matcher=by_kind.get(Kind.PAIR),
    )


def kind_of(name: str, of: str | None, where: str) -> Kind:
    """What a graph works on, by its entry or else by its name; ``BundleError`` where neither tells."""
    if of is None:
        if name not in CLASSIC:
            raise BundleError(
                f"{where}: unknown graph {name}; this segue knows {', '.join(CLASSIC)}, and others whose manifest "
                "says what they work on: use a matching segue"
            )
        return CLASSIC[name]
    if of not in list(Kind):
        raise BundleError(
            f"{where}: graph {name}: works on {of!r}, this segue knows {', '.join(Kind)}: use a matching segue"
        )
    return Kind(of)


def _takes(spec: GraphSpec, kinds: Mapping[str, Kind], where: str) -> dict[str, str]:
    """Input -> the graph whose vectors it is."""
    kind = kinds[spec.name]
    if spec.takes is None:
        first = {
            works_on: next(name for name in kinds if kinds[name] is works_on)
            for works_on in REQUIRED
            if works_on.is_clip
        }
        if kind is Kind.PAIR:
            return {"video_clips": first[Kind.VIDEO_CLIP], "music_clips": first[Kind.MUSIC_CLIP]}
        if kind.is_clip:
            return {}
        return {"clips": first[Kind.VIDEO_CLIP if kind is Kind.VIDEO_WINDOW else Kind.MUSIC_CLIP]}
    for name, source in spec.takes.items():
        if source not in kinds:
            raise BundleError(
                f"{where}: graph {spec.name}: takes {name} from {source}, which is none of its graphs "
                f"({', '.join(kinds)}); export the bundle again"
            )
        if kinds[source] not in FROM[kind]:
            may = ", ".join(FROM[kind]) or "nothing"
            raise BundleError(
                f"{where}: graph {spec.name}: works on {kind} and takes {name} from {source}, which works on "
                f"{kinds[source]}; it may take from {may}: export the bundle again"
            )
    return dict(spec.takes)


def _order(kinds: Mapping[str, Kind], takes: Mapping[str, Mapping[str, str]], where: str) -> Sequence[str]:
    """Sorted by what they work on, then by how many others they wait for in a row, then as in the manifest."""
    depth: dict[str, int] = {}
    try:
        for name in TopologicalSorter({name: list(takes[name].values()) for name in takes}).static_order():
            depth[name] = 1 + max((depth[source] for source in takes[name].values()), default=0)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise BundleError(
            f"{where}: graphs take from each other in a circle: {circle}; export the bundle again"
        ) from None
    rank = {kind: place for place, kind in enumerate(Kind)}
    return sorted(kinds, key=lambda name: (rank[kinds[name]], depth.get(name, 0)))  # stable


def _last(kind: Kind, kinds: Mapping[str, Kind], takes: Mapping[str, Mapping[str, str]], where: str) -> str:
    """The window's graph that no other takes from: a search uses its vector."""
    used = {source for sources in takes.values() for source in sources.values()}
    ends = [name for name in kinds if kinds[name] is kind and name not in used]
    if len(ends) != 1:
        raise BundleError(
            f"{where}: {' and '.join(ends) or 'no graph'} would give the vector of a {kind}; one must, and others "
            "take from the rest: export the bundle again"
        )
    for name, works_on in kinds.items():
        if works_on.is_clip and name not in used:
            raise BundleError(f"{where}: graph {name}: no other graph takes what it gives; export again without it")
    return ends[0]


def _of_query(spec: GraphSpec, query: str, where: str) -> dict[str, str]:
    if spec.takes is not None and spec.takes != {"embedding": query}:
        text = ", ".join(f"{name} from {source}" for name, source in spec.takes.items()) or "nothing"
        raise BundleError(
            f"{where}: graph {spec.name}: works on an embedding and takes {text}; it may take embedding from {query}, "
            "whose vectors are searched with: export the bundle again"
        )
    return {"embedding": query}


def _widths(manifest: Manifest, kinds: Mapping[str, Kind], last: Iterable[str], where: str) -> dict[str, int]:
    """The first tower of a side is as wide as ``clip_dim`` says, the last window as ``embedding_dim``, and every other
    one as its own output."""
    declared = dict.fromkeys(last, manifest.embedding_dim)
    for kind, width in ((Kind.VIDEO_CLIP, manifest.video_dim), (Kind.MUSIC_CLIP, manifest.music_dim)):
        declared[next(name for name in kinds if kinds[name] is kind)] = width
    widths = {}
    for name, kind in kinds.items():
        if kind in (Kind.EMBEDDING, Kind.PAIR):
            widths[name] = 0
        elif name in declared:
            widths[name] = declared[name]
        else:
            outputs = manifest.graphs[name].outputs
            if len(outputs) != 1 or len(outputs[0].shape) != 2:
                text = ", ".join(map(str, outputs)) or "none"
                raise BundleError(
                    f"{where}: graph {name}: outputs are {text}, must be embedding float32 (batch, width); "
                    "export the bundle again"
                )
            widths[name] = int(outputs[0].shape[1])
    return widths


def _inputs(spec: GraphSpec, kinds: Mapping[str, Kind], takes: Mapping[str, str]) -> dict[str, Source]:
    kind = kinds[spec.name]
    masks = MASKS.get(kind, {})
    sources: dict[str, Source] = {}
    for name in dict.fromkeys((*(tensor.name for tensor in spec.inputs), *masks, *takes)):
        if name in takes:
            sources[name] = Vectors(takes[name], kinds[takes[name]].is_clip and not kind.is_clip)
        else:
            sources[name] = Mask(masks[name]) if name in masks else Feature(name)
    return sources
