"""hosts: the file changes, comes, goes and is swapped while it is served."""

import os
import threading
import time

import dns.rcode
import dns.reversename
import pytest

from server import eventually

COREFILE = '''
    .:{PORT} {
        hosts {DIR}/table {
            10.0.0.9 inline.test
            reload RELOAD
        }
    }
'''


def start(svcdns, text, reload='20ms', workers=2):
    files = {} if text is None else {'table': text}
    return svcdns(COREFILE.replace('RELOAD', reload), files=files, env={'GOMAXPROCS': str(workers)})


def addresses(server, name, type='A'):
    reply = server.ask(name, type)
    assert reply.rcode() in (dns.rcode.NOERROR, dns.rcode.SERVFAIL)
    if reply.rcode() == dns.rcode.SERVFAIL:
        return None
    return [record.to_text() for rrset in reply.answer for record in rrset]


def names(server, address):
    reply = server.ask(dns.reversename.from_address(address), 'PTR')
    return [record.to_text() for rrset in reply.answer for record in rrset]


def swap(path, text):
    """As editors and kubelets do: never is there half a file."""
    other = path.with_suffix('.new')
    other.write_text(text)
    os.replace(other, path)


def write_in_place(path, text):
    path.write_text(text)


@pytest.mark.parametrize('write', [write_in_place, swap])
def test_changes_are_served(svcdns, write):
    server = start(svcdns, '10.0.0.1 web.test\n10.0.0.2 old.test\n')
    table = svcdns.folder / 'table'
    assert addresses(server, 'web.test') == ['10.0.0.1'] and names(server, '10.0.0.2') == ['old.test.']
    write(table, '10.0.0.3 web.test\nfd00::3 web.test\n10.0.0.2 new.test\n')
    for _ in range(16):  # by either worker
        eventually(lambda: addresses(server, 'web.test') == ['10.0.0.3'])
        eventually(lambda: addresses(server, 'old.test') is None)
    assert addresses(server, 'web.test', 'AAAA') == ['fd00::3']
    assert names(server, '10.0.0.2') == ['new.test.'] and names(server, '10.0.0.1') == []
    write(table, '10.0.0.4 web.test\nfd00::3 web.test\n10.0.0.2 new.test\n')  # no longer than before
    eventually(lambda: addresses(server, 'web.test') == ['10.0.0.4'])
    assert addresses(server, 'inline.test') == ['10.0.0.9']


def test_file_that_comes_and_goes(svcdns):
    server = start(svcdns, None)
    table = svcdns.folder / 'table'
    server.wait_for(r'^\[WARNING\] plugin/hosts: File does not exist: .*/table$')
    assert addresses(server, 'web.test') is None
    assert addresses(server, 'inline.test') == ['10.0.0.9']
    table.write_text('10.0.0.1 web.test\n')
    eventually(lambda: addresses(server, 'web.test') == ['10.0.0.1'])
    table.unlink()
    time.sleep(0.2)  # ten looks at nothing
    assert addresses(server, 'web.test') == ['10.0.0.1']
    table.mkdir()
    time.sleep(0.2)
    assert addresses(server, 'web.test') == ['10.0.0.1']
    table.rmdir()
    table.write_text('10.0.0.2 web.test\n')
    eventually(lambda: addresses(server, 'web.test') == ['10.0.0.2'])
    table.write_text('')
    eventually(lambda: addresses(server, 'web.test') is None)
    assert addresses(server, 'inline.test') == ['10.0.0.9']


def test_mounted_config_map(svcdns):
    """The file is a link by way of a link to the folder of a version, which a kubelet swaps."""
    for number in 1, 2:
        (svcdns.folder / f'version{number}').mkdir()
        (svcdns.folder / f'version{number}' / 'table').write_text(f'10.0.0.{number} web.test\n')
    data = svcdns.folder / '..data'
    data.symlink_to('version1')
    (svcdns.folder / 'table').symlink_to('..data/table')
    server = start(svcdns, None)
    assert addresses(server, 'web.test') == ['10.0.0.1']
    (svcdns.folder / '..new').symlink_to('version2')
    os.replace(svcdns.folder / '..new', data)
    eventually(lambda: addresses(server, 'web.test') == ['10.0.0.2'])


def test_broken_lines_are_left_out(svcdns):
    good = '10.0.0.1 web.test\n'
    server = start(svcdns, 'nonsense\n10.0.0.300 a.test\n' + good + '10.0.0.2\n10.0.0.3 b..test c.test\n')
    table = svcdns.folder / 'table'
    assert addresses(server, 'web.test') == ['10.0.0.1']
    assert addresses(server, 'a.test') is None
    assert addresses(server, 'c.test') == ['10.0.0.3']
    table.write_bytes(b'\0\xff\xfe' + bytes(range(256)) * 4 + b'\n10.0.0.4 web.test\n\0\n10.0.0.5 last.test')
    eventually(lambda: addresses(server, 'web.test') == ['10.0.0.4'])
    assert addresses(server, 'last.test') == ['10.0.0.5']


def test_no_reload(svcdns):
    server = start(svcdns, '10.0.0.1 web.test\n', reload='0s')
    swap(svcdns.folder / 'table', '10.0.0.2 web.test\n')
    time.sleep(0.2)
    assert addresses(server, 'web.test') == ['10.0.0.1']


def test_nobody_notices_a_swap(svcdns):
    """Whoever asks while the file is swapped all the time is told what stands in one version of it, whole."""
    versions = [''.join(f'10.{version}.{i}.1 web.test n{i}.test\n' for i in range(16)) for version in range(4)]
    told = [[f'10.{version}.{i}.1' for i in range(16)] for version in range(4)]
    server = start(svcdns, versions[0], reload='1ms')
    is_over = threading.Event()

    def swap_on():
        version = 0
        while not is_over.wait(0.002):
            version = (version + 1) % 4
            swap(svcdns.folder / 'table', versions[version])

    swapping = threading.Thread(target=swap_on)
    swapping.start()
    try:
        seen = set()

        def all_were_seen():
            found = addresses(server, 'web.test')
            assert found in told
            seen.add(told.index(found))
            return len(seen) == 4

        eventually(all_were_seen)
        for _ in range(200):
            all_were_seen()
    finally:
        is_over.set()
        swapping.join()


def test_many_names(svcdns):
    """As a list of servers that nobody wants to see: a name in a hundred thousand is found, in the next version, too."""
    server = start(svcdns, ''.join(f'0.0.0.0 ads{i}.test\n' for i in range(100000)))
    assert addresses(server, 'ads99999.test') == ['0.0.0.0']
    assert addresses(server, 'ads100000.test') is None
    swap(svcdns.folder / 'table', ''.join(f'0.0.0.1 ads{i}.test\n' for i in range(100001)))
    eventually(lambda: addresses(server, 'ads100000.test') == ['0.0.0.1'])
    assert addresses(server, 'ads0.test') == ['0.0.0.1']
