"""Measures the page: bytes, first paint, from a message to the painted list, and what shifts in a minute.

``python tests/tools/panel_numbers.py [SECONDS]``, from the root of the checkout. The lists are made up; the browser is
the installed Chromium, headless.
"""

import http.server
import json
import statistics
import sys
import threading
import time
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import needs
from playwright.sync_api import sync_playwright
from stub_page import HOST, Stub, item, on_air, suggestions

KINDS = (".js", ".css", ".html", ".svg")
PAINTED = """
window.painted = [];
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (!data.includes('"suggestions"')) return;
      const told = performance.now();
      const channel = new MessageChannel(); // a task after the frame: it is painted
      channel.port1.onmessage = () => window.painted.push(performance.now() - told);
      requestAnimationFrame(() => channel.port2.postMessage(0));
    });
  }
};
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { hadRecentInput, value, sources } of list.getEntries()) {
    const what = ({ node }) => node && (node.id || node.className || node.parentElement?.className || node.nodeName);
    if (!hadRecentInput) window.shifts.push([value, sources.map(what)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def lists(second: int) -> dict[str, Any]:
    """As a live session tells them: rows change places every few seconds, figures in each, now and then a new track."""
    tracks = [0, 1, 2, 3, 4]
    turn = second // 4
    tracks = tracks[turn % 3 :] + tracks[: turn % 3]
    if turn % 5 == 4:
        tracks[3] = 5
    items = [
        item(track, rank=place + 1, score=0.85 - 0.05 * place - 0.01 * (second % 3))
        for place, track in enumerate(tracks)
    ]
    told = on_air(position_s=48.0 + second, next_in_s=max(0.0, 50.0 - second))
    advice = ("stay", "stay", "could switch", "switch")[turn % 4]
    note = {"changed": "lead"} if second % 4 == 0 else {}
    return suggestions(items, advice=advice, **told, **note)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, round(part * (len(values) - 1)))]


def sizes() -> dict[str, int]:
    folder = Path(str(resources.files("stream.web")))
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix in KINDS}


def tell(figures: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(figures)}\n")
    sys.stdout.flush()


def main(seconds: int) -> None:
    folder = str(resources.files("stream.web"))
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=folder))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=needs.program("Chromium"), args=["--no-sandbox"])
        paints: list[float] = []
        loaded: dict[str, int] = {}
        for _ in range(9):
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.on("response", lambda answer: loaded.__setitem__(answer.url.rpartition("/")[2], 1))
            page.goto(f"http://127.0.0.1:{served.server_port}/index.html")
            page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            page.context.close()
        every = sizes()
        opened = sum(size for name, size in every.items() if name in loaded)
        tell({"code_and_style_bytes": sum(every.values()), "loaded_when_opened_bytes": opened})
        tell({"first_paint_ms": {"n": len(paints), "median": statistics.median(paints), "max": max(paints)}})
        for path, size in (("/?session=one", (1280, 800)), ("/dock", (400, 800))):
            page = browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
            stub = Stub(page)
            page.add_init_script(PAINTED)
            role = {"type": "player", "player": "elsewhere", "may": True, "auto": False, "track": "track0"}
            stub.first = [lists(0), role]
            page.goto(HOST + path)
            page.wait_for_selector(".row")
            began = time.monotonic()
            for second in range(1, seconds + 1):
                stub.tell(lists(second))
                page.wait_for_timeout(max(1, 1000 * (began + second - time.monotonic())))
            found = page.evaluate("painted")
            shifts = page.evaluate("shifts")
            figures = {"median": statistics.median(found), "p95": percentile(found, 0.95), "max": max(found)}
            rounded = {name: round(value, 1) for name, value in figures.items()}
            tell(
                {
                    "page": path,
                    "painted_ms": {"n": len(found)} | rounded,
                    "shift": round(sum(value for value, _ in shifts), 5),
                }
            )
            for value, sources in sorted(shifts, key=lambda each: -each[0])[:4]:
                tell({"shift": round(value, 5), "of": sources})
            page.context.close()
        browser.close()
    served.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
