#!/bin/sh
# A real crash of the kernel.
printf 'TAP version 13\n1..1\n'
echo 1 >/proc/sys/kernel/sysrq
echo c >/proc/sysrq-trigger
sleep 1000
