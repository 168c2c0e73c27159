#!/usr/bin/env bash
# http-test.sh VARIANT MODE: boots build/VARIANT/bzImage with the sample server,
# which receives by MODE, readiness or stream, tests that from here through QEMU's
# network, and stops it.  Writes "passed failed skipped" to
# build/logs/http-VARIANT-MODE/counts.
. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/serve.sh"

variant=$1 mode=$2
label=http-$variant-$mode
# Seconds until the server closes a quiet connection: none that a test needs, when a busy
# host stops the guest.
idle=10
serve "$label" "$variant" "$mode" $idle

python3 "$TOP/samples/kevent/test-http.py" --timeout $idle --mode "$mode" --stop "echo killall -TERM http-server >$logs/keys" \
	127.0.0.1 "$port" | tee "$logs/test.log" || true
ended()
{
	if ! grep -q '^ok .* stops gracefully' "$logs/test.log"; then return 0; fi
	for ((i = 0; i < 600; i++)); do
		if grep -q '^kevent-guest: server ended with status 0' "$logs/guest/guest.log"; then return 0; fi
		sleep 0.2
	done
	return 1
}
failed=0
if ended; then
	tr -d '\r' <"$logs/guest/kernel.log" | grep -o 'http-server: worker.*' || true
else
	failed=1
	echo "FAILED TEST ($label): the server did not end when it was stopped"
fi
serve_end "$label"
