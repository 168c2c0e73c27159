// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: what a transfer does, tells and refuses, whatever the file system.
 */
#include "sendfile_test.h"
#include "proto_test.h"
#include "stall_test.h"

#include <linux/sockios.h>
#include <sys/fanotify.h>

FIXTURE(sf)
{
	struct ukevent_queue q;
	struct transfer t;
	int fd;		/* 4 MiB in memory */
};

FIXTURE_SETUP(sf)
{
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	self->fd = make_memfd(4 * MIB);
	ASSERT_LE(0, self->fd);
	transfer_next(&self->t, self->fd, 0, TO_END);
}

FIXTURE_TEARDOWN(sf)
{
	close(self->fd);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
}

#define ADD(t) do_change(self->q.fd, &(t)->c)
#define RUN(t) transfer_run(&self->q, t)
#define FINISH(t) transfers_run(&self->q, t, 1, SIZE_MAX)
#define STALL(t) transfer_stall(&self->q, t)
#define OP(op) op_sendfile(&self->q, KEVENT_OP_##op, self->t.s.fd)

/* Adds it and waits until the socket is full. */
#define START_STALLED(t) \
do { \
	ASSERT_EQ(0, ADD(t)); \
	STALL(t); \
	ASSERT_FALSE((t)->ended); \
} while (0)

/* ---- what comes ---- */

/* Nothing is sent before somebody waits; the last record is that of the end. */
TEST_F_TIMEOUT(sf, by_who_waits, 300)
{
	transfer_next(&self->t, self->fd, 5, 1000);
	ASSERT_EQ(0, ADD(&self->t));
	EXPECT_EQ(1, is_pending(&self->q));
	EXPECT_EQ(0, in_ring(&self->q));
	EXPECT_EQ(0, unread(self->t.s.peer));
	EXPECT_EQ(1, flush_ring(&self->q));
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 1000, 0);
	EXPECT_EQ(-ENOENT, OP(REMOVE));
	EXPECT_QUIET(&self->q);
}

/* One that sleeps is woken for it, by the ADD of another thread and by the socket. */
TEST_F_TIMEOUT(sf, wakes_sleeper, 300)
{
	struct waiter w;

	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	ASSERT_EQ(0, ADD(&self->t));
	while (!waiter_done(&w, 1))
		transfer_receive(&self->t, SIZE_MAX);
	EXPECT_EQ(1, waiter_result(&w));
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/* In the change array of the wait itself. */
TEST_F_TIMEOUT(sf, in_one_call, 300)
{
	struct kevent_wait_args args;

	memset(&args, 0, sizeof(args));
	transfer_next(&self->t, self->fd, 100, 50000);
	args.nr_changes = 1;
	args.changes = (unsigned long)&self->t.c;
	args.change_size = sizeof(self->t.c);
	EXPECT_EQ(1, sys_kevent_wait(self->q.fd, 1, &args, sizeof(args)));
	EXPECT_EQ(0, self->t.c.result);
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 50000, 0);
}

TEST_F_TIMEOUT(sf, without_ring, 300)
{
	struct ukevent_queue q;
	struct ukevent ev;

	ASSERT_EQ(0, files_queue(&q, 8, KEVENT_CREATE_NORING));
	transfer_next(&self->t, self->fd, 7, 60000);
	ASSERT_EQ(0, do_change(q.fd, &self->t.c));
	EXPECT_EQ(1, sys_kevent_get_events(q.fd, &ev, 1, 1, NULL, 0));
	EXPECT_EQ(SF_DONE, ev.events);
	EXPECT_EQ(60000U, ev.data[0]);
	self->t.told = 60000;
	EXPECT_EQ(0, transfer_drain(&self->t));
	ukevent_queue_exit(&q);
}

/* A receiver with next to no room, and one that takes little at a time. */
TEST_F_TIMEOUT(sf, small_buffers, 300)
{
	ASSERT_EQ(0, transfer_narrow(&self->t, 4096));
	transfer_next(&self->t, self->fd, 3, 300000);
	ASSERT_EQ(0, ADD(&self->t));
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, 1500));
	EXPECT_END(&self->t, SF_DONE, 300000, 0);
}

TEST_F_TIMEOUT(sf, unix_socket, 300)
{
	source_close(&self->t.s);
	ASSERT_EQ(0, transfer_open(&self->t, AF_UNIX));
	transfer_next(&self->t, self->fd, 4095, TO_END);
	transfer_header(&self->t, 10);
	ASSERT_EQ(0, RUN(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB - 4095, 0);
}

/* One after the other on one connection: each begins when DONE of the last was read. */
TEST_F_TIMEOUT(sf, pipelined, 300)
{
	int i;

	for (i = 0; i < 50; i++) {
		transfer_next(&self->t, self->fd, i * 1000, i * 700);
		transfer_header(&self->t, 40 + i);
		if (!i)
			self->t.c.param[KEVENT_SENDFILE_LENGTH] = 1;
		ASSERT_EQ(0, RUN(&self->t));
		EXPECT_END(&self->t, SF_DONE, i ? i * 700 : 1, 0);
	}
}

/* The file's position is nobody's business. */
TEST_F_TIMEOUT(sf, position_stays, 300)
{
	ASSERT_EQ(1234, lseek(self->fd, 1234, SEEK_SET));
	transfer_next(&self->t, self->fd, 0, 100000);
	ASSERT_EQ(0, RUN(&self->t));
	EXPECT_EQ(1234, lseek(self->fd, 0, SEEK_CUR));
}

/* ---- header, more ---- */

TEST_F_TIMEOUT(sf, header, 300)
{
	static const __u32 lens[] = { 1, 64, 4095, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		/* nothing but the header; with pages */
		transfer_next(&self->t, self->fd, 4 * MIB, TO_END);
		transfer_header(&self->t, lens[i]);
		ASSERT_EQ(0, RUN(&self->t));
		EXPECT_END(&self->t, SF_DONE, 0, 0);
		transfer_next(&self->t, self->fd, 4095, 10000);
		transfer_header(&self->t, lens[i]);
		ASSERT_EQ(0, RUN(&self->t));
		EXPECT_END(&self->t, SF_DONE, 10000, 0);
	}
}

/* What the program does with its memory after the ADD is not sent. */
TEST_F_TIMEOUT(sf, header_is_copied, 300)
{
	struct kevent_change c;

	transfer_next(&self->t, self->fd, 0, 3000);
	transfer_header(&self->t, 500);
	c = self->t.c;
	ASSERT_EQ(0, do_change(self->q.fd, &c));
	memset(self->t.header, 0, sizeof(self->t.header));
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 3000, 0);
}

/* The last byte waits for what is to follow. */
TEST_F_TIMEOUT(sf, more_follows, 300)
{
	int zero = 0;

	ASSERT_EQ(0, setsockopt(self->t.s.fd, SOL_TCP, TCP_NODELAY, &zero, sizeof(zero)));
	transfer_next(&self->t, self->fd, 0, 100);
	self->t.c.flags |= KEVENT_MORE;
	ASSERT_EQ(0, ADD(&self->t));
	ASSERT_EQ(1, flush_ring(&self->q));
	/* given to the socket, and not sent, for up to 200 ms */
	EXPECT_EQ(100, unsent(self->t.s.fd));
	transfer_records(&self->q);
	EXPECT_END(&self->t, SF_DONE, 100, 0);
	ASSERT_EQ(3, send(self->t.s.fd, "end", 3, 0));
	EXPECT_EQ(103, bytes_reach(self->t.s.peer, 103));
}

/* Bytes that the socket has, and holds back. */
static int corked(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQNSD, &n) ? -errno : n;
}

/*
 * The program says what follows all that it asked for.  If the file ends before that,
 * it has not said anything about it, and is told: nothing is held back then.
 */
TEST_F_TIMEOUT(sf, more_of_short_file, 300)
{
	static const struct {
		/* bytes; before the end of the file; all of it: 0 */
		__u32 header, before;
		__u64 length;
		bool entry, held;
	} cells[] = {
		{ 0, 100, 0, false, true }, { 0, 100, 100, false, true },
		{ 0, 100, 99, false, true }, { 0, 100, 101, false, false },
		{ 0, 70000, 70001, false, false }, { 50, 100, 0, false, true },
		{ 50, 100, 100, false, true }, { 50, 100, 200, false, false },
		{ 50, 0, 0, false, true }, { 50, 0, 1, false, false },
		{ 0, 100, 100, true, true }, { 0, 100, 99, true, true },
		{ 0, 100, 101, true, false }, { 0, 70000, 80000, true, false },
	};
	struct transfer *t = &self->t;
	unsigned int i;
	int one = 1;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		__u64 length = cells[i].length, sent = cells[i].before;
		bool is_short = length > sent;

		if (length && length < sent)
			sent = length;
		transfer_next(t, self->fd, 4 * MIB - cells[i].before,
			      length ? length : TO_END);
		if (cells[i].entry) {
			struct kevent_send s = make_file_send(t->s.fd, self->fd,
				4 * MIB - cells[i].before, length);

			s.flags |= KEVENT_SEND_MORE;
			EXPECT_EQ((int)sent, send_one_entry(&self->q, s));
			t->told = sent;
		} else {
			transfer_header(t, cells[i].header);
			t->c.flags |= KEVENT_MORE;
			ASSERT_EQ(0, ADD(t));
			ASSERT_EQ(1, flush_ring(&self->q));
			transfer_records(&self->q);
			EXPECT_END(t, SF_DONE | (is_short ? SF_EOF : 0), sent, 0);
		}
		EXPECT_EQ(cells[i].held, !!corked(t->s.fd))
			TH_LOG("cell %u: %d", i, corked(t->s.fd));
		/* this sends what is held back */
		ASSERT_EQ(0, setsockopt(t->s.fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one)));
		EXPECT_EQ(0, transfer_drain(t));
	}
}

/* ---- progress ---- */

TEST_F_TIMEOUT(sf, progress, 300)
{
	static const __u32 marks[] = { 1, 100000, 4 * MIB, ~0U };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		transfer_next(&self->t, self->fd, 0, TO_END);
		transfer_mark(&self->t, marks[i]);
		ASSERT_EQ(0, ADD(&self->t));
		ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, 50000));
		EXPECT_EQ(4 * MIB, self->t.told);
		EXPECT_FALSE(self->t.backward);
		EXPECT_EQ(0, self->t.wrong);
		/* the end is told by DONE */
		EXPECT_EQ(marks[i] >= 4 * MIB, !self->t.progress);
		EXPECT_LE(self->t.progress, 4ULL * MIB / marks[i] + 1);
		EXPECT_EQ(SF_DONE, self->t.end.events & SF_DONE);
	}
}

/* The last byte ends it, in the same turn: what was sent is not told as progress. */
TEST_F_TIMEOUT(sf, ends_with_its_turn, 300)
{
	static const struct {
		__u64 offset, length;
	} cells[] = { { 0, 256 * KIB }, { 4 * MIB - 256 * KIB, TO_END } };
	int size = 4 * MIB;
	unsigned int i;

	source_close(&self->t.s);
	ASSERT_EQ(0, transfer_open(&self->t, AF_UNIX));
	ASSERT_EQ(0, setsockopt(self->t.s.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				sizeof(size)));
	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		transfer_next(&self->t, self->fd, cells[i].offset, cells[i].length);
		transfer_mark(&self->t, 256 * KIB);
		ASSERT_EQ(0, ADD(&self->t));
		EXPECT_EQ(1, flush_ring(&self->q));
		transfer_records(&self->q);
		EXPECT_EQ(0U, self->t.progress);
		EXPECT_END(&self->t, SF_DONE, 256 * KIB, 0);
		EXPECT_EQ(0, transfer_drain(&self->t));
	}
}

/* Nobody reads records: it goes on all the same, and then tells the last of it. */
TEST_F_TIMEOUT(sf, progress_unread, 300)
{
	struct ukevent ev;
	__u64 last = 0;
	int i;

	transfer_mark(&self->t, 1);
	ASSERT_EQ(0, ADD(&self->t));
	for (i = 0; i < 2000 && self->t.got < 4 * MIB; i++) {
		ASSERT_LE(0, wait_ms(&self->q, 8, 1));
		transfer_receive(&self->t, SIZE_MAX);
	}
	EXPECT_EQ(4 * MIB, self->t.got);
	/* two of its own, and no more */
	EXPECT_GE(2, in_ring(&self->q));
	while (ukevent_take(&self->q, &ev, 1) == 1) {
		EXPECT_EQ(SF_PROGRESS, ev.events);
		EXPECT_LT(last, ev.data[0]);
		last = ev.data[0];
	}
	EXPECT_EQ(1, is_pending(&self->q));
	EXPECT_EQ(1, flush_ring(&self->q));
	transfer_records(&self->q);
	EXPECT_EQ(SF_DONE, self->t.end.events & SF_DONE);
	EXPECT_EQ(4 * MIB, self->t.end.data[0]);
}

/* A ring that is full when it ends. */
TEST_F_TIMEOUT(sf, full_ring, 300)
{
	struct ukevent_queue q;
	int ready = make_eventfd(1), i;
	struct ukevent ev;

	ASSERT_EQ(0, files_queue(&q, 1, 0));
	ASSERT_EQ(0, add_fd(q.fd, ready, EV_IN, KEVENT_EDGE, 0, NULL));
	transfer_next(&self->t, self->fd, 0, 90000);
	ASSERT_EQ(0, do_change(q.fd, &self->t.c));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, flush_ring(&q));
	ASSERT_EQ(1, ukevent_take(&q, &ev, 1));
	EXPECT_EQ(EV_IN, ev.events);
	EXPECT_EQ(1, flush_ring(&q));
	transfer_records(&q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 90000, 0);
	close(ready);
	ukevent_queue_exit(&q);
}

/* Stops with each record until it is enabled again. */
TEST_F_TIMEOUT(sf, dispatch, 300)
{
	unsigned int i;

	transfer_mark(&self->t, 1);
	self->t.c.flags |= KEVENT_DISPATCH;
	ASSERT_EQ(0, ADD(&self->t));
	for (i = 1; !self->t.ended && i < 200; i++) {
		ASSERT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
		transfer_records(&self->q);
		EXPECT_EQ(0, transfer_drain(&self->t));
		if (self->t.ended)
			break;
		EXPECT_EQ(i, self->t.progress);
		EXPECT_QUIET(&self->q);
		EXPECT_EQ(0, transfer_receive(&self->t, SIZE_MAX));
		ASSERT_EQ(0, OP(ENABLE));
	}
	EXPECT_EQ(4 * MIB, self->t.told);
	EXPECT_EQ(SF_DONE, self->t.end.events & SF_DONE);
}

/* ---- pausing, ending ---- */

TEST_F_TIMEOUT(sf, disabled, 300)
{
	__u64 got;

	self->t.c.flags |= KEVENT_START_DISABLED;
	ASSERT_EQ(0, ADD(&self->t));
	EXPECT_QUIET(&self->q);
	EXPECT_EQ(0, unread(self->t.s.peer));
	ASSERT_EQ(0, OP(ENABLE));
	STALL(&self->t);
	ASSERT_EQ(0, OP(DISABLE));
	/* what the socket has goes out, and nothing else */
	do {
		got = self->t.got;
		sleep_ms(TEST_SHORT_MS);
		transfer_receive(&self->t, SIZE_MAX);
		wait_ms(&self->q, 1, 1);
	} while (self->t.got != got || unsent(self->t.s.fd));
	EXPECT_LT(self->t.got, 4 * MIB);
	EXPECT_QUIET(&self->q);
	ASSERT_EQ(0, OP(ENABLE));
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/* F2: how far it got, to the byte, wherever it was. */
TEST_F_TIMEOUT(sf, removed, 300)
{
	__u32 seed = 1;
	int i, steps;

	for (i = 0; i < test_loops(60); i++) {
		transfer_next(&self->t, self->fd, i, TO_END);
		transfer_header(&self->t, random_size(&seed, 4096));
		ASSERT_EQ(0, ADD(&self->t));
		for (steps = random_next(&seed) % 20; steps; steps--) {
			ASSERT_LE(0, flush_ring(&self->q));
			transfer_receive(&self->t, random_next(&seed) % 300000);
		}
		transfer_records(&self->q);
		ASSERT_EQ(self->t.ended ? -ENOENT : 0, OP(REMOVE));
		transfer_records(&self->q);
		ASSERT_TRUE(self->t.ended);
		EXPECT_LE(self->t.told, 4 * MIB - i);
		ASSERT_EQ(0, transfer_drain(&self->t));
		source_close(&self->t.s);
		ASSERT_EQ(0, transfer_open(&self->t, i % 2 ? AF_UNIX : AF_INET));
	}
}

/* A new one may begin at once. */
TEST_F_TIMEOUT(sf, removed_and_added, 300)
{
	__u64 sent;

	START_STALLED(&self->t);
	ASSERT_EQ(0, OP(REMOVE));
	transfer_records(&self->q);
	ASSERT_TRUE(self->t.ended);
	sent = self->t.told;
	EXPECT_END(&self->t, 0, sent, 0);
	self->t.ended = false;
	self->t.c.id = 0;
	self->t.c.param[KEVENT_SENDFILE_OFFSET] = sent;
	ASSERT_EQ(0, ADD(&self->t));
	/* received as one */
	self->t.c.param[KEVENT_SENDFILE_OFFSET] = 0;
	self->t.told = 0;
	while (!self->t.ended) {
		ASSERT_LE(0, wait_ms(&self->q, 1, 1));
		transfer_records(&self->q);
		transfer_receive(&self->t, SIZE_MAX);
	}
	EXPECT_EQ(4 * MIB - sent, self->t.told);
	self->t.told = 4 * MIB;
	EXPECT_EQ(0, transfer_drain(&self->t));
}

TEST_F_TIMEOUT(sf, no_last_record, 300)
{
	struct kevent_change c = make_typed(KEVENT_OP_REMOVE, KEVENT_TYPE_SENDFILE,
					    self->t.s.fd, 0, KEVENT_NO_LAST, 0);

	START_STALLED(&self->t);
	ASSERT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_QUIET(&self->q);
}

/* F3: the socket is closed by who sends; by who receives; shut down; reset. */
TEST_F_TIMEOUT(sf, closed, 300)
{
	START_STALLED(&self->t);
	close(self->t.s.fd);
	self->t.s.fd = -1;
	ASSERT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_HUP, self->t.told, 0);
}

TEST_F_TIMEOUT(sf, shut_down, 300)
{
	START_STALLED(&self->t);
	ASSERT_EQ(0, shutdown(self->t.s.fd, SHUT_WR));
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE | SF_ERROR, self->t.told, EPIPE);
}

TEST_F_TIMEOUT(sf, peer_gone, 300)
{
	START_STALLED(&self->t);
	close_peer(&self->t.s);
	while (!self->t.ended) {
		ASSERT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
		transfer_records(&self->q);
	}
	/* there were bytes that nobody has read: a reset */
	EXPECT_END(&self->t, SF_DONE | SF_ERROR, self->t.told, ECONNRESET);
}

TEST_F_TIMEOUT(sf, unix_peer_gone, 300)
{
	source_close(&self->t.s);
	ASSERT_EQ(0, transfer_open(&self->t, AF_UNIX));
	transfer_next(&self->t, self->fd, 0, TO_END);
	START_STALLED(&self->t);
	close_peer(&self->t.s);
	while (!self->t.ended) {
		ASSERT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
		transfer_records(&self->q);
	}
	EXPECT_EQ(SF_DONE | SF_ERROR, self->t.end.events);
	EXPECT_TRUE(self->t.end.data[1] == EPIPE || self->t.end.data[1] == ECONNRESET);
}

/* The queue goes: the socket is free again, and nothing more is sent. */
TEST_F_TIMEOUT(sf, queue_closed, 300)
{
	struct ukevent_queue q;
	__u64 got;

	ASSERT_EQ(0, files_queue(&q, 8, 0));
	ASSERT_EQ(0, do_change(q.fd, &self->t.c));
	self->t.c.id = 0;
	ASSERT_EQ(-EBUSY, ADD(&self->t));
	transfer_stall(&q, &self->t);
	ukevent_queue_exit(&q);
	do {
		got = self->t.got;
		sleep_ms(TEST_SHORT_MS);
		transfer_receive(&self->t, SIZE_MAX);
	} while (self->t.got != got || unsent(self->t.s.fd));
	EXPECT_FALSE(self->t.wrong);
	EXPECT_LT(self->t.got, 4 * MIB);
	transfer_next(&self->t, self->fd, 9, 100);
	ASSERT_EQ(0, RUN(&self->t));
	EXPECT_END(&self->t, SF_DONE, 100, 0);
}

/* ---- one at a time ---- */

TEST_F_TIMEOUT(sf, second_transfer, 300)
{
	struct ukevent_queue other;
	struct kevent_change c = self->t.c;
	int copy = dup(self->t.s.fd);

	ASSERT_EQ(0, files_queue(&other, 8, 0));
	START_STALLED(&self->t);
	EXPECT_EQ(-EEXIST, do_change(self->q.fd, &c));
	EXPECT_EQ(-EBUSY, do_change(other.fd, &c));
	c.ident = copy;
	EXPECT_EQ(-EBUSY, do_change(self->q.fd, &c));
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	c.param[KEVENT_SENDFILE_LENGTH] = 10;
	EXPECT_EQ(0, do_change(other.fd, &c));
	EXPECT_EQ(1, wait_ms(&other, 1, TEST_LONG_MS));
	close(copy);
	ukevent_queue_exit(&other);
}

/* An array does not tear what is sent; when DONE was told it may send. */
TEST_F_TIMEOUT(sf, array_busy, 300)
{
	struct kevent_send s[3];
	struct transfer other;

	ASSERT_EQ(0, transfer_open(&other, AF_INET));
	transfer_next(&other, self->fd, 0, TO_END);
	START_STALLED(&self->t);
	s[0] = make_send(self->t.s.fd, "x", 1);
	s[1] = make_file_send(other.s.fd, self->fd, 0, 5000);
	s[2] = make_file_send(self->t.s.fd, self->fd, 0, 1);
	EXPECT_LE(0, call_send(self->q.fd, s, 3, 0, NULL, 0));
	EXPECT_EQ(-EBUSY, s[0].result);
	EXPECT_EQ(5000, s[1].result);
	EXPECT_EQ(-ECANCELED, s[2].result);
	EXPECT_EQ(-EBUSY, send_one_entry(&self->q, s[2]));
	other.told = 5000;
	EXPECT_EQ(0, transfer_drain(&other));
	source_close(&other.s);

	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	EXPECT_EQ(1, send_one_entry(&self->q, make_send(self->t.s.fd, "x", 1)));

	/* of an end by REMOVE as well */
	transfer_next(&self->t, self->fd, 0, TO_END);
	self->t.c.flags &= ~KEVENT_WANT_LAST;
	ASSERT_EQ(0, ADD(&self->t));
	EXPECT_EQ(-EBUSY, send_one_entry(&self->q, make_send(self->t.s.fd, "x", 1)));
	ASSERT_EQ(0, OP(REMOVE));
	EXPECT_EQ(1, send_one_entry(&self->q, make_send(self->t.s.fd, "x", 1)));
}

/* ---- entries of kind FILE ---- */

TEST_F_TIMEOUT(sf, array_of_files, 300)
{
	enum { NR = 40 };
	struct kevent_send s[NR];
	__u64 pos = 0;
	int i;

	for (i = 0; i < NR; i++) {
		s[i] = make_file_send(self->t.s.fd, self->fd, pos, 1 + i * 50);
		pos += 1 + i * 50;
	}
	EXPECT_EQ(0, call_send(self->q.fd, s, NR, 0, NULL, 0));
	for (i = 0; i < NR; i++)
		EXPECT_EQ(1 + i * 50, s[i].result);
	self->t.told = pos;
	EXPECT_EQ(0, transfer_drain(&self->t));
}

/* At the end of the file, at a socket that is full. */
TEST_F_TIMEOUT(sf, array_short, 300)
{
	struct kevent_send s[2];

	EXPECT_EQ(100, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, self->fd, 4 * MIB - 100, 200)));
	EXPECT_EQ(0, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, self->fd, 4 * MIB, 200)));
	EXPECT_EQ(0, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, self->fd, 1ULL << 60, 200)));
	EXPECT_EQ(0, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, self->fd, 0, 0)));
	self->t.c.param[KEVENT_SENDFILE_OFFSET] = 4 * MIB - 100;
	self->t.told = 100;
	EXPECT_EQ(0, transfer_drain(&self->t));

	transfer_next(&self->t, self->fd, 0, TO_END);
	ASSERT_EQ(0, transfer_narrow(&self->t, 4096));
	s[0] = make_file_send(self->t.s.fd, self->fd, 0, 4 * MIB);
	s[1] = make_send(self->t.s.fd, "x", 1);
	EXPECT_EQ(0, call_send(self->q.fd, s, 2, 0, NULL, 0));
	EXPECT_LT(0, s[0].result);
	EXPECT_GT((int)(4 * MIB), s[0].result);
	EXPECT_EQ(-ECANCELED, s[1].result);
	while (s[0].result > 0) {
		self->t.told += s[0].result;
		s[0].addr = self->t.told;
		s[0].result = send_one_entry(&self->q, s[0]);
	}
	EXPECT_EQ(-EAGAIN, s[0].result);
	EXPECT_EQ(0, transfer_drain(&self->t));
}

TEST_F_TIMEOUT(sf, array_errors, 300)
{
	struct ukevent_queue plain;
	struct source udp, fresh;
	int directory = open("/", O_RDONLY | O_CLOEXEC);
	int writer = open("/tmp/sf-writer", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct kevent_send s = make_file_send(self->t.s.fd, self->fd, 0, 100);
	const struct {
		int sock, fd;
		__u64 offset;
		int error;
	} cells[] = {
		{ self->t.s.fd, -1, 0, -EBADF },
		{ self->t.s.fd, 1000000, 0, -EBADF },
		{ self->t.s.fd, writer, 0, -EBADF },
		{ self->t.s.fd, directory, 0, -EOPNOTSUPP },
		{ self->t.s.fd, self->t.s.peer, 0, -EOPNOTSUPP },
		{ self->t.s.fd, self->fd, 1ULL << 63, -EINVAL },
		{ self->fd, self->fd, 0, -ENOTSOCK },
		{ -1, self->fd, 0, -EBADF },
	};
	unsigned int i;

	ASSERT_EQ(0, sock_pair(&udp, AF_INET, SOCK_DGRAM));
	fresh.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, queue_init(&plain, 8));
	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		EXPECT_EQ(cells[i].error, send_one_entry(&self->q,
			make_file_send(cells[i].sock, cells[i].fd, cells[i].offset, 100))) {
			TH_LOG("cell %u", i);
		}
	}
	EXPECT_EQ(-EOPNOTSUPP, send_one_entry(&self->q,
		make_file_send(udp.peer, self->fd, 0, 100)));
	EXPECT_EQ(-EPIPE, send_one_entry(&self->q,
		make_file_send(fresh.fd, self->fd, 0, 100)));
	/* the queue does not do that */
	EXPECT_EQ(-ENXIO, send_one_entry(&plain, s));
	/* a descriptor of a file without the flag */
	s.flags = 0;
	EXPECT_EQ(-EINVAL, send_one_entry(&self->q, s));
	EXPECT_EQ(0, unread(self->t.s.peer));
	close(fresh.fd);
	close(directory);
	close(writer);
	source_close(&udp);
	ukevent_queue_exit(&plain);
}

/* ---- what is refused ---- */

/* F8: files whose bytes are not read into the page cache, or not without waiting. */
TEST_F_TIMEOUT(sf, refused_files, 300)
{
	static const struct {
		const char *path;
		int flags;
	} files[] = {
		{ "/proc/self/status", O_RDONLY },
		{ "/proc/version", O_RDONLY },
		{ "/sys/kernel/profiling", O_RDONLY },
		{ "/sys/kernel/uevent_seqnum", O_RDONLY },
		{ "/dev/zero", O_RDONLY },
		{ "/dev/null", O_RDONLY },
		{ "/", O_RDONLY | O_DIRECTORY },
		{ "/dev/vda", O_RDONLY },
	};
	int ends[2], others[3], fd;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		fd = open(files[i].path, files[i].flags | O_CLOEXEC);
		if (fd < 0) {
			TH_LOG("no %s", files[i].path);
			continue;
		}
		transfer_next(&self->t, fd, 0, TO_END);
		EXPECT_EQ(-EOPNOTSUPP, ADD(&self->t)) {
			TH_LOG("%s", files[i].path);
		}
		close(fd);
	}
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	others[0] = ends[0];
	others[1] = self->t.s.peer;
	others[2] = make_eventfd(0);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		transfer_next(&self->t, others[i], 0, TO_END);
		EXPECT_EQ(-EOPNOTSUPP, ADD(&self->t));
	}
	close(others[2]);
	close(ends[0]);
	close(ends[1]);
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd >= 0) {
		transfer_next(&self->t, fd, 0, TO_END);
		EXPECT_EQ(-EOPNOTSUPP, ADD(&self->t));
		close(fd);
	}
	EXPECT_QUIET(&self->q);
}

TEST_F_TIMEOUT(sf, refused_direct, 300)
{
	struct place place;
	int fd;

	OPEN_PLACE(&place, "ext4");
	close(make_file(&place, "direct", 10000));
	fd = open_file(&place, "direct", O_RDONLY | O_DIRECT);
	ASSERT_LE(0, fd);
	transfer_next(&self->t, fd, 0, TO_END);
	EXPECT_EQ(-EOPNOTSUPP, ADD(&self->t));
	close(fd);
	fd = open_file(&place, "direct", O_PATH);
	ASSERT_LE(0, fd);
	transfer_next(&self->t, fd, 0, TO_END);
	EXPECT_EQ(-EBADF, ADD(&self->t));
	close(fd);
	place_clean(&place);
}

TEST_F_TIMEOUT(sf, add_errors, 300)
{
	static const struct {
		const char *what;
		unsigned int op;
		__u32 events, flags;
		__u64 offset, length, more, addr;
		int error;
	} cells[] = {
		{ "offset", KEVENT_OP_ADD, 0, 0, 1ULL << 63, 0, 0, 0, -EINVAL },
		{ "sum", KEVENT_OP_ADD, 0, 0, 1ULL << 62, 1ULL << 62, 0, 0, -EINVAL },
		{ "length", KEVENT_OP_ADD, 0, 0, 0, 1ULL << 63, 0, 0, -EINVAL },
		{ "mark alone", KEVENT_OP_ADD, 0, 0, 0, 0, 1, 0, -EINVAL },
		{ "no mark", KEVENT_OP_ADD, KEVENT_SENDFILE_PROGRESS, 0, 0, 0, 0, 0, -EINVAL },
		{ "between", KEVENT_OP_ADD, 0, 0, 0, 0, 1ULL << 32, 0, -EINVAL },
		{ "between", KEVENT_OP_ADD, 0, 0, 0, 0, 1ULL << 47, 0, -EINVAL },
		{ "header", KEVENT_OP_ADD, 0, 0, 0, 0, KEVENT_SENDFILE_HEADER(4097), 1, -EINVAL },
		{ "no address", KEVENT_OP_ADD, 0, 0, 0, 0, KEVENT_SENDFILE_HEADER(1), 0, -EINVAL },
		{ "no header", KEVENT_OP_ADD, 0, 0, 0, 0, 0, 1, -EINVAL },
		{ "fault", KEVENT_OP_ADD, 0, 0, 0, 0, KEVENT_SENDFILE_HEADER(1), 1, -EFAULT },
		{ "event", KEVENT_OP_ADD, 0x20, 0, 0, 0, 0, 0, -EINVAL },
		{ "flag", KEVENT_OP_ADD, 0, KEVENT_LATE, 0, 0, 0, 0, -EINVAL },
		{ "flag", KEVENT_OP_ADD, 0, KEVENT_EXCLUSIVE, 0, 0, 0, 0, -EINVAL },
		{ "modify", KEVENT_OP_MODIFY, 0, 0, 0, 0, 0, 0, -EINVAL },
		{ "more", KEVENT_OP_MODIFY, 0, KEVENT_MORE, 0, 0, 0, 0, -EINVAL },
		{ "set", KEVENT_OP_SET, 0, 0, 0, 0, 0, 0, -EOPNOTSUPP },
	};
	struct ukevent_queue plain;
	struct kevent_change c;
	struct source udp;
	struct listener l;
	unsigned int i;
	int fresh;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		c = make_sendfile(self->t.s.fd, self->fd, cells[i].offset, cells[i].length);
		c.op = cells[i].op;
		c.events = cells[i].events;
		c.flags = cells[i].flags;
		c.param[KEVENT_SENDFILE_MARK] = cells[i].more;
		c.addr = cells[i].addr;
		EXPECT_EQ(cells[i].error, do_change(self->q.fd, &c)) {
			TH_LOG("cell %u, %s", i, cells[i].what);
		}
	}
	c = make_sendfile(self->t.s.fd, -1, 0, 0);
	EXPECT_EQ(-EBADF, do_change(self->q.fd, &c));
	c = make_sendfile(self->t.s.fd, 1000000, 0, 0);
	EXPECT_EQ(-EBADF, do_change(self->q.fd, &c));
	c = make_sendfile(-1, self->fd, 0, 0);
	EXPECT_EQ(-EBADF, do_change(self->q.fd, &c));
	c = make_sendfile(self->fd, self->fd, 0, 0);
	EXPECT_EQ(-ENOTSOCK, do_change(self->q.fd, &c));

	ASSERT_EQ(0, sock_pair(&udp, AF_INET, SOCK_DGRAM));
	c = make_sendfile(udp.peer, self->fd, 0, 0);
	EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
	source_close(&udp);
	ASSERT_EQ(0, open_listener(&l, AF_INET, SOCK_STREAM, 8));
	c = make_sendfile(l.fd, self->fd, 0, 0);
	EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
	close(l.fd);
	fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c = make_sendfile(fresh, self->fd, 0, 0);
	EXPECT_EQ(-ENOTCONN, do_change(self->q.fd, &c));
	close(fresh);
	fresh = open("/tmp/sf-writer", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	c = make_sendfile(self->t.s.fd, fresh, 0, 0);
	EXPECT_EQ(-EBADF, do_change(self->q.fd, &c));
	close(fresh);

	ASSERT_EQ(0, queue_init(&plain, 8));
	c = self->t.c;
	EXPECT_EQ(-ENXIO, do_change(plain.fd, &c));
	ukevent_queue_exit(&plain);

	EXPECT_EQ(-ENOENT, OP(REMOVE));
	EXPECT_EQ(-ENOENT, OP(ENABLE));
	EXPECT_EQ(-ENOENT, OP(DISABLE));
	EXPECT_EQ(-EOPNOTSUPP, OP(TRIGGER));

	/* none of these has left anything on the socket */
	transfer_next(&self->t, self->fd, 0, 10000);
	ASSERT_EQ(0, RUN(&self->t));
	EXPECT_END(&self->t, SF_DONE, 10000, 0);
	EXPECT_QUIET(&self->q);
}

/* ---- rights ---- */

#define DISABLED "/proc/sys/kernel/kevent_sendfile_disabled"

static int create_as(uid_t uid, __u32 flags)
{
	struct kevent_params params;
	pid_t pid = fork();
	int fd;

	if (!pid) {
		memset(&params, 0, sizeof(params));
		if (uid && setresuid(uid, uid, uid))
			_exit(99);
		fd = sys_kevent_create(&params, sizeof(params), flags);
		_exit(fd < 0 ? -fd : 0);
	}
	return -child_status(pid);
}

TEST_F_TIMEOUT(sf, switched_off, 300)
{
	struct kevent_send s = make_file_send(self->t.s.fd, self->fd, 0, 10);

	EXPECT_EQ(0, create_as(1000, KEVENT_CREATE_SENDFILE));
	ASSERT_EQ(0, write_text(DISABLED, "1"));
	EXPECT_EQ(-EPERM, create_as(1000, KEVENT_CREATE_SENDFILE));
	EXPECT_EQ(0, create_as(1000, 0));
	EXPECT_EQ(0, create_as(0, KEVENT_CREATE_SENDFILE));
	EXPECT_EQ(10, send_one_entry(&self->q, s));
	ASSERT_EQ(0, write_text(DISABLED, "2"));
	EXPECT_EQ(-EPERM, create_as(0, KEVENT_CREATE_SENDFILE));
	EXPECT_EQ(0, create_as(0, 0));
	EXPECT_EQ(-EPERM, send_one_entry(&self->q, s));
	/* a queue that does it goes on */
	self->t.got = 0;
	transfer_next(&self->t, self->fd, 0, 1000);
	recv_all(self->t.s.peer);
	EXPECT_EQ(0, RUN(&self->t));
	EXPECT_EQ(0, write_text(DISABLED, "0"));
}

TEST_F_TIMEOUT(sf, created, 300)
{
	struct kevent_params params;

	memset(&params, 0, sizeof(params));
	params.queue = self->q.fd;
	ASSERT_EQ(0, sys_kevent_create(&params, sizeof(params), KEVENT_CREATE_QUERY));
	EXPECT_EQ(KEVENT_CREATE_SENDFILE, params.flags);
	EXPECT_TRUE(!!(params.features & KEVENT_FEAT_SENDFILE));
	EXPECT_TRUE(!!(params.types & (1ULL << KEVENT_TYPE_SENDFILE)));
}

/* F16: added by who may read the file, carried on by who may do nothing. */
TEST_F_TIMEOUT(sf, consumed_by_nobody, 300)
{
	pid_t pid;

	ASSERT_EQ(0, ADD(&self->t));
	pid = fork();
	if (!pid) {
		struct ukevent_queue q;

		if (setresuid(65534, 65534, 65534) ||
		    ukevent_queue_open(&q, self->q.fd))
			_exit(1);
		while (wait_ms(&q, 1, 1) == 0)
			;
		_exit(0);
	}
	while (!in_ring(&self->q))
		transfer_receive(&self->t, SIZE_MAX);
	EXPECT_EQ(0, child_status(pid));
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/* F15: a daemon that is asked for the file, and takes its time. */
struct adder {
	int kfd;
	struct kevent_change *c;
	int done;
};

static void *adder_main(void *arg)
{
	struct adder *a = arg;

	do_change(a->kfd, a->c);
	__atomic_store_n(&a->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Answers whom it has asked; 0 if nobody did. */
static int daemon_answers(int fan, __u32 response)
{
	struct fanotify_event_metadata event;
	struct fanotify_response answer;

	if (!is_ready(fan, POLLIN, response == FAN_ALLOW ? 0 : TEST_LONG_MS) ||
	    read(fan, &event, sizeof(event)) != sizeof(event))
		return 0;
	answer.fd = event.fd;
	answer.response = response;
	if (write(fan, &answer, sizeof(answer)) != sizeof(answer))
		return -errno;
	close(event.fd);
	return 1;
}

TEST_F_TIMEOUT(sf, permission_daemon, 300)
{
	int fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	const __u32 answers[] = { FAN_DENY, FAN_ALLOW };
	int ready = make_eventfd(1), asked, i;
	struct adder a;
	pthread_t thread;
	char path[64];

	if (fan < 0 && errno == ENOSYS)
		SKIP(return, "no fanotify in this kernel (CONFIG_FANOTIFY)");
	ASSERT_LE(0, fan);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	if (fanotify_mark(fan, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD, path))
		SKIP(return, "no permission events (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)");
	for (i = 0; i < 2; i++) {
		transfer_next(&self->t, self->fd, 0, 100000);
		a.kfd = self->q.fd;
		a.c = &self->t.c;
		a.done = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, adder_main, &a));
		/* the queue is not held up by who asks */
		ASSERT_TRUE(is_ready(fan, POLLIN, TEST_LONG_MS));
		EXPECT_EQ(0, add_fd(self->q.fd, ready, EV_IN, KEVENT_EDGE, 0, NULL));
		EXPECT_EQ(1, wait_ms(&self->q, 1, TEST_LONG_MS));
		EXPECT_EQ(1, take_all(&self->q, NULL));
		EXPECT_EQ(0, remove_fd(self->q.fd, ready));
		EXPECT_EQ(0, __atomic_load_n(&a.done, __ATOMIC_ACQUIRE));
		EXPECT_EQ(1, daemon_answers(fan, answers[i]));
		pthread_join(thread, NULL);
		EXPECT_EQ(i ? 0 : -EPERM, self->t.c.result);
	}
	/* steps do not ask again */
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 100000, 0);
	asked = daemon_answers(fan, FAN_ALLOW);
	EXPECT_EQ(0, asked);
	close(fan);
	close(ready);
}

/* F19: an interest is charged like any. */
TEST_F_TIMEOUT(sf, limited, 300)
{
	struct ukevent_queue q;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, files_queue(&q, 8, 0));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "0"));
	EXPECT_EQ(-ENOSPC, do_change(q.fd, &self->t.c));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "1"));
	EXPECT_EQ(0, do_change(q.fd, &self->t.c));
	ukevent_queue_exit(&q);
}

TEST_F_TIMEOUT(sf, fdinfo, 300)
{
	char path[64], text[4096], want[128];

	transfer_next(&self->t, self->fd, 100, 3 * MIB);
	transfer_mark(&self->t, 70000);
	ASSERT_EQ(0, ADD(&self->t));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->q.fd);
	ASSERT_LT(0, read_text(path, text, sizeof(text)));
	snprintf(want, sizeof(want), "type: sendfile ident: %d events: 1f", self->t.s.fd);
	EXPECT_NE(NULL, strstr(text, want));
	EXPECT_NE(NULL, strstr(text, " offset: 100 length: 3145728 sent: 0 mark: 70000\n"));
	EXPECT_FALSE(has_address(text));
}

/* ---- others' sockets ---- */

/* F12: records of TLS; on the wire nothing of the file can be read. */
TEST_F_TIMEOUT(sf, tls, 300)
{
	int ret = tls_start(self->t.s.fd, TLS_TX);

	if (ret == -ENOENT)
		SKIP(return, "no TLS in this kernel (CONFIG_TLS)");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, tls_start(self->t.s.peer, TLS_RX));
	transfer_next(&self->t, self->fd, 4000, TO_END);
	transfer_header(&self->t, 300);
	ASSERT_EQ(0, RUN(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB - 4000, 0);
}

/* Are eight bytes of the file, wherever they are, in these? */
static bool has_plain(const unsigned char *wire, size_t len)
{
	unsigned char want[16];
	size_t i;

	pattern_fill(want, FILE_SEED, 4096, sizeof(want));
	for (i = 0; i + sizeof(want) <= len; i++)
		if (!memcmp(wire + i, want, sizeof(want)))
			return true;
	return false;
}

TEST_F_TIMEOUT(sf, tls_wire, 300)
{
	unsigned char *wire = malloc(MIB);
	size_t len = 0;
	ssize_t n;
	int ret = tls_start(self->t.s.fd, TLS_TX);

	if (ret == -ENOENT)
		SKIP(return, "no TLS in this kernel (CONFIG_TLS)");
	ASSERT_EQ(0, ret);
	transfer_next(&self->t, self->fd, 0, 100000);
	ASSERT_EQ(0, ADD(&self->t));
	while (!self->t.ended) {
		ASSERT_LE(0, wait_ms(&self->q, 1, 10));
		transfer_records(&self->q);
	}
	EXPECT_END(&self->t, SF_DONE, 100000, 0);
	shutdown(self->t.s.fd, SHUT_WR);
	while ((n = recv(self->t.s.peer, wire + len, MIB - len, 0)) > 0)
		len += n;
	EXPECT_LT(100000U, len);
	EXPECT_FALSE(has_plain(wire, len));
	free(wire);
}

/*
 * A sender that waits for room keeps a lock of kTLS: no step waits for that, and what
 * it sends comes first.
 */
struct tls_sender {
	int fd;
	int tid;
};

static void *tls_sender_main(void *arg)
{
	static const char bytes[MIB];
	struct tls_sender *s = arg;

	__atomic_store_n(&s->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return send(s->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) == sizeof(bytes) ?
	       arg : NULL;
}

TEST_F_TIMEOUT(sf, tls_locked, 300)
{
	int ret = tls_start(self->t.s.fd, TLS_TX), before, now = 0, room = 20000;
	struct tls_sender sender = { .fd = self->t.s.fd };
	static char bytes[MIB];
	struct transfer other;
	pthread_t thread;
	void *sent;

	if (ret == -ENOENT)
		SKIP(return, "no TLS in this kernel (CONFIG_TLS)");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, tls_start(self->t.s.peer, TLS_RX));
	/* of the sender alone: a window below the MSS is a matter of minutes */
	ASSERT_EQ(0, setsockopt(self->t.s.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	/* it is to sleep in send(2), where it keeps the lock */
	ASSERT_EQ(0, fcntl(self->t.s.fd, F_SETFL, 0));
	ASSERT_EQ(0, transfer_open(&other, AF_INET));
	ASSERT_EQ(0, pthread_create(&thread, NULL, tls_sender_main, &sender));
	ASSERT_EQ(0, started(&sender.tid));
	/* until it sleeps in there */
	do {
		before = now;
		sleep_ms(TEST_SHORT_MS);
		now = unsent(self->t.s.fd) + unread(self->t.s.peer);
	} while (!now || now != before || task_state(sender.tid) != 'S');
	transfer_next(&self->t, self->fd, 0, MIB);
	ASSERT_EQ(0, ADD(&self->t));
	transfer_next(&other, self->fd, 0, TO_END);
	ASSERT_EQ(0, RUN(&other));
	EXPECT_END(&other, SF_DONE, 4 * MIB, 0);
	EXPECT_FALSE(self->t.ended);
	EXPECT_EQ(0U, self->t.told);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, &sent));
	ASSERT_EQ((ssize_t)MIB, recv(self->t.s.peer, bytes, MIB, MSG_WAITALL));
	pthread_join(thread, &sent);
	EXPECT_TRUE(!!sent);
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, MIB, 0);
	source_close(&other.s);
}

/* F13: somebody who owns the socket stands still; others go on. */
struct owner {
	int fd;
	const char *page;
	int ret;
};

static void *owner_main(void *arg)
{
	struct owner *o = arg;

	o->ret = send(o->fd, o->page, page_size(), MSG_NOSIGNAL);
	return NULL;
}

TEST_F_TIMEOUT(sf, owned_socket, 300)
{
	char *page = calloc(1, page_size());
	struct stall_page stall;
	struct transfer other;
	struct owner o;
	pthread_t thread;
	int ret = stall_open(&stall);

	if (ret)
		SKIP(return, "no userfaultfd (%d)", ret);
	ASSERT_EQ(0, transfer_open(&other, AF_INET));
	transfer_next(&other, self->fd, 0, TO_END);
	o.fd = self->t.s.fd;
	o.page = stall.page;
	ASSERT_EQ(0, pthread_create(&thread, NULL, owner_main, &o));
	ASSERT_EQ(0, stall_reached(&stall));
	transfer_next(&self->t, self->fd, 0, TO_END);
	ASSERT_EQ(0, ADD(&self->t));
	ASSERT_EQ(0, RUN(&other));
	EXPECT_END(&other, SF_DONE, 4 * MIB, 0);
	/* and may be removed, and added again */
	ASSERT_EQ(0, OP(REMOVE));
	transfer_records(&self->q);
	EXPECT_END(&self->t, 0, 0, 0);
	transfer_next(&self->t, self->fd, 0, TO_END);
	ASSERT_EQ(0, ADD(&self->t));
	ASSERT_EQ(0, flush_ring(&self->q));
	ASSERT_EQ(0, stall_end(&stall, page));
	pthread_join(thread, NULL);
	EXPECT_EQ((int)page_size(), o.ret);
	/* what it sent comes first */
	ASSERT_EQ((ssize_t)page_size(),
		  recv(self->t.s.peer, page, page_size(), MSG_WAITALL));
	ASSERT_EQ(0, FINISH(&self->t));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	source_close(&other.s);
	stall_close(&stall);
	free(page);
}

/* ---- many ---- */

/* F14: a hot socket is told of while a thousand transfers have work to do. */
TEST_F_TIMEOUT(sf, fairness, 300)
{
	enum { NR = 200 };
	struct transfer *t = calloc(NR, sizeof(*t));
	struct ukevent_queue q;
	__u64 least = ~0ULL, most = 0;
	int i;

	ASSERT_NE(NULL, t);
	ASSERT_EQ(0, raise_nofile(4 * NR + 100));
	ASSERT_EQ(0, files_queue(&q, 512, 0));
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, transfer_open(&t[i], AF_UNIX));
		transfer_next(&t[i], self->fd, 0, MIB);
		ASSERT_EQ(0, do_change(q.fd, &t[i].c));
	}
	/* Each gets its turn before one gets a second one. */
	for (i = 0; i < NR; i++)
		ASSERT_LE(0, flush_ring(&q));
	for (i = 0; i < NR; i++) {
		__u64 n = unread(t[i].s.peer);

		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	EXPECT_LT(0U, least);
	EXPECT_LE(most, 2 * least);
	ASSERT_EQ(0, transfers_run(&q, t, NR, SIZE_MAX));
	for (i = 0; i < NR; i++) {
		EXPECT_END(&t[i], SF_DONE, MIB, 0);
		source_close(&t[i].s);
	}
	free(t);
	ukevent_queue_exit(&q);
}

/* A walk ends, whatever is left to be sent. */
TEST_F_TIMEOUT(sf, walk_is_bounded, 300)
{
	enum { NR = 32 };
	struct transfer *t = calloc(NR, sizeof(*t));
	int i, size = 4 * MIB;
	__u64 sum = 0;

	ASSERT_NE(NULL, t);
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, transfer_open(&t[i], AF_UNIX));
		ASSERT_EQ(0, setsockopt(t[i].s.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
					sizeof(size)));
		transfer_next(&t[i], self->fd, 0, MIB);
		ASSERT_EQ(0, ADD(&t[i]));
	}
	ASSERT_LE(0, flush_ring(&self->q));
	for (i = 0; i < NR; i++)
		sum += unread(t[i].s.peer);
	/* a megabyte, and what the last one has begun */
	EXPECT_LE(MIB, sum);
	EXPECT_GT(MIB + 512 * KIB, sum);
	EXPECT_EQ(1, is_pending(&self->q));
	ASSERT_EQ(0, transfers_run(&self->q, t, NR, SIZE_MAX));
	for (i = 0; i < NR; i++) {
		EXPECT_END(&t[i], SF_DONE, MIB, 0);
		source_close(&t[i].s);
	}
	free(t);
}

TEST_HARNESS_MAIN
