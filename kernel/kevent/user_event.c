// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source USER - events that programs trigger
 *
 * Triggers add up in the interest until a record tells them.  All under
 * user->lock, which TRIGGER takes once; so a trigger is either in a record or in
 * @count, whatever the consumer does meanwhile.
 */

#include <linux/overflow.h>
#include <linux/seq_file.h>

#include "kevent.h"

/**
 * struct kevent_user_event - an interest of type USER
 * @n: what interests named by numbers have
 * @payload: of the last trigger
 * @count: triggers not told yet
 * @saturated: there were more
 */
struct kevent_user_event {
	struct kevent_number	n;
	u64			payload;
	u64			count;
	bool			saturated;
};

static struct kevent_user_event *kevent_to_user_event(const struct kevent *k)
{
	return container_of(kevent_to_number(k), struct kevent_user_event, n);
}

static int kevent_user_event_check(const struct kevent_change *change)
{
	unsigned int used = change->op == KEVENT_OP_TRIGGER ?
			    KEVENT_USER_COUNT + 1 : 0;
	unsigned int i;

	for (i = used; i < ARRAY_SIZE(change->param); i++)
		if (change->param[i])
			return -EINVAL;
	return change->addr ? -EINVAL : 0;
}

static u32 kevent_user_event_trigger(struct kevent *k,
				     const struct kevent_change *change)
{
	struct kevent_user_event *u = kevent_to_user_event(k);

	u->payload = change->param[KEVENT_USER_PAYLOAD];
	if (check_add_overflow(u->count,
			       change->param[KEVENT_USER_COUNT] ?: 1, &u->count)) {
		u->count = U64_MAX;
		u->saturated = true;
	}
	return KEVENT_USER_TRIGGERED;
}

static u16 kevent_user_event_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_user_event *u = kevent_to_user_event(k);
	u16 flags = u->saturated ? KEVENT_REC_SATURATED : 0;

	data[0] = u->payload;
	data[1] = u->count;
	u->count = 0;
	u->saturated = false;
	return flags;
}

/* There is nothing to hook into. */
static s64 kevent_user_event_attach(struct kevent *k,
				    const struct kevent_change *change,
				    union kevent_found *found)
{
	return 0;
}

static void kevent_user_event_detach(struct kevent *k)
{
}

static void kevent_user_event_show(const struct kevent *k, struct seq_file *m)
{
	seq_printf(m, " count: %llu", kevent_to_user_event(k)->count);
}

const struct kevent_source_ops kevent_user_ops = {
	.type		= KEVENT_TYPE_USER,
	.name		= "user",
	.size		= sizeof(struct kevent_user_event),
	.identity	= KEVENT_IDENT_NUMBER,
	.valid_events	= KEVENT_USER_TRIGGERED,
	.always_events	= KEVENT_USER_TRIGGERED,
	.check		= kevent_user_event_check,
	.attach		= kevent_user_event_attach,
	.detach		= kevent_user_event_detach,
	.fill		= kevent_user_event_fill,
	.trigger	= kevent_user_event_trigger,
	.show		= kevent_user_event_show,
};
