#!/usr/bin/python3
"""Counts the instructions of a Mixed operation under each allocator, with callgrind.

The whole loop is counted, calls through the PLT included. Two runs of different length are
subtracted, so that what a program does before and after its loop falls out. Instructions do not
depend on the machine's speed or load: this figure has no noise."""
import argparse
import os
import re
import subprocess
import sys

import allocators as allocator_list

BENCH = os.path.join(allocator_list.BUILD, "bench_random_mixed_hakmem_minimal")
SHORT, LONG = 500_000, 2_500_000
PER_TIMED_OPERATION = 1.1  # a tenth of the operations run first, untimed


def instructions(library, operations, workload):
    """All the instructions of one run of the benchmark."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    if library:
        environment["LD_PRELOAD"] = library
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", BENCH,
         "--no-syscall-count", str(operations), *workload],
        env=environment, capture_output=True, text=True, errors="replace")
    found = re.search(r"Collected : (\d+)", run.stderr)
    if "cannot be preloaded" in run.stderr:
        raise RuntimeError(f"{library} cannot be preloaded")
    if run.returncode or not found:
        raise RuntimeError(f"exit code {run.returncode} under callgrind")
    return int(found.group(1))


def per_operation(library, workload):
    difference = instructions(library, LONG, workload) - instructions(library, SHORT, workload)
    return difference / ((LONG - SHORT) * PER_TIMED_OPERATION)


def main():
    parser = argparse.ArgumentParser(
        prog="script/count-instructions",
        description="Instructions per Mixed operation, and how many more that is than under the null "
        "allocator (malloc of 6 instructions, free of 1).")
    parser.add_argument("allocators", nargs="*", metavar="name=library.so",
                        help="what to count (default: glibc, HAKMEM and the installed peers)")
    parser.add_argument("--working-set", type=int, default=400, help="slots (default %(default)s)")
    parser.add_argument("--size-mask", type=int, default=1023,
                        help="sizes are 16 + (r & mask) (default %(default)s)")
    arguments = parser.parse_args()
    allocators = allocator_list.parse(arguments.allocators) or allocator_list.usual()
    workload = [str(arguments.working_set), "1", str(arguments.size_mask)]

    floor = per_operation(allocator_list.NULL[1], workload)
    print(f"Mixed, working set {arguments.working_set}, sizes 16..{16 + arguments.size_mask} B, "
          "instructions per operation")
    print(f"{'allocator':<16}{'whole loop':>12}{'above null':>12}")
    print(f"{'null':<16}{floor:>12.2f}{0:>12.2f}", flush=True)
    failed = False
    for name, library in allocators:
        try:
            count = per_operation(library, workload)
            print(f"{name:<16}{count:>12.2f}{count - floor:>12.2f}", flush=True)
        except RuntimeError as error:
            print(f"{name:<16}FAILED: {error}", flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
