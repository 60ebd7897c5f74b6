"""ready: what a kubelet sees. How the plugins of several blocks are put together is tested by tests/unit/test_ready.c."""

import socket

import dns.rcode
import pytest

from server import eventually
from test_api import FakeApi, Status

KUBERNETES = '''
    cluster.local:{PORT} {
        ready 127.0.0.1:{PORT2}
        kubernetes cluster.local {
            table table.yaml
        }
    }
'''
TABLE = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: default\n'


def test_ready(svcdns):
    server = svcdns(KUBERNETES, files={'table.yaml': TABLE})
    assert server.fetch('/ready')[0] == 200
    assert server.fetch('/ready')[2] == 'OK'
    assert server.fetch('/ready', method='POST')[2] == 'OK'
    assert server.fetch('/health')[0] == 404


FOLLOWING = '''
    cluster.local:{{PORT}} {{
        ready 127.0.0.1:{{PORT2}}
        kubernetes {{
            endpoint {url}
            pods verified
            startup_timeout {startup_timeout}
        }}
    }}
'''


@pytest.fixture
def api():
    server = FakeApi()
    yield server
    server.close()


def test_forbidden_pods(svcdns, api):
    """Of the resources, the one that is missing is named, and why."""
    api.script('pods', None, Status(403, 'Forbidden', 'pods is forbidden'), times=1000)
    server = svcdns(FOLLOWING.format(url=api.url, startup_timeout='500ms'))
    reason = ('kubernetes\n'
              'kubernetes: pods: the API server answers 403: pods is forbidden: the service account needs the verbs list and '
              'watch for resource "pods" of API group ""')
    eventually(lambda: server.fetch('/ready')[::2] == (503, reason))
    server.wait_for(r'^\[INFO\] plugin/ready: Plugins not ready: "kubernetes"$')
    api.scripts.clear()
    eventually(lambda: server.fetch('/ready')[::2] == (200, 'OK'))


def test_api_server_that_is_away(svcdns, api):
    api.stop()
    server = svcdns(FOLLOWING.format(url=api.url, startup_timeout='500ms'))
    away = 'the API server cannot be reached: '

    def lines():
        status, _, body = server.fetch('/ready')
        assert status == 503
        return body.split('\n')

    eventually(lambda: sum(away in line for line in lines()) == 4)
    names, *reasons = lines()
    assert names == 'kubernetes'
    for resource, line in zip(('namespaces', 'services', 'endpointslices', 'pods'), reasons):
        assert line.startswith(f'kubernetes: {resource}: {away}')
    api.start()
    eventually(lambda: server.fetch('/ready')[::2] == (200, 'OK'))


def test_while_the_start_waits(svcdns, api):
    api.script(None, None, Status(503, message='not yet'), times=1000)
    server = svcdns.begin(FOLLOWING.format(url=api.url, startup_timeout='30s'))
    eventually(lambda: server.fetch('/ready')[::2] == (503, 'kubernetes\nkubernetes: the server is starting'))
    api.scripts.clear()
    server.wait_until_serving()
    assert server.fetch('/ready')[::2] == (200, 'OK')


def test_port_that_is_taken_costs_the_endpoint_only(svcdns):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        server = svcdns(f'.:{{PORT}} {{\n ready 127.0.0.1:{port}\n whoami\n}}\n')
        server.wait_for(rf'^\[ERROR\] plugin/ready: Failed to start ready handler: listen tcp 127.0.0.1:{port}: bind: '
                        'address already in use$')
        assert server.ask('example.org').rcode() == dns.rcode.NOERROR
