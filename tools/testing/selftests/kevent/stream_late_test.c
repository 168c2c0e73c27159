// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM with sockets whose bytes are not for the taking when they arrive: TLS in the
 * kernel, sockets in a BPF map, UNIX.  They are received from by kevent_wait(), with
 * the socket's own recvmsg(), during which nobody can change the interest.
 */
#include "stream_test.h"
#include "proto_test.h"
#include "stall_test.h"

#define LATE	KEVENT_LATE
#define LAST	KEVENT_REC_LAST

/* ---- TLS ---- */

FIXTURE(tls)
{
	struct stream_queue s;
	struct source c;
	struct stream st;	/* what peer sends to fd */
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_SETUP(tls)
{
	struct source probe;
	int ret;

	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
	ASSERT_EQ(0, stream_pair(&probe, AF_INET));
	ret = tls_ulp(probe.fd);
	source_close(&probe);
	if (ret == -ENOENT)
		SKIP(return, "no TLS in this kernel (CONFIG_TLS)");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(tls)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

static int tls_both(struct source *c)
{
	int ret = tls_start(c->fd, TLS_RX);

	return ret ?: tls_start(c->peer, TLS_TX);
}

/* N13: the interest was there before: plain text is told, what came over the wire never. */
TEST_F(tls, set_after_add)
{
	static const __u32 sizes[] = { 1, 100, 4096, 16384, 16385, 50000 };
	__u64 sent = 0;
	size_t i;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV | ST_RDHUP, 0, 0,
				NULL));
	ASSERT_EQ(0, tls_both(&self->c));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		SEND(sizes[i]);
		EXPECT_EQ(1, pending_reaches(self->q, 1));
		EXPECT_EQ(0, in_ring(self->q));
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("size %u", sizes[i]);
	}
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
	close_peer(&self->c);
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_STREAM(&self->st, sent);
}

/* Positions go on over the change. */
TEST_F(tls, bytes_before)
{
	__u64 sent = 0;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, tls_both(&self->c));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

TEST_F(tls, set_before_add)
{
	__u64 sent = 0;

	ASSERT_EQ(0, tls_both(&self->c));
	SEND(1000);
	EXPECT_EQ(-EOPNOTSUPP, tune_stream(&self->s, KEVENT_OP_ADD, self->fd,
					   ST_RECV, 0, 0, 2, 0, 0));
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, tune_stream(&self->s, KEVENT_OP_MODIFY, self->fd,
					   ST_RECV, 0, 0, 2, 0, 0));
	EXPECT_EQ(0, REACHES(sent));
	SEND(20000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* REMOVE after it; recv() goes on with the next byte, and so does another ADD. */
TEST_F(tls, removed)
{
	__u64 sent = 0;
	int round;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, tls_both(&self->c));
	for (round = 0; round < 4; round++) {
		SEND(5000);
		EXPECT_EQ(0, REACHES(sent));
		ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
		SEND(3000);
		EXPECT_EQ(3000, recv_pattern_all(self->fd, 1, sent - 3000, 3000));
		EXPECT_QUIET(self->q);
		EXPECT_STREAM(&self->st, sent - 3000);
		stream_expect(&self->st, 1, sent);
		ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	}
}

/* A part of a record is nothing that could be told. */
TEST_F(tls, half_record)
{
	static unsigned char cipher[2000];
	int n = 0, ret;
	struct source from;

	ASSERT_EQ(0, stream_pair(&from, AF_INET));
	ASSERT_EQ(0, tls_start(from.peer, TLS_TX));
	ASSERT_EQ(0, send_pattern(from.peer, 1, 0, 1000));
	while (n < 1000) {
		ASSERT_TRUE(polls(from.fd, POLLIN));
		ret = recv(from.fd, cipher + n, sizeof(cipher) - n, 0);
		ASSERT_LT(0, ret);
		n += ret;
	}
	ASSERT_EQ(1029, n);
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, tls_start(self->fd, TLS_RX));
	ASSERT_EQ(400, send(self->peer, cipher, 400, 0));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, flush_ring(self->q));
	ASSERT_EQ(n - 400, send(self->peer, cipher + 400, n - 400, 0));
	EXPECT_EQ(0, REACHES(1000));
	EXPECT_STREAM(&self->st, 1000);
	source_close(&from);
}

/* Writes of all sizes, more than the area holds, and the end after them. */
TEST_F_TIMEOUT(tls, exact, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 64 * KIB,
		.total = test_loops(1024) * 1024ULL,
	};

	self->s.hold = 3;
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV | ST_RDHUP, 0, 0,
				NULL));
	ASSERT_EQ(0, tls_both(&self->c));
	ASSERT_EQ(0, sender_start(&t));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_EQ(0, sender_stop(&t));
	EXPECT_STREAM(&self->st, t.total);
}

/* A record of another kind than data, which recv(2) fails at: told after the data. */
TEST_F(tls, alert)
{
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr align;
	} u = {};
	char alert[2] = { 1, 0 };	/* close_notify */
	struct iovec iov = { alert, 2 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	__u64 sent = 0;

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = 21;
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV | ST_RDHUP, 0, 0,
				NULL));
	ASSERT_EQ(0, tls_both(&self->c));
	SEND(1000);
	ASSERT_EQ(2, sendmsg(self->peer, &msg, 0)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(ST_ERROR, EVENTS(ST_ERROR) & ST_ERROR);
	EXPECT_EQ((__u64)EIO, self->st.error);
	EXPECT_STREAM(&self->st, sent);
}

/* Not a record: as recv(2) says. */
TEST_F(tls, garbage)
{
	static const char junk[100] = "this is no TLS record";

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, tls_start(self->fd, TLS_RX));
	ASSERT_EQ(100, send(self->peer, junk, 100, 0));
	EXPECT_EQ(ST_ERROR, EVENTS(ST_ERROR) & ST_ERROR);
	EXPECT_NE(0ULL, self->st.error);
	EXPECT_STREAM(&self->st, 0);
}

/* ---- sockets in a BPF map ---- */

FIXTURE(sockmap)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	struct ukevent_queue *q;
	int fd;
	int peer;
	int map;
};

FIXTURE_VARIANT(sockmap)
{
	int family;
	int verdict;	/* a program is attached that passes all data */
};

FIXTURE_VARIANT_ADD(sockmap, tcp4) { AF_INET, 0 };
FIXTURE_VARIANT_ADD(sockmap, tcp4_verdict) { AF_INET, 1 };
FIXTURE_VARIANT_ADD(sockmap, tcp6_verdict) { AF_INET6, 1 };
FIXTURE_VARIANT_ADD(sockmap, unix_verdict) { AF_UNIX, 1 };

FIXTURE_SETUP(sockmap)
{
	self->map = -1;
	if (access("/proc/sys/kernel/unprivileged_bpf_disabled", F_OK))
		SKIP(return, "no bpf() in this kernel (CONFIG_BPF_SYSCALL)");
	self->map = sockmap_create();
	ASSERT_LE(0, self->map);
	if (variant->verdict)
		ASSERT_EQ(0, sockmap_attach(self->map));
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(sockmap)
{
	if (self->map < 0)
		return;
	close(self->map);
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* N14: in the map already: told by kevent_wait(), and all of it. */
TEST_F(sockmap, before_add)
{
	__u64 sent = 0;
	int i;

	ASSERT_EQ(0, sockmap_insert(self->map, self->fd));
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV | ST_RDHUP, 0, 0,
				NULL));
	for (i = 0; i < 10; i++) {
		SEND(1000 * i + 1);
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("round %d", i);
	}
	/* taken out of the map, as a program may do at any time, and put back */
	ASSERT_EQ(0, sockmap_delete(self->map));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, sockmap_insert(self->map, self->fd));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	ASSERT_EQ(0, op_stream_retry(&self->s, KEVENT_OP_REMOVE, self->fd));
	SEND(500);
	EXPECT_EQ(500, recv_pattern_all(self->fd, 1, sent - 500, 500));
	EXPECT_QUIET(self->q);
}

/* Of one of which bytes are taken as they arrive the map gets nothing. */
TEST_F(sockmap, after_add)
{
	bool plain = variant->family != AF_UNIX;
	__u64 sent = 0;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(plain ? -EBUSY : 0, sockmap_insert(self->map, self->fd));
	SEND(1000);
	if (plain)
		EXPECT_EQ(1, ring_reaches(self->q, 1));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	/* afterwards it can have it */
	ASSERT_EQ(0, op_stream_retry(&self->s, KEVENT_OP_REMOVE, self->fd));
	if (plain)
		ASSERT_EQ(0, sockmap_insert(self->map, self->fd));
	SEND(1000);
	EXPECT_EQ(1000, recv_pattern_all(self->fd, 1, sent - 1000, 1000));
	EXPECT_QUIET(self->q);
}

/* One that is read by kevent_wait() only is in nobody's way. */
TEST_F(sockmap, after_late_add)
{
	__u64 sent = 0;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, LATE, 0, NULL));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, sockmap_insert(self->map, self->fd));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* ---- UNIX ---- */

FIXTURE(local)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_SETUP(local)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_UNIX));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(local)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* N26: descriptors that come with the bytes are lost, as with read(2). */
TEST_F(local, descriptors_are_lost)
{
	struct ukevent ev = {};
	int p[2];
	char c = 1;

	ASSERT_EQ(0, pipe2(p, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, send_fd(self->peer, p[1]));
	close(p[1]);
	EXPECT_EQ(-1, read(p[0], &c, 1));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, ukevent_take(self->q, &ev, 1));
	EXPECT_EQ(ST_RECV, ev.events);
	EXPECT_EQ(1U, KEVENT_STREAM_LENGTH(ev.data[0]));
	/* nobody has the other end any more */
	EXPECT_TRUE(is_ready(p[0], POLLIN, TEST_LONG_MS) & POLLHUP);
	EXPECT_EQ(0, read(p[0], &c, 1));
	close(p[0]);
}

/* ---- several that wait ---- */

struct enterer {
	int kfd;
	int stop;
	int error;
};

static void *enter_main(void *arg)
{
	struct enterer *e = arg;
	int ret;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		ret = sys_kevent_wait(e->kfd, 0, NULL, 0);
		if (ret < 0)
			e->error = ret;
	}
	return NULL;
}

/*
 *   senders    one for each connection
 *   enterers   two that call kevent_wait(), and so receive
 *   main       takes the records
 *
 * Of one socket one of them receives at a time: its bytes are told in order.
 */
TEST_F_TIMEOUT(local, several_receive, 120)
{
	enum { NR = 4, THREADS = 2 };
	static const int families[NR] = { AF_UNIX, AF_INET, AF_UNIX, AF_INET6 };
	struct enterer e = { .kfd = self->s.q.fd };
	struct sender t[NR] = {};
	pthread_t thread[THREADS];
	struct source c[NR];
	struct stream st[NR];
	int i, open = NR;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, stream_pair(&c[i], families[i]));
		stream_expect(&st[i], i, 0);
		t[i].fd = c[i].peer;
		t[i].seed = i;
		t[i].max = 5000;
		t[i].total = test_loops(256) * 1024ULL;
		ASSERT_EQ(0, add_stream(&self->s, c[i].fd, ST_RECV | ST_RDHUP,
					LATE, i, NULL));
	}
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, enter_main, &e));
	}
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, sender_start(&t[i]));
	}
	while (open) {
		ASSERT_LT(0, stream_turn(&self->s, st, NR, TEST_LONG_MS));
		for (i = open = 0; i < NR; i++) {
			ASSERT_EQ(NULL, st[i].bad)
				TH_LOG("stream %d: %s", i, st[i].bad);
			open += !(st[i].events & ST_RDHUP);
		}
	}
	__atomic_store_n(&e.stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, e.error);
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(0, sender_stop(&t[i]));
		EXPECT_STREAM(&st[i], t[i].total);
		source_close(&c[i]);
	}
}

/* ---- while somebody receives ---- */

struct receiver {
	int fd;
	char *to;
	ssize_t n;
	pthread_t thread;
};

static void *receiver_main(void *arg)
{
	struct receiver *r = arg;

	r->n = recv(r->fd, r->to, 100, 0);
	return NULL;
}

FIXTURE(busy)
{
	struct stream_queue s;
	struct source c;
	struct source other;
	struct stall_page stall;
	struct receiver r;
	struct waiter w;
	struct stream st[2];
	__u64 id;
};

/* Does it stand in kevent_wait(), for a mutex: 'D'?  Nothing else makes it wait long. */
static bool waits_for_lock(int tid)
{
	char buf[128];

	return task_state(tid) == 'D' && task_syscall(tid, buf, sizeof(buf)) > 0 &&
	       atol(buf) == __NR_kevent_wait && task_state(tid) == 'D';
}

/*
 *   receiver  receives on a UNIX socket to a page that is missing, and stands still
 *             in the socket's lock
 *   waiter    kevent_wait(), which receives from that socket too, and waits for it
 */
FIXTURE_SETUP(busy)
{
	int i, ret = stall_open(&self->stall);

	if (ret == -ENOSYS || ret == -EPERM)
		SKIP(return, "userfaultfd: %s (CONFIG_USERFAULTFD?)",
		     strerror(-ret));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_UNIX));
	ASSERT_EQ(0, stream_pair(&self->other, AF_UNIX));
	stream_expect(&self->st[0], 1, 0);
	stream_expect(&self->st[1], 2, 0);
	ASSERT_EQ(0, add_stream(&self->s, self->c.fd, ST_RECV, KEVENT_WANT_LAST, 0,
				&self->id));
	self->r.fd = self->c.fd;
	self->r.to = self->stall.page;
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 0, 1000));
	ASSERT_EQ(0, pthread_create(&self->r.thread, NULL, receiver_main,
				    &self->r));
	ASSERT_EQ(0, stall_reached(&self->stall));
	memset(&self->w, 0, sizeof(self->w));
	self->w.q = &self->s.q;
	self->w.min_nr = 1;
	ASSERT_EQ(0, pthread_create(&self->w.thread, NULL, waiter_main, &self->w));
	ASSERT_EQ(0, started(&self->w.tid));
	for (i = 0; i < TEST_LONG_MS && !waits_for_lock(self->w.tid); i++)
		sleep_ms(1);
	ASSERT_GT(TEST_LONG_MS, i);
}

FIXTURE_TEARDOWN(busy)
{
	if (!self->stall.page)
		return;
	source_close(&self->c);
	source_close(&self->other);
	stream_queue_exit(&self->s);
	stall_close(&self->stall);
}

/* Lets both go on; what the receiver got is the beginning. */
static int go_on(FIXTURE_DATA(busy) * self)
{
	char page[8192] = {};
	int ret = stall_end(&self->stall, page);

	pthread_join(self->r.thread, NULL);
	ret = ret ?: waiter_result(&self->w);
	if (self->r.n != 100 || !pattern_is(self->stall.page, 1, 0, 100))
		ret = -EPROTO;
	return ret;
}

/* Its own changes are refused, so that no byte can be taken and not told. */
TEST_F(busy, changes)
{
	struct stream_queue *s = &self->s;
	int fd = self->c.fd;

	EXPECT_EQ(0, __atomic_load_n(&self->w.done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(-EBUSY, op_stream(s, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(-EBUSY, op_stream(s, KEVENT_OP_DISABLE, fd));
	EXPECT_EQ(-EBUSY, op_stream_id(s, KEVENT_OP_REMOVE, self->id));
	EXPECT_EQ(-EBUSY, tune_stream(s, KEVENT_OP_MODIFY, fd, ST_RECV, 0, 0, 0,
				      0, 0));
	EXPECT_EQ(-EBUSY, tune_stream(s, KEVENT_OP_SET, fd, ST_RECV, 0, 0, 0, 0,
				      0));
	EXPECT_EQ(-EEXIST, add_stream(s, fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(1, go_on(self));
	/* positions count what was told, and the receiver has got 100 */
	stream_expect(&self->st[0], 1, 100);
	EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[0], 1000));
	EXPECT_STREAM(&self->st[0], 1000);
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_REMOVE, fd));
	stream_now(s, self->st, 2);
	EXPECT_EQ(LAST, self->st[0].flags);
}

/* All that others want of the queue goes on meanwhile. */
TEST_F(busy, others)
{
	struct stream_queue *s = &self->s;
	struct ukevent_queue ready;
	struct source tcp;
	int i, evfd = make_eventfd(0);

	ASSERT_EQ(0, add_stream(s, self->other.fd, ST_RECV, 0, 1, NULL));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, send_pattern(self->other.peer, 2, 1000 * i, 1000));
		EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[1],
					    1000 * (i + 1)));
	}
	EXPECT_STREAM(&self->st[1], 5000);
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_DISABLE, self->other.fd));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_ENABLE, self->other.fd));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_REMOVE, self->other.fd));
	ASSERT_EQ(0, stream_pair(&tcp, AF_INET));
	stream_expect(&self->st[1], 3, 0);
	ASSERT_EQ(0, add_stream(s, tcp.fd, ST_RECV, 0, 1, NULL));
	ASSERT_EQ(0, send_pattern(tcp.peer, 3, 0, 1000));
	EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[1], 1000));
	source_close(&tcp);
	ASSERT_EQ(0, queue_init(&ready, 4));
	ASSERT_EQ(0, add_fd(s->q.fd, evfd, EV_IN, KEVENT_ONESHOT, 9, NULL));
	EXPECT_EQ(0, remove_fd(s->q.fd, evfd));
	EXPECT_EQ(0, is_ready(s->q.fd, POLLIN, 0));
	ukevent_queue_exit(&ready);
	close(evfd);
	/* still there */
	EXPECT_EQ(-EBUSY, op_stream(s, KEVENT_OP_REMOVE, self->c.fd));
	EXPECT_LE(0, go_on(self));
}

/* Closed meanwhile: what it receives is told, then the end. */
TEST_F(busy, closed)
{
	close(self->c.fd);
	self->c.fd = -1;
	EXPECT_LE(1, go_on(self));
	stream_expect(&self->st[0], 1, 100);
	while (!(self->st[0].flags & LAST) && !self->st[0].bad) {
		ASSERT_LT(0, stream_turn(&self->s, self->st, 2, TEST_LONG_MS));
	}
	EXPECT_EQ(NULL, self->st[0].bad) TH_LOG("%s", self->st[0].bad);
	EXPECT_EQ(ST_HUP, self->st[0].events & ST_HUP);
	EXPECT_QUIET(&self->s.q);
}

TEST_HARNESS_MAIN
