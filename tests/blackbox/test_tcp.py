"""DNS over TCP as clients meet it (RFC 7766)."""

import os
import pathlib
import resource
import select
import socket

import dns.message
import dns.rcode
import pytest

COREFILE = '''
    .:{PORT} {
        whoami
    }
'''


def queries(count):
    for i in range(count):
        query = dns.message.make_query(f'n{i}.example.org', 'A')
        query.id = i
        yield query


def ids(server, sock, count):
    return {server.receive(sock).id for _ in range(count)}


def test_one_query(svcdns):
    server = svcdns(COREFILE)
    reply = server.ask('example.org', tcp=True)
    assert reply.rcode() == dns.rcode.NOERROR
    assert any('_tcp' in str(rrset.name) for rrset in reply.additional)


@pytest.mark.parametrize('count', [2, 100, 1000])
def test_many_queries_at_once(svcdns, count):
    server = svcdns(COREFILE)
    with server.connect() as sock:
        server.send(sock, *queries(count))
        assert ids(server, sock, count) == set(range(count))


def test_octet_by_octet(svcdns):
    server = svcdns(COREFILE)
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for query in queries(2):
            wire = query.to_wire()
            for octet in len(wire).to_bytes(2, 'big') + wire:
                sock.sendall(bytes([octet]))
            assert server.receive(sock).id == query.id


def test_half_closed(svcdns):
    server = svcdns(COREFILE)
    with server.connect() as sock:
        server.send(sock, *queries(20))
        sock.shutdown(socket.SHUT_WR)
        assert ids(server, sock, 20) == set(range(20))
        assert server.receive(sock) is None


def test_nothing_but_noise(svcdns):
    server = svcdns(COREFILE)
    with server.connect() as sock:
        sock.sendall(b'\0\0' + b'\0\5short' + b'\0\x0c' + bytes(12))
        reply = server.receive(sock)  # only the last one has a header, and no question
        assert reply.rcode() == dns.rcode.FORMERR
        server.send(sock, *queries(1))
        assert server.receive(sock).id == 0


def test_longest_query(svcdns):
    server = svcdns(COREFILE)
    with server.connect() as sock:
        sock.sendall(b'\xff\xff' + b'\x12\x34' + bytes(65533))
        assert server.receive(sock).rcode() == dns.rcode.FORMERR


def test_300_connections(svcdns):
    server = svcdns(COREFILE)
    socks = [server.connect() for _ in range(300)]
    for sock in socks:
        server.send(sock, *queries(1))
    for sock in socks:
        assert server.receive(sock).id == 0
        sock.close()


def test_oldest_idle_connection_makes_room(svcdns):
    limit = 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * limit:
        pytest.skip('too few descriptors')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * limit), hard))
    server = svcdns(COREFILE, env={'GOMAXPROCS': '1'})
    socks = []
    for query in queries(limit + 1):
        socks.append(server.connect())
        server.send(socks[-1], query)
        assert server.receive(socks[-1]).id == query.id
    assert server.receive(socks[0]) is None
    server.send(socks[1], *queries(1))
    assert server.receive(socks[1]).id == 0
    for sock in socks:
        sock.close()


def lowest_unused(server):
    used = {int(name) for name in os.listdir(f'/proc/{server.process.pid}/fd')}
    return min(set(range(len(used) + 1)) - used)


def processor_time(server):
    fields = pathlib.Path(f'/proc/{server.process.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class TestOutOfDescriptors:
    def test_oldest_idle_connection_makes_room(self, svcdns):
        server = svcdns(COREFILE, env={'GOMAXPROCS': '1'})
        with server.connect() as oldest:
            server.send(oldest, *queries(1))
            assert server.receive(oldest).id == 0
            with server.descriptors(lowest_unused(server)), server.connect() as fresh:
                server.send(fresh, *queries(1))
                assert server.receive(fresh).id == 0
                assert server.receive(oldest) is None

    def test_what_comes_meanwhile_waits(self, svcdns):
        server = svcdns(COREFILE, env={'GOMAXPROCS': '1'})
        with server.descriptors(0):
            sock = server.connect()
            server.send(sock, *queries(1))
            before = processor_time(server)
            assert not select.select([sock], [], [], 1)[0]
            lines = [line for line in server.lines if 'accept' in line]
            assert lines == ['[ERROR] TCP connections have to wait: accept: too many open files']
            assert processor_time(server) - before < 0.5  # it does not try all the time
            assert server.ask('example.org').rcode() == dns.rcode.NOERROR
        assert server.receive(sock).id == 0
        sock.close()


def test_client_that_does_not_read(svcdns):
    """It is not read any more either, so that what it makes the server hold is bounded."""
    server = svcdns(COREFILE)
    batch = b''.join(len(w).to_bytes(2, 'big') + w for w in (q.to_wire() for q in queries(1000)))
    with server.connect() as sock:
        sock.setblocking(False)
        sent = 0
        while sent < 256 << 20 and select.select([], [sock], [], 1)[1]:
            sent += sock.send(batch)
        assert sent < 256 << 20
        assert server.ask('example.org', tcp=True).rcode() == dns.rcode.NOERROR
        assert server.ask('example.org').rcode() == dns.rcode.NOERROR
