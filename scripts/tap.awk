# Reads what the kselftest runner printed and writes one line per test:
#   pass|fail|skip TAB program: test TAB reason
# The harness's own "ok N fixture.test" lines, which the runner prefixes with
# "# ", are the tests.  A program that printed none is one test itself.  One that
# died, ran out of time or broke its plan is one failure more.

function result(verdict, name, reason) {
	printf "%s\t%s\t%s\n", verdict, name, reason
	if (verdict == "fail")
		printf "%s", detail
	detail = ""
}

function start(name) {
	program = name
	open = 1
	plan = -1
	seen = failed = 0
	reason_all = detail = ""
}

# The runner's verdict on a program, or none where its output stops.
function finish(verdict, reason) {
	if (!open)
		return
	open = 0
	if (verdict == "fail" && (failed == 0 || (plan >= 0 && seen != plan)))
		result("fail", program, seen " of " (plan < 0 ? "unknown" : plan) " tests reported, " reason)
	else if (verdict != "fail" && plan >= 0 && seen != plan)
		result("fail", program, seen " of " plan " tests reported")
	else if (verdict != "fail" && seen == 0)
		result(verdict, program, reason)
}

{ sub(/\r$/, "") }

/^kevent-guest: / { next }

# A second plan of the runner itself: the next collection.
/^1\.\.[0-9]+/ { outer += substr($0, 4); next }

/^# selftests: / { start($4); next }

/^(not )?ok [0-9]+ selftests: / {
	done++
	verdict = /^not / ? "fail" : / # SKIP/ ? "skip" : "pass"
	name = $0
	sub(/^.*selftests: [^ ]+ /, "", name)
	reason = name ~ / # / ? name : ""
	sub(/^.* # /, "", reason)
	sub(/ # .*/, "", name)
	if (!open)
		start(name)
	finish(verdict, reason)
	next
}

/^# 1\.\.[0-9]+/ { plan = substr($2, 4) + 0; next }

/^# (not )?ok [0-9]+/ {
	seen++
	verdict = $2 == "not" ? "fail" : /# SKIP/ ? "skip" : "pass"
	if (verdict == "fail")
		failed++
	name = $0
	sub(/^# (not )?ok [0-9]+ (- )?/, "", name)
	reason = ""
	if (match(name, / # /)) {
		reason = substr(name, RSTART + 3)
		name = substr(name, 1, RSTART - 1)
	}
	result(verdict, program ": " name, reason)
	next
}

# The harness's "file.c:line:test:Expected ..." explain the next failure.
/^# # [^ ]+:[0-9]+:/ { detail = detail "detail\t" substr($0, 5) "\t\n"; next }

/^# .*Bail out!/ { detail = detail "detail\t" substr($0, 3) "\t\n" }

END {
	rest = outer - done - open
	finish("fail", "then its output stops")
	if (rest > 0)
		result("fail", "runner", rest " of " outer " programs did not run")
}
