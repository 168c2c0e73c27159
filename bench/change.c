// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * change.c - P7, P13: what it costs to say what is of interest
 *
 * Workloads change-add, change-modify, change-remove: of eventfds on which
 * nothing happens, "active" at a time, all that are registered per window.  epoll
 * has a call for each; io_uring and kevent take "active" with one call.  What one
 * of them adds is removed before the next window, outside of it, and the other
 * way round.
 *
 * A request to io_uring that succeeded makes no completion; a poll that was
 * removed makes one, which belongs to its removal.
 *
 * Workload dups-add: the same, but all of them are one eventfd.
 * Workload enable: one eventfd, which "registered" queues watch; the first of
 * them asks for its next event, by the descriptor or by the interest's id.
 */
#include "bench.h"

/* what epoll, poll and kevent agree on; a modification takes the other one */
static const uint32_t masks[] = { POLLIN, POLLIN | POLLPRI };
static unsigned int mask;

static bool registered;
static struct kevent_change *changes;

static void sources(struct bench *b)
{
	if (b->rounds * b->active != b->registered)
		die_of("all that are registered are changed");
	make_eventfds(b, EFD_NONBLOCK);
}

static void dup_sources(struct bench *b)
{
	unsigned int i;

	if (b->rounds * b->active != b->registered)
		die_of("all that are registered are changed");
	b->fd = get_memory(b->registered, sizeof(*b->fd));
	b->fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (i = 1; i < b->registered; i++)
		b->fd[i] = dup(b->fd[0]);
	if (b->fd[b->registered - 1] < 0)
		die("dup");
}

enum change { ADD, MODIFY, REMOVE };

/* one batch, from b->fd[first] on */
typedef void (*batch_fn)(struct bench *b, enum change what, unsigned int first);

static __always_inline void change_all(struct bench *b, enum change what,
				       batch_fn batch)
{
	unsigned int first;

	for (first = 0; first < b->registered; first += b->active)
		batch(b, what, first);
	registered = what != REMOVE;
	b->collected += b->registered;
}

static __always_inline void epoll_batch(struct bench *b, enum change what,
					unsigned int first)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	unsigned int i;

	for (i = first; i < first + b->active; i++) {
		struct epoll_event ev = {
			.events = masks[mask] | EPOLLET,
			.data.fd = b->fd[i],
		};

		if (epoll_ctl(b->epoll, ops[what], b->fd[i], &ev))
			die("epoll_ctl");
	}
}

static __always_inline void kevent_batch(struct bench *b, enum change what,
					 unsigned int first)
{
	static const uint16_t ops[] = { KEVENT_OP_ADD, KEVENT_OP_MODIFY,
					KEVENT_OP_REMOVE };
	unsigned int i;
	int n;

	for (i = 0; i < b->active; i++) {
		changes[i] = (struct kevent_change) {
			.op = ops[what],
			.type = KEVENT_TYPE_POLL,
			.ident = b->fd[first + i],
		};
		if (what == REMOVE)
			continue;
		changes[i].flags = KEVENT_EDGE;
		changes[i].cookie = b->fd[first + i];
		changes[i].events = masks[mask];
	}
	n = sys_kevent_ctl(b->queue.fd, changes, b->active, sizeof(*changes), 0);
	kevent_check(n, "kevent_ctl");
	for (i = 0; i < b->active; i++)
		kevent_check(i < (unsigned int)n ? changes[i].result : -EIO,
			     "kevent_ctl");
}

/* those of polls that were removed */
static inline void reap_removed(struct bench *b, unsigned int nr)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n, got;

	for (got = 0; got < nr; got += n) {
		uring_check(io_uring_wait_cqe(&b->ring, &cqe), "io_uring_wait_cqe");
		n = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (cqe->res != -ECANCELED)
				uring_unexpected(cqe);
			n++;
		}
		io_uring_cq_advance(&b->ring, n);
	}
}

static __always_inline void uring_batch(struct bench *b, enum change what,
					unsigned int first)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int i;

	for (i = first; i < first + b->active; i++) {
		sqe = uring_sqe(b);
		switch (what) {
		case ADD:
			io_uring_prep_poll_multishot(sqe, b->fd[i], masks[mask]);
			break;
		case MODIFY:
			io_uring_prep_poll_update(sqe, b->fd[i], 0, masks[mask],
						  IORING_POLL_UPDATE_EVENTS |
						  IORING_POLL_ADD_MULTI);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
			break;
		case REMOVE:
			io_uring_prep_poll_remove(sqe, b->fd[i]);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
			break;
		}
		sqe->user_data = b->fd[i];
	}
	uring_check(io_uring_submit(&b->ring), "io_uring_submit");
	if (what == REMOVE)
		reap_removed(b, b->active);
	else if (!io_uring_peek_cqe(&b->ring, &cqe))
		uring_unexpected(cqe);
}

static void kevent_queue(struct bench *b)
{
	kevent_make(b);
	changes = get_memory(b->active, sizeof(*changes));
}

#define CHANGES(peer)							\
ROUNDS(peer##_add, change_all(b, ADD, peer##_batch))			\
ROUNDS(peer##_modify, mask = !mask; change_all(b, MODIFY, peer##_batch)) \
ROUNDS(peer##_remove, change_all(b, REMOVE, peer##_batch))		\
static void peer##_all_there(struct bench *b)				\
{									\
	unsigned int counted = b->collected;				\
									\
	if (!registered)						\
		peer##_add(b);						\
	b->collected = counted;						\
}									\
static void peer##_none_there(struct bench *b)				\
{									\
	unsigned int counted = b->collected;				\
									\
	if (registered)							\
		peer##_remove(b);					\
	b->collected = counted;						\
}

CHANGES(epoll)
CHANGES(kevent)
CHANGES(uring)

#define RUNS(mode, queue, peer)						\
	{ "change-add", mode, sources, queue, peer##_add, NULL, peer##_none_there }, \
	{ "change-modify", mode, sources, queue, peer##_modify, NULL, peer##_all_there }, \
	{ "change-remove", mode, sources, queue, peer##_remove, NULL, peer##_all_there }

/* ---- one of many queues on a descriptor ---- */

static void one_source(struct bench *b)
{
	b->fd = get_memory(1, sizeof(*b->fd));
	b->fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd[0] < 0)
		die("eventfd");
}

static struct epoll_event next_event = { .events = EPOLLIN | EPOLLONESHOT };

static void enable_epoll_queues(struct bench *b)
{
	unsigned int i;
	int epoll;

	for (i = 0; i < b->registered; i++) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
		if (epoll < 0 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, b->fd[0], &next_event))
			die("epoll");
		if (!i)
			b->epoll = epoll;
	}
}

static void epoll_enable(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->rounds; i++)
		if (epoll_ctl(b->epoll, EPOLL_CTL_MOD, b->fd[0], &next_event))
			die("epoll_ctl");
	b->collected += i;
}

static struct kevent_change enable;

static void enable_kevent_queues(struct bench *b)
{
	struct ukevent_queue other;
	unsigned int i;

	kevent_make(b);
	enable.op = KEVENT_OP_ADD;
	enable.type = KEVENT_TYPE_POLL;
	enable.flags = KEVENT_DISPATCH;
	enable.ident = b->fd[0];
	enable.events = POLLIN;
	kevent_check(ukevent_change(&b->queue, &enable), "kevent_ctl");
	for (i = 1; i < b->registered; i++) {
		struct kevent_params params = {
			.flags = KEVENT_CREATE_NORING,
			.ring_entries = 1,
		};

		kevent_check(ukevent_queue_init(&other, &params), "kevent_create");
		kevent_check(ukevent_add_poll(&other, b->fd[0], POLLIN,
					      KEVENT_DISPATCH, 0), "kevent_ctl");
	}
	enable = (struct kevent_change) {
		.op = KEVENT_OP_ENABLE,
		.type = KEVENT_TYPE_POLL,
		.ident = b->fd[0],
		.id = enable.id,
	};
}

static void enable_by_fd(struct bench *b)
{
	enable_kevent_queues(b);
	enable.id = 0;
}

static void enable_by_id(struct bench *b)
{
	enable_kevent_queues(b);
	enable.ident = 0;
	enable.flags = KEVENT_BY_ID;
}

static void kevent_enable(struct bench *b)
{
	struct kevent_change change;
	unsigned int i;

	for (i = 0; i < b->rounds; i++) {
		change = enable;
		kevent_check(ukevent_change(&b->queue, &change), "kevent_ctl");
	}
	b->collected += i;
}

const struct run change_runs[] = {
	RUNS("epoll", epoll_make, epoll),
	RUNS("kevent", kevent_queue, kevent),
	RUNS("uring", uring_make_default, uring),
	RUNS("uring-defer", uring_make_defer, uring),
	{ "dups-add", "epoll", dup_sources, epoll_make, epoll_add, NULL, epoll_none_there },
	{ "dups-add", "kevent", dup_sources, kevent_queue, kevent_add, NULL, kevent_none_there },
	{ "enable", "epoll", one_source, enable_epoll_queues, epoll_enable },
	{ "enable", "kevent", one_source, enable_by_fd, kevent_enable },
	{ "enable", "kevent-id", one_source, enable_by_id, kevent_enable },
	{ 0 },
};
