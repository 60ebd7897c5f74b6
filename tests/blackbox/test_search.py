"""search: names as a program in a Pod would look them up, asked by a client that does not know a search list."""

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from server import eventually
from upstream import Upstream

TABLE = '''
{apiVersion: v1, kind: Namespace, metadata: {name: default}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00::1"], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.1.1, clusterIPs: [10.96.1.1], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: default}
spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: POD_NAMESPACE}
status: {podIP: 127.0.0.7, podIPs: [{ip: 127.0.0.7}]}
'''
OUTSIDE = {  # names that exist there, and addresses
    'www.example.com.': {'A': '203.0.113.1', 'AAAA': '2001:db8::1'},
    'both.': {'A': '203.0.113.2', 'AAAA': '2001:db8::2'},  # also a Service's name
    'host.lab.test.': {'A': '203.0.113.3'},
    'host.corp.test.': {'A': '203.0.113.4'},
    'two.dots.here.': {'A': '203.0.113.5'},
    '.'.join(letter * 62 for letter in 'wxyz') + '.': {'A': '203.0.113.6'},
}


def outside(query):
    first = query.name.partition('.')[0]
    if first in ('servfail', 'refused'):
        query.send(query.reply(rcode=first.upper()))
    elif query.name in OUTSIDE:
        data = OUTSIDE[query.name].get(query.type)
        query.send(query.reply(data) if data else query.reply())
    else:
        query.send(query.denial())


@pytest.fixture
def upstream():
    with Upstream(outside) as upstream:
        yield upstream


def table(pod_namespace='shop'):
    return TABLE.replace('POD_NAMESPACE', pod_namespace)


def start(svcdns, upstream, search, files=None):
    return svcdns(f'''
        .:{{PORT}} {{
            errors
            search {{
                {search}
            }}
            cache 30
            kubernetes cluster.local in-addr.arpa {{
                table {{DIR}}/table.yaml
                ttl 7
            }}
            forward . {upstream.address}
        }}
    ''', files={'table.yaml': table(), **(files or {})})


def look_up(server, name, type='A', client='127.0.0.1', **options):
    """Rcode and answers: ('NOERROR', ['web. CNAME web.default.svc.cluster.local.', …])."""
    reply = server.exchange(dns.message.make_query(name, type), source=client, **options)
    assert not reply.flags & dns.flags.TC
    return dns.rcode.to_text(reply.rcode()), [
        f'{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {record}' for rrset in reply.answer for record in rrset]


def found(name, target, type, *data):
    return 'NOERROR', [f'{name} CNAME {target}', *(f'{target} {type} {record}' for record in data)]


def names(upstream):
    return [query.name for query in upstream.queries]


DEFAULT, SHOP = 'web.default.svc.cluster.local.', 'web.shop.svc.cluster.local.'


@pytest.mark.parametrize('tcp', [False, True])
def test_names_of_the_cluster(svcdns, upstream, tcp):
    server = start(svcdns, upstream, 'namespace default')
    for name, target, addresses in [
            ('web.', DEFAULT, {'A': '10.96.0.1', 'AAAA': 'fd00::1'}),
            ('WEB.', DEFAULT, {'A': '10.96.0.1', 'AAAA': 'fd00::1'}),
            ('web.default.', DEFAULT, {'A': '10.96.0.1', 'AAAA': 'fd00::1'}),
            ('web.shop.', SHOP, {'A': '10.96.1.1'}),
            ('web.shop.svc.', SHOP, {'A': '10.96.1.1'})]:
        for type, data in addresses.items():
            assert look_up(server, name, type, tcp=tcp) == found(name, target, type, data)
    assert names(upstream) == []


def test_ttl_of_the_alias_is_that_of_what_it_leads_to(svcdns, upstream):
    server = start(svcdns, upstream, 'namespace default')
    for type in 'A', 'TXT':
        reply = server.ask('web', type)
        ttls = {rrset.ttl for rrset in (*reply.answer, *reply.authority)}
        assert reply.answer[0].rdtype == dns.rdatatype.CNAME and ttls == {7}


def test_srv(svcdns, upstream):
    server = start(svcdns, upstream, 'namespace default')
    assert look_up(server, '_http._tcp.web', 'SRV') == found(
        '_http._tcp.web.', f'_http._tcp.{DEFAULT}', 'SRV', f'0 50 80 {DEFAULT}')


def test_both_families_are_of_the_same_name(svcdns, upstream):
    server = start(svcdns, upstream, 'namespace default')
    # The Service has no IPv6 address. The name outside has one, but is another thing.
    target = 'both.default.svc.cluster.local.'
    assert look_up(server, 'both', 'A') == found('both.', target, 'A', '10.96.0.2')
    assert look_up(server, 'both', 'AAAA') == found('both.', target, 'AAAA')
    assert look_up(server, 'both', 'MX') == found('both.', target, 'MX')
    assert names(upstream) == []


@pytest.mark.parametrize('name, outside_asked', [
    (DEFAULT, False), (SHOP, False), ('absent.default.svc.cluster.local.', False), ('web.cluster.local.', False),
    ('svc.cluster.local.', False), ('cluster.local.', False), ('1.0.96.10.in-addr.arpa.', False),
    ('1.2.0.192.ip6.arpa.', True), ('.', True)])
def test_names_that_are_left_alone(svcdns, upstream, name, outside_asked):
    server = start(svcdns, upstream, 'namespace default')
    _, answers = look_up(server, name)
    assert all(answer.startswith(f'{name} A ') for answer in answers)
    assert names(upstream) == [name] * outside_asked


def test_outside_names(svcdns, upstream):
    server = start(svcdns, upstream, 'namespace default')
    for _ in range(2):  # the second time from the cache
        assert look_up(server, 'www.example.com') == ('NOERROR', ['www.example.com. A 203.0.113.1'])
        assert look_up(server, 'www.example.com', 'AAAA') == ('NOERROR', ['www.example.com. AAAA 2001:db8::1'])
        assert look_up(server, 'www.example.com', 'TXT') == ('NOERROR', [])
    assert [(query.name, query.type) for query in upstream.queries] == [
        ('www.example.com.', type) for type in ('A', 'AAAA', 'TXT')]


@pytest.mark.parametrize('name, rcode', [('absent', 'NXDOMAIN'), ('absent.shop', 'NXDOMAIN'),
                                         ('absent.example.com', 'NXDOMAIN'), ('servfail', 'SERVFAIL'),
                                         ('refused', 'REFUSED'), ('refused.a.b.c', 'REFUSED')])
def test_a_miss_says_what_was_said_last(svcdns, upstream, name, rcode):
    server = start(svcdns, upstream, 'namespace default')
    reply = server.ask(name)
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert reply.question[0].name.to_text() == f'{name}.' and not reply.answer
    assert [rrset.name.to_text() for rrset in reply.authority] == (['.'] if rcode == 'NXDOMAIN' else [])
    assert names(upstream) == [f'{name}.']


@pytest.mark.parametrize('ndots', [0, 1, 2, 3, 15])
def test_ndots(svcdns, upstream, ndots):
    server = start(svcdns, upstream, f'domains corp.test\n ndots {ndots}')
    for dots, name in enumerate(['absent', 'absent.a', 'absent.a.b']):
        upstream.queries.clear()
        assert look_up(server, name) == ('NXDOMAIN', [])
        as_it_is, candidate = f'{name}.', f'{name}.corp.test.'
        assert names(upstream) == ([as_it_is, candidate] if dots >= ndots else [candidate, as_it_is])


def test_a_name_with_enough_dots_is_what_it_is(svcdns, upstream):
    server = start(svcdns, upstream, 'namespace default\n ndots 1')
    assert look_up(server, 'two.dots.here') == ('NOERROR', ['two.dots.here. A 203.0.113.5'])
    assert look_up(server, 'web.shop') == found('web.shop.', SHOP, 'A', '10.96.1.1')
    assert names(upstream) == ['two.dots.here.', 'web.shop.']


def test_domains(svcdns, upstream):
    server = start(svcdns, upstream, 'domains svc.cluster.local lab.test corp.test')
    assert look_up(server, 'host') == found('host.', 'host.lab.test.', 'A', '203.0.113.3')
    assert look_up(server, 'host', 'AAAA') == found('host.', 'host.lab.test.', 'AAAA')
    assert look_up(server, 'web.shop') == found('web.shop.', SHOP, 'A', '10.96.1.1')
    assert look_up(server, 'host.corp.test') == ('NOERROR', ['host.corp.test. A 203.0.113.4'])
    assert names(upstream) == ['host.lab.test.', 'host.lab.test.', 'host.corp.test.']


def test_nobody_says_no_for_a_candidate_that_failed(svcdns, upstream):
    server = start(svcdns, upstream, 'domains servfail.test lab.test')
    upstream.script = lambda query: query.send(
        query.reply(rcode='SERVFAIL') if 'servfail' in query.name else query.denial())
    assert look_up(server, 'name') == ('SERVFAIL', [])
    assert names(upstream) == ['name.servfail.test.', 'name.lab.test.', 'name.']
    server.wait_for(r'^\[ERROR\] plugin/errors: 2 name\. A: plugin/search: no answer for name\.servfail\.test\.$')


@pytest.mark.parametrize('text, asked', [
    ('search lab.test corp.test\n', ['a.b.c.', 'a.b.c.lab.test.', 'a.b.c.corp.test.']),
    ('nameserver 127.0.0.1\nsearch lab.test\noptions timeout:1 ndots:5\n', ['a.b.c.lab.test.', 'a.b.c.']),
    ('# kubelet\nsearch x.test y.test\nsearch lab.test .\noptions ndots:3', ['a.b.c.lab.test.', 'a.b.c.']),
    ('domain lab.test', ['a.b.c.', 'a.b.c.lab.test.']),
    ('options ndots:5\n', ['a.b.c.'])])
def test_resolv_conf(svcdns, upstream, text, asked):
    server = start(svcdns, upstream, 'resolv_conf {DIR}/resolv.conf', {'resolv.conf': text})
    assert look_up(server, 'a.b.c') == ('NXDOMAIN', [])
    assert names(upstream) == asked


def test_resolv_conf_of_a_pod(svcdns, upstream):
    server = start(svcdns, upstream, 'resolv_conf {DIR}/resolv.conf', {'resolv.conf': (
        'search shop.svc.cluster.local svc.cluster.local cluster.local corp.test\n'
        'nameserver 10.96.0.10\noptions ndots:5\n')})
    assert look_up(server, 'web') == found('web.', SHOP, 'A', '10.96.1.1')
    assert look_up(server, 'web.default') == found('web.default.', DEFAULT, 'A', '10.96.0.1')
    assert look_up(server, 'host') == found('host.', 'host.corp.test.', 'A', '203.0.113.4')


def test_namespace_of_the_client(svcdns, upstream):
    server = start(svcdns, upstream, 'from client\n namespace default')
    assert look_up(server, 'web', client='127.0.0.7') == found('web.', SHOP, 'A', '10.96.1.1')
    assert look_up(server, 'web', client='127.0.0.8') == found('web.', DEFAULT, 'A', '10.96.0.1')
    assert look_up(server, 'web', client='127.0.0.7', tcp=True) == found('web.', SHOP, 'A', '10.96.1.1')
    assert look_up(server, 'web', 'AAAA', client='127.0.0.7') == found('web.', SHOP, 'AAAA')
    assert look_up(server, 'both', client='127.0.0.8') == found('both.', 'both.default.svc.cluster.local.', 'A', '10.96.0.2')
    # The Pod's namespace has no such Service: what is meant is outside.
    assert look_up(server, 'both', client='127.0.0.7') == ('NOERROR', ['both. A 203.0.113.2'])
    # The address goes to a Pod of another namespace.
    (svcdns.folder / 'table.yaml').write_text(table('default'))
    eventually(lambda: look_up(server, 'web', client='127.0.0.7') == found('web.', DEFAULT, 'A', '10.96.0.1'))


def test_client_that_is_no_pod(svcdns, upstream):
    server = start(svcdns, upstream, 'from client')
    assert look_up(server, 'web', client='127.0.0.7') == found('web.', SHOP, 'A', '10.96.1.1')
    assert look_up(server, 'web', client='127.0.0.8') == ('NXDOMAIN', [])
    assert look_up(server, 'web.shop', client='127.0.0.8') == found('web.shop.', SHOP, 'A', '10.96.1.1')


def test_long_names(svcdns, upstream):
    server = start(svcdns, upstream, 'domains ' + '.'.join('s' * 50 for _ in range(4)) + ' lab.test')
    long = max(OUTSIDE, key=len)
    # No name behind which the first domain fits, and this one has no room for the second either.
    assert look_up(server, long) == ('NOERROR', [f'{long} A 203.0.113.6'])
    assert names(upstream) == [long]
    upstream.queries.clear()
    longest = '.'.join([*('a' * 63 for _ in range(3)), 'a' * 61]) + '.'
    assert look_up(server, longest) == ('NXDOMAIN', [])
    assert names(upstream) == [longest]
    upstream.queries.clear()
    # One octet more, and lab.test would not fit any more.
    fits = '.'.join([*('b' * 60 for _ in range(3)), 'b' * (253 - 3 * 61 - len('.lab.test'))]) + '.'
    assert look_up(server, fits) == ('NXDOMAIN', [])
    assert look_up(server, f'b{fits}') == ('NXDOMAIN', [])
    assert names(upstream) == [f'{fits}lab.test.', fits, f'b{fits}']


def test_a_search_without_a_list_is_refused(svcdns):
    code, err, _ = svcdns.refused('.:{PORT} {\n search\n}\n')
    assert (code, err) == (1, svcdns.fill_in('plugin/search: {DIR}/Corefile:2 - Error during parsing: '
                                             'one of domains, resolv_conf, namespace and from client is needed\n'))
