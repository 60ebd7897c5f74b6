"""What is measured: each workload is questions, what the servers have to know or where they forward to, and a way to ask.

The tables are make_table.py's: every tenth Service is headless, names and addresses follow from the numbers.
"""
import ipaddress
import os
import pathlib
import random
import subprocess
import time

import report
from rig import LOAD_CPU, SERVER, SERVER_CPU, Reading

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(__file__).resolve().parent
UPSTREAM_PORT, API_PORT, NAMESPACES = 5299, 5298, 100
CLUSTER_IPS, ENDPOINTS = (int(ipaddress.IPv4Address(first)) for first in ('10.96.0.1', '10.128.0.1'))
PLUGINS = '''
        kubernetes cluster.local in-addr.arpa ip6.arpa {
            SOURCE
            pods insecure
            fallthrough in-addr.arpa ip6.arpa
            ttl 30
        }'''
DATA_PEERS = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'dnsmasq', 'coredns')
HAS_SPARE_CPU = os.cpu_count() > 2  # for the load, beside two workers


def is_headless(k):
    return k % 10 == 9


def service(k):
    return f'svc-{k}.ns-{k % NAMESPACES}.svc.cluster.local'


def address(first, number):
    return str(ipaddress.IPv4Address(first + number))


def reverse(ip):
    return ipaddress.IPv4Address(ip).reverse_pointer


def cluster_ip_records(k):
    ip = address(CLUSTER_IPS, k)
    return [(service(k), 'A', ip), (f'_http._tcp.{service(k)}', 'SRV', f'0 100 80 {service(k)}'), (reverse(ip), 'PTR', service(k))]


def headless_records(k, endpoints):
    for i in range(endpoints):
        ip, host = address(ENDPOINTS, k * endpoints + i), f'web-{i}.{service(k)}'
        yield from [(service(k), 'A', ip), (host, 'A', ip), (f'_http._tcp.{service(k)}', 'SRV', f'0 100 8080 {host}')]


class Tables:
    """Manifests of so many Services, made when they are asked for first."""

    def __init__(self, folder):
        self.folder = folder

    def get(self, services, endpoints):
        path = os.path.join(self.folder, f'table-{services}-{endpoints}.json')
        if not os.path.exists(path):
            subprocess.run([ROOT / 'tests/support/make_table.py', '--services', str(services), '--endpoints', str(endpoints),
                            '--namespaces', str(NAMESPACES), '--format', 'json', '--output', path], check=True)
        return path


class Workload:
    """compared: the figure that stands for the whole, to sort by and to compare with an earlier run; the larger the better.
    columns: (heading, key, format) of further figures."""
    data = upstream = None
    is_cached, is_tcp = True, False
    services, endpoints = 10_000, 10
    peers = ()
    load_cpu = LOAD_CPU
    compared, columns = 'ratio', ()
    takes_api = False  # the table comes from a Kubernetes API, whoever asks
    is_quick = True  # a quick run has it

    def __init__(self, folder, tables, programs):
        """programs: the folder of those that tests/CMakeLists.txt builds."""
        self.programs, self.queries, self.api = programs, os.path.join(folder, f'queries-{self.name}'), None
        self.table = tables.get(self.services, self.endpoints) if 'SOURCE' in self.block else None
        with open(self.queries, 'w', encoding='ascii') as file:
            file.writelines(f'{line}\n' for line in self.questions())

    def corefile(self, takes_api):
        source = f'endpoint http://127.0.0.1:{API_PORT}' if takes_api or self.takes_api else f'table {self.table}'
        return '. {' + self.block.replace('SOURCE', source) + '\n}\n'

    def start(self, rig, found):
        """Starts the API, if one of the servers asks it: beside the load, on its core, so that its time is not theirs."""
        if not self.table or not (self.takes_api or any(peer.takes_api for peer in found)):
            return
        self.api = rig.start(rig.server_space, (LOAD_CPU,), [PROGRAMS / 'changing_api.py', API_PORT, self.table],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.api.stdout.readline() != 'ready\n':
            raise RuntimeError('the API server does not start')

    def stop(self, rig):
        if self.api:
            rig.end(self.api)
            self.api.stdin.close()
            self.api.stdout.close()

    def probe(self):
        """A question that every server answers as soon as it serves."""
        with open(self.queries, encoding='ascii') as file:
            return file.readline().strip()

    def measure(self, rig, server, seconds):
        return rig.saturate(server, self.queries, seconds)


class ClusterA(Workload):
    """A records of 9 000 ClusterIP Services among 10 000"""
    name, block, peers = 'cluster-a', PLUGINS, DATA_PEERS

    def questions(self):
        self.data = [(service(k), 'A', address(CLUSTER_IPS, k)) for k in range(self.services) if not is_headless(k)]
        names = [f'{name} A' for name, _, _ in self.data]
        random.Random(1).shuffle(names)
        return names


class Services100k(ClusterA):
    """The same among 100 000 Services"""
    name, services, endpoints, is_quick = 'services-100k', 100_000, 2, False
    peers = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'dnsmasq')  # not CoreDNS: our API server is not made for so many


class Mixed(Workload):
    """A, AAAA, SRV and PTR, 30 % of them NXDOMAIN from search lists (ndots:5)"""
    name, block = 'mixed', PLUGINS
    # Not dnsmasq: it goes through its SRV records one by one, and is not made for thousands of them.
    peers = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'coredns')

    def questions(self):
        self.data = [record for k in range(self.services)
                     for record in (headless_records(k, self.endpoints) if is_headless(k) else cluster_ip_records(k))]
        draw = random.Random(2)
        for _ in range(20_000):
            k = draw.randrange(self.services)
            kind = draw.random()
            if kind < 0.3:
                yield f'{service(k)}.{draw.choice(["default.svc.cluster.local", "svc.cluster.local"])} {draw.choice("A AAAA".split())}'
            elif kind < 0.6:
                yield f'{service(k)} A'
            elif kind < 0.85:
                yield f'{service(k)} AAAA'
            elif kind < 0.95:
                yield f'_http._tcp.{service(k)} SRV'
            else:
                yield f'{reverse(address(CLUSTER_IPS, k - is_headless(k)))} PTR'

    def probe(self):
        return f'{service(1)} A'


class Bare(Workload):
    """Names of one or two labels through `search`"""
    name = 'bare'
    block = '''
        search {
            namespace ns-1
        }''' + PLUGINS
    peers = ('echo', 'svcdns')

    def questions(self):
        for k in range(1, self.services):
            if not is_headless(k):
                yield f'svc-{k} A' if k % NAMESPACES == 1 else f'svc-{k}.ns-{k % NAMESPACES} A'


class Headless(Workload):
    """A records of headless Services with 100 endpoints each: answers of 1.7 kB, to clients that take 4 kB"""
    name, block, services, endpoints = 'headless', PLUGINS, 1_000, 100
    peers = DATA_PEERS
    compared = 'cpu_ratio'

    def questions(self):
        headless = [k for k in range(self.services) if is_headless(k)]
        self.data = [(service(k), 'A', address(ENDPOINTS, k * self.endpoints + i))
                     for k in headless for i in range(self.endpoints)]
        return [f'{service(k)} A' for k in headless]

    def measure(self, rig, server, seconds):
        with rig.wide_frames():
            return rig.steady(server, self.queries, seconds, extra=('-e', '-b', '4096'))


class Tcp1(ClusterA):
    """cluster-a over TCP, one query for each connection"""
    name, is_tcp, per_connection = 'tcp-1', True, 1
    # Not dnsdist: it has no data of its own. Not dnsmasq: it makes a process for each connection.
    peers = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'coredns')
    compared = 'cpu_ratio'

    def probe(self):
        return f'{super().probe()} +tcp'

    def measure(self, rig, server, seconds):
        return rig.stream(server, self.queries, seconds, self.per_connection, f'{self.programs}/stream')


class Tcp100(Tcp1):
    """cluster-a over TCP, 100 queries for each connection"""
    name, per_connection = 'tcp-100', 100


class CachedForward(Workload):
    """9 000 outside names from the cache"""
    name, upstream = 'cached-forward', f'{SERVER}:{UPSTREAM_PORT}'
    block = f'''
        cache 3600
        forward . {upstream}'''
    peers = ('echo', 'svcdns', 'unbound', 'dnsdist', 'dnsmasq', 'coredns')

    def questions(self):
        return [f'host-{i}.example.com A' for i in range(9_000)]

    def measure(self, rig, server, seconds):
        rig.steady(server, self.queries, 1)  # fills the cache
        return super().measure(rig, server, seconds)


KUBEADM = f'''
        errors
        health {{
            lameduck 5s
        }}
        ready{PLUGINS}
        prometheus :9153
        forward . {SERVER}:{UPSTREAM_PORT} {{
            max_concurrent 1000
        }}
        cache 30 {{
            disable success cluster.local
            disable denial cluster.local
        }}
        loop
        reload
        loadbalance'''


class Kubeadm(ClusterA):
    """cluster-a with the server block that kubeadm gives a cluster"""
    name, upstream, block, peers = 'kubeadm', CachedForward.upstream, KUBEADM, ('echo', 'svcdns', 'coredns')


class KubeadmCached(CachedForward):
    """cached-forward with the same"""
    name, block, peers, is_quick = 'kubeadm-cached', KUBEADM, ('echo', 'svcdns', 'coredns'), False


class UncachedForward(Workload):
    """Outside names, each asked once, with 1 000 under way; echo answers them itself"""
    name, upstream, is_cached = 'uncached-forward', f'{SERVER}:{UPSTREAM_PORT}', False
    block = f'''
        cache
        forward . {upstream}'''
    peers = ('echo', 'svcdns', 'dnsdist', 'unbound', 'dnsmasq', 'coredns')
    compared = 'cpu_ratio'

    def questions(self):
        return [f'u{i:07x}.example.com A' for i in range(1_000_000)]

    def measure(self, rig, server, seconds):
        return rig.steady(server, self.queries, seconds, outstanding=1000)


class UncachedBurst(UncachedForward):
    """The same with 10 000 under way"""
    name, is_quick = 'uncached-burst', False

    def measure(self, rig, server, seconds):
        return rig.steady(server, self.queries, seconds, outstanding=10_000, clients=32, extra=('-b', '4096'))


class WhilePublishing(ClusterA):
    """cluster-a from a Kubernetes API, at rest and while endpoints of 100 Services change in a second"""
    name, takes_api, rate = 'while-publishing', True, 100
    peers = ('echo', 'svcdns', 'coredns')
    compared = 'cpu_share'
    columns = (('of itself at rest', 'share', '{:.2f}'), ('the same by CPU time', 'cpu_share', '{:.2f}'),
               ('changes/s', 'changes', '{:.0f}'))

    def set_rate(self, rate):
        """Returns how many changes there have been so far."""
        self.api.stdin.write(f'{rate}\n')
        self.api.stdin.flush()
        return int(self.api.stdout.readline())

    def measure(self, rig, server, seconds):
        rest = rig.saturate(server, self.queries, seconds)
        before, begun = self.set_rate(self.rate), time.monotonic()
        reading = rig.saturate(server, self.queries, seconds)
        changes = (self.set_rate(0) - before) / (time.monotonic() - begun)
        return Reading(reading, share=reading.answered / rest.answered, cpu_share=rest.cpu / reading.cpu,
                       changes=changes)


class Workers2(ClusterA):
    """cluster-a by one worker and by two, on a core each"""
    name, load_cpu = 'workers-2', SERVER_CPU + 2 if HAS_SPARE_CPU else LOAD_CPU
    peers, compared = ('svcdns', 'two-workers'), 'ratio' if HAS_SPARE_CPU else 'cpu_ratio'


class Latency(ClusterA):
    """How long the answers of cluster-a take at half of the rate that saturates the server"""
    name, compared = 'latency', 'p99_speed'
    peers = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'coredns')
    percentiles = {'p50': 50, 'p90': 90, 'p99': 99, 'p999': 99.9}
    columns = tuple((f'{title} µs (of echo)', key, '{:.0f}') for title, key in
                    (('p50', 'p50'), ('p90', 'p90'), ('p99', 'p99'), ('p99.9', 'p999')))

    def measure(self, rig, server, seconds):
        saturated = rig.saturate(server, self.queries, max(1, seconds // 2))
        reading = rig.pace(server, self.queries, seconds, saturated.answered / 2, f'{self.programs}/pace')
        took = reading.pop('took')
        return Reading(reading, **{key: report.percentile(took, p) / 1000 for key, p in self.percentiles.items()})


class Overload(ClusterA):
    """Three times as many queries as the server can take"""
    name, compared = 'overload', 'share'
    peers = ('echo', 'svcdns', 'nsd', 'knot', 'unbound', 'coredns')
    columns = (('offered, of saturation', 'load', '{:.1f}'), ('of its saturated rate', 'share', '{:.2f}'),
               ('MiB before', 'mib_before', '{:.1f}'))

    def measure(self, rig, server, seconds):
        """It is saturated a little above the most that it has answered; what is offered then may be more than one core sends."""
        first = rig.saturate(server, self.queries, max(1, seconds // 2))
        second = rig.saturate(server, self.queries, max(1, seconds // 2), first.answered * 1.1)
        saturated = max(first.answered, second.answered)
        reading = rig.saturate(server, self.queries, seconds, 3 * saturated)
        return Reading(reading, share=reading.answered / saturated, load=reading.offered / saturated, mib_before=second.mib)


WORKLOADS = {w.name: w for w in (ClusterA, Services100k, Mixed, Bare, Headless, Tcp1, Tcp100, CachedForward, UncachedForward, Kubeadm, KubeadmCached,
                                 UncachedBurst, WhilePublishing, Workers2, Latency, Overload)}
