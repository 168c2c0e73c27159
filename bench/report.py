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
writes  DIR/results.json, DIR/results.txt, DIR/profile-ROW-MODE.txt

and exits with 1 if a case failed or the counting itself is wrong.  A missed
target is a result, not a failure.
"""
import bisect
import collections
import json
import os
import re
import statistics
import subprocess
import sys

KERNEL = 1 << 63
LOCKED, SYSCALL, FENCE = 1, 2, 4

# Entry points of what disturbs a window: timer ticks, devices, page faults.
DISTURBANCE = re.compile(r'^asm_(sysvec_apic_timer_interrupt|common_interrupt|'
                         r'exc_page_fault)$')

# A figure: instructions per event of (workload, registered, active).  An event
# of P4 is a request.
P1 = ('eventfd', 1000, 1)
P2_16 = ('eventfd', 1000, 16)
P2_1000 = ('eventfd', 1000, 1000)
P2_SAME = ('eventfd-same', 1000, 16)
P3 = ('noread', 1000, 16)
P4_1 = ('echo', 1, 1)
P4_32 = ('echo', 32, 32)
P4_256 = ('echo', 256, 256)
P5 = ('pingpong', 1, 1)
P5_SLEEP = ('pingpong-sleep', 1, 1)
P8 = ('timers', 1000, 1000)

# The limits: row, what, place, mode, peer, at most so many times the peer.
RATIOS = [
    ('P1', 'edge, 1 active of 1000', P1, 'kevent-edge', 'epoll-et', 0.70),
    ('P2', 'edge, 16 active of 1000', P2_16, 'kevent-edge', 'epoll-et', 0.87),
    ('P2', 'edge, 1000 active of 1000', P2_1000, 'kevent-edge', 'epoll-et', 0.87),
    ('P2b', 'level, 16 active of 1000', P2_16, 'kevent-level', 'epoll-lt', 0.97),
    ('P2b', 'level, always the same 16', P2_SAME, 'kevent-level', 'epoll-lt', 0.97),
    ('P2b', 'level, 1000 active of 1000', P2_1000, 'kevent-level', 'epoll-lt', 0.97),
    ('P3', 'edge, 16 active, never read', P3, 'kevent-edge', 'epoll-et', 0.90),
    ('P4', 'TCP echo, 1 connection', P4_1, 'kevent-edge', 'epoll-et', 1.00),
    ('P4', 'TCP echo, 32', P4_32, 'kevent-edge', 'epoll-et', 0.99),
    ('P4', 'TCP echo, 256', P4_256, 'kevent-edge', 'epoll-et', 0.99),
    ('P4', 'TCP echo, 1, type POLL', P4_1, 'kevent-poll-edge', 'epoll-et', 1.00),
    ('P4', 'TCP echo, 32, type POLL', P4_32, 'kevent-poll-edge', 'epoll-et', 0.99),
    ('P4', 'TCP echo, 256, type POLL', P4_256, 'kevent-poll-edge', 'epoll-et', 0.99),
    ('P5', 'edge, sleeping consumer', P5, 'kevent-edge', 'epoll-et', 0.97),
    ('P5', 'edge, both sleep', P5_SLEEP, 'kevent-edge', 'epoll-et', 0.97),
    ('P5', 'level, sleeping consumer', P5, 'kevent-level', 'epoll-lt', 0.97),
    ('P5', 'level, both sleep', P5_SLEEP, 'kevent-level', 'epoll-lt', 0.97),
    ('P8', '1000 timers, with counts', P8, 'kevent-dispatch', 'epoll-lt', 0.50),
]

# Locked operations per event: row, what, place, mode, peer, at most.
LOCKS = [
    ('P10', 'locked, P2, 16 active', P2_16, 'kevent-edge', 'epoll-et', 4.0),
    ('P10', 'locked, P2, 1000 active', P2_1000, 'kevent-edge', 'epoll-et', 4.0),
    ('P10', 'locked, P2b, 16 active', P2_16, 'kevent-level', 'epoll-lt', 7.0),
    ('P10', 'locked, P2b, always the same 16', P2_SAME, 'kevent-level', 'epoll-lt', 7.0),
]

# Flat over the registered: row, workload, active, mode, most / least at most.
FLAT = [
    ('P2', 'eventfd', 16, 'kevent-edge', 1.01),
    ('P2b', 'eventfd', 16, 'kevent-level', 1.01),
]

# Of a consumer that spins on a vCPU of its own, system calls and IPIs per event:
# row, what, workload, mode.  At most none; what does not even come once in
# a hundred events is not the event's.
SPINS = [
    ('P6', 'POLL of an eventfd', 'spin-eventfd', 'kevent-edge'),
    ('P6', 'SOCKET, UNIX stream', 'spin-socket', 'kevent-edge'),
    ('P6', 'USER, triggered at will', 'spin-user', 'kevent-edge'),
    ('P6', 'TIMER, periodic', 'spin-timer', 'kevent-edge'),
]
SPIN_LIMIT = 0.01
CONSUMER = 1        # the vCPU

# That IPIs are counted at all: one for each event, if the consumer sleeps.
SLEEPING = ('spin-eventfd', 'epoll-et-sleep')

PROFILES = {P1: 'P1', P2_16: 'P2-16', P2_1000: 'P2-1000',
            P2_SAME: 'P2-same', P3: 'P3', P4_1: 'P4-1', P4_32: 'P4-32',
            P4_256: 'P4-256', P5: 'P5', P5_SLEEP: 'P5-sleep', P8: 'P8'}


class Symbols:
    """Addresses to names, of the kernel and of the bench binary."""

    def __init__(self, directory):
        found = {}
        with open(os.path.join(directory, 'System.map')) as f:
            self._add(found, f, KERNEL)
        nm = subprocess.run(['nm', os.path.join(directory, 'workloads')], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
        self._add(found, nm.splitlines(), 0)
        self.starts = sorted(found)
        self.names = [found[a] for a in self.starts]

    @staticmethod
    def _add(found, lines, lowest):
        for line in lines:
            field = line.split()
            if len(field) != 3 or field[1] not in 'tTwWi':
                continue
            address = int(field[0], 16)
            # of several names for one address a global one says most
            if address >= lowest and (address not in found or field[1] in 'TW'):
                found[address] = field[2]

    def find(self, pc):
        """Name, and whether this is its first instruction."""
        i = bisect.bisect_right(self.starts, pc) - 1
        if i < 0 or (pc & KERNEL) != (self.starts[i] & KERNEL):
            return '(unknown)', False
        return self.names[i], self.starts[i] == pc


class Window:
    def __init__(self, fields):
        (self.case, self.id, self.insns, self.locked, self.syscalls,
         self.fences, *self.syscalls_of) = map(int, fields)
        self.pcs = []

    def functions(self, symbols):
        """{(user or kernel, name): [instructions, calls, locked]}"""
        result = collections.defaultdict(lambda: [0, 0, 0])
        for pc, count, kind in self.pcs:
            name, first = symbols.find(pc)
            entry = result['kernel' if pc & KERNEL else 'user', name]
            entry[0] += count
            if first:
                entry[1] += count
            if kind & (LOCKED | FENCE):
                entry[2] += count
        return result


class Spin:
    """A case with two vCPUs, where instructions mean nothing."""

    def __init__(self, fields, windows, ipis, _):
        self.workload = fields['workload']
        self.mode = fields['mode']
        self.events = (int(fields['rounds']) * int(fields['active']) *
                       len(windows))
        calls = sum(w.syscalls_of[CONSUMER] for w in windows)
        self.syscalls = calls / self.events
        self.ipis = ipis / self.events

    def place(self):
        return self.workload

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'events': self.events,
            'consumer_syscalls_per_event': self.syscalls,
            'ipis_per_event': self.ipis,
        }


class Case:
    def __init__(self, fields, windows, _, symbols):
        self.workload = fields['workload']
        self.mode = fields['mode']
        self.registered = int(fields['registered'])
        self.active = int(fields['active'])
        self.rounds = int(fields['rounds'])
        self.events = self.rounds * self.active
        counts = sorted(w.insns for w in windows)
        # the lower one of an even number: a window that really was
        middle = statistics.median_low(counts)
        self.window = next(w for w in windows if w.insns == middle)
        self.insns = middle / self.events
        self.least = min(counts) / self.events
        self.most = max(counts) / self.events
        self.spread_all = (self.most - self.least) / self.insns
        # the middle half
        rest = len(counts) // 4
        self.spread_middle = (counts[-1 - rest] - counts[rest]) / middle
        quiet = [w.insns for w in windows
                 if not any(calls and DISTURBANCE.match(name)
                            for (_, name), (_, calls, _)
                            in w.functions(symbols).items())]
        self.windows = len(windows)
        self.disturbed = len(windows) - len(quiet)
        # of windows without a tick, if the median is surely one of them
        self.spread = ((max(quiet) - min(quiet)) / middle
                       if self.disturbed * 2 < self.windows
                       else self.spread_middle)
        # an mfence is what else may be used where a locked operation is
        self.locked = (self.window.locked + self.window.fences) / self.events
        self.entries = self.window.syscalls / self.rounds

    def place(self):
        return self.workload, self.registered, self.active

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'registered': self.registered, 'active': self.active,
            'rounds_per_window': self.rounds, 'windows': self.windows,
            'windows_disturbed': self.disturbed,
            'instructions_per_event': {
                'median': self.insns, 'min': self.least, 'max': self.most},
            'spread': self.spread,
            'spread_with_ticks': self.spread_all,
            'locked_per_event': self.locked,
            'kernel_entries_per_round': self.entries,
        }


def read_windows(path):
    windows = collections.defaultdict(list)
    window = None
    with open(path) as f:
        for line in f:
            field = line.split()
            if field[0] == 'W':
                window = Window(field[1:])
                windows[window.case].append(window)
            else:
                window.pcs.append((int(field[0], 16), int(field[1]),
                                   int(field[2])))
    return windows


def check(windows):
    """The contents of these two are known, see run_check() in workloads.c."""
    expected = {1: (5, 0, 0), 2: (1 + 1000 * 7 + 3 * 2, 3000, 3)}
    right = {w.id for w in windows}
    for w in windows:
        user = [p for p in w.pcs if not p[0] & KERNEL]
        found = (sum(count for _, count, _ in user),
                 sum(count for _, count, kind in user if kind & LOCKED),
                 w.syscalls)
        if found != expected[w.id]:
            print(f'report: window {w.id} of the check: instructions, locked, '
                  f'syscalls are {found}, but must be {expected[w.id]}',
                  file=sys.stderr)
            right.discard(w.id)
    return right == set(expected)


def read_console(path, windows, symbols, kind=Case):
    """The kernel, cases, what could not be done, and whether all went well."""
    kernel, pools, skipped, good, ended = 'unknown', {}, [], True, False
    described = None
    with open(path, errors='replace') as f:
        for line in f:
            line = line.strip()
            if line.startswith('BENCH '):
                described = dict(p.split('=') for p in line.split()[1:])
            elif line.startswith('BENCH-CASE '):
                number, workload, mode, status = line.split()[1:]
                status = int(status.removeprefix('status='), 16)
                if status == 0x200:
                    skipped.append((workload, mode))
                elif status:
                    print(f'report: case {number} ({workload}, {mode}) failed,'
                          f' status {status:x}, see {path}', file=sys.stderr)
                    good = False
                elif workload == 'check':
                    if not check(windows[int(number)]):
                        good = False
                else:
                    counted = windows[int(number)]
                    if len(counted) != int(described['windows']):
                        sys.exit(f'report: {len(counted)} windows counted for '
                                 f'{described}')
                    # what was run several times counts as one
                    same = tuple(described[key] for key in
                                 ('workload', 'mode', 'registered', 'active',
                                  'rounds'))
                    pool = pools.setdefault(same, [described, [], 0])
                    pool[1] += counted
                    pool[2] += int(described['ipis'])
            elif line.startswith('BENCH-KERNEL '):
                kernel = line.removeprefix('BENCH-KERNEL ')
            elif line == 'BENCH-END':
                ended = True
    if not ended:
        print(f'report: the guest did not come to its end, see {path}',
              file=sys.stderr)
        good = False
    cases = {}
    for pool in pools.values():
        case = kind(*pool, symbols)
        cases[case.place(), case.mode] = case
    return kernel, cases, skipped, good


def verdict(value, limit, uncertain):
    word = 'met' if value <= limit else 'MISSED'
    return word + ('' if abs(value - limit) > uncertain else ', unproven')


def make_rows(cases, spins):
    rows = []

    def figures(place):
        return {m: cases[p, m].insns for p, m in cases if p == place}

    for row, what, place, mode, peer, limit in RATIOS:
        entry = {'row': row, 'what': what, 'unit': 'instructions/event',
                 'mode': mode, 'peer': peer, 'at_most': limit,
                 'figures': figures(place)}
        own, other = cases.get((place, mode)), cases.get((place, peer))
        if own and other:
            ratio = own.insns / other.insns
            # both may be off by their spread
            uncertain = ratio * (own.spread + other.spread)
            entry.update(ratio=ratio, spread=max(own.spread, other.spread),
                         verdict=verdict(ratio, limit, uncertain),
                         entries=own.entries, peer_entries=other.entries,
                         locked=own.locked, peer_locked=other.locked)
            floor = cases.get((place, 'floor'))
            if floor:
                entry['of_the_room'] = ((other.insns - own.insns) /
                                        (other.insns - floor.insns))
        rows.append(entry)

    for row, what, place, mode, peer, limit in LOCKS:
        entry = {'row': row, 'what': what, 'unit': 'locked/event',
                 'mode': mode, 'peer': peer, 'at_most': limit,
                 'figures': {m: cases[p, m].locked
                             for p, m in cases if p == place}}
        own = cases.get((place, mode))
        if own:
            entry.update(verdict=verdict(own.locked, limit, 0))
        rows.append(entry)

    for row, workload, active, mode, limit in FLAT:
        found = {p[1]: c for (p, m), c in cases.items()
                 if p[0] == workload and p[2] == active and m == mode}
        entry = {'row': row, 'unit': 'most/least', 'mode': mode,
                 'what': f'flat, {active} active', 'at_most': limit,
                 'figures': {str(n): c.insns for n, c in sorted(found.items())}}
        if len(found) > 1:
            least = min(c.insns for c in found.values())
            ratio = max(c.insns for c in found.values()) / least
            entry.update(ratio=ratio, verdict=verdict(ratio, limit, 0))
        rows.append(entry)

    for row, what, workload, mode in SPINS:
        entry = {'row': row, 'what': what, 'unit': 'of two vCPUs/event',
                 'mode': mode, 'at_most': 0,
                 'figures': {m: {'syscalls': c.syscalls, 'ipis': c.ipis}
                             for (p, m), c in spins.items() if p == workload}}
        own = spins.get((workload, mode))
        if own:
            entry.update(verdict=verdict(max(own.syscalls, own.ipis),
                                         SPIN_LIMIT, 0))
        rows.append(entry)
    return rows


def number(value, form):
    return '-' if value is None else format(value, form)


def print_table(out, heads, lines):
    widths = [max(len(line[i]) for line in [heads] + lines)
              for i in range(len(heads))]
    for line in [heads] + lines:
        cells = [cell.ljust(w) if i < 2 else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(line, widths))]
        print('  '.join(cells).rstrip(), file=out)
    print(file=out)


def write_text(path, rows, cases, spins, skipped, about):
    with open(path, 'w') as out:
        print(about, file=out)
        print('''
Instructions per event, kernel and user, of the whole machine: from write()
until the event is consumed (P1 to P3), from a client's request until it has the
answer (P4), until a woken consumer has answered (P5), from arming a timer until
its expiration is collected (P8).  The floor knows for free which descriptor is
ready.  "room": the part of the way from the peer to the floor that kevent
takes.  "entries": kernel entries per round, and "locked": locked operations per
event, each kevent's and its peer's.  "spread": of the windows that no timer
tick hit, the larger one of both; of the middle half of all if most are hit.  A
verdict is unproven if the distance from the limit is not larger.
''', file=out)
        lines = []
        for r in rows:
            if r['unit'] != 'instructions/event':
                continue
            f = r['figures']
            both = lambda key, form: (number(r.get(key), form) + ' / ' +
                                      number(r.get('peer_' + key), form))
            lines.append([r['row'], r['what'], number(f.get(r['mode']), '.1f'),
                          number(f.get('epoll-et'), '.1f'),
                          number(f.get('epoll-lt'), '.1f'),
                          number(f.get('floor'), '.1f'),
                          number(r.get('ratio'), '.3f'),
                          f"{r['at_most']:.2f} x {r['peer']}",
                          r.get('verdict', 'not measured'),
                          number(r.get('of_the_room'), '.0%'),
                          number(r.get('spread'), '.3%'),
                          both('entries', '.2f'), both('locked', '.2f')])
        print_table(out, ['row', 'work', 'kevent', 'epoll-et', 'epoll-lt',
                          'floor', 'ratio', 'at most', 'verdict', 'room',
                          'spread', 'entries', 'locked'], lines)

        lines = []
        for r in rows:
            if r['unit'] != 'locked/event':
                continue
            f = r['figures']
            lines.append([r['row'], r['what'], number(f.get(r['mode']), '.2f'),
                          number(f.get('epoll-et'), '.2f'),
                          number(f.get('epoll-lt'), '.2f'),
                          number(f.get('floor'), '.2f'),
                          f"{r['at_most']:.1f}",
                          r.get('verdict', 'not measured')])
        print_table(out, ['row', 'locked operations per event', 'kevent',
                          'epoll-et', 'epoll-lt', 'floor', 'at most',
                          'verdict'], lines)

        for r in rows:
            if r['unit'] == 'most/least':
                print(f"{r['row']} {r['what']}, {r['mode']}:",
                      ', '.join(f'{v:.1f} at {n} registered'
                                for n, v in r['figures'].items()) or '-',
                      '->', number(r.get('ratio'), '.4f'),
                      f"(at most {r['at_most']})",
                      r.get('verdict', 'not measured'), file=out)
        print(file=out)

        lines = []
        for r in rows:
            if r['unit'] != 'of two vCPUs/event':
                continue
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
              f'Below {SPIN_LIMIT} is none.', file=out)
        print_table(out, ['row', 'source', 'mode', 'syscalls', 'IPIs',
                          'at most', 'verdict'], lines)

        lines = [[c.workload, c.mode, str(c.registered), str(c.active),
                  f'{c.insns:.2f}', f'{c.least:.2f}', f'{c.most:.2f}',
                  f'{c.spread:.3%}', f'{c.spread_all:.2%}',
                  f'{c.disturbed}/{c.windows}',
                  f'{c.entries:.2f}', f'{c.locked:.2f}']
                 for c in cases.values()]
        print('All cases.  "disturbed": windows with a timer tick, device interrupt '
              'or page fault.',
              file=out)
        print_table(out, ['workload', 'mode', 'registered', 'active', 'median',
                          'min', 'max', 'spread', 'with ticks', 'disturbed',
                          'entries/round', 'locked/event'], lines)
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


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    directory = sys.argv[1]
    in_dir = lambda name: os.path.join(directory, name)
    symbols = Symbols(directory)
    kernel, cases, spins, skipped, good = 'unknown', {}, {}, [], True
    for suffix, found, kind in (('', cases, Case), ('-smp', spins, Spin)):
        console = in_dir(f'console{suffix}.log')
        if not os.path.exists(console):
            continue
        kernel, new, missing, well = read_console(
            console, read_windows(in_dir(f'windows{suffix}.txt')), symbols, kind)
        found.update(new)
        skipped += missing
        good = good and well
    sleeping = spins.get(SLEEPING)
    if sleeping and not (0.5 < sleeping.syscalls < 2 and
                         0.5 < sleeping.ipis < 2):
        print(f'report: a consumer that sleeps makes {sleeping.syscalls:.3f} '
              f'system calls per event and gets {sleeping.ipis:.3f} IPIs',
              file=sys.stderr)
        good = False
    rows = make_rows(cases, spins)
    about = f'Linux {kernel}'
    with open(in_dir('about.txt')) as f:
        about += '\n' + f.read().strip()
    with open(in_dir('results.json'), 'w') as f:
        json.dump({'about': about, 'rows': rows,
                   'cases': [c.as_dict() for c in [*cases.values(),
                                                   *spins.values()]],
                   'skipped': [list(s) for s in skipped]}, f, indent=1)
        f.write('\n')
    write_text(in_dir('results.txt'), rows, cases, spins, skipped, about)
    for (place, mode), case in cases.items():
        if place in PROFILES and mode != 'floor':
            write_profile(in_dir(f'profile-{PROFILES[place]}-{mode}.txt'),
                          case, cases.get((place, 'floor')), symbols)
    with open(in_dir('results.txt')) as f:
        sys.stdout.write(f.read())
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
