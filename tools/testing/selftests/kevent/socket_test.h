/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of sockets.
 */
#ifndef KEVENT_SOCKET_TEST_H
#define KEVENT_SOCKET_TEST_H

#include "kevent_test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define SK_RECV		((__u32)KEVENT_SOCK_RECV)
#define SK_SEND		((__u32)KEVENT_SOCK_SEND)
#define SK_ERROR	((__u32)KEVENT_SOCK_ERROR)
#define SK_HUP		((__u32)KEVENT_SOCK_HUP)
#define SK_ACCEPT	((__u32)KEVENT_SOCK_ACCEPT)
#define SK_CONNECT	((__u32)KEVENT_SOCK_CONNECT)
#define SK_RDHUP	((__u32)KEVENT_SOCK_RDHUP)

#define LAST		KEVENT_REC_LAST
#define HINT		KEVENT_REC_HINT
#define HINTS		KEVENT_HINTS

/* ---- changes ---- */

static inline struct kevent_change make_sock(unsigned int op, int fd,
					     __u32 events, __u32 flags,
					     __u64 cookie)
{
	return make_typed(op, KEVENT_TYPE_SOCKET, fd, events, flags, cookie);
}

static inline int add_sock(int kfd, int fd, __u32 events, __u32 flags,
			   __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_sock(KEVENT_OP_ADD, fd, events, flags,
					   cookie);
	int ret = do_change(kfd, &c);

	if (id)
		*id = c.id;
	return ret;
}

static inline int modify_sock(int kfd, int fd, __u32 events, __u32 flags,
			      __u64 cookie)
{
	struct kevent_change c = make_sock(KEVENT_OP_MODIFY, fd, events, flags,
					   cookie);

	return do_change(kfd, &c);
}

/* ADD or MODIFY with a low-water mark. */
static inline int mark_sock(int kfd, unsigned int op, int fd, __u32 events,
			    __u32 flags, __u64 cookie, __u64 mark)
{
	struct kevent_change c = make_sock(op, fd, events, flags, cookie);

	c.param[KEVENT_SOCK_LOWAT] = mark;
	return do_change(kfd, &c);
}

static inline int op_sock(int kfd, unsigned int op, int fd)
{
	struct kevent_change c = make_sock(op, fd, 0, 0, 0);

	return do_change(kfd, &c);
}

static inline int remove_sock(int kfd, int fd)
{
	return op_sock(kfd, KEVENT_OP_REMOVE, fd);
}

static inline int op_sock_id(int kfd, unsigned int op, __u64 id, __u32 flags)
{
	struct kevent_change c = make_sock(op, 0, 0, KEVENT_BY_ID | flags, 0);

	c.id = id;
	return do_change(kfd, &c);
}

/*
 * Has a race loop run long enough?  After @ms, or later if by the environment it
 * is to be a longer one; not sooner if a shorter one, which is a slow kernel's.
 */
static inline int race_done(__u64 start, int ms)
{
	int scaled = test_loops(ms);

	return now_ns(CLOCK_MONOTONIC) - start >
	       (scaled > ms ? scaled : ms) * NSEC_PER_MSEC;
}

/* ---- sockets ---- */

static inline int set_nonblock(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) ? -errno : 0;
}

/* A connected pair; of UDP only the peer is, of which data comes. */
static inline int sock_pair(struct source *s, int family, int type)
{
	int ret, sv[2] = { -1, -1 };

	signal(SIGPIPE, SIG_IGN);
	if (family == AF_UNIX) {
		s->kind = SRC_UNIX;
		ret = socketpair(family, type | SOCK_CLOEXEC, 0, sv) ? -errno : 0;
	} else {
		s->kind = type == SOCK_DGRAM ? SRC_UDP :
			  family == AF_INET ? SRC_TCP4 : SRC_TCP6;
		ret = inet_pair(family, type, &sv[0], &sv[1]);
	}
	s->fd = sv[0];
	s->peer = sv[1];
	return ret ? ret : set_nonblock(s->fd);
}

/* Takes the socket's error; 0 if there is none. */
static inline int take_error(int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : error;
}

/* connect() to nowhere: ends what it is connected to, or listens for. */
static inline int disconnect(int fd)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	return connect(fd, &nowhere, sizeof(sa_family_t)) ? -errno : 0;
}

/* Waits until @fd has @nr bytes to read (TCP). */
static inline int bytes_reach(int fd, int nr)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	int n = 0;

	while (!ioctl(fd, FIONREAD, &n) && n != nr &&
	       now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return n;
}

/* Sends @nr bytes and waits until @fd has @total of them (TCP). */
static inline int send_bytes(struct source *s, int nr, int total)
{
	static char junk[65536];

	if (send(s->peer, junk, nr, MSG_NOSIGNAL) != nr)
		return -errno;
	return bytes_reach(s->fd, total) == total ? 0 : -ETIME;
}

static inline int recv_bytes(int fd, int nr)
{
	static char junk[65536];

	return recv(fd, junk, nr, MSG_DONTWAIT);
}

/* Reads all there is; how much that was. */
static inline long recv_all(int fd)
{
	static char junk[65536];
	long n, total = 0;

	for (;;) {
		n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
		if (n <= 0)
			return total;
		total += n;
	}
}

/* Does poll() come to see all of @want? */
static inline int polls(int fd, short want)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while ((is_ready(fd, want, 1) & want) != want)
		if (now_ns(CLOCK_MONOTONIC) > end)
			return 0;
	return 1;
}

/* Asks for all network interfaces; the answer is there soon. */
static inline int ask_links(int fd)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} req = {
		.h.nlmsg_len = NLMSG_LENGTH(sizeof(req.g)),
		.h.nlmsg_type = RTM_GETLINK,
		.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};

	return send(fd, &req, req.h.nlmsg_len, 0) == (int)req.h.nlmsg_len ?
	       0 : -errno;
}

/*
 * Waits until all of TCP that is under way is acknowledged, for one delays that, or
 * until it goes on too long: where there is no room it is dropped, and sent again.
 */
static inline void wait_acked(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	int i;

	for (i = 0; i < 500 && !getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) &&
	     info.tcpi_unacked; i++)
		sleep_ms(1);
}

/* Sends until nothing goes out any more, and it stays like that. */
static inline int fill(int fd, size_t size)
{
	static char junk[65536];

	do {
		while (send(fd, junk, size, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		if (errno != EAGAIN)
			return -errno;
		wait_acked(fd);
	} while (is_ready(fd, POLLOUT, TEST_SHORT_MS));
	return 0;
}

/* Receives until the other side can send. */
static inline int make_room(struct source *s)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	do {
		recv_all(s->peer);
		if (is_ready(s->fd, POLLOUT, 1) & POLLOUT)
			return 0;
	} while (now_ns(CLOCK_MONOTONIC) < end);
	return -ETIME;
}

/* ---- listeners ---- */

struct listener {
	int fd;
	int family;
	int type;
	socklen_t len;
	struct sockaddr_storage addr;
};

/* Bound to an address the kernel chose, not blocking. */
static inline int bound_socket(struct listener *l, int family, int type)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&l->addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&l->addr;

	signal(SIGPIPE, SIG_IGN);
	memset(l, 0, sizeof(*l));
	l->family = family;
	l->type = type;
	l->addr.ss_family = family;
	switch (family) {
	case AF_INET:
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		l->len = sizeof(*in);
		break;
	case AF_INET6:
		in6->sin6_addr = in6addr_loopback;
		l->len = sizeof(*in6);
		break;
	default:
		l->len = sizeof(sa_family_t);	/* an abstract name */
	}
	if (family != AF_UNIX)
		loopback_up();
	l->fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&l->addr, l->len))
		return -errno;
	l->len = sizeof(l->addr);
	return getsockname(l->fd, (struct sockaddr *)&l->addr, &l->len) ?
	       -errno : 0;
}

static inline int open_listener(struct listener *l, int family, int type,
				int backlog)
{
	int ret = bound_socket(l, family, type);

	if (!ret && listen(l->fd, backlog))
		ret = -errno;
	return ret;
}

/* Connects @fd; with a socket that does not block it may be on the way. */
static inline int connect_to(struct listener *l, int fd)
{
	if (!connect(fd, (struct sockaddr *)&l->addr, l->len) ||
	    errno == EINPROGRESS)
		return 0;
	return -errno;
}

/* A new client; its descriptor. */
static inline int new_client(struct listener *l, int flags)
{
	int ret, fd = socket(l->family, l->type | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return -errno;
	ret = connect_to(l, fd);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static inline int accept_one(int fd)
{
	int ret = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return ret < 0 ? -errno : ret;
}

/* Connections that a TCP listener has; else an error. */
static inline int queue_length(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) ?
	       -errno : (int)info.tcpi_unacked;
}

/* Waits until it has @nr. */
static inline int queue_reaches(int fd, int nr)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (queue_length(fd) != nr && now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return queue_length(fd) == nr ? 0 : -ETIME;
}

/* ---- records ---- */

/*
 * @must are the events that have to be there, @may others that can: a record
 * tells all that holds of what was asked for.  HINT speaks of data[0], ERROR of
 * data[1]; without them there is nothing in it.
 */
static inline void check_sock(struct __test_metadata *_metadata, int line,
			      const struct ukevent *ev, __u64 cookie,
			      __u32 must, __u32 may, __u32 flags)
{
	if (ev->cookie == cookie && ev->type == KEVENT_TYPE_SOCKET &&
	    (ev->events & must) == must && !(ev->events & ~(must | may)) &&
	    (ev->flags & ~HINT) == flags &&
	    (ev->flags & HINT || !ev->data[0]) &&
	    (ev->events & SK_ERROR || !ev->data[1]))
		return;
	TH_LOG("line %d: record %#llx, %#x type %u %#x data %llx %llx, not %#llx, %#x (%#x) %#x",
	       line, (unsigned long long)ev->cookie, ev->events, ev->type,
	       ev->flags, (unsigned long long)ev->data[0],
	       (unsigned long long)ev->data[1], (unsigned long long)cookie,
	       must, may, flags);
	_metadata->exit_code = KSFT_FAIL;
}

#define EXPECT_SOCK(ev, cookie, must, may, flags) \
	check_sock(_metadata, __LINE__, ev, cookie, must, may, flags)

/* Takes one record, which must be there. */
#define EXPECT_TAKE_SOCK(q, cookie, must, may, flags) \
do { \
	struct ukevent __ev = {}; \
	EXPECT_EQ(1, (int)ukevent_take(q, &__ev, 1)); \
	EXPECT_SOCK(&__ev, cookie, must, may, flags); \
} while (0)

/* The same with what is known of the socket. */
#define EXPECT_TAKE_HINT(q, cookie, events, data0, data1) \
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, cookie, events, HINT, data0, \
			  data1)

/*
 * Takes records until all of @want was told, without a call; @sum has the union
 * of their events and flags, and the data of the newest.  A change may have more
 * than one wake-up, so that an edge interest is told about it more than once.
 */
static inline __u32 gather(struct ukevent_queue *q, __u32 want,
			   struct ukevent *sum)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	struct ukevent ev;

	memset(sum, 0, sizeof(*sum));
	while ((sum->events & want) != want && now_ns(CLOCK_MONOTONIC) < end) {
		if (!ukevent_take(q, &ev, 1)) {
			sched_yield();
			continue;
		}
		ev.events |= sum->events;
		ev.flags |= sum->flags;
		*sum = ev;
	}
	return sum->events;
}

/* The same with sleeping calls. */
static inline __u32 collect(struct ukevent_queue *q, __u32 want,
			    struct ukevent *sum)
{
	struct ukevent ev;

	memset(sum, 0, sizeof(*sum));
	while ((sum->events & want) != want && wait_ms(q, 1, TEST_LONG_MS) > 0) {
		while (ukevent_take(q, &ev, 1)) {
			ev.events |= sum->events;
			ev.flags |= sum->flags;
			*sum = ev;
		}
	}
	return sum->events;
}

/* What is told to an edge interest by now, with calls that do not sleep. */
static inline __u32 collect_now(struct ukevent_queue *q, struct ukevent *sum)
{
	struct ukevent ev;

	memset(sum, 0, sizeof(*sum));
	while (flush_ring(q) > 0) {
		while (ukevent_take(q, &ev, 1)) {
			ev.events |= sum->events;
			ev.flags |= sum->flags;
			*sum = ev;
		}
	}
	return sum->events;
}

/* Waits for a record, or for the flag that says there is one to be had. */
static inline int ring_or_pending(const struct ukevent_queue *q)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (!in_ring(q) && !is_pending(q) && now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return in_ring(q) || is_pending(q);
}

#endif /* KEVENT_SOCKET_TEST_H */
