# shellcheck shell=bash
# Sourced by the programs' scripts, in the Debian root.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TMPDIR=/tmp
here=/integrations
failures=0

# with MODE: what to put before a command.  epoll: nothing; exact, ring: the library in
# that mode, for which the time to look at an empty ring is long here, as the machine is
# emulated; nospin: ring without that; off: the library, only to count
with()
{
	with=(env KEVENT_EPOLL_STATS=/tmp/stats "KEVENT_EPOLL_SPIN=${SPIN:-20000}" "LD_PRELOAD=$here/libkevent-epoll.so")
	case $1 in
	epoll) with=(env) ;;
	nospin) with+=(KEVENT_EPOLL=ring KEVENT_EPOLL_SPIN=0) ;;
	*) with+=("KEVENT_EPOLL=$1") ;;
	esac
}

# counted NAME: what the library counted so far, in the order of enum ke_count
counted()
{
	local names=(waits entries asks told records dropped ctls changes sets epolls) values i
	read -ra values < <(od -A n -v -w80 -t u8 /tmp/stats 2>/dev/null || true)
	for i in "${!names[@]}"; do
		if [[ ${names[i]} = "$1" ]]; then echo "${values[i]:-0}"; fi
	done
}
forget_counts() { rm -f /tmp/stats; }

# report PROGRAM MODE TEXT: a line that the host looks for
report() { printf 'RESULT %s %s: %s\n' "$1" "$2" "$3"; }
report_counts()
{
	local waits
	waits=$(counted waits)
	report "$1" "$2" "$(awk -v w="$waits" -v e="$(counted entries)" -v a="$(counted asks)" -v t="$(counted told)" \
		-v d="$(counted dropped)" -v c="$(counted ctls)" -v s="$(counted sets)" -v p="$(counted epolls)" 'BEGIN {
		printf "%d epoll_wait, %d entries + %d polls = %.3f each, %d events, %d dropped, %d epoll_ctl, %d sets, %d of epoll",
			w, e, a, w ? (e + a) / w : 0, t, d, c, s, p }')"
}
# What is to be counted begins with these words; passed only if nothing has failed since
# it was last asked.
fail() { failures=$((failures + 1)); printf 'FAILED %s\n' "$*"; }
failures_before=0
passed()
{
	if ((failures == failures_before)); then printf 'PASSED %s\n' "$*"; fi
	failures_before=$failures
}

# made_sets PROGRAM MODE: fails if the program was not on kevent, or not on epoll, there
made_sets()
{
	local what=sets
	if [[ $2 = off ]]; then what=epolls; fi
	(($(counted $what) > 0)) || fail "$1 $2: the library made no set"
}
# most PROGRAM MODE NUMBER: so many kernel entries for each epoll_wait
most()
{
	awk -v w="$(counted waits)" -v n="$(($(counted entries) + $(counted asks)))" -v most="$3" \
		'BEGIN { exit !(w > 0 && n <= most * w) }' || fail "$1 $2: more than $3 kernel entries for each epoll_wait"
}

# until_answers PORT
until_answers()
{
	local i
	for ((i = 0; i < 1200; i++)); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
		sleep 0.1
	done
	fail "nobody answers at port $1"
	return 1
}
# ended PID: wait for it, kill it if that takes too long
ended()
{
	local i
	for ((i = 0; i < 100; i++)); do
		if ! kill -0 "$1" 2>/dev/null; then break; fi
		sleep 0.1
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}
