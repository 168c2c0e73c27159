#!/usr/bin/env bash
# Is build/series a series that a maintainer can take?  git am applies it to a tree
# without the overlay, and what comes of it is the overlay; checkpatch has nothing to
# say; what is new or changed builds at each patch without a warning, with and without
# CONFIG_KEVENT.
#   SHORT   set: without CONFIG_KEVENT at every fifth patch and at the last only, and link
#           nothing
. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/objects.sh"

"$TOP/scripts/packages.sh" build test
logs=$LOGS/series
rm -rf "$logs"
mkdir -p "$logs"
export SIGNED_OFF_BY=${SIGNED_OFF_BY:-kevent <kevent@localhost>}
"$TOP/scripts/series.sh"
mapfile -t patches < <(find "$OUT/series" -maxdepth 1 -name '0*.patch' ! -name '0000-*' | sort)
tree=$(<"$OUT/source")
work=$(dirname "$tree")/build/series
mkdir -p "$work/y"
exec {work_lock}>"$work/lock"
flock -n "$work_lock" || die "another check-series is running"
passed=0 failed=0 check_passed=0 check_failed=0

### it applies, and is the overlay
am=$work/am
rm -rf "$am"
mkdir -p "$am"
amgit() { git -C "$am" -c user.name=kevent -c user.email=kevent@localhost "$@"; }
apply()
{
	amgit init -q
	cp -a "$tree.state/pristine/." "$am"
	amgit add -A
	amgit commit -q -m "without the overlay"
	amgit tag base
	amgit am -q "${patches[@]}"
}
(lock_cache; logged series/am apply)
ok
while read -r kind sum path; do
	if ! cmp -s "$tree/$path" "$am/$path"; then echo "$kind $path"; fi
done <"$tree.state/manifest" >"$logs/differs"
amgit diff --name-only base HEAD | sort >"$logs/touched"
cut -d' ' -f3 "$tree.state/manifest" | sort | comm -13 - "$logs/touched" >>"$logs/differs"
if [[ -s $logs/differs ]]; then not_ok "series" "not what the overlay makes" "$logs/differs"; else ok; fi
sum_up "applied"

### checkpatch, but for what series/checkpatch.ignore says
# MAINTAINERS comes last, and is not in question for each file.
remarks()
{
	# No GIT_DIR: it would ask spdxcheck.py, which needs more than we have.
	{ (cd "$logs" && GIT_DIR=/nonexistent perl "$tree/scripts/checkpatch.pl" --strict --root="$tree" --no-summary \
		--terse --showfile --show-types --ignore FILE_PATH_CHANGES "$1" 2>&1) || true; } | python3 -c '
import fnmatch, re, sys
ignored = [line.split()[:2] for line in open(sys.argv[1]) if line.split() and line[0] != "#"]
for line in sys.stdin:
    said = re.match(r"(\S*?):\d+: [A-Z]+:([A-Z_0-9]+):", line)
    if not said or not any(fnmatch.fnmatchcase(said[1], path) and said[2] in types.split(",") for path, types in ignored):
        sys.stdout.write(line)' "$TOP/series/checkpatch.ignore"
}
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	remarks "$patch" >"$logs/checkpatch-$name.log"
	if [[ -s $logs/checkpatch-$name.log ]]; then
		not_ok "$name" "$(wc -l <"$logs/checkpatch-$name.log") remarks of checkpatch" "$logs/checkpatch-$name.log"
		head -n 5 "$logs/checkpatch-$name.log" | cut -c1-160 | sed 's/^/    /'
	else
		ok
	fi
done
sum_up "checkpatch --strict"

### each prefix builds
# Until the patch that has Kconfig, the makefiles of that one lead to our directory.
mapfile -t commits < <(amgit rev-list --reverse base..HEAD)
wired=$(amgit log --reverse --format=%H base..HEAD -- init/Kconfig | sed -n 1p)
[[ $wired ]] || die "no patch changes init/Kconfig"
(lock_cache; logged series/copy without_overlay "$tree" "$work/y/src")
rm -rf "$work/n"
mkdir -p "$work/n"
ln -s ../y/src "$work/n/src"

# prefix COMMIT: the tree as it is after that patch
at=base partial=
prefix()
{
	local path
	partial=
	while IFS= read -r path; do
		mkdir -p "$(dirname "$work/y/src/$path")"
		rm -f "$work/y/src/$path"
		amgit show "$1:$path" >"$work/y/src/$path"
		if [[ -x $am/$path ]]; then chmod +x "$work/y/src/$path"; fi
	done < <(amgit diff --name-only "$at" "$1")
	at=$1
	if ! amgit merge-base --is-ancestor "$wired" "$1"; then
		partial=1
		for path in kernel/Makefile init/Kconfig; do
			rm -f "$work/y/src/$path"
			amgit show "$wired:$path" >"$work/y/src/$path"
		done
	fi
	mapfile -t files < <(amgit diff --name-only base "$1" -- '*.c' | grep -vE '^(Documentation|samples|tools)/')
}
n=0 linked=
for commit in "${commits[@]}"; do
	n=$((n + 1))
	name=$(printf '%02d' $n)
	progress "patch $n of ${#commits[@]}: $(amgit log -1 --format=%s "$commit")"
	prefix "$commit"
	for kevent in y n; do
		if [[ ${SHORT:-} && $kevent = n ]] && ((n % 5 && n < ${#commits[@]})); then continue; fi
		set_tree "$kevent" objects
		logged "series/$name-$kevent-config" configure
		if [[ $kevent = n ]]; then logged "series/$name-n-change" change KEVENT=n; fi
		if ((n == 1)); then must_build=kernel/sys_ni.o; else must_build=kernel/kevent/core.o; fi
		if [[ $kevent = n ]]; then must_build=kernel/sys_ni.o; fi
		compile "$name-$kevent"
	done
	# What was given to the linker once it could be, and at the end.
	if [[ ! ${SHORT:-} ]] && { [[ $commit = "$wired" ]] || ((n == ${#commits[@]})); }; then
		set_tree y objects
		linked+=" $n"
		if kmake vmlinux >"$logs/$name-link.log" 2>&1 </dev/null; then
			ok
		else
			not_ok "$name" "vmlinux does not build" "$logs/$name-link.log"
		fi
	fi
done
sum_up "every prefix${linked:+, vmlinux at$linked}"

printf '%d %d 0\n' $passed $failed >"$logs/counts"
printf '%d passed, %d failed\n' $passed $failed
((failed == 0))
