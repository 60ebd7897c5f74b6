"""Thousands of changes in a row, also over connections that are cut every second: at the end every name is answered as from a
table that was made of a fresh list.

The scripted API server takes part everywhere; a real one where $SVCDNS_APISERVER is its program (with ten times as many
changes). $SVCDNS_CHURN is the seed, otherwise a fixed one.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'support'))

from churn import Churn  # noqa: E402
from fake_apiserver import FakeApi  # noqa: E402
from load_objects import RESOURCES, Client, namespace_of  # noqa: E402
from relay import Relay  # noqa: E402

PATIENCE = 60
SEED = int(os.environ.get('SVCDNS_CHURN', '20261125'))
LAST = [{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'last'}},
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'web', 'namespace': 'last'},
         'spec': {'type': 'ClusterIP', 'clusterIP': 'None', 'clusterIPs': ['None'], 'ports': [{'port': 80, 'protocol': 'TCP'}]}},
        {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
         'metadata': {'name': 'web', 'namespace': 'last', 'labels': {'kubernetes.io/service-name': 'web'}},
         'ports': [{'port': 80, 'protocol': 'TCP'}],
         'endpoints': [{'addresses': ['10.1.9.9'], 'conditions': {'ready': True}}]}]


class Fake:
    """The scripted API server."""

    writes = 2000

    def __init__(self, folder):
        self.api = FakeApi()
        self.port = self.api.port

    def write(self, operation, item):
        if operation == 'put':
            self.api.put(item)
        else:
            self.api.delete(item['kind'], item['metadata'].get('namespace', ''), item['metadata']['name'])

    def objects(self):
        return list(self.api.objects.values())

    def close(self):
        self.api.close()


class Real:
    """k8s.io/apiserver with an etcd in it."""

    writes = 20000

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen([os.environ['SVCDNS_APISERVER'], '-http', f'127.0.0.1:{self.port}', '-dir',
                                         str(folder / 'apiserver')], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line == 'ready\n':
                break
        self.client = Client(f'http://127.0.0.1:{self.port}')
        self.known = set()

    def write(self, operation, item):
        key = item['kind'], namespace_of(item), item['metadata']['name']
        if operation == 'delete':
            self.client.delete(*key)
            self.known.discard(key)
        elif key in self.known:
            self.client.update(item)
        else:
            self.client.create(item)
            self.known.add(key)

    def objects(self):
        return [{'apiVersion': 'discovery.k8s.io/v1' if kind == 'EndpointSlice' else 'v1', 'kind': kind, **item}
                for kind in RESOURCES for item in self.client.list(kind)]

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


@pytest.fixture(params=['fake', 'real'])
def cluster(request, tmp_path):
    if request.param == 'real' and 'SVCDNS_APISERVER' not in os.environ:
        pytest.skip('SVCDNS_APISERVER is not set')
    cluster = (Fake if request.param == 'fake' else Real)(tmp_path)
    yield cluster
    cluster.close()


def every_second(action, end):
    while not end.wait(1):
        action()


def described(server, name, type, port):
    reply = server.ask(name, type, port=port, use_edns=0, payload=65535)  # truncated answers may differ
    records = sorted(f'{rrset.name} {rd}' for section in (reply.answer, reply.additional) for rrset in section for rd in rrset)
    return reply.rcode(), records


def wait_for_last(server):
    """Each watch brings its changes in their order: the last ones come behind all others."""
    deadline = time.monotonic() + PATIENCE
    while not server.ask('web.last.svc.cluster.local').answer:
        assert time.monotonic() < deadline, server.lines
        time.sleep(0.01)


@pytest.mark.parametrize('is_cut', [False, True], ids=['steady', 'cut every second'])
def test_churn(svcdns, cluster, is_cut):
    relay, end = Relay(cluster.port), threading.Event()
    cutter = threading.Thread(target=every_second, args=(relay.cut, end))
    server = svcdns(f'''
        .:{{PORT}} {{
            kubernetes cluster.local in-addr.arpa {{
                endpoint http://127.0.0.1:{relay.port}
            }}
        }}
        ''')
    if is_cut:
        cutter.start()
    try:
        for operation, item in Churn(SEED).changes(cluster.writes):
            cluster.write(operation, item)
        for item in LAST:
            cluster.write('put', item)
        wait_for_last(server)
    finally:
        end.set()
        if is_cut:
            cutter.join()
        relay.close()
    (svcdns.folder / 'table.json').write_text(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': cluster.objects()}))
    svcdns('''
        .:{PORT2} {
            kubernetes cluster.local in-addr.arpa {
                table {DIR}/table.json
            }
        }
        ''')
    answered = 0
    for name, type in Churn.names():
        here, there = (described(server, name, type, svcdns.port(number)) for number in (1, 2))
        assert here == there, (name, type)
        answered += bool(there[1])
    assert answered > 100  # otherwise there would have been little to compare
