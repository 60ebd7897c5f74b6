#!/usr/bin/python3
"""The name server of the office, and of all that is outside: outside.py ADDRESS IP NAME... It knows these names, which
have the address IP; no other exists."""
import socket
import socketserver
import sys
import threading

from wire import question

NXDOMAIN, NOERROR, TYPE_A = 3, 0, 1


def answer(query, ip, names):
    found, kind, end = question(query)
    record = b''
    if found.lower() in names and kind == TYPE_A:
        record = b'\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04' + socket.inet_aton(ip)
    flags = 0x8180 | (NOERROR if found.lower() in names else NXDOMAIN)
    return query[:2] + flags.to_bytes(2, 'big') + b'\0\x01\0' + bytes([bool(record)]) + bytes(4) + query[12:end] + record


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while size := int.from_bytes(self.rfile.read(2), 'big'):
            reply = answer(self.rfile.read(size), self.server.ip, self.server.names)
            self.wfile.write(len(reply).to_bytes(2, 'big') + reply)


def serve(address, ip, *names):
    stream = socketserver.ThreadingTCPServer((address, 53), Connection)
    stream.ip, stream.names = ip, names
    threading.Thread(target=stream.serve_forever, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        while True:
            query, client = sock.recvfrom(512)
            sock.sendto(answer(query, ip, names), client)


if __name__ == '__main__':
    serve(*sys.argv[1:])
