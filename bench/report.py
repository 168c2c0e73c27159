#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
Turns what a bench run left in its directory into tables.

    report.py DIR

reads   DIR/about.txt     with what it was measured
        DIR/console.log   what the workloads printed: which case is which
        DIR/windows.txt   what the plugin counted (see plugin/insn.c)
        DIR/console-smp.log, DIR/windows-smp.txt   the same of two vCPUs
        DIR/System.map, DIR/workloads   names of functions
        DIR/again/, DIR/nokevent/, DIR/native.json   if they are there: such a
                          directory of another run, one of a kernel without
                          kevent, and what native/ring.c says
writes  DIR/results.json, DIR/results.txt, DIR/profile-ROW-MODE.txt,
        DIR/profiles.json

and exits with 1 if a case failed or the counting itself is wrong.  A missed
target is a result, not a failure.
"""
import json
import os
import sys

sys.dont_write_bytecode = True      # not beside the sources
import counts  # noqa: E402
import targets  # noqa: E402


LEGEND = '''\
Instructions per event, kernel and user, of the whole machine: from write()
until the event is consumed (P1 to P3), from a client's request until it has the
answer (P4, D1 to D6, D13), until a woken consumer has answered (P5), of one change (P7,
P13), from arming a timer until its expiration is collected (P8), of 64 KiB from
write to receipt (D7); bytes per interest (P9).
The floor knows for free which descriptor is ready.  "room": the part of the way
from the peer to the floor that kevent takes; who receives without a call for it can
be below the floor.  "entries": kernel entries per round, and "locked": locked
operations per event, each kevent's and its peer's.  "spread": of the windows that no
timer tick hit, the larger one of both; of the middle half of all if most are hit; the
difference of another boot, where there is one, if that is larger.  A verdict is
unproven if the distance from the limit is not larger; "?": so is the difference from
the peer.
'''


def number(value, form):
    return '-' if value is None else format(value, form)


def limit(value):
    """As exactly as it was set."""
    return f'{value:.2f}' if round(value, 2) == value else f'{value:.3f}'


def print_table(out, heads, lines):
    widths = [max(len(line[i]) for line in [heads] + lines)
              for i in range(len(heads))]
    for line in [heads] + lines:
        cells = [cell.ljust(w) if i < 2 else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(line, widths))]
        print('  '.join(cells).rstrip(), file=out)
    print(file=out)


def print_ratios(out, rows):
    lines = []
    for r in rows:
        both = lambda key, form: (number(r.get(key), form) + ' / ' +
                                  number(r.get('peer_' + key), form))
        lines.append([r['row'], r['what'], number(r.get('figure'), '.1f'),
                      number(r.get('peer_figure'), '.1f'),
                      number(r.get('floor'), '.1f'),
                      number(r.get('ratio'), '.3f') +
                      (' ?' if r.get('differ') is False else ''),
                      f"{limit(r['at_most'])} x {r['peer']}",
                      r.get('verdict', 'not measured'),
                      number(r.get('of_the_room'), '.0%'),
                      number(r.get('spread'), '.3%'),
                      both('entries', '.2f'), both('locked', '.2f')])
    print_table(out, ['row', 'work', 'kevent', 'peer', 'floor', 'ratio',
                      'at most', 'verdict', 'room', 'spread', 'entries',
                      'locked'], lines)


def print_uncopied(out, rows):
    lines = []
    for r in rows:
        lines.append([r['row'], r['what'], number(r.get('figure'), '.1f'),
                      number(r.get('peer_figure'), '.1f'),
                      number(r.get('ratio'), '.3f'),
                      f"{limit(r['at_most'])} x {r['peer']}" if r['at_most']
                      else r['peer'],
                      r.get('verdict', '' if 'ratio' in r else 'not measured'),
                      number(r.get('copying'), '.1f'),
                      number(r.get('peer_copying'), '.1f')])
    print("Without the instructions that copy bytes: the kernel's memcpy() counts "
          'three for eight bytes here,\nits copy to a program one; on a processor '
          'with erms and fsrm both are the same.', file=out)
    print_table(out, ['row', 'work', 'kevent', 'peer', 'ratio', 'at most', 'verdict',
                      'copying', "peer's"], lines)


def print_entered(out, rows):
    peers = ['epoll-et', 'kevent-edge', 'uring-defer-recv']
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.2f') for m in [r['mode'], *peers]),
              f"{r['at_most']:.0f}", r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', "server's kernel entries per round", 'kevent', *peers,
                      'at most', 'verdict'], lines)


def print_served(out, rows):
    modes = list(dict.fromkeys(m for r in rows for m in r['figures']))
    if not modes:
        return
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.2f') for m in modes),
              number(r.get('ratio'), '.3f'), f"{limit(r['at_most'])} x {r['peer']}",
              r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', "server's kernel entries per file", *modes, 'ratio',
                      'at most', 'verdict'], lines)


def print_cold(out, rows, cases):
    colds = [c for c in cases.values() if isinstance(c, counts.Cold)]
    if not colds:
        return
    print('A file that is not cached, on a disk that answers 8 ms later, and an echo '
          'beside it: the median of\nthe runs.  "blocked": sleeps of the server in '
          'calls that are not to wait; readahead only submits\nthe reads, 128 KiB a '
          'call, with the copy that this disk makes of them; its "file" is the sum.',
          file=out)
    lines = []
    for c in colds:
        of = lambda what, form, scale=1: (f'{c.median(what) / scale:{form}}'
                                          if c.has(what) else '-')
        lines.append([c.workload, c.mode, of('blocked', '.0f'),
                      of('longest', '.3f', 1e6), of('echo_max', '.3f', 1e6),
                      of('echo_mean', '.3f', 1e6), of('echoes', '.0f'),
                      f"{c.median('ns') / 1e6:.1f}"])
    print_table(out, ['workload', 'mode', 'blocked', 'longest call, ms',
                      'longest echo, ms', 'mean', 'echoes', 'file, ms'], lines)
    lines = [[r['row'], f"{r['what']}, {r['mode']}",
              number(r['figures'].get(r['mode']), '.3f' if r['unit'] else '.0f'),
              number(r['figures'].get('epoll-et'), '.3f' if r['unit'] else '.0f'),
              f"{r['at_most']} {r['unit']}".strip(), r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', 'worst of all runs', 'kevent', 'epoll-et', 'at most',
                      'verdict'], lines)


def print_acks(out, acks, nagle):
    modes = list(dict.fromkeys(m for r in acks + nagle for m in r['figures']))
    if not modes:
        return
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.3f') for m in modes),
              number(r.get('at_most'), '.3f'), r.get('verdict', 'not measured')]
             for r in acks]
    print_table(out, ['row', 'pure ACKs per message', *modes, 'at most', 'verdict'],
                lines)
    lines = []
    for r in nagle:
        for form, what in (('{0[ns]:.0f}', 'ns'), ('{0[delayed]:.2f}', 'delayed ACKs'),
                           ('{0[acks]:.3f}', 'pure ACKs per message')):
            first = what == 'ns'
            lines.append([r['row'], f"{r['what']}: {what}",
                          *(form.format(r['figures'][m]) if m in r['figures'] else '-'
                            for m in modes),
                          r['peer'] if first else '',
                          r.get('verdict', 'not measured') if first else ''])
    print_table(out, ['row', 'per burst', *modes, 'at most', 'verdict'], lines)


def print_more(out, rows):
    lines = [[r['row'], r['what'], number(r['figures'].get(r['mode']), '.1f'),
              number(r['figures'].get(r['peer']), '.1f'), number(r.get('more'), '.1f'),
              f"{r['at_most']} more than {r['peer']}",
              r.get('verdict', 'not measured')] for r in rows]
    print_table(out, ['row', 'bytes per interest', 'kevent', 'peer', 'more', 'at most',
                      'verdict'], lines)


def print_locks(out, rows):
    peers = ['epoll-et', 'epoll-lt', 'uring-defer', 'uring-defer-recv', 'floor']
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.2f') for m in [r['mode'], *peers]),
              f"{r['at_most']:.1f}", r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', 'locked operations per event', 'kevent', *peers,
                      'at most', 'verdict'], lines)


def print_flat(out, rows):
    for r in rows:
        print(f"{r['row']} flat, {r['what']}, {r['mode']}:",
              ', '.join(f'{v:.1f} at {n} registered'
                        for n, v in r['figures'].items()) or '-',
              '->', number(r.get('ratio'), '.4f'),
              f"(at most {r['at_most']}) {r.get('verdict', 'not measured')}"
              if r['at_most'] else '', file=out)
    print(file=out)


def print_taken(out, rows):
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.2f') for m in (r['mode'], 'epoll-lt')),
              str(r['at_least']), r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', 'records per kernel entry', 'kevent', 'epoll-lt',
                      'at least', 'verdict'], lines)


def print_wakeups(out, rows):
    lines = [[r['row'], r['what'],
              *(number(r['figures'].get(m), '.3f') for m in (r['mode'], 'epoll-et')),
              f"{r['at_most']:.1f}", r.get('verdict', 'not measured')]
             for r in rows]
    print_table(out, ['row', 'wake-ups per event', 'kevent', 'epoll-et', 'at most',
                      'verdict'], lines)


def print_sched(out, rows):
    lines = []
    for r in rows:
        both = lambda what: ' / '.join(
            number(r['figures'].get(m, {}).get(what), '.3f')
            for m in (r['mode'], 'epoll-et'))
        lines.append([r['row'], r['what'], both('switches'), both('migrations'),
                      f"{r['at_most']:.2f} x epoll-et",
                      r.get('verdict', 'not measured')])
    print('Two vCPUs: per request, kevent / epoll-et, the median of ten runs.',
          file=out)
    print_table(out, ['row', 'work', 'context switches', 'migrations', 'at most',
                      'verdict'], lines)


def print_spins(out, rows):
    lines = []
    for r in rows:
        for mode in [r['mode'], *sorted(m for m in r['figures']
                                        if m != r['mode'])]:
            f = r['figures'].get(mode, {})
            own = mode == r['mode']
            lines.append([r['row'], r['what'] if own else '', mode,
                          number(f.get('syscalls'), '.4f'),
                          number(f.get('ipis'), '.4f'),
                          f"{r['at_most']} and {r['at_most']}" if own else '',
                          r.get('verdict', 'not measured') if own else ''])
    print('Two vCPUs, one of them with a consumer that spins: per event, its '
          'system calls,\nand interrupts from either vCPU to the other.  '
          f'Below {targets.SPIN_LIMIT} is none.', file=out)
    print_table(out, ['row', 'source', 'mode', 'syscalls', 'IPIs', 'at most',
                      'verdict'], lines)


def print_unused(out, rows):
    lines = [[r['row'], r['what'], r['mode'], number(r.get('figure'), '.1f'),
              number(r.get('peer_figure'), '.1f'),
              number(r.get('ratio'), '.5f'), number(r.get('uncertain'), '.5f'),
              r.get('verdict', 'not measured')] for r in rows]
    if lines:
        print('A kernel with kevent, which nobody uses, against one without: '
              'instructions per\nrequest or event.  "within": what the spread '
              'allows.', file=out)
        print_table(out, ['row', 'work', 'mode', 'KEVENT=y', 'KEVENT=n', 'ratio',
                          'within', 'verdict'], lines)


def print_native(out, native):
    if native:
        print('Wall time of the ring code on real processors, ns per record '
              'written and taken.', file=out)
        print_table(out, ['what', 'records', 'median', 'least', 'most'],
                    [[n['what'], str(n['records']),
                      *(f"{n['ns'][k]:.2f}" for k in ('median', 'min', 'max'))]
                     for n in native])


def print_memory(out, cases):
    lines = [[c.workload, c.mode, str(c.registered), f'{c.figure:.1f}',
              f'{c.slab:.1f}', str(c.queue)]
             for c in cases.values() if isinstance(c, counts.Memory)]
    print('Memory of the kernel, from the memory cgroup: bytes per interest; '
          'those in slab objects;\nof the queue before its first interest, for '
          'as many as are registered.', file=out)
    print_table(out, ['workload', 'mode', 'registered', 'bytes', 'slab', 'queue'],
                lines)


def print_cases(out, cases):
    lines = [[c.workload, c.mode, str(c.registered), str(c.active),
              f'{c.figure:.2f}', f'{c.least:.2f}', f'{c.most:.2f}',
              f'{c.spread:.3%}', number(c.between, '.3%'), f'{c.spread_all:.2%}',
              f'{c.disturbed}/{c.windows}', f'{c.entries:.2f}',
              f'{c.locked:.2f}']
             for c in cases.values() if isinstance(c, counts.Case)]
    print('All cases.  "disturbed": windows with a timer tick, device interrupt '
          'or page fault;\n"again": difference of another boot.', file=out)
    print_table(out, ['workload', 'mode', 'registered', 'active', 'median', 'min',
                      'max', 'spread', 'again', 'with ticks', 'disturbed',
                      'entries/round', 'locked/event'], lines)


def write_text(path, about, rows, cases, native, skipped):
    with open(path, 'w') as out:
        print(about, file=out)
        print(f'\n{LEGEND}', file=out)
        print_ratios(out, rows['ratios'])
        print_uncopied(out, rows['uncopied'])
        print_locks(out, rows['locks'])
        print_entered(out, rows['entered'])
        print_served(out, rows['served'])
        print_cold(out, rows['cold'], cases)
        print_acks(out, rows['acks'], rows['nagle'])
        print_more(out, rows['more'])
        print_flat(out, rows['flat'])
        print_taken(out, rows['taken'])
        print_wakeups(out, rows['wakeups'])
        print_spins(out, rows['spins'])
        print_sched(out, rows['sched'])
        print_unused(out, rows['unused'])
        print_memory(out, cases)
        print_native(out, native)
        print_cases(out, cases)
        if skipped:
            print('This kernel cannot do:',
                  ', '.join(sorted({' '.join(case) for case in skipped})),
                  file=out)


def write_profile(path, case, floor, symbols):
    """
    Every instruction of the median window by function, and how many of them
    the floor has as well: what is left is the way from wake-up to consume.
    """
    own = case.window.functions(symbols)
    base = floor.window.functions(symbols) if floor else {}
    lines = []
    for key in own.keys() | base.keys():
        insns, calls, locked = own.get(key, (0, 0, 0))
        floor_insns = base.get(key, (0,))[0] / floor.events if floor else 0
        insns /= case.events
        lines.append((insns - floor_insns, insns, floor_insns,
                      calls / case.events, locked / case.events) + key)
    lines.sort(key=lambda l: (-l[0], -l[1], l[6]))
    total = [sum(l[i] for l in lines) for i in (0, 1, 2, 4)]
    with open(path, 'w') as out:
        print(f'{case.workload}, {case.mode}, {case.active} active of '
              f'{case.registered} registered: per event\n\n'
              '"extra": beyond what the floor executes in that function; '
              '"calls": entries at its\nfirst instruction\n', file=out)
        form = '{:>9}  {:>9}  {:>9}  {:>7}  {:>7}  {:<6}  {}'
        print(form.format('extra', 'all', 'floor', 'calls', 'locked', 'where',
                          'function'), file=out)
        print(form.format(f'{total[0]:.2f}', f'{total[1]:.2f}',
                          f'{total[2]:.2f}', '', f'{total[3]:.2f}', '',
                          'total'), file=out)
        for extra, insns, base_insns, calls, locked, where, name in lines:
            print(form.format(f'{extra:.2f}', f'{insns:.2f}',
                              f'{base_insns:.2f}', f'{calls:.3f}',
                              f'{locked:.3f}', where, name), file=out)


def user_and_kernel(case, symbols):
    """{function: instructions per event}; those of the program are one."""
    result = {}
    for (where, name), (insns, _, _) in case.window.functions(symbols).items():
        name = '(user)' if where == 'user' else name
        result[name] = result.get(name, 0) + insns / case.events
    return result


def write_profiles(directory, cases, symbols):
    profiles = {}
    for (place, mode), case in cases.items():
        name = targets.PROFILES.get(place)
        if not name:
            continue
        profiles.setdefault(name, {})[mode] = user_and_kernel(case, symbols)
        if mode != 'floor':
            write_profile(os.path.join(directory, f'profile-{name}-{mode}.txt'),
                          case, cases.get((place, 'floor')), symbols)
    with open(os.path.join(directory, 'profiles.json'), 'w') as f:
        json.dump(profiles, f, indent=1)
        f.write('\n')


def read_runs(directory, symbols):
    """Cases of one vCPU, of two, what was skipped, whether all went well."""
    runs = {suffix: counts.Run(directory, suffix, symbols)
            for suffix in ('', '-smp')
            if os.path.exists(os.path.join(directory, f'console{suffix}.log'))}
    if not runs:
        sys.exit(f'report: no console.log in {directory}')
    return ([runs[s].cases if s in runs else {} for s in ('', '-smp')] +
            [[s for run in runs.values() for s in run.skipped],
             all(run.good for run in runs.values()),
             next(iter(runs.values())).kernel])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    directory = sys.argv[1]
    in_dir = lambda name: os.path.join(directory, name)
    symbols = counts.Symbols(directory)
    cases, spins, skipped, good, kernel = read_runs(directory, symbols)
    without, native = {}, []
    if os.path.exists(in_dir('again')):
        again, _, _, well, _ = read_runs(in_dir('again'),
                                         counts.Symbols(in_dir('again')))
        good = good and well
        for key, case in again.items():
            if isinstance(case, counts.Case) and key in cases:
                cases[key].measured_again(case)
    if os.path.exists(in_dir('nokevent')):
        without, _, _, well, _ = read_runs(in_dir('nokevent'),
                                           counts.Symbols(in_dir('nokevent')))
        good = good and well
    if os.path.exists(in_dir('native.json')):
        with open(in_dir('native.json')) as f:
            native = json.load(f)

    sleeping = spins.get(targets.SLEEPING)
    if sleeping and not (0.5 < sleeping.syscalls < 2 and
                         0.5 < sleeping.ipis < 2):
        print(f'report: a consumer that sleeps makes {sleeping.syscalls:.3f} '
              f'system calls per event and gets {sleeping.ipis:.3f} IPIs',
              file=sys.stderr)
        good = False
    rows = targets.make_rows(cases, spins, without)
    about = 'Linux ' + kernel
    with open(in_dir('about.txt')) as f:
        about += '\n' + f.read().strip()
    with open(in_dir('results.json'), 'w') as f:
        json.dump({'about': about, 'legend': LEGEND, 'rows': rows,
                   'cases': [c.as_dict() for c in [*cases.values(),
                                                   *spins.values()]],
                   'native': native, 'skipped': [list(s) for s in skipped]}, f, indent=1)
        f.write('\n')
    write_text(in_dir('results.txt'), about, rows, cases, native, skipped)
    write_profiles(directory, cases, symbols)
    with open(in_dir('results.txt')) as f:
        sys.stdout.write(f.read())
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
