"""pytest-pyodide in Debian's Chromium (and in Node), and the fixtures of pages.py for whole pages."""

import pytest_pyodide
import pytest_pyodide.runner

from tools.browser import FLAGS, use_installed_driver

pytest_plugins = ["tests.browser.pages", "tests.browser.site"]

use_installed_driver()
pytest_pyodide.get_global_config().set_flags("chrome", ["--js-flags=--expose-gc", *FLAGS])
# The default of 20 seconds is not enough for Pyodide to boot on a busy machine with two cores.
pytest_pyodide.runner.SeleniumChromeRunner.script_timeout = 180
pytest_pyodide.runner.NodeRunner.script_timeout = 180
