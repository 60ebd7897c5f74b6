"""The service table of kubernetes: changes are served without a restart, broken ones are not."""

import ipaddress
import json
import os
import re
import socket
import textwrap
import threading

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from server import eventually
from test_prometheus import page

CHANGES = 200
CLIENTS = 3


def corefile(table):
    return f'''
        .:{{PORT}} {{
            errors
            kubernetes cluster.local {{
                table {table}
            }}
        }}
    '''


NAMESPACE = '{apiVersion: v1, kind: Namespace, metadata: {name: default}}\n'


def service(name, address):
    return textwrap.dedent(f'''\
        ---
        apiVersion: v1
        kind: Service
        metadata: {{name: {name}, namespace: default}}
        spec:
          clusterIP: {address}
          clusterIPs: [{address}]
          ports: [{{name: http, port: 80}}]
    ''')


def in_yaml(name, address):
    return NAMESPACE + service(name, address)


def in_json(name, address):
    return json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': [
        {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'default'}},
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': 'default'}, 'spec': {
            'clusterIP': address, 'clusterIPs': [address], 'ports': [{'name': 'http', 'port': 80}]}}]}, indent=1)


def address(server, name='web'):
    """What a Service's name has for an address; None: the name does not exist."""
    reply = server.ask(f'{name}.default.svc.cluster.local')
    if reply.rcode() == dns.rcode.NXDOMAIN:
        return None
    assert reply.rcode() == dns.rcode.NOERROR
    (rrset,) = reply.answer
    return rrset[0].address


def slice_of(name, number, addresses, ports='[{name: http, port: 80}, {name: metrics, port: 81}]'):
    endpoints = ', '.join(f'{{addresses: ["{address}"], conditions: {{ready: true}}}}' for address in addresses)
    family = 'IPv6' if ':' in addresses[0] else 'IPv4'
    return textwrap.dedent(f'''\
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {{name: {name}-{number}, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
        addressType: {family}
        ports: {ports}
        endpoints: [{endpoints}]
    ''')


def found(server, name, type='A'):
    """All addresses of an answer, doubles too: a dns.message.Message leaves those out."""
    with server.connect() as sock, sock.makefile('rb') as stream:
        server.send(sock, dns.message.make_query(f'{name}.default.svc.cluster.local', type))
        wire = stream.read(int.from_bytes(stream.read(2), 'big'))
    [rrset] = dns.message.from_wire(wire).answer
    assert int.from_bytes(wire[6:8], 'big') == len(rrset)
    return sorted(record.address for record in rrset)


@pytest.mark.parametrize('count', [3, 300])
def test_each_address_of_an_endpoint_once(svcdns, count):
    """Whatever the ports, and also where two slices have it."""
    addresses = [f'10.1.{i >> 8}.{i & 255}' for i in range(count)]
    six = [f'2001:db8::{i:x}' for i in range(1, 4)]
    table = in_yaml('headless', 'None') + slice_of('headless', 1, addresses) + slice_of('headless', 2, addresses[:2] + ['10.2.0.1']) + \
        slice_of('headless', 3, addresses[:1], ports='[{name: other, port: 82}]') + slice_of('headless', 4, six + six)
    server = svcdns(corefile('{DIR}/table.yaml'), files={'table.yaml': table})

    assert found(server, 'headless') == sorted([*addresses, '10.2.0.1'])
    assert found(server, 'headless', 'AAAA') == six
    assert found(server, '_http._tcp.headless') == sorted([*addresses, '10.2.0.1'])
    assert found(server, '_other._tcp.headless') == addresses[:1]


def test_a_cluster_ip_that_is_listed_twice(svcdns):
    table = in_yaml('web', '10.96.0.2').replace('[10.96.0.2]', '[10.96.0.2, 10.96.0.3, 10.96.0.2]')
    server = svcdns(corefile('{DIR}/table.yaml'), files={'table.yaml': table})
    assert found(server, 'web') == ['10.96.0.2', '10.96.0.3']


def write_over(path, text):
    path.write_text(text)


def replace(path, text):
    path.with_name('new').write_text(text)
    os.replace(path.with_name('new'), path)


@pytest.mark.parametrize('write', [write_over, replace])
@pytest.mark.parametrize('name, manifest', [('table.yaml', in_yaml), ('table.json', in_json)])
def test_change_of_a_file(svcdns, name, manifest, write):
    server = svcdns(corefile(f'{{DIR}}/{name}'), files={name: manifest('web', '10.96.0.1')})
    assert address(server) == '10.96.0.1'
    assert address(server, 'new') is None
    write(svcdns.folder / name, manifest('web', '10.96.0.2'))
    eventually(lambda: address(server) == '10.96.0.2')
    write(svcdns.folder / name, manifest('new', '10.96.0.3'))
    eventually(lambda: address(server, 'new') == '10.96.0.3')
    assert address(server) is None


def test_file_that_goes_and_comes_back(svcdns):
    server = svcdns(corefile('{DIR}/table.yaml'), files={'table.yaml': in_yaml('web', '10.96.0.1')})
    path = svcdns.folder / 'table.yaml'
    path.unlink()
    server.wait_for(rf'^\[ERROR\] plugin/kubernetes: open {path}: No such file or directory; the last good table stays')
    assert address(server) == '10.96.0.1'
    path.write_text(in_yaml('web', '10.96.0.2'))
    eventually(lambda: address(server) == '10.96.0.2')


def test_folder(svcdns):
    server = svcdns(corefile('{DIR}/table'), files={
        'table/a.yaml': service('a', '10.96.0.1') + service('aa', '10.96.0.11'), 'table/b.json': in_json('b', '10.96.0.2'),
        'table/c.yml': service('c', '10.96.0.3'), 'table/d.txt': 'no manifest: [', 'table/.e.yaml': 'nor is: ['})
    folder = svcdns.folder / 'table'
    assert [address(server, name) for name in ('a', 'aa', 'b', 'c')] == [
        '10.96.0.1', '10.96.0.11', '10.96.0.2', '10.96.0.3']
    (folder / 'f.yaml').write_text(service('f', '10.96.0.6'))
    eventually(lambda: address(server, 'f') == '10.96.0.6')
    (folder / 'a.yaml').unlink()
    eventually(lambda: address(server, 'a') is None)
    write_over(folder / 'b.json', in_json('b', '10.96.0.22'))
    eventually(lambda: address(server, 'b') == '10.96.0.22')
    (folder / 'c.yml').rename(folder / 'c.bak')
    eventually(lambda: address(server, 'c') is None)
    assert [address(server, name) for name in ('aa', 'b', 'f')] == [None, '10.96.0.22', '10.96.0.6']


class ConfigMap:
    """A folder as a kubelet mounts it: files are links into ..data, which is a link to the folder that counts."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        folder.mkdir()

    def write(self, files):
        self.count += 1
        data = self.folder / f'..{self.count}'
        data.mkdir()
        for name, text in files.items():
            (data / name).write_text(text)
        (self.folder / '..data_tmp').symlink_to(data.name)
        os.replace(self.folder / '..data_tmp', self.folder / '..data')
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f'..data/{name}')
        for link in self.folder.iterdir():
            if link.is_symlink() and link.name not in (*files, '..data'):
                link.unlink()
        if self.count > 1:
            old = self.folder / f'..{self.count - 1}'
            for path in old.iterdir():
                path.unlink()
            old.rmdir()


@pytest.mark.parametrize('table', ['{DIR}/map', '{DIR}/map/table.yaml'])
def test_config_map(svcdns, table):
    config_map = ConfigMap(svcdns.folder / 'map')
    config_map.write({'table.yaml': in_yaml('web', '10.96.0.1')})
    server = svcdns(corefile(table))
    for i in range(1, 11):
        assert address(server) == f'10.96.0.{i}'
        config_map.write({'table.yaml': in_yaml('web', f'10.96.0.{i + 1}')})
        eventually(lambda: address(server) == f'10.96.0.{i + 1}')


def test_keys_of_a_config_map_come_and_go(svcdns):
    config_map = ConfigMap(svcdns.folder / 'map')
    config_map.write({'a.yaml': service('a', '10.96.0.1'), 'b.yaml': in_yaml('b', '10.96.0.2')})
    server = svcdns(corefile('{DIR}/map'))
    config_map.write({'b.yaml': in_yaml('b', '10.96.0.2'), 'c.yaml': service('c', '10.96.0.3')})
    eventually(lambda: address(server, 'c') == '10.96.0.3' and address(server, 'a') is None)
    assert address(server, 'b') == '10.96.0.2'


HEAD = 'apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: default}\n'
BROKEN = {
    'YAML syntax': ('table.yaml', HEAD + 'spec:\n  clusterIP: [10.96.0.2\n', r':6: not YAML: '),
    'YAML cut short': ('table.yaml', HEAD + 'spec: {clusterIP: "10.96', r':4: not YAML: '),
    'not text': ('table.yaml', HEAD + 'spec:\n  clusterIP: \0\n', r':\d: not YAML: '),
    'JSON syntax': ('table.json', '{"apiVersion": "v1",\n "kind": "Service",\n "spec": {"clusterIP": }}', ':3: not JSON: '),
    'JSON cut short': ('table.json', in_json('web', '10.96.0.2')[:-3], r':\d+: not JSON: '),
    'a list for a word': ('table.yaml', HEAD + 'spec:\n  clusterIP: [10.96.0.2]\n', r':5: spec\.clusterIP: '),
    'a word for a list': ('table.yaml', HEAD + 'spec:\n  clusterIP: 10.96.0.2\n  ports: 80\n', r':6: spec\.ports: '),
    'a word for a number': ('table.yaml', HEAD + 'spec:\n  ports:\n  - port: http\n', r':6: spec\.ports\[0\]\.port: '),
    'a port too large': ('table.yaml', HEAD + 'spec:\n  ports:\n  - port: 1\n  - port: 65536\n',
                         r':7: spec\.ports\[1\]\.port: '),
    'half an address': ('table.yaml', HEAD + 'spec:\n  clusterIP: 10.96.0\n', r':5: spec\.clusterIP: '),
    'no name': ('table.yaml', 'apiVersion: v1\nkind: Service\nmetadata: {namespace: default}\n', r':1: metadata\.name: '),
    'an object twice': ('table.yaml', service('web', '10.96.0.2') + service('web', '10.96.0.3'),
                        r':10: metadata\.name: the same object stands at .*table\.yaml:2$'),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_broken_table(svcdns, kind):
    name, broken, message = BROKEN[kind]
    good = in_json if name.endswith('.json') else in_yaml
    path = svcdns.folder / name
    # A server that runs keeps what it has, says why, and recovers.
    server = svcdns(corefile(f'{{DIR}}/{name}'), files={name: good('web', '10.96.0.1')})
    replace(path, broken)
    line = server.wait_for(r'^\[ERROR\] plugin/kubernetes: .*; the last good table stays$')
    assert re.search(f'{re.escape(str(path))}{message}', line.removesuffix('; the last good table stays')), line
    assert address(server) == '10.96.0.1'
    replace(path, good('web', '10.96.0.4'))
    eventually(lambda: address(server) == '10.96.0.4')
    assert sum(text.startswith('[ERROR]') for text in server.lines) == 1
    # One that does not run does not start.
    replace(path, broken)
    code, err, _ = svcdns.refused(corefile(f'{{DIR}}/{name}'))
    assert code == 1
    assert re.search(f'{re.escape(str(path))}{message}', err.strip()), err


def test_metrics(svcdns):
    with_metrics = corefile('{DIR}/table.yaml').replace('errors', 'prometheus 127.0.0.1:{PORT2}')
    server = svcdns(with_metrics, files={'table.yaml': in_yaml('web', '10.96.0.1')})
    reads, failures = 'svcdns_kubernetes_table_reads_total', 'svcdns_kubernetes_table_failures_total'
    assert (page(server).get(reads), page(server).get(failures)) == (1, 0)
    replace(svcdns.folder / 'table.yaml', 'nonsense')
    eventually(lambda: page(server).get(failures) == 1)
    assert page(server).get(reads) == 2
    replace(svcdns.folder / 'table.yaml', in_yaml('web', '10.96.0.2'))
    eventually(lambda: address(server) == '10.96.0.2')
    assert (page(server).get(reads), page(server).get(failures)) == (3, 1)


class Client(threading.Thread):
    """Asks for the version of the table over and over, from one port."""

    def __init__(self, port, table):
        super().__init__()
        self.table = table
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(10)
        self.sock.connect(('127.0.0.1', port))
        self.query = dns.message.make_query('web.default.svc.cluster.local', 'A').to_wire()[2:]
        self.answers = 0
        self.version = 1
        self.failure = None

    def ask(self):
        number = (self.answers % 65536).to_bytes(2, 'big')
        self.sock.send(number + self.query)
        reply = self.sock.recv(512)
        self.answers += 1
        assert reply[:2] == number, 'an answer was lost'
        assert reply[3] & 15 == 0 and reply[7] == 1, f'no address in {reply}'
        version = int(ipaddress.ip_address(reply[-4:])) - int(ipaddress.ip_address('10.96.0.0'))
        assert self.version <= version <= self.table.version, f'version {version} after {self.version}'
        self.version = version
        return version

    def run(self):
        try:
            while not self.table.is_over:
                self.ask()
        except (AssertionError, OSError) as failure:
            self.failure = failure


class Table:
    """A table whose only Service tells its version."""

    def __init__(self, path):
        self.path = path
        self.version = 0
        self.is_over = False

    def write_next(self):
        self.version += 1
        replace(self.path, in_yaml('web', ipaddress.ip_address('10.96.0.0') + self.version))


def test_no_answer_is_lost_while_the_table_changes(svcdns):
    table = Table(svcdns.folder / 'table.yaml')
    table.write_next()
    svcdns(corefile('{DIR}/table.yaml'))
    clients = [Client(svcdns.port(), table) for _ in range(CLIENTS)]
    mine = Client(svcdns.port(), table)
    for client in clients:
        client.start()
    try:
        for _ in range(CHANGES):
            table.write_next()
            eventually(lambda: mine.ask() == table.version)
    finally:
        table.is_over = True
        for client in clients:
            client.join()
            client.sock.close()
        mine.sock.close()
    assert [client.failure for client in clients] == [None] * CLIENTS
    assert all(client.answers > CHANGES for client in clients)
