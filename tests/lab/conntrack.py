"""The kernel's table of connections, of the network namespace that one is in: entries taken out of it, as `conntrack -D` does.

What is said by netlink: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""
import errno
import os
import socket
import struct

NETLINK_NETFILTER, CT_DELETE = 12, 1 << 8 | 2
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 1, 4, 2
TUPLE_ORIGINAL, TUPLE_IP, TUPLE_PROTO = 1, 1, 2
IP_SOURCE, IP_TARGET = 1, 2
PROTO_NUMBER, SOURCE_PORT, TARGET_PORT = 1, 2, 3
NESTED = 0x8000


def attribute(kind, value):
    return struct.pack('=HH', 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind, *values):
    return attribute(kind | NESTED, b''.join(values))


def port(text):
    return int(text).to_bytes(2, 'big')


def deletion(line):
    """The message for a line of /proc/net/nf_conntrack, without its first two words. Of each key, the first is of the original
    direction."""
    words = line.split()
    ends = dict(reversed([word.split('=') for word in words if '=' in word]))
    body = struct.pack('=BBH', socket.AF_INET, 0, 0) + nested(
        TUPLE_ORIGINAL,
        nested(TUPLE_IP, attribute(IP_SOURCE, socket.inet_aton(ends['src'])),
               attribute(IP_TARGET, socket.inet_aton(ends['dst']))),
        nested(TUPLE_PROTO, attribute(PROTO_NUMBER, bytes([int(words[1])])), attribute(SOURCE_PORT, port(ends['sport'])),
               attribute(TARGET_PORT, port(ends['dport']))))
    return struct.pack('=IHHII', 16 + len(body), CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 0, 0) + body


def forget(lines):
    """Those that are gone already are no error."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        for line in lines:
            kernel.send(deletion(line))
            _, kind, _, _, _, code = struct.unpack('=IHHIIi', kernel.recv(4096)[:20])
            if kind != NLMSG_ERROR or code not in (0, -errno.ENOENT):
                raise OSError(-code, f'conntrack: {os.strerror(-code)}')
