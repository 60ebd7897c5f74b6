"""The Kubernetes API goes away, or is late."""
import re
import time

from asking import ask, reachable, until
from stage import span

from . import ABSENT, KUBEADM, OBJECTS, SERVICE, UPSTREAM, situation


NAMES = (SERVICE + " A", "cart.shop.svc.cluster.local. A", ABSENT + " A", "10-1-2-3.default.pod.cluster.local. A",
         "cluster.local. SOA", "1.0.96.10.in-addr.arpa. PTR", "9.2.0.192.in-addr.arpa. PTR", "www.example.com. A")


def state(s, names=NAMES, cached=()):
    """What clients and probes see now; cached: names whose answer an earlier one, still cached, may decide."""
    for n in names:
        reply, took = ask(s.port("DNS"), n, 8)
        reply = re.sub(r"SOA (\S+ \S+) \d+", r"SOA \1 SERIAL", reply)
        s.say(f"{n}: {reply}{'' if took < 1 else f' after {took:.0f} s'}", soft=n in cached)
    s.say(f"/health {s.probe('/health')}, /ready {s.probe('/ready')}")


@situation
def api_loss(s):
    """The Kubernetes API goes away while the server runs, and comes back; a reload meanwhile."""
    door = s.cluster(OBJECTS)
    s.upstream(UPSTREAM)

    def begin():
        door.mode("pass")
        p = s.start(KUBEADM.replace("lameduck 2s", "lameduck 0s"))
        until(lambda: s.probe("/ready").startswith("200"), 10)
        return p
    p = begin()
    s.title("with the API")
    state(s)
    for mode, title in (("refuse", "connections are refused"), ("deaf", "connections are accepted, nothing is answered"),
                        (403, "403 for everything"), (401, "401 for everything"), (500, "500 for everything")):
        s.title(f"{title}, for 6 s")
        if mode != "refuse":
            p = begin()
        since = p.mark()
        door.mode(mode)
        time.sleep(6)
        state(s, NAMES if mode == "refuse" else NAMES[:3])
        s.log(p, since, once=True)
        if mode in ("refuse", 403):
            s.show_metrics(only="kubernetes_rest|panics|health_request_failures")
        if mode == "refuse":
            s.title("a Service is created meanwhile; the API comes back")
            s.api.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late", "namespace": "shop"},
                       "spec": {"type": "ClusterIP", "clusterIP": "10.96.7.7", "clusterIPs": ["10.96.7.7"], "ports": [{"port": 80}]}})
            since, began = p.mark(), time.time()
            door.mode("pass")
            seen = until(lambda: s.reply("late.shop.svc.cluster.local. A").startswith("NOERROR"), 60, 0.2)
            s.say(f"late.shop is answered within {span(seen and time.time() - began, 0, 45)}")
            s.log(p, since, once=True)
        p.stop()
    s.title("reload (SIGUSR1) while the API refuses connections: the new configuration starts without objects")
    p = begin()
    door.mode("refuse")
    time.sleep(0.5)
    since = p.mark()
    p.send("SIGUSR1")
    time.sleep(2)
    s.say("2 s later:")
    state(s, NAMES[:3])
    took = p.wait_for("Reloading complete", 15, since)
    s.say(f"reloading takes {span(took and took + 2, 4.5, 8)}")
    state(s)
    s.log(p, since, once=True)


@situation
def api_late(s):
    """Starting while the Kubernetes API cannot be used: refused, silent, forbidden; then it appears."""
    door = s.cluster(OBJECTS, is_open=False)
    s.upstream(UPSTREAM)
    for mode in ("refuse", "deaf", 403, 401):
        s.title({"refuse": "connections refused", "deaf": "connected, no answer"}.get(mode, f"the API answers {mode}"))
        door.mode(mode)
        p = s.start(KUBEADM.replace("lameduck 2s", "lameduck 0s"), wait=None)
        took = until(lambda: reachable(s.port("DNS")), 12) and time.time() - p.begin
        s.say(f"the DNS port opens after {span(took, 4.5, 6.5)}")
        state(s)
        s.log(p, once=True)
        if mode in ("refuse", 403):
            began = time.time()
            door.mode("pass")
            until(lambda: s.probe("/ready").startswith("200"), 60, 0.2)
            s.say(f"the API appears: /ready is 200 within {span(time.time() - began, 0, 45)}")
            state(s, cached=("1.0.96.10.in-addr.arpa. PTR",))
        p.stop()
    s.title("startup_timeout 1s")
    door.mode("refuse")
    p = s.start(KUBEADM.replace("ttl 30", "ttl 30\n startup_timeout 1s"), wait=None)
    took = until(lambda: reachable(s.port("DNS")), 12) and time.time() - p.begin
    s.say(f"the DNS port opens after {span(took, 0.9, 2.5)}")
    p.stop()
    s.title("without fallthrough for reverse names")
    p = s.start(KUBEADM.replace("fallthrough in-addr.arpa ip6.arpa", "").replace("ttl 30", "ttl 30\n startup_timeout 1s"))
    state(s, NAMES[-3:-1])
    p.stop()
    s.title("the requests that the server sends (order and watch timeouts left out)")
    door.requests.clear()
    door.mode("pass")
    p = s.start(KUBEADM)
    time.sleep(1)
    for r in sorted(door.requests):
        s.say(re.sub(r"(timeoutSeconds|timeout)=[\dms]+", r"\1=N", r.strip().replace("\r\n", "\n    ")), soft=True)
