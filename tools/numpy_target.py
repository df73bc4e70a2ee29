"""Tells a Debian root folder how Pyodide's Python was configured: python3 tools/numpy_target.py STDLIB_ZIP ROOT.

Writes ROOT/target/_sysconfigdata*.py, for whoever asks sysconfig, and ROOT/target/include: the headers of the folder's
own Python, which is of the same version, but with the target's answers in pyconfig.h.
"""

import re
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

SYSCONFIG = "_sysconfigdata__emscripten_wasm32-emscripten.py"
# Set by Python's configure script from its own text, so that sysconfig does not know them.
ALWAYS = {
    "_GNU_SOURCE": 1,
    "_DEFAULT_SOURCE": 1,
    "_POSIX_C_SOURCE": "200809L",
    "_XOPEN_SOURCE": 700,
    "_XOPEN_SOURCE_EXTENDED": 1,
    "_LARGEFILE_SOURCE": 1,
    "_FILE_OFFSET_BITS": 64,
}


def main(stdlib: Path, root: Path) -> None:
    target = root / "target"
    with zipfile.ZipFile(stdlib) as archive:
        archive.extract(SYSCONFIG, target)
    answers = runpy.run_path(str(target / SYSCONFIG))["build_time_vars"]

    headers = f"python{answers['VERSION']}"
    shutil.rmtree(target / "include", ignore_errors=True)
    shutil.copytree(root / "usr/include" / headers, target / "include")
    (own,) = (root / "usr/include").glob(f"*-linux-gnu/{headers}/pyconfig.h")
    (target / "include/pyconfig.h").write_text(pyconfig(own.read_text(), answers))

    answers |= {"INCLUDEPY": "/target/include", "CONFINCLUDEPY": "/target/include"}
    (target / SYSCONFIG).write_text(f"build_time_vars = {answers!r}\n")


def pyconfig(own: str, answers: dict[str, object]) -> str:
    """The macros that the folder's pyconfig.h speaks of, with the target's values."""
    macros = dict(ALWAYS)
    for name in re.findall(r"^(?:#define|/\* #undef|#undef) (\w+)", own, re.M):
        value = answers.get(name)
        if value is not None and (value != 0 or name.startswith("SIZEOF")):
            macros.setdefault(name, value)
    defines = "".join(f"#define {name} {value}\n" for name, value in macros.items())
    return f"#ifndef Py_PYCONFIG_H\n#define Py_PYCONFIG_H\n{defines}#endif\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
