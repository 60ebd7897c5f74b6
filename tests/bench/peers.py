"""The servers that are measured: how each is told to serve the same data. A peer that is not installed is left out.

A peer writes its configuration into a folder and returns the command. A workload's `data` is None where the server is to
forward, else the records that it has to serve itself: a list of (owner, type, data), names without a dot at their end, each in
one of ZONES.
"""
import os
import shutil

from rig import SERVER, SERVER_CPU

ZONES = ('cluster.local', '96.10.in-addr.arpa')
UDP_MAX = 4096  # octets of an answer to who takes so much, as svcdns does it; each peer has a lower default
TCP_MAX = 1000  # connections


def write(folder, name, text):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
        file.write(text)
    return os.path.join(folder, name)


def line_of(owner, type_, data):
    """A record in the form of zone files."""
    return f'{owner}. 30 IN {type_} {data}{"." if type_ in ("SRV", "PTR") else ""}'


def write_zones(folder, data):
    """zone -> the path of its file."""
    lines = {zone: [f'{zone}. 30 IN SOA ns.{zone}. hostmaster.{zone}. 1 7200 1800 86400 30', f'{zone}. 30 IN NS ns.{zone}.',
                    f'ns.{zone}. 30 IN A 10.96.0.10'] for zone in ZONES}
    for record in data:
        lines[next(zone for zone in ZONES if record[0].endswith(zone))].append(line_of(*record))
    return {zone: write(folder, zone, '\n'.join(lines[zone]) + '\n') for zone in ZONES}


class Peer:
    """env: of its process, besides our own; cpus: where it runs; takes_api: it has no other table than the API's."""
    env, cpus, takes_api = None, (SERVER_CPU,), False

    def __init__(self, program):
        found = shutil.which(program)
        self.program = found and os.path.abspath(found)  # servers run in folders of their own
        self.name = type(self).__name__.lower()


class Svcdns(Peer):
    """Told what to serve by a whole Corefile, which belongs to the workload."""

    def __init__(self, program, name='svcdns', workers=1):
        super().__init__(program)
        self.name, self.cpus = name, tuple(range(SERVER_CPU, SERVER_CPU + workers))
        self.env = {'GOMAXPROCS': str(workers)}

    def command(self, folder, port, workload):
        write(folder, 'Corefile', workload.corefile(self.takes_api))
        return [self.program, '-conf', 'Corefile', '-dns.port', str(port)]


class Echo(Peer):
    """The limit of the socket API: replies without a look at the query. A second program, echo-tcp, does it over TCP."""

    def command(self, folder, port, workload):
        return [f'{self.program}-tcp' if workload.is_tcp else self.program, SERVER, str(port)]


class Nsd(Peer):
    def __init__(self):
        super().__init__('nsd')

    def command(self, folder, port, workload):
        zones = ''.join(f'zone:\n    name: {zone}\n    zonefile: {path}\n'
                        for zone, path in write_zones(folder, workload.data).items())
        conf = write(folder, 'nsd.conf', f'''
server:
    ip-address: {SERVER}@{port}
    server-count: 1
    reuseport: yes
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    pidfile: ""
    database: ""
    zonelistfile: "{folder}/zone.list"
    xfrdfile: ""
    xfrdir: "{folder}"
    rrl-ratelimit: 0
    ipv4-edns-size: {UDP_MAX}
    tcp-count: {TCP_MAX}
remote-control:
    control-enable: no
{zones}
''')
        return [self.program, '-d', '-c', conf]


class Knot(Peer):
    def __init__(self):
        super().__init__('knotd')

    def command(self, folder, port, workload):
        zones = ''.join(f'  - domain: {zone}\n    file: {path}\n' for zone, path in write_zones(folder, workload.data).items())
        conf = write(folder, 'knot.conf', f'''
server:
    rundir: "{folder}"
    listen: {SERVER}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: {UDP_MAX}
    tcp-max-clients: {TCP_MAX}
database:
    storage: "{folder}"
zone:
{zones}
''')
        return [self.program, '-c', conf]


class Unbound(Peer):
    def __init__(self):
        super().__init__('unbound')

    def command(self, folder, port, workload):
        local = forward = ''
        if workload.data is not None:
            local = ''.join([*(f'    local-zone: "{zone}." static\n' for zone in ZONES),
                             *(f'    local-data: "{line_of(*record)}"\n' for record in workload.data)])
        else:
            forward = f'forward-zone:\n    name: "."\n    forward-addr: {workload.upstream.replace(":", "@")}\n'
        conf = write(folder, 'unbound.conf', f'''
server:
    interface: {SERVER}@{port}
    access-control: 0.0.0.0/0 allow
    num-threads: 1
    so-rcvbuf: 4m
    so-reuseport: yes
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    do-not-query-localhost: no
    module-config: "iterator"
    outgoing-range: 8192
    num-queries-per-thread: 4096
    max-udp-size: {UDP_MAX}
    incoming-num-tcp: {TCP_MAX}
    msg-cache-size: 64m
    rrset-cache-size: 128m
{local}
{forward}
''')
        return [self.program, '-d', '-c', conf]


class Dnsmasq(Peer):
    def __init__(self):
        super().__init__('dnsmasq')

    def command(self, folder, port, workload):
        command = [self.program, '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root',
                   '--pid-file=', f'--listen-address={SERVER}', '--bind-interfaces', f'--port={port}', '--cache-size=10000',
                   '--dns-forward-max=10000', '--local-ttl=30', f'--edns-packet-max={UDP_MAX}']
        if workload.data is None:
            return command + [f'--server={workload.upstream.replace(":", "#")}']
        hosts = write(folder, 'hosts', ''.join(f'{data} {owner}\n' for owner, _, data in workload.data))
        return command + [f'--addn-hosts={hosts}', f'--local=/{ZONES[0]}/']


class Dnsdist(Peer):
    def __init__(self):
        super().__init__('dnsdist')

    def command(self, folder, port, workload):
        cache = 'getPool(""):setCache(newPacketCache(100000))\n' if workload.is_cached else ''
        conf = write(folder, 'dnsdist.conf', f'''
setLocal("{SERVER}:{port}")
addACL("0.0.0.0/0")
newServer{{address="{workload.upstream}", healthCheckMode="up", sockets=16}}
setMaxUDPOutstanding(65535)
{cache}
''')
        return [self.program, '--supervised', '--disable-syslog', '-C', conf, '-u', 'root', '-g', 'root']


class Coredns(Svcdns):
    """Takes the same Corefile, but has no tables in files."""
    takes_api = True

    def __init__(self, program):
        super().__init__(program, 'coredns')
