"""``manifest.json`` as frozen dataclasses. Parsing checks types and spelling; ``bundle.py`` checks what must agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import BundleError

FORMAT: Final = 1
BATCH: Final = "batch"  # how a shape spells its leading, free axis
DTYPES: Final = ("float32", "uint8", "bool")
# Every graph has the first one. They name the arithmetic inside: inputs and outputs keep the manifest's dtypes.
PRECISIONS: Final = ("float32", "float16", "bfloat16", "int8")

PATHS: Final = "/\\:\0"  # what a plain file name is without
MAX_NAME: Final = 64  # characters of a graph's name
MAX_PLAN_BYTES: Final = 256 << 20  # unpacked
PLANS_AGAIN: Final = "build its plans again with segue export --plans BUNDLE --rtx --with-plans"

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: ``shape`` is ``("batch", ...)`` with positive integers behind it."""

    name: str
    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {shape_text(self.shape)}"


@dataclass(frozen=True)
class Variant:
    """The same graph in another arithmetic, with the same inputs and outputs, in a file of its own."""

    precision: str
    file: str
    sha256: str


@dataclass(frozen=True)
class PlanSpec:
    """The graph compiled ahead for ``engine`` (its name) in ``version``, for the compute capabilities of GPUs in
    ``capabilities``. ``profiles``: (fewest, best, most) rows. ``file`` is the plan in XZ, ``size`` its bytes
    unpacked."""

    engine: str
    version: str
    precision: str
    capabilities: tuple[str, ...]
    profiles: tuple[tuple[int, int, int], ...]
    size: int
    file: str
    sha256: str


@dataclass(frozen=True)
class GraphSpec:
    """One graph of a bundle; ``file`` is a plain name inside the bundle's folder, ``sha256`` is in hex.

    ``variants`` and ``plans`` are what an export added to the float32 file, none in most bundles. ``of`` and ``takes``:
    what it works on, and which inputs take the vectors of which graph (``wiring.py``); None where its name says so.
    """

    name: str
    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    variants: tuple[Variant, ...] = ()
    of: str | None = None
    takes: Mapping[str, str] | None = None
    plans: tuple[PlanSpec, ...] = ()


@dataclass(frozen=True)
class BankSpec:
    """The bank's file (``bank.py``), and how many videos it was made of."""

    file: str
    sha256: str
    videos: int


@dataclass(frozen=True)
class Manifest:
    """``features`` maps an input's name to the description that the towers were trained with; ``video_dim`` and
    ``music_dim`` are the widths of a clip's vector on either side."""

    format: int
    name: str
    system: str
    video_dim: int
    music_dim: int
    embedding_dim: int
    max_clips: int
    opset: int
    graphs: Mapping[str, GraphSpec]
    features: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Any]
    bank: BankSpec | None = None


def shape_text(shape: Sequence[int | str]) -> str:
    """``(batch, 7, 3)``, without quotes."""
    return "(" + ", ".join(str(size) for size in shape) + ")"


def parse_manifest(data: object, where: str) -> Manifest:
    """The manifest in the decoded JSON ``data``; ``where`` stands in front of every error.

    Raises ``BundleError`` for another format version, a missing field, or a field of another type.
    """
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: holds {kind(data)}, not an object; export the bundle again")
    version = data.get("format")
    if type(version) is not int or version != FORMAT:
        raise BundleError(
            f"{where}: format is {version!r}, this segue reads {FORMAT}; export again or use a matching segue"
        )
    graphs = field(data, "graphs", dict, where)
    features = field(data, "features", dict, where)
    for name, description in features.items():
        if not isinstance(description, Mapping):
            raise BundleError(
                f"{where}: features.{name} is {kind(description)}, not an object; export the bundle again"
            )
    for name in graphs:
        if not is_graph_name(name):
            raise BundleError(
                f"{where}: a graph is called {name[:80]!r}, must be 1 to {MAX_NAME} characters that a file's name may "
                "have too; export the bundle again"
            )
    video_dim, music_dim = clip_dims(data, where)
    return Manifest(
        format=version,
        name=field(data, "name", str, where),
        system=field(data, "system", str, where),
        video_dim=video_dim,
        music_dim=music_dim,
        embedding_dim=positive(data, "embedding_dim", where),
        max_clips=positive(data, "max_clips", where),
        opset=positive(data, "opset", where),
        graphs={name: parse_graph(name, entry, f"{where}: graph {name}") for name, entry in graphs.items()},
        features=features,
        training=field(data, "training", dict, where),
        bank=parse_bank(field(data, "bank", dict, where), f"{where}: bank") if "bank" in data else None,
    )


def clip_dims(data: Mapping[str, Any], where: str) -> tuple[int, int]:
    """``clip_dim`` of video and music: one number for both, or an object with one each."""
    if isinstance(data.get("clip_dim"), Mapping):
        sides, inside = data["clip_dim"], f"{where}: clip_dim"
        return positive(sides, "video", inside), positive(sides, "music", inside)
    both = positive(data, "clip_dim", where)
    return both, both


def parse_graph(name: str, data: object, where: str) -> GraphSpec:
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: is {kind(data)}, not an object; export the bundle again")
    file, digest = parse_file(data, where)
    inputs = tuple(parse_tensor(entry, f"{where}: inputs") for entry in field(data, "inputs", list, where))
    outputs = tuple(parse_tensor(entry, f"{where}: outputs") for entry in field(data, "outputs", list, where))
    others = field(data, "variants", dict, where) if "variants" in data else {}
    variants = tuple(parse_variant(precision, entry, where) for precision, entry in others.items())
    of = field(data, "of", str, where) if "of" in data else None
    takes = field(data, "takes", dict, where) if "takes" in data else None
    for key in takes or {}:
        field(takes or {}, key, str, f"{where}: takes")
    digests = {PRECISIONS[0]: digest} | {variant.precision: variant.sha256 for variant in variants}
    entries = field(data, "plans", list, where) if "plans" in data else []
    plans = tuple(parse_plan(entry, digests, f"{where}: plans") for entry in entries)
    return GraphSpec(name, file, digest, inputs, outputs, variants, of, takes, plans)


def is_graph_name(name: str) -> bool:
    """Files and folders are named after graphs: plans in a bundle, models of Triton."""
    return 0 < len(name) <= MAX_NAME and name.isprintable() and not set(name) & set(PATHS) and name[0] != "."


def parse_file(data: Mapping[str, Any], where: str) -> tuple[str, str]:
    """``file``, which must stay inside the bundle's folder, and ``sha256``."""
    file = field(data, "file", str, where)
    if not file or file in (".", "..") or set(file) & set(PATHS):
        raise BundleError(f"{where}: file {file!r} is not a plain file name inside the bundle; export the bundle again")
    digest = field(data, "sha256", str, where).lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise BundleError(f"{where}: sha256 {digest!r} is not 64 hex digits; export the bundle again")
    return file, digest


def parse_bank(data: Mapping[str, Any], where: str) -> BankSpec:
    return BankSpec(*parse_file(data, where), positive(data, "videos", where))


def parse_variant(precision: str, data: object, where: str) -> Variant:
    if precision not in PRECISIONS[1:]:
        raise BundleError(
            f"{where}: unknown precision {precision}; this segue knows {', '.join(PRECISIONS[1:])}: "
            "use a matching segue or export the bundle again"
        )
    where = f"{where}: variants.{precision}"
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: is {kind(data)}, not an object; export the bundle again")
    file, digest = parse_file(data, where)
    return Variant(precision=precision, file=file, sha256=digest)


def parse_plan(data: object, digests: Mapping[str, str], where: str) -> PlanSpec:
    """``digests``: the SHA-256 of the graph's files by precision, one of which the plan must be made of."""
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: hold {kind(data)}, not an object; {PLANS_AGAIN}")
    precision = field(data, "precision", str, where)
    if precision not in digests:
        raise BundleError(f"{where}: of {precision!r}, the graph is there in {', '.join(digests)}; {PLANS_AGAIN}")
    onnx = field(data, "onnx", str, where)
    if onnx != digests[precision]:
        raise BundleError(
            f"{where}: made of another graph (its file in {precision} had SHA-256 {onnx[:12]}..., here it has "
            f"{digests[precision][:12]}...); {PLANS_AGAIN}"
        )
    capabilities = tuple(field(data, "capabilities", list, where))
    profiles = tuple(tuple(rows) if isinstance(rows, list) else () for rows in field(data, "profiles", list, where))
    if not all(isinstance(one, str) for one in capabilities) or not all(map(is_profile, profiles)):
        raise BundleError(f"{where}: capabilities are no texts, or profiles no three numbers of rows; {PLANS_AGAIN}")
    size = positive(data, "size", where)
    if size > MAX_PLAN_BYTES:
        raise BundleError(f"{where}: a plan of {size} bytes, may have {MAX_PLAN_BYTES}; {PLANS_AGAIN}")
    engine, version = field(data, "engine", str, where), field(data, "version", str, where)
    return PlanSpec(engine, version, precision, capabilities, profiles, size, *parse_file(data, where))


def is_profile(rows: tuple[Any, ...]) -> bool:
    return len(rows) == 3 and all(type(count) is int and count > 0 for count in rows)


def parse_tensor(data: object, where: str) -> TensorSpec:
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: hold {kind(data)}, not an object; export the bundle again")
    name = field(data, "name", str, where)
    where = f"{where}.{name}"
    dtype = field(data, "dtype", str, where)
    if dtype not in DTYPES:
        raise BundleError(f"{where}: dtype {dtype!r} is none of {', '.join(DTYPES)}; export the bundle again")
    shape = tuple(field(data, "shape", list, where))
    sizes_ok = all(type(size) is int and size > 0 for size in shape[1:])
    if not shape or shape[0] != BATCH or not sizes_ok:
        raise BundleError(f"{where}: shape {list(shape)!r} is not [{BATCH!r}, sizes...]; export the bundle again")
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def field(data: Mapping[str, Any], name: str, expected: type, where: str) -> Any:
    if name not in data:
        raise BundleError(f"{where}: the field {name} is missing; export the bundle again")
    value = data[name]
    if not isinstance(value, expected):
        raise BundleError(f"{where}: {name} is {kind(value)}, not {NAMES[expected]}; export the bundle again")
    return value


def positive(data: Mapping[str, Any], name: str, where: str) -> int:
    value = data.get(name)
    if type(value) is not int or value < 1:
        raise BundleError(f"{where}: {name} is {value!r}, not a positive whole number; export the bundle again")
    return value


def kind(value: object) -> str:
    """The kind of a JSON value, in plain words."""
    return NAMES.get(type(value), type(value).__name__)


NAMES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}
