#!/usr/bin/env bash
# samples.sh DIR: the samples of kevent in Python, and libkevent.so, which they load.
. "$(dirname "$0")/../../scripts/lib.sh"

library=$OUT/user/library/usr/lib/libkevent.so.1
[[ -f $library ]] || die "integrations: no $(short "$library"): make kernel"
cp "$TOP"/samples/kevent/{timer,tiny-server}.py "$library" "$1/"
