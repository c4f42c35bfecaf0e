"""A bundle: exported towers in a folder, ``manifest.json`` and one ``.onnx`` file a graph.

Loading reads every byte once and refuses what is damaged or contradicts itself, always by naming both sides. Whether
a graph's file really has the inputs that the manifest claims is checked by the engine that opens it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import BundleError
from .manifest import BATCH, GraphSpec, Manifest, Shape, TensorSpec, parse_manifest

MANIFEST: Final = "manifest.json"
REQUIRED: Final = ("video_clip", "music_clip", "video_sequence", "music_sequence")
OPTIONAL: Final = ("matcher", "mood")

# What every graph takes and gives: name -> (dtype, shape behind the batch axis). C, E and K stand for the manifest's
# clip_dim, embedding_dim and max_clips; an entry "@name" stands for the shape of that feature's description.
_VIDEO: Final = {
    "clips": ("float32", ("K", "C")),
    "mask": ("bool", ("K",)),
    "displacement": ("float32", ("K", "@displacement")),
}
_MUSIC: Final = {"clips": ("float32", ("K", "C")), "mask": ("bool", ("K",)), "rhythm": ("float32", ("K", "@rhythm"))}
_MATCHER: Final = {
    "video_clips": _VIDEO["clips"],
    "video_mask": _VIDEO["mask"],
    "displacement": _VIDEO["displacement"],
    "music_clips": _MUSIC["clips"],
    "music_mask": _MUSIC["mask"],
    "rhythm": _MUSIC["rhythm"],
}
Side = Mapping[str, tuple[str, tuple[str, ...]]]
CONTRACT: Final[Mapping[str, tuple[Side, Side]]] = {
    "video_clip": ({"clip_image": ("uint8", ("@clip_image",))}, {"embedding": ("float32", ("C",))}),
    "music_clip": ({"clip_mel": ("float32", ("@clip_mel",))}, {"embedding": ("float32", ("C",))}),
    "video_sequence": (_VIDEO, {"embedding": ("float32", ("E",))}),
    "music_sequence": (_MUSIC, {"embedding": ("float32", ("E",))}),
    "matcher": (_MATCHER, {"score": ("float32", ())}),
    "mood": ({"embedding": ("float32", ("E",))}, {"mood": ("float32", ("3",))}),
}


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. ``identity`` is the SHA-256 of ``manifest.json`` in hex, which covers every graph's hash."""

    path: Path
    manifest: Manifest
    identity: str

    def spec(self, graph: str) -> GraphSpec:
        """The graph's description; ``BundleError`` when this bundle has no such graph."""
        try:
            return self.manifest.graphs[graph]
        except KeyError:
            has = ", ".join(self.manifest.graphs)
            raise BundleError(f"bundle {self.path}: has no graph {graph}; it has {has}") from None

    def read(self, graph: str) -> bytes:
        """The graph's file, after its hash was compared with the manifest's; ``BundleError`` otherwise."""
        spec = self.spec(graph)
        file = self.path / spec.file
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise BundleError(
                f"bundle {self.path}: the file {spec.file} of graph {graph} is missing; copy it again"
            ) from None
        except OSError as error:
            raise BundleError(
                f"bundle {self.path}: cannot read {spec.file}: {error.strerror}; mend its permissions"
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != spec.sha256:
            raise BundleError(
                f"bundle {self.path}: {spec.file} ({len(data)} bytes) has SHA-256 {found[:12]}..., "
                f"{MANIFEST} says {spec.sha256[:12]}...; the file is damaged or from another bundle: copy it again"
            )
        return data


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
    check_graphs(manifest, f"bundle {path}")
    bundle = Bundle(path=path, manifest=manifest, identity=hashlib.sha256(text).hexdigest())
    for graph in manifest.graphs:
        bundle.read(graph)
    return bundle


def check_features(manifest: Manifest, offered: Mapping[str, Mapping[str, object]], where: str) -> None:
    """Every feature asked for must be offered with the same parameters; names the parameter and both values."""
    for name, asked in manifest.features.items():
        if name not in offered:
            raise BundleError(
                f"{where}: asks for the feature {name}, this segue offers {', '.join(offered)}; use a matching segue"
            )
        given = json.loads(json.dumps(offered[name]))  # as JSON spells it: tuples are lists
        for key in sorted({*asked, *given}):
            ours, theirs = value_text(given, key), value_text(asked, key)
            if ours != theirs:
                raise BundleError(
                    f"{where}: feature {name}: {key} is {theirs} in the bundle and {ours} in this segue; "
                    "train and export again, or use the segue that made the bundle"
                )


def check_graphs(manifest: Manifest, where: str) -> None:
    """Every graph's inputs and outputs against the contract and the manifest's own sizes."""
    for graph in REQUIRED:
        if graph not in manifest.graphs:
            raise BundleError(
                f"{where}: the graph {graph} is missing, it has {', '.join(manifest.graphs) or 'none'}; export again"
            )
    for name, spec in manifest.graphs.items():
        if name not in CONTRACT:
            raise BundleError(
                f"{where}: unknown graph {name}; this segue knows {', '.join(CONTRACT)}: use a matching segue"
            )
        for side, tensors, wanted in zip(("input", "output"), (spec.inputs, spec.outputs), CONTRACT[name], strict=True):
            check_side(manifest, tensors, wanted, f"{where}: graph {name}: {side}")


def check_side(manifest: Manifest, tensors: tuple[TensorSpec, ...], wanted: Side, where: str) -> None:
    names = [tensor.name for tensor in tensors]
    if sorted(names) != sorted(wanted):
        raise BundleError(
            f"{where}s are {', '.join(names) or 'none'}, must be {', '.join(wanted)}; export the bundle again"
        )
    for tensor in tensors:
        dtype, symbols = wanted[tensor.name]
        expected = TensorSpec(tensor.name, dtype, resolve(manifest, symbols, f"{where} {tensor.name}"))
        if tensor != expected:
            sizes = (
                f"clip_dim {manifest.clip_dim}, embedding_dim {manifest.embedding_dim}, max_clips {manifest.max_clips}"
            )
            raise BundleError(
                f"{where} is {tensor}, but {MANIFEST} with {sizes} asks for {expected}; export the bundle again"
            )


def resolve(manifest: Manifest, symbols: tuple[str, ...], where: str) -> Shape:
    sizes = {"C": manifest.clip_dim, "E": manifest.embedding_dim, "K": manifest.max_clips}
    shape: list[int | str] = [BATCH]
    for symbol in symbols:
        if symbol.startswith("@"):
            feature = symbol[1:]
            if feature not in manifest.features:
                raise BundleError(f"{where}: features in {MANIFEST} do not describe {feature}; export the bundle again")
            shape.extend(manifest.features[feature]["shape"])
        else:
            shape.append(sizes[symbol] if symbol in sizes else int(symbol))
    return tuple(shape)


def value_text(description: Mapping[str, Any], key: str) -> str:
    return json.dumps(description[key], sort_keys=True) if key in description else "absent"
