// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * queues.c - epoll, kevent and poll as queues of events, see bench.h
 */
#include "bench.h"

void epoll_make(struct bench *b)
{
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll < 0)
		die_unless_missing("epoll_create1");
	b->epoll_buf = get_memory(BATCH, sizeof(*b->epoll_buf));
}

void epoll_add_all(struct bench *b, uint32_t flags)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++) {
		struct epoll_event ev = {
			.events = EPOLLIN | flags,
			.data.fd = b->fd[i],
		};

		if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->fd[i], &ev))
			die("epoll_ctl");
	}
}

void epoll_lt_queue(struct bench *b)
{
	epoll_make(b);
	epoll_add_all(b, 0);
}

void epoll_et_queue(struct bench *b)
{
	epoll_make(b);
	epoll_add_all(b, EPOLLET);
}

void kevent_check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	errno = -ret;
	if (ret == -EOPNOTSUPP)		/* that type */
		die_unless_missing(what);
	die(what);
}

void kevent_make(struct bench *b)
{
	struct kevent_params params = { .nr_expected = b->registered };
	int ret = ukevent_queue_init(&b->queue, &params);

	if (ret) {
		errno = -ret;
		die_unless_missing("kevent_create");
	}
	b->record_buf = get_memory(BATCH, sizeof(*b->record_buf));
}

void kevent_add_all(struct bench *b, uint32_t flags)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++)
		kevent_check(ukevent_add_poll(&b->queue, b->fd[i], POLLIN,
					      flags, b->fd[i]), "kevent_ctl");
}

void kevent_edge_queue(struct bench *b)
{
	kevent_make(b);
	kevent_add_all(b, KEVENT_EDGE);
}

void kevent_level_queue(struct bench *b)
{
	kevent_make(b);
	kevent_add_all(b, 0);
}

void poll_queue(struct bench *b)
{
	unsigned int i;

	b->pollfds = get_memory(b->registered, sizeof(*b->pollfds));
	b->ready = get_memory(b->registered, sizeof(*b->ready));
	for (i = 0; i < b->registered; i++) {
		b->pollfds[i].fd = b->fd[i];
		b->pollfds[i].events = POLLIN;
	}
}
