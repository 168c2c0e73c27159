// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * eventfd.c - P1, P2, P3, P12: the way of an event and nothing else
 *
 * Workload eventfd: write 8 bytes to each active eventfd, collect, read each;
 * the next round takes the next descriptors.  A parameter is the most that is
 * collected at once.
 * Workload eventfd-same: every round takes the same ones.
 * Workload noread: as eventfd, but never read.
 * Workload ready: all that are registered stay ready, and are collected 64 at a
 * time, as many as there are of them; how often the kernel is entered for it?
 */
#include "bench.h"

static void eventfd_sources(struct bench *b)
{
	make_eventfds(b, EFD_NONBLOCK);
	if (b->parameter)
		b->batch = b->parameter;
	if (b->batch > BATCH)
		die_of("no more than 1024 are collected at once");
}

static void eventfd_same_sources(struct bench *b)
{
	eventfd_sources(b);
	b->same = true;
}

static inline void produce(struct bench *b)
{
	unsigned int i, at = b->next;

	for (i = 0; i < b->active; i++) {
		write_one(b->fd[at]);
		if (++at == b->registered)
			at = 0;
	}
}

static inline void consume(int fd, bool do_read)
{
	if (do_read)
		read_count(fd);
}

/*
 * A level mode looks again at what it delivered last.  If just those are active
 * once more, epoll does in one look what are two in a server, which finds
 * nothing more to do before it is woken again.
 */
static inline void advance(struct bench *b)
{
	if (b->same)
		return;
	b->next += b->active;
	if (b->next >= b->registered)
		b->next -= b->registered;
}

static __always_inline void floor_rounds(struct bench *b, bool do_read)
{
	unsigned int round, i, at;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (i = 0, at = b->next; i < b->active; i++) {
			consume(b->fd[at], do_read);
			if (++at == b->registered)
				at = 0;
		}
		b->collected += b->active;
		advance(b);
	}
}

/* URING_PEEK has no need to try again: who writes is who looks */
static __always_inline void queue_rounds(struct bench *b, enum peer peer,
					 bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (got = 0; got < b->active; got += n) {
			n = collect(b, peer);
			for (i = 0; i < n; i++)
				consume(collected_fd(b, peer, i), do_read);
		}
		b->collected += got;
		advance(b);
	}
}

/*
 * Level: go on until the ring is empty, as a loop does before it sleeps.  The
 * last call finds it so and enters the kernel for the re-check of what was
 * consumed in this round.
 */
static __always_inline void kevent_level_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		got = 0;
		do {
			n = kevent_collect(b, 0);
			for (i = 0; i < n; i++)
				consume(collected_fd(b, KEVENT, i), do_read);
			got += n;
		} while (n);
		b->collected += got;
		advance(b);
	}
}

#define DEQUEUE		64

static void ready_sources(struct bench *b)
{
	unsigned int i;

	eventfd_sources(b);
	b->batch = DEQUEUE;
	for (i = 0; i < b->registered; i++)
		write_one(b->fd[i]);
}

static __always_inline void ready_rounds(struct bench *b, enum peer peer)
{
	const unsigned int all = b->rounds * b->active;
	unsigned int got;

	for (got = 0; got < all; )
		got += collect(b, peer);
	b->collected += all;
}

ROUNDS(epoll_ready, ready_rounds(b, EPOLL))
ROUNDS(kevent_ready, ready_rounds(b, KEVENT))
ROUNDS(floor_read, floor_rounds(b, true))
ROUNDS(floor_noread, floor_rounds(b, false))
ROUNDS(epoll_read, queue_rounds(b, EPOLL, true))
ROUNDS(epoll_noread, queue_rounds(b, EPOLL, false))
ROUNDS(kevent_edge_read, queue_rounds(b, KEVENT, true))
ROUNDS(kevent_edge_noread, queue_rounds(b, KEVENT, false))
ROUNDS(kevent_level_read, kevent_level_rounds(b, true))
ROUNDS(poll_read, queue_rounds(b, POLL, true))
ROUNDS(uring_read, queue_rounds(b, URING, true))
ROUNDS(uring_noread, queue_rounds(b, URING, false))
ROUNDS(uring_peek_read, queue_rounds(b, URING_PEEK, true))
ROUNDS(uring_peek_noread, queue_rounds(b, URING_PEEK, false))

#define EDGE_RUNS(name, sources, suffix)				\
	{ name, "floor", sources, NULL, floor_##suffix },		\
	{ name, "epoll-et", sources, epoll_et_queue, epoll_##suffix },	\
	{ name, "kevent-edge", sources, kevent_edge_queue, kevent_edge_##suffix }, \
	{ name, "uring", sources, uring_queue, uring_##suffix },	\
	{ name, "uring-peek", sources, uring_queue, uring_peek_##suffix }, \
	{ name, "uring-defer", sources, uring_defer_queue, uring_##suffix }, \
	{ name, "uring-defer-peek", sources, uring_defer_queue, uring_peek_##suffix }

#define LEVEL_RUNS(name, sources)					\
	{ name, "poll", sources, poll_queue, poll_read },		\
	{ name, "epoll-lt", sources, epoll_lt_queue, epoll_read },	\
	{ name, "kevent-level", sources, kevent_level_queue, kevent_level_read }

const struct run eventfd_runs[] = {
	EDGE_RUNS("eventfd", eventfd_sources, read),
	LEVEL_RUNS("eventfd", eventfd_sources),
	EDGE_RUNS("eventfd-same", eventfd_same_sources, read),
	LEVEL_RUNS("eventfd-same", eventfd_same_sources),
	EDGE_RUNS("noread", eventfd_sources, noread),
	{ "ready", "epoll-lt", ready_sources, epoll_lt_queue, epoll_ready },
	{ "ready", "kevent-level", ready_sources, kevent_level_queue, kevent_ready },
	{ 0 },
};
