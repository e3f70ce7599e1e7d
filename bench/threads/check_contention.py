"""Counts who had to wait: check_contention.py WORKER LIBRARY WORKLOAD...

Runs the workloads under a library of the lab flavour, which counts the acquisitions of locks that
found them taken. A thousand calls of malloc and free may meet one. (With many more threads than
CPUs whoever is interrupted inside counts, and so does everybody who comes by meanwhile: eight
threads are enough to show a lock that all need, and the best of three runs counts.)
"""
import json
import os
import subprocess
import sys

WORKER, LIBRARY, *WORKLOADS = sys.argv[1:]
THREADS = 8
# Calls of an operation, at least, where that is more than one.
CALLS = {"web-server": 200, "short-lived": 2}
# Where more than one may: a ninth of these are large objects, of which threads pass on a few at a time,
# and slabs of a few objects come from the arena and go there (3 to 6).
MOST = {"buffers": 30}
LINE = "contended acquisitions: "


def count(workload):
    done = subprocess.run([WORKER, workload, str(THREADS), "0.3s", "1"], capture_output=True,
                          text=True, timeout=100,
                          env={**os.environ, "LD_PRELOAD": LIBRARY, "HAKMEM_STATS": "1"})
    if done.returncode:
        sys.exit(f"FAILED: {workload}: {done}")
    lines = [line for line in done.stderr.splitlines() if line.startswith(LINE)]
    if len(lines) != 1:
        sys.exit(f"FAILED: {LIBRARY} does not count: is it of the lab flavour? {done.stderr}")
    words = lines[0][len(LINE):].split()
    return json.loads(done.stdout)["operations"], dict(zip(words[::2], map(int, words[1::2])))


def seldom(workload):
    operations, contended = count(workload)
    calls = operations * CALLS.get(workload, 1)
    share = 1000 * sum(contended.values()) / calls
    print(f"{workload}: {share:.3f} for a thousand calls, {contended} in {calls}")
    return share <= MOST.get(workload, 1)


busy = [workload for workload in WORKLOADS if not any(seldom(workload) for _ in range(3))]
sys.exit(f"FAILED: {busy}" if busy else 0)
