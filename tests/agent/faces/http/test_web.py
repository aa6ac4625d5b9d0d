"""The web page in a real browser against a real server process: submit by chat, approve, watch, read the report."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

PAGE = Path(__file__).parents[4] / "agent" / "faces" / "http" / "page"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, PHONE = (1280, 800), (390, 844)
REQUEST = "classify stdlib:docstrings@{} with MiniLM, {}, 1 epoch"
STUDY_SECONDS = 1200
"""How long a tiny study may take on a machine that does other things as well; half a minute on one that does not."""

in_browser = [
    pytest.mark.slow,
    pytest.mark.timeout(STUDY_SECONDS + 300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


# -- files, without a browser ------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Notes what a page loads, and what a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See the class."""
        found = dict(attrs)
        self.loaded += [found[name] for name in ("src", "href") if found.get(name) and tag in ("script", "link")]
        if tag == "style" or (tag == "script" and "src" not in found):
            self.refused.append(tag)
        self.refused += [name for name in found if name == "style" or name.startswith("on")]


def test_the_page_loads_only_files_of_its_own_and_nothing_inline(client):
    """What a page names is there, and the page needs no exception from the policy."""
    for path in ("/", "/studies", "/docs", "/studies/99"):
        tags = Tags()
        tags.feed(client.get(path, headers={"accept": "text/html"}).text)
        assert tags.refused == []
        assert tags.loaded
        for name in tags.loaded:
            assert name.startswith("/assets/")
            assert client.get(name).status_code == 200, name


def test_no_file_of_the_page_names_another_host_or_parses_html():
    """Text becomes text: no template takes it as it is, no script makes HTML of it or names another machine."""
    banned = r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function|\| *safe\b|autoescape"
    for file in sorted([*(PAGE / "templates").iterdir(), *(PAGE / "static").iterdir()]):
        text = file.read_text()
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org"}
        assert hosts == set(), f"{file.name} names {hosts}"
        assert not re.search(banned, text.replace('hx-swap="innerHTML"', "")), file


def test_a_browser_without_a_login_gets_a_page_and_a_program_gets_json():
    """The same refusal, by what is asked for; the page's style is allowed by its hash alone."""
    from agent.errors import InputError
    from agent.faces.http.problems import refusal

    error = InputError("Authorization", "a token is needed.", "Log in.", "no_token")
    page = refusal(error, {"method": "GET", "headers": [(b"accept", b"text/html,*/*")]})
    assert page.status_code == 401
    assert b"tunewright serve --link" in page.body
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for scope in ({"method": "GET", "headers": []}, {"method": "POST", "headers": [(b"accept", b"text/html")]}):
        told = refusal(error, scope)
        assert json.loads(told.body)["error"]["code"] == "no_token"
    other = refusal(InputError("x", "no.", "", "bad_origin"), {"method": "GET", "headers": [(b"accept", b"text/html")]})
    assert json.loads(other.body)["error"]["code"] == "bad_origin"


# -- a server and a browser --------------------------------------------------------------------------------------


@dataclass
class Served:
    """A running server process."""

    url: str
    token: str

    def link(self) -> str:
        """A login link, good for once."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return str(httpx.post(f"{self.url}/v1/login_links", headers=headers, json={}).json()["url"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`tunewright serve` with a home of its own; studies it started are stopped at the end."""
    home = tmp_path_factory.mktemp("web") / "home"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TUNEWRIGHT_")}
    env = kept | {"TUNEWRIGHT_HOME": str(home)}
    command = [sys.executable, "-P", "-m", "agent.faces.cli", "serve", "--port", "0", "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=home.parent)
    try:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        server = Served(told["url"], Path(told["token_file"]).read_text().strip())
        yield server
        api = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.token}"})
        for study in api.get("/v1/studies").json()["data"]:
            if not study["over"]:
                api.post(f"/v1/studies/{study['study']}/cancel", json={})
    finally:
        child.terminate()
        child.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One chromium for all tests here."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Watched:
    """A logged-in page that notes what should never happen."""

    page: object
    url: str
    wrong: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def note(self, what: str) -> None:
        """Something happened that is not `expected`."""
        if not any(part in what for part in self.expected):
            self.wrong.append(what)

    def requested(self, url: str) -> None:
        """No request may go to another host."""
        if urlsplit(url).scheme in ("http", "https") and not url.startswith(self.url):
            self.wrong.append(f"request to {url}")

    def open(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(f"{self.url}/{path}")

    def points(self) -> int:
        """Scored trials in the plot."""
        return self.page.locator(".point .mark").count()

    def fits(self) -> None:
        """Nothing is wider than the window, once the styles are there."""
        self.page.wait_for_load_state()
        script = "() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
        wide, window = self.page.evaluate(script)
        assert wide <= window, f"{wide} px of content in {window} px at {self.page.url}"

    def accessible(self) -> None:
        """axe-core finds nothing serious."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        bad = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        assert bad == [], self.page.url

    def tab_to(self, selector: str, most: int = 60) -> None:
        """Walk with the tab key until the element has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"the tab key does not reach {selector}")


@pytest.fixture
def watch(served: Served, browser: object) -> object:
    """Opens logged-in pages; when the block ends, nothing wrong may have happened."""

    @contextmanager
    def opened(size: tuple[int, int], theme: str = "light", expected: tuple[str, ...] = ()) -> Iterator[Watched]:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        watched = Watched(page, served.url, expected=expected)
        page.on("console", lambda m: watched.note(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: watched.note(f"page error: {error}"))
        page.on("request", lambda request: watched.requested(request.url))
        page.goto(served.link())
        assert page.url == f"{served.url}/"
        yield watched
        assert watched.wrong == []
        context.close()

    return opened


def planned(watched: Watched, request: str) -> None:
    """Ask for a plan with the keyboard and wait until it waits."""
    from playwright.sync_api import expect

    page = watched.page
    expect(page.locator("#composer")).to_be_focused()  # one can write at once
    page.keyboard.type(request)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Approve")).to_be_visible(timeout=120_000)


def watched_to_the_end(watched: Watched, study: str) -> None:
    """On the page of a running study: its plot grows without a reload, then the result is there."""
    from playwright.sync_api import expect

    page = watched.page
    page.evaluate("() => { window.neverReloaded = true; }")
    expect(page.get_by_role("heading", level=1, name=f"Study {study}")).to_be_visible()
    seen, until = {watched.points()}, time.monotonic() + STUDY_SECONDS
    while not page.locator(".verdict").is_visible():
        page.wait_for_timeout(250)
        seen.add(watched.points())
        state = page.locator(".title-row").inner_text()
        assert time.monotonic() < until, state
        assert "failed" not in state
    expect(page.locator(".title-row")).to_contain_text("done", timeout=10_000)
    assert len(seen) >= 3, f"the plot went through {sorted(seen)} points"
    assert watched.points() == max(seen) == 4  # the default, and three fresh seeds of it
    assert page.evaluate("() => window.neverReloaded") is True


def report_is_readable(watched: Watched, study: str) -> None:
    """The report opens in the page, and is still there after a reload."""
    from playwright.sync_api import expect

    page = watched.page
    page.get_by_role("link", name="Open report").click()
    for _ in range(2):
        expect(page).to_have_url(f"{watched.url}/studies/{study}/report")
        expect(page.frame_locator("iframe").locator(".verdict")).to_contain_text("default")
        watched.fits()
        page.reload()


class TestInBrowser:
    """In this order: the first tests make the studies that the others look at."""

    pytestmark = in_browser

    def test_submit_approve_watch_and_read_at_1280(self, watch):
        """By keyboard from an empty page to the report, with live events."""
        from playwright.sync_api import expect

        with watch(WIDE) as watched:
            page = watched.page
            watched.accessible()
            planned(watched, REQUEST.format(150, "1 trial"))
            watched.accessible()
            page.reload()  # a plan that waits is not lost
            expect(page.locator(".turn.user")).to_have_text(REQUEST.format(150, "1 trial"))
            expect(page.get_by_role("button", name="Approve")).to_be_visible()
            watched.tab_to('button[data-key="approve"]')
            watched.tab_to("#composer")
            page.get_by_role("button", name="Approve").press("Enter")
            page.locator(".study-line").click()
            watched_to_the_end(watched, "1")
            watched.accessible()
            report_is_readable(watched, "1")

    def test_submit_approve_watch_and_read_at_390_by_asking(self, watch):
        """The same on a phone, where no stream comes through: the page asks for replies as it asks for studies."""
        with watch(PHONE, "dark", expected=("ERR_FAILED", "Failed to fetch")) as watched:
            page = watched.page
            page.route("**/reply", lambda route: route.abort())
            watched.accessible()
            watched.fits()
            planned(watched, REQUEST.format(160, "1 trial"))
            watched.fits()
            watched.accessible()
            page.get_by_role("button", name="Approve").click()
            page.locator(".study-line").click()
            watched.fits()
            watched_to_the_end(watched, "2")
            watched.fits()
            report_is_readable(watched, "2")

    @pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"])
    def test_every_page_is_accessible_and_fits_in_both_themes(self, watch, size):
        """axe-core finds nothing serious anywhere, and nothing is wider than the window."""
        places = ("studies", "studies/1", "studies/1/trials/1", "studies/1/report", "chats/1")
        with watch(size) as watched:
            for place in places:
                watched.open(place)
                watched.page.locator("main h1").wait_for(state="attached")
                watched.page.wait_for_timeout(600)
                for theme in ("light", "dark"):
                    watched.page.evaluate("t => { document.documentElement.dataset.theme = t; }", theme)
                    watched.accessible()
                watched.fits()

    def test_trials_are_walked_by_arrow_keys_and_opened_by_enter(self, watch):
        """The plot is one stop of the tab key; its points are links."""
        from playwright.sync_api import expect

        with watch(WIDE) as watched:
            page = watched.page
            watched.open("studies/1")
            page.locator(".point").first.wait_for()
            tip = page.get_by_role("region", name="Scores").locator(".tip")
            watched.tab_to(".point")
            expect(tip).to_contain_text("Trial 0")
            page.keyboard.press("ArrowRight")
            expect(tip).to_contain_text("Trial 1")
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", level=1)).to_have_text("Trial 1")
            expect(page.get_by_role("heading", level=1)).to_be_focused()
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_have_text("Trial 1")

    def test_charts_have_tables_and_the_table_of_trials_sorts(self, watch):
        """The numbers of every chart can be read without it."""
        from playwright.sync_api import expect

        with watch(WIDE) as watched:
            page = watched.page
            watched.open("studies/1")
            page.get_by_role("region", name="Learning curves").get_by_role("button", name="Table").click()
            expect(page.get_by_role("region", name="Learning curves").get_by_role("row")).to_have_count(1 + 4)
            table = page.get_by_role("table", name="Trials of study 1")
            table.get_by_role("button", name="Score").click()
            expect(table.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "descending")
            expect(table.get_by_role("button", name="Score")).to_be_focused()
            scores = table.locator("tbody td:nth-child(3)").all_inner_texts()
            assert [s for s in scores if s != "–"] == sorted((s for s in scores if s != "–"), reverse=True)
            assert len(set(scores)) > 1
            page.reload()  # how a study is looked at stands in its address
            expect(table.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "descending")

    def test_the_chosen_theme_outlives_a_reload(self, watch):
        """The toggle is stored, and the page is drawn in it at once."""
        with watch(WIDE) as watched:
            watched.page.get_by_role("button", name="Dark theme").click()
            watched.page.reload()
            assert watched.page.evaluate("() => document.documentElement.dataset.theme") == "dark"
            assert watched.page.evaluate("() => getComputedStyle(document.body).colorScheme") == "dark"

    def test_files_are_downloaded_under_names_that_say_what_they_are(self, watch):
        """Report, spec and adapter of a finished study."""
        with watch(WIDE) as watched:
            watched.open("studies/1")
            for name in ("report.md", "spec.yaml", "adapter.zip"):
                with watched.page.expect_download() as download:
                    watched.page.get_by_role("link", name=name).click()
                assert download.value.suggested_filename.endswith(name)
                assert Path(download.value.path()).stat().st_size > 100

    def test_pause_resume_and_cancel_by_its_buttons(self, watch):
        """Cancel asks first; Escape means no."""
        from playwright.sync_api import expect

        with watch(WIDE) as watched:
            page, state = watched.page, watched.page.locator(".title-row")
            planned(watched, REQUEST.format(170, "12 trials"))
            page.get_by_role("button", name="Approve").click()
            page.locator(".study-line").click()
            expect(state).to_contain_text("searching", timeout=60_000)
            page.get_by_role("button", name="Pause").click()
            expect(state).to_contain_text("paused", timeout=60_000)
            page.get_by_role("button", name="Resume").click()
            expect(state).to_contain_text("searching", timeout=60_000)
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_role("dialog")).to_contain_text("Cancel this study?")
            watched.accessible()
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)
            expect(state).to_contain_text("searching")
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("dialog").get_by_role("button", name="Cancel the study").click()
            expect(state).to_contain_text("cancelled", timeout=60_000)
            expect(page.get_by_role("button", name="Resume")).to_be_visible()

    def test_what_is_said_is_text_and_never_markup(self, watch):
        """Neither a message nor a reply that quotes it becomes an element that runs or loads anything."""
        from playwright.sync_api import expect

        hostile = '<img src="/x" onerror="window.hurt=1"> [x](javascript:window.hurt=1) <script>window.hurt=1</script>'
        with watch(WIDE) as watched:
            page = watched.page
            page.locator("#composer").fill(f"classify rows.csv {hostile}")
            page.keyboard.press("Enter")
            expect(page.locator(".turn.reply")).not_to_have_attribute("aria-busy", "true", timeout=60_000)
            expect(page.locator(".turn.user")).to_contain_text("<script>")
            page.locator(".tool summary").first.click()
            assert page.locator("main img, main script, main a[href^='javascript:']").count() == 0
            page.wait_for_timeout(200)
            assert page.evaluate("() => window.hurt") is None

    def test_a_browser_that_is_not_signed_in_is_told_how_to(self, served, browser):
        """Also where a link is used a second time."""
        context = browser.new_context()
        page, link = context.new_page(), served.link()
        for _ in range(2):
            page.goto(link)
            context.clear_cookies()
        assert "not signed in" in page.inner_text("h1")
        page.goto(served.url)
        assert "tunewright serve --link" in page.inner_text("main")
        page.goto(served.link())
        page.locator("#composer").wait_for()
        context.clear_cookies()  # as by a new token, while the page is open
        page.get_by_role("link", name="Studies").first.click()
        page.get_by_role("heading", level=1, name="This browser is not signed in").wait_for(timeout=30_000)
        context.close()

    def test_a_study_that_is_not_there_is_told_with_a_way_out(self, watch):
        """The server's own words and a link back."""
        from playwright.sync_api import expect

        with watch(WIDE, expected=("404",)) as watched:
            watched.open("studies/99")
            expect(watched.page.get_by_role("alert")).to_contain_text("No study '99'")
            watched.page.get_by_role("link", name="All studies").click()
            expect(watched.page.get_by_role("heading", level=1)).to_have_text("Studies")
