// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * tcp.c - connections over the loopback, see bench.h
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench.h"

static void set_option(int fd, int level, int option, const void *value,
		       socklen_t size)
{
	if (setsockopt(fd, level, option, value, size))
		die("setsockopt");
}

void tcp_nodelay(int fd, int on)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void tcp_connections(struct bench *b, int flags)
{
	/* its end leaves nothing to time out in somebody else's window */
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	unsigned int i;
	int listener;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	b->clients = get_memory(b->registered, sizeof(*b->clients));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		die("listener");
	for (i = 0; i < b->registered; i++) {
		b->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (b->clients[i] < 0 ||
		    connect(b->clients[i], (struct sockaddr *)&address, size))
			die("connect");
		b->fd[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
		if (b->fd[i] < 0)
			die("accept4");
		set_option(b->clients[i], SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
		tcp_nodelay(b->clients[i], 1);
		tcp_nodelay(b->fd[i], 1);
	}
	close(listener);
}
