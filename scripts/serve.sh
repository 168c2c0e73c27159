# shellcheck shell=bash
# Sourced by tests of the sample server from outside: boots a guest with it.

# serve LABEL VARIANT MODE IDLE: boots build/VARIANT/bzImage with the server, which works
# by MODE and closes a connection that is quiet for IDLE seconds, and waits until it
# answers.  Sets logs, port and qemu; what is written to $logs/keys is typed there.
serve()
{
	local mem=1G keys
	logs=$LOGS/$1
	mkdir -p "$logs"
	rm -rf "${logs:?}"/*
	if [[ $2 != plain ]]; then mem=3G; fi
	port=$(free_port)
	step "$1: booting, logs in $(short "$logs")/"

	mkfifo "$logs/keys"
	exec {keys}<>"$logs/keys"
	"$TOP/scripts/boot.sh" --kernel "$OUT/$2/bzImage" --initrd "$OUT/initramfs.gz" --logs "$logs/guest" \
		--port "$port" --mem $mem --console run --append "kevent.mode=run kevent.serve=$3 kevent.tty=1 kevent.idle=$4 loglevel=5" \
		<"$logs/keys" >/dev/null 2>"$logs/qemu.log" &
	qemu=$!
	trap 'kill $qemu 2>/dev/null || true' EXIT
	until server_answers; do
		kill -0 "$qemu" || die "QEMU ended: $(<"$logs/qemu.log")"
		! silent "$logs/guest/kernel.log" "${BOOT_TIMEOUT:-120}" || die "the server does not answer, see $(short "$logs")/guest/kernel.log"
		sleep 0.2
	done
}

server_answers()
{
	local reply
	reply=$({ exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
		read -r -t 5 reply <&3 && echo "$reply"; } 2>/dev/null) && [[ $reply = HTTP/* ]]
}

# serve_end LABEL: counts what $logs/test.log has, ends the guest, looks at what its
# kernel said and sums up; adds to what the caller has found in $failed.  The status says
# whether all is well.
serve_end()
{
	local passed
	passed=$(grep -c '^ok' "$logs/test.log" || true)
	failed=$((failed + $(grep -c '^not ok' "$logs/test.log" || true)))
	if ((passed + failed == 0)); then failed=1; fi
	echo poweroff >"$logs/keys"
	for ((i = 0; i < 50; i++)); do if kill -0 "$qemu" 2>/dev/null; then sleep 0.2; fi; done

	awk -f "$TOP/scripts/splats.awk" "$logs/guest/kernel.log" >"$logs/splats" 2>/dev/null || true
	if [[ -s $logs/splats ]]; then
		failed=$((failed + 1))
		echo "SPLAT ($1): first at line $(head -n 1 "$logs/splats" | cut -c1-200)"
	fi
	printf '%d %d 0\n' "$passed" "$failed" >"$logs/counts"
	step "$1: $passed passed, $failed failed"
	((failed == 0))
}
