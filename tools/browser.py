"""Headless Chromium, driven by selenium: the same flags for the tests and for the demo. And Firefox, for the tests."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket
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


PREFERENCES = {
    "webgl.force-enabled": True,
    "webgl.disable-fail-if-major-performance-caveat": True,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
}


class Firefox:
    """Debian's firefox-esr by WebDriver BiDi over a plain websocket, for no geckodriver is in Debian. One tab."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=120)
        self.count = 0
        self.ask("session.new", capabilities={})
        (tab,) = self.ask("browsingContext.getTree")["contexts"]
        self.tab: str = tab["context"]

    def ask(self, method: str, **params: Any) -> Any:
        """A command's result. Raises RuntimeError with what the browser says."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.count:
                break
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}, {answer['message']}")
        return answer["result"]

    def get(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def execute_async_script(self, body: str, *args: Any) -> Any:
        """As selenium's: a function's body, whose last argument is called with the result, anything JSON can say."""
        given = "".join(f"{json.dumps(a)}, " for a in args)
        promise = f"new Promise(done => (function () {{ {body} }})({given} value => done(JSON.stringify(value))))"
        said = self.ask("script.evaluate", expression=promise, awaitPromise=True, target={"context": self.tab})
        if said["type"] == "exception":
            raise RuntimeError(said["exceptionDetails"]["text"])
        return json.loads(said["result"]["value"])


@contextlib.contextmanager
def firefox(headless: bool) -> Iterator[Firefox]:
    """On an X server of its own, where Mesa's llvmpipe gives WebGL2; with --headless Firefox has none."""
    with contextlib.ExitStack() as stack:
        profile = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        preferences = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items())
        (profile / "user.js").write_text("".join(preferences))
        environment = {**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": str(profile)}
        if not headless:
            environment["DISPLAY"] = stack.enter_context(screen())
        command = ["firefox-esr", "--no-remote", "--remote-debugging-port=0", "--profile", str(profile)]
        stack.enter_context(running(*command, *(["--headless"] if headless else []), env=environment))
        told, began = profile / "WebDriverBiDiServer.json", time.monotonic()
        while not (told.exists() and told.stat().st_size):
            if time.monotonic() - began > 60:
                raise RuntimeError("firefox-esr does not listen after 60 s")
            time.sleep(0.1)
        at = json.loads(told.read_text())
        driver = Firefox(f"ws://{at['ws_host']}:{at['ws_port']}")
        yield driver
        driver.ask("browser.close")
        driver.socket.close()


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """The display of an X server that nobody sees."""
    reads, writes = os.pipe()
    command = ["Xvfb", "-displayfd", str(writes), "-screen", "0", "1200x900x24", "-nolisten", "tcp"]
    with os.fdopen(reads) as told, running(*command, pass_fds=[writes]):
        os.close(writes)
        yield f":{told.readline().strip()}"


@contextlib.contextmanager
def running(*command: str, **options: Any) -> Iterator[None]:
    """A process meanwhile; asked to end afterwards, and made to."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
