"""Builds everything into dist/: python -m tools.build. A step whose inputs have not changed is skipped."""

import re
import sys
from pathlib import Path

from tools import build_wasm, numpy_wheel, runtime
from tools.common import DIST, PYODIDE, ROOT, WEB, copy_if_changed, files_under, run, say, step

VERSION = re.findall(r'^__version__ = "(.+)"', (ROOT / "src/webkeras/__init__.py").read_text(), re.M)[0]
WHEEL = DIST / f"webkeras-{VERSION}-py3-none-any.whl"
# What the page loads as scripts, for a strict CSP.
COMPANIONS = [ROOT / "src/webkeras/backends" / name for name in ("common.js", "webgl2/runner.js", "wasm/machine.js")]
SNAPSHOT = PYODIDE / "snapshot.bin"


def build() -> None:
    tools = ROOT / "tools"
    lock = PYODIDE / runtime.LOCK
    assembling = [tools / name for name in ("runtime.py", "numpy_wheel.py", "pyodide-packages.txt")]
    step("Pyodide runtime", lock, assembling, build_runtime)

    build_wasm.built()
    packaged = files_under(*(ROOT / name for name in ("src", "shaders", "pyproject.toml", "README.md", "LICENSE")))
    compiling = [tools / name for name in ("pyodide.mjs", "compile.mjs", "add_bytecode.py")]
    sources = [*packaged, *assembling, *compiling]
    step("wheel", WHEEL, sources, build_wheel)
    step("self-test", WEB / "selftest", packaged, build_selftest)
    step("memory snapshot", SNAPSHOT, [WHEEL, tools / "pyodide.mjs", tools / "snapshot.mjs"], build_snapshot)
    copy_pages()
    report()


def build_runtime() -> None:
    core = runtime.core()
    numpy = numpy_wheel.numpy_wheel(core, runtime.read_lock(core))
    runtime.assemble([*runtime.pure_wheels(), numpy])


def build_wheel() -> None:
    for old in DIST.glob("*.whl"):
        old.unlink()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", DIST, sentence="the wheel cannot be built")
    run("node", ROOT / "tools/compile.mjs", PYODIDE, WHEEL, sentence="the wheel's bytecode cannot be compiled")
    runtime.add_wheel(WHEEL)


def build_snapshot() -> None:
    run("node", ROOT / "tools/snapshot.mjs", PYODIDE, WHEEL, SNAPSHOT, sentence="the memory snapshot cannot be made")


def build_selftest() -> None:
    sys.path.insert(0, str(ROOT / "src"))
    from webkeras.backends.webgl2 import context

    (WEB / "selftest").mkdir(parents=True, exist_ok=True)
    for name, plan in context.early().items():
        (WEB / f"selftest/{name}.json").write_text(plan)


def copy_pages() -> None:
    """web/ -> dist/web, beside what other steps put there; a page that is gone from web/ goes from dist/web too."""
    source = ROOT / "web"
    pages = {file.relative_to(source): file for file in files_under(source)}
    pages |= {Path(file.name): file for file in COMPANIONS}
    listing = DIST / ".stamps/pages"
    for old in listing.read_text().splitlines() if listing.exists() else []:
        if Path(old) not in pages:
            (WEB / old).unlink(missing_ok=True)
    for page, file in pages.items():
        copy_if_changed(file, WEB / page)
    listing.write_text("".join(f"{page}\n" for page in sorted(pages)))


def report() -> None:
    say("")
    for path in [WHEEL, *sorted(WEB.iterdir())]:
        size = sum(file.stat().st_size for file in files_under(path))
        say(f"{size / 1e6:9.2f} MB  {path.relative_to(ROOT)}{'/' if path.is_dir() else ''}")
    say("")
    for folder in ("src/webkeras", "shaders", "encoder", "web", "tests", "tools"):
        lines = sum(len(file.read_bytes().splitlines()) for file in files_under(ROOT / folder) if _is_source(file))
        say(f"{lines:9d} lines  {folder}/")


def _is_source(file: Path) -> bool:
    return file.suffix in {".py", ".js", ".mjs", ".glsl", ".c", ".sh", ".html", ".css"}


if __name__ == "__main__":
    build()
