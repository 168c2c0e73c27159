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

# The kernel has races of its own: of KCSAN's reports only those count that name
# kevent in a stack.  A report stands between two lines of "=".
/==================/ {
	if (race != "" && race_ours)
		print race
	else if (race != "")
		others++
	race = ""
	race_ours = 0
	next
}
/BUG: KCSAN:/ { race = NR ": " $0 }
race != "" {
	if (/kevent/ && !/Comm: /)
		race_ours = 1
	next
}

splat($0) { print NR ": " $0 }

END {
	if (race != "")
		print race
	if (others)
		print others " KCSAN reports do not name kevent and do not count" >"/dev/stderr"
}
