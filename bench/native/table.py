#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""table.py FILE: what cases.sh printed, as a table of medians, per event.

Time differs from window to window on a machine that has other things to do: the second
figure, in brackets, is half the range in which half of the windows are.  Fails if a case
failed, if there is none, or if the run did not come to its end.
"""
import statistics
import sys

WIDTHS = (16, 6, 6, 14)


def per_event(case, name):
    """Median and half the interquartile range; None if that is not counted."""
    if not case[name][0].isdigit():
        return None
    values = [int(value) / int(case["events"]) for value in case[name].split(",")]
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return middle, (high - low) / 2


def figure(pair):
    return f"{pair[0]:10.0f} ({pair[1]:.0f})" if pair else f"{'-':>10}"


def main():
    failures, cases, ended, kernel = [], [], False, "?"
    for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
        kind, _, rest = line.strip().partition(" ")
        if kind == "NATIVE":
            cases.append(dict(word.split("=", 1) for word in rest.split()))
        elif kind == "NATIVE-KERNEL":
            kernel = rest
        elif kind == "NATIVE-END":
            ended = True
        elif kind in ("NATIVE-FAILED", "workloads:"):
            failures.append(line.strip())
        elif kind == "BENCH-SKIP":
            print(f"skipped: {rest}")
    print(f"{kernel}\n")
    print("".join(f"{name:<{width}}" for name, width in zip(("workload", "of", "active", "by"), WIDTHS)) +
          f"{'ns':>10}      {'x epoll':>8} {'cycles':>10}      {'instructions':>12}")
    place, epoll = None, None
    for case in cases:
        here = case["workload"], case["registered"], case["active"]
        if here != place:
            place = here
            peers = [c for c in cases if (c["workload"], c["registered"], c["active"]) == here]
            epoll = next((per_event(c, "ns")[0] for mode in ("epoll-et", "epoll") for c in peers
                          if c["mode"] == mode), None)
        time = per_event(case, "ns")
        ratio = f"{time[0] / epoll:8.2f}" if epoll else f"{'':8}"
        print("".join(f"{text:<{width}}" for text, width in zip((*here, case["mode"]), WIDTHS)) +
              f"{figure(time):<16}{ratio} {figure(per_event(case, 'cycles')):<16}"
              f"{figure(per_event(case, 'instructions')):>12}".rstrip())
    why = {case["cycles"] for case in cases if not case["cycles"][0].isdigit()}
    if "not-permitted" in why:
        print("\ncycles and instructions: not permitted, see sysctl kernel.perf_event_paranoid")
    elif why:
        print("\ncycles and instructions: this machine does not count them")
    if not cases:
        failures.append("no case was measured")
    if not ended:
        failures.append("the run did not come to its end")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return bool(failures)


sys.exit(main())
