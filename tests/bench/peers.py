"""The servers that are measured: how each is told to serve the same data. A peer that is not installed is left out.

A peer writes its configuration into a folder and returns the command. `data` is None where it is to forward, else the
records that it has to serve itself: a list of (name, address).
"""
import os
import shutil

from rig import SERVER

ZONE = 'cluster.local'


def write(folder, name, text):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
        file.write(text)
    return os.path.join(folder, name)


def zone_file(folder, data):
    records = ''.join(f'{name}. 30 IN A {address}\n' for name, address in data)
    return write(folder, 'zone', f'$ORIGIN {ZONE}.\n@ 30 IN SOA ns hostmaster 1 7200 1800 86400 30\n@ 30 IN NS ns\n'
                                 f'ns 30 IN A 10.96.0.10\n{records}')


class Peer:
    serves_data = forwards = caches = False

    def __init__(self, program):
        self.program = shutil.which(program)
        self.name = type(self).__name__.lower()

    env = None


class Svcdns(Peer):
    """Told what to serve by a whole Corefile, which belongs to the workload."""
    serves_data = forwards = caches = True
    env = {'GOMAXPROCS': '1'}

    def __init__(self, program, name='svcdns'):
        super().__init__(program)
        self.name = name

    def command(self, folder, port, workload):
        write(folder, 'Corefile', workload.corefile)
        return [self.program, '-conf', 'Corefile', '-dns.port', str(port)]


class Echo(Peer):
    """The limit of the socket API: replies without a look at the query."""
    serves_data = caches = True

    def command(self, folder, port, workload):
        return [self.program, SERVER, str(port)]


class Nsd(Peer):
    serves_data = True

    def __init__(self):
        super().__init__('nsd')

    def command(self, folder, port, workload):
        zone = zone_file(folder, workload.data)
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
remote-control:
    control-enable: no
zone:
    name: {ZONE}
    zonefile: {zone}
''')
        return [self.program, '-d', '-c', conf]


class Knot(Peer):
    serves_data = True

    def __init__(self):
        super().__init__('knotd')

    def command(self, folder, port, workload):
        zone_file(folder, workload.data)
        conf = write(folder, 'knot.conf', f'''
server:
    rundir: "{folder}"
    listen: {SERVER}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
zone:
  - domain: {ZONE}
    storage: "{folder}"
    file: zone
''')
        return [self.program, '-c', conf]


class Unbound(Peer):
    serves_data = forwards = caches = True

    def __init__(self):
        super().__init__('unbound')

    def command(self, folder, port, workload):
        local = forward = ''
        if workload.data is not None:
            records = ''.join(f'    local-data: "{name}. 30 IN A {address}"\n' for name, address in workload.data)
            local = f'    local-zone: "{ZONE}." static\n{records}'
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
    msg-cache-size: 64m
    rrset-cache-size: 128m
{local}
{forward}
''')
        return [self.program, '-d', '-c', conf]


class Dnsmasq(Peer):
    serves_data = forwards = caches = True

    def __init__(self):
        super().__init__('dnsmasq')

    def command(self, folder, port, workload):
        command = [self.program, '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root',
                   '--pid-file=', f'--listen-address={SERVER}', '--bind-interfaces', f'--port={port}', '--cache-size=10000',
                   '--dns-forward-max=10000', '--local-ttl=30']
        if workload.data is None:
            return command + [f'--server={workload.upstream.replace(":", "#")}']
        hosts = write(folder, 'hosts', ''.join(f'{address} {name}\n' for name, address in workload.data))
        return command + [f'--addn-hosts={hosts}', f'--local=/{ZONE}/']


class Dnsdist(Peer):
    forwards = caches = True

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
    """Takes the same Corefile, and so only workloads that need nothing of ours."""

    def __init__(self, program):
        super().__init__(program, 'coredns')
