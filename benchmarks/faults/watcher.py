"""Watches every session of a server, in a process of its own beside it, so that a bad network is not the watcher's.

    python -m benchmarks.faults.watcher URL SECONDS

What each session said is printed as JSON: its label, when suggestions came and how old their newest picture was, its
warnings, and how many frames it had when. Times are of the monotonic clock.
"""

import asyncio
import contextlib
import json
import sys
import time
from typing import Any, Final

import httpx

from .shots import Heard, hear

LOOK_S: Final = 0.5


async def watch(url: str, seconds: float) -> dict[str, dict[str, Any]]:
    """By the session's id."""
    heard: dict[str, Heard] = {}
    labels: dict[str, str] = {}
    frames: dict[str, list[list[float]]] = {}
    watching: list[asyncio.Task[None]] = []
    until_s = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        while time.monotonic() < until_s:
            with contextlib.suppress(httpx.HTTPError):
                for session in (await client.get("/api/sessions")).raise_for_status().json()["sessions"]:
                    name = session["id"]
                    if name not in heard:
                        heard[name], labels[name], frames[name] = Heard(), session["label"], []
                        watching.append(asyncio.create_task(hear(url, session["events"], heard[name])))
                    frames[name].append([time.monotonic(), session["frames"]])
            await asyncio.sleep(LOOK_S)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return {name: told(labels[name], one) | {"frames": frames[name]} for name, one in heard.items()}


def told(label: str, heard: Heard) -> dict[str, Any]:
    suggestions = [[at_s, m["late_ms"]] for at_s, m in heard.messages if m["type"] == "suggestions"]
    warnings = [[at_s, m["reason"]] for at_s, m in heard.messages if m["type"] in ("warning", "error", "reset")]
    return {"label": label, "suggestions": suggestions, "warnings": warnings, "ended": heard.kinds["end"] > 0}


if __name__ == "__main__":
    json.dump(asyncio.run(watch(sys.argv[1], float(sys.argv[2]))), sys.stdout)
