#!/usr/bin/env bash
# Does kevent build, without a warning, in every combination of its sources and
# without each subsystem it touches, and is it really gone with KEVENT=n?
# Compiles only the files that are new or changed, but for KEVENT=n.  Works on
# links to the files of the tree, so that other builds need not wait.
. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/objects.sh"

"$TOP/scripts/packages.sh" build test
logs=$LOGS/configs
rm -rf "$logs"
mkdir -p "$logs"

# The same table entries as ours, and nothing else.
is_entry() { [[ $1 = *.tbl || $1 = kernel/sys_ni.c || $1 = include/linux/syscalls.h || $1 = include/uapi/asm-generic/unistd.h ]]; }

snapshot()
{
	local tree kind sum path
	"$TOP/scripts/source.sh"
	"$TOP/scripts/overlay.sh"
	tree=$(<"$OUT/source")
	work=$(dirname "$tree")/build/configs
	mkdir -p "$work"/{ours,base}/build
	printf '%s\n' "$work" >"$logs/work"
	rm -rf "$work"/{ours,base}/src
	cp -al "$tree" "$work/ours/src"
	cp "$tree.state/manifest" "$logs/manifest"
	without_overlay "$tree" "$work/base/src" is_entry
}
(lock_cache; snapshot)
work=$(<"$logs/work")
exec {work_lock}>"$work/lock"
flock -n "$work_lock" || die "another check-configs is running"

# Warnings of an earlier run are told by a compiler that runs, or by ccache.
forget() { (cd "$obj" && rm -f "${files[@]/%.c/.o}"); }

mapfile -t files < <(awk '$3 ~ /\.c$/ && $3 !~ /^(Documentation|samples|tools)\// { print $3 }' "$logs/manifest")

### every combination of the sources
set_tree ours objects
mapfile -t options < <(sed -n 's/^+config \(KEVENT_[A-Z0-9_]*\)$/\1/p' "$TOP/init/Kconfig.diff")
((${#options[@]})) || die "init/Kconfig.diff has no option of a source"
total=$((1 << ${#options[@]})) impossible=0
step "combinations: ${options[*]}"
logged configs/config configure
cp "$obj/.config" "$obj/full.config"
forget
for ((i = 0; i < total; i++)); do
	# one option changes from each to the next, so little is compiled anew
	off=$((i ^ i >> 1)) wanted=() name=combination
	for ((n = 0; n < ${#options[@]}; n++)); do
		if ((off >> n & 1)); then
			wanted+=("${options[n]}=n")
		else
			wanted+=("${options[n]}=y")
			name+=-${options[n]#KEVENT_}
		fi
	done
	if [[ $name = combination ]]; then name+=-none; fi
	progress "combinations: $i of $total, ${name#combination-}"
	logged "configs/$name" change "${wanted[@]}"
	got=()
	for option in "${options[@]}"; do
		if is_set "$option"; then got+=("$option=y"); else got+=("$option=n"); fi
	done
	if [[ ${got[*]} != "${wanted[*]}" ]]; then
		impossible=$((impossible + 1))
		progress_done
		step "$name: not possible, becomes ${got[*]}"
		continue
	fi
	compile "$name"
done
if ((impossible)); then step "combinations: $impossible of $total are not possible"; fi
sum_up combinations

### without a subsystem
# without NAME OPTION...: all these off, and NAME with them
without()
{
	local name=$1
	shift
	progress "single options: $name=n"
	cp "$obj/full.config" "$obj/.config"
	logged "configs/without-$name" change "${@/%/=n}"
	if grep -q "^CONFIG_$name=" "$obj/.config"; then
		not_ok "without-$name" "CONFIG_$name stays on: something selects it" "$logs/without-$name.log"
	else
		compile "without-$name"
	fi
}
without NET NET
without INET INET
without PROC_FS PROC_FS
without SYSCTL SYSCTL PROC_SYSCTL
without SMP SMP
without POSIX_TIMERS POSIX_TIMERS
without INOTIFY_USER INOTIFY_USER
without FSNOTIFY INOTIFY_USER FANOTIFY DNOTIFY KEVENT_INODE
without MEMCG MEMCG
without TLS TLS
without SHMEM SHMEM
without BLOCK BLOCK
without COMPAT IA32_EMULATION

progress "single options: i386"
set_tree ours i386 ARCH=i386
logged configs/i386-config configure '^CONFIG_(64BIT|IA32_EMULATION)='
forget
compile i386
sum_up "single options"

### nothing without CONFIG_KEVENT
# none TREE: a whole kernel
none()
{
	local log=$logs/none-$1.log
	set_tree "$1" none
	step "CONFIG_KEVENT=n: building vmlinux, $1, log in $(short "$log")"
	logged "configs/none-$1-config" configure KEVENT
	if [[ $1 = ours ]]; then logged configs/none-ours-change change KEVENT=n; fi
	grep '^CONFIG_' "$obj/.config" >"$logs/none-$1.config"
	if ! kmake vmlinux >"$log" 2>&1 </dev/null; then
		not_ok "CONFIG_KEVENT=n" "$1 does not build" "$log"
		complaints "$log"
		return 1
	fi
}

if none base && none ours; then
	ok
	if ! diff "$logs/none-base.config" "$logs/none-ours.config" >"$logs/none-diff.log"; then
		not_ok "CONFIG_KEVENT=n" "another configuration than without our changes" "$logs/none-diff.log"
	elif python3 "$TOP/scripts/same-code.py" "$work/base/build/none" "$work/ours/build/none" "$logs/none-code.log"; then
		ok
	else
		not_ok "CONFIG_KEVENT=n" "not the code of a kernel without our changes" "$logs/none-code.log"
	fi
fi
sum_up "CONFIG_KEVENT=n"

printf '%d passed, %d failed\n' $passed $failed
((failed == 0))
