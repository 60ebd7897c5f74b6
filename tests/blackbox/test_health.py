"""health: the endpoint, lameduck, and what is open when while the server goes."""

import signal
import socket

import dns.rcode
import pytest

ALL = '''
    .:{PORT} {
        health 127.0.0.1:{PORT2} {
            lameduck 1s
        }
        ready 127.0.0.1:{PORT3}
        prometheus 127.0.0.1:{PORT4}
        whoami
    }
'''


def test_endpoint(svcdns):
    server = svcdns('.:{PORT} {\n health 127.0.0.1:{PORT2}\n whoami\n}\n')
    status, headers, body = server.fetch('/health')
    assert (status, body) == (200, 'OK')
    assert headers['Content-Type'] == 'text/plain; charset=utf-8'
    assert server.fetch('/nothing')[0] == 404


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_what_is_open_in_lameduck(svcdns, number):
    server = svcdns(ALL.replace('1s', '1h'))
    assert [server.fetch(path, port)[0] for path, port in (('/health', 2), ('/ready', 3), ('/metrics', 4))] == [200] * 3
    server.signal(number)
    server.wait_for(r'^\[INFO\] plugin/health: Going into lameduck mode for 1h0m0s$')
    assert server.fetch('/ready', 3)[0] is None
    assert server.fetch('/health')[0] == 200
    assert server.fetch('/metrics', 4)[0] == 200
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR
    assert server.ask('example.org', tcp=True).rcode() == dns.rcode.NOERROR
    server.signal(signal.SIGINT)
    if number == signal.SIGTERM:  # the second one ends it
        server.wait_for('SIGINT: Shutting down')
        server.signal(signal.SIGINT)
    assert server.wait() == 2


def test_lameduck_ends(svcdns):
    server = svcdns(ALL)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert '[INFO] plugin/health: Going into lameduck mode for 1s' in server.lines


def test_without_lameduck(svcdns):
    server = svcdns(ALL.replace('1s', '0s'))
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not any('lameduck' in line for line in server.lines if line)


def test_open_connections_do_not_hold_it_up(svcdns):
    server = svcdns(ALL.replace('1s', '0s'))
    with socket.create_connection(('127.0.0.1', svcdns.port(2))), socket.create_connection(('127.0.0.1', svcdns.port(4))):
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_port_that_is_taken(svcdns):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        code, err, out = svcdns.refused(f'.:{{PORT}} {{\n health 127.0.0.1:{port}\n whoami\n}}\n')
    assert (code, err, out) == (1, f'listen tcp 127.0.0.1:{port}: bind: address already in use\n', '')


def test_two_servers_on_the_same_ports(svcdns):
    first, second = svcdns(ALL.replace('1s', '0s')), svcdns(ALL.replace('1s', '0s'))
    first.stop()
    assert second.fetch('/health')[0] == 200


def test_two_blocks_share_an_address(svcdns):
    server = svcdns('''
        .:{PORT} {
            health 127.0.0.1:{PORT2}
            whoami
        }
        example.org:{PORT} {
            health 127.0.0.1:{PORT2}
            ready 127.0.0.1:{PORT2}
            whoami
        }
    ''')
    for _ in range(10):
        assert server.fetch('/health')[2] == 'OK'
        assert server.fetch('/ready')[2] == 'OK'


def test_a_start_that_fails_later_closes_the_endpoint(svcdns):
    code, err, _ = svcdns.refused('.:{PORT} {\n bind 203.0.113.77\n health 127.0.0.1:{PORT2} {\n lameduck 1h\n }\n whoami\n}\n')
    assert code == 1
    assert 'cannot assign requested address' in err
