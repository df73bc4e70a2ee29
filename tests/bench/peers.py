"""The peers' libraries from npm: packed into the cache once, checked against their published integrity each time."""

import base64
import hashlib
import tarfile
from pathlib import Path

from tools.common import CACHE, fail, run, say

TFJS, LITERT, ORT = "4.22.0", "2.5.3", "1.30.0"
ORT_WASM = "dist/ort-wasm-simd-threaded"
LITERT_WASM = [f"wasm/litert_wasm_{kind}internal.{end}" for kind in ("", "threaded_") for end in ("js", "wasm")]
PACKAGES = {  # npm package: its sha512, the folder for it, the members to take and what to call them there
    f"@tensorflow/tfjs@{TFJS}": (
        "0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg==",
        "tfjs", {"dist/tf.min.js": "tf.min.js"},
    ),
    f"@tensorflow/tfjs-backend-wasm@{TFJS}": (
        "/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
        "tfjs", {f"dist/{name}": name for name in (
            "tf-backend-wasm.min.js", "tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm",
            "tfjs-backend-wasm-threaded-simd.wasm")},
    ),
    f"@litertjs/core@{LITERT}": (
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        "litert", {"dist/index.js": "core.js", **{name: name for name in LITERT_WASM}},
    ),
    f"@litertjs/wasm-utils@{LITERT}": (
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        "litert", {"dist/index.js": "wasm-utils.js"},
    ),
    f"onnxruntime-web@{ORT}": (
        "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        "ort", {"dist/ort.wasm.min.mjs": "ort.wasm.min.mjs",
                f"{ORT_WASM}.mjs": f"{Path(ORT_WASM).name}.mjs", f"{ORT_WASM}.wasm": f"{Path(ORT_WASM).name}.wasm"},
    ),
}  # fmt: skip


def packed(package: str, integrity: str) -> Path:
    """The package's file in the cache. Ends with a sentence where its sha512 is another."""
    folder = CACHE / "peers"
    file = folder / (package.lstrip("@").replace("/", "-").replace("@", "-") + ".tgz")
    if not file.exists():
        say(f"npm: {package} ...")
        folder.mkdir(parents=True, exist_ok=True)
        told = run("npm", "pack", "--silent", "--pack-destination", folder, package,
                   sentence=f"the peer {package} cannot be had from npm")  # fmt: skip
        (folder / told.strip().splitlines()[-1]).rename(file)
    with file.open("rb") as data:
        found = base64.b64encode(hashlib.file_digest(data, "sha512").digest()).decode()
    if found != integrity:
        file.unlink()
        fail(f"{package}: its sha512 is {found}, expected {integrity}")
    return file


def lay_out(bench: Path) -> None:
    """Every peer's files under `bench`."""
    for package, (integrity, folder, members) in PACKAGES.items():
        wanted = {member: bench / folder / name for member, name in members.items()}
        if all(target.exists() for target in wanted.values()):
            continue
        with tarfile.open(packed(package, integrity)) as archive:
            for member, target in wanted.items():
                source = archive.extractfile(f"package/{member}")
                assert source, member
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
