#!/usr/bin/env python3
"""Plants faults in small trees and looks whether layers.py finds them, and only them."""

import pathlib
import tempfile
import unittest

import layers


def faults(files):
    """The faults of a tree with these files, given as path -> content."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return list(layers.faults_of_tree(root))


def in_layer(layer, content):
    return faults({f"src/hakmem/{layer}/file.cpp": content + "\n"})


class Layers(unittest.TestCase):
    def assert_clean(self, found):
        self.assertEqual(found, [])

    def assert_one(self, found, text):
        self.assertEqual(len(found), 1, found)
        self.assertIn(text, found[0])

    def test_includes_follow_the_order(self):
        self.assert_clean(in_layer("slab", '#include "hakmem/arena/arena.hpp"'))
        self.assert_clean(in_layer("slab", '#include "hakmem/slab/bitmap.hpp"'))
        self.assert_clean(in_layer("slab", '#include "bitmap.hpp"'))
        self.assert_clean(in_layer("os", "#include <sys/mman.h>"))
        self.assert_one(in_layer("slab", '#include "hakmem/heap/heap.hpp"'), "file.cpp:1: slab/ includes from heap/")
        self.assert_one(in_layer("base", '\n# include "os/memory.hpp"'), "file.cpp:2: base/ includes from os/")
        self.assert_one(in_layer("base", "#include <hakmem/api/api.hpp>"), "base/ includes from api/")
        self.assert_one(in_layer("api", '#include "../base/bits.hpp"'), "leaves the folder")
        self.assert_one(in_layer("api", '#include "hakmem/misc/bits.hpp"'), "names no layer")

    def test_includes_in_comments_do_not_count(self):
        self.assert_clean(in_layer("base", '// #include "hakmem/api/api.hpp"\n/*\n#include <vector>\n*/'))

    def test_public_headers_belong_to_the_outer_layers(self):
        self.assert_clean(in_layer("api", '#include "hakmem/hakmem.h"'))
        self.assert_clean(in_layer("boxes", "#include <hakmem/hakmem.hpp>"))
        self.assert_one(in_layer("heap", '#include "hakmem/hakmem.h"'), "public header")

    def test_every_file_stands_in_a_layer(self):
        self.assert_one(in_layer("misc", "int x;"), "stands in no layer")
        self.assert_one(faults({"src/hakmem/file.cpp": "int x;\n"}), "stands in no layer")

    def test_memory_system_calls_stand_in_os(self):
        self.assert_clean(in_layer("os", "void f() { mmap(0, 1, 2, 3, 4, 5); }"))
        self.assert_one(in_layer("arena", "int x;\nvoid f() { mmap(0); }"), "file.cpp:2: mmap outside os/")
        self.assert_one(in_layer("arena", "auto f = &::madvise;"), "madvise outside os/")
        self.assert_one(in_layer("api", "long n = syscall (SYS_futex);"), "syscall outside os/")
        self.assert_clean(in_layer("arena", "void f() { os::mprotect(p); box.mlock(); box->brk(); my_mmap(); }"))

    def test_the_environment_is_read_in_config(self):
        self.assert_clean(in_layer("config", 'auto p = secure_getenv("HAKMEM_X");'))
        self.assert_one(in_layer("os", 'auto p = getenv("HAKMEM_X");'), "getenv outside config/")
        self.assert_one(in_layer("api", "extern char** environ;"), "environ outside config/")

    def test_comments_and_literals_are_no_code(self):
        self.assert_clean(in_layer("heap", 'auto s = "a \\" getenv(";  // mmap(\n/* sbrk(\n munmap( */'))
        self.assert_clean(in_layer("heap", 'auto s = R"x(\n" mmap()" )x";'))
        self.assert_one(in_layer("heap", "auto c = '\"'; mmap(0); auto d = '\"';"), "mmap outside os/")
        self.assert_one(in_layer("heap", "auto n = 1'000; mmap(0, 1'000);"), "mmap outside os/")
        self.assert_one(in_layer("heap", 'auto s = "//"; mmap(0);'), "mmap outside os/")

    def test_heavy_headers_stay_outside_the_allocator(self):
        self.assert_one(in_layer("heap", "#include <vector>"), "<vector>")
        self.assert_clean(in_layer("heap", "#include <string.h>\n#include <atomic>"))
        clean = {"src/hakmem/base/x.cpp": "int x;\n", "tools/main.cpp": "#include <vector>\n"}
        self.assert_clean(faults(clean))

    def test_files_and_the_library_stay_short(self):
        self.assert_clean(in_layer("base", "\n" * (layers.LONGEST_FILE - 1)))
        self.assert_one(in_layer("base", "\n" * layers.LONGEST_FILE), "501 lines")
        many = {f"src/hakmem/base/{i}.cpp": "\n" * 500 for i in range(16)}
        self.assert_one(faults(many), "8000 lines")
        many.popitem()
        self.assert_clean(faults(many))

    def test_nothing_is_left_for_later(self):
        self.assert_one(in_layer("base", "// TODO: more"), "TODO left")
        self.assert_one(faults({"src/hakmem/base/x.cpp": "\n", "tests/x_test.cpp": "/* FIXME */\n"}), "tests/x_test.cpp:1")

    def test_an_empty_tree_is_a_fault(self):
        self.assert_one(faults({"src/other.cpp": "\n"}), "nothing to check")


if __name__ == "__main__":
    unittest.main()
