"""The page that shows the API, in a real browser: whole, readable with the keyboard, nothing from elsewhere."""

import pytest

from tests.agent.faces.http.conftest import serving


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_of_the_api(tmp_path, scheme, width):
    """Every route is there, opens by the keyboard, and axe finds nothing; the console stays empty."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect, sync_playwright

    with serving(tmp_path / "home", tmp_path) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.login)
        page.goto(f"{server.url}/docs")
        page.wait_for_selector("details")
        paths = page.evaluate(
            "fetch('/openapi.json').then(answer => answer.json()).then(api => Object.keys(api.paths))"
        )
        shown = page.locator("main .path").all_inner_texts()
        assert set(paths) == set(shown)
        page.locator("main summary").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("main details[open] table")
        assert Axe().run(page).violations_count == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.fill("#filter", "cancel post")
        expect(page.locator("#count")).to_have_text("3 routes")  # of a study, of a job, of the verb
        assert said == []
        assert [url for url in asked if not url.startswith(server.url)] == []
        browser.close()
