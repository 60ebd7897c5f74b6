"""Limits: what happens to the query too many."""
import contextlib
import socket
import threading
import time

from asking import ask
from exchange import parse_query
from stage import about, span

from . import UPSTREAM, block, situation


@situation
def overload(s):
    """Limits: forward's max_concurrent, slow upstreams, TCP connections and queries."""
    s.upstream(UPSTREAM)
    s.title("forward max_concurrent 2, five slow queries at once")
    p = s.start(block("errors; log; prometheus 127.0.0.1:{METRICS}; cache; forward . 127.0.0.1:{UP} {; max_concurrent 2; }"))
    since, got = p.mark(), []

    def slow(n):
        got.append(ask(s.port("DNS"), f"n{n}.slow.example.com. A"))
    threads = [threading.Thread(target=slow, args=(n,)) for n in range(5)]
    for t in threads:
        t.start()
        time.sleep(0.05)
    reply = ask(s.port("DNS"), "www.example.com. A")
    for t in threads:
        t.join()
    for r in sorted(f"{reply} {about(took)}" for reply, took in got):
        s.say(r)
    s.say(f"another one meanwhile: {reply[0]} {about(reply[1])}")
    s.say(f"one that was refused, asked again: {s.reply('n3.slow.example.com. A')}")
    time.sleep(0.1)
    s.log(p, since, once=True)
    s.show_metrics(only="max_concurrent|responses_total")
    p.stop()
    p.code(5)

    def talk(data, seconds):
        """Send bytes over TCP, read until the server closes; (replies, seconds until closed or None)."""
        with socket.create_connection(("127.0.0.1", s.port("DNS"))) as c:
            c.settimeout(0.1)
            start, got, replies = time.time(), b"", 0
            c.sendall(data)
            while time.time() - start < seconds:
                try:
                    more = c.recv(65536)
                except socket.timeout:
                    continue
                except OSError:
                    more = b""
                if not more:
                    return replies, time.time() - start
                got += more
                while len(got) > 1 and len(got) >= 2 + int.from_bytes(got[:2], "big"):
                    replies, got = replies + 1, got[2 + int.from_bytes(got[:2], "big"):]
            return replies, None
    wire = parse_query("www.example.com. A")[0]
    frame = len(wire).to_bytes(2, "big") + wire

    def say(title, data, seconds, low, high):
        replies, took = talk(data, seconds)
        then = f"still open after {seconds} s" if took is None else f"closed after {span(took, low, high)}"
        s.say(f"{title}: {replies} replies, {then}")
    for title, extra in (("default timeouts", ""), ("timeouts { read 1s, idle 2s }", "timeouts {; read 1s; idle 2s; }; "),
                         ("timeouts { maxtcpqueries 3 }", "timeouts {; maxtcpqueries 3; }; ")):
        s.title(f"TCP, {title}")
        p = s.start(block(extra + "errors; forward . 127.0.0.1:{UP}"))
        short = "idle" in extra
        if "max" not in extra:
            say("nothing sent", b"", 14, *((0.9, 1.9) if short else (2.8, 3.9)))
            say("half a query sent", frame[:9], 14, *((0.9, 1.9) if short else (2.8, 3.9)))
            say("one query, then idle", frame, 14, *((1.9, 2.9) if short else (9.8, 11)))
        else:
            say("five queries at once", frame * 5, 3, 0, 0.9)
        if not extra:
            say("100 queries at once", frame * 100, 1, 0, 0)
            say("a query of 0 bytes", b"\0\0", 4, 0, 3.9)
            say("a query of 5 bytes", b"\0\5hello", 4, 0, 3.9)
            say("header only", b"\0\x0c" + wire[:12], 1, 0, 0)
        p.stop()
        p.code(8)
    s.title("TCP: queries of one connection are answered in turn")
    p = s.start(block("errors; forward . 127.0.0.1:{UP}"))
    w = parse_query("x.slow.example.com. A")[0]
    with socket.create_connection(("127.0.0.1", s.port("DNS"))) as c:
        start = time.time()
        c.sendall(len(w).to_bytes(2, "big") + w + frame)
        c.settimeout(5)
        first = c.recv(65536)
        which = "slow" if b"slow" in first else "fast"
        s.say(f"a slow and a fast query: the {which} one is answered first, {about(time.time() - start)}")
    s.title("TCP: 300 connections at once, each with a query")
    held = [socket.create_connection(("127.0.0.1", s.port("DNS"))) for _ in range(300)]
    for c in held:
        c.sendall(frame)
        c.settimeout(5)
    answered = 0
    for c in held:
        with contextlib.suppress(OSError):
            answered += bool(c.recv(65536))
        c.close()
    s.say(f"answered: {answered}")
    s.title("UDP: 200 slow queries in flight, no limit: a fast one")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        for n in range(200):
            u.sendto(parse_query(f"m{n}.slow.example.com. A")[0], ("127.0.0.1", s.port("DNS")))
        reply, took = ask(s.port("DNS"), "www.example.com. A")
        s.say(f"{reply} {about(took)}")
        u.settimeout(3)
        count = 0
        with contextlib.suppress(OSError):
            while count < 200 and u.recv(65536):
                count += 1
        s.say(f"answers to the slow ones: {count}")
    s.say(f"exit {p.code()}")
