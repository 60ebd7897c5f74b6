"""cancel: a query is given up when its time is over, not when forward would."""

import socket

import dns.message
import dns.rcode

COREFILE = '''
    .:{PORT} {
        %s
        errors
        forward . 127.0.0.1:%d {
            read_timeout 200ms
        }
    }
'''


def ask_of_silence(svcdns, cancel):
    """Asks a server whose upstream never answers; returns the reply, and how often the upstream was asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        upstream.bind(('127.0.0.1', 0))
        server = svcdns(COREFILE % (cancel, upstream.getsockname()[1]))
        reply = server.ask('silent.example.')
        server.wait_for(r'\[ERROR\] plugin/errors: 2 silent\.example\. A: read udp .*: i/o timeout')
        upstream.setblocking(False)
        asked = 0
        while True:
            try:
                question = dns.message.from_wire(upstream.recv(4096)).question[0]
            except BlockingIOError:
                return reply, asked
            asked += question.name.to_text() == 'silent.example.'  # the rest are health probes


def test_time_is_over(svcdns):
    reply, asked = ask_of_silence(svcdns, 'cancel 100ms')
    assert (reply.rcode(), asked) == (dns.rcode.SERVFAIL, 1)


def test_time_enough(svcdns):
    reply, asked = ask_of_silence(svcdns, 'cancel')
    assert (reply.rcode(), asked) == (dns.rcode.SERVFAIL, 2)
