"""ready: what a kubelet sees. When plugins are not ready is tested by tests/unit/test_ready.c."""

import socket

import dns.rcode

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


def test_port_that_is_taken_costs_the_endpoint_only(svcdns):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        server = svcdns(f'.:{{PORT}} {{\n ready 127.0.0.1:{port}\n whoami\n}}\n')
        server.wait_for(rf'^\[ERROR\] plugin/ready: Failed to start ready handler: listen tcp 127.0.0.1:{port}: bind: '
                        'address already in use$')
        assert server.ask('example.org').rcode() == dns.rcode.NOERROR
