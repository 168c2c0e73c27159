// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: a step that gets nowhere is not taken again and again: who waits sleeps,
 * and goes on when it can.
 */
#include "sendfile_test.h"
#include "proto_test.h"
#include "stall_test.h"

FIXTURE(spin)
{
	struct ukevent_queue q;
	struct transfer t;
	int fd;
};

FIXTURE_SETUP(spin)
{
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	self->fd = make_memfd(4 * MIB);
	ASSERT_LE(0, self->fd);
	transfer_next(&self->t, self->fd, 0, TO_END);
}

FIXTURE_TEARDOWN(spin)
{
	close(self->fd);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
}

/*
 * Waits, for nothing, as long as that; what part of it, in percent, it was busy.  One
 * that goes round has more than ninety, whatever else the machine does.
 */
static int busy(struct ukevent_queue *q, unsigned int ms)
{
	__u64 wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	int ret = wait_ms(q, 1, ms);

	wall = now_ns(CLOCK_MONOTONIC) - wall;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return ret ? -EPROTO : (int)(cpu * 100 / wall);
}

/* A host that stops it while it is busy makes that look longer, but not each time. */
#define EXPECT_SLEEPS(q) \
do { \
	int __tries = 5, __busy; \
	do { \
		__busy = busy(q, 500); \
	} while (__busy >= 60 && --__tries); \
	EXPECT_LE(0, __busy); \
	EXPECT_GT(60, __busy); \
	TH_LOG("busy for %d percent", __busy); \
} while (0)

/* Somebody owns the socket, and sleeps. */
struct owner {
	int fd;
	const char *bytes;
	size_t len;
	ssize_t ret;
};

static void *owner_main(void *arg)
{
	struct owner *o = arg;

	o->ret = send(o->fd, o->bytes, o->len, MSG_NOSIGNAL);
	return NULL;
}

TEST_F_TIMEOUT(spin, owned, 300)
{
	char *page = calloc(1, page_size());
	struct stall_page stall;
	pthread_t thread;
	struct owner o;
	int ret = stall_open(&stall);

	if (ret)
		SKIP(return, "no userfaultfd (%d)", ret);
	o = (struct owner) { .fd = self->t.s.fd, .bytes = stall.page, .len = page_size() };
	ASSERT_EQ(0, pthread_create(&thread, NULL, owner_main, &o));
	ASSERT_EQ(0, stall_reached(&stall));
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	EXPECT_SLEEPS(&self->q);
	ASSERT_EQ(0, stall_end(&stall, page));
	pthread_join(thread, NULL);
	EXPECT_EQ((ssize_t)page_size(), o.ret);
	ASSERT_EQ((ssize_t)page_size(),
		  recv(self->t.s.peer, page, page_size(), MSG_WAITALL));
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	stall_close(&stall);
	free(page);
}

/* Nobody reads: the socket tells when somebody does. */
TEST_F_TIMEOUT(spin, full, 300)
{
	static const int families[] = { AF_INET, AF_UNIX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		source_close(&self->t.s);
		ASSERT_EQ(0, transfer_open(&self->t, families[i]));
		ASSERT_EQ(0, transfer_narrow(&self->t, 100000));
		transfer_next(&self->t, self->fd, 0, TO_END);
		ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
		transfer_stall(&self->q, &self->t);
		ASSERT_FALSE(self->t.ended);
		EXPECT_SLEEPS(&self->q);
		ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
		EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	}
}

/* Paused, with all that there was to wake it. */
TEST_F_TIMEOUT(spin, paused, 300)
{
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	ASSERT_EQ(0, flush_ring(&self->q));
	ASSERT_EQ(0, op_sendfile(&self->q, KEVENT_OP_DISABLE, self->t.s.fd));
	EXPECT_SLEEPS(&self->q);
	ASSERT_EQ(0, op_sendfile(&self->q, KEVENT_OP_ENABLE, self->t.s.fd));
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/*
 * F7: TCP has all the memory it may have: a socket gets a first skb, next to nothing for
 * it, and is told of room by its own sends that fail.
 */
static const struct {
	const char *path, *value;
} scarce[] = {
	{ "/proc/sys/net/ipv4/tcp_wmem", "1 1 1" },
	{ "/proc/sys/net/ipv4/tcp_mem", "1 1 1" },
};

/* A megabyte for each processor is in no sum: others have more than all of these. */
static int hog(struct source *s)
{
	static const char bytes[MIB];
	int size = 4 * MIB, ret = stream_pair(s, AF_INET);
	ssize_t n, sum = 0;

	if (ret || setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		return ret ?: -errno;
	while ((n = send(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		sum += n;
	return sum;
}

TEST_F_TIMEOUT(spin, no_memory, 300)
{
	struct source hogs[4];
	char before[ARRAY_SIZE(scarce)][64];
	__u64 got;
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(hogs); i++)
		ASSERT_LT((int)(2 * MIB), hog(&hogs[i]));
	for (i = 0; i < (int)ARRAY_SIZE(scarce); i++) {
		ASSERT_LT(0, read_text(scarce[i].path, before[i], sizeof(before[i])));
		EXPECT_EQ(0, write_text(scarce[i].path, scarce[i].value));
	}
	EXPECT_EQ(0, do_change(self->q.fd, &self->t.c));
	transfer_stall(&self->q, &self->t);
	TH_LOG("%d bytes unsent, %d unread", unsent(self->t.s.fd), unread(self->t.s.peer));
	EXPECT_FALSE(self->t.ended);
	EXPECT_SLEEPS(&self->q);
	/* some of it gets through */
	for (i = 0; i < 1000 && self->t.got < 100000 && !self->t.ended; i++) {
		EXPECT_LE(0, wait_ms(&self->q, 1, 10));
		transfer_records(&self->q);
		transfer_receive(&self->t, SIZE_MAX);
	}
	got = self->t.got;
	TH_LOG("%llu bytes in %d waits", (unsigned long long)got, i);
	EXPECT_LT(0U, got);
	for (i = ARRAY_SIZE(scarce); i--;)
		EXPECT_EQ(0, write_text(scarce[i].path, before[i]));
	for (i = 0; i < (int)ARRAY_SIZE(hogs); i++)
		source_close(&hogs[i]);
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

TEST_HARNESS_MAIN
