"""One headless Chromium for all tests of this folder. Run them with `make test-browser`."""

import pytest

from course.tools.browser import MISSING, chromium


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; the tests fail, with a sentence, when there is none."""
    from playwright.sync_api import sync_playwright

    if (program := chromium()) is None:
        pytest.fail(MISSING, pytrace=False)
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield made
        made.close()
