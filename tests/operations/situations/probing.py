"""The endpoints over HTTP."""
import contextlib
import re
import socket
import time

from asking import fetch, reachable, until
from stage import about, span

from . import KUBEADM, OBJECTS, SERVICE, UPSTREAM, block, situation


@situation
def http_endpoints(s):
    """/health, /ready, /metrics, /debug/pprof: methods, paths, codes, headers, bodies."""
    s.start(block("health 127.0.0.1:{HEALTH}; ready 127.0.0.1:{READY}; prometheus 127.0.0.1:{METRICS}; "
                  "pprof 127.0.0.1:{PPROF}; whoami"))

    def show(port, method, path, soft=False, **headers):
        code, head, body = fetch(s.port(port), path, method, **headers)
        said = f" ({', '.join(f'{k}: {v}' for k, v in headers.items())})" if headers else ""
        head = {k: "DATE" if k == "Date" else v for k, v in sorted(head.items())}
        text = repr(body) if len(body) < 100 else f"{body[:40]!r}..." if body.isprintable() or body[0] == "#" else "(binary)"
        s.say(f"{method} {path}{said}\n    {code} {head}\n    {text}", soft)
    for name, path in (("HEALTH", "/health"), ("READY", "/ready"), ("METRICS", "/metrics")):
        s.title(f"{name.lower()}")
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            show(name, method, path)
        for other in (path + "?x=1", path + "/", "/" + path, path.upper(), "/", "/nothing", "/x/.." + path):
            show(name, "GET", other)
    s.title("content negotiation of /metrics")
    show("METRICS", "GET", "/metrics", Accept_Encoding="gzip")
    show("METRICS", "GET", "/metrics", Accept="application/openmetrics-text;version=1.0.0")
    show("METRICS", "GET", "/metrics", Accept="text/plain;version=0.0.4")
    show("METRICS", "GET", "/metrics", soft=True,
         Accept="application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
    show("METRICS", "GET", "/metrics", Accept="application/json")
    s.title("pprof: the paths that exist (Go's profiles themselves are not compared)")
    for path in ("", "/", "/heap?debug=1", "/goroutine?debug=1", "/cmdline", "/symbol", "/profile?seconds=1", "/trace?seconds=1",
                 "/nothing"):
        code, head, body = fetch(s.port("PPROF"), "/debug/pprof" + path)
        to = f" -> {head['Location']}" if "Location" in head else ""
        s.say(f"GET /debug/pprof{path}: {code} {head.get('Content-Type')}{to}", soft=code == 200)

    s.title("connections")
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n"
    for title, data in (("HTTP/1.0", b"GET /health HTTP/1.0\r\n\r\n"), ("HTTP/1.1 without Host", b"GET /health HTTP/1.1\r\n\r\n"),
                        ("garbage", b"garbage\r\n\r\n"), ("two requests at once", (request + b"\r\n") * 2),
                        ("Connection: close", request + b"Connection: close\r\n\r\n"), ("half a request", request),
                        ("nothing", b"")):
        with socket.create_connection(("127.0.0.1", s.port("HEALTH"))) as c:
            c.sendall(data)
            c.settimeout(8)
            start, got = time.time(), b""
            with contextlib.suppress(OSError):
                while more := c.recv(65536):
                    got += more
            got = re.sub(r"Date: [^\r]*", "Date: DATE", got.decode())
            s.say(f"{title}: {got!r}, closed {about(time.time() - start)}")


@situation
def ready_and_health(s):
    """Probes while the Kubernetes API has not answered yet, and after it did."""
    door = s.cluster(OBJECTS, is_open=False)
    s.upstream(UPSTREAM)

    def probes():
        for name, path in (("HEALTH", "/health"), ("READY", "/ready"), ("METRICS", "/metrics")):
            code, head, body = fetch(s.port(name), path)
            s.say(f"{path}: {code} {head.get('Content-Type')} {body[:40] if path != '/metrics' else '(metrics)'!r}")
        s.say(f"DNS over TCP: {'accepts' if reachable(s.port('DNS')) else 'refused'}")
        s.say(f"{SERVICE} A: {s.reply(SERVICE + ' A', 1)}")
    p = s.start(KUBEADM, wait=None)
    until(lambda: reachable(s.port("READY")), 5)
    s.title("the first seconds: the server waits for the API")
    time.sleep(1)
    probes()
    took = p.wait_for("starting server with unsynced", 10)
    until(lambda: reachable(s.port("DNS")), 5)
    s.title(f"it gives up waiting after {span(took and time.time() - p.begin, 4.5, 6.5)}")
    probes()
    s.title("the API appears")
    door.mode("pass")
    began = time.time()
    until(lambda: s.probe("/ready").startswith("200"), 60, 0.2)
    s.say(f"/ready says 200 within {span(time.time() - began, 0, 45)}")
    probes()
    s.title("the API disappears: ready until-ready (the default) does not look again")
    door.mode("refuse")
    time.sleep(3)
    probes()
    s.title("what was printed, each line once")
    s.log(p, once=True, drop="Failed to watch|reflector")
    p.stop()

    s.title("ready { monitor continuously }: the API disappears")
    door.mode("pass")
    p = s.start(KUBEADM.replace("ready 127.0.0.1:{READY}", "ready 127.0.0.1:{READY} {\n monitor continuously\n }"))
    until(lambda: s.probe("/ready").startswith("200"), 10)
    door.mode("refuse")
    time.sleep(3)
    probes()
    p.stop()

    s.title("two blocks: one with kubernetes and no ready, one with ready: is readiness shared?")
    door.mode("refuse")
    p = s.start(block("ready 127.0.0.1:{READY}; whoami", "a.test:{DNS}")
                + block("kubernetes cluster.local {; {FEED}; startup_timeout 1s; }"))
    s.say(f"/ready: {s.probe('/ready')}")
    p.stop()

    s.title("two blocks on one ready address, both with kubernetes")
    p = s.start(block("ready 127.0.0.1:{READY}; kubernetes a.test {; {FEED}; startup_timeout 1s; }", "a.test:{DNS}")
                + block("ready 127.0.0.1:{READY}; kubernetes cluster.local {; {FEED}; startup_timeout 1s; }"))
    s.say(f"/ready: {s.probe('/ready')}")
