/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * bench.h - what the workloads have in common, see workloads.c
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>

#include "../tools/lib/kevent/ukevent.h"

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
	void (*beside)(struct bench *b);	/* a second thread, for ever */
};

/* each ends with an empty one */
extern const struct run eventfd_runs[], echo_runs[], pingpong_runs[],
			timers_runs[], spin_runs[];

_Noreturn void die(const char *what);
_Noreturn void die_unless_missing(const char *what);
void *get_memory(size_t n, size_t size);
void run_until_sleep(void);

/* queues: make it, whatever it is, and register b->fd[] for reading */
void epoll_lt_queue(struct bench *b);
void epoll_et_queue(struct bench *b);
void kevent_make(struct bench *b);
void kevent_check(int ret, const char *what);
void kevent_edge_queue(struct bench *b);
void kevent_level_queue(struct bench *b);

/* epoll_wait() that fails loudly */
static inline int epoll_collect(struct bench *b, int timeout_ms)
{
	int n = epoll_wait(b->epoll, b->epoll_buf, BATCH, timeout_ms);

	if (n < 0)
		die("epoll_wait");
	return n;
}

/*
 * The batch form of the library, which takes from the ring and enters the
 * kernel only when something is held back or nothing is there.
 */
static inline int kevent_collect(struct bench *b, uint64_t timeout_ns)
{
	int n = ukevent_dequeue_batch(&b->queue, b->record_buf, BATCH,
				      timeout_ns);

	if (n < 0)
		kevent_check(n, "ukevent_dequeue_batch");
	return n;
}

static inline void write_one(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("write");
}

static inline uint64_t read_count(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		die("read");
	return count;
}

#endif /* BENCH_H */
