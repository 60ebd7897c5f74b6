"""From readings to tables in Markdown, and into the document."""
import math
import statistics


def percentile(values, p):
    """The smallest of the sorted values that at least p percent of them do not exceed."""
    return values[max(0, math.ceil(len(values) * p / 100) - 1)]


def medians(rounds, name):
    keys = {key for r in rounds for key in r[name]}
    return {key: statistics.median(r[name].get(key) or 0 for r in rounds) for key in keys}


def summarize(rounds):
    """name -> medians over the rounds, and ratios to the `reference`, echo, or where it does not take part svcdns, of each round:
    `ratio` of answers, `cpu_ratio` of answers by processor time, `p99_speed` and so on of how soon they come: the larger the
    better."""
    reference = 'echo' if 'echo' in rounds[0] else 'svcdns'
    result = {}
    for name in rounds[0]:
        result[name] = {'reference': reference, **medians(rounds, name)}
        pairs = [(r[name], r[reference]) for r in rounds]
        result[name]['ratio'] = statistics.median(own['answered'] / other['answered'] for own, other in pairs)
        result[name]['cpu_ratio'] = statistics.median(other['cpu'] / own['cpu'] if own['cpu'] else 0 for own, other in pairs)
        for key in ('p50', 'p90', 'p99', 'p999'):
            if key in rounds[0][name]:
                result[name][f'{key}_speed'] = statistics.median(other[key] / own[key] for own, other in pairs)
    return reference, result


def cell(result, key, form):
    value = result.get(key)
    if value is None:
        return ''
    if math.isinf(value):
        return 'lost'
    speed = result.get(f'{key}_speed')
    return form.format(value) + (f' ({1 / speed:.1f})' if speed else '')


def change(earlier, now):
    """"0.84 (+2 %)": what it was, and how much more it is now."""
    if not earlier or not math.isfinite(earlier) or not math.isfinite(now):
        return ''
    return f'{earlier:.2f} ({100 * (now / earlier - 1):+.0f} %)'


def row(*cells):
    return f'| {" | ".join(cells)} |'


def table(workload, reference, result, earlier=None):
    """earlier: the same of another run; its column is left out without."""
    heads = ['server', f'answers/s, of {reference}', 'by CPU time', *(heading for heading, _, _ in workload.columns), 'answers/s',
             'µs CPU (user + system)', 'lost', 'MiB']
    lines = []
    for name, r in sorted(result.items(), key=lambda item: -item[1][workload.compared]):
        cells = [name, f'{r["ratio"]:.2f}', f'{r["cpu_ratio"]:.2f}', *(cell(r, key, form) for _, key, form in workload.columns),
                 f'{r["answered"]:,.0f}'.replace(',', ' '), f'{r["cpu"]:.2f} ({r["user"]:.2f} + {r["system"]:.2f})',
                 f'{r.get("lost", 0):.0f}', f'{r["mib"]:.1f}']
        if earlier is not None:
            before = earlier.get(name, {})
            cells.append(change(before.get(workload.compared) if before.get('reference') == reference else None,
                                r[workload.compared]))
        lines.append(row(*cells))
    if earlier is not None:
        heads.append('before')
    return '\n'.join([row(*heads), '|---' * len(heads) + '|', *lines])


def plain_table(heads, rows):
    return '\n'.join([row(*heads), '|---' * len(heads) + '|', *(row(*cells) for cells in rows)])


def merge(results, fresh):
    """What an earlier run has measured stays where the fresh one has nothing."""
    return {**results, **{name: {**results.get(name, {}), **servers} for name, servers in fresh.items()}}
