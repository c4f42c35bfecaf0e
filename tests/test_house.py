"""The house: which folder may import which, what an ``__init__.py`` may hold, what the distribution ships."""

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"studio", "features", "towers", "export", "engines", "catalog", "stream", "benchmarks"}
EDGES = {
    "studio": set(),
    "features": set(),
    "engines": set(),
    "towers": {"features", "studio"},
    "export": {"towers", "engines", "features"},
    "catalog": {"engines", "features"},
    "stream": {"catalog", "engines", "features", "studio"},
    "benchmarks": FOLDERS - {"benchmarks"},
}
TORCH_FREE = {"studio", "features", "catalog", "stream", "engines"}
TORCH_LATE = {"engines/torch_engine.py"}  # inside functions: the module itself must import where torch is absent
STUDIO_IN_STREAM = {"stream/demo.py"}
CORE_MAY_NOT = {
    "asyncio",
    "socket",
    "time",
    "datetime",
    "threading",
    "av",
    "cv2",
    "aiortc",
    "fastapi",
    "onnxruntime",
    "faiss",
}


def modules(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Absolute module names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_imports_point_one_way(folder: str) -> None:
    for path in modules(folder):
        for name in imported(path):
            target = name.partition(".")[0]
            place = path.relative_to(ROOT).as_posix()
            if target in FOLDERS - {folder}:
                assert target in EDGES[folder], f"{place} imports {name}"
            assert target != "segue", f"{place} imports the command"
            if target == "torch":
                assert folder not in TORCH_FREE or place in TORCH_LATE, f"{place} imports torch"
            if folder == "stream" and target == "studio":
                assert place in STUDIO_IN_STREAM, f"{place} imports {name}: only the demo may"


def test_the_core_touches_no_clock_socket_loop_or_pixels() -> None:
    for path in modules("stream/core"):
        touched = {name.partition(".")[0] for name in imported(path)} & CORE_MAY_NOT
        assert not touched, f"{path.relative_to(ROOT)} imports {sorted(touched)}"


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_package_files_hold_a_docstring_only(folder: str) -> None:
    for path in (ROOT / folder).rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), f"{path.relative_to(ROOT)} holds code"


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        p.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for f in FOLDERS
        for p in (ROOT / f).rglob("__init__.py")
    }
    assert listed == found


def test_no_other_distribution_claims_our_folders() -> None:
    owners = importlib.metadata.packages_distributions()
    for folder in sorted(FOLDERS):
        assert set(owners.get(folder, ["segue"])) == {"segue"}, f"{folder} also belongs to {owners[folder]}"


def test_the_live_path_runs_where_torch_is_absent() -> None:
    """Import every module of the runtime with torch blocked; a lazy import of it is what the edges above forbid."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("features", "engines", "catalog", "stream", "studio")
        for path in modules(folder)
        if path.name != "__init__.py"
    ]
    code = "import sys, importlib\nfor m in ('torch', 'onnx', 'sklearn'): sys.modules[m] = None\n"
    code += f"for m in {names!r}: importlib.import_module(m)\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_command_opens_nothing_before_it_is_asked() -> None:
    code = (
        "import sys, segue; segue.main(['--help']); print(sorted({'numpy', 'av', 'cv2', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith("[]"), done.stdout
