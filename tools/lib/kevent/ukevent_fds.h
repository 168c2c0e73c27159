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
 * On a queue with a data area some descriptors can be of STREAM (ukevent_fds_stream()):
 * their bytes come with the records, and stay until the next turn.  The turn sends as
 * well what is gathered by ukevent_io_send(&fds.io, ...), see ukevent_data.h.
 *
 * All that is of one thread, or under a lock of the program, of which
 * ukevent_fds_share() tells when a turn has to give it up to sleep.  Then other threads
 * may set, remove and resize while it does:
 *
 *  - Nothing is in flight: the turn has applied and sent what was gathered.
 *  - What they set is applied by the call, and told by the turn that sleeps.
 *  - What they remove is removed by the call, which waits until nothing is received from
 *    it.  No turn tells it that had not returned.
 *  - What cannot be watched is told to @failed by the turn, which wakes for that.
 *
 * Sends and ukevent_fds_take() are of the thread that makes the turns.
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_FDS_H
#define _UKEVENT_FDS_H

#include "ukevent_data.h"

/* Bits beside the events of @wanted and @watched of struct ukevent_fd. */
#define UKEVENT_FD_SET		(1U << 16)	/* watched, if only for errors */
#define UKEVENT_FD_LISTED	(1U << 17)	/* of @wanted only */
#define UKEVENT_FD_STREAM	(1U << 18)	/* by KEVENT_TYPE_STREAM */

#define UKEVENT_FD_NONE		(~(uint32_t)0)

/* Number and cookie of the user event that wakes a turn: no descriptor's. */
#define UKEVENT_FDS_WAKE	(~(uint64_t)0)

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
 * @io: what is gathered, sends as well; its callbacks are told what became of it: the
 *	first member
 * @fd: the table, of the program
 * @nr: its entries
 * @first: the first that may need a change
 * @type: %KEVENT_TYPE_POLL or %KEVENT_TYPE_SOCKET, of all but streams
 * @most: bytes in a record of a stream; 0 for 4096
 * @awake: the program was told something, and this turn is not to sleep
 * @away: the lock is given up, another thread may hold it
 * @leave: see ukevent_fds_share(); NULL if no other thread calls
 * @unsent: as that of @io, but may set and remove; may be NULL
 * @failed: called with the error number for a descriptor that cannot be watched, or not
 *	for what was set; it is not watched any more.  May set and remove
 * @data: the program's own
 */
struct ukevent_fds {
	struct ukevent_io	io;
	struct ukevent_fd	*fd;
	uint32_t		nr;
	uint32_t		first;
	unsigned int		type;
	uint32_t		most;
	uint32_t		awake;
	uint32_t		away;
	void			(*leave)(struct ukevent_fds *fds, int away);
	void			(*unsent)(struct ukevent_fds *fds,
					  const struct kevent_send *send,
					  uint64_t cookie);
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

/* The type of the interest that has these bits. */
static inline unsigned int ukevent_fds_type(const struct ukevent_fds *fds,
					    uint32_t watched)
{
	return watched & UKEVENT_FD_STREAM ? KEVENT_TYPE_STREAM : fds->type;
}

static inline void ukevent_fds_unwatch(struct ukevent_fds *fds, unsigned int type,
				       uint64_t id)
{
	if (fds->away) {
		/* Refused while the turn that sleeps receives from the stream. */
		while (ukevent_op_id(fds->io.loop.q, KEVENT_OP_REMOVE, type, id, 0) ==
		       -EBUSY)
			poll(NULL, 0, 1);
		return;
	}
	ukevent_by_id(ukevent_prep_op(ukevent_next(&fds->io.loop), KEVENT_OP_REMOVE,
				      type, 0, 0), id);
}

/**
 * ukevent_fds_remove - do not watch a descriptor any more
 * @fds: the descriptors
 * @fd: the descriptor, which may be closed then
 */
static inline void ukevent_fds_remove(struct ukevent_fds *fds, int fd)
{
	struct ukevent_fd *e = fds->fd + fd;
	const unsigned int type = ukevent_fds_type(fds, e->watched);
	const uint64_t id = e->id;

	e->wanted &= UKEVENT_FD_LISTED;
	e->watched = 0;
	e->id = 0;
	e->generation++;
	if (id)
		ukevent_fds_unwatch(fds, type, id);
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
	/* The upper half has our bits. */
	ukevent_prep(change, e->id ? KEVENT_OP_MODIFY : KEVENT_OP_ADD,
		     ukevent_fds_type(fds, wanted), (uint64_t)fd, (uint16_t)wanted, 0,
		     ukevent_fds_cookie(fds, (uint32_t)fd));
	if (wanted & UKEVENT_FD_STREAM)
		ukevent_stream_limits(change, 0, fds->most, 0);
	return e->id ? ukevent_by_id(change, e->id) : change;
}

/* Take the result of a change over. */
static inline void ukevent_fds_note(struct ukevent_fds *fds,
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
		ukevent_fds_unwatch(fds, change->type, change->id);
	}
}

/*
 * Apply what was set now, as the turn that would sleeps.  What fails is left to it, as
 * it is the one to tell.
 */
static inline int ukevent_fds_apply(struct ukevent_fds *fds, int fd)
{
	const uint32_t watched = fds->fd[fd].watched;
	struct kevent_change change;
	int ret;

	if (!ukevent_fds_prep(fds, fd, &change))
		return 0;
	ret = ukevent_change(fds->io.loop.q, &change);
	if (ret < 0) {
		fds->fd[fd].watched = watched;
		ukevent_trigger(fds->io.loop.q, UKEVENT_FDS_WAKE, 0);
	} else {
		ukevent_fds_note(fds, &change);
	}
	return ret;
}

static inline void ukevent_fds_want(struct ukevent_fds *fds, int fd, uint32_t wanted)
{
	struct ukevent_fd *e = fds->fd + fd;
	const uint32_t listed = e->wanted & UKEVENT_FD_LISTED;

	e->wanted = wanted | UKEVENT_FD_SET | listed;
	if (listed || e->wanted == e->watched)
		return;
	if (fds->away && !ukevent_fds_apply(fds, fd))
		return;
	e->wanted |= UKEVENT_FD_LISTED;
	e->next = fds->first;
	fds->first = (uint32_t)fd;
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
	ukevent_fds_want(fds, fd, events);
}

/**
 * ukevent_fds_stream - receive what comes on a socket, for these events from now on
 * @fds: the descriptors, of a queue with a data area
 * @fd: a stream socket that is connected; removed before it is set, and the other way
 *	round
 * @events: %KEVENT_STREAM_RECV and so on
 *
 * These are told once each, as with %KEVENT_EDGE.  Without RECV nothing more is taken
 * from the socket when the next turn has begun; bytes that were taken are told all the
 * same, by that turn and as many as it takes to empty the ring.
 */
static inline void ukevent_fds_stream(struct ukevent_fds *fds, int fd,
				      uint32_t events)
{
	ukevent_fds_want(fds, fd, events | UKEVENT_FD_STREAM);
}

/* These three are told by the loop, of which all is the first member. */
static inline void ukevent_fds_applied(struct ukevent_loop *loop,
				       const struct kevent_change *change)
{
	ukevent_fds_note((struct ukevent_fds *)loop, change);
}

static inline void ukevent_fds_failed(struct ukevent_loop *loop,
				      const struct kevent_change *change)
{
	struct ukevent_fds *fds = (struct ukevent_fds *)loop;
	const int fd = ukevent_fds_named(fds, change->cookie);

	ukevent_fds_note(fds, change);
	if (change->op == KEVENT_OP_REMOVE || fd < 0)
		return;
	fds->awake = 1;
	if (fds->failed)
		fds->failed(fds, fd, -change->result);
}

static inline void ukevent_fds_unsent(struct ukevent_io *io,
				      const struct kevent_send *send, uint64_t cookie)
{
	struct ukevent_fds *fds = (struct ukevent_fds *)io;

	fds->awake = 1;
	if (fds->unsent)
		fds->unsent(fds, send, cookie);
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
	ukevent_io_init(&fds->io, q, ukevent_fds_failed, ukevent_fds_unsent);
	fds->io.loop.applied = ukevent_fds_applied;
	ukevent_fds_resize(fds, table, nr);
	fds->first = UKEVENT_FD_NONE;
	fds->type = type;
	fds->failed = failed;
}

/**
 * ukevent_fds_share - have turns give up the lock of the program to sleep
 * @fds: the descriptors, between two turns
 * @leave: called by a turn with 1 right before it may sleep, to release the lock, and
 *	with 0 right after, to take it again
 *
 * A turn that has changes and finds no record enters the kernel twice from then on, for
 * the changes and to sleep.
 *
 * Return: 0, or a negative error number if this kernel has no %KEVENT_TYPE_USER or no
 * room for the interest: then what cannot be watched wakes no turn, and the next tells.
 */
static inline int
ukevent_fds_share(struct ukevent_fds *fds,
		  void (*leave)(struct ukevent_fds *fds, int away))
{
	struct kevent_change change;

	fds->leave = leave;
	return ukevent_change(fds->io.loop.q,
			      ukevent_prep_user(&change, KEVENT_OP_ADD,
						UKEVENT_FDS_WAKE, 0,
						UKEVENT_FDS_WAKE));
}

/* All that was set as changes, those that find no room at once. */
static inline void ukevent_fds_gather(struct ukevent_fds *fds)
{
	struct ukevent_loop *loop = &fds->io.loop;
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
	ukevent_flush(&fds->io.loop);
	if (!ukevent_fds_prep(fds, fd, &change))
		return 0;
	change.result = ukevent_change(fds->io.loop.q, &change);
	ukevent_fds_note(fds, &change);
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
		/* Bytes have left the socket, whatever is asked for by now. */
		if (!ukevent_has_bytes(ev + i))
			ev[left].events &= always | fds->fd[fd].watched;
		if (ev[left].events)
			left++;
	}
	return left;
}

/**
 * ukevent_fds_take - take the records that are there, no system call
 * @fds: the descriptors
 * @ev: as ukevent_fds_turn(); bytes stay until the next turn
 * @max: room in @ev
 *
 * For who has set a stream to be without RECV, by ukevent_fds_now(), and is to read from
 * the socket itself: with room for all that the ring holds, these are all bytes that have
 * left it.
 *
 * Return: number of records, or a negative error number.
 */
static inline int ukevent_fds_take(struct ukevent_fds *fds, struct ukevent *ev,
				   uint32_t max)
{
	const int n = ukevent_take(fds->io.loop.q, ev, max);
	const struct ukevent *last = ukevent_last_bytes(ev, n);

	if (last)
		ukevent_io_release(&fds->io, last);
	return n > 0 ? ukevent_fds_sort(fds, ev, n) : n;
}

/* ukevent_io_turn() that gives up the lock if it is to sleep, with nothing in flight. */
static inline int ukevent_fds_turn_shared(struct ukevent_fds *fds, struct ukevent *ev,
					  uint32_t max, uint64_t timeout_ns)
{
	struct ukevent_io *io = &fds->io;
	int n;

	/* What is done gathers some more where an interest was removed before it was. */
	while (!timeout_ns || io->nr || io->loop.nr) {
		n = ukevent_io_turn(io, ev, max, 0);
		if (n || !timeout_ns || fds->awake)
			return n;
	}
	fds->away = 1;
	fds->leave(fds, 1);
	n = ukevent_io_turn(io, ev, max, timeout_ns);
	fds->leave(fds, 0);
	fds->away = 0;
	return n;
}

/**
 * ukevent_fds_turn - send, apply what was set, take records, sleep if there are none
 * @fds: the descriptors
 * @ev: receives the records; the cookie of each is the descriptor
 * @max: room in @ev
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * Enters the kernel as ukevent_io_turn() does, but see ukevent_fds_share().
 *
 * Return: number of records, of which no two are of one descriptor but of a stream; 0
 * after the timeout, if @failed or @unsent was called, or with a timeout if records were
 * of what is not watched any more; or a negative error number.
 */
static inline int ukevent_fds_turn(struct ukevent_fds *fds, struct ukevent *ev,
				   uint32_t max, uint64_t timeout_ns)
{
	int n, taken;

	fds->awake = 0;
	do {
		ukevent_fds_gather(fds);
		n = taken = fds->leave ?
			ukevent_fds_turn_shared(fds, ev, max, timeout_ns) :
			ukevent_io_turn(&fds->io, ev, max, timeout_ns);
		/* Interrupted before the first. */
		if (n < 0)
			ukevent_flush(&fds->io.loop);
		if (n > 0)
			n = ukevent_fds_sort(fds, ev, n);
	} while (!n && taken > 0 && timeout_ns == UKEVENT_FOREVER && !fds->awake);
	return n;
}

#endif /* _UKEVENT_FDS_H */
