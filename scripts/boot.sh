#!/usr/bin/env bash
# boot.sh --kernel BZIMAGE --initrd FILE --logs DIR [OPTION...] [-- QEMU-OPTION...]
#
# Boots a kernel in QEMU, with a network card, two serial ports, a source of random
# numbers and the disks of disks.sh, if these were made.  This process becomes QEMU; it dies with the one that started it.
# Its kernel does not ask whether the timer works, as the answer is no on a host that
# has other things to do.
#   --append 'ARGS'    added to the kernel's command line
#   --accel ARG        as QEMU's -accel; default: what accel.sh finds
#   --cpu ARG          default max
#   --smp N            default: the host's processors, at least 2, at most 8
#   --mem SIZE         default 1G
#   --port PORT        localhost:PORT leads to port 8080 of the guest
#   --console log      ttyS0 goes to a file only (default)
#   --console run      ttyS0 is stdin and stdout
#   --console shell    the same, with QEMU's monitor behind Ctrl-A C, exit Ctrl-A X
#   --limit SECONDS    QEMU is killed then, exit status 137
# Written in DIR: kernel.log (ttyS0), guest.log (ttyS1: what the guest tells us)
# and with --console log also all.log, both as they came.
# Exit status: QEMU's, which is 0 after power-off, reset and panic.
. "$(dirname "$0")/lib.sh"

kernel='' initrd='' logs='' append='' accel='' cpu=max mem=1G port='' console=log limit=''
smp=$((JOBS < 2 ? 2 : JOBS > 8 ? 8 : JOBS))
while (($#)); do
	case $1 in
	--kernel) kernel=$2 ;;
	--initrd) initrd=$2 ;;
	--logs) logs=$2 ;;
	--append) append=$2 ;;
	--accel) accel=$2 ;;
	--cpu) cpu=$2 ;;
	--smp) smp=$2 ;;
	--mem) mem=$2 ;;
	--port) port=$2 ;;
	--console) console=$2 ;;
	--limit) limit=$2 ;;
	--) shift; break ;;
	*) die "boot.sh: unknown option $1" ;;
	esac
	shift 2
done
[[ $kernel && $initrd && $logs ]] || die "boot.sh: --kernel, --initrd and --logs are needed"
[[ -f $kernel ]] || die "no kernel $(short "$kernel"): make kernel"
[[ -f $initrd ]] || die "no initramfs $(short "$initrd")"
if [[ -z $accel ]]; then accel=$("$TOP/scripts/accel.sh" "$kernel" "$initrd"); fi

mkdir -p "$logs"
rm -f "$logs"/{kernel,guest,all}.log
case $console in
log) tty0=file,path=$logs/kernel.log,logfile=$logs/all.log,logappend=on tty1=,logfile=$logs/all.log,logappend=on monitor=() ;;
run) tty0=stdio,signal=off,logfile=$logs/kernel.log tty1='' monitor=() ;;
shell) tty0=stdio,signal=off,mux=on,logfile=$logs/kernel.log tty1='' monitor=(-mon chardev=tty0) ;;
*) die "boot.sh: unknown console $console" ;;
esac

wrap=(setpriv --pdeathsig KILL)
if [[ $limit ]]; then wrap+=(timeout --foreground --signal=KILL "$limit" "${wrap[@]}"); fi
if [[ $port ]]; then
	backlog=$OUT/listen-backlog.so
	if [[ ! $backlog -nt $TOP/scripts/listen-backlog.c ]]; then
		gcc -O2 -Wall -shared -fPIC -o "$backlog.$$" "$TOP/scripts/listen-backlog.c"
		mv "$backlog.$$" "$backlog"
	fi
	wrap+=(env "LD_PRELOAD=$backlog")
fi
# Nothing is written to the images.  Of the slow disk a request takes 8 ms, if the one
# before is still on its way.
disks=()
for image in "$OUT"/disks/*; do
	name=$(basename "$image")
	if [[ $name = stamp || ! -f $image ]]; then continue; fi
	slow=
	if [[ $name = slow ]]; then slow=,throttling.iops-total=125; fi
	disks+=(-drive "file=$image,format=raw,if=none,id=$name,snapshot=on$slow"
		-device "virtio-blk-pci,drive=$name,serial=$name")
done

# A busy host stops a processor of the guest for many seconds: that is no stall of RCU,
# and no lockup.
patience="rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60"

exec "${wrap[@]}" qemu-system-x86_64 -accel "$accel" -cpu "$cpu" -smp "$smp" -m "$mem" \
	-nodefaults -no-user-config -display none -no-reboot \
	-chardev "$tty0,id=tty0" -serial chardev:tty0 "${monitor[@]}" \
	-chardev "file,path=$logs/guest.log,id=tty1$tty1" -serial chardev:tty1 \
	-netdev "user,id=net0${port:+,hostfwd=tcp:127.0.0.1:$port-:8080}" \
	-device virtio-net-pci,netdev=net0,romfile= -device virtio-rng-pci "${disks[@]}" \
	-kernel "$kernel" -initrd "$initrd" \
	-append "console=ttyS0 panic=-1 oops=panic no_timer_check printk.devkmsg=on $patience $append" "$@"
