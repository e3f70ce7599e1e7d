"""Runs `hakmem ab` many times on sides whose truth is known, and keeps what it said.

Each series is a file docs/lab/NAME.json. A run is added as soon as it is done, so that the program
may be stopped at any time and goes on where it was. tests/lab replays the recordings. At the end it
draws docs/lab/proof.svg.

Each CPU measures a run of its own, so that all the others are loaded while it does: the machine that
a verdict has to be right on is not an idle one.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time

import lab_plot

HAKMEM = os.path.join("build", "release", "hakmem")
FOLDER = os.path.join("docs", "lab")

# Name: what A and B are, further words, the truth in words.
SERIES = {
    "same": (["hakmem", "hakmem", "--layouts", "1"], "A and B are the same library"),
    "planted-1": (["hakmem", "hakmem:LAB_PLANT=0.01", "--layouts", "1"],
                  "B spins for 1 % of each slice"),
    "planted-0.5": (["hakmem", "hakmem:LAB_PLANT=0.005", "--layouts", "1"],
                    "B spins for 0.5 % of each slice"),
    "relinked": (["hakmem", "hakmem", "--layouts", "16"],
                 "the same source, A and B in 16 layouts each, drawn anew in each run"),
    "same-naive": (["hakmem", "hakmem", "--layouts", "1", "--method", "naive"],
                   "A and B are the same library; ten runs of A, then ten of B"),
    "relinked-naive": (["hakmem", "hakmem", "--layouts", "16", "--method", "naive"],
                       "the same source in one layout each, ten runs of A, then ten of B"),
}


def path_of(name):
    return os.path.join(FOLDER, name + ".json")


def load(name, budget):
    if not os.path.exists(path_of(name)):
        return {"series": name, "truth": SERIES[name][1], "command": ["ab", *SERIES[name][0]],
                "budget": budget, "pairs_unit": "gain and standard error in millionths, layout",
                "runs": []}
    with open(path_of(name), encoding="utf-8") as file:
        series = json.load(file)
    if budget and series["budget"] != budget and "naive" not in series["command"]:
        sys.exit(f"script/lab-proof: {path_of(name)} was recorded with --budget {series['budget']}; "
                 "use that, or remove the file")
    return series


def save(series):
    """One line a run, so that differences stay readable."""
    runs = ",\n".join(json.dumps(run, separators=(",", ":")) for run in series["runs"])
    head = json.dumps({key: value for key, value in series.items() if key != "runs"}, indent=1)
    new = path_of(series["series"]) + ".new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(head[:-2] + ',\n "runs": [\n' + runs + "\n]}\n")
    os.rename(new, path_of(series["series"]))


def compact(result):
    pairs = [[int(number) for number in pair] for pair in result["pairs"]]
    costs = [[round(cost, 3) for cost in result["runs"][side]] for side in "ab"
             if "runs" in result]
    kept = {"seed": result["seed"], "date": result["date"], "load": round(result["machine"]["load"], 1),
            "seconds": round(result["seconds"], 1), "verdict": result["verdict"],
            "gain": [result["gain"][key] for key in ("estimate", "low", "high")],
            "looks": [[look["look"], look["pairs"]] for look in result["looks"]],
            "layout_tax": result["layout_tax"]["all"], "pairs": pairs}
    return {**kept, "nanoseconds": costs} if costs else kept


class Recorder:
    """Hands out runs, and keeps their results, for one thread a CPU."""

    def __init__(self, all_series, runs, end):
        self.all_series, self.runs, self.end = all_series, runs, end
        self.lock = threading.Lock()
        self.under_way = {series["series"]: set() for series in all_series}
        self.failed = None

    def seeds(self, series):
        return {run["seed"] for run in series["runs"]} | self.under_way[series["series"]]

    def next(self):
        """The series that has the fewest runs, so that a recording that was stopped early has some
        of each, and the next seed of it; None when all is done."""
        with self.lock:
            series = min(self.all_series, key=lambda one: len(self.seeds(one)))
            seeds = self.seeds(series)
            if self.failed is not None or len(seeds) >= self.runs or time.monotonic() > self.end:
                return None
            seed = min(set(range(1, len(seeds) + 2)) - seeds)
            self.under_way[series["series"]].add(seed)
            return series, seed

    def add(self, series, done):
        with self.lock:
            if done.returncode:
                self.failed = done.returncode
                return
            result = json.loads(done.stdout)
            series.setdefault("machine", {key: value for key, value in result["machine"].items()
                                          if key != "load"})
            series["runs"].append(compact(result))
            series["runs"].sort(key=lambda run: run["seed"])
            save(series)
            print(summary(series), flush=True)

    def work(self, cpu):
        while (work := self.next()) is not None:
            series, seed = work
            command = [HAKMEM, *series["command"], "--budget", series["budget"], "--seed", str(seed),
                       "--json"]
            self.add(series, subprocess.run(["taskset", "--cpu-list", str(cpu), *command],
                                            stdout=subprocess.PIPE, text=True))


def summary(series):
    verdicts = [run["verdict"] for run in series["runs"]]
    counts = ", ".join(f"{word} {verdicts.count(word)}"
                       for word in ("GO", "NO-GO", "NEUTRAL", "UNDECIDED"))
    found = sum(1 for run in series["runs"] if run["gain"][2] is not None and run["gain"][2] < 0)
    return f"{series['series']:<15} {len(verdicts):>3} runs: {counts}; interval below 0: {found}"


def main():
    parser = argparse.ArgumentParser(prog="script/lab-proof", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", action="append", choices=SERIES, default=[],
                        help="only this one (may be given several times)")
    parser.add_argument("--runs", type=int, default=100, help="of each series (default 100)")
    parser.add_argument("--budget", default="110s", help="of each run (default 110s)")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--summary", action="store_true", help="only print and draw what is recorded")
    arguments = parser.parse_args()
    if not os.path.exists(HAKMEM):
        sys.exit("script/lab-proof: build first: cmake --preset release && cmake --build build/release")
    os.makedirs(FOLDER, exist_ok=True)
    budget = None if arguments.summary else arguments.budget
    all_series = [load(name, budget) for name in arguments.series or SERIES
                  if not arguments.summary or os.path.exists(path_of(name))]
    end = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    if not arguments.summary:
        recorder = Recorder(all_series, arguments.runs, end)
        threads = [threading.Thread(target=recorder.work, args=(cpu,), daemon=True)
                   for cpu in os.sched_getaffinity(0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if recorder.failed is not None:
            sys.exit(recorder.failed)
    for series in all_series:
        print(summary(series))
    lab_plot.draw()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
