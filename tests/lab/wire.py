"""What is on the wire: a tap is a packet socket on one interface of one namespace, and keeps all that passes until it is read."""
import contextlib
import socket
import struct

ETH_P_ALL, ETH_P_IP, ETH_HEADER = 3, 0x0800, 14
SO_TIMESTAMPNS = 35  # which Python has no name for; the message has the same number
BUFFER = 1 << 22  # octets: of one call, all of it
TIMESPEC = struct.Struct('@ll')
CONTROL = socket.CMSG_SPACE(TIMESPEC.size)
TYPES = {1: 'A', 5: 'CNAME', 28: 'AAAA', 33: 'SRV'}
OPT = b'\0\0\x29'  # a record of the root's, of type 41
RCODES = {0: 'NOERROR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED'}
FLAGS = {0x02: 'SYN', 0x12: 'SYN,ACK', 0x04: 'RST', 0x14: 'RST,ACK'}  # of the packets that tell how a connection begins
UNREACHABLE = {0: 'network', 1: 'host', 3: 'port', 13: 'by rule'}


class Tap:
    def __init__(self, space, device):
        self.space, self.device = space, device
        with space.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((device, ETH_P_ALL))

    def packets(self):
        """Those that came since the last time, decoded, each with its time in ns, by the kernel's clock."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, control, _, _ = self.socket.recvmsg(65535, CONTROL, socket.MSG_DONTWAIT)
                if int.from_bytes(frame[12:ETH_HEADER], 'big') == ETH_P_IP:
                    found += [{**packet, 'time': time_of(control)} for packet in decode(frame[ETH_HEADER:])]
        return found

    def close(self):
        self.socket.close()


def time_of(control):
    seconds, nanoseconds = next(TIMESPEC.unpack(value) for level, kind, value in control
                                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS))
    return seconds * 10 ** 9 + nanoseconds


def decode(packet):
    """Dicts with `kind`: dns, tcp, http (a request's or reply's first line) or icmp; none for what is none of them, or goes on
    with what had begun."""
    header, size = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], 'big')
    protocol, source, target = packet[9], socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    body = packet[header:size]  # without what fills the frame up
    if protocol == socket.IPPROTO_ICMP:
        return icmp(source, target, body)
    ports = dict(zip(('source', 'target'), struct.unpack('!HH', body[:4]))) if len(body) >= 4 else {}
    if not ports:
        return []
    ends = {'source': f'{source}:{ports["source"]}', 'target': f'{target}:{ports["target"]}'}
    if protocol == socket.IPPROTO_UDP and 53 in ports.values():
        return [{'kind': 'dns', 'over': 'udp', **ends, **dns(body[8:])}]
    if protocol != socket.IPPROTO_TCP:
        return []
    if body[13] & 0x3f in FLAGS:
        return [{'kind': 'tcp', **ends, 'flags': FLAGS[body[13] & 0x3f]}]
    payload = body[(body[12] >> 4) * 4:]
    if 53 in ports.values():
        return [{'kind': 'dns', 'over': 'tcp', **ends, **dns(message)} for message in framed(payload)]
    if payload.startswith((b'GET ', b'HTTP/')):
        return [{'kind': 'http', **ends, 'line': payload.split(b'\r\n')[0].decode('latin1')}]
    return []


def framed(stream):
    """The messages of a segment of DNS over TCP. Here, each is in one segment as a whole."""
    found = []
    while len(stream) > 2:
        end = 2 + int.from_bytes(stream[:2], 'big')
        found.append(stream[2:end])
        stream = stream[end:]
    return found


def icmp(source, target, body):
    if body[0] != 3:
        return []
    return [{'kind': 'icmp', 'source': source, 'target': target, 'unreachable': UNREACHABLE.get(body[1], f'code {body[1]}'),
             'about': socket.inet_ntoa(body[24:28])}]  # what the packet was for that it answers


def name_at(message, at):
    """The name without its final dot, and where it ends."""
    labels, end = [], None
    while message[at]:
        if message[at] >= 0xc0:
            end = end or at + 2
            at = int.from_bytes(message[at:at + 2], 'big') & 0x3fff
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode('latin1'))
        at += 1 + message[at]
    return '.'.join(labels), end or at + 1


def question(message):
    """Name, type, and where the question ends."""
    name, at = name_at(message, 12)
    return name, int.from_bytes(message[at:at + 2], 'big'), at + 4


def dns(message):
    name, kind, at = question(message)
    flags, _, answers = struct.unpack('!HHH', message[2:8])
    found = {'id': int.from_bytes(message[:2], 'big'), 'name': name + '.', 'type': TYPES.get(kind, str(kind)),
             'edns': message[at:at + 3] == OPT}  # of a question, which has no other record
    if flags & 0x8000:
        found.update(rcode=RCODES.get(flags & 15, str(flags & 15)), answers=addresses(message, at, answers))
    return found


def addresses(message, at, count):
    found = []
    for _ in range(count):
        _, at = name_at(message, at)
        kind, _, _, size = struct.unpack('!HHIH', message[at:at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(message[at:at + size]))
        at += size
    return found
