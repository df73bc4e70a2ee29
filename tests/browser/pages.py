"""`page`: dist/web, served on loopback and open in headless Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tools.browser import chromium, console
from tools.common import WEB
from tools.serve import serving


class Page:
    """One browser tab over dist/web."""

    def __init__(self, driver: Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self, path: str) -> None:
        """Open a page by its path inside dist/web. Of thousands, chromedriver opens one empty: then again."""
        for _ in range(2):
            self.driver.get(f"{self.address}/{path}")
            url, html = self.js("return [document.URL, document.documentElement.outerHTML]")
            if html != "<html><head></head><body></body></html>":
                return
            print(f"{path} was opened and the tab is empty, at {url}")
        raise AssertionError(f"{path} was opened twice and the tab is empty, at {url}")

    def js(self, body: str, *args: Any) -> Any:
        """What the body of an async function returns, whose arguments are `args`; raises what it throws."""
        value = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);"
            f"(async () => {{ {body} }})().then(v => done([v ?? null]), e => done([null, String(e && e.stack || e)]));",
            *args,
        )
        if len(value) == 2:
            raise RuntimeError(value[1])
        return value[0]

    def screenshot(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def console(self) -> list[str]:
        return console(self.driver)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with serving(WEB) as at:
        yield at


@pytest.fixture(scope="session")
def chromium_driver() -> Iterator[Chrome]:
    with chromium("--window-size=1200,900", "--js-flags=--expose-gc", "--enable-precise-memory-info") as driver:
        yield driver


@pytest.fixture
def page(chromium_driver: Chrome, address: str) -> Page:
    """A page that nothing has been opened in: the test before left no document behind, and no words in the console."""
    chromium_driver.get("about:blank")
    console(chromium_driver)
    return Page(chromium_driver, address)
