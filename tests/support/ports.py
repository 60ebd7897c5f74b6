"""Ports that nobody has, for servers that tests start: from below those that the kernel gives to clients."""

import random
import socket
import threading

RANGE = range(10000, 32000)
given, lock = set(), threading.Lock()


def is_free(port):
    """For TCP and UDP at every address, and not shared with another server by SO_REUSEPORT."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                probe.bind(('', port))
        return True
    except OSError:
        return False


def free_port():
    """Never the same twice in a process."""
    while True:
        port = random.choice(RANGE)
        with lock:
            if port in given:
                continue
            given.add(port)
        if is_free(port):
            return port
