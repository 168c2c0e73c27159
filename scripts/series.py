#!/usr/bin/env python3
"""series.py TREE STATE SERIES OUT: the overlay as patches for git am.

TREE is the kernel with the overlay, STATE what overlay.sh keeps of it.  Each file in
SERIES but the first, 00-*, is a patch: lines "Subject:", "Files:" (paths and patterns
of the overlay) and "Options:" (of init/Kconfig.diff), an empty line, and the message.
A file that several patches grow is given to the first; what belongs to an option, or to
an object whose source is not there yet, is left out until its patch comes.

In the cover letter @objections@ stands for the table of them in the documentation.

Writes OUT/*.patch.  SIGNED_OFF_BY is who signs, "Name <address>".
"""
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import textwrap

tree, state, series, out = (os.path.abspath(path) for path in sys.argv[1:])
author = os.environ.get("SIGNED_OFF_BY") or ""
person = re.fullmatch(r"(.+\S) <(\S+@\S+)>", author)
if not person:
    sys.exit('error: set SIGNED_OFF_BY="Name <address>", who signs the patches off')


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


manifest = [line.split() for line in read(f"{state}/manifest").splitlines()]
kinds = {path: kind for kind, _, path in manifest}
def config_options(path):
    return set(re.findall(r"(?m)^config (\w+)$", read(path)))


every_option = config_options(f"{tree}/init/Kconfig") - config_options(f"{state}/pristine/init/Kconfig")
objects = {path[:-2] + ".o" for path, kind in kinds.items() if kind == "new" and path.endswith(".c")}


def kconfig(text, options):
    """Without the blocks of options that are still to come."""
    blocks = re.split(r"(?m)^(?=(?:config|menuconfig|menu|endmenu|if|endif|choice|source|comment) ?)", text)
    return "".join(block for block in blocks
                   if not (name := re.match(r"config (\w+)\n", block))
                   or name[1] not in every_option - options)


def makefile(path, text, present):
    """Without objects whose source is still to come, and what is said of those alone."""
    missing = {os.path.basename(name) for name in objects
               if os.path.dirname(name) == os.path.dirname(path) and name[:-2] + ".c" not in present}
    kept, skips = [], False
    for line in text.splitlines(True):
        rule = re.match(r"obj-\S+\s*\+?:?=", line)
        if rule:
            words = line.split()
            left = [word for word in words if word not in missing]
            skips = len(left) < len(words) and left[-1] in ("=", "+=", ":=")
            if not skips and len(left) < len(words):
                line = " ".join(left) + "\n"
        elif re.match(r"\w+\.o\b|GCOV_PROFILE_(\w+\.o)", line):
            name = re.match(r"(?:GCOV_PROFILE_)?(\w+\.o)", line)[1]
            if name in missing:
                continue
        if not skips:
            kept.append(line)
    return "".join(kept)


def source_table(text, options):
    """Without the entries of options that are still to come."""
    for option in every_option - options:
        text = re.sub(rf"(?ms)^#ifdef CONFIG_{option}\n.*?^#endif\n", "", text)
    return text


def content(path, options, present):
    text = read(f"{tree}/{path}")
    if path == "init/Kconfig":
        return kconfig(text, options)
    if os.path.basename(path) == "Makefile":
        return makefile(path, text, present)
    if path == "kernel/kevent/source.c":
        return source_table(text, options)
    return text


def objections():
    """The rows of the table behind that label, without its head."""
    text = read(f"{tree}/Documentation/kevent/history.rst").partition(".. _kevent_objections:")[2]
    table = re.search(r"(?ms)^\.\. list-table::\n.*?(?=^\S)", text)
    items = []
    for row in re.split(r"(?m)^   \* - ", table[0])[2:]:
        cells = [" ".join(cell.split()).replace("``", "") for cell in re.split(r"(?m)^     - ", row)]
        if len(cells) != 3:
            sys.exit(f"error: history.rst: an objection with {len(cells)} cells: {cells[0]}")
        items += [textwrap.fill(text, 72, initial_indent=first, subsequent_indent="   ",
                                break_long_words=False, break_on_hyphens=False)
                  for first, text in (("\n - ", cells[0]), ("   ", cells[1]), ("   => ", cells[2]))]
    return "\n".join(items).lstrip("\n")


def parse(name):
    head, _, message = read(f"{series}/{name}").partition("\n\n")
    patch = {"Subject": "", "Files": "", "Options": "", "name": name, "message": message.strip()}
    for line in head.splitlines():
        key, _, value = line.partition(":")
        if key not in ("Subject", "Files", "Options"):
            sys.exit(f"error: series/{name}: what is '{key}'?")
        patch[key] = (patch[key] + " " + value.strip()).strip()
    return patch


def git(*words, **more):
    return subprocess.run(["git", "-C", work, *words], check=True, text=True, stdout=subprocess.PIPE, **more).stdout


names = sorted(name for name in os.listdir(series) if re.match(r"\d\d-.*\.txt$", name))
cover, patches = parse(names[0]), [parse(name) for name in names[1:]]

taken = {}
for patch in patches:
    patch["paths"] = []
    for pattern in patch["Files"].split():
        found = [path for path in kinds if fnmatch.fnmatchcase(path, pattern) and path not in taken]
        # A pattern leaves what was taken to who has it; a path must be free.
        if not found:
            sys.exit(f"error: series/{patch['name']}: {pattern} is taken or not in the overlay")
        for path in found:
            taken[path] = patch["name"]
        patch["paths"] += found
left = sorted(set(kinds) - set(taken))
if left:
    sys.exit("error: no patch takes " + " ".join(left))
lost = every_option - {option for patch in patches for option in patch["Options"].split()}
if lost:
    sys.exit("error: no patch has the options " + " ".join(sorted(lost)))

work = f"{out}/tree"
shutil.rmtree(out, ignore_errors=True)
os.makedirs(work)
os.environ.update({f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                   for what, value in (("NAME", person[1]), ("EMAIL", person[2]))})
git("init", "-q")


def install(path, text, mode):
    os.makedirs(os.path.dirname(f"{work}/{path}") or work, exist_ok=True)
    with open(f"{work}/{path}", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(f"{work}/{path}", mode & 0o755 | 0o644)


for path, kind in kinds.items():
    if kind == "diff":
        install(path, read(f"{state}/pristine/{path}"), os.stat(f"{state}/pristine/{path}").st_mode)
git("add", "-A")
git("commit", "-q", "--allow-empty", "-m", "base")
git("tag", "base")

options, present = set(), []
for patch in patches:
    options |= set(patch["Options"].split())
    present += patch["paths"]
    for path in present:
        install(path, content(path, options, present), os.stat(f"{tree}/{path}").st_mode)
    git("add", "-A")
    git("commit", "-q", "-F", "-", input=f"{patch['Subject']}\n\n{patch['message']}\n\nSigned-off-by: {author}\n")

for path in present:
    if read(f"{work}/{path}") != read(f"{tree}/{path}"):
        sys.exit(f"error: {path} is not that of the overlay after the last patch")

git("format-patch", "-q", "--cover-letter", "--no-signature", "--stat=72", "-M", "-o", out, "base")
letter = f"{out}/0000-cover-letter.patch"
text = read(letter)
text = text.replace("*** SUBJECT HERE ***", cover["Subject"]).replace("*** BLURB HERE ***", cover["message"].replace("@objections@", objections()))
with open(letter, "w", encoding="utf-8") as file:
    file.write(text)
print(f"{len(patches)} patches and a cover letter")
