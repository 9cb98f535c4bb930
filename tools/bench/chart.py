"""Charts as SVG, written by hand: panels below each other, each with its axes, and one legend for all of them.

The background is transparent; text and lines change with the reader's light or dark scheme, and the colours of the
series can be told apart on both.
"""

import html
import math
import pathlib

COLOURS = ["#2f81f7", "#e07b1a", "#2da44e", "#a371f7"]
WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 860, 170, 76, 24, 84, 74

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600; fill: #24292f }
  .panel { font-size: 13px; font-weight: 600; fill: #24292f }
  .axis { stroke: #8c959f; stroke-width: 1; fill: none }
  .series { stroke-width: 2; stroke-linejoin: round; fill: none }
  .grid { stroke: #8c959f; stroke-opacity: 0.25; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9ea7b3 }
    .title, .panel { fill: #e6edf3 }
  }
"""


class Panel:
    """One diagram. `lines` are (name, points, dashed); a name has the same colour in all panels."""

    def __init__(self, title, x_label, y_label, lines, logarithmic=False, goal=None):
        self.title, self.x_label, self.y_label, self.goal = title, x_label, y_label, goal
        self.lines, self.logarithmic = [line for line in lines if line[1]], logarithmic

    def bounds(self):
        x_max = max((x for _, points, _ in self.lines for x, _ in points), default=0) or 1
        ys = [y for _, points, _ in self.lines for _, y in points] + ([self.goal[1]] if self.goal else []) or [1]
        if self.logarithmic:
            low = 10 ** math.floor(math.log10(max(min(ys), 1e-3)))
            return x_max, low, max(10 ** math.ceil(math.log10(max(max(ys), 1e-3))), low * 10)
        step = nice_step(max(ys) or 1)
        return x_max, 0, math.ceil((max(ys) or 1) / step * 1.02) * step


def nice_step(largest, wanted=4):
    """1, 2 or 5 times a power of ten, so that about `wanted` of them reach the largest value."""
    power = 10 ** math.floor(math.log10(largest / wanted))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * wanted >= largest * 0.999)


def ticks(low, high, logarithmic):
    if logarithmic:
        return [10 ** power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    step = nice_step(high)
    return [step * at for at in range(int(high / step + 1e-6) + 1)]


def draw_panel(panel, top, colours):
    x_max, y_low, y_high = panel.bounds()
    wide, bottom = WIDTH - LEFT - RIGHT, top + PANEL

    def x_of(x):
        return LEFT + wide * x / x_max

    def y_of(y):
        if panel.logarithmic:
            return bottom - PANEL * math.log(max(y, y_low) / y_low) / math.log(y_high / y_low)
        return bottom - PANEL * y / y_high

    yield f'<text class="panel" x="{LEFT}" y="{top - 10}">{html.escape(panel.title)}</text>'
    for y in ticks(y_low, y_high, panel.logarithmic):
        yield f'<line class="grid" x1="{LEFT}" y1="{y_of(y):.1f}" x2="{WIDTH - RIGHT}" y2="{y_of(y):.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y_of(y) + 4:.1f}" text-anchor="end">{y:,g}</text>'
    for x in ticks(0, x_max, False):
        yield f'<line class="axis" x1="{x_of(x):.1f}" y1="{bottom}" x2="{x_of(x):.1f}" y2="{bottom + 4}"/>'
        yield f'<text x="{x_of(x):.1f}" y="{bottom + 18}" text-anchor="middle">{x:g}</text>'
    yield f'<path class="axis" d="M{LEFT} {top}V{bottom}H{WIDTH - RIGHT}"/>'
    yield f'<text x="{LEFT + wide / 2}" y="{bottom + 35}" text-anchor="middle">{html.escape(panel.x_label)}</text>'
    yield (f'<text transform="translate(18 {top + PANEL / 2}) rotate(-90)" text-anchor="middle">'
           f'{html.escape(panel.y_label)}</text>')
    if panel.goal:
        name, y = panel.goal
        yield f'<path class="axis" stroke-dasharray="2 4" d="M{LEFT} {y_of(y):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{WIDTH - RIGHT}" y="{y_of(y) - 5:.1f}" text-anchor="end">{html.escape(name)}</text>'
    for name, points, dashed in panel.lines:
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        dash = ' stroke-dasharray="4 3" stroke-opacity="0.8"' if dashed else ""
        yield f'<polyline class="series" stroke="{colours[name]}"{dash} points="{path}"/>'


def draw(title, note, panels):
    """The whole picture as text."""
    names = list(dict.fromkeys(name for panel in panels for name, _, _ in panel.lines))
    colours = dict(zip(names, COLOURS))
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
             f'height="{height}" role="img" aria-label="{html.escape(title)}">', f"<style>{STYLE}</style>",
             f'<text class="title" x="{LEFT}" y="20">{html.escape(title)}</text>']
    x = LEFT
    for name in names:
        parts.append(f'<line x1="{x}" y1="38" x2="{x + 22}" y2="38" stroke="{colours[name]}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 28}" y="42">{html.escape(name)}</text>')
        x += 48 + 7 * len(name)
    parts.append(f'<text x="{x}" y="42">{html.escape(note)}</text>')
    for at, panel in enumerate(panels):
        parts += draw_panel(panel, TOP + at * (PANEL + GAP), colours)
    return "\n".join(parts) + "\n</svg>\n"


def write(path, title, note, panels):
    pathlib.Path(path).write_text(draw(title, note, panels))
