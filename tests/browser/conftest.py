"""pytest-pyodide in Debian's Chromium and in Node, and the fixtures of pages.py for whole pages."""

import pytest
import pytest_pyodide
from pytest_pyodide.runner import NodeRunner, SeleniumChromeRunner

from tests.browser.pages import address, chromium_driver, page  # noqa: F401 - fixtures, found here by their names
from tests.browser.site import site  # noqa: F401
from tools.browser import FLAGS, use_installed_driver

use_installed_driver()
pytest_pyodide.get_global_config().set_flags("chrome", ["--js-flags=--expose-gc", *FLAGS])
for runner in (NodeRunner, SeleniumChromeRunner):
    runner.script_timeout = 180  # of the default 20 s, a busy machine takes most for the boot alone


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "node: runs in Node too; other tests need a browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def runtime(item: pytest.Item) -> str:
        call = getattr(item, "callspec", None)
        return call.params.get("runtime", "") if call else ""

    def needless(item: pytest.Item) -> bool:
        return runtime(item) == "node" and not item.get_closest_marker("node")

    config.hook.pytest_deselected(items=[item for item in items if needless(item)])
    # pytest-pyodide takes the runtimes from a set, whose order differs from one process of a run to another
    items[:] = sorted((item for item in items if not needless(item)), key=lambda item: (str(item.path), runtime(item)))
