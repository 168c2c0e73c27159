// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * eventfd.c - P1, P2, P3: the way of an event and nothing else
 *
 * Workload eventfd: write 8 bytes to each active eventfd, collect, read each;
 * the next round takes the next descriptors.
 * Workload eventfd-same: every round takes the same ones.
 * Workload noread: as eventfd, but never read.
 */
#include <sys/eventfd.h>

#include "bench.h"

static void eventfd_sources(struct bench *b)
{
	unsigned int i;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (b->fd[i] < 0)
			die("eventfd");
	}
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

static __always_inline void epoll_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (got = 0; got < b->active; got += n) {
			n = epoll_collect(b, -1);
			for (i = 0; i < n; i++)
				consume(b->epoll_buf[i].data.fd, do_read);
		}
		b->collected += got;
		advance(b);
	}
}

static __always_inline void kevent_edge_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (got = 0; got < b->active; got += n) {
			n = kevent_collect(b, UKEVENT_FOREVER);
			for (i = 0; i < n; i++)
				consume(b->record_buf[i].cookie, do_read);
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
				consume(b->record_buf[i].cookie, do_read);
			got += n;
		} while (n);
		b->collected += got;
		advance(b);
	}
}

/* not inlined, so that the profile shows them; the flag is a constant inside */
#define EVENTFD_ROUNDS(mode, name, do_read)				\
static void __attribute__((noinline)) mode##_##name(struct bench *b)	\
{									\
	mode##_rounds(b, do_read);					\
}

EVENTFD_ROUNDS(floor, eventfd, true)
EVENTFD_ROUNDS(epoll, eventfd, true)
EVENTFD_ROUNDS(kevent_edge, eventfd, true)
EVENTFD_ROUNDS(kevent_level, eventfd, true)
EVENTFD_ROUNDS(floor, noread, false)
EVENTFD_ROUNDS(epoll, noread, false)
EVENTFD_ROUNDS(kevent_edge, noread, false)

const struct run eventfd_runs[] = {
	{ "eventfd", "floor", eventfd_sources, NULL, floor_eventfd },
	{ "eventfd", "epoll-lt", eventfd_sources, epoll_lt_queue, epoll_eventfd },
	{ "eventfd", "epoll-et", eventfd_sources, epoll_et_queue, epoll_eventfd },
	{ "eventfd", "kevent-edge", eventfd_sources, kevent_edge_queue, kevent_edge_eventfd },
	{ "eventfd", "kevent-level", eventfd_sources, kevent_level_queue, kevent_level_eventfd },
	{ "eventfd-same", "floor", eventfd_same_sources, NULL, floor_eventfd },
	{ "eventfd-same", "epoll-lt", eventfd_same_sources, epoll_lt_queue, epoll_eventfd },
	{ "eventfd-same", "epoll-et", eventfd_same_sources, epoll_et_queue, epoll_eventfd },
	{ "eventfd-same", "kevent-edge", eventfd_same_sources, kevent_edge_queue, kevent_edge_eventfd },
	{ "eventfd-same", "kevent-level", eventfd_same_sources, kevent_level_queue, kevent_level_eventfd },
	{ "noread", "floor", eventfd_sources, NULL, floor_noread },
	{ "noread", "epoll-et", eventfd_sources, epoll_et_queue, epoll_noread },
	{ "noread", "kevent-edge", eventfd_sources, kevent_edge_queue, kevent_edge_noread },
	{ 0 },
};
