"""The ``segue`` command itself: what it says before any command's own code runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import segue

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main([flag]) == 0
    assert capsys.readouterr().out == f"segue {segue.version()}\n"


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        segue.main(["help", "index"])
    assert ended.value.code == 0 and "MUSIC" in capsys.readouterr().out


@pytest.mark.parametrize(("typo", "meant"), [("srve", "serve"), ("serach", "search"), ("idnex", "index")])
def test_a_typo_is_answered_with_the_nearest_command(typo: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([typo, "x"], ["help", typo]):
        assert segue.main(words) == 2
        assert f"no command '{typo}'; did you mean {meant}?" in capsys.readouterr().err


def test_what_is_like_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["qqqq"]) == 2
    assert "there are demo, index, " in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's pipe")
@pytest.mark.parametrize("words", ["help", "help index", "--version"])
def test_a_reader_that_goes_away_is_no_traceback(words: str) -> None:
    """``head`` may have ended before anything was written: then the write fails, or the flush at the end."""
    command = f"{sys.executable} -m segue {words} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", f"sleep 0 ; {command}"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.stdout.strip() == "0"


@pytest.mark.parametrize(
    ("module", "cure"),
    [("httpx", '".[bench]"'), ("torch", '".[train]"'), ("faiss.swigfaiss", '".[cpu]"'), ("rich", '"."')],
)
def test_what_is_not_installed_is_named_with_its_cure(module: str, cure: str) -> None:
    assert segue.missing(module).endswith(f"pip install {cure} brings it")


def test_every_package_of_an_extra_is_named_with_one_that_brings_it() -> None:
    """But for servers, readers and tools of the tests, and what only brings others along."""
    import re
    import tomllib
    from importlib.metadata import packages_distributions

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    spelt = {extra: {re.split(r"[^\w.-]", line)[0].lower() for line in lines} for extra, lines in extras.items()}
    pairs = [
        (owner.lower().replace("_", "-"), module)
        for module, owners in packages_distributions().items()
        for owner in owners
    ]
    for extra in ("cpu", "train", "clip-clap", "otio", "dask", "bench", "milvus", "postgres"):
        for package in spelt[extra] - {"segue", "grpcio"}:  # grpcio: of two extras, each client asks for its own first
            named = {segue.EXTRAS[module] for owner, module in pairs if owner == package and module in segue.EXTRAS}
            assert named and all(package in spelt[other] for other in named), f"{package} of {extra}"


def test_nothing_is_noted_down_to_be_sent(tmp_path: Path) -> None:
    """ONNX Runtime's Linux wheels would, at their import; and in child processes, which have the same environment."""
    words = "import segue, os, sys; segue.main(['doctor']); assert 'onnxruntime' in sys.modules;"
    words += "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    plain = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, env=plain | homes, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "1"
    assert not [*tmp_path.rglob("deviceid"), *tmp_path.rglob("onnxruntime.db")]


def test_no_hint_asks_an_index_for_somebody_elses_package() -> None:
    """The project is on none: `pip install segue[...]` would fetch what another has called so."""
    for path in (*ROOT.rglob("*.py"), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.rglob("*.sh")):
        ours = not {".venv", "node_modules"} & set(path.parts)
        if ours and path != Path(__file__).resolve():
            text = path.read_text(encoding="utf-8")
            assert not any(f"pip install {quote}segue" in text for quote in ("", "'", '"')), path


def test_the_bench_extra_covers_what_benchmarks_import() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = {name.partition(">")[0] for name in extras["bench"]}
    uses = any("import httpx" in path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    assert not uses or "httpx" in asked
