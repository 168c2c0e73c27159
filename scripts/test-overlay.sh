#!/usr/bin/env bash
# Checks source.sh and overlay.sh against a kernel tree of a few lines, in a
# copy of our scripts with a cache of its own.  One line per check: ok or not ok.
. "$(dirname "$0")/lib.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export KEVENT_CACHE=$tmp/cache KSRC=$tmp/kernel
unset KEVENT_LOCKED
mkdir -p "$tmp/kernel/kernel" "$tmp/kernel/fs" "$tmp/checkout/kernel/kevent"
mkdir "$tmp/checkout/scripts"
cp "$TOP"/scripts/*.sh "$tmp/checkout/scripts/"
cd "$tmp/checkout"
touch "$tmp/kernel/Kbuild"
seq 20 >"$tmp/kernel/kernel/a.c"
echo kept >"$tmp/kernel/fs/b.c"
echo 'int kevent;' >kernel/kevent/core.c
change() { sed "s/^10\$/$1/" "$tmp/kernel/kernel/a.c" | diff -u --label a/kernel/a.c --label b/kernel/a.c "$tmp/kernel/kernel/a.c" - || true; }
change ten >kernel/a.c.diff

overlay() { scripts/source.sh >"$tmp/out" 2>&1 && scripts/overlay.sh >>"$tmp/out" 2>&1; }
check()
{
	local name=$1
	shift
	if "$@"; then echo "ok overlay: $name"; else echo "not ok overlay: $name"; sed 's/^/    /' "$tmp/out"; fi
}
fails() { ! overlay && grep -q "$1" "$tmp/out"; }
tree() { cat build/source; }
stamps() { (cd "$(tree)" && find . -type f -printf '%p %T@\n' | sort); }

applied() { overlay && grep -q '^ten$' "$(tree)/kernel/a.c" && [[ -f $(tree)/kernel/kevent/core.c ]]; }
check "new files and diffs arrive" applied
idle() { local before; before=$(stamps); overlay && [[ $(stamps) = "$before" ]]; }
check "the second time nothing is written" idle
theirs() { ! grep -q ten "$tmp/kernel/kernel/a.c" && [[ ! -e $tmp/kernel/kernel/kevent ]]; }
check "KSRC is not touched" theirs
one() { local before; before=$(stamps); change TEN >kernel/a.c.diff; overlay && grep -q '^TEN$' "$(tree)/kernel/a.c" &&
	[[ $(diff <(echo "$before") <(stamps) | grep -c '^>') = 1 ]]; }
check "a changed diff changes its file only" one
sed -i 's/^ 9$/ nine/' kernel/a.c.diff
check "fuzz is refused, with the name of the diff" fails 'kernel/a.c.diff: does not apply'
sed -i 's/ nine/ 9/; s,b/kernel/a.c,b/kernel/b.c,' kernel/a.c.diff
check "a diff with another file's header is refused" fails 'kernel/a.c.diff: its headers'
rm kernel/a.c.diff kernel/kevent/core.c
restored() { overlay && cmp -s "$(tree)/kernel/a.c" "$tmp/kernel/kernel/a.c" && [[ ! -e $(tree)/kernel/kevent ]]; }
check "what leaves the checkout leaves the tree" restored
mkdir fs
echo mine >fs/b.c
check "a whole file in place of a diff is refused" fails 'fs/b.c exists in the kernel'
rm fs/b.c
seq 30 >"$tmp/kernel/kernel/a.c"
change ten >kernel/a.c.diff
follows() { overlay && [[ $(tail -n 1 "$(tree)/kernel/a.c") = 30 ]] && grep -q '^ten$' "$(tree)/kernel/a.c"; }
check "a change in KSRC arrives" follows
seq 40 >"$tmp/kernel/kernel/a.c"
under() { overlay && [[ $(tail -n 1 "$(tree)/kernel/a.c") = 40 ]] && grep -q '^ten$' "$(tree)/kernel/a.c"; }
check "also in a file under a diff" under

tar -C "$tmp" -cJf "$tmp/linux.tar.xz" kernel
export KSRC=$tmp/linux.tar.xz
seq 50 >"$tmp/kernel/kernel/a.c"
from_tar() { overlay && [[ $(tail -n 1 "$(tree)/kernel/a.c") = 40 ]] && grep -q '^ten$' "$(tree)/kernel/a.c"; }
check "KSRC may be a tar file" from_tar
