// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * counters.c - the windows of a workload on a real machine: wall time and, where the
 * machine counts them and this program may know, cycles and instructions
 *
 * Those are of all threads, in user mode and in the kernel: without the latter they
 * would say little, and are not told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include <linux/perf_event.h>

#include "../bench.h"
#include "../mark.h"

#define MAX_WINDOWS	1024
#define NR_COUNTERS	2

static const struct {
	const char	*name;
	uint64_t	config;
} kinds[NR_COUNTERS] = {
	{ "cycles", PERF_COUNT_HW_CPU_CYCLES },
	{ "instructions", PERF_COUNT_HW_INSTRUCTIONS },
};

static int fds[NR_COUNTERS] = { -1, -1 };
static const char *why_not;	/* nothing is counted */
static unsigned int nr_windows;
static uint64_t ns[MAX_WINDOWS], before[NR_COUNTERS], counts[NR_COUNTERS][MAX_WINDOWS];
static struct timespec begin;

/* Before there is another thread, as those to come are counted with this one. */
void counters_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(attr), .inherit = 1,
		.exclude_hv = 1,
	};
	int i;

	for (i = 0; i < NR_COUNTERS; i++) {
		attr.config = kinds[i].config;
		fds[i] = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
				 PERF_FLAG_FD_CLOEXEC);
		if (fds[i] >= 0)
			continue;
		why_not = errno == EACCES || errno == EPERM ?
			  "not-permitted" : "not-counted-here";
		return;
	}
}

static uint64_t counter_read(int i)
{
	uint64_t value;

	if (read(fds[i], &value, sizeof(value)) != sizeof(value))
		die("perf counter");
	return value;
}

void counters_begin(void)
{
	int i;

	if (nr_windows == MAX_WINDOWS)
		die_of("more windows than there is room for");
	for (i = 0; i < NR_COUNTERS && !why_not; i++)
		before[i] = counter_read(i);
	clock_gettime(CLOCK_MONOTONIC, &begin);
}

void counters_end(void)
{
	struct timespec end;
	int i;

	clock_gettime(CLOCK_MONOTONIC, &end);
	ns[nr_windows] = (end.tv_sec - begin.tv_sec) * 1000000000ULL +
			 end.tv_nsec - begin.tv_nsec;
	for (i = 0; i < NR_COUNTERS && !why_not; i++)
		counts[i][nr_windows] = counter_read(i) - before[i];
	nr_windows++;
}

static void print_windows(const char *name, const uint64_t *values)
{
	unsigned int i;

	printf(" %s=", name);
	for (i = 0; i < nr_windows; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)values[i]);
}

void counters_print(const char *workload, const char *mode, unsigned int registered,
		    unsigned int active, unsigned int events)
{
	int i;

	printf("NATIVE workload=%s mode=%s registered=%u active=%u events=%u",
	       workload, mode, registered, active, events);
	print_windows("ns", ns);
	for (i = 0; i < NR_COUNTERS; i++) {
		if (why_not)
			printf(" %s=%s", kinds[i].name, why_not);
		else
			print_windows(kinds[i].name, counts[i]);
	}
	putchar('\n');
}
