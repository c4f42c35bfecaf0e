"""``segue export --plans`` on the stand-in for TensorRT: what is built, compared, reported and refused."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import segue
from engines.bundle import Bundle, load_bundle
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_runtime import Libraries
from export import cli, tensorrt
from export.errors import ExportError
from features.spec import FEATURES


@pytest.fixture(scope="module")
def fake() -> ModuleType:
    """The stand-in that the engine's tests use."""
    name = "segue_tests_tensorrt_fake"
    if name not in sys.modules:
        file = Path(__file__).parent.parent / "engines" / "tensorrt" / "fake.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def machine(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine with a GPU, as far as the command can tell."""
    made = fake.Machine()
    monkeypatch.setattr(tensorrt, "load_libraries", lambda: Libraries(trt=made.trt, cuda=made.cuda))
    return made


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


def test_plans_of_a_bundle(
    machine: Any, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bundle: Bundle
) -> None:
    argv = ["--plans", str(tiny_bundle), "--plan-folder", str(tmp_path / "plans")]
    assert segue.main(["export", *argv, "--plan-report", str(tmp_path / "report.json")]) == 0
    printed = capsys.readouterr().out
    assert "gpu NVIDIA Imaginary" in printed and "captured 24 of 24" in printed
    for graph in bundle.manifest.graphs:
        assert f"{graph:<16} float32  built in" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert {plan["graph"] for plan in report["plans"]} == set(bundle.manifest.graphs)
    assert all(row["value"] < 1e-4 for row in report["rows"] if row["metric"] == "difference")
    assert {row["batch"] for row in report["rows"]} >= set(tensorrt.BATCHES)
    assert segue.main(["export", *argv]) == 0
    assert "was there" in capsys.readouterr().out and machine.builds == 6
    assert machine.leftovers() == {}


def test_numbers_that_are_not_right(
    machine: Any, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.spoil = lambda name, array: array + np.float32(1e-3)
    argv = ["--plans", str(tiny_bundle), "--plan-folder", str(tmp_path / "p"), "--plan-report", str(tmp_path / "r")]
    assert segue.main(["export", *argv]) == 2
    said = capsys.readouterr().err
    assert "numbers are not right in" in said and "differs from onnx-cpu-1 by 1.00e-03" in said
    assert any("fault" in row for row in json.loads((tmp_path / "r").read_text())["rows"])


def test_flags_reach_the_key(machine: Any, bundle: Bundle, tmp_path: Path) -> None:
    asked = cli.parser().parse_args(
        ["--plans", "b", "--same-capability", "--version-compatible", "--effort", "5", "--device", "0"]
    )
    recipe = tensorrt.recipe_of(asked)
    assert recipe == Recipe(effort=5, same_capability=True, version_compatible=True)
    tensorrt.make_plans(bundle, folder=tmp_path / "plans", recipe=recipe)
    keys = [json.loads(file.read_text())["key"] for file in (tmp_path / "plans").glob("*.json")]
    assert {key["gpu"] for key in keys} == {"any"} and {key["tensorrt"] for key in keys} == {"11"}
    assert {tuple(key["flags"][:3]) for key in keys} == {("same_capability", "version_compatible", "effort=5")}


def test_which_precisions(bundle: Bundle) -> None:
    assert tensorrt.plan_precisions(bundle, []) == ("float32",)
    assert tensorrt.plan_precisions(bundle, ["all"]) == ("float32",)
    assert tensorrt.plan_precisions(bundle, ["float16", "float32", "float16"]) == ("float16", "float32")


@pytest.mark.parametrize("argv", [["run", "--plans", "b"], ["--plans", "b", "-o", "c"], ["--plans", "b", "--tensorrt"]])
def test_bad_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        segue.main(["export", *argv])
    assert caught.value.code == 2 and "takes neither RUN nor" in capsys.readouterr().err


def test_no_gpu_is_said_before_the_export(
    fake: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = fake.Machine(count=0)
    monkeypatch.setattr(tensorrt, "load_libraries", lambda: Libraries(trt=made.trt, cuda=made.cuda))
    assert segue.main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "bundle"), "--tensorrt"]) == 2
    assert "GPU 0 is not there" in capsys.readouterr().err and not (tmp_path / "bundle").exists()


def test_a_report_that_cannot_be_written(machine: Any, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written"):
        tensorrt.write_report([], tmp_path / "nowhere" / "report.json")


def test_plans_need_no_torch(tiny_bundle: Path) -> None:
    import subprocess

    code = (
        "import sys\nfor name in ('torch', 'onnx'): sys.modules[name] = None\n"
        f"import segue; sys.exit(segue.main(['export', '--plans', {str(tiny_bundle)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(segue.__file__).parent, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "tensorrt" in done.stderr.lower()
