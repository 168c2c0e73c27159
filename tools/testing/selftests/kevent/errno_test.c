// SPDX-License-Identifier: GPL-2.0
/*
 * S14: every error of kevent_ctl(), kevent_wait() and kevent_get_events() as
 * Documentation/kevent/reference.rst lists them; batches with bad entries; faults in the
 * middle of an array.  (kevent_create() is in abi_test.c.)
 */
#include "kevent_test.h"

FIXTURE(ctl)
{
	struct ukevent_queue q;
	int kfd;
	int fd;
	int closed;
};

FIXTURE_SETUP(ctl)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->kfd = self->q.fd;
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
	self->closed = dup2(self->fd, 200);
	ASSERT_EQ(200, self->closed);
	close(self->closed);
}

FIXTURE_TEARDOWN(ctl)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

/* ---- kevent_ctl(), the call ---- */

TEST_F(ctl, call)
{
	struct kevent_change c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0,
					     0);
	int bit;

	EXPECT_EQ(-EBADF, sys_kevent_ctl(-1, &c, 1, sizeof(c), 0));
	EXPECT_EQ(-EBADF, sys_kevent_ctl(self->closed, &c, 1, sizeof(c), 0));
	EXPECT_EQ(-EINVAL, sys_kevent_ctl(self->fd, &c, 1, sizeof(c), 0));
	for (bit = 0; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, sys_kevent_ctl(self->kfd, &c, 1, sizeof(c),
						  1U << bit));
	EXPECT_EQ(-EINVAL, sys_kevent_ctl(self->kfd, &c, 0x80000000, sizeof(c),
					  0));
	EXPECT_EQ(-EINVAL, sys_kevent_ctl(self->kfd, &c, 0xffffffff, sizeof(c),
					  0));
	EXPECT_EQ(0, sys_kevent_ctl(self->kfd, &c, 0, sizeof(c), 0));
	EXPECT_EQ(0, sys_kevent_ctl(self->kfd, NULL, 0, sizeof(c), 0));
	/* none of these touched the entry or the queue */
	EXPECT_EQ(12345, c.result);
	EXPECT_EQ(-ENOENT, remove_fd(self->kfd, self->fd));
}

TEST_F(ctl, faults_at_first)
{
	struct kevent_change c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0,
					     0);
	size_t page = page_size();
	char *end = guarded_end(1);

	ASSERT_NE(NULL, end);
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, NULL, 1, sizeof(c), 0));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, (void *)end, 1, sizeof(c),
					  0));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, (void *)-4096L, 1,
					  sizeof(c), 0));
	memcpy(end - 88, &c, 88);
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, (void *)(end - 88), 1,
					  sizeof(c), 0));
	/* readable, but the result could not be written: undone */
	memcpy(end - 96, &c, 96);
	ASSERT_EQ(0, mprotect(end - page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, (void *)(end - 96), 1,
					  sizeof(c), 0));
	EXPECT_EQ(-ENOENT, remove_fd(self->kfd, self->fd));
	/* an array whose end wraps around the address space */
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->kfd, (void *)-96L, 2, sizeof(c),
					  0));
}

/* T15: a count that overflows when multiplied */
TEST_F(ctl, huge_count)
{
	struct kevent_change *c;
	char *end = guarded_end(1);

	ASSERT_NE(NULL, end);
	c = (struct kevent_change *)(end - sizeof(*c));
	*c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0, 0);
	EXPECT_EQ(1, sys_kevent_ctl(self->kfd, c, 0x20000000, sizeof(*c), 0));
	EXPECT_EQ(0, c->result);
	*c = make_change(KEVENT_OP_REMOVE, self->fd, 0, 0, 0);
	EXPECT_EQ(1, sys_kevent_ctl(self->kfd, c, 0x7fffffff, sizeof(*c), 0));
	EXPECT_EQ(0, c->result);
}

/* ---- kevent_ctl(), the entry ---- */

#define MODES	(KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH)

TEST_F(ctl, entry_op)
{
	struct kevent_change c;
	unsigned int op;

	for (op = 0; op < 65536; op = op < 64 ? op + 1 : op * 2 + 1) {
		if (op >= KEVENT_OP_ADD && op <= KEVENT_OP_QUERY)
			continue;
		c = make_change(op, self->fd, 0, 0, 0);
		EXPECT_EQ(-EINVAL, do_change(self->kfd, &c))
			TH_LOG("op %u", op);
	}
	c = make_change(KEVENT_OP_TRIGGER, self->fd, 0, 0, 0);
	EXPECT_EQ(-EOPNOTSUPP, do_change(self->kfd, &c));
}

TEST_F(ctl, entry_type)
{
	struct kevent_params p;
	struct kevent_change c;
	unsigned int type;
	int ret, fd;
	bool ok;

	memset(&p, 0, sizeof(p));
	fd = sys_kevent_create(&p, sizeof(p), 0);
	ASSERT_LE(0, fd);
	close(fd);
	for (type = 0; type < 65536; type = type < 64 ? type + 1 : type * 2 + 1) {
		c = make_change(KEVENT_OP_ADD, self->fd, 0, 0, 0);
		c.type = type;
		/* no file, or it might be one that is refused like that */
		if (type == KEVENT_TYPE_SENDFILE)
			c.param[KEVENT_SENDFILE_FD] = ~0ULL;
		ret = do_change(self->kfd, &c);
		if (type < KEVENT_TYPE_POLL || type > KEVENT_TYPE_SENDFILE)
			ok = ret == -EINVAL;
		else if (!(p.types & (1ULL << type)))
			ok = ret == -EOPNOTSUPP;
		else
			ok = ret != -EOPNOTSUPP;
		EXPECT_TRUE(ok) TH_LOG("type %u gave %d", type, ret);
	}
}

/* Each flag with each operation: taken or -EINVAL, nothing else. */
TEST_F(ctl, entry_flags)
{
	struct kevent_change c;
	unsigned int op, bit;
	__u32 takes;
	__u64 id;

	for (op = KEVENT_OP_ADD; op <= KEVENT_OP_DISABLE; op++) {
		takes = flags_taken(op) |
			(op == KEVENT_OP_ADD ? KEVENT_EXCLUSIVE : 0);
		for (bit = 0; bit < 32; bit++) {
			if (op != KEVENT_OP_ADD)
				ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN,
						    0, 0, &id));
			c = make_change(op, self->fd,
					op <= KEVENT_OP_MODIFY ? EV_IN : 0,
					1U << bit, 0);
			if (op != KEVENT_OP_ADD && (1U << bit) == KEVENT_BY_ID) {
				c.id = id;
				c.ident = 0;
			}
			EXPECT_EQ(takes & (1U << bit) ? 0 : -EINVAL,
				  do_change(self->kfd, &c))
				TH_LOG("op %u bit %u", op, bit);
			remove_fd(self->kfd, self->fd);
		}
	}
}

TEST_F(ctl, entry_modes)
{
	static const __u32 bad[] = {
		KEVENT_EDGE | KEVENT_ONESHOT, KEVENT_EDGE | KEVENT_DISPATCH,
		KEVENT_ONESHOT | KEVENT_DISPATCH, MODES,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, add_fd(self->kfd, self->fd, EV_IN, bad[i], 0,
					  NULL));
	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 0, NULL));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, modify_fd(self->kfd, self->fd, EV_IN, bad[i],
					     0));
}

TEST_F(ctl, entry_events)
{
	unsigned int bit;

	/* epoll's flags among them: here they are bits of flags, not events */
	for (bit = 14; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, add_fd(self->kfd, self->fd, 1U << bit, 0, 0,
					  NULL)) TH_LOG("bit %u", bit);
	/* none at all: errors and hang-ups are watched */
	EXPECT_EQ(0, add_fd(self->kfd, self->fd, 0, 0, 0, NULL));
	EXPECT_EQ(-EINVAL, modify_fd(self->kfd, self->fd, 1U << 31, 0, 0));
	EXPECT_EQ(0, remove_fd(self->kfd, self->fd));
	EXPECT_EQ(0, add_fd(self->kfd, self->fd, EV_IN | EV_PRI | EV_OUT |
			    EV_ERR | EV_HUP | EV_RDNORM | EV_RDBAND |
			    EV_WRNORM | EV_RDHUP, 0, 0, NULL));
}

TEST_F(ctl, entry_reserved)
{
	struct kevent_change c, good;
	__u64 *const fields[] = {
		&c.addr, &c.param[0], &c.param[1], &c.param[2], &c.param[3],
		&c.reserved[0], &c.reserved[1], &c.id,
	};
	unsigned int op;
	size_t i;

	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 0, NULL));
	for (op = KEVENT_OP_ADD; op <= KEVENT_OP_DISABLE; op++) {
		good = make_change(op, self->fd, op <= KEVENT_OP_MODIFY ?
				   EV_IN : 0, 0, 0);
		for (i = 0; i < ARRAY_SIZE(fields); i++) {
			c = good;
			*fields[i] = 1ULL << 40;
			EXPECT_EQ(-EINVAL, do_change(self->kfd, &c))
				TH_LOG("op %u field %zu", op, i);
		}
	}
	EXPECT_EQ(0, remove_fd(self->kfd, self->fd));
}

TEST_F(ctl, entry_ident)
{
	struct kevent_change c;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	struct ukevent_queue other;
	unsigned int op;

	ASSERT_LE(0, file);
	ASSERT_LE(0, dir);
	ASSERT_LE(0, path);
	for (op = KEVENT_OP_ADD; op <= KEVENT_OP_DISABLE; op++) {
		EXPECT_EQ(-EBADF, op_fd(self->kfd, op, self->closed));
		EXPECT_EQ(-EBADF, op_fd(self->kfd, op, -1));
		EXPECT_EQ(-EBADF, op_fd(self->kfd, op, path));
		/* 64 bits are compared, not the lower half of them */
		c = make_change(op, 0, 0, 0, 0);
		c.ident = (1ULL << 32) + self->fd;
		EXPECT_EQ(-EBADF, do_change(self->kfd, &c));
		if (op != KEVENT_OP_ADD)
			EXPECT_EQ(-ENOENT, op_fd(self->kfd, op, self->fd));
	}
	EXPECT_EQ(-EPERM, add_fd(self->kfd, file, EV_IN, 0, 0, NULL));
	EXPECT_EQ(-EPERM, add_fd(self->kfd, dir, EV_IN, 0, 0, NULL));
	EXPECT_EQ(-ELOOP, add_fd(self->kfd, self->kfd, EV_IN, 0, 0, NULL));
	ASSERT_EQ(0, queue_init(&other, 4));
	EXPECT_EQ(-ELOOP, add_fd(self->kfd, other.fd, EV_IN, 0, 0, NULL));
	ukevent_queue_exit(&other);
	close(file);
	close(dir);
	close(path);
}

TEST_F(ctl, entry_exists)
{
	struct ukevent ev[2];
	int copy, i;

	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 1, NULL));
	EXPECT_EQ(-EEXIST, add_fd(self->kfd, self->fd, EV_IN, 0, 2, NULL));
	EXPECT_EQ(-EEXIST, add_fd(self->kfd, self->fd, EV_OUT, KEVENT_EDGE, 2,
				  NULL));
	/* the key is (file, number): another number is another interest */
	copy = dup(self->fd);
	EXPECT_EQ(-ENOENT, remove_fd(self->kfd, copy));
	EXPECT_EQ(0, add_fd(self->kfd, copy, EV_IN, 0, 3, NULL));
	EXPECT_EQ(-EEXIST, add_fd(self->kfd, copy, EV_IN, 0, 4, NULL));
	/* the refused ones left the first as it was */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(2, ring_reaches(&self->q, 2));
	ASSERT_EQ(2, (int)ukevent_take(&self->q, ev, 2));
	i = ev[0].cookie == 3;	/* one wake-up for both: in any order */
	EXPECT_RECORD(&ev[i], 1, EV_IN, 0);
	EXPECT_RECORD(&ev[!i], 3, EV_IN, 0);
	close(copy);
	EXPECT_EQ(0, remove_fd(self->kfd, self->fd));
	EXPECT_EQ(-ENOENT, remove_fd(self->kfd, self->fd));
}

TEST_F(ctl, entry_id)
{
	static const unsigned int ops[] = {
		KEVENT_OP_MODIFY, KEVENT_OP_ENABLE, KEVENT_OP_DISABLE,
		KEVENT_OP_REMOVE,
	};
	__u64 id, id2;
	size_t i;

	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 0, &id));
	EXPECT_NE(0ULL, id);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-ENOENT, op_id(self->kfd, ops[i], 0, 0));
		EXPECT_EQ(-ENOENT, op_id(self->kfd, ops[i], id + 1, 0));
		EXPECT_EQ(-ENOENT, op_id(self->kfd, ops[i], id + (1ULL << 32),
					 0));
		EXPECT_EQ(-ENOENT, op_id(self->kfd, ops[i], ~0ULL, 0));
	}
	EXPECT_EQ(0, op_id(self->kfd, KEVENT_OP_DISABLE, id, 0));
	EXPECT_EQ(0, op_id(self->kfd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_EQ(0, op_id(self->kfd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_EQ(-ENOENT, op_id(self->kfd, KEVENT_OP_REMOVE, id, 0));
	/* never used again */
	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 0, &id2));
	EXPECT_NE(id, id2);
	EXPECT_EQ(-ENOENT, op_id(self->kfd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_EQ(0, op_id(self->kfd, KEVENT_OP_REMOVE, id2, 0));
}

/* A refused MODIFY leaves the interest as it was. */
TEST_F(ctl, entry_kept)
{
	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, KEVENT_EDGE, 7, NULL));
	EXPECT_EQ(-EINVAL, modify_fd(self->kfd, self->fd, 1U << 20, 0, 8));
	EXPECT_EQ(-EINVAL, modify_fd(self->kfd, self->fd, EV_OUT,
				     KEVENT_EXCLUSIVE, 8));
	EXPECT_EQ(0, in_ring(&self->q));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, ring_reaches(&self->q, 1));
	EXPECT_TAKE(&self->q, 7, EV_IN, 0);
	EXPECT_QUIET(&self->q);
}

/* ---- batches ---- */

#define NR_BATCH	40

FIXTURE(batch)
{
	struct ukevent_queue q;
	int fds[NR_BATCH];
};

FIXTURE_SETUP(batch)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, 64));
	for (i = 0; i < NR_BATCH; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
	}
}

FIXTURE_TEARDOWN(batch)
{
	ukevent_queue_exit(&self->q);
}

static void fill_adds(struct kevent_change *c, const int *fds, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		c[i] = make_change(KEVENT_OP_ADD, fds[i], EV_IN, 0, i);
}

TEST_F(batch, bad_in_the_middle)
{
	struct kevent_change c[NR_BATCH];
	int i, want;

	fill_adds(c, self->fds, NR_BATCH);
	for (i = 0; i < NR_BATCH; i += 2) {
		if (i % 8 == 0)
			c[i].op = 99;
		else if (i % 8 == 2)
			c[i].ident = 999;
		else if (i % 8 == 4)
			c[i].reserved[1] = 1;
		else
			c[i] = c[i - 1];
	}
	EXPECT_EQ(NR_BATCH, sys_kevent_ctl(self->q.fd, c, NR_BATCH,
					   sizeof(c[0]), 0));
	for (i = 0; i < NR_BATCH; i++) {
		want = i % 2 ? 0 : i % 8 == 2 ? -EBADF :
		       i % 8 == 6 ? -EEXIST : -EINVAL;
		EXPECT_EQ(want, c[i].result) TH_LOG("entry %d", i);
	}
	for (i = 0; i < NR_BATCH; i++)
		EXPECT_EQ(i % 2 ? 0 : -ENOENT,
			  remove_fd(self->q.fd, self->fds[i]))
			TH_LOG("entry %d", i);
}

TEST_F(batch, mixed_operations)
{
	int kfd = self->q.fd, fd = self->fds[0];
	struct kevent_change c[8] = {
		make_change(KEVENT_OP_ADD, fd, EV_IN, KEVENT_EDGE, 1),
		make_change(KEVENT_OP_DISABLE, fd, 0, 0, 0),
		make_change(KEVENT_OP_ADD, fd, EV_IN, 0, 2),
		make_change(KEVENT_OP_ENABLE, fd, 0, 0, 0),
		make_change(KEVENT_OP_MODIFY, fd, EV_IN | EV_OUT, 0, 3),
		make_change(KEVENT_OP_TRIGGER, fd, 0, 0, 0),
		make_change(KEVENT_OP_REMOVE, fd, 0, 0, 0),
		make_change(KEVENT_OP_REMOVE, fd, 0, 0, 0),
	};
	static const int want[8] = {
		0, 0, -EEXIST, 0, 0, -EOPNOTSUPP, 0, -ENOENT
	};
	int i;

	EXPECT_EQ(8, sys_kevent_ctl(kfd, c, 8, sizeof(c[0]), 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(want[i], c[i].result) TH_LOG("entry %d", i);
	/* applied in order: an eventfd of 0 has room, so MODIFY found OUT */
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_TAKE(&self->q, 3, EV_OUT, 0);
}

/* T38: the array ends at an unmapped page, on and inside an entry. */
TEST_F(batch, unreadable_in_the_middle)
{
	char *end = guarded_end(2);
	struct kevent_change *c;
	int cut, i, nr = 33;

	ASSERT_NE(NULL, end);
	for (cut = 0; cut < 96; cut += 8) {
		c = (struct kevent_change *)(end - nr * sizeof(*c) - cut);
		fill_adds(c, self->fds, nr);
		EXPECT_EQ(nr, sys_kevent_ctl(self->q.fd, c, NR_BATCH,
					     sizeof(*c), 0)) TH_LOG("cut %d", cut);
		for (i = 0; i < nr; i++)
			EXPECT_EQ(0, c[i].result);
		for (i = 0; i < NR_BATCH; i++)
			EXPECT_EQ(i < nr ? 0 : -ENOENT,
				  remove_fd(self->q.fd, self->fds[i]))
				TH_LOG("cut %d entry %d", cut, i);
	}
}

/*
 * The array goes on in a page that can be read only: ADDs there are undone.
 * Result and id lie in bytes 28 to 40 of an entry.
 */
TEST_F(batch, unwritable_in_the_middle)
{
	size_t page = page_size();
	char *end = guarded_end(3);
	struct kevent_change *c;
	int cut, i, nr;

	ASSERT_NE(NULL, end);
	end -= page;
	for (cut = 0; cut < 96; cut += 8) {
		ASSERT_EQ(0, mprotect(end, page, PROT_READ | PROT_WRITE));
		c = (struct kevent_change *)(end - 5 * sizeof(*c) - cut);
		nr = cut < 40 ? 5 : 6;
		fill_adds(c, self->fds, 12);
		ASSERT_EQ(0, mprotect(end, page, PROT_READ));
		EXPECT_EQ(nr, sys_kevent_ctl(self->q.fd, c, 12, sizeof(*c), 0))
			TH_LOG("cut %d", cut);
		for (i = 0; i < 12; i++)
			EXPECT_EQ(i < nr ? 0 : -ENOENT,
				  remove_fd(self->q.fd, self->fds[i]))
				TH_LOG("cut %d entry %d", cut, i);
	}
}

struct toggler {
	void *page;
	int stop;
	int error;
};

static void *toggle_main(void *arg)
{
	struct toggler *t = arg;
	unsigned int n;

	for (n = 0; !__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE); n++)
		t->error |= mprotect(t->page, page_size(), n % 2 ? PROT_READ :
				     PROT_READ | PROT_WRITE);
	return NULL;
}

/*
 *   main      ADDs, whose results go to a page
 *   toggler   makes that page read-only, and writable again
 *
 * It may become read-only when ADDs were applied: what is not told is undone.
 */
TEST_F_TIMEOUT(batch, unwritable_meanwhile, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, n, nr, ret, cut_short = 0, loops = test_loops(20000);
	struct toggler t = {};
	struct kevent_change *c;
	pthread_t thread;
	int memfd;

	memfd = memfd_create("changes", MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, page_size()));
	/* where they are written, and what the kernel is told of */
	c = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	ASSERT_NE(MAP_FAILED, c);
	t.page = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, memfd, 0);
	ASSERT_NE(MAP_FAILED, t.page);
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle_main, &t));
	/* a few rounds may all be before the other one runs, or after */
	for (n = 0; cut_short && cut_short < n ?
	     n < loops && !test_loops_done(start, 8) :
	     !test_loops_done(start, 60); n++) {
		fill_adds(c, self->fds, 12);
		ret = sys_kevent_ctl(self->q.fd, t.page, 12, sizeof(*c), 0);
		nr = ret == -EFAULT ? 0 : ret;
		ASSERT_LE(0, nr);
		cut_short += nr < 12;
		for (i = 0; i < 12; i++)
			ASSERT_EQ(i < nr ? 0 : -ENOENT,
				  remove_fd(self->q.fd, self->fds[i]))
				TH_LOG("round %d, %d told, entry %d", n, nr, i);
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.error);
	EXPECT_LT(0, cut_short);
	EXPECT_GT(n, cut_short);
	TH_LOG("%d of %d rounds cut short", cut_short, n);
	munmap(c, page_size());
	munmap(t.page, page_size());
	close(memfd);
}

/* ---- kevent_wait() and kevent_get_events() ---- */

FIXTURE(waits)
{
	struct ukevent_queue q, nr;
	struct kevent_wait_args a;
	struct ukevent buf[4];
	int fd;
};

FIXTURE_SETUP(waits)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, queue_init_noring(&self->nr, 8));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(waits)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->nr);
}

/*
 * Both calls with the same arguments must answer the same.  The minimum of 1
 * on empty queues would sleep for ever if the bad argument were let pass.
 */
static int both(FIXTURE_DATA(waits) * self, size_t size)
{
	int wait = sys_kevent_wait(self->q.fd, 1, &self->a, size);
	int get = sys_kevent_get_events(self->nr.fd, self->buf, 1, 4, &self->a,
					size);

	return wait == get ? wait : -EPROTO;
}

TEST_F(waits, descriptor)
{
	EXPECT_EQ(-EBADF, sys_kevent_wait(-1, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->fd, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->nr.fd, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->nr.fd, 0, NULL, 0));
	EXPECT_EQ(-EBADF, sys_kevent_get_events(-1, self->buf, 1, 4, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->fd, self->buf, 1, 4,
						 NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->q.fd, self->buf, 1, 4,
						 NULL, 0));
}

TEST_F(waits, numbers)
{
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->q.fd, 9, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->q.fd, 0x80000000, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->q.fd, 0xffffffff, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->nr.fd, self->buf, 2, 1,
						 NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->nr.fd, self->buf, 0, 0,
						 NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->nr.fd, self->buf, 0,
						 0x80000000, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->nr.fd, self->buf, 0,
						 0xffffffff, NULL, 0));
	EXPECT_EQ(0, sys_kevent_get_events(self->nr.fd, self->buf, 0, 4, NULL,
					   0));
	EXPECT_EQ(0, sys_kevent_get_events(self->nr.fd, self->buf, 0,
					   0x7fffffff, NULL, 0));
}

TEST_F(waits, sizes)
{
	EXPECT_EQ(-EINVAL, both(self, 0));
	EXPECT_EQ(-EINVAL, both(self, 71));
	EXPECT_EQ(-E2BIG, both(self, page_size() + 1));
	EXPECT_EQ(-EINVAL, sys_kevent_get_events(self->nr.fd, self->buf, 1, 4,
						 NULL, 72));
}

TEST_F(waits, flags)
{
	int bit;

	for (bit = 2; bit < 32; bit++) {
		self->a.flags = KEVENT_WAIT_TIMEOUT | 1U << bit;
		EXPECT_EQ(-EINVAL, both(self, 72)) TH_LOG("bit %d", bit);
	}
	self->a.flags = KEVENT_WAIT_ABSTIME;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.flags = 0;
	self->a.timeout_ns = 1;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.timeout_ns = 0;
	self->a.clockid = CLOCK_MONOTONIC;
	EXPECT_EQ(-EINVAL, both(self, 72));
}

TEST_F(waits, clocks)
{
	static const int good[] = {
		CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
	};
	size_t i;
	int clock;

	self->a.flags = KEVENT_WAIT_TIMEOUT;
	for (clock = -4; clock < 20; clock++) {
		self->a.clockid = clock;
		for (i = 0; i < ARRAY_SIZE(good) && clock != good[i]; i++)
			;
		EXPECT_EQ(i < ARRAY_SIZE(good) ? 0 : -EINVAL, both(self, 72))
			TH_LOG("clock %d", clock);
	}
	self->a.clockid = CLOCK_MONOTONIC;
	self->a.timeout_ns = 1ULL << 63;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.timeout_ns = ~0ULL;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.flags |= KEVENT_WAIT_ABSTIME;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.timeout_ns = 0;
	EXPECT_EQ(0, both(self, 72));
	self->a.min_wait_ns = 1ULL << 63;
	EXPECT_EQ(-EINVAL, both(self, 72));
}

TEST_F(waits, reserved)
{
	unsigned int byte;

	for (byte = offsetof(struct kevent_wait_args, busy_poll_usecs);
	     byte < sizeof(self->a); byte++) {
		memset(&self->a, 0, sizeof(self->a));
		((char *)&self->a)[byte] = 1;
		EXPECT_EQ(-EINVAL, both(self, 72)) TH_LOG("byte %u", byte);
	}
}

TEST_F(waits, sigmask)
{
	__u64 mask[2] = {};

	self->a.flags = KEVENT_WAIT_TIMEOUT;
	self->a.clockid = CLOCK_MONOTONIC;
	self->a.sigmask = (unsigned long)mask;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.sigmask_size = 4;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.sigmask_size = 16;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.sigmask_size = 8;
	EXPECT_EQ(0, both(self, 72));
	self->a.sigmask = 0;
	EXPECT_EQ(-EINVAL, both(self, 72));
}

TEST_F(waits, faults)
{
	char *end = guarded_end(1);
	struct kevent_wait_args *ro;

	ASSERT_NE(NULL, end);
	EXPECT_EQ(-EFAULT, sys_kevent_wait(self->q.fd, 1, (void *)end, 72));
	EXPECT_EQ(-EFAULT, sys_kevent_wait(self->q.fd, 1, (void *)(end - 64),
					   72));
	EXPECT_EQ(-EFAULT, sys_kevent_get_events(self->nr.fd, self->buf, 1, 4,
						 (void *)(end - 64), 72));
	self->a.sigmask = (unsigned long)end;
	self->a.sigmask_size = 8;
	EXPECT_EQ(-EFAULT, both(self, 72));
	self->a.sigmask = 0;
	self->a.sigmask_size = 0;
	self->a.nr_changes = 1;
	self->a.change_size = 96;
	self->a.changes = (unsigned long)end;
	EXPECT_EQ(-EFAULT, both(self, 72));
	self->a.changes = 0;
	EXPECT_EQ(-EFAULT, both(self, 72));

	/* arguments are written only if there are changes */
	ro = (struct kevent_wait_args *)(end - 72);
	memset(ro, 0, 72);
	ASSERT_EQ(0, mprotect(end - page_size(), page_size(), PROT_READ));
	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 0, ro, 72));
	EXPECT_EQ(0, sys_kevent_get_events(self->nr.fd, self->buf, 0, 4, ro,
					   72));
}

TEST_F(waits, changes)
{
	struct kevent_change c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0,
					     0);

	self->a.changes = (unsigned long)&c;
	self->a.nr_changes = 1;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.change_size = 88;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.change_size = 100;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.change_size = page_size() + 8;
	EXPECT_EQ(-E2BIG, both(self, 72));
	self->a.change_size = 96;
	self->a.nr_changes = 0x80000000;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.nr_changes = 0;
	self->a.changes = 0;
	EXPECT_EQ(-EINVAL, both(self, 72));
	/* nothing was applied, and nothing is applied before the check */
	EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, self->fd));
	self->a.changes = (unsigned long)&c;
	self->a.nr_changes = 1;
	self->a.flags = 1U << 31;
	EXPECT_EQ(-EINVAL, both(self, 72));
	self->a.flags = 0;
	EXPECT_EQ(-EINVAL, sys_kevent_wait(self->q.fd, 9, &self->a, 72));
	EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, self->fd));
	EXPECT_EQ(-ENOENT, remove_fd(self->nr.fd, self->fd));
}

TEST_F(waits, buffer)
{
	char *end = guarded_end(1);
	int i;

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, add_fd(self->nr.fd, self->fd, EV_IN, KEVENT_ONESHOT, 5,
			    NULL));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, sys_kevent_get_events(self->nr.fd, NULL, 1,
							 4, NULL, 0));
		EXPECT_EQ(-EFAULT, sys_kevent_get_events(self->nr.fd,
							 (void *)end, 1, 4,
							 NULL, 0));
		EXPECT_EQ(-EFAULT, sys_kevent_get_events(self->nr.fd,
							 (void *)(end - 16), 1,
							 4, NULL, 0));
	}
	/* T12, T38: a one-shot's only record, and it is still there */
	EXPECT_EQ(1, sys_kevent_get_events(self->nr.fd, (void *)(end - 32), 1,
					   4, NULL, 0));
	EXPECT_RECORD((struct ukevent *)(end - 32), 5, EV_IN, 0);
}

TEST_HARNESS_MAIN
