"""A name server of the test's own, on 127.0.0.1, over UDP and TCP, that does what a script says.

    def script(query):                              # is called for every query; what it does not answer stays without
        query.send(query.reply('10.0.0.1'))

    with Upstream(script) as upstream:
        … f'forward . {upstream.address}' …
        assert [query.name for query in upstream.queries] == ['example.org.']

    query.name, query.type                          'example.org.', 'A'
    query.message, query.wire, query.transport      a dns.message.Message, its octets, 'udp' or 'tcp'
    query.port                                      that it was sent from
    query.reply('10.0.0.1', …, rcode='NOERROR')     a Message that answers it, with the record data given, if any
    query.denial()                                  NXDOMAIN with a SOA record
    query.send(Message or octets, …)                over UDP a datagram each
    query.later(seconds, Message or octets)
    query.stream                                    the TCP connection, a socket
    query.close()                                   closes it
    upstream.stop(), upstream.start()               between the two, nobody listens on its port
"""

import random
import selectors
import socket
import threading

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


def octets_of(message):
    return message if isinstance(message, bytes) else message.to_wire(max_size=65535)


class Query:
    def __init__(self, wire, port, send, stream=None, close=None):
        self.wire, self.port = wire, port
        self.transport = 'tcp' if stream else 'udp'
        self.message = dns.message.from_wire(wire)
        self.name = self.message.question[0].name.to_text()
        self.type = dns.rdatatype.to_text(self.message.question[0].rdtype)
        self.send_octets, self.stream, self.close = send, stream, close

    def reply(self, *data, rcode='NOERROR', ttl=30):
        reply = dns.message.make_response(self.message, recursion_available=True)
        reply.set_rcode(dns.rcode.from_text(rcode))
        if data:
            reply.answer.append(dns.rrset.from_text(self.message.question[0].name, ttl, 'IN', self.type, *data))
        return reply

    def denial(self):
        reply = self.reply(rcode='NXDOMAIN')
        reply.authority.append(dns.rrset.from_text('.', 60, 'IN', 'SOA', 'ns. hostmaster. 1 2 3 4 60'))
        return reply

    def send(self, *messages):
        for message in messages:
            try:
                self.send_octets(octets_of(message))
            except OSError:
                pass  # whoever asked is gone, or so is this server

    def later(self, seconds, *messages):
        timer = threading.Timer(seconds, self.send, messages)
        timer.daemon = True
        timer.start()


class Upstream:
    def __init__(self, script):
        self.script = script
        self.queries = []
        self.port = 0
        self.failure = None
        self.start()

    @property
    def address(self):
        return f'127.0.0.1:{self.port}'

    def start(self):
        self.udp, self.tcp = self.bind()
        self.port = self.udp.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.wake, wake = socket.socketpair()
        for sock, act in (self.udp, self.take_datagram), (self.tcp, self.accept), (wake, None):
            self.selector.register(sock, selectors.EVENT_READ, act)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def bind(self):
        """Its port is none that the kernel gives to whoever asks for any: nobody else has it while it is stopped."""
        while True:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind(('127.0.0.1', self.port or random.randrange(20000, 32000)))
                return udp, socket.create_server(udp.getsockname(), backlog=128)
            except OSError:
                udp.close()

    def run(self):
        try:
            while True:
                for key, _ in self.selector.select():
                    if key.data is None:
                        return
                    key.data(key.fileobj)
        except Exception as failure:
            self.failure = failure

    def answer(self, *arguments):
        query = Query(*arguments)
        self.queries.append(query)
        self.script(query)

    def take_datagram(self, sock):
        wire, sender = sock.recvfrom(65535)
        self.answer(wire, sender[1], lambda reply: sock.sendto(reply, sender))

    def accept(self, listener):
        sock, _ = listener.accept()
        stream = bytearray()
        self.selector.register(sock, selectors.EVENT_READ, lambda sock: self.take_segment(sock, stream))

    def hang_up(self, sock):
        if sock.fileno() >= 0:
            self.selector.unregister(sock)
            sock.close()

    def take_segment(self, sock, stream):
        try:
            segment = sock.recv(65535)
        except ConnectionError:
            segment = b''
        if not segment:
            self.hang_up(sock)
            return
        stream += segment
        while sock.fileno() >= 0 and len(stream) >= 2 + int.from_bytes(stream[:2], 'big'):
            end = 2 + int.from_bytes(stream[:2], 'big')
            wire = bytes(stream[2:end])
            del stream[:end]
            self.answer(wire, sock.getpeername()[1],
                        lambda reply: sock.sendall(len(reply).to_bytes(2, 'big') + reply), sock, lambda: self.hang_up(sock))

    def stop(self):
        if not self.thread:
            return
        self.wake.send(b'x')
        self.thread.join()
        self.thread = None
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        self.wake.close()
        assert not self.failure, f'the script failed: {self.failure!r}'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
