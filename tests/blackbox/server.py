"""Runs svcdns for the black-box tests.

The program is $SVCDNS, or build/dev/svcdns in the source tree. A test takes the fixture `svcdns`, which is a Lab:

    def test_whoami(svcdns):
        server = svcdns('''
            .:{PORT} {
                whoami
            }
        ''')
        reply = server.ask('example.org', 'A')              # a dns.message.Message; tcp=True, to='127.0.0.2', …
        assert reply.rcode() == dns.rcode.NOERROR

    svcdns(corefile, *arguments, files={'db': '…'}, env={'GOMAXPROCS': '2'})
        writes the Corefile (and files beside it), starts the program with -conf on it, and returns a Server once it
        serves. {PORT}, {PORT2}, … {PORT9} become free ports, the same in every server of a test, {DIR} the folder of the
        files. corefile=None starts it without -conf, in that folder. A start that fails fails the test.
    svcdns.begin(corefile, *arguments, files=…, env=…)
        the same without waiting: server.wait_until_serving() does.
    svcdns.refused(corefile, *arguments, files=…, env=…)
        for what is to be refused: returns (exit code, text on stderr, text on stdout).
    svcdns.port(), svcdns.port(2), svcdns.folder
        what {PORT}, {PORT2} and {DIR} stand for.
    svcdns.room = …
        starts servers in a room (room.py).

    server.ask(name, type='A', tcp=False, to='127.0.0.1', port=None, timeout=10, **options of dns.message.make_query)
    server.exchange(query, tcp=False, …)        the same for a dns.message.Message
    server.connect(to='127.0.0.1', port=None)   a connected TCP socket; with server.send(sock, query, …) and
                                                server.receive(sock) -> Message or None at the end of the stream
    server.fetch(path, port=2, method='GET', **headers) -> (status, headers, body) of a request over HTTP to {PORT2};
                                                status None: nobody listens there
    server.lines                                what it has written to stdout so far
    server.wait_for(pattern)                    waits for a line of stdout that re.search() finds, and returns it
    with server.descriptors(limit): …           what it opens meanwhile fails, unless its number is lower (EMFILE)
    server.signal(signal.SIGTERM)
    server.wait() -> exit code                  after a signal that ends it
    server.stop()                               SIGTERM, and must exit with 0; the end of the test does it by itself

    eventually(lambda: ...)                     waits until something is true: for what no line tells

Everything that was started is stopped at the end of the test, which fails if a server had died, did not exit
with 0, or wrote a sanitizer's report.
"""

import contextlib
import http.client
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import dns.message
import dns.query
import dns.rdatatype

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from ports import free_port  # noqa: E402

PATIENCE = 20  # seconds before a test gives up waiting; nothing takes that long
REPORT = re.compile(r'Sanitizer|runtime error:')


def program():
    return os.environ.get('SVCDNS', str(ROOT / 'build/dev/svcdns'))


def eventually(is_so, patience=PATIENCE):
    """Waits until is_so() is true."""
    deadline = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < deadline, 'it never came true'
        time.sleep(0.002)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(('::1', 0))
            return True
    except OSError:
        return False


class Ports:
    """Free ports, at every address, from below those that the kernel gives to clients. Each is held by a TCP socket that is
    bound but does not listen: SO_REUSEPORT lets svcdns in, and another test sees that the port is taken."""

    def __init__(self):
        self.held = {}

    def get(self, number):
        if number not in self.held:
            self.held[number] = self.hold()
        return self.held[number].getsockname()[1]

    @staticmethod
    def hold():
        tcp = socket.socket(socket.AF_INET6 if has_ipv6() else socket.AF_INET, socket.SOCK_STREAM)  # the former stands for both
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        tcp.bind(('', free_port()))
        return tcp

    def close(self):
        for held in self.held.values():
            held.close()


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.ports = Ports()
        self.servers = []
        self.room = None

    def port(self, number=1):
        return self.ports.get(number)

    def fill_in(self, text):
        text = text.replace('{DIR}', str(self.folder))
        return re.sub(r'\{PORT([2-9]?)\}', lambda m: str(self.port(int(m[1] or 1))), text)

    def write(self, corefile, files):
        for name, text in (files or {}).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(self.fill_in(text))
        if corefile is not None:
            (self.folder / 'Corefile').write_text(self.fill_in(textwrap.dedent(corefile)))

    def command(self, corefile, arguments):
        conf = [] if corefile is None else ['-conf', str(self.folder / 'Corefile')]
        command = [program(), *conf, *(self.fill_in(str(a)) for a in arguments)]
        return self.room.command(*command) if self.room else command

    def environment(self, env):
        return {**os.environ, **(env or {})}

    def begin(self, corefile, *arguments, files=None, env=None):
        self.write(corefile, files)
        server = Server(self, self.command(corefile, arguments), self.environment(env))
        self.servers.append(server)
        return server

    def __call__(self, corefile, *arguments, files=None, env=None):
        server = self.begin(corefile, *arguments, files=files, env=env)
        server.wait_until_serving()
        return server

    def refused(self, corefile, *arguments, files=None, env=None):
        self.write(corefile, files)
        done = subprocess.run(self.command(corefile, arguments), env=self.environment(env), cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert not REPORT.search(done.stderr), done.stderr
        return done.returncode, done.stderr, done.stdout

    def finish(self):
        try:
            for server in self.servers:
                server.stop()
        finally:
            for server in self.servers:
                server.kill()
            self.ports.close()


class Server:
    def __init__(self, lab, command, env):
        self.lab = lab
        self.quiet = '-quiet' in command
        self.lines = []
        self.changed = threading.Condition()
        self.stderr = open(lab.folder / f'stderr-{len(lab.servers)}', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(command, env=env, cwd=lab.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        self.reader = threading.Thread(target=self.read_stdout)
        self.reader.start()
        self.is_expected_to_run = False  # until it serves

    def read_stdout(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)  # its end
            self.changed.notify_all()

    def errors(self):
        self.stderr.flush()
        self.stderr.seek(0)
        return self.stderr.read()

    def wait_for(self, pattern):
        def line():
            return next((x for x in self.lines if x is not None and re.search(pattern, x)), None)

        with self.changed:
            self.changed.wait_for(lambda: line() is not None or None in self.lines, PATIENCE)
            assert line() is not None, f'no line {pattern!r} in {self.lines}; stderr: {self.errors()}'
            return line()

    def wait_until_serving(self):
        if self.quiet:
            self.wait_for_the_port()
        else:
            self.wait_for(r'^svcdns-')
        self.is_expected_to_run = True

    def wait_for_the_port(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:  # there is nothing to wait for but the port
            assert self.process.poll() is None, self.errors()
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', self.lab.port())) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError('it does not listen')

    def exchange(self, query, tcp=False, to='127.0.0.1', port=None, timeout=10, **options):
        how = dns.query.tcp if tcp else dns.query.udp
        if not tcp:
            options['ignore_unexpected'] = True  # a port that another test has left may still be written to
        return how(query, to, timeout=timeout, port=port or self.lab.port(), **options)

    def ask(self, name, type='A', tcp=False, to='127.0.0.1', port=None, timeout=10, **options):
        return self.exchange(dns.message.make_query(name, type, **options), tcp, to, port, timeout)

    def connect(self, to='127.0.0.1', port=None):
        return socket.create_connection((to, port or self.lab.port()), timeout=PATIENCE)

    def fetch(self, path, port=2, method='GET', **headers):
        connection = http.client.HTTPConnection('127.0.0.1', self.lab.port(port), timeout=PATIENCE)
        try:
            connection.request(method, path, headers={name.replace('_', '-'): value for name, value in headers.items()})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read().decode()
        except ConnectionRefusedError:
            return None, {}, ''
        finally:
            connection.close()

    @staticmethod
    def send(sock, query, *more):
        sock.sendall(b''.join(len(w).to_bytes(2, 'big') + w for w in (q.to_wire() for q in (query, *more))))

    @staticmethod
    def receive(sock):
        def octets(count):
            found = b''
            while len(found) < count:
                part = sock.recv(count - len(found))
                if not part:
                    assert not found, 'the stream ended within a message'
                    return None
                found += part
            return found

        prefix = octets(2)
        return prefix and dns.message.from_wire(octets(int.from_bytes(prefix, 'big')))

    @contextlib.contextmanager
    def descriptors(self, limit):
        limits = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, limits)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        self.is_expected_to_run = False
        code = self.process.wait(PATIENCE)
        self.reader.join()
        assert not REPORT.search(self.errors()), self.errors()
        return code

    def stop(self):
        if not self.is_expected_to_run:
            return
        assert self.process.poll() is None, f'it died with {self.process.poll()}: {self.errors()}'
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f'exit {code}: {self.errors()}'

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.stderr.close()
