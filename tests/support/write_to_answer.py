#!/usr/bin/python3
"""How long a change takes: from sending a write to the API server until svcdns answers with it.

write_to_answer.py http://HOST:PORT DNSPORT [COUNT [WRITES_PER_SECOND]]: creates a Service, changes its address COUNT times,
and asks for it all the while; prints milliseconds.
"""
import json
import random
import socket
import sys
import time

import dns.message

from load_objects import Client

NAME, NAMESPACE = "latency-probe", "ns-0"


def item(number):
    address = f"10.97.{number >> 8 & 255}.{number & 255}"
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [{"port": 80}]}}


def main():
    client, port = Client(sys.argv[1]), int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    pause = 1 / float(sys.argv[4]) if len(sys.argv) > 4 else 0.02
    query = dns.message.make_query(f"{NAME}.{NAMESPACE}.svc.cluster.local", "A").to_wire()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    path = Client.path("Service", NAMESPACE, NAME)
    try:
        client.delete("Service", NAMESPACE, NAME)
    except RuntimeError:
        pass
    client.create(item(0))
    times = []
    for number in range(1, count + 1):
        wanted, body = socket.inet_aton(item(number)["spec"]["clusterIP"]), json.dumps(item(number))
        time.sleep(pause * random.uniform(0.5, 1.5))
        begun = time.perf_counter()
        client.connection.request("PUT", path, body, {"Content-Type": "application/json"})
        while True:
            sock.send(query)
            if sock.recv(4096)[-4:] == wanted:
                break
        times.append((time.perf_counter() - begun) * 1000)
        response = client.connection.getresponse()
        response.read()
        assert response.status == 200, response.status
    client.delete("Service", NAMESPACE, NAME)
    times.sort()
    print(f"{count} writes: p50 {times[count // 2]:.2f} ms, p90 {times[count * 9 // 10]:.2f} ms, "
          f"p99 {times[count * 99 // 100]:.2f} ms, max {times[-1]:.2f} ms")


main()
