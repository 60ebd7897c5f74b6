"""DNS over UDP, and over TCP where that is the same: addresses, families, workers."""

import socket

import dns.message
import dns.rcode
import pytest

from server import has_ipv6

COREFILE = '''
    .:{PORT} {
        whoami
    }
'''


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='no IPv6 here')


@pytest.mark.parametrize('address', ['127.0.0.1', '127.0.0.2', '127.1.2.3'])
def test_wildcard_answers_from_the_address_that_was_asked(svcdns, address):
    server = svcdns(COREFILE)
    # dnspython ignores replies that come from another address than the query went to.
    assert server.ask('example.org', to=address).rcode() == dns.rcode.NOERROR
    assert server.ask('example.org', to=address, tcp=True).rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize('tcp', [False, True])
@pytest.mark.parametrize('address', ['127.0.0.1', '127.0.0.2'])  # with sockets of its own, and without
def test_the_address_that_was_asked_is_known(svcdns, address, tcp):
    server = svcdns('''
        .:{PORT} {
            log . "asked: {local}"
            whoami
        }
    ''')
    server.ask('example.org', to=address, tcp=tcp)
    assert server.wait_for('asked: ').endswith(f'asked: {address}')


@needs_ipv6
def test_wildcard_is_both_families(svcdns):
    server = svcdns(COREFILE)
    for tcp in False, True:
        reply = server.ask('example.org', 'AAAA', to='::1', tcp=tcp)
        assert any(record.to_text() == '::1' for rrset in reply.additional for record in rrset)


@needs_ipv6
@pytest.mark.parametrize('bind', ['0.0.0.0', '::'])
def test_bind_to_a_wildcard_is_both_families(svcdns, bind):
    server = svcdns(f'''
        .:{{PORT}} {{
            bind {bind}
            whoami
        }}
    ''')
    assert server.ask('example.org', to='127.0.0.2').rcode() == dns.rcode.NOERROR
    assert server.ask('example.org', to='::1').rcode() == dns.rcode.NOERROR


def test_bind_to_one_address(svcdns):
    server = svcdns('''
        .:{PORT} {
            bind 127.0.0.1
            whoami
        }
    ''')
    assert server.ask('example.org', to='127.0.0.1').rcode() == dns.rcode.NOERROR
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(('127.0.0.2', svcdns.port()))
        sock.send(b'x')
        with pytest.raises(ConnectionRefusedError):
            sock.recv(512)


def udp_sockets(address, port):
    with open('/proc/net/udp', encoding='ascii') as table:
        return sum(1 for line in table if line.split()[1] == f'{address}:{port:04X}')


@pytest.mark.parametrize('workers', [1, 2, 4])
def test_every_worker_answers(svcdns, workers):
    server = svcdns(COREFILE, env={'GOMAXPROCS': str(workers)})
    assert udp_sockets('00000000', svcdns.port()) == udp_sockets('0100007F', svcdns.port()) == workers
    # The kernel spreads clients over the workers' sockets: a worker that did not answer would be missed here.
    for _ in range(100):
        assert server.ask('example.org').rcode() == server.ask('example.org', to='127.0.0.2').rcode() == dns.rcode.NOERROR
        assert server.ask('example.org', tcp=True).rcode() == dns.rcode.NOERROR


def test_burst(svcdns):
    server = svcdns(COREFILE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(('127.0.0.1', svcdns.port()))
        for i in range(150):
            query = dns.message.make_query('example.org', 'A')
            query.id = i
            sock.send(query.to_wire())
        assert {dns.message.from_wire(sock.recv(512)).id for _ in range(150)} == set(range(150))
    assert server.process.poll() is None


def test_datagrams_that_are_no_queries(svcdns):
    server = svcdns(COREFILE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(('127.0.0.1', svcdns.port()))
        for datagram in b'', b'x', bytes(11), b'\0\0\x80' + bytes(20), b'\xff' * 60000:
            sock.send(datagram)
        sock.send(dns.message.make_query('example.org', 'A').to_wire())
        assert dns.message.from_wire(sock.recv(512)).rcode() == dns.rcode.NOERROR
    server.stop()
