"""metadata: what plugins tell of a query, read by a format of log."""

import dns.message
import pytest

from server import eventually
from upstream import Upstream

COREFILE = '''
    .:{PORT} {
        METADATA
        log . "FORMAT"
        kubernetes cluster.local in-addr.arpa {
            table {DIR}/table.yaml
            pods verified
            zonal
        }
        forward . UPSTREAM
    }
'''

TABLE = '''
    {apiVersion: v1, kind: List, items: [
      {apiVersion: v1, kind: Namespace, metadata: {name: depot}},
      {apiVersion: v1, kind: Service, metadata: {name: stock, namespace: depot},
       spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{name: http, port: 80, protocol: TCP}]}},
      {apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop}, status: {podIP: 127.0.0.5}}]}
'''

PARTS = ('kind', 'namespace', 'service', 'endpoint', 'port-name', 'protocol', 'zone', 'parse-error', 'client-namespace',
         'client-pod-name')


@pytest.fixture
def upstream():
    with Upstream(lambda query: query.send(query.reply('192.0.2.1') if query.name == 'a.test.' else query.denial())) as upstream:
        yield upstream


def start(svcdns, upstream, labels, metadata='metadata'):
    labels = [f'{label}={{/{label}}}' for label in labels]
    corefile = COREFILE.replace('METADATA', metadata).replace('FORMAT', ' '.join(labels))
    return svcdns(corefile.replace('UPSTREAM', upstream.address), files={'table.yaml': TABLE})


def line_of(server, name, source='127.0.0.1'):
    """What is logged of a query."""
    def lines():
        return [line for line in server.lines if '=' in line]

    before = len(lines())
    server.exchange(dns.message.make_query(name, 'A'), source=source)
    eventually(lambda: len(lines()) > before)
    return lines()[-1]


def labels_of(server, name, source='127.0.0.1'):
    return dict(word.rsplit('/', 1)[-1].split('=') for word in line_of(server, name, source).split()[1:])


@pytest.mark.parametrize('name, expected', [
    ('stock.depot.svc.cluster.local', {'kind': 'svc', 'namespace': 'depot', 'service': 'stock'}),
    ('_http._tcp.stock.depot.svc.cluster.local',
     {'kind': 'svc', 'namespace': 'depot', 'service': 'stock', 'port-name': 'http', 'protocol': 'tcp'}),
    ('web.stock.depot.svc.cluster.local', {'kind': 'svc', 'namespace': 'depot', 'service': 'stock', 'endpoint': 'web'}),
    ('eu-1.pin._zone.stock.depot.svc.cluster.local',
     {'kind': 'svc', 'namespace': 'depot', 'service': 'stock', 'zone': 'eu-1'}),
    ('127-0-0-5.shop.pod.cluster.local', {'kind': 'pod', 'namespace': 'shop', 'service': '127-0-0-5'}),
    ('pod.cluster.local', {'kind': 'pod'}),
    ('cluster.local', {}),
])
def test_parts_of_a_name(svcdns, upstream, name, expected):
    server = start(svcdns, upstream, [f'kubernetes/{part}' for part in PARTS])
    nothing = {part: '' for part in PARTS} | dict.fromkeys(('parse-error', 'client-namespace', 'client-pod-name'), '-')
    assert labels_of(server, name) == nothing | expected


def test_a_name_that_is_none(svcdns, upstream):
    server = start(svcdns, upstream, ['kubernetes/kind', 'kubernetes/parse-error'])
    assert line_of(server, 'stock.depot.wrong.cluster.local') == '[INFO] kubernetes/kind=- kubernetes/parse-error=invalid query name'


def test_the_client(svcdns, upstream):
    server = start(svcdns, upstream, ['kubernetes/client-namespace', 'kubernetes/client-pod-name'])
    assert labels_of(server, 'cluster.local', '127.0.0.5') == {'client-namespace': 'shop', 'client-pod-name': 'web-0'}
    assert labels_of(server, 'cluster.local') == {'client-namespace': '-', 'client-pod-name': '-'}
    assert labels_of(server, 'a.test', '127.0.0.5') == {'client-namespace': '-', 'client-pod-name': '-'}     # not ours


def test_upstream_and_reply(svcdns, upstream):
    server = start(svcdns, upstream, ['forward/upstream', 'log/type', 'log/class', 'nobody/knows'])
    to = {'upstream': upstream.address, 'knows': '-'}
    assert labels_of(server, 'a.test') == {**to, 'type': 'NOERROR', 'class': 'success'}
    assert labels_of(server, 'b.test') == {**to, 'type': 'NXDOMAIN', 'class': 'denial'}
    assert labels_of(server, 'stock.depot.svc.cluster.local')['upstream'] == '-'
    upstream.stop()
    assert labels_of(server, 'a.test') == {**to, 'type': 'SERVERERROR', 'class': 'error'}


@pytest.mark.parametrize('metadata', ['', 'metadata b.test'])
def test_without_metadata(svcdns, upstream, metadata):
    server = start(svcdns, upstream, ['forward/upstream', 'log/class'], metadata)
    assert labels_of(server, 'a.test') == {'upstream': '-', 'class': '-'}
