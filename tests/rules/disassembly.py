"""The machine code of one function of an x86-64 ELF file, and the paths through it."""

import re
import subprocess
from typing import NamedTuple

# Two-operand instructions that read their last operand, and single ones that write theirs.
_READS_LAST = re.compile(r"(cmp|test|u?comis|bt|v?ptest|lea)[bwlqsd]?$")
_WRITES_ONLY_OPERAND = re.compile(r"(inc|dec|neg|not|pop)[bwlq]?$|set\w+$|v?(st|ld)mxcsr$|fx?save")
_PREFIXES = {"lock", "rep", "repz", "repnz", "bnd", "notrack", "data16", "cs", "ds", "es"}
_LINE = re.compile(r"^\s*([0-9a-f]+):\s+(.*?)\s*$")
_TARGET = re.compile(r"^([0-9a-f]+)\b")

LONGEST_PATH = 100  # instructions; nobody calls a longer one fast


class Instruction(NamedTuple):
    address: int
    text: str
    mnemonic: str
    operands: tuple

    @property
    def is_padding(self):
        return self.mnemonic.startswith("nop") or self.text.startswith("xchg   %ax,%ax")

    @property
    def is_call(self):
        return self.mnemonic.startswith("call")

    @property
    def is_return(self):
        return self.mnemonic.startswith("ret")

    @property
    def is_jump(self):
        return self.mnemonic.startswith("jmp")

    @property
    def is_conditional(self):
        return self.mnemonic[0] == "j" and not self.is_jump or self.mnemonic.startswith("loop")

    @property
    def is_trap(self):
        return self.mnemonic in ("ud2", "hlt", "int3")

    @property
    def is_store(self):
        if self.mnemonic.startswith("push") or self.is_call:
            return True
        if not self.operands or "(" not in self.operands[-1] and "%fs:" not in self.operands[-1]:
            return False
        if self.is_padding or self.is_jump or self.mnemonic.startswith("prefetch"):
            return False
        if len(self.operands) == 1:
            return bool(_WRITES_ONLY_OPERAND.match(self.mnemonic))
        return not _READS_LAST.match(self.mnemonic)

    @property
    def target(self):
        """Where a direct jump goes; None for an indirect one."""
        match = _TARGET.match(self.operands[0]) if self.operands else None
        return int(match.group(1), 16) if match else None


def parse(address, text):
    text = text.split("#")[0].rstrip()
    words = text.split()
    while len(words) > 1 and words[0].split(".")[0] in _PREFIXES:
        words.pop(0)
    mnemonic = words[0].split(",")[0]
    operands = re.split(r",(?![^()]*\))", " ".join(words[1:])) if len(words) > 1 else ()
    return Instruction(address, text, mnemonic, tuple(operands))


def function(library, symbol):
    """The instructions of an exported function, in the order of their addresses."""
    listing = _output("nm", "-D", "-S", "--defined-only", library)
    found = re.search(rf"^([0-9a-f]+) ([0-9a-f]+) [TWi] {re.escape(symbol)}(@.*)?$", listing, re.M)
    if not found:
        raise LookupError(f"{library} exports no function {symbol}")
    start, size = int(found.group(1), 16), int(found.group(2), 16)
    code = _output("objdump", "-d", "--no-show-raw-insn", f"--start-address={start}",
                   f"--stop-address={start + size}", library)
    lines = (_LINE.match(line) for line in code.splitlines())
    return [parse(int(line.group(1), 16), line.group(2)) for line in lines if line]


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def paths_to_return(instructions):
    """Every path from the entry to a return that calls nothing, stays inside and never loops."""
    index = {instruction.address: i for i, instruction in enumerate(instructions)}
    unfinished = [(0, ())]
    while unfinished:
        i, path = unfinished.pop()
        if i is None or i >= len(instructions) or len(path) >= LONGEST_PATH:
            continue
        here = instructions[i]
        if here.is_call or here.is_trap or here in path:
            continue
        path += (here,)
        if here.is_return:
            yield path
            continue
        if here.is_jump or here.is_conditional:
            unfinished.append((index.get(here.target), path))
        if not here.is_jump:
            unfinished.append((i + 1, path))
