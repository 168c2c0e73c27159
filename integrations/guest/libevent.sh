# shellcheck shell=bash
# program: libevent with kevent.c: its own tests, each back-end alone.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
dir=$here/libevent
export LD_LIBRARY_PATH=$dir
cd "$dir" || exit 1
# Some tests subtract from the time that the machine has been up.
until (($(cut -d. -f1 /proc/uptime) > 7)); do sleep 1; done
echo 'nameserver 127.0.0.1' >/etc/resolv.conf

# only MODE: all but one back-end switched off.  That of epoll has its changes gathered,
# as kevent always has, that of kevent is told what the ring holds, or timeouts are not
# rounded.
only()
{
	only=(env EVENT_NOPOLL=1 EVENT_NOSELECT=1)
	case $1 in
	kevent*) only+=(EVENT_NOEPOLL=1) ;;
	*) only+=(EVENT_NOKEVENT=1) ;;
	esac
	case $1 in
	*-changelist) only+=(EVENT_EPOLL_USE_CHANGELIST=1) ;;
	*-hints) only+=(EVENT_KEVENT_HINTS=1) ;;
	*-precise) only+=(EVENT_PRECISE_TIMER=1) ;;
	esac
}
# uses MODE: that is what a base waits by
uses()
{
	local says name=${1%%-*}
	[[ $1 != epoll-changelist ]] || name='epoll (with changelist)'
	only "$1"
	says=$("${only[@]}" EVENT_SHOW_METHOD=1 ./test-init 2>&1)
	[[ $says = *"using: $name" ]] || fail "libevent $1: $says"
}

# regress MODE NAME TEST...: output in out.NAME, its last line in $summary, what has failed
# in the end in bad.NAME
regress()
{
	local name=$2
	only "$1"
	shift 2
	timeout 1800 "${only[@]}" ./regress --timeout 120 "$@" >"/tmp/out.$name" 2>&1
	awk '/^[a-z0-9_]+\/[^ ]*: / { test = $1; sub(/:$/, "", test); delete bad[test] }
		/^ +\[.* FAILED\]$/ { bad[test] = 1 }
		END { for (test in bad) print test }' "/tmp/out.$name" | sort >"/tmp/bad.$name"
	summary=$(grep -E 'tests ok\.|TESTS FAILED' "/tmp/out.$name")
}

# What takes a call that finds nothing to read for an error, or counts that a descriptor
# which is always ready is told in each turn.
hinted=(main/active_later main/combined main/many_events_slow_add main/multiple)

# edges MODE TEST...: those that must not pass
edges()
{
	local mode=$1 bad
	shift
	only "$mode"
	timeout 300 "${only[@]}" ./edges >"/tmp/edges.$mode" 2>&1
	bad=$(sed -n 's/^not ok [0-9]* //p' "/tmp/edges.$mode" | tr '\n' ' ')
	report libevent "$mode" "$(grep -c '^ok' "/tmp/edges.$mode") of edges, not ok: $bad"
	[[ ${bad% } = "$*" && $(grep -cE '^(not )?ok' "/tmp/edges.$mode") = "$(sed -n 's/^1\.\.//p' "/tmp/edges.$mode")" ]] ||
		fail "libevent $mode: edges: $(tail -n 12 "/tmp/edges.$mode")"
}
edges epoll
edges kevent
edges kevent-precise
edges kevent-hints read_already

# Where no queue can be made the next back-end is taken.
echo 2 >/proc/sys/kernel/kevent_disabled
[[ $(EVENT_SHOW_METHOD=1 ./test-init 2>&1) = *'using: epoll' ]] || fail "libevent: not on epoll where kevent is forbidden"
echo 0 >/proc/sys/kernel/kevent_disabled
[[ $(EVENT_SHOW_METHOD=1 ./test-init 2>&1) = *'using: kevent' ]] || fail "libevent: does not prefer kevent"

read -ra modes <<<"${MODES:-epoll epoll-changelist kevent kevent-precise kevent-hints}"
for mode in "${modes[@]}"; do
	uses "$mode"
	regress "$mode" "$mode"
	report libevent "$mode" "$summary $(tr '\n' ' ' <"/tmp/bad.$mode")"
	[[ $summary ]] || fail "libevent $mode: regress did not end: $(tail -n 3 "/tmp/out.$mode")"
	[[ $mode = kevent* ]] || continue
	case $mode in *-hints) printf '%s\n' "${hinted[@]}" ;; esac | sort -u - /tmp/bad.epoll* >/tmp/known
	# Not worse than epoll; those that go by the clock have three tries more.
	new=''
	for test in $(comm -13 /tmp/known "/tmp/bad.$mode"); do
		for try in 1 2 3; do
			regress "$mode" again "$test"
			report libevent "$mode" "$test, try $try: $summary"
			[[ $summary != *'tests ok.'* ]] || break
		done
		[[ $summary = *'tests ok.'* ]] || new+=" $test"
	done
	[[ ! $new ]] || fail "libevent $mode: not on epoll:$new"
done
((failures == 0))
