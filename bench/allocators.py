"""Which allocators there are to compare: HAKMEM, the null allocator, and Debian's peers."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
GLIBC = ("glibc", "")
NULL = ("null", os.path.join(BUILD, "libnull_malloc.so"))
HAKMEM = ("hakmem", os.path.join(BUILD, "libhakmem.so"))

# Name and soname; the loader's own cache says where the library is.
PEERS = (
    ("mimalloc", "libmimalloc.so.2"),
    ("jemalloc", "libjemalloc.so.2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4"),
    ("tbbmalloc", "libtbbmalloc_proxy.so.2"),
)


def installed_peers():
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    paths = {}
    for line in cache.stdout.splitlines():
        soname, arrow, path = line.strip().partition(" => ")
        if arrow:
            paths.setdefault(soname.split(" ")[0], path)
    return [(name, paths[soname]) for name, soname in PEERS if soname in paths]


def usual():
    """What a benchmark compares when it is not told: glibc, HAKMEM once it is built, the peers."""
    built = [HAKMEM] if os.access(HAKMEM[1], os.R_OK) else []
    return [GLIBC, *built, *installed_peers()]


def parse(words):
    """Turns name=library.so words into pairs; ends the program with code 2 when one is wrong."""
    pairs = []
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name:
            complain(f"'{word}' is not name=library.so (name= alone stands for glibc)")
        if path and not os.access(path, os.R_OK):
            complain(f"{name}: cannot read {path}")
        pairs.append((name, os.path.abspath(path) if path else ""))
    return pairs


def usual_after_hakmem():
    """The same with HAKMEM first, to which ratios are then."""
    return sorted(usual(), key=lambda pair: pair != HAKMEM)


def parse_arguments(parser):
    """The program's arguments, and as `allocators` the pairs that are to be compared. Options may
    come between or before the allocators, and may take several words."""
    parser.add_argument("allocators", nargs="*", metavar="name=library.so",
                        help="what to compare, ratios to the first; name= is glibc (default: "
                        "HAKMEM, glibc and the installed peers)")
    words = sys.argv[1:]
    named = [word for word in words if "=" in word and not word.startswith("-")]
    arguments = parser.parse_args([word for word in words if word not in named])
    arguments.allocators = parse(arguments.allocators + named)
    names = [name for name, _ in arguments.allocators]
    if len(set(names)) != len(names):
        complain("two allocators have one name")
    return arguments


def complain(message):
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    sys.exit(2)
