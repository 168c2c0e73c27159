# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
The plots of the report: what is drawn, and its drawing by gnuplot.
"""
import collections
import os
import statistics
import subprocess

COLOURS = {
    'kevent-edge': '#0072b2', 'kevent-level': '#56b4e9', 'kevent': '#0072b2',
    'kevent-poll-edge': '#332288', 'kevent-dispatch': '#0072b2',
    'epoll-et': '#d55e00', 'epoll-lt': '#e69f00', 'epoll': '#d55e00',
    'io_uring': '#117733', 'uring': '#117733', 'uring-defer': '#44aa99', 'uring-peek': '#999933',
    'uring-defer-peek': '#88ccaa', 'uring-recv': '#aa4499',
    'uring-defer-recv': '#cc79a7', 'poll': '#888888', 'floor': '#444444', 'at most': '#cccccc',
    'kevent-stream': '#001f66', 'kevent-stream-late': '#6633cc',
    'kevent-sendfile': '#009e73', 'kevent-stream-sendfile': '#004d38',
    'kevent-send-file': '#6633cc', 'kevent-stream-send-file': '#9966dd',
    'kevent-sendfile-poll': '#77ccaa', 'uring-defer-splice': '#cc79a7',
    'readahead': '#888888',
    'kevent-stream-send': '#0099aa', 'kevent-send': '#99bbee', 'recv': '#444444',
}

# lines: {name: [(x, y, spread of y)]}; bars: groups are [(label, {name: value})];
# parts: rows are [(label, part, limit)], of 1
Curve = collections.namedtuple('Curve', 'name title xlabel ylabel note lines bottom top')
Bars = collections.namedtuple('Bars', 'name title ylabel note groups')
Parts = collections.namedtuple('Parts', 'name title xlabel note rows')

# So many labels fit beside each other.
FLAT = 5

INSNS = 'instructions per event'
BEYOND = ' beyond the floor'


def quote(text):
    return '"' + text.replace('\\', r'\\').replace('"', r'\"') + '"'


def line_style(mode):
    dash = 2 if mode == 'floor' else 3 if 'uring' in mode else 1
    width = 3 if mode.startswith('kevent') else 2
    return (f'lc rgb "{COLOURS.get(mode, "#000000")}" lw {width} dt {dash} '
            'pt 7 ps 0.5')


def curve_script(plot):
    text = [f'set xlabel {quote(plot.xlabel)}', f'set ylabel {quote(plot.ylabel)}',
            'set logscale x', 'set xrange [*:*] noextend', 'set key outside right noenhanced', 'set grid ytics',
            f'set yrange [{plot.bottom:.6g}:{plot.top:.6g}]', 'set format x "%.0f"']
    for i, (mode, points) in enumerate(plot.lines.items()):
        text.append(f'$d{i} << EOD')
        text += [f'{x} {y} {e}' for x, y, e in sorted(points)]
        text.append('EOD')
    text.append('plot ' + ', \\\n  '.join(
        f'$d{i} using 1:2:3 with yerrorlines {line_style(mode)} title {quote(mode)}'
        for i, mode in enumerate(plot.lines)))
    return text


def bars_script(plot):
    names = list(dict.fromkeys(n for _, values in plot.groups for n in values))
    text = [f'set ylabel {quote(plot.ylabel)}', 'set yrange [0:*]',
            'set style data histograms', 'set style histogram clustered gap 1',
            'set style fill solid 0.85 border -1', 'set grid ytics',
            'set boxwidth 0.9',
            f'set xtics {"rotate by -35 " if len(plot.groups) > FLAT else ""}noenhanced',
            'set key outside right noenhanced', 'set datafile missing "-"',
            '$d << EOD']
    for label, values in plot.groups:
        cells = [str(values.get(n, '-')) for n in names]
        text.append(f'{quote(label)} ' + ' '.join(cells))
    text.append('EOD')
    text.append('plot ' + ', \\\n  '.join(
        f'$d using {i + 2}' + (':xtic(1)' if i == 0 else '') +
        f' lc rgb "{COLOURS.get(n, "#000000")}" title {quote(n)}'
        for i, n in enumerate(names)))
    return text


def parts_script(plot):
    """Bars that lie, so that long labels have room; a line is the limit."""
    rows = len(plot.rows)
    text = [f'set xlabel {quote(plot.xlabel)}', 'unset key', 'set grid xtics',
            f'set yrange [{rows - 0.4}:-0.6]', 'set format x "%.0f %%"',
            'set style fill solid 0.85 noborder', 'set tics nomirror',
            'set yzeroaxis lt -1', 'set xrange [*<0:100<*]',
            'set ytics noenhanced (' + ', '.join(
                f'{quote(label)} {i}' for i, (label, _, _) in enumerate(plot.rows)) + ')',
            '$d << EOD']
    text += [f'{i} {100 * part} {100 * limit}' for i, (_, part, limit) in enumerate(plot.rows)]
    text += ['EOD',
             'plot $d using 2:1:(0):2:($1-0.36):($1+0.36) with boxxyerror '
             f'lc rgb "{COLOURS["kevent"]}", \\',
             '  $d using 3:($1-0.45):(0):(0.9) with vectors nohead lw 2 lc rgb "#d55e00", \\',
             '  $d using ($2>0?$2:0):1:(sprintf(" %.0f %%", $2)) with labels left offset 0.3,0']
    return text


def draw(plot, directory):
    """Returns the image's place."""
    base = os.path.join(directory, plot.name)
    if isinstance(plot, Curve):
        body, height = curve_script(plot), 440
    elif isinstance(plot, Parts):
        body, height = parts_script(plot), 110 + 24 * len(plot.rows)
    else:
        body, height = bars_script(plot), 540 if len(plot.groups) > FLAT else 400
    with open(base + '.gp', 'w') as f:
        f.write('\n'.join([
            f'set terminal svg size 1080,{height} font "sans-serif,13" background "white"',
            f'set output {quote(base + ".svg")}',
            f'set title {quote(plot.title)} noenhanced', *body]) + '\n')
    subprocess.run(['gnuplot', base + '.gp'], check=True)
    return base + '.svg'


# What the opening compares: a group of bars each, by workload, registered, active.
FIRST = [('eventfd', 1000, 1, '1 of 1000 ready'), ('eventfd', 1000, 16, '16 of 1000 ready'),
         ('eventfd', 1000, 1000, 'all 1000 ready'), ('noread', 1000, 16, '16 of 1000, not read'),
         ('signal', 16, 16, '16 signals')]
# By whichever of their ways costs least.
FAMILIES = {'kevent': ('kevent-edge',), 'epoll': ('epoll-et', 'epoll-lt'),
            'io_uring': ('uring', 'uring-defer'), 'floor': ('floor',)}


def families(cases, workload, registered, active):
    """{family: instructions per event} of those that were measured."""
    found = {c['mode']: c['instructions_per_event']['median'] for c in cases
             if measured(c, workload, registered=registered, active=active)}
    best = {name: min((found[m] for m in modes if m in found), default=None)
            for name, modes in FAMILIES.items()}
    return {name: value for name, value in best.items() if value is not None}


def first(cases):
    """The plot that says it all, none if nothing of it was measured."""
    groups = [(label, families(cases, *place)) for *place, label in FIRST]
    groups = [(label, values) for label, values in groups if 'kevent' in values]
    note = ('Kernel and program, from the write to the event consumed, edge-triggered.  '
            'The floor knows for free what is ready: nothing can be below it.  Of epoll '
            'and io_uring the mode that costs least.')
    return [Bars('first', 'what an event costs', INSNS, note, groups)] if groups else []


def rooms(rows):
    """What kevent takes of what there is to be had, a row for each target."""
    known = [r for r in rows if r.get('of_the_room') is not None]
    streams = [r for r in known if r['mode'].startswith('kevent-stream')]
    part = lambda r: (f"{r['row']} {r['what']} / {r['peer']}", r['of_the_room'],
                      (1 - r['at_most']) * r['peer_figure'] / (r['peer_figure'] - r['floor']))
    saved = lambda r: (f"{r['row']} {r['what']} / {r['peer']}", 1 - r['ratio'],
                       1 - r['at_most'])
    wanted = [
        Parts('room', 'how much of the room kevent takes', 'of the way from the peer to the floor',
              'The peer is at 0 %, the floor, which knows for free which descriptor is '
              'ready, at 100 %.  The line is what was aimed at.',
              [part(r) for r in known if r not in streams]),
        Parts('room-streams', 'the same of streams', 'of the way from the peer to the floor',
              'The floor of these receives and sends by a call for each: who does without '
              'goes beyond it.', [part(r) for r in streams]),
        Parts('saved', 'where there is no floor: how much less than the peer', 'of the peer',
              'The line is what was aimed at.',
              [saved(r) for r in rows if 'ratio' in r and r not in known]),
    ]
    return [p for p in wanted if p.rows]


def select(cases, x, y=lambda c: c['instructions_per_event']['median']):
    """{mode: [(x, y, spread of y)]} of the cases for which x is something."""
    lines = collections.defaultdict(list)
    for c in cases:
        at = x(c)
        if at is not None:
            lines[c['mode']].append((at, y(c), y(c) * c.get('spread', 0)))
    return {m: p for m, p in sorted(lines.items()) if len(p) > 1}


def beyond_floor(lines):
    """What differs, where the floor is most of it."""
    floor = {x: (y, e) for x, y, e in lines.get('floor', [])}
    return {m: [(x, y - floor[x][0], e + floor[x][1])
                for x, y, e in p if x in floor]
            for m, p in lines.items() if m != 'floor'}


def top(lines, without=('poll',)):
    return 1.1 * max(y for m, p in lines.items() if m not in without
                     for _, y, _ in p)


def bottom(lines):
    return min(0, 1.1 * min(y for p in lines.values() for _, y, _ in p))


def measured(c, workload, **fixed):
    return (c['workload'] == workload and 'instructions_per_event' in c and
            all(c[k] == v for k, v in fixed.items()))


def parameter(c, workload, **fixed):
    name, _, value = c['workload'].partition(':')
    if (name == workload and value and 'instructions_per_event' in c and
            all(c[k] == v for k, v in fixed.items())):
        return int(value)
    return None


def curves(cases):
    wanted = [
        ('registered', 'eventfd, 16 active', 'registered descriptors', INSNS,
         'poll looks at each descriptor and leaves the picture.',
         lambda c: c['registered'] if measured(c, 'eventfd', active=16) else None),
        ('active', 'eventfd, 10000 registered', 'active descriptors per round',
         INSNS, 'poll is far above the picture until most are active.',
         lambda c: c['active'] if measured(c, 'eventfd', registered=10000) else None),
        ('batch', 'eventfd, 1000 active of 1000', 'most collected at once', INSNS,
         'A queue that is asked for few at a time is asked more often.',
         lambda c: parameter(c, 'eventfd', registered=1000)),
        ('producers', '64 eventfds, consumer sleeps', 'producers (threads)',
         INSNS + BEYOND,
         'All on one processor, the switches between them included; nobody competes '
         'for a lock.',
         lambda c: parameter(c, 'producers')),
        ('echo', 'TCP echo, all connections active', 'connections',
         'instructions per request' + BEYOND,
         'The floor, some 16000 to 21000 instructions, is client, TCP and server; it '
         'receives and sends by a call for each.',
         lambda c: c['active'] if measured(c, 'echo') else None),
        ('request', 'TCP echo, 32 connections', 'bytes of a request',
         'instructions per request' + BEYOND,
         'The floor receives and sends by a call for each.  Of eight bytes, the copy to '
         'a program counts one instruction, memcpy(), which STREAM uses, three.',
         lambda c: 64 if measured(c, 'echo', active=32) else
         parameter(c, 'echo', active=32)),
    ]
    wanted += [
        (f'change-{what}', f'{what} 10000 eventfds', 'changes at a time',
         'instructions per change', 'epoll takes one at a time.',
         lambda c, w=what: c['active'] if measured(c, f'change-{w}') else None)
        for what in ('add', 'modify', 'remove')]
    result = []
    for name, title, xlabel, ylabel, note, x in wanted:
        lines = select(cases, x)
        if ylabel.endswith(BEYOND):
            lines = beyond_floor(lines)
        if lines:
            result.append(Curve(name, title, xlabel, ylabel, note, lines,
                                bottom(lines), top(lines)))

    lines = select(cases,
                   lambda c: c['registered'] if c['workload'] == 'memory' and
                   'bytes_per_interest' in c else None,
                   lambda c: c['bytes_per_interest'] +
                   c['bytes_of_queue'] / c['registered'])
    if lines:
        result.append(Curve('memory', 'kernel memory per interest, queue included',
                            'interests', 'bytes',
                            'A queue has room for as many records or completions as '
                            'interests were announced, up to 65536.',
                            lines, 0, top(lines)))
    return result


def of_modes(cases, key, workloads, scale=1):
    """Groups of bars: a workload each, a mode a bar."""
    groups = []
    for workload, label in workloads:
        values = {c['mode']: statistics.median(c[key]) * scale for c in cases
                  if c['workload'] == workload and key in c}
        if values:
            groups.append((label, values))
    return groups


def streams(cases):
    wanted = [
        Bars('acks', 'acknowledgements without data, 64-byte messages one way',
             'per message', 'A client sends bursts and waits for the server by other '
             'means.',
             of_modes(cases, 'acks_per_message',
                      [(f'{w}:{n}', f'{label}bursts of {n}')
                       for w, label in (('acks', ''), ('nagle', 'Nagle, '))
                       for n in (8, 64)])),
        Bars('nagle', 'bursts without TCP_NODELAY', 'microseconds per burst',
             "The emulated machine's time.  A delayed acknowledgement would be 40,000 "
             'of them.',
             of_modes(cases, 'ns_per_burst',
                      [(f'nagle:{n}', f'bursts of {n}') for n in (8, 64)], 0.001)),
        Bars('bulk', 'one stream, writes of 64 KiB one way', 'instructions per write',
             'Of eight bytes, the copy to a program counts one instruction, memcpy() '
             'three.',
             [(label, {c['mode']: value(c) for c in cases if measured(c, 'bulk')})
              for label, value in (
                  ('all', lambda c: c['instructions_per_event']['median']),
                  ('without copying', lambda c: c['instructions_per_event']['median'] -
                   c['copying_per_event']))]),
    ]
    return [b for b in wanted if any(values for _, values in b.groups)]


def files(cases):
    groups = []
    for workload, size in (('file:4096', '4 KiB'), ('file:131072', '128 KiB'),
                           ('file:8388608', '8 MiB'), ('memfile:131072', '128 KiB, tmpfs'),
                           ('scatfile:131072', '128 KiB, scattered')):
        for n in (1, 16):
            of = {c['mode']: c['instructions_per_event']['median'] for c in cases
                  if measured(c, workload, active=n)}
            if 'epoll-et' in of:
                groups.append((f'{size}, {n}',
                               {m: v / of['epoll-et'] for m, v in of.items()}))
    cold = [(label, values) for key, label in (('ns_of_longest_echo', 'longest echo'),
                                               ('ns_per_cold_file', 'file'))
            for _, values in of_modes([c for c in cases if c['mode'] != 'readahead'],
                                      key, [('cold:4194304', label)], 1e-6)]
    wanted = [
        Bars('files', 'a cached file on request, connections', 'of epoll + sendfile',
             'Instructions of client and server.  The client discards the bytes, which '
             'nobody copies.', groups),
        Bars('cold', 'a cold file of 4 MiB, and an echo beside it', 'ms',
             "The emulated machine's time.  Its disk answers after 8 ms.", cold),
    ]
    return [b for b in wanted if b.groups]
