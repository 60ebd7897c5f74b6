"""The rig: two network namespaces joined by a veth pair, one for the server, one for the load; a core for each.

Nothing leaves the machine, and nothing stays behind: Rig is a context manager. Needs root, iproute2, kxdpgun (package
knot-dnsutils) and dnsperf.
"""
import os
import re
import subprocess
import time

SERVER_NS, LOAD_NS = 'svcdns-server', 'svcdns-load'
SERVER, CLIENT = '10.77.0.1', '10.77.0.2'
SERVER_CPU, LOAD_CPU = 0, 1
OFFERED = 600_000  # queries/s: more than any server takes from one core
TICK = 1e6 / os.sysconf('SC_CLK_TCK')  # microseconds


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
    """A program that is pinned to its core in the server's namespace."""

    def __init__(self, name, command, folder, port, env=None):
        self.name, self.port = name, port
        self.log = open(f'{folder}/log', 'w', encoding='utf-8')
        self.process = subprocess.Popen(
            ['ip', 'netns', 'exec', SERVER_NS, 'taskset', '-c', str(SERVER_CPU), *command], cwd=folder,
            env={**os.environ, **(env or {})}, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid  # "ip netns exec" and taskset both become the command

    def wait(self, question, patience=60):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            reply = run('ip', 'netns', 'exec', LOAD_NS, 'dig', '+time=1', '+tries=1', f'@{SERVER}', '-p', str(self.port),
                        *question.split(), check=False)
            if 'status: NOERROR' in reply.stdout:
                return
            time.sleep(0.05)
        self.log.flush()
        with open(self.log.name, encoding='utf-8', errors='replace') as log:
            raise RuntimeError(f'{self.name} does not answer {question!r}: {log.read()[-2000:]}')

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Reading(dict):
    """What one measurement gave: answered (a second), cpu, user, system (microseconds per answer), mib, …"""
    __getattr__ = dict.get


class Rig:
    def __enter__(self):
        self.__exit__()
        run('ip', 'netns', 'add', SERVER_NS)
        run('ip', 'netns', 'add', LOAD_NS)
        run('ip', 'link', 'add', 'bench0', 'netns', SERVER_NS, 'type', 'veth', 'peer', 'name', 'bench1', 'netns', LOAD_NS)
        for space, device, address in ((SERVER_NS, 'bench0', SERVER), (LOAD_NS, 'bench1', CLIENT)):
            run('ip', '-n', space, 'addr', 'add', f'{address}/24', 'dev', device)
            run('ip', '-n', space, 'link', 'set', device, 'up')
            run('ip', '-n', space, 'link', 'set', 'lo', 'up')
        return self

    def __exit__(self, *_):
        for space in (SERVER_NS, LOAD_NS):
            run('ip', 'netns', 'del', space, check=False)

    def measure(self, server, command, parse):
        """Runs a load generator and puts what the server spent meanwhile on what it answered."""
        before = cpu_microseconds(server.pid)
        done = run('ip', 'netns', 'exec', LOAD_NS, 'taskset', '-c', str(LOAD_CPU), *command, check=False)
        user, system = (b - a for a, b in zip(before, cpu_microseconds(server.pid)))
        reading = parse(done.stdout + done.stderr)
        if not reading.answers:
            raise RuntimeError(f'{server.name}: no answers: {done.stdout[-500:]} {done.stderr[-500:]}')
        reading.update(user=user / reading.answers, system=system / reading.answers,
                       cpu=(user + system) / reading.answers, mib=resident_mib(server.pid))
        return reading

    def saturate(self, server, queries, seconds=4, offered=OFFERED):
        """More than it can take, over UDP: answers a second."""
        def parse(text):
            sent, replies = (re.search(rf'total {word}\s+(\d+)', text) for word in ('queries:', 'replies:'))
            answers = int(replies[1]) if replies else 0
            return Reading(answers=answers, answered=answers / seconds, offered=int(sent[1]) / seconds if sent else 0)
        return self.measure(server, ['kxdpgun', '-t', str(seconds), '-Q', str(offered), '-b', '32', '-F', f'{LOAD_CPU}s1',
                                     '-p', str(server.port), '-i', queries, '-I', 'bench1', SERVER], parse)

    def steady(self, server, queries, seconds=4, qps=None, clients=16, outstanding=200, extra=()):
        """dnsperf, which waits for answers: how many, and how many were lost."""
        command = ['dnsperf', '-s', SERVER, '-p', str(server.port), '-d', queries, '-l', str(seconds), '-c', str(clients),
                   '-q', str(outstanding), *extra]
        if qps:
            command += ['-Q', str(int(qps))]
        return self.measure(server, command, parse_dnsperf)


def parse_dnsperf(text):
    def number(pattern):
        found = re.search(pattern, text)
        return float(found[1]) if found else 0
    return Reading(answers=number(r'Queries completed:\s+(\d+)'), answered=number(r'Queries per second:\s+([\d.]+)'),
                   lost=number(r'Queries lost:\s+(\d+)'))
