"""Runs inside Pyodide (see compile.mjs): /in.whl -> /out.whl, with a .pyc for each .py and a RECORD that lists them."""

import base64
import hashlib
import importlib.util
import py_compile
import site
import zipfile
from pathlib import Path

with zipfile.ZipFile("/in.whl") as wheel:
    files = {name: wheel.read(name) for name in wheel.namelist()}
for name in sorted(files):
    if name.endswith(".py"):
        Path("/source.py").write_bytes(files[name])
        py_compile.compile(
            "/source.py",
            "/source.pyc",
            dfile=f"{site.getsitepackages()[0]}/{name}",  # where it will lie: tracebacks find their lines
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        files[importlib.util.cache_from_source(name)] = Path("/source.pyc").read_bytes()

record = next(name for name in files if name.endswith(".dist-info/RECORD"))
del files[record]
lines = []
for name, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    lines.append(f"{name},sha256={digest},{len(data)}\n")
files[record] = "".join([*lines, f"{record},,\n"]).encode()

with zipfile.ZipFile("/out.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
    for name, data in files.items():  # one date for all, so that equal sources give equal wheels
        entry = zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0))
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        wheel.writestr(entry, data)
