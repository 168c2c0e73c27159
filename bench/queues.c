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

/* sockets rather than anything that can be polled */
void kevent_socket_add_all(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++)
		kevent_check(ukevent_add_socket(&b->queue, b->fd[i],
						KEVENT_SOCK_RECV, KEVENT_EDGE,
						b->fd[i]), "kevent_ctl");
}

void kevent_socket_queue(struct bench *b)
{
	kevent_make(b);
	kevent_socket_add_all(b);
}

static void missing(const char *what)
{
	errno = EOPNOTSUPP;
	die_unless_missing(what);
}

void kevent_io_make(struct bench *b, uint32_t flags, uint64_t data_size)
{
	struct kevent_params params = { .nr_expected = b->registered };
	struct ukevent_queue *q = &b->queue;
	int ret = ukevent_queue_init(q, &params);

	/* An unknown flag would only be a wrong one. */
	if (!ret) {
		ukevent_queue_exit(q);
		if (flags & KEVENT_CREATE_DATA && !(params.features & KEVENT_FEAT_DATA))
			missing("kevent_create, a data area");
		if (flags & KEVENT_CREATE_SENDFILE &&
		    !(params.features & KEVENT_FEAT_SENDFILE))
			missing("kevent_create, files");
		if (!(params.features & KEVENT_FEAT_SEND))
			missing("kevent_send");
		params = (struct kevent_params) {
			.flags = flags,
			.nr_expected = b->registered,
			.data_size = data_size,
		};
		ret = ukevent_queue_init(q, &params);
	}
	if (ret) {
		errno = -ret;
		die_unless_missing("kevent_create");
	}
	if (flags & KEVENT_CREATE_DATA) {
		b->data = mmap(NULL, params.data_size, PROT_READ | PROT_WRITE,
			       MAP_SHARED, q->fd, params.data_mmap_offset);
		if (b->data == MAP_FAILED)
			die("mmap, the data area");
		b->release = (uint32_t *)((char *)q->consumer_map +
					  params.release_offset);
	}
	b->record_buf = get_memory(BATCH, sizeof(*b->record_buf));
	b->sends = get_memory(BATCH, sizeof(*b->sends));
}

void kevent_data_make(struct bench *b, uint64_t data_size)
{
	kevent_io_make(b, KEVENT_CREATE_DATA, data_size);
}

void kevent_stream_add_all(struct bench *b, uint32_t flags, uint32_t most,
			   uint32_t share)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++) {
		struct kevent_change change = {
			.op = KEVENT_OP_ADD,
			.type = KEVENT_TYPE_STREAM,
			.flags = KEVENT_EDGE | flags,
			.cookie = b->fd[i],
			.ident = b->fd[i],
			.events = KEVENT_STREAM_RECV,
			.param[KEVENT_STREAM_MOST] = most,
			.param[KEVENT_STREAM_SHARE] = share,
		};

		kevent_check(ukevent_change(&b->queue, &change), "kevent_ctl");
	}
}

_Noreturn void kevent_unexpected(const struct ukevent *record)
{
	fprintf(stderr, "workloads: record of %llx has events %x, flags %x, data %llx %llx\n",
		(unsigned long long)record->cookie, record->events, record->flags,
		(unsigned long long)record->data[0],
		(unsigned long long)record->data[1]);
	exit(1);
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
