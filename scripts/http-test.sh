#!/usr/bin/env bash
# http-test.sh VARIANT MODE: boots build/VARIANT/bzImage with the sample server,
# which receives by MODE, readiness or stream, tests that from here through QEMU's
# network, and stops it.  Writes "passed failed skipped" to
# build/logs/http-VARIANT-MODE/counts.
. "$(dirname "$0")/lib.sh"

variant=$1 mode=$2
label=http-$variant-$mode
logs=$LOGS/$label
mkdir -p "$logs"
rm -rf "${logs:?}"/*
mem=1G
if [[ $variant != plain ]]; then mem=3G; fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
idle=5	# seconds until the server closes a quiet connection
step "$label: booting, logs in $(short "$logs")/"

# Its console is a shell: what is written to the pipe is typed there.
mkfifo "$logs/keys"
exec {keys}<>"$logs/keys"
"$TOP/scripts/boot.sh" --kernel "$OUT/$variant/bzImage" --initrd "$OUT/initramfs.gz" --logs "$logs/guest" \
	--port "$port" --mem $mem --console run --append "kevent.mode=run kevent.serve=$mode kevent.tty=1 kevent.idle=$idle loglevel=5" \
	<"$logs/keys" >/dev/null 2>"$logs/qemu.log" &
qemu=$!
trap 'kill $qemu 2>/dev/null || true' EXIT

answers()
{
	local reply
	reply=$({ exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
		read -r -t 5 reply <&3 && echo "$reply"; } 2>/dev/null) && [[ $reply = HTTP/* ]]
}
until answers; do
	kill -0 $qemu || die "QEMU ended: $(<"$logs/qemu.log")"
	! silent "$logs/guest/kernel.log" "${BOOT_TIMEOUT:-120}" || die "the server does not answer, see $(short "$logs")/guest/kernel.log"
	sleep 0.2
done

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
passed=$(grep -c '^ok' "$logs/test.log" || true)
failed=$(grep -c '^not ok' "$logs/test.log" || true)
if ((passed + failed == 0)); then failed=1; fi
if ended; then
	tr -d '\r' <"$logs/guest/kernel.log" | grep -o 'http-server: worker.*' || true
else
	failed=$((failed + 1))
	echo "FAILED TEST ($label): the server did not end when it was stopped"
fi
echo poweroff >"$logs/keys"
for ((i = 0; i < 50; i++)); do if kill -0 $qemu 2>/dev/null; then sleep 0.2; fi; done

awk -f "$TOP/scripts/splats.awk" "$logs/guest/kernel.log" >"$logs/splats" 2>/dev/null || true
if [[ -s $logs/splats ]]; then
	failed=$((failed + 1))
	echo "SPLAT ($label): first at line $(head -n 1 "$logs/splats" | cut -c1-200)"
fi
printf '%d %d 0\n' "$passed" "$failed" >"$logs/counts"
step "$label: $passed passed, $failed failed"
((failed == 0))
