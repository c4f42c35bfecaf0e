"""Whether what is installed is the lowest that pyproject.toml allows; prints what is not, and ends with 1.

A bound that cannot be installed together with the others is true for nobody. Requirements for other machines do not
count, nor do the extras that need a GPU.
"""

import importlib.metadata
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

EXTRAS = ("cpu", "train", "clip-clap", "triton", "otio", "dask", "bench", "milvus", "postgres", "test")


def requirements() -> Iterator[Requirement]:
    """All that this environment should have, without this distribution itself."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    for line in [
        *project["dependencies"],
        *(line for extra in EXTRAS for line in project["optional-dependencies"][extra]),
    ]:
        one = Requirement(line)
        if one.name != project["name"] and (one.marker is None or one.marker.evaluate()):
            yield one


def wrong() -> Iterator[str]:
    """What is not as it should be, a line each."""
    for one in requirements():
        lowest = [Version(part.version) for part in one.specifier if part.operator in (">=", "~=", "==")]
        installed = Version(importlib.metadata.version(one.name))
        if not lowest:
            yield f"{one.name} has no lower bound"
        elif installed.release != (*max(lowest).release, 0, 0)[: len(installed.release)]:
            yield f"{one.name}: {installed} is installed, the lowest that is allowed is {max(lowest)}"


if __name__ == "__main__":
    found = list(wrong())
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
