#!/usr/bin/env python3
"""same-code.py A B LOG: do the object files of two kernel build directories hold
the same code?  Compares what objdump -dr prints, so neither data nor the line
numbers of bug tables; LOG gets the differences."""
import difflib
import os
import subprocess
import sys


def objects(top):
    """The kernel's objects, without host programs and what a link makes."""
    found = set()
    for directory, subdirs, files in os.walk(top):
        if directory == top:
            subdirs[:] = [d for d in subdirs if d not in ("tools", "scripts")]
        found |= {os.path.relpath(os.path.join(directory, f), top)
                  for f in files if f.endswith(".o") and not f.startswith(".") and f != "vmlinux.o"}
    return found


def read(path):
    with open(path, "rb") as f:
        return f.read()


def code(path):
    result = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path],
                            check=True, capture_output=True, text=True)
    # The first line that is not empty names the file.
    return result.stdout.lstrip("\n").splitlines()[1:]


def main():
    a, b, log_path = sys.argv[1:]
    in_a, in_b = objects(a), objects(b)
    both = sorted(in_a & in_b)
    different = [f"{name}: only in {a}" for name in sorted(in_a - in_b)]
    different += [f"{name}: only in {b}" for name in sorted(in_b - in_a)]
    disassembled = 0
    with open(log_path, "w") as log:
        for name in both:
            left, right = os.path.join(a, name), os.path.join(b, name)
            if read(left) == read(right):
                continue
            disassembled += 1
            left, right = code(left), code(right)
            if left == right:
                continue
            different.append(name)
            log.writelines(line + "\n" for line in
                           difflib.unified_diff(left, right, f"a/{name}", f"b/{name}", lineterm=""))
        for line in different:
            print(line, file=log)
    print(f"{len(both)} objects: {len(both) - disassembled} are identical, "
          f"{disassembled} were disassembled, {len(different)} differ in code")
    for line in different[:20]:
        print(f"    {line}")
    return 1 if different or not both else 0


sys.exit(main())
