"""erratic over real sockets: answers that wait for a timer of the worker, and queries that get none."""

import signal
import socket

import dns.message
import dns.rcode


def test_late_answers(svcdns):
    server = svcdns('''
        .:{PORT} {
            erratic {
                delay 1 50ms
            }
        }
    ''')
    for tcp in (False, True):
        for name in ('one.example', 'two.example'):
            assert [str(rr) for rr in server.ask(name, tcp=tcp).answer] == [f'{name}. 0 IN A 192.0.2.53']


def test_many_wait_at_once(svcdns):
    server = svcdns('''
        .:{PORT} {
            erratic {
                delay 3 50ms
            }
        }
    ''')
    queries = [dns.message.make_query(f'n{i}.example', 'AAAA') for i in range(100)]
    with server.connect() as sock:
        server.send(sock, *queries)
        replies = [server.receive(sock) for _ in queries]
    assert {str(r.question[0].name) for r in replies} == {str(q.question[0].name) for q in queries}


def test_dropped_queries(svcdns):
    server = svcdns('''
        .:{PORT} {
            erratic
        }
    ''')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(('127.0.0.1', svcdns.port()))
        for number in range(10):
            sock.send(dns.message.make_query('www.example', 'A', id=number).to_wire())
        sock.settimeout(20)
        replies = [dns.message.from_wire(sock.recv(512)).id for _ in range(5)]
    assert len({number % 2 for number in replies}) == 1     # every second one, whatever came before
    assert len(set(replies)) == 5
    server.stop()


def test_stop_lets_late_answers_out(svcdns):
    server = svcdns('''
        .:{PORT} {
            log
            erratic {
                delay 1 1m
            }
        }
        other.example:{PORT} {
            whoami
        }
    ''')
    with server.connect() as sock:
        server.send(sock, dns.message.make_query('www.example', 'A'), dns.message.make_query('other.example', 'A'))
        assert str(server.receive(sock).question[0].name) == 'other.example.'      # by now the first one waits
        server.signal(signal.SIGTERM)
        assert server.receive(sock).rcode() == dns.rcode.NOERROR
    assert server.wait() == 0
