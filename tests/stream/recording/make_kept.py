"""Makes the recordings in ``kept/`` anew: ``python tests/stream/recording/make_kept.py`` (a minute and a half).

Each is of a real input through the real driver: a file as fast as it goes and in its own time, a publisher by WHIP,
a program by websocket with a viewer who commands, one whose clock jumps and who is taken over with its key. The bundle
is the tiny one, the music the seven tunes of the server's tests. They hold what a change of structure must not change,
so they are made again only where a session is meant to behave otherwise. One thread for each library of numbers, as in
the tests: NumPy's products have other last digits on two.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")  # before the first of them is loaded

import asyncio
import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

import segue
from stream.client import FrameClient
from stream.recording.header import processor

HERE = Path(__file__).parent
KEPT = HERE / "kept"
FPS = 12


def beside(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def machine() -> dict[str, Any]:
    """What decides the last digits: the processor's name and the instructions that NumPy finds it to have."""
    return {"processor": processor(), "instructions": np.show_config("dicts")["SIMD Extensions"]["found"]}


def picture(t_s: float) -> NDArray[np.uint8]:
    """(180, 320, 3): a bright block that moves over a ground; every 7 s another scene, each with a pace of its own."""
    scene = int(t_s // 7)
    ground = np.array([(20, 30, 60), (180, 140, 40), (10, 90, 30), (200, 200, 210)][scene % 4], np.uint8)
    shown = np.broadcast_to(ground, (180, 320, 3)).copy()
    left = int(40 * (1 + scene % 3) * t_s) % 260
    top = 60 + int(50 * np.sin(2 * np.pi * t_s * (1 + scene % 2)))
    shown[top : top + 60, left : left + 60] = 255 - ground
    return shown


def film(path: Path, seconds: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(int(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(picture(index / FPS), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def watched(folder: Path, catalog: Path, bundle: Path) -> None:
    for name, seconds, words in (("file", 30.0, ["--fast", "--record-pictures"]), ("paced", 9.0, [])):
        video = film(folder / f"{name}.mp4", seconds)
        given = [str(video), "-c", str(catalog), "--bundle", str(bundle), "--json", *words]
        with contextlib.redirect_stdout(io.StringIO()):
            assert segue.main(["watch", *given, "--record", str(KEPT / f"{name}.seguerec")]) == 0


def published(folder: Path, url: str) -> None:
    """FFmpeg's WHIP muxer, with a sound track."""
    publisher = HERE.parent / "server" / "publisher.py"
    subprocess.run([sys.executable, str(publisher), f"{url}whip", "10", str(folder), "audio"], check=True, timeout=60)


async def sent(url: str, tracks: list[str]) -> None:
    """Pictures of a program; a viewer asks for everything that can be asked."""
    wishes: list[dict[str, Any]] = [
        {"type": "like", "track": tracks[1]},
        {"type": "playing", "track": tracks[0], "position_s": 1.5},
        {"type": "steer", "energy": 0.8, "tempo": -0.4},
        {"type": "skip", "track": tracks[2], "for_s": 4},
        {"type": "weights", "rhythm": 2.0},
        {"type": "pin", "track": tracks[4]},
        {"type": "filters", "min_bpm": 80, "max_bpm": 140},
        {"type": "undo"},
        {"type": "filters", "licences": ["nobody has it"], "tags": ["nor this"]},
        {"type": "reset", "what": ["filters", "pinned"]},
        {"type": "playing", "track": tracks[3], "position_s": 0.0, "paused": True},
        {"type": "unskip", "track": tracks[2]},
        {"type": "pin", "track": "nobody"},
        {"type": "unlike", "track": tracks[1]},
        {"type": "dance"},
    ]
    async with FrameClient(url, label="kept") as client:
        for index in range(16 * FPS):
            await client.send(picture(index / FPS), index / FPS)
            if index % FPS == FPS // 2 and index > FPS and wishes:
                await client.tell(wishes.pop(0))
            await asyncio.sleep(1 / FPS)


async def broken(url: str) -> None:
    """A clock that jumps, a picture that is held, a publisher who is taken over with the key."""
    times = [index / FPS for index in range(5 * FPS)]
    times += [7200 + index / FPS for index in range(4 * FPS)]
    times += [7204 + 3 + index / FPS for index in range(2 * FPS)]
    async with FrameClient(url, label="kept", key="the key") as client:
        last = 0.0
        for at in times:
            await asyncio.sleep(1 / FPS if at < last or at > last + 5 else max(0.0, at - last))
            await client.send(picture(at % 7200), at)
            last = at
        async with FrameClient(url, label="kept", key="the key") as other:
            for index in range(5 * FPS):
                await other.send(picture(20 + index / FPS), index / FPS)
                await asyncio.sleep(1 / FPS)


async def tracks_of(url: str) -> list[str]:
    """The ids of the tunes, in the order of the list that is suggested first."""
    async with FrameClient(url, label="which") as client:
        for index in range(4 * FPS):
            await client.send(picture(index / FPS), index / FPS)
            await asyncio.sleep(1 / FPS)
        await asyncio.sleep(1)
        heard = client.newest("suggestions")
        assert heard is not None
        return [item["track"] for item in heard["items"]]


def main() -> None:
    serving = beside(HERE.parent / "server" / "serving.py")
    tiny = beside(HERE.parents[1] / "tiny_bundle.py")
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        bundle = tiny.write_tiny_bundle(folder / "bundle")
        catalog = serving.make_catalog(folder / "library", bundle)
        watched(folder, catalog, bundle)
        with serving.serving(catalog, bundle) as running:
            tracks = asyncio.run(tracks_of(running.url))
        for name in ("whip", "commands", "resets"):
            recordings = folder / name
            with serving.serving(catalog, bundle, record=recordings) as running:
                if name == "whip":
                    published(folder, running.url)
                else:
                    asyncio.run(sent(running.url, tracks) if name == "commands" else broken(running.url))
            [made] = recordings.iterdir()
            shutil.copyfile(made, KEPT / f"{name}.seguerec")
    (KEPT / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
    for file in sorted(KEPT.iterdir()):
        sys.stdout.write(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
