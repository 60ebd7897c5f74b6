"""cache, between many clients and upstreams that are slow, lying or gone."""

import os
import pathlib
import random
import socket
import subprocess
import time

import dns.flags
import dns.message
import dns.rrset
import pytest

from server import eventually
from test_forward import BUDGET, FORGERIES, MALFORMED, WRONG, answer, ask_all, outcome, right, right_reply, silence, truncated
from upstream import Upstream

BUILD = pathlib.Path(os.environ.get('SVCDNS_BUILD', pathlib.Path(__file__).resolve().parents[2] / 'build/dev'))
NEW = '10.9.9.9'


def start(svcdns, to, properties='', options='max_fails 0', workers=1):
    return svcdns(f'''
        .:{{PORT}} {{
            bind 127.0.0.1
            cache {{
                {properties}
            }}
            forward . {to} {{
                {options}
            }}
        }}
    ''', env={'GOMAXPROCS': str(workers)})


def answer_new(query):
    query.send(query.reply(NEW))


def test_what_is_kept_is_not_asked_again(svcdns):
    def script(query):
        query.send(query.denial() if query.name == 'nobody.test.' else query.reply(right(query.name)))

    with Upstream(script) as upstream:
        server = start(svcdns, upstream.address)
        for name in 'www.test.', 'nobody.test.':
            first = server.ask(name)
            assert not first.flags & dns.flags.AA
            for options in {}, {'tcp': True}, {'use_edns': 0, 'payload': 1232}, {'use_edns': 0, 'payload': 4096, 'tcp': True}:
                reply = server.ask(name, **options)
                assert reply.flags & dns.flags.AA
                assert reply.rcode() == first.rcode()
                assert [rrset.to_rdataset() for rrset in reply.answer] == [rrset.to_rdataset() for rrset in first.answer]
                for before, now in zip(first.answer + first.authority, reply.answer + reply.authority):
                    assert 0 < now.ttl <= before.ttl
        assert [query.name for query in upstream.queries] == ['www.test.', 'nobody.test.']


def test_workers_share_what_is_kept(svcdns):
    with Upstream(answer) as upstream:
        server = start(svcdns, upstream.address, workers=2)
        for number in range(8):
            for _ in range(32):  # from a port each, and so on either worker
                assert outcome(server.ask(f'n{number}.test.')) == right(f'n{number}.test.')
        assert [query.name for query in upstream.queries] == [f'n{number}.test.' for number in range(8)]


def crowd(port, name, count):
    """So many clients that have asked for a name: [(socket, query)]."""
    clients = []
    for number in range(count):
        spelling = ''.join(letter.upper() if number >> i & 1 else letter for i, letter in enumerate(name))
        query = dns.message.make_query(spelling, 'A')
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(BUDGET)
        sock.connect(('127.0.0.1', port))
        sock.send(query.to_wire())
        clients.append((sock, query))
    return clients


def receive(clients):
    for sock, query in clients:
        reply = dns.message.from_wire(sock.recv(512))
        sock.close()
        assert query.is_response(reply)
        assert reply.question[0].name.labels == query.question[0].name.labels  # letter by letter
        yield reply


@pytest.mark.parametrize('workers', [1, 2])
def test_two_hundred_clients_ask_once(svcdns, workers):
    def script(query):
        if query.name.startswith('marker'):
            answer(query)

    with Upstream(script) as upstream:
        server = start(svcdns, upstream.address, workers=workers)
        clients = crowd(svcdns.port(), 'popular.test.', 200)
        # When these are answered, whichever worker they came to, so are all that came before them taken in.
        ask_all(server, [f'marker{number}.test.' for number in range(32)])
        asked = [query for query in upstream.queries if query.name.lower() == 'popular.test.']
        assert 1 <= len(asked) <= workers
        for query in asked:
            query.send(query.reply('10.0.0.1'))
        assert {outcome(reply) for reply in receive(clients)} == {'10.0.0.1'}
        assert outcome(server.ask('popular.test.')) == '10.0.0.1'
        assert len([query for query in upstream.queries if query.name.lower() == 'popular.test.']) == len(asked)


def test_truncated_reply_is_for_those_who_can_use_it(svcdns):
    with Upstream(silence) as upstream:
        server = start(svcdns, upstream.address)
        clients = crowd(svcdns.port(), 'large.test.', 3)
        with server.connect() as sock:
            query = dns.message.make_query('large.test.', 'A')
            server.send(sock, query)
            eventually(lambda: {query.transport for query in upstream.queries} == {'udp', 'tcp'})
            for asked in upstream.queries:
                truncated(asked)
            assert [outcome(reply) for reply in receive(clients)] == ['TC'] * 3
            assert outcome(server.receive(sock)) == right('large.test.')
        assert len(upstream.queries) == 2


def test_lying_upstream(svcdns):
    """Nothing but the truth is passed on or kept, and everybody gets an answer."""
    chance = random.Random(4)

    def forge(query):
        query.send(*[octets for kind in chance.sample(list(FORGERIES), 3)
                     for octets in [FORGERIES[kind](query)] if not isinstance(octets, list)])
        forger.sendto(query.reply(WRONG).to_wire(), ('127.0.0.1', query.port))

    def oversize(query):
        reply = right_reply(query)
        for number in range(40):
            reply.authority.append(dns.rrset.from_text(f'x{number}.test.', 30, 'IN', 'TXT', 'x' * 60))
        return reply

    def lie(query):
        if chance.random() < 0.3:
            return  # dropped
        kind = chance.choice(['forged', 'forged', 'late', 'malformed', 'truncated', 'oversize', 'failed', 'refused', 'right'])
        if kind == 'forged':
            forge(query)
        if kind == 'late':
            query.later(chance.choice([0.1, 0.3, 0.6]), right_reply(query))
        elif kind == 'malformed':
            query.send(MALFORMED[chance.choice(list(MALFORMED))](query))
        elif kind == 'truncated':
            truncated(query)
        elif kind == 'oversize':
            query.send(oversize(query))
        elif kind in ('failed', 'refused'):
            query.send(query.reply(rcode='SERVFAIL' if kind == 'failed' else 'REFUSED'))
        else:
            answer(query)

    names = [f'n{number}.test.' for number in range(300)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger, Upstream(lie) as upstream:
        forger.bind(('127.0.0.1', 0))
        server = start(svcdns, upstream.address, 'success 9984 3600 600\n servfail 0', 'max_fails 0\n read_timeout 300ms',
                       workers=2)
        told = [ask_all(server, names) for _ in range(3)]
        for outcomes in told:
            assert all(outcomes[name] in (right(name), 'TC', 'SERVFAIL', 'REFUSED') for name in names)
        kept = {name for name in names if right(name) in [outcomes[name] for outcomes in told]}
        assert len(kept) > 150
        # What was kept is the truth, and stays so when nobody is there to ask.
        upstream.stop()
        assert {name: outcome(server.ask(name, tcp=True)) for name in kept} == {name: right(name) for name in kept}
        upstream.script = answer
        upstream.start()
        assert {name: outcome(server.ask(name, tcp=True)) for name in names} == {name: right(name) for name in names}


def ttl(reply):
    return reply.answer[0].ttl


def test_stale_while_the_upstream_is_gone(svcdns):
    with Upstream(answer) as upstream:
        server = start(svcdns, upstream.address, 'success 9984 1 0\n serve_stale')
        names = [f'n{number}.test.' for number in range(20)]
        for name in names:
            assert outcome(server.ask(name)) == right(name)
        upstream.stop()

        def all_are_stale():
            replies = [server.ask(name) for name in names]
            assert [outcome(reply) for reply in replies] == [right(name) for name in names]
            return all(ttl(reply) == 0 for reply in replies)

        eventually(all_are_stale)
        assert outcome(server.ask('unknown.test.')) == 'SERVFAIL'
        assert all_are_stale()
        upstream.script = answer_new
        upstream.start()
        for name in names:
            eventually(lambda: outcome(server.ask(name)) == NEW)


def test_stale_after_the_time_to_verify(svcdns):
    """The client does not wait for an upstream that keeps silent, and what that says in the end is not lost."""
    with Upstream(answer) as upstream:
        server = start(svcdns, upstream.address, 'success 9984 1 0\n serve_stale 1h verify 100ms 7s',
                       'max_fails 0\n read_timeout 10s')
        assert outcome(server.ask('www.test.')) == right('www.test.')
        upstream.script = silence

        def is_stale():
            reply = server.ask('www.test.', timeout=4)  # forward would wait for five seconds
            assert outcome(reply) == right('www.test.')
            return ttl(reply) == 7

        eventually(is_stale)
        assert is_stale() and len(upstream.queries) == 2
        upstream.script = answer_new
        answer_new(upstream.queries[-1])
        eventually(lambda: outcome(server.ask('www.test.')) == NEW)


def test_prefetch(svcdns):
    """A name that is asked for all the time is never waited for: the next answer is there before the last one ends."""
    with Upstream(answer) as upstream:
        server = start(svcdns, upstream.address, 'success 9984 2 0\n prefetch 5 1m 90%')
        assert not server.ask('www.test.').flags & dns.flags.AA

        def is_fetched_again():
            assert server.ask('www.test.').flags & dns.flags.AA
            return len(upstream.queries) > 3

        eventually(is_fetched_again)
        assert {query.transport for query in upstream.queries[1:]} == {'tcp'}


def resident(server):
    status = pathlib.Path(f'/proc/{server.process.pid}/status').read_text()
    return int(status.partition('VmRSS:')[2].split()[0]) * 1024


def test_memory_is_bounded(svcdns):
    """FLOOD=… in the environment asks for as many names."""
    octets, entries = 4 << 20, 100000
    names = os.environ.get('FLOOD', '1000000' if BUILD.name == 'release' else '200000')
    echo = subprocess.Popen([BUILD / 'tests/echo', '127.0.0.1', str(svcdns.port(2))])
    try:
        server = start(svcdns, '127.0.0.1:{PORT2}', f'success {entries}\n bytes {octets}')
        eventually(lambda: outcome(server.ask('first.test.')) == '10.96.0.1')
        before = resident(server)
        flood = subprocess.run([BUILD / 'tests/flood', str(svcdns.port()), names], capture_output=True, text=True)
        assert flood.returncode == 0, flood.stdout
        # Their octets, an index of 34 octets for each of the replies there may be, and what serving takes besides.
        assert resident(server) - before < octets + 34 * (entries + 9984) + (8 << 20)
        assert outcome(server.ask('last.test.')) == '10.96.0.1'
    finally:
        echo.kill()
        echo.wait()
