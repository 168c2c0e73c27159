#!/usr/bin/env bash
# Which lines of kevent do the selftests reach?  Builds the variant gcov, runs
# the selftests in it and fetches what the kernel counted.  Leaves in
# build/coverage: summary.txt, uncovered.txt, and in data/ what both come from.
# Exit status 1 after a failed test or without complete data.
#   TESTS, STALL, TIMEOUT ...: see guest-test.sh
#   PERCENT  length of the race loops (default 100)
. "$(dirname "$0")/lib.sh"

"$TOP/scripts/packages.sh" build test
out=$OUT/coverage
rm -rf "$out"
mkdir -p "$out/data" "$out/source"

# Taken under the lock of the build: kernel, notes and source belong together.
(
	lock_cache
	"$TOP/scripts/build.sh" gcov
	tree=$(<"$OUT/source")
	cd "$OUT/gcov/objects/"
	pwd -P >"$out/objects"
	find . -name '*.gcno' -exec cp --parents -t "$out/data" {} +
	cd "$tree"
	awk '$1 == "new" && $3 ~ /\.[ch]$/ && $3 !~ /^(Documentation|samples|tools)\// { print $3 }' \
		"$tree.state/manifest" | xargs cp --parents -t "$out/source"
	printf '%s\n' "$tree" >"$out/tree"
)

# The guest reaches localhost of this machine as 10.0.2.2.
python3 "$TOP/scripts/coverage.py" receive "$out/port" "$out/gcda.tar.gz" &
receiver=$!
trap 'kill $receiver 2>/dev/null || true' EXIT
until [[ -s $out/port ]]; do
	kill -0 $receiver 2>/dev/null || die "nothing listens for the guest's data"
	sleep 0.1
done

status=0
PERCENT=${PERCENT:-100} "$TOP/scripts/guest-test.sh" gcov coverage "kevent.coverage=$(<"$out/port")" || status=1
# What was sent is read by now, or within a moment.
for _ in {1..50}; do
	kill -0 $receiver 2>/dev/null || break
	sleep 0.1
done
if kill $receiver 2>/dev/null; then die "the guest sent no data, see $(short "$LOGS")/coverage/"; fi
trap - EXIT
wait $receiver || die "the guest's data did not arrive"
python3 "$TOP/scripts/coverage.py" report "$out"
exit $status
