"""What `import prefect_nbviz` costs beside `import pandas` alone: medians of runs side by side.

    python tests/benchmarks/import_time.py [--runs 15]

Each is timed in a new interpreter that imports nothing else; the two take turns, so that a noisy
machine slows both. Goal: a ratio of 1.2 at most.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_CODE = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def seconds(module: str) -> float:
    answer = subprocess.run([sys.executable, "-c", _CODE.format(module)], check=True, capture_output=True, text=True)
    return float(answer.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    pairs = [(seconds("pandas"), seconds("prefect_nbviz")) for _ in range(runs + 1)][1:]
    pandas, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"import: pandas {pandas:.3f} s, prefect_nbviz {ours:.3f} s, ratio {ours / pandas:.2f} (goal 1.20), {runs} runs"
    )


if __name__ == "__main__":
    main()
