// SPDX-License-Identifier: GPL-2.0
/*
 * The source SOCKET beside poll(2): whatever was done to a socket, of whatever
 * kind, an interest in all of it is told what poll() says, at ADD and by the
 * wake-up; but for the differences that have a name here.
 */
#include "socket_test.h"

/* ---- sockets of each kind ---- */

enum sock_kind {
	K_TCP		= 1,
	K_UNIX		= 2,	/* with connections */
	K_UDP		= 4,
	K_PAIR		= 8,	/* UNIX datagrams, each connected to the other */
	K_CLIENT	= 16,	/* UNIX datagrams, the peer is not connected */
	K_OTHER		= 32,	/* of a family that is always asked */
};

#define K_CONN	(K_TCP | K_UNIX)
#define K_DGRAM	(K_UDP | K_PAIR | K_CLIENT)
#define K_ALL	(K_CONN | K_DGRAM)

/**
 * struct stage - a socket, and those it has to do with
 * @kind: which of them
 * @own: the socket and its address
 * @l: where it can be connected to
 * @peer: what it is connected to
 * @other: one more socket, that calls it or waits before it
 * @shut: it was shut down by itself
 */
struct stage {
	enum sock_kind kind;
	struct listener own;
	struct listener l;
	int peer;
	int other;
	bool shut;
};

static int stage_open(struct stage *s, enum sock_kind kind, int family, int type)
{
	int ret, size = 8192;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->l.fd = -1;
	s->peer = -1;
	s->other = -1;
	if (kind == K_OTHER) {
		s->own.fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   NETLINK_ROUTE);
		return s->own.fd < 0 ? -errno : 0;
	}
	ret = bound_socket(&s->own, family, type);
	if (!ret)
		ret = kind & K_CONN ? open_listener(&s->l, family, type, 0) :
				      bound_socket(&s->l, family, type);
	/* soon full */
	if (!ret && kind & K_CONN &&
	    (setsockopt(s->own.fd, SOL_SOCKET, SO_SNDBUF, &size,
			sizeof(size)) ||
	     setsockopt(s->l.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size))))
		ret = -errno;
	return ret;
}

static void stage_close(struct stage *s)
{
	if (s->peer >= 0 && s->peer != s->l.fd)
		close(s->peer);
	if (s->other >= 0)
		close(s->other);
	if (s->l.fd >= 0)
		close(s->l.fd);
	close(s->own.fd);
}

/* A number for those that are no TCP socket as well, which is none of TCP's. */
static int tcp_state(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) ?
	       -errno : info.tcpi_state;
}

static bool is_listener(int fd)
{
	socklen_t len = sizeof(int);
	int listens = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) &&
	       listens;
}

/* ---- what can be done to them ---- */

enum step {
	END,
	LISTEN,
	CALL,		/* a client connects to it */
	ANSWER,		/* that is accepted */
	START,		/* it connects, and is not answered */
	CONNECT,	/* it connects, and is */
	REFUSED,	/* it connects to where nobody is */
	DISCONNECT,
	DATA,		/* the peer sends */
	READ,		/* all that came */
	FILL,		/* it sends until there is no room */
	ROOM,		/* the peer receives, until there is */
	OWN_RD,		/* shutdown() */
	OWN_WR,
	OWN_RDWR,
	PEER_RD,
	PEER_WR,
	PEER_RDWR,
	PEER_CLOSE,
	PEER_RESET,
	PEER_DISCONNECT,
	TAKE_ERROR,
};

static const char * const step_names[] = {
	"end", "listen", "call", "answer", "start", "connect", "refused",
	"disconnect", "data", "read", "fill", "room", "own_rd", "own_wr",
	"own_rdwr", "peer_rd", "peer_wr", "peer_rdwr", "peer_close",
	"peer_reset", "peer_disconnect", "take_error",
};

static int do_connect(struct stage *s)
{
	int ret = connect_to(&s->l, s->own.fd);

	if (ret)
		return ret;
	if (!(s->kind & K_CONN)) {
		s->peer = s->l.fd;
		return s->kind == K_CLIENT ? 0 : connect_to(&s->own, s->peer);
	}
	if (!polls(s->own.fd, POLLOUT) || !polls(s->l.fd, POLLIN))
		return -ETIME;
	if (s->peer >= 0)
		close(s->peer);
	s->peer = accept_one(s->l.fd);
	return s->peer < 0 ? s->peer : 0;
}

/* The one before it is not accepted, and so it is not even heard. */
static int do_start(struct stage *s)
{
	int ret;

	s->other = new_client(&s->l, 0);
	if (s->other < 0)
		return s->other;
	ret = queue_reaches(s->l.fd, 1);
	return ret ? ret : connect_to(&s->l, s->own.fd);
}

static int do_refused(struct stage *s)
{
	int ret;

	close(s->l.fd);
	s->l.fd = -1;
	ret = connect_to(&s->l, s->own.fd);
	if (!ret && s->kind == K_UDP && send(s->own.fd, "x", 1, 0) != 1)
		ret = -errno;
	if (!ret && !polls(s->own.fd, POLLERR))
		ret = -ETIME;
	return ret;
}

static int do_data(struct stage *s)
{
	int ret;

	if (s->kind == K_OTHER)
		ret = ask_links(s->own.fd);
	else if (s->kind & K_DGRAM)
		ret = sendto(s->l.fd, "x", 1, 0, (struct sockaddr *)&s->own.addr,
			     s->own.len) == 1 ? 0 : -errno;
	else
		ret = send(s->peer, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
	if (!ret && !polls(s->own.fd, POLLIN))
		ret = -ETIME;
	return ret;
}

static int do_room(struct stage *s)
{
	struct source src = { .fd = s->own.fd, .peer = s->peer };

	return make_room(&src);
}

/* TCP that listens or connects is disconnected by it, if it is to hear no more. */
static int do_own(struct stage *s, int how)
{
	int state = tcp_state(s->own.fd);

	/* Who is not connected says so, and does it all the same. */
	if (shutdown(s->own.fd, how) && errno != ENOTCONN)
		return -errno;
	if (state != TCP_LISTEN && state != TCP_SYN_SENT)
		s->shut = true;
	return 0;
}

static int do_peer(struct stage *s, int how, short want)
{
	if (shutdown(s->peer, how))
		return -errno;
	if (!(s->kind & K_CONN))
		return 0;
	return polls(s->own.fd, want) ? 0 : -ETIME;
}

static int do_peer_close(struct stage *s, bool reset)
{
	struct linger l = { 1, 0 };
	short want = reset ? POLLERR : POLLRDHUP;

	if (reset && s->kind == K_TCP &&
	    setsockopt(s->peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l)))
		return -errno;
	/* UNIX resets if something was not read */
	if (reset && s->kind == K_UNIX &&
	    (send(s->own.fd, "x", 1, MSG_NOSIGNAL) != 1 && errno != EAGAIN))
		return -errno;
	close(s->peer);
	if (s->peer == s->l.fd)
		s->l.fd = -1;
	s->peer = -1;
	if (!(s->kind & K_CONN))
		return 0;
	return polls(s->own.fd, want) ? 0 : -ETIME;
}

static int do_step(struct stage *s, enum step step)
{
	int fd = s->own.fd;

	switch (step) {
	case LISTEN:
		/* it may have lost its number when it was disconnected */
		s->own.len = sizeof(s->own.addr);
		return listen(fd, 4) ||
		       getsockname(fd, (struct sockaddr *)&s->own.addr,
				   &s->own.len) ? -errno : 0;
	case CALL:
		s->other = new_client(&s->own, 0);
		if (s->other < 0)
			return s->other;
		return polls(fd, POLLIN) ? 0 : -ETIME;
	case ANSWER:
		s->peer = accept_one(fd);
		return s->peer < 0 ? s->peer : 0;
	case START:
		return do_start(s);
	case CONNECT:
		return do_connect(s);
	case REFUSED:
		return do_refused(s);
	case DISCONNECT:
		s->shut = false;
		return disconnect(fd);
	case DATA:
		return do_data(s);
	case READ:
		recv_all(fd);
		return 0;
	case FILL:
		/* the peer's queue, of one that is not connected back */
		return fill(fd, s->kind == K_CLIENT ? 1 : 4096);
	case ROOM:
		return do_room(s);
	case OWN_RD:
		return do_own(s, SHUT_RD);
	case OWN_WR:
		return do_own(s, SHUT_WR);
	case OWN_RDWR:
		return do_own(s, SHUT_RDWR);
	case PEER_RD:
		return do_peer(s, SHUT_RD, 0);
	case PEER_WR:
		return do_peer(s, SHUT_WR, POLLRDHUP);
	case PEER_RDWR:
		return do_peer(s, SHUT_RDWR, POLLRDHUP);
	case PEER_CLOSE:
		return do_peer_close(s, false);
	case PEER_RESET:
		return do_peer_close(s, true);
	case PEER_DISCONNECT:
		return disconnect(s->peer);
	case TAKE_ERROR:
		return take_error(fd) ? 0 : -ENODATA;
	case END:
		break;
	}
	return -EINVAL;
}

#define MAX_STEPS	5

/**
 * struct situation - what was done to a socket, which was made and bound before
 * @kinds: what kinds of sockets it can be done to
 * @steps: one after another
 */
static const struct situation {
	unsigned int kinds;
	enum step steps[MAX_STEPS];
} situations[] = {
	{ K_ALL | K_OTHER,	{ END } },
	{ K_ALL,		{ OWN_RD } },
	{ K_ALL,		{ OWN_WR } },
	{ K_ALL,		{ OWN_RDWR } },
	{ K_ALL,		{ OWN_RD, OWN_WR } },

	/* datagrams that come from somebody */
	{ K_DGRAM | K_OTHER,	{ DATA } },
	{ K_DGRAM | K_OTHER,	{ DATA, READ } },
	{ K_DGRAM,		{ DATA, OWN_RD } },
	{ K_DGRAM,		{ DATA, OWN_WR } },
	{ K_DGRAM,		{ DATA, OWN_RDWR } },

	/* listeners */
	{ K_CONN,	{ LISTEN } },
	{ K_CONN,	{ LISTEN, CALL } },
	{ K_CONN,	{ LISTEN, CALL, ANSWER } },
	{ K_CONN,	{ LISTEN, OWN_RD } },
	{ K_CONN,	{ LISTEN, OWN_WR } },
	{ K_CONN,	{ LISTEN, OWN_RDWR } },
	{ K_CONN,	{ LISTEN, CALL, OWN_RD } },
	{ K_CONN,	{ LISTEN, CALL, OWN_RDWR } },
	{ K_TCP,	{ LISTEN, DISCONNECT } },
	{ K_TCP,	{ LISTEN, CALL, DISCONNECT } },
	{ K_TCP,	{ LISTEN, OWN_RD, LISTEN, CALL } },

	/* connecting, and in vain */
	{ K_TCP,	{ START } },
	{ K_TCP,	{ START, OWN_RD } },
	{ K_TCP,	{ START, OWN_RDWR } },
	{ K_TCP,	{ START, DISCONNECT } },
	{ K_TCP | K_UDP, { REFUSED } },
	{ K_TCP | K_UDP, { REFUSED, TAKE_ERROR } },

	/* connected */
	{ K_ALL,	{ CONNECT } },
	{ K_ALL,	{ CONNECT, DATA } },
	{ K_ALL,	{ CONNECT, DATA, READ } },
	{ K_ALL,	{ CONNECT, OWN_RD } },
	{ K_ALL,	{ CONNECT, OWN_WR } },
	{ K_ALL,	{ CONNECT, OWN_RDWR } },
	{ K_ALL,	{ CONNECT, OWN_RD, OWN_WR } },
	{ K_ALL,	{ CONNECT, OWN_WR, OWN_RD } },
	{ K_ALL,	{ CONNECT, DATA, OWN_RD } },
	{ K_ALL,	{ CONNECT, DATA, OWN_RDWR } },
	{ K_ALL,	{ CONNECT, PEER_RD } },
	{ K_ALL,	{ CONNECT, PEER_WR } },
	{ K_ALL,	{ CONNECT, PEER_RDWR } },
	{ K_ALL,	{ CONNECT, PEER_CLOSE } },
	{ K_ALL,	{ CONNECT, DATA, PEER_WR } },
	{ K_ALL,	{ CONNECT, DATA, PEER_CLOSE } },
	{ K_ALL,	{ CONNECT, DATA, PEER_CLOSE, READ } },

	/* and half of it ended, by one or the other */
	{ K_CONN,	{ CONNECT, PEER_WR, READ } },
	{ K_CONN,	{ CONNECT, PEER_WR, OWN_RD } },
	{ K_CONN,	{ CONNECT, PEER_WR, OWN_WR } },
	{ K_CONN,	{ CONNECT, PEER_WR, OWN_RDWR } },
	{ K_CONN,	{ CONNECT, PEER_WR, PEER_CLOSE } },
	{ K_CONN,	{ CONNECT, PEER_WR, PEER_RESET } },
	{ K_CONN,	{ CONNECT, OWN_WR, DATA } },
	{ K_CONN,	{ CONNECT, OWN_WR, PEER_WR } },
	{ K_CONN,	{ CONNECT, OWN_WR, PEER_CLOSE } },
	{ K_TCP,	{ CONNECT, OWN_WR, PEER_RESET } },
	{ K_TCP,	{ CONNECT, OWN_RD, DATA } },
	{ K_CONN,	{ CONNECT, OWN_RD, PEER_WR } },
	{ K_CONN,	{ CONNECT, OWN_RDWR, PEER_CLOSE } },
	{ K_TCP,	{ CONNECT, PEER_RD, OWN_RD, DATA } },

	/* by an error */
	{ K_CONN,	{ CONNECT, PEER_RESET } },
	{ K_CONN,	{ CONNECT, DATA, PEER_RESET } },
	{ K_CONN,	{ CONNECT, PEER_RESET, TAKE_ERROR } },
	{ K_CONN,	{ CONNECT, PEER_RESET, TAKE_ERROR, OWN_RDWR } },

	/* without room to send */
	{ K_CONN,	{ CONNECT, FILL } },
	{ K_CONN,	{ CONNECT, FILL, ROOM } },
	{ K_CONN,	{ CONNECT, FILL, DATA } },
	{ K_CONN,	{ CONNECT, FILL, OWN_RD } },
	{ K_CONN,	{ CONNECT, FILL, OWN_WR } },
	{ K_CONN,	{ CONNECT, FILL, OWN_RDWR } },
	{ K_CONN,	{ CONNECT, FILL, PEER_RD } },
	{ K_CONN,	{ CONNECT, FILL, PEER_WR } },
	{ K_CONN,	{ CONNECT, FILL, PEER_RESET } },
	{ K_CONN,	{ CONNECT, PEER_WR, FILL, ROOM } },
	{ K_CONN,	{ CONNECT, PEER_WR, FILL, PEER_RESET } },
	{ K_CONN,	{ CONNECT, PEER_WR, FILL, OWN_WR } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL, ROOM } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL, DATA } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL, OWN_RDWR } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL, PEER_CLOSE } },
	{ K_PAIR | K_CLIENT, { CONNECT, FILL, DISCONNECT } },
	{ K_PAIR,	{ CONNECT, FILL, PEER_DISCONNECT } },
	{ K_PAIR,	{ CONNECT, FILL, PEER_DISCONNECT, TAKE_ERROR } },

	/* disconnected */
	{ K_DGRAM,	{ CONNECT, DISCONNECT } },
	{ K_DGRAM,	{ CONNECT, DATA, DISCONNECT } },
	{ K_TCP,	{ CONNECT, DISCONNECT } },
	{ K_TCP,	{ CONNECT, DATA, DISCONNECT } },
	{ K_TCP,	{ CONNECT, FILL, DISCONNECT } },
	{ K_TCP,	{ CONNECT, PEER_WR, DISCONNECT } },
	{ K_TCP,	{ CONNECT, OWN_WR, DISCONNECT } },
	{ K_TCP,	{ CONNECT, DISCONNECT, TAKE_ERROR } },
	{ K_TCP,	{ CONNECT, DISCONNECT, TAKE_ERROR, CONNECT } },
	{ K_TCP,	{ CONNECT, DISCONNECT, TAKE_ERROR, LISTEN } },
};

/* A name for the log. */
static const char *situation_name(const struct situation *sit)
{
	static char name[128];
	int i, n = snprintf(name, sizeof(name), "made");

	for (i = 0; i < MAX_STEPS && sit->steps[i]; i++)
		n += snprintf(name + n, sizeof(name) - n, ", %s",
			      step_names[sit->steps[i]]);
	return name;
}

/* ---- what is told of them ---- */

/* What poll() says, in bits that have the same value as events. */
static __u32 polled(const struct stage *s)
{
	return is_ready(s->own.fd, POLLIN | POLLOUT | POLLRDHUP, 0) &
	       (SK_RECV | SK_SEND | SK_ERROR | SK_HUP | SK_RDHUP);
}

static bool can_answer(const struct stage *s, __u32 bits)
{
	return s->kind & K_CONN && bits & SK_RECV && is_listener(s->own.fd);
}

static bool is_asked_only(const struct stage *s, __u32 bits)
{
	return s->kind == K_OTHER && bits & SK_RECV;
}

static bool is_connected(const struct stage *s, __u32 bits)
{
	int state = tcp_state(s->own.fd);

	return s->kind == K_TCP && state != TCP_CLOSE && state != TCP_LISTEN &&
	       state != TCP_SYN_SENT;
}

/* Or not any more, and nothing was said about how it ended. */
static bool is_unconnected(const struct stage *s, __u32 bits)
{
	return s->kind == K_TCP && tcp_state(s->own.fd) == TCP_CLOSE &&
	       !s->shut && !(bits & SK_RDHUP);
}

/**
 * struct difference - told is something else than what poll() says
 * @asked: to somebody who asked for this
 * @applies: what it depends on
 * @more: what poll() has no word for
 * @less: what poll() says
 * @maybe: a wake-up may tell it though poll() does not say so
 */
static const struct difference {
	__u32 asked;
	bool (*applies)(const struct stage *s, __u32 bits);
	__u32 more;
	__u32 less;
	__u32 maybe;
} differences[] = {
	/* of a listener that is readable there is a word of its own */
	{ SK_ACCEPT, can_answer, .more = SK_ACCEPT },
	/* and of a family that kevent does not know, as it might be one */
	{ SK_ACCEPT, is_asked_only, .more = SK_ACCEPT },
	/* that it is connected poll() does not say */
	{ SK_CONNECT, is_connected, .more = SK_CONNECT },
	/* that it is not connected yet is nothing new for who waits for it */
	{ SK_CONNECT, is_unconnected, .less = SK_SEND | SK_HUP },
};

/*
 * What is to be told now to who @asked; adds to @may what a wake-up may tell
 * besides, if it is not NULL.
 */
static __u32 to_be_told(const struct stage *s, __u32 asked, __u32 *may)
{
	__u32 poll_bits = polled(s), bits = poll_bits, maybe = poll_bits;
	const struct difference *d;

	for (d = differences; d < differences + ARRAY_SIZE(differences); d++) {
		if (!(asked & d->asked) || !d->applies(s, poll_bits))
			continue;
		bits |= d->more;
		bits &= ~d->less;
		maybe |= d->more | d->maybe;
		maybe &= ~d->less;
	}
	if (may)
		*may |= maybe;
	return bits & (asked | SK_HUP | SK_ERROR);
}

FIXTURE(state)
{
	struct ukevent_queue q;
	struct stage s;
};

FIXTURE_VARIANT(state)
{
	enum sock_kind kind;
	int family;
	int type;
	__u32 also;	/* asked for besides what all kinds can be asked for */
};

FIXTURE_VARIANT_ADD(state, tcp4)
{
	.kind = K_TCP,
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(state, tcp4_connect)
{
	.kind = K_TCP,
	.family = AF_INET,
	.type = SOCK_STREAM,
	.also = SK_CONNECT,
};

FIXTURE_VARIANT_ADD(state, tcp6)
{
	.kind = K_TCP,
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(state, tcp6_connect)
{
	.kind = K_TCP,
	.family = AF_INET6,
	.type = SOCK_STREAM,
	.also = SK_CONNECT,
};

FIXTURE_VARIANT_ADD(state, unix_stream)
{
	.kind = K_UNIX,
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(state, unix_seqpacket)
{
	.kind = K_UNIX,
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(state, udp4)
{
	.kind = K_UDP,
	.family = AF_INET,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(state, udp6)
{
	.kind = K_UDP,
	.family = AF_INET6,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(state, unix_dgram_pair)
{
	.kind = K_PAIR,
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(state, unix_dgram_client)
{
	.kind = K_CLIENT,
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(state, netlink)
{
	.kind = K_OTHER,
	.family = AF_NETLINK,
	.type = SOCK_RAW,
};

FIXTURE_SETUP(state)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(state)
{
	ukevent_queue_exit(&self->q);
}

#define ALL_EVENTS	(SK_RECV | SK_SEND | SK_ACCEPT | SK_RDHUP)

/* Does steps of a situation, from the first one to before the last one, or all. */
#define DO_STEPS(which, nr) \
do { \
	const struct situation *_sit = (which); \
	int _i, _ret; \
	ASSERT_EQ(0, stage_open(&self->s, variant->kind, variant->family, \
				variant->type)); \
	for (_i = 0; _i < (nr); _i++) { \
		_ret = do_step(&self->s, _sit->steps[_i]); \
		ASSERT_EQ(0, _ret) \
			TH_LOG("%s: step %d", situation_name(_sit), _i + 1); \
	} \
} while (0)

static int nr_steps(const struct situation *sit)
{
	int n = 0;

	while (n < MAX_STEPS && sit->steps[n])
		n++;
	return n;
}

/* Told by now of @want, and what else there is: without a call, or with. */
static __u32 told_by_now(struct ukevent_queue *q, bool enter, __u32 want, int ms)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + ms * NSEC_PER_MSEC;
	struct ukevent ev;
	__u32 told = 0;

	for (;;) {
		if (enter)
			flush_ring(q);
		while (ukevent_take(q, &ev, 1))
			told |= ev.events;
		if (((told & want) == want && (!enter || !is_pending(q))) ||
		    now_ns(CLOCK_MONOTONIC) > end)
			return told;
		sched_yield();
	}
}

/* What comes of another context is over when poll() says the same for a while. */
static void settle(const struct stage *s)
{
	__u32 before, bits = polled(s);
	int same = 0;

	while (same < 3) {
		sleep_ms(1);
		before = bits;
		bits = polled(s);
		same = bits == before ? same + 1 : 0;
	}
}

/* By ADD, and by a query once that record was consumed. */
TEST_F_TIMEOUT(state, at_add, 120)
{
	__u32 asked, want, told, again, same, all = ALL_EVENTS | variant->also;
	struct ukevent_queue *q = &self->q;
	const struct situation *sit;
	struct ukevent ev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(situations); i++) {
		sit = &situations[i];
		if (!(sit->kinds & variant->kind))
			continue;
		DO_STEPS(sit, nr_steps(sit));
		settle(&self->s);
		want = to_be_told(&self->s, all, NULL);
		ASSERT_EQ(0, add_sock(q->fd, self->s.own.fd, all, 0, i, NULL));
		told = 0;
		while (ukevent_take(q, &ev, 1)) {
			EXPECT_SOCK(&ev, i, 0, ~0U, 0);
			told |= ev.events;
		}
		/* what TCP has sent may be acknowledged at any time */
		same = ~(want ^ to_be_told(&self->s, all, NULL));
		EXPECT_EQ(want & same, told & same)
			TH_LOG("%s", situation_name(sit));

		/* that it is connected is told once */
		asked = all & ~(told & SK_CONNECT);
		want = to_be_told(&self->s, asked, NULL);
		flush_ring(q);
		for (again = 0; ukevent_take(q, &ev, 1);)
			again |= ev.events;
		same = ~(want ^ to_be_told(&self->s, asked, NULL));
		EXPECT_EQ(want & same, again & same)
			TH_LOG("%s, query", situation_name(sit));
		EXPECT_EQ(0, remove_sock(q->fd, self->s.own.fd));
		take_all(q, NULL);	/* what came late */
		stage_close(&self->s);
	}
}

/*
 * By the wake-up, to an edge interest: all that is new, and nothing that was not
 * true.  Of the families that are known all but room to send comes without a
 * call.
 */
TEST_F_TIMEOUT(state, by_wake, 120)
{
	__u32 asked, before, want, new, told, may;
	__u32 all = ALL_EVENTS | variant->also;
	struct ukevent_queue *q = &self->q;
	const struct situation *sit;
	struct ukevent sum;
	int last, ms;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(situations); i++) {
		sit = &situations[i];
		last = nr_steps(sit) - 1;
		if (last < 0 || !(sit->kinds & variant->kind))
			continue;
		DO_STEPS(sit, last);
		settle(&self->s);
		may = 0;
		before = to_be_told(&self->s, all, &may);
		ASSERT_EQ(0, add_sock(q->fd, self->s.own.fd, all, KEVENT_EDGE,
				      i, NULL));
		before |= collect_now(q, &sum);
		asked = all & ~(before & SK_CONNECT);

		ASSERT_EQ(0, do_step(&self->s, sit->steps[last]))
			TH_LOG("%s", situation_name(sit));
		settle(&self->s);
		new = to_be_told(&self->s, asked, &may) & ~before;
		/* who failed once is not given that long again */
		ms = _metadata->exit_code ? TEST_SHORT_MS : TEST_LONG_MS;
		told = 0;
		if (variant->kind != K_OTHER) {
			want = new & ~SK_SEND;
			told = told_by_now(q, false, want, ms);
			EXPECT_EQ(want, told & want)
				TH_LOG("%s, no call", situation_name(sit));
		}
		told |= told_by_now(q, true, new & ~told, ms);
		EXPECT_EQ(new, told & new)
			TH_LOG("%s", situation_name(sit));
		to_be_told(&self->s, asked, &may);
		EXPECT_EQ(0U, told & ~may)
			TH_LOG("%s, made up", situation_name(sit));
		EXPECT_EQ(0, remove_sock(q->fd, self->s.own.fd));
		/* a connection may have gone on ending */
		take_all(q, NULL);
		EXPECT_QUIET(q);
		stage_close(&self->s);
	}
}

TEST_HARNESS_MAIN
