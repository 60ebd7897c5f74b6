"""Thousands of changes in a row, also over connections that are cut every second: at the end every name is answered as from a
table that was made of a fresh list.

The scripted API server takes part everywhere; a real one where $SVCDNS_APISERVER is its program (with five times as many
changes). $SVCDNS_CHURN is the seed, otherwise a fixed one.
"""

import json
import os
import pathlib
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'support'))

from churn import Churn  # noqa: E402
from fake_apiserver import FakeApi  # noqa: E402
import real_apiserver  # noqa: E402
from real_apiserver import RealApi  # noqa: E402
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


class Fake(FakeApi):
    """The scripted API server."""

    writes, cut_s = 4000, 0.3

    def __init__(self, folder):
        super().__init__()

    def all_objects(self):
        return list(self.objects.values())


class Real(RealApi):
    writes, cut_s = 20000, 1

    def all_objects(self):
        return self.objects()


@pytest.fixture(params=['fake', 'real'])
def cluster(request, tmp_path):
    if request.param == 'real' and not real_apiserver.is_there():
        pytest.skip(f'{real_apiserver.VARIABLE} is not set')
    cluster = (Fake if request.param == 'fake' else Real)(tmp_path / 'apiserver')
    yield cluster
    cluster.close()


def again_and_again(action, pause, end):
    while not end.wait(pause):
        action()


def write(cluster, operation, item):
    if operation == 'put':
        cluster.put(item)
    else:
        cluster.delete(item['kind'], item['metadata'].get('namespace', ''), item['metadata']['name'])


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


@pytest.mark.parametrize('is_cut', [False, True], ids=['steady', 'cut'])
def test_churn(svcdns, cluster, is_cut):
    relay, end = Relay(cluster.port), threading.Event()
    cutter = threading.Thread(target=again_and_again, args=(relay.cut, cluster.cut_s, end))
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
            write(cluster, operation, item)
        cluster.put(*LAST)
        wait_for_last(server)
    finally:
        end.set()
        if is_cut:
            cutter.join()
        relay.close()
    (svcdns.folder / 'table.json').write_text(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': cluster.all_objects()}))
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
