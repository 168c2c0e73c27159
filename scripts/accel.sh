#!/usr/bin/env bash
# accel.sh BZIMAGE INITRAMFS: prints QEMU's -accel argument for this machine.
# A /dev/kvm may be there and still hang ordinary guests, so KVM is used only
# after a trial boot; the verdict holds until the host boots again.
# ACCEL= overrides.
. "$(dirname "$0")/lib.sh"

tcg=tcg,thread=multi
if [[ -n ${ACCEL:-} ]]; then echo "$ACCEL"; exit; fi
if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then echo $tcg; exit; fi

verdict=$CACHE/accel.$(</proc/sys/kernel/random/boot_id)
if [[ ! -f $verdict ]]; then
	step "trying KVM, for at most 10 seconds" >&2
	logs=$LOGS/kvm-trial
	# In a shell of its own, whose complaint about a killed QEMU nobody needs.
	("$TOP/scripts/boot.sh" --kernel "$1" --initrd "$2" --logs "$logs" --accel kvm --limit 10 \
		--append kevent.mode=boot || true) </dev/null >/dev/null 2>&1
	rm -f "$CACHE"/accel.*
	if grep -q '^kevent-guest: ready' "$logs/guest.log" 2>/dev/null; then echo kvm; else echo $tcg; fi >"$verdict"
	step "KVM: $([[ $(<"$verdict") = kvm ]] && echo works || echo "does not work, using TCG")" >&2
fi
cat "$verdict"
