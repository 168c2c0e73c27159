#!/usr/bin/env python3
"""measure.py DIR: the table of what measure.sh counted there."""
import statistics
import sys

# What a program enters the kernel for: to wait, and to say what it waits for.  Of these
# the load uses poll(2), and says how often.  kevent_send() sends what there is and waits,
# in one.
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "kevent_wait", "kevent_send", "poll")
CHANGES = ("epoll_ctl", "kevent_ctl")


def entry_points(path):
    """Address of the first instruction of each system call, to its name."""
    prefix = "__x64_sys_"
    found = {}
    for line in open(path):
        address, _, name = line.split()[:3]
        if name.startswith(prefix):
            found[int(address, 16)] = name[len(prefix):]
    missing = [name for name in WAITS + CHANGES if name not in found.values()]
    if missing:
        sys.exit("measure.py: not in System.map: " + " ".join(missing))
    return found


def windows(path, names):
    """Of each window: instructions, system calls, and those by name."""
    result = []
    for line in open(path):
        word = line.split()
        if word[0] == "W":
            result.append({"insns": int(word[3]), "calls": int(word[5]), "by": {}})
        elif int(word[0], 16) in names:
            result[-1]["by"][names[int(word[0], 16)]] = int(word[1])
    return result


def measured(path):
    """Of each line MEASURED: program, load, API, requests, the load's own polls and system calls."""
    result = []
    for line in open(path, errors="replace"):
        word = line.split()
        if word[:1] == ["MEASURED"]:
            result.append((word[1], word[3], word[2], int(word[4]),
                           int(word[word.index("polls,") - 1]), int(word[word.index("calls") - 1])))
    return result


def main():
    directory = sys.argv[1]
    names = entry_points(directory + "/System.map")
    print("%-9s %-4s %-12s %5s %8s %8s %8s %15s %8s %12s" % (
        "program", "load", "API", "vCPUs", "waits", "changes", "both", "least, most", "all", "instructions"))
    for vcpus in 1, 2:
        runs = measured("%s/guest-%d.log" % (directory, vcpus))
        counts = windows("%s/windows-%d.txt" % (directory, vcpus), names)
        if not runs or len(runs) != len(counts):
            sys.exit("measure.py: %d runs, %d windows" % (len(runs), len(counts)))
        rows = {}
        for (program, load, api, requests, polls, own), window in zip(runs, counts):
            waits = sum(window["by"].get(name, 0) for name in WAITS) - polls
            changes = sum(window["by"].get(name, 0) for name in CHANGES)
            rows.setdefault((program, load, api), []).append([count / requests for count in (
                waits, changes, waits + changes, window["calls"] - own, window["insns"])])
        for (program, load, api), row in sorted(rows.items()):
            waits, changes, both, every, insns = (statistics.median(column) for column in zip(*row))
            span = [line[2] for line in row]
            # With two vCPUs increments get lost, and the one that idles spins.
            print("%-9s %-4s %-12s %5d %8.3f %8.3f %8.3f %7.3f %7.3f %8.3f %s" % (
                program, load, api, vcpus, waits, changes, both, min(span), max(span), every,
                "%12.0f" % insns if vcpus == 1 else "%12s" % "-"))
            if api == "kevent-io" and load == "kept" and every >= 1:
                sys.exit("measure.py: %s on %s enters the kernel for each request" % (program, api))


main()
