#!/usr/bin/env bash
# A kernel source tree in the cache, one per identity of its origin, which is
# the package linux-source-6.12 or KSRC=dir-or-tar.  Writes the tree's place to
# build/source.  TREE.state keeps what we know about the tree, build/ beside it
# the objects.
. "$(dirname "$0")/lib.sh"
lock_cache

package=linux-source-6.12

# The names go into makefiles: no colons, no spaces, no tildes.
name() { printf '%s' "$1" | tr -c 'A-Za-z0-9.+-' _; }

if [[ -z ${KSRC:-} ]]; then
	origin=$(dpkg -L $package 2>/dev/null | grep -m1 '\.tar\.') ||
		die "no kernel source: install $package or set KSRC=dir-or-tar"
	id=$(dpkg-query -W -f='${Version}' $package)
else
	origin=$(realpath -e -- "$KSRC") || die "KSRC=$KSRC: no such file or directory"
	id=$(basename "$origin")
fi

if [[ -d $origin ]]; then
	[[ -f $origin/Kbuild ]] || die "KSRC=$KSRC is not a kernel source tree"
	id=$(name "$id-$(printf '%s' "$origin" | sha256sum | cut -c1-8)")
else
	id=$(name "${id%.tar*}-$(stat -L -c '%s %Y' "$origin" | sha256sum | cut -c1-8)")
fi
tree=$CACHE/trees/$id/src
state=$tree.state
mkdir -p "$state/pristine"
touch "$state/manifest"

if [[ -f $origin && ! -d $tree ]]; then
	# The package's own is one; of another it is asked before anything is removed.
	if [[ ${KSRC:-} && ! $(tar -tf "$origin" 2>/dev/null | head -n 1 || true) ]]; then
		die "KSRC=$KSRC is neither a directory nor a tar file"
	fi
	step "extracting $(basename "$origin"), $id"
	rm -rf "$tree.new" "$state"
	mkdir -p "$tree.new" "$state/pristine"
	: >"$state/manifest"
	logged extract tar -xf "$origin" -C "$tree.new" --strip-components=1
	[[ -f $tree.new/Kbuild ]] || die "$origin holds no kernel source tree"
	mv "$tree.new" "$tree"
fi

# The user's tree is never touched: the copy follows it, but for the overlay.
if [[ -d $origin ]]; then
	step "copying $origin"
	cut -d' ' -f3 "$state/manifest" | sed 's,^,/,' >"$state/ours"
	changes=$(rsync -a --delete --itemize-changes --exclude=.git --exclude='*.o' --exclude='.*.cmd' \
		--exclude=/.config --exclude=/include/config --exclude=/include/generated \
		--exclude='/arch/*/include/generated' --exclude-from="$state/ours" "$origin/" "$tree/")
	while IFS= read -r -d '' file; do
		cmp -s "$origin/$file" "$state/pristine/$file" && continue
		cp -p "$origin/$file" "$state/pristine/$file" || die "$file is gone from $origin"
		changes+=$file
	done < <(cd "$state/pristine" && find . -type f -printf '%P\0')
	# kernel.sh and user.sh must look again
	if [[ -n $changes ]]; then date +%s.%N >"$state/changed"; fi
fi
printf '%s\n' "$tree" >"$OUT/source"
