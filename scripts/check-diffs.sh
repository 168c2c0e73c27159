#!/usr/bin/env bash
# Do all diffs of this checkout apply, without fuzz, to every version of the
# package linux-source-6.12 that the package archive lists?  Packages and the
# files taken out of them stay in the cache.
. "$(dirname "$0")/lib.sh"
lock_cache
package=linux-source-6.12

mapfile -t diffs < <(cd "$TOP" && find . \( -path ./build -o -path ./.git -o -path ./bench \) -prune -o \
	-name '*.diff' -printf '%P\n' | sort)
((${#diffs[@]})) || { step "there are no diffs"; exit 0; }
touched=("${diffs[@]%.diff}")
mapfile -t versions < <(apt-cache madison $package | awk -F ' *[|] *' '{ print $2 }' | sort -uV)
((${#versions[@]})) || die "the package archive lists no $package: apt-get update"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$CACHE/debs" "$CACHE/touched"
bad=0
for version in "${versions[@]}"; do
	files=$CACHE/touched/$(printf '%s' "$version" | tr -c 'A-Za-z0-9.+-' _)
	list=$(printf '%s\n' "${touched[@]}")
	if [[ ! -f $files/list || $(<"$files/list") != "$list" ]]; then
		step "$version: getting the ${#touched[@]} files that diffs touch"
		cd "$CACHE/debs"
		deb=$(compgen -G "${package}_${version/:/%3a}_*.deb" || true)
		if [[ -z $deb ]]; then
			logged check-diffs-download apt-get -q download "$package=$version"
			deb=$(compgen -G "${package}_${version/:/%3a}_*.deb") || die "no package file for $version after the download"
		fi
		rm -rf "$files"
		mkdir -p "$files"
		# A file that this version lacks is told below, by its diff.
		dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards './usr/src/*.tar.xz' |
			tar -xJ -C "$files" --strip-components=1 "${touched[@]/#/$package/}" 2>"$LOGS/check-diffs-tar.log" || true
		printf '%s\n' "$list" >"$files/list"
	fi
	applied=0
	for path in "${touched[@]}"; do
		if [[ ! -f $files/$path ]]; then
			echo "error: $path.diff: $version has no such file" >&2
		elif "$TOP/scripts/apply-diff.sh" "$TOP" "$path" "$files/$path" "$tmp/patched"; then
			applied=$((applied + 1))
		fi
	done
	step "$version: $applied of ${#touched[@]} diffs apply"
	if ((applied != ${#touched[@]})); then bad=1; fi
done
exit $bad
