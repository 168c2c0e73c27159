#!/usr/bin/env bash
# source.sh NAME VERSION [PATCH...]: the source package NAME of Debian in the cache, as
# Debian builds it and with our patches on top; prints its directory.  VERSION is how the
# version has to begin: what is known about its tests is about that one.
. "$(dirname "$0")/apt.sh"

name=$1 version=$2
shift 2
patches=("$@")
# What is patched is built beside what is not.
dir=$CACHE/integrations/source/$name${patches:+-patched}

fetch_source()
{
	use_apt
	(cd "$dir.tmp" && apt-get -q --only-source source "$name")
}
patch_source()
{
	local patch
	for patch in "${patches[@]}"; do (cd "$1" && patch -p1 --batch --fuzz=0 <"$patch") || return; done
}

command -v dpkg-source >/dev/null || die "integrations: dpkg-source is missing, see package dpkg-dev"
for i in "${!patches[@]}"; do patches[i]=$(realpath "${patches[i]}"); done
stamp="$version $(digest "$TOP/integrations/source.sh" "$TOP/integrations/apt.sh" "${patches[@]}")"
# Where another one waited for the lock it may be there by now, and be built from.
is_made() { [[ -f $dir/stamp && $(<"$dir/stamp") = "$stamp" ]]; }
if ! is_made; then lock_cache >&2; fi
if ! is_made; then
	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp"
	logged "integrations-$name-source" fetch_source
	compgen -G "$dir.tmp/${name}_$version*.dsc" >/dev/null || die "integrations: $name is not $version any more: $(cd "$dir.tmp" && echo *.dsc)"
	rm -rf "$dir"
	mv "$dir.tmp" "$dir"
	logged "integrations-$name-patch" patch_source "$(echo "$dir/$name"-*/)"
	printf '%s\n' "$stamp" >"$dir/stamp"
fi
echo "$dir/$name"-*/
