"""Kubernetes objects (dicts as in JSON) -> protobuf, as far as DNS reads them: the field numbers of generated.proto."""

TEXT, NUMBER, BOOLEAN, LABELS, TIME = "text", "number", "boolean", "labels", "time"
MESSAGES = {
    "ObjectMeta": {"name": (1, TEXT), "namespace": (3, TEXT), "uid": (5, TEXT), "resourceVersion": (6, TEXT),
                   "deletionTimestamp": (9, TIME), "labels": (11, LABELS), "annotations": (12, LABELS)},
    "ListMeta": {"resourceVersion": (2, TEXT), "continue": (3, TEXT)},
    "Namespace": {"metadata": (1, "ObjectMeta")},
    "Service": {"metadata": (1, "ObjectMeta"), "spec": (2, "ServiceSpec"), "status": (3, "ServiceStatus")},
    "ServiceSpec": {"ports": (1, "Port"), "selector": (2, LABELS), "clusterIP": (3, TEXT), "type": (4, TEXT),
                    "externalIPs": (5, TEXT), "externalName": (10, TEXT), "clusterIPs": (18, TEXT)},
    "ServiceStatus": {"loadBalancer": (1, "LoadBalancerStatus")},
    "LoadBalancerStatus": {"ingress": (1, "Ingress")},
    "Ingress": {"ip": (1, TEXT), "hostname": (2, TEXT)},
    "Port": {"name": (1, TEXT), "protocol": (2, TEXT), "port": (3, NUMBER)},
    "EndpointSlice": {"metadata": (1, "ObjectMeta"), "endpoints": (2, "Endpoint"), "ports": (3, "Port"),
                      "addressType": (4, TEXT)},
    "Endpoint": {"addresses": (1, TEXT), "conditions": (2, "Conditions"), "hostname": (3, TEXT),
                 "targetRef": (4, "Target"), "nodeName": (6, TEXT), "zone": (7, TEXT)},
    "Conditions": {"ready": (1, BOOLEAN), "serving": (2, BOOLEAN), "terminating": (3, BOOLEAN)},
    "Target": {"kind": (1, TEXT), "namespace": (2, TEXT), "name": (3, TEXT), "uid": (4, TEXT)},
    "Pod": {"metadata": (1, "ObjectMeta"), "status": (3, "PodStatus")},
    "PodStatus": {"phase": (1, TEXT), "podIP": (6, TEXT), "podIPs": (12, "PodIP")},
    "PodIP": {"ip": (1, TEXT)},
    "PartialObjectMetadata": {"metadata": (1, "ObjectMeta")},
    "Status": {"status": (2, TEXT), "message": (3, TEXT), "reason": (4, TEXT), "code": (6, NUMBER)},
}


def varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def octets(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def field(number, kind, value):
    if kind == NUMBER or kind == BOOLEAN:
        return varint(number << 3) + varint(int(value))
    if kind == TEXT:
        return octets(number, value.encode())
    if kind == TIME:
        return octets(number, varint(1 << 3) + varint(1700000000))
    if kind == LABELS:
        return b"".join(octets(number, octets(1, k.encode()) + octets(2, v.encode())) for k, v in sorted(value.items()))
    return octets(number, message(kind, value))


def message(name, value):
    out = b""
    for key, (number, kind) in MESSAGES[name].items():
        content = value.get(key)
        if isinstance(content, list):
            out += b"".join(field(number, kind, item) for item in content)
        elif content is not None:
            out += field(number, kind, content)
    return out


def envelope(api_version, kind, raw):
    return b"k8s\0" + octets(1, octets(1, api_version.encode()) + octets(2, kind.encode())) + octets(2, raw) + octets(3, b"")


def one(item):
    """An object that says its kind."""
    return envelope(item["apiVersion"], item["kind"], message(item["kind"], item))


def many(api_version, kind, metadata, items):
    """A list of objects of a kind: 'ServiceList' of 'Service'."""
    raw = octets(1, message("ListMeta", metadata)) + b"".join(octets(2, message(kind, item)) for item in items)
    return envelope(api_version, kind + "List", raw)


def event(type_, item):
    """One frame of a watch."""
    frame = octets(1, type_.encode()) + octets(2, octets(1, one(item)))
    return len(frame).to_bytes(4, "big") + frame
