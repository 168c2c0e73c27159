# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
What kevent must reach, row by row.  A figure is instructions per event of a
place, which is (workload, registered, active); an event of P4 is a request, one
of P7 a change, one of D7 a write.  For memory it is bytes per interest, of
(workload, registered).
"""
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
P7_ADD = ('change-add', 10000, 1000)
P7_MODIFY = ('change-modify', 10000, 1000)
P7_REMOVE = ('change-remove', 10000, 1000)
P13_DUPS = ('dups-add', 20000, 1000)
P8 = ('timers', 1000, 1000)
P9 = ('memory', 100000)
D6_1400 = ('echo:1400', 32, 32)
D6_4096 = ('echo:4096', 32, 32)
D7 = ('bulk', 1, 1)
D10 = ('memory-tcp', 10000)
D13_4K_1 = ('file:4096', 1, 1)
D13_4K_16 = ('file:4096', 16, 16)
D13_128K_1 = ('file:131072', 1, 1)
D13_128K_16 = ('file:131072', 16, 16)
D13_SCATTERED = ('scatfile:131072', 16, 16)
D13_8M = ('file:8388608', 1, 1)
D14 = 'cold:4194304'
SIGNAL = ('signal', 16, 16)
INODE = ('inode', 1000, 16)

# row, what, place, mode, peer, at most so many times the peer
RATIOS = [
    ('P1', 'edge, 1 active of 1000', P1, 'kevent-edge', 'epoll-et', 0.70),
    ('P2', 'edge, 16 active of 1000', P2_16, 'kevent-edge', 'epoll-et', 0.87),
    ('P2', 'edge, 1000 active of 1000', P2_1000, 'kevent-edge', 'epoll-et', 0.87),
    ('P2', 'edge, 16 active of 1000', P2_16, 'kevent-edge', 'uring-defer', 0.89),
    ('P2', 'edge, 1000 active of 1000', P2_1000, 'kevent-edge', 'uring-defer', 0.89),
    ('P2b', 'level, 16 active of 1000', P2_16, 'kevent-level', 'epoll-lt', 0.97),
    ('P2b', 'level, always the same 16', P2_SAME, 'kevent-level', 'epoll-lt', 1.00),
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
    ('P5', 'level, sleeping consumer', P5, 'kevent-level', 'epoll-lt', 0.98),
    ('P5', 'level, both sleep', P5_SLEEP, 'kevent-level', 'epoll-lt', 0.98),
    # 0.61 on 2026-11-28; 0.45 would be fine
    ('P7', 'add, 1000 at a time', P7_ADD, 'kevent', 'epoll', 0.52),
    ('P7', 'modify, 1000 at a time', P7_MODIFY, 'kevent', 'epoll', 1.00),
    ('P7', 'remove, 1000 at a time', P7_REMOVE, 'kevent', 'epoll', 0.70),
    ('P8', '1000 timers, with counts', P8, 'kevent-dispatch', 'epoll-lt', 0.50),
    ('P8', '1000 timers, with counts', P8, 'kevent-dispatch', 'uring-timeout', 0.67),
    ('-', 'SIGNAL, 16 of them', SIGNAL, 'kevent-edge', 'epoll-lt', 1.00),
    ('-', 'INODE, 16 of 1000 written', INODE, 'kevent-edge', 'epoll-lt', 1.00),
    ('P9', 'memory per interest', P9, 'kevent', 'epoll', 0.75),
    ('P13', 'add 20000 dups of a file', P13_DUPS, 'kevent', 'epoll', 1.50),
    # 0.90 would be fine
    ('D1', 'STREAM, TCP echo, 32', P4_32, 'kevent-stream', 'epoll-et', 0.935),
    ('D1', 'STREAM, TCP echo, 256', P4_256, 'kevent-stream', 'epoll-et', 0.935),
    ('D1', 'STREAM, TCP echo, 32', P4_32, 'kevent-stream', 'uring-defer-recv', 0.93),
    ('D1', 'STREAM, TCP echo, 256', P4_256, 'kevent-stream', 'uring-defer-recv', 0.93),
    ('D2', 'STREAM, TCP echo, 1', P4_1, 'kevent-stream', 'epoll-et', 0.965),
    ('D5', 'STREAM, LATE, TCP echo, 32', P4_32, 'kevent-stream-late', 'epoll-et', 0.965),
    # 0.94 and 0.98 would be fine
    ('D6', 'STREAM, echo of 1400 bytes', D6_1400, 'kevent-stream', 'epoll-et', 0.96),
    ('D6', 'STREAM, echo of 4096 bytes', D6_4096, 'kevent-stream', 'epoll-et', 1.00),
    ('D7', 'STREAM, writes of 64 KiB', D7, 'kevent-stream', 'recv', 1.00),
] + [
    # at 128 KiB, 16, 0.90 would be fine
    ('D13', what, place, mode, peer, limit)
    for peer in ('epoll-et', 'uring-defer-splice') for what, place, mode, limit in (
        ('file of 128 KiB, 1 connection', D13_128K_1, 'kevent-sendfile', 0.94),
        ('file of 128 KiB, 16', D13_128K_16, 'kevent-sendfile', 0.94),
        ('file of 8 MiB, 1', D13_8M, 'kevent-sendfile', 1.00),
        ('file of 4 KiB, array, 1', D13_4K_1, 'kevent-send-file', 0.97),
        ('file of 4 KiB, array, 16', D13_4K_16, 'kevent-send-file', 0.97),
        # by the array as far as there is room, the rest by SENDFILE
        ('file of 128 KiB, array, 1', D13_128K_1, 'kevent-send-file', 0.94),
        ('file of 128 KiB, array, 16', D13_128K_16, 'kevent-send-file', 0.94),
        # no two pages that are neighbours in memory
        ('file of 128 KiB, scattered, 16', D13_SCATTERED, 'kevent-sendfile', 0.94),
        # requests received by STREAM as well
        ('file of 128 KiB, 1, STREAM', D13_128K_1, 'kevent-stream-sendfile', 0.94),
        ('file of 128 KiB, 16, STREAM', D13_128K_16, 'kevent-stream-sendfile', 0.94),
        ('file of 4 KiB, array, 1, STREAM', D13_4K_1, 'kevent-stream-send-file', 0.97),
        ('file of 4 KiB, array, 16, STREAM', D13_4K_16, 'kevent-stream-send-file',
         0.97))
]

# The same without what copies bytes, which is not counted alike for all (see
# counts.COPY).
UNCOPIED = [
    ('D6', 'STREAM, echo of 1400 bytes', D6_1400, 'kevent-stream', 'epoll-et', 0.96),
    ('D6', 'STREAM, echo of 4096 bytes', D6_4096, 'kevent-stream', 'epoll-et', 1.00),
    ('D7', 'STREAM, writes of 64 KiB', D7, 'kevent-stream', 'recv', 1.00),
    ('D7', 'LATE, writes of 64 KiB', D7, 'kevent-stream-late', 'recv', None),
]

# Locked operations per event: row, what, place, mode, at most.
LOCKS = [
    ('P10', 'P2, 16 active', P2_16, 'kevent-edge', 4.0),
    ('P10', 'P2, 1000 active', P2_1000, 'kevent-edge', 4.0),
    ('P10', 'P2b, 16 active', P2_16, 'kevent-level', 7.0),
    ('P10', 'P2b, always the same 16', P2_SAME, 'kevent-level', 7.0),
    ('D9', 'STREAM, TCP echo, 32', P4_32, 'kevent-stream', 63.0),
]

# Kernel entries of the server for a round of requests, of which the client makes
# two each: row, what, place, mode, at most.
ENTERED = [
    ('D3', 'STREAM, TCP echo, 32', P4_32, 'kevent-stream', 2.0),
    ('D3', 'STREAM, TCP echo, 256', P4_256, 'kevent-stream', 2.0),
]

# Kernel entries of the server for a file: row, what, place, mode, peer, at most so
# many times the peer.
#
# One connection that is watched by SOCKET cannot do with less than two of epoll's
# three, one to receive and one to wait; SENDFILE has a third, as the call that starts
# a transfer returns with the record of its end.
SERVED = [
    ('D13', 'file of 128 KiB, 1 connection', D13_128K_1, 'kevent-sendfile', 'epoll-et',
     0.6),
    ('D13', 'file of 128 KiB, 16', D13_128K_16, 'kevent-sendfile', 'epoll-et', 0.6),
    ('D13', 'file of 8 MiB, 1', D13_8M, 'kevent-sendfile', 'epoll-et', 0.6),
    ('D13', 'file of 4 KiB, array, 16', D13_4K_16, 'kevent-send-file', 'epoll-et', 0.6),
    ('D13', 'file of 128 KiB, 1, STREAM', D13_128K_1, 'kevent-stream-sendfile',
     'epoll-et', 0.6),
    ('D13', 'file of 128 KiB, array, 1', D13_128K_1, 'kevent-send-file', 'epoll-et',
     0.6),
    ('D13', 'file of 128 KiB, array, 1, STREAM', D13_128K_1, 'kevent-stream-send-file',
     'epoll-et', 0.6),
]

# A file that is not cached, with an echo beside it: row, what, workload, mode, what of
# it, at most, of all runs; and its unit.
COLD = [
    ('D14', 'blocked in a call', D14, 'kevent-sendfile-poll', 'blocked', 0, ''),
    ('D14', 'longest echo', D14, 'kevent-sendfile-poll', 'echo_max', 2, 'ms'),
    ('D14', 'longest echo', D14, 'kevent-sendfile', 'echo_max', 2, 'ms'),
]

# Acknowledgements without data per message: row, what, workload, mode, peer, at most
# so many times the peer and so many more.
ACKS = [
    ('D8', 'bursts of 8', 'acks:8', 'kevent-stream', 'epoll-et', 1.5, 0.1),
    ('D8', 'bursts of 64', 'acks:64', 'kevent-stream', 'epoll-et', 1.5, 0.1),
]

# Who sends bursts without TCP_NODELAY is not slower, nor acknowledged by a timer
# more often.
NAGLE = [
    ('D8', 'Nagle, bursts of 8', 'nagle:8', 'kevent-stream', 'epoll-et'),
    ('D8', 'Nagle, bursts of 64', 'nagle:64', 'kevent-stream', 'epoll-et'),
]

# Memory per interest, at most so many bytes more than the peer.
MORE = [
    ('D10', 'STREAM, idle connection', D10, 'kevent-stream', 'kevent-socket', 64),
]

# Flat over the registered, which for P13 are queues with one descriptor: row,
# what, workload, active, mode, most / least at most.  None: for comparison.
FLAT = [
    ('P2', '16 active', 'eventfd', 16, 'kevent-edge', 1.01),
    ('P2b', '16 active', 'eventfd', 16, 'kevent-level', 1.01),
    ('P13', 'ENABLE by descriptor', 'enable', 1, 'kevent', 1.05),
    ('P13', 'ENABLE by id', 'enable', 1, 'kevent-id', None),
    ('P13', 'EPOLL_CTL_MOD', 'enable', 1, 'epoll', None),
]

# Collected per kernel entry, up to 64 of the registered that stay ready: row,
# what, place, mode, peer, at least.
TAKEN = [
    ('P12', f'level, {n} ready', ('ready', n, min(n, 64)), 'kevent-level',
     'epoll-lt', min(n, 64)) for n in (1, 16, 100, 1000)
]

# Wake-ups per event of threads that sleep on one queue: row, what, workload,
# mode, peer, at most.
WAKEUPS = [
    ('P14', '8 asleep on the ring', 'sleepers', 'kevent-ring', 'epoll-et', 1.0),
    ('P14', '8 asleep in get_events', 'sleepers', 'kevent-get-events',
     'epoll-et', 1.0),
]

# What the scheduler did per request: row, what, place, mode, peer, at most so
# many times the peer, of both switches and migrations.
SCHED = [
    ('P14', f'TCP echo, {n}{what}', ('smp-echo', n), mode, 'epoll-et', 1.10)
    for n in (1, 32) for what, mode in (('', 'kevent-edge'),
                                        (', type POLL', 'kevent-poll-edge'))
]

# Of a kernel that has kevent, unused, against one that has not: row, what, place,
# mode.  Not more, but for the spread.
UNUSED = [
    ('P11', 'TCP echo, 1 connection', P4_1, 'epoll-et'),
    ('P11', 'TCP echo, 1 connection', P4_1, 'epoll-lt'),
    ('P11', 'TCP echo, 32', P4_32, 'epoll-et'),
    ('P11', 'TCP echo, 256', P4_256, 'epoll-et'),
    ('P11', 'eventfd, 16 active of 1000', P2_16, 'epoll-et'),
]

# Of a consumer that spins on a vCPU of its own, system calls and IPIs per event:
# row, what, workload, mode.  At most none; what does not even come once in
# a hundred events is not the event's.
SPINS = [
    ('P6', 'POLL of an eventfd', 'spin-eventfd', 'kevent-edge'),
    ('P6', 'SOCKET, UNIX stream', 'spin-socket', 'kevent-edge'),
    ('P6', 'USER, triggered at will', 'spin-user', 'kevent-edge'),
    ('P6', 'TIMER, periodic', 'spin-timer', 'kevent-edge'),
    ('D4', 'STREAM, TCP messages', 'spin-stream', 'kevent-stream'),
]
SPIN_LIMIT = 0.01

# That IPIs are counted at all: one for each event, if the consumer sleeps.
SLEEPING = ('spin-eventfd', 'epoll-et-sleep')

PROFILES = {P1: 'P1', P2_16: 'P2-16', P2_1000: 'P2-1000',
            P2_SAME: 'P2-same', P3: 'P3', P4_1: 'P4-1', P4_32: 'P4-32',
            P4_256: 'P4-256', P5: 'P5', P5_SLEEP: 'P5-sleep',
            P7_ADD: 'P7-add', P7_MODIFY: 'P7-modify',
            P7_REMOVE: 'P7-remove', P8: 'P8', P13_DUPS: 'P13-dups',
            ('enable', 4097, 1): 'P13-enable',
            D13_4K_1: 'D13-4K-1', D13_4K_16: 'D13-4K-16', D13_128K_1: 'D13-128K-1',
            D13_128K_16: 'D13-128K-16', D13_8M: 'D13-8M',
            D6_1400: 'D6-1400', D6_4096: 'D6-4096', D7: 'D7',
            SIGNAL: 'signal', INODE: 'inode'}


def verdict(value, limit, uncertain):
    word = 'met' if value <= limit else 'MISSED'
    return word + ('' if abs(value - limit) > uncertain else ', unproven')


def ratio_row(cases, row, what, place, mode, peer, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer,
             'at_most': limit}
    own, other = cases.get((place, mode)), cases.get((place, peer))
    if not own or not other:
        return entry
    ratio = own.figure / other.figure
    # both may be off by their spread
    uncertain = ratio * (own.spread + other.spread)
    entry.update(figure=own.figure, peer_figure=other.figure, ratio=ratio,
                 spread=max(own.spread, other.spread),
                 verdict=verdict(ratio, limit, uncertain),
                 differ=abs(1 - ratio) > uncertain)
    if hasattr(own, 'entries'):
        entry.update(entries=own.entries, peer_entries=other.entries,
                     locked=own.locked, peer_locked=other.locked)
    floor = cases.get((place, 'floor'))
    if floor:
        entry.update(floor=floor.figure,
                     of_the_room=((other.figure - own.figure) /
                                  (other.figure - floor.figure)))
    return entry


def uncopied_row(cases, row, what, place, mode, peer, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer,
             'at_most': limit}
    own, other = cases.get((place, mode)), cases.get((place, peer))
    if own and other:
        figure, peer_figure = own.figure - own.copying, other.figure - other.copying
        ratio = figure / peer_figure
        uncertain = own.spread * own.figure / figure + \
            other.spread * other.figure / peer_figure
        entry.update(figure=figure, peer_figure=peer_figure, ratio=ratio,
                     copying=own.copying, peer_copying=other.copying)
        if limit:
            entry.update(verdict=verdict(ratio, limit, ratio * uncertain))
    return entry


def entered_row(cases, row, what, place, mode, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': limit,
             'figures': {m: c.entries - 2 * c.active
                         for (p, m), c in cases.items()
                         if p == place and m != 'floor'}}
    own = entry['figures'].get(mode)
    if own is not None:
        entry.update(verdict=verdict(own, limit, 0))
    return entry


def served_row(cases, row, what, place, mode, peer, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer, 'at_most': limit,
             'figures': {m: c.server_entries for (p, m), c in cases.items()
                         if p == place and m != 'floor' and c.server_entries}}
    own, other = (entry['figures'].get(m) for m in (mode, peer))
    if own and other:
        entry.update(ratio=own / other, verdict=verdict(own / other, limit, 0))
    return entry


def cold_row(cases, row, what, workload, mode, figure, limit, unit):
    scale = 1e6 if unit == 'ms' else 1
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': limit, 'unit': unit,
             'figures': {m: c.most(figure) / scale for (p, m), c in cases.items()
                         if p == workload and c.has(figure)}}
    if mode in entry['figures']:
        entry.update(verdict='met' if entry['figures'][mode] <= limit else 'MISSED')
    return entry


def acks_row(cases, row, what, workload, mode, peer, times, more):
    figures = {m: c.median('acks') for (p, m), c in cases.items() if p == workload}
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer,
             'figures': figures}
    if mode in figures and peer in figures:
        limit = times * figures[peer] + more
        entry.update(at_most=limit, verdict=verdict(figures[mode], limit, 0))
    return entry


def nagle_row(cases, row, what, workload, mode, peer):
    figures = {m: {w: c.median(w) for w in ('acks', 'delayed', 'ns')}
               for (p, m), c in cases.items() if p == workload}
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer,
             'figures': figures}
    own, other = figures.get(mode), figures.get(peer)
    if own and other:
        entry.update(ratio=own['ns'] / other['ns'],
                     verdict='met' if own['ns'] <= other['ns'] and
                     own['delayed'] <= other['delayed'] else 'MISSED')
    return entry


def more_row(cases, row, what, place, mode, peer, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'peer': peer, 'at_most': limit,
             'figures': {m: c.figure for (p, m), c in cases.items() if p == place}}
    if mode in entry['figures'] and peer in entry['figures']:
        more = entry['figures'][mode] - entry['figures'][peer]
        entry.update(more=more, verdict=verdict(more, limit, 0))
    return entry


def lock_row(cases, row, what, place, mode, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': limit,
             'figures': {m: c.locked for (p, m), c in cases.items()
                         if p == place}}
    own = cases.get((place, mode))
    if own:
        entry.update(verdict=verdict(own.locked, limit, 0))
    return entry


def flat_row(cases, row, what, workload, active, mode, limit):
    found = {p[1]: c.figure for (p, m), c in cases.items()
             if p[0] == workload and p[2:] == (active,) and m == mode}
    entry = {'row': row, 'mode': mode, 'what': what,
             'at_most': limit, 'figures': dict(sorted(found.items()))}
    if len(found) > 1:
        ratio = max(found.values()) / min(found.values())
        entry.update(ratio=ratio)
        if limit:
            entry.update(verdict=verdict(ratio, limit, 0))
    return entry


def taken_row(cases, row, what, place, mode, peer, least):
    """Records that the window's kernel entries brought, each that many."""
    entry = {'row': row, 'what': what, 'mode': mode, 'at_least': least,
             'figures': {m: c.active / c.entries for (p, m), c in cases.items()
                         if p == place and c.entries}}
    if mode in entry['figures']:
        entry.update(verdict='met' if entry['figures'][mode] >= least
                     else 'MISSED')
    return entry


def wakeup_row(cases, row, what, workload, mode, peer, limit):
    figures = {m: cases[workload, m].wakeups for m in (mode, peer)
               if (workload, m) in cases}
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': limit,
             'figures': figures}
    if mode in figures:
        entry.update(verdict='met' if figures[mode] <= limit + SPIN_LIMIT
                     else 'MISSED')
    return entry


def sched_row(cases, row, what, place, mode, peer, limit):
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': limit,
             'figures': {m: {w: cases[place, m].median(w)
                             for w in ('switches', 'migrations')}
                         for m in (mode, peer) if (place, m) in cases}}
    own, other = entry['figures'].get(mode), entry['figures'].get(peer)
    if own and other:
        met = all(own[w] <= limit * other[w] + SPIN_LIMIT for w in own)
        entry.update(verdict='met' if met else 'MISSED')
    return entry


def spin_row(spins, row, what, workload, mode):
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': 0,
             'figures': {m: {'syscalls': c.syscalls, 'ipis': c.ipis}
                         for (p, m), c in spins.items() if p == workload}}
    own = spins.get((workload, mode))
    if own:
        entry.update(verdict=verdict(max(own.syscalls, own.ipis), SPIN_LIMIT, 0))
    return entry


def unused_row(cases, without, row, what, place, mode):
    entry = {'row': row, 'what': what, 'mode': mode, 'at_most': 1.0}
    own, other = cases.get((place, mode)), without.get((place, mode))
    if own and other:
        ratio = own.figure / other.figure
        uncertain = ratio * (own.spread + other.spread)
        entry.update(figure=own.figure, peer_figure=other.figure, ratio=ratio,
                     uncertain=uncertain,
                     verdict='met' if ratio <= 1 + uncertain else 'MISSED')
    return entry


def make_rows(cases, spins, without):
    """
    Lists of rows, one for each kind of target.  without: cases of a kernel
    without kevent, if there are any.
    """
    return {
        'ratios': [ratio_row(cases, *r) for r in RATIOS],
        'uncopied': [uncopied_row(cases, *r) for r in UNCOPIED],
        'locks': [lock_row(cases, *r) for r in LOCKS],
        'entered': [entered_row(cases, *r) for r in ENTERED],
        'served': [served_row(cases, *r) for r in SERVED],
        'cold': [cold_row(cases, *r) for r in COLD],
        'acks': [acks_row(cases, *r) for r in ACKS],
        'nagle': [nagle_row(cases, *r) for r in NAGLE],
        'more': [more_row(cases, *r) for r in MORE],
        'flat': [flat_row(cases, *r) for r in FLAT],
        'taken': [taken_row(cases, *r) for r in TAKEN],
        'wakeups': [wakeup_row(cases, *r) for r in WAKEUPS],
        'sched': [sched_row(spins, *r) for r in SCHED],
        'spins': [spin_row(spins, *r) for r in SPINS],
        'unused': [unused_row(cases, without, *r) for r in UNUSED if without],
    }
