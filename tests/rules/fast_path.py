#!/usr/bin/env python3
"""Holds the fast path contract of docs/design.md on the built library (x86-64).

The path judged is one from a function's entry to its return that writes memory, calls nothing and
leaves the function nowhere: with the cache's top pointer the one thing there is to write, that is the
cache hit. Of several it is the straightest, the one with the fewest branches taken, for that is how
the compiler lays out what it was told to expect; the shortest of these.

usage: fast_path.py LIBRARY
"""

import sys
from typing import NamedTuple

import disassembly


class Contract(NamedTuple):
    symbol: str
    instructions: int
    branches: int
    stores: int


CONTRACTS = (
    Contract("malloc", instructions=18, branches=2, stores=1),
    Contract("free", instructions=22, branches=3, stores=2),
)
INSTRUCTIONS_TOGETHER = 40
CODE_LINE = 64  # bytes; each function begins on one


def length(path):
    return sum(not instruction.is_padding for instruction in path)


def branches(path):
    return sum(instruction.is_conditional for instruction in path)


def taken(path):
    return sum(here.is_conditional and here.target == then.address
               for here, then in zip(path, path[1:]))


def stores(path):
    return sum(instruction.is_store for instruction in path)


def hit_path(library, symbol):
    """The cache hit's path through the function; None when every path calls or leaves."""
    paths = disassembly.paths_to_return(disassembly.function(library, symbol))
    hits = (path for path in paths if stores(path))
    return min(hits, key=lambda path: (taken(path), length(path)), default=None)


def breaches(contract, path):
    if path is None:
        yield f"{contract.symbol}: no path writes memory and returns without a call"
        return
    for what, count, limit in (
        ("instructions", length(path), contract.instructions),
        ("conditional branches", branches(path), contract.branches),
        ("stores", stores(path), contract.stores),
    ):
        if count > limit:
            yield f"{contract.symbol}: {count} {what}, more than {limit}"


def misplaced(symbol, address):
    if address % CODE_LINE:
        yield f"{symbol}: begins {address % CODE_LINE} bytes into a line"


def describe(symbol, path):
    print(f"{symbol}: {length(path)} instructions, {branches(path)} conditional branches, "
          f"{stores(path)} stores")
    for instruction in path:
        print(f"  {instruction.address:8x}  {instruction.text}")


def judge(library, contracts=CONTRACTS, together=INSTRUCTIONS_TOGETHER):
    """All breaches of the contracts by the library, after printing the paths found."""
    found, total = [], 0
    for contract in contracts:
        path = hit_path(library, contract.symbol)
        if path:
            describe(contract.symbol, path)
            total += length(path)
            found += misplaced(contract.symbol, path[0].address)
        found += breaches(contract, path)
    if total > together:
        found.append(f"together {total} instructions, more than {together}")
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = judge(sys.argv[1])
    for breach in found:
        print("BREACH", breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
