"""The image: built from docker/Dockerfile by buildah, looked at, and run as a cluster or Compose would run it: as its own user,
with the one capability that it needs, on a root file system that is read-only, in a network of its own."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from command import run
from server import ROOT, eventually

MAX_SIZE = 25_000_000
NET_BIND_SERVICE = 10
ALL = set(range(int(pathlib.Path('/proc/sys/kernel/cap_last_cap').read_text()) + 1))
# A container: its files and volumes, nothing of them to be written, then the program as the engine starts it.
ENTER = '''
    set -e
    root=$1 ambit=$2; shift 2
    mount --bind "$root" "$root"
    while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; mount -o remount,bind,ro "$root$2"; shift 2; done
    mount -t proc proc "$root/proc"
    mount -o remount,bind,ro "$root"
    shift
    exec capsh --chroot="$root" --drop="$ambit" --keep=1 --groups= --gid=65532 --uid=65532 "$@"
'''


class Image:
    def __init__(self, base, folder):
        self.buildah = ['buildah', '--storage-driver', 'vfs', '--root', folder / 'storage', '--runroot', folder / 'run']
        self.make_base(base)
        self.call('bud', '--isolation', 'chroot', '--build-arg', 'BASE=localhost/base', '-f', ROOT / 'docker/Dockerfile',
                  '-t', 'svcdns', ROOT)
        self.container = self.call('from', 'localhost/svcdns').strip()
        self.root = pathlib.Path(self.call('mount', self.container).strip())
        self.config = json.loads(self.call('inspect', self.container))['OCIv1']['config']

    def call(self, *command):
        return run(*self.buildah, *command)

    def make_base(self, base):
        container = self.call('from', 'scratch').strip()
        self.call('add', '--quiet', container, base, '/')
        self.call('commit', '--quiet', container, 'localhost/base')
        self.call('rm', container)

    def files(self):
        return [path for path in self.root.rglob('*') if path.is_file() and not path.is_symlink()]

    def prepare(self, volumes):
        """The places that an engine mounts to."""
        (self.root / 'proc').mkdir(exist_ok=True)
        for source, target in volumes:
            place = self.root / target.lstrip('/')
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                place.mkdir(exist_ok=True)
            else:
                place.touch()

    def command(self, arguments, volumes, limits, without=None):
        """without: numbers of the capabilities that the container cannot have; all but the one."""
        mounts = [word for source, target in volumes for word in (source, target)]
        others = ','.join(map(str, without or ALL - {NET_BIND_SERVICE}))
        program, *rest = [*self.config['Entrypoint'], *arguments]
        return ['unshare', '--mount', 'sh', '-c', ENTER, 'enter', self.root, others, *mounts, '--', *limits,
                f'--shell={program}', '--', *rest]


@pytest.fixture(scope='module')
def image(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp('image')
    try:
        image = Image(base, folder)
        yield image
        image.call('umount', image.container)
    finally:
        shutil.rmtree(folder)  # more than a gigabyte


@pytest.fixture
def start(image, room):
    """Starts the image in the room: start(arguments, [(file or folder, place)], limits)."""
    processes = []

    def start(arguments, volumes, limits=(), env=None):
        image.prepare(volumes)
        process = room.start(*image.command(arguments, volumes, limits), env={**os.environ, **(env or {})},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        eventually(lambda: process.poll() is not None or listens(room))
        assert process.poll() is None, process.communicate()[0]
        return process

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


def listens(room):
    return room.run('ss', '-Hltn', 'sport = :53').stdout != ''


def dig(room, *words):
    done = room.run('dig', '-r', '@127.0.0.1', '+short', *words)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


def test_size(image):
    sizes = {path.relative_to(image.root): path.stat().st_size for path in image.files()}
    total = sum(sizes.values())
    print(f'\nimage: {total} octets in {len(sizes)} files')
    assert total < MAX_SIZE, sorted(sizes.items(), key=lambda item: -item[1])[:20]


def test_holds_one_program(image):
    """No shell, no other program, nothing that is setuid: libraries and the loader are all that may be executed."""
    programs = [path for path in image.files() if path.stat().st_mode & 0o111 and '.so' not in path.name]
    assert programs == [image.root / 'svcdns']
    assert [path for path in image.files() if path.stat().st_mode & 0o6000] == []


def test_belongs_to_root(image):
    assert [path for path in image.root.rglob('*') if path.lstat().st_uid or path.lstat().st_gid] == []
    assert [path for path in image.files() if path.stat().st_mode & 0o022] == []


def test_libraries(image):
    """All that it needs is there, and none that it does not need."""
    libraries = list(image.root.rglob('*.so*'))
    loader = next(path for path in libraries if path.name.startswith('ld-linux'))
    listed = run('chroot', image.root, f'/{loader.relative_to(image.root)}', '--list', '/svcdns')
    assert 'not found' not in listed
    assert {path.name for path in libraries} == {pathlib.Path(path).name for path in re.findall(r'/\S+', listed)}


def test_tells_its_packages(image):
    """What a scanner needs: the packages and versions of the libraries; and their licences."""
    packages = {path.name for path in (image.root / 'var/lib/dpkg/status.d').iterdir()}
    assert {'libc6', 'libcurl4', 'libssl3', 'libuv1'} <= packages
    for package in packages:
        status = (image.root / 'var/lib/dpkg/status.d' / package).read_text()
        assert f'Package: {package}\n' in status and '\nVersion: ' in status
        assert (image.root / 'usr/share/doc' / package / 'copyright').stat().st_size


def test_config(image):
    assert image.config['Entrypoint'] == ['/svcdns']
    assert image.config['User'] == '65532:65532'
    assert image.config['WorkingDir'] == '/'
    assert set(image.config['ExposedPorts']) == {'53/tcp', '53/udp'}


KUBERNETES = '''
.:53 {
    errors
    health
    kubernetes cluster.local in-addr.arpa {
        table /zones/shop.yaml
        pods insecure
    }
}
whoami.example:53 {
    whoami
}
'''


# As a cluster sets it (allowPrivilegeEscalation: false), and as an engine does by itself.
@pytest.mark.parametrize('limits', [['--caps=cap_net_bind_service=p', '--no-new-privs'], ['--caps=']], ids=['cluster', 'plain'])
def test_serves(image, room, start, tmp_path, limits):
    (tmp_path / 'Corefile').write_text(KUBERNETES)
    tmp_path.chmod(0o755)
    process = start(['-conf', '/etc/coredns/Corefile', '-pidfile', '/pid'],
                    [(tmp_path, '/etc/coredns'), (ROOT / 'zones', '/zones')], limits)
    assert dig(room, 'product-service-svc.default.svc.cluster.local') == ['10.96.10.2']
    assert dig(room, '+tcp', 'product-service-svc.default.svc.cluster.local') == ['10.96.10.2']
    assert dig(room, '-x', '10.96.10.2') == ['product-service-svc.default.svc.cluster.local.']
    assert '127.0.0.1' in room.run('dig', '-r', '@127.0.0.1', 'whoami.example').stdout
    status = dict(line.split(':\t', 1) for line in pathlib.Path(f'/proc/{process.pid}/status').read_text().splitlines())
    assert status['Name'] == 'svcdns'
    assert status['Uid'].split() == status['Gid'].split() == ['65532'] * 4
    assert status['Groups'].strip() == ''
    assert int(status['CapEff'], 16) == int(status['CapBnd'], 16) == 1 << NET_BIND_SERVICE
    process.terminate()
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert 'Could not write pidfile: open /pid: read-only file system' in output


def test_needs_its_capability(image, room):
    """The kernel does not start it without; an engine says "operation not permitted" then."""
    image.prepare([])
    done = room.run(*image.command(['-version'], [], ['--caps='], without=ALL))
    assert (done.returncode, done.stderr) == (1, "execve '/svcdns' failed!\n")


def test_serves_what_compose_says(image, room, start):
    compose = ROOT / 'docker/compose/compose.yaml'
    service = yaml.safe_load(compose.read_text())['services']['svcdns']
    volumes = [word.split(':') for word in service['volumes']]
    assert all(mode == 'ro' for _, _, mode in volumes)
    room.resolv_conf('nameserver 127.0.0.1\n')
    (image.root / 'etc/resolv.conf').write_text('nameserver 192.0.2.1\n')  # the engine's; out of reach here
    start(service['command'], [((compose.parent / source).resolve(), target) for source, target, _ in volumes],
          env=service['environment'])
    assert room.run('getent', 'hosts', 'product-service-svc').stdout.split()[0] == '10.96.10.2'
    assert dig(room, 'order-service-svc.shop') == ['order-service-svc.shop.svc.cluster.local.', '10.96.20.1']
