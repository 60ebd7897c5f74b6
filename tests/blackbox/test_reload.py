"""A Corefile that changes: by SIGUSR1 and by the reload plugin; what is lost meanwhile, and what survives."""

import os
import re
import signal
import socket
import sys
import threading
import time

import dns.message
import dns.rcode
import pytest

from server import ROOT, eventually
from upstream import Upstream

sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from fake_apiserver import FakeApi  # noqa: E402

@pytest.fixture
def api():
    server = FakeApi()
    yield server
    server.close()


CHAOS = '''
    .:{PORT} {
        chaos "one"
        health 127.0.0.1:{PORT2}
        ready 127.0.0.1:{PORT3}
        prometheus 127.0.0.1:{PORT4}
        whoami
    }
'''


def version(server, port=None):
    return server.ask('version.bind', 'TXT', rdclass='CH', port=port).answer[0][0].strings[0].decode()


def rewrite(svcdns, corefile):
    """As a careful editor does: never half of it can be read."""
    svcdns.write(corefile, None)


def count(server, line):
    return sum(line == x for x in server.lines)


def reload(server, result='Reloading complete'):
    """Sends SIGUSR1 and waits until it has come to something."""
    before = sum(result in (x or '') for x in server.lines)
    server.signal(signal.SIGUSR1)
    eventually(lambda: sum(result in (x or '') for x in server.lines) > before)


class TestSignal:
    def test_a_changed_file(self, svcdns):
        server = svcdns(CHAOS)
        assert version(server) == 'one'
        rewrite(svcdns, CHAOS.replace('one', 'two'))
        reload(server)
        assert version(server) == 'two'
        assert server.lines[-3:] == ['[INFO] SIGUSR1: Reloading', '[INFO] Reloading', '[INFO] Reloading complete']
        assert [server.fetch(path, port)[0] for path, port in (('/health', 2), ('/ready', 3), ('/metrics', 4))] == [200] * 3

    @pytest.mark.parametrize('broken, message', [
        ('nosuchplugin', "{DIR}/Corefile:8 - Error during parsing: Unknown directive 'nosuchplugin'"),
        ('forward .', "plugin/forward: {DIR}/Corefile:8 - Error during parsing: Wrong argument count"),
        ('whoami {', '{DIR}/Corefile:9 - Syntax error: '),
    ])
    def test_a_bad_file_changes_nothing(self, svcdns, broken, message):
        server = svcdns(CHAOS)
        rewrite(svcdns, CHAOS.replace('"one"', '"two"').replace('whoami', f'whoami\n        {broken}'))
        reload(server, 'SIGUSR1: starting with')
        assert version(server) == 'one'
        restart = server.wait_for(r'^\[ERROR\] Restart failed: ')
        assert svcdns.fill_in(message) in restart
        assert f'[ERROR] SIGUSR1: starting with listener file descriptors: {restart.split(": ", 1)[1]}' in server.lines
        assert [server.fetch(path, port)[0] for path, port in (('/health', 2), ('/ready', 3), ('/metrics', 4))] == [200] * 3
        rewrite(svcdns, CHAOS.replace('one', 'three'))
        reload(server)
        assert version(server) == 'three'

    def test_the_file_is_gone(self, svcdns):
        server = svcdns(CHAOS)
        (svcdns.folder / 'Corefile').unlink()
        reload(server, 'loading updated Caddyfile')
        assert version(server) == 'one'
        assert server.lines[-2:] == [
            '[INFO] SIGUSR1: Reloading', svcdns.fill_in(
                '[ERROR] SIGUSR1: loading updated Caddyfile: open {DIR}/Corefile: no such file or directory')]

    def test_other_ports(self, svcdns):
        server = svcdns(CHAOS)
        rewrite(svcdns, CHAOS.replace('{PORT}', '{PORT5}').replace('{PORT2}', '{PORT6}').replace('{PORT4}', '{PORT7}'))
        reload(server)
        assert version(server, svcdns.port(5)) == 'one'
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        assert server.fetch('/health', 6)[0] == server.fetch('/metrics', 7)[0] == 200
        assert server.fetch('/health', 2)[0] is server.fetch('/metrics', 4)[0] is None

    def test_a_port_that_is_taken(self, svcdns):
        server = svcdns(CHAOS)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            rewrite(svcdns, CHAOS.replace('.:{PORT} {', f'.:{port} {{\n        bind 127.0.0.1').replace('{PORT2}', '{PORT6}'))
            reload(server, 'SIGUSR1: starting with')
        assert f'[ERROR] Restart failed: Listen: listen tcp 127.0.0.1:{port}: bind: address already in use' in server.lines
        assert version(server) == 'one'
        assert server.fetch('/health', 2)[0] == 200
        assert server.fetch('/health', 6)[0] is None

    def test_an_empty_file_is_the_default_configuration(self, svcdns):
        server = svcdns(CHAOS, '-dns.port', '{PORT5}')
        (svcdns.folder / 'Corefile').write_text('')
        reload(server)
        assert server.ask('whoami.test', port=svcdns.port(5)).rcode() == dns.rcode.NOERROR
        assert server.fetch('/health', 2)[0] is None

    def test_each_signal_is_obeyed(self, svcdns):
        server = svcdns(CHAOS)
        for _ in range(3):
            reload(server)
        assert count(server, '[INFO] Reloading complete') == 3

    def test_zones_that_go_are_forgotten_but_their_counters(self, svcdns):
        server = svcdns(CHAOS + 'old.test:{PORT} {\n prometheus 127.0.0.1:{PORT4}\n whoami\n}\n')
        server.ask('www.old.test')
        enabled = 'coredns_plugin_enabled{name="whoami",server="dns://:{PORT}",view="",zone="old.test."} 1'
        counted = 'zone="old.test."} 1'
        assert svcdns.fill_in(enabled.replace('{PORT}', str(svcdns.port()))) in server.fetch('/metrics', 4)[2]
        rewrite(svcdns, CHAOS)
        reload(server)
        page = server.fetch('/metrics', 4)[2]
        assert enabled.replace('{PORT}', str(svcdns.port())) not in page
        assert any(line.startswith('coredns_dns_requests_total') and line.endswith(counted) for line in page.splitlines())


FOLLOWED = '''
    .:{PORT} {
        reload 2s 0s
        chaos "one"
        prometheus 127.0.0.1:{PORT2}
        import {DIR}/extra
        whoami
    }
'''


class TestPlugin:
    def start(self, svcdns):
        return svcdns(FOLLOWED, files={'extra': 'minimal\n'})

    def test_a_change_is_noticed(self, svcdns):
        server = self.start(svcdns)
        first = server.wait_for(r'^\[INFO\] plugin/reload: Running configuration SHA512 = [0-9a-f]{128}$')
        rewrite(svcdns, FOLLOWED.replace('one', 'two'))
        server.wait_for('Reloading complete')
        assert version(server) == 'two'
        eventually(lambda: server.lines[-1].startswith('[INFO] plugin/reload: Running'))
        assert server.lines[-1] != first
        digest = server.lines[-1].split()[-1]
        page = server.fetch('/metrics')[2]
        assert f'coredns_reload_version_info{{hash="sha512",value="{digest}"}} 1' in page
        assert first.split()[-1] not in page
        assert '\ncoredns_reload_failed_total 0\n' in page

    def test_an_import_is_noticed_and_a_comment_is_not(self, svcdns):
        server = self.start(svcdns)
        rewrite(svcdns, FOLLOWED + '# nothing\n')
        time.sleep(2.5)  # longer than the interval
        assert not count(server, '[INFO] Reloading')
        (svcdns.folder / 'extra').write_text('minimal\nerrors\n')
        server.wait_for('Reloading complete')

    def test_a_broken_file_is_tried_once(self, svcdns):
        server = self.start(svcdns)
        rewrite(svcdns, FOLLOWED.replace('whoami', 'nosuchplugin'))
        server.wait_for(r'^\[ERROR\] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: '
                        r".*Unknown directive 'nosuchplugin'$")
        time.sleep(2.5)  # longer than the interval
        assert count(server, '[INFO] Reloading') == 1
        assert '\ncoredns_reload_failed_total 1\n' in server.fetch('/metrics')[2]
        assert version(server) == 'one'
        rewrite(svcdns, FOLLOWED.replace('one', 'two'))
        server.wait_for('Reloading complete')
        assert version(server) == 'two'

    def test_what_cannot_be_parsed_is_no_change(self, svcdns):
        server = self.start(svcdns)
        (svcdns.folder / 'extra').write_text('minimal {\n')
        server.wait_for(r'^\[WARNING\] plugin/reload: Corefile parse failed: .*Syntax error')
        assert not count(server, '[INFO] Reloading')
        (svcdns.folder / 'Corefile').unlink()
        (svcdns.folder / 'extra').write_text('minimal\n')
        before = len(server.lines)
        time.sleep(2.5)
        assert len(server.lines) == before, 'a file that is not there is not worth a word'
        rewrite(svcdns, FOLLOWED.replace('one', 'two'))
        server.wait_for('Reloading complete')

    def test_a_folder_that_is_exchanged(self, svcdns):
        """As a kubelet does it with a ConfigMap: Corefile -> ..data/Corefile, ..data -> a folder by date."""
        folders = [svcdns.folder / name for name in ('first', 'second')]
        for folder, word in zip(folders, ('one', 'two')):
            folder.mkdir()
            (folder / 'Corefile').write_text(svcdns.fill_in(FOLLOWED.replace('one', word)))
        (svcdns.folder / 'data').symlink_to(folders[0])
        (svcdns.folder / 'extra').write_text('minimal\n')
        server = svcdns(None, '-conf', '{DIR}/data/Corefile')
        assert version(server) == 'one'
        (svcdns.folder / 'data.new').symlink_to(folders[1])
        os.replace(svcdns.folder / 'data.new', svcdns.folder / 'data')
        server.wait_for('Reloading complete')
        assert version(server) == 'two'

    def test_it_goes_on_after_a_signal(self, svcdns):
        server = self.start(svcdns)
        reload(server)
        rewrite(svcdns, FOLLOWED.replace('one', 'two'))
        eventually(lambda: count(server, '[INFO] Reloading complete') == 2)
        assert version(server) == 'two'

    def test_it_ends_with_the_directive(self, svcdns):
        server = self.start(svcdns)
        rewrite(svcdns, FOLLOWED.replace('reload 2s 0s', ''))
        server.wait_for('Reloading complete')
        rewrite(svcdns, FOLLOWED.replace('reload 2s 0s', '').replace('one', 'two'))
        time.sleep(2.5)
        assert version(server) == 'one'


class TestLosesNothing:
    def test_queries_and_connections_under_way(self, svcdns):
        with Upstream(lambda query: query.later(0.5, query.reply('10.0.0.1'))) as upstream:
            corefile = f'.:{{PORT}} {{\n forward . 127.0.0.1:{upstream.port}\n}}\n'
            server = svcdns(corefile)
            with server.connect() as open_before, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.settimeout(10)
                udp.connect(('127.0.0.1', svcdns.port()))
                udp.send(dns.message.make_query('a.test', 'A').to_wire())
                server.send(open_before, dns.message.make_query('b.test', 'A'))
                eventually(lambda: len(upstream.queries) == 2)
                rewrite(svcdns, corefile.replace('forward', 'minimal\n forward'))
                reload(server)
                assert dns.message.from_wire(udp.recv(512)).answer[0][0].address == '10.0.0.1'
                assert server.receive(open_before).answer[0][0].address == '10.0.0.1'
                server.send(open_before, dns.message.make_query('c.test', 'A'))
                assert server.receive(open_before).answer[0][0].address == '10.0.0.1'

    def test_a_cache_that_stays_is_on_the_page_at_once(self, svcdns):
        with Upstream(lambda query: query.send(query.reply('10.0.0.1'))) as upstream:
            corefile = f'''
                .:{{PORT}} {{
                    prometheus 127.0.0.1:{{PORT4}}
                    cache
                    forward . {upstream.address}
                }}
            '''
            server = svcdns(corefile)
            server.ask('a.test')
            rewrite(svcdns, corefile.replace('prometheus', 'errors\n prometheus'))
            reload(server)
            page = server.fetch('/metrics', 4)[2]
            assert re.search(r'^coredns_cache_entries\{.*type="success".*\} 1$', page, re.MULTILINE)

    def test_a_hundred_reloads_under_load(self, svcdns):
        """A client that counts: whatever it asks over UDP and TCP while the Corefile changes a hundred times is answered."""
        server = svcdns(CHAOS)
        stop = threading.Event()
        asked, lost = [0, 0], []

        def ask(number, exchange):
            while not stop.is_set():
                try:
                    exchange()
                except (OSError, dns.exception.Timeout, AssertionError) as reason:
                    lost.append(repr(reason))
                asked[number] += 1

        with server.connect() as tcp:
            def over_tcp():
                server.send(tcp, dns.message.make_query('a.test', 'A'))
                assert server.receive(tcp).rcode() == dns.rcode.NOERROR

            threads = [threading.Thread(target=ask, args=(0, lambda: server.ask('a.test', timeout=10))),
                       threading.Thread(target=ask, args=(1, over_tcp))]
            for thread in threads:
                thread.start()
            for i in range(100):
                rewrite(svcdns, CHAOS.replace('one', str(i)))
                reload(server)
            stop.set()
            for thread in threads:
                thread.join()
        assert not lost and min(asked) > 100, (lost, asked)
        assert version(server) == '99'


class TestValidate:
    def test_a_good_file(self, svcdns):
        assert svcdns.refused(CHAOS, '-validate') == (0, '', 'Corefile is valid\n')

    def test_a_bad_file(self, svcdns):
        code, errors, out = svcdns.refused('.:{PORT} {\n forward .\n}\n', '-validate')
        assert code == 1 and not out
        assert errors.startswith('plugin/forward: ' + svcdns.fill_in('{DIR}/Corefile:2 - '))

    def test_nothing_is_opened(self, svcdns):
        svcdns(CHAOS)  # it holds the ports
        assert svcdns.refused(CHAOS, '-validate')[0] == 0


class TestSurvives:
    """What is as it was before keeps what it knows."""

    FORWARDED = '''
        .:{PORT} {
            chaos "one"
            prometheus 127.0.0.1:{PORT2}
            cache 3600
            forward . 127.0.0.1:UP {
                force_tcp
            }
        }
    '''

    def start(self, svcdns, upstream):
        corefile = self.FORWARDED.replace('UP', str(upstream.port))
        return corefile, svcdns(corefile)

    def test_the_cache_and_connections_to_upstreams(self, svcdns):
        with Upstream(lambda query: query.send(query.reply('10.0.0.1', ttl=3600))) as upstream:
            corefile, server = self.start(svcdns, upstream)
            for i in range(20):  # on whichever worker
                server.ask(f'{i}.test')
            ports = {query.port for query in upstream.queries}
            rewrite(svcdns, corefile.replace('one', 'two'))
            reload(server)
            assert version(server) == 'two'
            for i in range(20):
                assert server.ask(f'{i}.test').answer[0][0].address == '10.0.0.1'
            assert len(upstream.queries) == 20, 'the cache had them all'
            for i in range(20):
                server.ask(f'more-{i}.test')
            assert {query.port for query in upstream.queries} == ports
            assert 'coredns_cache_entries{server="dns://:%d",type="success",view="",zones="."} 40' % svcdns.port() in \
                server.fetch('/metrics')[2]

    def test_not_the_cache_of_other_upstreams(self, svcdns):
        with Upstream(lambda query: query.send(query.reply('10.0.0.1', ttl=3600))) as one, \
                Upstream(lambda query: query.send(query.reply('10.0.0.2', ttl=3600))) as other:
            corefile, server = self.start(svcdns, one)
            assert server.ask('a.test').answer[0][0].address == '10.0.0.1'
            rewrite(svcdns, corefile.replace(str(one.port), str(other.port)))
            reload(server)
            assert server.ask('a.test').answer[0][0].address == '10.0.0.2'

    def test_the_service_table(self, svcdns):
        """Read once: a table that has changed on disk is noticed by its own watch, not by the reload."""
        table = 'kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.7}\n---\n' \
                'kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n'
        corefile = '''
            .:{PORT} {
                prometheus 127.0.0.1:{PORT2}
                kubernetes cluster.local {
                    table {DIR}/table.yaml
                    ttl 7
                }
            }
        '''
        server = svcdns(corefile, files={'table.yaml': table})
        reads = server.fetch('/metrics')[2].split('svcdns_kubernetes_table_reads_total ')[1].split('\n')[0]
        for ttl in (8, 9):
            rewrite(svcdns, corefile.replace('ttl 7', f'ttl {ttl}'))
            reload(server)
            answer = server.ask('web.shop.svc.cluster.local').answer[0]
            assert (answer[0].address, answer.ttl) == ('10.96.0.7', ttl)
        assert f'svcdns_kubernetes_table_reads_total {reads}\n' in server.fetch('/metrics')[2]
        rewrite(svcdns, corefile.replace('table {DIR}', 'namespaces shop\n                table {DIR}'))
        reload(server)
        assert server.ask('web.shop.svc.cluster.local').answer[0][0].address == '10.96.0.7'

    def test_the_connection_to_the_api_server(self, svcdns, api):
        corefile = f'''
            .:{{PORT}} {{
                chaos "one"
                kubernetes cluster.local {{
                    endpoint {api.url}
                }}
            }}
        '''
        server = svcdns(corefile)
        seen = len(api.requests)
        rewrite(svcdns, corefile.replace('one', 'two'))
        reload(server)
        assert version(server) == 'two'
        assert len(api.requests) == seen, 'nothing is listed again'


class TestAddressesOfTheirOwn:
    """A server block without `bind` has sockets for single addresses, too: not for those that another block binds."""
    EVERYWHERE = '.:{PORT} {\n whoami\n}\n'
    BOUND = 'bound.test:{PORT} {\n bind 127.0.0.1\n whoami\n}\n'

    @staticmethod
    def rcodes(server, name, to='127.0.0.1'):
        # Each from another port, and so by another socket.
        return {server.ask(name, to=to, tcp=tcp).rcode() for tcp in (False, True) for _ in range(32)}

    def check(self, server):
        assert self.rcodes(server, 'bound.test') == {dns.rcode.NOERROR}
        assert self.rcodes(server, 'other.test') == {dns.rcode.REFUSED}
        assert self.rcodes(server, 'other.test', to='127.0.0.2') == {dns.rcode.NOERROR}

    def test_from_the_start(self, svcdns):
        self.check(svcdns(self.EVERYWHERE + self.BOUND))

    def test_from_a_reload_on(self, svcdns):
        server = svcdns(self.EVERYWHERE)
        assert self.rcodes(server, 'other.test') == {dns.rcode.NOERROR}
        rewrite(svcdns, self.EVERYWHERE + self.BOUND)
        reload(server)
        self.check(server)
        rewrite(svcdns, self.EVERYWHERE)
        reload(server)
        assert self.rcodes(server, 'other.test') == {dns.rcode.NOERROR}
