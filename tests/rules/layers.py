#!/usr/bin/env python3
"""Holds the order of the house: which folder may include which, who may call the system, and how
long files may grow.

usage: layers.py ROOT
"""

import pathlib
import re
import sys

import cpp_text

# A folder may include from itself and from the folders before it.
LAYERS = "base os config arena slab heap front large boxes api".split()
PUBLIC_HEADERS_ALLOWED_IN = {"boxes", "api"}

LONGEST_FILE = 500
LONGEST_LIBRARY = 8000

SYSTEM_CALLS = """
    mmap mmap64 munmap mprotect pkey_mprotect madvise posix_madvise process_madvise mremap mincore
    sbrk brk mlock mlock2 mlockall munlock munlockall memfd_create syscall""".split()
ENVIRONMENT = "getenv secure_getenv environ __environ".split()

# Headers that drag in libstdc++'s own heap or exception code.
HEAVY_HEADERS = set("""
    any deque fstream functional future iostream istream list locale map memory memory_resource
    mutex ostream queue regex set shared_mutex sstream stack stdexcept streambuf string
    thread unordered_map unordered_set vector""".split())

SOURCE_FOLDERS = "src include tools lab bench tests".split()
SOURCE_SUFFIXES = {".c", ".cc", ".cpp", ".def", ".h", ".hpp"}
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def unqualified(names):
    """Matches a use of one of the names, but not `other::name`, `x.name` or `x->name`."""
    return re.compile(r"(?<![\w.])(?<!->)(?<!\w::)(" + "|".join(names) + r")\b")


SYSTEM_CALL = unqualified(SYSTEM_CALLS)
ENVIRONMENT_USE = unqualified(ENVIRONMENT)


def sources_under(folder):
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCE_SUFFIXES and p.is_file())


def include_fault(layer, header):
    """What is wrong with a file of `layer` including `header`; None when nothing is."""
    if header in HEAVY_HEADERS:
        return f"<{header}> brings heap or exception code of libstdc++ into the allocator"
    parts = header.split("/")
    if ".." in parts:
        return f'"{header}" leaves the folder: name headers from src/'
    inside = parts[0] == "hakmem"
    if inside:
        parts = parts[1:]
    if len(parts) == 1:
        if inside and layer not in PUBLIC_HEADERS_ALLOWED_IN:
            return f'{layer}/ includes the public header "{header}"'
        return None
    if parts[0] in LAYERS:
        if LAYERS.index(parts[0]) > LAYERS.index(layer):
            return f"{layer}/ includes from {parts[0]}/, which comes after it"
    elif inside:
        return f'"{header}" names no layer'
    return None


def uses(pattern, code):
    for match in pattern.finditer(code):
        yield cpp_text.source_line(match), match.group(1)


def faults_of_library_file(layer, source):
    if layer not in LAYERS:
        yield 1, "stands in no layer: " + " ".join(LAYERS)
        return
    for line, header in cpp_text.includes(source):
        fault = include_fault(layer, header)
        if fault:
            yield line, fault
    code = cpp_text.code_only(source)
    if layer != "os":
        for line, name in uses(SYSTEM_CALL, code):
            yield line, f"{name} outside os/"
    if layer != "config":
        for line, name in uses(ENVIRONMENT_USE, code):
            yield line, f"{name} outside config/"


def faults_of_any_file(source):
    lines = source.count("\n")
    if lines > LONGEST_FILE:
        yield lines, f"{lines} lines, more than {LONGEST_FILE}"
    for line, comment in cpp_text.comments(source):
        leftover = LEFTOVER.search(comment)
        if leftover:
            yield line, f"{leftover.group()} left in a comment"


def faults_of_tree(root):
    """Every fault of the tree, as lines `file:line: fault`."""
    library = root / "src" / "hakmem"
    library_lines = 0
    for folder in SOURCE_FOLDERS:
        for path in sources_under(root / folder):
            source = path.read_text(encoding="utf-8")
            faults = list(faults_of_any_file(source))
            if library in path.parents:
                library_lines += source.count("\n")
                inside = path.relative_to(library).parts
                layer = inside[0] if len(inside) > 1 else ""
                faults += faults_of_library_file(layer, source)
            for line, fault in faults:
                yield f"{path.relative_to(root)}:{line}: {fault}"
    if library_lines >= LONGEST_LIBRARY:
        yield f"src/hakmem: {library_lines} lines, not under {LONGEST_LIBRARY}"
    if library_lines == 0:
        yield "src/hakmem: nothing to check"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    faults = list(faults_of_tree(pathlib.Path(sys.argv[1])))
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults of layering")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
