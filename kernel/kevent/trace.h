/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One event per hop of the way from a source to the program:
 *
 *   source wakes -> kevent triggers -> queue publishes -> ring holds -> user
 *   consumes
 *
 * Queues and interests are named by numbers that are not addresses: an interest
 * by its cookie and id, a queue by the positions of its ring.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kevent

#if !defined(_TRACE_KEVENT_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KEVENT_H

#include <linux/tracepoint.h>
#include "kevent.h"

DECLARE_EVENT_CLASS(kevent_interest,

	TP_PROTO(const struct kevent *k, u32 events),

	TP_ARGS(k, events),

	TP_STRUCT__entry(
		__field(u64,	id)
		__field(u64,	cookie)
		__field(u32,	events)
		__field(u16,	flags)
		__field(u8,	type)
	),

	TP_fast_assign(
		__entry->id	= k->id;
		__entry->cookie	= k->cookie;
		__entry->events	= events;
		__entry->flags	= k->flags;
		__entry->type	= k->type;
	),

	TP_printk("id %llu type %u cookie %#llx events %#x flags %#x",
		  __entry->id, __entry->type, __entry->cookie, __entry->events,
		  __entry->flags)
);

/* The key of the wake-up, before it is compared with what was asked for. */
DEFINE_EVENT(kevent_interest, kevent_wake,
	TP_PROTO(const struct kevent *k, u32 events),
	TP_ARGS(k, events)
);

/* Events known to be true; 0: the source is to be asked. */
DEFINE_EVENT(kevent_interest, kevent_trigger,
	TP_PROTO(const struct kevent *k, u32 events),
	TP_ARGS(k, events)
);

/* A record is about to be written; 0: it only says LAST. */
DEFINE_EVENT(kevent_interest, kevent_publish,
	TP_PROTO(const struct kevent *k, u32 events),
	TP_ARGS(k, events)
);

/* A record is in the ring. */
TRACE_EVENT(kevent_hold,

	TP_PROTO(const struct kevent *k, u32 events, u16 flags),

	TP_ARGS(k, events, flags),

	TP_STRUCT__entry(
		__field(u64,	id)
		__field(u64,	cookie)
		__field(u64,	produced)
		__field(u64,	consumed)
		__field(u32,	events)
		__field(u16,	type)
		__field(u16,	flags)
	),

	TP_fast_assign(
		__entry->id		= k->id;
		__entry->cookie		= k->cookie;
		__entry->produced	= k->user->produced;
		__entry->consumed	= k->user->consumed;
		__entry->events		= events;
		__entry->type		= k->type;
		__entry->flags		= flags;
	),

	TP_printk("id %llu type %u cookie %#llx events %#x flags %#x produced %llu consumed %llu",
		  __entry->id, __entry->type, __entry->cookie, __entry->events,
		  __entry->flags, __entry->produced, __entry->consumed)
);

/*
 * A step of a transfer is over: what it has sent, and why it ended, a number of enum
 * kevent_stepped or an error.
 */
TRACE_EVENT(kevent_step,

	TP_PROTO(const struct kevent *k, u64 sent, int result),

	TP_ARGS(k, sent, result),

	TP_STRUCT__entry(
		__field(u64,	id)
		__field(u64,	cookie)
		__field(u64,	sent)
		__field(int,	result)
		__field(u8,	type)
	),

	TP_fast_assign(
		__entry->id	= k->id;
		__entry->cookie	= k->cookie;
		__entry->sent	= sent;
		__entry->result	= result;
		__entry->type	= k->type;
	),

	TP_printk("id %llu type %u cookie %#llx sent %llu result %d", __entry->id,
		  __entry->type, __entry->cookie, __entry->sent, __entry->result)
);

/* The kernel found the consumer index advanced. */
TRACE_EVENT(kevent_consume,

	TP_PROTO(const struct kevent_user *user, u32 records),

	TP_ARGS(user, records),

	TP_STRUCT__entry(
		__field(u64,	produced)
		__field(u64,	consumed)
		__field(u32,	records)
	),

	TP_fast_assign(
		__entry->produced	= user->produced;
		__entry->consumed	= user->consumed;
		__entry->records	= records;
	),

	TP_printk("records %u produced %llu consumed %llu", __entry->records,
		  __entry->produced, __entry->consumed + __entry->records)
);

#endif /* _TRACE_KEVENT_H */

/* This part must be outside protection */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../kernel/kevent
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
