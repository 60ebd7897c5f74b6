"""The Kubernetes API feed against the real API machinery, where $SVCDNS_APISERVER names its program."""

import pathlib
import sys
import time

import dns.rcode
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'support'))

import real_apiserver  # noqa: E402
from real_apiserver import RealApi  # noqa: E402
from relay import Relay  # noqa: E402
from test_api import answer, await_answer, namespace, pod, service, slice_of, start  # noqa: E402

pytestmark = pytest.mark.skipif(not real_apiserver.is_there(), reason=f'{real_apiserver.VARIABLE} is not set')


@pytest.fixture
def real(tmp_path):
    servers = []

    def make(**options):
        servers.append(RealApi(tmp_path / 'apiserver', **options))
        servers[-1].put(namespace(), service('web'), service('headless', 'None'), slice_of('headless', '10.1.0.1', '10.1.0.2'))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_follows_what_changes(svcdns, real):
    api = real()
    server = start(svcdns, api, 'audit 200ms')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']
    for i in range(20):
        api.put(service('other', f'10.96.1.{i}'), slice_of('headless', f'10.1.1.{i}'))
        await_answer(server, 'other.shop', [f'10.96.1.{i}'])
        await_answer(server, 'headless.shop', [f'10.1.1.{i}'])
    api.delete('Service', 'shop', 'other')
    await_answer(server, 'other.shop', 'NXDOMAIN')
    api.delete('Namespace', '', 'shop')
    await_answer(server, 'web.shop', 'NXDOMAIN')
    time.sleep(1)
    assert not [line for line in server.lines if 'audit' in line]


def test_selectors(svcdns, real):
    """Objects that stop matching leave, those that begin to come: the server tells so."""
    api = real()
    for label in ('front', 'back', 'front'):
        item = service('labelled', '10.96.0.7')
        item['metadata']['labels'] = {'tier': label}
        api.put(item)
        if label == 'front' and not svcdns.servers:
            server = start(svcdns, api, 'labels tier=front')
        await_answer(server, 'labelled.shop', ['10.96.0.7'] if label == 'front' else 'NXDOMAIN')
    assert answer(server, 'web.shop') == 'NXDOMAIN'


def test_pods_that_end_leave(svcdns, real):
    api = real()
    api.put(pod('web-0', '10.1.0.1'))
    server = start(svcdns, api, 'pods verified')

    def verified():
        return server.ask('10-1-0-1.shop.pod.cluster.local').rcode() == dns.rcode.NOERROR

    assert verified()
    over = pod('web-0', '10.1.0.1')
    over['status']['phase'] = 'Succeeded'
    api.put(over)
    while verified():
        time.sleep(0.01)


def test_forgotten_history(svcdns, real):
    api = real()
    server = start(svcdns, api)
    api.stop()
    assert answer(server, 'web.shop') == ['10.96.0.1']
    others = RealApi(api.folder)  # at another address: changes that nobody sees
    others.known = api.known
    others.delete('Service', 'shop', 'web')
    others.put(service('new', '10.96.0.9'))
    others.compact()
    others.close()
    api.start()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    await_answer(server, 'web.shop', 'NXDOMAIN')
    server.wait_for(r'services: the API server does not know version \d+ any more')
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']


KUBECONFIG = '''
    clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{api.account}/ca.crt"}}}}]
    users: [{{name: u, user: {{tokenFile: "{api.account}/token"}}}}]
    contexts: [{{name: one, context: {{cluster: c, user: u}}}}]
    current-context: one
    '''


def start_as_account(svcdns, api, port=None):
    return svcdns('.:{PORT} {\nkubernetes cluster.local in-addr.arpa {\nkubeconfig {DIR}/config\nstartup_timeout 2s\n}\n}\n',
                  files={'config': KUBECONFIG.format(api=api, port=port or api.https_port)})


def test_token_rotation_over_tls(svcdns, real):
    api = real(tls=True)
    relay = Relay(api.https_port)
    server = start_as_account(svcdns, api, relay.port)
    assert answer(server, 'web.shop') == ['10.96.0.1']
    (api.account / 'token').write_text('another-token\n')  # the server takes no other one from now on
    relay.cut()
    api.put(service('new', '10.96.0.9'))
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert not [line for line in server.lines if '401' in line]
    relay.close()


def test_restart_with_another_certificate(svcdns, real):
    api = real(tls=True)
    server = start_as_account(svcdns, api)
    before = (api.account / 'ca.crt').read_bytes()
    api.stop()
    api.start()
    assert (api.account / 'ca.crt').read_bytes() != before
    api.put(service('new', '10.96.0.9'))
    await_answer(server, 'new.shop', ['10.96.0.9'])


def test_forbidden_resource(svcdns, real):
    api = real(tls=True, deny='endpointslices')
    server = start_as_account(svcdns, api)
    server.wait_for(r'endpointslices: the API server answers 403: endpointslices is forbidden.*: the service account needs')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'nothing.shop') == 'NXDOMAIN'
    assert answer(server, 'headless.shop') == 'SERVFAIL'
