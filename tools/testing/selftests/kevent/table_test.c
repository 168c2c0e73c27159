// SPDX-License-Identifier: GPL-2.0
/*
 * How a queue finds its interests: by descriptor, by number and by id, while
 * they come and go, against a model.
 */
#include "kevent_test.h"

FIXTURE(table)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, queue_init(&self->q, 64));
	ASSERT_EQ(0, raise_nofile(8000));
}

FIXTURE_TEARDOWN(table)
{
	ukevent_queue_exit(&self->q);
}

static unsigned int next_random(unsigned int *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

/* Number of interests, by fdinfo; they are printed in the order of their ids. */
static int shown(struct ukevent_queue *q)
{
	unsigned long long id, last = 0;
	char path[64], line[512];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "id: %llu", &id) != 1)
			continue;
		if (id <= last)
			n = -100000;
		last = id;
		n++;
	}
	fclose(f);
	return n;
}

/* What an interest of the model is named by. */
enum { BY_FD, BY_USER, BY_TIMER, NR_KINDS };

static struct kevent_change named(unsigned int op, int kind, __u64 ident)
{
	static const unsigned int types[] = {
		[BY_FD]		= KEVENT_TYPE_POLL,
		[BY_USER]	= KEVENT_TYPE_USER,
		[BY_TIMER]	= KEVENT_TYPE_TIMER,
	};
	static const __u32 events[] = {
		[BY_FD]		= EV_IN,
		[BY_USER]	= KEVENT_USER_TRIGGERED,
		[BY_TIMER]	= KEVENT_TIMER_EXPIRED,
	};
	bool add = op == KEVENT_OP_ADD;
	struct kevent_change c = make_typed(op, types[kind], ident,
					    add ? events[kind] : 0,
					    add ? KEVENT_EDGE : 0, 0);

	if (add && kind == BY_TIMER) {
		c.param[KEVENT_TIMER_TIME] = INT64_MAX;
		c.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	}
	return c;
}

/*
 * Random changes to a set of up to NR names of each kind: what is there is found
 * by name and id, what is not is not, no id comes twice.
 */
TEST_F_TIMEOUT(table, model, 120)
{
	enum { NR = 700, BASE = 1000 };
	static __u64 ids[NR_KINDS][NR], old[NR_KINDS][NR];
	struct ukevent_queue *q = &self->q;
	int i, n, there = 0, fd = make_eventfd(0), loops = test_loops(60000);
	unsigned int state = 1;
	struct kevent_change c;

	for (i = 0; i < NR; i++)
		ASSERT_EQ(BASE + i, dup2(fd, BASE + i));
	for (i = 0; i < loops; i++) {
		int kind = next_random(&state) % NR_KINDS;
		/* the set grows and shrinks */
		bool add = next_random(&state) % 100 <
			   (i / (loops / 10) % 2 ? 30 : 70);
		__u64 *id, ident;

		n = next_random(&state) % NR;
		id = &ids[kind][n];
		/* numbers that differ in their highest bits alone, or so */
		ident = kind == BY_FD ? BASE + n :
			kind == BY_USER ? (__u64)n << 52 | n >> 5 : n;
		if (add) {
			c = named(KEVENT_OP_ADD, kind, ident);
			ASSERT_EQ(*id ? -EEXIST : 0, do_change(q->fd, &c));
			if (*id)
				continue;
			ASSERT_NE(0, c.id);
			ASSERT_NE(old[kind][n], c.id);
			*id = c.id;
			there++;
			continue;
		}
		c = named(KEVENT_OP_REMOVE, kind, ident);
		if (*id && next_random(&state) % 2) {
			c.flags = KEVENT_BY_ID;
			c.ident = 0;
			c.id = *id;
		}
		ASSERT_EQ(*id ? 0 : -ENOENT, do_change(q->fd, &c));
		if (*id) {
			there--;
			old[kind][n] = *id;
			*id = 0;
		}
		/* an id of before finds nothing, whoever has its place now */
		if (old[kind][n]) {
			c = named(KEVENT_OP_DISABLE, kind, 0);
			c.flags = KEVENT_BY_ID;
			c.id = old[kind][n];
			ASSERT_EQ(-ENOENT, do_change(q->fd, &c));
		}
	}
	EXPECT_EQ(there, shown(q));
	TH_LOG("%d interests at the end", there);
	for (i = 0; i < NR; i++)
		close(BASE + i);
	close(fd);
}

/* Ids are not used again however often one place is. */
TEST_F(table, ids)
{
	int i, n = 0, fd = make_eventfd(0), loops = test_loops(20000);
	__u64 id, before = 0, first = 0;

	for (i = 0; i < loops; i++) {
		ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, KEVENT_EDGE, 0, &id));
		ASSERT_NE(0, id);
		ASSERT_NE(before, id);
		ASSERT_NE(first, id);
		if (!i)
			first = id;
		if (before)
			n += op_id(self->q.fd, KEVENT_OP_DISABLE, before, 0) != -ENOENT;
		before = id;
		ASSERT_EQ(0, remove_fd(self->q.fd, fd));
	}
	EXPECT_EQ(0, n);
}

/* Ids that no interest has. */
TEST_F(table, wild_ids)
{
	static const __u64 wild[] = {
		0, 1, 1ULL << 32, 1ULL << 31, ~0ULL, ~0ULL << 32, 0xffffffff,
		(1ULL << 32) + 2, 2ULL << 32, 300ULL << 32 | 1, 1ULL << 63,
	};
	int fd = make_eventfd(0);
	unsigned int i, round;
	__u64 id = 0;

	/* of an empty queue, of one with an interest, of one that had it */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(wild); i++)
			if (wild[i] != id)
				EXPECT_EQ(-ENOENT, op_id(self->q.fd, KEVENT_OP_ENABLE,
							 wild[i], 0))
					TH_LOG("id %llx, round %u",
					       (unsigned long long)wild[i], round);
		if (round == 0) {
			ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, 0, 0, &id));
		} else {
			ASSERT_EQ(round == 1 ? 0 : -ENOENT,
				  remove_fd(self->q.fd, fd));
		}
	}
}

/* One number, one file each: what was closed elsewhere is not in the way. */
TEST_F(table, one_number_many_files)
{
	enum { NR = 500, AT = 900 };
	static __u64 ids[NR];
	static int kept[NR];
	int i, fd;

	for (i = 0; i < NR; i++) {
		fd = make_eventfd(0);
		ASSERT_EQ(AT, dup2(fd, AT));
		kept[i] = fd;
		ASSERT_EQ(0, add_fd(self->q.fd, AT, EV_IN, KEVENT_EDGE, i, &ids[i]));
		ASSERT_EQ(-EEXIST, add_fd(self->q.fd, AT, EV_IN, KEVENT_EDGE, i, NULL));
	}
	/* the number is that of the last file, ids reach the others */
	EXPECT_EQ(0, remove_fd(self->q.fd, AT));
	EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, AT));
	for (i = 0; i < NR - 1; i++) {
		ASSERT_EQ(0, dup2(kept[i], AT) - AT);
		EXPECT_EQ(0, i % 2 ? remove_fd(self->q.fd, AT) :
				     op_id(self->q.fd, KEVENT_OP_REMOVE, ids[i], 0));
		EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, AT));
	}
	EXPECT_EQ(0, shown(&self->q));
	for (i = 0; i < NR; i++)
		close(kept[i]);
	close(AT);
}

/* One file, many queues: each finds its own. */
TEST_F(table, one_file_many_queues)
{
	enum { NR = 300 };
	static struct ukevent_queue q[NR];
	int i, fd = make_eventfd(0);

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		ASSERT_EQ(0, add_fd(q[i].fd, fd, EV_IN, KEVENT_DISPATCH, i, NULL));
	}
	for (i = 0; i < NR; i += 2)
		EXPECT_EQ(0, remove_fd(q[i].fd, fd));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(i % 2, in_ring(&q[i]));
		EXPECT_EQ(i % 2 ? 0 : -ENOENT, op_fd(q[i].fd, KEVENT_OP_ENABLE, fd));
		if (i % 2) {
			EXPECT_TAKE(&q[i], i, EV_IN, 0);
		}
	}
	for (i = 0; i < NR; i++)
		ukevent_queue_exit(&q[i]);
	close(fd);
}

TEST_HARNESS_MAIN
