"""``segue export --rtx`` with the real builder: the table, its JSON, plans in the bundle, and what is refused."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from rtx_builds import rtx_builds

import segue
from engines import tensorrt_rtx
from engines.bundle import Bundle, load_bundle
from engines.tensorrt_runtime import Gpu
from export import rtx_plans
from export.bundle import add_variants
from export.precision import to_float16
from export.rtx_plans import make_rtx_plans, table_lines
from features.spec import FEATURES

pytestmark = rtx_builds


@pytest.fixture
def own(tiny_bundle: Path, tmp_path: Path) -> Bundle:
    """A bundle that may be changed."""
    return load_bundle(shutil.copytree(tiny_bundle, tmp_path / "bundle"), FEATURES)


def export(*argv: object) -> int:
    return segue.main(["export", *map(str, argv)])


def test_a_table_and_plans_in_the_bundle(own: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    argv = ["--plans", own.path, "--rtx", "--plan-folder", tmp_path / "plans", "--plan-report", file]
    assert export(*argv, "--with-plans") == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    for graph in own.manifest.graphs:
        (row,) = [line for line in lines if line[:2] == [graph, "float32"]]
        assert row[2:7] == ["8.0", "8.6", "8.9", "12.0", "12.1"] and int(row[7]) > 10_000 and row[9] == "s"
        assert int(row[10]) > 3 and row[-2:] == ["in", "float32"]
    assert "7.5 (RTX 20) is left out of plans in other precisions than float16" in printed
    assert "holds 6 plans" in printed and "(as before)" in printed
    report = json.loads(file.read_text())
    assert {plan["graph"] for plan in report["plans"]} == set(own.manifest.graphs)
    mood = next(plan for plan in report["plans"] if plan["graph"] == "mood")
    assert mood["inputs"] == ["embedding float32 (batch, 32)"] and mood["products"] == {"float32": 1}
    after = load_bundle(own.path, FEATURES)
    assert after.identity == own.identity
    for graph, spec in after.manifest.graphs.items():
        (plan,) = spec.plans
        assert (plan.engine, plan.version) == ("tensorrt-rtx", report["tensorrt-rtx"])
        assert len(after.read_plan(graph, plan)) == plan.size
    shutil.rmtree(tmp_path / "plans")
    assert export(*argv) == 0  # from the bundle: nothing is built, nothing is stored
    assert capsys.readouterr().out.count("was there") == 6 and not list((tmp_path / "plans").glob("*.plan"))


def test_float16_is_for_turing_too(own: Bundle, tmp_path: Path) -> None:
    both = add_variants(own, {graph: {"float16": to_float16(own.read(graph), graph)} for graph in own.manifest.graphs})
    made = make_rtx_plans(both, ("float32", "float16"), folder=tmp_path / "plans")
    assert len(made.plans) == 12
    assert {plan.capability.split()[0] for plan in made.plans if plan.precision == "float16"} == {"7.5"}
    only = make_rtx_plans(both, ("float16",), folder=tmp_path / "plans")
    assert {plan.build_s for plan in only.plans} == {None} and "RTX 20" not in "\n".join(table_lines(only))


def test_a_precision_that_the_bundle_lacks(own: Bundle, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert export("--plans", own.path, "--rtx", "--precision", "float16", "--plan-folder", tmp_path / "plans") == 2
    assert "float16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--plans", "b", "--with-plans"], "--with-plans needs --rtx"),
        (["--plans", "b", "--rtx", "--effort", "5"], "are TensorRT's; leave them out with --rtx"),
        (["--plans", "b", "--rtx", "--same-capability"], "are TensorRT's; leave them out with --rtx"),
        (["run", "-o", "b", "--rtx", "--tensorrt", "--plan-report", "f"], "--plan-report takes the plans of --rtx or"),
    ],
)
def test_bad_usage(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        segue.main(["export", *argv])
    assert caught.value.code == 2 and said in capsys.readouterr().err


def test_the_package_is_missing_before_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    assert export(tmp_path / "run", "-o", tmp_path / "bundle", "--rtx") == 2
    assert 'pip install ".[rtx]" brings it' in capsys.readouterr().err and not (tmp_path / "bundle").exists()


def test_a_card_that_cannot_run_them_is_no_reason_not_to_build(
    own: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtx_plans, "describe_gpu", lambda cuda, device: Gpu(0, "NVIDIA H100", "9.0"))
    made = make_rtx_plans(own, folder=tmp_path / "plans")
    assert len(made.plans) == 6 and "9.0, a data-centre card" in made.reason
    assert any(line.startswith("not run here: NVIDIA H100") for line in table_lines(made))


def test_a_graph_for_an_old_card_alone_says_why(own: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT's own words reach the user."""
    monkeypatch.setattr(tensorrt_rtx, "CAPABILITIES", ("7.5",))
    with pytest.raises(ValueError, match=r"built no plan: .*FP32 GEMM is not supported"):
        make_rtx_plans(own, folder=tmp_path / "plans")


def test_a_full_disk_leaves_the_bundle_as_it_was(
    own: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file.name: file.read_bytes() for file in own.path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    argv = ["--plans", own.path, "--rtx", "--plan-folder", tmp_path / "plans"]
    assert export(*argv) == 0
    monkeypatch.setattr(rtx_plans.os, "replace", full)
    assert export(*argv, "--with-plans") == 2
    assert "its plans cannot be written (No space left on device)" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in own.path.iterdir()} == before
