"""The page of metrics, before and after fixed questions."""
import re
import time

from asking import fetch, metrics, until
from stage import VERSION, span

from . import KUBEADM, OBJECTS, UPSTREAM, block, packet, situation


def exchange_all(s, questions, port="DNS"):
    """Ask one question after the other ('NAME TYPE, NAME TYPE...'); only the rcodes go to the page."""
    for q in questions.replace("\n", " ").split(", "):
        s.say(f"{q.strip()}: {s.reply(q, port=port).split(' [')[0]}")


@situation
def metrics_kubeadm(s):
    """kubeadm's Corefile: what /metrics shows before any query, and after a fixed list of queries."""
    s.cluster(OBJECTS)
    s.upstream(UPSTREAM)
    probe = "coredns_dns_requests_total type=.other"
    p = s.start(KUBEADM)
    until(lambda: s.sample(probe) == "1", 5)
    s.title("the loop plugin's question to itself counts as a query")
    s.say(f"{probe}: {s.sample(probe)}")
    p.stop()
    s.start(KUBEADM.replace("    loop\n", ""))                # its name is random, and so is its length
    until(lambda: s.probe("/ready").startswith("200"), 10)
    until(lambda: s.sample("coredns_health_request_duration_seconds") not in "-0", 5)
    s.title("without loop, before any query")
    s.show_metrics()
    s.title("the queries")
    exchange_all(s, """kubernetes.default.svc.cluster.local. A, kubernetes.default.svc.cluster.local. A,
        kubernetes.default.svc.cluster.local. AAAA, kubernetes.default.svc.cluster.local. A +tcp,
        _https._tcp.kubernetes.default.svc.cluster.local. SRV, nothing.default.svc.cluster.local. A,
        nothing.default.svc.cluster.local. A, cart.shop.svc.cluster.local. A, cart.shop.svc.cluster.local. SRV,
        10-1-2-3.default.pod.cluster.local. A, cluster.local. SOA, dns-version.cluster.local. TXT,
        1.0.96.10.in-addr.arpa. PTR, 9.2.0.192.in-addr.arpa. PTR, 9.2.0.192.in-addr.arpa. PTR, 8.2.0.192.in-addr.arpa. PTR,
        www.example.com. A, www.example.com. A, WWW.example.COM. A, www.example.com. A +tcp, www.example.com. A +edns=1232,
        www.example.com. A +do, www.example.com. AAAA, www.example.com. HTTPS, www.example.com. CAA, www.example.com. ANY,
        alias.example.com. A, nothere.example.com. A, nothere.example.com. A, bad.example.com. A, bad.example.com. A,
        refused.example.com. A, refused.example.com. A, x.test. A, www.example.com. A +class=CH, www.example.com. AXFR +tcp""")
    s.say("never counted: opcode UPDATE, EDNS version 1, two questions")
    exchange_all(s, ", ".join((packet("2800"), packet(counts="0001000000000001", more="0000291000000100000000"),
                               packet(counts="0002000000000000", more="016104746573740000010001"))))
    time.sleep(0.2)
    changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    s.api.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "endpoints": [{"addresses": ["10.244.1.7"]}],
               "metadata": {"name": "cart-2", "namespace": "shop", "labels": {"kubernetes.io/service-name": "cart"},
                            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": changed}}})
    s.say("an EndpointSlice with the annotation endpoints.kubernetes.io/last-change-trigger-time is created")
    time.sleep(0.5)
    s.title("after")
    s.show_metrics()
    s.title("some lines as they are")
    for line in fetch(s.port("METRICS"), "/metrics")[2].splitlines():
        if re.search("coredns_(dns_requests_total|dns_request_size_bytes|cache_entries|panics_total)", line):
            if "udp" not in line:
                s.say(line)


@situation
def metrics_wide(s):
    """Many plugins, zones, views and ports in one process: the series that each of them adds."""
    s.upstream(UPSTREAM + "ten.example.com 10 A 192.0.2.10\nfour.example.com 60 A 192.0.2.4\n"
               "*.many.example.com 60 A 192.0.2.5\n")
    s.file("db.example.org", "@ 60 IN SOA ns hostmaster 1 7200 1800 86400 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n"
           "www 60 IN A 192.0.2.80\n* 60 IN TXT wild\n")
    s.file("hosts", "192.0.2.7 a.lan.test b.lan.test\n2001:db8::7 a.lan.test\n")
    s.file("resolv.conf", "search pods.example.com example.com\nnameserver 192.0.2.1\n")
    corefile = """\
example.org:{DNS} {
    errors
    prometheus 127.0.0.1:{METRICS}
    file {TMP}/db.example.org
    transfer {
        to *
    }
}
lan.test:{DNS} deep.lan.test:{DNS} {
    prometheus 127.0.0.1:{METRICS}
    nsid pod-1
    bufsize 1232
    any
    chaos version authors
    rewrite name old.lan.test a.lan.test
    acl {
        block type TXT
        filter type MX
        drop type HINFO
        allow type A AAAA ANY
    }
    template IN A lan.test {
        match ^t[.]
        answer "{{ .Name }} 60 IN A 192.0.2.9"
        fallthrough
    }
    template IN AAAA lan.test {
        match ^broken[.]
        answer "{{ .Name }} 60 IN AAAA nonsense"
        fallthrough
    }
    template IN SRV lan.test {
        match ^failing[.]
        answer "{{ index .Match 7 }} 60 IN SRV 0 0 0 ."
        fallthrough
    }
    hosts {TMP}/hosts lan.test {
        192.0.2.8 c.lan.test
        fallthrough
    }
}
split.test:{DNS} {
    view overtcp {
        expr proto() == 'tcp'
    }
    prometheus 127.0.0.1:{METRICS}
    cache
    whoami
}
split.test:{DNS} {
    prometheus 127.0.0.1:{METRICS}
    cache
    whoami
}
dead.test:{DNS} {
    prometheus 127.0.0.1:{METRICS}
    errors
    forward . 127.0.0.1:{GONE} {
        max_fails 1
        health_check 100ms
    }
}
.:{DNS} {
    prometheus 127.0.0.1:{METRICS}
    errors
    local
    dns64 {
        allow_ipv4
    }
    autopath {TMP}/resolv.conf
    cache {
        success 5000 3600 1
        prefetch 1 1m 90%
        serve_stale 1h
    }
    forward . 127.0.0.1:{UP} 127.0.0.1:{UP2} {
        policy sequential
    }
    loadbalance
}
other.test:{OTHER} {
    bind 127.0.0.1
    prometheus 127.0.0.1:{METRICS2}
    whoami
}
unseen.test:{OTHER} {
    bind 127.0.0.1
    whoami
}
"""
    s.start(corefile)
    s.title("before any query")
    s.show_metrics()
    same = sorted(metrics(s.port("METRICS"))) == sorted(metrics(s.port("METRICS2")))
    s.say(f"the second address serves the same registry: {same}")
    s.title("the queries")
    exchange_all(s, """www.example.org. A, x.example.org. TXT, x.example.org. A, example.org. AXFR +tcp, example.org. SOA +do,
        a.lan.test. A, old.lan.test. A, a.lan.test. TXT, a.lan.test. MX, a.lan.test. ANY, a.lan.test. AAAA +opt=3:,
        t.lan.test. A, broken.lan.test. AAAA, failing.lan.test. SRV, x.deep.lan.test. A, c.lan.test. A,
        version.server. TXT +class=CH""")
    s.say(f"a.lan.test. HINFO: {s.reply('a.lan.test. HINFO', 0.3)}")
    exchange_all(s, "a.split.test. A, a.split.test. A, a.split.test. A +tcp, a.split.test. A +tcp, www.dead.test. A")
    time.sleep(0.5)
    exchange_all(s, """www.dead.test. A, localhost.example.com. A, localhost. A, four.example.com. AAAA, www.pods.example.com. A,
        www.example.com. A, short.example.com. A, ten.example.com. A, ten.example.com. A""")
    time.sleep(1.3)
    s.say("1.3 s later")
    for q in ("short.example.com. A", "ten.example.com. A"):  # each starts a prefetch
        exchange_all(s, q)
        time.sleep(0.3)
    exchange_all(s, """a.other.test. A, a.unseen.test. A, a.nowhere.test. A, a.other.test. A +class=CH,
        a.other.test. A +class=CH +tcp""", "OTHER")
    time.sleep(0.2)
    s.title("after")
    s.show_metrics()
    s.title("a small cache overflows")
    s.start(block("prometheus 127.0.0.1:{METRICS3}; cache {; success 1024; }; forward . 127.0.0.1:{UP}", ".:{DNS2}"),
            wait=VERSION)
    for n in range(1600):
        s.reply(f"n{n}.many.example.com. A", port="DNS2")
    entries, gone = (float(s.sample(f"coredns_cache_{name} type=.success", "METRICS3").replace("-", "0"))
                     for name in ("entries", "evictions_total"))
    s.say(f"1600 names in a cache of 1024: {span(entries, 800, 1024).split()[0]} entries, with evictions {int(entries + gone)}")
