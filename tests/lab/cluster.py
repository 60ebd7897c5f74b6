"""The cluster of the laboratory: two nodes and the pods on them, each a network namespace, joined by veth pairs.

    customer, upstream           the lab's own namespace: gateway and name server of the office, 192.168.50.1
      │ lan
      ├── node-x eth0 192.168.50.11 ── cbr0 10.244.1.1/24 ── pods 10.244.1.x
      └── node-y eth0 192.168.50.12 ── cbr1 10.244.2.1/24 ── pods 10.244.2.x: order, product, payment, and a svcdns, as on node-x

Every pod has its address alone (/32) and sends everything to its node, also what is for a pod on the same bridge: so the node
sees both directions of a connection, and turns the addresses of the answer back.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import conntrack
import netns
import proxy
import table
import wire
from apart import FOLDER, NotPermitted

HERE = os.path.dirname(os.path.abspath(__file__))
GATEWAY = '192.168.50.1'
HTTP_PORT = 8080
TABLE = f'{FOLDER}/table.json'
OUTSIDE = 'www.example.com'
READY_PORT = 8181
LAG = 0.2  # seconds until the nodes hear of a pod that is to end
GRACE = 0.3  # seconds for the calls that a pod has still to answer when it is no longer an endpoint
LAMEDUCK = '500ms'  # svcdns goes on for so long when it is to end: longer than the rules take to change
PATIENCE = 60  # seconds before a wait is given up; nothing takes that long
ENTER = '''hostname "$1" && mount --bind "$2/resolv.conf" /etc/resolv.conf && mount --bind "$2/hosts" /etc/hosts &&
mount --bind "$2/nsswitch.conf" /etc/nsswitch.conf && ip link set lo up && echo open && exec cat'''
COREFILE = '''
.:53 {
	errors
	log
	health {
		lameduck LAMEDUCK
	}
	ready
	kubernetes cluster.local in-addr.arpa ip6.arpa {
		table TABLE
		pods insecure
		fallthrough in-addr.arpa ip6.arpa
		ttl 30
	}
	forward . GATEWAY
	# No cache: every question is to be seen where it goes.
}
'''


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if check and done.returncode:
        raise RuntimeError(f'{" ".join(map(str, command))}: {done.stderr.strip()}')
    return done


def eventually(is_so, what):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f'in vain waited for: {what}')
        time.sleep(0.005)


def resolv_conf(namespace, ndots=5, search=True):
    """As kubelet writes it for dnsPolicy ClusterFirst."""
    domains = [f'{namespace}.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
    return (f'search {" ".join(domains)}\n' if search else '') + f'nameserver {table.DNS_IP}\noptions ndots:{ndots}\n'


def ask(server, name):
    """The addresses of a name; None if there is no answer, or none that is of use. One try, for those who try again."""
    labels = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.'))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((server, 53))
        sock.send(b'\0\1\1\0\0\1\0\0\0\0\0\0' + labels + b'\0\0\1\0\1')
        reply = wire.dns(sock.recv(512))
        return reply['answers'] if reply['rcode'] == 'NOERROR' else None
    return None


class Space:
    """A namespace of network, mounts and host name, which lives as long as its keeper."""

    def __init__(self, name, address, resolver=''):
        self.name, self.address = name, address
        self.folder = f'{FOLDER}/{name}-{address}'
        os.mkdir(self.folder)
        for file, text in {'hosts': f'127.0.0.1 localhost\n{address} {name}\n', 'nsswitch.conf': 'hosts: files dns\n',
                           'resolv.conf': resolver}.items():
            self.write(file, text)
        self.keeper = subprocess.Popen(['unshare', '--mount', '--net', '--uts', 'sh', '-c', ENTER, 'keeper', name, self.folder],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = str(self.keeper.pid)

    def write(self, file, text):
        with open(f'{self.folder}/{file}', 'w', encoding='ascii') as target:
            target.write(text)

    def command(self, *command):
        return ['nsenter', '--target', self.pid, '--mount', '--net', '--uts', *map(str, command)]

    def open(self):
        """Waits until it is there."""
        if self.keeper.stdout.readline() != 'open\n':
            raise NotPermitted(f'a namespace for {self.name}: {self.keeper.stderr.read().strip()}')

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def start(self, *command, **options):
        return subprocess.Popen(self.command(*command), **{'stdin': subprocess.DEVNULL, **options})

    def ip(self, *lines):
        """Several commands of ip(8) at once."""
        self.run('ip', '-batch', '-', input='\n'.join(lines))

    def route(self, *words):
        """What `ip route get` says, in one line."""
        return ' '.join(self.run('ip', 'route', 'get', *words, check=False).stdout.split()) or 'no route'

    def inside(self):
        return netns.inside(f'/proc/{self.pid}/ns/net')


class Node(Space):
    def __init__(self, name, number):
        super().__init__(name, f'192.168.50.{10 + number}')
        self.bridge, self.net, self.bridge_address = f'cbr{number - 1}', f'10.244.{number}.0/24', f'10.244.{number}.1'

    def connect(self, pods, others):
        """Its bridge with the pods on it, and the ways to everybody else."""
        # What comes in by the bridge goes out by it again; nobody is to be told of a shorter way.
        # And addresses are turned where packets are routed, not in the bridge, even if the kernel could.
        self.run('sysctl', '-q', '-e', '-w', 'net.ipv4.ip_forward=1', 'net.bridge.bridge-nf-call-iptables=0',
                 *(f'net.ipv4.conf.{each}.{name}=0' for each in ('all', 'default') for name in ('send_redirects', 'rp_filter')))
        self.ip(f'link add name {self.bridge} type bridge', f'addr add {self.bridge_address}/24 dev {self.bridge}',
                f'link set {self.bridge} up',
                f'addr add {self.address}/24 dev eth0', 'link set eth0 up', f'route add default via {GATEWAY}',
                *(f'route add {other.net} via {other.address}' for other in others),
                *(f'link set {pod.veth} master {self.bridge} up' for pod in pods))

    def counters(self):
        """Packets at each step of the stand-in of kube-proxy."""
        listed = json.loads(self.run('nft', '-j', 'list', 'counters', 'table', 'ip', proxy.TABLE).stdout)
        return {each['counter']['name']: each['counter']['packets'] for each in listed['nftables'] if 'counter' in each}

    def connections(self, *words):
        """The lines of its table of connections that have all of these words."""
        lines = self.run('cat', '/proc/net/nf_conntrack').stdout.splitlines()
        return [' '.join(line.split()[2:]) for line in lines if set(words) <= set(line.split())]

    def forget(self, gone):
        """Takes connections over UDP to endpoints that are gone out of the table, as kube-proxy does: a client that asks again
        from its old port would be led there still. Those over TCP end by themselves. gone: see proxy.gone(). Returns their
        number."""
        lines = [line for service, port, endpoint in gone
                 for line in self.connections('udp', f'dst={service}', f'dport={port}', f'src={endpoint}')]
        with self.inside():
            conntrack.forget(lines)
        return len(lines)


class Pod(Space):
    def __init__(self, manifest, node):
        self.namespace = manifest['metadata']['namespace']
        self.app = next(iter(manifest['metadata']['labels'].values()))
        self.node, self.process = node, None
        super().__init__(manifest['metadata']['name'], manifest['status']['podIP'], resolv_conf(self.namespace))
        self.veth = 'veth' + self.address.replace('.', '_').removeprefix('10_244_')

    def connect(self):
        self.ip(f'addr add {self.address}/32 dev eth0', 'link set eth0 up',
                f'route add {self.node.bridge_address} dev eth0', f'route add default via {self.node.bridge_address}')

    def serve(self):
        self.process = self.start(sys.executable, f'{HERE}/service.py', 'serve', HTTP_PORT, self.app, self.node.name)

    def call(self, url, count=1):
        """What a program in the pod gets each time: {'status':, 'body':} or {'error':}. One process for all."""
        done = self.run(sys.executable, f'{HERE}/service.py', 'call', url, count)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Server:
    """svcdns in one of its pods. Its log goes on from one start to the next."""

    def __init__(self, program, pod):
        self.program, self.pod, self.log = program, pod, f'{FOLDER}/{pod.name}.log'
        with open(f'{FOLDER}/Corefile', 'w', encoding='ascii') as file:
            file.write(COREFILE.replace('TABLE', TABLE).replace('GATEWAY', GATEWAY).replace('LAMEDUCK', LAMEDUCK))
        self.process = None

    def start(self):
        begun = len(self.lines())
        with open(self.log, 'a', encoding='utf-8') as log:
            self.process = self.pod.start(self.program, '-conf', f'{FOLDER}/Corefile', stdout=log, stderr=log)
        eventually(lambda: self.process.poll() is not None or self.is_ready(), 'svcdns')
        if self.process.poll() is not None:
            raise RuntimeError(f'svcdns does not start: {" ".join(self.lines()[begun:])}')

    def is_ready(self):
        """As kubelet finds it out."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f'http://{self.pod.address}:{READY_PORT}/ready', timeout=1):
            return True
        return False

    def end(self):
        """Tells it to end, which it does when its lameduck is over."""
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGCONT)  # if it hangs

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def wait(self):
        if self.process.wait(PATIENCE):
            raise RuntimeError(f'svcdns has ended with {self.process.returncode}: {" ".join(self.lines()[-20:])}')

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self):
        with contextlib.suppress(FileNotFoundError), open(self.log, encoding='utf-8') as log:
            return log.read().splitlines()
        return []


class Cluster:
    """The whole of it, up and serving. To be made in a world apart, which removes it again."""

    def __init__(self, program):
        self.objects = table.manifests()
        table.write(TABLE, self.objects)
        self.nodes = [Node(name, number) for name, number in table.NODES.items()]
        by_name = {node.name: node for node in self.nodes}
        self.pods = [Pod(each, by_name[each['spec']['nodeName']]) for each in table.of_kind(self.objects, 'Pod')]
        for space in (*self.nodes, *self.pods):
            space.open()
        self.connect()
        self.program_proxy()
        self.upstream = None
        self.start_upstream()
        self.dns = [Server(program, pod) for pod in self.pods if pod.app == 'kube-dns']
        for server in self.dns:
            server.start()
        self.serve()

    def connect(self):
        with open('/proc/sys/net/ipv4/ip_forward', 'w', encoding='ascii') as forward:
            forward.write('0')  # the office's gateway lets nothing through that it does not know
        links = [f'link add eth0 netns {node.pid} type veth peer name {node.name}' for node in self.nodes]
        links += [f'link add eth0 netns {pod.pid} type veth peer name {pod.veth} netns {pod.node.pid}' for pod in self.pods]
        run('ip', '-batch', '-', input='\n'.join((
            'link add name lan type bridge', f'addr add {GATEWAY}/24 dev lan', 'link set lan up', *links,
            *(f'link set {node.name} master lan up' for node in self.nodes))))
        for node in self.nodes:
            node.connect([pod for pod in self.pods if pod.node is node], [other for other in self.nodes if other is not node])
        run('ip', '-batch', '-', input='\n'.join(f'route add {node.net} via {node.address}' for node in self.nodes))
        for pod in self.pods:
            pod.connect()

    def serve(self):
        """Starts what is in the pods, and one outside."""
        subprocess.Popen([sys.executable, f'{HERE}/service.py', 'serve', '80', 'outside', 'none'], stdin=subprocess.DEVNULL)
        services = [pod for pod in self.pods if pod.app != 'kube-dns']
        for pod in services:
            pod.serve()
        for address, port in ((GATEWAY, 80), *((pod.address, HTTP_PORT) for pod in services)):
            wait_for_port(address, port)

    def replace(self, pod):
        """What a rollout does to a pod: out of the endpoints, ended, begun, and back among them when it listens. Returns what change()
        does."""
        whole = self.objects
        forgotten = self.change(table.unready(whole, [pod]))
        time.sleep(GRACE)
        pod.process.kill()
        pod.process.wait()
        pod.serve()
        wait_for_port(pod.address, HTTP_PORT)
        self.change(whole)
        return forgotten

    def restart(self, server):
        """What a rollout does to a svcdns: it is told to end, the nodes hear of that a little later, and of its being back when
        it is ready. Returns what change() does."""
        whole = self.objects
        server.end()
        time.sleep(LAG)
        forgotten = self.change(table.unready(whole, [server.pod]))
        server.wait()
        server.start()
        self.change(whole)
        return forgotten

    def start_upstream(self):
        self.upstream = subprocess.Popen([sys.executable, f'{HERE}/outside.py', GATEWAY, GATEWAY, OUTSIDE, table.OUTSIDE_NAME],
                                         stdin=subprocess.DEVNULL)
        eventually(lambda: ask(GATEWAY, OUTSIDE) == [GATEWAY], 'the name server of the office')

    def stop_upstream(self):
        self.upstream.kill()
        self.upstream.wait()

    def program_proxy(self):
        for node in self.nodes:
            node.run('nft', '-f', '-', input=proxy.ruleset(self.objects))

    def change(self, objects):
        """Another table, for svcdns and the nodes. Returns the number of connections that the nodes have forgotten."""
        gone, self.objects = proxy.gone(self.objects, objects), objects
        table.write(TABLE, objects)
        self.program_proxy()
        return sum(node.forget(gone) for node in self.nodes)

    def stop_dns(self, servers):
        for server in servers:
            server.end()
        for server in servers:
            server.wait()

    def close(self):
        """What is worth to be ended in order. The rest goes with its namespaces."""
        self.stop_dns([server for server in self.dns if server.process.poll() is None])

    def pod(self, app, node, namespace='default'):
        return next(pod for pod in self.replicas(app, namespace) if pod.node.name == node)

    def replicas(self, app, namespace='default'):
        return [pod for pod in self.pods if (pod.app, pod.namespace) == (app, namespace)]


def wait_for_port(address, port):
    def is_listening():
        with socket.socket() as probe:
            return probe.connect_ex((address, port)) == 0

    eventually(is_listening, f'{address}:{port}')
