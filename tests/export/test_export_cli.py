"""``segue export`` from a run of the real towers to a bundle, and its answers to wrong usage."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rtx_builds import HERE

import segue
from engines.base import example_inputs
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES

ROOT = Path(segue.__file__).parent


def test_a_run_of_the_towers(tower_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All five graphs of UT-CMVMR: exported, in parity, runnable, silent about this machine."""
    output = tmp_path / "bundle"
    argv = ["export", str(tower_run), "-o", str(output), "--name", "trial", "--precision", "float16"]
    rtx = ["--rtx", "--plan-folder", str(tmp_path / "plans")] if HERE else []
    assert segue.main([*argv, *rtx]) == 0
    printed = capsys.readouterr()
    bundle = load_bundle(output, FEATURES)
    assert set(bundle.manifest.graphs) == {
        "video_clip",
        "music_clip",
        "video_sequence",
        "music_sequence",
        "matcher",
    }
    assert (bundle.manifest.name, bundle.manifest.system) == ("trial", "ut-cmvmr")
    assert bundle.manifest.training["pairs"] == 12 and bundle.manifest.training["metrics"] == {"recall": 0.5}
    assert f"identity {bundle.identity[:12]}" in printed.out and "differs from torch by at most" in printed.out
    assert "torchvision" not in printed.err
    assert "left out" not in printed.out
    if HERE:
        assert printed.out.count("7.5 8.0 8.6 8.9 12.0 12.1") == len(list((tmp_path / "plans").glob("*.plan"))) == 5
    assert {bundle.precisions(graph) for graph in bundle.manifest.graphs} == {("float32", "float16")}
    for file in output.iterdir():
        for trace in (str(ROOT).encode(), b"site-packages", b".py"):
            assert trace not in file.read_bytes()
    engine = OnnxEngine(bundle)
    engine.warmup()
    for graph in ("video_sequence", "music_sequence"):
        inputs = example_inputs(engine.spec(graph), 3)
        inputs["mask"][:, 4:] = False
        hidden = {name: array.copy() for name, array in inputs.items()}
        hidden["clips"][:, 4:] = 5
        one, two = (engine.run(graph, arrays)["embedding"] for arrays in (inputs, hidden))
        np.testing.assert_allclose(one, two, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    engine.close()


def test_a_run_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["export", str(tmp_path / "nowhere"), "-o", str(tmp_path / "bundle")]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("segue export: ") and "nowhere" in printed and printed.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


def test_an_output_that_is_taken(tower_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert segue.main(["export", str(tower_run), "-o", str(tmp_path)]) == 2
    assert "holds files that are no bundle; name a new folder" in capsys.readouterr().err


def test_int8_without_real_clips(tower_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["export", str(tower_run), "-o", str(tmp_path / "bundle"), "--precision", "int8"]) == 2
    assert (
        "precision int8: its scales are measured and judged on real clips; name a --corpus" in capsys.readouterr().err
    )
    argv = ["export", str(tower_run), "-o", str(tmp_path / "bundle"), "--precision", "int8", "--corpus", str(tmp_path)]
    assert segue.main(argv) == 2
    assert f"{tmp_path} is no finished corpus" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    "argv",
    [[], ["run"], ["-o", "bundle"], ["run", "-o", "bundle", "--oops"], ["run", "-o", "b", "--precision", "x"]],
)
def test_bad_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        segue.main(["export", *argv])
    assert caught.value.code == 2
    assert "usage: segue export" in capsys.readouterr().err


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, export.cli\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_engines_never_import_torch() -> None:
    code = "import sys, engines.batcher, engines.onnx_engine\nassert not {'torch', 'onnx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
