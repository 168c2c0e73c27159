# Reads a kernel log and prints what must not be in it, as LINE: TEXT.
# The one place that knows what a splat looks like.

function splat(line) {
	return line ~ /WARNING:|BUG:|KASAN|KCSAN|UBSAN|Oops|Kernel panic|Call Trace|kernel BUG at/ ||
	       line ~ /possible .*(deadlock|locking dependency|recursive locking|lock inversion)/ ||
	       line ~ /(circular|recursive) (lock|locking)|inconsistent lock state|bad unlock balance/ ||
	       line ~ /held lock freed|held when returning to user|INFO: lockdep is turned off/ ||
	       line ~ /INFO: (task|trying to register|rcu)|suspicious RCU|suspicious rcu_dereference/ ||
	       line ~ /rcu.*(detected|self-detected) .*stall|soft lockup|hard LOCKUP/ ||
	       line ~ /unreferenced object|ODEBUG|refcount_t|scheduling while atomic/ ||
	       line ~ /sleeping function called|list_(add|del) corruption|stack-protector/ ||
	       line ~ /unable to handle|page allocation failure|CONSTRAINT_NONE/
}

{ sub(/\r$/, "") }

# A test may run into the limit of its memory cgroup; the report on that has a
# call trace.
/invoked oom-killer:/ { oom = 1 }
/oom-kill:constraint=/ { oom = 0 }
oom && /Call Trace/ { next }

# The kernel has races of its own: of KCSAN's reports only those count in which
# one of the two accesses is kevent's, not only a caller further up (our ->poll
# calls race with the pollers' own writers).  What helpers for lists, trees and
# memory do is their caller's.  A report stands between two lines of "=".
/==================/ {
	if (race != "" && race_ours)
		print race
	else if (race != "")
		others++
	race = ""
	race_ours = 0
	frame = 0
	next
}
/BUG: KCSAN:/ { race = NR ": " $0 }
race != "" {
	text = $0
	sub(/^\[ *[0-9.]+\] ?/, "", text)
	if (text ~ /(read|write).* to 0x/) {
		frame = 1
	} else if (frame) {
		sub(/^ */, "", text)
		if (text ~ /^kevent_/)
			race_ours = 1
		frame = text ~ /^_*(list|hlist|rb|mem|refcount|atomic|kcsan|copy|raw_spin|spin)_?/ ? frame + 1 : 0
	}
	next
}

splat($0) { print NR ": " $0 }

END {
	if (race != "")
		print race
	if (others)
		print others " KCSAN reports are about accesses that are not of kevent and do not count" >"/dev/stderr"
}
