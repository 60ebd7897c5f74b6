#!/usr/bin/python3
"""The name server of the office, and of all that is outside: outside.py ADDRESS NAME IP. It knows one name; no other exists."""
import socket
import sys

from wire import question

NXDOMAIN, NOERROR, TYPE_A = 3, 0, 1


def answer(query, name, ip):
    found, kind, end = question(query)
    record = b''
    if found.lower() == name and kind == TYPE_A:
        record = b'\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04' + socket.inet_aton(ip)
    flags = 0x8180 | (NOERROR if found.lower() == name else NXDOMAIN)
    return query[:2] + flags.to_bytes(2, 'big') + b'\0\x01\0' + bytes([bool(record)]) + bytes(4) + query[12:end] + record


def serve(address, name, ip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        while True:
            query, client = sock.recvfrom(512)
            sock.sendto(answer(query, name, ip), client)


if __name__ == '__main__':
    serve(*sys.argv[1:])
