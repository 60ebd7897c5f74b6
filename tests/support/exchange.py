"""Questions and answers as texts: what the recordings of CoreDNS hold, and what svcdns is asked to compare with them."""
import socket

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

FLAGS = (("aa", dns.flags.AA), ("tc", dns.flags.TC), ("rd", dns.flags.RD), ("ra", dns.flags.RA),
         ("ad", dns.flags.AD), ("cd", dns.flags.CD))


def parse_query(line):
    """'NAME TYPE [+tcp +edns[=SIZE] +do +ad +cd +nord +src=IP +class=CH +opt=CODE:HEX +wait=SECONDS]' or 'HEX <bytes>'.

    Returns (wire bytes, options dict). The id is fixed at 0x1234 so that runs are comparable.
    """
    words = line.split()
    opts = {}
    for w in words[2:]:
        k, _, v = w.lstrip("+").partition("=")
        opts.setdefault(k, []).append(v)
    if words[0] == "HEX":
        return bytes.fromhex(words[1]), opts
    msg = dns.message.Message(id=0x1234)
    msg.flags = 0 if "nord" in opts else dns.flags.RD
    msg.flags |= dns.flags.AD if "ad" in opts else 0
    msg.flags |= dns.flags.CD if "cd" in opts else 0
    klass = dns.rdataclass.from_text(opts.get("class", ["IN"])[0])
    name = dns.name.from_text(words[0])
    msg.question.append(dns.rrset.RRset(name, klass, dns.rdatatype.from_text(words[1])))
    if "edns" in opts or "do" in opts or "opt" in opts:
        size = int(opts.get("edns", [""])[0] or 1232)
        options = [dns.edns.GenericOption(int(o.split(":")[0]), bytes.fromhex(o.split(":")[1])) for o in opts.get("opt", [])]
        msg.use_edns(0, dns.flags.DO if "do" in opts else 0, size, options=options)
    return msg.to_wire(), opts


def exchange(wire, opts, port, timeout):
    """One round trip to 127.0.0.1:port; returns the raw reply or None."""
    src = (opts["src"][0], 0) if "src" in opts else None
    try:
        if "tcp" in opts:
            with socket.create_connection(("127.0.0.1", port), timeout, src) as s:
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                data = b""
                while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                    more = s.recv(65536)
                    if not more:
                        return None
                    data += more
                return data[2:]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            if src:
                s.bind(src)
            s.connect(("127.0.0.1", port))                     # so that it is told when nobody listens
            s.send(wire)
            return s.recv(65536)
    except (socket.timeout, ConnectionError):
        return None


def describe(raw, udp_limit):
    """Reply bytes -> a dict that two correct servers agree on: no record order, no compression, no serial."""
    if raw is None:
        return {"reply": "none"}
    try:
        m = dns.message.from_wire(raw, ignore_trailing=True, one_rr_per_rrset=False)
    except Exception as e:                                    # a reply that does not parse is a finding
        return {"reply": "unparsable", "why": type(e).__name__, "header": raw[:12].hex()}

    def section(rrsets):
        out = []
        for rrset in rrsets:
            for rd in rrset:
                text = rd.to_text()
                if rrset.rdtype == dns.rdatatype.SOA:
                    f = text.split()
                    f[2] = "SERIAL"
                    text = " ".join(f)
                out.append(f"{rrset.name} {rrset.ttl} {dns.rdataclass.to_text(rrset.rdclass)} "
                           f"{dns.rdatatype.to_text(rrset.rdtype)} {text}")
        return out

    answer = section(m.answer)
    chain = [r for r in answer if " CNAME " in r]             # CNAMEs keep their order, the rest is a set
    d = {"rcode": dns.rcode.to_text(m.rcode()), "opcode": dns.opcode.to_text(m.opcode()),
         "flags": " ".join(n for n, bit in FLAGS if m.flags & bit),
         "question": [f"{q.name} {dns.rdataclass.to_text(q.rdclass)} {dns.rdatatype.to_text(q.rdtype)}" for q in m.question],
         "answer": chain + sorted(r for r in answer if " CNAME " not in r),
         "authority": sorted(section(m.authority)), "additional": sorted(section(m.additional))}
    if m.edns >= 0:
        d["edns"] = {"version": m.edns, "size": m.payload, "do": bool(m.ednsflags & dns.flags.DO),
                     "options": sorted(f"{int(o.otype)}:{o.to_wire().hex()}" for o in m.options)}
    if udp_limit and len(raw) > udp_limit:
        d["oversize"] = len(raw)
    return d
