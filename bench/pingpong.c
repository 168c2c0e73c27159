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
#include <sys/eventfd.h>

#include "bench.h"

static int answer;

static void eventfds(struct bench *b, int flags)
{
	unsigned int i;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = eventfd(0, EFD_CLOEXEC | flags);
		if (b->fd[i] < 0)
			die("eventfd");
	}
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

static void epoll_consumer(struct bench *b)
{
	int i, n;

	for (;;) {
		n = epoll_collect(b, -1);
		for (i = 0; i < n; i++)
			consume(b->epoll_buf[i].data.fd);
	}
}

/* a level queue looks again at what it delivered before it sleeps */
static void kevent_consumer(struct bench *b)
{
	int i, n;

	for (;;) {
		n = kevent_collect(b, UKEVENT_FOREVER);
		for (i = 0; i < n; i++)
			consume(b->record_buf[i].cookie);
	}
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

const struct run pingpong_runs[] = {
	{ "pingpong", "floor", floor_sources, NULL, producer, floor_consumer },
	{ "pingpong", "epoll-lt", sources, epoll_lt_queue, producer, epoll_consumer },
	{ "pingpong", "epoll-et", sources, epoll_et_queue, producer, epoll_consumer },
	{ "pingpong", "kevent-edge", sources, kevent_edge_queue, producer, kevent_consumer },
	{ "pingpong", "kevent-level", sources, kevent_level_queue, producer, kevent_consumer },
	{ "pingpong-sleep", "floor", sleep_floor_sources, NULL, producer, floor_consumer },
	{ "pingpong-sleep", "epoll-lt", sleep_sources, epoll_lt_queue, producer, epoll_consumer },
	{ "pingpong-sleep", "epoll-et", sleep_sources, epoll_et_queue, producer, epoll_consumer },
	{ "pingpong-sleep", "kevent-edge", sleep_sources, kevent_edge_queue, producer, kevent_consumer },
	{ "pingpong-sleep", "kevent-level", sleep_sources, kevent_level_queue, producer, kevent_consumer },
	{ 0 },
};
