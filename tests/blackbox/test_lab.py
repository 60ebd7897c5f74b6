"""The laboratory: one call from a pod on one node to a pod on the other, and how it looks when one thing on its way is broken."""

import collections
import importlib.util
import json
import os
import re
import signal
import subprocess
import uuid

import pytest
import yaml

from server import PATIENCE, ROOT, eventually, program

LAB = ROOT / 'tests/lab/lab'
JOURNEY = (ROOT / 'docs/journey.md').read_text(encoding='utf-8')
SERVER = os.path.abspath(program())
NOT_PERMITTED = 77
CALLER, CALLER_IP, DNS_IP = 'order-service-7d9f5c-x1', '10.244.1.11', '10.96.0.10'
SERVICES = {'product': ('10.96.10.2', '10.244.2.12', 'product-service-7d9f5c-y2'),
            'payment': ('10.96.10.3', '10.244.2.13', 'payment-service-7d9f5c-y3')}
SEARCH = 'default.svc.cluster.local.', 'svc.cluster.local.', 'cluster.local.', ''
PRODUCT = 'product-service-svc.'


def lab(*arguments):
    """What it has found: the lines of JSON."""
    done = subprocess.run([LAB, '--server', SERVER, '--json', *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=10 * PATIENCE)
    if done.returncode == NOT_PERMITTED:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, '')
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(found):
    """Questions for addresses, with their answers. For each there is one for IPv6, of the same rcode and without addresses."""
    four, six = ([(each['name'], each['rcode']) for each in found['questions'] if each['type'] == type] for type in ('A', 'AAAA'))
    assert four == six
    assert not any(each['answers'] for each in found['questions'] if each['type'] == 'AAAA')
    return [(each['name'], each['rcode'], each['answers']) for each in found['questions'] if each['type'] == 'A']


def logged(found):
    """The same as svcdns' log has it, without the answers."""
    lines = [re.search(fr'\[INFO\] {CALLER_IP}:\d+ - \d+ "A IN (\S+) .*" (\S+) ', line) for line in found['log']]
    return [line.groups() for line in lines if line]


def in_vain(name, first=0, rcode='NXDOMAIN'):
    return [(name + domain, rcode, []) for domain in SEARCH[first:]]


def syns(found):
    """[(place, port-less source, target)] of the first packets, those that were sent again once only."""
    return [(hop['at'], hop['source'].split(':')[0], hop['target']) for hop in found['path'] if hop['flags'] == 'SYN']


def check_answer(found, cluster_ip, pod_ip, pod, node):
    """That the call went by DNAT to this pod, and was answered by it."""
    assert found['outcome']['status'] == 200
    body = found['outcome']['body']
    assert (body['pod'], body['node'], body['client']) == (pod, node, CALLER_IP)
    assert found['steps'][f'{counter_of(found)}_{pod_ip.replace(".", "_")}'] == 1
    tracked, = found['tracked']
    assert f'src={CALLER_IP} dst={cluster_ip} ' in tracked and f'src={pod_ip} dst={CALLER_IP} sport=8080 ' in tracked


def counter_of(found):
    host = found['url'].split('/')[2].split('.')
    return f'{host[1] if len(host) > 1 else "default"}_{host[0]}_http'.replace('-', '_')


@pytest.mark.parametrize('name', SERVICES)
def test_a_call_to_the_other_node(name, walk):
    cluster_ip, pod_ip, pod = SERVICES[name]
    found = next(each for each in walk if each['url'] == f'http://{name}-service-svc/')
    assert (found['pod'], found['node']) == (CALLER, 'node-x')
    assert found['resolv_conf'] == ['search default.svc.cluster.local svc.cluster.local cluster.local', f'nameserver {DNS_IP}',
                                    'options ndots:5']
    assert asked(found) == [(f'{name}-service-svc.default.svc.cluster.local.', 'NOERROR', [cluster_ip])]
    assert logged(found) == [(f'{name}-service-svc.default.svc.cluster.local.', 'NOERROR')]
    assert f'{cluster_ip} via 10.244.1.1 dev eth0 src {CALLER_IP} ' in found['pod_route']
    assert f'{pod_ip} from {CALLER_IP} via 192.168.50.12 dev eth0 ' in found['node_route']
    assert syns(found) == [(place, CALLER_IP, target) for place, target in (
        (f'eth0 of {CALLER}', f'{cluster_ip}:80'), ('cbr0 of node-x', f'{cluster_ip}:80'), ('eth0 of node-x', f'{pod_ip}:8080'),
        ('eth0 of node-y', f'{pod_ip}:8080'), ('cbr1 of node-y', f'{pod_ip}:8080'), (f'eth0 of {pod}', f'{pod_ip}:8080'))]
    check_answer(found, cluster_ip, pod_ip, pod, 'node-y')


@pytest.fixture(scope='module')
def walk():
    return lab()


def test_calls_are_spread():
    """Over the replicas on both nodes: by name from a pod, its own Service too, and from outside by a port of either node."""
    count = 40
    found = {each['url']: each for each in lab('calls', count)}
    assert len(found) == 7
    for url, each in found.items():
        assert each['errors'] == [], url
        by_service = collections.defaultdict(dict)
        for who, times in each['answered'].items():
            by_service[who.split('-service')[0]][who.split(' on ')[1]] = times
        expected = ['payment', 'product'] if 'in turn' in url else [re.search('//(?:([a-z]+)-)?', url)[1] or 'order']
        assert sorted(by_service) == expected, url
        for times in by_service.values():
            assert sorted(times) == ['node-x', 'node-y'] and sum(times.values()) == count, url


def test_a_command_in_the_pod():
    """Its output, input and exit code are the command's own."""
    done = subprocess.run([LAB, '--server', SERVER, 'exec', 'sh', '-c', 'hostname; cat; exit 3'], input='said\n',
                          capture_output=True, text=True, timeout=10 * PATIENCE)
    if done.returncode == NOT_PERMITTED:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stdout, done.stderr) == (3, f'{CALLER}\nsaid\n', '')


def test_a_steady_load():
    """A client with one retry loses no call, whether svcdns is killed and starts again or the pods behind the Service change."""
    restarted, replaced = lab('steady', 200, 400)
    for each in (restarted, replaced):
        assert (each['calls'], each['lost']) == (400, 0), each


def test_svcdns_down():
    found, = lab('break', 'svcdns-down')
    assert found['outcome']['error'] == 'gaierror: [Errno -3] Temporary failure in name resolution'
    assert set(rcode for _, rcode, _ in asked(found)) == {None}
    assert logged(found) == [] and found['path'] == []
    assert {'kind': 'icmp', 'source': DNS_IP, 'target': CALLER_IP, 'unreachable': 'port', 'about': DNS_IP} in found['refusals']


def test_wrong_namespace():
    bare, in_shop = lab('break', 'wrong-namespace')
    assert bare['outcome']['error'] == 'gaierror: [Errno -2] Name or service not known'
    assert asked(bare) == in_vain(PRODUCT)
    assert logged(bare) == [(name, rcode) for name, rcode, _ in asked(bare)]
    assert bare['path'] == []
    assert in_shop['outcome']['status'] == 200
    assert asked(in_shop) == [(f'{PRODUCT}shop.default.svc.cluster.local.', 'NXDOMAIN', []),
                              (f'{PRODUCT}shop.svc.cluster.local.', 'NOERROR', ['10.96.20.2'])]


def test_no_endpoints():
    found, = lab('break', 'no-endpoints')
    assert found['outcome']['error'] == 'ConnectionRefusedError: [Errno 111] Connection refused'
    assert asked(found) == [(f'{PRODUCT}default.svc.cluster.local.', 'NOERROR', ['10.96.10.2'])]
    assert syns(found) == [(place, CALLER_IP, '10.96.10.2:80') for place in (f'eth0 of {CALLER}', 'cbr0 of node-x')]
    assert [(each['source'], each['unreachable'], each['about']) for each in found['refusals']] == [
        ('10.244.1.1', 'port', '10.96.10.2')]


def test_no_dnat():
    """What is for the ClusterIP leaves the node by its default route, as it is, and nobody answers."""
    found, = lab('break', 'no-dnat')
    assert found['outcome']['error'] == 'TimeoutError: timed out'
    assert asked(found) == [(f'{PRODUCT}default.svc.cluster.local.', 'NOERROR', ['10.96.10.2'])]
    assert syns(found) == [(place, CALLER_IP, '10.96.10.2:80') for place in (
        f'eth0 of {CALLER}', 'cbr0 of node-x', 'eth0 of node-x')]
    assert ' via 192.168.50.1 ' in found['node_route']
    assert counter_of(found) not in found['steps'] and found['refusals'] == []


def test_route_missing():
    """Every second call: the one to the pod on the same node goes well."""
    found = lab('break', 'route-missing')
    lost = next(each for each in found if 'error' in each['outcome'])
    well = next(each for each in found if 'error' not in each['outcome'])
    assert lost['outcome']['error'] == 'TimeoutError: timed out'
    assert syns(lost)[-1] == ('eth0 of node-x', CALLER_IP, '10.244.2.12:8080')
    assert '10.244.2.12 from 10.244.1.11 via 192.168.50.1 ' in lost['node_route']
    check_answer(well, '10.96.10.2', '10.244.1.12', 'product-service-7d9f5c-x2', 'node-x')
    assert asked(lost) == asked(well) == [(f'{PRODUCT}default.svc.cluster.local.', 'NOERROR', ['10.96.10.2'])]


def test_ndots_1():
    """A bare name goes well. One with a dot is asked outside first; glibc goes through its search list afterwards."""
    bare, in_shop = lab('break', 'ndots-1')
    assert bare['resolv_conf'][-1] == 'options ndots:1'
    assert asked(bare) == [(f'{PRODUCT}default.svc.cluster.local.', 'NOERROR', ['10.96.10.2'])]
    assert [(name, rcode) for name, rcode, _ in asked(in_shop)] == [
        (f'{PRODUCT}shop.', 'NXDOMAIN'), (f'{PRODUCT}shop.default.svc.cluster.local.', 'NXDOMAIN'),
        (f'{PRODUCT}shop.svc.cluster.local.', 'NOERROR')]
    assert bare['outcome']['status'] == in_shop['outcome']['status'] == 200


def test_search_missing():
    bare, full = lab('break', 'search-missing')
    assert bare['resolv_conf'] == [f'nameserver {DNS_IP}', 'options ndots:5']
    assert bare['outcome']['error'] == 'gaierror: [Errno -2] Name or service not known'
    assert asked(bare) == in_vain(PRODUCT, first=3)
    assert logged(bare) == [(PRODUCT, 'NXDOMAIN')]
    assert full['outcome']['status'] == 200


def test_upstream_dead():
    outside, inside = lab('break', 'upstream-dead')
    assert outside['outcome']['error'] == 'gaierror: [Errno -3] Temporary failure in name resolution'
    questions = asked(outside)
    assert questions[:3] == in_vain('www.example.com.')[:3]
    assert questions[3:] == in_vain('www.example.com.', 3, 'SERVFAIL') * (len(questions) - 3) != []
    assert any(line.startswith('[ERROR] plugin/errors: 2 www.example.com. A: ') for line in outside['log'])
    assert inside['outcome']['status'] == 200


def test_every_break_is_tested_and_documented():
    listed = subprocess.run([LAB, 'list'], capture_output=True, text=True, check=True).stdout.splitlines()
    breaks = {line.split()[0] for line in listed}
    assert len(listed) == len(breaks) == 8
    assert breaks <= {name.removeprefix('test_').replace('_', '-') for name in globals()}
    assert breaks == set(re.findall(r'^\| `([a-z0-9-]+)` \|', JOURNEY, re.MULTILINE))


def test_the_page_has_what_is_printed():
    """Each stage that a call and a refusal print stands in docs/journey.md, and no other."""
    printed = set()
    for arguments in ([], ['break', 'no-endpoints']):
        done = subprocess.run([LAB, '--server', SERVER, *arguments], capture_output=True, text=True)
        if done.returncode == NOT_PERMITTED:
            pytest.skip(done.stderr.strip())
        printed |= set(re.findall(r'^\n(\S.*)\n    ', done.stdout, re.MULTILINE))
    table = JOURNEY.split('| what it prints |')[1].split('\n\n')[0]
    assert printed == set(re.findall(r'^\| ([^|]*) \|', table, re.MULTILINE))


def load_table():
    spec = importlib.util.spec_from_file_location('lab_table', ROOT / 'tests/lab/table.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_the_demos():
    """All that the laboratory has of the shop is in zones/shop.yaml, with the same addresses."""
    def facts(objects):
        found = set()
        for each in objects:
            where = each['kind'], each['metadata'].get('namespace'), each['metadata']['name']
            found.add((*where, each.get('spec', {}).get('clusterIP'), each.get('status', {}).get('podIP')))
            found |= {(*where, endpoint['addresses'][0], endpoint['nodeName'], endpoint['targetRef']['name'])
                      for endpoint in each.get('endpoints', [])}
        return {fact for fact in found if fact[1] != 'kube-system'}

    demo = facts(yaml.safe_load_all((ROOT / 'zones/shop.yaml').read_text(encoding='utf-8')))
    ours = facts(load_table().manifests())
    assert ours and ours <= demo


def of_the_machine(room):
    """What a run could leave behind."""
    return [room.run(*command).stdout for command in (
        ['ip', 'netns', 'list'], ['ip', '-o', 'link'], ['ip', 'route'], ['nft', 'list', 'ruleset'], ['cat', '/proc/mounts'],
        ['ls', '/run'], ['hostname'], ['sysctl', 'net.ipv4.ip_forward'])]


def are_there(marker):
    """Processes that have inherited it, which those that have ended but are not buried no longer show."""
    found = []
    for process in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{process}/environ', 'rb') as environ:
                if marker.encode() in environ.read():
                    found.append(process)
        except OSError:
            continue
    return found


@pytest.fixture
def marker():
    """In the environment of the lab: what still has it at the end is ended."""
    text = f'LAB_TEST={uuid.uuid4()}'
    yield text
    for process in are_there(text):
        os.kill(int(process), signal.SIGKILL)


@pytest.mark.parametrize('number', [None, signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=['end', 'TERM', 'INT', 'KILL'])
def test_nothing_is_left_behind(number, room, marker, tmp_path):
    """Whether it ends by itself or is ended in the middle. /run is the room's own: no other test has namespaces there."""
    assert room.run('mount', '-t', 'tmpfs', 'tmpfs', '/run').returncode == 0
    before, output = of_the_machine(room), tmp_path / 'output'
    with open(output, 'w', encoding='utf-8') as file:
        process = room.start(LAB, '--server', SERVER, '--json', 'calls', 1 if number is None else 1000000,
                             env={**os.environ, **dict([marker.split('=')])}, stdout=file, stderr=file)
    if number is not None:
        eventually(lambda: process.poll() is not None or len(are_there(marker)) > 30)  # the pods and what is in them
        process.send_signal(number)
    code, text = process.wait(10 * PATIENCE), output.read_text(encoding='utf-8')
    if code == NOT_PERMITTED:
        pytest.skip(text.strip())
    if number is None:
        assert code == 0 and text
    else:
        assert (code, text) == (-number if number == signal.SIGKILL else 128 + number, '')
    eventually(lambda: not are_there(marker))
    assert of_the_machine(room) == before


def test_two_at_once():
    processes = [subprocess.Popen([LAB, '--server', SERVER, '--json', 'calls', '5'], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        output, error = process.communicate(timeout=10 * PATIENCE)
        if process.returncode == NOT_PERMITTED:
            pytest.skip(error.strip())
        assert error == '' and all(json.loads(line)['errors'] == [] for line in output.splitlines())


def test_where_it_is_not_permitted(room):
    """It says so, in one line, and has no result."""
    done = room.run('setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', LAB, '--server', SERVER)
    assert (done.returncode, done.stdout) == (NOT_PERMITTED, '')
    assert done.stderr == 'not permitted here: unshare: Operation not permitted; the laboratory needs root\n'
