#!/usr/bin/env python3
"""Looks whether fast_path.py finds the right path in toy libraries, and the breaches on it."""

import contextlib
import io
import unittest

import disassembly
import fast_path
from toy_library import toy_library

GOOD = r"""
#include <stddef.h>
#include <stdint.h>
struct bin { void** top; void** limit; };
static __thread struct bin bins[16] __attribute__((tls_model("initial-exec")));
static __thread uint32_t tag __attribute__((tls_model("initial-exec")));
static unsigned char route[65];
static uint32_t* map;
static uintptr_t base;
void* slow(size_t n);
void slow_free(void* p);
#ifndef ENTRY
#define ENTRY __attribute__((aligned(64)))
#endif
ENTRY void* malloc(size_t n) {
  if (__builtin_expect(n > 1024, 0)) return slow(n);
  struct bin* b = &bins[route[(n + 15) >> 4]];
  void* p = *b->top;
  if (__builtin_expect(!p, 0)) return slow(n);
  b->top--;
  EXTRA
  return p;
}
ENTRY void free(void* p) {
  uintptr_t region = ((uintptr_t)p - base) >> 16;
  if (__builtin_expect(region > 4096, 0)) return slow_free(p);
  uint32_t class = map[region] ^ tag;
  if (__builtin_expect(class > 15, 0)) return slow_free(p);
  struct bin* b = &bins[class];
  if (__builtin_expect(b->top == b->limit, 0)) return slow_free(p);
  b->top[1] = p;
  b->top++;
  EXTRA
}
"""


def breaches(source, *flags):
    with toy_library(source, "-fno-builtin", *flags) as library:
        with contextlib.redirect_stdout(io.StringIO()):
            return fast_path.judge(library)


def path_of(body):
    """The texts of the hit path through a function `f` given in assembly."""
    source = f".globl f\n.type f,@function\nf:\n{body}\n.size f,.-f\n"
    with toy_library(source, "-nostdlib", language="assembler") as library:
        path = fast_path.hit_path(library, "f")
    return path and [" ".join(i.text.split("<")[0].split()) for i in path]


class Contracts(unittest.TestCase):
    def test_a_good_allocator_passes(self):
        self.assertEqual(breaches(GOOD, "-DEXTRA="), [])

    def test_a_counter_is_a_store_too_many(self):
        source = "static __thread long count;\n" + GOOD
        found = breaches(source, "-DEXTRA=count++;", "-ftls-model=initial-exec")
        self.assertIn("malloc: 2 stores, more than 1", found)
        self.assertIn("free: 3 stores, more than 2", found)

    def test_a_gate_is_a_branch_too_many(self):
        source = "extern void trace(void); static int gate; void arm(void) { gate = 1; }\n" + GOOD
        found = breaches(source, "-DEXTRA=if(gate)trace();")
        self.assertIn("malloc: 3 conditional branches, more than 2", found)
        self.assertIn("free: 4 conditional branches, more than 3", found)

    def test_a_function_begins_on_a_line(self):
        entry = '__asm__(".section .text.entry,\\"ax\\";.p2align 6;.skip 16");' \
                '__attribute__((section(".text.entry")))'
        found = breaches(GOOD, "-DEXTRA=", "-DENTRY=" + entry)
        self.assertIn("malloc: begins 16 bytes into a line", found)

    def test_a_call_on_every_path_leaves_none(self):
        source = "extern void trace(void);\n" + GOOD
        found = breaches(source, "-DEXTRA=trace();__asm__ volatile(\"\");")
        self.assertIn("malloc: no path writes memory and returns without a call", found)

    def test_many_instructions_are_too_many(self):
        work = '__asm__ volatile(".rept 12\\nmov %eax,%eax\\n.endr");'
        found = breaches(GOOD, "-DEXTRA=" + work)
        self.assertTrue(any("malloc: " in f and "instructions, more than 18" in f for f in found), found)
        self.assertTrue(any("free: " in f and "instructions, more than 22" in f for f in found), found)
        self.assertTrue(any("together" in f for f in found), found)

    def test_a_missing_function_is_an_error(self):
        with self.assertRaises(LookupError):
            breaches("int nothing;")


class Paths(unittest.TestCase):
    def test_the_straight_path(self):
        path = path_of("endbr64; nop; cmp %rax,(%rdi); ja 1f; mov %rax,(%rdi); ret; 1: jmp g")
        self.assertEqual([line.split()[0] for line in path], ["endbr64", "nop", "cmp", "ja", "mov", "ret"])

    def test_padding_does_not_count_but_endbr64_does(self):
        source = ".globl f\n.type f,@function\nf: endbr64; nopw 8(%rax,%rax); push %rax; ret\n.size f,.-f\n"
        with toy_library(source, "-nostdlib", language="assembler") as library:
            path = fast_path.hit_path(library, "f")
        self.assertEqual((len(path), fast_path.length(path), fast_path.stores(path)), (4, 3, 1))

    def test_a_hit_behind_a_taken_branch(self):
        path = path_of("test %rax,%rax; jne 1f; jmp g; 1: mov %rax,(%rdi); ret")
        self.assertEqual([line.split()[0] for line in path], ["test", "jne", "mov", "ret"])

    def test_jumps_inside_are_followed(self):
        path = path_of("jmp 1f; 2: ret; 1: incq 8(%rdi); jmp 2b")
        self.assertEqual([line.split()[0] for line in path], ["jmp", "incq", "jmp", "ret"])

    def test_of_two_paths_the_straighter(self):
        path = path_of("test %rdi,%rdi; je 1f; inc %rax; inc %rax; 2: mov %rax,(%rdi); ret; 1: jmp 2b")
        self.assertEqual([line.split()[0] for line in path], ["test", "je", "inc", "inc", "mov", "ret"])

    def test_of_two_paths_the_one_that_writes(self):
        path = path_of("test %rdi,%rdi; je 1f; nop; mov %rax,(%rdi); nop; nop; ret; 1: ret")
        self.assertEqual([line.split()[0] for line in path], ["test", "je", "nop", "mov", "nop", "nop", "ret"])

    def test_loops_calls_and_traps_are_no_hit(self):
        self.assertIsNone(path_of("mov %rax,(%rdi); 1: dec %rax; jmp 1b"))
        self.assertIsNone(path_of("mov %rax,(%rdi); call g@plt; ret"))
        self.assertIsNone(path_of("mov %rax,(%rdi); ud2; ret"))
        self.assertIsNone(path_of("mov %rax,(%rdi); jmp *%rax"))


class Stores(unittest.TestCase):
    def is_store(self, text):
        return disassembly.parse(0, text).is_store

    def test_what_writes_memory(self):
        for text in ("mov    %rax,0x8(%rdx)", "addq   $0x8,%fs:0x10", "push   %rbx", "incl   (%rax)",
                     "lock cmpxchg %rdx,(%rdi)", "rep stos %al,%es:(%rdi)", "sete   0x8(%rax,%rbx,4)",
                     "movups %xmm0,(%rdi)", "xchg   %rax,(%rdi)", "mov    %rdi,(%rax,%rcx,8)"):
            self.assertTrue(self.is_store(text), text)

    def test_what_does_not(self):
        for text in ("mov    0x8(%rdx),%rax", "mov    %fs:0x0,%rax", "cmpq   $0x0,(%rax)", "nopw   0x0(%rax,%rax,1)",
                     "lea    (%rax,%rax,2),%rdx", "test   %al,(%rdx)", "prefetcht0 (%rax)", "ret",
                     "jmp    *0x8(%rax)", "mulq   (%rdi)", "mov    0x2e(%rip),%rax        # 4010 <x>"):
            self.assertFalse(self.is_store(text), text)


if __name__ == "__main__":
    unittest.main()
