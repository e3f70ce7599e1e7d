"""What stays resident after most of a heap was freed, beside the peers."""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import allocators as allocator_list  # noqa: E402

WORKER = os.path.join(allocator_list.BUILD, "memory_left")
GIB = 1 << 30

# Name; objects, smallest and largest size, of a thousand so many stay, in runs of so many, freed at
# random.
PARTLY = [(f"{1000 - stay} of 1000 freed, {what}", 1500000, 32, 511, stay, run, 0)
          for what, run in (("at random", 1), ("in runs of 64", 64))
          for stay in (500, 250, 100, 50, 20)]
WHOLLY = [(f"1 GiB of {size} B freed, {what}", GIB // size, size, size, 0, 1, order)
          for size in (64, 1024, 100000)
          for what, order in (("in order", 0), ("at random", 1))]


def measure(library, numbers, milliseconds):
    *first, order = numbers
    words = [WORKER, *map(str, [*first, milliseconds, order])]
    environment = dict(os.environ)
    environment.pop("LD_PRELOAD", None)
    if library:
        environment["LD_PRELOAD"] = library
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench-memory",
        description="Objects of 32 to 511 bytes are allocated, 1.5 million, and most are freed: "
        "resident bytes over live bytes, the program's own included. Then 1 GiB is freed wholly: "
        "resident MB. A little allocation goes on before memory is measured.")
    parser.add_argument("allocators", nargs="*", metavar="name=library.so",
                        help="name= is glibc (default: glibc, HAKMEM and the installed peers)")
    parser.add_argument("--ms", type=int, default=1500, help="how long a little allocation goes on")
    arguments = parser.parse_args()
    chosen = allocator_list.parse(arguments.allocators) or allocator_list.usual()
    print(f"{'':36}" + "".join(f"{name:>11}" for name, _ in chosen))
    for name, *numbers in PARTLY + WHOLLY:
        cells = []
        for _, library in chosen:
            result = measure(library, numbers, arguments.ms)
            if result is None:
                cells.append("failed")
            elif result["live"] != 0:
                cells.append(f"{result['left'] * 1024 / result['live']:.2f}")
            else:
                cells.append(f"{result['left'] / 1024:.1f} MB")
        print(f"{name:36}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
