# Checks what documents say of tests: every test that they name exists, and in the table
# of traps each from T1 to T42 has one row.  Arguments: the tests' sources, then
# traps.rst, and others.

function complain(what) {
	print FILENAME ":" FNR ": " what
	bad = 1
}

# TEST(name), TEST_F(fixture, name), TEST_F_TIMEOUT(fixture, name, seconds)
FILENAME ~ /_test\.c$/ {
	if (/^TEST[A-Z_]*\(/) {
		program = FILENAME
		sub(/^.*\//, "", program)
		sub(/\.c$/, "", program)
		name = $0
		sub(/^[^(]*\(/, "", name)
		sub(/\).*/, "", name)
		split(name, part, /, */)
		tests[program ": " (/^TEST_F/ ? part[1] "." part[2] : part[1])]
	}
	next
}

/^ *\* - T[0-9]+$/ {
	number = substr($3, 2) + 0
	if (number != ++rows)
		complain("T" number " where T" rows " belongs")
	rows = number
}

# What stands between double backquotes is every second part.
{
	n = split($0, part, /``/)
	if (n && n % 2 == 0)
		complain("what is quoted goes over the end of the line")
	for (i = 2; i <= n; i += 2)
		if (part[i] ~ /^[a-z0-9_]+_test: / && !(part[i] in tests))
			complain("no such test: " part[i])
		else if (FILENAME ~ /traps\.rst$/ && part[i] ~ /_test/ &&
			 part[i] !~ /^[a-z0-9_]+_test: [a-z0-9_.]+$/)
			complain("not of the form program: test: " part[i])
}

END {
	if (rows != 42)
		complain(rows + 0 " rows for 42 traps")
	exit bad
}
