"""The unit for systemd."""

import re
import subprocess

import dns.rcode
import pytest

from command import run
from server import ROOT, Lab, eventually

EXPOSURE = 1.6  # systemd's own mark, of 10


@pytest.fixture(scope='module')
def unit(tmp_path_factory):
    """As it is installed, but with a program that is there: verify looks."""
    text = (ROOT / 'packaging/svcdns.service.in').read_text()
    text = text.replace('@CMAKE_INSTALL_FULL_BINDIR@/svcdns', '/bin/true').replace('@CMAKE_INSTALL_FULL_SYSCONFDIR@', '/etc')
    unit = tmp_path_factory.mktemp('unit') / 'svcdns.service'
    unit.write_text(text)
    return unit


def test_is_valid(unit):
    done = subprocess.run(['systemd-analyze', 'verify', '--man=no', unit], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')


def test_is_closed(unit):
    output = run('systemd-analyze', 'security', '--offline=yes', unit)
    mark = re.search(r'Overall exposure level for svcdns.service: ([\d.]+)', output)
    print(mark[0])
    assert float(mark[1]) <= EXPOSURE, output


def filtered():
    """The system calls that the unit leaves."""
    text = (ROOT / 'packaging/svcdns.service.in').read_text()
    allowed = set()
    for line in re.findall(r'^SystemCallFilter=(.*)$', text, re.MULTILINE):
        words = set().union(*(calls_of(word) for word in line.lstrip('~').split()))
        allowed = allowed - words if line.startswith('~') else allowed | words
    return allowed


def calls_of(group):
    words = [line.strip() for line in run('systemd-analyze', 'syscall-filter', group).splitlines()[1:]]
    words = [word for word in words if word and not word.startswith('#')]
    return set().union(*(calls_of(word) if word.startswith('@') else {word} for word in words))


class Tracer:
    """Stands where a server's room does: starts it under strace."""

    def __init__(self, log):
        self.log = log

    def command(self, *command):
        return ['strace', '-D', '-f', '-q', '-o', str(self.log), *command]

    def calls(self, pid):
        eventually(lambda: re.search(rf'^{pid} +\+\+\+ exited with 0', self.log.read_text(), re.MULTILINE))
        return set(re.findall(r'^\d+ +(\w+)\(', self.log.read_text(), re.MULTILINE))


COREFILE = '''
    .:{PORT} {
        bind lo
        errors {
            consolidate 1s .*
        }
        log
        prometheus 127.0.0.1:{PORT2}
        pprof 127.0.0.1:{PORT3}
        hosts {DIR}/hosts {
            fallthrough
        }
        kubernetes cluster.local {
            table {DIR}/table
        }
        cache
        forward . 127.0.0.1:{PORT4}
    }
'''


def test_calls_are_permitted(tmp_path):
    """What a server calls from its start to its end, with tables that change, an upstream that is away, and HTTP."""
    if subprocess.run(['strace', '-o', '/dev/null', 'true'], capture_output=True).returncode != 0:
        pytest.skip('tracing is not permitted here')
    tracer, lab = Tracer(tmp_path / 'calls'), Lab(tmp_path)
    lab.room = tracer
    try:
        table = (ROOT / 'zones/shop.yaml').read_text()
        server = lab(COREFILE, files={'hosts': '192.0.2.7 seven.example', 'table/shop.yaml': table})
        for tcp in False, True:
            assert server.ask('product-service-svc.default.svc.cluster.local', tcp=tcp).answer
            assert server.ask('seven.example', tcp=tcp).answer
            assert server.ask('elsewhere.example', tcp=tcp).rcode() == dns.rcode.SERVFAIL
        lab.write(None, {'table/shop.yaml': table.replace('10.96.10.2', '10.96.10.3')})
        server.wait_for('read again')
        assert server.fetch('/metrics')[0] == server.fetch('/debug/pprof/', port=3)[0] == 200
        pid = server.process.pid
        server.stop()
        calls = tracer.calls(pid)
    finally:
        lab.finish()
    assert len(calls) > 30
    assert sorted(calls - filtered()) == []
