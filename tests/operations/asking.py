"""What an operator asks a server: DNS questions, HTTP paths, the page of metrics. Everything at 127.0.0.1."""
import contextlib
import http.client
import re
import socket
import time

from exchange import describe, exchange, parse_query


def until(condition, seconds, step=0.02):
    """Waits until condition() is true, for so long at most; returns its last value."""
    deadline = time.time() + seconds
    while not (value := condition()) and time.time() < deadline:
        time.sleep(step)
    return value


def reachable(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def ask(port, question, timeout=3.0):
    """Asks 'NAME TYPE [+options]' (exchange.py); returns (the short reply, seconds)."""
    wire, options = parse_query(question)
    start = time.time()
    reply = brief(describe(exchange(wire, options, port, timeout), None))
    return reply, time.time() - start


def ask_raw(family, address, wire, timeout=2):
    """One UDP round trip to any address; the reply or None."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.sendto(wire, address)
            return sock.recv(65536)
        except OSError:
            return None


def brief(reply):
    if "rcode" not in reply:
        return "no reply" if reply["reply"] == "none" else reply["reply"]
    answers = [" ".join(record.split()[3:]) for record in reply["answer"]]
    return " ".join([reply["rcode"]] + ([f"[{', '.join(answers)}]"] if answers else []))


def fetch(port, path, method="GET", timeout=5, **headers):
    """(status, headers, body) of an HTTP request, or (None, {}, 'refused' | 'no answer')."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode(errors="replace")
    except ConnectionRefusedError:
        return None, {}, "refused"
    except (OSError, http.client.HTTPException):
        return None, {}, "no answer"
    finally:
        connection.close()


def metrics(port):
    """The page of metrics as {family: [type, help, {labels: value, or of a histogram {bound or '_count' or '_sum': value}}]}."""
    families, name = {}, None
    code, _, text = fetch(port, "/metrics")
    for line in text.splitlines() if code == 200 else ():
        if line.startswith("# HELP "):
            _, _, name, *about = line.split(" ", 3)
            families[name] = ["untyped", about[0] if about else "", {}]
        elif line.startswith("# TYPE "):
            families[line.split()[2]][0] = line.split()[3]
        elif line:
            sample, labels, value = re.fullmatch(r"(\w+)(\{.*\})? (\S+)", line).groups()
            add_sample(families[name], sample[len(name):], labels or "", value)
    return families


def add_sample(family, suffix, labels, value):
    kind, _, series = family
    if kind not in ("histogram", "summary"):
        series[labels] = value
        return
    bound = re.search(r',?(?:le|quantile)="([^"]*)"', labels)
    if bound:
        labels = labels.replace(bound[0], "")
    series.setdefault("" if labels == "{}" else labels, {})[bound[1] if bound else suffix] = value


def sample(port, wanted):
    """The value of one sample, 'FAMILY REGEX', where the regex is searched for in its labels; '-' if there is none."""
    name, _, labels = wanted.partition(" ")
    for text, value in metrics(port).get(name, [0, 0, {}])[2].items():
        if re.search(labels, text):
            return value if not isinstance(value, dict) else value["_count"]
    return "-"
