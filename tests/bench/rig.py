"""The rig: two network namespaces joined by a veth pair, one for the server, one for the load; a core for each.

Nothing leaves the machine, and nothing stays behind: Rig is a context manager that ends what it started. What a run that was
killed has left is removed by the next one. Needs root, iproute2, kxdpgun (package knot-dnsutils), dnsperf and dig.
"""
import array
import contextlib
import os
import re
import subprocess
import time

import netns

PREFIX = 'svcdns-bench'
SERVER, CLIENT = '10.77.0.1', '10.77.0.2'
SERVER_CPU, LOAD_CPU = 0, 1
OFFERED = 600_000  # queries/s: more than any server takes from one core
CONNECTIONS = 64  # at a time
TICK = 1e6 / os.sysconf('SC_CLK_TCK')  # microseconds
TRIES = 20
FRAME, WIDE_FRAME = 1500, 9000  # octets


def run(*command, check=True, **options):
    return subprocess.run(command, check=check, capture_output=True, text=True, **options)


def with_children(pid):
    """A process and all that it has forked."""
    found = [pid]
    for parent in found:
        for thread in os.listdir(f'/proc/{parent}/task'):
            with open(f'/proc/{parent}/task/{thread}/children', encoding='ascii') as children:
                found += map(int, children.read().split())
    return found


def cpu_microseconds(pid):
    """User and system time of a program's threads and processes so far."""
    user = system = 0
    for process in with_children(pid):
        for thread in os.listdir(f'/proc/{process}/task'):
            with open(f'/proc/{process}/task/{thread}/stat', encoding='ascii') as stat:
                fields = stat.read().rsplit(')', 1)[1].split()
            user += int(fields[11])
            system += int(fields[12])
    return user * TICK, system * TICK


def resident_mib(pid):
    kib = 0
    for process in with_children(pid):
        with open(f'/proc/{process}/status', encoding='ascii') as status:
            kib += int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])
    return kib / 1024


class Server:
    """A program that is pinned to its cores in the server's namespace."""

    def __init__(self, rig, name, command, folder, port, env=None, cpus=(SERVER_CPU,)):
        self.rig, self.name, self.port = rig, name, port
        self.log = open(f'{folder}/log', 'w', encoding='utf-8')
        self.process = rig.start(rig.server_space, cpus, command, cwd=folder, env={**os.environ, **(env or {})},
                                 stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid  # "ip netns exec" and taskset both become the command

    def wait(self, question, patience=60):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            reply = run('ip', 'netns', 'exec', self.rig.load_space, 'dig', '+time=1', '+tries=1', f'@{SERVER}', '-p',
                        str(self.port), *question.split(), check=False)
            if 'status: NOERROR' in reply.stdout:
                return
            time.sleep(0.05)
        self.log.flush()
        with open(self.log.name, encoding='utf-8', errors='replace') as log:
            raise RuntimeError(f'{self.name} does not answer {question!r}: {log.read()[-2000:]}')

    def stop(self):
        self.rig.end(self.process)
        self.log.close()


class Reading(dict):
    """What one measurement gave: answered (a second), cpu, user, system (microseconds per answer), mib, …"""
    __getattr__ = dict.get


class Rig:
    def __init__(self):
        self.server_space, self.load_space = (f'{PREFIX}-{os.getpid()}-{role}' for role in ('server', 'load'))
        self.load_cpu = LOAD_CPU
        self.processes = []

    def __enter__(self):
        self.sweep()
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        run('ip', 'netns', 'add', self.server_space)
        run('ip', 'netns', 'add', self.load_space)
        run('ip', 'link', 'add', 'bench0', 'netns', self.server_space, 'type', 'veth',
            'peer', 'name', 'bench1', 'netns', self.load_space)
        for space, device, address in ((self.server_space, 'bench0', SERVER), (self.load_space, 'bench1', CLIENT)):
            run('ip', '-n', space, 'addr', 'add', f'{address}/24', 'dev', device)
            run('ip', '-n', space, 'link', 'set', device, 'up')
            run('ip', '-n', space, 'link', 'set', 'lo', 'up')
            # Connections come and go faster than their ports are free again.
            run('ip', 'netns', 'exec', space, 'sysctl', '-q', '-w', 'net.ipv4.ip_local_port_range=1024 65535',
                'net.ipv4.tcp_max_tw_buckets=1000', 'net.core.somaxconn=4096', check=False)

    def __exit__(self, *_):
        for process in list(self.processes):
            self.end(process)
        for space in (self.server_space, self.load_space):
            run('ip', 'netns', 'del', space, check=False)

    @staticmethod
    def sweep():
        """Removes namespaces whose run is no more."""
        for line in run('ip', 'netns', 'list', check=False).stdout.splitlines():
            found = re.match(rf'{PREFIX}-(\d+)-', line)
            if found and not os.path.exists(f'/proc/{found[1]}'):
                run('ip', 'netns', 'del', line.split()[0], check=False)

    def start(self, space, cpus, command, **options):
        """A process in a namespace, on these cores, that ends with the rig."""
        self.processes.append(subprocess.Popen(
            ['ip', 'netns', 'exec', space, 'taskset', '-c', ','.join(map(str, cpus)), *map(str, command)], **options))
        return self.processes[-1]

    def end(self, process):
        self.processes.remove(process)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @staticmethod
    def inside(space):
        return netns.inside(f'/run/netns/{space}')

    @contextlib.contextmanager
    def wide_frames(self):
        """Large answers are not cut into fragments meanwhile."""
        def set_mtu(octets):
            run('ip', '-n', self.server_space, 'link', 'set', 'bench0', 'mtu', str(octets))
            run('ip', '-n', self.load_space, 'link', 'set', 'bench1', 'mtu', str(octets))
        run('ip', '-n', self.load_space, 'link', 'set', 'bench1', 'xdp', 'off')  # kxdpgun's, which takes no such frames
        set_mtu(WIDE_FRAME)
        try:
            yield
        finally:
            set_mtu(FRAME)

    def load(self, command):
        """Runs a load generator to its end; returns what it has written. The kernel takes its time to free kxdpgun's socket."""
        for _ in range(TRIES):
            process = self.start(self.load_space, (self.load_cpu,), command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            try:
                out, error = process.communicate()
            finally:
                self.end(process)
            if b'resource is busy' not in error:
                break
            time.sleep(0.1)
        return out, error

    def measure(self, server, command, parse):
        """Runs a load generator and puts what the server spent meanwhile on what it answered."""
        before = cpu_microseconds(server.pid)
        out, error = self.load(command)
        user, system = (b - a for a, b in zip(before, cpu_microseconds(server.pid)))
        reading = parse(out)
        if not reading.answers:
            raise RuntimeError(f'{server.name}: no answers: {out[-500:]} {error[-500:]}')
        reading.update(user=user / reading.answers, system=system / reading.answers,
                       cpu=(user + system) / reading.answers, mib=resident_mib(server.pid))
        return reading

    def saturate(self, server, queries, seconds=4, offered=OFFERED):
        """More than it can take, over UDP: answers a second."""
        return self.measure(server, ['kxdpgun', '-t', str(seconds), '-Q', str(int(offered)), '-b', '32', '-F',
                                     f'{self.load_cpu}s1', '-p', str(server.port), '-i', queries, '-I', 'bench1', SERVER],
                            lambda out: parse_kxdpgun(out.decode(), seconds))

    def steady(self, server, queries, seconds=4, clients=16, outstanding=200, extra=()):
        """dnsperf, which waits for answers: how many, and how many were lost."""
        return self.measure(server, ['dnsperf', '-s', SERVER, '-p', str(server.port), '-d', queries, '-l', str(seconds),
                                     '-c', str(clients), '-q', str(outstanding), *extra],
                            lambda out: parse_dnsperf(out.decode()))

    def stream(self, server, queries, seconds, per_connection, program):
        """TCP, so many queries for each connection; `lost` are connections that ended before their last answer."""
        return self.measure(server, [program, SERVER, str(server.port), queries, str(seconds), str(CONNECTIONS),
                                     str(per_connection)], lambda out: parse_stream(out.decode(), seconds))

    def pace(self, server, queries, seconds, rate, program):
        """A steady rate over UDP: `took` has nanoseconds, infinity for what was lost, in the order of their size."""
        def parse(out):
            took = array.array('I')
            took.frombytes(out)
            lost = took.count(0xffffffff)
            return Reading(answers=len(took) - lost, answered=(len(took) - lost) / seconds, lost=lost,
                           took=sorted(float('inf') if t == 0xffffffff else t for t in took))
        return self.measure(server, [program, SERVER, str(server.port), queries, str(int(rate)), str(seconds)], parse)


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found[1]) if found else 0


def parse_kxdpgun(text, seconds):
    sent, answers = number(r'total queries:\s+(\d+)', text), number(r'total replies:\s+(\d+)', text)
    return Reading(answers=answers, answered=answers / seconds, offered=sent / seconds)


def parse_dnsperf(text):
    return Reading(answers=number(r'Queries completed:\s+(\d+)', text), answered=number(r'Queries per second:\s+([\d.]+)', text),
                   lost=number(r'Queries lost:\s+(\d+)', text))


def parse_stream(text, seconds):
    answers = number(r'answers (\d+)', text)
    return Reading(answers=answers, answered=answers / seconds, lost=number(r'broken (\d+)', text))
