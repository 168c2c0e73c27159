// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * pingpong.c - P5: a consumer that sleeps
 *
 * Workload pingpong: a producer writes to an eventfd and then reads from another
 * one, sleeping if need be; the consumer, a second thread on the same CPU, is
 * woken, reads, writes to the other one, and sleeps again.  The consumer of the
 * floor sleeps in read() as well.  Whom the scheduler prefers is its own affair:
 * most often the consumer, so that the producer need not sleep; and a consumer
 * that is preempted after its answer finds the next event without sleeping.
 * Workload pingpong-sleep: nobody is preempted, so that both sleep each time.
 */
#include "bench.h"

static int answer;

static void eventfds(struct bench *b, int flags)
{
	make_eventfds(b, flags);
	answer = eventfd(0, EFD_CLOEXEC);
	if (answer < 0)
		die("eventfd");
}

static void sources(struct bench *b)
{
	eventfds(b, EFD_NONBLOCK);
}

static void floor_sources(struct bench *b)
{
	eventfds(b, 0);
}

static void sleep_sources(struct bench *b)
{
	run_until_sleep();
	sources(b);
}

static void sleep_floor_sources(struct bench *b)
{
	run_until_sleep();
	floor_sources(b);
}

static inline void consume(int fd)
{
	read_count(fd);
	write_one(answer);
}

static void floor_consumer(struct bench *b)
{
	unsigned int at = 0;

	for (;;) {
		consume(b->fd[at]);
		if (++at == b->registered)
			at = 0;
	}
}

/* a level queue looks again at what it delivered before it sleeps */
static __always_inline void consumer(struct bench *b, enum peer peer)
{
	int i, n;

	for (;;) {
		n = collect(b, peer);
		for (i = 0; i < n; i++)
			consume(collected_fd(b, peer, i));
	}
}

ROUNDS(epoll_consumer, consumer(b, EPOLL))
ROUNDS(kevent_consumer, consumer(b, KEVENT))
ROUNDS(poll_consumer, consumer(b, POLL))

static void uring_consumer(struct bench *b)
{
	uring_queue(b);
	consumer(b, URING);
}

static void uring_defer_consumer(struct bench *b)
{
	uring_defer_queue(b);
	consumer(b, URING);
}

static void producer(struct bench *b)
{
	unsigned int round, i;

	for (round = 0; round < b->rounds; round++) {
		for (i = 0; i < b->active; i++) {
			write_one(b->fd[b->next]);
			if (++b->next == b->registered)
				b->next = 0;
		}
		for (i = 0; i < b->active; )
			i += read_count(answer);
		b->collected += i;
	}
}

#define RUNS(name, sources, floor_sources)				\
	{ name, "floor", floor_sources, NULL, producer, floor_consumer }, \
	{ name, "poll", sources, poll_queue, producer, poll_consumer },	\
	{ name, "epoll-lt", sources, epoll_lt_queue, producer, epoll_consumer }, \
	{ name, "epoll-et", sources, epoll_et_queue, producer, epoll_consumer }, \
	{ name, "kevent-edge", sources, kevent_edge_queue, producer, kevent_consumer }, \
	{ name, "kevent-level", sources, kevent_level_queue, producer, kevent_consumer }, \
	{ name, "uring", sources, NULL, producer, uring_consumer },	\
	{ name, "uring-defer", sources, NULL, producer, uring_defer_consumer }

const struct run pingpong_runs[] = {
	RUNS("pingpong", sources, floor_sources),
	RUNS("pingpong-sleep", sleep_sources, sleep_floor_sources),
	{ 0 },
};
