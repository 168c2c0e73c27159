// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of kernel/kevent/trace.h: one for each hop of an event, in the
 * order of the hops, with what names the interest.
 *
 *   source wakes -> kevent triggers -> queue publishes -> ring holds -> user
 *   consumes
 */
#include "trace.h"

#define MAX_HOPS	64
#define COOKIE		0x123456789abULL

static const char *const names[] = {
	"kevent_wake", "kevent_trigger", "kevent_publish", "kevent_hold",
	"kevent_consume", "kevent_step",
};

/**
 * struct hop - a line of the trace
 * @name: of the tracepoint, without kevent_
 * @id: of the interest, 0 of what has none
 * @cookie: of the interest
 * @type: of the interest
 * @events: what is told by this hop
 * @flags: of the interest, or of the record
 * @produced: position of the ring
 * @consumed: position of the ring
 * @records: how many were found consumed
 */
struct hop {
	char name[16];
	unsigned long long id, cookie, produced, consumed;
	unsigned int type, events, flags, records;
};

FIXTURE(trace)
{
	struct ukevent_queue q;
	struct hop hops[MAX_HOPS];
	int nr;
	struct tracer tracer;
	char text[65536];
};

FIXTURE_SETUP(trace)
{
	self->q.fd = -1;
	TRACER_SETUP(&self->tracer);
	ASSERT_EQ(0, trace_write(&self->tracer, "events/kevent/enable", "1"));
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(trace)
{
	if (self->q.fd >= 0)
		ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, tracer_close(&self->tracer));
}

/* A line of the trace: 1 if it is one of ours, 0 if not, -1 if it is odd. */
static int parse_hop(const char *line, struct hop *h)
{
	const char *p = strstr(line, ": kevent_");
	int n = 0;

	if (!p)
		return 0;
	memset(h, 0, sizeof(*h));
	if (sscanf(p, ": kevent_%15[a-z]: %n", h->name, &n) != 1 || !n)
		return -1;
	p += n;
	if (has_address(p))
		return -1;
	if (!strcmp(h->name, "consume"))
		return sscanf(p, "records %u produced %llu consumed %llu",
			      &h->records, &h->produced, &h->consumed) == 3 ?
		       1 : -1;
	n = 0;
	if (sscanf(p, "id %llu type %u cookie %llx events %x flags %x%n",
		   &h->id, &h->type, &h->cookie, &h->events, &h->flags,
		   &n) != 5 || !n)
		return -1;
	if (strcmp(h->name, "hold"))
		return 1;
	return sscanf(p + n, " produced %llu consumed %llu", &h->produced,
		      &h->consumed) == 2 ? 1 : -1;
}

/* Reads the trace; the number of hops, or that of an odd line, negative. */
static int read_trace(FIXTURE_DATA(trace) * self)
{
	char *line, *end;
	int ret, at = 0;

	self->nr = 0;
	ret = trace_read(&self->tracer, "trace", self->text, sizeof(self->text));
	if (ret <= 0)
		return -9999;
	for (line = self->text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		*end = 0;
		at++;
		if (*line == '#' || self->nr == MAX_HOPS)
			continue;
		ret = parse_hop(line, &self->hops[self->nr]);
		if (ret < 0)
			return -at;
		self->nr += ret;
	}
	return self->nr;
}

/**
 * struct way - the way of an event, as it must be traced
 * @type: of the interest
 * @key: what the source wakes with, -1 if it does not
 * @told: what it triggers with
 * @events: what is published
 * @flags: of the record
 */
struct way {
	unsigned int type;
	int key;
	unsigned int told;
	unsigned int events;
	unsigned int flags;
};

/*
 * The hops of the interest @id, one after the other, and then, after all of them,
 * the consumption of one record.
 */
static void check_way(struct __test_metadata *_metadata, int line,
		      FIXTURE_DATA(trace) * self, __u64 id,
		      const struct way *way)
{
	const char *const want[] = { "wake", "trigger", "publish", "hold" };
	const unsigned int events[] = {
		way->key, way->told, way->events, way->events
	};
	int i, hop = way->key < 0, holds = 0, consumes = 0;
	const struct hop *h;

	EXPECT_LT(0, read_trace(self))
		TH_LOG("line %d: odd trace: %s", line, self->text);
	for (i = 0; i < self->nr; i++) {
		h = &self->hops[i];
		if (!strcmp(h->name, "consume")) {
			EXPECT_EQ(4, hop) TH_LOG("line %d: too early", line);
			EXPECT_EQ(1U, h->records);
			EXPECT_EQ(h->produced, h->consumed);
			consumes++;
			continue;
		}
		EXPECT_EQ(id, h->id);
		EXPECT_EQ(COOKIE, h->cookie);
		EXPECT_EQ(way->type, h->type);
		holds += !strcmp(h->name, "hold");
		/* a source may wake more often than once */
		if (hop == 4)
			continue;
		EXPECT_STREQ(want[hop], h->name)
			TH_LOG("line %d: hop %d", line, hop);
		EXPECT_EQ(events[hop], h->events)
			TH_LOG("line %d: hop %d", line, hop);
		if (hop == 3) {
			EXPECT_EQ(way->flags, h->flags);
			EXPECT_EQ(h->produced, h->consumed + 1);
		}
		hop++;
	}
	EXPECT_EQ(4, hop) TH_LOG("line %d: the way ends early", line);
	EXPECT_EQ(1, holds);
	EXPECT_EQ(1, consumes);
}

#define EXPECT_WAY(self, id, ...) \
do { \
	const struct way __w = { __VA_ARGS__ }; \
	check_way(_metadata, __LINE__, self, id, &__w); \
} while (0)

/* Takes the one record that is to come, and lets the kernel find out. */
static int take_and_tell(struct ukevent_queue *q)
{
	struct ukevent ev;

	if (ring_reaches(q, 1) != 1 || ukevent_take(q, &ev, 1) != 1)
		return -ETIME;
	return ev.cookie == COOKIE ? flush_ring(q) : -EPROTO;
}

TEST_F(trace, poll)
{
	int fd = make_eventfd(0);
	__u64 id;

	ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, KEVENT_EDGE, COOKIE, &id));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, id, KEVENT_TYPE_POLL, EV_IN, EV_IN, EV_IN, 0);
	close(fd);
}

/* A source that does not say what happened is asked; then it is published. */
TEST_F(trace, poll_asked)
{
	__u64 id;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, add_fd(self->q.fd, p[0], EV_IN, KEVENT_EDGE, COOKIE, &id));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	close(p[1]);
	EXPECT_EQ(1, flush_ring(&self->q));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, id, KEVENT_TYPE_POLL, 0, 0, EV_HUP, 0);
	close(p[0]);
}

/* Sockets wake with more than was there. */
TEST_F(trace, socket)
{
	struct kevent_change c;
	struct source s;

	ASSERT_EQ(0, source_open(&s, SRC_TCP4));
	c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_SOCKET, s.fd,
		       KEVENT_SOCK_RECV, KEVENT_EDGE | KEVENT_HINTS, COOKIE);
	ASSERT_EQ(0, do_change(self->q.fd, &c));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(1, send(s.peer, "x", 1, 0));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, c.id, KEVENT_TYPE_SOCKET,
		   EV_IN | EV_PRI | EV_RDNORM | EV_RDBAND, KEVENT_SOCK_RECV,
		   KEVENT_SOCK_RECV, KEVENT_REC_HINT);
	source_close(&s);
}

TEST_F(trace, timer)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_TIMER, 5,
					    0, 0, COOKIE);

	c.param[KEVENT_TIMER_TIME] = NSEC_PER_MSEC;
	c.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	ASSERT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, c.id, KEVENT_TYPE_TIMER, KEVENT_TIMER_EXPIRED,
		   KEVENT_TIMER_EXPIRED, KEVENT_TIMER_EXPIRED, 0);
}

/* There is no source that wakes: the program triggers. */
TEST_F(trace, user)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 5,
					    0, 0, COOKIE);

	ASSERT_EQ(0, do_change(self->q.fd, &c));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(0, ukevent_trigger(&self->q, 5, 1));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, c.id, KEVENT_TYPE_USER, -1, KEVENT_USER_TRIGGERED,
		   KEVENT_USER_TRIGGERED, 0);
}

/* The way with somebody asleep at its end is another one in the code. */
TEST_F(trace, sleeper)
{
	int fd = make_eventfd(0);
	struct waiter w;
	__u64 id;

	ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, KEVENT_EDGE, COOKIE, &id));
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EQ(0, take_and_tell(&self->q));
	EXPECT_WAY(self, id, KEVENT_TYPE_POLL, EV_IN, EV_IN, EV_IN, 0);
	close(fd);
}

/* A record that only says LAST: nobody triggers. */
TEST_F(trace, last)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 5,
					    0, KEVENT_WANT_LAST, COOKIE);
	const struct hop *h = self->hops;

	ASSERT_EQ(0, do_change(self->q.fd, &c));
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(0, ukevent_op(&self->q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER,
				5));
	EXPECT_EQ(0, take_and_tell(&self->q));
	ASSERT_EQ(3, read_trace(self));
	EXPECT_STREQ("publish", h[0].name);
	EXPECT_EQ(c.id, h[0].id);
	EXPECT_EQ(0U, h[0].events);
	EXPECT_STREQ("hold", h[1].name);
	EXPECT_EQ(c.id, h[1].id);
	EXPECT_EQ(COOKIE, h[1].cookie);
	EXPECT_EQ(0U, h[1].events);
	EXPECT_EQ((unsigned int)KEVENT_REC_LAST, h[1].flags);
	EXPECT_STREQ("consume", h[2].name);
	EXPECT_EQ(1ULL, h[2].consumed);
}

/* S12: nor is there an address in what is recorded and not printed. */
TEST_F(trace, formats)
{
	char name[64], *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), "events/kevent/%s/format",
			 names[i]);
		ASSERT_LT(0, trace_read(&self->tracer, name, self->text,
					sizeof(self->text)))
			TH_LOG("%s", name);
		p = strstr(self->text, "print fmt:");
		ASSERT_NE(NULL, p);
		EXPECT_EQ(NULL, strstr(p, "%p"));
		*p = 0;
		EXPECT_EQ(NULL, strchr(self->text, '*'))
			TH_LOG("a pointer in %s: %s", name, self->text);
	}
}

TEST_HARNESS_MAIN
