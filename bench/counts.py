# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
What a bench run left in its directory, read: console.log says which case is
which, windows.txt what the plugin counted in it (see plugin/insn.c); -smp stands
for the machine with two vCPUs.
"""
import bisect
import collections
import os
import re
import statistics
import subprocess
import sys

KERNEL = 1 << 63
LOCKED, SYSCALL, FENCE = 1, 2, 4
CONSUMER = 1        # the vCPU on which a consumer spins

# Entry points of what disturbs a window: timer ticks, devices, page faults.
DISTURBANCE = re.compile(r'^asm_(sysvec_apic_timer_interrupt|common_interrupt|'
                         r'exc_page_fault)$')


# What copies bytes.  The kernel's copy to and from a program is a "rep movsq" here,
# which counts once for eight bytes; its memcpy() is a loop that counts three times.
# On a processor that has erms and fsrm both are a "rep movsb".
COPY = re.compile(r'^(rep_movs_alternative|_*mem(cpy|move)(_orig)?|'
                  r'__mem(move|cpy)_avx_unaligned(_erms)?)$')


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

    def __init__(self, fields, windows, ipis):
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


class Memory:
    """What a memory cgroup was charged: exact, but for a page."""

    def __init__(self, fields):
        self.workload = fields['workload']
        self.mode = fields['mode']
        self.registered = int(fields['registered'])
        self.figure = int(fields['kernel']) / self.registered
        self.slab = int(fields['slab']) / self.registered
        self.queue = int(fields['queue'])
        self.spread = 4096 / int(fields['kernel'])

    def place(self):
        return self.workload, self.registered

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'registered': self.registered,
            'bytes_per_interest': self.figure,
            'slab_bytes_per_interest': self.slab,
            'bytes_of_queue': self.queue,
        }


class Sleepers:
    """Threads asleep on one queue, and how often they were woken."""

    def __init__(self, fields):
        self.workload = fields['workload']
        self.mode = fields['mode']
        self.wakeups = int(fields['wakeups']) / int(fields['events'])

    def place(self):
        return self.workload

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'wakeups_per_event': self.wakeups,
        }


class Acks:
    """Several runs of bursts of messages, and how a receiver acknowledged them."""

    def __init__(self, runs):
        self.workload = runs[0]['workload']
        self.mode = runs[0]['mode']
        per = lambda what, of: sorted(int(r[what]) / int(r[of]) for r in runs)
        self.figures = {'acks': per('acks', 'messages'),
                        'delayed': per('delayed', 'bursts'),
                        'ns': per('ns', 'bursts')}

    def median(self, what):
        return statistics.median(self.figures[what])

    def place(self):
        return self.workload

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'acks_per_message': self.figures['acks'],
            'delayed_acks_per_burst': self.figures['delayed'],
            'ns_per_burst': self.figures['ns'],
        }


class Sched:
    """Several runs on two vCPUs, and what the scheduler did in each."""

    def __init__(self, runs):
        self.workload = runs[0]['workload']
        self.mode = runs[0]['mode']
        self.registered = int(runs[0]['registered'])
        self.figures = {what: sorted(int(r[what]) / int(r['requests'])
                                     for r in runs)
                        for what in ('switches', 'migrations')}

    def median(self, what):
        return statistics.median(self.figures[what])

    def place(self):
        return self.workload, self.registered

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'registered': self.registered,
            **{f'{what}_per_request': figures
               for what, figures in self.figures.items()},
        }


class Cold:
    """Several runs of a file that is not cached, with an echo beside it."""

    def __init__(self, runs):
        self.workload = runs[0]['workload']
        self.mode = runs[0]['mode']
        of = lambda what: sorted(int(r[what]) for r in runs)
        self.figures = {what: of(what) for what in
                        ('blocked', 'longest', 'echoes', 'echo_max', 'ns')}
        self.figures['echo_mean'] = sorted(int(r['echo_sum']) / max(1, int(r['echoes']))
                                           for r in runs)

    def median(self, what):
        return statistics.median(self.figures[what])

    def most(self, what):
        return self.figures[what][-1]

    def has(self, what):
        """Who sends in the call that waits cannot tell why it sleeps."""
        if what in ('blocked', 'longest'):
            return self.most('longest') > 0
        return self.most('echoes') > 0

    def place(self):
        return self.workload

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'blocked_per_file': self.figures['blocked'],
            'ns_of_longest_call': self.figures['longest'],
            'echoes_per_file': self.figures['echoes'],
            'ns_of_longest_echo': self.figures['echo_max'],
            'ns_per_echo': self.figures['echo_mean'],
            'ns_per_cold_file': self.figures['ns'],
        }


# Cases that print a line for each of several runs.
OF_RUNS = {'BENCH-SCHED': Sched, 'BENCH-ACKS': Acks, 'BENCH-COLD': Cold}


class Case:
    def __init__(self, fields, windows, client, symbols):
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
        self.figure = middle / self.events
        self.least = min(counts) / self.events
        self.most = max(counts) / self.events
        self.spread_all = (self.most - self.least) / self.figure
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
        # per event; of all windows, as is what the client counted
        self.server_entries = None
        if client:
            self.server_entries = ((sum(w.syscalls for w in windows) - client) /
                                   len(windows) / self.events)
        self.copying = sum(
            insns for (_, name), (insns, _, _)
            in self.window.functions(symbols).items()
            if COPY.match(name)) / self.events
        self.between = None

    def measured_again(self, other):
        """Another run counts as well as the windows of one."""
        self.between = abs(self.figure - other.figure) / self.figure
        self.spread = max(self.spread, self.between)

    def place(self):
        return self.workload, self.registered, self.active

    def as_dict(self):
        return {
            'workload': self.workload, 'mode': self.mode,
            'registered': self.registered, 'active': self.active,
            'rounds_per_window': self.rounds, 'windows': self.windows,
            'windows_disturbed': self.disturbed,
            'instructions_per_event': {
                'median': self.figure, 'min': self.least, 'max': self.most},
            'spread': self.spread, 'between_runs': self.between,
            'spread_with_ticks': self.spread_all,
            'locked_per_event': self.locked,
            'copying_per_event': self.copying,
            'kernel_entries_per_round': self.entries,
            'server_entries_per_event': self.server_entries,
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


class Run:
    """One machine's cases, {(place, mode): case}, and how it went."""

    def __init__(self, directory, suffix, symbols):
        self.console = os.path.join(directory, f'console{suffix}.log')
        self.kernel = 'unknown'
        self.cases, self.skipped, self.good = {}, [], True
        self._symbols = symbols
        self._spins = suffix == '-smp'
        self._windows = read_windows(
            os.path.join(directory, f'windows{suffix}.txt'))
        self._pools = {}
        self._read()
        for fields, windows, ipis, client in self._pools.values():
            self._add(Spin(fields, windows, ipis) if self._spins
                      else Case(fields, windows, client, symbols))

    def _add(self, case):
        self.cases[case.place(), case.mode] = case

    def _fail(self, what):
        print(f'report: {what}, see {self.console}', file=sys.stderr)
        self.good = False

    def _read(self):
        described, printed, ended = {}, {}, False
        with open(self.console, errors='replace') as f:
            for line in f:
                line = line.strip()
                if line.startswith('BENCH '):
                    described = dict(p.split('=') for p in line.split()[1:])
                elif line.split(' ')[0] in OF_RUNS:
                    what, *fields = line.split()
                    printed.setdefault(what, []).append(
                        dict(p.split('=') for p in fields))
                elif line.startswith('BENCH-CASE '):
                    self._case_ended(described, printed, *line.split()[1:])
                    described, printed = {}, {}
                elif line.startswith('BENCH-KERNEL '):
                    self.kernel = line.removeprefix('BENCH-KERNEL ')
                elif line == 'BENCH-END':
                    ended = True
        if not ended:
            self._fail('the guest did not come to its end')

    def _case_ended(self, described, printed, number, workload, mode, status):
        status = int(status.removeprefix('status='), 16)
        windows = self._windows[int(number)]
        if status == 0x200:
            self.skipped.append((workload, mode))
        elif status:
            self._fail(f'case {number} ({workload}, {mode}) failed, '
                       f'status {status:x}')
        elif workload == 'check':
            self.good = check(windows) and self.good
        elif 'kernel' in described:
            self._add(Memory(described))
        elif 'wakeups' in described:
            self._add(Sleepers(described))
        elif printed:
            for what, runs in printed.items():
                self._add(OF_RUNS[what](runs))
        elif len(windows) != int(described['windows']):
            self._fail(f'{len(windows)} windows counted for {described}')
        else:
            # what was run several times counts as one
            same = tuple(described[key] for key in
                         ('workload', 'mode', 'registered', 'active', 'rounds'))
            pool = self._pools.setdefault(same, [described, [], 0, 0])
            pool[1] += windows
            pool[2] += int(described['ipis'])
            pool[3] += int(described['client'])
