"""./run: the demo, and a configuration of one's own. It builds the release preset where that has not been done."""

import os
import re
import shutil
import signal
import subprocess

from room import PATIENCE
from server import ROOT, eventually


class Run:
    """./run in a room, and what it has written."""

    def __init__(self, room, folder, *arguments, env=None):
        self.room = room
        self.path = folder / 'output'
        with open(self.path, 'w', encoding='utf-8') as output:
            self.process = room.start(ROOT / 'run', *arguments, stdout=output, stderr=output,
                                      env={**os.environ, **(env or {})})
        eventually(self.is_serving, PATIENCE)

    def output(self):
        return self.path.read_text(encoding='utf-8')

    def is_serving(self):
        assert self.process.poll() is None, self.output()
        return re.search('^svcdns-', self.output(), re.MULTILINE)

    def dig(self, *arguments):
        return self.room.run('dig', '@127.0.0.1', *arguments, '+short').stdout.split()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0


def check_demo(demo, *port):
    assert demo.dig(*port, 'product-service-svc') == ['product-service-svc.default.svc.cluster.local.', '10.96.10.2']
    assert demo.dig(*port, 'order-service-svc.shop', '+tcp') == ['order-service-svc.shop.svc.cluster.local.', '10.96.20.1']


def test_the_demo(room, tmp_path):
    shutil.copy(ROOT / 'zones/shop.yaml', tmp_path)
    demo = Run(room, tmp_path, env={'SVCDNS_TABLE': str(tmp_path / 'shop.yaml'), 'SVCDNS_UPSTREAM': '127.0.0.1:9'})
    assert 'svcdns answers on 127.0.0.1 port 53. ' in demo.output()
    check_demo(demo)
    # What it says that one should try: all but the last is in the table.
    tries = re.findall(r'^    dig (.*)$', demo.output(), re.MULTILINE)
    assert len(tries) == 7 and tries[-1] == '@127.0.0.1 example.com'
    for line in tries[:-1]:
        assert ' status: NOERROR,' in room.run('dig', *line.split()).stdout, line
        assert demo.dig(*line.split()[1:]), line
    # And that one should edit the table.
    table = (tmp_path / 'shop.yaml').read_text(encoding='utf-8')
    (tmp_path / 'shop.yaml').write_text(table.replace('10.96.10.2', '10.96.10.200'), encoding='utf-8')
    eventually(lambda: demo.dig('product-service-svc')[1:] == ['10.96.10.200'])
    demo.stop()


def test_the_demo_where_port_53_is_taken(room, tmp_path):
    holder = room.start('/usr/bin/python3', '-c', 'import socket, time\n'
                        'sock = socket.create_server(("127.0.0.1", 53))\nprint("held", flush=True)\ntime.sleep(600)',
                        stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == 'held\n'
    demo = Run(room, tmp_path, env={'SVCDNS_UPSTREAM': '127.0.0.1:9'})
    assert 'svcdns answers on 127.0.0.1 port 1053. ' in demo.output()
    assert '    dig @127.0.0.1 -p 1053 product-service-svc\n' in demo.output()
    check_demo(demo, '-p', '1053')
    demo.stop()


def test_a_configuration_of_ones_own(room, tmp_path):
    (tmp_path / 'mine').write_text('. {\n bind 127.0.0.1\n hosts /dev/null {\n  192.0.2.1 host.test\n }\n}\n')
    mine = Run(room, tmp_path, tmp_path / 'mine', '-dns.port', '5353')
    assert mine.dig('-p', '5353', 'host.test') == ['192.0.2.1']
    mine.stop()


def test_the_laboratory(room):
    done = room.run(ROOT / 'run', 'lab', 'list')
    assert (done.returncode, done.stderr) == (0, '')
    assert re.search(r'^svcdns-down ', done.stdout, re.MULTILINE)


def test_a_configuration_that_is_called_lab(room, tmp_path):
    """`lab` is the laboratory, a file of that name is ./lab."""
    (tmp_path / 'lab').write_text('. {\n nothing\n}\n')
    done = room.run('sh', '-c', 'cd "$1" && "$2" ./lab', 'sh', tmp_path, ROOT / 'run')
    assert (done.returncode, done.stderr) == (1, "./lab:2 - Error during parsing: Unknown directive 'nothing'\n")


def test_a_configuration_that_is_refused(room, tmp_path):
    (tmp_path / 'mine').write_text('. {\n nothing\n}\n')
    done = room.run(ROOT / 'run', tmp_path / 'mine')
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == f"{tmp_path}/mine:2 - Error during parsing: Unknown directive 'nothing'\n"


def would_install(folder, *command):
    """The packages, on a machine that has none and may not install any."""
    folder.mkdir()
    for program in 'dpkg-query', 'apt-get', 'tee', 'sudo':
        (folder / program).symlink_to('/bin/false')
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, 'PATH': f'{folder}:{os.environ["PATH"]}'})
    assert done.returncode and done.stdout.startswith('installing: '), done.stderr
    return set(done.stdout.split()[1:])


def test_what_is_installed(tmp_path):
    """What serving needs for ./run, what namespaces take besides for ./run lab, and all for ./check."""
    run, laboratory = would_install(tmp_path / 'run', ROOT / 'run'), would_install(tmp_path / 'lab', ROOT / 'run', 'lab')
    check = would_install(tmp_path / 'check', ROOT / 'tests/check/install', 'check')
    assert run < laboratory < check
    assert {'gcc', 'libuv1-dev'} <= run
    assert laboratory - run == {'nftables', 'iproute2', 'procps', 'util-linux', 'hostname', 'python3'}
    assert {'clang', 'strace', 'musl-tools'} <= check - laboratory and not check & {'check', 'lab', 'systemd-resolved'}
