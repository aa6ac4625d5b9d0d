"""Every command of the documentation is carried out, page by page, as a reader would."""

import pytest
from docs_pages import PAGES, RUNS, Session, blocks


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_does_what_it_says(page, tmp_path) -> None:
    """The blocks of a page run in order in one directory and one session, and print what the page shows."""
    found = blocks(page)
    if not any(b.language in RUNS and not b.skipped for b in found):
        pytest.skip("nothing to run on this page")
    session = Session(tmp_path)
    try:
        for block in found:
            session.run(block)
    finally:
        session.close()
