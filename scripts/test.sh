#!/usr/bin/env bash
# Builds, boots and tests each variant; the last line sums up.
#   VARIANTS       default "plain kasan"; there is kcsan as well
#   CHECK_HARNESS  set: also prove that failures of every kind are caught
#   TIMEOUT, BOOT_TIMEOUT, TESTS: see guest-test.sh
. "$(dirname "$0")/lib.sh"

read -ra variants <<<"${VARIANTS:-plain kasan}"
for variant in "${variants[@]}"; do
	[[ -f $TOP/configs/$variant.config && $variant != base ]] || die "no such variant: $variant (see configs/)"
done

"$TOP/scripts/packages.sh" test

passed=0 failed=0 skipped=0
# count FILE: adds what a judge wrote; without the file it did not get that far
count()
{
	local p=0 f=1 s=0
	if [[ -f $1 ]]; then read -r p f s <"$1"; fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

selftests=$TOP/tools/testing/selftests/kevent
if ! awk -f "$TOP/scripts/traps.awk" "$selftests"/*_test.c "$selftests/traps.rst"; then
	echo "FAILED CHECK: traps.rst does not fit the tests, see above"
	failed=$((failed + 1))
fi

for variant in "${variants[@]}"; do
	rm -f "$LOGS/$variant/counts"
	if "$TOP/scripts/build.sh" "$variant"; then
		"$TOP/scripts/guest-test.sh" "$variant" "$variant" || true
	else
		echo "FAILED BUILD ($variant): see above"
	fi
	count "$LOGS/$variant/counts"
	if [[ ! ${TESTS:-} && -f $OUT/initramfs.gz ]]; then
		rm -f "$LOGS/http-$variant/counts"
		"$TOP/scripts/http-test.sh" "$variant" || true
		count "$LOGS/http-$variant/counts"
	fi
done

if [[ ${CHECK_HARNESS:-} && -f $OUT/initramfs.gz ]]; then
	rm -f "$LOGS/harness.counts"
	"$TOP/scripts/test-harness.sh" || true
	count "$LOGS/harness.counts"
fi

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
((failed == 0))
