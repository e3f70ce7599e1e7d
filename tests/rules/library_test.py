#!/usr/bin/env python3
"""Looks whether library.py passes a proper toy library and finds what is wrong with others."""

import pathlib
import tempfile
import unittest

import library
from toy_library import toy_library

NODELETE = "-Wl,-z,nodelete"
SOURCE = "int hak_one(void) { return 1; }\n__attribute__((visibility(\"hidden\"))) int inner(void) { return 2; }\n"


def faults(source, *flags, expected=("hak_one",), header="HAK_EXPORT int hak_one(void);\n", **compiler):
    with tempfile.TemporaryDirectory() as directory:
        header_path = pathlib.Path(directory) / "toy.h"
        header_path.write_text(header)
        with toy_library(source, *flags, **compiler) as path:
            return list(library.faults(path, set(expected), header_path))


class Library(unittest.TestCase):
    def test_a_proper_library_passes(self):
        self.assertEqual(faults(SOURCE, NODELETE), [])

    def test_another_library_is_needed(self):
        found = faults(SOURCE, NODELETE, "-Wl,--no-as-needed", "-lm")
        self.assertEqual(found, ["needs libm.so.6: libc alone is allowed"])

    def test_libstdcxx_is_needed(self):
        source = 'extern "C" int* hak_one() { return new int; }\n'
        found = faults(source, NODELETE, language="c++", compiler="g++")
        self.assertIn("needs libstdc++.so.6: libc alone is allowed", found)

    def test_it_may_be_unloaded(self):
        self.assertEqual(faults(SOURCE), ["may be unloaded: not linked with -z nodelete"])

    def test_an_export_is_missing_or_unknown(self):
        found = faults(SOURCE, NODELETE, expected=("hak_one", "malloc"))
        self.assertEqual(found, ["does not export malloc"])
        found = faults(SOURCE + "int extra;\n", NODELETE)
        self.assertEqual(found, ["exports extra, which is not listed"])

    def test_the_header_and_the_list_agree(self):
        header = ("HAK_EXPORT int hak_one(void);\n"
                  "HAK_EXPORT __attribute__((malloc)) void* hak_two(int a,\n    int b);\n")
        found = faults(SOURCE, NODELETE, header=header)
        self.assertEqual(found, ["hak_two stands in the header but not in the list of exported symbols"])


if __name__ == "__main__":
    unittest.main()
