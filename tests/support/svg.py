"""Pictures as SVG, readable on light and on dark ground, without any library: a frame, text, and axes.

    picture('Title', 640, 360, [text(10, 20, 'a < b'), '<circle class="f0" cx="10" cy="40" r="3"/>'])
"""
import math
from xml.sax.saxutils import escape

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
    """kind: class names of STYLE, or of the picture's own."""
    kind = f' class="{kind}"' if kind else ''
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def picture(title, width, height, parts, style=''):
    """title: what a reader gets who cannot see it. style: rules besides STYLE."""
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">', f'<title>{escape(title)}</title>',
        f'<style>{STYLE}{style}\n</style>', f'<rect class="ground" width="{width}" height="{height}" rx="6"/>', *parts, '</svg>\n'])
