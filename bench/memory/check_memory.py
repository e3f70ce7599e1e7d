"""Runs each workload of memory at a small scale, and tries wrong usage.

check_memory.py BUILD_FOLDER LIBRARY
"""
import importlib
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

BUILD, LIBRARY = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(BUILD, "memory_worker")
LARGE = os.path.join(BUILD, "large_worker")
SCRIPT = os.path.join(HERE, "bench_memory.py")


def run(command, **environment):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, env={**os.environ, **environment})


def expect(condition, *explanation):
    if not condition:
        print("FAILED:", *explanation)
        sys.exit(1)


def report(*words):
    done = run([WORKER, *words], LD_PRELOAD=LIBRARY)
    expect(done.returncode == 0 and not done.stderr, words, done)
    figures = json.loads(done.stdout)
    expect(figures["workload"] == words[0], words, figures)
    return figures


def check_footprints():
    figures = report("aftermath", 1024, 20, 20)
    expect(20_000 < figures["full_kib"] - figures["before_kib"] < 40_000, figures)
    expect(0 < figures["rss_kib"] < figures["full_kib"] + 4000, figures)

    figures = report("sparse", 50_000, 90, 1, 20)
    # A tenth of some 13 MB, and the little allocation that goes on.
    expect(1000 < figures["live_kib"] < 2500, figures)
    expect(figures["live_kib"] < figures["rss_kib"] < 40_000, figures)
    expect(figures["full_kib"] > 13_000, figures)
    more = report("sparse", 50_000, 50, 64, 20)
    expect(more["live_kib"] > 3 * figures["live_kib"], figures, more)

    figures = report("phases", 6, 200, 2)
    expect(len(figures["samples"]) == 7, figures)
    for full_live, full_rss, live, rss in figures["samples"]:
        expect(0 < live <= full_live <= full_rss and live <= rss <= figures["peak_kib"] + 2000,
               figures)


def check_large():
    done = run([LARGE, "replace-5-25mb"], LD_PRELOAD=LIBRARY)
    expect(done.returncode == 0 and not done.stderr, done)
    cpu, wall, peak = map(float, done.stdout.split())
    expect(cpu > 0 and wall > 0 and 300_000 < peak < 1_500_000, done)
    expect("replace-5-25mb" in run([LARGE]).stdout.split(), "it is not listed")
    expect(run([LARGE, "nonsense"]).returncode == 2, "a workload of any name")


def check_wrong_usage():
    for wrong in ([], ["nonsense"], ["sparse"], ["sparse", 100, 100, 1, 1], ["sparse", 1, 2, 3, 4, 5],
                  ["aftermath", 1, 1, 1], ["phases", 0, 1, 1]):
        done = run([WORKER, *wrong])
        expect(done.returncode == 2 and "usage" in done.stderr, wrong, done)
    for wrong in (["--workload", "nonsense"], ["nameless"], ["a=", "a="], ["a=/nowhere/lib.so"],
                  ["--seconds", "0", "a="], ["--percent", "200", "a="]):
        done = run([sys.executable, "-B", SCRIPT, *wrong])
        expect(done.returncode == 2 and done.stderr, wrong, done)
    done = run([sys.executable, "-B", SCRIPT, "--help"])
    expect(done.returncode == 0 and "--workload" in done.stdout, done)


def check_plot():
    sys.path.insert(0, HERE)
    plot_phases = importlib.import_module("plot_phases")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "phases.svg")
        plot_phases.draw(path, {"one": [1.5, 7, 30], "two & more": [1, 1, 120.5]})
        picture = ElementTree.parse(path).getroot()
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    expect(len(lines) == 2, "two lines are wanted")
    expect(all(len(line.get("points").split()) == 3 for line in lines), "three points a line")


check_footprints()
check_large()
check_wrong_usage()
check_plot()
