#!/usr/bin/env python3
"""Checks the model of remote free with spin: the protocol is right in every scenario, each interesting
point is reached there, and each way of breaking it is found.

usage: check_model.py [--only TEXT] [--keep DIRECTORY]

Needs spin and a C compiler. A failing case leaves its trail in DIRECTORY/case: `spin -t -p` there
replays it.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().with_name("remote_free.pml")
AT_ONCE = 2
MEGABYTES = 900  # a case
SECONDS = 900    # a case; ten times what the longest takes

SCENARIOS = "RECARVE ADOPT PARK CHAIN HELP CLOSE FORK".split()

BROKEN = {
    "RECARVE": """OWNER_READ_AFTER_OR CARVE_RESETS_SUMMARY COLLECT_NOT_OWNED SUMMARY_BEFORE_OR
        DRAIN_READS_OWNER_FIRST PUSH_ALWAYS NO_FORWARD FORWARD_WITHOUT_PUSH RELAXED_SUMMARY
        FLUSH_TRUSTS_REGION_ID""".split(),
    "ADOPT": "NO_FORWARD ADOPT_WITHOUT_DOOR".split(),
    "PARK": """NO_SECOND_LOOK PARK_AFTER_LOOK HAND_NEVER_LOOKS NO_REREAD STALE_REREAD
        COUNT_LAST""".split(),
    "CHAIN": ["PASS_WITHOUT_REREAD"],
    "HELP": ["LINK_READ_LATE"],
    "CLOSE": ["CLOSE_KEEPS_WORDS"],
    "FORK": ["FORK_KEEPS_LISTS"],
}

# What leaves a late push on the list of a parked heap.
STRANDS = BROKEN["PARK"] + BROKEN["CHAIN"]

REACHED = {
    "RECARVE": "FORWARDED MERGED DROPPED RECARVED STALE FOREIGN_MINE".split(),
    "ADOPT": "ADOPTED LATE_PUSH".split(),
    "PARK": "PASSED TAKEN_WHOLE".split(),
    "CHAIN": "ADOPTED_ON LATE_PASSED".split(),
    "HELP": "HELPED TWO_LISTED".split(),
    "CLOSE": ["CLOSED"],
    "FORK": ["LOST"],
}


class Case:
    """One run of spin. `wanted`: the only outcome that is right."""

    def __init__(self, scenario, define=None, wanted="no error"):
        self.name = scenario + (f".{define}" if define else "")
        self.defines = [f"-DSCENARIO={scenario}"] + ([f"-D{define}"] if define else [])
        # A fork stops the other threads of the child for good; that is no deadlock.
        self.pan_flags = ["-E"] if scenario == "FORK" else []
        self.wanted = wanted
        self.whole = wanted == "no error"
        self.points = REACHED[scenario] if self.whole else []
        # All states are visited: worth some optimising. Else the order that finds it sooner.
        self.gcc_flags = ["-O1"] if self.whole else ["-O0"]
        if not self.whole and scenario in ("PARK", "CHAIN", "HELP"):
            self.gcc_flags.append("-DREVERSE")

    def run(self, directory):
        """Returns what is wrong, or None, and a line about the run."""
        folder = directory / self.name
        folder.mkdir()
        start = time.monotonic()

        def step(*command):
            return subprocess.run(command, cwd=folder, timeout=SECONDS, text=True, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

        try:
            step("spin", "-a", *self.defines, str(MODEL))
            step(os.environ.get("CC", "gcc"), *self.gcc_flags, "-w", "-DSAFETY", "-DCOLLAPSE",
                 f"-DMEMLIM={MEGABYTES}", "-o", "pan", "pan.c")
            out = step("./pan", "-m5000", "-w24" if self.whole else "-w18", *self.pan_flags)
        except subprocess.CalledProcessError as error:
            return f"{error.cmd[0]} failed: {error.output}", ""
        except subprocess.TimeoutExpired as error:
            return f"{error.cmd[0]} took longer than {SECONDS} s", ""
        states = re.search(r"([0-9.e+]+) states, stored", out)
        memory = re.search(r"([0-9.]+)\s+total actual memory", out)
        line = (f"{states[1] if states else '?'} states, {memory[1] if memory else '?'} MB, "
                f"{time.monotonic() - start:.1f} s")
        outcome = outcome_of(out)
        if not re.fullmatch(self.wanted, outcome):
            return f"wanted: {self.wanted}; found: {outcome}\n{out}", line
        statements = (folder / "pan.t").read_text(encoding="utf-8")
        missed = [point for point in self.points if not is_reached(point, statements, out)]
        if missed:
            return f"never reached: {' '.join(missed)}\n{out}", line
        return None, line


def outcome_of(out):
    """What pan's output says: `no error`, what was violated, or why the search was not complete."""
    for excuse in ("max search depth too small", "out of memory", "Search not completed",
                   "hash-compact", "bitstate", "aborting"):
        if excuse in out and "errors: 0" in out:
            return f"an incomplete search: {excuse}"
    violated = re.search(r"assertion violated\s+(.*?) \(at depth", out)
    if violated:
        return "violated " + violated[1].replace(" ", "")
    found = re.search(r"errors: (\d+)", out)
    if not found:
        return "no result"
    if found[1] != "0":
        return "another error"
    states = re.search(r"([0-9.e+]+) states, stored", out)
    if float(states[1]) < 100000:
        return f"suspiciously few states: {states[1]}"
    return "no error"


def is_reached(point, statements, out):
    """Whether `out` leaves one of the places `here(point)`, which are among all of pan's `statements`,
    out of what it lists as unreached."""
    state = MODEL.with_name("state.pml").read_text(encoding="utf-8")
    number = re.search(rf"#define {point}\s+(\d+)", state)[1]
    there = rf"assert\(\(nowhere!={number}\)\)"
    places = set(re.findall(rf'trans\[\d+\]\[(\d+)\]\s*= settr\(.*"{there}"', statements))
    unreached = set(re.findall(rf'state (\d+), "{there}"', out))
    return bool(places - unreached)


def all_cases():
    for scenario in SCENARIOS:
        yield Case(scenario)
    for scenario, names in BROKEN.items():
        for name in names:
            any_violation = "violated .*"
            stranded = r"violated \(parked\[h\]!=1\)"
            wanted = stranded if name in STRANDS else any_violation
            yield Case(scenario, f"MUTATE_{name}", wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--keep", type=pathlib.Path, help="a new directory for spin's files")
    args = parser.parse_args()

    for tool in ("spin", os.environ.get("CC", "gcc")):
        if not shutil.which(tool):
            sys.exit(f"check_model.py: {tool} is not installed (script/setup test)")
    cases = [case for case in all_cases() if args.only in case.name]
    if not cases:
        sys.exit(f"check_model.py: no case is called {args.only}")

    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        directory = args.keep or pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = pool.map(lambda case: case.run(directory), cases)
            for case, (wrong, line) in zip(cases, results):
                print(f"{'FAILED' if wrong else 'ok':6} {case.name:40} {line}", flush=True)
                if wrong:
                    failures += 1
                    print(wrong, flush=True)
    print(f"{len(cases)} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
