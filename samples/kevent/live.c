// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The counters of all threads, and of the kernel, as an event of a stream
 * (text/event-stream) or a line.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

#define LIVE_THREADS	32	/* told one by one */

static const struct live_thread *threads;
static int nr_threads;
static const char *mode;

/* Told in this order, under these names, as sums over the threads. */
static const struct {
	const char *name;
	size_t at;
} counters[] = {
	{ "records", offsetof(struct live, records) },
	{ "timers", offsetof(struct live, timers) },
	{ "signals", offsetof(struct live, signals) },
	{ "children", offsetof(struct live, children) },
	{ "conns", offsetof(struct live, conns) },
	{ "accepted", offsetof(struct live, accepted) },
	{ "answers", offsetof(struct live, answers) },
	{ "received", offsetof(struct live, received) },
	{ "sent", offsetof(struct live, sent) },
	{ "files", offsetof(struct live, files) },
};

/* What the kernel counts, by its names in fdinfo. */
static const char *const kernel[] = {
	"produced", "waits", "sleeps", "ctls", "triggers", "left_out", "held_back",
};

#define NR_COUNTERS	(sizeof(counters) / sizeof(counters[0]))
#define NR_KERNEL	(sizeof(kernel) / sizeof(kernel[0]))

void live_init(const struct live_thread *all, int nr, const char *how)
{
	threads = all;
	nr_threads = nr;
	mode = how;
}

static uint64_t load(const struct live *live, size_t at)
{
	return __atomic_load_n((const uint64_t *)((const char *)live + at),
			       __ATOMIC_RELAXED);
}

/* The first lines of a queue's fdinfo have them. */
static void add_kernel(const struct ukevent_queue *q, uint64_t sum[NR_KERNEL])
{
	char path[64], text[1024], name[32], *p;
	ssize_t n = -1;
	size_t i;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n < 0)
		return;
	text[n] = '\0';
	for (i = 0; i < NR_KERNEL; i++) {
		snprintf(name, sizeof(name), "%s: ", kernel[i]);
		p = strstr(text, name);
		if (p)
			sum[i] += strtoull(p + strlen(name), NULL, 10);
	}
}

static uint64_t milliseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* What fits; nothing here is so long that it would not. */
static size_t put(char *text, size_t at, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + at, LIVE_EVENT - at, format, args);
	va_end(args);
	return at + n < LIVE_EVENT ? at + n : LIVE_EVENT - 1;
}

/**
 * live_event - write an event
 * @text: receives it, LIVE_EVENT bytes at most
 * @loading: whether a load is running
 *
 * Return: how long it is.
 */
size_t live_event(char *text, int loading)
{
	uint64_t sums[NR_KERNEL] = {}, sum;
	uint32_t peak, fullest = 0;
	size_t i, at;
	int t;

	for (t = 0; t < nr_threads; t++) {
		add_kernel(threads[t].queue, sums);
		peak = __atomic_exchange_n(&threads[t].live->peak, 0, __ATOMIC_RELAXED);
		if (peak > fullest)
			fullest = peak;
	}
	at = put(text, 0, "data: {\"mode\":\"%s\",\"loading\":%s,\"threads\":%d", mode,
		 loading ? "true" : "false", nr_threads);
	at = put(text, at, ",\"ms\":%llu,\"entries\":%u,\"fullest\":%u",
		 (unsigned long long)milliseconds(), threads[0].queue->entries, fullest);
	for (i = 0; i < NR_KERNEL; i++)
		at = put(text, at, ",\"%s\":%llu", kernel[i], (unsigned long long)sums[i]);
	for (i = 0; i < NR_COUNTERS; i++) {
		for (sum = 0, t = 0; t < nr_threads; t++)
			sum += load(threads[t].live, counters[i].at);
		at = put(text, at, ",\"%s\":%llu", counters[i].name, (unsigned long long)sum);
	}
	at = put(text, at, ",\"each\":[");
	for (t = 0; t < nr_threads && t < LIVE_THREADS; t++)
		at = put(text, at, "%s%llu", t ? "," : "",
			 (unsigned long long)load(threads[t].live,
						  offsetof(struct live, conns)));
	return put(text, at, "]}\n\n");
}

/**
 * live_print - write the counters to standard output
 */
void live_print(void)
{
	char text[LIVE_EVENT];
	size_t n = live_event(text, 0);

	text[n - 2] = '\0';
	printf("http-server: %s\n", text + strlen("data: "));
	fflush(stdout);
}
