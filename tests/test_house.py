"""The house: which folder may import which, what an ``__init__.py`` may hold, what the distribution ships."""

import ast
import graphlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
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

# What may be imported where, beside the base install: the extras of pyproject that bring it.
EXTRAS = {
    "studio": set(),
    "features": {"cpu"},
    "engines": {"cpu", "tensorrt", "rtx", "triton", "train"},  # each engine says which extra it lacks
    "catalog": {"cpu", "milvus", "postgres", "dask"},  # each index says which extra it lacks
    "stream": {"cpu", "otio"},
    "towers": {"cpu", "train", "clip-clap"},
    "export": {"cpu", "train", "clip-clap"},
    "benchmarks": {"cpu", "train", "bench", "test"},
    "tests": {"cpu", "train", "clip-clap", "triton", "otio", "dask", "bench", "test", "tensorrt", "milvus", "postgres"},
}
# Modules whose distribution has another name where it is not installed, or that a declared one brings on purpose.
BROUGHT = {
    "xdist": "pytest-xdist",
    "cuda": "cuda-python",
    "tensorrt": "tensorrt-cu13",
    "tensorrt_lean_bindings": "tensorrt-lean-cu13-bindings",
    "tensorrt_rtx_bindings": "tensorrt-rtx-cu13-bindings",
    "grpc": "tritonclient",
    "google": "tritonclient",
}
NOT_OURS = {"fastrtc"}  # a rival that a benchmark drives, in an environment of its own

# Modules of aiortc that its documentation has, or that hold no more than errors and descriptions.
AIORTC_OPEN = {"aiortc", "aiortc.contrib.media", "aiortc.exceptions", "aiortc.mediastreams", "aiortc.sdp"}
AIORTC_COMPAT = "stream/sources/webrtc/aiortc_compat.py"


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
                assert folder not in TORCH_FREE, f"{place} imports torch"
            if folder == "stream" and target == "studio":
                assert place in STUDIO_IN_STREAM, f"{place} imports {name}: only the demo may"


def test_the_core_touches_no_clock_socket_loop_or_pixels() -> None:
    for path in modules("stream/core"):
        touched = {name.partition(".")[0] for name in imported(path)} & CORE_MAY_NOT
        assert not touched, f"{path.relative_to(ROOT)} imports {sorted(touched)}"


def names_in(path: Path, ours: Mapping[str, Path]) -> Iterator[str]:
    """Our own modules that a file imports, relatively too, and for type checkers as well."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in ours)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield from (name for name in [whole if whole in ours else base] if name in ours)


def test_no_module_imports_another_in_a_circle() -> None:
    ours = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for folder in sorted(FOLDERS)
        for path in modules(folder)
        if path.name != "__init__.py"
    }
    graph = {name: set(names_in(path, ours)) for name, path in ours.items()}
    assert sum(map(len, graph.values())) > 1000
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


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


def named(requirement: str) -> str:
    """The distribution of a requirement, in its one spelling."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {named(line) for line in lines} - {"segue"}


def brought_by(module: str, owners: Mapping[str, list[str]]) -> set[str]:
    """The distributions that a module may come from."""
    found = {named(owner) for owner in owners.get(module, [module])}
    return found | {BROUGHT[module]} if module in BROUGHT else found


@pytest.mark.parametrize("folder", sorted(EXTRAS))
def test_what_is_imported_is_declared(folder: str) -> None:
    """A package that another one happens to bring goes when that one does."""
    owners = importlib.metadata.packages_distributions()
    known = declared(*EXTRAS[folder])
    own = FOLDERS | {"segue"} | {path.stem for path in (ROOT / "tests" / "tools").glob("*.py")}
    for path in modules(folder):
        for module in {name.partition(".")[0] for name in imported(path)} - own - sys.stdlib_module_names - NOT_OURS:
            found = brought_by(module, owners)
            assert found & known, f"{path.relative_to(ROOT)} imports {module} of {sorted(found)}: not in pyproject"


def test_what_every_install_brings_is_imported() -> None:
    owners = importlib.metadata.packages_distributions()
    used = set[str]()
    for folder in TORCH_FREE:
        for path in modules(folder):
            used |= {name.partition(".")[0] for name in imported(path)}
    found = set().union(*(brought_by(module, owners) for module in used))
    assert not declared() - found


def test_bounds_are_declared() -> None:
    """Lower ones, which CI installs; and upper ones for what is changed from the inside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *(line for lines in extras.values() for line in lines)]:
        assert line.startswith("segue[") or re.search(r"(>=|~=|==)\d", line), f"{line} has no lower bound"
    inside = {named(line): line for line in project["dependencies"] if named(line) in ("aiortc", "aioice")}
    assert all("~=" in line for line in inside.values()) and len(inside) == 2


@pytest.mark.parametrize("folder", ["stream", "benchmarks"])
def test_one_module_knows_aiortc_from_the_inside(folder: str) -> None:
    """Its other modules, and any name with an underscore before it; publishers of benchmarks may use its codecs."""
    open_here = AIORTC_OPEN | ({"aiortc.rtcrtpparameters"} if folder == "benchmarks" else set())
    for path in modules(folder):
        place = path.relative_to(ROOT).as_posix()
        if place == AIORTC_COMPAT:
            continue
        for name in imported(path):
            if name.partition(".")[0] in ("aiortc", "aioice"):
                assert name in open_here, f"{place} imports {name}: let aiortc_compat do it"
        if place.startswith("stream/sources/webrtc/"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
                    inner = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                    assert inner, f"{place}:{node.lineno} reaches for {node.attr}"


def test_the_live_path_runs_where_torch_is_absent() -> None:
    """Import every module of the runtime with torch blocked; a lazy import of it is what the edges above forbid."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("features", "engines", "catalog", "stream", "studio")
        for path in modules(folder)
        if path.name != "__init__.py"
    ]
    absent = ("torch", "onnx", "sklearn", "librosa", "numba", "soxr", "dask", "distributed")
    code = f"import sys, importlib\nfor m in {absent}: sys.modules[m] = None\n"
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
