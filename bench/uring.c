// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * uring.c - io_uring as a queue of events, see bench.h
 */
#include "bench.h"

#define SQ_ENTRIES	BATCH
#define DEFER		(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

void uring_check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	errno = -ret;
	die(what);
}

_Noreturn void uring_unexpected(const struct io_uring_cqe *cqe)
{
	fprintf(stderr, "workloads: completion of %llx has result %d, flags %x\n",
		(unsigned long long)cqe->user_data, cqe->res, cqe->flags);
	exit(1);
}

/* Empty as yet; with room for a completion of all that is registered. */
static void make(struct bench *b, unsigned int flags)
{
	unsigned int most = b->registered > BATCH ? b->registered : BATCH;
	struct io_uring_params params = {
		.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = 2 * most,
	};
	int ret = io_uring_queue_init_params(SQ_ENTRIES, &b->ring, &params);

	if (ret < 0) {
		errno = -ret;
		die_unless_missing("io_uring_setup");
	}
	/* spares each call the look for the descriptor */
	uring_check(io_uring_register_ring_fd(&b->ring),
		    "io_uring_register_ring_fd");
	b->ready = get_memory(BATCH, sizeof(*b->ready));
}

void uring_add_all(struct bench *b)
{
	struct io_uring_sqe *sqe;
	unsigned int i;

	for (i = 0; i < b->registered; i++) {
		sqe = uring_sqe(b);
		io_uring_prep_poll_multishot(sqe, b->fd[i], POLLIN);
		sqe->user_data = b->fd[i];
	}
	uring_check(io_uring_submit(&b->ring), "io_uring_submit");
}

void uring_make_default(struct bench *b)
{
	make(b, 0);
}

void uring_make_defer(struct bench *b)
{
	make(b, DEFER);
}

void uring_queue(struct bench *b)
{
	uring_make_default(b);
	uring_add_all(b);
}

void uring_defer_queue(struct bench *b)
{
	uring_make_defer(b);
	uring_add_all(b);
}

#define BUFFER_GROUP	0

void uring_make_buffers(struct bench *b, unsigned int nr, size_t size)
{
	struct io_uring_buf_reg reg = { .ring_entries = nr, .bgid = BUFFER_GROUP };
	unsigned int i;

	b->nr_buffers = nr;
	b->buffer_size = size;
	b->buffers = get_memory(nr, size);
	b->buf_ring = aligned_alloc(4096, nr * sizeof(struct io_uring_buf));
	if (!b->buf_ring)
		die("aligned_alloc");
	reg.ring_addr = (uintptr_t)b->buf_ring;
	uring_check(io_uring_register_buf_ring(&b->ring, &reg, 0),
		    "io_uring_register_buf_ring");
	io_uring_buf_ring_init(b->buf_ring);
	for (i = 0; i < nr; i++)
		uring_give_back(b, i, i);
	io_uring_buf_ring_advance(b->buf_ring, nr);
}

void uring_recv_multishot(struct bench *b, unsigned int connection)
{
	struct io_uring_sqe *sqe = uring_sqe(b);

	io_uring_prep_recv_multishot(sqe, b->fd[connection], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe->user_data = connection;
}
