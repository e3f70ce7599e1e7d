"""Relinking moves functions, and loses none: the linker script of script/variant on a small library."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "script", "lib"))
import variant  # noqa: E402

FUNCTIONS = [f"function_{number}" for number in range(20)]


def addresses(library):
    """The functions in the order in which they lie, with their addresses."""
    lines = subprocess.run(["nm", "-n", "--defined-only", library], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    words = [line.split() for line in lines]
    return [(word[2], word[0]) for word in words if word[2] in FUNCTIONS]


def main():
    with tempfile.TemporaryDirectory() as folder:
        source = "\n".join(f"int {name}(int x) {{ return x + {i}; }}"
                           for i, name in enumerate(FUNCTIONS))
        subprocess.run(["gcc", "-O2", "-fPIC", "-ffunction-sections", "-x", "c", "-", "-c", "-o",
                        "all.o"], input=source, text=True, check=True, cwd=folder)
        sections = variant.function_sections(folder, ["all.o"])
        assert sections == sorted(f".text.{name}" for name in FUNCTIONS), sections
        layouts = []
        for seed in ("000.so", "001.so", "001.so"):
            with open(os.path.join(folder, "script"), "w", encoding="utf-8") as file:
                file.write(variant.linker_script(sections, seed))
            library = os.path.join(folder, "library.so")
            subprocess.run(["gcc", "-shared", "-o", library, os.path.join(folder, "all.o"),
                            f"-Wl,-T,{folder}/script"], check=True)
            layouts.append(addresses(library))
        names = [[name for name, _ in layout] for layout in layouts]
        assert all(sorted(order) == sorted(FUNCTIONS) for order in names), names
        assert names[0] != names[1], "another seed, the same order"
        assert names[0] != FUNCTIONS and names[1] != FUNCTIONS, "the order of the source"
        assert layouts[1] == layouts[2], "the same seed, another layout"


if __name__ == "__main__":
    main()
