// SPDX-License-Identifier: GPL-2.0
/*
 * A queue that somebody else has made: its parameters, its mappings in another
 * process, in a program for which reading implies executing, after the facility
 * was switched off.  And that the library leaves errno alone.
 */
#include "kevent_test.h"
#include <sys/personality.h>

#ifndef MADV_DOFORK
#define MADV_DOFORK	11
#endif

#define DISABLED	"/proc/sys/kernel/kevent_disabled"

static int ask(int fd, struct kevent_params *p)
{
	memset(p, 0, sizeof(*p));
	p->queue = fd;
	return sys_kevent_create(p, sizeof(*p), KEVENT_CREATE_QUERY);
}

FIXTURE(params)
{
	struct kevent_params made;
	struct ukevent_queue q;
	int fd;
};

FIXTURE_VARIANT(params)
{
	__u32 flags;
	__u32 entries;
};

FIXTURE_VARIANT_ADD(params, small) { 0, 1 };
FIXTURE_VARIANT_ADD(params, large) { KEVENT_CREATE_INHERIT, 5000 };
FIXTURE_VARIANT_ADD(params, noring) { KEVENT_CREATE_NORING, 16 };
FIXTURE_VARIANT_ADD(params, data_area) { KEVENT_CREATE_DATA, 100 };
FIXTURE_VARIANT_ADD(params, files) { KEVENT_CREATE_SENDFILE, 100 };

FIXTURE_SETUP(params)
{
	self->made.flags = variant->flags;
	self->made.ring_entries = variant->entries;
	ASSERT_EQ(0, ukevent_queue_init(&self->q, &self->made));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(params)
{
	ukevent_queue_exit(&self->q);
	close(self->fd);
}

/* The answer is what kevent_create() said. */
TEST_F(params, told_again)
{
	struct kevent_params p;
	int copy = dup(self->q.fd);

	ASSERT_EQ(0, ask(copy, &p));
	EXPECT_EQ(copy, p.queue);
	p.queue = 0;
	EXPECT_EQ(0, memcmp(&p, &self->made, sizeof(p)));
	EXPECT_EQ(variant->flags & ~KEVENT_CREATE_INHERIT, p.flags);
	/* nothing was made, and what is there is as it was */
	EXPECT_EQ(copy + 1, dup(0));
	close(copy + 1);
	close(copy);
}

TEST_F(params, told_to_smaller_and_larger)
{
	struct {
		struct kevent_params p;
		__u64 more[2];
	} big;
	char *end = guarded_end(1);
	struct kevent_params *p;

	/* nothing is written beyond what was passed */
	ASSERT_NE(NULL, end);
	p = (struct kevent_params *)(end - KEVENT_PARAMS_SIZE_VER0);
	p->queue = self->q.fd;
	EXPECT_EQ(0, sys_kevent_create(p, KEVENT_PARAMS_SIZE_VER0,
				       KEVENT_CREATE_QUERY));
	EXPECT_EQ(128U, p->size);
	memset(&big, 0, sizeof(big));
	big.p.queue = self->q.fd;
	big.more[1] = ~0ULL;
	EXPECT_EQ(0, sys_kevent_create(&big.p, sizeof(big.p) + 8,
				       KEVENT_CREATE_QUERY));
	EXPECT_EQ(128U, big.p.size);
	EXPECT_EQ(0ULL, big.more[0]);
	EXPECT_EQ(~0ULL, big.more[1]);
	EXPECT_EQ(-E2BIG, sys_kevent_create(&big.p, sizeof(big),
					    KEVENT_CREATE_QUERY));
}

TEST_F(params, errors)
{
	struct kevent_params p;
	char *end = guarded_end(1);

	EXPECT_EQ(-EBADF, ask(-1, &p));
	EXPECT_EQ(-EBADF, ask(999, &p));
	EXPECT_EQ(-EINVAL, ask(self->fd, &p));
	EXPECT_EQ(0U, p.record_size);
	memset(&p, 0, sizeof(p));
	p.queue = self->q.fd;
	p.ring_entries = 1;
	EXPECT_EQ(-EINVAL, sys_kevent_create(&p, sizeof(p),
					     KEVENT_CREATE_QUERY));
	p.ring_entries = 0;
	p.nr_expected = 1;
	EXPECT_EQ(-EINVAL, sys_kevent_create(&p, sizeof(p),
					     KEVENT_CREATE_QUERY));
	p.nr_expected = 0;
	p.reserved = 1;
	EXPECT_EQ(-EINVAL, sys_kevent_create(&p, sizeof(p),
					     KEVENT_CREATE_QUERY));
	p.reserved = 0;
	p.data_size = 1;
	EXPECT_EQ(-EINVAL, sys_kevent_create(&p, sizeof(p),
					     KEVENT_CREATE_QUERY));
	p.data_size = 0;
	EXPECT_EQ(-EINVAL, sys_kevent_create(&p, 127, KEVENT_CREATE_QUERY));
	ASSERT_NE(NULL, end);
	EXPECT_EQ(-EFAULT, sys_kevent_create((void *)end, 128,
					     KEVENT_CREATE_QUERY));
	memcpy(end - 128, &p, 128);
	ASSERT_EQ(0, mprotect(end - page_size(), page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_create((void *)(end - 128), 128,
					     KEVENT_CREATE_QUERY));
}

/* ---- other processes ---- */

FIXTURE(other)
{
	struct ukevent_queue q;
	int fd;
};

FIXTURE_SETUP(other)
{
	ASSERT_EQ(0, queue_init(&self->q, 300));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 7, NULL));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
}

FIXTURE_TEARDOWN(other)
{
	ukevent_queue_exit(&self->q);
	close(self->fd);
}

/* Opens the queue and takes the record that is there. */
static int open_and_take(int fd)
{
	struct ukevent_queue q;
	struct ukevent ev;

	if (ukevent_queue_open(&q, fd))
		return 1;
	if (q.entries != 512 || in_ring(&q) != 1)
		return 2;
	if (ukevent_dequeue(&q, &ev, 0) != 1 || ev.cookie != 7)
		return 3;
	ukevent_queue_exit(&q);
	return 0;
}

TEST_F(other, after_fork)
{
	pid_t pid = fork();

	if (!pid)
		_exit(open_and_take(self->q.fd));
	EXPECT_EQ(0, child_status(pid));
	/* one consumer index: consumed for all */
	EXPECT_EQ(0, in_ring(&self->q));
}

/* From somebody who has never seen it, and has mapped nothing. */
TEST_F(other, received)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	int sv[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	if (!pid) {
		ukevent_queue_exit(&self->q);
		if (recvmsg(sv[1], &msg, 0) != 1)
			_exit(9);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		_exit(open_and_take(fd));
	}
	ASSERT_EQ(0, send_fd(sv[0], self->q.fd));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, in_ring(&self->q));
	close(sv[0]);
	close(sv[1]);
}

TEST_F(other, open_fails)
{
	struct ukevent_queue q;

	EXPECT_EQ(-EINVAL, ukevent_queue_open(&q, self->fd));
	EXPECT_EQ(-1, q.fd);
	EXPECT_EQ(-EBADF, ukevent_queue_open(&q, 999));
	/* the descriptor stays the caller's */
	EXPECT_EQ(0, eventfd_add(self->fd, 1));
}

/*
 * Not inherited; a program that takes that back with MADV_DOFORK shares the queue
 * with its child, as with one that maps it itself, and can tell by the index.  The
 * library does not go along.
 */
TEST_F(other, madvise_dofork)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;
	pid_t pid = fork();

	if (!pid) {
		in_ring(q);
		_exit(0);
	}
	EXPECT_EQ(-EFAULT, child_status(pid));
	ASSERT_EQ(0, madvise(q->ring_map, q->ring_size, MADV_DOFORK));
	ASSERT_EQ(0, madvise(q->consumer_map, q->consumer_size, MADV_DOFORK));
	pid = fork();
	if (!pid)
		_exit(ukevent_take(q, &ev, 1) == -ECHILD &&
		      ukevent_take_mapped(q, &ev, 1) == 1 &&
		      ev.cookie == 7 ? 0 : 1);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, in_ring(q));
	EXPECT_EQ(q->head + 1, __atomic_load_n(q->consumer, __ATOMIC_RELAXED));
}

/* What does /proc/self/maps say of the mapping at @map? */
static int map_mode(void *map, char mode[5])
{
	static char text[65536];
	unsigned long start;
	char *line;

	if (read_text("/proc/self/maps", text, sizeof(text)) <= 0)
		return -EIO;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%lx-%*x %4s", &start, mode) == 2 &&
		    start == (unsigned long)map)
			return 0;
	return -ENOENT;
}

/* The mappings of a program for which reading implies executing do neither. */
TEST_F(other, read_implies_exec)
{
	int old = personality(0xffffffff);
	struct ukevent_queue q;
	char mode[5] = "";

	ASSERT_LE(0, old);
	ASSERT_LE(0, personality(old | READ_IMPLIES_EXEC));
	ASSERT_EQ(0, queue_init(&q, 300));
	ASSERT_EQ(0, map_mode(q.ring_map, mode));
	EXPECT_STREQ("r--s", mode);
	ASSERT_EQ(0, map_mode(q.consumer_map, mode));
	EXPECT_STREQ("rw-s", mode);
	/* asked for or implied cannot be told apart: it is not given */
	EXPECT_EQ(0, mprotect(q.ring_map, q.ring_size, PROT_READ));
	ASSERT_EQ(0, map_mode(q.ring_map, mode));
	EXPECT_STREQ("r--s", mode);
	EXPECT_EQ(-1, mprotect(q.ring_map, q.ring_size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-1, mprotect(q.ring_map, q.ring_size, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, add_fd(q.fd, self->fd, EV_IN, KEVENT_EDGE, 8, NULL));
	EXPECT_TAKE(&q, 8, EV_IN, 0);
	ukevent_queue_exit(&q);
	ASSERT_LE(0, personality(old));
}

/* ---- switched off ---- */

/* No queue can be made; those that are there go on, with all that they can. */
TEST_F(other, switched_off)
{
	struct ukevent_queue *q = &self->q, q2;
	int ret, added, set, triggered, asked, opened, waited;
	struct kevent_params p;
	char before[32];

	ASSERT_LT(0, read_text(DISABLED, before, sizeof(before)));
	ASSERT_EQ(0, write_text(DISABLED, "2"));
	ret = queue_init(&q2, 4);
	added = add_fd(q->fd, self->q.fd, EV_IN, 0, 9, NULL);
	set = ukevent_add(q, KEVENT_TYPE_USER, 1, 0, 0, 10);
	triggered = ukevent_trigger(q, 1, 3);
	asked = ask(q->fd, &p);
	opened = ukevent_queue_open(&q2, dup(q->fd));
	waited = sys_kevent_wait(q->fd, 2, NULL, 0);
	EXPECT_EQ(0, write_text(DISABLED, before));

	EXPECT_EQ(-EPERM, ret);
	EXPECT_EQ(-ELOOP, added);
	EXPECT_EQ(0, set | triggered | asked | opened);
	EXPECT_EQ(512U, p.ring_entries);
	EXPECT_EQ(2, waited);
	EXPECT_TAKE(q, 7, EV_IN, 0);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 10, KEVENT_USER_TRIGGERED, 0, 3, 1);
	ukevent_queue_exit(&q2);
}

/* ---- errno ---- */

#define KEPT(call) \
do { \
	errno = 4711; \
	call; \
	EXPECT_EQ(4711, errno) TH_LOG("%s", #call); \
} while (0)

TEST_F(other, errno_kept)
{
	struct ukevent_queue *q = &self->q, q2;
	struct kevent_params p = {}, bad = { .reserved = 1 };
	struct kevent_change c = make_change(99, 0, 0, 0, 0);
	struct kevent_wait_args a = { .flags = 1U << 31 };
	struct rlimit rl, none = { 0, 0 };
	struct ukevent ev[2];

	/* what fails */
	KEPT(sys_kevent_create(&bad, sizeof(bad), 0));
	KEPT(sys_kevent_create(NULL, sizeof(bad), 0));
	KEPT(sys_kevent_ctl(-1, &c, 1, sizeof(c), 0));
	KEPT(sys_kevent_wait(-1, 0, NULL, 0));
	KEPT(sys_kevent_wait(q->fd, 0, &a, sizeof(a)));
	KEPT(sys_kevent_get_events(q->fd, ev, 0, 1, NULL, 0));
	KEPT(ukevent_queue_init(&q2, &bad));
	KEPT(ukevent_queue_open(&q2, self->fd));
	KEPT(ukevent_queue_exit(&q2));
	KEPT(ukevent_change(q, &c));
	KEPT(ukevent_add_poll(q, self->fd, EV_IN, 0, 1));
	KEPT(ukevent_op_poll(q, KEVENT_OP_REMOVE, 999));
	KEPT(ukevent_op_id(q, KEVENT_OP_ENABLE, KEVENT_TYPE_POLL, 99, 0));
	KEPT(ukevent_trigger(q, 99, 0));
	KEPT(ukevent_set_timer(q, KEVENT_OP_SET, 1, 1, 0, 77, 0, 0));
	KEPT(ukevent_add_inode(q, -1, NULL, 0, 2, 0, 0, NULL));
	KEPT(ukevent_wait(q, 1000000, 0));
	/* no room for the mappings */
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &rl));
	none.rlim_max = rl.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	errno = 4711;
	q2.fd = ukevent_queue_init(&q2, &p);
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &rl));
	EXPECT_EQ(-ENOMEM, q2.fd);
	/* what does not */
	KEPT(ukevent_dequeue(q, ev, 0));
	KEPT(ukevent_queue_init(&q2, &p));
	KEPT(ukevent_queue_exit(&q2));
}

TEST_HARNESS_MAIN
