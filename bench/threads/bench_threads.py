"""Compares allocators on the threaded workloads and prints tables."""
import argparse
import json
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import allocators as allocator_list  # noqa: E402

LOCKSTEP = os.path.join(allocator_list.BUILD, "threads_lockstep")
WORKLOADS = ("larson", "pairs", "1to3", "3to1", "buffers", "migrating", "short-lived",
             "cache-scratch", "cache-thrash", "mixed", "web-server")
QUANTILES = ("p50", "p99", "p99.9", "p99.99")


def positive(kind):
    def convert(text):
        number = kind(text)
        if not 0 < number < 1e6:
            raise ValueError
        return number
    convert.__name__ = f"positive {kind.__name__}"
    return convert


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="script/bench-threads",
        description="Time of an operation (wall) on threaded workloads, relative to the first "
        "allocator, with its 95 % interval; CPU time; peak RSS; the slowest thread's share of what "
        "the median thread did. Processes take turns on all CPUs.")
    parser.add_argument("--workload", nargs="+", action="extend", choices=WORKLOADS, default=[],
                        help="only these (default: all)")
    parser.add_argument("--threads", nargs="+", action="extend", type=positive(int), default=[],
                        metavar="N", help="how many threads (default: 2 8 64)")
    parser.add_argument("--seconds", type=positive(float), default=3.0, metavar="S",
                        help="for each allocator in each table, over all sets (default: 3)")
    parser.add_argument("--sets", type=positive(int), default=5, metavar="K",
                        help="how often the processes are started anew (default: 5)")
    parser.add_argument("--slice-ms", type=positive(float), metavar="MS",
                        help="length of a turn (default: 15, with more threads one for each)")
    parser.add_argument("--latency", action="store_true",
                        help="time each call instead: p50 to p99.99 in nanoseconds, the timer's own "
                        "time subtracted, and pauses over 20 us")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return allocator_list.parse_arguments(parser)


def measure(workload, threads, allocators, arguments):
    command = [LOCKSTEP, "--workload", workload, "--threads", str(threads),
               "--seconds", str(arguments.seconds), "--sets", str(arguments.sets)]
    if arguments.slice_ms:
        command += ["--slice-ms", str(arguments.slice_ms)]
    if arguments.latency:
        command.append("--latency")
    command += [f"{name}={library}" for name, library in allocators]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def print_times(rows):
    print(f"{'allocator':<14} {'time':>7} {'95 % interval':>16} {'ns/op':>10} {'CPU':>7} "
          f"{'peak MB':>8} {'fairness':>8}")
    for index, row in enumerate(rows):
        time = row["time"]
        interval = f"{time['low']:.3f} to {time['high']:.3f}" if index else ""
        print(f"{row['name']:<14} {time['median']:>7.3f} {interval:>16} {row['ns']:>10.2f} "
              f"{row['cpu']['median']:>7.3f} {row['peak_mb']:>8.2f} {row['fairness']:>8.2f}")


def print_latencies(rows):
    for call in ("malloc_ns", "free_ns"):
        heads = "".join(f"{quantile:>9}" for quantile in (*QUANTILES, "longest"))
        print(f"{call[:-3] + ', ns':<14} {heads}  {'pauses':>9} {'preempted':>9}  (a million calls)")
        for row in rows:
            latency = row[call]
            figures = "".join(f"{latency[quantile]:>9.0f}" for quantile in (*QUANTILES, "longest"))
            print(f"{row['name']:<14} {figures}  {latency['pauses_per_million']:>9.2f} "
                  f"{latency['preempted_per_million']:>9.2f}")


def print_result(result, latency):
    print(f"{result['workload']}, {result['threads']} threads ({result['sets']} sets of processes x "
          f"{result['rounds']} turns of {result['slice_ms']:g} ms)")
    if result["allocators"]:
        (print_latencies if latency else print_times)(result["allocators"])
    for name, why in result["failed"].items():
        print(f"{name:<14} FAILED: {why}")
    print(flush=True)


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def print_means(results, names):
    """Ratios to the first allocator, of the tables that both took part in."""
    base = names[0]
    print(f"Geometric means of the ratios to {base}, over {len(results)} tables")
    print(f"{'allocator':<14} {'time':>7} {'CPU':>7} {'peak RSS':>8}")
    for name in names:
        pairs = []
        for result in results:
            rows = {row["name"]: row for row in result["allocators"]}
            if base in rows and name in rows:
                pairs.append((rows[name], rows[base]))
        if not pairs:
            print(f"{name:<14} FAILED in all")
            continue
        time = geometric_mean([row["time"]["median"] for row, _ in pairs])
        cpu = geometric_mean([row["cpu"]["median"] for row, _ in pairs])
        peak = geometric_mean([row["peak_mb"] / first["peak_mb"] for row, first in pairs])
        missing = len(results) - len(pairs)
        note = f"  (without {missing} tables, where it or {base} failed)" if missing else ""
        print(f"{name:<14} {time:>7.3f} {cpu:>7.3f} {peak:>8.3f}{note}")


def main():
    arguments = read_arguments()
    allocators = arguments.allocators or allocator_list.usual_after_hakmem()
    results = []
    for workload in arguments.workload or WORKLOADS:
        for threads in arguments.threads or (2, 8, 64):
            result = measure(workload, threads, allocators, arguments)
            print_result(result, arguments.latency)
            results.append(result)
            if arguments.json:
                with open(arguments.json, "w", encoding="utf-8") as file:
                    json.dump(results, file, indent=1)
    if not arguments.latency:
        print_means(results, [name for name, _ in allocators])
    return 1 if any(result["failed"] for result in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
