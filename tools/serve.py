"""Serves dist/web, or any folder: python -m tools.serve [FOLDER] [PORT]. The server itself is webkeras/serve.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from tools.common import WEB
from webkeras import serve
from webkeras.serve import Handler, serving

__all__ = ["Handler", "serve_until_interrupted", "serving"]


def serve_until_interrupted(folder: Path = WEB, port: int = 0) -> None:
    serve.serve_until_interrupted(folder, port)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WEB
    serve_until_interrupted(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
