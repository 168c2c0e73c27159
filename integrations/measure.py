#!/usr/bin/env python3
"""measure.py DIR: the table of what measure.sh counted there."""
import sys

# What a program enters the kernel for: to wait, and to say what it waits for.  The load
# uses none of these.
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "kevent_wait")
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
    """Of each line MEASURED: program, API, requests, the load's own system calls."""
    result = []
    for line in open(path, errors="replace"):
        word = line.split()
        if word[:1] == ["MEASURED"]:
            result.append((word[1], word[2], int(word[3]), int(word[word.index("calls") - 1])))
    return result


def main():
    directory = sys.argv[1]
    names = entry_points(directory + "/System.map")
    print("%-9s %-7s %5s %9s %9s %9s %9s %12s" % ("program", "API", "vCPUs", "waits", "changes", "both",
                                                  "all", "instructions"))
    for vcpus in 1, 2:
        runs = measured("%s/guest-%d.log" % (directory, vcpus))
        counts = windows("%s/windows-%d.txt" % (directory, vcpus), names)
        if not runs or len(runs) != len(counts):
            sys.exit("measure.py: %d runs, %d windows" % (len(runs), len(counts)))
        for (program, api, requests, own), window in sorted(zip(runs, counts), key=lambda pair: pair[0][:2]):
            waits = sum(window["by"].get(name, 0) for name in WAITS)
            changes = sum(window["by"].get(name, 0) for name in CHANGES)
            # With two vCPUs increments get lost, and the one that idles spins.
            insns = "%12.0f" % (window["insns"] / requests) if vcpus == 1 else "%12s" % "-"
            print("%-9s %-7s %5d %9.3f %9.3f %9.3f %9.3f %s" % (
                program, api, vcpus, waits / requests, changes / requests, (waits + changes) / requests,
                (window["calls"] - own) / requests, insns))


main()
