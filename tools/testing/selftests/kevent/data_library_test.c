// SPDX-License-Identifier: GPL-2.0
/*
 * The library where records carry bytes: mapping and releasing the data area, and turns
 * that send; with kevent_send(), and where it is refused.
 */
#include "counted.h"
#include "process_test.h"

#include <netinet/tcp.h>
#include <sys/time.h>

#define STREAM_ALL	(KEVENT_STREAM_RECV | KEVENT_STREAM_RDHUP)

/* ---- streams whose bytes tell where they belong ---- */

static char byte_at(size_t position)
{
	return position * 2654435761U >> 13;
}

static void fill_bytes(char *to, size_t position, size_t len)
{
	while (len--)
		*to++ = byte_at(position++);
}

static bool are_bytes(const char *at, size_t position, size_t len)
{
	while (len--)
		if (*at++ != byte_at(position++))
			return false;
	return true;
}

/* Writes the stream on from @position, as much as goes without blocking, up to @len. */
static size_t write_bytes(int fd, size_t position, size_t len)
{
	char buf[4096];
	size_t done = 0, n;
	ssize_t ret;

	while (done < len) {
		n = len - done < sizeof(buf) ? len - done : sizeof(buf);
		fill_bytes(buf, position + done, n);
		ret = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret <= 0)
			break;
		done += ret;
	}
	return done;
}

/* Reads @len bytes, which must be those from @position on; whether they are. */
static bool read_bytes(int fd, size_t position, size_t len)
{
	char buf[4096];
	ssize_t ret;

	while (len) {
		ret = recv(fd, buf, len < sizeof(buf) ? len : sizeof(buf), 0);
		if (ret <= 0 || !are_bytes(buf, position, ret))
			return false;
		position += ret;
		len -= ret;
	}
	return true;
}

/* ---- queues ---- */

static int data_queue(struct ukevent_queue *q, __u32 data_size)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_DATA, .ring_entries = 256,
		.data_size = data_size,
	};

	return ukevent_queue_init(q, &params);
}

static int add_stream(struct ukevent_queue *q, int fd, __u32 share, __u64 cookie)
{
	struct kevent_change c;

	return ukevent_change(q, ukevent_stream_limits(
		ukevent_prep_stream(&c, KEVENT_OP_ADD, fd, STREAM_ALL,
				    KEVENT_EDGE, cookie), 0, 0, share));
}

static uint32_t released(const struct ukevent_queue *q)
{
	return __atomic_load_n(q->release, __ATOMIC_ACQUIRE);
}

static bool is_mapped(const void *at)
{
	unsigned char there;

	return !mincore((void *)at, 1, &there);
}

FIXTURE(area)
{
	struct ukevent_queue q;
	int fd, peer;
};

FIXTURE_SETUP(area)
{
	int ret = data_queue(&self->q, KEVENT_MIN_DATA_SIZE);

	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel carries no bytes");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &self->fd, &self->peer));
	memset(&counted, 0, sizeof(counted));
}

FIXTURE_TEARDOWN(area)
{
	close(self->fd);
	close(self->peer);
	ukevent_queue_exit(&self->q);
}

/* It is there, can be written, and goes with the queue. */
TEST_F(area, mapped_until_exit)
{
	char *data = self->q.data;

	ASSERT_NE(NULL, data);
	EXPECT_EQ(KEVENT_MIN_DATA_SIZE, self->q.data_size);
	EXPECT_EQ(0U, released(&self->q));
	data[0] = 1;
	data[self->q.data_size - 1] = 1;
	ukevent_queue_exit(&self->q);
	EXPECT_FALSE(is_mapped(data));
	EXPECT_EQ(NULL, self->q.data);
}

TEST_F(area, parsed_in_place)
{
	struct ukevent ev;

	ASSERT_EQ(0, add_stream(&self->q, self->fd, 0, 7));
	ASSERT_EQ(300U, write_bytes(self->peer, 0, 300));
	ASSERT_EQ(1, ukevent_dequeue(&self->q, &ev, UKEVENT_FOREVER));
	EXPECT_EQ(7U, ev.cookie);
	ASSERT_TRUE(ukevent_has_bytes(&ev));
	ASSERT_EQ(300U, ukevent_length(&ev));
	EXPECT_TRUE(are_bytes(ukevent_bytes(&self->q, &ev), 0, 300));
	EXPECT_EQ(0U, released(&self->q));
	ukevent_release(&self->q, &ev);
	EXPECT_EQ(KEVENT_STREAM_RELEASE(ev.data[1]), released(&self->q));
	EXPECT_EQ(5U, released(&self->q));
}

/* Up to the last record that has bytes; and never back. */
TEST_F(area, released_by_batch)
{
	struct ukevent ev[8];
	uint32_t last;
	int i;

	ASSERT_EQ(0, add_stream(&self->q, self->fd, 0, 7));
	ASSERT_EQ(0, ukevent_add(&self->q, KEVENT_TYPE_USER, 1, 1, KEVENT_EDGE, 1));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(100U, write_bytes(self->peer, 100 * i, 100));
		ASSERT_EQ(i + 1, ring_reaches(&self->q, i + 1));
	}
	ASSERT_EQ(0, ukevent_trigger(&self->q, 1, 0));
	ASSERT_EQ(4, ukevent_dequeue_batch(&self->q, ev, 8, UKEVENT_FOREVER));
	EXPECT_FALSE(ukevent_has_bytes(&ev[3]));
	ukevent_release_batch(&self->q, ev + 3, 1);
	ukevent_release_batch(&self->q, ev, 0);
	ukevent_release_batch(&self->q, ev, -EINTR);
	EXPECT_EQ(0U, released(&self->q));
	ukevent_release_batch(&self->q, ev, 4);
	last = KEVENT_STREAM_RELEASE(ev[2].data[1]);
	EXPECT_EQ(last, released(&self->q));
	ukevent_release(&self->q, &ev[0]);
	EXPECT_EQ(last, released(&self->q));
}

/* What there was no room for comes by itself to who dequeues after a release. */
TEST_F(area, room_is_used)
{
	size_t sent = 0, got = 0, total = 8 * KEVENT_MIN_DATA_SIZE;
	struct ukevent ev[64], last = {};
	int i, n, stalls = 0;

	ASSERT_EQ(0, add_stream(&self->q, self->fd, KEVENT_MIN_DATA_SIZE, 7));
	while (got < total) {
		sent += write_bytes(self->peer, sent, total - sent);
		n = ukevent_dequeue_batch(&self->q, ev, 64, 0);
		ASSERT_GE(n, 0);
		for (i = 0; i < n; i++) {
			ASSERT_TRUE(are_bytes(ukevent_bytes(&self->q, ev + i),
					      got, ukevent_length(ev + i)));
			got += ukevent_length(ev + i);
		}
		if (n)
			last = ev[n - 1];
		/* Given back only when nothing more can come. */
		if (n || !is_pending(&self->q))
			continue;
		ukevent_release(&self->q, &last);
		stalls++;
	}
	EXPECT_GE(stalls, 6);
}

/* A child that maps the queue has the bytes; one that does not has no area. */
TEST_F(area, child_maps_its_own)
{
	struct ukevent ev;
	pid_t pid;

	ASSERT_EQ(0, add_stream(&self->q, self->fd, 0, 7));
	ASSERT_EQ(300U, write_bytes(self->peer, 0, 300));
	ASSERT_EQ(1, ring_reaches(&self->q, 1));
	pid = fork();
	if (!pid) {
		if (is_mapped(self->q.data) ||
		    ukevent_dequeue(&self->q, &ev, 0) != -ECHILD ||
		    ukevent_queue_remap(&self->q) ||
		    ukevent_dequeue(&self->q, &ev, 0) != 1 ||
		    !are_bytes(ukevent_bytes(&self->q, &ev), 0, 300))
			_exit(1);
		ukevent_release(&self->q, &ev);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(5U, released(&self->q));
}

/* Where it is not to be had a queue is made without; other errors are told. */
TEST(without_an_area)
{
	static const struct {
		int	no_data;
		int	ret;
	} cases[] = {
		{ EINVAL, 0 },
		{ EOPNOTSUPP, 0 },
		{ EPERM, 0 },
		{ ENOSPC, -ENOSPC },
		{ ENOMEM, -ENOMEM },
	};
	struct kevent_params params;
	struct ukevent_queue q;
	struct ukevent ev;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		counted.no_data = cases[i].no_data;
		memset(&params, 0, sizeof(params));
		params.data_size = KEVENT_MIN_DATA_SIZE;
		params.ring_entries = 8;
		ASSERT_EQ(cases[i].ret, ukevent_queue_init_data(&q, &params));
		if (cases[i].ret)
			continue;
		EXPECT_EQ(NULL, q.data);
		EXPECT_EQ(0U, params.flags);
		EXPECT_EQ(8U, params.ring_entries);
		EXPECT_EQ(0, ukevent_dequeue(&q, &ev, 0));
		ukevent_queue_exit(&q);
	}
	counted.no_data = 0;
}

/* ---- turns ---- */

#define CONNS	4

/**
 * struct keeper - what was not sent of a stream
 * @rest: it
 * @len: how much that is
 * @short_ones, @refused, @failed: how often it was told of such
 */
struct keeper {
	char		rest[1 << 20];
	size_t		len;
	unsigned int	short_ones;
	unsigned int	refused;
	unsigned int	failed;
};

static void keep(struct keeper *keeper, const char *bytes, size_t len)
{
	if (keeper->len + len <= sizeof(keeper->rest))
		memcpy(keeper->rest + keeper->len, bytes, len);
	keeper->len += len;
}

FIXTURE(io)
{
	struct ukevent_queue q;
	struct ukevent_io io;
	struct ukevent ev[64];
	int fd[CONNS], peer[CONNS];
	struct keeper *keeper;
	uint32_t at_send;
};

FIXTURE_VARIANT(io)
{
	int no_send;
};

FIXTURE_VARIANT_ADD(io, array)
{
	.no_send = 0,
};

FIXTURE_VARIANT_ADD(io, refused)
{
	.no_send = EPERM,
};

FIXTURE_VARIANT_ADD(io, unknown)
{
	.no_send = ENOSYS,
};

static FIXTURE_DATA(io) *current_io;

static void io_unsent(struct ukevent_io *io, const struct kevent_send *send,
		      uint64_t cookie)
{
	struct keeper *keeper = current_io->keeper + cookie;
	const char *rest;
	uint32_t len;

	if (ukevent_unsent(send, &rest, &len)) {
		keeper->failed++;
		return;
	}
	if (send->result == -ECANCELED)
		keeper->refused++;
	else
		keeper->short_ones++;
	keep(keeper, rest, len);
	/* Here nothing can be sent. */
	if (ukevent_io_send(io, send->fd, rest, len, 0, cookie) != -EBUSY)
		keeper->failed += 1000;
}

/* How far the program had released when it entered. */
static void note_release(void)
{
	current_io->at_send = released(&current_io->q);
}

FIXTURE_SETUP(io)
{
	int ret = data_queue(&self->q, 0), i, one = 1;

	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel carries no bytes");
	ASSERT_EQ(0, ret);
	for (i = 0; i < CONNS; i++) {
		ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &self->fd[i],
				       &self->peer[i]));
		setsockopt(self->fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(self->peer[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		ASSERT_EQ(0, add_stream(&self->q, self->fd[i], 0, i));
	}
	self->keeper = calloc(CONNS, sizeof(*self->keeper));
	ASSERT_NE(NULL, self->keeper);
	ukevent_io_init(&self->io, &self->q, NULL, io_unsent);
	memset(&counted, 0, sizeof(counted));
	counted.no_send = variant->no_send;
	counted.before_send = note_release;
	current_io = self;
}

FIXTURE_TEARDOWN(io)
{
	int i;

	for (i = 0; i < CONNS; i++) {
		close(self->fd[i]);
		close(self->peer[i]);
	}
	free(self->keeper);
	ukevent_queue_exit(&self->q);
}

#define TURN(timeout)	ukevent_io_turn(&self->io, self->ev, 64, timeout)

/* Has the program send all that it was told back, from where it lies. */
static void echo(FIXTURE_DATA(io) *self, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (ukevent_has_bytes(self->ev + i))
			ukevent_io_send(&self->io, self->fd[self->ev[i].cookie],
					ukevent_bytes(&self->q, self->ev + i),
					ukevent_length(self->ev + i), 0,
					self->ev[i].cookie);
}

/* All replies, and the next records, by one entry. */
TEST_F(io, one_entry)
{
	uint32_t first;
	int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < CONNS; i++)
			ASSERT_EQ(64U, write_bytes(self->peer[i], 64 * round, 64));
		ASSERT_EQ(CONNS, ring_reaches(&self->q, CONNS));
		memset(&counted, 0, offsetof(struct counted, no_send));
		first = self->io.due;
		ASSERT_EQ(CONNS, TURN(UKEVENT_FOREVER));
		/* The first one that is refused is looked for by the kernel. */
		EXPECT_EQ(round && (!variant->no_send || round == 1) ? 1U : 0U,
			  counted.send);
		EXPECT_EQ(0U, counted.wait);
		/* Of the round before, and when that was sent. */
		EXPECT_EQ(first, released(&self->q));
		if (round && !variant->no_send)
			EXPECT_LT(self->at_send, first);
		echo(self, CONNS);
		for (i = 0; i < CONNS && round; i++)
			EXPECT_TRUE(read_bytes(self->peer[i], 64 * (round - 1), 64));
	}
	EXPECT_EQ(0, TURN(0));
	for (i = 0; i < CONNS; i++)
		EXPECT_TRUE(read_bytes(self->peer[i], 64 * 2, 64));
	EXPECT_EQ(self->io.due, released(&self->q));
}

/* Reads what is there on from @got, which must be right; how much. */
static size_t read_some(struct __test_metadata *_metadata, int fd, size_t got)
{
	char buf[4096];
	size_t done = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			return done;
		EXPECT_TRUE(are_bytes(buf, got + done, n));
		done += n;
	}
}

static void send_kept(struct keeper *keeper, int fd)
{
	ssize_t n = send(fd, keeper->rest, keeper->len, MSG_DONTWAIT);

	if (n <= 0)
		return;
	keeper->len -= n;
	memmove(keeper->rest, keeper->rest + n, keeper->len);
}

/* It takes less than the tests send.  A smaller window would wait for timers. */
static void small_buffer(int fd)
{
	int size = 16384;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* A socket that does not take it all: the rest is told before it can be lost. */
TEST_F(io, rest_is_told)
{
	size_t sent = 0, taken = 0, got = 0, total = 1 << 20, len;
	struct keeper *keeper = self->keeper;
	const char *bytes;
	int n, i;

	small_buffer(self->fd[0]);
	while (got < total) {
		sent += write_bytes(self->peer[0], sent, total - sent);
		n = TURN(0);
		ASSERT_GE(n, 0);
		for (i = 0; i < n; i++) {
			bytes = ukevent_bytes(&self->q, self->ev + i);
			len = ukevent_length(self->ev + i);
			ASSERT_TRUE(are_bytes(bytes, taken, len));
			taken += len;
			if (keeper->len)
				keep(keeper, bytes, len);
			else
				ukevent_io_send(&self->io, self->fd[0], bytes,
						len, 0, 0);
		}
		/* It reads nothing until there was a rest. */
		if (keeper->short_ones)
			got += read_some(_metadata, self->peer[0], got);
		if (keeper->len)
			send_kept(keeper, self->fd[0]);
	}
	EXPECT_EQ(total, got);
	EXPECT_EQ(0U, keeper->failed);
}

/* More than there are places for, most of which cannot be sent: in order all the same. */
TEST_F(io, more_than_places)
{
	enum { SENDS = 5 * UKEVENT_GATHERED + 3, LEN = 1000 };
	struct keeper *keeper = self->keeper;
	char *stream = malloc(SENDS * LEN);
	size_t went;
	int i;

	ASSERT_NE(NULL, stream);
	fill_bytes(stream, 0, SENDS * LEN);
	small_buffer(self->fd[0]);
	for (i = 0; i < SENDS; i++) {
		if (!keeper->len) {
			ukevent_io_send(&self->io, self->fd[0], stream + i * LEN,
					LEN, 0, 0);
			continue;
		}
		keep(keeper, stream + i * LEN, LEN);
	}
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0U, self->io.nr);
	ASSERT_LT(0U, keeper->len);
	EXPECT_LT(1U, keeper->refused);
	EXPECT_EQ(0U, keeper->failed);
	went = SENDS * LEN - keeper->len;
	EXPECT_TRUE(read_bytes(self->peer[0], 0, went));
	EXPECT_TRUE(are_bytes(keeper->rest, went, keeper->len));
	free(stream);
}

/* One that fails does not keep the others from being sent, nor the turn asleep. */
TEST_F(io, one_fails)
{
	signal(SIGPIPE, SIG_DFL);
	shutdown(self->fd[1], SHUT_WR);
	ukevent_io_send(&self->io, self->fd[0], "zero", 4, 0, 0);
	ukevent_io_send(&self->io, self->fd[1], "one", 3, 0, 1);
	ukevent_io_send(&self->io, -1, "bad", 3, 0, 3);
	ukevent_io_send(&self->io, self->fd[2], "two", 3, 0, 2);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(0U, self->keeper[0].failed);
	EXPECT_EQ(1U, self->keeper[1].failed);
	EXPECT_EQ(0U, self->keeper[2].failed);
	EXPECT_EQ(1U, self->keeper[3].failed);
	EXPECT_EQ(4, recv(self->peer[0], self->ev, 64, 0));
	EXPECT_EQ(3, recv(self->peer[2], self->ev, 64, 0));
}

static unsigned int told_changes;

static void io_failed(struct ukevent_loop *loop, const struct kevent_change *change)
{
	told_changes++;
}

/* Changes go along, and one that fails keeps the turn from sleeping. */
TEST_F(io, changes_ride_along)
{
	self->io.loop.failed = io_failed;
	told_changes = 0;
	ukevent_prep_user(ukevent_next(&self->io.loop), KEVENT_OP_ADD, 1,
			  KEVENT_EDGE, 77);
	ukevent_prep_trigger(ukevent_next(&self->io.loop), 1, 5, 0);
	ukevent_io_send(&self->io, self->fd[0], "zero", 4, 0, 0);
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(77U, self->ev[0].cookie);
	if (!variant->no_send) {
		EXPECT_EQ(1U, counted.send);
		EXPECT_EQ(0U, counted.wait);
	}
	ukevent_prep_op(ukevent_next(&self->io.loop), KEVENT_OP_ENABLE,
			KEVENT_TYPE_USER, 1000, 0);
	ukevent_io_send(&self->io, self->fd[0], "more", 4, 0, 0);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(1U, told_changes);
	EXPECT_EQ(0U, self->io.loop.nr);
	EXPECT_EQ(8, recv(self->peer[0], self->ev, 8, MSG_WAITALL));
}

TEST_F(io, timeout)
{
	ukevent_io_send(&self->io, self->fd[0], "zero", 4, 0, 0);
	EXPECT_EQ(0, TURN(NSEC_PER_MSEC));
	ukevent_io_send(&self->io, self->fd[0], "more", 4, 0, 0);
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(8, recv(self->peer[0], self->ev, 8, MSG_WAITALL));
}

static void on_alarm(int signo)
{
}

/* Interrupted while it sleeps: it is sent, once, and released. */
TEST_F(io, interrupted)
{
	/* Again and again: the first may come before it sleeps. */
	struct itimerval soon = {
		.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000,
	}, never = {};
	struct sigaction sa = { .sa_handler = on_alarm };

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(10U, write_bytes(self->peer[0], 0, 10));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	echo(self, 1);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, TURN(UKEVENT_FOREVER));
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(0U, self->io.nr);
	EXPECT_EQ(self->io.due, released(&self->q));
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(10, recv(self->peer[0], self->ev, 64, 0));
	EXPECT_EQ(-1, recv(self->peer[0], self->ev, 64, MSG_DONTWAIT));
}

/* What is gathered is the parent's. */
TEST_F(io, child_sends_nothing)
{
	pid_t pid;

	ukevent_io_send(&self->io, self->fd[0], "zero", 4, 0, 0);
	pid = fork();
	if (!pid)
		_exit(TURN(UKEVENT_FOREVER) != -ECHILD ||
		      ukevent_io_flush(&self->io) || counted.send);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(4, recv(self->peer[0], self->ev, 64, 0));
}

/* Who gets the number of what is closed gets nothing that was meant for that. */
TEST_F(io, closed_in_order)
{
	int fd, peer, old = self->fd[0];

	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &fd, &peer));
	ukevent_io_send(&self->io, old, "last", 4, 0, 0);
	ukevent_io_send(&self->io, self->fd[1], "other", 5, 0, 1);
	ukevent_prep_stream(ukevent_next(&self->io.loop), KEVENT_OP_MODIFY, old,
			    KEVENT_STREAM_SEND, KEVENT_EDGE, 0);
	ukevent_io_close(&self->io, old);
	EXPECT_EQ(0U, self->io.loop.nr);
	ASSERT_EQ(old, dup2(fd, old));
	close(fd);
	ASSERT_EQ(0, add_stream(&self->q, old, 0, 9));
	EXPECT_GE(TURN(0), 0);
	EXPECT_EQ(4, recv(self->peer[0], self->ev, 64, 0));
	EXPECT_EQ(0, recv(self->peer[0], self->ev, 64, 0));
	EXPECT_EQ(5, recv(self->peer[1], self->ev, 64, 0));
	EXPECT_EQ(-1, recv(peer, self->ev, 64, MSG_DONTWAIT));
	ASSERT_EQ(10U, write_bytes(peer, 0, 10));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(9U, self->ev[0].cookie);
	EXPECT_TRUE(ukevent_has_bytes(self->ev));
	close(peer);
}

/* Whoever keeps bytes says when they may go, and that is after the next sends. */
TEST_F(io, kept)
{
	struct ukevent first;
	uint32_t index;

	self->io.keeps = 1;
	ASSERT_EQ(100U, write_bytes(self->peer[0], 0, 100));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	first = self->ev[0];
	index = KEVENT_STREAM_RELEASE(first.data[1]);
	ASSERT_EQ(100U, write_bytes(self->peer[1], 0, 100));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0U, released(&self->q));
	ukevent_io_send(&self->io, self->fd[0], ukevent_bytes(&self->q, &first), 100,
			0, 0);
	ukevent_io_release(&self->io, &first);
	EXPECT_EQ(0U, released(&self->q));
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(index, released(&self->q));
	EXPECT_EQ(0U, self->at_send);
	EXPECT_TRUE(read_bytes(self->peer[0], 0, 100));
}

/* A queue without a ring sends as well, and sleeps in another call. */
TEST(noring)
{
	struct ukevent_queue q;
	struct ukevent_io io;
	struct ukevent ev[4];
	char buf[8];
	int fd, peer;

	ASSERT_EQ(0, queue_init_noring(&q, 8));
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &fd, &peer));
	memset(&counted, 0, sizeof(counted));
	ukevent_io_init(&io, &q, NULL, NULL);
	ukevent_prep_user(ukevent_next(&io.loop), KEVENT_OP_ADD, 1, KEVENT_EDGE, 77);
	ukevent_prep_trigger(ukevent_next(&io.loop), 1, 5, 0);
	ukevent_io_send(&io, fd, "zero", 4, 0, 0);
	ASSERT_EQ(1, ukevent_io_turn(&io, ev, 4, UKEVENT_FOREVER));
	EXPECT_EQ(77U, ev[0].cookie);
	ukevent_io_send(&io, fd, "more", 4, 0, 0);
	EXPECT_EQ(0, ukevent_io_turn(&io, ev, 4, NSEC_PER_MSEC));
	EXPECT_EQ(8, recv(peer, buf, 8, MSG_WAITALL));
	EXPECT_EQ(2U, counted.send);
	EXPECT_EQ(2U, counted.wait);
	close(fd);
	close(peer);
	ukevent_queue_exit(&q);
}

/* ---- it never sleeps with what others wait for ---- */

struct pinger {
	int	fd;
	int	rounds;
	size_t	size;
	int	done;
};

/* Asks, and waits for the answer before it asks again. */
static void *ping(void *arg)
{
	struct pinger *p = arg;
	size_t at = 0;

	for (p->done = 0; p->done < p->rounds; p->done++) {
		if (write_bytes(p->fd, at, p->size) != p->size ||
		    !read_bytes(p->fd, at, p->size))
			break;
		at += p->size;
	}
	shutdown(p->fd, SHUT_WR);
	return NULL;
}

FIXTURE(pingpong)
{
	struct ukevent_queue q;
	struct ukevent_io io;
	int fd, peer;
};

FIXTURE_VARIANT(pingpong)
{
	size_t size;		/* of a message */
	uint32_t most, share;
};

FIXTURE_VARIANT_ADD(pingpong, small)
{
	.size = 64,
};

FIXTURE_VARIANT_ADD(pingpong, large)
{
	.size = 4096,
};

/* The whole share is under way. */
FIXTURE_VARIANT_ADD(pingpong, share)
{
	.size = 4096,
	.share = 4096,
};

FIXTURE_VARIANT_ADD(pingpong, large_pieces)
{
	.size = 16000,
	.most = 16384,
	.share = 20000,
};

FIXTURE_SETUP(pingpong)
{
	int ret = data_queue(&self->q, KEVENT_MIN_DATA_SIZE), one = 1;

	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel carries no bytes");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &self->fd, &self->peer));
	setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(self->peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ukevent_io_init(&self->io, &self->q, NULL, NULL);
	memset(&counted, 0, sizeof(counted));
}

FIXTURE_TEARDOWN(pingpong)
{
	close(self->fd);
	close(self->peer);
	ukevent_queue_exit(&self->q);
}

TEST_F_TIMEOUT(pingpong, never_stalls, 120)
{
	struct pinger pinger = {
		.fd = self->peer, .size = variant->size,
		.rounds = test_loops(4 * KEVENT_MIN_DATA_SIZE / variant->size),
	};
	struct ukevent ev[64];
	unsigned int turns = 0;
	pthread_t thread;
	bool end = false;
	int n, i;

	ukevent_stream_limits(ukevent_prep_stream(ukevent_next(&self->io.loop),
						  KEVENT_OP_ADD, self->fd,
						  STREAM_ALL, KEVENT_EDGE, 1),
			      0, variant->most, variant->share);
	ASSERT_EQ(0, ukevent_io_turn(&self->io, ev, 64, 0));
	memset(&counted, 0, sizeof(counted));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ping, &pinger));
	while (!end) {
		n = ukevent_io_turn(&self->io, ev, 64, UKEVENT_FOREVER);
		ASSERT_GT(n, 0);
		turns++;
		for (i = 0; i < n; i++) {
			if (ukevent_has_bytes(ev + i))
				ukevent_io_send(&self->io, self->fd,
						ukevent_bytes(&self->q, ev + i),
						ukevent_length(ev + i), 0, 0);
			else
				end = true;
		}
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(pinger.rounds, pinger.done);
	EXPECT_LE(counted.send + counted.wait, turns);
}

/* ---- files ---- */

enum { FILE_BYTES = 1 << 20 };

/* What goes before files; none of it is what these begin with. */
static const char head[] = "Some bytes that go before those of a file, and are sent first\r\n";

#define HEAD	((uint32_t)sizeof(head) - 1)

static int bytes_file(size_t len)
{
	int fd = memfd_create("bytes", MFD_CLOEXEC);
	char buf[4096];
	size_t at = 0, n;

	for (; at < len; at += n) {
		n = len - at < sizeof(buf) ? len - at : sizeof(buf);
		fill_bytes(buf, at, n);
		if (write(fd, buf, n) != (ssize_t)n)
			return -1;
	}
	return fd;
}

TEST(prep_sendfile)
{
	const struct kevent_change both = {
		.op = KEVENT_OP_ADD, .type = KEVENT_TYPE_SENDFILE,
		.flags = KEVENT_MORE, .cookie = 9, .ident = 5,
		.events = KEVENT_SENDFILE_DONE | KEVENT_SENDFILE_PROGRESS,
		.addr = (uintptr_t)head,
		.param = { 6, 1ULL << 40, 1ULL << 33, 0x003f000080000001ULL },
	};
	const struct kevent_change none = {
		.op = KEVENT_OP_ADD, .type = KEVENT_TYPE_SENDFILE,
		.flags = KEVENT_MORE, .cookie = 9, .ident = 5,
		.events = KEVENT_SENDFILE_DONE,
		.param = { 6, 1ULL << 40, 1ULL << 33, 0 },
	};
	struct kevent_change c;

	ASSERT_EQ(63U, HEAD);
	memset(&c, 0xff, sizeof(c));
	EXPECT_EQ(&c, ukevent_prep_sendfile(&c, 5, 6, 1ULL << 40, 1ULL << 33,
					    KEVENT_MORE, 9));
	EXPECT_EQ(0, memcmp(&none, &c, sizeof(c)));
	ukevent_sendfile_header(&c, head, HEAD);
	EXPECT_EQ(&c, ukevent_sendfile_mark(&c, 0x80000001));
	EXPECT_EQ(0, memcmp(&both, &c, sizeof(c)));
	ukevent_sendfile_mark(&c, 0);
	EXPECT_EQ(&c, ukevent_sendfile_header(&c, head, 0));
	EXPECT_EQ(0, memcmp(&none, &c, sizeof(c)));
	ukevent_sendfile_mark(&c, 0x80000001);
	ukevent_sendfile_header(&c, head, HEAD);
	EXPECT_EQ(0, memcmp(&both, &c, sizeof(c)));
}

/* What is refused is left out, and nothing else is. */
TEST(without_files)
{
	static const struct {
		__u32	flags;
		int	no_data, no_files;
		int	ret;
		__u32	made;
	} cases[] = {
		{ KEVENT_CREATE_SENDFILE, 0, 0, 0,
		  KEVENT_CREATE_SENDFILE | KEVENT_CREATE_DATA },
		{ KEVENT_CREATE_SENDFILE, 0, EINVAL, 0, KEVENT_CREATE_DATA },
		{ KEVENT_CREATE_SENDFILE, 0, EOPNOTSUPP, 0, KEVENT_CREATE_DATA },
		{ KEVENT_CREATE_SENDFILE, 0, EPERM, 0, KEVENT_CREATE_DATA },
		{ KEVENT_CREATE_SENDFILE, EPERM, 0, 0, KEVENT_CREATE_SENDFILE },
		{ KEVENT_CREATE_SENDFILE, EPERM, EINVAL, 0, 0 },
		{ KEVENT_CREATE_SENDFILE, 0, ENOMEM, -ENOMEM, 0 },
		{ 0, 0, 0, 0, KEVENT_CREATE_DATA },
		{ 0, EPERM, 0, 0, 0 },
	};
	struct kevent_params params;
	struct ukevent_queue q;
	unsigned int i;
	int ret;

	memset(&counted, 0, sizeof(counted));
	memset(&params, 0, sizeof(params));
	params.flags = KEVENT_CREATE_SENDFILE | KEVENT_CREATE_DATA;
	ret = ukevent_queue_init(&q, &params);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel does not send files, or carries no bytes");
	ASSERT_EQ(0, ret);
	ukevent_queue_exit(&q);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		TH_LOG("case %u", i);
		counted.no_data = cases[i].no_data;
		counted.no_files = cases[i].no_files;
		memset(&params, 0, sizeof(params));
		params.flags = cases[i].flags;
		params.data_size = KEVENT_MIN_DATA_SIZE;
		ASSERT_EQ(cases[i].ret, ukevent_queue_init_data(&q, &params));
		if (cases[i].ret)
			continue;
		EXPECT_EQ(cases[i].made, params.flags);
		EXPECT_EQ(!(cases[i].made & KEVENT_CREATE_DATA), !q.data);
		ukevent_queue_exit(&q);
	}
	memset(&counted, 0, sizeof(counted));
}

/**
 * struct piece - something that a test sends, in its place in the stream
 * @file: it is of the file, else the head
 * @offset: where in the file, or head
 * @len: how much
 */
struct piece {
	bool		file;
	uint64_t	offset;
	uint32_t	len;
};

FIXTURE(files)
{
	struct ukevent_queue q;
	struct ukevent_io io;
	struct ukevent ev[64];
	int fd, peer, file;
	struct piece rest[4];		/* told */
	unsigned int nr_rest;
	int error;
};

/**
 * Variants of files
 * @flags: of the queue
 * @no_send: error number of kevent_send()
 */
FIXTURE_VARIANT(files)
{
	__u32 flags;
	int no_send;
};

FIXTURE_VARIANT_ADD(files, array)
{
	.flags = KEVENT_CREATE_SENDFILE,
};

/* The kernel sends bytes, the library files. */
FIXTURE_VARIANT_ADD(files, none)
{
	.flags = 0,
};

/* The library sends all of it. */
FIXTURE_VARIANT_ADD(files, refused)
{
	.flags = 0,
	.no_send = EPERM,
};

static FIXTURE_DATA(files) *current_files;

static void files_unsent(struct ukevent_io *io, const struct kevent_send *send,
			 uint64_t cookie)
{
	FIXTURE_DATA(files) *self = current_files;
	struct piece *piece = self->rest + self->nr_rest++;
	const char *rest;
	int ret;

	if (self->nr_rest > 4) {
		self->error = -E2BIG;
		return;
	}
	piece->file = ukevent_is_file(send);
	if (piece->file) {
		ret = ukevent_unsent_file(send, &piece->offset, &piece->len);
	} else {
		ret = ukevent_unsent(send, &rest, &piece->len);
		piece->offset = rest - head;
	}
	if (ret || cookie != 3)
		self->error = ret ? ret : -EPROTO;
}

FIXTURE_SETUP(files)
{
	struct kevent_params params = { .flags = variant->flags };
	int one = 1, ret;

	memset(&counted, 0, sizeof(counted));
	ret = ukevent_queue_init(&self->q, &params);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel does not send files");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &self->fd, &self->peer));
	setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	self->file = bytes_file(FILE_BYTES);
	ASSERT_LE(0, self->file);
	ukevent_io_init(&self->io, &self->q, NULL, files_unsent);
	counted.no_send = variant->no_send;
	current_files = self;
}

FIXTURE_TEARDOWN(files)
{
	close(self->fd);
	close(self->peer);
	close(self->file);
	ukevent_queue_exit(&self->q);
}

static bool read_head(int fd, size_t len)
{
	char buf[HEAD];

	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len &&
	       !memcmp(buf, head + HEAD - len, len);
}

/* Gathers the head and part of the file. */
static void gather_reply(FIXTURE_DATA(files) *self, uint64_t offset, uint32_t len)
{
	ukevent_io_send(&self->io, self->fd, head, HEAD, KEVENT_SEND_MORE, 3);
	ukevent_io_send_file(&self->io, self->fd, self->file, offset, len, 0, 3);
}

/* Replies leave by one entry, whoever sends them, and sleep in it if it is the kernel. */
TEST_F(files, one_entry)
{
	gather_reply(self, 0, 5000);
	gather_reply(self, 70001, 10);
	ukevent_io_send(&self->io, self->fd, head, HEAD, 0, 3);
	ukevent_prep_user(ukevent_next(&self->io.loop), KEVENT_OP_ADD, 1,
			  KEVENT_EDGE, 77);
	ukevent_prep_trigger(ukevent_next(&self->io.loop), 1, 5, 0);
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(77U, self->ev[0].cookie);
	EXPECT_EQ(1U, counted.send);
	if (variant->flags)
		EXPECT_EQ(0U, counted.wait);
	EXPECT_EQ(0U, self->nr_rest);
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, 0, 5000));
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, 70001, 10));
	EXPECT_TRUE(read_head(self->peer, HEAD));
}

/* It sleeps although the library had to send: until somebody has something to say. */
TEST_F(files, sleeps)
{
	ASSERT_EQ(0, ukevent_set_timer(&self->q, KEVENT_OP_ADD, 1, 10 * NSEC_PER_MSEC, 0,
				       UKEVENT_MONOTONIC, KEVENT_ONESHOT, 78));
	gather_reply(self, 0, 100);
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(78U, self->ev[0].cookie);
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, 0, 100));
}

TEST_F(files, more_than_places)
{
	enum { REPLIES = 2 * UKEVENT_GATHERED, LEN = 300 };
	int i;

	for (i = 0; i < REPLIES; i++) {
		gather_reply(self, i * LEN, LEN);
		if (i % 8 != 7)
			continue;
		/* Not so much that there is no room for it. */
		ukevent_io_flush(&self->io);
		for (int k = i - 7; k <= i; k++) {
			ASSERT_TRUE(read_head(self->peer, HEAD));
			ASSERT_TRUE(read_bytes(self->peer, k * LEN, LEN));
		}
	}
	for (i = 0; i < UKEVENT_GATHERED / 2 + 1; i++)
		gather_reply(self, i * LEN, LEN);
	/* The 65th had the others sent. */
	EXPECT_EQ(2U, self->io.nr);
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0U, self->nr_rest);
	for (i = 0; i < UKEVENT_GATHERED / 2 + 1; i++) {
		ASSERT_TRUE(read_head(self->peer, HEAD));
		ASSERT_TRUE(read_bytes(self->peer, i * LEN, LEN));
	}
}

/* Gathers again what was told. */
static void gather_rest(FIXTURE_DATA(files) *self)
{
	struct piece rest[4];
	unsigned int i, nr = self->nr_rest;

	memcpy(rest, self->rest, sizeof(rest));
	self->nr_rest = 0;
	for (i = 0; i < nr; i++) {
		if (rest[i].file)
			ukevent_io_send_file(&self->io, self->fd, self->file,
					     rest[i].offset, rest[i].len, 0, 3);
		else
			ukevent_io_send(&self->io, self->fd, head + rest[i].offset,
					rest[i].len, KEVENT_SEND_MORE, 3);
	}
}

/* Has an interest send a piece of the file, with the head before it or not. */
static void add_rest(FIXTURE_DATA(files) *self, const struct piece *piece, bool with_head)
{
	ukevent_sendfile_header(
		ukevent_prep_sendfile(ukevent_next(&self->io.loop), self->fd, self->file,
				      piece->offset, piece->len, KEVENT_WANT_LAST, 3),
		head, with_head ? HEAD : 0);
}

/*
 * The socket has no room: what is left of the file is told, and then what was after it.
 * An interest sends that, with the head that was refused before the second one.
 */
TEST_F(files, rest_is_told)
{
	enum { LEN = FILE_BYTES, REST = LEN - 1000, ALL = LEN + HEAD + REST };
	char *stream = malloc(ALL), buf[4096];
	unsigned int added = 0, done = 0;
	size_t got = 0;
	ssize_t n;

	ASSERT_NE(NULL, stream);
	fill_bytes(stream, 0, LEN);
	memcpy(stream + LEN, head, HEAD);
	fill_bytes(stream + LEN + HEAD, 1000, REST);
	small_buffer(self->fd);
	gather_reply(self, 0, LEN);
	gather_reply(self, 1000, REST);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(0, self->error);
	ASSERT_EQ(3U, self->nr_rest);
	EXPECT_TRUE(self->rest[0].file);
	EXPECT_LT(0U, self->rest[0].offset);
	EXPECT_EQ((uint64_t)LEN, self->rest[0].offset + self->rest[0].len);
	EXPECT_FALSE(self->rest[1].file);
	EXPECT_EQ(0U, self->rest[1].offset);
	EXPECT_EQ(HEAD, self->rest[1].len);
	EXPECT_TRUE(self->rest[2].file);
	EXPECT_EQ(1000U, self->rest[2].offset);
	EXPECT_EQ((uint32_t)REST, self->rest[2].len);

	ASSERT_TRUE(read_head(self->peer, HEAD));
	while (got < ALL || (variant->flags && done < 2)) {
		if (!variant->flags) {
			gather_rest(self);
		} else if (added == done && added < 2) {
			add_rest(self, &self->rest[2 * added], added);
			added++;
		}
		n = TURN(0);
		ASSERT_LE(0, n);
		if (n) {
			ASSERT_EQ(1, n);
			EXPECT_EQ(3U, self->ev[0].cookie);
			EXPECT_EQ(KEVENT_TYPE_SENDFILE, self->ev[0].type);
			EXPECT_EQ((__u32)KEVENT_SENDFILE_DONE, self->ev[0].events);
			EXPECT_EQ(KEVENT_REC_LAST, self->ev[0].flags);
			EXPECT_EQ(self->rest[2 * done].len, self->ev[0].data[0]);
			done++;
		}
		n = recv(self->peer, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			continue;
		ASSERT_LE(got + n, (size_t)ALL);
		ASSERT_EQ(0, memcmp(stream + got, buf, n));
		got += n;
	}
	EXPECT_EQ(0, self->error);
	free(stream);
}

/* It is shorter than was thought: told, and an interest says so. */
TEST_F(files, file_ends)
{
	gather_reply(self, FILE_BYTES - 100, 300);
	ukevent_io_send(&self->io, self->fd, head, HEAD, 0, 3);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(0, self->error);
	ASSERT_EQ(2U, self->nr_rest);
	EXPECT_TRUE(self->rest[0].file);
	EXPECT_EQ((uint64_t)FILE_BYTES, self->rest[0].offset);
	EXPECT_EQ(200U, self->rest[0].len);
	EXPECT_FALSE(self->rest[1].file);
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, FILE_BYTES - 100, 100));
	EXPECT_EQ(-1, recv(self->peer, self->ev, 1, MSG_DONTWAIT));
	if (!variant->flags)
		return;
	ukevent_prep_sendfile(ukevent_next(&self->io.loop), self->fd, self->file,
			      self->rest[0].offset, self->rest[0].len, 0, 3);
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ((__u32)(KEVENT_SENDFILE_DONE | KEVENT_SENDFILE_EOF),
		  self->ev[0].events);
	EXPECT_EQ(0U, self->ev[0].data[0]);
}

static int told_error;

static void error_unsent(struct ukevent_io *io, const struct kevent_send *send,
			 uint64_t cookie)
{
	uint64_t offset;
	uint32_t len;

	told_error = ukevent_unsent_file(send, &offset, &len);
}

/* What cannot be sent at all is told as an error, and all of it is left. */
TEST_F(files, errors)
{
	static const struct {
		const char	*path;
		int		flags;
		int		error;
	} cases[] = {
		{ "/", O_RDONLY, -EISDIR },
		{ "/tmp", O_PATH, -EBADF },
		{ NULL, 0, -EBADF },
	};
	unsigned int i;
	int fd;

	self->io.unsent = error_unsent;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd = cases[i].path ? open(cases[i].path, cases[i].flags) : -1;
		told_error = 0;
		ukevent_io_send_file(&self->io, self->fd, fd, 0, 10, 0, 3);
		EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
		EXPECT_EQ(cases[i].error, told_error);
		close(fd);
	}
	/* The other end is gone, and there is no signal. */
	signal(SIGPIPE, SIG_DFL);
	shutdown(self->fd, SHUT_WR);
	ukevent_io_send_file(&self->io, self->fd, self->file, 0, 10, 0, 3);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(-EPIPE, told_error);
}

/* A file of a kind that the kernel does not send is sent all the same, in its place. */
TEST_F(files, of_another_kind)
{
	char text[512], buf[512];
	int fd = open("/proc/version", O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text));

	ASSERT_LT(0, len);
	ukevent_io_send_file(&self->io, self->fd, fd, 0, len, 0, 3);
	gather_reply(self, 0, 100);
	EXPECT_EQ(0, TURN(NSEC_PER_MSEC));
	EXPECT_EQ(0U, self->nr_rest);
	EXPECT_EQ(len, recv(self->peer, buf, len, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(text, buf, len));
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, 0, 100));
	close(fd);
}

/* A file that is closed was sent, or is kept by the interest, whatever gets its number. */
TEST_F(files, closed)
{
	int fd = self->file, other = open("/dev/null", O_RDWR);

	gather_reply(self, 0, 100);
	ukevent_io_close(&self->io, fd);
	ASSERT_EQ(fd, dup2(other, fd));
	EXPECT_EQ(0U, self->io.nr);
	EXPECT_TRUE(read_head(self->peer, HEAD));
	EXPECT_TRUE(read_bytes(self->peer, 0, 100));
	if (variant->flags) {
		fd = bytes_file(1000);
		ukevent_prep_sendfile(ukevent_next(&self->io.loop), self->fd, fd, 0,
				      KEVENT_SENDFILE_TO_END, 0, 3);
		ukevent_io_close(&self->io, fd);
		ASSERT_EQ(fd, dup2(other, fd));
		ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
		EXPECT_EQ((__u32)KEVENT_SENDFILE_DONE, self->ev[0].events);
		EXPECT_TRUE(read_bytes(self->peer, 0, 1000));
		close(fd);
	}
	close(other);
}

/* While an interest sends nothing else does: what is refused is told as for later. */
TEST_F(files, busy)
{
	struct kevent_change c;

	if (!variant->flags) {
		/* Without, there is no interest. */
		EXPECT_EQ(-ENXIO, ukevent_change(&self->q, ukevent_prep_sendfile(
			&c, self->fd, self->file, 0, KEVENT_SENDFILE_TO_END, 0, 4)));
		return;
	}
	small_buffer(self->fd);
	ASSERT_EQ(0, ukevent_change(&self->q, ukevent_prep_sendfile(
		&c, self->fd, self->file, 0, KEVENT_SENDFILE_TO_END, KEVENT_WANT_LAST,
		4)));
	ukevent_io_send(&self->io, self->fd, head, HEAD, 0, 3);
	ukevent_io_send_file(&self->io, self->fd, self->file, 0, 10, 0, 3);
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, self->error);
	ASSERT_EQ(2U, self->nr_rest);
	EXPECT_EQ(HEAD, self->rest[0].len);
	EXPECT_EQ(10U, self->rest[1].len);
}

/* ---- errno ---- */

TEST_F(io, errno_stays)
{
	errno = 12345;
	ukevent_io_send(&self->io, -1, "zero", 4, 0, 0);
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	ukevent_io_send(&self->io, self->fd[0], "zero", 4, 0, 0);
	ukevent_io_close(&self->io, -1);
	ukevent_io_flush(&self->io);
	EXPECT_EQ(0, TURN(1));
	EXPECT_EQ(12345, errno);
}

TEST_HARNESS_MAIN
