"""Pyodide's core and the packages served with it -> dist/web/pyodide.

The core comes from the npm package `pyodide`, checked against the integrity hash below. Its lock file is cut down to
what lies beside it: whatever else is asked for, micropip then looks for elsewhere instead of running into a 404.
"""

import base64
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename
from pyodide_lock.spec import InfoSpec, PackageSpec
from pyodide_lock.utils import package_spec_from_wheel, update_package_sha256

from tools.common import CACHE, PYODIDE, ROOT, copy_if_changed, fail, run, say

VERSION = "314.0.7"
INTEGRITY = "sha512-0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
# pyodide.js is the CommonJS door to the same code: pytest-pyodide's Node driver takes that one.
CORE = ["pyodide.mjs", "pyodide.js", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
LOCK = "pyodide-lock.json"
PACKAGES = ROOT / "tools/pyodide-packages.txt"


def core() -> Path:
    """The folder of the unpacked npm package, in the cache."""
    folder = CACHE / f"pyodide-{VERSION}"
    if not folder.exists():
        say(f"  npm: pyodide {VERSION}")
        with tempfile.TemporaryDirectory(dir=_made(CACHE)) as temporary:
            run("npm", "pack", "--silent", f"pyodide@{VERSION}", cwd=Path(temporary),
                sentence=f"pyodide {VERSION} cannot be had from npm; check npm's registry and network")  # fmt: skip
            archive = Path(temporary) / f"pyodide-{VERSION}.tgz"
            found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if found != INTEGRITY:
                fail(f"npm's pyodide {VERSION} has integrity {found}, expected {INTEGRITY}; it may have been altered")
            # Debian 12's tarfile has not the safe filter yet that newer ones ask for.
            run("tar", "-xzf", archive, "-C", temporary, sentence=f"npm's pyodide {VERSION} cannot be unpacked")
            (Path(temporary) / "package").rename(folder)
    return folder


def pure_wheels() -> list[Path]:
    """The wheels of pyodide-packages.txt, in the cache; pip has checked their hashes."""
    key = hashlib.sha256(PACKAGES.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"packages-{key}"
    if not folder.exists():
        say("  pip: packages for Pyodide")
        with tempfile.TemporaryDirectory(dir=_made(CACHE)) as temporary:
            # The packages are for Pyodide's Python, not for the one that runs this.
            run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", PACKAGES,
                "--python-version", "3.14", "--only-binary", ":all:", "--dest", Path(temporary) / "wheels",
                sentence="packages for Pyodide cannot be had from the Python index; check pip's settings")  # fmt: skip
            (Path(temporary) / "wheels").rename(folder)
    return sorted(folder.glob("*.whl"))


def read_lock(folder: Path) -> dict[str, Any]:
    lock: dict[str, Any] = json.loads((folder / LOCK).read_text())
    return lock


def assemble(wheels: list[Path]) -> None:
    """Lay core and wheels into dist/web/pyodide and write the lock file that names exactly those."""
    source = core()
    lock = read_lock(source)
    served: dict[str, Any] = {}
    for wheel in wheels:
        name, version = parse_wheel_filename(wheel.name)[:2]
        entry = lock["packages"].get(name)
        if entry is None or entry["version"] != str(version):
            found = entry["version"] if entry else "no such package"
            fail(f"{wheel.name}: Pyodide {VERSION} has {found} in its lock file; change tools/pyodide-packages.txt")
        tool = entry.pop("tool", {})  # newer than pyodide-lock's schema for a package
        entry = update_package_sha256(PackageSpec(**entry), wheel).model_dump()
        served[name] = entry | {"file_name": wheel.name, "tool": tool}
    for entry in served.values():
        # The lock still lists what older releases of pytest needed (py, six, atomicwrites, ...): nobody imports those.
        entry["depends"] = [name for name in entry["depends"] if name.lower() in served]
    PYODIDE.mkdir(parents=True, exist_ok=True)
    for path in [*(source / name for name in CORE), *wheels]:
        copy_if_changed(path, PYODIDE / path.name)
    _write_lock(lock | {"packages": served})


def add_wheel(wheel: Path) -> None:
    """Enter our own wheel, which has no dependencies, so that pyodide.loadPackage("webkeras") finds it offline."""
    lock = read_lock(PYODIDE)
    info = InfoSpec(version=VERSION, **lock["info"])
    spec = package_spec_from_wheel(wheel, info).model_dump()
    lock["packages"][spec["name"]] = spec | {"file_name": wheel.name, "tool": {}}
    for old in PYODIDE.glob("webkeras-*.whl"):
        old.unlink()
    shutil.copyfile(wheel, PYODIDE / wheel.name)
    _write_lock(lock)


def _write_lock(lock: dict[str, Any]) -> None:
    (PYODIDE / LOCK).write_text(json.dumps(lock, separators=(",", ":"), sort_keys=True))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
