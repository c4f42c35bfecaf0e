"""The file that an OBS dock opens from the disk: it waits for a server that does not run yet."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest
from until import until

from stream.server.address import bind, port_of

DOCK = "<!doctype html><title>dock</title><h1>The panel</h1>"


@pytest.fixture
def port() -> int:
    with bind("127.0.0.1", 0) as bound:
        return port_of(bound)


@pytest.fixture
def run(
    page_catalog: Path, tiny_bundle: Path, serving_module: Any, port: int
) -> Callable[[], AbstractContextManager[Any]]:
    """The server, always at the same port."""
    return lambda: serving_module.serving(page_catalog, tiny_bundle, port=port)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.route("**/dock?*", lambda route: route.fulfill(body=DOCK, content_type="text/html"))
    yield opened
    opened.close()
    assert wrong == []


def test_the_server_comes_goes_and_comes_back(
    page: Any, run: Callable[[], AbstractContextManager[Any]], port: int, tmp_path: Path
) -> None:
    path = tmp_path / "dock of mine.html"
    with run() as server, httpx.Client(base_url=server.url) as client:
        answer = client.get("/dock-file", params={"key": "my show"})
        assert answer.headers["content-disposition"] == 'attachment; filename="segue-dock.html"'
        path.write_bytes(answer.content)
    page.goto(f"{path.as_uri()}#token=see")
    assert page.text_content("h1") == "Segue is not running"
    assert page.text_content("p") == f"This opens by itself once it runs at http://127.0.0.1:{port}."
    there = f"http://127.0.0.1:{port}/dock?key=my%20show#token=see"
    with run():
        page.wait_for_url(there, timeout=20_000)
        assert page.text_content("h1") == "The panel"
    assert page.text_content("h1") == "The panel"  # what is open stays open; it is the panel that waits now
    page.goto(f"{path.as_uri()}#token=see")  # as OBS does when it starts anew
    assert page.text_content("h1") == "Segue is not running"
    page.wait_for_timeout(2500)  # asked in vain
    assert page.text_content("h1") == "Segue is not running"
    with run():
        page.wait_for_url(there, timeout=20_000)


def test_a_server_that_takes_the_request_and_never_answers_is_asked_anew(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "dock.html"
    text = resources.files("stream.web").joinpath("waiting.html").read_text("utf-8")
    path.write_text(text.replace('data-address=""', 'data-address="http://127.0.0.1:1"'), "utf-8")
    asked: list[Any] = []
    there: list[bool] = []

    def answer(route: Any) -> None:
        asked.append(route)
        if there:
            route.fulfill(body="<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml")

    page.route("**/icon.svg?*", answer)
    page.route("**/dock", lambda route: route.fulfill(body=DOCK, content_type="text/html"))
    page.goto(path.as_uri())
    until(page, lambda: asked)
    there.append(True)
    page.wait_for_url("http://127.0.0.1:1/dock", timeout=20_000)
    assert len(asked) == 2


def test_what_stands_in_the_file(server: Any) -> None:
    with httpx.Client(base_url=server.url) as client:

        def filled(**query: str) -> tuple[str, ...]:
            text = client.get("/dock-file", params=query).text
            found = re.search(r'<body data-address="([^"]*)" data-key="([^"]*)">', text)
            assert found is not None
            return found.groups()

        own = server.url.rstrip("/")
        assert filled() == (own, "") and filled(key="夜") == (own, "夜")
        hostile = '"><script src="https://evil.example/x.js"></script>'
        assert filled(key=hostile) == (
            own,
            "&quot;&gt;&lt;script src=&quot;https://evil.example/x.js&quot;&gt;&lt;/script&gt;",
        )
        assert len(filled(key="x" * 5000)[1]) == 128


def test_it_can_be_read_in_both_themes(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "dock.html"
    path.write_text(resources.files("stream.web").joinpath("waiting.html").read_text("utf-8"), "utf-8")
    seen = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 300, "height": 300})
        page.goto(path.as_uri())
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert len(seen) == 2
