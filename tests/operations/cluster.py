"""Where the cluster's objects come from on a stage: an API server behind a door."""
import contextlib
import http.client
import json
import os
import re
import socket
import threading

import fake_apiserver
import load_objects
import real_apiserver


def start_api(feed, folder):
    """The API server that --feed names; of both: .url, .put(object), .close()."""
    if feed == "fake":
        return fake_apiserver.FakeApi()
    return real_apiserver.RealApi(os.path.join(folder, "apiserver"))


class Door:
    """A TCP relay to the API server: it lets 'pass', is closed ('refuse'), accepts and stays 'deaf', or answers an HTTP status."""

    def __init__(self, port, target):
        self.address, self.target = ("127.0.0.1", port), re.match(r"http://([^:/]+):(\d+)", target).groups()
        self.state, self.requests, self.open, self.listener = "refuse", [], [], None

    def mode(self, state):
        self.state = state
        for sock in self.open[:]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.open.clear()
        if state == "refuse" and self.listener:
            self.listener.close()
            self.listener = None
        elif state != "refuse" and not self.listener:
            self.listener = socket.create_server(self.address, backlog=64)
            self.listener.settimeout(0.1)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def close(self):
        self.mode("refuse")

    def accept(self, listener):
        while listener is self.listener:
            try:
                client = listener.accept()[0]
            except socket.timeout:
                continue
            except OSError:
                return
            client.settimeout(None)
            self.open.append(client)
            self.admit(client)

    def admit(self, client):
        def begin(function, *arguments):
            threading.Thread(target=function, args=arguments, daemon=True).start()

        if isinstance(self.state, int):
            begin(self.deny, client, self.state)
        elif self.state == "pass":
            server = socket.create_connection(self.target)
            self.open.append(server)
            begin(self.carry, client, server, True)
            begin(self.carry, server, client, False)

    def carry(self, source, sink, is_request):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_request and (head := re.match(rb"([A-Z]+ \S+) HTTP/1.*?\r\n\r\n", data, re.S)):
                    self.requests.append(head[0].decode())
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def deny(client, status):
        reason = http.client.responses[status]
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status,
                           "message": "the relay says no", "reason": reason}).encode()
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with contextlib.suppress(OSError):
            while client.recv(65536):
                client.sendall(head.encode() + body)


def fill(api, manifest):
    for item in load_objects.objects(manifest):
        api.put(item)
