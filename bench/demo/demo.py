#!/usr/bin/python3
"""Runs real programs under several allocators, in turn, and prints CPU time and peak RSS."""
import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import allocators as allocator_list
import programs as program_list

MEASURE = os.path.join(allocator_list.BUILD, "measure_run")
LONGEST_RUN = 20  # seconds; a program that takes longer hangs


@dataclass(frozen=True)
class Run:
    seconds: float = 0  # user and system
    peak: float = 0  # MB
    output: str = ""  # a digest of all that the program wrote
    fault: str = ""


def run(program, library, folder):
    """One run of `program` in `folder`; a Run whose `fault` says what went wrong, if anything did."""
    output = os.path.join(folder, "output")
    artifact = program.artifact and os.path.join(folder, program.artifact)
    if artifact and os.path.exists(artifact):
        os.remove(artifact)
    environment = dict(os.environ, LC_ALL="C", PYTHONHASHSEED="0", TMPDIR=folder)
    process = subprocess.Popen([MEASURE, library, program.stdin, output, *program.command],
                               cwd=folder, env=environment, text=True, errors="replace",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        figures, errors = process.communicate(timeout=LONGEST_RUN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Run(fault=f"no end after {LONGEST_RUN} s")
    if "cannot be preloaded" in errors:
        return Run(fault=first_line(errors))
    code, killer, user, system, peak = (int(word) for word in figures.split()[:5])
    if killer:
        return Run(fault=f"killed by {signal.Signals(killer).name}. {first_line(errors)}")
    if code:
        return Run(fault=f"exit code {code}. {first_line(errors)}")
    return Run((user + system) / 1e6, peak * 1024 / 1e6, digest(output, artifact))


def first_line(text):
    return text.strip().partition("\n")[0]


def digest(*paths):
    total = hashlib.sha256()
    for path in filter(None, paths):
        with open(path, "rb") as file:
            total.update(file.read())
    return total.hexdigest()


class Progress:
    """One line that is written over on a terminal; now and then a line of its own elsewhere."""

    def __init__(self, budget):
        self.start = time.monotonic()
        self.budget = budget
        self.width = 0
        self.quiet_until = 0

    def elapsed(self):
        return time.monotonic() - self.start

    def show(self, text):
        left = max(0, round(self.budget - self.elapsed()))
        line = f"  {text}, about {left} s left"
        if sys.stderr.isatty():
            print("\r" + line.ljust(self.width), end="", file=sys.stderr, flush=True)
            self.width = len(line)
        elif self.elapsed() >= self.quiet_until:
            print(line, file=sys.stderr, flush=True)
            self.quiet_until = self.elapsed() + 15

    def clear(self):
        if sys.stderr.isatty():
            print("\r" + " " * self.width + "\r", end="", file=sys.stderr, flush=True)


class Comparison:
    """Runs every program under every allocator, round after round, and keeps what was measured."""

    def __init__(self, programs, allocators, folder, budget):
        self.programs = programs
        self.allocators = allocators  # glibc first
        self.folder = folder
        self.progress = Progress(budget)
        self.right = {}  # program name -> digest of its output under glibc
        self.runs = {(p.name, a): [] for p in programs for a, _ in allocators}
        self.faults = {}  # (program name, allocator name) -> text

    def warm_up(self):
        """Reads the programs into memory, and learns their right output."""
        for program in self.programs:
            self.progress.show(f"warming up: {program.name}")
            result = run(program, "", self.folder)
            if result.fault:
                sys.exit(f"demo: {program.name} fails under glibc: {result.fault}")
            self.right[program.name] = result.output

    def one_round(self, number, label):
        count = len(self.allocators)
        for program in self.programs:
            order = list(range(count))
            if number % 2:
                order.reverse()
            for step in order:
                name, library = self.allocators[(step + number // 2) % count]
                if (program.name, name) in self.faults:
                    continue
                self.progress.show(f"{label}: {program.name} under {name}")
                self.record(program, name, run(program, library, self.folder))

    def record(self, program, name, result):
        fault = result.fault
        if not fault and result.output != self.right[program.name]:
            fault = "its output differs from that under glibc"
        if fault:
            self.faults[program.name, name] = fault
        else:
            self.runs[program.name, name].append(result)

    def run_rounds(self, most_rounds):
        """As many rounds as the budget has room for, at least one. Returns their number."""
        self.warm_up()
        number = 0
        longest = 0.0
        while True:
            before = self.progress.elapsed()
            self.one_round(number, f"round {number + 1}")
            number += 1
            longest = max(longest, self.progress.elapsed() - before)
            if number == most_rounds or self.progress.elapsed() + longest > self.progress.budget:
                self.progress.clear()
                return number

    def ratio(self, program, name, figure):
        """The median over rounds of `figure` relative to glibc's in the same round; None if it fell."""
        if (program.name, name) in self.faults:
            return None
        pairs = zip(self.runs[program.name, name], self.runs[program.name, "glibc"])
        return statistics.median(figure(mine) / figure(glibc) for mine, glibc in pairs)


def print_table(comparison, title, unit, figure):
    names = [name for name, _ in comparison.allocators]
    width = max(10, *(len(name) + 2 for name in names))
    print(f"\n{title}")
    print("program".ljust(10) + "".join(name.rjust(width) for name in names))
    columns = {name: [] for name in names}
    for program in comparison.programs:
        glibc = statistics.median(figure(r) for r in comparison.runs[program.name, "glibc"])
        cells = [f"{glibc:.2f} {unit}".rjust(width)]
        for name in names[1:]:
            ratio = comparison.ratio(program, name, figure)
            columns[name].append(ratio)
            cells.append((f"{ratio:.3f}" if ratio else "FAILED").rjust(width))
        print(program.name.ljust(10) + "".join(cells))
    cells = ["1.000".rjust(width)]
    for name in names[1:]:
        whole = all(columns[name])
        cells.append((f"{statistics.geometric_mean(columns[name]):.3f}" if whole else "-").rjust(width))
    print("geo. mean".ljust(10) + "".join(cells))


def usable_programs(wanted):
    programs = [p for p in program_list.PROGRAMS if not wanted or p.name in wanted]
    unknown = set(wanted) - {p.name for p in programs}
    if unknown:
        allocator_list.complain(f"unknown program: {', '.join(sorted(unknown))}")
    for program in programs:
        if not shutil.which(program.command[0]):
            print(f"{program.command[0]} is not installed: {program.name} is left out")
    return [p for p in programs if shutil.which(p.command[0])]


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="script/demo",
        description="Real programs under glibc, HAKMEM and the peers that are installed: CPU time and "
        "peak RSS as ratios to glibc, each the median over rounds in which all take turns.")
    parser.add_argument("allocators", nargs="*", metavar="name=library.so",
                        help="further allocators to compare")
    parser.add_argument("--seconds", type=int, default=150,
                        help="time for the runs (default %(default)s); there are as many rounds as fit")
    parser.add_argument("--rounds", type=int, default=0, help="at most so many rounds")
    parser.add_argument("--program", action="append", default=[],
                        choices=[p.name for p in program_list.PROGRAMS],
                        help="run this program only (may be given several times)")
    parser.add_argument("--only", action="store_true",
                        help="compare the allocators on the command line alone, with glibc")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    extra = allocator_list.parse(arguments.allocators)
    usual = [] if arguments.only else [allocator_list.HAKMEM, *allocator_list.installed_peers()]
    allocators = [allocator_list.GLIBC, *usual, *extra]
    if len({name for name, _ in allocators}) < len(allocators):
        allocator_list.complain("two allocators have the same name")
    for name, library in allocators:
        if library and not os.access(library, os.R_OK):
            allocator_list.complain(f"{name}: cannot read {library}")
    programs = usable_programs(arguments.program)
    if not programs:
        allocator_list.complain("no program to run")
    print(f"Running {', '.join(p.name for p in programs)} under "
          f"{', '.join(name for name, _ in allocators)}, in turn.", flush=True)
    with tempfile.TemporaryDirectory(prefix="hakmem-demo-") as folder:
        program_list.generate(folder)
        comparison = Comparison(programs, allocators, folder, arguments.seconds)
        rounds = comparison.run_rounds(arguments.rounds)
    print(f"Medians of {rounds} rounds, ratios to glibc: below 1 is better than glibc.")
    print_table(comparison, "CPU time", "s", lambda r: r.seconds)
    print_table(comparison, "Peak RSS", "MB", lambda r: r.peak)
    print()
    for (program, name), fault in comparison.faults.items():
        print(f"FAILED: {program} under {name}: {fault}")
    if not comparison.faults:
        print("Every program wrote the same output under every allocator.")
    peers = {name for name, _ in allocator_list.PEERS}  # whose faults are theirs
    return 1 if any(name not in peers for _, name in comparison.faults) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
