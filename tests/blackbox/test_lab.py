"""The laboratory: one call from a pod on one node to a pod on the other, and how it looks when one thing on its way is broken."""

import collections
import json
import os
import re
import signal
import subprocess
import sys
import uuid
import xml.etree.ElementTree

import pytest
import yaml

from server import PATIENCE, ROOT, eventually, program

sys.path.append(str(ROOT / 'tests/lab'))

import draw  # noqa: E402
import table  # noqa: E402

LAB = ROOT / 'tests/lab/lab'
PAGE = ROOT / 'docs/journey.md'
JOURNEY = PAGE.read_text(encoding='utf-8')
SERVER = os.path.abspath(program())
NOT_PERMITTED = 77
CALLER, CALLER_IP, DNS_IP = 'order-service-7d9f5c-x1', '10.244.1.11', '10.96.0.10'
DNS_PODS = {'coredns-x4': '10.244.1.53', 'coredns-y4': '10.244.2.53'}
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
    """The same as the log of each svcdns has it, without the answers: {pod: [(name, rcode)]}"""
    matches = {pod: [re.search(fr'\[INFO\] {CALLER_IP}:\d+ - \d+ "A IN (\S+) .*" (\S+) ', line) for line in lines]
               for pod, lines in found['log'].items()}
    return {pod: [match.groups() for match in found if match] for pod, found in matches.items()}


def answered_by_each(found):
    """What should be in their logs, by what was on the wire."""
    return {pod: [(each['name'], each['rcode']) for each in found['questions']
                  if each['type'] == 'A' and each['rcode'] and each['to'] == pod] for pod in DNS_PODS}


def in_vain(name, first=0, rcode='NXDOMAIN'):
    return [(name + domain, rcode, []) for domain in SEARCH[first:]]


def refusals(found):
    return [(each['source'], each['unreachable'], each['about']) for each in found['refusals']]


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
    assert logged(found) == answered_by_each(found)
    dns, = {each['to'] for each in found['questions']}
    assert found['steps'][f'kube_system_kube_dns_dns_{DNS_PODS[dns].replace(".", "_")}'] == 1
    assert f'{cluster_ip} via 10.244.1.1 dev eth0 src {CALLER_IP} ' in found['pod_route']
    assert f'{pod_ip} from {CALLER_IP} via 192.168.50.12 dev eth0 ' in found['node_route']
    assert syns(found) == [(place, CALLER_IP, target) for place, target in (
        (f'eth0 of {CALLER}', f'{cluster_ip}:80'), ('cbr0 of node-x', f'{cluster_ip}:80'), ('eth0 of node-x', f'{pod_ip}:8080'),
        ('eth0 of node-y', f'{pod_ip}:8080'), ('cbr1 of node-y', f'{pod_ip}:8080'), (f'eth0 of {pod}', f'{pod_ip}:8080'))]
    check_answer(found, cluster_ip, pod_ip, pod, 'node-y')
    check_passages(found, cluster_ip, pod_ip, dns)


def check_passages(found, cluster_ip, pod_ip, dns):
    """Each packet leaves at one end and arrives at the other, not before: the caller calls the Service, and what comes to a pod
    is for that pod; its replies take the same way back."""
    name = found['questions'][0]['name']
    ways = [(f'A {name}?', DNS_IP, DNS_PODS[dns], False), (f'A {name}: NOERROR {cluster_ip}', DNS_IP, DNS_PODS[dns], True),
            (f'AAAA {name}?', DNS_IP, DNS_PODS[dns], False), (f'AAAA {name}: NOERROR', DNS_IP, DNS_PODS[dns], True),
            ('SYN', cluster_ip, pod_ip, False), ('SYN,ACK', cluster_ip, pod_ip, True),
            ('GET / HTTP/1.1', cluster_ip, pod_ip, False), ('HTTP/1.1 200 OK', cluster_ip, pod_ip, True)]
    passages = {passage['what']: passage for passage in found['passages']}
    assert passages.keys() == {what for what, *_ in ways} and len(found['passages']) == len(ways)
    for what, service, pod, is_reply in ways:
        assert passages[what]['is_reply'] == is_reply
        seen = passages[what]['seen']
        assert [each['us'] for each in seen] == sorted(each['us'] for each in seen)
        outward = seen[::-1] if is_reply else seen
        assert outward[0]['at'] == f'eth0 of {CALLER}' and outward[-1]['at'] != outward[0]['at']
        theirs = [each['source' if is_reply else 'target'].split(':')[0] for each in outward]
        assert theirs == sorted(theirs, key=[service, pod].index) and {*theirs} == {service, pod}
    assert found['passages'][0]['seen'][0]['us'] == 0


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
    """A client with one retry loses no call: one svcdns is killed, both are restarted in turn, the pods behind the Service change.
    A restart costs no look-up, though svcdns is told to end before the nodes know: but an answer that is under way when a node
    forgets its connection is lost."""
    killed, restarted, replaced = lab('steady', 200, 400)
    for each in (killed, restarted, replaced):
        assert each['calls'] >= 400 and each['lost'] == 0, each
    for each in (restarted, replaced):
        assert not any(error.startswith('gaierror') for error in each['errors']), each
    assert restarted['slow'] <= 2, restarted
    assert restarted['forgotten'] > 0 == killed['forgotten'] == replaced['forgotten']


FORGET = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import conntrack
servers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for server, port in zip(servers, (1053, 1054)):
    server.bind(('127.0.0.1', port))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b'', ('127.0.0.1', 1053))
client.sendto(b'', ('127.0.0.1', 1054))
lines = [' '.join(line.split()[2:]) for line in open('/proc/net/nf_conntrack') if ' dport=1053 ' in line]
assert len(lines) == 1
conntrack.forget(lines * 2)
print(*(port for port in (1053, 1054) if f' dport={port} ' in open('/proc/net/nf_conntrack').read()))
"""


def test_a_connection_is_forgotten(room):
    """That one only; what is gone already is no error."""
    rules = 'table ip t {\nchain c {\ntype filter hook output priority 0\nct state new accept\n}\n}\n'
    assert subprocess.run(room.command('nft', '-f', '-'), input=rules, text=True).returncode == 0
    done = room.run('/usr/bin/python3', '-c', FORGET, ROOT / 'tests/lab')
    assert (done.stdout, done.stderr) == ('1054\n', '')


TEMPORARY = 'gaierror: [Errno -3] Temporary failure in name resolution'
NOT_KNOWN = 'gaierror: [Errno -2] Name or service not known'


def test_svcdns_down():
    found, = lab('break', 'svcdns-down')
    assert found['outcome']['error'] == TEMPORARY
    assert set(rcode for _, rcode, _ in asked(found)) == {None}
    assert logged(found) == dict.fromkeys(DNS_PODS, []) and found['path'] == []
    assert (DNS_IP, 'port', DNS_IP) in refusals(found)


def check_one_svcdns(found):
    """The one on node-y answers each question that comes to it, the other one none; a look-up fails where it meets that one
    twice."""
    well, ill = sorted(found, key=lambda each: 'error' in each['outcome'])
    assert well['outcome']['status'] == 200 and ill['outcome']['error'] in (TEMPORARY, NOT_KNOWN)
    for each in found:
        assert {(question['to'], question['rcode'] is None) for question in each['questions']} <= {
            ('coredns-x4', True), ('coredns-y4', False)}
        assert logged(each) == answered_by_each(each)
    first = [each for each in ill['questions'] if each['type'] == 'A' and each['name'] == f'{PRODUCT}default.svc.cluster.local.']
    assert [each['to'] for each in first] == ['coredns-x4'] * 2
    return well, ill


def test_one_svcdns_down():
    """Refused at once, and asked again from another port, which chance may lead to the other one."""
    well, ill = check_one_svcdns(lab('break', 'one-svcdns-down'))
    assert (DNS_IP, 'port', DNS_IP) in refusals(ill)


def test_one_svcdns_hangs():
    """Asked again from the same port, which the node's table leads to the same one; a call that goes well has not met it."""
    well, ill = check_one_svcdns(lab('break', 'one-svcdns-hangs'))
    assert [each['to'] for each in well['questions']] == ['coredns-y4'] * 2
    assert refusals(ill) == []


def test_wrong_namespace():
    bare, in_shop = lab('break', 'wrong-namespace')
    assert bare['outcome']['error'] == 'gaierror: [Errno -2] Name or service not known'
    assert asked(bare) == in_vain(PRODUCT)
    assert logged(bare) == answered_by_each(bare)
    assert bare['path'] == []
    assert in_shop['outcome']['status'] == 200
    assert asked(in_shop) == [(f'{PRODUCT}shop.default.svc.cluster.local.', 'NXDOMAIN', []),
                              (f'{PRODUCT}shop.svc.cluster.local.', 'NOERROR', ['10.96.20.2'])]


def test_no_endpoints():
    found, = lab('break', 'no-endpoints')
    assert found['outcome']['error'] == 'ConnectionRefusedError: [Errno 111] Connection refused'
    assert asked(found) == [(f'{PRODUCT}default.svc.cluster.local.', 'NOERROR', ['10.96.10.2'])]
    assert syns(found) == [(place, CALLER_IP, '10.96.10.2:80') for place in (f'eth0 of {CALLER}', 'cbr0 of node-x')]
    assert refusals(found) == [('10.244.1.1', 'port', '10.96.10.2')]


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
    assert logged(bare) == answered_by_each(bare)
    assert full['outcome']['status'] == 200


def test_upstream_dead():
    outside, inside = lab('break', 'upstream-dead')
    assert outside['outcome']['error'] == 'gaierror: [Errno -3] Temporary failure in name resolution'
    questions = asked(outside)
    assert questions[:3] == in_vain('www.example.com.')[:3]
    assert questions[3:] == in_vain('www.example.com.', 3, 'SERVFAIL') * (len(questions) - 3) != []
    assert any(line.startswith('[ERROR] plugin/errors: 2 www.example.com. A: ')
               for lines in outside['log'].values() for line in lines)
    assert inside['outcome']['status'] == 200


def test_every_break_is_tested_and_documented():
    listed = subprocess.run([LAB, 'list'], capture_output=True, text=True, check=True).stdout.splitlines()
    breaks = {line.split()[0] for line in listed}
    assert len(listed) == len(breaks) == 10
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
    listed = JOURNEY.split('| what it prints |')[1].split('\n\n')[0]
    assert printed == set(re.findall(r'^\| ([^|]*) \|', listed, re.MULTILINE))


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
    ours = facts(table.manifests())
    assert ours and ours <= demo


CLIENT, SERVICE, POD = '10.0.0.1:99', '10.96.0.1:53', '10.0.0.2:53'
LOOKUP = {  # an observation, as short as can be
    'pod': 'a-service-x', 'node': 'node-x', 'url': 'http://b<1>/', 'resolv_conf': ['options ndots:5'],
    'outcome': {'error': 'gaierror: & more'}, 'places': ['eth0 of a-service-x', 'cbr0 of node-x', 'eth0 of idle', 'eth0 of dns'],
    'questions': [
        {'type': 'A', 'name': 'b.c.', 'rcode': 'NXDOMAIN', 'answers': [], 'us': 0, 'answered_us': 200},
        {'type': 'A', 'name': 'b.', 'rcode': 'NOERROR', 'answers': ['10.9.9.9'], 'us': 300, 'answered_us': 400},
        {'type': 'AAAA', 'name': 'b.', 'rcode': 'NOERROR', 'answers': [], 'us': 310, 'answered_us': 380},
        {'type': 'A', 'name': 'lost.', 'rcode': None, 'answers': [], 'us': 390, 'answered_us': None}],
    'passages': [
        {'what': 'A b.?', 'is_reply': False, 'seen': [
            {'at': 'eth0 of a-service-x', 'source': CLIENT, 'target': SERVICE, 'us': 0},
            {'at': 'cbr0 of node-x', 'source': CLIENT, 'target': SERVICE, 'us': 7},
            {'at': 'eth0 of dns', 'source': CLIENT, 'target': POD, 'us': 19}]},
        {'what': 'A b.: NXDOMAIN', 'is_reply': True, 'seen': [
            {'at': 'eth0 of dns', 'source': POD, 'target': CLIENT, 'us': 23},
            {'at': 'eth0 of a-service-x', 'source': SERVICE, 'target': CLIENT, 'us': 42}]}]}


def drawn(picture):
    """Its elements, and its texts: {content: (x, y)}. It is one that a page can show: no script, legible on any ground."""
    root = xml.etree.ElementTree.fromstring(picture)
    assert root.tag == '{http://www.w3.org/2000/svg}svg' and 'prefers-color-scheme: dark' in picture
    assert {each.tag.split('}')[1] for each in root} <= {'title', 'style', 'rect', 'text', 'line', 'polyline', 'circle'}
    assert root.findall('{*}rect')[0].get('class') == 'ground'
    width, height = map(float, root.get('viewBox').split()[2:])
    texts = {each.text: (float(each.get('x')), float(each.get('y'))) for each in root.findall('{*}text')}
    assert all(0 < x < width and 0 < y < height for x, y in texts.values())
    return root, texts


def test_the_picture_of_a_call():
    """A dot in the column of each place for each time that a packet was seen there, with time and addresses in its row."""
    root, texts = drawn(draw.call(LOOKUP))
    assert {'a-service-x on node-x calls http://b<1>/', 'A b.?', 'A b.: NXDOMAIN', 'gaierror: & more'} <= texts.keys()
    assert 'idle' not in texts  # has seen nothing
    columns = [texts[name][0] for name in ('x', 'node-x', 'dns')]
    assert columns == sorted(columns)
    dots = [(float(dot.get('cx')), float(dot.get('cy'))) for dot in root.findall('{*}circle')]
    assert [x for x, _ in dots] == [columns[number] for number in (0, 1, 2, 2, 0)]
    assert [f'{x:.1f},{y:.1f}' for x, y in dots] == ' '.join(line.get('points') for line in root.findall('{*}polyline')).split()
    assert [texts[f'{us} µs'][1] - 4 for us in (0, 7, 19, 23, 42)] == [y for _, y in dots] == sorted(y for _, y in dots)
    changed = [each.text for each in root.findall('{*}text') if 'changed' in each.get('class', '')]
    assert changed == [f'{CLIENT} > {POD}', f'{SERVICE} > {CLIENT}']


def test_the_picture_of_lookups():
    """A bar for each question, as long as its answer took; the longest look-up sets the scale for all."""
    slow = {'type': 'A', 'name': 'd.', 'rcode': 'SERVFAIL', 'answers': [], 'us': 0, 'answered_us': 800}
    root, texts = drawn(draw.search([LOOKUP, {**LOOKUP, 'url': 'http://d/', 'questions': [slow]}]))
    assert {'NXDOMAIN, 200 µs', 'NOERROR 10.9.9.9, 100 µs', 'NOERROR, 70 µs', 'no answer', 'SERVFAIL, 800 µs'} <= texts.keys()
    assert {'http://b<1>/  (options ndots:5)', 'http://d/  (options ndots:5)'} <= texts.keys()
    zero, scale = texts['0'][0], (texts['800'][0] - texts['0'][0]) / 800
    bars = [(bar.get('class'), float(bar.get('x')), float(bar.get('width'))) for bar in root.findall('{*}rect')[1:]]
    expected = [('f1', 0, 200), ('f2', 300, 100), ('f0', 310, 70), ('f1', 0, 800)]
    assert bars == [(color, pytest.approx(zero + scale * begin, abs=0.1), pytest.approx(scale * length, abs=0.1))
                    for color, begin, length in expected]


def check_page(page):
    """Text and picture are of one run: what the one has of the SYN, the other has. All events are there."""
    text = page.read_text(encoding='utf-8')
    _, packets, _, steady, _ = re.split(r'<!-- (?:begin|end) (?:packets|steady) -->\n', text)
    _, texts = drawn((page.with_suffix('') / 'call.svg').read_text(encoding='utf-8'))
    _, asked_for = drawn((page.with_suffix('') / 'search.svg').read_text(encoding='utf-8'))
    for name in ('call', 'search'):
        assert f'({page.stem}/{name}.svg)' in text
    hops = re.findall(r'(\d+ µs)  eth0 of \S+ +(\S+) > (\S+) +(SYN\S*)', packets)
    assert [flags for *_, flags in hops][:2] == ['SYN', 'SYN,ACK'] and len(hops) == 5
    assert {text for us, source, target, flags in hops for text in (us, f'{source} > {target}', flags)} <= texts.keys()
    assert len(re.findall(r': \d+ calls in .* 0 lost$', steady, re.MULTILINE)) == 3
    assert sum(name.endswith('  (options ndots:5)') for name in asked_for) == 3
    return packets, steady


def test_the_page_is_of_one_run(tmp_path):
    """That of the tree, and one that is written now."""
    before = check_page(PAGE)
    page = tmp_path / 'journey.md'
    page.write_text(JOURNEY, encoding='utf-8')
    assert lab('document', page, 100) == []
    assert all(new != old for new, old in zip(check_page(page), before))


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
