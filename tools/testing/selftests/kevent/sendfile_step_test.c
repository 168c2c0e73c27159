// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: the steps of a transfer, whose turn it is, and what is told of how far it
 * got, to the byte.
 */
#include "sendfile_test.h"
#include "source_test.h"

FIXTURE(step)
{
	struct ukevent_queue q;
	struct transfer t;
	int fd;
};

FIXTURE_SETUP(step)
{
	self->fd = make_memfd(4 * MIB);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, files_queue(&self->q, 64, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_UNIX));
	transfer_next(&self->t, self->fd, 0, TO_END);
}

FIXTURE_TEARDOWN(step)
{
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
	close(self->fd);
}

/* Nobody has a second turn before all had one, where all could go on. */
TEST_F_TIMEOUT(step, turns, 300)
{
	enum { NR = 32, TURN = 256 * KIB };
	struct transfer *t = calloc(NR, sizeof(*t));
	int i, walks, size = 4 * MIB, waiting = NR;
	__u64 most = 0, n;

	ASSERT_NE(NULL, t);
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, transfer_open(&t[i], AF_UNIX));
		ASSERT_EQ(0, setsockopt(t[i].s.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
					sizeof(size)));
		transfer_next(&t[i], self->fd, 0, MIB);
		ASSERT_EQ(0, do_change(self->q.fd, &t[i].c));
	}
	for (walks = 0; waiting && walks < NR; walks++) {
		ASSERT_LE(0, flush_ring(&self->q));
		for (i = waiting = 0, most = 0; i < NR; i++) {
			n = unread(t[i].s.peer);
			waiting += !n;
			most = n > most ? n : most;
		}
	}
	TH_LOG("%d walks, %llu bytes at most", walks, (unsigned long long)most);
	EXPECT_EQ(0, waiting);
	EXPECT_GE(TURN, most);
	ASSERT_EQ(0, transfers_run(&self->q, t, NR, SIZE_MAX));
	for (i = 0; i < NR; i++) {
		EXPECT_END(&t[i], SF_DONE, MIB, 0);
		source_close(&t[i].s);
	}
	free(t);
}

/* Of the header as well, wherever it stops: before it, in it, behind it. */
TEST_F_TIMEOUT(step, removed_in_header, 300)
{
	int i, filled, part = 0, steps;
	static char room[65536];
	__u32 seed = 1;
	ssize_t n;

	for (i = 0; i < test_loops(40); i++) {
		for (filled = 0; (n = send(self->t.s.fd, room, 1000, MSG_DONTWAIT)) > 0;)
			filled += n;
		transfer_next(&self->t, self->fd, i, TO_END);
		transfer_header(&self->t, 4096);
		self->t.c.id = 0;
		ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
		ASSERT_LE(0, flush_ring(&self->q));
		for (steps = random_next(&seed) % 4; filled && steps; steps--) {
			n = recv(self->t.s.peer, room,
				 filled < 6000 ? filled : random_size(&seed, 6000),
				 MSG_DONTWAIT);
			ASSERT_LE(0, n);
			filled -= n;
			ASSERT_LE(0, flush_ring(&self->q));
		}
		ASSERT_EQ(0, op_sendfile(&self->q, KEVENT_OP_REMOVE, self->t.s.fd));
		transfer_records(&self->q);
		ASSERT_TRUE(self->t.ended);
		part += self->t.header_told && self->t.header_told < 4096;
		while (filled) {
			n = recv(self->t.s.peer, room,
				 filled < (int)sizeof(room) ? filled : (int)sizeof(room),
				 MSG_DONTWAIT);
			ASSERT_LT(0, n);
			filled -= n;
		}
		ASSERT_EQ(0, transfer_drain(&self->t));
		EXPECT_EQ(0, unread(self->t.s.peer));
	}
	TH_LOG("%d ended within the header", part);
}

/* A length of 0 is no length: nothing of a file that grows goes behind it. */
TEST_F_TIMEOUT(step, length_0, 300)
{
	static const __u32 header[] = { 0, 1, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(header); i++) {
		transfer_next(&self->t, self->fd, 100, 0);
		if (header[i])
			transfer_header(&self->t, header[i]);
		ASSERT_EQ(0, transfer_run(&self->q, &self->t));
		EXPECT_END(&self->t, SF_DONE, 0, 0);
		EXPECT_EQ(header[i], self->t.header_told);
		EXPECT_EQ(header[i], self->t.got);
	}
}

/* What was done is said, though it had to wait and the socket is gone meanwhile. */
TEST_F_TIMEOUT(step, closed_when_done, 300)
{
	int size = 4 * MIB;

	ASSERT_EQ(0, setsockopt(self->t.s.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				sizeof(size)));
	transfer_next(&self->t, self->fd, 0, 2 * MIB);
	transfer_mark(&self->t, 1);
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	while (unread(self->t.s.peer) < (int)(2 * MIB))
		ASSERT_LE(0, flush_ring(&self->q));
	ASSERT_LE(0, flush_ring(&self->q));
	ASSERT_FALSE(self->t.ended);
	close(self->t.s.fd);
	self->t.s.fd = -1;
	while (!self->t.ended) {
		ASSERT_LE(0, wait_ms(&self->q, 1, TEST_LONG_MS));
		transfer_records(&self->q);
	}
	EXPECT_END(&self->t, SF_DONE | SF_HUP, 2 * MIB, 0);
	EXPECT_EQ(0, transfer_drain(&self->t));
}

/* ---- one-shots, which a record of progress ends ---- */

TEST_F_TIMEOUT(step, oneshot, 300)
{
	struct kevent_send s;

	self->t.c.flags |= KEVENT_ONESHOT;
	transfer_mark(&self->t, 1);
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	ASSERT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	transfer_records(&self->q);
	EXPECT_END(&self->t, SF_PROGRESS, self->t.told, 0);
	EXPECT_LT(0U, self->t.told);
	ASSERT_EQ(0, transfer_drain(&self->t));
	/* With its record the socket is free. */
	s = make_send(self->t.s.fd, "abc", 3);
	ASSERT_EQ(0, call_send(self->q.fd, &s, 1, 0, NULL, 0));
	EXPECT_EQ(3, s.result);
}

struct stepper {
	struct ukevent_queue *q;
	pthread_t thread;
	bool *stop;
};

static void *stepper_main(void *arg)
{
	struct stepper *s = arg;

	while (!__atomic_load_n(s->stop, __ATOMIC_RELAXED))
		if (flush_ring(s->q) < 0)
			return (void *)1;
	return NULL;
}

/*
 * A ring that is full keeps back the record that ends it, while others take steps: none
 * is taken once that is published.
 */
TEST_F_TIMEOUT(step, oneshot_race, 300)
{
	enum { STEPPERS = 3 };
	struct stepper s[STEPPERS];
	struct ukevent_queue q;
	struct kevent_change fill, c;
	bool stop = false;
	void *failed;
	int i, k, n;

	ASSERT_EQ(0, files_queue(&q, 4, 0));
	fill = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 1, 1, 0, 0);
	ASSERT_EQ(0, do_change(q.fd, &fill));
	for (i = 0; i < STEPPERS; i++) {
		s[i].q = &q;
		s[i].stop = &stop;
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, stepper_main, &s[i]));
	}
	for (n = 0; n < test_loops(400); n++) {
		for (k = 0; k < 4; k++) {
			c = make_typed(KEVENT_OP_TRIGGER, KEVENT_TYPE_USER, 1, 1, 0, 0);
			do_change(q.fd, &c);
		}
		transfer_next(&self->t, self->fd, n, TO_END);
		transfer_header(&self->t, 100);
		transfer_mark(&self->t, 1);
		self->t.c.flags |= KEVENT_ONESHOT;
		self->t.c.cookie = (unsigned long)&self->t;
		ASSERT_EQ(0, do_change(q.fd, &self->t.c));
		while (!self->t.ended) {
			struct ukevent ev;

			transfer_receive(&self->t, SIZE_MAX);
			if (ukevent_take(&q, &ev, 1) <= 0) {
				ASSERT_LE(0, flush_ring(&q));
				continue;
			}
			if (ev.type != KEVENT_TYPE_SENDFILE)
				continue;
			self->t.told = ev.data[0];
			self->t.header_told = KEVENT_SENDFILE_HEADER_SENT(ev.data[1]);
			self->t.ended = ev.flags & KEVENT_REC_LAST;
		}
		/* Not a byte more. */
		ASSERT_EQ(0, transfer_drain(&self->t));
		ASSERT_EQ(0, unread(self->t.s.peer));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < STEPPERS; i++) {
		pthread_join(s[i].thread, &failed);
		EXPECT_EQ(NULL, failed);
	}
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
