#!/usr/bin/env bash
# Proves that the harness catches what it must: it provokes each failure in a
# real guest (build/plain) and looks at status, message and counts.
# Writes "passed failed skipped" to build/logs/harness.counts.
. "$(dirname "$0")/lib.sh"

passed=0 failed=0
report()
{
	printf '%s\n' "$1"
	case $1 in
	ok*) passed=$((passed + 1)) ;;
	not*) failed=$((failed + 1)) ;;
	esac
}

# guest NAME STATUS COUNTS PATTERN [VARIABLE=VALUE...] [--CMDLINE]
guest()
{
	local name=$1 status=$2 counts=$3 pattern=$4 got=0 out append='' settings=()
	shift 4
	for word; do
		if [[ $word = --* ]]; then append=${word#--}; else settings+=("$word"); fi
	done
	out=$(env "${settings[@]}" "$TOP/scripts/guest-test.sh" plain "harness-$name" "$append" 2>&1) || got=$?
	if [[ $got = "$status" && $(<"$LOGS/harness-$name/counts") = "$counts" ]] && grep -qE "$pattern" <<<"$out"; then
		report "ok guest: $name"
		return
	fi
	report "not ok guest: $name: status $got for $status, counts $(<"$LOGS/harness-$name/counts") for $counts, wanted /$pattern/ in:"
	printf '    %s\n' "${out//$'\n'/$'\n'    }"
}

# judge NAME COUNTS: what tap.awk makes of the text on stdin
judge()
{
	local got
	got=$(awk -f "$TOP/scripts/tap.awk" | awk '{ n[$1]++ } END { print n["pass"] + 0, n["fail"] + 0, n["skip"] + 0 }')
	if [[ $got = "$2" ]]; then report "ok judge: $1"; else report "not ok judge: $1: $got for $2"; fi
}

# splats NAME NUMBER: how many lines of the text on stdin are splats
splats()
{
	local got
	got=$(awk -f "$TOP/scripts/splats.awk" 2>/dev/null | wc -l)
	if [[ $got = "$2" ]]; then report "ok splats: $1"; else report "not ok splats: $1: $got for $2"; fi
}

# What fails in the midst of a function that is logged is not passed over.
steps()
{
	if bash -c '. "$0"; halfway() { false; true; }; logged harness-steps halfway' "$TOP/scripts/lib.sh" 2>/dev/null; then
		report "not ok steps: a failure in their midst"
	else
		report "ok steps: a failure in their midst"
	fi
}

# A machine that was never tried must come to a verdict, whatever KVM does there.
accelerator()
{
	local cache got=''
	cache=$(mktemp -d)
	got=$(KEVENT_CACHE=$cache "$TOP/scripts/accel.sh" "$OUT/plain/bzImage" "$OUT/initramfs.gz" 2>/dev/null) || true
	rm -rf "$cache"
	if [[ $got = kvm || $got = tcg,* ]]; then report "ok accelerator: $got"; else report "not ok accelerator: no verdict"; fi
}

step "checking the harness"
steps
accelerator
while IFS= read -r line; do report "$line"; done < <("$TOP/scripts/test-overlay.sh")

judge "all kinds of results" "1 1 1" <<'END'
TAP version 13
1..1
# selftests: kevent: a_test
# TAP version 13
# 1..3
# ok 1 a.b
# ok 2 a.c # SKIP no
# # a.c:1:d:Expected 1 (1) == 2 (2)
# not ok 3 a.d
not ok 1 selftests: kevent: a_test # exit=1
END
judge "out of time" "1 1 0" <<'END'
1..1
# selftests: kevent: a_test
# 1..2
# ok 1 a.b
not ok 1 selftests: kevent: a_test # TIMEOUT 45 seconds
END
judge "the plan is broken, though the program says ok" "1 1 0" <<'END'
1..1
# selftests: kevent: a_test
# 1..2
# ok 1 a.b
ok 1 selftests: kevent: a_test
END
judge "all pass, then a crash at exit" "1 1 0" <<'END'
1..1
# selftests: kevent: a_test
# 1..1
# ok 1 a.b
not ok 1 selftests: kevent: a_test # exit=139
END
judge "output stops, a program never ran" "1 2 0" <<'END'
1..2
# selftests: kevent: a_test
# 1..2
# ok 1 a.b
END
judge "programs without TAP of their own" "1 1 1" <<'END'
1..3
# selftests: kevent: a.sh
ok 1 selftests: kevent: a.sh
# selftests: kevent: b.sh
ok 2 selftests: kevent: b.sh # SKIP
# selftests: kevent: c.sh
not ok 3 selftests: kevent: c.sh # exit=1
END

# programs NAME COUNTS PROGRAMS: what integrations/judge.awk makes of the text on stdin
programs()
{
	local got
	got=$(awk -v programs="$3" -f "$TOP/integrations/judge.awk" | awk '{ n[$1]++ } END { print n["pass"] + 0, n["fail"] + 0, n["skip"] + 0 }')
	if [[ $got = "$2" ]]; then report "ok programs: $1"; else report "not ok programs: $1: $got for $2"; fi
}

programs "all kinds of results" "3 2 1" "a b c" <<'END'
integrations: a begins
PASSED a one
FAILED a two
SKIPPED a three
PASSED a four
integrations: a ended 1
integrations: b begins
integrations: b ended 1
integrations: c begins
RESULT c: 1
integrations: c ended 0
END
programs "one hangs, and one does not run" "1 2 0" "a b" <<'END'
integrations: a begins
PASSED a one
END
programs "none" "0 1 0" "" </dev/null

splats "every kind" 14 <<'END'
WARNING: CPU: 0 PID: 1 at kernel/kevent/core.c:1 f+0x1/0x2
BUG: KASAN: slab-use-after-free in f+0x1/0x2
BUG: sleeping function called from invalid context at mm/slab.h:1
Oops: general protection fault, probably for non-canonical address
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
INFO: task a:1 blocked for more than 60 seconds.
rcu: INFO: rcu_preempt self-detected stall on CPU
watchdog: BUG: soft lockup - CPU#0 stuck for 22s!
UBSAN: array-index-out-of-bounds in a.c:1:1
Kernel panic - not syncing: Fatal exception
unreferenced object 0x1 (size 1):
WARNING: lock held when returning to user space!
refcount_t: underflow; use-after-free.
END
splats "an ordinary boot and a memory cgroup at its limit" 0 <<'END'
rcu: Hierarchical RCU implementation.
rcu: RCU calculated value of scheduler-enlistment delay is 25 jiffies.
kcsan: enabled early
a_test invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
Call Trace:
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0
a_test[1]: segfault at 0 ip 0000000000401000 sp 00007ffc00000000 error 4 in a_test[401000+1000]
END
splats "of data races those with an access of kevent's" 2 <<'END'
==================================================================
BUG: KCSAN: data-race in tcp_poll / tcp_recvmsg
read to 0x1 of 4 bytes by task 1 on cpu 0:
CPU: 0 UID: 0 PID: 1 Comm: kevent_test Not tainted
==================================================================
==================================================================
BUG: KCSAN: data-race in eventfd_poll / eventfd_write
read to 0x1 of 4 bytes by task 1 on cpu 0:
 eventfd_poll+0x1/0x2
 kevent_poll_query+0x1/0x2
==================================================================
==================================================================
BUG: KCSAN: data-race in ep_poll / f
[    1.5] write to 0x1 of 4 bytes by task 1 on cpu 0:
[    1.5]  kevent_publish+0x1/0x2
==================================================================
==================================================================
BUG: KCSAN: data-race in rb_erase / f
write (marked) to 0x1 of 4 bytes by interrupt on cpu 0:
 rb_erase+0x1/0x2
 kevent_end+0x1/0x2
==================================================================
END

guest pass 0 '2 0 1' 'harness-pass: 2 passed' TESTS=harness:pass.sh
guest failed-test 1 '1 1 0' 'FAILED TEST .*fail.sh: second' TESTS=harness:fail.sh
guest died-test 1 '1 1 0' 'FAILED TEST .*die.sh .1 of 2 tests reported' TESTS=harness:die.sh
guest splat 1 '1 1 0' 'SPLAT .*WARNING: CPU' TESTS=harness:warn.sh
guest crash 1 '0 3 0' 'CRASH .*went down' TESTS=harness:crash.sh
guest slow 0 '8 0 0' 'harness-slow: 8 passed' TESTS=harness:slow.sh STALL=10
guest endless 1 '0 2 0' 'HANG .*not finished after [0-9]+ s, killed; the kernel was in [a-z]' TESTS=harness:hang.sh TIMEOUT=10
guest hang 1 '0 2 0' 'HANG .*nothing new for 8 s, in hang.sh, killed; the kernel was in [a-z]' TESTS=harness:hang.sh STALL=8
guest answers-late 1 '0 2 0' 'HANG .*, killed; the kernel was in [a-z]' TESTS=harness:late.sh STALL=8 NMI_TIMEOUT=900
guest answers-nothing 1 '0 2 0' 'HANG .*, killed; the kernel did not say where it was' TESTS=harness:deaf.sh STALL=8 NMI_TIMEOUT=5
guest no-tests 1 '0 1 0' 'NO TESTS' TESTS=harness:none.sh
guest failed-boot 1 '0 2 0' 'FAILED BOOT .*not come up, QEMU ended' --rdinit=/bin/busybox
guest slow-boot 1 '0 1 0' 'FAILED BOOT .*not come up and was killed, n[a-z ]* 0 s' BOOT_TIMEOUT=0

printf '%d %d 0\n' $passed $failed >"$LOGS/harness.counts"
step "harness: $passed checks passed, $failed failed"
((failed == 0))
