// SPDX-License-Identifier: GPL-2.0
/*
 * The source SOCKET where a socket is more, or less, than its family says:
 * netlink, error queues, TLS in the kernel, sockets in a BPF map.
 */
#include "socket_test.h"
#include "proto_test.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

/* ---- a family that kevent knows nothing of ---- */

FIXTURE(netlink)
{
	struct ukevent_queue q;
	int fd;
};

FIXTURE_SETUP(netlink)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  NETLINK_ROUTE);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(netlink)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

TEST_F(netlink, level)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_RECV, 0, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, ask_links(self->fd));
	/* in the ring, or the flag says that there is something to ask */
	EXPECT_TRUE(ring_or_pending(q));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_LT(0, recv_all(self->fd));
	flush_ring(q);
	take_all(q, NULL);
	EXPECT_QUIET(q);
}

TEST_F(netlink, edge)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int i;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_RECV | SK_SEND, KEVENT_EDGE,
			      1, NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ask_links(self->fd));
		EXPECT_EQ(SK_RECV, collect(q, SK_RECV, &sum) & SK_RECV);
		EXPECT_SOCK(&sum, 1, SK_RECV, SK_SEND, 0);
		EXPECT_LT(0, recv_all(self->fd));
		/* reading the first part had the kernel add another */
		flush_ring(q);
		take_all(q, NULL);
	}
}

TEST_F(netlink, sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_RECV, KEVENT_ONESHOT |
			      KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(0, ask_links(self->fd));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_F(netlink, close_last)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_RECV, KEVENT_WANT_LAST, 1,
			      NULL));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_SOCK(q, 1, SK_HUP, 0, LAST);
	EXPECT_QUIET(q);
}

/* ---- errors of datagrams, and the error queue ---- */

FIXTURE(errqueue)
{
	struct ukevent_queue q;
	struct source s;	/* peer is connected to fd */
};

FIXTURE_VARIANT(errqueue)
{
	int family;
	int level;
	int option;
};

FIXTURE_VARIANT_ADD(errqueue, udp4)
{
	.family = AF_INET,
	.level = SOL_IP,
	.option = IP_RECVERR,
};

FIXTURE_VARIANT_ADD(errqueue, udp6)
{
	.family = AF_INET6,
	.level = SOL_IPV6,
	.option = IPV6_RECVERR,
};

FIXTURE_SETUP(errqueue)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, SOCK_DGRAM));
}

FIXTURE_TEARDOWN(errqueue)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* Sends to where nobody listens. */
static int send_refused(struct source *s)
{
	close(s->fd);
	s->fd = -1;
	return send(s->peer, "x", 1, 0) == 1 ? 0 : -errno;
}

/* Takes a message of the error queue; its error. */
static int take_errqueue(int fd)
{
	union {
		char buf[512];
		struct cmsghdr align;
	} u;
	struct msghdr msg = {
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct sock_extended_err *ee;
	struct cmsghdr *cmsg;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if ((cmsg->cmsg_level == SOL_IP &&
		     cmsg->cmsg_type == IP_RECVERR) ||
		    (cmsg->cmsg_level == SOL_IPV6 &&
		     cmsg->cmsg_type == IPV6_RECVERR)) {
			ee = (struct sock_extended_err *)CMSG_DATA(cmsg);
			return ee->ee_errno;
		}
	}
	return -ENOMSG;
}

/* A connected socket is told even if it has no error queue. */
TEST_F(errqueue, refused)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};

	ASSERT_EQ(0, add_sock(q->fd, self->s.peer, 0, 0, 1, NULL));
	ASSERT_EQ(0, send_refused(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	/* which is no hint, and nothing is known of what could be received */
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ((__u64)ECONNREFUSED, ev.data[1]);
	EXPECT_EQ(ECONNREFUSED, take_error(self->s.peer));
	EXPECT_QUIET(q);
}

/* With the queue there is an error as long as it is not empty. */
TEST_F(errqueue, refused_and_queued)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->s.peer, variant->level, variant->option,
				&on, sizeof(on)));
	ASSERT_EQ(0, add_sock(q->fd, self->s.peer, 0, 0, 1, NULL));
	ASSERT_EQ(0, send_refused(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	/* the message is queued, and wakes, before the error is set */
	EXPECT_TRUE(!ev.data[1] || ev.data[1] == ECONNREFUSED);
	flush_ring(q);
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ((__u64)ECONNREFUSED, ev.data[1]);
	EXPECT_EQ(ECONNREFUSED, take_error(self->s.peer));
	/* no error number any more, but a message */
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	EXPECT_EQ(0ULL, ev.data[1]);
	EXPECT_EQ(ECONNREFUSED, take_errqueue(self->s.peer));
	EXPECT_QUIET(q);
}

/* Nothing failed: a time stamp of what was sent, in the error queue. */
TEST_F(errqueue, timestamp)
{
	int on = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};

	ASSERT_EQ(0, setsockopt(self->s.peer, SOL_SOCKET, SO_TIMESTAMPING, &on,
				sizeof(on)));
	ASSERT_EQ(0, add_sock(q->fd, self->s.peer, 0, 0, 1, NULL));
	ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	EXPECT_EQ(0ULL, ev.data[1]);
	EXPECT_EQ(0, take_error(self->s.peer));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR, 0, 0);
	EXPECT_EQ(ENOMSG, take_errqueue(self->s.peer));
	EXPECT_QUIET(q);
}

/* ---- TLS in the kernel ---- */

FIXTURE(tls)
{
	struct ukevent_queue q;		/* its interest is there before TLS */
	struct ukevent_queue late;	/* and this one's is added after */
	struct source s;
};

FIXTURE_SETUP(tls)
{
	struct source probe;
	int ret;

	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, queue_init(&self->late, 8));
	ASSERT_EQ(0, sock_pair(&self->s, AF_INET, SOCK_STREAM));
	ASSERT_EQ(0, sock_pair(&probe, AF_INET, SOCK_STREAM));
	ret = tls_ulp(probe.fd);
	source_close(&probe);
	if (ret == -ENOENT)
		SKIP(return, "no TLS in this kernel (CONFIG_TLS)");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(tls)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->late);
}

TEST_F(tls, records)
{
	struct ukevent_queue *q = &self->q, *late = &self->late;
	static char junk[1000];
	struct ukevent sum;
	int i, fd = self->s.fd;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV | SK_RDHUP, 0, 1, NULL));
	ASSERT_EQ(0, tls_start(fd, TLS_RX));
	ASSERT_EQ(0, tls_start(self->s.peer, TLS_TX));
	ASSERT_EQ(0, add_sock(late->fd, fd, SK_RECV | SK_RDHUP, KEVENT_EDGE, 2,
			      NULL));
	EXPECT_QUIET(q);
	EXPECT_QUIET(late);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1000, send(self->s.peer, junk, 1000, 0));
		EXPECT_EQ(SK_RECV, collect(q, SK_RECV, &sum));
		EXPECT_EQ(SK_RECV, collect(late, SK_RECV, &sum));
		EXPECT_TRUE(polls(fd, POLLIN));
		/* half of it: decrypted, and in no queue of TCP any more */
		EXPECT_EQ(500, recv_bytes(fd, 500));
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
		EXPECT_EQ(500, recv_bytes(fd, 1000));
		flush_ring(q);
		take_all(q, NULL);
		EXPECT_QUIET(q);
		take_all(late, NULL);
		EXPECT_QUIET(late);
	}
}

/*
 * A part of a record, made on another connection with the same key, is nothing
 * that could be received.
 */
TEST_F(tls, half_record)
{
	struct ukevent_queue *q = &self->q, *late = &self->late;
	int n = 0, ret, fd = self->s.fd;
	static char cipher[2000];
	struct ukevent sum;
	struct source from;

	ASSERT_EQ(0, sock_pair(&from, AF_INET, SOCK_STREAM));
	ASSERT_EQ(0, tls_start(from.peer, TLS_TX));
	ASSERT_EQ(1000, send(from.peer, cipher, 1000, 0));
	while (n < 1000) {
		ASSERT_TRUE(polls(from.fd, POLLIN));
		ret = recv(from.fd, cipher + n, sizeof(cipher) - n, 0);
		ASSERT_LT(0, ret);
		n += ret;
	}
	ASSERT_EQ(1029, n);

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV, 0, 1, NULL));
	ASSERT_EQ(0, tls_start(fd, TLS_RX));
	ASSERT_EQ(400, send(self->s.peer, cipher, 400, 0));
	sleep_ms(TEST_SHORT_MS);
	/* a record made too soon is a hint; a query knows */
	flush_ring(q);
	take_all(q, NULL);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, add_sock(late->fd, fd, SK_RECV, 0, 2, NULL));
	EXPECT_QUIET(late);
	ASSERT_EQ(n - 400, send(self->s.peer, cipher + 400, n - 400, 0));
	EXPECT_EQ(SK_RECV, collect(q, SK_RECV, &sum));
	EXPECT_EQ(SK_RECV, collect(late, SK_RECV, &sum));
	EXPECT_EQ(1000, recv_bytes(fd, 2000));
	flush_ring(q);
	take_all(q, NULL);
	EXPECT_QUIET(q);
	source_close(&from);
}

TEST_F(tls, end)
{
	struct ukevent_queue *q = &self->q, *late = &self->late;
	struct ukevent sum;
	int fd = self->s.fd;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV | SK_RDHUP, KEVENT_EDGE |
			      KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, tls_start(fd, TLS_RX));
	ASSERT_EQ(0, add_sock(late->fd, fd, SK_RECV | SK_RDHUP, KEVENT_EDGE |
			      KEVENT_WANT_LAST, 2, NULL));
	close(self->s.peer);
	self->s.peer = -1;
	EXPECT_EQ(SK_RDHUP, collect(q, SK_RDHUP, &sum) & SK_RDHUP);
	EXPECT_EQ(SK_RDHUP, collect(late, SK_RDHUP, &sum) & SK_RDHUP);
	sleep_ms(TEST_SHORT_MS);
	take_all(q, NULL);
	close(fd);
	self->s.fd = -1;
	EXPECT_EQ(SK_HUP, collect(q, SK_HUP, &sum));
	EXPECT_EQ(LAST, sum.flags & LAST);
}

/* Room to send goes through another callback. */
TEST_F(tls, room_to_send)
{
	struct ukevent_queue *q = &self->q;
	static char junk[16384];
	struct ukevent sum;
	int fd = self->s.fd;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_SEND, KEVENT_EDGE, 1, NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	ASSERT_EQ(0, tls_start(fd, TLS_TX));
	do {
		while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
			;
	} while (is_ready(fd, POLLOUT, TEST_SHORT_MS));
	take_all(q, NULL);
	do {
		recv_all(self->s.peer);
	} while (!(is_ready(fd, POLLOUT, 1) & POLLOUT));
	EXPECT_EQ(SK_SEND, collect(q, SK_SEND, &sum));
}

/* The number of bytes TCP has is not that of what can be received. */
TEST_F(tls, no_mark)
{
	int kfd = self->q.fd, fd = self->s.fd;

	ASSERT_EQ(0, tls_start(fd, TLS_RX));
	EXPECT_EQ(-EOPNOTSUPP, mark_sock(kfd, KEVENT_OP_ADD, fd, SK_RECV, 0, 1,
					 2));
	EXPECT_EQ(-EOPNOTSUPP, mark_sock(kfd, KEVENT_OP_ADD, fd, SK_RECV,
					 KEVENT_EDGE, 1, 100));
	EXPECT_EQ(-ENOENT, remove_sock(kfd, fd));
	EXPECT_EQ(0, mark_sock(kfd, KEVENT_OP_ADD, fd, SK_RECV, 0, 1, 1));
	EXPECT_EQ(-EOPNOTSUPP, mark_sock(kfd, KEVENT_OP_MODIFY, fd, SK_RECV, 0,
					 2, 100));
	EXPECT_EQ(0, mark_sock(kfd, KEVENT_OP_MODIFY, fd, SK_RECV, 0, 2, 0));
}

/* Nor is it told; the error is. */
TEST_F(tls, reset)
{
	struct ukevent_queue *q = &self->q;
	struct linger l = { 1, 0 };
	struct ukevent sum;

	ASSERT_EQ(0, tls_start(self->s.fd, TLS_RX));
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RDHUP, KEVENT_EDGE, 1,
			      NULL));
	ASSERT_EQ(0, setsockopt(self->s.peer, SOL_SOCKET, SO_LINGER, &l,
				sizeof(l)));
	close(self->s.peer);
	self->s.peer = -1;
	EXPECT_EQ(SK_ERROR, collect(q, SK_ERROR, &sum) & SK_ERROR);
	EXPECT_SOCK(&sum, 1, SK_ERROR | SK_HUP, SK_RDHUP, 0);
	EXPECT_EQ(0, sum.flags);
	EXPECT_EQ((__u64)ECONNRESET, sum.data[1]);
}

/* A mark from before TLS must not hold back for ever what can be received. */
TEST_F(tls, mark_from_before)
{
	struct ukevent_queue *q = &self->q;
	static char junk[1000];
	struct ukevent sum;

	ASSERT_EQ(0, mark_sock(q->fd, KEVENT_OP_ADD, self->s.fd, SK_RECV, 0, 1,
			       100));
	ASSERT_EQ(0, tls_start(self->s.fd, TLS_RX));
	ASSERT_EQ(0, tls_start(self->s.peer, TLS_TX));
	ASSERT_EQ(1000, send(self->s.peer, junk, 1000, 0));
	EXPECT_EQ(SK_RECV, collect(q, SK_RECV, &sum));
	EXPECT_EQ(1000, recv_bytes(self->s.fd, 1000));
}

/* ---- sockets in a BPF map ---- */

FIXTURE(sockmap)
{
	struct ukevent_queue q;		/* its interest is there before */
	struct ukevent_queue late;	/* and this one's is added after */
	struct source s;
	int map;
};

FIXTURE_VARIANT(sockmap)
{
	int family;
	int verdict;	/* a program is attached that passes all data */
};

FIXTURE_VARIANT_ADD(sockmap, tcp4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(sockmap, tcp4_verdict)
{
	.family = AF_INET,
	.verdict = 1,
};

FIXTURE_VARIANT_ADD(sockmap, tcp6_verdict)
{
	.family = AF_INET6,
	.verdict = 1,
};

FIXTURE_VARIANT_ADD(sockmap, unix_verdict)
{
	.family = AF_UNIX,
	.verdict = 1,
};

FIXTURE_SETUP(sockmap)
{
	self->map = -1;
	if (access("/proc/sys/kernel/unprivileged_bpf_disabled", F_OK))
		SKIP(return, "no bpf() in this kernel (CONFIG_BPF_SYSCALL)");
	self->map = sockmap_create();
	ASSERT_LE(0, self->map);
	if (variant->verdict)
		ASSERT_EQ(0, sockmap_attach(self->map));
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, queue_init(&self->late, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, SOCK_STREAM));
}

FIXTURE_TEARDOWN(sockmap)
{
	if (self->map < 0)
		return;
	close(self->map);
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->late);
}

/* Eight bytes come, both queues are told, a query knows when they were read. */
#define EXPECT_TOLD() \
do { \
	struct ukevent _sum; \
	ASSERT_EQ(8, send(self->s.peer, "12345678", 8, 0)); \
	EXPECT_EQ(SK_RECV, collect(&self->q, SK_RECV, &_sum)); \
	EXPECT_EQ(SK_RECV, collect(&self->late, SK_RECV, &_sum)); \
	EXPECT_TRUE(polls(self->s.fd, POLLIN)); \
	EXPECT_EQ(3, recv_bytes(self->s.fd, 3)); \
	EXPECT_EQ(1, flush_ring(&self->q)); \
	EXPECT_TAKE_SOCK(&self->q, 1, SK_RECV, 0, 0); \
	EXPECT_EQ(5, recv_bytes(self->s.fd, 64)); \
	flush_ring(&self->q); \
	take_all(&self->q, NULL); \
	take_all(&self->late, NULL); \
	EXPECT_QUIET(&self->q); \
	EXPECT_QUIET(&self->late); \
} while (0)

TEST_F(sockmap, in_and_out)
{
	struct ukevent_queue *q = &self->q, *late = &self->late;
	struct ukevent sum;
	int i, fd = self->s.fd;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV | SK_RDHUP, 0, 1, NULL));
	ASSERT_EQ(0, sockmap_insert(self->map, fd));
	ASSERT_EQ(0, add_sock(late->fd, fd, SK_RECV | SK_RDHUP, KEVENT_EDGE, 2,
			      NULL));
	EXPECT_QUIET(q);
	EXPECT_QUIET(late);
	for (i = 0; i < 3; i++)
		EXPECT_TOLD();
	/* taken out of the map, as a program may do at any time */
	ASSERT_EQ(0, sockmap_delete(self->map));
	EXPECT_TOLD();
	ASSERT_EQ(0, sockmap_insert(self->map, fd));
	EXPECT_TOLD();
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_EQ(SK_RECV | SK_RDHUP, collect(q, SK_RECV | SK_RDHUP, &sum));
	EXPECT_EQ(SK_RECV | SK_RDHUP, collect(late, SK_RECV | SK_RDHUP, &sum));
}

TEST_F(sockmap, holds_at_add)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, sockmap_insert(self->map, self->s.fd));
	ASSERT_EQ(8, send(self->s.peer, "12345678", 8, 0));
	EXPECT_TRUE(polls(self->s.fd, POLLIN));
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV, KEVENT_ONESHOT, 1,
			      NULL));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
}

TEST_F(sockmap, close_last)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV, KEVENT_WANT_LAST, 1,
			      NULL));
	ASSERT_EQ(0, sockmap_insert(self->map, self->s.fd));
	close(self->s.fd);
	self->s.fd = -1;
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_SOCK(q, 1, SK_HUP, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_HARNESS_MAIN
