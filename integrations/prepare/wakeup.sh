#!/usr/bin/env bash
# wakeup.sh DIR: builds the kernel's epoll_wakeup_test into DIR.
. "$(dirname "$0")/../../scripts/lib.sh"
tree=$(<"$OUT/source")
work=$OUT/integrations/wakeup
harness=kselftest_harness.h

# The harness ends each test after 30 s, which is for a machine that is not emulated.
build_wakeup()
{
	rm -rf "$work"
	mkdir -p "$work/filesystems/epoll"
	cp "$tree/tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c" "$work/filesystems/epoll/" &&
		cp "$tree"/tools/testing/selftests/kselftest*.h "$work/" &&
		sed -i 's/^\(#define TEST_TIMEOUT_DEFAULT\) 30\b.*/\1 600/' "$work/$harness" &&
		grep -q '^#define TEST_TIMEOUT_DEFAULT 600$' "$work/$harness" &&
		gcc -O2 -I"$(dirname "$tree")/build/user/usr/include" -o "$1/epoll_wakeup_test" \
			"$work/filesystems/epoll/epoll_wakeup_test.c" -lpthread
}
logged integrations-wakeup build_wakeup "$1"
