#!/usr/bin/env bash
# Brings the tree of build/source to what this checkout says: new files at their
# kernel paths, X.diff applied to the tree's own X.  Only files whose content
# changes are written, so that make rebuilds no more than it must; what left
# the checkout leaves the tree.
. "$(dirname "$0")/lib.sh"
lock_cache

tree=$(<"$OUT/source")
state=$tree.state
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The directories of the kernel that may hold new files; scripts/, configs/ and
# bench/ are our own.  A diff is the kernel's wherever it stands.
kernel_dirs=(arch block crypto Documentation drivers fs include init io_uring
	ipc kernel lib mm net samples security tools virt)

list_overlay()
{
	local dirs=() d
	cd "$TOP"
	for d in "${kernel_dirs[@]}"; do
		if [[ -d $d ]]; then dirs+=("$d"); fi
	done
	if ((${#dirs[@]})); then
		find "${dirs[@]}" -type f ! -name '*.diff' ! -name '*.orig' ! -name '*.rej' \
			! -name '*~' ! -name '.*.sw?' -printf 'new %p\n'
	fi
	find . \( -path ./build -o -path ./.git -o -path ./bench \) -prune -o \
		-type f -name '*.diff' -printf 'diff %P\n'
}

while read -r kind path; do
	case $kind in
	new)	printf 'new %s %s\n' "$(sha256sum <"$TOP/$path" | cut -c1-16)" "$path" ;;
	diff)	printf 'diff %s %s\n' "$(sha256sum <"$TOP/$path" | cut -c1-16)" "${path%.diff}" ;;
	esac
done < <(list_overlay | sort -u) >"$tmp/manifest"
twice=$(cut -d' ' -f3 "$tmp/manifest" | sort | uniq -d)
[[ -z $twice ]] || die "both a new file and a diff: $twice"

was() { grep -q "^$1 [^ ]* $2\$" "$state/manifest"; }
changed=0
# install_file CONTENT PATH: with a new time stamp, and only if it differs
install_file()
{
	cmp -s "$1" "$tree/$2" && return
	mkdir -p "$(dirname "$tree/$2")"
	cp --preserve=mode "$1" "$tree/$2.tmp"
	mv "$tree/$2.tmp" "$tree/$2"
	changed=$((changed + 1))
}

# The old manifest stays in force, with the new one, until all is done: after an
# interruption nothing is taken for the kernel's own.
while read -r kind sum path; do
	case $kind in
	new)	if [[ -e $tree/$path ]] && ! was new "$path"; then
			die "$path exists in the kernel: change it with $path.diff"
		fi ;;
	diff)	[[ -e $tree/$path ]] || die "$path.diff: the kernel has no $path"
		if ! was diff "$path"; then
			mkdir -p "$(dirname "$state/pristine/$path")"
			cp -p "$tree/$path" "$state/pristine/$path"
		fi ;;
	esac
done <"$tmp/manifest"
sort -u "$tmp/manifest" "$state/manifest" >"$tmp/both"
cp "$tmp/both" "$state/manifest"

while read -r kind sum path; do
	if [[ $kind = new ]]; then
		install_file "$TOP/$path" "$path"
		continue
	fi
	"$TOP/scripts/apply-diff.sh" "$TOP" "$path" "$state/pristine/$path" "$tmp/patched"
	install_file "$tmp/patched" "$path"
done <"$tmp/manifest"

# What the manifest before had and the checkout no longer has.
cut -d' ' -f3 "$tmp/manifest" | sort -u >"$tmp/now"
while read -r kind sum path; do
	if [[ $kind = new ]]; then
		if [[ -e $tree/$path ]]; then changed=$((changed + 1)); fi
		rm -f "$tree/$path"
		rmdir -p --ignore-fail-on-non-empty "$(dirname "$tree/$path")" 2>/dev/null || true
	elif [[ -f $state/pristine/$path ]]; then
		install_file "$state/pristine/$path" "$path"
		rm -f "$state/pristine/$path"
	fi
done < <(awk 'FILENAME == ARGV[1] { now[$1]; next } !($3 in now)' "$tmp/now" "$tmp/both")
cp "$tmp/manifest" "$state/manifest"

# What a kernel build and what a build of the user programs depend on.
{ grep -vE ' (Documentation|samples|tools)/' "$state/manifest" || true; cat "$state/changed" 2>/dev/null || true
} | sha256sum | cut -c1-16 >"$state/digest.kernel"
{ grep -E ' (include/uapi|arch/.*/include/uapi|scripts|samples|tools)/|\.tbl$' "$state/manifest" || true
	cat "$state/changed" 2>/dev/null || true
} | sha256sum | cut -c1-16 >"$state/digest.user"
step "overlay on $(basename "$(dirname "$tree")"): $(wc -l <"$state/manifest") files, $changed changed"
