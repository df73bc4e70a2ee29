"""The C kernels -> src/webkeras/backends/wasm/*.wasm:  python -m tools.build_wasm

Two modules of the same sources: kernels.wasm (SIMD128) and kernels_relaxed.wasm (with fused multiply-add). zig's clang
needs no installation of its own; the modules use no library. The memory is imported and shared, so that workers can
join; machine.js changes the one byte that says "shared" where the page is not isolated.
"""

import sys
from pathlib import Path

from tools.common import ROOT, fail, run, say, step

FOLDER = ROOT / "src/webkeras/backends/wasm"
SOURCES = sorted((FOLDER / "csrc").glob("*.[ch]"))
MODULES = {"kernels.wasm": [], "kernels_relaxed.wasm": ["-mrelaxed-simd"]}
FLAGS = ["-target", "wasm32-freestanding", "-std=gnu11", "-O3", "-g0", "-s", "-nostdlib"]
FLAGS += ["-fno-strict-aliasing", "-ffp-contract=off"]
FLAGS += ["-msimd128", "-mbulk-memory", "-matomics", "-Wall", "-Wextra", "-Werror"]
# LSR's pointers lose what lets constant offsets fold into the loads.
FLAGS += ["-mllvm", "-disable-lsr", "-fno-slp-vectorize", "-fno-vectorize"]
LINK = ["-Wl,--no-entry", "-Wl,--import-memory", "-Wl,--shared-memory"]
LINK += ["-Wl,--max-memory=4294901760", "-Wl,-z,stack-size=65536"]
LINK += ["-Wl,--export=__stack_pointer", "-Wl,--export=__heap_base"]
LIMIT = 150_000  # bytes a module


def modules() -> list[Path]:
    return [FOLDER / name for name in MODULES]


def build() -> None:
    for name, extra in MODULES.items():
        out = FOLDER / name
        sources = [source for source in SOURCES if source.suffix == ".c"]
        run(sys.executable, "-m", "ziglang", "cc", *FLAGS, *LINK, *extra, "-o", out, *sources,
            sentence=f"{name} cannot be compiled; ziglang comes with tools/requirements.txt")  # fmt: skip
        size = out.stat().st_size
        say(f"  {name}: {size} bytes")
        if size > LIMIT:
            fail(f"{name} has {size} bytes; expected at most {LIMIT}")


def built() -> None:
    """`build`, where a source has changed."""
    step("WebAssembly kernels", modules()[-1], [Path(__file__), *SOURCES], build)


if __name__ == "__main__":
    built()
