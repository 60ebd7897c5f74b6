"""Charts of lines.

    chart('Title', 'Services', 'ns', {'a query': [(1000, 280.0), (10000, 310.0)]})
"""
from svg import Axis, picture, short, text

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 56


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
    parts = [text(LEFT, 26, f'{title}, {up_title}', 'start', 'title'), *legend(lines), *grid(across, up),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across_title)]
    for number, line_points in enumerate(lines.values()):
        parts += line(line_points, number, across, up)
    return picture(title, WIDTH, HEIGHT, parts)
