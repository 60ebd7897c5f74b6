"""Fixtures for what the project is packaged as: a base system of Debian, the image, the package.

The base is made once, and stays in build/packaging. Where this machine does not permit what is needed, tests are skipped.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'blackbox'))  # for all tests here

from room import NotPermitted, Room  # noqa: E402
from server import ROOT  # noqa: E402
from command import PATIENCE, run  # noqa: E402

BASE = ROOT / 'build/packaging/bookworm.tar'


def mirror():
    """Where this machine has Debian from."""
    targets = subprocess.run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Codename: bookworm', 'Component: main'],
                             capture_output=True, text=True, timeout=PATIENCE).stdout.split()
    return targets[0] if targets else 'http://deb.debian.org/debian'


@pytest.fixture(scope='session')
def base(tmp_path_factory):
    """A tar file of a minimal Debian 12."""
    if os.geteuid() != 0 or subprocess.run(['unshare', '--mount', '--net', 'true'], capture_output=True).returncode != 0:
        pytest.skip('needs root, and namespaces of its own')
    missing = [name for name in ('buildah', 'debootstrap') if not shutil.which(name)]
    if missing:
        pytest.skip(f'not installed: {missing}')
    if not BASE.exists():
        folder = tmp_path_factory.mktemp('base')
        run('debootstrap', '--variant=minbase', 'bookworm', folder, mirror())
        run('chroot', folder, 'sh', '-c', 'apt-get clean; rm -rf /var/lib/apt/lists/*')
        BASE.parent.mkdir(parents=True, exist_ok=True)
        run('tar', '-C', folder, '--exclude=./dev/*', '-cf', f'{BASE}.new', '.')
        os.replace(f'{BASE}.new', BASE)
        shutil.rmtree(folder)
    return BASE


@pytest.fixture(scope='session')
def room(tmp_path_factory):
    try:
        room = Room(tmp_path_factory.mktemp('room'))
    except NotPermitted as reason:
        pytest.skip(f'no network and mount namespaces of our own here: {reason}')
    yield room
    room.close()
