"""A Triton Inference Server (or another KServe v2 server) that many stream servers share, by ``tritonclient`` and gRPC.

gRPC and not HTTP: its client may be used from many threads, its deadline covers a whole call and its bound a whole
reply, and it needs neither gevent nor another greenlet. The server's models are those that ``segue export
--triton`` writes; their version and a parameter of their configuration tell which bundle they are, so that a server
with another bundle is refused when connecting, and at each request.

**No real Triton has been run with this.** The tests run the real ``tritonclient`` against a small server of the same
protocol, from the schema in the same package.

*Bounds*: ``concurrency`` requests under way; a further one waits until its own deadline and then fails with
``EngineBusy``; ``timeout_s`` for a request with all its slices; a reply no larger than the largest that the manifest
allows, and one MiB. While the server is gone, requests fail at once; the client connects again by itself, with at most
one attempt a second.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import Bundle
from .errors import EngineBusy, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from .manifest import GraphSpec, TensorSpec
from .rows import cut, join
from .triton_names import DATATYPES, IDENTITY, PREFIX, model_name, model_version, wire_dims

SCHEMES: Final = ("grpc", "grpcs")
REPLY_MARGIN_BYTES: Final = 1 << 20  # descriptions and configurations of models, headers
LARGEST_BATCH: Final = 1024  # more rows in one request than any sane configuration allows


class TritonEngine:
    """``url`` is ``grpc://HOST:PORT``, or ``grpcs://`` for TLS against the system's certificates; ``prefix`` stands
    before the graphs' names on the server.

    Raises ``EngineUnavailable`` where the client is not installed, the server is not there or not ready, or runs
    another bundle or other shapes.
    """

    def __init__(
        self, bundle: Bundle, url: str, timeout_s: float = 1.0, prefix: str = PREFIX, concurrency: int = 8
    ) -> None:
        if not 0 < timeout_s <= 60:
            raise EngineError(f"timeout_s is {timeout_s}, must be above 0 and at most 60")
        if not 1 <= concurrency <= 256:
            raise EngineError(f"concurrency is {concurrency}, must be between 1 and 256")
        self._bundle = bundle
        self._host, secure = parse_url(url)
        self._timeout_s = timeout_s
        self._prefix = prefix
        self._concurrency = concurrency
        self._version = model_version(bundle.identity)
        self._grpc = client_package(self.name)
        self._places = threading.BoundedSemaphore(concurrency)
        self._closed = threading.Event()
        self._client = self._grpc.InferenceServerClient(
            self._host, ssl=secure, channel_args=channel_arguments(reply_bound(bundle))
        )
        try:
            self._largest = self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return f"triton-{self._host}"

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def spec(self, graph: str) -> GraphSpec:
        return self._bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        rows = check_inputs(spec, inputs)
        if self._closed.is_set():
            raise EngineClosed(f"engine {self.name} is closed; open another")
        deadline_s = time.monotonic() + self._timeout_s
        if not self._places.acquire(timeout=self._timeout_s):
            raise EngineBusy(
                f"engine {self.name}: {self._concurrency} requests are under way, the bound, none ended within "
                f"{self._timeout_s:g} s; try again later"
            )
        try:
            outputs = join([self._infer(spec, part, deadline_s) for part, _ in cut(inputs, self._largest[graph])])
        finally:
            self._places.release()
        check_outputs(spec, outputs, rows)
        return outputs

    def _infer(self, spec: GraphSpec, inputs: Arrays, deadline_s: float) -> dict[str, NDArray[Any]]:
        rows = len(next(iter(inputs.values())))
        where = f"engine {self.name}: graph {spec.name}, batch {rows}"
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise EngineFailed(f"{where}: no answer within {self._timeout_s:g} s; give it longer, or fewer rows")
        try:
            reply = self._client.infer(
                model_name(spec.name, self._prefix),
                [self._input(tensor, inputs[tensor.name]) for tensor in spec.inputs],
                model_version=self._version,
                outputs=[self._grpc.InferRequestedOutput(tensor.name) for tensor in spec.outputs],
                timeout=max(1, int(left_s * 1e6)),  # in microseconds: no use to the server either after that
                client_timeout=left_s,
            )
            return {tensor.name: read_output(reply, tensor, rows) for tensor in spec.outputs}
        except Exception as error:  # tritonclient's, grpc's, and NumPy's where a reply contradicts itself
            if self._closed.is_set():
                raise EngineClosed(f"engine {self.name} was closed before it answered; open another") from error
            raise EngineFailed(f"{where}: {self._cause(error)}") from error

    def _input(self, tensor: TensorSpec, array: NDArray[Any]) -> Any:
        shaped = np.ascontiguousarray(array).reshape(len(array), *wire_dims(tensor))
        value = self._grpc.InferInput(tensor.name, shaped.shape, DATATYPES[tensor.dtype])
        value.set_data_from_numpy(shaped)
        return value

    def _cause(self, error: Exception) -> str:
        """The server's error text, and what it means here, on one line."""
        if not isinstance(error, self._grpc.InferenceServerException):
            return f"the reply makes no sense ({one_line(error)}); see the server's log"
        status, text = str(error.status()).removeprefix("StatusCode."), one_line(error.message())
        if status == "DEADLINE_EXCEEDED":
            return f"no answer within {self._timeout_s:g} s; give it longer, or fewer rows"
        if status == "UNAVAILABLE":
            return f"the server cannot be reached or takes no more ({text}); it is tried again with the next request"
        if status == "RESOURCE_EXHAUSTED":
            return f"a message beyond the bound ({text}); see the server's log"
        return f"refused with {status}: {text}"

    def _connect(self) -> dict[str, int]:
        """Compare all models with the manifest; the largest batch of every graph."""
        try:
            if not self._client.is_server_ready(client_timeout=self._timeout_s):
                raise EngineUnavailable(f"engine {self.name}: the server is not ready; see its log")
            return {graph: self._check(spec) for graph, spec in self._bundle.manifest.graphs.items()}
        except EngineUnavailable:
            raise
        except Exception as error:  # as in _infer
            raise EngineUnavailable(f"engine {self.name}: {self._cause(error)}") from error

    def _check(self, spec: GraphSpec) -> int:
        model = model_name(spec.name, self._prefix)
        where = f"engine {self.name}: model {model}"
        config = self._client.get_model_config(model, client_timeout=self._timeout_s).config
        identity = config.parameters[IDENTITY].string_value if IDENTITY in config.parameters else ""
        if identity != self._bundle.identity:
            raise EngineUnavailable(
                f"{where}: is of bundle {identity[:12] or 'unknown'}, this is {self._bundle.identity[:12]}; "
                "give the server what segue export --triton writes of this bundle"
            )
        if not 1 <= config.max_batch_size <= LARGEST_BATCH:
            raise EngineUnavailable(f"{where}: max_batch_size is {config.max_batch_size}; export it again")
        metadata = self._client.get_model_metadata(model, self._version, client_timeout=self._timeout_s)
        for side, expected, actual in (
            ("input", spec.inputs, metadata.inputs),
            ("output", spec.outputs, metadata.outputs),
        ):
            ours = {tensor.name: (DATATYPES[tensor.dtype], (-1, *wire_dims(tensor))) for tensor in expected}
            theirs = {tensor.name: (tensor.datatype, tuple(tensor.shape)) for tensor in actual}
            if ours != theirs:
                raise EngineUnavailable(
                    f"{where}: {side}s are {format_tensors(theirs)}, the bundle's {format_tensors(ours)}"
                )
        return int(config.max_batch_size)

    def warmup(self) -> None:
        for graph in self._bundle.manifest.graphs:
            self.run(graph, example_inputs(self.spec(graph)))

    def close(self) -> None:
        """Requests under way end with ``EngineClosed``; the server stays."""
        self._closed.set()
        with suppress(Exception):  # errors of closing a channel twice are of no use
            self._client.close()


def probe(bundle: Bundle, url: str, timeout_s: float = 1.0, prefix: str = PREFIX) -> str | None:
    """Why the server at ``url`` cannot run ``bundle``, or None after it ran one of its graphs."""
    try:
        engine = TritonEngine(bundle, url, timeout_s, prefix)
    except (EngineError, OSError) as error:
        return str(error)
    try:
        graph = next(iter(bundle.manifest.graphs))
        engine.run(graph, example_inputs(bundle.spec(graph)))
    except EngineError as error:
        return str(error)
    finally:
        engine.close()
    return None


def client_package(name: str) -> ModuleType:
    """``tritonclient.grpc``, which is an optional extra."""
    try:
        import tritonclient.grpc as package
    except (ImportError, RuntimeError) as error:  # the latter where tritonclient is there without its gRPC half
        raise EngineUnavailable(
            f'engine {name}: tritonclient is missing ({one_line(error)}); pip install ".[triton]"'
        ) from error
    module: ModuleType = package
    return module


def parse_url(url: str) -> tuple[str, bool]:
    """``HOST:PORT``, and whether by TLS; ``EngineError`` for anything but the two schemes with host and port."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme not in SCHEMES or not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in rest:
        raise EngineError(f"Triton's address is {url}, must be grpc://HOST:PORT or grpcs://HOST:PORT")
    return rest, scheme == "grpcs"


def channel_arguments(reply_bytes: int) -> list[tuple[str, int]]:
    """gRPC's settings, called as in its ``grpc_types.h``; times in milliseconds."""
    return [
        ("grpc.max_receive_message_length", reply_bytes),
        ("grpc.max_send_message_length", -1),  # requests were checked against the manifest and are sliced
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 5000),  # in spite of its name: how long one attempt to connect may take
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.keepalive_time_ms", 10_000),  # finds a connection that died without a word
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def reply_bound(bundle: Bundle) -> int:
    """Bytes of the largest answer that any graph of the bundle may give, and a margin."""
    rows = [
        sum(int(np.prod(wire_dims(tensor))) * np.dtype(tensor.dtype).itemsize for tensor in spec.outputs)
        for spec in bundle.manifest.graphs.values()
    ]
    return max(rows) * LARGEST_BATCH + REPLY_MARGIN_BYTES


def read_output(reply: Any, tensor: TensorSpec, rows: int) -> NDArray[Any]:
    """An output in memory of its own; a number a row comes as ``(rows, 1)``. ``check_outputs`` refuses other shapes."""
    array = reply.as_numpy(tensor.name)
    if array is None:
        raise ValueError(f"output {tensor.name} is missing")
    if array.shape == (rows, *wire_dims(tensor)):
        array = array.reshape(rows, *(int(size) for size in tensor.shape[1:]))
    return np.array(array)


def format_tensors(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {kind} {list(shape)}" for name, (kind, shape) in sorted(tensors.items())) or "none"


def one_line(error: object, limit: int = 300) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
