# Checks that abi_test.c fixes the whole binary interface: each number that the header
# defines, each macro that takes a word apart, and where each field is.
# Arguments: the header, then the test.

FNR == NR {
	if (/^#define KEVENT_[A-Z0-9_]+\(/) {
		sub(/\(.*/, "", $2)
		wanted[$2 "("]
	} else if (/^#define KEVENT_[A-Z0-9_]+[ \t]/) {
		wanted["VALUE(" $2 ","]
	} else if (/^struct [a-z_]+ \{$/) {
		type = $2
	} else if (/^};$/) {
		type = ""
	} else if (type != "" && /^\t.*;$/) {
		name = $NF
		gsub(/\[.*\]|;/, "", name)
		wanted["CHECK_FIELD(" type ", " name ","]
	}
	next
}

{
	for (text in wanted)
		if (index($0, text))
			delete wanted[text]
}

END {
	for (text in wanted) {
		print FILENAME ": nothing fixes " text
		bad = 1
	}
	exit bad
}
