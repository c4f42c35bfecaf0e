"""Somebody else's network, as an ONNX file: its inputs are our features by name, its output is a vector a clip.

It is run, not trained. Export puts the file itself into the bundle.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from features import spec

from ..errors import RunError
from .backbone import Backbone

SIDES = {"video": spec.VIDEO_FEATURES, "music": spec.MUSIC_FEATURES}


class Foreign(Backbone):
    """``RunError`` for a file that ONNX Runtime cannot open and for inputs or outputs that do not fit."""

    learned = False

    def __init__(self, file: Path, side: str) -> None:
        super().__init__()
        import onnxruntime

        try:
            data = file.read_bytes()
            self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise RunError(f"backbone {file}: cannot be read ({error.strerror}); name an ONNX file") from error
        except Exception as error:
            raise RunError(f"backbone {file}: is no ONNX file that runs here ({error}); export it again") from error
        self.kind, self.side, self.file = f"onnx:{file}", side, file
        self.onnx_file, self.sha256 = data, hashlib.sha256(data).hexdigest()
        self.inputs = tuple(tensor.name for tensor in self.session.get_inputs())
        if unknown := [name for name in self.inputs if name not in SIDES[side]]:
            raise RunError(
                f"backbone {file}: asks for {', '.join(unknown)}; features of {side} are {', '.join(SIDES[side])}"
            )
        for tensor in self.session.get_inputs():
            expected = list(spec.FEATURES[tensor.name]["shape"])  # type: ignore[call-overload]
            if list(tensor.shape[1:]) != expected:
                raise RunError(
                    f"backbone {file}: takes {tensor.name} as {tensor.shape}, here it is (batch, *{expected})"
                )
        outputs = self.session.get_outputs()
        if len(outputs) != 1 or len(outputs[0].shape) != 2 or not isinstance(outputs[0].shape[1], int):
            raise RunError(f"backbone {file}: must have one output (batch, width), it has {[o.shape for o in outputs]}")
        self.width = int(outputs[0].shape[1])

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": self.side, "scale": "small", "sha256": self.sha256}

    def forward(self, *features: Tensor) -> Tensor:
        named = {
            name: value.numpy().astype(str(spec.FEATURES[name]["dtype"]))
            for name, value in zip(self.inputs, features, strict=True)
        }
        return torch.from_numpy(np.asarray(self.session.run(None, named)[0], np.float32))
