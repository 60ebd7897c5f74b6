"""prometheus: the page as a scraper reads it, and counters that move with what is asked."""

import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.rcode
import pytest

from server import PATIENCE
from upstream import Upstream

SAMPLE = re.compile(r'([a-z][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"')


class Page:
    """An exposition, taken apart. Everything that Prometheus would refuse fails."""

    def __init__(self, text):
        self.samples, self.types = {}, {}
        family = None
        for line in text.splitlines():
            if line.startswith('# HELP '):
                family = line.split(' ', 3)[2]
                assert family not in self.types, f'{family} stands in two places'
                self.types[family] = None
            elif line.startswith('# TYPE '):
                assert line.split()[2] == family and self.types[family] is None
                self.types[family] = line.split()[3]
            else:
                self.add(family, line)
        for name, kind in self.types.items():
            assert kind in ('counter', 'gauge', 'histogram'), name
            if kind == 'histogram':
                self.check_histogram(name)

    def add(self, family, line):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        suffixes = ('_bucket', '_sum', '_count') if self.types[family] == 'histogram' else ('',)
        assert name in [family + suffix for suffix in suffixes], line
        labels = tuple(LABEL.findall(labels or ''))
        assert [name for name, _ in labels if name != 'le'] == sorted(name for name, _ in labels if name != 'le'), line
        assert (name, labels) not in self.samples, f'{line}: twice'
        self.samples[name, labels] = float(value)

    def check_histogram(self, family):
        series = {}
        for (name, labels), value in self.samples.items():
            if name == f'{family}_bucket':
                series.setdefault(labels[:-1], []).append((float(labels[-1][1]), value))
        for labels, buckets in series.items():
            assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets), family
            assert buckets[-1] == (float('inf'), self.samples[f'{family}_count', labels])
            assert (f'{family}_sum', labels) in self.samples

    def get(self, name, **labels):
        """The sum of the samples of that name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, has), value in self.samples.items() if sample == name and wanted <= set(has))


def page(server, port=2):
    status, headers, body = server.fetch('/metrics', port)
    assert status == 200
    assert headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'
    return Page(body)


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def upstream():
    """A resolver that answers everything with NXDOMAIN; [socket, how often it was asked]."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(('127.0.0.1', 0))
        state = [sock, 0]

        def run():
            while True:
                query, sender = sock.recvfrom(4096)
                if not query:
                    return
                reply = dns.message.make_response(dns.message.from_wire(query))
                reply.set_rcode(dns.rcode.NXDOMAIN)
                state[1] += 1
                sock.sendto(reply.to_wire(), sender)

        thread = threading.Thread(target=run)
        thread.start()
        yield state
        sock.sendto(b'', sock.getsockname())
        thread.join()


WIDE = '''
    .:{PORT} {
        prometheus 127.0.0.1:{PORT2}
        health 127.0.0.1:{PORT3}
        errors
        local
        cache 30
        forward . 127.0.0.1:UPSTREAM
    }
    a.test:{PORT} b.a.test:{PORT} {
        prometheus 127.0.0.1:{PORT4}
        hosts hosts {
            192.0.2.3 more.a.test
            fallthrough
        }
        whoami
    }
    other.test:{PORT5} {
        bind 127.0.0.1 ::1
        prometheus 127.0.0.1:{PORT2}
        whoami
    }
'''
HOSTS = {'hosts': '192.0.2.1 www.a.test\n'}


def start(svcdns, upstream, **options):
    return svcdns(WIDE.replace('UPSTREAM', str(upstream[0].getsockname()[1])), files=HOSTS, **options)


def test_before_any_query(svcdns, upstream):
    server = start(svcdns, upstream)
    now = page(server)
    assert now.get('coredns_build_info') == 1
    assert not [name for name, _ in now.samples if name.startswith(('coredns_dns_', 'coredns_cache_', 'coredns_proxy_'))]
    for name in ('coredns_panics_total', 'coredns_reload_failed_total', 'coredns_forward_healthcheck_broken_total',
                 'coredns_forward_max_concurrent_rejects_total', 'coredns_local_localhost_requests_total',
                 'coredns_health_request_failures_total'):
        assert now.samples[name, ()] == 0
    assert now.get('coredns_hosts_entries', hostsfile='hosts') == 4
    modified = (svcdns.folder / 'hosts').stat().st_mtime
    assert now.get('coredns_hosts_reload_timestamp_seconds') == pytest.approx(modified, rel=0, abs=1e-6)
    assert not [name for name in now.types if name.startswith('go_')]


def test_enabled_plugins(svcdns, upstream):
    server = start(svcdns, upstream)
    port, port5 = svcdns.port(), svcdns.port(5)
    enabled = {tuple(dict(labels)[name] for name in ('server', 'zone', 'name'))
               for name, labels in page(server).samples if name == 'coredns_plugin_enabled'}
    assert enabled == {
        *((f'dns://:{port}', '.', name) for name in ('prometheus', 'errors', 'local', 'cache', 'forward')),
        *((f'dns://:{port}', 'a.test.', name) for name in ('prometheus', 'hosts', 'whoami')),
        *((f'dns://{host}:{port5}', 'other.test.', name) for host in ('127.0.0.1', '[::1]')
          for name in ('prometheus', 'whoami'))}


def test_queries(svcdns, upstream):
    server = start(svcdns, upstream)
    here, there = f'dns://:{svcdns.port()}', f'dns://127.0.0.1:{svcdns.port(5)}'
    server.ask('www.a.test')
    server.ask('x.b.a.test', 'AAAA', tcp=True)
    server.ask('localhost.example.com', want_dnssec=True)
    server.ask('a.other.test', port=svcdns.port(5))
    server.ask('a.nowhere.test', port=svcdns.port(5))
    now = page(server)
    requests = 'coredns_dns_requests_total'
    assert now.get(requests, server=here, zone='a.test.', type='A', proto='udp', family='1') == 1
    assert now.get(requests, server=here, zone='b.a.test.', type='AAAA', proto='tcp', family='1') == 1
    assert now.get(requests, server=here, zone='.') == 1
    assert now.get(requests, server=there, zone='other.test.') == 1
    assert now.get(requests, server=there, zone='dropped') == 1
    assert now.get(requests) == 5
    for name in ('coredns_dns_request_duration_seconds_count', 'coredns_dns_request_size_bytes_count',
                 'coredns_dns_response_size_bytes_count', 'coredns_dns_responses_total'):
        assert now.get(name) == 5, name
    assert now.get('coredns_dns_do_requests_total') == now.get('coredns_dns_do_requests_total', zone='.') == 1
    assert now.get('coredns_dns_responses_total', plugin='hosts', rcode='NOERROR', zone='a.test.') == 1
    assert now.get('coredns_dns_responses_total', plugin='whoami', zone='b.a.test.') == 1
    assert now.get('coredns_dns_responses_total', plugin='local', zone='.') == 1
    assert now.get('coredns_dns_responses_total', plugin='', rcode='REFUSED', zone='dropped') == 1
    assert now.get('coredns_local_localhost_requests_total') == 1


def test_cache_and_forward(svcdns, upstream):
    server = start(svcdns, upstream)
    server.ask('x.example.org')
    server.ask('x.example.org')
    server.ask('x.example.org')
    to, here = f'127.0.0.1:{upstream[0].getsockname()[1]}', f'dns://:{svcdns.port()}'
    now = page(server)
    where = {'server': here, 'view': '', 'zones': '.'}
    assert upstream[1] == 3  # an NXDOMAIN without SOA record is not kept
    assert now.get('coredns_cache_requests_total', **where) == now.get('coredns_cache_misses_total', **where) == 3
    assert now.get('coredns_cache_entries', type='denial', **where) == 0
    assert now.get('coredns_proxy_request_duration_seconds_count', proxy_name='forward', to=to, rcode='NXDOMAIN') == 3
    hits = now.get('coredns_proxy_conn_cache_hits_total', proxy_name='forward', to=to, proto='udp')
    assert hits + now.get('coredns_proxy_conn_cache_misses_total', proxy_name='forward', to=to, proto='udp') == 3


def test_cache_hits(svcdns):
    server = svcdns('''
        .:{PORT} {
            prometheus 127.0.0.1:{PORT2}
            cache {
                success 1024
            }
            whoami
        }
    ''')
    for _ in range(3):
        server.ask('a.test')
    for number in range(1500):
        server.ask(f'{number}.test')
    now = page(server)
    assert now.get('coredns_cache_hits_total', type='success') == 2
    assert now.get('coredns_cache_misses_total') == 1501
    entries, evictions = now.get('coredns_cache_entries', type='success'), now.get('coredns_cache_evictions_total', type='success')
    assert entries <= 1024 and entries + evictions == 1501


def test_acl_dns64_and_autopath(svcdns):
    server = svcdns('''
        lan.test:{PORT} {
            prometheus 127.0.0.1:{PORT2}
            acl {
                block type TXT
                filter type MX
                drop type HINFO
            }
            dns64 {
                allow_ipv4
            }
            autopath resolv.conf
            hosts {
                192.0.2.1 www.lan.test
            }
        }
    ''', files={'resolv.conf': 'search pods.lan.test lan.test\n'})
    here = {'server': f'dns://:{svcdns.port()}'}
    for type in ('A', 'TXT', 'MX'):
        server.ask('www.lan.test', type)
    with pytest.raises(dns.exception.Timeout):
        server.ask('www.lan.test', 'HINFO', timeout=0.3)
    now = page(server)
    assert now.get('coredns_acl_allowed_requests_total', view='', **here) == 1
    for what in ('blocked', 'filtered', 'dropped'):
        assert now.get(f'coredns_acl_{what}_requests_total', view='', zone='lan.test.', **here) == 1, what
    assert now.get('coredns_dns_responses_total', plugin='acl', rcode='REFUSED') == 1
    assert now.get('coredns_dns_responses_total', plugin='', rcode='NOERROR') == 1  # the one that was dropped
    assert server.ask('www.lan.test', 'AAAA').answer
    assert server.ask('www.pods.lan.test').answer
    now = page(server)
    assert now.get('coredns_dns64_requests_translated_total', **here) == 1
    assert now.get('coredns_autopath_success_total', **here) == 1


def test_rejects_and_failed_probes(svcdns):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(('127.0.0.1', 0))
        silent.settimeout(20)
        server = svcdns(f'''
            .:{{PORT}} {{
                prometheus 127.0.0.1:{{PORT2}}
                forward . 127.0.0.1:{silent.getsockname()[1]} {{
                    max_concurrent 1
                    read_timeout 1s
                    health_check 50ms
                }}
            }}
        ''', env={'GOMAXPROCS': '1'})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.sendto(dns.message.make_query('first.test', 'A').to_wire(), ('127.0.0.1', svcdns.port()))
            silent.recv(4096)
            assert server.ask('second.test').rcode() == dns.rcode.REFUSED
        assert page(server).get('coredns_forward_max_concurrent_rejects_total') == 1
        wait_until(lambda: page(server).get('coredns_proxy_healthcheck_failures_total') >= 3)
        assert server.ask('third.test').rcode() == dns.rcode.SERVFAIL
        assert page(server).get('coredns_forward_healthcheck_broken_total') >= 1


def test_addresses_show_the_same(svcdns, upstream):
    server = start(svcdns, upstream)
    server.ask('www.a.test')
    first, second = page(server, 2), page(server, 4)
    assert first.samples.keys() == second.samples.keys()
    assert second.get('coredns_dns_requests_total', zone='a.test.') == 1
    assert server.fetch('/metrics', 3)[0] == 404
    assert server.fetch('/', 2)[0] == 404


def test_process_counts_once(svcdns, upstream):
    """However many blocks have a prometheus."""
    server = start(svcdns, upstream)

    def received():
        names, values = [line.split() for line in open(f'/proc/{server.process.pid}/net/netstat') if line.startswith('IpExt:')]
        return int(values[names.index('InOctets')])

    before = received()
    now = page(server).get('process_network_receive_bytes_total')
    assert 0 < before <= now <= received()


def test_workers_are_added_up(svcdns):
    server = svcdns('.:{PORT} {\n prometheus 127.0.0.1:{PORT2}\n whoami\n}\n', env={'GOMAXPROCS': '8'})
    for number in range(64):  # each from a port of its own, and so to some worker
        server.ask(f'{number}.test')
    assert page(server).get('coredns_dns_requests_total') == 64


def test_clients_make_no_series(svcdns):
    """Whatever is asked, labels have the values that the program and its configuration know."""
    def answer(query):                                  # with an rcode that the name tells
        reply = query.reply()
        reply.set_rcode(int(query.name.split('.')[0][1:]) % 16)
        query.send(reply)

    types = 'A AAAA CNAME DNSKEY DS MX NSEC NSEC3 NS PTR RRSIG SOA SRV TXT HTTPS SVCB ANY IXFR AXFR other'.split()
    with Upstream(answer) as upstream:
        server = svcdns(f'''
            test:{{PORT}} {{
                prometheus 127.0.0.1:{{PORT2}}
                acl {{
                    block type TYPE300
                }}
                cache
                forward . {upstream.address}
            }}
        ''')
        for number in range(600):
            server.ask(f'n{number}.test', f'TYPE{number * 97 % 65000 + 1}', tcp=number % 2, want_dnssec=number % 3 == 0)
            server.ask(f'n{number}.elsewhere.example', rdclass=f'CLASS{number + 1}')
    now = page(server)
    values = {}
    for _, labels in now.samples:
        for name, value in labels:
            values.setdefault(name, set()).add(value)
    assert values['type'] <= {*types, 'success', 'denial'} and 'other' in values['type']
    assert values['zone'] == {'test.', 'dropped'} and values['zones'] == {'test.'} and values['to'] == {upstream.address}
    assert values['rcode'] <= {dns.rcode.to_text(number) for number in range(12)} | {'other'} and len(values['rcode']) > 8
    assert values['plugin'] <= {'', 'acl', 'cache', 'forward'} and values['view'] == {''}


def test_scrapes_while_it_is_asked(svcdns):
    server = svcdns('.:{PORT} {\n prometheus 127.0.0.1:{PORT2}\n cache\n whoami\n}\n', env={'GOMAXPROCS': '4'})

    def ask():
        for number in range(200):
            server.ask(f'{number}.test')

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        now = page(server).get('coredns_dns_requests_total')
        assert now >= seen
        seen = now
    assert page(server).get('coredns_dns_requests_total') == 800


def test_port_that_is_taken_costs_the_endpoint_only(svcdns):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        server = svcdns(f'.:{{PORT}} {{\n prometheus 127.0.0.1:{port}\n whoami\n}}\n')
        server.wait_for(rf'^\[ERROR\] Failed to start metrics handler: listen tcp 127.0.0.1:{port}: bind: address already '
                        'in use$')
        assert server.ask('example.org').rcode() == dns.rcode.NOERROR


def test_end_while_it_is_scraped(svcdns, upstream):
    server = start(svcdns, upstream)
    with socket.create_connection(('127.0.0.1', svcdns.port(2))) as scraper:
        scraper.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n')  # its end is still to come
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.skipif(not shutil.which('promtool'), reason='promtool (Debian: prometheus) is not installed')
def test_promtool(svcdns, upstream):
    server = start(svcdns, upstream)
    server.ask('www.a.test')
    server.ask('x.example.org', tcp=True)
    server.ask('a.nowhere.test', port=svcdns.port(5))
    done = subprocess.run(['promtool', 'check', 'metrics'], input=server.fetch('/metrics')[2], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
