"""A TCP relay on 127.0.0.1 that can cut all that goes through it: Relay(port).port, .cut(), .close()."""
import selectors
import socket
import threading


class Relay:
    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers, self.wants_cut, self.is_closing = {}, False, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def cut(self):
        self.wants_cut = True

    def close(self):
        self.is_closing = True
        self.thread.join()
        self.listener.close()

    def run(self):
        while not self.is_closing:
            for key, _ in self.selector.select(0.05):
                self.accept() if key.fileobj is self.listener else self.carry(key.fileobj)
            if self.wants_cut or self.is_closing:
                self.wants_cut = False
                for end in list(self.peers):
                    self.drop(end)

    def accept(self):
        near, _ = self.listener.accept()
        far = socket.create_connection(("127.0.0.1", self.target))
        for end, other in ((near, far), (far, near)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[end] = other
            self.selector.register(end, selectors.EVENT_READ)

    def carry(self, end):
        if end not in self.peers:
            return
        try:
            octets = end.recv(65536)
            if octets:
                self.peers[end].sendall(octets)
                return
        except OSError:
            pass
        self.drop(end)

    def drop(self, end):
        for each in (end, self.peers.get(end)):
            if each in self.peers:
                del self.peers[each]
                self.selector.unregister(each)
                each.close()
