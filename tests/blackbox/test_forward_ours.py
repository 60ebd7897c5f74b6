"""What forward can do beyond CoreDNS: letters in random case, a second server asked after a while, the fastest first."""

import collections
import socket
import time

import dns.message
import dns.rcode

from upstream import Upstream

COREFILE = '''
    .:{{PORT}} {{
        forward . {to} {{
            {properties}
        }}
    }}
'''


def answer(data):
    return lambda query: query.send(query.reply(data))


def start(svcdns, properties, *upstreams):
    return svcdns(COREFILE.format(to=' '.join(u.address for u in upstreams), properties=properties),
                  env={'GOMAXPROCS': '1'})


def address(reply):
    return reply.answer[0][0].to_text()


class TestRandomCase:
    def test_queries_differ_and_clients_get_their_own(self, svcdns):
        with Upstream(answer('10.0.0.1')) as upstream:
            server = start(svcdns, 'random_case', upstream)
            for _ in range(8):
                reply = server.ask('Www.Example.Org')
                assert reply.question[0].name.to_text() == 'Www.Example.Org.'
                assert reply.answer[0].name.to_text() == 'Www.Example.Org.'
            names = [query.name for query in upstream.queries]
            assert {name.lower() for name in names} == {'www.example.org.'}
            assert len(set(names)) > 1  # 13 letters: that all were alike by chance cannot happen

    def test_a_reply_in_another_case_is_ignored(self, svcdns):
        def script(query):
            forged = query.reply('10.6.6.6').to_wire().replace(query.message.question[0].name.to_wire(),
                                                               b'\3www\7example\3org\0')
            query.send(forged, query.reply('10.0.0.1'))

        with Upstream(script) as upstream:
            server = start(svcdns, 'random_case', upstream)
            for _ in range(8):
                assert address(server.ask('www.example.org')) == '10.0.0.1'

    def test_a_retry_is_mixed_anew_and_the_case_comes_back(self, svcdns):
        tries = collections.Counter()

        def script(query):
            tries[query.name.lower()] += 1
            if tries[query.name.lower()] == 2:
                query.send(query.reply('10.0.0.1'))

        with Upstream(script) as upstream:
            server = start(svcdns, 'random_case\nread_timeout 100ms', upstream)
            reply = server.ask('Some.Long.Name.Of.Many.Letters.Example.Org')
            assert reply.answer[0].name.to_text() == 'Some.Long.Name.Of.Many.Letters.Example.Org.'
            assert len({query.name for query in upstream.queries if query.type == 'A'}) == 2


class TestHedge:
    def test_the_second_server_answers_for_a_slow_first(self, svcdns):
        with Upstream(lambda query: None) as slow, Upstream(answer('10.0.0.2')) as quick:
            server = start(svcdns, 'policy sequential\nhedge 50ms\nread_timeout 5s\nmax_fails 0', slow, quick)
            begun = time.monotonic()
            assert address(server.ask('www.example.org')) == '10.0.0.2'
            assert time.monotonic() - begun < 4  # not the time-out of the first
            assert len(slow.queries) == 1 and len(quick.queries) == 1

    def test_the_first_may_still_win(self, svcdns):
        with Upstream(lambda query: query.later(0.2, query.reply('10.0.0.1'))) as first, Upstream(lambda query: None) as second:
            server = start(svcdns, 'policy sequential\nhedge 50ms\nmax_fails 0', first, second)
            assert address(server.ask('www.example.org')) == '10.0.0.1'
            assert len(second.queries) == 1

    def test_a_late_answer_of_the_loser_is_not_taken_for_another(self, svcdns):
        with Upstream(lambda query: query.later(0.2, query.reply('10.6.6.6'))) as slow, Upstream(answer('10.0.0.2')) as quick:
            server = start(svcdns, 'policy sequential\nhedge 50ms\nmax_fails 0', slow, quick)
            for i in range(10):
                assert address(server.ask(f'host-{i}.example.org')) == '10.0.0.2'

    def test_both_silent(self, svcdns):
        with Upstream(lambda query: None) as one, Upstream(lambda query: None) as other:
            server = start(svcdns, 'policy sequential\nhedge 50ms\nread_timeout 200ms\nmax_fails 0\nmax_connect_attempts 2', one, other)
            assert server.ask('www.example.org').rcode() == dns.rcode.SERVFAIL
            assert len(one.queries) + len(other.queries) >= 3

    def test_nobody_listens_at_the_first(self, svcdns):
        with Upstream(answer('10.0.0.2')) as quick:
            gone = Upstream(answer('10.0.0.1'))
            gone.stop()
            server = start(svcdns, 'policy sequential\nhedge 1s\nmax_fails 0', gone, quick)
            for i in range(10):
                assert address(server.ask(f'host-{i}.example.org')) == '10.0.0.2'

    def test_one_server_alone_is_not_hedged(self, svcdns):
        with Upstream(lambda query: query.later(0.2, query.reply('10.0.0.1'))) as only:
            server = start(svcdns, 'hedge 20ms', only)
            assert address(server.ask('www.example.org')) == '10.0.0.1'
            assert len(only.queries) == 1


class TestFastest:
    def test_most_queries_go_to_the_fastest(self, svcdns):
        with Upstream(lambda query: query.later(0.1, query.reply('10.0.0.1'))) as slow, Upstream(answer('10.0.0.2')) as quick:
            server = start(svcdns, 'policy fastest', slow, quick)
            for i in range(60):
                server.ask(f'host-{i}.example.org')
            assert len(slow.queries) + len(quick.queries) == 60
            assert len(quick.queries) > 40  # one in 64 goes to the slow one after the first

    def test_a_silent_one_is_not_the_fastest(self, svcdns):
        with Upstream(lambda query: None) as silent, Upstream(answer('10.0.0.2')) as quick:
            server = start(svcdns, 'policy fastest\nread_timeout 100ms\nmax_fails 0', silent, quick)
            for i in range(60):
                assert address(server.ask(f'host-{i}.example.org')) == '10.0.0.2'
            assert len(silent.queries) < 20


def test_probes_become_rarer_but_a_server_that_is_back_is_used(svcdns):
    with Upstream(answer('10.0.0.2')) as other:
        gone = Upstream(answer('10.0.0.1'))
        gone.stop()
        server = start(svcdns, 'policy sequential\nhealth_check 20ms\nmax_fails 1', gone, other)
        assert address(server.ask('www.example.org')) == '10.0.0.2'
        gone.start()
        deadline = time.monotonic() + 20
        while address(server.ask('www.example.org')) != '10.0.0.1':
            assert time.monotonic() < deadline
            time.sleep(0.05)
        gone.stop()


def ask_at_once(server, names):
    """The addresses that came, by name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(('127.0.0.1', server.lab.port()))
        for name in names:
            sock.send(dns.message.make_query(name, 'A').to_wire())
        replies = [dns.message.from_wire(sock.recv(512)) for _ in names]
    return {reply.question[0].name.to_text(): address(reply) for reply in replies}


class TestOutOfDescriptors:
    def test_sockets_that_are_open_carry_on(self, svcdns):
        with Upstream(lambda query: query.later(0.3, query.reply('10.0.0.1'))) as upstream:
            server = start(svcdns, 'max_fails 0', upstream)
            assert address(server.ask('www.example.org')) == '10.0.0.1'
            with server.descriptors(0):
                answered = ask_at_once(server, [f'host-{i}.example.org' for i in range(200)])
            assert set(answered.values()) == {'10.0.0.1'} and len(answered) == 200

    def test_without_one_it_says_so_and_recovers(self, svcdns):
        with Upstream(answer('10.0.0.1')) as upstream:
            server = start(svcdns, 'max_fails 0', upstream)
            with server.descriptors(0):
                assert server.ask('www.example.org').rcode() == dns.rcode.SERVFAIL
            assert address(server.ask('www.example.org')) == '10.0.0.1'
