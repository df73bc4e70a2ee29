"""What the bench ran on, and how busy that was:  python tests/bench/machine.py  prints it as a line for --read."""

import datetime
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any


class Load:
    """Samples of the load average of the last minute; what the bench's own browser does is in them."""

    def __init__(self) -> None:
        self.samples = [os.getloadavg()[0]]

    def sample(self) -> None:
        self.samples.append(os.getloadavg()[0])

    def told(self) -> dict[str, float]:
        middle = statistics.median(self.samples)
        return {"start": self.samples[0], "median": middle, "max": max(self.samples)}


def described(**more: Any) -> dict[str, Any]:
    """Processor, cores, memory, system, the date in UTC."""
    cpu, kib = platform.processor() or platform.machine(), 0
    if Path("/proc/cpuinfo").exists():
        names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name")]  # fmt: skip
        cpu = names[0] if names else cpu
        kib = int(Path("/proc/meminfo").read_text().split()[1])
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(kib / 2**20)}
    return {**about, "system": platform.system(), "date": date, **more}


if __name__ == "__main__":
    print(json.dumps({"machine": described(load={"start": os.getloadavg()[0]})}))
