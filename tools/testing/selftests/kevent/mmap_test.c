// SPDX-License-Identifier: GPL-2.0
/*
 * S10: the two mappings, and programs that abuse them.
 */
#include "kevent_test.h"

FIXTURE(map)
{
	struct kevent_params p;
	struct ukevent_queue q;
	int fd;
};

FIXTURE_SETUP(map)
{
	self->p.ring_entries = 1024;	/* more than one page */
	ASSERT_EQ(0, ukevent_queue_init(&self->q, &self->p));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
}

FIXTURE_TEARDOWN(map)
{
	ukevent_queue_exit(&self->q);
	close(self->fd);
}

/* Not mmap(), which in a 32-bit program cuts the offset. */
static int try_map(int kfd, __u64 offset, __u64 size, int prot, int flags)
{
	void *p = mmap64(NULL, size, prot, flags, kfd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, size);
	return 0;
}

TEST_F(map, ring_access)
{
	struct kevent_params *p = &self->p;
	int kfd = self->q.fd;

	EXPECT_EQ(0, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
			     PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
				   PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(-EPERM, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
				  PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
				  PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
				  PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_NE(0, try_map(kfd, p->ring_mmap_offset, p->ring_mmap_size,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE));
}

TEST_F(map, consumer_access)
{
	struct kevent_params *p = &self->p;
	int kfd = self->q.fd;

	EXPECT_EQ(0, try_map(kfd, p->consumer_mmap_offset,
			     p->consumer_mmap_size, PROT_READ | PROT_WRITE,
			     MAP_SHARED));
	EXPECT_EQ(0, try_map(kfd, p->consumer_mmap_offset,
			     p->consumer_mmap_size, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->consumer_mmap_offset,
				   p->consumer_mmap_size,
				   PROT_READ | PROT_WRITE, MAP_PRIVATE));
	EXPECT_EQ(-EPERM, try_map(kfd, p->consumer_mmap_offset,
				  p->consumer_mmap_size,
				  PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_SHARED));
}

TEST_F(map, wrong_place)
{
	struct kevent_params *p = &self->p;
	size_t page = page_size();
	int kfd = self->q.fd;
	__u64 offset;

	EXPECT_EQ(-EINVAL, try_map(kfd, p->ring_mmap_offset,
				   p->ring_mmap_size - page, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->ring_mmap_offset,
				   p->ring_mmap_size + page, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->ring_mmap_offset, page, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->ring_mmap_offset + page,
				   p->ring_mmap_size - page, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->consumer_mmap_offset, 2 * page,
				   PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(kfd, p->consumer_mmap_offset + page, page,
				   PROT_READ | PROT_WRITE, MAP_SHARED));
	/* every other offset up to some high ones */
	for (offset = page; offset < 1ULL << 44; offset *= 2) {
		if (offset == p->ring_mmap_offset ||
		    offset == p->consumer_mmap_offset)
			continue;
		EXPECT_EQ(-EINVAL, try_map(kfd, offset, page, PROT_READ,
					   MAP_SHARED));
		EXPECT_EQ(-EINVAL, try_map(kfd, offset, p->ring_mmap_size,
					   PROT_READ, MAP_SHARED));
	}
}

TEST_F(map, not_upgradable)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_EQ(-1, mprotect(q->ring_map, q->ring_size,
			       PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(q->ring_map, q->ring_size,
			       PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(q->consumer_map, q->consumer_size,
			       PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, mprotect(q->consumer_map, q->consumer_size, PROT_READ));
	EXPECT_EQ(0, mprotect(q->consumer_map, q->consumer_size,
			      PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, mprotect(q->ring_map, q->ring_size, PROT_NONE));
	EXPECT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EQ(0, mprotect(q->ring_map, q->ring_size, PROT_READ));
	EXPECT_TAKE(q, 1, EV_IN, 0);
}

TEST_F(map, not_expandable)
{
	struct ukevent_queue *q = &self->q;
	size_t page = page_size();

	EXPECT_EQ(MAP_FAILED, mremap(q->ring_map, q->ring_size,
				     q->ring_size + page, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(q->consumer_map, page, 2 * page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(q->consumer_map, 0, page, MREMAP_MAYMOVE));
	EXPECT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
}

TEST_F(map, partial_unmap)
{
	struct ukevent_queue *q = &self->q;
	size_t page = page_size();
	int i;

	/* a hole, then the end; the page with the indices stays */
	ASSERT_EQ(0, munmap((char *)q->ring_map + page, page));
	ASSERT_EQ(0, munmap((char *)q->ring_map + q->ring_size - page, page));
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		ASSERT_EQ(1, ring_reaches(q, 1));
		/* consumed unseen: the record may be in the hole */
		__atomic_store_n(q->consumer, producer_index(q),
				 __ATOMIC_SEQ_CST);
	}
	EXPECT_EQ(2000, (int)producer_index(q));
	/* all of it: the queue goes on, the program just cannot see it */
	ASSERT_EQ(0, munmap(q->ring_map, page));
	ASSERT_EQ(0, munmap(q->consumer_map, q->consumer_size));
	EXPECT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, sys_kevent_wait(q->fd, 1, NULL, 0));
}

TEST_F(map, twice)
{
	struct kevent_params *p = &self->p;
	struct ukevent_queue *q = &self->q;
	__u32 *consumer2;
	char *ring2, *cons2;

	ring2 = mmap(NULL, p->ring_mmap_size, PROT_READ, MAP_SHARED, q->fd,
		     p->ring_mmap_offset);
	cons2 = mmap(NULL, p->consumer_mmap_size, PROT_READ | PROT_WRITE,
		     MAP_SHARED, q->fd, p->consumer_mmap_offset);
	ASSERT_NE((char *)MAP_FAILED, ring2);
	ASSERT_NE((char *)MAP_FAILED, cons2);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, memcmp(ring2, q->ring_map, p->ring_mmap_size));
	consumer2 = (__u32 *)(cons2 + p->consumer_offset);
	__atomic_store_n(consumer2, 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, in_ring(q));
	/* the one left is as good as the two */
	ASSERT_EQ(0, munmap(ring2, p->ring_mmap_size));
	ASSERT_EQ(0, munmap(cons2, p->consumer_mmap_size));
	q->head = 1;
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
}

TEST_F(map, moved)
{
	struct ukevent_queue *q = &self->q;
	char *to = mmap(NULL, q->ring_size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long by;

	ASSERT_NE((char *)MAP_FAILED, to);
	ASSERT_EQ(to, (char *)mremap(q->ring_map, q->ring_size, q->ring_size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	by = to - (char *)q->ring_map;
	q->ring_map = to;
	q->producer = (const __u32 *)((const char *)q->producer + by);
	q->flags = (const __u32 *)((const char *)q->flags + by);
	q->records = (const struct ukevent *)((const char *)q->records + by);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
}

static void exit_on_fault(int sig)
{
	_exit(77);
}

/* A child that reads the byte there: 77 if it faulted. */
static int child_reads(const void *addr)
{
	struct sigaction sa = { .sa_handler = exit_on_fault };
	pid_t pid = fork();
	int status;

	if (!pid) {
		sigaction(SIGSEGV, &sa, NULL);
		sigaction(SIGBUS, &sa, NULL);
		__atomic_load_n((const char *)addr, __ATOMIC_RELAXED);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(map, not_in_child)
{
	struct kevent_params *p = &self->p;
	struct ukevent_queue *q = &self->q;
	int status, bad = 0;
	char *ring;
	pid_t pid;

	EXPECT_EQ(77, child_reads(q->ring_map));
	EXPECT_EQ(77, child_reads(q->consumer_map));

	/* it may map them itself, and then shares the one consumer index */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	pid = fork();
	if (!pid) {
		ring = mmap(NULL, p->ring_mmap_size, PROT_READ, MAP_SHARED,
			    q->fd, p->ring_mmap_offset);
		if (ring == MAP_FAILED)
			_exit(1);
		if (*(const __u32 *)(ring + p->producer_offset) != 1)
			bad = 2;
		ring = mmap(NULL, p->consumer_mmap_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, q->fd, p->consumer_mmap_offset);
		if (ring == MAP_FAILED)
			_exit(3);
		*(__u32 *)(ring + p->consumer_offset) = 1;
		_exit(bad);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, in_ring(q));
}

TEST_F(map, outlives_descriptor)
{
	struct ukevent_queue *q = &self->q;

	close(q->fd);
	q->fd = -1;
	/* a mapping keeps the queue, and its interests, alive */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	/* the consumer page alone does as well */
	ASSERT_EQ(0, munmap(q->ring_map, q->ring_size));
	q->ring_map = NULL;
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, (int)*q->consumer);
}

/*
 * A wild consumer index frees nothing: the ring stays full, what it holds is
 * not overwritten, nothing is lost.  Relative to the first unconsumed record of
 * a full ring of 4, where 0 to 4 would be right.
 */
TEST_F(map, wild_index)
{
	static const __u32 wild[] = {
		5, 6, 7, 8, 9, 16, 0x7fffffff, 0x80000000, 0x80000001,
		0xfffffff0, 0xfffffffb, 0xfffffffc, 0xfffffffe, 0xffffffff,
	};
	struct ukevent_queue q;
	int fds[6], n;
	size_t i;

	ASSERT_EQ(0, queue_init(&q, 4));
	for (n = 0; n < 6; n++) {
		fds[n] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[n], EV_IN, KEVENT_EDGE, n, NULL));
	}
	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		__u32 base = producer_index(&q);

		for (n = 0; n < 4; n++)
			ASSERT_EQ(0, eventfd_add(fds[n], 1));
		ASSERT_EQ(4, in_ring(&q));
		__atomic_store_n(q.consumer, base + wild[i], __ATOMIC_SEQ_CST);
		ASSERT_EQ(0, eventfd_add(fds[4], 1));
		EXPECT_EQ(1, is_pending(&q)) TH_LOG("case %zu", i);
		EXPECT_LE(0, sys_kevent_wait(q.fd, 0, NULL, 0));
		ASSERT_EQ(0, eventfd_add(fds[5], 1));
		EXPECT_EQ(1, is_pending(&q)) TH_LOG("case %zu", i);
		EXPECT_EQ(base + 4, producer_index(&q)) TH_LOG("case %zu", i);
		/* put right */
		__atomic_store_n(q.consumer, base, __ATOMIC_SEQ_CST);
		EXPECT_EQ(4, flush_ring(&q)) TH_LOG("case %zu", i);
		for (n = 0; n < 4; n++)
			EXPECT_TAKE(&q, n, EV_IN, 0);
		EXPECT_EQ(2, flush_ring(&q)) TH_LOG("case %zu", i);
		EXPECT_TAKE(&q, 4, EV_IN, 0);
		EXPECT_TAKE(&q, 5, EV_IN, 0);
		/* so the kernel's last known position is the newest */
		EXPECT_QUIET(&q);
	}
	ukevent_queue_exit(&q);
}

/* No value makes the kernel say that there is more than the ring holds. */
TEST_F(map, wild_count)
{
	struct ukevent_queue *q = &self->q;
	unsigned int seed = 7;
	int i;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, ring_reaches(q, 1));
	for (i = 0; i < 2000; i++) {
		__atomic_store_n(q->consumer, (__u32)rand_r(&seed) * 2 + 2,
				 __ATOMIC_SEQ_CST);
		EXPECT_EQ(1, sys_kevent_wait(q->fd, 1, NULL, 0));
	}
	__atomic_store_n(q->consumer, 0, __ATOMIC_SEQ_CST);
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_QUIET(q);
}

struct scribbler {
	struct ukevent_queue *q;
	int stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	__u32 *page = s->q->consumer_map;
	unsigned int seed = 1;
	size_t i;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < s->q->consumer_size / 4; i++)
			__atomic_store_n(&page[i], (__u32)rand_r(&seed) * 2,
					 __ATOMIC_RELAXED);
		/* and values that may be right */
		for (i = 0; i < 200; i++)
			__atomic_store_n(s->q->consumer, producer_index(s->q) -
					 rand_r(&seed) % 4, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * T36: anything anywhere in the writable page at any time.  Nothing to see but
 * that calls return, that other queues are not touched, and that the queue
 * works again afterwards.  The runner looks for complaints in the log.
 */
TEST_F(map, scribbled)
{
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = NSEC_PER_MSEC,
	};
	struct scribbler s = { .q = &self->q };
	struct ukevent_queue *q = &self->q, other;
	int i, ret, fds[32], loops = test_loops(3000);
	pthread_t thread;

	ASSERT_EQ(0, queue_init(&other, 4));
	ASSERT_EQ(0, add_fd(other.fd, self->fd, EV_IN, KEVENT_EDGE, 9, NULL));
	for (i = 0; i < 32; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q->fd, fds[i], EV_IN | EV_OUT,
				    i % 2 ? KEVENT_EDGE : 0, i, NULL));
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	for (i = 0; i < loops; i++) {
		ASSERT_EQ(0, eventfd_add(fds[i % 32], 1));
		if (i % 16 == 0) {
			ret = sys_kevent_wait(q->fd, i % 1025, &args, 72);
			EXPECT_LE(0, ret);
			EXPECT_GE(1024, ret);
		}
		if (i % 64 == 0) {
			ret = remove_fd(q->fd, fds[i % 32]);
			EXPECT_EQ(0, ret);
			ret = add_fd(q->fd, fds[i % 32], EV_IN, 0, i, NULL);
			EXPECT_EQ(0, ret);
		}
		if (i % 256 == 0) {
			ASSERT_EQ(0, eventfd_add(self->fd, 1));
			EXPECT_EQ(1, ring_reaches(&other, 1));
			EXPECT_TAKE(&other, 9, EV_IN, 0);
		}
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	for (i = 0; i < 32; i++)
		EXPECT_EQ(0, remove_fd(q->fd, fds[i]));
	/* the position the kernel has is right by definition */
	q->head = producer_index(q);
	__atomic_store_n(q->consumer, q->head, __ATOMIC_SEQ_CST);
	for (i = 0; i < 5 && flush_ring(q); i++)
		take_all(q, NULL);
	ASSERT_GT(5, i);
	EXPECT_QUIET(q);
	for (i = 0; i < 3000; i++) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		ASSERT_EQ(1, ring_reaches(q, 1));
		EXPECT_TAKE(q, 1, EV_IN, 0);
	}
	ukevent_queue_exit(&other);
}

/* Mapping, unmapping and closing while records are published. */
static void *write_on(void *arg)
{
	struct scribbler *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		eventfd_add(s->q->fd, 1);
	return NULL;
}

TEST_F(map, unmap_while_publishing)
{
	struct ukevent_queue carrier = { .fd = self->fd };
	struct scribbler s = { .q = &carrier };
	struct ukevent_queue q;
	int i, loops = test_loops(300);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, write_on, &s));
	for (i = 0; i < loops; i++) {
		ASSERT_EQ(0, queue_init(&q, 1 << i % 8));
		ASSERT_EQ(0, add_fd(q.fd, self->fd, EV_IN, KEVENT_EDGE, i,
				    NULL));
		take_all(&q, NULL);
		if (i % 2)
			close(q.fd);
		munmap(q.ring_map, q.ring_size);
		sched_yield();
		munmap(q.consumer_map, q.consumer_size);
		if (i % 2 == 0)
			close(q.fd);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
