#!/usr/bin/env bash
# kernel.sh VARIANT: configures and builds the tree of build/source for a
# configs/VARIANT.config.  Leaves in build/VARIANT: bzImage, config, and objects,
# a link to the kernel's build directory (vmlinux, System.map, ...).
. "$(dirname "$0")/lib.sh"
lock_cache

variant=$1
tree=$(<"$OUT/source")
fragments=("$TOP/configs/base.config")
selftest_config=$TOP/tools/testing/selftests/kevent/config
if [[ -f $selftest_config ]]; then fragments+=("$selftest_config"); fi
check_variants "$variant"
fragments+=("$TOP/configs/$variant.config")

objects=$(dirname "$tree")/build/$variant
mkdir -p "$objects" "$OUT/$variant"
ln -sfn "$objects" "$OUT/$variant/objects"

# Fixed names and dates, and paths that do not depend on the tree's place: so the
# same source gives the same object, and ccache finds it, also for another tree.
CCACHE_BASEDIR=$(dirname "$tree")
export CCACHE_BASEDIR
kmake()
{
	make -C "$tree" O="$objects" -j"$JOBS" CC="ccache gcc" HOSTCC="ccache gcc" \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' \
		KBUILD_BUILD_USER=kevent KBUILD_BUILD_HOST=kevent \
		KCFLAGS=-fmacro-prefix-map=../../src/= "$@"
}

# The last request for a symbol is the one that counts.
check_config()
{
	cat "${fragments[@]}" | awk -v config="$objects/.config" '
		/^CONFIG_[A-Za-z0-9_]+=/ { s = $0; sub(/=.*/, "", s); want[s] = substr($0, length(s) + 2) }
		/^# CONFIG_[A-Za-z0-9_]+ is not set/ { want[$2] = "n" }
		END {
			while ((getline line < config) > 0)
				if (line ~ /^CONFIG_/) {
					s = line; sub(/=.*/, "", s)
					have[s] = substr(line, length(s) + 2)
				}
			for (s in want) {
				if (!(s in have))
					have[s] = "n"
				if (have[s] != want[s]) {
					printf "%s=%s was asked for, the kernel says %s\n", s, want[s], have[s]
					bad = 1
				}
			}
			exit bad
		}'
}

configure()
{
	kmake tinyconfig
	"$tree/scripts/kconfig/merge_config.sh" -m -O "$objects" "$objects/.config" "${fragments[@]}"
	kmake olddefconfig
}

# Objects named in the log against those of the last full build.
expected=$CACHE/expected.$variant
follow()
{
	local log=$1 full=$2 n total=1600
	if [[ -f $expected ]]; then total=$(<"$expected"); fi
	while kill -0 $$ 2>/dev/null; do
		n=$(grep -cE '^  (CC|AR|LD|AS|HOSTCC) ' "$log" 2>/dev/null || true)
		if [[ $full ]]; then
			progress "kernel $variant: $n of about $total objects ($((n >= total ? 99 : n * 100 / total))%)"
		else
			progress "kernel $variant: $n objects rebuilt"
		fi
		sleep 0.5
	done
}

config_stamp=$(digest "${fragments[@]}")-$( (grep Kconfig "$tree.state/manifest" || true) | sha256sum | cut -c1-16)
stamp="$(<"$tree.state/digest.kernel") $config_stamp $(gcc -dumpfullversion -dumpmachine | tr '\n' ' ')$(ld --version | head -n 1)"
if [[ -f $objects/kevent.stamp && $(<"$objects/kevent.stamp") = "$stamp" ]]; then
	step "kernel $variant: up to date"
else
	if [[ ! -f $objects/kevent.config || $(<"$objects/kevent.config") != "$config_stamp" ]]; then
		step "kernel $variant: configuring"
		rm -f "$objects/kevent.config"
		logged "$variant-config" configure
		check_config || die "kernel $variant: not every line of the configuration took effect (configs/*.config, tools/testing/selftests/kevent/config)"
		printf '%s\n' "$config_stamp" >"$objects/kevent.config"
	fi
	full=
	if [[ ! -f $objects/vmlinux ]]; then full=1; fi
	log=$LOGS/$variant-kernel.log
	step "kernel $variant: building with $JOBS jobs, log in $(short "$log")"
	rm -f "$objects/kevent.stamp"
	: >"$log"
	follow "$log" "$full" &
	follower=$!
	trap 'kill $follower 2>/dev/null || true' EXIT
	logged "$variant-kernel" kmake bzImage
	kill $follower
	trap - EXIT
	progress_done
	count=$(grep -cE '^  (CC|AR|LD|AS|HOSTCC) ' "$log" || true)
	if [[ $full ]]; then printf '%s\n' "$count" >"$expected"; fi
	if grep -q 'warning:' "$log"; then
		step "kernel $variant: $(grep -c 'warning:' "$log") compiler warnings, see $(short "$log")"
	fi
	printf '%s\n' "$stamp" >"$objects/kevent.stamp"
	step "kernel $variant: built, $count objects"
fi
# At once, for whoever boots it meanwhile.
cp "$objects/arch/x86/boot/bzImage" "$OUT/$variant/bzImage.tmp"
mv "$OUT/$variant/bzImage.tmp" "$OUT/$variant/bzImage"
cp "$objects/.config" "$OUT/$variant/config"
