"""A day in the life of a web back end: parse JSON, build objects, group, sort, render, dump again."""
import collections
import json
import sys


class Order:
    def __init__(self, record):
        self.id = record["id"]
        self.customer = record["customer"]
        self.lines = [Line(line) for line in record["lines"]]
        self.tags = frozenset(record["tags"])

    def total(self):
        return sum(line.price * line.count for line in self.lines)


class Line:
    def __init__(self, record):
        self.item = record["item"]
        self.price = record["price"]
        self.count = record["count"]


def report(orders):
    by_customer = collections.defaultdict(list)
    for order in orders:
        by_customer[order.customer].append(order)
    rows = []
    for customer, theirs in sorted(by_customer.items()):
        theirs.sort(key=lambda order: (-order.total(), order.id))
        tags = collections.Counter(tag for order in theirs for tag in order.tags)
        rows.append({
            "customer": customer,
            "orders": len(theirs),
            "total": sum(order.total() for order in theirs),
            "best": [f"{order.id}:{order.total():,}" for order in theirs[:3]],
            "tags": dict(sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))[:5]),
        })
    return rows


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    for _ in range(2):
        orders = [Order(record) for record in json.loads(text)]
        rows = report(orders)
        page = "\n".join(
            "<tr>" + "".join(f"<td>{key}={value}</td>" for key, value in row.items()) + "</tr>"
            for row in rows)
        words = collections.Counter(page.replace("<", " ").replace(">", " ").split())
        again = json.dumps(rows, indent=1)
        print(len(page), len(again), len(words), words.most_common(3), json.loads(again) == rows)


main()
