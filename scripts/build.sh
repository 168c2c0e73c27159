#!/usr/bin/env bash
# build.sh VARIANT...: everything that a boot needs, from nothing.
. "$(dirname "$0")/lib.sh"

"$TOP/scripts/packages.sh" build
lock_cache
"$TOP/scripts/source.sh"
"$TOP/scripts/overlay.sh"
for variant in "$@"; do "$TOP/scripts/kernel.sh" "$variant"; done
"$TOP/scripts/user.sh"
"$TOP/scripts/initramfs.sh" "$OUT/initramfs.gz"
