# SPDX-License-Identifier: GPL-2.0 OR MIT
# Of linux/kevent.h all that has a name, for text_test.c:
#   TYPE(name, value) OP(...) EVENT(type, name, value) CHANGE_FLAG(name, value) RECORD_FLAG(...)
/ \* DOC: / { section = $0; sub(/.*DOC: /, "", section) }

$1 != "#define" || NF < 3 { next }

{
	name = $2
	sub(/^KEVENT_/, "", name)
}

section == "event types" && sub(/^TYPE_/, "", name) { print "TYPE(" name ", " $2 ")" }

section == "operations" && sub(/^OP_/, "", name) { print "OP(" name ", " $2 ")" }

section == "change flags" { print "CHANGE_FLAG(" name ", " $2 ")" }

section == "record flags" && sub(/^REC_/, "", name) { print "RECORD_FLAG(" name ", " $2 ")" }

# Events are told from parameters by how they are written.
$3 ~ /^0x[0-9a-f]+$/ {
	type = name
	sub(/_.*/, "", type)
	sub(/^[A-Z]+_/, "", name)
	print "EVENT(" (type == "SOCK" ? "SOCKET" : type) ", " name ", " $2 ")"
}
