"""Python's resolver, which is the C library's: see ask.c for what comes in and goes out."""
import socket
import sys

for line in sys.stdin:
    try:
        found = socket.getaddrinfo(line.split()[1], None, type=socket.SOCK_STREAM)
        print(*(each[4][0] for each in found), flush=True)
    except OSError as error:
        print('-', error, flush=True)
