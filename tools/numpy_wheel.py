"""numpy's wheel for Pyodide: from the cache, else from Pyodide's distribution, else built from its source release."""

import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tools.common import CACHE, ROOT, fail, say, sha256

SECONDS_TO_ANSWER = 5  # where the distribution cannot be reached, waiting longer only delays the build


def numpy_wheel(core: Path, lock: dict[str, Any]) -> Path:
    """The wheel that the lock file names, as a file in the cache, which is keyed by version and ABI."""
    entry, abi = lock["packages"]["numpy"], lock["info"]["abi_version"]
    wheel = CACHE / f"numpy-{entry['version']}-{abi}" / str(entry["file_name"])
    if not wheel.exists():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        if not _download(core, entry, wheel):
            _build(core, entry["version"], abi, wheel)
    return wheel


def _download(core: Path, entry: dict[str, Any], wheel: Path) -> bool:
    """Fetch the file from where this Pyodide itself would; False, with the reason said, when that does not work."""
    partial = wheel.with_suffix(".part")
    try:
        address = _distribution(core) + entry["file_name"]
        say(f"  numpy: {address}")
        with urllib.request.urlopen(address, timeout=SECONDS_TO_ANSWER) as answer:
            partial.write_bytes(answer.read())
    except (OSError, ValueError) as reason:
        say(f"  numpy: not to be had there ({reason})")
        return False
    if sha256(partial) != entry["sha256"]:
        partial.unlink()
        say("  numpy: the file there has another sha256 than Pyodide's lock file says")
        return False
    partial.rename(wheel)
    return True


def _distribution(core: Path) -> str:
    """The address that Pyodide loads packages from by default; its own loader has it, with the version left open."""
    found = re.search(r"`(https://[^`$]+)\$\{\w+\}(/full/)`", (core / "pyodide.mjs").read_text())
    if not found:
        raise ValueError("pyodide.mjs names no address")
    return found[1] + core.name.removeprefix("pyodide-") + found[2]


def _build(core: Path, version: str, abi: str, wheel: Path) -> None:
    say("  numpy: building from its source release (4 to 8 minutes, 1.5 GB of disk, once)")
    work = Path(os.environ.get("WEBKERAS_NUMPY_WORK") or CACHE / "numpy-build")
    built = subprocess.run(["bash", ROOT / "tools/numpy_build.sh", version, abi, core, work, wheel.parent])
    if built.returncode or not wheel.exists():
        fail(f"numpy {version}: the build for Pyodide failed, as said above; a {wheel.name} laid into "
             f"{wheel.parent} by hand would do as well")  # fmt: skip
