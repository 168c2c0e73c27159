#!/usr/bin/env bash
# run.sh run: builds and boots a kernel with the sample server, reachable at
# localhost:PORT; Ctrl-C here or poweroff there ends it.
# run.sh shell: a root shell in the guest, on this terminal.
#   PROG     for run: a program instead of the server, with its libraries
#   ARGS     its arguments, quoted as for a shell
#   SHARE    a directory that is /share in the guest
#   PORT     default 8080
#   VARIANT  default plain
#   SERVE    readiness (default), or stream: the kernel receives, and sends, files as well
. "$(dirname "$0")/lib.sh"

mode=$1
port=${PORT:-8080}
variant=${VARIANT:-plain}
serve=${SERVE:-readiness}
logs=$LOGS/$mode
[[ $port =~ ^[1-9][0-9]{0,4}$ && $port -lt 65536 ]] || die "PORT=$port is no port number"
check_variants "$variant"
share=()
if [[ ${SHARE:-} ]]; then
	[[ -d $SHARE ]] || die "SHARE=$SHARE is no directory"
	share=(-virtfs "local,path=$(realpath "$SHARE" | sed 's/,/,,/g'),mount_tag=share,security_model=none,id=share")
fi
if [[ ${PROG:-} ]]; then
	[[ $mode = run ]] || die "PROG= is for make run; for make shell there is SHARE="
	[[ -f $PROG && -x $PROG ]] || die "PROG=$PROG is no program"
fi
[[ $serve = readiness || $serve = stream ]] || die "SERVE=$serve is neither readiness nor stream"

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
if port_taken; then
	[[ $mode = shell ]] || die "port $port of localhost is in use; take another: make run PORT=8081"
	port=
fi

"$TOP/scripts/build.sh" "$variant"

mem=1G
if [[ $variant != plain ]]; then mem=3G; fi
boot=("$TOP/scripts/boot.sh" --kernel "$OUT/$variant/bzImage" --initrd "$OUT/initramfs.gz"
	--logs "$logs" --port "$port" --mem "$mem")
read -r rows cols < <(stty size 2>/dev/null || echo 0 0)
append="kevent.mode=$mode kevent.serve=$serve kevent.tty=1 kevent.rows=$((rows ? rows : 24)) kevent.cols=$((cols ? cols : 80)) loglevel=5"
if [[ ${SHARE:-} ]]; then append+=" kevent.share=1"; fi

if [[ ${PROG:-} ]]; then
	top=$OUT/prog
	rm -rf "$top"
	mkdir -p "$top/prog" "$logs"
	cp "$PROG" "$top/prog/run"
	# Libraries by the names it asks for, wherever they are here; the loader where it says.
	# A program that is linked statically has none, and libkevent the guest has.
	{ ldd "$PROG" 2>/dev/null || true; } | while read -r name arrow path _; do
		if [[ $arrow = '=>' && $path = /* ]]; then
			mkdir -p "$top/prog/lib"
			cp -L "$path" "$top/prog/lib/$name"
		elif [[ $arrow = '=>' && ! -e $OUT/user/library/usr/lib/$name ]]; then
			die "PROG=$PROG needs $name, which is not found here: LD_LIBRARY_PATH=dir says where it is"
		elif [[ $name = /* ]]; then
			mkdir -p "$top$(dirname "$name")"
			cp -L "$name" "$top$name"
		fi
	done
	if [[ ${ARGS:-} ]]; then xargs -n 1 printf '%s\n' <<<"$ARGS"; fi >"$top/prog/args"
	# Behind each other in one file, two archives are one initramfs.
	(cd "$top" && find . -mindepth 1 -print0 | cpio --quiet -0 -o -H newc --owner=0:0 | gzip -1) >"$OUT/prog.gz"
	cat "$OUT/initramfs.gz" "$OUT/prog.gz" >"$OUT/initramfs-prog.gz"
	boot=("${boot[@]/$OUT\/initramfs.gz/$OUT/initramfs-prog.gz}")
	step "booting${port:+; localhost:$port is its port 8080}, logs in $(short "$logs")/"
	console=run
	if [[ -t 0 && -t 1 ]]; then console=shell; fi
	"${boot[@]}" --console $console --append "${append/mode=run/mode=prog} loglevel=3 quiet" -- "${share[@]}"
	status=$(sed -n 's/^kevent-guest: program ended with status //p' "$logs/guest.log" | tr -d '\r')
	[[ $status ]] || die "the guest ended before the program did, see $(short "$logs")/kernel.log"
	step "$(basename "$PROG") ended with status $status"
	exit "$status"
fi

if [[ $mode = shell ]]; then
	step "booting; poweroff ends the guest, Ctrl-A X kills it${port:+; localhost:$port is its port 8080}"
	exec "${boot[@]}" --console shell --append "$append" -- "${share[@]}"
fi

[[ -x $OUT/user/samples/http-server ]] || die "no samples/kevent/http-server was built"

tmp=$(mktemp -d)
qemu='' reader='' waiter='' terminal=''
cleanup()
{
	if [[ $terminal ]]; then stty "$terminal" </dev/tty; fi
	for pid in $qemu $reader $waiter; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$tmp"
}
trap cleanup EXIT
stopped=''
trap stopped=1 INT TERM HUP

# Says when the server answers.
wait_for_server()
{
	local reply
	until
		reply=$({ exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
			read -r -t 5 reply <&3 && echo "$reply"; } 2>/dev/null) && [[ $reply = HTTP/* ]]
	do sleep 0.2; done
	touch "$tmp/answered"
	case $serve in
	stream) how='the kernel receives and sends for it, files as well; SERVE=readiness: by recv, send and sendfile' ;;
	*) how='by recv, send and sendfile; SERVE=stream: the kernel receives and sends for it, files as well' ;;
	esac
	step "http://localhost:$port/ answers ($how); Ctrl-C ends the guest"
	step "http://localhost:$port/live.html shows its counters, and starts a load to see them move"
}

# On a terminal we read the keys ourselves: Ctrl-C must end the guest whatever
# state that is in, and must not reach make, which would call it an error.
read -r _ _ _ _ group _ _ foreground _ </proc/self/stat
step "booting, logs in $(short "$logs")/"
mkdir -p "$logs"
rm -f "$logs"/*
if [[ -t 0 && -t 1 && $group = "$foreground" ]]; then
	terminal=$(stty -g)
	stty -isig -icanon -echo -ixon -icrnl min 1 time 0
	mkfifo "$tmp/keys"
	exec {keys}<>"$tmp/keys" {typed}< <(exec cat </dev/tty)
	reader=$!
	"${boot[@]}" --console run --append "$append" -- "${share[@]}" <"$tmp/keys" 2>"$logs/qemu.log" &
else
	"${boot[@]}" --append "${append/tty=1/tty=0}" -- "${share[@]}" </dev/null >"$logs/qemu.log" 2>&1 &
fi
qemu=$!
wait_for_server &
waiter=$!

begin=$EPOCHSECONDS
while [[ ! $stopped ]] && kill -0 "$qemu" 2>/dev/null; do
	if [[ $terminal ]]; then
		if IFS= read -r -N1 -t 0.2 key <&"$typed"; then
			if [[ $key = $'\x03' ]]; then stopped=1; else printf '%s' "$key" >&"$keys"; fi
		fi
	else
		sleep 0.2 || true
	fi
	if grep -q '^kevent-guest: server ended' "$logs/guest.log" 2>/dev/null; then
		die "the server in the guest ended, see $(short "$logs")/kernel.log"
	fi
	if [[ ! -f $tmp/answered ]] && ((EPOCHSECONDS - begin > 120)); then
		die "the server does not answer after 120 s, see $(short "$logs")/kernel.log"
	fi
done

status=0
if [[ $stopped ]]; then
	kill "$qemu" 2>/dev/null || true
	wait "$qemu" || true
else
	wait "$qemu" || status=$?
fi
qemu=''
((status == 0)) || die "QEMU ended with status $status: $(<"$logs/qemu.log")"
if grep -q 'Kernel panic' "$logs/kernel.log"; then die "the kernel crashed, see $(short "$logs")/kernel.log"; fi
if [[ ! $stopped && ! -f $tmp/answered ]]; then die "the guest ended before its server answered, see $(short "$logs")/kernel.log"; fi
step "the guest is down"
