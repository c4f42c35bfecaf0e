"""A bundle as a model repository of Triton Inference Server: for each graph a folder with its configuration and file.

``FOLDER/segue_video_clip/config.pbtxt`` and ``FOLDER/segue_video_clip/VERSION/model.onnx``, as Triton's documentation
has it (model_repository, model_configuration). The fields are those of ``model_config.proto``; the tests parse the text
with the schema that ``tritonclient`` brings. No Triton server has loaded it yet.
"""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engines.bundle import FLOAT32, Bundle
from engines.manifest import GraphSpec, TensorSpec
from engines.triton_names import DATATYPES, IDENTITY, PREFIX, model_name, model_version, wire_dims

from .bundle import FOLDER_MODE, put_in_place
from .errors import ExportError

CONFIG: Final = "config.pbtxt"
FILE: Final = "model.onnx"  # the name that Triton's onnxruntime backend expects
MAX_BATCH: Final = 32
QUEUE_DELAY_US: Final = 2000  # how long a request waits for others to fill the batch
QUEUE_SIZE: Final = 256  # requests that may wait for a model; more are refused


def write_repository(
    bundle: Bundle, folder: Path, prefix: str = PREFIX, max_batch: int = MAX_BATCH, precision: str = FLOAT32
) -> tuple[str, ...]:
    """Write the repository to ``folder``, replacing one that is there already, and return the models' names.

    A graph that the bundle lacks in ``precision`` is written in float32. Raises ``ExportError`` for a folder that holds
    something else; then, and after any other error, ``folder`` stays as it was.
    """
    check_target(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for graph, spec in bundle.manifest.graphs.items():
            used = precision if precision in bundle.precisions(graph) else FLOAT32
            model = part / model_name(graph, prefix)
            version = model / model_version(bundle.identity)
            version.mkdir(parents=True)
            (version / FILE).write_bytes(bundle.read(graph, used))
            (model / CONFIG).write_text(config_text(spec, bundle.identity, prefix, max_batch), encoding="utf-8")
        part.chmod(FOLDER_MODE)
        put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tuple(model_name(graph, prefix) for graph in bundle.manifest.graphs)


def check_target(folder: Path) -> None:
    """A new name, an empty folder, or a repository of ours to replace."""
    if folder.name in ("", ".."):
        raise ExportError(f"repository {folder}: has no name of its own; name the repository's folder")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"repository {folder}: is a file; name a folder")
    for entry in folder.iterdir() if folder.is_dir() else ():
        config = entry / CONFIG
        if not config.is_file() or IDENTITY not in config.read_text(encoding="utf-8", errors="replace"):
            raise ExportError(f"repository {folder}: holds {entry.name}, which is not of segue; name a new folder")


def config_text(spec: GraphSpec, identity: str, prefix: str = PREFIX, max_batch: int = MAX_BATCH) -> str:
    """``config.pbtxt`` of a graph: protobuf's text format of Triton's ``ModelConfig``."""
    preferred = [size for size in (8, 16, 32) if size <= max_batch] or [max_batch]
    lines = [
        f"name: {quote(model_name(spec.name, prefix))}",
        'backend: "onnxruntime"',
        f"default_model_filename: {quote(FILE)}",
        f"max_batch_size: {max_batch}",
        f"version_policy {{ specific {{ versions: [ {model_version(identity)} ] }} }}",
        *(tensor_text("input", tensor) for tensor in spec.inputs),
        *(tensor_text("output", tensor) for tensor in spec.outputs),
        "dynamic_batching {",
        f"  preferred_batch_size: {list_text(preferred)}",
        f"  max_queue_delay_microseconds: {QUEUE_DELAY_US}",
        # A request that waits past its own deadline is refused, since nobody uses its result.
        "  default_queue_policy {",
        f"    timeout_action: REJECT allow_timeout_override: true max_queue_size: {QUEUE_SIZE}",
        "  }",
        "}",
        f"parameters {{ key: {quote(IDENTITY)} value {{ string_value: {quote(identity)} }} }}",
    ]
    return "\n".join(lines) + "\n"


def tensor_text(side: str, tensor: TensorSpec) -> str:
    """An input or output; the batch axis is implied. One number a row is (1,) outside and () for the model."""
    shape = f"data_type: TYPE_{DATATYPES[tensor.dtype]} dims: {list_text(wire_dims(tensor))}"
    reshape = " reshape { shape: [ ] }" if len(tensor.shape) == 1 else ""
    return f"{side} {{ name: {quote(tensor.name)} {shape}{reshape} }}"


def list_text(sizes: Sequence[int]) -> str:
    return f"[ {', '.join(str(size) for size in sizes)} ]"


def quote(text: str) -> str:
    """JSON's escapes are among those of protobuf's text format."""
    return json.dumps(text)
