"""Plans put into bundles whose manifests hold what no export of ours writes; the plans are stand-ins."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.bundle import Bundle, load_bundle
from engines.errors import BundleError
from engines.tensorrt_build import Plan
from export.errors import ExportError
from export.rtx_plans import RtxPlans, add_plans
from features.spec import FEATURES

Edit = Callable[[dict[str, Any]], object]


def edit(folder: Path, change: Edit) -> Bundle:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest, indent=2) + "\n")
    return load_bundle(folder, FEATURES)


def made(*graphs: str, version: str = "1.7") -> RtxPlans:
    plans = tuple(Plan(graph, "float32", graph.encode() * 1000, 1.0, "8.6 8.9") for graph in graphs)
    return RtxPlans(version, plans, {}, (), "")


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["../mood", "a/b", ".mood", "mood\n", "", "m" * 65, "m\\d", "C:mood"])
def test_a_graph_whose_name_is_no_file_name(folder: Path, name: str) -> None:
    """Plans in a bundle and Triton's models are files and folders of that name."""
    with pytest.raises(BundleError, match=r"a graph is called '.*', must be 1 to 64 characters"):
        edit(folder, lambda manifest: rename(manifest, name))


def test_a_long_name_that_is_one(folder: Path) -> None:
    name = "größe of a mood " * 4
    bundle = edit(folder, lambda manifest: rename(manifest, name))
    assert "holds 1 plans" in add_plans(bundle, made(name))
    (plan,) = load_bundle(folder, FEATURES).spec(name).plans
    assert bundle.read_plan(name, plan) == name.encode() * 1000


def rename(manifest: dict[str, Any], name: str) -> None:
    manifest["graphs"][name] = {**manifest["graphs"].pop("mood"), "of": "embedding"}


def test_a_number_that_json_does_not_know(folder: Path) -> None:
    bundle = edit(folder, lambda manifest: manifest["training"].update(loss=float("nan")))
    add_plans(bundle, made("mood"))
    assert load_bundle(folder, FEATURES).identity == bundle.identity


def test_a_plan_that_is_a_graph_is_not_removed(folder: Path) -> None:
    add_plans(load_bundle(folder, FEATURES), made("mood"))

    def claim(manifest: dict[str, Any]) -> None:
        tower = manifest["graphs"]["video_clip"]
        manifest["graphs"]["mood"]["plans"][0].update(file=tower["file"], sha256=tower["sha256"])

    add_plans(edit(folder, claim), made("mood", version="1.8"))
    assert load_bundle(folder, FEATURES).read("video_clip")


def test_plans_that_are_there_outlive_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(folder, FEATURES)
    first, *_, last = bundle.manifest.graphs
    add_plans(bundle, made(first))
    bundle = load_bundle(folder, FEATURES)
    write = Path.write_bytes

    def fill(file: Path, data: bytes) -> int:
        write(file, data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(ExportError, match="No space left on device"):
            add_plans(bundle, made(first, last))
    after = load_bundle(folder, FEATURES)
    assert [graph for graph, spec in after.manifest.graphs.items() if spec.plans] == [first]
    assert len(list(folder.glob("*.plan.xz"))) == 1


def test_a_plan_that_no_bundle_could_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(folder, FEATURES)
    monkeypatch.setattr("engines.manifest.MAX_PLAN_BYTES", 1000)
    monkeypatch.setattr("export.rtx_plans.MAX_PLAN_BYTES", 1000)
    with pytest.raises(ExportError, match="the plan of mood has 4000 bytes, one in a bundle may have 1000"):
        add_plans(bundle, made("mood"))
    assert load_bundle(folder, FEATURES).identity == bundle.identity
