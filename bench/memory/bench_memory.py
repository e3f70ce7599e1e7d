"""Compares how much memory allocators hold; prints Markdown tables."""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import allocators as allocator_list  # noqa: E402
import plot_phases  # noqa: E402

WORKER = os.path.join(allocator_list.BUILD, "memory_worker")
PATIENCE = 120  # seconds beyond what a workload takes by design


class Failure(Exception):
    """What the allocator, or the program under it, did wrong."""


def run_worker(library, words, seconds):
    """The worker's figures, under the library."""
    environment = {**os.environ, "LD_PRELOAD": library}
    try:
        done = subprocess.run([WORKER, *map(str, words)], env=environment, capture_output=True,
                              text=True, timeout=seconds + PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise Failure("hung") from error
    complaint = (done.stderr.strip().splitlines() or ["(no message)"])[-1]
    if done.returncode:
        raise Failure(f"ended with {done.returncode}: {complaint}")
    if "cannot be preloaded" in done.stderr:
        raise Failure(complaint)
    return json.loads(done.stdout)


class Footprint:
    """Cells of one run each, without turns: resident memory does not depend on the machine's mood."""

    def __init__(self, title, cells, figure):
        self.title, self.cells, self.figure = title, cells, figure

    def measure(self, allocators, _):
        for name, library in allocators:
            figures = {}
            for label, words in self.cells.items():
                try:
                    figures[label] = round(self.figure(run_worker(library, words, 10)), 2)
                except Failure as failure:
                    figures[label] = str(failure)
            yield name, figures


class Phases:
    def __init__(self, count):
        self.count = count
        self.title = (f"phases: RSS over live bytes at the end of each of {count} phases, and when all "
                      "is over")

    def measure(self, allocators, arguments):
        for name, library in allocators:
            words = ["phases", self.count, round(arguments.seconds * 1000), arguments.percent]
            try:
                report = run_worker(library, words, arguments.seconds * 2)
            except Failure as failure:
                yield name, {"worst": str(failure)}
                continue
            ratios = [rss / live for _, _, live, rss in report["samples"]]
            *phases, end = ratios
            yield name, {"worst": round(max(phases), 2), "mean": round(sum(phases) / len(phases), 2),
                         "end": round(end, 2), "peak MB": round(report["peak_kib"] * 1024 / 1e6),
                         "ratios": [round(ratio, 3) for ratio in ratios]}


GIB = 1024
WAIT_MS = 1500

# A workload is one line here and one in memory_worker's workload.h.
WORKLOADS = {
    "aftermath": Footprint(
        "aftermath: RSS in MB, 1.5 s after 1 GiB of objects of one size was freed",
        {label: ["aftermath", size, GIB, WAIT_MS]
         for label, size in (("64 B", 64), ("1 KiB", 1024), ("100 KB", 100_000))},
        lambda figures: figures["rss_kib"] * 1024 / 1e6),
    "sparse": Footprint(
        "sparse: RSS over live bytes after so much of 1.5 million objects of 32 to 511 B was freed",
        {f"{percent} % {how}": ["sparse", 1_500_000, percent, run, 1200]
         for how, run in (("in runs", 64), ("at random", 1)) for percent in (50, 75, 90, 95, 98)},
        lambda figures: figures["rss_kib"] / figures["live_kib"]),
    "phases": Phases(40),
}


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="script/bench-memory",
        description="How much memory allocators hold after their program has freed most of it. Prints "
        "Markdown tables.")
    parser.add_argument("--workload", nargs="+", action="extend", choices=WORKLOADS, default=[],
                        help="only these (default: all)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S",
                        help="length of `phases` (default: 60)")
    parser.add_argument("--percent", type=int, default=100, metavar="P",
                        help="amount of memory in `phases` (default: 100)")
    parser.add_argument("--json", metavar="FILE",
                        help="keep all figures there; allocators that are not measured this time "
                        "keep theirs, and stand in the tables and the plot")
    parser.add_argument("--plot", metavar="FILE.svg", help="draw `phases`")
    arguments = allocator_list.parse_arguments(parser)
    if not (0.1 <= arguments.seconds <= 86400 and 1 <= arguments.percent <= 100):
        allocator_list.complain("--seconds or --percent makes no sense")
    return arguments


def print_table(title, rows):
    heads = []
    for figures in rows.values():
        heads += [head for head in figures if head not in heads and head != "ratios"]
    print(f"{title}\n\n| allocator | {' | '.join(heads)} |")
    print("|---" * (len(heads) + 1) + "|")
    for name, figures in rows.items():
        print(f"| {name} | {' | '.join(str(figures.get(head, '')) for head in heads)} |")
    print(flush=True)


def read_kept(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def keep(path, kept):
    """A line for each allocator, so that changes can be read."""
    blocks = []
    for workload, rows in kept.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(figures)}" for name, figures in rows.items()]
        blocks.append(f" {json.dumps(workload)}: {{\n" + ",\n".join(lines) + "\n }")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(blocks) + "\n}\n")


def main():
    arguments = read_arguments()
    allocators = arguments.allocators or allocator_list.usual_after_hakmem()
    kept = read_kept(arguments.json)
    failed = False
    for workload in arguments.workload or WORKLOADS:
        rows = kept.setdefault(workload, {})
        for name, figures in WORKLOADS[workload].measure(allocators, arguments):
            rows[name] = figures
            failed |= any(isinstance(figure, str) for figure in figures.values())
            if arguments.json:
                keep(arguments.json, kept)
        print_table(WORKLOADS[workload].title, rows)
    if arguments.plot and kept.get("phases"):
        plot_phases.draw(arguments.plot, {name: figures["ratios"] for name, figures in
                                          kept["phases"].items() if "ratios" in figures})
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
