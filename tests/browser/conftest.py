"""pytest-pyodide in Debian's Chromium (and in Node), and the fixtures of pages.py for whole pages."""

import pytest_pyodide

from tools.browser import FLAGS, use_installed_driver

pytest_plugins = ["tests.browser.pages"]

use_installed_driver()
pytest_pyodide.get_global_config().set_flags("chrome", ["--js-flags=--expose-gc", *FLAGS])
