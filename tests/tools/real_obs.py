"""A real OBS without a screen or sound card: Xvfb, software GL, a home of its own, its websocket with a password.

    with obs(folder, scenes={"Game": 0xFF0000FF, "BRB": 0xFF00FF00}) as real:   # colours as 0xAABBGGRR
        real.url, real.password
        real.kill(); real.start()                # as it was, at the same port

It needs ``obs``, ``Xvfb`` and ``dbus-run-session`` (Debian: obs-studio, xvfb, dbus-daemon). Software GL takes most of a
core: the canvas is small, and one OBS runs at a time on a machine (a lock file sees to it).
"""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from needs import program

START_S: Final = 40.0
STOP_S: Final = 10.0
HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LOCK: Final = Path(tempfile.gettempdir()) / "segue-real-obs.lock"
WIDTH, HEIGHT, FPS = 640, 360, 20


def color_source(name: str, color: int, width: int = WIDTH, height: int = HEIGHT) -> dict[str, object]:
    """A source of one colour (0xAABBGGRR), as a collection of scenes has it."""
    return source("color_source_v3", name, {"color": color, "width": width, "height": height})


def source(kind: str, name: str, settings: Mapping[str, object]) -> dict[str, object]:
    return {"id": kind, "versioned_id": kind, "name": name, "settings": dict(settings), "enabled": True, "volume": 1.0}


def scene(name: str, *items: str) -> dict[str, object]:
    """A scene that holds these sources, as a collection of scenes has it."""
    placed = [
        {
            "name": item,
            "id": number,
            "visible": True,
            "locked": False,
            "pos": {"x": 0.0, "y": 0.0},
            "scale": {"x": 1.0, "y": 1.0},
            "rot": 0.0,
            "align": 5,
            "bounds_type": 0,
            "bounds_align": 0,
            "bounds": {"x": 0.0, "y": 0.0},
            "crop_left": 0,
            "crop_top": 0,
            "crop_right": 0,
            "crop_bottom": 0,
        }
        for number, item in enumerate(items, 1)
    ]
    return source("scene", name, {"items": placed, "id_counter": len(items), "custom_size": False})


class RealObs:
    """One OBS and its home. ``films``: what scenes show instead of their colour, over and over. ``more``: further
    sources of its collection (see `scene`, `source`). ``profile``: lines for its ``basic.ini``. ``recordings``: where
    it records to, as MKV with x264."""

    def __init__(
        self,
        home: Path,
        scenes: Mapping[str, int],
        *,
        fps: int = FPS,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        films: Mapping[str, Path] | None = None,
        more: tuple[dict[str, object], ...] = (),
        profile: str = "",
        transition: str = "Cut",
        transition_ms: int = 300,
    ) -> None:
        self.home = home
        self.password = secrets.token_urlsafe(12)
        self.recordings = home / "recordings"
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        config = home / ".config" / "obs-studio"
        (config / "basic" / "scenes").mkdir(parents=True)
        (config / "basic" / "profiles" / "p").mkdir(parents=True)
        self.recordings.mkdir()
        (config / "global.ini").write_text(
            "[General]\nFirstRun=true\nLastVersion=486539266\nInfoIncrement=1000\nEnableAutoUpdates=false\n"
            f"[OBSWebSocket]\nFirstLoad=false\nServerEnabled=true\nServerPort={self.port}\nAlertsEnabled=false\n"
            f"AuthRequired=true\nServerPassword={self.password}\n"
            "[BasicWindow]\nPreviewEnabled=false\nSysTrayEnabled=false\n"
        )
        (config / "basic" / "profiles" / "p" / "basic.ini").write_text(
            "[General]\nName=p\n"
            f"[Video]\nBaseCX={size[0]}\nBaseCY={size[1]}\nOutputCX={size[0]}\nOutputCY={size[1]}\n"
            f"FPSType=1\nFPSInt={fps}\n"
            f"[Output]\nMode=Simple\n[SimpleOutput]\nFilePath={self.recordings}\nRecFormat=mkv\nRecQuality=Small\n"
            f"RecEncoder=x264\nVBitrate=400\n{profile}"
        )
        pictures = [
            source("ffmpeg_source", f"{name} colour", {"local_file": str((films or {})[name]), "looping": True})
            if name in (films or {})
            else color_source(f"{name} colour", colour, *size)
            for name, colour in scenes.items()
        ]
        collection = {
            "name": "s",
            "current_scene": next(iter(scenes)),
            "current_program_scene": next(iter(scenes)),
            "scene_order": [{"name": name} for name in scenes],
            "sources": [*pictures, *(scene(name, f"{name} colour") for name in scenes), *more],
            "transitions": [],
            "current_transition": transition,
            "transition_duration": transition_ms,
            "preview_locked": False,
        }
        (config / "basic" / "scenes" / "s.json").write_text(json.dumps(collection))

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.home / "obs.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait for its websocket. Raises AssertionError with its log."""
        display = f":{self.port}"
        environment = {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LP_NUM_THREADS": "1",
            "QT_QPA_PLATFORM": "xcb",
            "DISPLAY": display,
        }
        # One group of processes: OBS, its screen and its bus end together.
        script = (
            f"{program('Xvfb')} {display} -screen 0 1024x768x24 -nolisten tcp & "
            f"exec {program('dbus-run-session')} -- {program('obs')} --multi --collection s --profile p "
            "--minimize-to-tray --disable-updater"
        )
        with (self.home / "obs.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        self.kill()
        raise AssertionError(f"OBS does not start:\n{self.log[-3000:]}")

    def pid(self) -> int:
        """The number of OBS's own process."""
        assert self.process is not None
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                number = int(folder.name)
                if os.getpgid(number) == self.process.pid and (folder / "comm").read_text().strip() == "obs":
                    return number
        raise AssertionError(f"OBS does not run:\n{self.log[-3000:]}")

    def runs(self) -> bool:
        """Whether its websocket still answers: it has neither ended, crashed nor hung."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), 3) as line:
                line.settimeout(3)
                line.sendall(HANDSHAKE)
                return b" 101 " in line.recv(64)
        except OSError:
            return False

    def quit(self) -> None:
        """Let it end as its window's cross does."""
        assert self.process is not None
        os.kill(self.pid(), signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it and what belongs to it, without a word."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            until_s = time.monotonic() + STOP_S
            while _alive(self.process.pid) and time.monotonic() < until_s:
                time.sleep(0.01)  # its screen is not our child, and holds on to the display's number until it is gone
            self.process = None
            for left in (f"/tmp/.X{self.port}-lock", f"/tmp/.X11-unix/X{self.port}"):
                Path(left).unlink(missing_ok=True)


def _alive(group: int) -> bool:
    """Whether a process of this group still has something open."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(folder.name)) == group and (folder / "stat").read_text().rpartition(")")[2][1] != "Z":
                return True
    return False


@contextlib.contextmanager
def obs(
    folder: Path, scenes: Mapping[str, int] | None = None, *, start: bool = True, **options: object
) -> Iterator[RealObs]:
    """A running OBS with these scenes, each of one colour; see `RealObs` for ``options``. Waits while another runs.

    ``folder``: an existing one, in which it makes its home.
    """
    for name in ("obs", "Xvfb", "dbus-run-session"):
        program(name)
    home = Path(tempfile.mkdtemp(prefix="obs", dir=folder))
    with _only_one():
        real = RealObs(home, scenes or {"Game": 0xFF0000FF, "BRB": 0xFF00FF00}, **options)  # type: ignore[arg-type]
        try:
            if start:
                real.start()
            yield real
        finally:
            real.kill()


@contextlib.contextmanager
def _only_one() -> Iterator[IO[bytes]]:
    with LOCK.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
