"""What was found, written into docs/journey.md: text between its marks, and pictures beside it."""
import document
import draw
import events
import table
from breaks import CALL, CALL_IN_SHOP, TRIES, caller
from cluster import OUTSIDE
from observe import observe
from show import hop


def takes_the_way(found):
    """Of the page: by the svcdns of its own node to a pod of the other one."""
    return (found['outcome'].get('body', {}).get('node') not in (None, found['node'])
            and {each['to'] for each in found['questions']} == {table.DNS_PODS[0][0]})


def code(lines):
    return '\n'.join(['', *(f'    {line}' for line in lines), ''])


def write(cluster, path, count):
    """The first call that takes the way, look-ups of names of each kind, and so many calls at a steady rate for each event."""
    def call(url):
        return observe(cluster, caller(cluster), url)

    found = next(filter(takes_the_way, (call(CALL) for _ in range(TRIES))))
    lookups = [found, call(CALL_IN_SHOP), call(f'http://{OUTSIDE}/')]
    packets = ['its first packets, place by place', *(f'    {hop(each)}' for each in found['path'])]
    costs = [line for each in events.steady(cluster, events.RATE, count) for line in events.lines(each)]
    document.write(path, {'packets': code(packets), 'steady': code(costs)},
                   {'call.svg': draw.call(found), 'search.svg': draw.search(lookups)})
