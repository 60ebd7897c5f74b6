"""The stand-in of kube-proxy: manifests in, nftables' rules out, the same on every node.

A Service's address and port lead to one of its ready endpoints, at random. What has none is refused, as kube-proxy does. Each
step has a counter, so that one can see which way a connection has gone. A connection that came by a node's own port, or whose
endpoint is the very pod that calls, gets the node's address as its source, so that the answer comes back this way.
"""
from table import of_kind

TABLE = 'kube-proxy'
MARK = '0x4000'
FRAME = '''
table ip {table} {{
{counters}
{chains}
	chain services {{
{jumps}
	}}
	chain node_ports {{
{node_ports}
	}}
	chain refused {{
{refused}
	}}
	chain prerouting {{
		type nat hook prerouting priority dstnat
		jump services
		fib daddr type local jump node_ports
	}}
	chain output {{
		type nat hook output priority -100
		jump services
		fib daddr type local jump node_ports
	}}
	chain forward {{
		type filter hook forward priority filter
		ct state new jump refused
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat
		meta mark & {mark} != 0 masquerade
	}}
}}
'''


def endpoints(objects, service, port):
    """Address and port of each endpoint that is ready, for one port of the Service."""
    meta = service['metadata']
    return [(endpoint['addresses'][0], its_port['port'])
            for each in of_kind(objects, 'EndpointSlice')
            if each['metadata']['namespace'] == meta['namespace']
            and each['metadata']['labels']['kubernetes.io/service-name'] == meta['name']
            for endpoint in each['endpoints'] if endpoint['conditions']['ready']
            for its_port in each['ports'] if its_port['name'] == port['name']]


def gone(before, after):
    """(address of a Service, its port, address of an endpoint) where that no longer leads to this."""
    def all_of(objects):
        return {(service['spec']['clusterIP'], port['port'], address) for service in of_kind(objects, 'Service')
                if has_address(service) for port in service['spec']['ports'] for address, _ in endpoints(objects, service, port)}

    return sorted(all_of(before) - all_of(after))


def has_address(service):
    """Not a headless one, nor an ExternalName: there is nothing to be done for those."""
    return service['spec'].get('clusterIP', 'None') != 'None'


def endpoint_chain(name, proto, address, port):
    return f'''	chain {name} {{
		ip saddr {address} meta mark set {MARK}
		counter name {name} meta l4proto {proto} dnat to {address}:{port}
	}}'''


def service_chain(name, targets):
    choice = ', '.join(f'{i} : goto {target}' for i, target in enumerate(targets))
    return f'''	chain {name} {{
		counter name {name} numgen random mod {len(targets)} vmap {{ {choice} }}
	}}'''


def short(*words):
    """A name that nft takes: default_product_service_svc_http."""
    return '_'.join(words).replace('-', '_').replace('.', '_')


def ruleset(objects):
    """Text for `nft -f -`: it replaces what was there in one transaction."""
    counters, chains, jumps, node_ports, refused = [], [], [], [], []
    for service in filter(has_address, of_kind(objects, 'Service')):
        meta, address = service['metadata'], service['spec']['clusterIP']
        for port in service['spec']['ports']:
            name, proto = short(meta['namespace'], meta['name'], port['name']), port['protocol'].lower()
            found = endpoints(objects, service, port)
            match = f'ip daddr {address} {proto} dport {port["port"]}'
            counters.append(name)
            if not found:
                refused.append(f'\t\t{match} counter name {name} reject')
                continue
            targets = [short(name, endpoint) for endpoint, _ in found]
            counters += targets
            chains += [endpoint_chain(target, proto, *each) for target, each in zip(targets, found)]
            chains.append(service_chain(name, targets))
            jumps.append(f'\t\t{match} goto {name}')
            if 'nodePort' in port:
                node_ports.append(f'\t\t{proto} dport {port["nodePort"]} meta mark set {MARK} goto {name}')
    return f'table ip {TABLE}\ndelete table ip {TABLE}\n' + FRAME.format(
        table=TABLE, mark=MARK, counters='\n'.join(f'\tcounter {name} {{ }}' for name in counters),
        chains='\n'.join(chains), jumps='\n'.join(jumps), node_ports='\n'.join(node_ports), refused='\n'.join(refused))
