"""Draws RSS over live bytes, phase by phase, as an SVG picture."""
import html
import math

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 195, 44, 46
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b8a900",
           "#7a3db8", "#444444")
MARKS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000)


def spread(wanted, least):
    """Moves places apart that lie closer than `least`, keeping their order."""
    places = list(wanted)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for before, after in zip(order, order[1:]):
        places[after] = max(places[after], places[before] + least)
    return places


def draw(path, series):
    """`series`: from a name to its ratios; the last one is when all is over."""
    count = max(map(len, series.values()))
    highest = max(max(ratios) for ratios in series.values())
    top = next((mark for mark in MARKS if mark >= highest), highest)

    def x(phase):
        return LEFT + (WIDTH - LEFT - RIGHT) * phase / max(1, count - 1)

    def y(ratio):
        share = math.log(max(ratio, 1)) / math.log(top)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16">Resident memory over live bytes at the end of each '
        'phase</text>']
    for mark in (mark for mark in MARKS if mark <= top):
        lines.append(f'<path d="M{LEFT} {y(mark):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for phase in range(0, count, max(1, (count - 1) // 8)):
        lines.append(f'<text x="{x(phase):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
                     f'{phase + 1 if phase < count - 1 else "end"}</text>')
    lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
                 'phase</text>')
    labels = spread([y(ratios[-1]) for ratios in series.values()], 15)
    overflow = max(0, max(labels) - (HEIGHT - 6))
    for (name, ratios), label, number in zip(series.items(), labels, range(len(series))):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(phase):.1f},{y(ratio):.1f}" for phase, ratio in enumerate(ratios))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                     f'stroke-width="{3 if number == 0 else 1.5}"/>')
        lines.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label + 4 - overflow:.1f}" fill="{colour}">'
                     f'{html.escape(name)}, {ratios[-1]:.1f}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, "</svg>", ""]))
