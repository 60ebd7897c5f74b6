"""The Kubernetes API feed against a scripted API server: what goes wrong there costs no answer, and not for long."""

import datetime
import pathlib
import signal
import ssl
import subprocess
import sys
import time

import dns.rcode
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from fake_apiserver import Close, Cut, FakeApi, Silence, Slow, Status, Stream  # noqa: E402
from test_prometheus import page  # noqa: E402

PATIENCE = 40
COREFILE = '''
    .:{{PORT}} {{
        kubernetes cluster.local in-addr.arpa {{
            endpoint {url}
            {more}
        }}
    }}
'''


def namespace(name='shop'):
    return {'kind': 'Namespace', 'metadata': {'name': name}}


def service(name, address='10.96.0.1', namespace='shop', **spec):
    return {'kind': 'Service', 'metadata': {'name': name, 'namespace': namespace},
            'spec': {'type': 'ClusterIP', 'clusterIP': address, 'clusterIPs': [address],
                     'ports': [{'name': 'http', 'protocol': 'TCP', 'port': 80}], **spec}}


def slice_of(name, *addresses, namespace='shop'):
    return {'kind': 'EndpointSlice',
            'metadata': {'name': f'{name}-x1', 'namespace': namespace, 'labels': {'kubernetes.io/service-name': name}},
            'addressType': 'IPv4', 'ports': [{'name': 'http', 'protocol': 'TCP', 'port': 8080}],
            'endpoints': [{'addresses': [a], 'conditions': {'ready': True}} for a in addresses]}


def pod(name, address, namespace='shop'):
    return {'kind': 'Pod', 'metadata': {'name': name, 'namespace': namespace},
            'status': {'phase': 'Running', 'podIP': address}}


@pytest.fixture
def fake():
    servers = []

    def make(**options):
        servers.append(FakeApi(**options))
        servers[-1].put(namespace(), service('web'), service('headless', 'None'), slice_of('headless', '10.1.0.1', '10.1.0.2'))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture(params=['protobuf', 'json'])
def api(request, fake):
    return fake(language=request.param)


def start(svcdns, api, more='', **options):
    return svcdns(COREFILE.format(url=api.url, more=more), **options)


def answer(server, name, type='A'):
    """The addresses or other data of an answer, sorted; or its rcode."""
    reply = server.ask(name if name.endswith('.arpa') else f'{name}.svc.cluster.local', type)
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    return sorted(rd.to_text() for rrset in reply.answer for rd in rrset)


def await_answer(server, name, wanted, type='A'):
    deadline = time.monotonic() + PATIENCE
    while (got := answer(server, name, type)) != wanted:
        assert time.monotonic() < deadline, f'{name} {type}: {got}, not {wanted}; {server.lines}'
        time.sleep(0.005)


def await_true(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def await_watches(api, count=3):
    """Until all resources are watched, and nothing more is to be asked."""
    await_true(lambda: len({r.plural for r in api.asked('watch') + api.asked('watch-list')}) == count, api.requests)


# ---- how it is asked -----------------------------------------------------------------------------------------------


def test_follows_what_changes(svcdns, api):
    server = start(svcdns, api)
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']
    assert answer(server, 'other.shop') == 'NXDOMAIN'
    api.put(service('other', '10.96.0.2'))
    await_answer(server, 'other.shop', ['10.96.0.2'])
    api.put(service('other', '10.96.0.3'))
    await_answer(server, 'other.shop', ['10.96.0.3'])
    api.put(slice_of('headless', '10.1.0.9'))
    await_answer(server, 'headless.shop', ['10.1.0.9'])
    await_answer(server, '9.0.1.10.in-addr.arpa', ['10-1-0-9.headless.shop.svc.cluster.local.'], 'PTR')
    api.delete('Service', 'shop', 'other')
    await_answer(server, 'other.shop', 'NXDOMAIN')
    api.delete('Namespace', '', 'shop')
    await_answer(server, 'web.shop', 'NXDOMAIN')


def test_metrics(svcdns, api):
    corefile = COREFILE.replace('kubernetes', 'prometheus 127.0.0.1:{{PORT2}}\n kubernetes')
    server = svcdns(corefile.format(url=api.url, more=''))
    host = api.url.removeprefix('http://')
    await_watches(api)
    before = page(server)
    changed = slice_of('headless', '10.1.0.9')
    written = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=3)
    changed['metadata']['annotations'] = {'endpoints.kubernetes.io/last-change-trigger-time': f'{written:%Y-%m-%dT%H:%M:%SZ}'}
    api.put(changed, service('other', '10.96.0.2'))
    await_answer(server, 'other.shop', ['10.96.0.2'])
    await_answer(server, 'headless.shop', ['10.1.0.9'])
    now = page(server)
    assert now.get('coredns_kubernetes_rest_client_requests_total', code='200', host=host, method='GET') == 3
    assert now.get('coredns_kubernetes_rest_client_request_duration_seconds_count', host=host, verb='GET') == 3
    waits = 'coredns_kubernetes_rest_client_rate_limiter_duration_seconds'
    assert now.get(f'{waits}_bucket', host=host, verb='GET', le='0.005') == 3  # nothing is limited
    assert now.get(f'{waits}_count', host=host, verb='GET') == 3
    assert now.get('coredns_kubernetes_dns_programming_duration_seconds_count', service_kind='headless_with_selector') == 1
    assert 2.9 < now.get('coredns_kubernetes_dns_programming_duration_seconds_sum', service_kind='headless_with_selector')
    for resource, objects in ('namespaces', 1), ('services', 3), ('endpointslices', 1):
        assert now.get('svcdns_kubernetes_objects', resource=resource) == objects
        assert now.get('svcdns_kubernetes_synced', resource=resource) == 1
        assert now.get('svcdns_kubernetes_lists_total', resource=resource) == 1
        assert now.get('svcdns_kubernetes_failures_total', resource=resource) == 0
        assert 0 < now.get('svcdns_kubernetes_received_bytes_total', resource=resource) < 10000
        assert 0 <= now.get('svcdns_kubernetes_watch_age_seconds', resource=resource) < PATIENCE
    for resource, changes in ('namespaces', 0), ('services', 1), ('endpointslices', 1):
        name = 'svcdns_kubernetes_events_total'
        assert now.get(name, resource=resource) == before.get(name, resource=resource) + changes
    assert now.get('svcdns_kubernetes_saved_table_age_seconds') == 0
    api.stop()
    await_true(lambda: page(server).get('svcdns_kubernetes_failures_total', resource='services'), server.lines)
    assert page(server).get('coredns_kubernetes_rest_client_requests_total', code='<error>', host=host, method='GET')
    api.start()


def test_metrics_of_several_blocks(svcdns, fake):
    """Each block follows the API for itself, whatever the number of its zones: all of it is counted, and once."""
    api = fake()
    api.script('pods', None, Status(403, 'Forbidden'), times=1000)
    block = '''
        {zones} {{
            prometheus 127.0.0.1:{{PORT2}}
            kubernetes {{
                endpoint {url}
                startup_timeout 1s
                {more}
            }}
        }}
    '''
    server = svcdns(block.format(zones='cluster.local:{PORT} other.local:{PORT}', url=api.url, more='')
                    + block.format(zones='third.local:{PORT}', url=api.url, more='pods verified'))
    await_true(lambda: page(server).get('svcdns_kubernetes_lists_total') == 6, server.lines)
    now = page(server)
    requests = 'coredns_kubernetes_rest_client_requests_total'
    assert now.get(requests, code='200') == 6
    assert 1 <= now.get(requests, code='403') <= len(api.asked(plural='pods'))
    for resource, objects, synced in ('namespaces', 2, 1), ('services', 4, 1), ('endpointslices', 2, 1), ('pods', 0, 0):
        assert now.get('svcdns_kubernetes_objects', resource=resource) == objects
        assert now.get('svcdns_kubernetes_synced', resource=resource) == synced
    assert 0 <= now.get('svcdns_kubernetes_watch_age_seconds', resource='services') < PATIENCE


def test_what_is_sent(svcdns, fake):
    api = fake()
    start(svcdns, api)
    assert {r.plural for r in api.requests} == {'namespaces', 'services', 'endpointslices'}
    for request in api.requests:
        assert request.ask == 'watch-list'
        assert request.params['allowWatchBookmarks'] == 'true'
        assert request.params['resourceVersionMatch'] == 'NotOlderThan'
        assert 300 <= int(request.params['timeoutSeconds']) < 600
        assert request.headers['User-Agent'].startswith('svcdns/')
        assert 'protobuf' in request.headers['Accept']
        assert 'Accept-Encoding' not in request.headers


def test_what_is_asked_for_is_chosen(svcdns, fake):
    api = fake()
    api.put(pod('web-0', '10.1.0.1'))
    server = start(svcdns, api, 'pods verified\nlabels app in (web, db), !old, tier=front\nnoendpoints\nnamespace_labels a=b')
    by_plural = {r.plural: r.params for r in api.requests}
    assert by_plural.keys() == {'namespaces', 'services', 'pods'}
    assert by_plural['namespaces']['labelSelector'] == 'a=b'
    wanted = {'!old', 'tier=front'}
    assert wanted < set(by_plural['services']['labelSelector'].split(',')) | wanted
    assert 'app in (' in by_plural['services']['labelSelector']
    assert 'status.phase!=Failed' in by_plural['pods']['fieldSelector']
    assert answer(server, 'web.shop') == 'NXDOMAIN'  # of another label, whatever the server sends


def test_pods(svcdns, api):
    api.put(pod('web-0', '10.1.0.1'))
    server = start(svcdns, api, 'pods verified')

    def verified(address):
        return server.ask(f'{address}.shop.pod.cluster.local').rcode()

    assert verified('10-1-0-1') == dns.rcode.NOERROR
    assert verified('10-1-0-2') == dns.rcode.NXDOMAIN
    api.put(pod('web-0', '10.1.0.2'))
    await_true(lambda: verified('10-1-0-2') == dns.rcode.NOERROR, 'the new address')
    assert verified('10-1-0-1') == dns.rcode.NXDOMAIN


# ---- lists ---------------------------------------------------------------------------------------------------------


def test_server_without_watch_lists(svcdns, fake):
    api = fake(watch_list=False, page=7)
    api.put(*(service(f's{i}', f'10.96.1.{i}') for i in range(30)))
    server = start(svcdns, api)
    assert answer(server, 's29.shop') == ['10.96.1.29']
    assert [r.params.get('limit') for r in api.asked('list', 'services')] == ['500']
    assert len(api.asked('page', 'services')) == 4
    api.put(service('new', '10.96.2.1'))
    await_answer(server, 'new.shop', ['10.96.2.1'])
    assert len(api.asked('list', 'services')) == 1  # the watch goes on from the list's version


def test_list_expires_between_two_pages(svcdns, fake):
    api = fake(watch_list=False, page=7)
    api.put(*(service(f's{i}', f'10.96.1.{i}') for i in range(30)))
    api.script('services', 'page', Status(410, 'Expired'))
    server = start(svcdns, api, 'startup_timeout 20s')
    assert answer(server, 's29.shop') == ['10.96.1.29']
    assert [r.params['limit'] for r in api.asked('list', 'services')] == ['500', '0']


def test_list_is_cut(svcdns, api):
    api.watch_list = False
    api.put(*(service(f's{i}', f'10.96.1.{i}') for i in range(30)))
    api.script('services', 'list', Cut(400))
    server = start(svcdns, api, 'startup_timeout 20s')
    server.wait_for(r'services: the list cannot be read')
    assert answer(server, 's29.shop') == ['10.96.1.29']


def test_watch_list_is_cut(svcdns, api):
    api.put(*(service(f's{i}', f'10.96.1.{i}') for i in range(30)))
    api.script('services', 'watch-list', Cut(400))
    server = start(svcdns, api, 'startup_timeout 20s')
    server.wait_for(r'services: the watch ended before all objects had come')
    assert answer(server, 's29.shop') == ['10.96.1.29']


def test_octet_by_octet(svcdns, api):
    api.script(None, None, Slow(), times=3)
    server = start(svcdns, api, 'startup_timeout 20s')
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']
    api.put(service('new', '10.96.0.9'))
    await_answer(server, 'new.shop', ['10.96.0.9'])


# ---- watches that end ------------------------------------------------------------------------------------------------


def test_connections_are_cut(svcdns, api):
    server = start(svcdns, api)
    for i in range(5):
        api.cut()
        api.put(service('new', f'10.96.0.{10 + i}'))
        await_answer(server, 'new.shop', [f'10.96.0.{10 + i}'])
    assert len(api.asked('watch-list')) == 3  # nothing is listed again for that
    api.delete('Service', 'shop', 'new')
    await_answer(server, 'new.shop', 'NXDOMAIN')


def test_bookmarks_save_a_list(svcdns, fake):
    api = fake(bookmark_s=0.05)
    server = start(svcdns, api)
    api.put(*(pod(f'p{i}', '10.1.0.1') for i in range(20)))  # versions go by that no watch of ours brings
    time.sleep(0.5)
    api.compact()
    api.cut()
    await_watches(api)
    api.put(service('new', '10.96.0.9'))
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert len(api.asked('watch-list')) == 3


def test_history_is_forgotten(svcdns, api):
    """410 as the status of the response: what was deleted meanwhile goes, what came is there."""
    server = start(svcdns, api)
    api.put(service('other', '10.96.0.2'))
    await_answer(server, 'other.shop', ['10.96.0.2'])
    api.stop()
    api.delete('Service', 'shop', 'other')
    api.delete('EndpointSlice', 'shop', 'headless-x1')
    api.put(service('new', '10.96.0.9'))
    api.compact()
    assert answer(server, 'other.shop') == ['10.96.0.2']  # the last that we know
    api.start()
    await_answer(server, 'other.shop', 'NXDOMAIN')
    await_answer(server, 'headless.shop', 'NXDOMAIN')
    await_answer(server, 'new.shop', ['10.96.0.9'])


def expired(code=410, reason='Expired'):
    return ('ERROR', {'apiVersion': 'v1', 'kind': 'Status', 'status': 'Failure', 'message': 'too old', 'reason': reason,
                      'code': code})


def test_history_is_forgotten_in_the_stream(svcdns, api):
    server = start(svcdns, api)
    api.script('services', 'watch', Stream(expired(), then='hold'))
    api.delete('Service', 'shop', 'web', is_told=False)
    api.cut()
    await_answer(server, 'web.shop', 'NXDOMAIN')


def test_a_list_keeps_answers(svcdns, api):
    """Everything is listed again and again: no answer is missing at any time."""
    server = start(svcdns, api)
    for i in range(3):
        api.compact()
        api.put(service('new', f'10.96.0.{10 + i}'))
        api.cut()
        while answer(server, 'new.shop') != [f'10.96.0.{10 + i}']:
            assert answer(server, 'web.shop') == ['10.96.0.1']
            assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']


def test_watch_that_ends_at_once(svcdns, fake):
    api = fake()
    server = start(svcdns, api)
    api.script('services', 'watch', Stream(), times=1000)
    api.cut()
    server.wait_for(r'services: a watch ended at once, without any event')
    before = len(api.asked('watch', 'services'))
    time.sleep(2)
    assert len(api.asked('watch', 'services')) - before <= 3


def test_silent_watch(svcdns, fake):
    api = fake()
    server = start(svcdns, api, 'silence 1s')
    api.script('services', 'watch', Silence(after_head=True))
    api.cut()
    api.put(service('new', '10.96.0.9'))
    server.wait_for(r'services: no octet came for 1 s')
    await_answer(server, 'new.shop', ['10.96.0.9'])


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_forbidden_resource(svcdns, api):
    api.script('endpointslices', None, Status(403, 'Forbidden', 'endpointslices is forbidden'), times=1000)
    server = start(svcdns, api, 'startup_timeout 1s')
    server.wait_for(r'endpointslices: the API server answers 403: endpointslices is forbidden: the service account needs '
                    r'the verbs list and watch for resource "endpointslices" of API group "discovery.k8s.io"')
    server.wait_for(r'WARNING. plugin/kubernetes: starting server with unsynced Kubernetes API')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'nothing.shop') == 'NXDOMAIN'    # does not depend on endpoints
    assert answer(server, 'headless.shop') == 'SERVFAIL'   # does
    assert answer(server, '1.0.1.10.in-addr.arpa', 'PTR') == 'SERVFAIL'
    api.scripts.clear()
    await_answer(server, 'headless.shop', ['10.1.0.1', '10.1.0.2'])
    server.wait_for(r'endpointslices: the API server is followed again')


def test_token_is_rotated(svcdns, fake):
    api = fake(token='one')
    kubeconfig = f'''
        apiVersion: v1
        clusters: [{{name: c, cluster: {{server: "{api.url}"}}}}]
        users: [{{name: u, user: {{tokenFile: token}}}}]
        contexts: [{{name: one, context: {{cluster: c, user: u}}}}]
        current-context: one
        '''
    server = svcdns('.:{PORT} {\nkubernetes cluster.local {\nkubeconfig {DIR}/config one\n}\n}\n',
                    files={'config': kubeconfig, 'token': 'one\n'})
    assert answer(server, 'web.shop') == ['10.96.0.1']
    (svcdns.folder / 'token').write_text('two\n')
    api.token = 'two'
    api.put(service('new', '10.96.0.9'))
    api.cut()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert not [line for line in server.lines if '401' in line]  # nothing that anybody should see
    api.token = 'three'
    api.cut()
    server.wait_for(r'the API server answers 401')


@pytest.mark.parametrize('code', [429, 503])
def test_retry_after(svcdns, fake, code):
    api = fake()
    server = start(svcdns, api)
    api.script('services', 'watch', Status(code, retry_after=2))
    api.put(service('new', '10.96.0.9'))
    api.cut()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    refused, again = api.asked('watch', 'services')
    assert again.at - refused.at >= 2
    assert len(api.asked('watch-list')) == 3


@pytest.mark.parametrize('refusal', [Status(500, 'InternalError'), Status(502, text='<html>bad gateway</html>'),
                                     Status(404, text='404 page not found'), Close(), Stream(expired(500, 'InternalError')),
                                     Stream(b'\0\0\0\3abc', then='cut'), Stream(b'{"type":\n', b'\xff\xff\xff\xff'),
                                     Silence()],
                         ids=['500', '502', '404', 'closed', 'error event', 'short garbage', 'garbage', 'silence'])
def test_trouble_passes(svcdns, api, refusal):
    server = start(svcdns, api, 'silence 1s')
    api.script('services', 'watch', refusal)
    api.put(service('new', '10.96.0.9'))
    api.cut()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert answer(server, 'web.shop') == ['10.96.0.1']


def test_etcd_was_restored(svcdns, fake):
    """The server's versions have gone back: what we ask for lies in its future."""
    api = fake()
    server = start(svcdns, api)
    api.script('services', 'watch', Status(504, 'Timeout', 'Too large resource version: 99, current: 7', retry_after=1))
    api.delete('Service', 'shop', 'web', is_told=False)
    api.cut()
    await_answer(server, 'web.shop', 'NXDOMAIN')
    assert 'resourceVersion' not in api.asked('watch-list', 'services')[-1].params


# ---- objects that cannot be read -------------------------------------------------------------------------------------


def test_broken_object(svcdns, api):
    api.put(service('bad', 'no address'))
    server = start(svcdns, api)
    server.wait_for(r'services: shop/bad cannot be read, and is skipped: spec.clusterIP: not an IP address: "no address"')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'bad.shop') == 'NXDOMAIN'
    api.put(service('bad', 'none, too'), service('new', '10.96.0.9'))
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert len([line for line in server.lines if 'shop/bad' in line]) == 1
    api.put(service('bad', '10.96.0.8'))
    await_answer(server, 'bad.shop', ['10.96.0.8'])


# ---- events that are lost ----------------------------------------------------------------------------------------------


def test_audit_finds_lost_events(svcdns, api):
    api.put(service('changed', '10.96.0.2'), service('gone', '10.96.0.3'))
    server = start(svcdns, api, 'audit 300ms')
    api.lose(service('changed', '10.96.0.4'), service('new', '10.96.0.5'))
    api.delete('Service', 'shop', 'gone', is_told=False)
    await_answer(server, 'changed.shop', ['10.96.0.4'])
    await_answer(server, 'new.shop', ['10.96.0.5'])
    await_answer(server, 'gone.shop', 'NXDOMAIN')
    server.wait_for(r'WARNING. plugin/kubernetes: services: an audit found 3 objects that differ from the API server\'s: '
                    r'listing all of them anew')


def test_audit_is_quiet(svcdns, fake):
    """Objects that DNS has no use for, or cannot read, are no lost events."""
    api = fake(page=2)
    unused = slice_of('nothing', '10.1.0.3')
    del unused['metadata']['labels']
    api.put(unused, service('bad', 'no address'), *(service(f's{i}', f'10.96.1.{i}') for i in range(5)))
    start(svcdns, api, 'audit 100ms')
    await_true(lambda: len(api.asked('names')) > 30, api.requests)
    assert 'PartialObjectMetadataList' in api.asked('names')[0].headers['Accept']
    assert len(api.asked('watch-list')) == 3


# ---- the server comes and goes -----------------------------------------------------------------------------------------


def test_start_without_the_api(svcdns, fake):
    api = fake()
    api.stop()
    server = start(svcdns, api, 'startup_timeout 1s')
    server.wait_for(r'^\[INFO\] plugin/kubernetes: waiting for Kubernetes API before starting server$')
    server.wait_for(r'^\[WARNING\] plugin/kubernetes: starting server with unsynced Kubernetes API$')
    server.wait_for(r'services: the API server cannot be reached: ')
    assert answer(server, 'web.shop') == 'SERVFAIL'
    assert answer(server, 'nothing.shop') == 'SERVFAIL'
    assert answer(server, '1.0.96.10.in-addr.arpa', 'PTR') == 'SERVFAIL'
    api.start()
    await_answer(server, 'web.shop', ['10.96.0.1'])
    await_answer(server, 'nothing.shop', 'NXDOMAIN')
    server.wait_for(r'services: the API server is followed again')


def test_the_api_goes_away(svcdns, api):
    server = start(svcdns, api)
    api.stop()
    server.wait_for(r'services: the API server cannot be reached')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'nothing.shop') == 'NXDOMAIN'
    api.put(service('new', '10.96.0.9'))
    api.start()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    assert len(api.asked('watch-list')) == 3


def test_stop_while_nothing_answers(svcdns, fake):
    api = fake()
    api.script(None, None, Silence(), times=1000)
    server = start(svcdns, api, 'startup_timeout 200ms')
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 10


def test_end_while_the_start_waits(svcdns, fake):
    api = fake()
    api.script(None, None, Silence(), times=1000)
    server = svcdns.begin(COREFILE.format(url=api.url, more='startup_timeout 10m'))
    server.wait_for(r'waiting for Kubernetes API before starting server')
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not any('unsynced' in line for line in server.lines if line)


def test_rate_and_inflight_limits(svcdns, fake):
    api = fake()
    corefile = COREFILE.replace('kubernetes', 'prometheus 127.0.0.1:{{PORT2}}\n kubernetes')
    more = 'apiserver_qps 2\napiserver_burst 1\napiserver_max_inflight 1\nstartup_timeout 20s'
    server = svcdns(corefile.format(url=api.url, more=more))
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']
    times = sorted(r.at for r in api.requests)
    assert all(later - earlier > 0.4 for earlier, later in zip(times, times[1:]))
    waits = 'coredns_kubernetes_rest_client_rate_limiter_duration_seconds'
    assert page(server).get(f'{waits}_count', verb='GET') == len(times)
    assert page(server).get(f'{waits}_bucket', verb='GET', le='0.25') == 1  # the first, which the burst let through
    assert page(server).get(f'{waits}_sum', verb='GET') > 1.2              # half a second and a whole one


# ---- warm start ----------------------------------------------------------------------------------------------------


def keep_a_table(svcdns, fake, **options):
    """Runs once with the API, which then goes away. Returns the fake server and the file."""
    api = fake(**options)
    server = start(svcdns, api, 'snapshot {DIR}/table 1h\nstartup_timeout 30s')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    server.stop()
    api.stop()
    return api, svcdns.folder / 'table'


def test_warm_start(svcdns, fake):
    api, _ = keep_a_table(svcdns, fake)
    server = start(svcdns, api, 'snapshot {DIR}/table 1h\nstartup_timeout 30s')  # does not wait for anything
    server.wait_for(r'WARNING. plugin/kubernetes: snapshot \S+/table: answering from what was saved \d+ s ago, until the API '
                    r'server is followed')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert answer(server, 'headless.shop') == ['10.1.0.1', '10.1.0.2']
    assert answer(server, 'nothing.shop') == 'NXDOMAIN'
    api.delete('Service', 'shop', 'headless')
    api.put(service('new', '10.96.0.9'))
    api.start()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    await_answer(server, 'headless.shop', 'NXDOMAIN')
    server.wait_for(r'synced with')


def test_damaged_table_is_ignored(svcdns, fake):
    api, file = keep_a_table(svcdns, fake)
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2] ^= 1
    file.write_bytes(octets)
    server = start(svcdns, api, 'snapshot {DIR}/table 1h\nstartup_timeout 200ms')
    server.wait_for(r'WARNING. plugin/kubernetes: snapshot \S+/table: it is damaged, and is ignored')
    assert answer(server, 'web.shop') == 'SERVFAIL'
    api.start()
    await_answer(server, 'web.shop', ['10.96.0.1'])


def test_table_of_another_configuration_is_ignored(svcdns, fake):
    api, _ = keep_a_table(svcdns, fake)
    server = start(svcdns, api, 'snapshot {DIR}/table 1h\nendpoint_pod_names\nstartup_timeout 200ms')
    server.wait_for(r'it was written with another configuration or for another API server, and is ignored')
    assert answer(server, 'web.shop') == 'SERVFAIL'


def test_unsynced_table_is_not_kept(svcdns, fake):
    api, file = keep_a_table(svcdns, fake)
    before = file.read_bytes()
    start(svcdns, api, 'snapshot {DIR}/table 1h').stop()
    assert file.read_bytes() == before


def test_search_from_client_follows_pods(svcdns, fake):
    api = fake()
    api.put(pod('here', '127.0.0.1'))
    server = svcdns(f'''
        .:{{PORT}} {{
            search {{
                from client
            }}
            kubernetes cluster.local {{
                endpoint {api.url}
            }}
        }}
        ''')
    assert [rd.to_text() for rrset in server.ask('web').answer for rd in rrset][-1] == '10.96.0.1'


# ---- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    """An authority, a server's and a client's certificate of it, and a foreign authority."""
    folder = tmp_path_factory.mktemp('pki')

    def openssl(*arguments):
        subprocess.run(['openssl', *arguments], cwd=folder, check=True, capture_output=True)

    for name in ('ca', 'foreign'):
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                f'/CN={name}', '-keyout', f'{name}.key', '-out', f'{name}.crt')
    for name, names in (('server', 'IP:127.0.0.1,DNS:kubernetes.default'), ('client', 'DNS:svcdns'), ('other', 'DNS:other')):
        (folder / f'{name}.ext').write_text(f'subjectAltName={names}\n')
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={name}', '-keyout',
                f'{name}.key', '-out', f'{name}.csr')
        openssl('x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
                '-extfile', f'{name}.ext', '-out', f'{name}.crt')
    return folder


def tls_context(pki, name='server', wants_client=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / f'{name}.crt', pki / f'{name}.key')
    if wants_client:
        context.load_verify_locations(pki / 'ca.crt')
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_tls_with_client_certificate(svcdns, fake, pki):
    api = fake(tls=tls_context(pki, wants_client=True))
    server = start(svcdns, api, f'tls {pki}/client.crt {pki}/client.key {pki}/ca.crt')
    assert answer(server, 'web.shop') == ['10.96.0.1']
    for i in range(3):
        api.cut()
        api.put(service('new', f'10.96.0.{10 + i}'))
        await_answer(server, 'new.shop', [f'10.96.0.{10 + i}'])


def test_tls_of_a_foreign_authority(svcdns, fake, pki):
    api = fake(tls=tls_context(pki))
    server = start(svcdns, api, f'tls {pki}/client.crt {pki}/client.key {pki}/foreign.crt\nstartup_timeout 500ms')
    server.wait_for(r'cannot be reached: SSL certificate problem')
    assert answer(server, 'web.shop') == 'SERVFAIL'
    assert not api.requests


def test_tls_authority_is_replaced(svcdns, fake, pki):
    """It is read for each connection: what the kubelet puts there counts without a restart."""
    api = fake(tls=tls_context(pki))
    authority = svcdns.folder / 'ca.crt'
    authority.write_bytes((pki / 'foreign.crt').read_bytes())
    server = start(svcdns, api, f'tls {pki}/client.crt {pki}/client.key {authority}\nstartup_timeout 500ms')
    server.wait_for(r'cannot be reached: SSL certificate problem')
    authority.write_bytes((pki / 'ca.crt').read_bytes())
    await_answer(server, 'web.shop', ['10.96.0.1'])


def kubeconfig_of(api, pki, cluster, user='token: t'):
    return f'''
        clusters: [{{name: c, cluster: {{server: "{api.url}", {cluster}}}}}]
        users: [{{name: u, user: {{{user}}}}}]
        contexts: [{{name: one, context: {{cluster: c, user: u}}}}]
        current-context: one
        '''


def start_with_kubeconfig(svcdns, text):
    return svcdns('.:{PORT} {\nkubernetes cluster.local {\nkubeconfig {DIR}/config\nstartup_timeout 1s\n}\n}\n',
                  files={'config': text})


@pytest.mark.parametrize('name, wanted', [('kubernetes.default', ['10.96.0.1']), ('another.name', 'SERVFAIL')])
def test_tls_server_name(svcdns, fake, pki, name, wanted):
    api = fake(tls=tls_context(pki))
    text = kubeconfig_of(api, pki, f'certificate-authority: "{pki}/ca.crt", tls-server-name: {name}')
    server = start_with_kubeconfig(svcdns, text)
    assert answer(server, 'web.shop') == wanted


@pytest.mark.parametrize('cluster, wanted', [('insecure-skip-tls-verify: true', ['10.96.0.1']),
                                             ('certificate-authority: "{pki}/ca.crt"', 'SERVFAIL')])
def test_tls_of_another_name(svcdns, fake, pki, cluster, wanted):
    api = fake(tls=tls_context(pki, 'other'))
    server = start_with_kubeconfig(svcdns, kubeconfig_of(api, pki, cluster.format(pki=pki)))
    assert answer(server, 'web.shop') == wanted


def test_kubeconfig_with_data(svcdns, fake, pki):
    import base64
    data = {name: base64.b64encode((pki / name).read_bytes()).decode() for name in ('ca.crt', 'client.crt', 'client.key')}
    api = fake(tls=tls_context(pki, wants_client=True))
    text = kubeconfig_of(api, pki, f'certificate-authority-data: {data["ca.crt"]}',
                         f'client-certificate-data: {data["client.crt"]}, client-key-data: {data["client.key"]}')
    server = start_with_kubeconfig(svcdns, text)
    assert answer(server, 'web.shop') == ['10.96.0.1']


# ---- within a cluster ------------------------------------------------------------------------------------------------


IN_CLUSTER = '.:{PORT} {\n kubernetes cluster.local {\n startup_timeout 1s\n }\n}\n'


def surroundings(api):
    return {'KUBERNETES_SERVICE_HOST': '127.0.0.1', 'KUBERNETES_SERVICE_PORT': str(api.port)}


def test_service_account(svcdns, container, fake, pki):
    api = fake(tls=tls_context(pki), token='one')
    authority = (pki / 'ca.crt').read_text()
    container.give({'token': 'one\n', 'ca.crt': authority})
    svcdns.room = container
    server = svcdns(IN_CLUSTER, env=surroundings(api))
    assert answer(server, 'web.shop') == ['10.96.0.1']
    assert {r.headers['Authorization'] for r in api.requests} == {'Bearer one'}
    container.give({'token': 'two\n', 'ca.crt': authority})
    api.token = 'two'
    api.put(service('new', '10.96.0.9'))
    api.cut()
    await_answer(server, 'new.shop', ['10.96.0.9'])
    await_true(lambda: {r.plural for r in api.requests if r.headers['Authorization'] == 'Bearer two'} ==
               {'namespaces', 'services', 'endpointslices'}, api.requests)
    assert not [line for line in server.lines if '401' in line]  # nothing that anybody should see


def test_service_account_of_another_cluster(svcdns, container, fake, pki):
    """What is not of the account's authority is not told the token."""
    api = fake(tls=tls_context(pki), token='one')
    container.give({'token': 'one', 'ca.crt': (pki / 'foreign.crt').read_text()})
    svcdns.room = container
    server = svcdns(IN_CLUSTER, env=surroundings(api))
    server.wait_for(r'^\[ERROR\] plugin/kubernetes: services: the API server cannot be reached: SSL certificate problem: ')
    assert answer(server, 'web.shop') == 'SERVFAIL'
    assert not api.requests
    container.give({'token': 'one', 'ca.crt': (pki / 'ca.crt').read_text()})
    await_answer(server, 'web.shop', ['10.96.0.1'])
    server.wait_for(r'services: the API server is followed again')


def test_no_service_account(svcdns, container, fake):
    svcdns.room = container
    code, error, _ = svcdns.refused(IN_CLUSTER, env=surroundings(fake()))
    assert code == 1
    assert ('invalid configuration: unable to read token /var/run/secrets/kubernetes.io/serviceaccount/token for the service '
            'account due to open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory') in error
