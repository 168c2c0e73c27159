// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * workloads.c - what is measured: one workload in one mode per run
 *
 *	workloads workload mode registered active events windows
 *
 * "events" are those of one window; a window is opened and closed by a mark
 * (mark.h) and its contents are counted from outside, so this program knows
 * nothing of the result.  It checks that it received what it should, prints
 * one line that says what was done, and exits with 0, with 1 if something went
 * wrong, or with 2 if this kernel cannot do it.
 *
 * As process 1 it takes its arguments from the lines of /cases, runs each in a
 * process of its own, and ends the machine.
 *
 * All modes do the same work in the same order, as a careful program would:
 * "collect" until all that is known to be active was received, then "consume".
 * What differs is only how the ready descriptors are learned.  The floor knows
 * them for free.
 *
 * Adding a workload or a mode means its functions and its lines in runs[].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "../tools/lib/kevent/ukevent.h"
#include "mark.h"

#define EXIT_UNSUPPORTED	2

#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif

/* the most that is collected at once; the same for every mode */
#define BATCH			1024

struct bench {
	unsigned int		registered;
	unsigned int		active;		/* per round */
	unsigned int		rounds;		/* per window */
	unsigned int		next;		/* first active of the next round */
	bool			same;		/* that never changes */
	unsigned int		collected;
	int			*fd;

	int			epoll;
	struct epoll_event	*epoll_buf;

	struct ukevent_queue	queue;
	struct ukevent		*record_buf;
};

/* a workload in a mode */
struct run {
	const char *workload;
	const char *mode;
	void (*sources)(struct bench *b);	/* makes what is watched */
	void (*queue)(struct bench *b);		/* makes the queue, registers */
	void (*rounds)(struct bench *b);	/* runs b->rounds rounds */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "workloads: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void die_unless_missing(const char *what)
{
	if (errno == ENOSYS || errno == EPERM) {
		printf("BENCH-SKIP %s: %s\n", what, strerror(errno));
		exit(EXIT_UNSUPPORTED);
	}
	die(what);
}

static void *get_memory(size_t n, size_t size)
{
	/* touched here, so that no page fault happens in a window */
	void *p = malloc(n * size);

	if (!p)
		die("malloc");
	return memset(p, 0, n * size);
}

/* queues: make it, whatever it is, and register b->fd[] for reading */

static void epoll_queue(struct bench *b, uint32_t flags)
{
	unsigned int i;

	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll < 0)
		die_unless_missing("epoll_create1");
	b->epoll_buf = get_memory(BATCH, sizeof(*b->epoll_buf));
	for (i = 0; i < b->registered; i++) {
		struct epoll_event ev = {
			.events = EPOLLIN | flags,
			.data.fd = b->fd[i],
		};

		if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->fd[i], &ev))
			die("epoll_ctl");
	}
}

static void epoll_lt_queue(struct bench *b)
{
	epoll_queue(b, 0);
}

static void epoll_et_queue(struct bench *b)
{
	epoll_queue(b, EPOLLET);
}

static void kevent_queue(struct bench *b, uint32_t flags)
{
	struct kevent_params params = { .nr_expected = b->registered };
	unsigned int i;
	int ret;

	ret = ukevent_queue_init(&b->queue, &params);
	if (ret) {
		errno = -ret;
		die_unless_missing("kevent_create");
	}
	b->queue.has_level = !(flags & KEVENT_EDGE);
	b->record_buf = get_memory(BATCH, sizeof(*b->record_buf));
	for (i = 0; i < b->registered; i++) {
		ret = ukevent_add_poll(&b->queue, b->fd[i], POLLIN, flags,
				       b->fd[i]);
		if (ret) {
			errno = -ret;
			die("kevent_ctl");
		}
	}
}

static void kevent_edge_queue(struct bench *b)
{
	kevent_queue(b, KEVENT_EDGE);
}

static void kevent_level_queue(struct bench *b)
{
	kevent_queue(b, 0);
}

/*
 * Workload eventfd: write 8 bytes to each active eventfd, collect, read each;
 * the next round takes the next descriptors.
 * Workload eventfd-same: every round takes the same ones.
 * Workload noread: as eventfd, but never read.
 */

static void eventfd_sources(struct bench *b)
{
	unsigned int i;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (b->fd[i] < 0)
			die("eventfd");
	}
}

static void eventfd_same_sources(struct bench *b)
{
	eventfd_sources(b);
	b->same = true;
}

static inline void produce(struct bench *b)
{
	const uint64_t one = 1;
	unsigned int i, at = b->next;

	for (i = 0; i < b->active; i++) {
		if (write(b->fd[at], &one, sizeof(one)) != sizeof(one))
			die("write");
		if (++at == b->registered)
			at = 0;
	}
}

static inline void consume(int fd, bool do_read)
{
	uint64_t count;

	if (do_read && read(fd, &count, sizeof(count)) != sizeof(count))
		die("read");
}

/*
 * A level mode looks again at what it delivered last.  If just those are active
 * once more, epoll does in one look what are two in a server, which finds
 * nothing more to do before it is woken again.
 */
static inline void advance(struct bench *b)
{
	if (b->same)
		return;
	b->next += b->active;
	if (b->next >= b->registered)
		b->next -= b->registered;
}

static __always_inline void floor_rounds(struct bench *b, bool do_read)
{
	unsigned int round, i, at;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (i = 0, at = b->next; i < b->active; i++) {
			consume(b->fd[at], do_read);
			if (++at == b->registered)
				at = 0;
		}
		b->collected += b->active;
		advance(b);
	}
}

static __always_inline void epoll_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (got = 0; got < b->active; got += n) {
			n = epoll_wait(b->epoll, b->epoll_buf, BATCH, -1);
			if (n < 0)
				die("epoll_wait");
			for (i = 0; i < n; i++)
				consume(b->epoll_buf[i].data.fd, do_read);
		}
		b->collected += got;
		advance(b);
	}
}

/*
 * Edge: the batch form of the library, which takes from the ring and enters
 * the kernel only when something is held back or nothing is there.
 */
static __always_inline void kevent_edge_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		for (got = 0; got < b->active; got += n) {
			n = ukevent_dequeue_batch(&b->queue, b->record_buf,
						  BATCH, UKEVENT_FOREVER);
			if (n < 0) {
				errno = -n;
				die("ukevent_dequeue_batch");
			}
			for (i = 0; i < n; i++)
				consume(b->record_buf[i].cookie, do_read);
		}
		b->collected += got;
		advance(b);
	}
}

/*
 * Level: go on until the ring is empty, as a loop does before it sleeps.  The
 * last call finds it so and enters the kernel for the re-check of what was
 * consumed in this round.
 */
static __always_inline void kevent_level_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		produce(b);
		got = 0;
		do {
			n = ukevent_dequeue_batch(&b->queue, b->record_buf,
						  BATCH, 0);
			if (n < 0) {
				errno = -n;
				die("ukevent_dequeue_batch");
			}
			for (i = 0; i < n; i++)
				consume(b->record_buf[i].cookie, do_read);
			got += n;
		} while (n);
		b->collected += got;
		advance(b);
	}
}

/* not inlined, so that the profile shows them; the flag is a constant inside */
#define EVENTFD_ROUNDS(mode, name, do_read)				\
static void __attribute__((noinline)) mode##_##name(struct bench *b)	\
{									\
	mode##_rounds(b, do_read);					\
}

EVENTFD_ROUNDS(floor, eventfd, true)
EVENTFD_ROUNDS(epoll, eventfd, true)
EVENTFD_ROUNDS(kevent_edge, eventfd, true)
EVENTFD_ROUNDS(kevent_level, eventfd, true)
EVENTFD_ROUNDS(floor, noread, false)
EVENTFD_ROUNDS(epoll, noread, false)
EVENTFD_ROUNDS(kevent_edge, noread, false)

static const struct run runs[] = {
	{ "eventfd", "floor", eventfd_sources, NULL, floor_eventfd },
	{ "eventfd", "epoll-lt", eventfd_sources, epoll_lt_queue, epoll_eventfd },
	{ "eventfd", "epoll-et", eventfd_sources, epoll_et_queue, epoll_eventfd },
	{ "eventfd", "kevent-edge", eventfd_sources, kevent_edge_queue, kevent_edge_eventfd },
	{ "eventfd", "kevent-level", eventfd_sources, kevent_level_queue, kevent_level_eventfd },
	{ "eventfd-same", "floor", eventfd_same_sources, NULL, floor_eventfd },
	{ "eventfd-same", "epoll-lt", eventfd_same_sources, epoll_lt_queue, epoll_eventfd },
	{ "eventfd-same", "epoll-et", eventfd_same_sources, epoll_et_queue, epoll_eventfd },
	{ "eventfd-same", "kevent-edge", eventfd_same_sources, kevent_edge_queue, kevent_edge_eventfd },
	{ "eventfd-same", "kevent-level", eventfd_same_sources, kevent_level_queue, kevent_level_eventfd },
	{ "noread", "floor", eventfd_sources, NULL, floor_noread },
	{ "noread", "epoll-et", eventfd_sources, epoll_et_queue, epoll_noread },
	{ "noread", "kevent-edge", eventfd_sources, kevent_edge_queue, kevent_edge_noread },
};

static unsigned int number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || !n || n > 10000000) {
		fprintf(stderr, "workloads: not a number from 1 on: %s\n", s);
		exit(1);
	}
	return n;
}

/*
 * What the kernel does later for what was done before (RCU, work queues, the
 * console) shall not happen in a window.  With -icount sleep=off waiting costs
 * no real time.
 */
static void settle(void)
{
	const struct timespec t = { .tv_nsec = 200 * 1000 * 1000 };

	nanosleep(&t, NULL);
}

static void measure(const struct run *run, struct bench *b,
		    unsigned int windows)
{
	unsigned int i;

	if (run->sources)
		run->sources(b);
	if (run->queue)
		run->queue(b);

	/* fault in what there is to fault in, come to a steady state */
	run->rounds(b);
	run->rounds(b);
	settle();
	run->rounds(b);
	b->collected = 0;

	for (i = 0; i < windows; i++) {
		mark_begin(0);
		run->rounds(b);
		mark_end(0);
	}

	if (b->collected != (uint64_t)windows * b->rounds * b->active) {
		fprintf(stderr, "workloads: collected %u events of %lu\n",
			b->collected, (uint64_t)windows * b->rounds * b->active);
		exit(1);
	}
}

/*
 * Two windows whose contents are known, so that whoever counts can show that
 * the count is right: CHECK_SHORT has 5 instructions between marks in the same
 * straight line; CHECK_LOOP runs 1000 times through 7, of which 3 lock, and
 * has 3 system calls of 2 instructions each and one more before the loop.
 */
#define CHECK_SHORT	1
#define CHECK_LOOP	2

static int run_check(void)
{
	static uint64_t word;
	uint64_t n, result;

	mark_begin(CHECK_SHORT);
	asm volatile("nop\n\tnop\n\tnop\n\tnop\n\tnop");
	mark_end(CHECK_SHORT);

	/* "word" is at a fixed address, nothing needs to be loaded for it */
	mark_begin(CHECK_LOOP);
	asm volatile("mov $1000, %k0\n"
		     "1:\tlock addq $1, %2\n\t"
		     "xchg %%rcx, %2\n\t"	/* locks, unasked */
		     "xchg %%rcx, %%rcx\n\t"	/* does not */
		     "xchg %%rcx, %2\n\t"
		     "nop\n\t"
		     "dec %0\n\t"
		     "jnz 1b\n\t"
		     "mov $39, %k1\n\tsyscall\n\t"	/* getpid */
		     "mov $39, %k1\n\tsyscall\n\t"
		     "mov $39, %k1\n\tsyscall"
		     : "=&r" (n), "=&a" (result), "+m" (word)
		     : : "rcx", "r11", "memory");
	mark_end(CHECK_LOOP);
	return 0;
}

static int run_case(char **arg)
{
	const char *workload = arg[0], *mode = arg[1];
	struct bench b = {
		.registered = number(arg[2]),
		.active = number(arg[3]),
	};
	unsigned int windows = number(arg[5]);
	const struct run *run;
	size_t i;

	b.rounds = number(arg[4]) / b.active;
	if (!b.rounds)
		b.rounds = 1;
	if (b.active > b.registered) {
		fprintf(stderr, "workloads: more active than registered\n");
		return 1;
	}

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		run = &runs[i];
		if (strcmp(run->workload, workload) || strcmp(run->mode, mode))
			continue;
		measure(run, &b, windows);
		printf("BENCH workload=%s mode=%s registered=%u active=%u rounds=%u windows=%u\n",
		       workload, mode, b.registered, b.active, b.rounds,
		       windows);
		return 0;
	}
	fprintf(stderr, "workloads: no workload %s in mode %s\n", workload, mode);
	return 1;
}

/*
 * As process 1.  Each case starts from a fresh process image, so that none
 * inherits descriptors or memory of the one before.
 */
static void run_all(void)
{
	static char line[256];
	char *arg[16];
	unsigned int n, case_nr = 0;
	pid_t pid;
	FILE *f = fopen("/cases", "re");
	struct utsname u;
	int status;

	if (!f || uname(&u))
		die("/cases");
	printf("BENCH-KERNEL %s %s\n", u.release, u.version);
	while (fgets(line, sizeof(line), f)) {
		arg[0] = "/init";
		n = 1;
		for (char *p = strtok(line, " \t\n"); p && n < 15;
		     p = strtok(NULL, " \t\n"))
			arg[n++] = p;
		arg[n] = NULL;
		if (n == 1 || arg[1][0] == '#')
			continue;

		mark_case();
		case_nr++;
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			execv(arg[0], arg);
			die("execv");
		}
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		printf("BENCH-CASE %u %s %s status=%x\n", case_nr, arg[1],
		       n > 2 ? arg[2] : "-", status);
		/* a console that still transmits would interrupt the next case */
		fflush(stdout);
		tcdrain(STDOUT_FILENO);
	}
	printf("BENCH-END\n");
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 1 << 17, 1 << 17 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (setrlimit(RLIMIT_NOFILE, &files) && errno != EPERM)
		die("setrlimit");
	if (argc == 2 && !strcmp(argv[1], "check"))
		return run_check();
	if (argc == 7)
		return run_case(argv + 1);
	if (getpid() == 1) {
		run_all();
		reboot(RB_AUTOBOOT);	/* the emulator exits instead */
		die("reboot");
	}
	fprintf(stderr, "usage: %s workload mode registered active events windows\n",
		argv[0]);
	return 1;
}
