#!/bin/sh
# Never ends, in a kernel that goes on after an NMI.
printf 'TAP version 13\n1..1\n'
sysctl -q -w kernel.unknown_nmi_panic=0
sleep 1000000
