#!/usr/bin/python3
"""Runs the lockstep comparison on Mixed at the three working sets that the project is held to."""
import argparse
import os
import subprocess
import sys

import allocators as allocator_list

LOCKSTEP = os.path.join(allocator_list.BUILD, "lockstep")

# Working set, size mask, milliseconds of a turn, sets of processes, rounds. A large working set is
# slow to fill and to run through, and gets longer turns and fewer of them.
WORKLOADS = {
    "400": (400, 1023, 1, 10, 200),
    "65536": (65536, 255, 2, 10, 100),
    "1000000": (1000000, 1023, 5, 5, 60),
}


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench-mixed",
        description="Time of Mixed relative to the null allocator, with its 95 % interval, and peak "
        "RSS. All allocators take turns on one CPU.")
    parser.add_argument("allocators", nargs="*", metavar="name=library.so",
                        help="what to compare (default: glibc, HAKMEM and the installed peers)")
    parser.add_argument("--working-set", action="append", choices=WORKLOADS, default=[],
                        help="only this one (may be given several times)")
    parser.add_argument("--sets", type=int, help="how often the processes are started anew")
    parser.add_argument("--rounds", type=int, help="turns of each process")
    parser.add_argument("--baseline", metavar="name=library.so",
                        help="what ratios are to, instead of the null allocator")
    arguments = parser.parse_args()
    allocators = allocator_list.parse(arguments.allocators) or allocator_list.usual()
    baseline = [arguments.baseline] if arguments.baseline else []
    allocators = [*(allocator_list.parse(baseline) or [allocator_list.NULL]), *allocators]

    for name in arguments.working_set or WORKLOADS:
        working_set, mask, turn, sets, rounds = WORKLOADS[name]
        command = [LOCKSTEP, "--working-set", str(working_set), "--size-mask", str(mask),
                   "--slice-ms", str(turn), "--sets", str(arguments.sets or sets),
                   "--rounds", str(arguments.rounds or rounds)]
        command += [f"{allocator}={library}" for allocator, library in allocators]
        code = subprocess.run(command).returncode
        if code:
            return code
        print(flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
