"""Headless Chromium, driven by selenium: the same flags for the tests and for the demo."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from selenium.webdriver import Chrome, ChromeOptions

# SwiftShader gives WebGL2 where there is no GPU; a page's own process sandbox cannot start for root in a container;
# the rest keeps Chromium from talking to anything but the page.
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def use_installed_driver() -> None:
    """Make selenium take the chromedriver in PATH instead of looking for one on the network."""
    driver = shutil.which("chromedriver")
    if driver:
        os.environ.setdefault("SE_CHROMEDRIVER", driver)


def console(driver: Chrome) -> list[str]:
    """What the page has written to the console since the last call, errors of the browser included."""
    lines = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [f"{line['level']}: {line['message']}" for line in lines]


@contextlib.contextmanager
def chromium(*flags: str) -> Iterator[Chrome]:
    use_installed_driver()
    options = ChromeOptions()
    for flag in ["--headless=new", *FLAGS, *flags]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options)
    try:
        driver.set_script_timeout(120)
        yield driver
    finally:
        driver.quit()
