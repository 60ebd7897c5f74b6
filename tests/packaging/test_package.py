"""The Debian package: what is in it, that it installs and serves on a minimal Debian 12, and that nothing of it stays."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from command import run
from server import ROOT, eventually

BUILD = pathlib.Path(os.environ.get('SVCDNS_BUILD', ROOT / 'build/release')).resolve()
WANTED = '''
    /etc/svcdns/Corefile
    /usr/bin/svcdns
    /usr/lib/systemd/system/svcdns.service
    /usr/share/bash-completion/completions/svcdns
    /usr/share/doc/svcdns/README.md
    /usr/share/doc/svcdns/changelog.gz
    /usr/share/doc/svcdns/copyright
    /usr/share/doc/svcdns/docs/operations.md
    /usr/share/doc/svcdns/docs/plugins/kubernetes.md
    /usr/share/doc/svcdns/zones/shop.yaml
    /usr/share/man/man1/svcdns.1.gz
    /usr/share/man/man5/Corefile.5.gz
'''.split()


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp('package')
    run('cpack', '-G', 'DEB', '--config', BUILD / 'CPackConfig.cmake', cwd=folder)
    [package] = folder.glob('*.deb')
    return package


@pytest.fixture(scope='module')
def system(base, package, tmp_path_factory):
    """A Debian with the package installed."""
    root = tmp_path_factory.mktemp('system')
    run('tar', '-C', root, '-xf', base)
    run('mknod', root / 'dev/null', 'c', '1', '3')
    (root / 'dev/null').chmod(0o666)
    shutil.copy('/etc/resolv.conf', root / 'etc')
    shutil.copy(package, root)
    run('chroot', root, 'apt-get', 'update', '-qq')
    run('chroot', root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '-qq', '--no-install-recommends',
        f'/{package.name}')
    yield root
    shutil.rmtree(root)


def test_fields(package):
    fields = dict(re.findall(r'^(\S+): (.*)$', run('dpkg-deb', '-f', package), re.MULTILINE))
    assert fields['Package'] == 'svcdns'
    assert fields['Version'] == re.search(r'svcdns VERSION (\S+)', (ROOT / 'CMakeLists.txt').read_text())[1] + '-1'
    depends = {word.split()[0] for word in fields['Depends'].split(', ')}
    assert {'libc6', 'libuv1', 'libcurl4', 'libc-ares2', 'libyaml-0-2', 'libyajl2', 'libmicrohttpd12', 'libnettle8', 'libpcre2-8-0'} == depends


def test_files(package):
    lines = [line.split() for line in run('dpkg-deb', '-c', package).splitlines()]
    assert {owner for _, owner, *_ in lines} == {'root/root'}
    assert {mode for mode, *_, name in lines if name == './usr/bin/svcdns'} == {'-rwxr-xr-x'}
    assert [name for name in WANTED if f'.{name}' not in {line[-1] for line in lines}] == []
    assert run('dpkg-deb', '-I', package, 'conffiles').split() == ['/etc/svcdns/Corefile']


def test_lintian(package):
    # The one that is let pass asks for the number of a request in Debian's tracker.
    print(run('lintian', '--allow-root', '--fail-on', 'error,warning', '--suppress-tags', 'initial-upload-closes-no-bugs', package))


def test_documentation_links(system):
    """Pages link to one another as in the source tree, but for what only that has."""
    docs = system / 'usr/share/doc/svcdns/docs'
    for page in docs.rglob('*.md'):
        for target in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
            assert (page.parent / target).exists() or not target.endswith('.md'), f'{page}: {target}'


def test_serves(system, room):
    """With the Corefile that it brings."""
    room.resolv_conf('nameserver 192.0.2.1\n')  # out of reach here
    (system / 'etc/resolv.conf').write_text('nameserver 192.0.2.1\n')
    (system / 'etc/hosts').write_text('192.0.2.7 seven.example\n')
    process = room.start('chroot', system, 'svcdns', '-conf', '/etc/svcdns/Corefile', stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    eventually(lambda: process.poll() is not None or room.run('ss', '-Hltn', 'sport = :53').stdout)
    assert process.poll() is None, process.communicate()[0]
    assert room.run('dig', '-r', '@127.0.0.1', '+short', 'seven.example').stdout.split() == ['192.0.2.7']
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_removes(system):
    """Last: the Corefile stays until the package is purged."""
    run('chroot', system, 'dpkg', '--remove', 'svcdns')
    assert not (system / 'usr/bin/svcdns').exists()
    assert (system / 'etc/svcdns/Corefile').exists()
    run('chroot', system, 'dpkg', '--purge', 'svcdns')
    left = [path for path in system.rglob('*svcdns*') if not str(path.relative_to(system)).startswith('svcdns_')]
    assert left == []


def test_installs_elsewhere(tmp_path):
    """cmake --install, without a package. A Corefile that is there is left alone."""
    environment = {**os.environ, 'DESTDIR': str(tmp_path)}
    run('cmake', '--install', BUILD, env=environment)
    corefile = tmp_path / 'etc/svcdns/Corefile'
    assert corefile.read_text() == (ROOT / 'packaging/Corefile').read_text()
    corefile.write_text('# mine\n')
    run('cmake', '--install', BUILD, env=environment)
    assert corefile.read_text() == '# mine\n'
    assert (tmp_path / 'usr/share/man/man5/Corefile.5').exists()
    assert run(tmp_path / 'usr/bin/svcdns', '-version').startswith('svcdns-')
