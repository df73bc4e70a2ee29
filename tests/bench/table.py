"""The bench's results as a table: one line an engine, grouped by model, with its ratio to the peer of the same kind."""

from typing import Any

KINDS = {"webgl": "WebGL2", "webgl2": "WebGL2", "wasm": "WASM"}
HEAD = [
    "model",
    "engine",
    "load",
    "first",
    "x",
    "median",
    "x",
    "min",
    "programs",
    "MiB",
    "peak",
    "left",
    "error",
    "drift",
]


def kind(row: dict[str, Any]) -> str:
    return KINDS.get(row["backend"], row["backend"])


def peer_of(row: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The TF.js row that a webkeras row is compared with: same model, same kind of backend."""
    if row["engine"] != "webkeras":
        return None
    same = (row["model"], kind(row), row.get("threads"))
    return next((r for r in rows if r["engine"] == "tfjs" and "failed" not in r
                 and (r["model"], kind(r), r.get("threads")) == same), None)  # fmt: skip


def cells(row: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    if "failed" in row:
        who = f"{row['engine']}:{row['backend']}" if "engine" in row else ""
        return [row["model"], who, f"failed: {row['failed']}"]
    peer = peer_of(row, rows)

    def ratio(key: str) -> str:
        return f"{row[key] / peer[key]:.2f}" if peer else ""

    def mib(key: str) -> str:
        return f"{row[key] / 2**20:.1f}" if row["programs"] else ""

    where = kind(row) + (f" x{row['threads']}" if row.get("threads") else "")
    return [row["model"], f"{row['name']} {where}", f"{row['load']:.0f}", f"{row['first']:.1f}", ratio("first"),
            f"{row['median']:.2f}", ratio("median"), f"{row['min']:.2f}", str(row["programs"] or ""),
            mib("bytes"), mib("peak"), mib("left"), f"{row['error']:.1e}", f"{row['drift']:.1e}"]  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """Lay out what the page POSTed: ms; `x`: the ratio to TF.js; MiB of textures now, at most, after disposal."""
    lines = []
    for result in results:
        if "startup" in result:
            r = result["startup"]
            told = r.get("failed") or f"{r['total']:.0f} ms (opened {r['opened']:.0f}, predicted {r['first']:.0f})"
            lines.append(f"start-up {r['round']}: {r['engine']}:{r['backend']} {told}")
        if "environment" in result:
            e = result["environment"]
            isolated = "" if e["isolated"] else ", not cross-origin isolated"
            lines.append(f"{e['renderer']}; {e['browser'].split()[-2]}; {e['cores']} cores{isolated}")
    rows = [r for r in results if "model" in r]
    body = [HEAD, *(cells(row, rows) for row in rows)]
    widths = [max(len(row[i]) for row in body if len(row) == len(HEAD)) for i in range(len(HEAD))]
    for row in body:
        padded = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        padded += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=False)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
