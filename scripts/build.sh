#!/usr/bin/env bash
# build.sh VARIANT...: everything that a boot needs, from nothing.
#   KEVENT_BITS   32: 32-bit programs, for build/initramfs32.gz
. "$(dirname "$0")/lib.sh"

check_variants "$@"
"$TOP/scripts/packages.sh" build ${KEVENT_BITS:+"build$KEVENT_BITS"}
lock_cache
"$TOP/scripts/source.sh"
"$TOP/scripts/overlay.sh"
for variant in "$@"; do "$TOP/scripts/kernel.sh" "$variant"; done
"$TOP/scripts/user.sh"
"$TOP/scripts/initramfs.sh" "$OUT/initramfs${KEVENT_BITS:-}.gz"
"$TOP/scripts/disks.sh"
