#!/usr/bin/env bash
# browser-test.sh [VARIANT]: the live page of the sample server, in both modes, in a
# headless Chromium, against the kernel of build/VARIANT, which must have tracepoints to
# compare with.  Not given: plain, or kasan, whichever was built and has them.
# Pictures are left in build/browser/MODE/, "passed failed skipped" in
# build/logs/browser/counts.
. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/serve.sh"

"$TOP/scripts/packages.sh" browser
traces() { grep -qsx CONFIG_TRACING=y "$OUT/$1/config" && [[ -f $OUT/$1/bzImage ]]; }
variant=${1:-}
for name in plain kasan; do
	if [[ ! $variant ]] && traces "$name"; then variant=$name; fi
done
[[ $variant ]] || die "no kernel with tracepoints was built: make kernel VARIANT=kasan"
traces "$variant" || die "no kernel $variant with tracepoints (CONFIG_FTRACE) was built: make kernel VARIANT=kasan"
[[ -f $OUT/initramfs.gz ]] || die "no initramfs: make kernel"

total_passed=0 total_failed=0
mkdir -p "$LOGS/browser"
rm -f "$LOGS/browser/counts"
for mode in readiness stream; do
	label=browser-$variant-$mode
	rm -rf "${OUT:?}/browser/$mode"
	mkdir -p "$OUT/browser/$mode"
	serve "$label" "$variant" $mode 15
	failed=0
	# Not another python3 of who calls this, which would not have selenium.
	/usr/bin/python3 "$TOP/samples/kevent/test-live.py" --keys "$logs/keys" --told "$logs/guest/guest.log" \
		--pictures "$OUT/browser/$mode" "http://127.0.0.1:$port" | tee "$logs/test.log" || true
	serve_end "$label" || true
	read -r p f _ <"$logs/counts"
	total_passed=$((total_passed + p)) total_failed=$((total_failed + f))
done
printf '%d %d 0\n' "$total_passed" "$total_failed" >"$LOGS/browser/counts"
step "browser: $total_passed passed, $total_failed failed; pictures in $(short "$OUT")/browser/"
((total_failed == 0))
