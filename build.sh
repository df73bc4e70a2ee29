#!/usr/bin/env bash
# ./build.sh                 the wheel, the Pyodide runtime and the pages -> dist/
# ./build.sh demo [--once]   all of that, then the demo models answer in headless Chromium; serves dist/web (--once: ends)
# ./build.sh test            everything that must pass
set -euo pipefail
cd "$(dirname "$0")"
usage() { sed -n '2,4s/^# //p' build.sh; }

command=${1:-build}
case $command in
  build | demo | test) ;;
  help | --help | -h) usage; exit ;;
  *) echo "error: build.sh has no command '$command'" >&2; usage >&2; exit 2 ;;
esac
shift || true

. tools/setup.sh
need_node
need_python
case $command in
  build) python -m tools.build ;;
  demo)
    need_chromium
    python -m tools.build
    python -m tools.demo "$@" ;;
  test)
    need_chromium
    need_firefox
    need_compiler
    python -m tools.build_wasm
    # The first build takes minutes and waits much: meanwhile, what needs neither the page nor Pyodide is tested.
    python -m tools.build &
    building=$!
    trap 'kill $building 2>/dev/null || true' EXIT
    ruff check .
    mypy
    # A process a core; a file's tests stay together, for what they share is made once. The build has the right of way.
    nice pytest -n auto --dist loadfile tests/host
    wait $building
    # Browsers wait a lot: one more than there are cores.
    pytest -n $(($(nproc) + 1)) --dist loadfile tests/browser --rt "${RT:-chrome,node}" "$@" ;;
esac
