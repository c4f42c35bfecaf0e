"""The stand-in machine and the signatures, loaded from the files beside this one (tests are no packages)."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engines.tensorrt_engine import TensorrtEngine
from engines.tensorrt_runtime import Libraries

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    full = f"segue_tests_tensorrt_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    return load("fake")


@pytest.fixture(scope="session")
def fakes(fake: ModuleType) -> tuple[ModuleType, ModuleType]:
    """The stand-in, and what TensorRT for RTX has more."""
    return fake, load("fake_rtx")


@pytest.fixture
def rtx_machine(fakes: tuple[ModuleType, ModuleType]) -> Any:
    return fakes[1].make_machine(fakes[0])


@pytest.fixture(scope="session")
def contract() -> ModuleType:
    return load("contract")


@pytest.fixture(scope="session")
def record() -> ModuleType:
    return load("record")


@pytest.fixture(scope="session")
def recorded(contract: ModuleType, record: ModuleType) -> Any:
    """TensorRT's full binding, as ``signatures.json`` keeps it."""
    data = json.loads(record.RECORD.read_text())
    classes = {
        name: contract.Class(
            bases=tuple(kind["bases"]),
            methods={key: tuple(texts) for key, texts in kind["methods"].items()},
            properties={key: (text, settable) for key, (text, settable) in kind["properties"].items()},
            members=tuple(kind["members"]),
        )
        for name, kind in data["classes"].items()
    }
    return contract.Api(data["name"], data["version"], classes, {}, tuple(data["constants"]))


@pytest.fixture
def machine(fake: ModuleType) -> Any:
    return fake.Machine()


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    return tmp_path / "plans"


@pytest.fixture
def libraries(machine: Any) -> Libraries:
    return Libraries(trt=machine.trt, cuda=machine.cuda)


@pytest.fixture
def open_engine(machine: Any, plans: Path) -> Callable[..., TensorrtEngine]:
    """``open_engine(bundle, machine=..., build=True, ...)``"""

    def open_(bundle: Any, on: Any = None, **options: Any) -> TensorrtEngine:
        on = on or machine
        return TensorrtEngine(
            bundle, plans=plans, libraries=Libraries(trt=on.trt, cuda=on.cuda), **({"build": True} | options)
        )

    return open_
