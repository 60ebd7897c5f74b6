"""The demo, as programs see it whose resolv.conf names the server: glibc's resolver, Python's, dig."""

import re

import pytest

from server import ROOT, eventually

PLAIN = 'nameserver 127.0.0.1\n'
KUBELET = 'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n'
OUTSIDE_PORT = 1153
OUTSIDE = '''
example.com @zone
www.example.com 30 A 203.0.113.1
www.example.com 30 AAAA 2001:db8::1
www.example.com 30 TXT "outside"
'''
NAMES = {  # addresses, and what they are the addresses of
    'product-service-svc': ({'10.96.10.2'}, 'product-service-svc.default.svc.cluster.local'),
    'order-service-svc.shop': ({'10.96.20.1'}, 'order-service-svc.shop.svc.cluster.local'),
    'order-service-svc.default': ({'10.96.10.1'}, 'order-service-svc.default.svc.cluster.local'),
    'stock-db': ({'10.244.1.50', '10.244.2.51', '10.244.1.52'}, 'stock-db.default.svc.cluster.local'),
    'stock-db-0.stock-db': ({'10.244.1.50'}, 'stock-db-0.stock-db.default.svc.cluster.local'),
    'payment-service-svc.shop.svc.cluster.local': ({'10.96.20.3'}, 'payment-service-svc.shop.svc.cluster.local'),
    'product-service-svc.default.svc.cluster.local.': ({'10.96.10.2'}, 'product-service-svc.default.svc.cluster.local'),
    'www.example.com': ({'203.0.113.1', '2001:db8::1'}, 'www.example.com'),
}
ABSENT = ['absent', 'product-service-svc.absent', 'absent.default.svc.cluster.local', 'absent.example.com']


@pytest.fixture(params=[PLAIN, KUBELET], ids=['plain', 'kubelet'])
def machine(request, room, svcdns):
    """A room in which the demo and the outside are running."""
    (svcdns.folder / 'outside').write_text(OUTSIDE)
    room.start(ROOT / 'tests/conformance/upstream.py', OUTSIDE_PORT, svcdns.folder / 'outside')
    room.resolv_conf(request.param)
    svcdns.room = room
    server = svcdns(None, '-conf', ROOT / 'zones/Corefile', env={
        'SVCDNS_TABLE': str(ROOT / 'zones/shop.yaml'), 'SVCDNS_UPSTREAM': f'127.0.0.1:{OUTSIDE_PORT}'})
    eventually(lambda: room.run('dig', '-p', OUTSIDE_PORT, 'www.example.com').returncode == 0)
    yield room
    assert any('"A IN ' in line for line in server.lines if line)  # it was this one that was asked


def getent(room, name):
    """Addresses and canonical name: '10.96.10.2  STREAM product-service-svc.default.svc.cluster.local', …"""
    lines = [line.split() for line in room.run('getent', 'ahosts', name).stdout.splitlines()]
    return {line[0] for line in lines}, next((line[2] for line in lines if len(line) > 2), None)


PYTHON = '''
import socket, sys
found = socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
print(*(each[4][0] for each in found))
print(found[0][3])
'''


def python(room, name):
    lines = room.run('/usr/bin/python3', '-c', PYTHON, name).stdout.splitlines()
    return (set(lines[0].split()), lines[1]) if lines else (set(), None)


def dig(room, name):
    def short(type):
        done = room.run('dig', name, type, '+short')
        assert done.returncode == 0, done.stdout
        return done.stdout.split()

    lines = [line for type in ('A', 'AAAA') for line in short(type)]
    addresses = {line for line in lines if re.fullmatch(r'[0-9.]+|.*:.*', line)}
    names = {line.removesuffix('.') for line in lines} - addresses
    assert len(names) < 2
    return addresses, names.pop() if names else name.removesuffix('.') if addresses else None


@pytest.mark.parametrize('resolver', [getent, python, dig])
def test_names(machine, resolver):
    assert {name: resolver(machine, name) for name in NAMES} == NAMES
    assert {name: resolver(machine, name) for name in ABSENT} == {name: (set(), None) for name in ABSENT}


def test_other_records(machine):
    def short(*arguments):
        return machine.run('dig', '+short', *arguments).stdout

    assert short('_http._tcp.product-service-svc', 'SRV').splitlines() == [
        '_http._tcp.product-service-svc.default.svc.cluster.local.',
        '0 100 80 product-service-svc.default.svc.cluster.local.']
    assert short('-x', '10.96.10.2') == 'product-service-svc.default.svc.cluster.local.\n'
    assert short('www.example.com', 'TXT') == short('www.example.com', 'TXT', '+tcp') == '"outside"\n'
    assert short('product-service-svc', '+tcp') == short('product-service-svc')
