"""A small server of KServe v2 over gRPC, as Triton speaks it: the schema of ``tritonclient``, a model repository as
``export.triton_repository`` writes it, the CPU engine behind.

It refuses what the protocol refuses (unknown models and versions, names, types, shapes, batches beyond
``max_batch_size``), and misbehaves on demand.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from engines.base import Engine
from engines.triton_names import model_version

TYPES = {"FP32": np.float32, "UINT8": np.uint8, "BOOL": np.bool_}


def read_configs(repository: Path) -> dict[str, Any]:
    """Every model's ``config.pbtxt``, parsed by Triton's own schema."""
    configs = {}
    for folder in sorted(repository.iterdir()):
        text = (folder / "config.pbtxt").read_text(encoding="utf-8")
        configs[folder.name] = text_format.Parse(text, model_config_pb2.ModelConfig())
    return configs


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    """``start`` and ``stop`` as often as wanted, on one port; ``misbehave`` is one of the words in ``_infer``."""

    def __init__(self, engine: Engine, repository: Path) -> None:
        self.engine = engine
        self.configs = read_configs(repository)
        self.version = model_version(engine.bundle.identity)
        self.ready = True
        self.delay_s = 0.0
        self.misbehave = ""
        self.requests: list[tuple[str, int]] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self._server: Any = None
        self.port = 0

    def start(self) -> str:
        """The address, for ``TritonEngine``."""
        self._server = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)]
        )
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return f"grpc://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """At once: calls under way are cut off."""
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def ServerReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerReadyResponse(ready=self.ready)

    def ModelConfig(self, request: Any, context: Any) -> Any:
        return service_pb2.ModelConfigResponse(config=self._model(request.name, context))

    def ModelMetadata(self, request: Any, context: Any) -> Any:
        config = self._model(request.name, context, request.version)
        reply = service_pb2.ModelMetadataResponse(name=request.name, versions=[self.version], platform="onnxruntime")
        for side, tensors in ((reply.inputs, config.input), (reply.outputs, config.output)):
            for tensor in tensors:
                side.add(name=tensor.name, datatype=datatype(tensor), shape=[-1, *tensor.dims])
        return reply

    def ModelInfer(self, request: Any, context: Any) -> Any:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            return self._infer(request, context)
        finally:
            with self._lock:
                self._now -= 1

    def _model(self, name: str, context: Any, version: str = "") -> Any:
        if name not in self.configs or version not in ("", self.version):
            text = f"Request for unknown model: '{name}' version {version or 'any'} is not found"
            context.abort(grpc.StatusCode.NOT_FOUND, text)
        return self.configs[name]

    def _infer(self, request: Any, context: Any) -> Any:
        config = self._model(request.model_name, context, request.model_version)
        inputs, rows = self._inputs(request, config, context)
        self.requests.append((request.model_name, rows))
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.misbehave == "refuse":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the moon is in the wrong house")
        if self.misbehave == "full":
            context.abort(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
        graph = request.model_name.partition("_")[2]
        outputs = self.engine.run(graph, inputs)
        reply = service_pb2.ModelInferResponse(model_name=request.model_name, model_version=self.version)
        for tensor in config.output:
            array = outputs[tensor.name].reshape(rows, *tensor.dims)
            if self.misbehave == "nan":
                array = np.full_like(array, np.nan)
            raw = array.tobytes()
            if self.misbehave == "short":
                raw = raw[:-3]
            if self.misbehave == "huge":
                raw = bytes(8 << 20)
            if self.misbehave == "rows":
                array, raw = array[:0], b""
            if self.misbehave != "nothing":
                reply.outputs.add(name=tensor.name, datatype=datatype(tensor), shape=array.shape)
                reply.raw_output_contents.append(raw)
        return reply

    def _inputs(self, request: Any, config: Any, context: Any) -> tuple[dict[str, Any], int]:
        wanted = {tensor.name: tensor for tensor in config.input}
        if sorted(tensor.name for tensor in request.inputs) != sorted(wanted):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "wrong inputs")
        if sorted(tensor.name for tensor in request.outputs) != sorted(tensor.name for tensor in config.output):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "wrong outputs")
        if request.parameters["timeout"].int64_param < 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a request without its deadline")
        arrays = {}
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            rows, *dims = tensor.shape
            config_input = wanted[tensor.name]
            if tensor.datatype != datatype(config_input) or dims != list(config_input.dims):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unexpected shape for input '{tensor.name}'")
            if not 1 <= rows <= config.max_batch_size:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"batch-size must be <= {config.max_batch_size}")
            array = np.frombuffer(raw, TYPES[tensor.datatype]).reshape(tensor.shape)
            arrays[tensor.name] = array.reshape(rows) if config_input.HasField("reshape") else array
        return arrays, rows


def datatype(tensor: Any) -> str:
    return str(model_config_pb2.DataType.Name(tensor.data_type)).removeprefix("TYPE_")
