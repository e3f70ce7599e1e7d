"""The real programs of the demo, and the input that is generated for them."""
import json
import os
import random
import shutil
from dataclasses import dataclass

WORKLOADS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads")


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple
    stdin: str = os.devnull
    artifact: str = ""  # a file that the program writes, to be compared besides its output


PROGRAMS = (
    Program("python3", ("/usr/bin/python3", "orders.py", "orders.json")),
    Program("sqlite3", ("sqlite3", ":memory:"), stdin="orders.sql"),
    Program("lua", ("lua5.4", "trees.lua")),
    Program("perl", ("perl", "words.pl", "words.txt")),
    Program("g++", ("g++", "-std=c++17", "-O1", "-c", "inventory.cpp", "-o", "inventory.o"),
            artifact="inventory.o"),
)


def generate(folder):
    """Fills `folder` with the programs' sources and input: the same bytes each time."""
    for name in os.listdir(WORKLOADS):
        shutil.copy(os.path.join(WORKLOADS, name), folder)
    with open(os.path.join(folder, "orders.json"), "w", encoding="utf-8") as file:
        json.dump(orders(random.Random(1)), file)
    with open(os.path.join(folder, "words.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines_of_text(random.Random(2)))


def orders(draw):
    return [{
        "id": number,
        "customer": f"customer-{draw.randrange(2000):04d}",
        "tags": [f"tag-{draw.randrange(40)}" for _ in range(3)],
        "lines": [{"item": f"item {draw.randrange(5000)}", "price": draw.randrange(100, 9999),
                   "count": draw.randrange(1, 9)} for _ in range(draw.randrange(1, 6))],
    } for number in range(20000)]


def lines_of_text(draw):
    syllables = "ba co di fu ga he ji ko lu ma ne pi qo ra se ti vu wa xe yo zi".split()
    vocabulary = ["".join(draw.choices(syllables, k=draw.randrange(1, 5))) for _ in range(9000)]
    for _ in range(36000):
        words = [vocabulary[int(len(vocabulary) * draw.random() ** 3)] for _ in range(9)]
        words.insert(draw.randrange(9), str(draw.randrange(100000)))
        words.append(f"{words[0]}@{words[1]}.org")
        yield " ".join(words).capitalize() + ".\n"
