#!/usr/bin/env bash
# packages.sh GROUP...: installs what is missing of what the groups build, build32,
# test, docs, pictures, browser, integrations, bench and bench-full need; whoever is not
# root is told the command.
. "$(dirname "$0")/lib.sh"

missing=()
# need PACKAGE COMMAND...: the command succeeds where the package is there
need()
{
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}
# Tools of file systems are in a directory that not everybody looks into.
has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }
has_static_busybox() { has busybox && ! ldd "$(command -v busybox)"; }
compiles() { printf '%s\nint main(void) { return 0; }\n' "$1" | gcc -x c - "${@:2}" -o /dev/null; }

find_missing()
{
	local group
	missing=()
	for group in "$@"; do
		case $group in
		build)
			need gcc has gcc
			need g++ has g++
			need libc6-dev compiles '#include <stdio.h>' -static
			need binutils has ld
			need make has make
			need flex has flex
			need bison has bison
			need bc has bc
			need libelf-dev compiles '#include <libelf.h>' -lelf
			need xz-utils has xz
			need patch has patch
			need rsync has rsync
			need pkg-config has pkg-config
			need cpio has cpio
			need ccache has ccache
			need busybox-static has_static_busybox
			need qemu-system-x86 has qemu-system-x86_64
			need e2fsprogs has mkfs.ext4
			need xfsprogs has mkfs.xfs
			need btrfs-progs has mkfs.btrfs
			need f2fs-tools has mkfs.f2fs
			need libjs-chart.js test -f /usr/share/javascript/chart.js/chart.min.js
			if [[ -z ${KSRC:-} ]]; then need linux-source-6.12 dpkg -L linux-source-6.12; fi
			;;
		build32)
			# Not gcc-multilib: cross compilers would have to go for it.
			need libc6-dev-i386 compiles '#include <gnu/stubs.h>' -m32 -fsyntax-only
			need "lib32gcc-$(gcc -dumpversion 2>/dev/null || echo 12)-dev" compiles '' -m32 -nostdlib -lgcc -lgcc_eh
			;;
		docs)
			need python3-sphinx has sphinx-build
			need graphviz has dot
			need python3 has python3
			need perl has perl
			;;
		pictures)
			need chromium has chromium
			;;
		bench)
			need python3 has python3
			need liburing-dev compiles '#include <liburing.h>' -static -luring
			;;
		bench-full)
			need gnuplot-nox has gnuplot
			;;
		test)
			need python3 has python3
			need mandoc has mandoc
			need git has git
			;;
		browser)
			need python3 has python3
			need chromium has chromium
			need chromium-driver has chromedriver
			# The distribution's own, for which its packages are.
			need python3-selenium /usr/bin/python3 -c 'import selenium'
			;;
		integrations)
			need dpkg-dev has dpkg-source
			need cmake has cmake
			;;
		esac
	done
}

find_missing "$@"
((${#missing[@]})) || exit 0

if ((EUID != 0)); then
	printf 'error: packages are missing; as root:\n  apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
	exit 1
fi
command -v apt-get >/dev/null || die "missing: ${missing[*]} (and no apt-get to install them)"

export DEBIAN_FRONTEND=noninteractive
apt_install() { apt-get -y -q install --no-install-recommends "${missing[@]}"; }
step "installing ${missing[*]}"
# The lists may be absent or older than what the archive holds now.
if ! apt_install >"$LOGS/packages.log" 2>&1 </dev/null; then
	logged packages-update apt-get -q update
	logged packages apt_install
fi
find_missing "$@"
((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
