"""loop: a forwarding loop ends the program, as recorded of CoreDNS; without one it lives on."""

import re

import dns.rcode
import pytest

PROBE = r'\d{1,20}\.\d{1,20}\.'
ITSELF = '''
    ZONE:{PORT} {
        loop
        errors
        forward . 127.0.0.1:{PORT}
    }
'''


def loop_lines(lines):
    return [line for line in lines if line and line.startswith('[FATAL]')]


def expected(at, zone, query, client=r'127\.0\.0\.1'):
    return re.compile(rf'\[FATAL\] plugin/loop: Loop \({client}:\d+ -> {at}\) detected for zone "{zone}", see '
                      rf'https://coredns\.io/plugins/loop#troubleshooting\. Query: "HINFO {PROBE}{query}"')


def ends(svcdns, corefile, env=None):
    """The one line of a server that is to find a loop."""
    code, err, out = svcdns.refused(corefile, env=env)
    assert code == 1 and err == ''
    lines = loop_lines(out.splitlines())
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize('workers', [1, 2, 4])
def test_to_itself(svcdns, workers):
    line = ends(svcdns, ITSELF.replace('ZONE', '.'), {'GOMAXPROCS': str(workers)})
    assert expected(f':{svcdns.port()}', r'\.', '').fullmatch(line), line


def test_in_a_zone(svcdns):
    line = ends(svcdns, ITSELF.replace('ZONE', 'a.test'))
    assert expected(f':{svcdns.port()}', r'a\.test\.', r'a\.test\.').fullmatch(line), line


@pytest.mark.parametrize('address, at, client', [
    ('127.0.0.1', '127.0.0.1:PORT', r'127\.0\.0\.1'),
    ('127.0.0.2 127.0.0.1', '127.0.0.2:PORT', r'127\.0\.0\.1'),
    ('0.0.0.0', '0.0.0.0:PORT', r'127\.0\.0\.1'),
    ('::1', r'[::1]:PORT', r'\[::1\]'),
])
def test_bound(svcdns, address, at, client):
    target = '[::1]' if address == '::1' else '127.0.0.1'
    line = ends(svcdns, ITSELF.replace('ZONE', '.').replace('loop', f'bind {address}\n        loop')
                .replace('forward . 127.0.0.1', f'forward . {target}'))
    assert expected(re.escape(at.replace('PORT', str(svcdns.port()))), r'\.', '', client).fullmatch(line), line


def test_of_several_blocks_one_loops(svcdns):
    line = ends(svcdns, '''
        a.test:{PORT} {
            loop
            whoami
        }
        b.test:{PORT2} c.test:{PORT} {
            loop
            forward . 127.0.0.1:{PORT2}
        }
    ''')
    assert expected(f':{svcdns.port(2)}', r'b\.test\.', r'b\.test\.').fullmatch(line), line


@pytest.mark.parametrize('workers', [1, 3])
def test_below_other_plugins(svcdns, workers):
    """The cache holds up questions that are under way already, but not this one; nor is it searched for."""
    line = ends(svcdns, '''
        .:{PORT} {
            errors
            log
            search {
                domains a.test b.test
            }
            cache 30
            loop
            forward . 127.0.0.1:{PORT}
        }
    ''', {'GOMAXPROCS': str(workers)})
    assert expected(f':{svcdns.port()}', r'\.', '').fullmatch(line), line


TO_THE_OTHER = '''
    .:{PORT%s} {
        loop
        cache
        forward . 127.0.0.1:{PORT%s}
    }
'''


def test_two_servers_forward_to_each_other(svcdns):
    """The second one finds out. The first one has been answered by then, though only with SERVFAIL."""
    first = svcdns(TO_THE_OTHER % (2, 3))
    assert first.ask('example.org', port=svcdns.port(2)).rcode() == dns.rcode.SERVFAIL
    line = ends(svcdns, TO_THE_OTHER % (3, 2))
    assert expected(f':{svcdns.port(3)}', r'\.', '').fullmatch(line), line
    first.stop()
    assert not loop_lines(first.lines)


def test_a_sane_upstream(svcdns):
    """It sees the question once, answers it, and that is all, however often it is asked then."""
    upstream = svcdns('''
        .:{PORT2} {
            log
            whoami
        }
    ''')
    server = svcdns('''
        .:{PORT} {
            loop
            forward . 127.0.0.1:{PORT2}
        }
    ''', env={'GOMAXPROCS': '1'})
    line = upstream.wait_for(r'"HINFO IN ')
    probe = re.search(rf'"HINFO IN ({PROBE}) udp ', line)[1]
    server.ask('example.org')  # comes back behind the answer to the probe, which the one worker has taken then
    for _ in range(5):
        assert server.ask(probe, 'HINFO').rcode() == dns.rcode.NOERROR
    server.stop()
    assert len([line for line in upstream.lines if line and '"HINFO IN ' in line]) == 6
