/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of timers and user events with waits and files.
 */
#ifndef KEVENT_SOURCE_TEST_H
#define KEVENT_SOURCE_TEST_H

#include "kevent_test.h"

#define HOUR		(3600 * NSEC_PER_SEC)
#define LAST		KEVENT_REC_LAST
#define EXPIRED		KEVENT_TIMER_EXPIRED
#define TRIGGERED	KEVENT_USER_TRIGGERED

static const int clocks[] = {
	CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
};

static inline struct kevent_change make_timer(unsigned int op, __u64 number,
					      __u64 time_ns, __u64 period_ns,
					      int clock, __u32 flags,
					      __u64 cookie)
{
	struct kevent_change c = make_typed(op, KEVENT_TYPE_TIMER, number, 0,
					    flags, cookie);

	c.param[KEVENT_TIMER_TIME] = time_ns;
	c.param[KEVENT_TIMER_PERIOD] = period_ns;
	c.param[KEVENT_TIMER_CLOCK] = clock;
	return c;
}

static inline struct kevent_change make_user(unsigned int op, __u64 number,
					     __u32 flags, __u64 cookie)
{
	return make_typed(op, KEVENT_TYPE_USER, number, 0, flags, cookie);
}

static inline struct kevent_change make_trigger(__u64 number, __u64 payload)
{
	struct kevent_change c = make_user(KEVENT_OP_TRIGGER, number, 0, 0);

	c.param[KEVENT_USER_PAYLOAD] = payload;
	return c;
}

static inline int add_user(struct ukevent_queue *q, __u64 number, __u32 flags,
			   __u64 cookie)
{
	return ukevent_add(q, KEVENT_TYPE_USER, number, 0, flags, cookie);
}

/* A timer that never expires here. */
static inline int add_far_timer(struct ukevent_queue *q, __u64 number,
				__u64 cookie)
{
	return ukevent_set_timer(q, KEVENT_OP_ADD, number, HOUR, 0,
				 CLOCK_MONOTONIC, 0, cookie);
}

/* Lets a timer expire once, in a hard interrupt, soon. */
static inline int fire_timer(struct ukevent_queue *q, __u64 number,
			     __u64 cookie)
{
	return ukevent_set_timer(q, KEVENT_OP_MODIFY, number, 10000, 0,
				 CLOCK_MONOTONIC, 0, cookie);
}

/* ---- checks ---- */

#define EXPECT_TIMER(ev, cookie, count) \
	check_record(_metadata, __LINE__, ev, KEVENT_TYPE_TIMER, cookie, \
		     EXPIRED, 0, count, 0)

#define EXPECT_USER(ev, cookie, payload, count) \
	check_record(_metadata, __LINE__, ev, KEVENT_TYPE_USER, cookie, \
		     TRIGGERED, 0, payload, count)

#endif /* KEVENT_SOURCE_TEST_H */
