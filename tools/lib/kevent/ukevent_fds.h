/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent_fds.h - the descriptors that a loop watches, by number
 *
 * For programs whose event loop says what each descriptor is watched for from now on:
 *
 *	ukevent_fds_init(&fds, &q, table, nr, KEVENT_TYPE_POLL, failed);
 *	for (;;) {
 *		ukevent_fds_set(&fds, fd, POLLIN);
 *		n = ukevent_fds_turn(&fds, ev, 64, UKEVENT_FOREVER);
 *		...
 *	}
 *
 * Only what is left of that when the turn begins is told to the kernel, with the wait:
 * nothing of what was set and taken back, one change for each descriptor otherwise.
 *
 * A descriptor may be closed as soon as it was removed, and its number be another
 * file's, also while a child holds the first one open: what is applied later names the
 * interest by id, and a record that was published before is known by its generation.
 *
 * Interests are level.  A record tells what was announced: who read all of it while the
 * next one was published finds EAGAIN.
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_FDS_H
#define _UKEVENT_FDS_H

#include "ukevent_loop.h"

/* Bits beside the events of @wanted and @watched of struct ukevent_fd. */
#define UKEVENT_FD_SET		(1U << 16)	/* watched, if only for errors */
#define UKEVENT_FD_LISTED	(1U << 17)	/* of @wanted only */

#define UKEVENT_FD_NONE		(~(uint32_t)0)

/**
 * struct ukevent_fd - a descriptor
 * @id: of its interest, 0 for none
 * @generation: upper half of the cookie
 * @wanted: events that the program set last
 * @watched: events that the interest has
 * @next: that may need a change as well
 */
struct ukevent_fd {
	uint64_t	id;
	uint32_t	generation;
	uint32_t	wanted;
	uint32_t	watched;
	uint32_t	next;
};

/**
 * struct ukevent_fds - the descriptors of a loop
 * @loop: what is gathered, whose callbacks are told what became of it: the first member
 * @fd: the table, of the program
 * @nr: its entries
 * @first: the first that may need a change
 * @type: %KEVENT_TYPE_POLL or %KEVENT_TYPE_SOCKET, of all of them
 * @failed: called with the error number for a descriptor that cannot be watched, or not
 *	for what was set; it is not watched any more.  May set and remove
 * @data: the program's own
 */
struct ukevent_fds {
	struct ukevent_loop	loop;
	struct ukevent_fd	*fd;
	uint32_t		nr;
	uint32_t		first;
	unsigned int		type;
	void			(*failed)(struct ukevent_fds *fds, int fd,
					  int error);
	void			*data;
};

/**
 * ukevent_fds_resize - another table
 * @fds: the descriptors
 * @table: the new one, into which the program copied the old
 * @nr: entries; what is cut off must not be watched
 */
static inline void ukevent_fds_resize(struct ukevent_fds *fds,
				      struct ukevent_fd *table, uint32_t nr)
{
	if (nr > fds->nr)
		memset(table + fds->nr, 0, (nr - fds->nr) * sizeof(*table));
	fds->fd = table;
	fds->nr = nr;
}

/**
 * ukevent_fds_set - watch a descriptor, for these events from now on
 * @fds: the descriptors
 * @fd: the descriptor
 * @events: of @fds->type; errors and hang-ups are always watched
 */
static inline void ukevent_fds_set(struct ukevent_fds *fds, int fd,
				   uint32_t events)
{
	struct ukevent_fd *e = fds->fd + fd;
	const uint32_t listed = e->wanted & UKEVENT_FD_LISTED;

	e->wanted = events | UKEVENT_FD_SET | listed;
	if (listed || (events | UKEVENT_FD_SET) == e->watched)
		return;
	e->wanted |= UKEVENT_FD_LISTED;
	e->next = fds->first;
	fds->first = (uint32_t)fd;
}

static inline void ukevent_fds_unwatch(struct ukevent_fds *fds, uint64_t id)
{
	ukevent_by_id(ukevent_prep_op(ukevent_next(&fds->loop), KEVENT_OP_REMOVE,
				      fds->type, 0, 0), id);
}

/**
 * ukevent_fds_remove - do not watch a descriptor any more
 * @fds: the descriptors
 * @fd: the descriptor, which may be closed then
 */
static inline void ukevent_fds_remove(struct ukevent_fds *fds, int fd)
{
	struct ukevent_fd *e = fds->fd + fd;
	const uint64_t id = e->id;

	e->wanted &= UKEVENT_FD_LISTED;
	e->watched = 0;
	e->id = 0;
	e->generation++;
	if (id)
		ukevent_fds_unwatch(fds, id);
}

static inline uint64_t ukevent_fds_cookie(const struct ukevent_fds *fds, uint32_t fd)
{
	return (uint64_t)fds->fd[fd].generation << 32 | fd;
}

/* The descriptor that a cookie names, or that of before: -1. */
static inline int ukevent_fds_named(const struct ukevent_fds *fds, uint64_t cookie)
{
	const uint32_t fd = (uint32_t)cookie;

	return fd < fds->nr && ukevent_fds_cookie(fds, fd) == cookie ? (int)fd : -1;
}

/* What is left to be told of a descriptor; NULL if nothing is. */
static inline struct kevent_change *
ukevent_fds_prep(struct ukevent_fds *fds, int fd, struct kevent_change *change)
{
	struct ukevent_fd *e = fds->fd + fd;
	const uint32_t wanted = e->wanted & ~UKEVENT_FD_LISTED;

	if (!wanted || wanted == e->watched)
		return NULL;
	e->watched = wanted;
	ukevent_prep(change, e->id ? KEVENT_OP_MODIFY : KEVENT_OP_ADD, fds->type,
		     (uint64_t)fd, wanted & ~UKEVENT_FD_SET, 0,
		     ukevent_fds_cookie(fds, (uint32_t)fd));
	return e->id ? ukevent_by_id(change, e->id) : change;
}

/* Take the result of a change over. */
static inline void ukevent_fds_take(struct ukevent_fds *fds,
				    const struct kevent_change *change)
{
	const int fd = ukevent_fds_named(fds, change->cookie);

	if (change->op == KEVENT_OP_REMOVE)
		return;
	if (change->result < 0) {
		if (fd >= 0)
			ukevent_fds_remove(fds, fd);
	} else if (fd >= 0) {
		fds->fd[fd].id = change->id;
	} else if (change->op == KEVENT_OP_ADD) {
		/* Removed when its id was not known yet. */
		ukevent_fds_unwatch(fds, change->id);
	}
}

/* Of the loop, which is the first member. */
static inline void ukevent_fds_applied(struct ukevent_loop *loop,
				       const struct kevent_change *change)
{
	ukevent_fds_take((struct ukevent_fds *)loop, change);
}

static inline void ukevent_fds_failed(struct ukevent_loop *loop,
				      const struct kevent_change *change)
{
	struct ukevent_fds *fds = (struct ukevent_fds *)loop;
	const int fd = ukevent_fds_named(fds, change->cookie);

	ukevent_fds_take(fds, change);
	if (change->op != KEVENT_OP_REMOVE && fd >= 0 && fds->failed)
		fds->failed(fds, fd, -change->result);
}

/**
 * ukevent_fds_init - nothing is watched
 * @fds: filled in
 * @q: the queue, with a single consumer
 * @table: room for @nr descriptors, which stays the program's
 * @nr: one more than the highest descriptor
 * @type: %KEVENT_TYPE_POLL or %KEVENT_TYPE_SOCKET
 * @failed: see there; may be NULL
 */
static inline void
ukevent_fds_init(struct ukevent_fds *fds, struct ukevent_queue *q,
		 struct ukevent_fd *table, uint32_t nr, unsigned int type,
		 void (*failed)(struct ukevent_fds *fds, int fd, int error))
{
	memset(fds, 0, sizeof(*fds));
	ukevent_loop_init(&fds->loop, q, ukevent_fds_failed);
	fds->loop.applied = ukevent_fds_applied;
	ukevent_fds_resize(fds, table, nr);
	fds->first = UKEVENT_FD_NONE;
	fds->type = type;
	fds->failed = failed;
}

/* All that was set as changes, those that find no room at once. */
static inline void ukevent_fds_gather(struct ukevent_fds *fds)
{
	struct ukevent_loop *loop = &fds->loop;
	struct ukevent_fd *e;
	int fd;

	while (fds->first != UKEVENT_FD_NONE) {
		/* Before one is taken: who is told of others may set and remove it. */
		ukevent_together(loop, 1);
		fd = (int)fds->first;
		e = fds->fd + fd;
		fds->first = e->next;
		e->wanted &= ~UKEVENT_FD_LISTED;
		if (ukevent_fds_prep(fds, fd, loop->change + loop->nr))
			loop->nr++;
	}
}

/**
 * ukevent_fds_now - apply what was set for a descriptor at once
 * @fds: the descriptors
 * @fd: the descriptor
 *
 * For who has to know whether it can be watched.
 *
 * Return: 0 or a negative error number; it is not watched then, and @failed not called.
 */
static inline int ukevent_fds_now(struct ukevent_fds *fds, int fd)
{
	struct kevent_change change;

	/* Removals before what is added in their place. */
	ukevent_flush(&fds->loop);
	if (!ukevent_fds_prep(fds, fd, &change))
		return 0;
	change.result = ukevent_change(fds->loop.q, &change);
	ukevent_fds_take(fds, &change);
	return change.result;
}

/* Keep the records of what is watched; the cookie is the descriptor then. */
static inline int ukevent_fds_sort(struct ukevent_fds *fds, struct ukevent *ev, int nr)
{
	const uint32_t always = KEVENT_SOCK_ERROR | KEVENT_SOCK_HUP;
	int i, fd, left = 0;

	for (i = 0; i < nr; i++) {
		fd = ukevent_fds_named(fds, ev[i].cookie);
		if (fd < 0)
			continue;
		ev[left] = ev[i];
		ev[left].cookie = (uint64_t)fd;
		ev[left].events &= always |
				   (fds->fd[fd].watched & ~UKEVENT_FD_SET);
		if (ev[left].events)
			left++;
	}
	return left;
}

/**
 * ukevent_fds_turn - apply what was set, take records, sleep if there are none
 * @fds: the descriptors
 * @ev: receives the records; the cookie of each is the descriptor
 * @max: room in @ev
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * Enters the kernel as ukevent_turn() does.
 *
 * Return: number of records, of which no two are of one descriptor; 0 after the timeout,
 * if @failed was called, or with a timeout if records were of what is not watched any
 * more; or a negative error number.
 */
static inline int ukevent_fds_turn(struct ukevent_fds *fds, struct ukevent *ev,
				   uint32_t max, uint64_t timeout_ns)
{
	int n, taken;

	do {
		ukevent_fds_gather(fds);
		n = taken = ukevent_turn(&fds->loop, ev, max, timeout_ns);
		/* Interrupted before the first. */
		if (n < 0)
			ukevent_flush(&fds->loop);
		if (n > 0)
			n = ukevent_fds_sort(fds, ev, n);
	} while (!n && taken > 0 && timeout_ns == UKEVENT_FOREVER);
	return n;
}

#endif /* _UKEVENT_FDS_H */
