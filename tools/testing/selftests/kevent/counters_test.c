// SPDX-License-Identifier: GPL-2.0
/*
 * What a queue counts, by its fdinfo: calls, sleeps, and what became of events.
 * Each test says by how much each counter has grown.
 */
#include "kevent_test.h"
#include "source_test.h"

enum counter {
	PRODUCED,
	CONSUMED,
	WAITS,
	SLEEPS,
	CTLS,
	TRIGGERS,
	LEFT_OUT,
	HELD_BACK,
	NR_COUNTERS,
};

static const char *const names[NR_COUNTERS] = {
	[PRODUCED] = "produced",
	[CONSUMED] = "consumed",
	[WAITS] = "waits",
	[SLEEPS] = "sleeps",
	[CTLS] = "ctls",
	[TRIGGERS] = "triggers",
	[LEFT_OUT] = "left_out",
	[HELD_BACK] = "held_back",
};

struct counters {
	unsigned long long nr[NR_COUNTERS];
};

/* Reads all of them; a bit for each that is not there. */
static unsigned int read_counters(const struct ukevent_queue *q, struct counters *c)
{
	char path[64], key[32], text[4096], *p;
	unsigned int i, missing = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	if (read_text(path, text, sizeof(text)) <= 0)
		return ~0U;
	for (i = 0; i < NR_COUNTERS; i++) {
		snprintf(key, sizeof(key), "%s: ", names[i]);
		p = strstr(text, key);
		/* The first of the line, or behind a space. */
		if (!p || (p != text && p[-1] != ' ' && p[-1] != '\n')) {
			missing |= 1U << i;
			continue;
		}
		c->nr[i] = strtoull(p + strlen(key), NULL, 10);
	}
	return missing;
}

/* By how much have they grown since the last look? */
static void check_grown(struct __test_metadata *_metadata, int line,
			const struct ukevent_queue *q, struct counters *last,
			const struct counters *wanted)
{
	struct counters now;
	int i;

	ASSERT_EQ(0U, read_counters(q, &now)) {
		TH_LOG("line %d: not all counters are there", line);
	}
	for (i = 0; i < NR_COUNTERS; i++) {
		EXPECT_EQ(wanted->nr[i], now.nr[i] - last->nr[i]) {
			TH_LOG("line %d: %s", line, names[i]);
		}
	}
	*last = now;
}

#define EXPECT_GROWN(...) \
	check_grown(_metadata, __LINE__, &self->q, &self->last, \
		    &(struct counters){ .nr = { __VA_ARGS__ } })

FIXTURE(counters)
{
	struct ukevent_queue q;
	struct counters last;
	int fd[8];
};

FIXTURE_VARIANT(counters)
{
	bool noring;
};

FIXTURE_VARIANT_ADD(counters, ring)
{
};

FIXTURE_VARIANT_ADD(counters, noring)
{
	.noring = true,
};

FIXTURE_SETUP(counters)
{
	unsigned int i;

	ASSERT_EQ(0, (variant->noring ? queue_init_noring : queue_init)(&self->q, 4));
	for (i = 0; i < ARRAY_SIZE(self->fd); i++)
		self->fd[i] = make_eventfd(0);
	memset(&self->last, 0, sizeof(self->last));
	EXPECT_GROWN(0);
}

FIXTURE_TEARDOWN(counters)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++)
		close(self->fd[i]);
	ukevent_queue_exit(&self->q);
}

/* Consumes without a wait what is in the ring, or by one that does not sleep. */
static int consume(struct ukevent_queue *q, bool noring)
{
	struct ukevent ev[8];

	return noring ? sys_kevent_get_events(q->fd, ev, 0, 8, NULL, 0) :
			take_all(q, NULL);
}

static int wait_for(struct ukevent_queue *q, bool noring, __u32 min_nr,
		    struct kevent_wait_args *args)
{
	size_t size = args ? sizeof(*args) : 0;
	struct ukevent ev[8];

	return noring ? sys_kevent_get_events(q->fd, ev, min_nr, 8, args, size) :
			sys_kevent_wait(q->fd, min_nr, args, size);
}

/* Told at once: a record each, and no call but those that made it. */
TEST_F(counters, told)
{
	const int waits = variant->noring;

	ASSERT_EQ(0, add_fd(self->q.fd, self->fd[0], EV_IN, KEVENT_EDGE, 1, NULL));
	EXPECT_GROWN([CTLS] = 1);
	ASSERT_EQ(0, eventfd_add(self->fd[0], 1));
	EXPECT_GROWN([PRODUCED] = 1);
	EXPECT_EQ(1, consume(&self->q, variant->noring));
	EXPECT_GROWN([CONSUMED] = 1, [WAITS] = waits);
}

/* The same again, while the record is unread: nothing new to be told. */
TEST_F(counters, left_out)
{
	static const __u32 modes[] = { 0, KEVENT_EDGE };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_fd(self->q.fd, self->fd[i], EV_IN, modes[i], i,
				    NULL));
		EXPECT_GROWN([CTLS] = 1);
		ASSERT_EQ(0, eventfd_add(self->fd[i], 1));
		EXPECT_GROWN([PRODUCED] = 1);
		for (j = 0; j < 3; j++)
			ASSERT_EQ(0, eventfd_add(self->fd[i], 1));
		EXPECT_GROWN([LEFT_OUT] = 3);
	}
}

/* What does not fit the ring waits, and is told when there is room. */
TEST_F(counters, ring_full)
{
	struct ukevent_queue *q = &self->q;
	const int waits = variant->noring;
	unsigned int i;

	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fd[i], EV_IN, KEVENT_EDGE, i, NULL));
	EXPECT_GROWN([CTLS] = 6);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, eventfd_add(self->fd[i], 1));
	EXPECT_GROWN([PRODUCED] = 4, [HELD_BACK] = 2);
	/* waits already: what comes now is merged */
	ASSERT_EQ(0, eventfd_add(self->fd[4], 1));
	EXPECT_GROWN(0);
	if (waits) {
		/* copying makes room, and goes on */
		EXPECT_EQ(6, consume(q, true));
		EXPECT_GROWN([PRODUCED] = 2, [CONSUMED] = 6, [WAITS] = 1);
	} else {
		EXPECT_EQ(4, consume(q, false));
		EXPECT_EQ(2, flush_ring(q));
		EXPECT_GROWN([PRODUCED] = 2, [CONSUMED] = 4, [WAITS] = 1);
		EXPECT_EQ(2, consume(q, false));
		EXPECT_GROWN([CONSUMED] = 2);
	}
}

/*
 * What counts is never left out: told twice at most, the rest waits until those
 * are consumed.
 */
TEST_F(counters, own_records)
{
	static const __u32 modes[] = { 0, KEVENT_EDGE };
	struct ukevent_queue *q = &self->q;
	const int noring = variant->noring;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_user(q, i, modes[i], i));
		EXPECT_GROWN([CTLS] = 1);
		for (j = 0; j < 5; j++)
			ASSERT_EQ(0, ukevent_trigger(q, i, j));
		EXPECT_GROWN([TRIGGERS] = 5, [PRODUCED] = 2, [HELD_BACK] = 1);
		EXPECT_EQ(2, consume(q, noring));
		EXPECT_GROWN([CONSUMED] = 2, [WAITS] = noring);
		EXPECT_EQ(1, wait_for(q, noring, 0, NULL));
		EXPECT_GROWN([WAITS] = 1, [PRODUCED] = 1, [CONSUMED] = noring);
		if (!noring) {
			EXPECT_EQ(1, consume(q, false));
			EXPECT_GROWN([CONSUMED] = 1);
		}
	}
}

/* A call is one, however many changes it applies; TRIGGERs are counted one by one. */
TEST_F(counters, changes)
{
	struct kevent_change c[20];
	unsigned int i;

	for (i = 0; i < 20; i++)
		c[i] = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, i,
				  KEVENT_USER_TRIGGERED, KEVENT_START_DISABLED, i);
	ASSERT_EQ(20, sys_kevent_ctl(self->q.fd, c, 20, sizeof(c[0]), 0));
	EXPECT_GROWN([CTLS] = 1);

	for (i = 0; i < 20; i++)
		c[i] = make_typed(KEVENT_OP_TRIGGER, KEVENT_TYPE_USER, i, 0, 0, 0);
	ASSERT_EQ(20, sys_kevent_ctl(self->q.fd, c, 20, sizeof(c[0]), 0));
	EXPECT_GROWN([TRIGGERS] = 20);

	/* both, and one that names nothing, which is no trigger */
	c[0] = make_typed(KEVENT_OP_REMOVE, KEVENT_TYPE_USER, 3, 0, 0, 0);
	c[1] = make_typed(KEVENT_OP_TRIGGER, KEVENT_TYPE_USER, 3, 0, 0, 0);
	c[2] = make_typed(KEVENT_OP_TRIGGER, KEVENT_TYPE_USER, 4, 0, 0, 0);
	ASSERT_EQ(3, sys_kevent_ctl(self->q.fd, c, 3, sizeof(c[0]), 0));
	EXPECT_EQ(-ENOENT, c[1].result);
	EXPECT_GROWN([CTLS] = 1, [TRIGGERS] = 1);

	/* what is refused as a whole does not get that far */
	EXPECT_EQ(-EINVAL, sys_kevent_ctl(self->q.fd, c, 1, sizeof(c[0]), 1));
	EXPECT_GROWN(0);
}

TEST_F(counters, waits)
{
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT, .clockid = CLOCK_MONOTONIC,
		.timeout_ns = TEST_SHORT_MS * NSEC_PER_MSEC,
	};
	struct kevent_change c = make_change(KEVENT_OP_ADD, self->fd[0], EV_IN, 0, 1);
	struct ukevent_queue *q = &self->q;
	bool noring = variant->noring;

	/* nothing there: it looks, and leaves; or sleeps until it is over */
	EXPECT_EQ(0, wait_for(q, noring, 0, NULL));
	EXPECT_GROWN([WAITS] = 1);
	EXPECT_EQ(0, wait_for(q, noring, 1, &args));
	EXPECT_GROWN([WAITS] = 1, [SLEEPS] = 1);

	/* changes that come with it are part of it */
	args.changes = (uintptr_t)&c;
	args.change_size = sizeof(c);
	args.nr_changes = 1;
	ASSERT_EQ(0, eventfd_add(self->fd[0], 1));
	EXPECT_EQ(1, wait_for(q, noring, 1, &args));
	EXPECT_EQ(0, c.result);
	EXPECT_GROWN([WAITS] = 1, [PRODUCED] = 1, [CONSUMED] = noring);

	/* there is something: no sleep; level, so that it is told again */
	EXPECT_EQ(1, wait_for(q, noring, 1, NULL));
	EXPECT_GROWN([WAITS] = 1, [PRODUCED] = noring, [CONSUMED] = noring);

	/* what is not even a call of this queue */
	EXPECT_GT(0, wait_for(q, noring, 100, NULL));
	EXPECT_GT(0, wait_for(q, !noring, 0, NULL));
	EXPECT_GROWN(0);
}

/* One sleep, ended by a record. */
TEST_F(counters, sleeper)
{
	struct waiter w;

	if (variant->noring)
		SKIP(return, "the waiting thread is one of kevent_wait()");
	ASSERT_EQ(0, add_user(&self->q, 1, 0, 1));
	EXPECT_GROWN([CTLS] = 1);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	EXPECT_GROWN([WAITS] = 1, [SLEEPS] = 1);
	ASSERT_EQ(0, ukevent_trigger(&self->q, 1, 0));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_GROWN([TRIGGERS] = 1, [PRODUCED] = 1);
}

/* kevent_send() waits as well, and an error of its sends does not hide that. */
TEST_F(counters, send)
{
	struct kevent_send send = { .addr = (uintptr_t)"x", .len = 1 };
	int sv[2];

	if (variant->noring)
		SKIP(return, "kevent_send() is for queues with a ring");
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &sv[0], &sv[1]));
	send.fd = sv[0];
	EXPECT_EQ(0, sys_kevent_send(self->q.fd, &send, 1, 0, NULL, 0));
	EXPECT_EQ(1, send.result);
	EXPECT_GROWN([WAITS] = 1);
	send.fd = -1;
	EXPECT_EQ(0, sys_kevent_send(self->q.fd, &send, 1, 0, NULL, 0));
	EXPECT_EQ(-EBADF, send.result);
	EXPECT_GROWN([WAITS] = 1);
	close(sv[0]);
	close(sv[1]);
}

/* Threads lose none. */
struct caller {
	struct ukevent_queue *q;
	pthread_t thread;
	bool noring;
	int calls;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;
	struct kevent_change change;
	int i;

	for (i = 0; i < c->calls; i++) {
		wait_for(c->q, c->noring, 0, NULL);
		change = make_typed(KEVENT_OP_ENABLE, KEVENT_TYPE_USER, 1, 0, 0, 0);
		sys_kevent_ctl(c->q->fd, &change, 1, sizeof(change), 0);
		ukevent_trigger(c->q, 1, i);
	}
	return NULL;
}

TEST_F(counters, threads)
{
	struct caller callers[4];
	const int calls = test_loops(500);
	struct counters now;
	unsigned int i;

	ASSERT_EQ(0, add_user(&self->q, 1, KEVENT_START_DISABLED, 1));
	ASSERT_EQ(0U, read_counters(&self->q, &self->last));
	for (i = 0; i < 4; i++) {
		callers[i] = (struct caller){
			.q = &self->q, .noring = variant->noring, .calls = calls,
		};
		ASSERT_EQ(0, pthread_create(&callers[i].thread, NULL, call_often,
					    &callers[i]));
	}
	for (i = 0; i < 4; i++)
		pthread_join(callers[i].thread, NULL);
	self->last.nr[WAITS] += 4ULL * calls;
	self->last.nr[CTLS] += 4ULL * calls;
	self->last.nr[TRIGGERS] += 4ULL * calls;
	ASSERT_EQ(0U, read_counters(&self->q, &now));
	for (i = WAITS; i <= TRIGGERS; i++)
		EXPECT_EQ(self->last.nr[i], now.nr[i]);
}

TEST_HARNESS_MAIN
