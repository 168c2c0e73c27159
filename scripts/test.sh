#!/usr/bin/env bash
# Builds, boots and tests each variant; the last line sums up.
#   VARIANTS       default "plain plain32 kasan"; there is kcsan as well.  With 32
#                  after its name a kernel runs the tests as 32-bit programs
#   CHECK_HARNESS  set: also prove that failures of every kind are caught
#   SERIES         set: also check the series of patches, in short
#   DOCS           set: also build the documents, and check what they name
#   BROWSER        set: also test the live page of the sample server, in a browser
#   INTEGRATIONS   set: also run some programs that use epoll on kevent
#   STALL, TIMEOUT, TESTS ...: see guest-test.sh
. "$(dirname "$0")/lib.sh"

read -ra variants <<<"${VARIANTS:-plain plain32 kasan}"
packages=(build test bench)
for variant in "${variants[@]}"; do
	check_variants "${variant%32}"
done
if [[ ${DOCS:-} ]]; then packages+=(docs); fi
if [[ ${INTEGRATIONS:-} ]]; then packages+=(integrations); fi
if [[ ${BROWSER:-} ]]; then packages+=(browser); fi
# All at once, for whoever has to ask for them.
if [[ "${variants[*]} " = *'32 '* ]]; then packages+=(build32); fi
"$TOP/scripts/packages.sh" "${packages[@]}"

passed=0 failed=0 skipped=0
# count FILE: adds what a judge wrote; without the file it did not get that far
count()
{
	local p=0 f=1 s=0
	if [[ -f $1 ]]; then read -r p f s <"$1"; fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

selftests=$TOP/tools/testing/selftests/kevent
if ! awk -f "$TOP/scripts/traps.awk" "$selftests"/*_test.c "$selftests/traps.rst" "$TOP"/Documentation/kevent/*.rst; then
	echo "FAILED CHECK: what is said of tests does not fit them, see above"
	failed=$((failed + 1))
fi
if ! awk -f "$TOP/scripts/abi.awk" "$TOP/include/uapi/linux/kevent.h" "$selftests/abi_test.c"; then
	echo "FAILED CHECK: abi_test does not fix the whole interface, see above"
	failed=$((failed + 1))
fi

if [[ ! ${TESTS:-} ]]; then
	rm -f "$LOGS/library/counts"
	"$TOP/scripts/library-test.sh" || true
	count "$LOGS/library/counts"
fi

for variant in "${variants[@]}"; do
	kernel=${variant%32}
	export KEVENT_BITS=${variant#"$kernel"}
	rm -f "$LOGS/$variant/counts"
	if "$TOP/scripts/build.sh" "$kernel"; then
		"$TOP/scripts/guest-test.sh" "$kernel" "$variant" || true
	else
		echo "FAILED BUILD ($variant): see above"
	fi
	count "$LOGS/$variant/counts"
	if [[ ! ${TESTS:-}$KEVENT_BITS && -f $OUT/initramfs.gz ]]; then
		for mode in readiness stream; do
			rm -f "$LOGS/http-$variant-$mode/counts"
			"$TOP/scripts/http-test.sh" "$variant" $mode || true
			count "$LOGS/http-$variant-$mode/counts"
		done
	fi
	if [[ ! ${TESTS:-} && $variant = plain && -f $OUT/initramfs.gz ]]; then
		rm -f "$LOGS/prog/counts"
		"$TOP/scripts/prog-test.sh" || true
		count "$LOGS/prog/counts"
	fi
done

unset KEVENT_BITS
if [[ ${CHECK_HARNESS:-} && -f $OUT/initramfs.gz ]]; then
	rm -f "$LOGS/harness.counts"
	"$TOP/scripts/test-harness.sh" || true
	count "$LOGS/harness.counts"
fi

if [[ ${SERIES:-} ]]; then
	rm -f "$LOGS/series/counts"
	SHORT=1 "$TOP/scripts/check-series.sh" || true
	count "$LOGS/series/counts"
fi

if [[ ${DOCS:-} ]]; then
	rm -f "$LOGS/docs/counts"
	"$TOP/scripts/check-docs.sh" || true
	count "$LOGS/docs/counts"
fi

if [[ ${BROWSER:-} ]]; then
	rm -f "$LOGS/browser/counts"
	"$TOP/scripts/browser-test.sh" || true
	count "$LOGS/browser/counts"
fi

if [[ ${INTEGRATIONS:-} ]]; then
	rm -f "$LOGS/integrations/counts"
	if [[ -f $OUT/plain/bzImage ]]; then
		KEVENT_NO_BUILD=1 SHORT=1 PROGRAMS=${PROGRAMS:-wakeup samples python memcached} "$TOP/integrations/run.sh" || true
	else
		echo "FAILED INTEGRATION: there is no plain kernel to run them on"
	fi
	count "$LOGS/integrations/counts"
fi

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
((failed == 0))
