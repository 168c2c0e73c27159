#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""measure.py DIR: what measure.sh has counted, per request"""
import re
import sys

REQUESTS = [64 * 32, 8 * 32]
MODES = ["epoll", "kevent"]
WAITS = ["epoll_wait", "epoll_pwait", "epoll_ctl", "kevent_wait", "kevent_ctl", "poll"]


def symbols(path):
    names = {}
    for line in open(path):
        address, _, name = line.split()
        match = re.fullmatch(r"__x64_sys_(\w+)", name)
        if match:
            names[int(address, 16)] = match[1]
    return names


def windows(path, names):
    """per window: case, instructions, calls of each processor, calls by name"""
    found = []
    for line in open(path):
        words = line.split()
        if words[0] == "W":
            found.append({"case": int(words[1]), "id": int(words[2]), "instructions": int(words[3]),
                          "calls": int(words[5]), "of": [int(w) for w in words[7:]], "by": {}})
        else:
            name = names.get(int(words[0], 16))
            if name:
                by = found[-1]["by"]
                by[name] = by.get(name, 0) + int(words[1])
    return found


def main(directory):
    names = symbols(f"{directory}/System.map")
    one = windows(f"{directory}/windows.txt", names)
    two = windows(f"{directory}/windows-smp.txt", names)
    if len(one) != 12 or len(two) != 12:
        sys.exit(f"{len(one)} and {len(two)} windows, not 12 each")

    def row(title, value, found, form="8.4f"):
        text = f"{title:30}"
        for case in (1, 2):
            values = [value(w) / REQUESTS[w["id"]] for w in found if w["case"] == case]
            text += f"{' '.join(format(v, form).strip() for v in values):>24}"
        print(text)

    for kind, what in enumerate(["per request", "per connection"]):
        some = [w for w in one if w["id"] == kind]
        print(f"{what:30}" + "".join(f"{mode:>24}" for mode in MODES))
        row("instructions", lambda w: w["instructions"], some, "8.0f")
        row("waits and changes", lambda w: sum(w["by"].get(n, 0) for n in WAITS), some)
        if not kind:
            # The client has two entries for a request.
            row("all entries of the server", lambda w: w["calls"] - 2 * REQUESTS[0], some)
        row("that, two processors", lambda w: w["of"][0], [w for w in two if w["id"] == kind])
        for case, mode in enumerate(MODES, 1):
            by = [w["by"] for w in some if w["case"] == case][0]
            print(f"  {mode}: " + ", ".join(f"{n} {c}" for n, c in sorted(by.items(), key=lambda x: -x[1])))


main(sys.argv[1])
