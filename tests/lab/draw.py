"""Pictures of observations (observe.py): the way of one call, and what was asked for names. All in them is computed from what
was seen."""
from show import outcome
from svg import Axis, picture, short, text

ROW, MARGIN = 15, 16  # pixels
STYLE = '''
  text { font-size: 12px }
  .mono { font-family: ui-monospace, monospace; font-size: 11px }
  .changed, .what { font-weight: 600 }
  .line { stroke-width: 1.5 }'''

COLUMN, TIMES, ADDRESSES = 100, 72, 270  # widths of the ladder's parts
HEAD = 100  # its height: title, and the names of the places
NAMES, BARS, RESULTS = 400, 350, 230  # widths of the parts of the questions


def ends(seen):
    return seen['source'], seen['target']


def columns_of(found):
    """place -> x, of those that have seen something, in the order of the way"""
    passed = {seen['at'] for passage in found['passages'] for seen in passage['seen']}
    return {place: TIMES + COLUMN * (number + 0.5) for number, place in enumerate(p for p in found['places'] if p in passed)}


def heading(x, place):
    """Three lines, as names of pods are long: "order-service", "7d9f5c-x1", "eth0"."""
    device, _, name = place.partition(' of ')
    lines = [*name.split('-service-'), device]
    lines[0] += '-service' if len(lines) == 3 else ''
    for number, content in enumerate(reversed(lines)):
        yield text(x, HEAD - 12 - ROW * number, content, kind='mono')


def passage_rows(passage, y, columns, right):
    """Its head at y, and a row below for each time that it was seen."""
    color = 1 if passage['is_reply'] else 0
    yield f'<rect class="ground" x="{TIMES}" y="{y - 11:.1f}" width="{right - TIMES}" height="{ROW}"/>'  # without lifelines
    yield text(TIMES, y, passage['what'], 'start', 'what')
    places = [(columns[seen['at']], y + ROW * (number + 1)) for number, seen in enumerate(passage['seen'])]
    yield f'<polyline class="line c{color}" points="{" ".join(f"{x:.1f},{below - 4:.1f}" for x, below in places)}"/>'
    before = None
    for (x, below), seen in zip(places, passage['seen']):
        yield f'<circle class="f{color}" cx="{x:.1f}" cy="{below - 4:.1f}" r="3"/>'
        yield text(TIMES - 10, below, f'{seen["us"]} µs', 'end', 'mono')
        is_changed = before not in (None, ends(seen))
        yield text(right, below, ' > '.join(ends(seen)), 'start', 'mono changed' if is_changed else 'mono')
        before = ends(seen)


def call(found):
    """The way of a call, as a ladder: a column for each place, a row for each time that a packet was seen, down with time."""
    columns, parts = columns_of(found), []
    right = TIMES + COLUMN * len(columns) + MARGIN
    y = HEAD + 6
    for passage in found['passages']:
        parts += passage_rows(passage, y, columns, right)
        y += ROW * (len(passage['seen']) + 1.5)
    title = f'{found["pod"]} on {found["node"]} calls {found["url"]}'
    frame = [text(MARGIN, 24, title, 'start', 'title'),
             text(MARGIN, y + 6, 'bold: an address has been changed since the place before', 'start'),
             text(MARGIN, y + 6 + ROW, outcome(found), 'start')]
    for place, x in columns.items():
        frame += [*heading(x, place), f'<line class="grid" x1="{x:.1f}" y1="{HEAD - 6}" x2="{x:.1f}" y2="{y - ROW}"/>']
    return picture(title, right + ADDRESSES, round(y + 2 * ROW), [*frame, *parts], STYLE)


def color_of(question):
    """2, green: an address; 0, blue: NOERROR without one; 1, orange: all else"""
    if question['rcode'] != 'NOERROR':
        return 1
    return 2 if question['answers'] else 0


def question_row(question, y, axis):
    yield text(MARGIN, y, f'{question["type"]:<4} {question["name"]}'.replace('  ', '\u00a0\u00a0'), 'start', 'mono')
    begin = axis.place(question['us'])
    if question['rcode'] is None:
        yield text(begin, y, 'no answer', 'start')
        return
    end = axis.place(question['answered_us'])
    yield (f'<rect class="f{color_of(question)}" x="{begin:.1f}" y="{y - 9:.1f}" width="{max(end - begin, 1):.1f}" '
           'height="9"/>')
    result = ' '.join([question['rcode'], *question['answers']])
    yield text(NAMES + BARS + MARGIN, y, f'{result}, {question["answered_us"] - question["us"]} µs', 'start')


def search(lookups):
    """What was asked for each of the names that were called: a row for each question, from when it was asked to its answer."""
    ticks_y = 62
    axis = Axis([question['answered_us'] or question['us'] for found in lookups for question in found['questions']] + [1],
                NAMES, NAMES + BARS, False)
    parts, y = [], ticks_y + 24
    for found in lookups:
        parts.append(text(MARGIN, y, f'{found["url"]}  ({found["resolv_conf"][-1]})', 'start', 'what'))
        for number, question in enumerate(found['questions']):
            parts += question_row(question, y + ROW * (number + 1), axis)
        y += ROW * (len(found['questions']) + 2)
    title = 'What is asked for a name'
    frame = [text(MARGIN, 24, title, 'start', 'title'),
             text(MARGIN, 44, 'µs since the first question; green: an address, blue: the name has none of this type, '
                  'orange: no such name, or a failure', 'start')]
    for tick in axis.ticks:
        x = axis.place(tick)
        frame += [text(x, ticks_y, short(tick)),
                  f'<line class="grid" x1="{x:.1f}" y1="{ticks_y + 6}" x2="{x:.1f}" y2="{y - ROW}"/>']
    return picture(title, NAMES + BARS + RESULTS + MARGIN, round(y), [*frame, *parts], STYLE)
