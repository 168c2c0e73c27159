// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * ring.c - what a record costs on real processors: wall time
 *
 * The code that writes and takes records is the very code of kernel and library;
 * what is around it (locks, wake-ups, system calls) is not here.  One thread
 * writes and takes in turns; then two threads on a processor each, where the
 * memory of the ring goes back and forth.  Prints JSON.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shim.h"
#include "../../kernel/kevent/ring.h"
#include "../../tools/lib/kevent/ukevent.h"

#define ENTRIES		1024
#define RUNS		15
#define BATCH		64

static struct kevent_user user;
static struct ukevent_queue queue;
static struct ukevent_here here = { .ring = 1, .process = 1 };
static u32 consumer __attribute__((aligned(4096)));
static cpu_set_t processors;	/* that this program may use */

static void make_ring(void)
{
	size_t size = sizeof(*user.ring) + ENTRIES * sizeof(struct ukevent);
	struct kevent_ring *ring = aligned_alloc(4096, (size + 4095) & ~4095UL);

	if (!ring) {
		perror("aligned_alloc");
		exit(1);
	}
	memset(ring, 0, size);
	consumer = 0;
	user = (struct kevent_user) {
		.consumer = &consumer, .ring = ring, .mask = ENTRIES - 1,
	};
	queue = (struct ukevent_queue) {
		.entries = ENTRIES, .producer = &ring->producer,
		.flags = &ring->flags, .records = ring->records,
		.consumer = &consumer, .flush_after = ~0U, .here = &here,
	};
}

static void pin(unsigned int nr)
{
	cpu_set_t set;
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &processors) && !nr--)
			break;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set)) {
		fputs("pthread_setaffinity_np failed\n", stderr);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline void push(u64 value)
{
	static const u64 data[2];
	const struct kevent k = { .cookie = value, .type = KEVENT_TYPE_POLL };

	kevent_ring_push(&user, &k, 1, 0, data);
}

/* every record once and in order, or the figure means nothing */
static u64 take(u64 expected)
{
	struct ukevent buf[BATCH];
	u32 i, n = ukevent_take(&queue, buf, BATCH);

	for (i = 0; i < n; i++) {
		if (buf[i].cookie != expected + i) {
			fputs("a record is out of order\n", stderr);
			exit(1);
		}
	}
	return expected + n;
}

static double alone(u64 records, unsigned int batch)
{
	double start;
	u64 pushed = 0, taken = 0;
	unsigned int i;

	make_ring();
	pin(0);
	start = now();
	while (taken < records) {
		for (i = 0; i < batch; i++) {
			if (!kevent_ring_has_room(&user))
				abort();
			push(pushed++);
		}
		taken = take(taken);
	}
	return (now() - start) / records;
}

static void *producer(void *arg)
{
	u64 records = *(u64 *)arg, i;

	pin(1);
	for (i = 0; i < records; i++) {
		while (!kevent_ring_has_room(&user))
			;
		push(i);
	}
	return NULL;
}

static double together(u64 records, unsigned int unused)
{
	pthread_t thread;
	double start;
	u64 taken = 0;

	(void)unused;
	make_ring();
	pin(0);
	start = now();
	if (pthread_create(&thread, NULL, producer, &records)) {
		fputs("pthread_create failed\n", stderr);
		exit(1);
	}
	while (taken < records)
		taken = take(taken);
	start = (now() - start) / records;
	pthread_join(thread, NULL);
	return start;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

static void measure(const char *what, double (*run)(u64, unsigned int),
		    u64 records, unsigned int batch)
{
	static const char *separator = "[";
	double ns[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		ns[i] = run(records, batch);
		free(user.ring);
	}
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("%s\n {\"what\": \"%s\", \"records\": %lu, ", separator, what, records);
	printf("\"ns\": {\"median\": %.3f, \"min\": %.3f, \"max\": %.3f}}",
	       ns[RUNS / 2], ns[0], ns[RUNS - 1]);
	separator = ",";
}

int main(void)
{
	if (sched_getaffinity(0, sizeof(processors), &processors)) {
		perror("sched_getaffinity");
		return 1;
	}
	measure("one processor, one at a time", alone, 10000000, 1);
	measure("one processor, 64 at a time", alone, 10000000, BATCH);
	if (CPU_COUNT(&processors) > 1)
		measure("two processors, as fast as both can", together, 5000000, 0);
	else
		fputs("ring: there is one processor only\n", stderr);
	printf("\n]\n");
	return 0;
}
