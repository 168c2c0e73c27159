#!/usr/bin/env bash
# root.sh: a Debian root for the guest, from packages, in the cache.  Packages are
# unpacked, not installed, and the system's own apt configuration is only read.
#   prints the directory; root.gz there is an initramfs, with all that in debian/
. "$(dirname "$0")/apt.sh"

dir=$CACHE/integrations
root=$dir/guest/debian
packages=(memcached redis-server redis-tools lighttpd nginx-light wrk python3.11-minimal
	python3.11 libpython3.11-testsuite tcl8.6 coreutils bash grep sed mawk procps)
# Versions that what is known about their tests is about.
versions=(memcached=1.6.18 redis-server=5:7.0 lighttpd=1.4.69 nginx-light=1.22 python3.11=3.11.2)

for tool in dpkg-deb cpio gzip; do
	command -v $tool >/dev/null || die "integrations: $tool is missing"
done

fetch_packages()
{
	use_apt
	apt-get -y -q --download-only install "${packages[@]}"
}
unpack()
{
	local deb
	rm -rf "$root.tmp"
	mkdir -p "$root.tmp"
	for deb in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$root.tmp"; done
	mkdir -p "$root.tmp"/{proc,sys,dev,tmp,run,root,var/log/nginx,var/lib/nginx}
	rm -rf "$root.tmp"/usr/share/{doc,man,locale,perl,info} "$root.tmp"/usr/lib/python3.11/test/{__pycache__,cjkencodings} \
		"$root.tmp"/usr/lib/x86_64-linux-gnu/gconv
	ln -s mawk "$root.tmp/usr/bin/awk"
	ln -s bash "$root.tmp/bin/sh"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nwww-data:x:33:33:www:/:/bin/false\n' >"$root.tmp/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\ntty:x:5:\n' >"$root.tmp/etc/group"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root.tmp/etc/hosts"
	rm -rf "$root"
	mv "$root.tmp" "$root"
	(cd "$dir/guest" && find debian -print0 | cpio --quiet -0 -o -H newc --owner=0:0) | gzip -1 >"$dir/root.gz.tmp"
	mv "$dir/root.gz.tmp" "$dir/root.gz"
}
check_versions()
{
	local entry name version
	for entry in "${versions[@]}"; do
		name=${entry%%=*} version=${entry#*=}
		compgen -G "$apt/cache/archives/${name}_${version/:/%3a}*" >/dev/null ||
			die "integrations: $name is not $version any more: $(cd "$apt/cache/archives" && echo "${name}"_*)"
	done
}

# Where another one waited for the lock all may be there by now.
stamp=$(digest "$TOP/integrations/root.sh" "$TOP/integrations/apt.sh")
is_made() { [[ -f $dir/stamp && -f $dir/root.gz && $(<"$dir/stamp") = "$stamp" ]]; }
if ! is_made; then lock_cache >&2; fi
if ! is_made; then
	rm -f "$dir/stamp"
	mkdir -p "$dir"
	logged integrations-packages fetch_packages
	check_versions
	logged integrations-root unpack
	printf '%s\n' "$stamp" >"$dir/stamp"
fi
printf '%s\n' "$dir"
