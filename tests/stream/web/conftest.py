"""Fixtures of the page's tests: a server, and a headless Chromium with a made-up camera."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import needs
import pytest

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def _beside_server(name: str) -> Any:
    """A module of the server's tests; tests are not packages, so a plain import would not find it."""
    full = f"{name}_for_tests"
    if full not in sys.modules:
        path = Path(__file__).parents[1] / "server" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module  # dataclasses look it up
        spec.loader.exec_module(module)
    return sys.modules[full]


def _serving() -> Any:
    return _beside_server("serving")


@pytest.fixture(scope="session")
def serving_module() -> Any:
    """How the server's tests make catalogues and servers."""
    return _serving()


@pytest.fixture(scope="session")
def excerpting() -> Any:
    """A signal in which every place is told from every other, in many encodings."""
    return _beside_server("excerpting")


@pytest.fixture(scope="session")
def arguments() -> tuple[str, ...]:
    """What Chromium is started with."""
    return ARGUMENTS


@pytest.fixture(scope="session")
def page_catalog(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    made: Path = _serving().shared_catalog(tmp_path_factory, tiny_bundle)
    return made


@pytest.fixture(scope="session")
def long_catalog(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    """Of tracks that do not end while a test is under way."""
    made: Path = _serving().shared_catalog(tmp_path_factory, tiny_bundle, 150.0)
    return made


@pytest.fixture(scope="module")
def server(page_catalog: Path, tiny_bundle: Path) -> Iterator[Any]:
    with _serving().serving(page_catalog, tiny_bundle) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The installed browser."""
    return needs.program("Chromium")


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser with a profile of its own; `new_page` gives pages."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=chromium,
            headless=True,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 800},
        )
        yield context
        context.close()


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """The page, opened; fails the test when a script failed or was refused."""
    opened = browser.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    opened.goto(server.url)
    yield opened
    opened.close()
    assert wrong == []


@pytest.fixture(scope="session")
def taps() -> Callable[[Any], None]:
    """``taps(page)``: what the page plays is kept from its next opening on; see sounding.js."""

    def tap(page: Any) -> None:
        page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})  # the page forbids worklets
        page.add_init_script((Path(__file__).parent / "sounding.js").read_text())

    return tap


@pytest.fixture
def guarded(page_catalog: Path, tiny_bundle: Path) -> Iterator[Any]:
    """A server that asks for tokens."""
    from stream.server.access import AccessOptions

    access = AccessOptions(publish="pub", view="see", control="do")
    with _serving().serving(page_catalog, tiny_bundle, access=access) as running:
        yield running
