"""What the size of the table costs: a query, the start, a relist, a change, memory."""
import re
import subprocess
import tempfile
import time

import report
from chart import chart
from rig import SERVER_CPU, resident_mib
from workloads import NAMESPACES

SIZES, MANY = (1_000, 10_000, 100_000, 200_000), 1_000_000
ROOM_KIB = 8 << 20  # that has to be free for MANY
ENDPOINTS = 1
NAMES = 5  # of a Service here: its own, its port's, its endpoint's, and those of two addresses
HEADS = ('Services', 'names', 'MiB', 'a query, ns', 'one change, µs', 'start, ms', 'reading, ms', 'first snapshot, ms', 'relist, ms')


def sizes(is_quick):
    with open('/proc/meminfo', encoding='ascii') as file:
        available = int(re.search(r'MemAvailable:\s+(\d+)', file.read())[1])
    return SIZES if is_quick or available < ROOM_KIB else (*SIZES, MANY)


def costs(programs, path, services):
    """NAME=VALUE of the program cost."""
    done = subprocess.run(['taskset', '-c', str(SERVER_CPU), f'{programs}/cost', path, str(services), str(NAMESPACES)], check=True,
                          capture_output=True, text=True)
    return {name: float(value) for name, value in re.findall(r'(\w+)=([\d.]+)', done.stdout)}


def start(rig, peer, path):
    """Milliseconds from exec() to the line by which it says that it serves, and MiB then."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f'{folder}/Corefile', 'w', encoding='ascii') as file:
            file.write(f'. {{\n kubernetes cluster.local {{\n table {path}\n }}\n}}\n')
        begun = time.monotonic()
        process = rig.start(rig.server_space, peer.cpus, [peer.program, '-conf', 'Corefile', '-dns.port', '5300'], cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith('svcdns-'):
                    return (time.monotonic() - begun) * 1000, resident_mib(process.pid)
            raise RuntimeError(f'it does not start: {"".join(lines)}')
        finally:
            rig.end(process)
            process.stdout.close()


def measure(rig, peer, tables, programs, is_quick):
    """A dictionary for each size."""
    rows = []
    for services in sizes(is_quick):
        path = tables.get(services, ENDPOINTS)
        start_ms, mib = start(rig, peer, path)
        rows.append({'services': services, 'start_ms': start_ms, 'mib': mib, **costs(programs, path, services)})
    return rows


def table(rows):
    keys = ('mib', 'query_ns', 'change_us', 'start_ms', 'read_ms', 'publish_ms', 'relist_ms')
    return report.plain_table(HEADS, [(*(f'{r["services"] * per:,}'.replace(',', ' ') for per in (1, NAMES)),
                                       *(f'{r[key]:.0f}' for key in keys)) for r in rows])


def charts(rows):
    """File name -> SVG."""
    def points(key):
        return [(r['services'], max(r[key], 0.1)) for r in rows]
    return {'query-cost.svg': chart('A query for one of so many Services', 'Services', 'ns of processor time',
                                    {'svcdns, without the kernel': points('query_ns')}),
            'table-times.svg': chart('The table as a whole', 'Services, with one endpoint each', 'ms',
                                     {'start': points('start_ms'), 'relist': points('relist_ms'),
                                      'first snapshot': points('publish_ms')}, is_logarithmic=True),
            'change-time.svg': chart('From one change to the next snapshot', 'Services', 'µs', {'svcdns': points('change_us')})}
