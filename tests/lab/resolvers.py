"""Programs of several languages in the pod that calls: what each finds of a name, and which questions it asks for that.

A program reads a line for each name, and writes one: see clients/ask.c. There is a process for each kind of resolv.conf, as most
read that file once. What is seen under one is a dict:

    options, resolv_conf           the kind, see OPTIONS, and the lines
    missing                        {client: why it cannot be had here}
    cases                          one for each client and kind of name, see CLIENTS and KINDS, a dict itself:

    client, kind, name             who was asked, for what
    found, error                   addresses, or port:target of SRV records, sorted; or what the program says there is instead
    questions                      on eth0 of the pod, in the order in which they were sent: see SEEN and observe.questions
"""
import contextlib
import os
import shutil
import subprocess
import sys
import time

from cluster import FOLDER, HERE, resolv_conf
from observe import questions
from table import DNS_IP, DNS_PODS
from wire import Tap

SOURCES, BUILT = f'{HERE}/clients', f'{FOLDER}/clients'
ROOT = os.path.dirname(os.path.dirname(HERE))
RESOLVED = '/lib/systemd/systemd-resolved', f'{ROOT}/build/unpacked/systemd-resolved/lib/systemd/systemd-resolved'
SEEN = 'name', 'type', 'rcode', 'source', 'target', 'over', 'edns', 'waited'
LATE = 5  # seconds for an answer that the program has not waited for
KINDS = {  # what is looked up: addresses, and for the last two SRV records
    'bare': 'product-service-svc',
    'bare again': 'product-service-svc',
    'namespace': 'product-service-svc.shop',
    'namespace.svc': 'payment-service-svc.shop.svc',
    'full': 'payment-service-svc.default.svc.cluster.local',
    'full.': 'order-service-svc.default.svc.cluster.local.',
    'headless': 'stock-db',
    'pod of headless': 'stock-db-0.stock-db',
    'ExternalName': 'exchange-rates',
    'outside': 'www.example.com',
    'outside.': 'www.example.com.',
    'absent': 'absent',
    'absent again': 'absent',
    'srv': '_http._tcp.payment-service-svc',
    'srv full.': '_postgres._tcp.stock-db.default.svc.cluster.local.'}
OPTIONS = {  # of resolv.conf; kubelet writes the first, unless the manifest of the pod has a dnsConfig
    'plain': 'ndots:5', 'ndots:1': 'ndots:1', 'single-request': 'ndots:5 single-request',
    'single-request-reopen': 'ndots:5 single-request-reopen', 'rotate': 'ndots:5 rotate', 'use-vc': 'ndots:5 use-vc',
    'edns0': 'ndots:5 edns0'}
SERVERS = {'rotate': [DNS_IP, DNS_PODS[0][2]]}  # those of the others: DNS_IP


class Client:
    """command: of the program that answers; needs: programs without which there is none; build: what makes it, once."""

    def __init__(self, name, command, needs, build=None, finds_services=True):
        self.name, self.command, self.needs, self.build = name, command, needs, build
        self.finds_services, self.builder = finds_services, None

    def missing(self):
        """Why there is no such client here, or None."""
        found = [need for need in self.needs if not shutil.which(need)]
        return f'there is no {found[0]} here' if found else None

    def begin(self):
        if self.build:
            self.builder = subprocess.Popen(self.build, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def ready(self):
        """Waits until it is built."""
        if self.builder:
            error = self.builder.communicate()[1]
            if self.builder.returncode:
                raise RuntimeError(f'{self.name} cannot be built: {error}')

    def asked(self):
        """The kinds of names that it can be asked for."""
        return {kind: name for kind, name in KINDS.items() if self.finds_services or not is_service(kind)}

    def start(self, pod, options):
        pod.write('resolv.conf', resolver(options))
        return subprocess.Popen(pod.command(*self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Resolved(Client):
    """The client glibc, which asks systemd-resolved on loopback, which asks svcdns."""

    def __init__(self, program):
        super().__init__('resolved', ['unshare', '--mount', 'sh', f'{SOURCES}/resolved.sh', program, BUILT, f'{BUILT}/glibc'],
                         ['cc', program])

    def start(self, pod, options):
        domains = resolver(options).splitlines()[0].removeprefix('search ')
        servers = ' '.join(SERVERS.get(options, [DNS_IP]))
        for file, text in {
                'resolved.conf': f'[Resolve]\nDNS={servers}\nDomains={domains}\nLLMNR=no\nMulticastDNS=no\n',
                'stub.conf': resolver(options, ['127.0.0.53'])}.items():
            with open(f'{BUILT}/{file}', 'w', encoding='ascii') as target:
                target.write(text)
        return super().start(pod, options)


def is_service(kind):
    return kind.startswith('srv')


def compiler(program, name, *libraries):
    return [program, '-o', f'{BUILT}/{name}', f'{SOURCES}/ask.c', *libraries]


CLIENTS = {each.name: each for each in (
    Client('glibc', [f'{BUILT}/glibc'], ['cc'], compiler('cc', 'glibc', '-lresolv')),
    Client('musl', [f'{BUILT}/musl'], ['musl-gcc'], compiler('musl-gcc', 'musl', '-static')),
    Client('curl', ['sh', f'{SOURCES}/ask.sh'], ['curl'], finds_services=False),
    Client('python', [sys.executable, f'{SOURCES}/ask.py'], [sys.executable], finds_services=False),
    Client('java', ['java', '-cp', BUILT, 'Ask'], ['javac', 'java'], ['javac', '-d', BUILT, f'{SOURCES}/Ask.java']),
    Client('go', [f'{BUILT}/go'], ['go'], ['env', 'CGO_ENABLED=0', 'go', 'build', '-o', f'{BUILT}/go', f'{SOURCES}/ask.go']),
    Client('node lookup', ['node', f'{SOURCES}/ask.js', 'lookup'], ['node'], finds_services=False),
    Client('node resolve', ['node', f'{SOURCES}/ask.js', 'resolve'], ['node']),
    Resolved(next(filter(os.path.exists, RESOLVED), RESOLVED[0])))}


def resolver(options, servers=None):
    """resolv.conf with these options, a key of OPTIONS."""
    search, *_ = resolv_conf('default').splitlines()
    servers = servers or SERVERS.get(options, [DNS_IP])
    return '\n'.join((search, *(f'nameserver {server}' for server in servers), f'options {OPTIONS[options]}\n'))


def asked_since(tap):
    """What has been asked since the last time; waits for the answers that are under way."""
    packets, deadline = [], time.monotonic() + LATE
    while True:
        packets += [packet for packet in tap.packets() if packet['kind'] == 'dns']
        found = questions(packets, SEEN)
        if all(each['rcode'] for each in found) or time.monotonic() > deadline:
            return found
        time.sleep(0.002)


def ask(process, kind, name):
    """{'found', 'error'}"""
    line = ''
    with contextlib.suppress(BrokenPipeError):
        os.write(process.stdin.fileno(), f'{"srv" if is_service(kind) else "addresses"} {name}\n'.encode())
        line = process.stdout.readline()
    if not line:
        raise RuntimeError(f'{process.args} has ended')
    words = line.split()
    if words[0] == '-':
        return {'found': [], 'error': ' '.join(words[1:])}
    return {'found': sorted({word.removesuffix('.') for word in words}), 'error': None}


def cases(pod, client, options):
    with client.start(pod, options) as process, contextlib.closing(Tap(pod, 'eth0')) as tap:
        for kind, name in client.asked().items():
            yield {'client': client.name, 'kind': kind, 'name': name, **ask(process, kind, name), 'questions': asked_since(tap)}


def ask_clients(pod, which):
    """Of every client, under each of these options."""
    missing = {name: client.missing() for name, client in CLIENTS.items() if client.missing()}
    here = [client for name, client in CLIENTS.items() if name not in missing]
    os.mkdir(BUILT)
    for client in here:
        client.begin()
    for client in here:
        client.ready()
    for options in which:
        yield {'options': options, 'resolv_conf': resolver(options).splitlines(), 'missing': missing,
               'cases': [case for client in here for case in cases(pod, client, options)]}
