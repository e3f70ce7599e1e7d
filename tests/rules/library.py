#!/usr/bin/env python3
"""Holds what libhakmem.so shows to the outside: it needs libc alone, is never unloaded, and exports
the listed functions and no others.

usage: library.py LIBRARY EXPORTED_SYMBOLS HEADER
"""

import pathlib
import re
import subprocess
import sys

MAY_NEED = re.compile(r"libc\.so\.\d+$|ld-linux[\w-]*\.so\.\d+$")


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(library):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _output("readelf", "-dW", library))


def is_never_unloaded(library):
    flags = re.search(r"\(FLAGS_1\)(.*)", _output("readelf", "-dW", library))
    return bool(flags and "NODELETE" in flags.group(1))


def exported(library):
    listing = _output("nm", "-D", "--defined-only", "--format=posix", library)
    return {line.split("@")[0].split()[0] for line in listing.splitlines()}


def listed(path):
    lines = (line.split("#")[0].strip() for line in pathlib.Path(path).read_text().splitlines())
    return {line for line in lines if line}


def declared(header):
    """The functions that the public header declares for export."""
    text = pathlib.Path(header).read_text()
    return set(re.findall(r"^HAK_EXPORT\b[^;]*?\b(hak_\w+)\(", text, re.MULTILINE))


def faults(library, expected, header):
    for name in needed(library):
        if not MAY_NEED.match(name):
            yield f"needs {name}: libc alone is allowed"
    if not is_never_unloaded(library):
        yield "may be unloaded: not linked with -z nodelete"
    found = exported(library)
    for name in sorted(expected - found):
        yield f"does not export {name}"
    for name in sorted(found - expected):
        yield f"exports {name}, which is not listed"
    for name in sorted(declared(header) - expected):
        yield f"{name} stands in the header but not in the list of exported symbols"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    library, symbols, header = sys.argv[1:]
    found = list(faults(library, listed(symbols), header))
    for fault in found:
        print(fault)
    print(f"{len(found)} faults of {library}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
