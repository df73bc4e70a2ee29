"""The declarations of webkeras.js, by TypeScript's own compiler, on programs that use all of them."""

import shutil
from pathlib import Path

from tools.common import CACHE, ROOT, run

TYPESCRIPT = "typescript@5.9.3"
OPTIONS = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext"]


def compiler():
    """tsc.js, from npm."""
    folder = CACHE / TYPESCRIPT
    if not (folder / "package/lib/tsc.js").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("npm", "pack", "--silent", TYPESCRIPT, cwd=folder, sentence=f"{TYPESCRIPT} cannot be had from npm")
        run("tar", "-xzf", next(folder.glob("*.tgz")), cwd=folder, sentence=f"{TYPESCRIPT} cannot be unpacked")
    return folder / "package/lib/tsc.js"


def test_programs_that_use_everything_compile(tmp_path):
    for file in [*(ROOT / "web").glob("webkeras.*"), *(Path(__file__).parent / "types").iterdir()]:
        shutil.copy(file, tmp_path)
    command = ["node", compiler(), *OPTIONS, "module.mts", "script.ts"]
    assert run(*command, cwd=tmp_path, sentence="the types do not hold") == ""
