"""What one more of each thing takes: what is resident with 2n of them, less what is resident with n, divided by n."""
import contextlib
import resource
import socket
import struct
import tempfile
import time

import report
from rig import SERVER, Server, resident_mib

PORT, SILENT_PORT = 5300, 5297
HEADS = ('one more', 'octets', 'n', 'MiB with n', 'with 2n')
CACHE = f'''. {{
    cache {{
        success 1000000
    }}
    forward . {SERVER}:5299
}}
'''
SILENT = f'. {{\n    forward . {SERVER}:{SILENT_PORT}\n}}\n'


def query(number, name=None):
    labels = (name or f'u{number:07x}.example.com').split('.')
    wire = b''.join(bytes([len(label)]) + label.encode() for label in labels)
    return struct.pack('>6H', number & 0xffff, 0x100, 1, 0, 0, 0) + wire + b'\0\0\1\0\1'


@contextlib.contextmanager
def running(rig, peer, corefile, probe):
    with tempfile.TemporaryDirectory() as folder:
        with open(f'{folder}/Corefile', 'w', encoding='ascii') as file:
            file.write(corefile)
        server = Server(rig, peer.name, [peer.program, '-conf', 'Corefile', '-dns.port', str(PORT)], folder, PORT, peer.env)
        try:
            if probe:
                server.wait(probe)
            yield server
        finally:
            server.stop()


def table_mib(rig, peer, tables, services, endpoints):
    corefile = f'. {{\n kubernetes cluster.local {{\n table {tables.get(services, endpoints)}\n }}\n}}\n'
    with running(rig, peer, corefile, 'svc-1.ns-1.svc.cluster.local A') as server:
        return resident_mib(server.pid)


def services(rig, peer, tables):
    """A Service with an EndpointSlice that has no endpoints."""
    n = 50_000
    return n, *(table_mib(rig, peer, tables, count, 0) for count in (n, 2 * n))


def endpoints(rig, peer, tables):
    n, owners = 100_000, 5_000
    return n, *(table_mib(rig, peer, tables, owners, count // owners) for count in (n, 2 * n))


def cached(rig, peer, _):
    n, found = 50_000, []
    with running(rig, peer, CACHE, 'probe.example.com A') as server, tempfile.TemporaryDirectory() as folder:
        for part in range(2):
            path = f'{folder}/queries-{part}'
            with open(path, 'w', encoding='ascii') as file:
                file.writelines(f'u{i:07x}.example.com A\n' for i in range(part * n, (part + 1) * n))
            rig.load(['dnsperf', '-s', SERVER, '-p', str(PORT), '-d', path, '-n', '1', '-c', '4', '-q', '200'])
            time.sleep(2)  # requests that were needed meanwhile go back
            found.append(resident_mib(server.pid))
    return n, *found


def connections(rig, peer, _):
    """Each has had one answer. With more than 1024 of them a worker closes the oldest."""
    n, found, held = 400, [], []
    with running(rig, peer, '. {\n whoami\n}\n', 'probe.example.com A') as server:
        try:
            for part in range(2):
                for i in range(n):
                    with rig.inside(rig.load_space):
                        held.append(socket.create_connection((SERVER, PORT), timeout=10))
                    wire = query(part * n + i)
                    held[-1].sendall(len(wire).to_bytes(2, 'big') + wire)
                    held[-1].recv(4096)
                found.append(resident_mib(server.pid))
        finally:
            for sock in held:
                sock.close()
    return n, *found


def waiting(rig, peer, _):
    n, found = 2_000, []
    with rig.inside(rig.server_space):
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind((SERVER, SILENT_PORT))
    with rig.inside(rig.load_space):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with silent, sock, running(rig, peer, SILENT, None) as server:
        time.sleep(0.5)  # there is nobody to ask whether it serves
        for part in range(2):
            for i in range(n):
                sock.sendto(query(part * n + i), (SERVER, PORT))
            time.sleep(0.3)
            found.append(resident_mib(server.pid))
    return n, *found


KINDS = (('Service, ClusterIP, without endpoints', services), ('endpoint', endpoints),
         ('reply of one record in the cache', cached), ('open TCP connection', connections),
         ('query that waits for an upstream', waiting))


def raise_limit():
    """Connections are held by this process and by the server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))


def measure(rig, peer, tables):
    """(what, octets, n, MiB, MiB) of each kind."""
    raise_limit()
    rows = []
    for what, count in KINDS:
        n, before, after = count(rig, peer, tables)
        rows.append((what, (after - before) * (1 << 20) / n, n, before, after))
    return rows


def table(rows):
    return report.plain_table(HEADS, [(what, f'{octets:.0f}', f'{n:,}'.replace(',', ' '), f'{before:.1f}', f'{after:.1f}')
                                      for what, octets, n, before, after in rows])
