"""A bundle: exported towers in a folder, ``manifest.json`` and one ``.onnx`` file a graph (and precision).

Loading reads every byte once and refuses a bundle that is damaged or contradicts itself; the error names both sides.
The engine that opens a graph's file checks that it really has the manifest's inputs.
"""

import hashlib
import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .bank import Bank
from .bank import read as read_bank
from .contract import check_graphs
from .errors import BundleError
from .graphs import Graphs
from .manifest import MAX_PLAN_BYTES, PLANS_AGAIN, PRECISIONS, GraphSpec, Manifest, PlanSpec, parse_manifest
from .wiring import graphs_of

MANIFEST: Final = "manifest.json"
FLOAT32: Final = PRECISIONS[0]


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. ``identity`` is the SHA-256 of ``manifest.json`` without its plans, in hex, which covers
    every graph's hash;
    ``graphs``: which graph takes its inputs from which, in the order of running."""

    path: Path
    manifest: Manifest
    graphs: Graphs
    identity: str
    bank: Bank | None = None

    def spec(self, graph: str) -> GraphSpec:
        """The graph's description; ``BundleError`` when this bundle has no such graph."""
        try:
            return self.manifest.graphs[graph]
        except KeyError:
            has = ", ".join(self.manifest.graphs)
            raise BundleError(f"bundle {self.path}: has no graph {graph}; it has {has}") from None

    def features_of(self, graph: str) -> tuple[str, ...]:
        """The features that a graph takes, in the order of its inputs; none for a graph that is not there."""
        return self.graphs[graph].features if graph in self.graphs else ()

    def precisions(self, graph: str) -> tuple[str, ...]:
        """The arithmetics that the graph is there in, float32 first, the others in the order of ``PRECISIONS``."""
        variants = {variant.precision for variant in self.spec(graph).variants}
        return tuple(precision for precision in PRECISIONS if precision == FLOAT32 or precision in variants)

    def file(self, graph: str, precision: str = FLOAT32) -> tuple[str, str]:
        """Name and SHA-256 of the graph's file in ``precision``; ``BundleError`` where this bundle has none."""
        spec = self.spec(graph)
        if precision == FLOAT32:
            return spec.file, spec.sha256
        for variant in spec.variants:
            if variant.precision == precision:
                return variant.file, variant.sha256
        if precision not in PRECISIONS:
            raise BundleError(
                f"bundle {self.path}: unknown precision {precision}; this segue knows {', '.join(PRECISIONS)}"
            )
        raise BundleError(
            f"bundle {self.path}: graph {graph} is not there in {precision}, only in "
            f"{', '.join(self.precisions(graph))}; export the bundle again with --precision {precision}"
        )

    def read(self, graph: str, precision: str = FLOAT32) -> bytes:
        """The graph's file in ``precision``, its hash compared with the manifest's; ``BundleError`` otherwise.

        It raises for a missing variant too; ``precisions`` tells which there are.
        """
        which = "" if precision == FLOAT32 else f" in {precision}"
        return read_checked(self.path, *self.file(graph, precision), f"graph {graph}{which}")

    def read_plan(self, graph: str, plan: PlanSpec) -> bytes:
        """The plan, its hash compared with the manifest's, unpacked; ``BundleError`` for one that is damaged."""
        packed = read_checked(self.path, plan.file, plan.sha256, f"a plan of graph {graph}")
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_PLAN_BYTES)
        try:
            data = unpacker.decompress(packed, plan.size + 1)
        except (lzma.LZMAError, EOFError) as error:
            raise BundleError(f"bundle {self.path}: {plan.file}: is not in XZ ({error}); {PLANS_AGAIN}") from None
        if len(data) != plan.size or not unpacker.eof:
            raise BundleError(
                f"bundle {self.path}: {plan.file}: is not the {plan.size} bytes that {MANIFEST} says; {PLANS_AGAIN}"
            )
        return data


def identity_of(text: bytes) -> str:
    """The SHA-256 of a manifest without its plans. They change nothing of what the bundle computes, so a catalogue
    that was indexed with it stays valid when they come and go."""
    data = json.loads(text)
    graphs = data.get("graphs") if isinstance(data, dict) else None
    if isinstance(graphs, dict) and any(isinstance(entry, dict) and "plans" in entry for entry in graphs.values()):
        for entry in graphs.values():
            entry.pop("plans", None)
        text = (json.dumps(data, indent=2) + "\n").encode()
    return hashlib.sha256(text).hexdigest()


def default_bundle() -> Path:
    """Folder of the bundle that ships with the program; ``BundleError`` where this installation has none."""
    folder = Path(__file__).resolve().parent / "bundles" / "default"
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"default bundle {folder}: is not installed; name a bundle, or make one with segue export")
    return folder


def load_bundle(folder: Path | str, offered: Mapping[str, Mapping[str, object]]) -> Bundle:
    """Read and check a bundle: format, hashes, shapes, features.

    ``offered`` maps a feature's name to its description (``features.spec.FEATURES``): what this program can compute.
    Raises ``BundleError`` for everything that is wrong with the folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise BundleError(f"bundle {path}: no such folder; name a folder that holds {MANIFEST}")
    try:
        text = (path / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise BundleError(f"bundle {path}: has no {MANIFEST}; name a folder made by segue export") from None
    except OSError as error:
        raise BundleError(f"bundle {path}: cannot read {MANIFEST}: {error.strerror}; mend its permissions") from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are the former
        raise BundleError(f"bundle {path}: {MANIFEST} is not JSON ({error}); copy or export the bundle again") from None
    manifest = parse_manifest(data, f"bundle {path}: {MANIFEST}")
    check_features(manifest, offered, f"bundle {path}")
    graphs = graphs_of(manifest, f"bundle {path}")
    check_graphs(manifest, graphs, f"bundle {path}")
    bank = None
    if manifest.bank is not None:
        data = read_checked(path, manifest.bank.file, manifest.bank.sha256, "the bank")
        bank = read_bank(data, manifest.embedding_dim, f"bundle {path}: {manifest.bank.file}")
    bundle = Bundle(path, manifest, graphs, identity_of(text), bank)
    for graph in manifest.graphs:
        for precision in bundle.precisions(graph):
            bundle.read(graph, precision)
        for plan in manifest.graphs[graph].plans:
            read_checked(path, plan.file, plan.sha256, f"a plan of graph {graph}")
    return bundle


def read_checked(folder: Path, name: str, digest: str, what: str) -> bytes:
    """A file of a bundle, its hash compared with the manifest's; ``BundleError`` otherwise."""
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError:
        raise BundleError(f"bundle {folder}: the file {name} of {what} is missing; copy it again") from None
    except OSError as error:
        raise BundleError(f"bundle {folder}: cannot read {name}: {error.strerror}; mend its permissions") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != digest:
        raise BundleError(
            f"bundle {folder}: {name} ({len(data)} bytes) has SHA-256 {actual[:12]}..., "
            f"{MANIFEST} says {digest[:12]}...; the file is damaged or from another bundle: copy it again"
        )
    return data


def check_features(manifest: Manifest, offered: Mapping[str, Mapping[str, object]], where: str) -> None:
    """Every feature that the manifest needs must be offered with the same parameters. Raises ``BundleError`` that names
    the parameter and both values."""
    for name, required in manifest.features.items():
        if name not in offered:
            raise BundleError(
                f"{where}: asks for the feature {name}, this segue offers {', '.join(offered)}; use a matching segue"
            )
        available = json.loads(json.dumps(offered[name]))  # as JSON spells it: tuples are lists
        for key in sorted({*required, *available}):
            ours, theirs = value_text(available, key), value_text(required, key)
            if ours != theirs:
                raise BundleError(
                    f"{where}: feature {name}: {key} is {theirs} in the bundle and {ours} in this segue; "
                    "train and export again, or use the segue that made the bundle"
                )


def value_text(description: Mapping[str, Any], key: str) -> str:
    return json.dumps(description[key], sort_keys=True) if key in description else "absent"
