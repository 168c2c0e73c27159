// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * producers.c - who makes the events: one thread or many
 *
 * Workload producers, whose parameter is the number of threads: a round makes all
 * of them runnable; each writes to its share of the active eventfds and sleeps;
 * the consumer collects and reads what is there, and sleeps when nothing is.  On
 * one processor they do not compete for a lock, but each of them finds the queue
 * as the one before left it, and a sleeper to wake or not.
 */
#include <fcntl.h>
#include <pthread.h>

#include "bench.h"

static int *go;			/* an eventfd for each producer */
static struct bench *bench;

static void *producer(void *arg)
{
	const unsigned int share = bench->active / bench->parameter;
	const unsigned int number = (uintptr_t)arg, at = number * share;
	unsigned int i;

	for (;;) {
		read_count(go[number]);
		for (i = 0; i < share; i++)
			write_one(bench->fd[at + i]);
	}
	return NULL;
}

static void sources(struct bench *b)
{
	pthread_t thread;
	uintptr_t i;

	if (!b->parameter || b->active % b->parameter ||
	    b->active != b->registered)
		die_of("each producer has as many of all descriptors");
	bench = b;
	run_until_sleep();
	make_eventfds(b, EFD_NONBLOCK);
	go = get_memory(b->parameter, sizeof(*go));
	for (i = 0; i < b->parameter; i++) {
		go[i] = eventfd(0, EFD_CLOEXEC);
		if (go[i] < 0)
			die("eventfd");
		errno = pthread_create(&thread, NULL, producer, (void *)i);
		if (errno)
			die("pthread_create");
	}
}

static void start(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->parameter; i++)
		write_one(go[i]);
}

/* knows in which order they come */
static void floor_rounds(struct bench *b)
{
	unsigned int round, i;

	for (round = 0; round < b->rounds; round++) {
		start(b);
		for (i = 0; i < b->active; i++)
			read_count(b->fd[i]);
		b->collected += b->active;
	}
}

static void floor_sources(struct bench *b)
{
	unsigned int i;

	sources(b);
	for (i = 0; i < b->registered; i++)
		if (fcntl(b->fd[i], F_SETFL, 0))
			die("fcntl");
}

static __always_inline void queue_rounds(struct bench *b, enum peer peer)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		start(b);
		for (got = 0; got < b->active; got += n) {
			n = collect(b, peer);
			for (i = 0; i < n; i++)
				read_count(collected_fd(b, peer, i));
		}
		b->collected += got;
	}
}

ROUNDS(epoll_rounds, queue_rounds(b, EPOLL))
ROUNDS(kevent_rounds, queue_rounds(b, KEVENT))
ROUNDS(poll_rounds, queue_rounds(b, POLL))
ROUNDS(uring_rounds, queue_rounds(b, URING))

const struct run producers_runs[] = {
	{ "producers", "floor", floor_sources, NULL, floor_rounds },
	{ "producers", "poll", sources, poll_queue, poll_rounds },
	{ "producers", "epoll-lt", sources, epoll_lt_queue, epoll_rounds },
	{ "producers", "epoll-et", sources, epoll_et_queue, epoll_rounds },
	{ "producers", "kevent-edge", sources, kevent_edge_queue, kevent_rounds },
	{ "producers", "kevent-level", sources, kevent_level_queue, kevent_rounds },
	{ "producers", "uring", sources, uring_queue, uring_rounds },
	{ "producers", "uring-defer", sources, uring_defer_queue, uring_rounds },
	{ 0 },
};
