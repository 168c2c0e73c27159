// SPDX-License-Identifier: GPL-2.0
/*
 * What an entry of kevent_ctl() says: which fields each operation and type takes;
 * entries that add or modify, that arm, that depend on the one before, that ask;
 * last records that nobody needs.
 */
#include "kevent_test.h"

#define ADD	KEVENT_OP_ADD
#define MODIFY	KEVENT_OP_MODIFY
#define REMOVE	KEVENT_OP_REMOVE
#define ENABLE	KEVENT_OP_ENABLE
#define DISABLE	KEVENT_OP_DISABLE
#define TRIGGER	KEVENT_OP_TRIGGER
#define SET	KEVENT_OP_SET
#define QUERY	KEVENT_OP_QUERY

#define LAST	KEVENT_REC_LAST
#define HOUR	(3600 * NSEC_PER_SEC)

/* ---- one interest of each type ---- */

FIXTURE(each)
{
	struct ukevent_queue q;
	int fd;
	int file;	/* what SENDFILE sends */
};

FIXTURE_VARIANT(each)
{
	__u16 type;
	__u64 ident;	/* 0: a descriptor is opened */
	__u32 events;	/* one that can be asked for */
	__u32 param;	/* bits: that ADD, MODIFY and SET take */
	__u32 trigger;	/* the same of TRIGGER */
};

FIXTURE_VARIANT_ADD(each, poll) { KEVENT_TYPE_POLL, 0, EV_IN, 0, 0 };
FIXTURE_VARIANT_ADD(each, socket) {
	KEVENT_TYPE_SOCKET, 0, KEVENT_SOCK_RECV, 1 << KEVENT_SOCK_LOWAT, 0
};
FIXTURE_VARIANT_ADD(each, timer) {
	KEVENT_TYPE_TIMER, 7, KEVENT_TIMER_EXPIRED, 0xf, 0
};
FIXTURE_VARIANT_ADD(each, user) {
	KEVENT_TYPE_USER, 7, KEVENT_USER_TRIGGERED, 0,
	1 << KEVENT_USER_PAYLOAD | 1 << KEVENT_USER_COUNT
};
FIXTURE_VARIANT_ADD(each, inode) {
	KEVENT_TYPE_INODE, 0, KEVENT_INODE_ATTRIB, 0, 0
};
FIXTURE_VARIANT_ADD(each, signal) {
	KEVENT_TYPE_SIGNAL, SIGUSR1, KEVENT_SIGNAL_SENT, 0, 0
};
FIXTURE_VARIANT_ADD(each, process) {
	KEVENT_TYPE_PROCESS, 0, KEVENT_PROCESS_EXITED, 0, 0
};

FIXTURE_VARIANT_ADD(each, stream) {
	KEVENT_TYPE_STREAM, 0, KEVENT_STREAM_RECV,
	1 << KEVENT_STREAM_LOWAT | 1 << KEVENT_STREAM_MOST |
	1 << KEVENT_STREAM_SHARE, 0
};

/* A mark goes with PROGRESS. */
FIXTURE_VARIANT_ADD(each, sendfile) {
	KEVENT_TYPE_SENDFILE, 0, KEVENT_SENDFILE_DONE,
	1 << KEVENT_SENDFILE_FD | 1 << KEVENT_SENDFILE_OFFSET |
	1 << KEVENT_SENDFILE_LENGTH, 0
};

static int open_for(unsigned int type)
{
	int fd = -1, peer;

	switch (type) {
	case KEVENT_TYPE_POLL:
		return make_eventfd(0);
	case KEVENT_TYPE_SOCKET:
	case KEVENT_TYPE_STREAM:
	case KEVENT_TYPE_SENDFILE:
		return inet_pair(AF_INET, SOCK_STREAM, &fd, &peer) ? -1 : fd;
	case KEVENT_TYPE_INODE:
		return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case KEVENT_TYPE_PROCESS:
		return syscall(SYS_pidfd_open, getpid(), 0);
	default:
		return -1;
	}
}

FIXTURE_SETUP(each)
{
	struct kevent_params p = {
		.flags = variant->type == KEVENT_TYPE_STREAM ? KEVENT_CREATE_DATA :
			 variant->type == KEVENT_TYPE_SENDFILE ?
			 KEVENT_CREATE_SENDFILE : 0,
		.ring_entries = 64,
	};

	ASSERT_EQ(0, ukevent_queue_init(&self->q, &p));
	self->fd = open_for(variant->type);
	ASSERT_TRUE(variant->ident || self->fd >= 0);
	self->file = memfd_create("each", MFD_CLOEXEC);
	ASSERT_LE(0, self->file);
}

FIXTURE_TEARDOWN(each)
{
	ukevent_queue_exit(&self->q);
	if (self->fd >= 0)
		close(self->fd);
	close(self->file);
}

/* An entry with nothing in it that the operation does not need. */
static struct kevent_change bare(const FIXTURE_DATA(each) *self,
				 const FIXTURE_VARIANT(each) *variant,
				 unsigned int op)
{
	struct kevent_change c = make_typed(op, variant->type, variant->ident ?:
					    (__u64)self->fd, 0, 0, 0);

	/* not at once */
	if (variant->type == KEVENT_TYPE_TIMER &&
	    (op == ADD || op == MODIFY || op == SET))
		c.param[KEVENT_TIMER_TIME] = HOUR;
	if (variant->type == KEVENT_TYPE_SENDFILE && op == ADD)
		c.param[KEVENT_SENDFILE_FD] = self->file;
	if (op == QUERY) {
		c.type = 0;
		c.ident = 0;
		c.flags = KEVENT_BY_ID;
	}
	return c;
}

/* The same, of the interest with @id; ADD and SET have no such form. */
static struct kevent_change bare_by_id(const FIXTURE_DATA(each) *self,
				       const FIXTURE_VARIANT(each) *variant,
				       unsigned int op, __u64 id)
{
	struct kevent_change c = bare(self, variant, op);

	c.ident = 0;
	c.flags = KEVENT_BY_ID;
	c.id = id;
	return c;
}

/* Makes it so that there is one, or none; its id. */
static __u64 there(const FIXTURE_DATA(each) *self,
		   const FIXTURE_VARIANT(each) *variant, __u64 id, bool is)
{
	struct kevent_change c;

	c = bare_by_id(self, variant, REMOVE, id);
	do_change(self->q.fd, &c);
	if (!is)
		return 0;
	c = bare(self, variant, ADD);
	c.events = variant->events;
	return do_change(self->q.fd, &c) ? 0 : c.id;
}

/*
 * Each field of an entry with each operation: what it has a use for is taken,
 * all else refused, and then nothing has happened.
 */
TEST_F(each, fields)
{
	static const __u16 ops[] = {
		ADD, MODIFY, REMOVE, ENABLE, DISABLE, TRIGGER, SET, QUERY
	};
	bool is_inode = variant->type == KEVENT_TYPE_INODE;
	bool is_sendfile = variant->type == KEVENT_TYPE_SENDFILE;
	struct kevent_change c;
	const struct {
		const char *name;
		__u64 *at;
		__u32 param;	/* its bit */
	} fields[] = {
		{ "none", NULL, 0 }, { "cookie", &c.cookie, 0 },
		{ "events", NULL, 0 }, { "id", &c.id, 0 },
		{ "addr", &c.addr, 0 },
		{ "param[0]", &c.param[0], 1 }, { "param[1]", &c.param[1], 2 },
		{ "param[2]", &c.param[2], 4 }, { "param[3]", &c.param[3], 8 },
		{ "reserved[0]", &c.reserved[0], 0 },
		{ "reserved[1]", &c.reserved[1], 0 }, { "ident", &c.ident, 0 },
	};
	size_t i, f;
	__u64 id = 0;
	int by_id, want;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
	for (by_id = 0; by_id < 2; by_id++)
	for (f = 0; f < ARRAY_SIZE(fields); f++) {
		__u16 op = ops[i];
		bool sets = op == ADD || op == MODIFY || op == SET;
		__u32 param = sets ? variant->param :
			      op == TRIGGER ? variant->trigger : 0;
		bool taken = !f;

		/* without an id an ident is needed, and one is there already */
		if (!by_id && fields[f].at == &c.ident)
			continue;
		if (by_id && (fields[f].at == &c.id || op == ADD || op == SET))
			continue;
		if (!by_id && op == QUERY)
			continue;
		id = there(self, variant, id, op != ADD);
		ASSERT_TRUE(op == ADD || id);
		c = by_id ? bare_by_id(self, variant, op, id) :
			    bare(self, variant, op);
		if (fields[f].at) {
			*fields[f].at = fields[f].at == &c.id ? id + !id : 1;
			/* less than one record were refused as that */
			if (variant->type == KEVENT_TYPE_STREAM &&
			    fields[f].at == &c.param[KEVENT_STREAM_SHARE])
				*fields[f].at = 4096;
			if (is_sendfile && fields[f].at == &c.param[KEVENT_SENDFILE_FD])
				*fields[f].at = self->file;
			taken = (sets && fields[f].at == &c.cookie) ||
				fields[f].param & param;
		} else if (f) {
			c.events = variant->events;
			taken = sets;
		}
		want = taken ? 0 : -EINVAL;
		/* a type without such an operation says so, of good entries */
		if (op == TRIGGER && !variant->trigger && want != -EINVAL)
			want = -EOPNOTSUPP;
		if (is_inode && op == SET && want != -EINVAL)
			want = -EOPNOTSUPP;
		if (is_inode && !by_id && op != ADD && op != SET &&
		    op != TRIGGER)
			want = -EINVAL;
		/* a transfer is what it is, whatever else is in the entry */
		if (is_sendfile && op == MODIFY)
			want = -EINVAL;
		if (is_sendfile && op == SET &&
		    (want != -EINVAL || fields[f].at == &c.addr || fields[f].param))
			want = -EOPNOTSUPP;
		/* ... and without a check does not look at what it lacks */
		if (op == TRIGGER && !variant->trigger && fields[f].at &&
		    (fields[f].at == &c.addr || fields[f].param))
			want = -EOPNOTSUPP;
		/* a descriptor or a string is missing, not the field */
		if (is_inode && op == ADD && fields[f].at == &c.addr)
			want = -EFAULT;
		EXPECT_EQ(want, do_change(self->q.fd, &c))
			TH_LOG("op %u%s, %s", op, by_id ? " by id" : "",
			       fields[f].name);
		if (!c.result && op == ADD)
			id = c.id;
	}
	/* TRIGGERs that were taken are told */
	take_all(&self->q, NULL);
	there(self, variant, id, false);
	flush_ring(&self->q);
	take_all(&self->q, NULL);
	EXPECT_QUIET(&self->q);
}

/* Flags with each operation that sets: those of last records go together. */
TEST_F(each, hold_last)
{
	static const __u32 good = KEVENT_DISPATCH | KEVENT_WANT_LAST |
				  KEVENT_HOLD_LAST;
	static const __u32 bad[] = {
		KEVENT_HOLD_LAST, KEVENT_HOLD_LAST | KEVENT_DISPATCH,
		KEVENT_HOLD_LAST | KEVENT_WANT_LAST,
		KEVENT_HOLD_LAST | KEVENT_WANT_LAST | KEVENT_EDGE,
		KEVENT_HOLD_LAST | KEVENT_WANT_LAST | KEVENT_ONESHOT,
	};
	struct kevent_change c;
	size_t i;
	__u64 id;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		c = bare(self, variant, ADD);
		c.flags |= bad[i];
		EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
	}
	c = bare(self, variant, ADD);
	c.flags |= good;
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	id = c.id;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		c = bare_by_id(self, variant, MODIFY, id);
		c.flags |= bad[i];
		EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
	}
	c = bare_by_id(self, variant, REMOVE, id);
	c.flags |= KEVENT_ACK | KEVENT_NO_LAST;
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_QUIET(&self->q);
}

/* Hints are of sockets, and of operations that set. */
TEST_F(each, hints)
{
	bool is_sock = variant->type == KEVENT_TYPE_SOCKET;
	static const __u16 ops[] = {
		ADD, MODIFY, SET, REMOVE, ENABLE, DISABLE, TRIGGER, QUERY
	};
	struct kevent_change c;
	__u64 id = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		id = there(self, variant, id, ops[i] != ADD);
		c = ops[i] == ADD || ops[i] == SET ?
		    bare(self, variant, ops[i]) :
		    bare_by_id(self, variant, ops[i], id);
		c.flags |= KEVENT_HINTS;
		EXPECT_EQ(is_sock && i < 3 ? 0 : -EINVAL,
			  do_change(self->q.fd, &c)) TH_LOG("op %u", ops[i]);
		if (!c.result && ops[i] == ADD)
			id = c.id;
	}
}

/* When to receive is a matter of streams, and of ADD alone. */
TEST_F(each, late)
{
	static const __u16 ops[] = {
		ADD, MODIFY, SET, REMOVE, ENABLE, DISABLE, TRIGGER, QUERY
	};
	bool is_stream = variant->type == KEVENT_TYPE_STREAM;
	struct kevent_change c;
	__u64 id = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		id = there(self, variant, id, ops[i] != ADD);
		c = ops[i] == ADD || ops[i] == SET ?
		    bare(self, variant, ops[i]) :
		    bare_by_id(self, variant, ops[i], id);
		c.flags |= KEVENT_LATE;
		EXPECT_EQ(is_stream && !i ? 0 : -EINVAL,
			  do_change(self->q.fd, &c)) TH_LOG("op %u", ops[i]);
		if (!c.result && ops[i] == ADD)
			id = c.id;
	}
}

static int ask(int kfd, __u64 id, struct kevent_change *c)
{
	*c = make_typed(QUERY, 0, 0, 0, KEVENT_BY_ID, 0);
	c->id = id;
	return do_change(kfd, c);
}

/* Adds, modifies, says which; there is no need to remember. */
TEST_F(each, set)
{
	int kfd = self->q.fd;
	struct kevent_change c, told;
	__u64 id;

	c = bare(self, variant, SET);
	c.cookie = 1;
	if (variant->type == KEVENT_TYPE_INODE ||
	    variant->type == KEVENT_TYPE_SENDFILE) {
		EXPECT_EQ(-EOPNOTSUPP, do_change(kfd, &c));
		return;
	}
	ASSERT_EQ(0, do_change(kfd, &c));
	id = c.id;
	EXPECT_NE(0ULL, id);
	c = bare(self, variant, ADD);
	EXPECT_EQ(-EEXIST, do_change(kfd, &c));
	c = bare(self, variant, SET);
	c.cookie = 2;
	c.events = variant->events;
	c.flags = KEVENT_ONESHOT | KEVENT_WANT_LAST | KEVENT_START_DISABLED;
	ASSERT_EQ(0, do_change(kfd, &c));
	EXPECT_EQ(id, c.id);
	ASSERT_EQ(0, ask(kfd, id, &told));
	EXPECT_EQ(2ULL, told.cookie);
	EXPECT_EQ(c.flags, told.flags);
	c = bare(self, variant, REMOVE);
	EXPECT_EQ(0, do_change(kfd, &c));
	EXPECT_TAKE_TYPED(&self->q, variant->type, 2, 0, LAST, 0, 0);
	c = bare(self, variant, MODIFY);
	EXPECT_EQ(-ENOENT, do_change(kfd, &c));
	c = bare(self, variant, SET);
	EXPECT_EQ(0, do_change(kfd, &c));
	EXPECT_LT(id, c.id);
	/* exclusive is who was added so; no form for ids */
	c = bare(self, variant, SET);
	c.flags = KEVENT_EXCLUSIVE;
	EXPECT_EQ(-EINVAL, do_change(kfd, &c));
	c.flags = KEVENT_BY_ID;
	EXPECT_EQ(-EINVAL, do_change(kfd, &c));
	EXPECT_QUIET(&self->q);
}

/* What ADD was told is what QUERY tells, and MODIFY makes the same of it. */
TEST_F(each, query)
{
	static const __u32 flags[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH,
		KEVENT_EDGE | KEVENT_WANT_LAST | KEVENT_START_DISABLED,
		KEVENT_DISPATCH | KEVENT_WANT_LAST | KEVENT_HOLD_LAST,
	};
	__u32 modes = KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH;
	bool counts = variant->type != KEVENT_TYPE_POLL &&
		      variant->type != KEVENT_TYPE_SOCKET;
	bool has_name = variant->type != KEVENT_TYPE_INODE;
	int kfd = self->q.fd, modified;
	struct kevent_change c, told;
	__u64 id = 0;
	__u32 want;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		id = there(self, variant, id, false);
		want = flags[i];
		if (variant->type == KEVENT_TYPE_PROCESS)
			want = (want & ~modes) | KEVENT_ONESHOT;
		else if (counts && !(want & modes))
			want |= KEVENT_EDGE;
		for (modified = 0; modified < 2; modified++) {
			if (modified && variant->type == KEVENT_TYPE_SENDFILE)
				break;
			if (modified)
				id = there(self, variant, id, true);
			c = modified ? bare_by_id(self, variant, MODIFY, id) :
				       bare(self, variant, ADD);
			c.flags |= flags[i];
			c.cookie = 5;
			c.events = variant->events;
			ASSERT_EQ(0, do_change(kfd, &c));
			id = c.id;
			ASSERT_EQ(0, ask(kfd, id, &told));
			EXPECT_EQ(QUERY, told.op);
			EXPECT_EQ(variant->type, told.type);
			EXPECT_EQ(want, told.flags) TH_LOG("case %zu", i);
			EXPECT_EQ(5ULL, told.cookie);
			if (has_name)
				EXPECT_EQ(variant->ident ?: (__u64)self->fd,
					  told.ident);
			/* and what is always watched */
			EXPECT_EQ(variant->events,
				  told.events & variant->events);
			EXPECT_EQ(id, told.id);
			EXPECT_EQ(0ULL, told.addr | told.param[0] |
				  told.param[3] | told.reserved[1]);
		}
	}
	id = there(self, variant, id, true);
	c = bare_by_id(self, variant, DISABLE, id);
	EXPECT_EQ(0, do_change(kfd, &c));
	ASSERT_EQ(0, ask(kfd, id, &told));
	EXPECT_EQ(KEVENT_START_DISABLED, told.flags & KEVENT_START_DISABLED);
	there(self, variant, id, false);
	EXPECT_EQ(-ENOENT, ask(kfd, id, &told));
	EXPECT_EQ(0, told.type);
}

/* ---- entries ---- */

FIXTURE(change)
{
	struct ukevent_queue q;
	int fd;
};

FIXTURE_SETUP(change)
{
	ASSERT_EQ(0, queue_init(&self->q, 64));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(change)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

static int set_fd(int kfd, int fd, __u32 flags, __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_change(SET, fd, EV_IN, flags, cookie);
	int ret = do_change(kfd, &c);

	*id = c.id;
	return ret;
}

/* POLL takes what poll(2) and epoll(7) define, but for epoll's modes. */
TEST_F(change, poll_events)
{
	static const __u32 taken = POLLIN | POLLPRI | POLLOUT | POLLERR |
				   POLLHUP | POLLNVAL | POLLRDNORM |
				   POLLRDBAND | POLLWRNORM | POLLWRBAND |
				   POLLMSG | POLLRDHUP;
	__u32 event;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		event = 1U << bit;
		EXPECT_EQ(taken & event ? 0 : -EINVAL,
			  add_fd(self->q.fd, self->fd, event, 0, 0, NULL))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(taken & event ? 0 : -ENOENT,
			  remove_fd(self->q.fd, self->fd));
	}
	take_all(&self->q, NULL);
	/* those that nobody tells are no trouble for those that are told */
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, taken & ~POLLOUT &
			    ~POLLWRNORM, KEVENT_EDGE, 7, NULL));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_LE(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	EXPECT_TAKE(&self->q, 7, EV_IN, 0);
}

/* A number that is closed and used again names nothing that was added before. */
TEST_F(change, set_reused)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0), copy = dup(fd), other;
	__u64 id, id2;

	ASSERT_EQ(0, set_fd(q->fd, fd, 0, 1, &id));
	other = make_eventfd(1);
	ASSERT_EQ(fd, dup3(other, fd, O_CLOEXEC));
	ASSERT_EQ(0, set_fd(q->fd, fd, 0, 2, &id2));
	EXPECT_NE(id, id2);
	EXPECT_TAKE(q, 2, EV_IN, 0);
	ASSERT_EQ(0, eventfd_add(copy, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	close(other);
	close(copy);
	close(fd);
}

/* A SET that cannot be told of has added nothing. */
TEST_F(change, set_fault)
{
	char *end = guarded_end(1);
	struct kevent_change *c;

	ASSERT_NE(NULL, end);
	c = (struct kevent_change *)(end - sizeof(*c));
	*c = make_change(SET, self->fd, EV_IN, 0, 0);
	ASSERT_EQ(0, mprotect(end - page_size(), page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q.fd, c, 1, sizeof(*c), 0));
	EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, self->fd));
}

/* One entry modifies and arms; who does not want that says so. */
TEST_F(change, modify_arms)
{
	static const __u16 ops[] = { MODIFY, SET };
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_DISPATCH, 1,
				    NULL));
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		EXPECT_TAKE(q, 1, EV_IN, 0);
		EXPECT_QUIET(q);
		c = make_change(ops[i], self->fd, EV_IN, KEVENT_DISPATCH |
				KEVENT_START_DISABLED, 2);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_QUIET(q);
		/* it still holds, so it is told at once */
		c = make_change(ops[i], self->fd, EV_IN, KEVENT_DISPATCH, 3);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE(q, 3, EV_IN, 0);
		/* it waits for what comes */
		EXPECT_EQ(1ULL, eventfd_take(self->fd));
		c = make_change(ops[i], self->fd, EV_IN, KEVENT_DISPATCH, 4);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE(q, 4, EV_IN, 0);
		/* what is armed can be disabled by it */
		c = make_change(ops[i], self->fd, EV_IN, KEVENT_EDGE, 5);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_TAKE(q, 5, EV_IN, 0);
		c = make_change(ops[i], self->fd, EV_IN, KEVENT_EDGE |
				KEVENT_START_DISABLED, 6);
		EXPECT_EQ(0, do_change(q->fd, &c));
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_fd(q->fd, ENABLE, self->fd));
		EXPECT_TAKE(q, 6, EV_IN, 0);
		EXPECT_EQ(0, remove_fd(q->fd, self->fd));
		EXPECT_EQ(2ULL, eventfd_take(self->fd));
	}
}

/* A dispatch timer with a new deadline is one entry, and one that is not there. */
TEST_F(change, timer_in_one_entry)
{
	struct ukevent_queue *q = &self->q;
	int i, ms;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, ukevent_set_timer(q, SET, 1, (i + 1) *
					       NSEC_PER_MSEC, 0, CLOCK_MONOTONIC,
					       KEVENT_DISPATCH, i));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, i, KEVENT_TIMER_EXPIRED,
				  0, 1, 0);
		EXPECT_QUIET(q);
	}
	/* moved before it was due: the old deadline is forgotten */
	for (ms = TEST_SHORT_MS;; ms *= 2) {
		ASSERT_EQ(0, ukevent_set_timer(q, SET, 1, ms * NSEC_PER_MSEC, 0,
					       CLOCK_MONOTONIC, KEVENT_DISPATCH,
					       5));
		ASSERT_EQ(0, ukevent_set_timer(q, SET, 1, HOUR, 0, CLOCK_MONOTONIC,
					       KEVENT_DISPATCH, 6));
		if (!in_ring(q))
			break;
		/* a slow machine: it was due before that */
		ASSERT_GT(TEST_LONG_MS, ms);
		take_all(q, NULL);
	}
	sleep_ms(2 * ms);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, ukevent_set_timer(q, SET, 1, 0, 0, CLOCK_MONOTONIC,
				       KEVENT_DISPATCH, 7));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 7, KEVENT_TIMER_EXPIRED, 0, 1, 0);
}

/* Counting sources count while disabled; what arms them tells the sum. */
TEST_F(change, counted)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;

	c = make_typed(SET, KEVENT_TYPE_USER, 1, 0, KEVENT_START_DISABLED, 1);
	ASSERT_EQ(0, do_change(q->fd, &c));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 6));
	EXPECT_QUIET(q);
	c = make_typed(SET, KEVENT_TYPE_USER, 1, 0, KEVENT_DISPATCH, 2);
	ASSERT_EQ(0, do_change(q->fd, &c));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 2, KEVENT_USER_TRIGGERED, 0, 6, 2);
	EXPECT_QUIET(q);
}

/* ---- entries that depend on each other ---- */

#define CHAIN	14	/* more than two of the kernel's chunks */

/*
 * A chain of ADDs, the one at @bad wrong: those after it are skipped, wherever
 * the chunks of the kernel end; what does not depend is not.
 */
TEST_F(change, depends)
{
	struct kevent_change c[CHAIN + 2];
	int fds[CHAIN + 2], bad, i, want;

	for (i = 0; i < CHAIN + 2; i++)
		fds[i] = make_eventfd(0);
	for (bad = 0; bad <= CHAIN; bad++) {
		for (i = 0; i < CHAIN + 2; i++)
			c[i] = make_change(ADD, fds[i], EV_IN, i && i != CHAIN ?
					   KEVENT_DEPENDS : 0, i);
		if (bad < CHAIN)
			c[bad].ident = 999;
		EXPECT_EQ(CHAIN + 2, sys_kevent_ctl(self->q.fd, c, CHAIN + 2,
						    sizeof(c[0]), 0));
		for (i = 0; i < CHAIN + 2; i++) {
			want = i >= CHAIN || i < bad ? 0 :
			       i == bad ? -EBADF : -ECANCELED;
			EXPECT_EQ(want, c[i].result)
				TH_LOG("bad %d entry %d", bad, i);
			EXPECT_EQ(want ? -ENOENT : 0,
				  remove_fd(self->q.fd, fds[i]));
		}
	}
	for (i = 0; i < CHAIN + 2; i++)
		close(fds[i]);
}

TEST_F(change, depends_on_what)
{
	const int fd = self->fd, kfd = self->q.fd;
	const __u32 depends = KEVENT_DEPENDS;
	struct kevent_change c[8];
	__u64 id;
	int i;

	/* nothing stands before the first */
	c[0] = make_change(ADD, fd, EV_IN, depends, 1);
	EXPECT_EQ(-EINVAL, do_change(kfd, &c[0]));
	c[1] = make_change(ADD, fd, EV_IN, depends, 1);
	EXPECT_EQ(2, sys_kevent_ctl(kfd, c, 2, sizeof(c[0]), 0));
	EXPECT_EQ(-EINVAL, c[0].result);
	EXPECT_EQ(-ECANCELED, c[1].result);

	/* the pair: REMOVE of what is not there, and an ADD that must not be */
	c[0] = make_change(REMOVE, fd, 0, 0, 0);
	c[1] = make_change(ADD, fd, EV_IN, depends, 1);
	EXPECT_EQ(2, sys_kevent_ctl(kfd, c, 2, sizeof(c[0]), 0));
	EXPECT_EQ(-ENOENT, c[0].result);
	EXPECT_EQ(-ECANCELED, c[1].result);
	ASSERT_EQ(0, add_fd(kfd, fd, EV_IN, 0, 1, &id));
	EXPECT_EQ(2, sys_kevent_ctl(kfd, c, 2, sizeof(c[0]), 0));
	EXPECT_EQ(0, c[0].result | c[1].result);
	EXPECT_LT(id, c[1].id);

	/* each operation can be skipped, and one that is wrong itself is */
	c[0] = make_change(ADD, fd, EV_IN, 0, 1);
	c[1] = make_change(MODIFY, fd, EV_IN, depends | KEVENT_START_DISABLED, 2);
	c[2] = make_change(DISABLE, fd, 0, depends, 0);
	c[3] = make_change(ENABLE, fd, 0, depends, 0);
	c[4] = make_typed(TRIGGER, KEVENT_TYPE_USER, 1, 0, depends, 0);
	c[5] = make_change(SET, fd, 1U << 31, depends, 0);
	c[6] = make_typed(QUERY, 0, 0, 0, depends | KEVENT_BY_ID, 0);
	c[6].id = c[1].id;
	c[7] = make_change(REMOVE, fd, 0, depends, 0);
	EXPECT_EQ(8, sys_kevent_ctl(kfd, c, 8, sizeof(c[0]), 0));
	EXPECT_EQ(-EEXIST, c[0].result);
	for (i = 1; i < 8; i++)
		EXPECT_EQ(-ECANCELED, c[i].result) TH_LOG("entry %d", i);
	EXPECT_EQ(0, remove_fd(kfd, fd));

	/* alive, then changed */
	ASSERT_EQ(0, add_fd(kfd, fd, EV_IN, 0, 1, &id));
	c[0] = make_typed(QUERY, 0, 0, 0, KEVENT_BY_ID, 0);
	c[1] = make_change(REMOVE, 0, 0, KEVENT_BY_ID | depends, 0);
	c[0].id = id;
	c[1].id = id;
	c[2] = make_change(ADD, fd, EV_IN, depends, 2);
	EXPECT_EQ(3, sys_kevent_ctl(kfd, c, 3, sizeof(c[0]), 0));
	EXPECT_EQ(0, c[0].result | c[1].result | c[2].result);
	EXPECT_EQ(-ENOENT, ask(kfd, id, &c[0]));
	EXPECT_EQ(0, ask(kfd, c[2].id, &c[0]));
}

/* In a wait: it does not sleep, and a later call is another array. */
TEST_F(change, depends_in_a_wait)
{
	struct kevent_change c[2] = {
		make_change(REMOVE, self->fd, 0, 0, 0),
		make_change(ADD, self->fd, EV_IN, KEVENT_DEPENDS, 1),
	};
	struct kevent_wait_args a = {
		.changes = (unsigned long)c, .nr_changes = 2,
		.change_size = sizeof(c[0]),
	};

	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 1, &a, sizeof(a)));
	EXPECT_EQ(2U, a.changes_done);
	EXPECT_EQ(-ENOENT, c[0].result);
	EXPECT_EQ(-ECANCELED, c[1].result);
	c[0] = make_change(ADD, self->fd, EV_IN, 0, 1);
	a.nr_changes = 1;
	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 0, &a, sizeof(a)));
	EXPECT_EQ(0, c[0].result);
	c[0] = make_change(REMOVE, self->fd, 0, KEVENT_DEPENDS, 1);
	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 0, &a, sizeof(a)));
	EXPECT_EQ(-EINVAL, c[0].result);
}

/* ---- QUERY ---- */

/* An answer can be given to SET. */
TEST_F(change, query_and_set)
{
	struct kevent_change c;
	__u64 id;

	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE |
			    KEVENT_WANT_LAST, 9, &id));
	ASSERT_EQ(0, ask(self->q.fd, id, &c));
	ASSERT_EQ(0, remove_fd(self->q.fd, self->fd));
	EXPECT_TAKE(&self->q, 9, 0, LAST);
	c.op = SET;
	c.id = 0;
	ASSERT_EQ(0, do_change(self->q.fd, &c));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_TAKE(&self->q, 9, EV_IN, 0);
}

TEST_F(change, query_errors)
{
	int kfd = self->q.fd;
	struct kevent_change c;
	__u64 id;

	ASSERT_EQ(0, add_fd(kfd, self->fd, EV_IN, KEVENT_ONESHOT, 9, &id));
	c = make_typed(QUERY, 0, 0, 0, 0, 0);
	EXPECT_EQ(-EINVAL, do_change(kfd, &c));
	/* by id only: no name, no type */
	c = make_change(QUERY, self->fd, 0, 0, 0);
	EXPECT_EQ(-EINVAL, do_change(kfd, &c));
	c = make_change(QUERY, 0, 0, KEVENT_BY_ID, 0);
	c.id = id;
	EXPECT_EQ(-EINVAL, do_change(kfd, &c));
	EXPECT_EQ(-ENOENT, ask(kfd, 0, &c));
	EXPECT_EQ(-ENOENT, ask(kfd, id + 1, &c));
	EXPECT_EQ(-ENOENT, ask(kfd, ~0ULL, &c));
	EXPECT_EQ(0, ask(kfd, id, &c));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(-ENOENT, ask(kfd, id, &c));
	/* dead, though its last record is held back */
	ASSERT_EQ(0, add_fd(kfd, self->fd, EV_IN, KEVENT_DISPATCH |
			    KEVENT_WANT_LAST | KEVENT_HOLD_LAST, 9, &id));
	EXPECT_EQ(0, ask(kfd, id, &c));
	EXPECT_EQ(KEVENT_START_DISABLED, c.flags & KEVENT_START_DISABLED);
	ASSERT_EQ(0, remove_fd(kfd, self->fd));
	EXPECT_EQ(-ENOENT, ask(kfd, id, &c));
}

/* Answers in an array longer than a chunk, of entries wider than the kernel's. */
TEST_F(change, query_array)
{
	static const int size = 120;
	struct ukevent_queue *q = &self->q;
	struct kevent_change *c;
	__u64 id[9], words[9 * 15];
	char *buf = (char *)words;
	int i;

	memset(words, 0, sizeof(words));
	for (i = 0; i < 9; i++) {
		c = (struct kevent_change *)(buf + i * size);
		if (i % 3 == 2) {
			*c = make_typed(SET, KEVENT_TYPE_USER, i, 0, 0, i);
			continue;
		}
		ASSERT_EQ(0, add_fd(q->fd, dup(self->fd), EV_IN, 0, 100 + i,
				    &id[i]));
		*c = make_typed(QUERY, 0, 0, 0, KEVENT_BY_ID, 0);
		c->id = id[i];
	}
	EXPECT_EQ(9, sys_kevent_ctl(q->fd, (void *)buf, 9, size, 0));
	for (i = 0; i < 9; i++) {
		c = (struct kevent_change *)(buf + i * size);
		EXPECT_EQ(0, c->result);
		EXPECT_EQ(i % 3 == 2 ? (__u64)i : 100ULL + i, c->cookie);
		EXPECT_EQ(0ULL, words[i * 15 + 12] | words[i * 15 + 13] |
			  words[i * 15 + 14]);
	}
}

/* ---- last records ---- */

/* Number of interests that the queue has, by its fdinfo. */
static int interests_of(const struct ukevent_queue *q)
{
	char path[64], text[4096], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	if (read_text(path, text, sizeof(text)) <= 0)
		return -EIO;
	p = strstr(text, "interests: ");
	return p ? atoi(p + 11) : -EPROTO;
}

TEST_F(change, no_last)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH,
		KEVENT_DISPATCH | KEVENT_HOLD_LAST,
	};
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	int fired;
	size_t i;
	__u64 id;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
	for (fired = 0; fired < 2; fired++) {
		if (modes[i] == KEVENT_ONESHOT && fired)
			continue;	/* has ended */
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i] |
				    KEVENT_WANT_LAST, i, &id));
		if (fired) {
			ASSERT_EQ(0, eventfd_add(self->fd, 1));
			EXPECT_TAKE(q, i, EV_IN, 0);
			EXPECT_EQ(1ULL, eventfd_take(self->fd));
		}
		c = make_change(REMOVE, self->fd, 0, KEVENT_NO_LAST, 0);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, interests_of(q));
		/* there is nothing to be acknowledged */
		EXPECT_EQ(-ENOENT, op_id(q->fd, ENABLE, id, 0));
		EXPECT_EQ(-ENOENT, op_id(q->fd, REMOVE, id, KEVENT_ACK));
		EXPECT_QUIET(q);
	}
}

/* Somebody else has removed it: the record is theirs, and this no ACK. */
TEST_F(change, no_last_too_late)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_DISPATCH |
			    KEVENT_WANT_LAST | KEVENT_HOLD_LAST, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(-ENOENT, op_id(q->fd, REMOVE, id, KEVENT_NO_LAST));
	EXPECT_QUIET(q);
	/* with it, it is both: done, and no record for this call */
	EXPECT_EQ(-ENOENT, op_id(q->fd, REMOVE, id, KEVENT_ACK |
				 KEVENT_NO_LAST));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_EQ(0, interests_of(q));
}

/* With one consumer nobody acknowledges, and nothing waits for it. */
TEST_F(change, dispatch_not_held)
{
	struct ukevent_queue *q = &self->q;
	int closed, fd;

	for (closed = 0; closed < 2; closed++) {
		fd = make_eventfd(1);
		ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_DISPATCH |
				    KEVENT_WANT_LAST, 1, NULL));
		EXPECT_TAKE(q, 1, EV_IN, 0);
		if (!closed)
			EXPECT_EQ(0, remove_fd(q->fd, fd));
		close(fd);
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE(q, 1, closed ? EV_HUP : 0, LAST);
		EXPECT_QUIET(q);
		EXPECT_EQ(0, interests_of(q));
	}
}

/* Who holds the record, modifies: to arm is to acknowledge, else it is not. */
TEST_F(change, modify_acknowledges)
{
	static const __u32 held = KEVENT_DISPATCH | KEVENT_WANT_LAST |
				  KEVENT_HOLD_LAST;
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, held, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(1ULL, eventfd_take(self->fd));
	EXPECT_EQ(0, modify_fd(q->fd, self->fd, EV_IN, held, 2));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_TAKE(q, 2, 0, LAST);

	/* removed by another one meanwhile */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, held, 3, &id));
	EXPECT_TAKE(q, 3, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	c = make_change(MODIFY, 0, EV_IN, held | KEVENT_BY_ID |
			KEVENT_START_DISABLED, 4);
	c.id = id;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	EXPECT_QUIET(q);
	c.flags &= ~KEVENT_START_DISABLED;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	EXPECT_TAKE(q, 3, 0, LAST);

	/* no longer wanted: nothing to hold back */
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, held, 5, &id));
	EXPECT_TAKE(q, 5, EV_IN, 0);
	EXPECT_EQ(0, modify_fd(q->fd, self->fd, EV_IN, KEVENT_DISPATCH |
			       KEVENT_START_DISABLED, 6));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(-ENOENT, op_id(q->fd, ENABLE, id, 0));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, interests_of(q));
}

#define NR_CONNS	1000

/*
 * One-shot connections: each sends a request, is answered and closed, by one
 * thread that knows nothing of acknowledgments.  As with epoll nothing is left.
 */
TEST_F(change, oneshot_connections_closed)
{
	struct ukevent_queue *q = &self->q;
	int fds[2], i, n, answered = 0, ended = 0;
	static int peers[NR_CONNS];
	struct ukevent ev;
	char c;

	ASSERT_EQ(0, raise_nofile(3 * NR_CONNS));
	for (i = 0; i < NR_CONNS; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
					SOCK_NONBLOCK, 0, fds));
		peers[i] = fds[1];
		ASSERT_EQ(0, add_fd(q->fd, fds[0], EV_IN, KEVENT_DISPATCH |
				    KEVENT_WANT_LAST, fds[0], NULL));
		ASSERT_EQ(1, write(fds[1], "q", 1));
	}
	EXPECT_EQ(NR_CONNS, interests_of(q));
	while (ended < NR_CONNS) {
		n = ukevent_dequeue(q, &ev, TEST_LONG_MS * NSEC_PER_MSEC);
		ASSERT_EQ(1, n) TH_LOG("%d answered, %d ended", answered, ended);
		if (ev.flags & LAST) {
			ended++;
			continue;
		}
		answered++;
		ASSERT_EQ(1, read(ev.cookie, &c, 1));
		ASSERT_EQ(1, write(ev.cookie, "a", 1));
		close(ev.cookie);
	}
	EXPECT_EQ(NR_CONNS, answered);
	for (i = 0; i < NR_CONNS; i++) {
		EXPECT_EQ(1, read(peers[i], &c, 1));
		close(peers[i]);
	}
	EXPECT_QUIET(q);
	EXPECT_EQ(0, interests_of(q));
}

TEST_HARNESS_MAIN
