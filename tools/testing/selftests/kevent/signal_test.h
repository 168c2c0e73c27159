/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of signals.
 */
#ifndef KEVENT_SIGNAL_TEST_H
#define KEVENT_SIGNAL_TEST_H

#include "kevent_test.h"

#define LAST	KEVENT_REC_LAST
#define SIGNAL	KEVENT_TYPE_SIGNAL
#define SENT	KEVENT_SIGNAL_SENT

/* Real-time signals, as numbers: SIGRTMIN is none. */
#define RT(n)	(34 + (n))

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

static inline int add_signal(struct ukevent_queue *q, int sig, __u32 flags,
			     __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, SIGNAL, sig, 0,
					    flags, cookie);
	int ret = do_change(q->fd, &c);

	if (id)
		*id = c.id;
	return ret;
}

static inline int op_signal(struct ukevent_queue *q, unsigned int op, int sig)
{
	return ukevent_op(q, op, SIGNAL, sig);
}

static inline int modify_signal(struct ukevent_queue *q, int sig, __u32 flags,
				__u64 cookie)
{
	struct kevent_change c = make_typed(KEVENT_OP_MODIFY, SIGNAL, sig, 0,
					    flags, cookie);

	return do_change(q->fd, &c);
}

static inline int op_signal_id(struct ukevent_queue *q, unsigned int op,
			       __u64 id, __u32 flags)
{
	struct kevent_change c = make_typed(op, SIGNAL, 0, 0,
					    KEVENT_BY_ID | flags, 0);

	c.id = id;
	return do_change(q->fd, &c);
}

static inline int ignore(int sig)
{
	return signal(sig, SIG_IGN) == SIG_ERR ? -errno : 0;
}

static inline int block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Sends a signal with a value; 0 or a negative error number. */
static inline int queue_signal(pid_t pid, int sig, uintptr_t value)
{
	union sigval v = { .sival_ptr = (void *)value };

	return sigqueue(pid, sig, v) ? -errno : 0;
}

static inline int kill_self(int sig)
{
	return kill(getpid(), sig) ? -errno : 0;
}

/* The first data word. */
static inline __u64 sent_by(pid_t sender, __u32 count)
{
	return (__u64)(__u32)sender << 32 | count;
}

#define EXPECT_SIGNAL(q, cookie, flags, sender, value, count) \
	EXPECT_TAKE_TYPED(q, SIGNAL, cookie, SENT, flags, \
			  sent_by(sender, count), value)

/* The last record of an interest that had nothing more to tell. */
#define EXPECT_LAST(q, cookie) \
	EXPECT_TAKE_TYPED(q, SIGNAL, cookie, 0, LAST, 0, 0)

#endif /* KEVENT_SIGNAL_TEST_H */
