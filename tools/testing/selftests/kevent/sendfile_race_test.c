// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: several threads that take steps while others pause, end and close.
 */
#include "sendfile_test.h"

#define CONSUMERS	2

/**
 * struct consumers - threads that wait on one queue
 * @q: the queue
 * @stop: they are to leave
 * @thread: the threads
 */
struct consumers {
	struct ukevent_queue *q;
	int stop;
	pthread_t thread[CONSUMERS];
};

static void *consumer_main(void *arg)
{
	struct consumers *c = arg;
	struct kevent_wait_args args;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		memset(&args, 0, sizeof(args));
		ukevent_set_timeout(&args, NSEC_PER_MSEC);
		/* They only have steps taken; the records are for the test. */
		sys_kevent_wait(c->q->fd, c->q->entries, &args, sizeof(args));
	}
	return NULL;
}

static int consumers_start(struct consumers *c, struct ukevent_queue *q)
{
	int i, ret = 0;

	c->q = q;
	c->stop = 0;
	for (i = 0; i < CONSUMERS && !ret; i++)
		ret = -pthread_create(&c->thread[i], NULL, consumer_main, c);
	return ret;
}

static void consumers_stop(struct consumers *c)
{
	int i;

	__atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < CONSUMERS; i++)
		pthread_join(c->thread[i], NULL);
}

FIXTURE(race)
{
	struct ukevent_queue q;
	struct consumers c;
	struct place place;
	struct transfer t;
	__u32 seed;
	int fd;
};

FIXTURE_VARIANT(race)
{
	const char *name;
	int family;
	bool cold;
};

FIXTURE_VARIANT_ADD(race, memory) { .name = "tmpfs", .family = AF_INET };
FIXTURE_VARIANT_ADD(race, memory_unix) { .name = "tmpfs", .family = AF_UNIX };
FIXTURE_VARIANT_ADD(race, disk) { .name = "ext4", .family = AF_INET, .cold = true };
FIXTURE_VARIANT_ADD(race, slow) { .name = "slow", .family = AF_INET, .cold = true };

FIXTURE_SETUP(race)
{
	OPEN_PLACE(&self->place, variant->name);
	self->seed = 7;
	ASSERT_EQ(0, files_queue(&self->q, 64, 0));
	self->fd = make_file(&self->place, "race", MIB);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, transfer_open(&self->t, variant->family));
	ASSERT_EQ(0, consumers_start(&self->c, &self->q));
}

FIXTURE_TEARDOWN(race)
{
	consumers_stop(&self->c);
	close(self->fd);
	place_clean(&self->place);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
}

static int begin(struct ukevent_queue *q, struct transfer *t, int fd, bool cold)
{
	int ret = cold ? make_cold(fd) : 0;

	transfer_next(t, fd, 0, TO_END);
	return ret ?: do_change(q->fd, &t->c);
}

/* A while, in which some of it is received. */
static void linger(struct transfer *t, __u32 *seed)
{
	__u32 spins = random_size(seed, 3000), i;

	for (i = 0; i < spins && t->got < MIB; i++)
		if (!transfer_receive(t, random_size(seed, 65536)))
			sched_yield();
}

/*
 * F2: REMOVE returns, and not a byte more is given to the socket than the last record
 * says, which is there by then.
 */
TEST_F_TIMEOUT(race, removed, 600)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct transfer *t = &self->t;
	int i, ret, ended = 0;

	for (i = 0; i < test_loops(400) && !test_loops_done(start, 15); i++) {
		ASSERT_EQ(0, begin(&self->q, t, self->fd, variant->cold));
		linger(t, &self->seed);
		ret = op_sendfile(&self->q, KEVENT_OP_REMOVE, t->s.fd);
		ASSERT_TRUE(!ret || ret == -ENOENT);
		transfer_records(&self->q);
		ASSERT_TRUE(t->ended);
		ASSERT_EQ(ret ? SF_DONE : 0, t->end.events);
		ASSERT_EQ(0, transfer_drain(t));
		/* Let what might come too late be seen. */
		if (i % 8 == 0) {
			sleep_ms(2);
			ASSERT_EQ(0, transfer_receive(t, SIZE_MAX));
		}
		ended += !!ret;
	}
	TH_LOG("%d rounds, %d had ended", i, ended);
}

/* DISABLE likewise; ENABLE goes on where it was. */
TEST_F_TIMEOUT(race, paused, 600)
{
	__u64 start = now_ns(CLOCK_MONOTONIC), got;
	struct transfer *t = &self->t;
	int i, ret, pauses = 0;

	for (i = 0; i < test_loops(20) && !test_loops_done(start, 15); i++) {
		ASSERT_EQ(0, begin(&self->q, t, self->fd, variant->cold));
		do {
			linger(t, &self->seed);
			ret = op_sendfile(&self->q, KEVENT_OP_DISABLE, t->s.fd);
			if (ret)
				break;
			/* TCP may hold some back, and then sends it. */
			do {
				got = t->got;
				transfer_receive(t, SIZE_MAX);
			} while (t->got != got || unsent(t->s.fd) || unread(t->s.peer));
			sleep_ms(1);
			ASSERT_EQ(0, transfer_receive(t, SIZE_MAX));
			pauses++;
			ret = op_sendfile(&self->q, KEVENT_OP_ENABLE, t->s.fd);
		} while (!ret);
		ASSERT_EQ(-ENOENT, ret);
		ASSERT_EQ(0, transfers_run(&self->q, t, 1, SIZE_MAX));
		EXPECT_END(t, SF_DONE, MIB, 0);
	}
	TH_LOG("%d rounds, %d pauses", i, pauses);
}

/* Two consumers, many transfers: each byte once, each end once. */
TEST_F_TIMEOUT(race, many, 600)
{
	enum { NR = 12 };
	struct transfer *t = calloc(NR, sizeof(*t));
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, round;

	ASSERT_NE(NULL, t);
	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, transfer_open(&t[i], i % 2 ? AF_INET : AF_UNIX));
	for (round = 0; round < test_loops(20) && !test_loops_done(start, 15); round++) {
		if (variant->cold)
			ASSERT_EQ(0, make_cold(self->fd));
		for (i = 0; i < NR; i++) {
			transfer_next(&t[i], self->fd, i * 1000, MIB - NR * 1000);
			transfer_header(&t[i], i);
			transfer_mark(&t[i], 1 + i * 50000);
			ASSERT_EQ(0, do_change(self->q.fd, &t[i].c));
		}
		ASSERT_EQ(0, transfers_run(&self->q, t, NR, 20000));
		for (i = 0; i < NR; i++)
			EXPECT_END(&t[i], SF_DONE, MIB - NR * 1000, 0);
	}
	for (i = 0; i < NR; i++)
		source_close(&t[i].s);
	free(t);
}

/* F3: the socket is closed, by either side, wherever the transfer is. */
TEST_F_TIMEOUT(race, closed, 600)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct transfer *t = &self->t;
	int i;

	for (i = 0; i < test_loops(300) && !test_loops_done(start, 15); i++) {
		ASSERT_EQ(0, begin(&self->q, t, self->fd, variant->cold));
		linger(t, &self->seed);
		if (i % 2) {
			close_peer(&t->s);
		} else {
			close(t->s.fd);
			t->s.fd = -1;
		}
		while (!t->ended) {
			ASSERT_LE(0, wait_ms(&self->q, 1, TEST_LONG_MS));
			transfer_records(&self->q);
		}
		ASSERT_EQ(KEVENT_REC_LAST, t->end.flags);
		ASSERT_FALSE(t->wrong);
		if (!(i % 2)) {
			ASSERT_TRUE(t->end.events == SF_HUP || t->end.events == SF_DONE);
			ASSERT_EQ(0, transfer_drain(t));
		}
		source_close(&t->s);
		ASSERT_EQ(0, transfer_open(t, variant->family));
	}
	TH_LOG("%d rounds", i);
}

/* The queue is closed under them: their calls hold it. */
TEST_F_TIMEOUT(race, queue_closed, 600)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct transfer *t = &self->t;
	struct ukevent_queue q;
	int i;

	for (i = 0; i < test_loops(100) && !test_loops_done(start, 15); i++) {
		struct consumers c;

		ASSERT_EQ(0, files_queue(&q, 8, 0));
		ASSERT_EQ(0, consumers_start(&c, &q));
		ASSERT_EQ(0, begin(&q, t, self->fd, variant->cold));
		linger(t, &self->seed);
		__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
		close(q.fd);
		consumers_stop(&c);
		q.fd = -1;
		ukevent_queue_exit(&q);
		/* what was given to the socket, and nothing else */
		while (transfer_receive(t, SIZE_MAX) || unsent(t->s.fd))
			;
		ASSERT_FALSE(t->wrong);
		source_close(&t->s);
		ASSERT_EQ(0, transfer_open(t, variant->family));
	}
}

/* The file is cut, and grows again, all the time. */
static void *cutter_main(void *arg)
{
	struct place *p = arg;
	__u32 seed = 99;
	char path[128];
	int fd, i;

	snprintf(path, sizeof(path), "%s/race", p->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (i = 0; i < test_loops(60); i++) {
		if (ftruncate(fd, random_next(&seed) % MIB))
			break;
		sched_yield();
		write_pattern(fd, FILE_SEED, 0, MIB);
		if (i % 3 == 0)
			make_cold(fd);
	}
	close(fd);
	return NULL;
}

TEST_F_TIMEOUT(race, cut, 600)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct transfer *t = &self->t;
	pthread_t cutter;
	int i;

	ASSERT_EQ(0, pthread_create(&cutter, NULL, cutter_main, &self->place));
	for (i = 0; i < test_loops(60) && !test_loops_done(start, 15); i++) {
		t->is = file_or_zero;
		transfer_next(t, self->fd, 0, TO_END);
		ASSERT_EQ(0, do_change(self->q.fd, &t->c));
		ASSERT_EQ(0, transfers_run(&self->q, t, 1, 100000));
		ASSERT_EQ(SF_DONE, t->end.events);
		ASSERT_EQ(0U, t->end.data[1]);
	}
	pthread_join(cutter, NULL);
}

TEST_HARNESS_MAIN
