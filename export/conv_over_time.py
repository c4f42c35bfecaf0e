"""Convolutions over time and picture, written as convolutions of pictures whose channels hold several moments.

    y[t] = sum over k of W[k] * x[t s + k]   =   [W[0] W[1] W[2]] * [x[t s]; x[t s + 1]; x[t s + 2]]

It is the same sum in another order. Runtimes on a CPU have fast kernels for convolutions of pictures (blocked layouts,
and for int8 no unfolding at all), but only a general kernel for three axes. Gathering the moments costs time, so a film
stays in pictures from one convolution to the next, several moments to a picture (``temporal_stacking.py``).
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .nodes import Nodes
from .temporal_stacking import moments_per_picture, neighbours, part_of_window, runs, window

MARK: Final = "_time"
CONVOLVED: Final = "_convolved"
BY_ELEMENT: Final = ("Relu", "Add")  # operators that give the same for a film and for its pictures


@dataclass(frozen=True)
class Film:
    """(batch, channels, moments, height, width), of which there are ``pictures``, a value of (batch * moments / held,
    held * channels, height, width)."""

    pictures: str
    held: int
    channels: int
    moments: int
    height: int
    width: int


@dataclass(frozen=True)
class Convolution:
    """A node's constants, and the sizes of its output; ``weight`` (out, in, taps, height, width)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: int
    before: int  # moments of zeros added before the film, and behind it
    behind: int
    over_picture: dict[str, list[int]]
    moments: int
    height: int
    width: int

    @property
    def taps(self) -> int:
        return int(self.weight.shape[2])

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[0])


def flatten_time(model: Any) -> Any:
    """A copy of ``model`` in which every such convolution with constant weights is one over pictures.

    Names are numbered again. A convolution that the rewriting does not know (groups, dilations, automatic padding,
    sizes unknown before the run) stays as it is.
    """
    model = onnx.load_model_from_string(model.SerializeToString())
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    weights = {tensor.name: tensor for tensor in graph.initializer}
    rewriting = Rewriting(shapes)
    for node in graph.node:
        if node.op_type == "Conv" and fits(node, weights, shapes):
            rewriting.convolve(node, convolution(node, weights, shapes))
        else:
            rewriting.carry_over(node)
    for value in graph.output:
        rewriting.settle(value.name)
    del graph.node[:]
    graph.node.extend(rewriting.nodes.written)
    graph.initializer.extend(rewriting.nodes.constants.values())
    drop_unused_weights(graph)
    return model


def fits(node: Any, weights: dict[str, Any], shapes: dict[str, list[int]]) -> bool:
    if node.input[1] not in weights or len(weights[node.input[1]].dims) != 5:
        return False
    if any(name not in weights for name in node.input[2:]):
        return False
    options = options_of(node)
    sizes = shapes.get(node.input[0], [])[1:] + shapes.get(node.output[0], [])[1:]
    return (
        options.get("group", 1) == 1
        and set(options.get("dilations", [1])) == {1}
        and options.get("auto_pad", b"NOTSET") == b"NOTSET"
        and len(sizes) == 8
        and all(size > 0 for size in sizes)
    )


def options_of(node: Any) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def convolution(node: Any, weights: dict[str, Any], shapes: dict[str, list[int]]) -> Convolution:
    weight, *rest = (numpy_helper.to_array(weights[name]) for name in node.input[1:])
    options = options_of(node)
    strides, pads = list(options.get("strides", [1] * 3)), list(options.get("pads", [0] * 6))
    over_picture = {
        "kernel_shape": list(weight.shape[3:]),
        "strides": strides[1:],
        "pads": [pads[1], pads[2], pads[4], pads[5]],
    }
    bias = rest[0] if rest else np.zeros(len(weight), weight.dtype)
    return Convolution(weight, bias, strides[0], pads[0], pads[3], over_picture, *shapes[node.output[0]][2:])


class Rewriting:
    """One walk over a graph's nodes, in their order. A film's own value is written only where a node needs it."""

    def __init__(self, shapes: dict[str, list[int]]) -> None:
        self.nodes = Nodes()
        self._shapes = shapes
        self._films: dict[str, Film] = {}

    def convolve(self, node: Any, conv: Convolution) -> None:
        source, mark = self._films.get(node.input[0]), f"{node.output[0]}{MARK}"
        if source is not None and stays_in_pictures(conv, source):
            held = source.held // conv.stride
            pictures = self._from_pictures(source, conv, held, mark)
        else:
            held = moments_per_picture(conv.outputs, conv.moments)
            pictures = self._from_moments(node.input[0], conv, held, mark)
        self._films[node.output[0]] = Film(pictures, held, conv.outputs, conv.moments, conv.height, conv.width)

    def carry_over(self, node: Any) -> None:
        """Any other node: on pictures where that is the same, unchanged otherwise."""
        films = [self._films[name] for name in node.input if name in self._films]
        alike = len({replace(film, pictures="") for film in films}) == 1
        if node.op_type in BY_ELEMENT and len(films) == len(node.input) and alike:
            output = f"{node.output[0]}{MARK}"
            self.nodes.add(node.op_type, [film.pictures for film in films], output)
            self._films[node.output[0]] = replace(films[0], pictures=output)
        else:
            for name in node.input:
                self.settle(name)
            self.nodes.keep(node)

    def settle(self, name: str) -> None:
        """Write the film's own value, moments behind channels."""
        if name in self._films:
            self.nodes.add("Transpose", [self._by_moment(name)], name, perm=[0, 2, 1, 3, 4])

    def _by_moment(self, name: str) -> str:
        """The film as (batch, moments, channels, height, width): its pictures in another shape."""
        if name not in self._films:
            return self.nodes.add("Transpose", [name], f"{name}{MARK}_moments", perm=[0, 2, 1, 3, 4])
        film = self._films[name]
        shape = -1, film.moments, film.channels, film.height, film.width
        return self._reshape(film.pictures, f"{name}{MARK}_moments", *shape)

    def _reshape(self, value: str, output: str, *shape: int) -> str:
        return self.nodes.add("Reshape", [value, self.nodes.numbers(f"{output}_shape", *shape)], output)

    def _from_moments(self, name: str, conv: Convolution, held: int, mark: str) -> str:
        """Pad in time -> the moments of each window -> convolve, in parts where that is faster -> add the parts."""
        _, channels, moments, height, width = self._shapes[name]
        value = self._by_moment(name)
        if conv.before or conv.behind:
            around = 0, conv.before, 0, 0, 0, 0, conv.behind, 0, 0, 0
            value = self.nodes.add("Pad", [value, self.nodes.numbers(f"{mark}_around", *around)], f"{mark}_padded")
            moments += conv.before + conv.behind
        total = ""
        for at, (first, count) in enumerate(runs(window(conv.stride, held, conv.taps), channels)):
            part = self._windows(value, moments, first, count, conv.stride * held, conv.moments // held, f"{mark}_{at}")
            pictures = self._reshape(part, f"{mark}_{at}_pictures", -1, count * channels, height, width)
            weight = part_of_window(conv.weight, conv.stride, held, first, count)
            bias = np.tile(conv.bias, held) if at == 0 else None
            convolved = self._convolution(pictures, weight, bias, conv, f"{mark}_{at}")
            total = self.nodes.add("Add", [total, convolved], f"{mark}_{at}_sum") if at else convolved
        return total

    def _windows(self, value: str, moments: int, first: int, count: int, step: int, windows: int, mark: str) -> str:
        """``count`` moments from ``first`` on, of each of ``windows`` windows that are ``step`` moments apart."""
        if count == step:  # the windows touch
            end = first + windows * step
            return value if (first, end) == (0, moments) else self._slice(value, mark, (1,), (first,), (end,))
        chosen = first + step * np.arange(windows)[:, None] + np.arange(count)
        return self.nodes.add(
            "Gather", [value, self.nodes.constant(f"{mark}_chosen", chosen)], f"{mark}_gathered", axis=1
        )

    def _from_pictures(self, source: Film, conv: Convolution, held: int, mark: str) -> str:
        """Convolve the pictures as they are, once for each neighbour that takes from them -> shift -> add."""
        block, pictures, results = source.held, source.moments // source.held, conv.moments // held
        around = neighbours(conv.stride, held, conv.taps, conv.before, block)
        weights = [part_of_window(conv.weight, conv.stride, held, block * near + conv.before, block) for near in around]
        size = held * conv.outputs
        bias = np.concatenate([np.tile(conv.bias, held) if near == 0 else np.zeros(size) for near in around])
        value = self._convolution(source.pictures, np.concatenate(weights), bias.astype(conv.bias.dtype), conv, mark)
        if (len(around), pictures) == (1, results):
            return value
        value = self._reshape(value, f"{mark}_side_by_side", -1, pictures, len(around) * size, conv.height, conv.width)
        total = ""
        for at, near in enumerate(around):
            first, end = max(0, near), min(pictures, results + near)
            part = self._slice(value, f"{mark}_{at}", (1, 2), (first, at * size), (end, (at + 1) * size))
            if (first - near, results + near - end) != (0, 0):
                room = 0, first - near, 0, 0, 0, 0, results + near - end, 0, 0, 0
                part = self.nodes.add(
                    "Pad", [part, self.nodes.numbers(f"{mark}_{at}_room", *room)], f"{mark}_{at}_moved"
                )
            total = self.nodes.add("Add", [total, part], f"{mark}_{at}_sum") if at else part
        return self._reshape(total, f"{mark}_pictures", -1, size, conv.height, conv.width)

    def _slice(
        self, value: str, mark: str, axes: tuple[int, ...], starts: tuple[int, ...], ends: tuple[int, ...]
    ) -> str:
        bounds = zip(("starts", "ends", "axes"), (starts, ends, axes), strict=True)
        inputs = [self.nodes.numbers(f"{mark}_{name}", *values) for name, values in bounds]
        return self.nodes.add("Slice", [value, *inputs], f"{mark}_sliced")

    def _convolution(
        self, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32] | None, conv: Convolution, mark: str
    ) -> str:
        inputs = [value, self.nodes.constant(f"{mark}_weight", weight)]
        if bias is not None:
            inputs.append(self.nodes.constant(f"{mark}_bias", bias))
        return self.nodes.add("Conv", inputs, f"{mark}{CONVOLVED}", **conv.over_picture)


def stays_in_pictures(conv: Convolution, source: Film) -> bool:
    """Whether the pictures are convolved as they are: the stride divides the moments that a picture holds, or no moment
    depends on another."""
    strided = conv.stride > 1 and source.held % conv.stride == 0
    alone = conv.stride == conv.taps == 1
    if not (strided or alone) or conv.moments % (source.held // conv.stride):
        return False
    return conv.moments * conv.stride <= source.moments


def origins(node: Any) -> tuple[str, ...]:
    """The name of a convolution's output here, and its name before ``flatten_time``."""
    output = str(node.output[0])
    before, mark, _ = output.rpartition(MARK)
    return (output, before) if mark and output.endswith(CONVOLVED) else (output,)


def drop_unused_weights(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    used_weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(used_weights)
