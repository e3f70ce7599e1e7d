"""Release builds with hot gates frozen to other values, each relinked in many layouts.

Code that lies elsewhere runs at another speed, by about as much as what one wants to measure. So a
variant comes as many libraries: linked from the same object files, with the functions in random
order and random gaps between them.
"""
import argparse
import contextlib
import fcntl
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys

ROOT = os.getcwd()
VARIANTS = os.path.join(ROOT, "build", "variants")
GAP = 16  # bytes; functions are aligned to as much
MOST_GAPS = 3
# Of the build as a whole: its flavour, and one flag more for the compiler.
SETTINGS = {"HAKMEM_FLAVOUR": r"lab|release", "HAKMEM_FLAGS": r"-[\w=-]+"}


class Trouble(Exception):
    pass


def run(command, folder=ROOT):
    """What the command prints on standard output."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        raise Trouble(f"{' '.join(command[:3])} ... failed:\n" + "\n".join(lines[-20:]))
    return done.stdout


def build(folder, gates):
    """Brings the variant up to date: configures it the first time, and compiles what changed."""
    given = {name: value for name, _, value in (gate.partition("=") for gate in gates)
             if name in SETTINGS}
    gates = [gate for gate in gates if gate.partition("=")[0] not in SETTINGS]
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        # The launcher of compilers (ccache) comes from the environment, if there is one.
        launcher = shutil.which("ccache")
        run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_CXX_COMPILER=g++", "-DCMAKE_C_COMPILER=gcc",
             f"-DCMAKE_CXX_FLAGS=-ffunction-sections {given.get('HAKMEM_FLAGS', '')}",
             f"-DHAKMEM_FLAVOUR={given.get('HAKMEM_FLAVOUR', 'release')}",
             f"-DHAKMEM_FREEZE={','.join(gates)}",
             "-DHAKMEM_BUILD_TOOLS=OFF", "-DHAKMEM_BUILD_BENCH=OFF", "-DHAKMEM_BUILD_TESTS=OFF",
             *([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else [])])
    run(["cmake", "--build", folder, "--target", "hakmem"])


def link_command(folder):
    """How the library is linked, as a list of words."""
    for line in run(["ninja", "-C", folder, "-t", "commands", "hakmem"]).splitlines():
        link = re.fullmatch(r": && (.* -shared .* -o libhakmem\S+ .*) && :", line)
        if link:
            return link.group(1).split()
    raise Trouble("found no command that links the library")


def function_sections(folder, objects):
    """The sections of all functions that a program may run again and again."""
    found = set()
    for line in run(["objdump", "--section-headers", *objects], folder).splitlines():
        word = re.match(r"\s*\d+ (\.text\.\S+)", line)
        if word and not re.match(r"\.text\.(unlikely|startup|exit)", word.group(1)):
            found.add(word.group(1))
    return sorted(found)


def linker_script(sections, seed):
    """The linker's own script, with these sections first, in random order with random gaps."""
    script = run(["ld", "-shared", "-z", "noseparate-code", "--verbose"]).split("=" * 50)[1]
    chance = random.Random(seed)
    order = sections[:]
    chance.shuffle(order)
    lines = [f"    . += {chance.randint(0, 63) * 64};"]
    for section in order:
        lines.append(f"    *({section})")
        lines.append(f"    . += {chance.randint(0, MOST_GAPS) * GAP};")
    head = re.search(r"\n  \.text +:\n  \{\n", script)
    if head is None:
        raise Trouble("the linker's script looks unlike what was expected")
    return script[:head.end()] + "\n".join(lines) + "\n" + script[head.end():]


def relink(folder, count):
    """Makes the layouts that are missing; returns the paths of all."""
    command = link_command(folder)
    objects = [word for word in command if word.endswith(".o")]
    digest = hashlib.sha256(" ".join(command).encode())
    for name in objects:
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(file.read())
    place = os.path.join(os.path.dirname(folder), "layouts-" + digest.hexdigest()[:16])
    os.makedirs(place, exist_ok=True)
    libraries = [os.path.join(place, f"{number:03}.so") for number in range(count)]
    missing = [path for path in libraries if not os.path.exists(path)]
    sections = function_sections(folder, objects) if missing else []
    for path in missing:
        script = path + ".ld"
        with open(script, "w", encoding="utf-8") as file:
            file.write(linker_script(sections, os.path.basename(path)))
        words = command[:]
        words[words.index("-o") + 1] = path + ".new"
        run([*words, f"-Wl,-T,{script}"], folder)
        os.rename(path + ".new", path)
        os.remove(script)
    for other in os.listdir(os.path.dirname(folder)):
        if other.startswith("layouts-") and other != os.path.basename(place):
            shutil.rmtree(os.path.join(os.path.dirname(folder), other), ignore_errors=True)
    return libraries


@contextlib.contextmanager
def alone():
    os.makedirs(VARIANTS, exist_ok=True)
    with open(os.path.join(VARIANTS, "lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="script/variant",
        description="Builds the library in the release flavour with hot gates frozen to the given "
        "values, links it in several layouts, and prints their paths. What is there and up to date "
        "is not made again.",
        epilog="Example: script/variant HAKMEM_TINY_C7_ULTRA_INLINE_OPT=0 --layouts 32")
    parser.add_argument("gates", nargs="*", metavar="GATE=VALUE", help="see `hakmem boxes`; "
                        "or HAKMEM_FLAVOUR=lab, or HAKMEM_FLAGS=-ONE-FLAG for the compiler")
    parser.add_argument("--layouts", type=int, default=16, metavar="N", help="how many (default 16)")
    arguments = parser.parse_args()
    if not 1 <= arguments.layouts <= 1000:
        parser.error("--layouts is 1 to 1000")
    with open(os.path.join(ROOT, "src/hakmem/config/options.def"), encoding="utf-8") as file:
        hot = re.findall(r'"(\w+)", hot,', file.read())
    for gate in arguments.gates:
        name, _, value = gate.partition("=")
        if re.fullmatch(SETTINGS.get(name, "(?!)"), value):
            continue
        if name not in hot or not value.isdigit():
            parser.error(f"{gate} is not GATE=NUMBER with a hot gate ({', '.join(hot)})")
    return arguments


def main():
    arguments = read_arguments()
    gates = sorted(arguments.gates)
    name = ",".join(gate.removeprefix("HAKMEM_") for gate in gates) or "adopted"
    folder = os.path.join(VARIANTS, name, "tree")
    with alone():
        build(folder, gates)
        print(*relink(folder, arguments.layouts), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        print(f"script/variant: {trouble}", file=sys.stderr)
        sys.exit(1)
