#!/usr/bin/env python3
"""coverage.py receive PORTFILE FILE: listens on a port of localhost, writes its
number to PORTFILE and what one client sends to FILE.

coverage.py report DIR: see coverage.sh for DIR.  A line counts as covered if any
of the objects it was compiled into ran it, so that one of a header or of an
inline function is judged once."""
import collections
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile


def die(message):
    sys.exit(f"error: {message}")


def receive(port_file, result):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with open(port_file + ".tmp", "w") as f:
            print(server.getsockname()[1], file=f)
        os.rename(port_file + ".tmp", port_file)
        client = server.accept()[0]
    with client, client.makefile("rb") as stream, open(result, "wb") as f:
        shutil.copyfileobj(stream, f)


def read_line(path):
    with open(path) as f:
        return f.readline().rstrip("\n")


def extract(archive, objects, data):
    """Puts the counts beside the notes in DATA; returns their paths there."""
    found = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if not member.isfile():
                    continue
                path = os.path.relpath("/" + member.name, objects)
                notes = os.path.join(data, path.removesuffix(".gcda") + ".gcno")
                if not os.path.exists(notes):
                    die(f"data for {path}, of which there is no {notes}")
                with open(os.path.join(data, path), "wb") as f:
                    shutil.copyfileobj(tar.extractfile(member), f)
                found.append(path)
    except (tarfile.TarError, EOFError, OSError) as e:
        die(f"the guest's data is not complete: {archive}: {e}")
    return sorted(found)


def run_gcov(data, path):
    result = subprocess.run(["gcov", "--json-format", "--stdout", path], cwd=data,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    # Data of another build or compiler is only a complaint to gcov.  That the
    # tree may have changed since is none: the sources were copied with the notes.
    complaints = [line for line in result.stderr.splitlines()
                  if "source file is newer than notes file" not in line
                  and "the message is displayed only once" not in line]
    if result.returncode or complaints or not result.stdout:
        die(f"gcov {path}: status {result.returncode}: {' '.join(complaints)}")
    return json.loads(result.stdout)


def blocks(lines):
    """Runs of lines that were not reached, with no reached one in between, as
    (first, last, function)."""
    result = []
    open_block = False
    for number in sorted(lines):
        count, function = lines[number]
        if count:
            open_block = False
        elif open_block and result[-1][2] == function:
            result[-1][1] = number
        else:
            result.append([number, number, function])
            open_block = True
    return result


def report(out):
    data = os.path.join(out, "data")
    source = os.path.join(out, "source")
    tree = read_line(os.path.join(out, "tree"))
    objects = read_line(os.path.join(out, "objects"))
    # file: line: [count, function]
    ours = collections.defaultdict(dict)
    measured = set()

    for path in extract(os.path.join(out, "gcda.tar.gz"), objects, data):
        record = run_gcov(data, path)
        measured.add(path.removesuffix(".gcda") + ".c")
        for file in record["files"]:
            name = os.path.normpath(os.path.join(objects, file["file"]))
            name = os.path.relpath(name, tree)
            if not os.path.exists(os.path.join(source, name)):
                continue
            for line in file["lines"]:
                known = ours[name].setdefault(line["line_number"],
                                              [0, line.get("function_name", "")])
                known[0] += line["count"]

    wanted = set()
    for directory, _, files in os.walk(source):
        wanted |= {os.path.relpath(os.path.join(directory, f), source)
                   for f in files if f.endswith(".c")}
    missing = sorted(wanted - measured)
    if not measured:
        die("the guest's data is empty")

    table, details = [], []
    total = total_reached = 0
    for name in sorted(ours):
        lines = ours[name]
        reached = sum(1 for count, _ in lines.values() if count)
        total += len(lines)
        total_reached += reached
        row = f"{name:34} {100 * reached / len(lines):6.1f} % of {len(lines):4} lines"
        table.append(row)
        if reached == len(lines):
            continue
        with open(os.path.join(source, name)) as f:
            text = f.read().splitlines()
        details.append(row)
        for first, last, function in blocks(lines):
            place = f"{first}-{last}" if last > first else f"{first}"
            details.append(f"\n{name}:{place}: {function}()")
            details += [f"{number:6}{' ' if number in lines else '|'} {text[number - 1]}".rstrip()
                        for number in range(first, last + 1)]
        details.append("")
    table.append(f"{'total':34} {100 * total_reached / total:6.1f} % of {total:4} lines")

    with open(os.path.join(out, "summary.txt"), "w") as f:
        print("\n".join(table), file=f)
    with open(os.path.join(out, "uncovered.txt"), "w") as f:
        print("Lines that no test reached, as blocks without a reached line in between.\n"
              "| marks lines without code of their own.\n", file=f)
        print("\n".join(details), file=f)
    print("\n".join(table))
    print(f"{total - total_reached} lines were not reached, see {os.path.relpath(out)}/uncovered.txt")
    for name in missing:
        print(f"error: no data for {name}: is it in configs/gcov.config's kernel, "
              "with GCOV_PROFILE in its Makefile?", file=sys.stderr)
    sys.exit(1 if missing else 0)


if len(sys.argv) == 4 and sys.argv[1] == "receive":
    receive(sys.argv[2], sys.argv[3])
elif len(sys.argv) == 3 and sys.argv[1] == "report":
    report(sys.argv[2])
else:
    die(__doc__)
