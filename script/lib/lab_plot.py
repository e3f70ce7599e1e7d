"""Draws docs/lab/proof.svg from the recordings beside it."""
import json
import os

FOLDER = os.path.join("docs", "lab")
PANELS = (("same", "same library"), ("planted-0.5", "planted 0.5 %"), ("planted-1", "planted 1 %"),
          ("relinked", "relinked, lockstep"), ("relinked-naive", "relinked, naive"),
          ("same-naive", "same library, naive"))
COLOURS = {"GO": "#c0392b", "NO-GO": "#c0392b", "NEUTRAL": "#2c7a4b", "UNDECIDED": "#777777"}
WIDTH, HEIGHT, TOP, BOTTOM = 180, 300, 30, 25
REACH = 2.5  # percent, up and down


def y_of(gain):
    percent = max(-REACH, min(REACH, 100 * gain))
    return TOP + (REACH - percent) / (2 * REACH) * (HEIGHT - TOP - BOTTOM)


def panel(left, title, runs):
    parts = [f'<text x="{left + WIDTH / 2}" y="18" text-anchor="middle">{title}</text>']
    for percent in (-2, -1, -0.5, 0, 0.5, 1, 2):
        y = y_of(percent / 100)
        dash = ' stroke-dasharray="3 3"' if abs(percent) == 0.5 else ""
        parts.append(f'<line x1="{left}" x2="{left + WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" '
                     f'stroke="#cccccc"{dash}/>')
        if left < WIDTH:
            parts.append(f'<text x="{left - 4}" y="{y + 4:.1f}" text-anchor="end">{percent:g}</text>')
    step = (WIDTH - 12) / (len(runs) + 1)
    for number, run in enumerate(runs, 1):
        estimate, low, high = run["gain"]
        x = left + number * step
        colour = COLOURS[run["verdict"]]
        if low is not None:
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_of(low):.1f}" '
                         f'y2="{y_of(high):.1f}" stroke="{colour}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y_of(estimate):.1f}" r="2.2" fill="{colour}"/>')
    parts.append(f'<text x="{left + WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
                 f'{len(runs)} runs</text>')
    return parts


def drift_panel(left, runs):
    """The twenty runs of the naive measurement that drifted most, one after the other."""
    costs = max((sum(run["nanoseconds"], []) for run in runs), key=lambda row: max(row) / min(row))
    low, high = min(costs), max(costs)
    parts = [f'<text x="{left + WIDTH / 2}" y="18" text-anchor="middle">drift: 20 runs in turn</text>']
    step = (WIDTH - 40) / len(costs)
    for number, cost in enumerate(costs):
        x = left + 30 + number * step
        y = TOP + (high - cost) / (high - low) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" '
                     f'fill="{"#1f5fa8" if number < 10 else "#d08a10"}"/>')
    for cost in (low, high):
        y = TOP + (high - cost) / (high - low) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<text x="{left + 26}" y="{y + 4:.1f}" text-anchor="end">{cost:.1f}</text>')
    parts.append(f'<text x="{left + WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
                 'ns/op; blue A, yellow B</text>')
    return parts


def draw():
    parts = []
    left = 30
    for name, title in PANELS:
        path = os.path.join(FOLDER, name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                runs = json.load(file)["runs"]
            parts += panel(left, title, runs)
            left += WIDTH
            if "nanoseconds" in runs[0]:
                parts += drift_panel(left, runs)
                left += WIDTH
    parts.append(f'<text x="{left - 6}" y="{HEIGHT + 14}" text-anchor="end">gain of B in percent; red: '
                 'GO or NO-GO, green: NEUTRAL, grey: UNDECIDED; dashed: the threshold</text>')
    with open(os.path.join(FOLDER, "proof.svg"), "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{left}" height="{HEIGHT + 22}" '
                   'font-family="sans-serif" font-size="11">\n'
                   f'<rect width="{left}" height="{HEIGHT + 22}" fill="white"/>\n'
                   + "\n".join(parts) + "\n</svg>\n")
