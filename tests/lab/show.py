"""An observation as text: stage by stage, what was found there and nothing else."""


def rows(title, lines, nothing):
    lines = list(lines) or [f'({nothing})']
    print(f'\n{title}')
    for line in lines:
        print(f'    {line}')


def question(each):
    answer = ' '.join([each['rcode'] or 'no answer', *each['answers']])
    return f'{each["type"]:<5}{each["name"]:<62} {each["to"] or "nobody"}: {answer}'


def hop(each):
    again = f'  ({each["times"]} times)' if each['times'] > 1 else ''
    return f'{each["us"]:>8} µs  {each["at"]:<36}{each["source"]:>18} > {each["target"]:<18} {each["flags"]}{again}'


def outcome(found):
    got = found['outcome']
    if 'error' in got:
        return got['error']
    body = got['body']
    return f'{got["status"]}: {body["pod"]} on {body["node"]} has answered; it saw {body["client"]}'


def show(found):
    print(f'== {found["pod"]} on {found["node"]} calls {found["url"]}')
    rows('/etc/resolv.conf of the pod', found['resolv_conf'], 'empty')
    rows('questions on its eth0, and the answers', map(question, found['questions']), 'none')
    rows('what svcdns has logged', (f'{pod}: {line}' for pod, lines in found['log'].items() for line in lines), 'nothing')
    if 'pod_route' in found:
        rows('the way out of the pod', [found['pod_route']], '')
    rows('counters of nftables on its node that have grown', (f'{n:>3}  {name}' for name, n in found['steps'].items()), 'none')
    rows('the connection in the table of its node', found['tracked'], 'not there')
    if 'node_route' in found:
        rows('the way on from its node', [found['node_route']], '')
    rows('its first packets, place by place', map(hop, found['path']), 'none: there was nobody to connect to')
    if found['refusals']:
        rows('ICMP that reached the pod', (f'from {each["source"]}: {each["unreachable"]} unreachable, for {each["about"]}'
                                           for each in found['refusals']), '')
    rows('what the caller got', [outcome(found)], '')
    print()


def show_clients(found):
    """A row for each kind of name, a column for each client: how many questions it has asked, and whether it found the name."""
    print(f'== questions asked under options {found["options"]}; "no": not found; ".": it cannot be asked')
    rows('/etc/resolv.conf of the pod', found['resolv_conf'], 'empty')
    clients = list(dict.fromkeys(case['client'] for case in found['cases']))
    names = {case['kind']: case['name'] for case in found['cases']}
    cells = {(case['kind'], case['client']): f'{"" if case["found"] else "no "}{len(case["questions"])}' for case in found['cases']}
    print(f'\n{"":<70}' + ''.join(f'{client:>13}' for client in clients))
    for kind, name in names.items():
        print(f'{kind:<17}{name:<53}' + ''.join(f'{cells.get((kind, client), "."):>13}' for client in clients))
    for client, why in found['missing'].items():
        print(f'{client}: {why}')
    print()
