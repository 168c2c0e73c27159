/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent_loop.h - a loop turn is one kernel entry
 *
 * A thread gathers changes while it handles records, and its next turn hands them to
 * the kernel together with the wait:
 *
 *	ukevent_loop_init(&loop, &q, failed);
 *	for (;;) {
 *		ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, ...);
 *		n = ukevent_turn(&loop, ev, 64, UKEVENT_FOREVER);
 *		...
 *	}
 *
 * Each change is applied once, in the order in which they were gathered, before the
 * turn sleeps or takes records; when there is no room for another one, at once.  What
 * becomes of them is told by two callbacks, whoever applied them: one for those that
 * failed, another for the others, which learns the ids.
 *
 * A loop is of one thread.  With several consumers each has its own, for the one
 * queue, and all call ukevent_turn_shared().
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_LOOP_H
#define _UKEVENT_LOOP_H

#include <poll.h>

#include "ukevent.h"

#define UKEVENT_GATHERED	64

/**
 * struct ukevent_loop - what a thread has gathered for its next turn
 * @q: the queue
 * @nr: changes gathered
 * @room: places for them; fewer while @failed or @applied is called
 * @failed: called for each change that failed, with its result; may be NULL.  It may
 *	gather a change itself, not again one that fails for good.  Records of the
 *	turn are handled after it: nothing is freed there that one of them may name
 * @applied: NULL, or called for each change that did not fail, with its id; otherwise
 *	as @failed, and in one order with it, that of the changes
 * @interest: NULL, or whom to ask for what a record of %KEVENT_TYPE_POLL or
 *	%KEVENT_TYPE_SOCKET is about, see ukevent_ask()
 * @data: the program's own
 * @change: the changes
 */
struct ukevent_loop {
	struct ukevent_queue	*q;
	uint32_t		nr;
	uint32_t		room;
	void			(*failed)(struct ukevent_loop *loop,
					  const struct kevent_change *change);
	void			(*applied)(struct ukevent_loop *loop,
					   const struct kevent_change *change);
	uint32_t		(*interest)(struct ukevent_loop *loop,
					    const struct ukevent *ev,
					    struct pollfd *pfd);
	void			*data;
	struct kevent_change	change[UKEVENT_GATHERED];
};

/**
 * ukevent_loop_size - bytes of a struct ukevent_loop, as ukevent_queue_size()
 *
 * Return: their number.
 */
UKEVENT_INLINE size_t ukevent_loop_size(void)
{
	return sizeof(struct ukevent_loop);
}

/**
 * ukevent_loop_init - nothing is gathered
 * @loop: filled in
 * @q: its queue, with or without a ring
 * @failed: see there; may be NULL
 */
UKEVENT_INLINE void
ukevent_loop_init(struct ukevent_loop *loop, struct ukevent_queue *q,
		  void (*failed)(struct ukevent_loop *loop,
				 const struct kevent_change *change))
{
	memset(loop, 0, sizeof(*loop));
	loop->q = q;
	loop->room = UKEVENT_GATHERED;
	loop->failed = failed;
}

/* Apply from the entry @done on; those before were.  All get their result. */
static inline void ukevent_apply_rest(struct ukevent_loop *loop, uint32_t done)
{
	struct kevent_change *e;
	int ret;

	while (done < loop->nr) {
		e = loop->change + done;
		/* The call before ended between two that depend on each other. */
		if (done && e->flags & KEVENT_DEPENDS) {
			if (e[-1].result < 0) {
				e->result = -ECANCELED;
				done++;
				continue;
			}
			e->flags &= ~KEVENT_DEPENDS;
		}
		ret = loop->q->here->process ?
		      sys_kevent_ctl(loop->q->fd, e, loop->nr - done,
				     sizeof(*e), 0) : -ECHILD;
		if (ret <= 0) {
			e->result = ret ? ret : -EIO;
			ret = 1;
		}
		done += ret;
	}
}

/* All of them, of which @done are applied already; how many have failed. */
static inline uint32_t ukevent_settle(struct ukevent_loop *loop, uint32_t done)
{
	void (*told)(struct ukevent_loop *loop, const struct kevent_change *change);
	const uint32_t nr = loop->nr, room = loop->room;
	struct kevent_change change;
	uint32_t i, failed = 0;

	ukevent_apply_rest(loop, done);
	loop->nr = 0;
	for (i = 0; i < nr; i++) {
		told = loop->applied;
		if (loop->change[i].result < 0) {
			told = loop->failed;
			failed++;
		}
		if (!told)
			continue;
		/* What is gathered takes the places of those that were told. */
		change = loop->change[i];
		loop->room = i + 1;
		told(loop, &change);
	}
	loop->room = room;
	return failed;
}

/**
 * ukevent_flush - apply what is gathered now, not in the next turn
 * @loop: the loop
 *
 * Before the close of a descriptor that a change names, say.
 *
 * Return: how many failed, all of which @failed was told of.
 */
UKEVENT_INLINE uint32_t ukevent_flush(struct ukevent_loop *loop)
{
	return loop->nr ? ukevent_settle(loop, 0) : 0;
}

/**
 * ukevent_next - the entry for another change
 * @loop: the loop
 *
 * Return: the entry, to be filled in by a function of ukevent_prep.h.
 */
UKEVENT_INLINE struct kevent_change *ukevent_next(struct ukevent_loop *loop)
{
	/* Those that failed may have gathered as many. */
	while (loop->nr == loop->room)
		ukevent_settle(loop, 0);
	return loop->change + loop->nr++;
}

/**
 * ukevent_together - apply what is gathered if there is no room for more
 * @loop: the loop; not from @failed or @applied
 * @nr: changes to be gathered that depend on each other (%KEVENT_DEPENDS), at most
 *	%UKEVENT_GATHERED
 */
UKEVENT_INLINE void ukevent_together(struct ukevent_loop *loop, uint32_t nr)
{
	while (loop->room - loop->nr < nr)
		ukevent_settle(loop, 0);
}

/**
 * ukevent_ask - ask poll(2) which records still hold
 * @loop: the loop, with @interest
 * @ev: the records
 * @nr: how many, at most %UKEVENT_GATHERED
 *
 * A record tells what was announced.  For programs that take it for a fault if that
 * is gone, and EAGAIN for an error: what does not hold any more is dropped, and the
 * others tell all that does, of what was asked for.  One call for all of them.
 *
 * @interest fills in descriptor and events and returns the flags of the interest; or
 * sets the descriptor to -1, for a record to be kept as it is.  That is what happens
 * to the record of a one-shot and to the last one as well: no other would follow.
 * A dispatch interest whose record is dropped is enabled, by the next turn.
 *
 * Return: the number of records left.
 */
UKEVENT_INLINE uint32_t ukevent_ask(struct ukevent_loop *loop,
				    struct ukevent *ev, uint32_t nr)
{
	struct pollfd pfd[UKEVENT_GATHERED];
	uint32_t flags[UKEVENT_GATHERED], i, left = 0;
	int saved = errno, ret;

	for (i = 0; i < nr; i++) {
		memset(pfd + i, 0, sizeof(pfd[i]));
		pfd[i].fd = -1;
		flags[i] = 0;
		if ((ev[i].type == KEVENT_TYPE_POLL ||
		     ev[i].type == KEVENT_TYPE_SOCKET) &&
		    !(ev[i].flags & KEVENT_REC_LAST))
			flags[i] = loop->interest(loop, ev + i, pfd + i);
		if (flags[i] & KEVENT_ONESHOT)
			pfd[i].fd = -1;
	}
	ret = poll(pfd, nr, 0);
	errno = saved;
	if (ret < 0)
		return nr;
	for (i = 0; i < nr; i++) {
		if (pfd[i].fd >= 0 && !(pfd[i].revents & POLLNVAL)) {
			if (!pfd[i].revents) {
				if (flags[i] & KEVENT_DISPATCH)
					ukevent_prep_op(ukevent_next(loop),
							KEVENT_OP_ENABLE,
							ev[i].type, pfd[i].fd,
							0);
				continue;
			}
			ev[i].events = (uint16_t)pfd[i].revents;
		}
		ev[left++] = ev[i];
	}
	return left;
}

static inline int ukevent_turn_any(struct ukevent_loop *loop,
				   struct ukevent *buf, uint32_t max,
				   uint64_t timeout_ns, int shared)
{
	struct kevent_wait_args args, *with;
	int n, asked;

	if (loop->interest && max > UKEVENT_GATHERED)
		max = UKEVENT_GATHERED;
	do {
		with = NULL;
		if (loop->nr) {
			memset(&args, 0, sizeof(args));
			args.changes = (uintptr_t)loop->change;
			args.nr_changes = loop->nr;
			args.change_size = sizeof(loop->change[0]);
			with = &args;
		}
		n = shared ? ukevent_dequeue_shared_args(loop->q, with, buf, max,
							 timeout_ns) :
			     ukevent_dequeue_args(loop->q, with, buf, max,
						  timeout_ns);
		/* None done and an error: they stay for the next turn. */
		if (with && (n >= 0 || args.changes_done))
			ukevent_settle(loop, args.changes_done);
		asked = n > 0 && loop->interest;
		if (asked)
			n = ukevent_ask(loop, buf, n);
	} while (asked && !n && timeout_ns == UKEVENT_FOREVER);
	return n;
}

/**
 * ukevent_turn - apply what is gathered, take records, sleep if there are none
 * @loop: the loop, of a queue with a single consumer
 * @buf: receives the records
 * @max: room in @buf; with @interest at most %UKEVENT_GATHERED are taken
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * Enters the kernel once if there are changes, else as ukevent_dequeue_batch().
 *
 * Return: number of records; 0 after the timeout, if a change failed, or with
 * @interest and a timeout if no record holds any more; or a negative error number:
 * after -EINTR changes are applied, or gathered still.
 */
UKEVENT_INLINE int ukevent_turn(struct ukevent_loop *loop, struct ukevent *buf,
				uint32_t max, uint64_t timeout_ns)
{
	return ukevent_turn_any(loop, buf, max, timeout_ns, 0);
}

/**
 * ukevent_turn_shared - the same with several consumers
 * @loop: the loop of this thread
 * @buf: receives the records
 * @max: room in @buf
 * @timeout_ns: as ukevent_turn()
 *
 * Return: as ukevent_turn(), and 0 as ukevent_dequeue_shared().
 */
UKEVENT_INLINE int ukevent_turn_shared(struct ukevent_loop *loop,
				       struct ukevent *buf, uint32_t max,
				       uint64_t timeout_ns)
{
	return ukevent_turn_any(loop, buf, max, timeout_ns, 1);
}

#endif /* _UKEVENT_LOOP_H */
