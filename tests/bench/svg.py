"""Charts of lines as SVG, readable on light and on dark ground, without any library.

    chart('Title', 'Services', 'ns', {'a query': [(1000, 280.0), (10000, 310.0)]})
"""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 56
STYLE = '''
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #ddd }
  .line { fill: none; stroke-width: 2 }
  .c0 { stroke: #1764c4 } .c1 { stroke: #b4560a } .c2 { stroke: #1c7a43 } .c3 { stroke: #8a3ab0 }
  .f0 { fill: #1764c4 } .f1 { fill: #b4560a } .f2 { fill: #1c7a43 } .f3 { fill: #8a3ab0 }
  .ground { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    .grid { stroke: #444 }
    .ground { fill: #16191d }
    .c0 { stroke: #6fa8f5 } .c1 { stroke: #f0a45d } .c2 { stroke: #6cc790 } .c3 { stroke: #c795e0 }
    .f0 { fill: #6fa8f5 } .f1 { fill: #f0a45d } .f2 { fill: #6cc790 } .f3 { fill: #c795e0 }
  }'''


def short(value):
    """1000000 -> 1 M, 0.5 -> 0.5"""
    for unit, sign in ((1e6, ' M'), (1e3, ' k')):
        if value >= unit:
            return f'{value / unit:g}{sign}'
    return f'{value:g}'


class Axis:
    """Values to places between `begin` and `end`; logarithmic by whole decades, or from 0 in round steps."""

    def __init__(self, values, begin, end, is_logarithmic):
        self.begin, self.end, self.is_logarithmic = begin, end, is_logarithmic
        if is_logarithmic:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            self.low, self.high = low, max(high, low + 1)
            self.ticks = [10.0 ** e for e in range(self.low, self.high + 1)]
        else:
            step = self.step(max(values))
            self.low, self.high = 0, step * math.ceil(max(values) / step)
            self.ticks = [i * step for i in range(round(self.high / step) + 1)]

    @staticmethod
    def step(most):
        decade = 10.0 ** math.floor(math.log10(most))
        return next(decade * part for part in (0.2, 0.5, 1, 2) if most / (decade * part) <= 6)

    def place(self, value):
        value = math.log10(value) if self.is_logarithmic else value
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def text(x, y, content, anchor='middle', kind=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def grid(across, up):
    for tick in up.ticks:
        y = up.place(tick)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield text(LEFT - 8, y + 4, short(tick), 'end')
    for tick in across.ticks:
        yield text(across.place(tick), HEIGHT - BOTTOM + 20, short(tick))


def line(points, number, across, up):
    places = [(across.place(x), up.place(y)) for x, y in points]
    yield f'<polyline class="line c{number}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    for (x, y), (_, value) in zip(places, points):
        yield f'<circle class="f{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{value:g}</title></circle>'


def legend(names):
    x = LEFT
    for number, name in enumerate(names):
        yield f'<rect class="f{number}" x="{x}" y="40" width="12" height="12"/>'
        yield text(x + 18, 51, name, 'start')
        x += 30 + 8 * len(name)


def chart(title, across_title, up_title, lines, is_logarithmic=False):
    """lines: name -> [(x, y)], up to four of them; x is logarithmic, y where it is said. All values are above 0."""
    points = [point for line_points in lines.values() for point in line_points]
    across = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, True)
    up = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP, is_logarithmic)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">', f'<title>{escape(title)}</title>',
             f'<style>{STYLE}\n</style>', f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
             text(LEFT, 26, f'{title}, {up_title}', 'start', ' class="title"'), *legend(lines), *grid(across, up),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across_title)]
    for number, line_points in enumerate(lines.values()):
        parts += line(line_points, number, across, up)
    return '\n'.join([*parts, '</svg>\n'])
