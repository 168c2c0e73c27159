#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
Makes a page with plots of what report.py wrote.

    page.py DIR

reads   DIR/results.json, DIR/profiles.json
writes  DIR/report.html, which needs no other file, and DIR/plots/NAME.gp and
        NAME.svg, what gnuplot made it of
"""
import base64
import html
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True      # not beside the sources
import plots  # noqa: E402

STYLE = '''
body { font: 15px/1.5 sans-serif; max-width: 1248px; margin: 2rem auto; padding: 0 .5rem;
       color: #222; background: #fff }
.first { font-size: 17px; max-width: 60rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px }
td { white-space: nowrap } td.l { white-space: normal; overflow-wrap: anywhere; min-width: 4rem }
th { vertical-align: bottom }
th, td { padding: .2rem .4rem; border-bottom: 1px solid #ddd; text-align: right;
         font-variant-numeric: tabular-nums }
th.l, td.l { text-align: left }
.met { color: #116329 } .missed { color: #b02a1a } .unproven { color: #8a6100 }
figure { margin: 1rem 0 } figure img { max-width: 100%; border: 1px solid #ddd }
figcaption, .note { color: #555; font-size: 13px }
pre { background: #f6f6f6; padding: .6rem; white-space: pre-wrap; font-size: 13px }
details { margin: .4rem 0 } summary { cursor: pointer }
'''


def number(value, form):
    return '-' if value is None else format(value, form)


def limit(value):
    return f'{value:.2f}' if round(value, 2) == value else f'{value:.3f}'


def cell(text, tag='td', left=False, style=''):
    style = ' '.join(s for s in ('l' if left else '', style) if s)
    style = f' class="{style}"' if style else ''
    return f'<{tag}{style}>{html.escape(str(text))}</{tag}>'


def table(heads, lines, left=2):
    """lines: of texts, or of (text, style)"""
    rows = ['<tr>' + ''.join(cell(h, 'th', i < left)
                             for i, h in enumerate(heads)) + '</tr>']
    for line in lines:
        pairs = [c if isinstance(c, tuple) else (c, '') for c in line]
        rows.append('<tr>' + ''.join(cell(t, 'td', i < left, s)
                                     for i, (t, s) in enumerate(pairs)) +
                    '</tr>')
    return ('<div class="wide"><table>\n' + '\n'.join(rows) +
            '\n</table></div>\n')


def verdict(row):
    word = row.get('verdict', 'not measured')
    style = ('unproven' if 'unproven' in word else
             'met' if word == 'met' else
             'missed' if word == 'MISSED' else '')
    return word, style


def ratios(rows):
    lines = []
    for r in rows:
        ratio = number(r.get('ratio'), '.3f')
        if r.get('differ') is False:
            ratio += ' ?'
        lines.append([
            r['row'], r['what'], number(r.get('figure'), '.1f'),
            number(r.get('peer_figure'), '.1f'), number(r.get('floor'), '.1f'),
            ratio, f"{limit(r['at_most'])} x {r['peer']}", verdict(r),
            number(r.get('of_the_room'), '.0%'), number(r.get('spread'), '.3%'),
            f"{number(r.get('entries'), '.2f')} / {number(r.get('peer_entries'), '.2f')}",
            f"{number(r.get('locked'), '.2f')} / {number(r.get('peer_locked'), '.2f')}"])
    return table(['row', 'work', 'kevent', 'peer', 'floor', 'ratio', 'at most',
                  'verdict', 'room', 'spread', 'entries', 'locked'], lines)


def locks(rows):
    modes = list(dict.fromkeys(m for r in rows for m in r['figures']))
    return table(['row', 'work', 'mode', *modes, 'at most', 'verdict'],
                 [[r['row'], r['what'], r['mode'],
                   *(number(r['figures'].get(m), '.2f') for m in modes),
                   f"{r['at_most']:.1f}", verdict(r)] for r in rows], 3)


def uncopied(rows):
    return table(['row', 'work', 'kevent', 'peer', 'ratio', 'at most', 'verdict',
                  'copying', "peer's copying"],
                 [[r['row'], r['what'], number(r.get('figure'), '.1f'),
                   number(r.get('peer_figure'), '.1f'), number(r.get('ratio'), '.3f'),
                   f"{limit(r['at_most'])} x {r['peer']}" if r['at_most'] else r['peer'],
                   verdict(r) if r['at_most'] else '',
                   number(r.get('copying'), '.1f'),
                   number(r.get('peer_copying'), '.1f')] for r in rows])


def streams(rows):
    """Rows of streams with one figure for each mode."""
    lines = []
    for r in rows['entered']:
        lines.append([r['row'], r['what'] + ": server's kernel entries per round",
                      ', '.join(f'{m} {v:.2f}' for m, v in r['figures'].items()),
                      f"at most {r['at_most']:.0f}", verdict(r)])
    for r in rows['acks']:
        lines.append([r['row'], r['what'] + ': pure ACKs per message',
                      ', '.join(f'{m} {v:.3f}' for m, v in r['figures'].items()),
                      f"at most {number(r.get('at_most'), '.3f')}", verdict(r)])
    for r in rows['nagle']:
        lines.append([r['row'], r['what'] + ': us per burst and delayed ACKs',
                      ', '.join(f"{m} {f['ns'] / 1000:.1f} and {f['delayed']:.2f}"
                                for m, f in r['figures'].items()),
                      f"at most {r['peer']}'s", verdict(r)])
    for r in rows['more']:
        lines.append([r['row'], r['what'] + ': bytes',
                      ', '.join(f'{m} {v:.1f}' for m, v in r['figures'].items()),
                      f"at most {r['at_most']} more than {r['peer']}", verdict(r)])
    return table(['row', 'work', 'figures', 'target', 'verdict'], lines, 3)


def files(rows):
    lines = [[r['row'], r['what'] + ": server's kernel entries per file",
              ', '.join(f'{m} {v:.2f}' for m, v in r['figures'].items()),
              f"at most {limit(r['at_most'])} x {r['peer']}", verdict(r)]
             for r in rows['served']]
    lines += [[r['row'], f"{r['what']}, worst of all runs, {r['mode']}",
               ', '.join(f"{m} {v:{'.3f' if r['unit'] else '.0f'}}"
                         for m, v in r['figures'].items()),
               f"at most {r['at_most']} {r['unit']}".strip(), verdict(r)]
              for r in rows['cold']]
    return table(['row', 'work', 'figures', 'target', 'verdict'], lines, 3)


def cold(cases):
    middle = lambda c, key, scale=1e6, form='.3f': format(
        statistics.median(c[key]) / scale, form)
    return table(['workload', 'mode', 'blocked', 'longest call, ms', 'longest echo, ms',
                  'mean', 'echoes', 'file, ms'],
                 [[c['workload'], c['mode'],
                   *([middle(c, 'blocked_per_file', 1, '.0f'),
                      middle(c, 'ns_of_longest_call')]
                     if any(c['ns_of_longest_call']) else ['-', '-']),
                   middle(c, 'ns_of_longest_echo'), middle(c, 'ns_per_echo'),
                   middle(c, 'echoes_per_file', 1, '.0f'),
                   middle(c, 'ns_per_cold_file', form='.1f')]
                  for c in cases if 'ns_per_cold_file' in c])


def spins(rows):
    lines = []
    for r in rows:
        for mode, f in r['figures'].items():
            own = mode == r['mode']
            lines.append([r['row'], r['what'], mode, f"{f['syscalls']:.4f}",
                          f"{f['ipis']:.4f}", '0 and 0' if own else '',
                          verdict(r) if own else ''])
    return table(['row', 'source', 'mode', 'system calls', 'IPIs', 'at most',
                  'verdict'], lines, 3)


def others(rows):
    """Rows with one figure for each mode."""
    lines = []
    for r in rows['taken'] + rows['wakeups']:
        limit = (f"at least {r['at_least']}" if 'at_least' in r
                 else f"at most {r['at_most']:.1f}")
        lines.append([r['row'], r['what'],
                      ', '.join(f'{m} {v:.2f}' for m, v in r['figures'].items()),
                      limit, verdict(r)])
    for r in rows['sched']:
        lines.append([r['row'], r['what'],
                      ', '.join(f"{m} {f['switches']:.3f} and {f['migrations']:.3f}"
                                for m, f in r['figures'].items()),
                      f"at most {r['at_most']:.2f} x epoll-et", verdict(r)])
    return table(['row', 'work', 'figures', 'target', 'verdict'], lines, 3)


def memory(cases):
    return table(['workload', 'mode', 'registered', 'bytes per interest',
                  'in slab objects', 'queue', 'bytes per interest, with queue'],
                 [[c['workload'], c['mode'], c['registered'], f"{c['bytes_per_interest']:.1f}",
                   f"{c['slab_bytes_per_interest']:.1f}", c['bytes_of_queue'],
                   f"{c['bytes_per_interest'] + c['bytes_of_queue'] / c['registered']:.1f}"]
                  for c in cases if 'bytes_per_interest' in c])


def unused(rows):
    return table(['row', 'work', 'mode', 'KEVENT=y', 'KEVENT=n', 'ratio',
                  'within', 'verdict'],
                 [[r['row'], r['what'], r['mode'], number(r.get('figure'), '.1f'),
                   number(r.get('peer_figure'), '.1f'),
                   number(r.get('ratio'), '.4f'), number(r.get('uncertain'), '.4f'),
                   verdict(r)] for r in rows], 3)


def native(result):
    return table(['what', 'records', 'ns per record, median', 'least', 'most'],
                 [[n['what'], n['records'], f"{n['ns']['median']:.2f}",
                   f"{n['ns']['min']:.2f}", f"{n['ns']['max']:.2f}"]
                  for n in result], 1)


def all_cases(cases):
    return table(['workload', 'mode', 'registered', 'active', 'median', 'min',
                  'max', 'spread', 'again', 'disturbed', 'entries/round',
                  'locked/event'],
                 [[c['workload'], c['mode'], c['registered'], c['active'],
                   *(f"{c['instructions_per_event'][k]:.2f}"
                     for k in ('median', 'min', 'max')),
                   f"{c['spread']:.3%}", number(c['between_runs'], '.3%'),
                   f"{c['windows_disturbed']}/{c['windows']}",
                   f"{c['kernel_entries_per_round']:.2f}",
                   f"{c['locked_per_event']:.2f}"]
                  for c in cases if 'instructions_per_event' in c])


def profile(name, modes):
    """Functions down, modes across: instructions beyond those of the floor."""
    floor = modes.get('floor', {})
    shown = [m for m in modes if m != 'floor']
    names = list(dict.fromkeys(f for m in modes.values() for f in m))
    extra = {f: {m: modes[m].get(f, 0) - floor.get(f, 0) for m in shown}
             for f in names}
    large = sorted((f for f in names
                    if max(abs(v) for v in extra[f].values()) >= 0.5),
                   key=lambda f: -max(extra[f].values()))
    rest = [f for f in names if f not in set(large)]
    form = lambda v: f'{v:.1f}' if abs(v) >= 0.05 else ''
    lines = [['all of them', *(f'{sum(e[m] for e in extra.values()):.1f}'
                               for m in shown), f'{sum(floor.values()):.1f}']]
    lines += [[f, *(form(extra[f][m]) for m in shown), form(floor.get(f, 0))]
              for f in large]
    lines.append([f'{len(rest)} more',
                  *(form(sum(extra[f][m] for f in rest)) for m in shown),
                  form(sum(floor.get(f, 0) for f in rest))])
    return (f'<details><summary>{html.escape(name)}</summary>\n' +
            table(['function', *shown, 'floor'], lines, 1) + '</details>\n')


def opening(rows, cases):
    """Three sentences, of what was measured of it."""
    sentences = []
    costs = plots.families(cases, 'eventfd', 1000, 16)
    if len(costs) == len(plots.FAMILIES):
        sentences.append(
            'To learn that 16 of 1000 descriptors are ready, and to read them, costs '
            '{kevent:.0f} instructions per event with kevent, {epoll:.0f} with epoll and '
            '{io_uring:.0f} with io_uring, of which {floor:.0f} are the write and the '
            'read themselves.'.format(**costs))
    spin = next((r for r in rows['spins'] if r['what'].startswith('POLL')), None)
    if spin and spin['mode'] in spin['figures']:
        f = spin['figures']
        figures = lambda m: f"{f[m]['syscalls']:.1f} and {f[m]['ipis']:.1f}"
        others = [f'{word} {figures(m)}' for m, word in
                  (('epoll-et-sleep', 'with epoll, which has to sleep, they are'),
                   ('uring', 'with io_uring'))
                  if m in f]
        sentences.append('While a program keeps up, system calls and interrupts between '
                         'processors are, for each event that another processor makes, '
                         f'{figures(spin["mode"])} with kevent' +
                         ''.join(f', {other}' for other in others) + '.')
    words = [r['verdict'] for kind in rows.values() for r in kind if 'verdict' in r]
    missed = sorted({r['row'] for kind in rows.values() for r in kind
                     if 'MISSED' in r.get('verdict', '')})
    if words:
        sentences.append(f"Of {len(words)} targets {sum('MISSED' not in w for w in words)} "
                         f"are met, {sum('unproven' in w for w in words)} of all by less "
                         'than what was measured varies' +
                         (f"; {', '.join(missed)} has one that is missed." if len(missed) == 1
                          else f"; missed are some of {', '.join(missed)}." if missed
                          else '.'))
    return f'<p class="first">{html.escape(" ".join(sentences))}</p>\n'


def figure(plot, directory):
    image = plots.draw(plot, directory)
    with open(image, 'rb') as f:
        data = base64.b64encode(f.read()).decode()
    note = html.escape(plot.note)
    return (f'<figure><img alt="{html.escape(plot.title)}" '
            f'src="data:image/svg+xml;base64,{data}">'
            f'<figcaption>{note}</figcaption></figure>\n')


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    directory = sys.argv[1]
    with open(os.path.join(directory, 'results.json')) as f:
        result = json.load(f)
    with open(os.path.join(directory, 'profiles.json')) as f:
        profiles = json.load(f)
    rows, cases = result['rows'], result['cases']
    where = os.path.join(directory, 'plots')
    os.makedirs(where, exist_ok=True)
    parts = ['<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
             '<meta name="viewport" content="width=device-width">'
             f'<title>kevent: measurements</title><style>{STYLE}</style>'
             '</head><body>\n<h1>kevent: measurements</h1>\n', opening(rows, cases)]
    parts += [figure(p, where) for p in plots.first(cases)]
    parts += ['<h2>Targets</h2>\n', ratios(rows['ratios']),
              '<p class="note">"?": the spread is larger than the difference from '
              'the peer, which is therefore unproven.</p>\n']
    parts += [figure(p, where) for p in plots.rooms(rows['ratios'])]
    parts += ['<h2>What is counted</h2>\n', f"<p>{html.escape(result['legend'])}</p>\n",
              f"<pre>{html.escape(result['about'])}</pre>\n"]
    parts += ['<h2>Streams</h2>\n', streams(rows),
              '<p>Without the instructions that copy bytes: the kernel\'s memcpy() '
              'counts three for eight bytes here, its copy to a program one; on a '
              'processor with erms and fsrm both are the same.</p>\n', uncopied(rows['uncopied'])]
    parts += [figure(p, where) for p in plots.streams(cases)]
    parts += ['<h2>Files</h2>\n', files(rows),
              '<p>Not cached: medians of the runs.  "blocked": sleeps of the server in '
              'calls that are not to wait.  Mode readahead only submits the reads, with '
              'the copy that this disk makes of them; its "file" is the sum.</p>\n',
              cold(cases)]
    parts += [figure(p, where) for p in plots.files(cases)]
    parts += ['<h2>Locked operations per event</h2>\n', locks(rows['locks'])]
    parts += ['<h2>A consumer that spins: system calls and IPIs per event</h2>\n'
              '<p>Two vCPUs; not instructions, but counters.</p>\n',
              spins(rows['spins'])]
    parts += ['<h2>Records per kernel entry, wake-ups, the scheduler</h2>\n'
              '<p>Of interests that stay ready, records per kernel entry; of '
              'threads asleep on one queue, wake-ups per event; of TCP echo on two '
              'vCPUs, context switches and migrations per request.</p>\n',
              others(rows)]
    if rows.get('unused'):
        parts += ['<h2>CONFIG_KEVENT=y, unused</h2>\n', unused(rows['unused'])]
    parts += ['<h2>Curves</h2>\n']
    parts += [figure(p, where) for p in plots.curves(cases)]
    parts += ['<h2>Memory of the kernel</h2>\n', memory(cases)]
    if result.get('native'):
        parts += ['<h2>The ring code on real processors</h2>\n<p>Wall time, which '
                  'depends on the machine and what else it does: kernel/kevent/'
                  'ring.h, compiled for the host, and the library.</p>\n',
                  native(result['native'])]
    parts += ['<h2>Where every instruction goes</h2>\n<p>Per event, in the median '
              'window, by function: what a mode executes beyond the floor, where '
              'there is one.  (user) is the program itself.</p>\n']
    parts += [profile(name, modes) for name, modes in profiles.items()]
    parts += ['<h2>All cases</h2>\n', all_cases(cases), '</body></html>\n']
    path = os.path.join(directory, 'report.html')
    with open(path, 'w') as f:
        f.write(''.join(parts))


if __name__ == '__main__':
    main()
