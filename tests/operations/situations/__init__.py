"""The situations: each is a function that plays on a Stage and leaves a page. They stand in files by what they are about."""
SITUATIONS = {}


def situation(f):
    """Registers a function; its page is called as it is, with hyphens, and the first line of its comment heads the page."""
    SITUATIONS[f.__name__.replace("_", "-")] = f
    return f


def block(body, key=".:{DNS}"):
    """A server block; '; ' stands for a new line."""
    return f"{key} {{\n    " + body.replace("; ", "\n    ") + "\n}\n"


def packet(flags="0100", counts="0001000000000000", more=""):
    """The question a.test. A as 'HEX ...', with another header or more records."""
    return f"HEX 1234{flags}{counts}{'0161047465737400'}{'00010001'}{more}"


KUBEADM = """\
.:{DNS} {
    errors
    health 127.0.0.1:{HEALTH} {
       lameduck 2s
    }
    ready 127.0.0.1:{READY}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       {FEED}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus 127.0.0.1:{METRICS}
    forward . 127.0.0.1:{UP} {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""

OBJECTS = """\
apiVersion: v1
kind: Namespace
metadata: {name: default}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {type: ClusterIP, clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{name: https, protocol: TCP, port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], ports: [{name: http, protocol: TCP, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.5]}, {addresses: [10.244.1.6]}]
ports: [{name: http, protocol: TCP, port: 8080}]
"""

UPSTREAM = """\
example.com @zone
in-addr.arpa @zone
www.example.com 300 A 192.0.2.1
www.example.com 300 AAAA 2001:db8::1
alias.example.com 60 CNAME www.example.com.
short.example.com 1 A 192.0.2.11
bad.example.com @servfail
refused.example.com @refused
drop.example.com @drop
slow.example.com @delay 1000
slow.example.com 30 A 192.0.2.20
*.slow.example.com @delay 1000
*.slow.example.com 30 A 192.0.2.21
count.example.com @count
*.count.example.com @count
9.2.0.192.in-addr.arpa 60 PTR nine.example.com.
"""

SERVICE, ABSENT = "kubernetes.default.svc.cluster.local.", "nothing.default.svc.cluster.local."
WWW = "www.example.com. A"
BUILD = "version.bind. TXT +class=CH"                          # what chaos answers: which Corefile is served

from . import starting, stopping, probing, counting, logging, following, limiting, reloading  # noqa: E402,F401 (they register)
