#!/usr/bin/env bash
# Removes what we made in the cache folder, and the folder if nothing else is there.
. "$(dirname "$0")/lib.sh"
lock_cache
cd "$CACHE"
rm -rf trees ccache debs touched integrations expected.* accel.*
cd "$TOP"
rm -rf "$OUT" "$CACHE/lock"
rmdir "$CACHE" 2>/dev/null || true
