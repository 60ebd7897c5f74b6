"""forward, with upstreams that do what they should not: no wrong answer is passed on, and every query is answered."""

import collections
import hashlib
import random
import select
import socket
import time

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from server import eventually
from upstream import Upstream

WRONG = '192.0.2.66'
BUDGET = 15  # seconds: three times what a query may take, for machines that are busy


def right(name):
    """The address that is right for a name."""
    return '.'.join(['10', *(str(octet) for octet in hashlib.sha256(name.lower().encode()).digest()[:3])])


def right_reply(query):
    is_probe = query.type == 'NS'
    return query.reply() if is_probe else query.reply(right(query.name))


def answer(query):
    query.send(right_reply(query))


def silence(query):
    pass


@pytest.fixture
def upstreams():
    """Starts name servers of the test's own: upstreams(script, script, …)."""
    started = []

    def start(*scripts):
        started.extend(Upstream(script) for script in scripts)
        return started[-len(scripts):] if len(scripts) > 1 else started[-1]

    yield start
    for upstream in started:
        upstream.stop()


def start(svcdns, *upstreams, options='max_fails 0', **more):
    return svcdns(f'''
        .:{{PORT}} {{
            errors
            forward . {' '.join(upstream.address for upstream in upstreams)} {{
                {options}
            }}
        }}
    ''', **more)


def outcome(reply):
    """What a client learns: an address, or the rcode, or that there is no more to be had over UDP."""
    if reply.flags & dns.flags.TC:
        return 'TC'
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    return ' '.join(record.to_text() for rrset in reply.answer for record in rrset)


def ask(server, name='example.test.', **options):
    begun = time.monotonic()
    reply = server.ask(name, timeout=BUDGET, **options)
    assert time.monotonic() - begun < BUDGET
    assert reply.question[0].name.to_text() == name
    return outcome(reply)


def ask_all(server, names):
    """All at once, each from a port of its own: {name: outcome}. One that stays without an answer fails the test."""
    socks, outcomes, deadline = {}, {}, time.monotonic() + BUDGET
    for number, name in enumerate(names):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(('127.0.0.1', server.lab.port()))
        query = dns.message.make_query(name, 'A')
        query.id = number
        sock.send(query.to_wire())
        socks[sock.fileno()] = sock, query
    poll = select.poll()
    for number in socks:
        poll.register(number, select.POLLIN)
    while socks:
        assert time.monotonic() < deadline, f'{len(socks)} queries were not answered'
        for number, _ in poll.poll(1000):
            sock, query = socks.pop(number)
            reply = dns.message.from_wire(sock.recv(65535))
            assert query.is_response(reply)
            outcomes[query.question[0].name.to_text()] = outcome(reply)
            poll.unregister(number)
            sock.close()
    return outcomes


# Forgeries: what is no reply to the query, before the one that is.

def with_id(message, number):
    return number.to_bytes(2, 'big') + message.to_wire()[2:]


def reply_to(name, type, query, rdclass='IN'):
    """A reply to another question, with the right id."""
    other = dns.message.make_query(name, type, rdclass)
    reply = dns.message.make_response(other)
    reply.answer.append(dns.rrset.from_text(query.name, 30, 'IN', 'A', WRONG))
    reply.id = query.message.id
    return reply


def unasked(query):
    wire = query.reply(WRONG).to_wire()
    return wire[:2] + bytes([wire[2] & 0x7f]) + wire[3:]


def without_question(query):
    return with_id(query.message, query.message.id)[:2] + b'\x81\x80' + bytes(8)


def with_two_questions(query):
    reply = query.reply(WRONG)
    reply.question.append(reply.question[0])
    return reply


def noise(length):
    return random.Random(length).randbytes(length)


FORGERIES = {
    'another id': lambda query: with_id(query.reply(WRONG), query.message.id ^ 1),
    'ids all round': lambda query: [with_id(query.reply(WRONG), query.message.id ^ 1 << bit) for bit in range(16)],
    'another name': lambda query: reply_to('other.test.', 'A', query),
    'a name above': lambda query: reply_to('test.', 'A', query),
    'another type': lambda query: reply_to(query.name, 'AAAA', query),
    'another class': lambda query: reply_to(query.name, 'A', query, 'CH'),
    'the query itself': lambda query: query.wire,
    'an answer that is no reply': unasked,
    'no question': without_question,
    'two questions': with_two_questions,
    'nothing': lambda query: b'',
    'one octet': lambda query: b'x',
    'its id': lambda query: query.wire[:2],
    'not quite a header': lambda query: query.reply(WRONG).to_wire()[:11],
    'a header': lambda query: query.reply(WRONG).to_wire()[:12],
    'half a question': lambda query: query.reply(WRONG).to_wire()[:20],
    'noise': lambda query: [noise(length) for length in range(10, 600, 7)],
    'noise with its id': lambda query: [query.wire[:2] + noise(length) for length in range(10, 600, 7)],
    'much noise': lambda query: [noise(65507), query.wire[:2] + noise(65505)],
}


@pytest.mark.parametrize('kind', FORGERIES)
def test_forgeries(svcdns, upstreams, kind):
    def script(query):
        forged = FORGERIES[kind](query)
        query.send(*(forged if isinstance(forged, list) else [forged]))
        answer(query)

    upstream = upstreams(script)
    server = start(svcdns, upstream)
    for name in 'example.test.', 'a.example.test.':
        assert ask(server, name) == right(name)
    assert len(upstream.queries) == 2  # nothing had to be asked again


@pytest.mark.parametrize('source', ['127.0.0.1', '127.0.0.9'])
def test_reply_from_elsewhere(svcdns, upstreams, source):
    def script(query):
        forger.sendto(query.reply(WRONG).to_wire(), ('127.0.0.1', query.port))
        answer(query)

    upstream = upstreams(script)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.bind((source, 0 if source == '127.0.0.1' else upstream.port))
        assert ask(start(svcdns, upstream)) == right('example.test.')
    assert len(upstream.queries) == 1


def test_reply_by_the_way_of_another_query(svcdns, upstreams):
    detours = []

    def script(query):
        for other in upstream.queries:
            if other.port != query.port:
                other.send(query.reply(WRONG))
                detours.append(other)
        answer(query)

    upstream = upstreams(script)
    server = start(svcdns, upstream)
    for i in range(20):
        assert ask(server, f'n{i}.test.') == right(f'n{i}.test.')
    assert detours and len(upstream.queries) == 20


def test_reply_of_the_last_query_to_this_one(svcdns, upstreams):
    replies = []

    def script(query):
        query.send(*replies, right_reply(query))
        replies.append(query.reply(WRONG))

    server = start(svcdns, upstreams(script))
    for _ in range(20):
        assert ask(server) == right('example.test.')


# Replies that are none.

def cut(octets):
    return lambda query: right_reply(query).to_wire()[:-octets]


def count(section, number):
    def change(query):
        wire = bytearray(right_reply(query).to_wire())
        wire[4 + 2 * section:6 + 2 * section] = number.to_bytes(2, 'big')
        return bytes(wire)
    return change


def owner(octets):
    """The record's owner, which is a pointer to the question, replaced."""
    def change(query):
        wire = right_reply(query).to_wire()
        return wire[:-16] + octets + wire[-14:]
    return change


MALFORMED = {
    'cut in the address': cut(1), 'cut in the header of a record': cut(8), 'cut in the owner': cut(15),
    'an answer too many': count(1, 2), 'answers without end': count(1, 65535), 'authority that is not there': count(2, 1),
    'a pointer into nothing': owner(b'\xff\xff'), 'a pointer to itself': owner(b'\xc0\x1e'),
    'a label without end': owner(b'\x3fa'), 'an unknown kind of label': owner(b'\x80\x00'),
}


@pytest.mark.parametrize('kind', MALFORMED)
def test_malformed_replies(svcdns, upstreams, kind):
    upstream = upstreams(lambda query: query.send(MALFORMED[kind](query)))
    server = start(svcdns, upstream)
    assert ask(server) == 'SERVFAIL'
    server.wait_for(r'^\[ERROR\] plugin/errors: 2 example\.test\. A: malformed reply$')
    # Another upstream, or the same one at another time, may know better.
    upstream.queries.clear()
    upstream.script = lambda query: query.send(
        MALFORMED[kind](query) if len(upstream.queries) == 1 else right_reply(query))
    assert ask(server) == right('example.test.')


@pytest.mark.parametrize('rcode', ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'])
@pytest.mark.parametrize('tcp', [False, True])
def test_what_an_upstream_says_is_passed_on(svcdns, upstreams, rcode, tcp):
    upstream = upstreams(lambda query: query.send(query.reply(rcode=rcode)))
    assert ask(start(svcdns, upstream), tcp=tcp) == ('' if rcode == 'NOERROR' else rcode)
    assert len(upstream.queries) == 1


def test_refusal_without_its_question(svcdns, upstreams):
    upstream = upstreams(lambda query: query.send(query.wire[:2] + b'\x81\x85' + bytes(8)))
    assert ask(start(svcdns, upstream)) == 'REFUSED'


# Large replies.

def many(query):
    return query.reply(*(f'10.1.{i // 256}.{i % 256}' for i in range(1, 4001)))  # 64 KB


def test_large_replies(svcdns, upstreams):
    def script(query):
        reply = many(query)
        if query.transport == 'udp':  # a datagram has room for a little less
            reply.answer[0] = dns.rrset.from_rdata_list(query.name, 30, list(reply.answer[0])[:4000 - 100])
        query.send(reply)

    server = start(svcdns, upstreams(script))
    for payload in 512, 1232, 4096, 65535:
        reply = server.ask('example.test', use_edns=0, payload=payload)
        assert reply.flags & dns.flags.TC or payload == 65535
        assert 12 + 18 + 11 < len(reply.to_wire(max_size=65535)) <= payload
    assert len(reply.answer[0]) == 3900
    reply = server.ask('example.test', tcp=True)
    assert not reply.flags & dns.flags.TC and len(reply.answer[0]) == 4000


def truncated(query):
    if query.transport == 'tcp':
        answer(query)
        return
    reply = query.reply()
    reply.flags |= dns.flags.TC
    query.send(reply)


def test_truncated_reply(svcdns, upstreams):
    upstream = upstreams(truncated)
    server = start(svcdns, upstream)
    assert ask(server) == 'TC'
    assert ask(server, tcp=True) == right('example.test.')  # as the client does then
    assert [query.transport for query in upstream.queries] == ['udp', 'tcp']


@pytest.mark.parametrize('tcp', [False, True])
def test_truncated_reply_to_the_server_itself(svcdns, upstreams, tcp):
    upstream = upstreams(truncated)
    assert ask(start(svcdns, upstream, options='prefer_udp\n max_fails 0'), tcp=tcp) == right('example.test.')
    assert [query.transport for query in upstream.queries] == ['udp', 'tcp']


# Replies that are late, or do not come.

def test_late_reply(svcdns, upstreams):
    def script(query):
        if len(upstream.queries) == 1:
            query.later(0.7, query.reply(WRONG))  # when it has been asked again, and is about to answer
        elif len(upstream.queries) == 2:
            query.later(0.4, right_reply(query))
        else:
            answer(query)

    upstream = upstreams(script)
    server = start(svcdns, upstream, options='read_timeout 500ms\n max_connect_attempts 5\n max_fails 0')
    assert ask(server) == right('example.test.')
    assert len(upstream.queries) > 1


def test_silent_upstream(svcdns, upstreams):
    silent, next_one = upstreams(silence, answer)
    server = start(svcdns, silent, next_one, options='policy sequential\n read_timeout 500ms\n max_fails 0')
    names = [f'n{i}.test.' for i in range(50)]
    assert ask_all(server, names) == {name: right(name) for name in names}
    assert len(silent.queries) == len(next_one.queries) == 50


def test_upstream_that_is_not_there(svcdns, upstreams):
    absent, next_one = upstreams(answer, answer)
    absent.stop()
    # What is not told at once is not told in time.
    server = start(svcdns, absent, next_one, options='policy sequential\n read_timeout 1h\n max_fails 0')
    for j in range(10):
        names = [f'n{i}-{j}.test.' for i in range(50)]
        assert ask_all(server, names) == {name: right(name) for name in names}
    assert ask(server, tcp=True) == right('example.test.')


@pytest.mark.parametrize('tcp', [False, True])
def test_no_upstream_is_there(svcdns, upstreams, tcp):
    absent = upstreams(answer, answer)
    for upstream in absent:
        upstream.stop()
    server = start(svcdns, *absent, options='')
    for i in range(5):  # before and after they are known to be down
        assert ask(server, f'n{i}.test.', tcp=tcp) == 'SERVFAIL'
    what = r'dial tcp 127\.0\.0\.1:\d+: connect' if tcp else r'read udp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: read'
    server.wait_for(rf'^\[ERROR\] plugin/errors: 2 n0\.test\. A: {what}: connection refused$')


def test_no_upstream_is_there_over_tcp_again(svcdns, upstreams):
    """The connection that is tried next often gets the descriptor of the one that was refused."""
    absent = upstreams(answer)
    absent.stop()
    server = start(svcdns, absent, options='', env={'GOMAXPROCS': '1'})
    for name in ('n0.test.', 'n1.test.', 'n2.test.'):
        assert ask(server, name, tcp=True) == 'SERVFAIL'
        server.wait_for(rf' 2 {name} A: dial tcp 127\.0\.0\.1:\d+: connect: connection refused$')


def test_upstream_out_of_reach(svcdns, upstreams, room):
    svcdns.room = room                                # its network has no way to other addresses
    server = svcdns('''
        .:{PORT} {
            errors
            forward . 203.0.113.1 {
                force_tcp
            }
        }
    ''')
    room.run('dig', '@127.0.0.1', '-p', svcdns.port(), '+tries=1', 'a.test')
    server.wait_for(r'^\[ERROR\] plugin/errors: 2 a\.test\. A: dial tcp 203\.0\.113\.1:53: connect: network is unreachable$')


def test_no_upstream_answers(svcdns, upstreams):
    server = start(svcdns, *upstreams(silence, silence), options='')
    names = [f'n{i}.test.' for i in range(100)]
    assert ask_all(server, names) == {name: 'SERVFAIL' for name in names}
    server.wait_for(r'^\[ERROR\] plugin/errors: 2 n0\.test\. A: read udp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i/o timeout$')


def test_no_upstream_answers_over_tcp(svcdns, upstreams):
    server = start(svcdns, upstreams(silence), options='')
    assert ask(server, 'n0.test.', tcp=True) == 'SERVFAIL'
    server.wait_for(r'^\[ERROR\] plugin/errors: 2 n0\.test\. A: read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i/o timeout$')


def test_lossy_way(svcdns, upstreams):
    """Of ten queries three are lost, and of these again three of ten when they are repeated."""
    seen = collections.Counter()

    def script(query):
        number = int(query.name.partition('.')[0])
        seen[number] += 1
        lost = 2 if number % 10 == 0 and number // 10 % 10 < 9 else 1 if number % 10 < 3 else 0
        if seen[number] > lost:
            answer(query)

    server = start(svcdns, upstreams(script), options='read_timeout 1500ms\n max_fails 0')
    names = [f'{number}.test.' for number in range(200)]
    outcomes = ask_all(server, names)
    failed = [name for name in names if outcomes[name] == 'SERVFAIL']
    assert failed == [f'{number}.test.' for number in range(0, 200, 10) if number // 10 % 10 < 9]  # CoreDNS tries twice
    assert all(outcomes[name] == right(name) for name in names if name not in failed)


def test_upstream_that_goes_and_comes_back(svcdns, upstreams):
    upstream = upstreams(answer)
    server = start(svcdns, upstream, options='')
    for number in range(3):
        for tcp in False, True:
            eventually(lambda: ask(server, f'n{number}.test.', tcp=tcp) == right(f'n{number}.test.'))
        upstream.stop()
        for tcp in False, True:
            assert ask(server, tcp=tcp) == 'SERVFAIL'
        upstream.start()


def test_too_many_at_a_time(svcdns, upstreams):
    upstream = upstreams(silence)
    server = start(svcdns, upstream, options='max_concurrent 10\n max_fails 0')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(BUDGET)
        client.connect(('127.0.0.1', svcdns.port()))
        for i in range(10):
            client.send(dns.message.make_query(f'n{i}.test.', 'A').to_wire())
        eventually(lambda: len(upstream.queries) == 10)
        for tcp in False, True:
            assert ask(server, 'one-more.test.', tcp=tcp) == 'REFUSED'
        server.wait_for(r'^\[ERROR\] plugin/errors: 5 one-more\.test\. A: concurrent queries exceeded maximum 10$')
        for query in list(upstream.queries):
            answer(query)
        replies = [dns.message.from_wire(client.recv(512)) for _ in range(10)]
    assert {reply.question[0].name.to_text(): outcome(reply) for reply in replies} == {
        f'n{i}.test.': right(f'n{i}.test.') for i in range(10)}
    upstream.script = answer
    assert ask(server, 'one-more.test.') == right('one-more.test.')
    assert [query.name for query in upstream.queries][10:] == ['one-more.test.']


# What somebody who guesses has against him.

@pytest.mark.parametrize('at_once', [False, True])
def test_ids_and_ports_are_spread(svcdns, upstreams, at_once):
    upstream = upstreams(answer)
    server = start(svcdns, upstream, env={'GOMAXPROCS': '1'})
    names = [f'n{i}.test.' for i in range(500)]
    if at_once:
        ask_all(server, names)
    else:
        for name in names:
            ask(server, name)
    ids = [query.message.id for query in upstream.queries]
    ports = collections.Counter(query.port for query in upstream.queries)
    assert len(ids) == 500
    # 500 of 65536 by chance: two doubles are to be expected, twenty are as good as impossible.
    assert len(set(ids)) > 480
    for bit in range(16):  # is set in half of them; 100 more or less is nine standard deviations
        assert 150 < sum(number >> bit & 1 for number in ids) < 350
    assert len({later - earlier for earlier, later in zip(ids, ids[1:])}) > 450
    # At least four, none of them with more than half of the queries: one in four by chance.
    assert len(ports) >= 4 and max(ports.values()) < 250


def test_the_same_is_asked_with_another_id(svcdns, upstreams):
    upstream = upstreams(silence)
    server = start(svcdns, upstream, options='read_timeout 50ms\n max_connect_attempts 20\n max_fails 0')
    assert ask(server) == 'SERVFAIL'
    assert len(upstream.queries) == 20
    assert len({query.message.id for query in upstream.queries}) > 15


# TCP.

def test_tcp_goes_over_tcp(svcdns, upstreams):
    upstream = upstreams(answer)
    server = start(svcdns, upstream)
    assert ask(server, 'a.test.', tcp=True) == right('a.test.')
    assert ask(server, 'b.test.') == right('b.test.')
    assert ask(server, 'c.test.', tcp=True) == right('c.test.')
    assert [query.transport for query in upstream.queries] == ['tcp', 'udp', 'tcp']


def test_force_tcp(svcdns, upstreams):
    upstream = upstreams(answer)
    server = start(svcdns, upstream, options='force_tcp\n max_fails 0')
    names = [f'n{i}.test.' for i in range(100)]
    assert ask_all(server, names) == {name: right(name) for name in names}
    assert {query.transport for query in upstream.queries} == {'tcp'}


def test_replies_over_tcp_in_another_order(svcdns, upstreams):
    def script(query):
        if len(upstream.queries) == 20:
            for each in reversed(upstream.queries):
                answer(each)

    upstream = upstreams(script)
    server = start(svcdns, upstream)
    names = [f'n{i}.test.' for i in range(20)]
    with server.connect() as sock:
        server.send(sock, *(dns.message.make_query(name, 'A') for name in names))
        replies = [server.receive(sock) for _ in names]
    assert {reply.question[0].name.to_text(): outcome(reply) for reply in replies} == {name: right(name) for name in names}


TCP_TROUBLE = {
    'closes': lambda query: query.close(),
    'closes within a length': lambda query: (query.stream.sendall(b'\0'), query.close()),
    'closes within a reply': lambda query: (query.stream.sendall(b'\0\x40' + query.wire[:20]), query.close()),
    'another id': lambda query: query.send(with_id(query.reply(WRONG), query.message.id ^ 1)),
    'another name': lambda query: query.send(reply_to('other.test.', 'A', query)),
    'another type': lambda query: query.send(reply_to(query.name, 'AAAA', query)),
    'nothing': lambda query: query.send(b''),
    'one octet': lambda query: query.send(b'x'),
    'a header': lambda query: query.send(query.reply(WRONG).to_wire()[:12]),
    'noise': lambda query: query.send(noise(600)),
    'noise with its id': lambda query: query.send(query.wire[:2] + noise(600)),
    'much noise': lambda query: query.send(noise(65535)),
    'cut in a record': lambda query: query.send(query.reply(WRONG).to_wire()[:-1]),
}


@pytest.mark.parametrize('kind', TCP_TROUBLE)
def test_trouble_over_tcp(svcdns, upstreams, kind):
    def script(query):
        if len(upstream.queries) == 1:
            TCP_TROUBLE[kind](query)
        if len(upstream.queries) > 1 or not kind.startswith('closes'):
            answer(query)

    upstream = upstreams(script)
    server = start(svcdns, upstream, options='read_timeout 500ms\n max_connect_attempts 4\n max_fails 0')
    assert ask(server, tcp=True) == right('example.test.')
    assert ask(server, 'other.test.', tcp=True) == right('other.test.')


# Everything at once.

def test_an_upstream_that_cannot_be_relied_on(svcdns, upstreams):
    chance = random.Random(1)

    def script(query):
        kind = chance.choice(['right', 'forged', 'malformed', 'silent', 'late', 'truncated', 'servfail', 'noise'])
        if query.type == 'NS':  # a probe
            kind = chance.choice(['right', 'silent'])
        if kind == 'forged':
            query.send(FORGERIES[chance.choice(['another id', 'another name', 'another type', 'two questions'])](query))
        if kind == 'malformed':
            query.send(MALFORMED[chance.choice(list(MALFORMED))](query))
        elif kind == 'truncated':
            truncated(query)
        elif kind == 'servfail':
            query.send(query.reply(rcode='SERVFAIL'))
        elif kind == 'late':
            query.later(0.5, right_reply(query))
        elif kind == 'noise':
            query.send(noise(chance.randrange(600)))
            if query.transport == 'tcp':
                query.close()
        elif kind != 'silent':
            answer(query)

    server = start(svcdns, *upstreams(script, script), options='read_timeout 300ms\n prefer_udp')
    outcomes = collections.Counter()
    for names in [[f'n{i}-{j}.test.' for i in range(100)] for j in range(3)]:
        for name, found in ask_all(server, names).items():
            assert found in (right(name), 'SERVFAIL')
            outcomes[found == right(name)] += 1
    assert outcomes[True] > 100
