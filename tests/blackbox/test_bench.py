"""The benchmark's own logic: nothing here depends on how fast the machine is."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest

from server import ROOT, program

BENCH = ROOT / 'tests' / 'bench'
PROGRAMS = pathlib.Path(os.environ.get('SVCDNS_BUILD', ROOT / 'build/dev')) / 'tests'
TOOLS = ('kxdpgun', 'dnsperf', 'dig', 'taskset')
PATIENCE = 120

sys.path.insert(0, str(BENCH))

import chart  # noqa: E402
import curve  # noqa: E402
import document  # noqa: E402
import report  # noqa: E402
import rig  # noqa: E402
import svg  # noqa: E402
from workloads import WORKLOADS, ClusterA, Latency, Overload, is_headless  # noqa: E402


def why_not():
    """What the benchmark needs and does not have here; "" if nothing is missing."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f'not installed: {" ".join(missing)}'
    if os.cpu_count() < 2:
        return 'it takes two CPUs'
    return refused_space() if os.geteuid() == 0 else 'it takes root'


def refused_space():
    """Why a network namespace with a name cannot be had; "": it can. In a chroot it cannot."""
    space = f'svcdns-try-{os.getpid()}'
    try:
        for command in (['add', space], ['exec', space, 'true']):
            done = subprocess.run(['ip', 'netns', *command], capture_output=True, text=True, check=False)
            if done.returncode:
                return done.stderr.strip()
        return ''
    finally:
        subprocess.run(['ip', 'netns', 'del', space], capture_output=True, check=False)


def bench(folder, *arguments):
    return [BENCH / 'run', '--quick', '--rounds', '1', '--svcdns', program(), '--programs', PROGRAMS, '--save', folder / 'saved.json',
            *arguments]


def spaces(pid):
    return re.findall(rf'^{rig.PREFIX}-{pid}-\S+', subprocess.run(['ip', 'netns', 'list'], capture_output=True, text=True,
                                                                   check=True).stdout, re.MULTILINE)


def cells(line):
    return [cell.strip() for cell in line.strip('|').split('|')]


needs_namespaces = pytest.mark.skipif(why_not() != '', reason=f'no benchmark here: {why_not()}')


@needs_namespaces
def test_a_run_prints_a_table_and_saves_it(tmp_path):
    command = bench(tmp_path, '--peers', 'echo,svcdns', 'cluster-a')
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = process.communicate(timeout=PATIENCE)[0].splitlines()
    assert process.returncode == 0
    head = next(i for i, line in enumerate(lines) if line.startswith('|'))
    assert lines[head - 2] == f'## cluster-a: {ClusterA.__doc__}'
    assert cells(lines[head])[:3] == ['server', 'answers/s, of echo', 'by CPU time'] and 'before' not in lines[head]
    rows = {cells(line)[0]: cells(line) for line in lines[head + 2:] if line}
    assert rows.keys() == {'echo', 'svcdns'}
    assert {len(row) for row in rows.values()} == {len(cells(lines[head]))}
    assert rows['echo'][1:3] == ['1.00', '1.00']
    saved = json.loads((tmp_path / 'saved.json').read_text())
    assert saved.keys() == {'cluster-a'} and saved['cluster-a'].keys() == rows.keys()
    assert all(saved['cluster-a'][name]['answered'] > 0 for name in rows)
    assert spaces(process.pid) == []


def processes_in(spaces_of_run):
    return [int(pid) for space in spaces_of_run for pid in subprocess.run(
        ['ip', 'netns', 'pids', space], capture_output=True, text=True, check=False).stdout.split()]


@needs_namespaces
@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 1), (signal.SIGINT, 130)])
def test_nothing_stays_behind_a_run_that_is_interrupted(tmp_path, number, code):
    """While the load generator runs: then upstream, server and load are there."""
    with subprocess.Popen(bench(tmp_path, '--peers', 'svcdns', '--rounds', '50', 'cluster-a'), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + PATIENCE
        while len(there := processes_in(spaces(process.pid))) < 3:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert spaces(process.pid) == []
    assert not any(os.path.exists(f'/proc/{pid}') for pid in there)
    assert not (tmp_path / 'saved.json').exists()


@pytest.mark.parametrize('values, p, expected', [
    ([7], 50, 7), ([7], 99.9, 7),
    ([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 51, 3), ([1, 2, 3, 4], 100, 4), ([1, 2, 3, 4], 0, 1),
    (list(range(1, 1001)), 99, 990), (list(range(1, 1001)), 99.9, 999), (list(range(1, 1002)), 99.9, 1000),
    ([1, 2, float('inf')], 50, 2), ([1, 2, float('inf')], 99, float('inf')),
])
def test_percentiles(values, p, expected):
    assert report.percentile(values, p) == expected


def reading(answered, cpu, **more):
    return rig.Reading(answered=answered, cpu=cpu, user=cpu / 4, system=cpu * 3 / 4, mib=1.5, **more)


def test_ratios_are_made_in_each_round():
    """By medians of bare figures svcdns would have 200 of 100."""
    rounds = [{'echo': reading(100, 2), 'svcdns': reading(50, 4)}, {'echo': reading(400, 1), 'svcdns': reading(200, 2)},
              {'echo': reading(100, 2), 'svcdns': reading(400, 1)}]
    reference, result = report.summarize(rounds)
    assert reference == 'echo'
    assert result['svcdns']['ratio'] == 0.5 and result['svcdns']['cpu_ratio'] == 0.5
    assert result['svcdns']['answered'] == 200


def test_without_echo_the_reference_is_svcdns():
    reference, result = report.summarize([{'svcdns': reading(100, 2), 'nsd': reading(50, 4)}])
    assert reference == 'svcdns'
    assert result['nsd']['ratio'] == 0.5


def test_a_table_shows_ratios_first_and_what_was_before():
    _, result = report.summarize([{'echo': reading(1000, 2), 'svcdns': reading(900, 4)}])
    text = report.table(ClusterA, 'echo', result, {'svcdns': {'ratio': 0.6, 'reference': 'echo'}})
    assert text.splitlines() == [
        '| server | answers/s, of echo | by CPU time | answers/s | µs CPU (user + system) | lost | MiB | before |',
        '|---|---|---|---|---|---|---|---|',
        '| echo | 1.00 | 1.00 | 1 000 | 2.00 (0.50 + 1.50) | 0 | 1.5 |  |',
        '| svcdns | 0.90 | 0.50 | 900 | 4.00 (1.00 + 3.00) | 0 | 1.5 | 0.60 (+50 %) |']


def test_what_was_measured_by_another_reference_is_not_compared():
    _, result = report.summarize([{'echo': reading(1000, 2), 'svcdns': reading(900, 4)}])
    text = report.table(ClusterA, 'echo', result, {'svcdns': {'ratio': 1.0, 'reference': 'svcdns'}})
    assert cells(text.splitlines()[-1])[-1] == ''


def test_latencies_stand_beside_echo_and_what_was_lost_says_so():
    slow = {'p50': 20.0, 'p90': 30.0, 'p99': 300.0, 'p999': float('inf')}
    rounds = [{'echo': reading(100, 2, p50=10.0, p90=10.0, p99=10.0, p999=10.0), 'svcdns': reading(100, 2, **slow)}]
    line = report.table(Latency, *report.summarize(rounds)).splitlines()[-1]
    assert cells(line)[:7] == ['svcdns', '1.00', '1.00', '20 (2.0)', '30 (3.0)', '300 (30.0)', 'lost']


def test_workloads_show_their_own_figures():
    rounds = [{'svcdns': reading(100, 2, share=0.98, load=2.96, mib_before=24.25)}]
    line = report.table(Overload, *report.summarize(rounds)).splitlines()[-1]
    assert cells(line)[3:6] == ['3.0', '0.98', '24.2']


def test_results_of_other_workloads_and_servers_stay():
    before = {'mixed': {'nsd': 1, 'svcdns': 2}, 'bare': {'svcdns': 3}}
    assert report.merge(before, {'mixed': {'svcdns': 4}}) == {'mixed': {'nsd': 1, 'svcdns': 4}, 'bare': {'svcdns': 3}}


def test_a_section_of_the_document_is_replaced():
    text = 'a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n<!-- begin y -->\ny\n<!-- end y -->\n'
    replaced = document.replace_section(text, 'x', r'\1 new')
    assert replaced == text.replace('old', r'\1 new')
    with pytest.raises(RuntimeError):
        document.replace_section(text, 'z', 'new')


def test_the_document_has_a_place_for_everything():
    text = (ROOT / 'docs/performance.md').read_text()
    for name in (*WORKLOADS, 'curve', 'memory', 'machine'):
        document.replace_section(text, name, '')


def rows(*sizes):
    return [{'services': n, 'mib': 10, 'query_ns': 280, 'change_us': n / 1000, 'start_ms': n / 100, 'read_ms': 5, 'publish_ms': 0,
             'relist_ms': 4} for n in sizes]


def test_charts_are_well_formed_and_in_the_document():
    text = (ROOT / 'docs/performance.md').read_text()
    for name, picture in curve.charts(rows(1000, 10_000, 100_000)).items():
        root = xml.etree.ElementTree.fromstring(picture)
        assert root.tag == '{http://www.w3.org/2000/svg}svg'
        assert len(root.findall('{*}polyline')) == len(root.findall('{*}circle')) / 3 >= 1
        assert 'prefers-color-scheme: dark' in picture
        assert f'(performance/{name})' in text


@pytest.mark.parametrize('values, is_logarithmic, ticks', [
    ([280, 340], False, [0, 100, 200, 300, 400]), ([5], False, [0, 1, 2, 3, 4, 5]),
    ([3, 900], True, [1, 10, 100, 1000]), ([10], True, [10, 100])])
def test_axes_have_round_ticks(values, is_logarithmic, ticks):
    axis = svg.Axis(values, 0, 100, is_logarithmic)
    assert axis.ticks == ticks
    assert axis.place(ticks[0]) == 0 and axis.place(ticks[-1]) == 100


def test_text_in_charts_is_escaped():
    picture = chart.chart('a < b & c', 'x', 'y', {'<line>': [(1, 1), (10, 2)]})
    assert xml.etree.ElementTree.fromstring(picture).find('{*}title').text == 'a < b & c'


def test_what_load_generators_print_is_read():
    assert rig.parse_kxdpgun('total queries:     1200\ntotal replies:     800 (66%)\n', 2) == {
        'answers': 800, 'answered': 400, 'offered': 600}
    assert rig.parse_dnsperf('  Queries completed:    90 (90.00%)\n  Queries lost:         10 (10.00%)\n'
                             '  Queries per second:   45.5\n') == {'answers': 90, 'answered': 45.5, 'lost': 10}
    assert rig.parse_stream('answers 100, connections 10, broken 1\n', 4) == {'answers': 100, 'answered': 25, 'lost': 1}


def test_the_data_are_those_of_the_table(tmp_path):
    """make_table.py is what the servers read; peers get their records from the formulas of the workloads."""
    table = tmp_path / 'table.json'
    subprocess.run([ROOT / 'tests/support/make_table.py', '--services', '300', '--endpoints', '10', '--namespaces', '100',
                    '--format', 'json', '--output', table], check=True)
    items = json.loads(table.read_text())['items']
    ips = {item['metadata']['name']: item['spec']['clusterIP'] for item in items if item['kind'] == 'Service'}
    assert [is_headless(k) for k in range(300)] == [ips[f'svc-{k}'] == 'None' for k in range(300)]
    workload = WORKLOADS['mixed'](tmp_path, type('Tables', (), {'get': lambda *_: table}), PROGRAMS)
    list(workload.questions())
    addresses = {}
    for owner, type_, data in workload.data:
        if type_ == 'A':
            addresses.setdefault(owner, []).append(data)
    for item in items:
        name, namespace = item['metadata']['name'], item['metadata'].get('namespace')
        if item['kind'] == 'Service' and ips[name] != 'None':
            assert addresses[f'{name}.{namespace}.svc.cluster.local'] == [ips[name]]
        elif item['kind'] == 'EndpointSlice' and ips[name[:-3]] == 'None':
            owner = f'{name[:-3]}.{namespace}.svc.cluster.local'
            assert addresses[owner] == [e['addresses'][0] for e in item['endpoints']]
