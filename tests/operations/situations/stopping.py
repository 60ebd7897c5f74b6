"""Stopping: what a signal does, and what closes when."""
import os
import select
import signal
import socket
import threading
import time

from asking import ask, fetch, reachable
from stage import VERSION, about, span

from . import KUBEADM, OBJECTS, SERVICE, UPSTREAM, block, situation


def watch_end(s, p, seconds, inside=None, kill="SIGTERM"):
    """Send a signal and poll every door; returns {door: seconds at which it closed}, and the exit time as 'exit'."""
    held = socket.create_connection(("127.0.0.1", s.port("DNS")))
    doors = {"/health": lambda: fetch(s.port("HEALTH"), "/health", timeout=1)[0] == 200,
             "/ready": lambda: fetch(s.port("READY"), "/ready", timeout=1)[0] == 200,
             "/metrics": lambda: fetch(s.port("METRICS"), "/metrics", timeout=1)[0] == 200,
             "DNS over UDP": lambda: s.reply(SERVICE + " A", 0.3) != "no reply",
             "DNS over TCP": lambda: reachable(s.port("DNS")),
             "open TCP connection": lambda: not select.select([held], [], [], 0)[0]}
    closed, begin = {}, p.send(kill)
    while time.time() - begin < seconds and "exit" not in closed:
        for name, is_open in doors.items():
            if name not in closed and not is_open():
                closed[name] = time.time() - begin
        if inside:
            inside(time.time() - begin)
        if p.code() is not None:
            closed["exit"] = time.time() - begin
        time.sleep(0.02)
    held.close()
    return closed


@situation
def shutdown(s):
    """SIGTERM: what closes when, the queries in flight, the exit code."""
    door = s.cluster(OBJECTS)
    s.upstream(UPSTREAM)
    s.title("kubeadm's Corefile with lameduck 2s")
    p = s.start(KUBEADM)
    s.reply("www.example.com. A")
    since, said = p.mark(), []

    def midway(t):
        if t > 1 and not said:
            said.append(1)
            s.say("1 s after SIGTERM:")
            s.say(f"    /health {s.probe('/health')}, /ready {s.probe('/ready')}, /metrics {s.probe('/metrics')}")
            for q in (SERVICE + " A", "www.example.com. A", "www.example.com. A +tcp"):
                s.say(f"    {q}: {s.reply(q)}")
    p.between_beats()
    closed = watch_end(s, p, 10, midway)
    s.say(f"/ready closes after {span(closed.get('/ready'), 0, 0.4)}")
    for name in ("/health", "/metrics", "DNS over UDP", "DNS over TCP", "open TCP connection", "exit"):
        s.say(f"{name} closes after {span(closed.get(name, closed.get('exit')), 1.9, 2.6)}")
    s.say(f"exit {p.code(5)}")
    s.log(p, since)

    def quick(title, *questions, low=0.0, high=0.6, kill="SIGTERM"):
        """A signal without lameduck, with these questions asked 0.3 s before."""
        s.title(title)
        p, got = s.start(KUBEADM.replace("lameduck 2s", "lameduck 0s")), {}
        p.between_beats()
        since = p.mark()
        threads = [threading.Thread(target=lambda q=q: got.update({q: ask(s.port("DNS"), q, 8)})) for q in questions]
        for t in threads:
            t.start()
        time.sleep(0.3 if questions else 0)
        closed = watch_end(s, p, 12, kill=kill)
        for t in threads:
            t.join()
        for q in questions:
            s.say(f"{q}: {got[q][0]} {about(got[q][1])}")
        s.say(f"exit {p.code(5)} after {span(closed.get('exit'), low, high)}")
        s.log(p, since)
    quick("without lameduck, nothing in flight")
    slow = "a.slow.example.com. A", "b.slow.example.com. A +tcp"
    quick("without lameduck, slow queries (1 s) in flight", *slow, low=0.5, high=1.2)
    quick("SIGINT, slow queries (1 s) in flight: it does not wait for them", *slow, kill="SIGINT")
    quick("without lameduck, a query in flight that takes 4 s to fail", "drop.example.com. A", low=3.4, high=4.4)

    s.title("a query in flight that hangs: TLS to an upstream that never answers the handshake")
    p = s.start(block("errors; health 127.0.0.1:{HEALTH}; forward . tls://127.0.0.1:{UP}"))
    t = threading.Thread(target=lambda: ask(s.port("DNS"), "www.example.com. A", 7))
    p.between_beats()
    since = p.mark()
    t.start()
    time.sleep(0.3)
    began = p.send("SIGTERM")
    s.say(f"exit {p.code(10)} {about(time.time() - began)}", soft=True)
    for l in p.lines[since:]:
        s.say(l[2], soft=True)
    t.join()

    s.title("SIGTERM while it still waits for the API")
    door.mode("refuse")
    p = s.start(KUBEADM.replace("lameduck 2s", "lameduck 0s"), wait="waiting for Kubernetes")
    began = p.send("SIGTERM")
    s.say(f"exit {p.code(10)} after {span(time.time() - began, 0, 1)}")
    s.log(p, once=True)


@situation
def signals(s):
    """What each signal does, alone and while shutting down: log lines, exit codes."""
    corefile = block("health 127.0.0.1:{HEALTH} {; lameduck 2s; }; whoami")

    def run(title, *names, low=0.0, high=0.5):
        s.title(title)
        p = s.start(corefile, wait=VERSION)
        p.between_beats()
        since, began = p.mark(), time.time()
        for n in names:
            p.send(n)
            code = p.code(0.3)
        code = p.code(3)
        if code is None:
            s.say(f"it goes on: {s.reply('example.org. A')}")
            p.stop()
            p.code(5)
            s.log(p, since, drop="SIGTERM|lameduck")
        else:
            s.say(f"exit {code} after {span(time.time() - began, low, high)}")
            s.log(p, since)
    run("SIGTERM", "SIGTERM", low=1.9, high=2.8)
    run("SIGTERM twice", "SIGTERM", "SIGTERM", low=1.9, high=2.8)
    run("SIGINT", "SIGINT", low=1.9, high=2.8)
    run("SIGINT twice", "SIGINT", "SIGINT", low=0.2, high=1)
    run("SIGTERM, then SIGINT", "SIGTERM", "SIGINT", low=1.9, high=2.8)
    run("SIGTERM, then SIGINT twice", "SIGTERM", "SIGINT", "SIGINT", low=0.5, high=1.3)
    run("SIGQUIT", "SIGQUIT")
    run("SIGTERM, then SIGQUIT", "SIGTERM", "SIGQUIT", low=1.9, high=2.8)
    run("SIGTERM, then SIGUSR1", "SIGTERM", "SIGUSR1", low=1.9, high=2.8)
    run("SIGHUP", "SIGHUP")
    run("SIGUSR1", "SIGUSR1")
    run("SIGUSR1 three times", "SIGUSR1", "SIGUSR1", "SIGUSR1")
    run("SIGPIPE", "SIGPIPE")
    run("SIGALRM, SIGWINCH, SIGCONT, SIGURG", "SIGALRM", "SIGWINCH", "SIGCONT", "SIGURG")

    s.title("SIGUSR2: a new process takes over (the old one waits for its lameduck 2s); lines sorted here")
    p = s.start(corefile, "-pidfile", "{TMP}/pid")
    p.wait_for(VERSION, 5)
    heir = lambda: int(open(f"{s.tmp}/pid").read()) if os.path.exists(f"{s.tmp}/pid") else p.process.pid
    s.ending.append(lambda: heir() != p.process.pid and os.kill(heir(), signal.SIGKILL))
    p.between_beats()
    since, began = p.mark(), p.send("SIGUSR2")
    code = p.code(5)
    s.say(f"exit {code} after {span(time.time() - began, 1.9, 3.5)}" if code is not None else "it goes on")
    time.sleep(0.5)
    s.say(f"the pidfile names another process: {heir() != p.process.pid}; DNS: {s.reply('example.org. A')}; "
          f"/health: {s.probe('/health')}")
    s.log(p, since, once=True)
