#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
Shows functions instruction by instruction, with how often each was executed
per event in the median window of a case.

    annotate.py DIR VMLINUX ROW MODE [FUNCTION ...]

DIR is that of a bench run (build/bench), VMLINUX the kernel it ran, ROW and
MODE those of a profile: DIR/profile-ROW-MODE.txt.  Without a function: all
that are executed at least once in ten events.
"""
import filecmp
import os
import subprocess
import sys

sys.dont_write_bytecode = True      # not beside the sources
import counts  # noqa: E402
import targets  # noqa: E402


def disassemble(binary, start, size):
    text = subprocess.run(
        ['objdump', '-d', '--no-show-raw-insn', f'--start-address={start:#x}',
         f'--stop-address={start + size:#x}', binary],
        check=True, text=True, stdout=subprocess.PIPE).stdout
    for line in text.splitlines():
        address, colon, insn = line.strip().partition(':')
        if colon and insn:
            try:
                yield int(address, 16), insn.strip()
            except ValueError:
                continue        # a heading


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__.strip())
    directory, vmlinux, row, mode = sys.argv[1:5]
    binary = os.path.join(directory, 'workloads')
    if not filecmp.cmp(os.path.join(os.path.dirname(vmlinux), 'System.map'),
                       os.path.join(directory, 'System.map'), shallow=False):
        sys.exit(f'annotate: {vmlinux} is not the kernel of {directory}')
    symbols = counts.Symbols(directory)
    cases = counts.Run(directory, '', symbols).cases
    place = {name: place for place, name in targets.PROFILES.items()}.get(row)
    case = cases.get((place, mode))
    if not case:
        sys.exit(f'annotate: no row {row} in mode {mode}')

    executed = {}
    for pc, count, _ in case.window.pcs:
        executed[pc] = executed.get(pc, 0) + count / case.events
    functions = case.window.functions(symbols)
    wanted = sys.argv[5:] or [
        name for (_, name), (insns, _, _)
        in sorted(functions.items(), key=lambda item: -item[1][0])
        if insns >= case.events / 10]

    for name in wanted:
        try:
            i = symbols.names.index(name)
        except ValueError:
            sys.exit(f'annotate: no function {name}')
        start = symbols.starts[i]
        size = symbols.starts[i + 1] - start
        of_kernel = start & counts.KERNEL
        total = sum(n for pc, n in executed.items()
                    if start <= pc < start + size)
        print(f'{name}: {total:.2f} per event')
        skipped = False
        for pc, insn in disassemble(vmlinux if of_kernel else binary, start, size):
            # what is patched at run time reads as it was before
            if pc in executed:
                print(f'{executed[pc]:9.3f}  {pc:x}  {insn}')
                skipped = False
            elif not skipped:
                print('        -  ...')
                skipped = True
        print()


if __name__ == '__main__':
    sys.exit(main())
