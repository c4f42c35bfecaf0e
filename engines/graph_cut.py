"""A graph cut in two where some of its inputs are one row for the whole batch: what hangs on these alone is computed
once, the rest for each row.

A matcher compares one window of video with dozens of windows of music. Its file takes a row of both for each pair, so
that by itself it reads the video once for each candidate. The cut is made when the file is opened, from the file as it
was shipped: ``lone`` gives the values that the rest needs of the shared inputs, ``rest`` takes them beside the others.

Everything between stays as it is, but the last digits of a row's result depend on the batch that it was computed in
(by some 1e-7 of a score), so that a recording tells whether its answers came this way.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from .graphs import Feature, Graphs, Kind, Mask, Vectors
from .onnx_wire import INPUT, OUTPUT, Model, Node, read_model, value_field, with_input, write_model

NO_SPLIT: Final = ("Loop", "If", "Scan", "Dropout")  # these hold graphs, or do not give the same each time
VIDEO: Final = (Kind.VIDEO_CLIP, Kind.VIDEO_WINDOW)


@dataclass(frozen=True)
class Cut:
    """``lone``: a file that takes the shared inputs and gives ``values``; of these, ``rest`` needs a row for each of
    its own. ``passed``: shared inputs that it takes as they are."""

    lone: bytes
    values: tuple[str, ...]
    passed: tuple[str, ...]
    model: Model
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]

    def rest(self, types: dict[str, tuple[int, tuple[int | str, ...]]]) -> bytes:
        """The other file. ``types``: of each of ``values`` its element type and its shape."""
        taken = [value_field(INPUT, name, *types[name]) for name in self.values]
        own = [self.model.inputs[name] for name in (*self.passed, *self.inputs)]
        outputs = [value_field(OUTPUT, name) for name in self.model.outputs]
        return write_model(self.model, self.nodes, [*taken, *own], outputs, _weights(self.model, self.nodes))


def shared_inputs(graphs: Graphs, name: str) -> frozenset[str]:
    """The inputs of a pair's graph that are of the video, as far as the manifest tells: the same for all candidates of
    a window. Empty for any other graph."""
    graph = graphs[name]
    if graph.kind is not Kind.PAIR:
        return frozenset()
    measured = {feature for other in graphs.of(*VIDEO) for feature in other.features}
    shared = set()
    for key, source in graph.inputs.items():
        if isinstance(source, Mask):
            of_video = source.window is Kind.VIDEO_WINDOW
        elif isinstance(source, Vectors):
            of_video = graphs[source.graph].kind in VIDEO
        else:
            assert isinstance(source, Feature)
            of_video = source.name in measured
        if of_video:
            shared.add(key)
    return frozenset(shared)


def cut(data: bytes, shared: Set[str]) -> Cut | None:
    """Cut the graph of an ONNX file; None for one that cannot be cut, or where nothing hangs on ``shared`` alone."""
    try:
        model = read_model(data)
    except (ValueError, UnicodeDecodeError):
        return None
    own = [name for name in model.inputs if name not in shared and name not in model.weights]
    whole = any(node.nested or node.kind in NO_SPLIT or not node.outputs for node in model.nodes)
    if whole or model.functions or not own or not shared or not shared <= model.inputs.keys():
        return None
    batch = {node.outputs[0] for node in model.nodes if _is_batch(node, model)}
    lone = _hanging_on(shared, batch, model)
    computed = {value for node in lone for value in node.outputs}
    others = [node for node in model.nodes if node.outputs[0] not in computed]
    needed = [value for node in others if node.outputs[0] not in batch for value in node.inputs]
    values = tuple(dict.fromkeys(value for value in needed if value in computed))
    if not values or computed & set(model.outputs):
        return None
    passed = tuple(dict.fromkeys(value for value in needed if value in shared))
    given = [name for name in model.inputs if name in shared]
    first = _towards(values, model, frozenset())
    rest = _towards(model.outputs, model, frozenset(values))
    return Cut(
        lone=write_model(
            model,
            sized := _sized_by(first, batch, given[0]),
            [model.inputs[name] for name in given],
            [value_field(OUTPUT, value) for value in values],
            _weights(model, sized),
        ),
        values=values,
        passed=passed,
        model=model,
        nodes=tuple(_sized_by(rest, batch, own[0])),
        inputs=tuple(own),
    )


def _is_batch(node: Node, model: Model) -> bool:
    """Whether a node gives the number of rows and nothing else, which every input knows."""
    whole = node.ints.get("start", 0) == 0 and node.ints.get("end") == 1
    return node.kind == "Shape" and not node.domain and whole and {*node.inputs} <= model.inputs.keys()


def _hanging_on(shared: Set[str], batch: Set[str], model: Model) -> list[Node]:
    """The nodes that take something of ``shared``, and beside it weights and the number of rows only. Nodes stand in
    the order of running, as ONNX demands."""
    reached, free = set(shared), {"", *model.weights, *batch}
    found: list[Node] = []
    for node in model.nodes:
        if node.outputs[0] in batch:
            continue
        if all(value in free for value in node.inputs):
            free |= set(node.outputs)
        elif all(value in free or value in reached for value in node.inputs):
            reached |= set(node.outputs)
            found.append(node)
    return found


def _towards(ends: Iterable[str], model: Model, known: Set[str]) -> list[Node]:
    """The nodes that ``ends`` need, beside what is ``known`` already."""
    needed, found = set(ends), []
    for node in reversed(model.nodes):
        if needed & set(node.outputs) - known:
            found.append(node)
            needed |= set(node.inputs)
    return found[::-1]


def _sized_by(nodes: Iterable[Node], batch: Set[str], name: str) -> list[Node]:
    """The nodes, with the number of rows read from the input ``name``."""
    return [with_input(node, name) if node.outputs[0] in batch else node for node in nodes]


def _weights(model: Model, nodes: Iterable[Node]) -> list[str]:
    used = {value for node in nodes for value in node.inputs}
    return [name for name in model.weights if name in used]
