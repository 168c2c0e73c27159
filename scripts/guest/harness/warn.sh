#!/bin/sh
# Passes, while the kernel log shows a warning (the text of one).
echo '------------[ cut here ]------------' >/dev/kmsg
echo 'WARNING: CPU: 0 PID: 1 at fs/kevent_fake.c:1 harness+0x0/0x0' >/dev/kmsg
printf 'TAP version 13\n1..1\nok 1 first\n'
