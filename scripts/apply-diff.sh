#!/usr/bin/env bash
# apply-diff.sh CHECKOUT PATH PRISTINE RESULT: PATH.diff of the checkout applied
# to the file PRISTINE.  Offsets are fine, fuzz is not: it guesses.
set -euo pipefail
top=$1 path=$2 pristine=$3 result=$4
diff=$top/$path.diff

fail() { printf 'error: %s.diff: %s\n' "$path" "$*" >&2; exit 1; }

[[ $(grep -c '^--- ' "$diff") = 1 ]] || fail "changes more or less than one file"
if ! grep -qE "^--- a/$path(\s|\$)" "$diff" || ! grep -qE "^\+\+\+ b/$path(\s|\$)" "$diff"; then
	fail "its headers do not say a/$path and b/$path"
fi
if ! message=$(patch -F0 -s -u -r - --no-backup-if-mismatch -o "$result" "$pristine" "$diff" 2>&1); then
	fail "does not apply without fuzz: $message"
fi
chmod --reference="$pristine" "$result"
