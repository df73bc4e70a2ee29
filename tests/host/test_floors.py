"""Imports point down only: the floor plan of src/webkeras, read from the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/webkeras"

# From the ground up. A room (a module, or a folder with all in it) knows the floors below it, not its neighbours.
FLOORS = [
    {"errors", "lazy", "version", "serve"},
    {"shapes", "expr", "text", "buffer"},
    {"graph", "format", "spec", "hdf5", "kept"},
    {"ops", "weights", "dialects"},
    {"layers", "passes", "plan", "matching", "shards"},
    {"trace", "backends"},
    {"files"},
    {"model"},
    {"loading"},
    {"fetch"},
    {"page", "cli"},
    {"__init__"},
]
# (who, whom): looked up when it runs, not when it is imported.
EXCEPTIONS = {
    ("graph", "ops"),  # x + y on a Value means ops.add
}
BROWSER = {"js", "pyodide", "pyodide_js"}
TOUCH_THE_BROWSER = {
    "backends/crossing.py",
    "backends/webgl2/context.py",
    "backends/wasm/module.py",
    "fetch.py",
    "page.py",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> set[str]:
    """The dotted names that a file imports, anywhere in it; `from a import b` gives a.b."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import; write it in full, so that this test can read it"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    (level,) = [i for i, rooms in enumerate(FLOORS) if name in rooms] or pytest.fail(f"{name} is no room in FLOORS")
    return level


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file):
    me = room(file)
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "webkeras":
            continue
        other = parts[1]
        if other != me and (me, other) not in EXCEPTIONS:
            assert floor(other) < floor(me), f"{me} (floor {floor(me)}) imports {name} (floor {floor(other)})"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_few_modules_touch_the_browser_or_numpy(file):
    tops = {name.split(".")[0] for name in imports(file)}
    where = str(file.relative_to(PACKAGE))
    assert where in TOUCH_THE_BROWSER or not tops & BROWSER
    assert where == "lazy.py" or "numpy" not in tops, "take numpy from webkeras.lazy"
    assert not tops & {"h5py", "keras", "tensorflow"}, "those are for encoder/ and the makers of goldens"


def test_encoder_knows_files_and_nothing_that_computes():
    """What is in a file, and where: the encoder and the page must not differ."""
    allowed = {
        "errors",
        "lazy",
        "shapes",
        "text",
        "format",
        "buffer",
        "files",
        "dialects",
        "hdf5",
        "matching",
        "spec",
        "weights",
    }
    for file in (ROOT / "encoder").rglob("*.py"):
        for name in imports(file):
            parts = name.split(".")
            assert parts[0] != "webkeras" or parts[1] in allowed, f"{file.name} imports {name}"


def test_sources_fit_on_a_page_that_a_person_reads():
    folders = ("src", "encoder", "shaders", "web", "tests", "tools")
    kinds = {".py", ".js", ".mjs", ".c", ".glsl", ".css", ".html", ".sh"}
    files = (file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in kinds)
    long = {str(f.relative_to(ROOT)): n for f in files if (n := len(f.read_text().splitlines())) > 400}
    assert not long, f"over 400 lines: {long}; is there a second room inside?"
