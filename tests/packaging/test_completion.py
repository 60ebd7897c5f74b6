"""Completion of the command line in bash."""

import pathlib
import re
import subprocess

import pytest

from server import ROOT, program

SCRIPT = '''
source "$1" && shift
declare -F _svcdns >/dev/null && complete -p svcdns | grep -q -- '-F _svcdns' || exit
_svcdns "$1" "$2" "$3"
printf '%s\\n' "${COMPREPLY[@]}"
'''


def complete(word, previous='svcdns', folder=None):
    done = subprocess.run(['bash', '-c', SCRIPT, 'bash', ROOT / 'packaging/svcdns.bash', pathlib.Path(program()).resolve(), word,
                           previous], capture_output=True, text=True, cwd=folder, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.split()


def flags():
    usage = subprocess.run([program(), '-h'], capture_output=True, text=True, timeout=60).stderr
    return re.findall(r'^  (-\S+)', usage, re.MULTILINE)


def test_offers_every_flag():
    assert len(flags()) >= 7
    assert sorted(complete('-')) == sorted([*flags(), '-h'])


def test_offers_what_fits():
    assert complete('-pl') == ['-plugins']
    assert complete('-nothing') == []


@pytest.mark.parametrize('flag', ['-conf', '--conf', '-pidfile', '--pidfile'])
def test_offers_files(flag, tmp_path):
    (tmp_path / 'Corefile').touch()
    (tmp_path / 'Corefiles').mkdir()
    (tmp_path / 'other').touch()
    assert sorted(complete('Core', flag, tmp_path)) == ['Corefile', 'Corefiles']


@pytest.mark.parametrize('flag', ['-p', '-dns.port'])
def test_offers_nothing_for_a_port(flag, tmp_path):
    (tmp_path / 'Corefile').touch()
    assert complete('', flag, tmp_path) == []
