#!/usr/bin/env bash
# guest-test.sh VARIANT LABEL [CMDLINE]: boots build/VARIANT/bzImage, lets the
# guest run its selftests and judges the logs.  Says what went wrong, each kind in
# its own words, and writes "passed failed skipped" to build/logs/LABEL/counts.
# Exit status 1 after any failure.
# How long something takes says nothing on a host that has other things to do, so
# the guest hangs when it tells nothing new:
#   STALL         for that many seconds (default 600, sanitised kernels 1200)
#   BOOT_TIMEOUT  likewise, as long as it boots (default 120)
#   NMI_TIMEOUT   likewise, when asked by an NMI where it is (default 300)
#   TIMEOUT       and if it goes on for ever, seconds for all tests (default 7200,
#                 14400); ten times BOOT_TIMEOUT to boot
#   PERCENT       length of the race loops (default 100, sanitised kernels 15)
#   TESTS         what to run, e.g. kevent:abi_test (default kevent)
#   KEVENT_BITS   32: as 32-bit programs
. "$(dirname "$0")/lib.sh"

variant=$1 label=$2 append=${3:-}
logs=$LOGS/$label
mkdir -p "$logs"
case $variant in
plain) mem=1G limit=${TIMEOUT:-7200} stall=${STALL:-600} percent=${PERCENT:-100} ;;
*) mem=3G limit=${TIMEOUT:-14400} stall=${STALL:-1200} percent=${PERCENT:-15} ;;
esac
boot_limit=${BOOT_TIMEOUT:-120} nmi_limit=${NMI_TIMEOUT:-300}

# Nothing of an earlier run may count.
rm -f "$logs"/*
# An NMI through the monitor makes a kernel that hangs tell where it is.
mkfifo "$logs"/monitor.{in,out}
step "$label: booting, logs in $(short "$logs")/"
"$TOP/scripts/boot.sh" --kernel "$OUT/$variant/bzImage" --initrd "$OUT/initramfs${KEVENT_BITS:-}.gz" --logs "$logs" \
	--mem $mem --append "kevent.mode=test kevent.percent=$percent ${TESTS:+kevent.tests=$TESTS} unknown_nmi_panic panic_print=0x40 $append" \
	-- -monitor "pipe:$logs/monitor" </dev/null >"$logs/qemu.log" 2>&1 &
qemu=$!
trap 'kill $qemu 2>/dev/null || true' EXIT

ready() { grep -q '^kevent-guest: ready' "$logs/guest.log" 2>/dev/null; }
tests_done() { grep -cE '^# (not )?ok [0-9]+' "$logs/guest.log" 2>/dev/null || true; }

current_test() { grep '^# selftests: ' "$logs/guest.log" | tail -n 1 | tr -d '\r' | cut -d' ' -f4-; }
# Ends the guest, but for what its kernel has to say to an NMI, at the end of which
# it is down.  That is for the reader, not the judge.
kill_guest()
{
	local until=$((EPOCHSECONDS + 10 * nmi_limit))
	judged=$(size "$logs/kernel.log")
	if [[ $up ]]; then
		timeout 2 tee "$logs/monitor.in" <<<nmi >/dev/null || true
		until silent "$logs/kernel.log" "$nmi_limit" || ((EPOCHSECONDS >= until)); do
			kill -0 $qemu 2>/dev/null || return 0
			sleep 0.2
		done
	fi
	kill -9 $qemu 2>/dev/null || true
}

begin=$EPOCHSECONDS up='' hang='' judged=''
while kill -0 $qemu 2>/dev/null; do
	if [[ ! $up ]] && ready; then up=1 begin=$EPOCHSECONDS; fi
	now=$((EPOCHSECONDS - begin))
	if ((now >= (up ? limit : 10 * boot_limit))); then
		hang="not finished after $now s"
	elif [[ ! $up ]]; then
		if silent "$logs/kernel.log" "$boot_limit"; then hang="nothing new for $boot_limit s"; fi
	else
		if silent "$logs/guest.log" "$stall"; then hang="nothing new for $stall s, in $(current_test)"; fi
		progress "$label: $(tests_done) tests done, $(current_test)"
	fi
	if [[ $hang ]]; then
		kill_guest
		break
	fi
	sleep 0.2
done
status=0
wait $qemu 2>/dev/null || status=$?
trap - EXIT
# Who reads the logs should not have to wait for a writer.
rm -f "$logs"/monitor.{in,out}
progress_done

failures=0
# failure KIND LOG MESSAGE: one line that says which of the failures it is
failure()
{
	failures=$((failures + 1))
	printf '%s (%s): %s\n    log: %s\n' "$1" "$label" "$3" "$(short "$logs/$2")"
}

touch "$logs/kernel.log" "$logs/guest.log"
tr -d '\r' <"$logs/guest.log" | awk -f "$TOP/scripts/tap.awk" >"$logs/results"
head -c "${judged:-$(size "$logs/kernel.log")}" "$logs/kernel.log" |
	awk -f "$TOP/scripts/splats.awk" >"$logs/splats" 2>"$logs/splats.note"
passed=$(grep -c '^pass' "$logs/results" || true)
skipped=$(grep -c '^skip' "$logs/results" || true)
failed=$(grep -c '^fail' "$logs/results" || true)

while IFS=$'\t' read -r verdict name reason; do
	case $verdict in
	fail) printf 'FAILED TEST (%s): %s%s\n    log: %s\n' "$label" "$name" "${reason:+ ($reason)}" "$(short "$logs/guest.log")" ;;
	detail) printf '    %s\n' "$name" ;;
	esac
done <"$logs/results"

# In which function each processor was: above its </NMI>, or as its RIP says.
where()
{
	tail -c "+$((judged + 1))" "$logs/kernel.log" | tr -d '\r' |
		awk -v limit="$nmi_limit" '
			/<\/NMI>/ && !n++ { at = before } { before = $NF }
			/RIP: 0010:/ { sub(/.*RIP: 0010:/, ""); at = at (at ? ", " : "") $1 }
			END {
				if (at)
					print "the kernel was in " at
				else if (NR)
					print "the kernel did not say where it was"
				else
					print "the kernel did not answer an NMI within " limit " s"
			}'
}
last_line() { tr -d '\r' <"$logs/kernel.log" | grep -v '^$' | tail -n 1 | cut -c1-160; }
if ! ready; then
	if [[ $hang ]]; then
		why="the guest did not come up and was killed, $hang"
	else
		why="the guest did not come up, QEMU ended with status $status$(sed 's/^/; /' "$logs/qemu.log" | head -n 3)"
	fi
	failure "FAILED BOOT" kernel.log "$why; last line: $(last_line)"
elif [[ $hang ]]; then
	failure HANG all.log "$hang, killed; $(where)"
elif ! grep -q '^kevent-guest: finished' "$logs/guest.log"; then
	failure CRASH kernel.log "the guest went down before its tests were finished; last line: $(last_line)"
elif ((passed + failed + skipped == 0)); then
	failure "NO TESTS" guest.log "the guest ran no test at all"
fi
if [[ -s $logs/splats ]]; then
	failure SPLAT kernel.log "$(wc -l <"$logs/splats") lines in the kernel log that must not be there, first at line $(head -n 1 "$logs/splats" | cut -c1-200)"
fi
sed "s/^/$label: /" "$logs/splats.note"

failed=$((failed + failures))
printf '%d %d %d\n' "$passed" "$failed" "$skipped" >"$logs/counts"
step "$label: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
