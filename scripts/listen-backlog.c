// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into QEMU: its user network listens on the host with a backlog of 1,
 * so that of many clients that connect at once most wait for a second SYN, one
 * second or three later, whatever the server in the guest does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>

int listen(int fd, int backlog)
{
	int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");

	return next(fd, backlog < SOMAXCONN ? SOMAXCONN : backlog);
}
