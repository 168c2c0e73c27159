/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KEVENT_TEST_URING_H
#define KEVENT_TEST_URING_H

#include <linux/io_uring.h>

/* io_uring by hand: one poll request at a time */
struct uring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline int uring_init(struct uring *u)
{
	int prot = PROT_READ | PROT_WRITE;

	memset(u, 0, sizeof(*u));
	u->fd = syscall(__NR_io_uring_setup, 4, &u->p);
	if (u->fd < 0)
		return -errno;
	u->sq = mmap(NULL, u->p.sq_off.array + u->p.sq_entries * 4, prot,
		     MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	u->cq = mmap(NULL, u->p.cq_off.cqes + u->p.cq_entries *
		     sizeof(struct io_uring_cqe), prot, MAP_SHARED, u->fd,
		     IORING_OFF_CQ_RING);
	u->sqes = mmap(NULL, u->p.sq_entries * sizeof(struct io_uring_sqe),
		       prot, MAP_SHARED, u->fd, IORING_OFF_SQES);
	return u->sq == MAP_FAILED || u->cq == MAP_FAILED ||
	       (void *)u->sqes == MAP_FAILED ? -ENOMEM : 0;
}

/* @len: 0, or IORING_POLL_ADD_MULTI */
static inline int uring_poll(struct uring *u, int fd, __u32 len)
{
	__u32 *tail = (__u32 *)(u->sq + u->p.sq_off.tail);
	__u32 *array = (__u32 *)(u->sq + u->p.sq_off.array);
	__u32 i = *tail & (u->p.sq_entries - 1);

	memset(&u->sqes[i], 0, sizeof(u->sqes[i]));
	u->sqes[i].opcode = IORING_OP_POLL_ADD;
	u->sqes[i].fd = fd;
	u->sqes[i].len = len;
	u->sqes[i].poll32_events = POLLIN;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, u->fd, 1, 0, 0, NULL, 0);
}

/* Waits for the next completion: its result and flags. */
static inline int uring_next(struct uring *u, __u32 *flags)
{
	struct io_uring_cqe *cqe = (void *)(u->cq + u->p.cq_off.cqes);
	__u32 *head = (__u32 *)(u->cq + u->p.cq_off.head);
	int res;

	syscall(__NR_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
		0);
	cqe += *head & (u->p.cq_entries - 1);
	res = cqe->res;
	*flags = cqe->flags;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static inline int uring_empty(struct uring *u)
{
	return __atomic_load_n((__u32 *)(u->cq + u->p.cq_off.tail),
			       __ATOMIC_ACQUIRE) ==
	       *(__u32 *)(u->cq + u->p.cq_off.head);
}

#endif /* KEVENT_TEST_URING_H */
