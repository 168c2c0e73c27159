// SPDX-License-Identifier: GPL-2.0
/*
 * S1: what a source announces under the key of something else, or under that of
 * something that is not true; what is told of sockets that are not connected; who
 * is told by an exclusive wake-up; urgent data.
 */
#include "socket_test.h"

#include <linux/if_alg.h>
#include <linux/if_tun.h>
#include <netinet/udp.h>
#include <sys/sysmacros.h>

static int add_one(int kfd, unsigned int type, int fd, __u32 events,
		   __u32 flags)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, type, fd, events,
					    flags, 1);

	return do_change(kfd, &c);
}

/* ---- one thing under the key of another ---- */

/* Packet mode: the other end stops the output, which wakes as data does. */
TEST(pty_packet)
{
	int master, slave, on = 1;
	struct ukevent_queue q;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, pty_pair(&slave, &master));
	ASSERT_EQ(0, ioctl(master, TIOCPKT, &on));
	ASSERT_EQ(0, add_fd(q.fd, master, EV_IN | EV_PRI, KEVENT_EDGE, 1, NULL));
	EXPECT_QUIET(&q);
	ASSERT_EQ(0, tcflow(slave, TCOOFF));
	EXPECT_EQ(POLLPRI, is_ready(master, POLLPRI, TEST_LONG_MS) & POLLPRI);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE(&q, 1, EV_IN | EV_PRI, 0);
	close(slave);
	close(master);
	ukevent_queue_exit(&q);
}

/* The other end goes: a one-shot that wants data is told of that. */
TEST(pty_closed)
{
	struct ukevent_queue q;
	struct ukevent ev = {};
	int fd[2], end;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (end = 0; end < 2; end++) {
		ASSERT_EQ(0, pty_pair(&fd[0], &fd[1]));
		ASSERT_EQ(0, add_fd(q.fd, fd[end], EV_IN, KEVENT_ONESHOT, end,
				    NULL));
		EXPECT_QUIET(&q);
		close(fd[!end]);
		EXPECT_EQ(POLLHUP, is_ready(fd[end], 0, TEST_LONG_MS) & POLLHUP);
		EXPECT_EQ(1, wait_ms(&q, 1, TEST_LONG_MS));
		EXPECT_EQ(1, take_all(&q, &ev));
		EXPECT_EQ((__u64)end, ev.cookie);
		EXPECT_EQ(EV_HUP, ev.events & EV_HUP);
		close(fd[end]);
	}
	ukevent_queue_exit(&q);
}

static int make_tun(char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	const char *path = "/tmp/kevent-tun";
	int fd;

	mkdir("/tmp", 01777);
	unlink(path);
	if (mknod(path, S_IFCHR | 0600, makedev(10, 200)))
		return -errno;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	unlink(path);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		return -errno;
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

static int delete_link(unsigned int index)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} req = {
		.h.nlmsg_len = NLMSG_LENGTH(sizeof(req.i)),
		.h.nlmsg_type = RTM_DELLINK,
		.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.i.ifi_index = index,
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (send(fd, &req, req.h.nlmsg_len, 0) < 0 ||
	    recv(fd, &ack, sizeof(ack), 0) < (ssize_t)sizeof(ack))
		return -errno;
	close(fd);
	return ack.e.error;
}

/* The interface goes, which is an error, and wakes as data does. */
TEST(tun_deleted)
{
	static const __u32 asked[] = { EV_IN, EV_OUT, 0 };
	struct ukevent_queue q;
	struct ukevent sum;
	char name[IFNAMSIZ];
	size_t i;
	int fd;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		fd = make_tun(name);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, add_fd(q.fd, fd, asked[i], KEVENT_EDGE, i, NULL));
		collect_now(&q, &sum);
		ASSERT_EQ(0, delete_link(if_nametoindex(name)));
		EXPECT_EQ(POLLERR, is_ready(fd, 0, TEST_LONG_MS));
		EXPECT_EQ(EV_ERR, collect_now(&q, &sum));
		close(fd);
		take_all(&q, NULL);
	}
	ukevent_queue_exit(&q);
}

/* A socket that encrypts. */
static int make_alg(int *fd)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "skcipher",
		.salg_name = "ecb(cipher_null)",
	};
	int l = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (l < 0 || bind(l, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	*fd = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	close(l);
	return *fd < 0 ? -errno : 0;
}

/* One block of many. */
static int send_block(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(__u32))];
		struct cmsghdr align;
	} u = {};
	char block[16] = {};
	struct iovec iov = { block, sizeof(block) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_OP;
	cmsg->cmsg_len = CMSG_LEN(sizeof(__u32));
	*(__u32 *)CMSG_DATA(cmsg) = ALG_OP_ENCRYPT;
	return sendmsg(fd, &msg, MSG_MORE) == sizeof(block) ? 0 : -errno;
}

/* Something to read is announced as room to write. */
TEST(alg_socket)
{
	static const __u32 type[] = { KEVENT_TYPE_POLL, KEVENT_TYPE_SOCKET };
	struct ukevent_queue q;
	struct ukevent sum;
	char block[16];
	int fd, i;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, make_alg(&fd));
		ASSERT_EQ(0, send_block(fd));
		ASSERT_EQ(16, read(fd, block, 16));
		ASSERT_EQ(0, is_ready(fd, POLLIN, 0));
		ASSERT_EQ(0, add_one(q.fd, type[i], fd, EV_IN, KEVENT_EDGE));
		EXPECT_QUIET(&q);
		/* the operation is known by now */
		ASSERT_EQ(16, send(fd, block, 16, MSG_MORE));
		ASSERT_EQ(POLLIN, is_ready(fd, POLLIN, 0));
		EXPECT_EQ(EV_IN, collect_now(&q, &sum) & EV_IN);
		close(fd);
		take_all(&q, NULL);
	}
	ukevent_queue_exit(&q);
}

/* ---- what is not true ---- */

enum lie {
	LIE_PIPE,	/* no page is free, though something was read */
	LIE_UDP,	/* a datagram that is dropped when it is looked at */
	LIE_TTY,	/* fewer bytes than a read would return with */
	LIE_SET,	/* what an epoll set looks at is not ready any more */
};

FIXTURE(untrue)
{
	struct ukevent_queue q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(untrue)
{
	enum lie lie;
	unsigned int type;
	__u32 events;
};

FIXTURE_VARIANT_ADD(untrue, pipe)
{
	.lie = LIE_PIPE,
	.type = KEVENT_TYPE_POLL,
	.events = EV_OUT,
};

FIXTURE_VARIANT_ADD(untrue, udp)
{
	.lie = LIE_UDP,
	.type = KEVENT_TYPE_POLL,
	.events = EV_IN,
};

FIXTURE_VARIANT_ADD(untrue, udp_socket)
{
	.lie = LIE_UDP,
	.type = KEVENT_TYPE_SOCKET,
	.events = SK_RECV,
};

FIXTURE_VARIANT_ADD(untrue, tty)
{
	.lie = LIE_TTY,
	.type = KEVENT_TYPE_POLL,
	.events = EV_IN,
};

FIXTURE_VARIANT_ADD(untrue, set)
{
	.lie = LIE_SET,
	.type = KEVENT_TYPE_POLL,
	.events = EV_IN,
};

static int open_lie(enum lie lie, int *fd, int *peer)
{
	struct epoll_event ee = { .events = EPOLLIN };
	static char junk[65536];
	struct termios tio;
	int size, sv[2];

	switch (lie) {
	case LIE_PIPE:
		if (pipe2(sv, O_CLOEXEC | O_NONBLOCK))
			return -errno;
		*fd = sv[1];
		*peer = sv[0];
		size = fcntl(*fd, F_SETPIPE_SZ, page_size());
		return write(*fd, junk, size) == size ? 0 : -errno;
	case LIE_UDP:
		return inet_pair(AF_INET, SOCK_DGRAM, fd, peer);
	case LIE_TTY:
		if (pty_pair(fd, peer) || tcgetattr(*fd, &tio))
			return -errno;
		tio.c_cc[VMIN] = 8;
		return tcsetattr(*fd, TCSANOW, &tio) ? -errno : 0;
	case LIE_SET:
		*fd = epoll_create1(EPOLL_CLOEXEC);
		*peer = make_eventfd(0);
		return epoll_ctl(*fd, EPOLL_CTL_ADD, *peer, &ee) ? -errno : 0;
	}
	return -EINVAL;
}

/* With a checksum that is wrong, and too much in it to be looked at when it comes. */
static int send_wrong(int fd)
{
	struct {
		struct udphdr h;
		char data[200];
	} d = {};
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int ret, raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);

	if (raw < 0 || getsockname(fd, (struct sockaddr *)&to, &len))
		return -errno;
	d.h.source = to.sin_port;
	d.h.dest = to.sin_port;
	d.h.len = htons(sizeof(d));
	/* from a port to the same one, zeroes: the sum is far from this */
	d.h.check = htons(1);
	to.sin_port = 0;
	ret = sendto(raw, &d, sizeof(d), 0, (struct sockaddr *)&to, len);
	close(raw);
	return ret == sizeof(d) ? 0 : -errno;
}

static int tell_lie(enum lie lie, int fd, int peer)
{
	struct source s = { .kind = SRC_PTY, .fd = fd };
	char c = 0;

	switch (lie) {
	case LIE_PIPE:
		return read(peer, &c, 1) == 1 ? 0 : -errno;
	case LIE_UDP:
		return send_wrong(fd);
	case LIE_TTY:
		if (write(peer, &c, 1) != 1)
			return -errno;
		while (!source_bytes(&s))
			sleep_ms(1);
		return 0;
	case LIE_SET:
		/* never true, also for who looks at once */
		return eventfd_add(peer, 0);
	}
	return -EINVAL;
}

static int make_true(enum lie lie, int fd, int peer)
{
	static char junk[65536];

	switch (lie) {
	case LIE_PIPE:
		return read(peer, junk, sizeof(junk)) > 0 ? 0 : -errno;
	case LIE_UDP:
		return write(peer, junk, 8) == 8 ? 0 : -errno;
	case LIE_TTY:
		return write(peer, junk, 7) == 7 ? 0 : -errno;
	case LIE_SET:
		return eventfd_add(peer, 1);
	}
	return -EINVAL;
}

FIXTURE_SETUP(untrue)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, open_lie(variant->lie, &self->fd, &self->peer));
}

FIXTURE_TEARDOWN(untrue)
{
	close(self->fd);
	close(self->peer);
	ukevent_queue_exit(&self->q);
}

#define ADD_UNTRUE(flags) \
	add_one(self->q.fd, variant->type, self->fd, variant->events, flags)

/* A one-shot does not end by it. */
TEST_F(untrue, oneshot)
{
	struct ukevent_queue *q = &self->q;
	short bit = variant->events == EV_OUT ? POLLOUT : POLLIN;
	struct ukevent ev = {};
	struct waiter w;
	int round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, ADD_UNTRUE(KEVENT_ONESHOT | KEVENT_WANT_LAST));
		EXPECT_QUIET(q);
		if (round) {	/* who sleeps does so on */
			ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		}
		ASSERT_EQ(0, tell_lie(variant->lie, self->fd, self->peer));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_EQ(0, is_ready(self->fd, bit, 0));
		if (round) {
			EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
		}
		EXPECT_EQ(0, flush_ring(q));
		EXPECT_EQ(0, in_ring(q));
		EXPECT_EQ(-EEXIST, ADD_UNTRUE(KEVENT_ONESHOT));

		ASSERT_EQ(0, make_true(variant->lie, self->fd, self->peer));
		EXPECT_EQ(1, round ? waiter_result(&w) :
			     wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_EQ(1, take_all(q, &ev));
		EXPECT_EQ(variant->events, ev.events);
		EXPECT_EQ(LAST, ev.flags);
		EXPECT_QUIET(q);
		close(self->fd);
		close(self->peer);
		ASSERT_EQ(0, open_lie(variant->lie, &self->fd, &self->peer));
	}
}

/* MODIFY makes it a one-shot: the same. */
TEST_F(untrue, becomes_oneshot)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;

	ASSERT_EQ(0, ADD_UNTRUE(KEVENT_EDGE));
	c = make_typed(KEVENT_OP_MODIFY, variant->type, self->fd,
		       variant->events, KEVENT_ONESHOT, 1);
	EXPECT_EQ(0, do_change(q->fd, &c));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, tell_lie(variant->lie, self->fd, self->peer));
	EXPECT_EQ(0, flush_ring(q));
	EXPECT_EQ(-EEXIST, ADD_UNTRUE(KEVENT_ONESHOT));
	ASSERT_EQ(0, make_true(variant->lie, self->fd, self->peer));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, take_all(q, NULL));
	EXPECT_QUIET(q);
}

/* ---- not connected ---- */

#define WAITS_FOR_IT	(SK_CONNECT | SK_SEND)

FIXTURE(unconnected)
{
	struct ukevent_queue q;
	struct listener l;	/* that has no room */
	int first;
	int fd;
};

FIXTURE_VARIANT(unconnected)
{
	int family;
};

FIXTURE_VARIANT_ADD(unconnected, tcp4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(unconnected, tcp6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(unconnected)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, open_listener(&self->l, variant->family, SOCK_STREAM, 0));
	self->first = new_client(&self->l, 0);
	ASSERT_LE(0, self->first);
	ASSERT_EQ(0, queue_reaches(self->l.fd, 1));
	self->fd = socket(variant->family, SOCK_STREAM | SOCK_NONBLOCK |
			  SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(unconnected)
{
	close(self->fd);
	close(self->first);
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

/* Refused, and once more: it is being made, and nobody hung up. */
TEST_F(unconnected, connects_again)
{
	const __u32 failed = SK_ERROR | SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct listener closed;
	struct ukevent sum;
	int i;

	ASSERT_EQ(0, open_listener(&closed, variant->family, SOCK_STREAM, 0));
	close(closed.fd);
	ASSERT_EQ(0, add_sock(q->fd, self->fd, WAITS_FOR_IT, KEVENT_EDGE, 1,
			      NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&closed, self->fd));
	EXPECT_EQ(failed, gather(q, failed, &sum) & failed);
	EXPECT_EQ(0, (int)(sum.events & SK_CONNECT));
	EXPECT_EQ(ECONNREFUSED, take_error(self->fd));
	collect_now(q, &sum);

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-1, connect(self->fd, (struct sockaddr *)&self->l.addr,
				      self->l.len));
		if (errno == EINPROGRESS)
			break;
	}
	ASSERT_GT(3, i);
	EXPECT_EQ(0U, collect_now(q, &sum));
	/* room for it; the packet is sent again */
	close(accept_one(self->l.fd));
	EXPECT_EQ(WAITS_FOR_IT, gather(q, WAITS_FOR_IT, &sum));
}

/* Given up, by nobody but the program: it knows that there is no connection. */
TEST_F(unconnected, given_up)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	__u32 told;
	int way;

	for (way = 0; way < 4; way++) {
		ASSERT_EQ(0, add_sock(q->fd, self->fd, WAITS_FOR_IT, KEVENT_EDGE,
				      way, NULL));
		EXPECT_QUIET(q);
		if (way < 3) {
			ASSERT_EQ(0, connect_to(&self->l, self->fd));
		}
		if (way == 1) {
			shutdown(self->fd, SHUT_RDWR);
		} else if (way == 2) {
			shutdown(self->fd, SHUT_RD);
		} else {
			ASSERT_EQ(0, disconnect(self->fd));
		}
		told = collect_now(q, &sum);
		EXPECT_EQ(0U, told & (WAITS_FOR_IT | SK_HUP))
			TH_LOG("way %d: %#x", way, told);
		/* and so says a query */
		EXPECT_EQ(0, modify_sock(q->fd, self->fd, WAITS_FOR_IT,
					 KEVENT_EDGE, way));
		EXPECT_EQ(told, collect_now(q, &sum));
		EXPECT_EQ(way < 3 ? SK_ERROR : 0U, told);
		EXPECT_EQ(way < 3 ? ECONNRESET : 0, take_error(self->fd));
		EXPECT_EQ(0, remove_sock(q->fd, self->fd));
	}
}

/* Shut down without ever having been connected: as poll() says. */
TEST_F(unconnected, shutdown)
{
	static const int hows[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		ASSERT_EQ(0, add_sock(q->fd, self->fd, WAITS_FOR_IT, KEVENT_EDGE,
				      i, NULL));
		EXPECT_QUIET(q);
		EXPECT_EQ(-1, shutdown(self->fd, hows[i]));
		EXPECT_EQ(SK_SEND | SK_HUP, collect_now(q, &sum));
		EXPECT_EQ(0, modify_sock(q->fd, self->fd, WAITS_FOR_IT,
					 KEVENT_EDGE, i));
		EXPECT_EQ(SK_SEND | SK_HUP, collect_now(q, &sum));
		EXPECT_EQ(0, remove_sock(q->fd, self->fd));
		ASSERT_EQ(0, disconnect(self->fd));
	}
}

/* ---- exclusively ---- */

#define NR_SLEEPERS	8

/* An error that nobody fetches makes no herd of those that wait for data. */
TEST(error_left)
{
	static const __u32 type[] = { KEVENT_TYPE_POLL, KEVENT_TYPE_SOCKET };
	struct ukevent_queue q[NR_SLEEPERS];
	int t, i, n, round, fd, peer, on = 1;
	struct waiter w[NR_SLEEPERS];
	struct listener nobody;
	struct ukevent sum;
	char c = 0;

	for (t = 0; t < 2; t++) {
		ASSERT_EQ(0, inet_pair(AF_INET, SOCK_DGRAM, &fd, &peer));
		ASSERT_EQ(0, setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on)));
		ASSERT_EQ(0, bound_socket(&nobody, AF_INET, SOCK_DGRAM));
		close(nobody.fd);
		ASSERT_EQ(1, sendto(fd, &c, 1, 0, (struct sockaddr *)&nobody.addr,
				    nobody.len));
		ASSERT_EQ(1, polls(fd, POLLERR));
		take_error(fd);
		/* it is in the error queue still */
		ASSERT_EQ(POLLERR, is_ready(fd, 0, 0));
		for (i = 0; i < NR_SLEEPERS; i++) {
			ASSERT_EQ(0, queue_init(&q[i], 8));
			ASSERT_EQ(0, add_one(q[i].fd, type[t], fd, EV_IN,
					     KEVENT_EDGE | KEVENT_EXCLUSIVE));
			EXPECT_EQ(EV_ERR, collect_now(&q[i], &sum));
			ASSERT_EQ(0, waiter_start(&w[i], &q[i], 1, NULL));
		}
		for (round = 0; round < 3; round++) {
			ASSERT_EQ(1, write(peer, &c, 1));
			ASSERT_EQ(1, polls(fd, POLLIN));
			/* one in the end, and then no other one */
			for (n = 0, i = 0; n < TEST_LONG_MS &&
			     !waiter_done(&w[i], 0); i = (i + 1) % NR_SLEEPERS)
				if (i == NR_SLEEPERS - 1) {
					sleep_ms(1);
					n++;
				}
			sleep_ms(TEST_SHORT_MS);
			for (n = 0, i = 0; i < NR_SLEEPERS; i++) {
				if (!waiter_done(&w[i], 0))
					continue;
				n++;
				EXPECT_EQ(1, waiter_result(&w[i]));
				EXPECT_EQ(1, take_all(&q[i], &sum));
				EXPECT_EQ(EV_IN, sum.events & EV_IN);
				ASSERT_EQ(0, waiter_start(&w[i], &q[i], 1, NULL));
			}
			EXPECT_EQ(1, n) TH_LOG("type %u: %d woke", type[t], n);
		}
		close(fd);
		close(peer);
		for (i = 0; i < NR_SLEEPERS; i++) {
			/* its source is gone: let something else wake it */
			fd = make_eventfd(1);
			ASSERT_EQ(0, add_fd(q[i].fd, fd, EV_IN, 0, 1, NULL));
			EXPECT_EQ(1, waiter_result(&w[i]));
			close(fd);
			ukevent_queue_exit(&q[i]);
		}
	}
}

/* One that is told of an old error does not take the data from others. */
TEST(error_takes_no_data)
{
	struct ukevent_queue q[2];
	struct waiter w[2];
	struct listener nobody;
	struct ukevent sum;
	int i, fd, peer, on = 1;
	char c = 0;

	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_DGRAM, &fd, &peer));
	ASSERT_EQ(0, setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on)));
	ASSERT_EQ(0, bound_socket(&nobody, AF_INET, SOCK_DGRAM));
	close(nobody.fd);
	ASSERT_EQ(1, sendto(fd, &c, 1, 0, (struct sockaddr *)&nobody.addr,
			    nobody.len));
	ASSERT_EQ(1, polls(fd, POLLERR));
	take_error(fd);
	ASSERT_EQ(POLLERR, is_ready(fd, 0, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 8));
		ASSERT_EQ(0, add_one(q[i].fd, KEVENT_TYPE_SOCKET, fd,
				     i ? KEVENT_SOCK_RECV : KEVENT_SOCK_SEND,
				     KEVENT_EDGE | KEVENT_EXCLUSIVE));
		collect_now(&q[i], &sum);
		ASSERT_EQ(0, in_ring(&q[i]));
		ASSERT_EQ(0, waiter_start(&w[i], &q[i], 1, NULL));
	}
	ASSERT_EQ(1, write(peer, &c, 1));
	EXPECT_EQ(1, waiter_result(&w[1]));
	EXPECT_EQ(1, take_all(&q[1], &sum));
	EXPECT_EQ(KEVENT_SOCK_RECV, sum.events & KEVENT_SOCK_RECV);
	close(fd);
	close(peer);
	/* let something else wake the other */
	fd = make_eventfd(1);
	ASSERT_EQ(0, add_fd(q[0].fd, fd, EV_IN, 0, 1, NULL));
	EXPECT_LE(1, waiter_result(&w[0]));
	close(fd);
	for (i = 0; i < 2; i++)
		ukevent_queue_exit(&q[i]);
}

/* What was read without its record is not passed on: a one-shot would end by it. */
TEST(pass_on_what_holds)
{
	struct ukevent_queue q[2];
	int i, holds, fd;

	for (holds = 0; holds < 2; holds++) {
		fd = make_eventfd(0);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, queue_init(&q[i], 8));
		ASSERT_EQ(0, add_fd(q[0].fd, fd, EV_IN, KEVENT_EDGE |
				    KEVENT_EXCLUSIVE, 1, NULL));
		ASSERT_EQ(0, eventfd_add(fd, 1));
		ASSERT_EQ(1, in_ring(&q[0]));
		ASSERT_EQ(1ULL, eventfd_take(fd));
		ASSERT_EQ(0, add_fd(q[1].fd, fd, EV_OUT, KEVENT_ONESHOT |
				    KEVENT_START_DISABLED, 2, NULL));
		ASSERT_EQ(0, modify_fd(q[1].fd, fd, EV_IN, KEVENT_ONESHOT, 2));
		EXPECT_EQ(0, in_ring(&q[1]));
		if (holds) {
			ASSERT_EQ(0, eventfd_add(fd, 1));
			EXPECT_TAKE(&q[1], 2, EV_IN, 0);
			ASSERT_EQ(0, add_fd(q[1].fd, fd, EV_IN, KEVENT_EDGE, 3,
					    NULL));
			EXPECT_TAKE(&q[1], 3, EV_IN, 0);
		}
		EXPECT_EQ(0, remove_fd(q[0].fd, fd));
		EXPECT_EQ(holds, in_ring(&q[1]));
		if (!holds) {
			EXPECT_EQ(0, flush_ring(&q[1]));
			EXPECT_EQ(0, remove_fd(q[1].fd, fd));
		}
		for (i = 0; i < 2; i++)
			ukevent_queue_exit(&q[i]);
		close(fd);
	}
}

/*
 * An epoll set is not watched exclusively, as with EPOLLEXCLUSIVE: who leaves
 * would wake it, out of the order in which sets wake each other.
 */
TEST(exclusive_set)
{
	struct epoll_event ee = { .events = EPOLLIN };
	int x = epoll_create1(EPOLL_CLOEXEC), y = epoll_create1(EPOLL_CLOEXEC);
	int way, fd = make_eventfd(0);
	struct ukevent_queue q;

	ASSERT_EQ(0, epoll_ctl(x, EPOLL_CTL_ADD, fd, &ee));
	ASSERT_EQ(0, epoll_ctl(y, EPOLL_CTL_ADD, x, &ee));
	for (way = 0; way < 3; way++) {
		ASSERT_EQ(0, queue_init(&q, 8));
		EXPECT_EQ(-EINVAL, add_fd(q.fd, x, EV_IN, KEVENT_EXCLUSIVE, 1,
					  NULL));
		EXPECT_EQ(-EINVAL, add_fd(q.fd, x, EV_IN, KEVENT_EXCLUSIVE |
					  KEVENT_EDGE, 1, NULL));
		ASSERT_EQ(0, add_fd(q.fd, x, EV_IN, 0, 1, NULL));
		/* what the set looks at is */
		ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, KEVENT_EXCLUSIVE, 2, NULL));
		ASSERT_EQ(0, eventfd_add(fd, 1));
		EXPECT_EQ(2, in_ring(&q));
		EXPECT_EQ(0, way == 0 ? op_fd(q.fd, KEVENT_OP_DISABLE, fd) :
			     way == 1 ? modify_fd(q.fd, fd, EV_IN, 0, 3) :
			     remove_fd(q.fd, fd));
		ukevent_queue_exit(&q);
		EXPECT_EQ(1, epoll_wait(y, &ee, 1, 0));
		eventfd_take(fd);
		EXPECT_EQ(0, epoll_wait(y, &ee, 1, 0));
	}
	close(y);
	close(x);
	close(fd);
}

/* Whoever watches what has to be asked is asked, exclusively or not. */
TEST(exclusive_asked)
{
	struct ukevent_queue q[2];
	struct source s;
	int i;

	ASSERT_EQ(0, source_open(&s, SRC_PTY));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 8));
		ASSERT_EQ(0, add_fd(q[i].fd, s.fd, EV_IN, KEVENT_EDGE |
				    KEVENT_EXCLUSIVE, i, NULL));
	}
	ASSERT_EQ(0, source_fire(&s));
	EXPECT_EQ(0, op_fd(q[0].fd, KEVENT_OP_DISABLE, s.fd));
	EXPECT_EQ(1, flush_ring(&q[1]));
	EXPECT_TAKE(&q[1], 1, EV_IN, 0);
	EXPECT_QUIET(&q[1]);
	for (i = 0; i < 2; i++)
		ukevent_queue_exit(&q[i]);
	source_close(&s);
}

/* ---- urgent data ---- */

FIXTURE(urgent)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(urgent)
{
	int family;
	unsigned int type;
	__u32 asked;
	__u32 told;
};

FIXTURE_VARIANT_ADD(urgent, socket4)
{
	.family = AF_INET,
	.type = KEVENT_TYPE_SOCKET,
	.asked = SK_RECV,
};

FIXTURE_VARIANT_ADD(urgent, socket6)
{
	.family = AF_INET6,
	.type = KEVENT_TYPE_SOCKET,
	.asked = SK_RECV,
};

FIXTURE_VARIANT_ADD(urgent, poll4)
{
	.family = AF_INET,
	.type = KEVENT_TYPE_POLL,
	.asked = EV_IN,
};

FIXTURE_VARIANT_ADD(urgent, poll6)
{
	.family = AF_INET6,
	.type = KEVENT_TYPE_POLL,
	.asked = EV_IN,
};

FIXTURE_VARIANT_ADD(urgent, poll_pri)
{
	.family = AF_INET,
	.type = KEVENT_TYPE_POLL,
	.asked = EV_IN | EV_PRI,
	.told = EV_PRI,
};

FIXTURE_SETUP(urgent)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, SOCK_STREAM));
}

FIXTURE_TEARDOWN(urgent)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

static int send_urgent(const struct source *s)
{
	if (send(s->peer, "u", 1, MSG_OOB) != 1)
		return -errno;
	if (!polls(s->fd, POLLPRI))
		return -ETIME;
	sleep_ms(TEST_SHORT_MS);
	return 0;
}

#define ADD_URGENT(flags) \
	add_one(self->q.fd, variant->type, self->s.fd, variant->asked, flags)

/* Alone it is no data; what comes after it is. */
TEST_F(urgent, alone)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
	};
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	size_t i;
	char c;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD_URGENT(modes[i]));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, send_urgent(&self->s));
		EXPECT_EQ(POLLPRI, is_ready(self->s.fd, POLLIN | POLLPRI, 0));
		flush_ring(q);
		sum.events = 0;
		take_all(q, &sum);
		EXPECT_EQ(variant->told, sum.events);
		if (variant->told && (modes[i] & (KEVENT_ONESHOT | KEVENT_DISPATCH))) {
			/* it has had its record */
			remove_sock(q->fd, self->s.fd);
			remove_fd(q->fd, self->s.fd);
			ASSERT_EQ(0, ADD_URGENT(KEVENT_EDGE));
			take_all(q, &sum);
		}
		ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
		ASSERT_EQ(1, polls(self->s.fd, POLLIN));
		EXPECT_EQ(EV_IN, collect(q, EV_IN, &sum) & EV_IN);
		remove_sock(q->fd, self->s.fd);
		remove_fd(q->fd, self->s.fd);
		take_all(q, NULL);
		EXPECT_EQ(1, recv(self->s.fd, &c, 1, MSG_OOB));
		EXPECT_EQ('u', c);
		EXPECT_EQ(1, recv(self->s.fd, &c, 1, 0));
		EXPECT_EQ('x', c);
		EXPECT_EQ(0, is_ready(self->s.fd, POLLIN | POLLPRI, 0));
	}
}

/* In its place among the others it is data. */
TEST_F(urgent, in_line)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->s.fd, SOL_SOCKET, SO_OOBINLINE, &on,
				sizeof(on)));
	ASSERT_EQ(0, ADD_URGENT(KEVENT_EDGE));
	ASSERT_EQ(0, send_urgent(&self->s));
	EXPECT_EQ(EV_IN | variant->told, collect_now(q, &sum));
}

/* It does not count for a low-water mark. */
TEST(urgent_below_mark)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct ukevent_queue q;
	struct ukevent sum;
	struct source s;
	size_t i;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		ASSERT_EQ(0, sock_pair(&s, families[i], SOCK_STREAM));
		ASSERT_EQ(0, mark_sock(q.fd, KEVENT_OP_ADD, s.fd, SK_RECV,
				       KEVENT_EDGE, i, 2));
		ASSERT_EQ(0, send_urgent(&s));
		ASSERT_EQ(1, send(s.peer, "x", 1, 0));
		ASSERT_EQ(1, polls(s.fd, POLLIN));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_EQ(0U, collect_now(&q, &sum));
		ASSERT_EQ(1, send(s.peer, "x", 1, 0));
		EXPECT_EQ(SK_RECV, gather(&q, SK_RECV, &sum));
		source_close(&s);
		take_all(&q, NULL);
	}
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
