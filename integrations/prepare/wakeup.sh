#!/usr/bin/env bash
# wakeup.sh DIR: builds the kernel's epoll_wakeup_test into DIR.
. "$(dirname "$0")/../../scripts/lib.sh"
tree=$(<"$OUT/source")
logged integrations-wakeup gcc -O2 -I"$(dirname "$tree")/build/user/usr/include" -o "$1/epoll_wakeup_test" \
	"$tree/tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c" -lpthread
