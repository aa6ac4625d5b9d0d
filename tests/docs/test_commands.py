"""Every command of the documentation is carried out, page by page, as a reader would."""

import pytest
from docs_pages import PAGES, RUNS, Session, blocks

WITH_COMMANDS = [page for page in PAGES if any(b.language in RUNS and not b.skipped for b in blocks(page))]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_page_does_what_it_says(page, tmp_path) -> None:
    """The blocks of a page run in order in one directory and one session, and print what the page shows."""
    session = Session(tmp_path)
    try:
        for block in blocks(page):
            session.run(block)
    finally:
        session.close()
