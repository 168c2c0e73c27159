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
#include <sys/eventfd.h>

#include <liburing.h>

#include "../tools/lib/kevent/ukevent.h"

#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif

/* the most that is collected at once, unless a case says less */
#define BATCH			1024

/* bytes of a data area, if none are asked for */
#define DEFAULT_AREA		(256 << 10)

struct bench {
	unsigned int		registered;
	unsigned int		active;		/* per round */
	unsigned int		rounds;		/* per window */
	unsigned int		parameter;	/* of the workload, 0 if not given */
	unsigned int		batch;		/* the most collected at once */
	unsigned int		next;		/* first active of the next round */
	bool			same;		/* that never changes */
	unsigned int		collected;
	uint64_t		client_calls;	/* of the system, if it counts them */
	int			*fd;
	int			*clients;	/* TCP: the other ends of fd[] */

	int			epoll;
	struct epoll_event	*epoll_buf;

	struct ukevent_queue	queue;
	struct ukevent		*record_buf;
	char			*data;		/* the queue's data area */
	uint32_t		*release;	/* its release index */
	struct kevent_send	*sends;

	struct io_uring		ring;
	struct io_uring_buf_ring *buf_ring;
	char			*buffers;
	unsigned int		nr_buffers;
	size_t			buffer_size;
	struct pollfd		*pollfds;
	int			*ready;		/* what poll and io_uring found */
};

/* a workload in a mode */
struct run {
	const char *workload;
	const char *mode;
	void (*sources)(struct bench *b);	/* makes what is watched */
	void (*queue)(struct bench *b);		/* makes the queue, registers */
	void (*rounds)(struct bench *b);	/* runs b->rounds rounds */
	void (*beside)(struct bench *b);	/* a second thread, for ever */
	void (*between)(struct bench *b);	/* before each window, then a pause */
	void (*once)(struct bench *b);		/* instead of windows */
};

/* each ends with an empty one */
extern const struct run eventfd_runs[], echo_runs[], pingpong_runs[],
			timers_runs[], spin_runs[], change_runs[],
			memory_runs[], producers_runs[], notify_runs[],
			sleepers_runs[], bulk_runs[], acks_runs[], file_runs[],
			cold_runs[];

_Noreturn void die(const char *what);
_Noreturn void die_of(const char *reason);
_Noreturn void die_unless_missing(const char *what);
void *get_memory(size_t n, size_t size);
void run_until_sleep(void);
void make_eventfds(struct bench *b, int flags);

/* b->registered connections: clients[], which block, and fd[], with these flags */
void tcp_connections(struct bench *b, int flags);
void tcp_nodelay(int fd, int on);

/*
 * Queues.  ..._make(): one, whatever it is, empty as yet; ..._add_all(): register
 * b->fd[] for reading; ..._queue(): both.
 */
void epoll_make(struct bench *b);
void epoll_add_all(struct bench *b, uint32_t flags);
void epoll_lt_queue(struct bench *b);
void epoll_et_queue(struct bench *b);
void kevent_make(struct bench *b);
void kevent_check(int ret, const char *what);
void kevent_add_all(struct bench *b, uint32_t flags);
void kevent_edge_queue(struct bench *b);
void kevent_level_queue(struct bench *b);
void kevent_socket_add_all(struct bench *b);
void kevent_socket_queue(struct bench *b);
void poll_queue(struct bench *b);

/*
 * A queue made with KEVENT_CREATE_DATA or KEVENT_CREATE_SENDFILE, and room for BATCH
 * sends; with a data area of so many bytes, 0 for the default.
 */
void kevent_io_make(struct bench *b, uint32_t flags, uint64_t data_size);
void kevent_data_make(struct bench *b, uint64_t data_size);

/*
 * flags: KEVENT_LATE or 0; most, share: parameters of the interests, 0 for the
 * defaults.
 */
void kevent_stream_add_all(struct bench *b, uint32_t flags, uint32_t most,
			   uint32_t share);
_Noreturn void kevent_unexpected(const struct ukevent *record);

/*
 * io_uring, by default and as it is best for one thread: completions are posted
 * when that thread asks for them.  Multishot polls are edge-triggered.  The
 * thread that makes it is the only one that may use it.
 */
void uring_make_default(struct bench *b);
void uring_make_defer(struct bench *b);
void uring_check(int ret, const char *what);
void uring_add_all(struct bench *b);
void uring_queue(struct bench *b);
void uring_defer_queue(struct bench *b);

/* Multishot receives, into buffers that the kernel chooses. */
void uring_make_buffers(struct bench *b, unsigned int nr, size_t size);
void uring_recv_multishot(struct bench *b, unsigned int connection);
_Noreturn void uring_unexpected(const struct io_uring_cqe *cqe);

/* epoll_wait() that fails loudly */
static inline int epoll_collect(struct bench *b, int timeout_ms)
{
	int n = epoll_wait(b->epoll, b->epoll_buf, b->batch, timeout_ms);

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
	int n = ukevent_dequeue_batch(&b->queue, b->record_buf, b->batch,
				      timeout_ns);

	if (n < 0)
		kevent_check(n, "ukevent_dequeue_batch");
	return n;
}

/* what was received, in place */
static inline char *kevent_bytes(const struct bench *b,
				 const struct ukevent *record)
{
	return b->data + KEVENT_STREAM_OFFSET(record->data[0]);
}

static inline uint32_t kevent_length(const struct ukevent *record)
{
	if (__builtin_expect(record->events != KEVENT_STREAM_RECV, 0))
		kevent_unexpected(record);
	return KEVENT_STREAM_LENGTH(record->data[0]);
}

/* Gives back the bytes of this record and of all before it. */
static inline void kevent_release(struct bench *b, const struct ukevent *record)
{
	__atomic_store_n(b->release, KEVENT_STREAM_RELEASE(record->data[1]),
			 __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#ifndef __NR_kevent_send
#define __NR_kevent_send	504
#endif

/* Sends sends[] up to nr, then waits for a record. */
static inline void kevent_send_wait(struct bench *b, unsigned int nr)
{
	kevent_check(ukevent_call6(__NR_kevent_send, b->queue.fd, (long)b->sends,
				   nr, 1, 0, 0), "kevent_send");
}

static inline int poll_collect(struct bench *b, int timeout_ms)
{
	int todo = poll(b->pollfds, b->registered, timeout_ms), n = 0;
	unsigned int i;

	if (todo < 0)
		die("poll");
	for (i = 0; n < todo; i++)
		if (b->pollfds[i].revents)
			b->ready[n++] = b->pollfds[i].fd;
	return n;
}

/* The thread submits all that it prepared. */
static inline struct io_uring_sqe *uring_sqe(struct bench *b)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);

	if (!sqe) {
		uring_check(io_uring_submit(&b->ring), "io_uring_submit");
		sqe = io_uring_get_sqe(&b->ring);
		if (!sqe)
			die("io_uring_get_sqe");
	}
	return sqe;
}

/* completions of multishot polls, whose descriptors are in the user data */
static inline int uring_take(struct bench *b)
{
	const int batch = b->batch;
	int *const ready = b->ready;
	struct io_uring_cqe *cqe;
	unsigned int head;
	int n = 0;

	io_uring_for_each_cqe(&b->ring, head, cqe) {
		if (cqe->res < 0 || !(cqe->flags & IORING_CQE_F_MORE))
			uring_unexpected(cqe);
		ready[n++] = cqe->user_data;
		if (n == batch)
			break;
	}
	io_uring_cq_advance(&b->ring, n);
	return n;
}

/* enters the kernel only if nothing is there */
static inline int uring_collect(struct bench *b)
{
	struct io_uring_cqe *cqe;

	uring_check(io_uring_wait_cqe(&b->ring, &cqe), "io_uring_wait_cqe");
	return uring_take(b);
}

static inline char *uring_buffer(const struct bench *b, unsigned int id)
{
	return b->buffers + id * b->buffer_size;
}

/* Gives one back, the n-th of those that io_uring_buf_ring_cq_advance() then tells. */
static inline void uring_give_back(struct bench *b, unsigned int id, int n)
{
	io_uring_buf_ring_add(b->buf_ring, uring_buffer(b, id), b->buffer_size, id,
			      io_uring_buf_ring_mask(b->nr_buffers), n);
}

/* Never waits; by default what completed is there without being asked for. */
static inline int uring_peek(struct bench *b)
{
	if (b->ring.flags & IORING_SETUP_DEFER_TASKRUN)
		uring_check(io_uring_get_events(&b->ring), "io_uring_get_events");
	return uring_take(b);
}

/* How ready descriptors are learned; a constant wherever it is used. */
enum peer {
	EPOLL,
	KEVENT,
	POLL,
	URING,
	URING_PEEK,
};

/* waits for the first one, or lets URING_PEEK try again */
static __always_inline int collect(struct bench *b, enum peer peer)
{
	switch (peer) {
	case EPOLL:
		return epoll_collect(b, -1);
	case KEVENT:
		return kevent_collect(b, UKEVENT_FOREVER);
	case POLL:
		return poll_collect(b, -1);
	case URING:
		return uring_collect(b);
	case URING_PEEK:
		return uring_peek(b);
	}
	__builtin_unreachable();
}

/* the i-th of what collect() found */
static __always_inline int collected_fd(const struct bench *b, enum peer peer,
					int i)
{
	switch (peer) {
	case EPOLL:
		return b->epoll_buf[i].data.fd;
	case KEVENT:
		return b->record_buf[i].cookie;
	default:
		return b->ready[i];
	}
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

/*
 * Makes a function for a table, whose constants are known inside; not inlined, so
 * that the profile shows it.
 */
#define ROUNDS(name, call)						\
static void __attribute__((noinline)) name(struct bench *b)		\
{									\
	call;								\
}

#endif /* BENCH_H */
