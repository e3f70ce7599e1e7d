"""Checks of the threaded workloads and their comparison.

check_workloads.py BUILD_FOLDER LIBRARY WORKLOAD   runs the workload under the library for a moment
check_workloads.py BUILD_FOLDER LIBRARY faults     tries wrong usage and broken allocators
"""
import json
import os
import subprocess
import sys

BUILD, LIBRARY, WHAT = sys.argv[1:]
WORKER = os.path.join(BUILD, "threads_worker")
LOCKSTEP = os.path.join(BUILD, "threads_lockstep")
BROKEN = os.path.join(BUILD, "libbroken_malloc.so")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_threads.py")
OPERATIONS = 20_000
QUANTILES = ("p50", "p99", "p99.9", "p99.99")


def run(command, **environment):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=100, env={**os.environ, **environment})


def expect(condition, *explanation):
    if not condition:
        print("FAILED:", *explanation)
        sys.exit(1)


def check_report(text, workload, threads, operations):
    report = json.loads(text)
    expect(report["workload"] == workload and report["threads"] == threads, text)
    expect(report["operations"] >= operations, "too few operations:", text)
    expect(0 <= report["thread_min"] <= report["thread_median"] <= report["operations"], text)
    expect(report["operations_per_second"] > 0 and report["cpu_ns_per_operation"] > 0, text)
    expect(500 < report["peak_rss_kib"] < 4_000_000, "implausible memory:", text)
    return report


def check_latency(report):
    for call in ("malloc_ns", "free_ns"):
        latency = report[call]
        expect(latency["calls"] > 100, call, latency)
        figures = [latency[quantile] for quantile in QUANTILES]
        expect(figures == sorted(figures) and figures[-1] < 1e9, call, latency)
    made, freed = report["malloc_ns"]["calls"], report["free_ns"]["calls"]
    expect(0.2 < made / freed < 5, "calls of malloc and free do not match:", report)


def check_workload(workload):
    for threads in (2, 5):
        for duration, operations in (("0.05s", 1), ("1", 1), (str(OPERATIONS), OPERATIONS)):
            command = [WORKER, workload, str(threads), duration, "1"]
            plain = run(command, LD_PRELOAD=LIBRARY)
            expect(plain.returncode == 0 and not plain.stderr, command, plain)
            check_report(plain.stdout, workload, threads, operations)
        timed = run(command + ["--latency"], LD_PRELOAD=LIBRARY)
        expect(timed.returncode == 0 and not timed.stderr, command, timed)
        check_latency(check_report(timed.stdout, workload, threads, operations))
    compared = compare(workload, f"built={LIBRARY}", "libc=")
    expect(not compared["failed"], compared)
    for row in compared["allocators"]:
        expect(row["ns"] > 0 and row["time"]["low"] <= row["time"]["median"] <= row["time"]["high"],
               row)


def compare(workload, *allocators, **environment):
    done = run([LOCKSTEP, "--workload", workload, "--threads", "2", "--seconds", "0.08", "--sets",
                "2", "--slice-ms", "10", "--patience", "5", *allocators], **environment)
    expect(done.returncode == 0, done)
    return json.loads(done.stdout)


def check_wrong_usage():
    for wrong in ([], ["larson"], ["nonsense", "2", "1s", "1"], ["larson", "0", "1s", "1"],
                  ["pairs", "1", "1s", "1"], ["larson", "2", "soon", "1"],
                  ["larson", "2", "1s", "x"], ["larson", "2", "1s", "1", "--fast"]):
        done = run([WORKER, *wrong])
        expect(done.returncode == 2 and "usage" in done.stderr, wrong, done)
    for wrong in ([], ["--workload", "larson"], ["--workload", "larson", "nameless"],
                  ["--workload", "larson", "a=/nowhere/lib.so"],
                  ["--workload", "larson", "--threads", "0", "a="]):
        done = run([LOCKSTEP, *wrong])
        expect(done.returncode == 2 and done.stderr, wrong, done)
    for wrong in (["--workload", "nonsense"], ["--threads", "0"], ["nameless"], ["a=", "a="],
                  ["a=/nowhere/lib.so"]):
        done = run([sys.executable, "-B", SCRIPT, *wrong])
        expect(done.returncode == 2 and done.stderr, wrong, done)
    done = run([sys.executable, "-B", SCRIPT, "--help"])
    expect(done.returncode == 0 and "--workload" in done.stdout, done)


def check_broken_allocators():
    for fault, word in (("crash", "Aborted"), ("hang", "hung"), ("exhaust", "malloc failed"),
                        ("twice", "content check failed")):
        compared = compare("larson", f"broken={BROKEN}", "libc=", BROKEN_MALLOC=fault)
        expect(list(compared["failed"]) == ["broken"], fault, compared)
        expect(word in compared["failed"]["broken"], fault, compared)
        expect([row["name"] for row in compared["allocators"]] == ["libc"], fault, compared)
    not_a_library = compare("larson", f"text={SCRIPT}", "libc=")
    expect("not preloaded" in not_a_library["failed"].get("text", ""), not_a_library)


if WHAT == "faults":
    check_wrong_usage()
    check_broken_allocators()
else:
    check_workload(WHAT)
