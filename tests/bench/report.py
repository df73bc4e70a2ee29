"""BENCH.md from what was measured (results/*.json, one a machine), the targets and the files written by hand."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench import targets
from tests.bench.table import kind

HERE = Path(__file__).resolve().parent
RESULTS, REASONS, TRIED = HERE / "results", HERE / "reasons.toml", HERE / "tried.md"
Row = dict[str, Any]

HEAD = """# Benchmarks

Written by `python tests/bench/run.py` (the figures, from a real run); the words are those of `tests/bench/reasons.toml`
and `tests/bench/tried.md`. Not edited by hand.

Batch 1, float32, the same model in the same browser in the same run, and on the GPU each model in a browser of its own;
the engines take turns of five predictions. webkeras is timed on the GPU in its Web Worker, where it lives by default.
Milliseconds, upload of the input and download of the output included. *first*: the first prediction, and all that was
planned and compiled for it, but neither the time in which weights were still on their way nor the GPU's self-test,
during both of which programs compile; on the GPU the median of three visits of this engine alone, each in a browser of
its own, for who comes second finds a GPU process that has grown; what drivers keep of programs on disk is switched off
(`__GL_SHADER_DISK_CACHE=0`); *x*: webkeras' time as a share of the peer's, beside the share that is to be reached;
*error*: the largest difference from genuine Keras, relative to the largest value.
"FALLS SHORT" means what it says.
"""


STARTUP = """From page open (the navigation's start) to the first answer of the MNIST CNN, files in the browser's cache:
medians of the later visits, and the first one (empty cache) beside them. Parts: *page*: the page's own script and
io.json are there; *script*: the library's has run; then what `model.stats` says of that visit, and when each file came.
"""


class Machine:
    """One results file, by what its rows say."""

    def __init__(self, name: str, results: list[Row]) -> None:
        self.name = name
        found: dict[str, list[Any]] = {}
        for result in results:
            for key in ("machine", "environment", "startup", "weights"):
                if key in result:
                    found.setdefault(key, []).append(result[key])
        self.about: Row = (found.get("machine") or [{}])[-1]
        self.environment: Row = found["environment"][0]
        self.startup: list[Row] = found.get("startup", [])
        self.weights: dict[str, int] = (found.get("weights") or [{}])[-1]
        self.rows = [r for r in results if "engine" in r]
        self.software = targets.is_software(self.environment)

    def models(self, where: str) -> list[str]:
        seen = {r["model"] for r in self.rows if kind(r) == where}
        return [m for m in targets.WEBGL2 if m in seen] + sorted(seen - set(targets.WEBGL2))

    def row(self, model: str, engine: str, where: str, threads: int | None = None) -> Row | None:
        return next((r for r in self.rows if (r["model"], r["engine"], kind(r)) == (model, engine, where)
                     and (threads is None or r.get("threads") == threads)), None)  # fmt: skip


def load() -> list[Machine]:
    """Every machine's results; the software ones first."""
    found = [Machine(file.stem, json.loads(file.read_text())) for file in sorted(RESULTS.glob("*.json"))]
    return sorted(found, key=lambda m: (not m.software, m.name))


def table(head: list[str], body: Iterable[list[str]]) -> str:
    """Figures to the right, words to the left."""
    words = {"model", "engine", "verdict", "parts"}
    lines = [head, ["---" if name in words else "---:" for name in head], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


class Report:
    """The sections, and how many targets were met."""

    def __init__(self, machines: list[Machine], reasons: dict[str, str], tried: str) -> None:
        self.machines, self.reasons, self.tried = machines, reasons, tried
        self.unused = set(reasons)
        self.met: list[str] = []
        self.short: list[str] = []

    def judge(self, key: str, value: float, target: float) -> tuple[str, str]:
        """(the share beside its target, what falls short and why)."""
        told = f"{value:.3f} (<= {target:g})"
        if value <= target:
            self.met.append(key)
            return told, ""
        self.short.append(key)
        self.unused.discard(key)
        return f"**{told}**", f"FALLS SHORT: {key.split()[-1]}: {self.reasons.get(key, 'reason not found yet')}"

    def text(self) -> str:
        body = [self.about(), self.webgl2(), self.cpu(), self.startup()]
        summary = f"Targets met: {len(self.met)} of {len(self.met) + len(self.short)}."
        if self.short:
            summary += " Falling short: " + ", ".join(f"`{key}`" for key in self.short) + "."
        parts = [HEAD, summary + "\n", *body, "## Tried, did not pay\n", self.tried]
        return "\n".join(parts).rstrip() + "\n"

    def about(self) -> str:
        lines = []
        for m in self.machines:
            a, e = m.about, m.environment
            load = ", ".join(f"{key} {value:.1f}" for key, value in a.get("load", {}).items()) or "not recorded"
            noisy = " **The machine was busy with other work: these figures are noisy.**" if a.get("noisy") else ""
            lines.append(
                f"- **{m.name}**: {a.get('cpu', 'processor not recorded')}, {a.get('cores', e['cores'])} cores, "
                f"{a.get('memory_gib', '?')} GiB; {browser(m)}; {e['renderer']}; "
                f"{'' if e['isolated'] else 'not '}cross-origin isolated; {a.get('date', 'date not recorded')}; "
                f"{a.get('n', '?')} predictions timed; load average (the bench's own work included): {load}."
                f"{noisy}{' ' + a['note'] if 'note' in a else ''}"
            )
        return "## Machines\n\n" + "\n".join(lines) + "\n"

    def webgl2(self) -> str:
        out = ["## WebGL2\n"]
        for m in self.machines:
            models = [*targets.WEBGL2, *(n for n in m.models("WebGL2") if n not in targets.WEBGL2)]
            if m.models("WebGL2"):
                where = "software WebGL2" if m.software else "GPU"
                out.append(f"On **{m.name}** ({where}); the peer is TF.js' webgl.\n")
                head = "model|engine|first|x first|median|x median|min|programs|texture MiB|weights MiB|error|verdict"
                out.append(table(head.split("|"), (line for model in models for line in self.gl_lines(m, model))))
        return "\n".join(out)

    def gl_lines(self, m: Machine, model: str) -> Iterable[list[str]]:
        peer = m.row(model, "tfjs", "WebGL2")
        for engine in ("tfjs", "webkeras"):
            r = m.row(model, engine, "WebGL2")
            if r is None:
                yield [model, engine, *["not measured"], *[""] * 9]
                continue
            if "failed" in r:
                yield [model, engine, failure(r), *[""] * 9]
                continue
            shares, words = {"first": "", "median": ""}, []
            if engine == "webkeras" and peer and "failed" not in peer and model in targets.WEBGL2:
                section = "webgl2" if m.software else "webgl2-gpu"
                for key in shares:
                    target = targets.webgl2(model, key, m.software)
                    shares[key], word = self.judge(f"{section} {model} {key}", r[key] / peer[key], target)
                    words.append(word)
            verdict = "; ".join(w for w in words if w) or ("ok" if words else "")
            yield [model, r["name"], f"{r['first']:.0f}", shares["first"], f"{r['median']:.1f}", shares["median"],
                   f"{r['min']:.1f}", str(r.get("programs", "")), mib(r.get("bytes")), mib(m.weights.get(model)),
                   f"{r['error']:.1e}", verdict]  # fmt: skip

    def cpu(self) -> str:
        out = ["## CPU\n", "Share of each peer's median at the same number of threads; targets are for one thread, and "
               "for ResNet50 with two.\n"]  # fmt: skip
        for m in self.machines:
            models = m.models("WASM")
            if models:
                out.append(f"On **{m.name}**.\n")
                head = "model|threads|webkeras first|median|min|TF.js|x|LiteRT.js|x|ORT-web|x|error|verdict"
                body = [self.cpu_line(m, model, threads) for model in models for threads in (1, 2)]
                out.append(table(head.split("|"), body))
                out.append("\n".join([*notes(m), ""]))
                sizes = m.about.get("modules")
                if sizes:
                    told = ", ".join(f"{name} {size} bytes" for name, size in sizes.items())
                    ok = max(sizes.values()) <= targets.MODULE_BYTES
                    out.append(f"Modules: {told} (<= {targets.MODULE_BYTES} each: {'ok' if ok else 'FALLS SHORT'}).\n")
        return "\n".join(out)

    def cpu_line(self, m: Machine, model: str, threads: int) -> list[str]:
        mine = m.row(model, "webkeras", "WASM", threads)
        good = mine is not None and "failed" not in mine
        words: list[str] = []
        cells: list[str] = []
        for engine in ("tfjs", "litert", "ort"):
            r = m.row(model, engine, "WASM", threads)
            if r is None or "failed" in r:
                cells += ["not measured" if r is None or r["failed"].startswith("not measured") else "failed", ""]
                continue
            share = ""
            if good and mine:
                value, target = mine["median"] / r["median"], targets.WASM.get(model, {}).get(engine)
                if threads == 1 and target is not None:
                    share, word = self.judge(f"wasm-1 {model} {engine}", value, target)
                    words.append(word)
                else:
                    share = f"{value:.2f}"
            cells += [f"{r['median']:.2f}", share]
        one = m.row(model, "webkeras", "WASM", 1)
        if threads == 2 and model in targets.TWO_THREADS and good and mine and one and "failed" not in one:
            least = 1 / targets.TWO_THREADS[model]
            share, word = self.judge(f"wasm-2 {model} threads", mine["median"] / one["median"], least)
            words.append(word or f"ok: {one['median'] / mine['median']:.2f} times one thread")
        if not good or mine is None:
            return [model, str(threads), failure(mine), "", "", *cells, "", ""]
        verdict = "; ".join(w for w in words if w) or ("ok" if words else "")
        return [model, str(threads), f"{mine['first']:.1f}", f"{mine['median']:.2f}", f"{mine['min']:.2f}", *cells,
                f"{mine['error']:.1e}", verdict]  # fmt: skip

    def startup(self) -> str:
        out = ["## Start-up\n", STARTUP]
        for m in self.machines:
            engines = list(dict.fromkeys((r["engine"], r["backend"]) for r in m.startup))
            if not engines:
                continue
            out.append(f"On **{m.name}**.\n")
            median = {e: total(m.startup, *e) for e in engines}
            peer = median.get(("tfjs", "webgl"))
            body = [self.startup_line(m, engine, median[engine], peer) for engine in engines]
            head = "engine|first visit|later visits|min|library and model|first prediction|parts|verdict"
            out.append(table(head.split("|"), body))
        return "\n".join(out)

    def startup_line(self, m: Machine, who: tuple[str, str], median: float | None, peer: float | None) -> list[str]:
        rows = [r for r in m.startup if (r["engine"], r["backend"]) == who]
        good = [r for r in rows if "failed" not in r]
        name = " ".join(who)
        if median is None:
            return [name, failure(rows[0]), *[""] * 6]
        later = sorted((r for r in good if r["round"]), key=lambda r: r["total"])
        middle = later[len(later) // 2]
        cold = next((f"{r['total']:.0f}" for r in good if r["round"] == 0), "")
        words = []
        if who == ("webkeras", "auto"):
            words.append(self.judge("startup mnist_cnn total", median / targets.STARTUP_MS, 1)[1])
            if peer:
                words.append(self.judge("startup mnist_cnn tfjs", median / peer, targets.STARTUP_SHARE)[1])
            words.append(f"{median / targets.STARTUP_MS:.2f} times {targets.STARTUP_MS} ms")
            words.append(f"{median / peer:.2f} times TF.js (<= {targets.STARTUP_SHARE})" if peer else "")
        chosen = f" ({middle['chosen']})" if middle.get("chosen") not in (None, who[1]) else ""
        return [f"{middle['name']} {who[1]}{chosen}", cold, f"{median:.0f}", f"{later[0]['total']:.0f}",
                f"{middle['opened']:.0f}", f"{middle['first']:.0f}", parts(middle),
                "; ".join(w for w in words if w)]  # fmt: skip


def notes(m: Machine) -> list[str]:
    """What a cell has no room for: why an engine did not answer, and who took fewer threads than asked for."""
    told = set()
    for r in (r for r in m.rows if kind(r) == "WASM"):
        if "failed" in r:
            told.add(f"- {r['model']}, {r['engine']}: {failure(r)}")
        elif r.get("own_threads") not in (None, r["threads"]):
            told.add(f"- {r['name']}, asked for {r['threads']} threads, says that it has {r['own_threads']}")
    return sorted(told)


def total(rows: list[Row], engine: str, backend: str) -> float | None:
    """The median of the visits after the first one."""
    mine = [r for r in rows if (r["engine"], r["backend"]) == (engine, backend)]
    found = sorted(r["total"] for r in mine if "failed" not in r and r["round"])
    return found[len(found) // 2] if found else None


def parts(row: Row) -> str:
    own = row.get("own", {})
    told = {"page": row["page"], **({"script": row["script"]} if row.get("script") else {})}
    told |= {key: value for key, value in own.items() if isinstance(value, float | int) and key != "textures"}
    told |= {f"{kind} file": about["ms"] for kind, about in own.get("files", {}).items()}
    return ", ".join(f"{key} {value:.0f}" for key, value in told.items() if not isinstance(value, bool))


def browser(m: Machine) -> str:
    name = m.about.get("browser")
    return str(name) if name else next((w for w in m.environment["browser"].split() if "Chrome/" in w), "browser")


def failure(row: Row | None) -> str:
    if row is None:
        return "not measured"
    told = str(row["failed"]).replace("|", "/")
    return told if told.startswith("not measured") else f"failed: {told}"


def mib(size: int | None) -> str:
    return f"{size / 2**20:.1f}" if size else ""


def write(target: Path) -> str:
    """Write BENCH.md and return what to say: reasons that no row asks for are told, for they may be out of date."""
    report = Report(load(), tomllib.loads(REASONS.read_text()), TRIED.read_text())
    target.write_text(report.text())
    unused = f"; no row asks for the reasons {sorted(report.unused)}" if report.unused else ""
    return f"{target.name}: {len(report.met)} targets met, {len(report.short)} fall short{unused}"
