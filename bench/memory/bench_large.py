"""Compares allocators on workloads of large objects and prints tables."""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import allocators as allocator_list  # noqa: E402

WORKER = os.path.join(allocator_list.BUILD, "large_worker")
LONGEST = 120  # seconds of one run


def workloads():
    return subprocess.run([WORKER], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="script/bench-large",
        description="CPU time (user and system) of workloads of large objects, relative to the first "
        "allocator, with its 95 % interval, and peak RSS. In each round every allocator runs once, "
        "in a fresh process; the order rotates.")
    parser.add_argument("--workload", nargs="+", action="extend", choices=workloads(), default=[],
                        help="only these (default: all)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N",
                        help="how often each runs (default: 7)")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    arguments = allocator_list.parse_arguments(parser)
    if arguments.rounds < 1:
        allocator_list.complain("--rounds must be at least 1")
    return arguments


def run_once(workload, library):
    """CPU seconds, wall seconds and peak KiB of one run; or what went wrong, as text."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    if library:
        environment["LD_PRELOAD"] = library
    try:
        done = subprocess.run([WORKER, workload], env=environment, capture_output=True, text=True,
                              timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"took more than {LONGEST} s"
    if done.returncode:
        return f"exit code {done.returncode} {done.stderr.strip()}"
    cpu, wall, peak = done.stdout.split()
    return float(cpu), float(wall), int(peak)


def measure(workload, allocators, rounds):
    """Runs by name, and those that failed. Who fails once runs no more."""
    runs = {name: [] for name, _ in allocators}
    failed = {}
    for turn in range(rounds):
        order = [allocators[(turn + i) % len(allocators)] for i in range(len(allocators))]
        for name, library in order:
            if name in failed:
                continue
            outcome = run_once(workload, library)
            if isinstance(outcome, str):
                failed[name] = outcome
            else:
                runs[name].append(outcome)
    return {name: runs[name] for name in runs if name not in failed}, failed


def interval(ratios):
    """The middle 95 % of the medians of samples drawn from the ratios."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[-51]


def rows_of(runs, base):
    rows = []
    for name, of_name in runs.items():
        seconds = [cpu for cpu, _, _ in of_name]
        row = {"name": name, "cpu_seconds": statistics.median(seconds),
               "wall_seconds": statistics.median(wall for _, wall, _ in of_name),
               "peak_mb": statistics.median(peak for _, _, peak in of_name) * 1024 / 1e6}
        if base in runs:
            ratios = [cpu / other[0] for cpu, other in zip(seconds, runs[base])]
            row["ratio"] = statistics.median(ratios)
            row["low"], row["high"] = interval(ratios)
        rows.append(row)
    return rows


def print_result(workload, rows, failed, base, rounds):
    print(f"{workload} ({rounds} rounds)")
    print(f"{'allocator':<14} {'ratio':>8} {'95 % interval':>18} {'CPU, s':>10} {'wall, s':>10} "
          f"{'peak MB':>8}")
    for row in rows:
        ratio = f"{row['ratio']:.3f}" if "ratio" in row else ""
        bounds = ""
        if "ratio" in row and row["name"] != base:
            bounds = f"{row['low']:.3f} to {row['high']:.3f}"
        print(f"{row['name']:<14} {ratio:>8} {bounds:>18} {row['cpu_seconds']:>10.4f} "
              f"{row['wall_seconds']:>10.4f} {row['peak_mb']:>8.1f}")
    for name, why in failed.items():
        print(f"{name:<14} FAILED: {why}")
    print(flush=True)


def main():
    arguments = read_arguments()
    allocators = arguments.allocators or allocator_list.usual_after_hakmem()
    base = allocators[0][0]
    results = []
    for workload in arguments.workload or workloads():
        runs, failed = measure(workload, allocators, arguments.rounds)
        rows = rows_of(runs, base)
        print_result(workload, rows, failed, base, arguments.rounds)
        results.append({"workload": workload, "allocators": rows, "failed": failed})
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=1)
    return 1 if any(result["failed"] for result in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
