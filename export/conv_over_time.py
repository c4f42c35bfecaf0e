"""A convolution over time and picture, written as one over pictures whose channels hold several moments.

    y[t] = sum over k of W[k] * x[t s + k]   =   [W[0] W[1] W[2]] * [x[t s]; x[t s + 1]; x[t s + 2]]

It is the same sum in another order. Runtimes on a CPU have fast kernels for convolutions of pictures (blocked layouts,
and for int8 no unfolding at all), and for those of three axes only the general one.
"""

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

MARK: Final = "_time"
CONVOLVED: Final = "_convolved"


def flatten_time(model: Any) -> Any:
    """A copy of ``model`` in which every such convolution with constant weights is one over pictures.

    Its names are numbered anew; a convolution that the rewriting does not know (groups, dilations, automatic padding,
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
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "Conv" and fits(node, weights, shapes):
            made, constants = over_pictures(node, numpy_helper.to_array(weights[node.input[1]]), shapes)
            nodes += made
            graph.initializer.extend(constants)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused_weights(graph)
    return model


def fits(node: Any, weights: dict[str, Any], shapes: dict[str, list[int]]) -> bool:
    if node.input[1] not in weights or len(weights[node.input[1]].dims) != 5:
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


def over_pictures(
    node: Any, weight: NDArray[np.float32], shapes: dict[str, list[int]]
) -> tuple[list[Any], list[onnx.TensorProto]]:
    """Nodes and constants in the place of ``node``; ``weight`` is (out, in, taps, height, width).

    Pad in time -> moments first -> gather ``taps`` moments for each of the output's -> convolve -> moments back.
    """
    options = options_of(node)
    out_channels, channels, taps, *kernel = weight.shape
    strides = list(options.get("strides", [1, 1, 1]))
    pads = list(options.get("pads", [0] * 6))
    _, _, _, height, width = shapes[node.input[0]]
    _, _, moments, out_height, out_width = shapes[node.output[0]]
    mark = f"{node.output[0]}{MARK}"
    nodes: list[Any] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(value, f"{mark}_{name}"))
        return f"{mark}_{name}"

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))
        return output

    value = node.input[0]
    if pads[0] or pads[3]:
        around = np.array([0, 0, pads[0], 0, 0, 0, 0, pads[3], 0, 0], np.int64)
        value = add("Pad", [value, constant("around", around)], f"{mark}_padded")
    value = add("Transpose", [value], f"{mark}_moments", perm=[0, 2, 1, 3, 4])
    if taps > 1 or strides[0] > 1:
        chosen = strides[0] * np.arange(moments)[:, None] + np.arange(taps)
        value = add("Gather", [value, constant("chosen", chosen)], f"{mark}_gathered", axis=1)
    pictures = np.array([-1, taps * channels, height, width], np.int64)
    value = add("Reshape", [value, constant("pictures", pictures)], f"{mark}_pictures_of")
    stacked = weight.transpose(0, 2, 1, 3, 4).reshape(out_channels, taps * channels, *kernel)
    value = add(
        "Conv",
        [value, constant("weight", np.ascontiguousarray(stacked)), *node.input[2:]],
        f"{mark}{CONVOLVED}",
        kernel_shape=kernel,
        strides=strides[1:],
        pads=[pads[1], pads[2], pads[4], pads[5]],
    )
    films = np.array([-1, moments, out_channels, out_height, out_width], np.int64)
    value = add("Reshape", [value, constant("films", films)], f"{mark}_films_of")
    add("Transpose", [value], node.output[0], perm=[0, 2, 1, 3, 4])
    return nodes, constants


def origins(node: Any) -> tuple[str, ...]:
    """What a convolution's output is called here, and what it was called before ``flatten_time``."""
    output = str(node.output[0])
    return output, output.removesuffix(MARK + CONVOLVED)


def drop_unused_weights(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
