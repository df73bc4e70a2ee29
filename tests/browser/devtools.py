"""What a page's own script cannot see: its worker's memory, and how long the page's thread was busy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import websocket
from selenium.webdriver import Chrome

TASKS = "disabled-by-default-devtools.timeline"


class DevTools:
    """Chromium's DevTools protocol for the open page, over a websocket beside selenium's."""

    def __init__(self, driver: Chrome) -> None:
        at = driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        page = f"ws://{at}/devtools/page/{driver.current_window_handle}"
        self.socket = websocket.create_connection(page, suppress_origin=True, timeout=60)
        self.worker_script = urljoin(driver.current_url, "/worker.mjs")
        self.count = 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, session: str = "", **params: Any) -> Any:
        """A command's result, of the page or of a worker's session; events that come meanwhile are kept."""
        self.count += 1
        call = {"id": self.count, "method": method, "params": params}
        self.socket.send(json.dumps({**call, "sessionId": session} if session else call))
        answer = self._next(lambda message: message.get("id") == self.count)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv())
            if wanted(message):
                return message
            self.events.append(message)

    def worker(self) -> str:
        """The session of the page's one worker that runs worker.mjs."""
        self.ask("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        (session,) = (
            e["params"]["sessionId"]
            for e in self.events
            if e["method"] == "Target.attachedToTarget" and e["params"]["targetInfo"]["url"] == self.worker_script
        )
        return str(session)

    def memory(self, session: str) -> dict[str, int]:
        """Bytes left after a collection: of JavaScript's objects, and of buffers, WebAssembly's memory among them."""
        for _ in range(2):
            self.ask("HeapProfiler.collectGarbage", session)
        usage = self.ask("Runtime.getHeapUsage", session)
        return {"objects": int(usage["usedSize"]), "buffers": int(usage["backingStorageSize"])}

    def busy(self, work: Callable[[], Any]) -> float:
        """Milliseconds of the longest task of a page's main thread while `work` is done.

        Time in which other processes had the core is no work of the page's: a task counts with its thread's time.
        """
        self.ask("Tracing.start", traceConfig={"includedCategories": [TASKS]})
        work()
        self.ask("Tracing.end")
        self._next(lambda message: message.get("method") == "Tracing.tracingComplete")
        told = [v for e in self.events if e["method"] == "Tracing.dataCollected" for v in e["params"]["value"]]
        self.events = [e for e in self.events if e["method"] != "Tracing.dataCollected"]
        named = (e for e in told if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain")
        mains = {(e["pid"], e["tid"]) for e in named}
        tasks = [e for e in told if e["name"] == "RunTask" and (e["pid"], e["tid"]) in mains]
        whole = [e for e in tasks if "dur" in e and "tdur" in e]  # the one that ends the trace has no end itself
        return max(min(e["dur"], e["tdur"]) for e in whole) / 1000

    def close(self) -> None:
        self.socket.close()
