"""Command line, signals, exit codes, and what is printed: those of CoreDNS."""

import os
import re
import signal
import socket
import subprocess

import dns.message
import dns.rcode
import pytest

from server import ROOT, program

WHOAMI = '''
    .:{PORT} {
        whoami
    }
'''


def run(*arguments, **options):
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=20, **options)
    return done.returncode, done.stdout, done.stderr


# The command line.

@pytest.mark.parametrize('flag', ['-version', '--version', '-version=true', '-version=T'])
def test_version(flag):
    code, out, err = run(flag)
    lines = out.splitlines()
    assert (code, err) == (0, '')
    assert lines[0].startswith('svcdns-') and lines[1].startswith('linux/')


def test_plugins():
    code, out, _ = run('-plugins')
    names = out.split()
    assert code == 0
    assert names == sorted(names) and 'whoami' in names and 'kubernetes' in names


@pytest.mark.parametrize('flag', ['-h', '--help', '-help'])
def test_help(flag):
    code, out, err = run(flag)
    assert (code, out) == (0, '')
    assert err.splitlines()[0].startswith('Usage of ')
    assert '  -conf string\n    \tCorefile to load (default "Corefile")\n' in err
    assert '  -quiet\n    \tQuiet mode (no initialization output)\n' in err


@pytest.mark.parametrize('arguments, message', [
    (['-nope'], 'flag provided but not defined: -nope'),
    (['--nope=1'], 'flag provided but not defined: -nope'),
    (['-conf'], 'flag needs an argument: -conf'),
    (['-quiet=maybe'], 'invalid boolean value "maybe" for -quiet: parse error'),
    (['---conf'], 'bad flag syntax: ---conf'),
    (['-=x'], 'bad flag syntax: -=x'),
])
def test_wrong_flags(arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, '')
    assert err.splitlines()[0] == message
    assert err.splitlines()[1].startswith('Usage of ')


@pytest.mark.parametrize('arguments, shown', [
    (['word', 'another'], '[word another]'),
    (['-version', 'word'], '[word]'),
    (['--', '-version'], '[-version]'),
    (['-'], '[-]'),
])
def test_extra_arguments(arguments, shown):
    code, out, err = run(*arguments)
    assert (code, out) == (1, '')
    assert err.rstrip().endswith(f'extra command line arguments: {shown}')


@pytest.mark.parametrize('arguments', [
    ['-dns.port', '{PORT}'], ['-p', '{PORT}'], ['--dns.port={PORT}'], ['-p', '1', '-dns.port', '{PORT}']])
def test_default_port(svcdns, arguments):
    server = svcdns('. {\n whoami\n}\n', *arguments)
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR


def test_port_of_the_key_goes_first(svcdns):
    server = svcdns(WHOAMI, '-dns.port', '{PORT2}')
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize('corefile', ['', '# nothing\n'])
def test_default_configuration_of_an_empty_corefile(svcdns, corefile):
    server = svcdns(corefile, '-p', '{PORT}')
    assert server.ask('example.org').additional
    server.wait_for(r'^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN example\.org\. udp')


def test_default_configuration_without_a_corefile(svcdns):
    server = svcdns(None, '-p', '{PORT}')
    assert server.ask('example.org').additional


def test_corefile_in_the_working_directory(svcdns):
    server = svcdns(None, files={'Corefile': 'a.test:{PORT} {\n whoami\n}\n'})
    assert server.ask('a.test').rcode() == dns.rcode.NOERROR
    assert server.ask('b.test').rcode() == dns.rcode.REFUSED


def test_corefile_that_is_absent(svcdns):
    code, err, _ = svcdns.refused(None, '-conf', '{DIR}/absent')
    assert code == 1
    assert f'open {svcdns.folder}/absent: no such file or directory' in err


# What is printed.

def test_banner(svcdns):
    server = svcdns('''
        b.test:{PORT} a.test:{PORT} {
            bind 127.0.0.1 127.0.0.2
            whoami
        }
        Example.ORG:{PORT2} 10.1.1.0/24:{PORT2} {
            whoami
        }
    ''')
    port, port2 = svcdns.port(), svcdns.port(2)
    assert server.lines[:6] == [
        f'a.test.:{port} on 127.0.0.1', f'b.test.:{port} on 127.0.0.1', f'a.test.:{port} on 127.0.0.2',
        f'b.test.:{port} on 127.0.0.2', f'1.1.10.in-addr.arpa.:{port2}', f'example.org.:{port2}']
    assert server.lines[6].startswith('svcdns-')
    server.wait_for('^linux/')


def test_banner_of_an_unusual_name(svcdns):
    server = svcdns('_x.test:{PORT} {\n whoami\n}\n')
    assert server.lines[:2] == ['Warning: Domain "_x.test." does not follow RFC1035 preferred syntax',
                                f'_x.test.:{svcdns.port()}']


def test_quiet(svcdns):
    server = svcdns(WHOAMI, '-quiet')
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR
    server.stop()
    assert server.lines == ['[INFO] SIGTERM: Shutting down servers then terminating', None]


def test_port_0_is_a_free_port(svcdns):
    server = svcdns('.:0 {\n bind 127.0.0.1\n whoami\n}\n')
    port = int(server.lines[0].split()[0].rpartition(':')[2])
    assert port
    assert server.ask('example.org', port=port).rcode() == dns.rcode.NOERROR
    assert server.ask('example.org', port=port, tcp=True).rcode() == dns.rcode.NOERROR


# Server blocks and addresses.

@pytest.mark.parametrize('corefile, message', [
    ('a.test:{PORT} {\n whoami\n}\nA.TEST.:{PORT} {\n whoami\n}\n',
     'cannot serve dns://a.test.:{PORT} - it is already defined'),
    ('a.test:{PORT} a.test:{PORT} {\n whoami\n}\n', 'cannot serve dns://a.test.:{PORT} - it is already defined'),
    ('.:{PORT} {\n bind 127.0.0.1 127.0.0.1\n}\n',
     'cannot serve dns://.:{PORT} on 127.0.0.1 - it is already defined'),
    ('a.test:{PORT} {\n bind 127.0.0.1\n}\na.test:{PORT} {\n}\n',
     'cannot serve dns://a.test.:{PORT} - zone overlap listener capacity with dns://a.test.:{PORT} on 127.0.0.1'),
    ('a.test:{PORT} {\n}\na.test:{PORT} {\n bind 127.0.0.1\n}\n',
     'cannot serve dns://a.test.:{PORT} on 127.0.0.1 - zone overlap listener capacity with dns://a.test.:{PORT}'),
    ('.:65536 {\n}\n', 'address 65536: invalid port'),
    ('tls://.:{PORT} {\n}\n', '{DIR}/Corefile:1 - Error during parsing: tls:// is not built into this version'),
    ('.:{PORT} {\n nothing\n}\n', "{DIR}/Corefile:2 - Error during parsing: Unknown directive 'nothing'"),
    ('.:{PORT} {\n\n geoip x\n}\n',
     "{DIR}/Corefile:3 - Error during parsing: directive 'geoip' is not built into this version"),
    ('.:{PORT} {\n bind 203.0.113.77\n}\n',
     'Listen: listen tcp 203.0.113.77:{PORT}: bind: cannot assign requested address'),
])
def test_refused(svcdns, corefile, message):
    code, err, out = svcdns.refused(corefile)
    assert (code, err) == (1, svcdns.fill_in(message) + '\n')
    assert out == ''


# The directives of CoreDNS 1.14.7, in the order of its plugins.
DIRECTIVES = """
    root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind debug trace
    ready health pprof shed prometheus errors log dnstap local dns64 any chaos loadbalance tsig rewrite autopath acl cache header
    dnssec tls minimal template transfer hosts route53 azure clouddns k8s_external kubernetes file auto secondary etcd loop forward
    grpc erratic whoami on sign view nomad
""".split()


def test_directives_that_are_not_built(svcdns):
    """Each is refused by name and line; the guide for migrating lists them all, and no other."""
    built = run('-plugins')[1].split()
    missing = [name for name in DIRECTIVES if name not in built]
    for name in missing:
        code, err, _ = svcdns.refused(f'.:{{PORT}} {{\n whoami\n {name} anything {{\n  more\n }}\n}}\n')
        place = f'{svcdns.folder}/Corefile:3 - Error during parsing'
        assert (code, err) == (1, f"{place}: directive '{name}' is not built into this version\n")
    told = (ROOT / 'docs/migrating-from-coredns.md').read_text().split('* of the plugins: ')[1].split(';')[0]
    assert re.findall(r'`(\w+)`', told) == sorted(missing)


def test_blocks_share_a_port(svcdns):
    server = svcdns('''
        a.test:{PORT} {
            whoami
        }
        b.a.test:{PORT} {
            bind 127.0.0.2
            whoami
        }
        empty.test:{PORT} {
        }
    ''')
    assert server.ask('x.a.test').rcode() == dns.rcode.NOERROR
    assert server.ask('x.b.a.test', to='127.0.0.2').rcode() == dns.rcode.NOERROR
    assert server.ask('x.a.test', to='127.0.0.2').rcode() == dns.rcode.REFUSED
    assert server.ask('x.empty.test').rcode() == dns.rcode.REFUSED
    assert server.ask('x.test').rcode() == dns.rcode.REFUSED


def test_tcp_port_that_is_taken(svcdns):
    with socket.create_server(('127.0.0.1', 0)) as sock:
        port = sock.getsockname()[1]
        code, err, _ = svcdns.refused(f'.:{port} {{\n bind 127.0.0.1\n whoami\n}}\n')
    assert (code, err) == (1, f'Listen: listen tcp 127.0.0.1:{port}: bind: address already in use\n')


def test_udp_port_that_is_taken(svcdns):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(('127.0.0.1', svcdns.port()))
        code, err, _ = svcdns.refused('.:{PORT} {\n bind 127.0.0.1\n whoami\n}\n')
    assert (code, err) == (1, f'ListenPacket: listen udp 127.0.0.1:{svcdns.port()}: bind: address already in use\n')


# Signals.

@pytest.mark.parametrize('number, line', [
    (signal.SIGTERM, '[INFO] SIGTERM: Shutting down servers then terminating'),
    (signal.SIGINT, '[INFO] SIGINT: Shutting down'),
    (signal.SIGQUIT, '[INFO] SIGQUIT: Quitting process immediately'),
])
def test_signals_that_end_it(svcdns, number, line):
    server = svcdns(WHOAMI)
    server.signal(number)
    assert server.wait() == 0
    assert line in server.lines


@pytest.mark.parametrize('number', [signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGWINCH, signal.SIGCONT,
                                    signal.SIGURG])
def test_signals_without_effect(svcdns, number):
    server = svcdns(WHOAMI)
    before = list(server.lines)
    server.signal(number)
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR
    assert server.lines[:len(before)] == before and not any('SIG' in line for line in server.lines)


def test_a_signal_that_is_not_built_yet(svcdns):
    server = svcdns(WHOAMI)
    server.signal(signal.SIGUSR2)
    server.wait_for(r'^\[ERROR\] SIGUSR2: .* not built into this version')
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR


def test_sigterm_closes_idle_connections(svcdns):
    server = svcdns(WHOAMI)
    with server.connect() as sock:
        server.send(sock, dns.message.make_query('example.org', 'A'))
        server.receive(sock)
        server.signal(signal.SIGTERM)
        assert server.receive(sock) is None
    assert server.wait() == 0


# Signals while a query is under way: the upstream is a socket of the test's, which answers when told to.

@pytest.fixture
def upstream():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.bind(('127.0.0.1', 0))
        yield sock


def start_forwarding(svcdns, upstream, client, env=None):
    """A server, and the query that it has sent to the upstream on behalf of the client."""
    server = svcdns(f'''
        .:{{PORT}} {{
            forward . 127.0.0.1:{upstream.getsockname()[1]} {{
                max_fails 0
            }}
        }}
    ''', env=env)
    client.settimeout(20)
    client.connect(('127.0.0.1', svcdns.port()))
    client.send(dns.message.make_query('example.org', 'A').to_wire())
    return server, *upstream.recvfrom(4096)


def test_sigterm_waits_for_a_query_under_way(svcdns, upstream):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server, query, sender = start_forwarding(svcdns, upstream, client)
        server.signal(signal.SIGTERM)
        server.wait_for('SIGTERM: Shutting down')
        reply = dns.message.make_response(dns.message.from_wire(query))
        reply.set_rcode(dns.rcode.NXDOMAIN)
        upstream.sendto(reply.to_wire(), sender)
        assert dns.message.from_wire(client.recv(4096)).rcode() == dns.rcode.NXDOMAIN
        assert server.wait() == 0


def test_sigint_does_not_wait(svcdns, upstream):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server, _, _ = start_forwarding(svcdns, upstream, client)
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_second_sigint_ends_a_shutdown(svcdns, upstream):
    # It ends in the middle of a shutdown, on purpose: a worker without queries has finished by then, and waits to be joined
    # behind the one that has one. To ThreadSanitizer that is a leak; everywhere else its report of one counts.
    env = {'TSAN_OPTIONS': os.environ.get('TSAN_OPTIONS', '') + ':report_thread_leaks=0'}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server, _, _ = start_forwarding(svcdns, upstream, client, env)
        server.signal(signal.SIGTERM)
        server.wait_for('SIGTERM: Shutting down')
        server.signal(signal.SIGINT)
        server.wait_for('SIGINT: Shutting down')
        server.signal(signal.SIGINT)
        assert server.wait() == 2
        assert '[INFO] SIGINT: Force quit' in server.lines


# The file with the process id.

def test_pidfile(svcdns):
    path = svcdns.folder / 'pid'
    server = svcdns(WHOAMI, '-pidfile', path)
    assert path.read_text() == f'{server.process.pid}\n'
    server.stop()
    assert not path.exists()


def test_pidfile_that_cannot_be_written(svcdns):
    server = svcdns(WHOAMI, '-pidfile', '{DIR}/no/such/pid')
    server.wait_for(r'^\[ERROR\] Could not write pidfile: open .*/no/such/pid: no such file or directory')
    assert server.ask('example.org').rcode() == dns.rcode.NOERROR
