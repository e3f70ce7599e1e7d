"""Compiles small shared libraries, on which the checks of libraries are themselves tested."""

import contextlib
import pathlib
import subprocess
import tempfile


@contextlib.contextmanager
def toy_library(source, *flags, language="c", compiler="gcc"):
    """The path of a shared library made from the source; it exists inside the `with` block."""
    with tempfile.TemporaryDirectory() as directory:
        library = pathlib.Path(directory) / "libtoy.so"
        command = [compiler, "-O2", "-shared", "-fPIC", "-x", language, "-", *flags, "-o", str(library)]
        subprocess.run(command, input=source, text=True, check=True)
        yield str(library)
