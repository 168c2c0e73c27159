# SPDX-License-Identifier: GPL-2.0 OR MIT
# awk -v out=DIR/NAME -f examples.awk PAGE: of the displays in the page's EXAMPLES the program,
# which begins with a directive of the preprocessor, to NAME.c, and what it prints, the next
# one, to NAME.expected.  Fails if there are not both.
/^\.Sh / { example = /EXAMPLES/ }

example && /^\.Bd -literal/ { display = 1; file = ""; next }

/^\.Ed/ { display = 0; next }

display {
	if (!file) {
		file = out (!code && /^#/ ? ".c" : ".expected")
		if (file ~ /c$/)
			code = 1
		else
			expected = 1
		printf "" > file
	}
	sub(/^\\&/, "")
	gsub(/\\\(aq/, "'")
	gsub(/\\e/, "\\")
	print > file
}

END {
	if (code && expected)
		exit 0
	print FILENAME ": no complete example" > "/dev/stderr"
	exit 1
}
