# Reads what the programs' scripts told in the guest and writes one line per check:
#   pass|fail|skip TAB what
# -v programs="NAME..." are those that were to run.  A program whose script told of no
# check is one itself; one that says that it failed and not where, or that did not come
# to its end, has failed.

function result(verdict, what) {
	printf "%s\t%s\n", verdict, what
	told++
	bad += verdict == "fail"
}

{ sub(/\r$/, "") }

/^PASSED / { result("pass", substr($0, 8)) }
/^FAILED / { result("fail", substr($0, 8)) }
/^SKIPPED / { result("skip", substr($0, 9)) }

/^integrations: [^ ]+ begins/ { told = bad = 0; begun[$2] = 1 }

/^integrations: [^ ]+ ended [0-9]+/ {
	ended[$2] = 1
	if ($4 != 0 && !bad)
		result("fail", $2 ": exit status " $4)
	else if (!told)
		result("pass", $2)
}

END {
	n = split(programs, wanted, " ")
	for (i = 1; i <= n; i++)
		if (!ended[wanted[i]])
			result("fail", wanted[i] ": did not " (begun[wanted[i]] ? "come to its end" : "run"))
	if (!n)
		result("fail", "there is no program to run")
}
