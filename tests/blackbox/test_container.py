"""The first process of a container, for which no signal has a default action, and which may lose its inputs and outputs."""

import os
import signal
import subprocess

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from server import PATIENCE, eventually, program

WHOAMI = '''
    .:{PORT} {
        log
        whoami
    }
'''


class Processes:
    """A namespace of processes, as a container has one: what is started in it is its process 1."""

    def __init__(self):
        as_root = [] if os.geteuid() == 0 else ['--user', '--map-root-user']
        self.enter = ['unshare', *as_root, '--pid', '--fork', '--kill-child', '--mount-proc']

    def command(self, *command):
        return [*self.enter, *map(str, command)]


@pytest.fixture
def as_first(svcdns):
    """Starts svcdns as process 1: as_first(corefile) -> (server, its id as it is seen from here)."""
    svcdns.room = Processes()
    tried = subprocess.run(svcdns.room.command('true'), capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f'no process namespaces of our own here: {tried.stderr.strip()}')

    def start(corefile):
        server = svcdns(corefile)
        with open(f'/proc/{server.process.pid}/task/{server.process.pid}/children', encoding='ascii') as children:
            first = int(children.read())
        with open(f'/proc/{first}/status', encoding='ascii') as status:
            assert next(line for line in status if line.startswith('NSpid:')).split()[-1] == '1'
        return server, first

    return start


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_that_end_process_1(as_first, number):
    server, first = as_first(WHOAMI)
    os.kill(first, number)
    assert server.wait() == 0


def test_signals_without_effect_on_process_1(as_first):
    server, first = as_first(WHOAMI)
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGCHLD, signal.SIGWINCH):
        os.kill(first, number)
        assert server.ask('example.org').rcode() == dns.rcode.NOERROR
    os.kill(first, signal.SIGTERM)
    assert server.wait() == 0


def answers(port):
    try:
        reply = dns.query.udp(dns.message.make_query('example.org', 'A'), '127.0.0.1', timeout=0.5, port=port,
                              ignore_unexpected=True)
    except (dns.exception.Timeout, ConnectionError):
        return False
    return reply.rcode() == dns.rcode.NOERROR


def test_reader_of_the_log_that_goes_away(svcdns):
    svcdns.write(WHOAMI, None)
    command = [program(), '-conf', svcdns.folder / 'Corefile']
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(svcdns.port()))
            process.stdout.close()
            assert all(answers(svcdns.port()) for _ in range(50))
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def test_without_standard_input(svcdns):
    svcdns.write(WHOAMI, None)
    command = f'exec "{program()}" -conf "{svcdns.folder}/Corefile" <&-'
    with subprocess.Popen(['sh', '-c', command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(svcdns.port()))
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def test_orphans_are_buried(as_first):
    """Process 1 becomes the parent of what probes leave behind."""
    server, first = as_first(WHOAMI)
    subprocess.run(['nsenter', '--target', str(first), '--pid', 'sh', '-c', 'sleep 0.5 &'], check=True, timeout=PATIENCE)

    def children():
        with open(f'/proc/{first}/task/{first}/children', encoding='ascii') as children:
            return children.read().split()

    assert len(children()) == 1
    eventually(lambda: not children())
    os.kill(first, signal.SIGTERM)
    assert server.wait() == 0


def test_closed_descriptors(svcdns):
    """Sockets must not get the numbers of what is printed to."""
    svcdns.write(WHOAMI, None)
    command = ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', program(), '-conf', str(svcdns.folder / 'Corefile')]
    with subprocess.Popen(command) as process:
        try:
            def answers():
                query = dns.message.make_query('example.org', 'A')
                try:
                    return dns.query.udp(query, '127.0.0.1', 1, svcdns.port()).rcode() == dns.rcode.NOERROR
                except (OSError, dns.exception.Timeout):
                    return False

            eventually(answers)
            assert [os.readlink(f'/proc/{process.pid}/fd/{fd}') for fd in range(3)] == ['/dev/null'] * 3
        finally:
            process.terminate()
        assert process.wait(PATIENCE) == 0
