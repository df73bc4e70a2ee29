"""Writes the table of layers in README.md from the layers themselves: python -m tools.support"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from webkeras.layers import LAYERS
from webkeras.layers.activation import ACTIVATIONS

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- layers: python -m tools.support -->\n", "<!-- /layers -->\n"


def table() -> str:
    """A row a family; of a layer's names the first, which is Keras 3's."""
    families: dict[str, list[str]] = {}
    seen = set()
    for name, cls in LAYERS.items():
        if cls.__module__.startswith("webkeras.layers.") and cls not in seen:
            seen.add(cls)
            families.setdefault(cls.__module__.rpartition(".")[2].replace("_", " "), []).append(name)
    rows = [f"| {family} | {', '.join(names)} |" for family, names in sorted(families.items())]
    rows.append(f"| activation functions | {', '.join(sorted(ACTIVATIONS))} |")
    return "\n".join(["| family | layers |", "|---|---|", *rows]) + "\n"


def updated(readme: str) -> str:
    """The text with its table made anew."""
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: BEGIN + table() + END, readme, flags=re.S)


if __name__ == "__main__":
    file = ROOT / "README.md"
    file.write_text(updated(file.read_text()))
