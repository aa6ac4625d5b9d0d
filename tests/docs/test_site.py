"""The site builds without a warning, and nothing of it comes from another machine."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_pages import ROOT

pytest.importorskip("material", reason="needs the extra docs")
LOADED = re.compile(
    r"<(?:link|script|img|iframe|source|object)\b[^>]*?(?:href|src|srcset|data)=[\"']?(?P<url>[^\"'\s>]+)"
)
FROM_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?(?P<url>[a-z]+:[^\"')\s]*)")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site. Strict: broken links and anchors, and pages outside of the navigation, are errors."""
    directory = tmp_path_factory.mktemp("site")
    # not --quiet: warnings that are not shown are not counted either
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


def test_nothing_is_loaded_from_elsewhere(site) -> None:
    """Scripts, styles, images and fonts are files of the site."""
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert len(pages) > 10
    found = [(page.name, m["url"]) for page, text in pages.items() for m in LOADED.finditer(text)]
    styles = [(f.name, m["url"]) for f in site.rglob("*.css") for m in FROM_CSS.finditer(f.read_text(encoding="utf-8"))]
    assert [url for _, url in found if not url.startswith(("http:", "https:", "//"))], "the pattern finds nothing"
    assert [(name, url) for name, url in found if re.match(r"(https?:)?//", url)] == []
    assert [(name, url) for name, url in styles if not url.startswith("data:")] == []


@pytest.fixture
def served(site) -> Iterator[str]:
    """The site's address on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """No access log."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_sees_no_error_and_asks_no_other_machine(site, served, width) -> None:
    """Every page in Chromium: no request elsewhere, no console error, nothing wider than the window, search works."""
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []

    def told(request) -> None:
        if not request.url.startswith((served, "data:", "blob:")):
            troubles.append(f"asks for {request.url}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", told)
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        for file in sorted(site.glob("*.html")):
            page.goto(served + file.name)
            page.wait_for_load_state("networkidle")
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if wide > 0:
                troubles.append(f"{file.name} is {wide} pixels wider than {width}")
        page.goto(f"{served}index.html?q=bootstrap")
        page.wait_for_selector(".md-search-result__link[href*='statistics']", state="attached")
        browser.close()
    assert troubles == []


@pytest.mark.slow
def test_pages_and_search_work_without_a_server(site) -> None:
    """The site can be opened as files: links lead on, and the search finds something."""
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
        page = browser.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click("a[href='statistics.html']")
        page.wait_for_url("**/statistics.html")
        page.click(".md-search__input")
        page.keyboard.type("rebinding")
        page.wait_for_selector(".md-search-result__link[href*='security']", state="attached")
        browser.close()
    assert troubles == []
