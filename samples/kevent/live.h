/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What http-server counts, and tells those who look at /live.html.
 */
#ifndef LIVE_H
#define LIVE_H

#include <stddef.h>
#include <stdint.h>

#include "ukevent.h"

/**
 * struct live - counters of a thread, which alone writes them
 * @records: records taken
 * @timers: of these, timers that expired
 * @signals: signals
 * @children: children that ended
 * @conns: connections that are open
 * @accepted: connections ever
 * @answers: requests answered
 * @received: bytes received, by recv() or STREAM
 * @sent: bytes sent from memory, by send() or kevent_send()
 * @files: bytes of files sent, by sendfile() or kevent_send() and SENDFILE
 * @peak: the fullest the ring was since somebody looked
 */
struct live {
	uint64_t	records;
	uint64_t	timers;
	uint64_t	signals;
	uint64_t	children;
	uint64_t	conns;
	uint64_t	accepted;
	uint64_t	answers;
	uint64_t	received;
	uint64_t	sent;
	uint64_t	files;
	uint32_t	peak;
} __attribute__((aligned(64)));

/* No atomic operation is needed by the only one who writes. */
static inline void live_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* How full is the ring?  The last one to look starts anew. */
static inline void live_ring(struct live *live, const struct ukevent_queue *q)
{
	uint32_t n = __atomic_load_n(q->producer, __ATOMIC_RELAXED) -
		     __atomic_load_n(q->consumer, __ATOMIC_RELAXED);

	if (n > __atomic_load_n(&live->peak, __ATOMIC_RELAXED))
		__atomic_store_n(&live->peak, n, __ATOMIC_RELAXED);
}

/**
 * struct live_thread - what is to be known of each thread
 * @live: its counters
 * @queue: its queue
 */
struct live_thread {
	struct live			*live;
	const struct ukevent_queue	*queue;
};

#define LIVE_EVENT	4096	/* longest event */

void live_init(const struct live_thread *threads, int nr, const char *mode);
size_t live_event(char *text, int loading);
void live_print(void);

#endif /* LIVE_H */
