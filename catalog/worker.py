"""What one process of an indexer does: a file's path in, its tags and analysis out.

Heavy modules are imported inside the functions, because ``prepare`` must bound the threads of the numeric libraries
before they load: tracks are analysed side by side, and more threads than cores make all of them slower.
"""

import functools
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engines.base import Engine

    from .records import Analysis
    from .tags import Tags

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Source:
    """What to hear with: the bundle's folder, the engine's name and, as far as they are not the defaults, the options
    that it is opened with. Plain values alone, since they come to a process before its threads are bounded."""

    bundle: str
    engine: str = "onnx-cpu"
    options: tuple[tuple[str, str | int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A usable file; ``note`` says what of it was lost."""

    tags: "Tags"
    analysis: "Analysis"
    note: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that cannot be used, and why. ``foreign``: it is no music at all."""

    reason: str
    foreign: bool = False


def prepare(source: Source) -> None:
    """A process's start: one thread, Ctrl-C kills it without a traceback, engine and beat tracker ready."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    for name in THREAD_LIMITS:
        os.environ[name] = "1"
    from features.beats import warm_up

    own_engine(source)
    warm_up()


def leave_with_parent() -> None:
    """End this process when the one that started it is killed: the pool's pipes would keep it waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@functools.cache
def own_engine(source: Source) -> "Engine":
    """This process's engine."""
    from engines.bundle import load_bundle
    from engines.choose import EngineOptions, open_engine
    from features.spec import FEATURES

    given: dict[str, Any] = dict(source.options)
    if given.get("plans") is not None:
        given["plans"] = Path(given["plans"])
    return open_engine(load_bundle(source.bundle, FEATURES), source.engine, EngineOptions(**given))


def hear_in_process(path: Path, source: Source) -> Heard | Refused:
    """``hear`` with this process's own engine."""
    return hear(path, own_engine(source))


def hear(path: Path, engine: "Engine") -> Heard | Refused:
    """Decode, analyse, read tags. Never raises for a file: one bad file must not end an index of thousands."""
    from features.decode.sound import decode
    from features.errors import AudioError, ForeignError

    from .analysis import analyse
    from .tags import read_tags

    try:
        sound = decode(path)
        return Heard(read_tags(path), analyse(sound.samples, engine), sound.note)
    except AudioError as error:
        return Refused(str(error), isinstance(error, ForeignError))
    except MemoryError:
        return Refused("needs more memory than there is; cut it into shorter tracks")
    except Exception as error:  # noqa: BLE001 - shown with its type in the summary, so not lost
        return Refused(f"failed unexpectedly: {type(error).__name__}: {error}")
