// SPDX-License-Identifier: GPL-2.0
/*
 * The library: descriptors by number.  What is set and taken back; numbers that are
 * another file's by the time it is applied, and files that live on elsewhere.  Other
 * threads that do so while a turn sleeps.  Of those that are streams, bytes and sends.
 */
#include "counted.h"
#include "kevent_test.h"

#include "../../../lib/kevent/ukevent_fds.h"

#define NR_FDS	512

struct told {
	int	nr;
	int	fd;
	int	error;
	int	remove;		/* another one, or 0 */
};

static void told_failed(struct ukevent_fds *fds, int fd, int error)
{
	struct told *told = fds->data;

	if (told->remove)
		ukevent_fds_remove(fds, told->remove);
	told->nr++;
	told->fd = fd;
	told->error = error;
}

static int watch_nothing(struct ukevent_queue *q, struct ukevent_fds *fds,
			 struct ukevent_fd *table, struct told *told,
			 unsigned int type, bool noring)
{
	int ret = noring ? queue_init_noring(q, 256) : queue_init(q, 256);

	ukevent_fds_init(fds, q, table, NR_FDS, type, told_failed);
	memset(told, 0, sizeof(*told));
	fds->data = told;
	return ret;
}

FIXTURE(fds)
{
	struct ukevent_queue	q;
	struct ukevent_fds	fds;
	struct ukevent_fd	table[NR_FDS];
	struct ukevent		ev[NR_FDS];
	struct told		told;
};

FIXTURE_VARIANT(fds)
{
	unsigned int	type;
	bool		noring;
};

FIXTURE_VARIANT_ADD(fds, poll)
{
	.type = KEVENT_TYPE_POLL,
};

FIXTURE_VARIANT_ADD(fds, socket)
{
	.type = KEVENT_TYPE_SOCKET,
};

FIXTURE_VARIANT_ADD(fds, get_events)
{
	.type = KEVENT_TYPE_POLL,
	.noring = true,
};

FIXTURE_SETUP(fds)
{
	ASSERT_EQ(0, watch_nothing(&self->q, &self->fds, self->table, &self->told,
				   variant->type, variant->noring));
	memset(&counted, 0, sizeof(counted));
}

FIXTURE_TEARDOWN(fds)
{
	ukevent_queue_exit(&self->q);
}

#define TURN(timeout)	ukevent_fds_turn(&self->fds, self->ev, NR_FDS, timeout)

#define EXPECT_CALLS(ctls, waits, nr_changes) \
do { \
	EXPECT_EQ((unsigned int)(ctls), counted.ctl); \
	EXPECT_EQ((unsigned int)(waits), counted.wait); \
	EXPECT_EQ((unsigned int)(nr_changes), counted.changes); \
} while (0)

/* The only record of a turn. */
#define EXPECT_TOLD(timeout, number, bits) \
do { \
	ASSERT_EQ(1, TURN(timeout)); \
	EXPECT_EQ((__u64)(number), self->ev[0].cookie); \
	EXPECT_EQ((__u32)(bits), self->ev[0].events); \
} while (0)

static void pair_open(struct __test_metadata *_metadata, int *pair)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
}

static void pair_close(int *pair)
{
	close(pair[0]);
	close(pair[1]);
}

static int say(int fd)
{
	return write(fd, "x", 1) == 1 ? 0 : -1;
}

static int hear(int fd)
{
	char c;

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

/* As many changes as descriptors differ from what they were, with the wait. */
static const struct {
	const char	*name;
	int		set[4];		/* events, or -1: removed; 0 ends */
	unsigned int	changes;
	unsigned int	told;
} sequences[] = {
	{ "set",			{ EV_IN },				1, EV_IN },
	{ "set twice",			{ EV_OUT, EV_IN },			1, EV_IN },
	{ "more",			{ EV_IN, EV_IN | EV_OUT },		1, EV_IN | EV_OUT },
	{ "less",			{ EV_IN | EV_OUT, EV_OUT },		1, EV_OUT },
	{ "removed",			{ EV_IN, -1 },				0, 0 },
	{ "removed, set",		{ EV_IN, -1, EV_OUT },			1, EV_OUT },
	{ "never set, removed",		{ -1 },					0, 0 },
	{ "removed twice",		{ EV_IN, -1, -1 },			0, 0 },
};

TEST_F(fds, changes)
{
	unsigned int i, j;
	int pair[2];

	pair_open(_metadata, pair);
	ASSERT_EQ(0, say(pair[1]));
	for (i = 0; i < ARRAY_SIZE(sequences); i++) {
		TH_LOG("%s", sequences[i].name);
		memset(&counted, 0, sizeof(counted));
		for (j = 0; j < 4 && sequences[i].set[j]; j++) {
			if (sequences[i].set[j] < 0)
				ukevent_fds_remove(&self->fds, pair[0]);
			else
				ukevent_fds_set(&self->fds, pair[0], sequences[i].set[j]);
		}
		EXPECT_EQ(sequences[i].told ? 1 : 0, TURN(0));
		if (sequences[i].told) {
			EXPECT_EQ((__u64)pair[0], self->ev[0].cookie);
			EXPECT_EQ(sequences[i].told, self->ev[0].events);
			EXPECT_CALLS(0, 1, sequences[i].changes);
		}
		EXPECT_EQ(sequences[i].changes, counted.changes);
		/* As it was: nothing is left to be applied. */
		if (sequences[i].told)
			ukevent_fds_set(&self->fds, pair[0], sequences[i].told);
		TURN(0);
		EXPECT_EQ(sequences[i].changes, counted.changes);
		ukevent_fds_remove(&self->fds, pair[0]);
		EXPECT_EQ(0, TURN(0));
	}
	EXPECT_EQ(0, self->told.nr);
	pair_close(pair);
}

/* One that is watched is changed, not made anew. */
TEST_F(fds, modified)
{
	int pair[2];

	pair_open(_metadata, pair);
	ukevent_fds_set(&self->fds, pair[0], EV_OUT);
	EXPECT_TOLD(0, pair[0], EV_OUT);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	ASSERT_EQ(0, say(pair[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
	EXPECT_EQ(2U, counted.changes);
	ukevent_fds_remove(&self->fds, pair[0]);
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, self->told.nr);
	pair_close(pair);
}

/* Told until it is not so any more. */
TEST_F(fds, level)
{
	int pair[2], i;

	pair_open(_metadata, pair);
	ASSERT_EQ(0, say(pair[1]));
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	for (i = 0; i < 5; i++)
		EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
	ASSERT_EQ(0, hear(pair[0]));
	EXPECT_EQ(0, TURN(0));
	pair_close(pair);
}

/* A record of before it was removed is nobody's, nor that of events not asked for. */
TEST_F(fds, stale)
{
	int pair[2];

	pair_open(_metadata, pair);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	ASSERT_EQ(0, say(pair[1]));
	ukevent_fds_remove(&self->fds, pair[0]);
	ukevent_fds_set(&self->fds, pair[0], EV_OUT);
	ASSERT_GE(TURN(0), 0);
	EXPECT_TOLD(0, pair[0], EV_OUT);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	ASSERT_EQ(1, TURN(0));
	EXPECT_EQ((__u32)EV_IN, self->ev[0].events);
	ASSERT_EQ(0, hear(pair[0]));
	EXPECT_EQ(0, TURN(0));

	/* The same events, of the interest before. */
	ASSERT_EQ(0, say(pair[1]));
	ASSERT_EQ(0, hear(pair[0]));
	ukevent_fds_remove(&self->fds, pair[0]);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	pair_close(pair);
}

/*
 * Closed, and the number is another file's, both before a turn: with and without one who
 * holds the first open, so that the close ends nothing.
 */
static const struct {
	const char	*name;
	bool		held;
	bool		applied;	/* the first was watched by then */
} reuses[] = {
	{ "closed",			false, true },
	{ "held",			true,  true },
	{ "closed, never watched",	false, false },
	{ "held, never watched",	true,  false },
};

TEST_F(fds, reused)
{
	int first[2], second[2], held, number, n;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reuses); i++) {
		TH_LOG("%s", reuses[i].name);
		pair_open(_metadata, first);
		pair_open(_metadata, second);
		number = first[0];
		held = reuses[i].held ? dup(number) : -1;
		ASSERT_EQ(0, say(first[1]));
		ukevent_fds_set(&self->fds, number, EV_IN);
		if (reuses[i].applied)
			EXPECT_TOLD(0, number, EV_IN);
		ukevent_fds_remove(&self->fds, number);
		ASSERT_EQ(number, dup2(second[0], number));
		ukevent_fds_set(&self->fds, number, EV_IN);
		/* Bytes of the first are still there, of the second none. */
		for (n = 0; n < 3; n++)
			EXPECT_EQ(0, TURN(0));
		ASSERT_EQ(0, say(second[1]));
		EXPECT_TOLD(UKEVENT_FOREVER, number, EV_IN);
		ASSERT_EQ(0, hear(number));
		EXPECT_EQ(0, TURN(0));
		/* The kernel has no other that it would look at. */
		if (!variant->noring)
			EXPECT_EQ(0, flush_ring(&self->q));
		ukevent_fds_remove(&self->fds, number);
		if (held >= 0)
			close(held);
		pair_close(first);
		pair_close(second);
	}
	EXPECT_EQ(0, self->told.nr);
}

static void *says_later(void *arg)
{
	sleep_ms(TEST_SHORT_MS);
	return (void *)(long)say(*(int *)arg);
}

/* The close was first: that is no reason for the program to be told anything. */
TEST_F(fds, sleeps_after_close)
{
	int gone[2], pair[2];
	pthread_t thread;
	void *ret;

	pair_open(_metadata, gone);
	pair_open(_metadata, pair);
	ukevent_fds_set(&self->fds, gone[0], EV_IN);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	ukevent_fds_remove(&self->fds, gone[0]);
	pair_close(gone);
	memset(&counted, 0, sizeof(counted));
	ASSERT_EQ(0, pthread_create(&thread, NULL, says_later, &pair[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
	EXPECT_EQ(0U, counted.ctl);
	EXPECT_LE(counted.wait, 2U);
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, self->told.nr);
	pair_close(pair);
}

/* What cannot be watched, told by the turn or at once. */
static const struct {
	const char	*name;
	const char	*path;		/* NULL: a descriptor that is none */
	int		error[2];	/* POLL, SOCKET */
} refused[] = {
	{ "no descriptor",	NULL,		{ EBADF, EBADF } },
	{ "a directory",	"/",		{ EPERM, ENOTSOCK } },
};

TEST_F(fds, fails)
{
	const bool socket = variant->type == KEVENT_TYPE_SOCKET;
	int pair[2], fd, error;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		TH_LOG("%s", refused[i].name);
		error = refused[i].error[socket];
		pair_open(_metadata, pair);
		fd = refused[i].path ? open(refused[i].path, O_RDONLY) : NR_FDS - 1;
		ASSERT_GE(fd, 0);
		memset(&self->told, 0, sizeof(self->told));
		/* Others are watched all the same. */
		ASSERT_EQ(0, say(pair[1]));
		ukevent_fds_set(&self->fds, pair[0], EV_IN);
		ukevent_fds_set(&self->fds, fd, EV_IN);
		EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
		EXPECT_EQ(1, self->told.nr);
		EXPECT_EQ(fd, self->told.fd);
		EXPECT_EQ(error, self->told.error);
		/* Who would sleep for ever hears of it first. */
		ASSERT_EQ(0, hear(pair[0]));
		EXPECT_EQ(0, TURN(0));
		ukevent_fds_set(&self->fds, fd, EV_IN);
		EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
		EXPECT_EQ(2, self->told.nr);

		ukevent_fds_set(&self->fds, fd, EV_IN);
		EXPECT_EQ(-error, ukevent_fds_now(&self->fds, fd));
		EXPECT_EQ(0, TURN(0));
		EXPECT_EQ(2, self->told.nr);
		ukevent_fds_remove(&self->fds, pair[0]);
		pair_close(pair);
		if (refused[i].path)
			close(fd);
	}
}

/*
 * Who is told that one cannot be watched removes another one that was set with it, the
 * id of which is not known yet.
 */
TEST_F(fds, failed_removes)
{
	int pair[2], n;

	pair_open(_metadata, pair);
	ASSERT_EQ(0, say(pair[1]));
	self->told.remove = pair[0];
	/* The last that was set is told first. */
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	ukevent_fds_set(&self->fds, NR_FDS - 1, EV_IN);
	for (n = 0; n < 3; n++)
		EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(1, self->told.nr);
	/* The kernel has none that it would look at. */
	if (!variant->noring)
		EXPECT_EQ(0, flush_ring(&self->q));
	EXPECT_EQ(-ENOENT, ukevent_op(&self->q, KEVENT_OP_REMOVE, variant->type, pair[0]));
	pair_close(pair);
}

/* At once, and nothing is left for the turn; also in place of one that was removed. */
TEST_F(fds, now)
{
	int pair[2];

	pair_open(_metadata, pair);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, ukevent_fds_now(&self->fds, pair[0]));
	EXPECT_EQ(0, ukevent_fds_now(&self->fds, pair[0]));
	EXPECT_CALLS(1, 0, 1);
	ukevent_fds_remove(&self->fds, pair[0]);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, ukevent_fds_now(&self->fds, pair[0]));
	ASSERT_EQ(0, say(pair[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
	EXPECT_EQ(3U, counted.changes);
	EXPECT_EQ(0, self->told.nr);
	pair_close(pair);
}

/* More than there is room for in one call. */
TEST_F(fds, many)
{
	const int nr = 3 * UKEVENT_GATHERED;
	int pair[3 * UKEVENT_GATHERED][2], i, n, told = 0;

	ASSERT_EQ(0, raise_nofile(NR_FDS));
	for (i = 0; i < nr; i++) {
		pair_open(_metadata, pair[i]);
		ASSERT_LT(pair[i][1], NR_FDS);
		ukevent_fds_set(&self->fds, pair[i][0], EV_IN);
		ASSERT_EQ(0, say(pair[i][1]));
	}
	while (told < nr) {
		n = TURN(UKEVENT_FOREVER);
		ASSERT_GT(n, 0);
		told += n;
		for (i = 0; i < n; i++) {
			ASSERT_EQ(0, hear(self->ev[i].cookie));
			ukevent_fds_remove(&self->fds, self->ev[i].cookie);
			close(self->ev[i].cookie);
		}
	}
	EXPECT_EQ(nr, told);
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, self->told.nr);
	for (i = 0; i < nr; i++)
		close(pair[i][1]);
}

/* A table in another place: what was watched is, and the new entries are empty. */
TEST_F(fds, resized)
{
	struct ukevent_fd table[2 * NR_FDS];
	int pair[2], high;

	ASSERT_EQ(0, raise_nofile(2 * NR_FDS));
	pair_open(_metadata, pair);
	ukevent_fds_set(&self->fds, pair[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	memset(table, 0xff, sizeof(table));
	memcpy(table, self->table, sizeof(self->table));
	ukevent_fds_resize(&self->fds, table, 2 * NR_FDS);
	high = dup2(pair[1], 2 * NR_FDS - 1);
	ASSERT_EQ(2 * NR_FDS - 1, high);
	ukevent_fds_set(&self->fds, high, EV_OUT);
	EXPECT_TOLD(UKEVENT_FOREVER, high, EV_OUT);
	ukevent_fds_remove(&self->fds, high);
	close(high);
	ASSERT_EQ(0, say(pair[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, pair[0], EV_IN);
	pair_close(pair);
}

/* ---- other threads, while a turn sleeps ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;

static void leave(struct ukevent_fds *fds, int away)
{
	if (!away) {
		pthread_mutex_lock(&lock);
		return;
	}
	pthread_cond_signal(&left);
	pthread_mutex_unlock(&lock);
	(void)fds;
}

/* What another thread does, once, with the lock of a turn that is asleep. */
struct other {
	pthread_t		thread;
	int			turns;		/* who is to be asleep, or 0 */
	struct ukevent_fds	*fds;
	int			(*act)(struct other *other);
	int			pair[2];
	int			second[2];	/* another file for the number */
	int			end[2];		/* watched; told as nothing else is */
	__u32			told;
};

static void *other_main(void *arg)
{
	struct other *other = arg;
	int ret;

	pthread_mutex_lock(&lock);
	while (!other->fds->away)
		pthread_cond_wait(&left, &lock);
	/* In the kernel, with all it has taken there. */
	ret = other->turns ? task_asleep(other->turns) : 0;
	ret |= other->act(other);
	if (!other->told)
		ret |= say(other->end[1]);
	pthread_mutex_unlock(&lock);
	return (void *)(long)ret;
}

static int other_sets(struct other *other)
{
	int ret = say(other->pair[1]);

	ukevent_fds_set(other->fds, other->pair[0], EV_IN);
	return ret;
}

static int other_sets_first(struct other *other)
{
	ukevent_fds_set(other->fds, other->pair[0], EV_IN);
	return say(other->pair[1]);
}

static int other_sets_now(struct other *other)
{
	int ret = other_sets(other);

	return ret | ukevent_fds_now(other->fds, other->pair[0]);
}

static int other_sets_out(struct other *other)
{
	ukevent_fds_set(other->fds, other->pair[0], EV_OUT);
	return 0;
}

/* By the call, and not by the next turn. */
static int other_removed(struct other *other)
{
	const unsigned int type = ukevent_fds_type(other->fds,
						   other->fds->fd[other->pair[0]].watched);

	ukevent_fds_remove(other->fds, other->pair[0]);
	return ukevent_op(other->fds->io.loop.q, KEVENT_OP_REMOVE, type,
			  other->pair[0]) == -ENOENT ? 0 : -1;
}

static int other_removes(struct other *other)
{
	int ret = other_removed(other);

	return ret | say(other->pair[1]);
}

/* The record may be in the ring, or taken, by then. */
static int other_removes_late(struct other *other)
{
	int ret = say(other->pair[1]);

	return ret | other_removed(other);
}

/* The first file lives on, as a child may hold it, and is readable. */
static int other_reuses(struct other *other)
{
	int held = dup(other->pair[0]), ret = other_removes_late(other);

	if (held < 0 || dup2(other->second[0], other->pair[0]) < 0)
		return -1;
	ukevent_fds_set(other->fds, other->pair[0], EV_IN);
	return ret;
}

static int other_reuses_told(struct other *other)
{
	int ret = other_reuses(other);

	return ret | say(other->second[1]);
}

static int other_sets_none(struct other *other)
{
	ukevent_fds_set(other->fds, NR_FDS - 1, EV_IN);
	return 0;
}

static const struct {
	const char	*name;
	int		(*act)(struct other *other);
	__u32		told;		/* of the descriptor; 0: of the other only */
	bool		is_set;		/* before */
} others[] = {
	{ "sets",			other_sets,		EV_IN,	false },
	{ "sets, told later",		other_sets_first,	EV_IN,	false },
	{ "sets now",			other_sets_now,		EV_IN,	false },
	{ "modifies",			other_sets_out,		EV_OUT,	true },
	{ "removes",			other_removes,		0,	true },
	{ "removes what is told",	other_removes_late,	0,	true },
	{ "removes none",		other_removes,		0,	false },
	{ "closes, sets",		other_reuses,		0,	true },
	{ "closes, sets, told",		other_reuses_told,	EV_IN,	true },
};

FIXTURE(shared)
{
	struct ukevent_queue	q;
	struct ukevent_fds	fds;
	struct ukevent_fd	table[NR_FDS];
	struct ukevent		ev[NR_FDS];
	struct told		told;
	struct other		other;
};

FIXTURE_VARIANT(shared)
{
	unsigned int	type;
	bool		noring;
};

FIXTURE_VARIANT_ADD(shared, poll)
{
	.type = KEVENT_TYPE_POLL,
};

FIXTURE_VARIANT_ADD(shared, socket)
{
	.type = KEVENT_TYPE_SOCKET,
};

FIXTURE_VARIANT_ADD(shared, get_events)
{
	.type = KEVENT_TYPE_POLL,
	.noring = true,
};

FIXTURE_SETUP(shared)
{
	ASSERT_EQ(0, watch_nothing(&self->q, &self->fds, self->table, &self->told,
				   variant->type, variant->noring));
	ASSERT_EQ(0, ukevent_fds_share(&self->fds, leave));
	self->other.fds = &self->fds;
	self->other.turns = getpid();
	pair_open(_metadata, self->other.end);
	ukevent_fds_set(&self->fds, self->other.end[0], EV_IN);
	pthread_mutex_lock(&lock);
	EXPECT_EQ(0, TURN(0));
}

FIXTURE_TEARDOWN(shared)
{
	pthread_mutex_unlock(&lock);
	pair_close(self->other.end);
	ukevent_queue_exit(&self->q);
}

/* The kernel has no interest in it, and nothing of one. */
#define EXPECT_NOT_WATCHED(number) \
do { \
	ukevent_fds_remove(&self->fds, number); \
	EXPECT_EQ(0, TURN(0)); \
	EXPECT_EQ(-ENOENT, ukevent_op(&self->q, KEVENT_OP_REMOVE, variant->type, number)); \
	if (!variant->noring) \
		EXPECT_EQ(0, flush_ring(&self->q)); \
} while (0)

/* Each of them with what was set before applied, and with it gathered for the turn. */
TEST_F(shared, others)
{
	struct other *other = &self->other;
	unsigned int i, gathered;
	void *ret;

	for (i = 0; i < 2 * ARRAY_SIZE(others); i++) {
		gathered = i % 2;
		TH_LOG("%s%s", others[i / 2].name, gathered ? ", gathered" : "");
		pair_open(_metadata, other->pair);
		pair_open(_metadata, other->second);
		other->act = others[i / 2].act;
		other->told = others[i / 2].told;
		if (others[i / 2].is_set)
			ukevent_fds_set(&self->fds, other->pair[0], EV_IN);
		else if (gathered)
			ukevent_fds_set(&self->fds, other->second[0], EV_IN);
		if (!gathered)
			EXPECT_EQ(0, TURN(0));
		ASSERT_EQ(0, pthread_create(&other->thread, NULL, other_main, other));
		if (other->told) {
			EXPECT_TOLD(UKEVENT_FOREVER, other->pair[0], other->told);
		} else {
			EXPECT_TOLD(UKEVENT_FOREVER, other->end[0], EV_IN);
			ASSERT_EQ(0, hear(other->end[0]));
		}
		ASSERT_EQ(0, pthread_join(other->thread, &ret));
		EXPECT_EQ(NULL, ret);
		EXPECT_NOT_WATCHED(other->pair[0]);
		EXPECT_NOT_WATCHED(other->second[0]);
		pair_close(other->pair);
		pair_close(other->second);
	}
	EXPECT_EQ(0, self->told.nr);
}

/* Told by the turn, and to its thread, which wakes. */
TEST_F(shared, others_fail)
{
	struct other *other = &self->other;
	void *ret;
	int i;

	other->act = other_sets_none;
	other->told = EV_IN;
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, pthread_create(&other->thread, NULL, other_main, other));
		EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
		EXPECT_EQ(i, self->told.nr);
		EXPECT_EQ(NR_FDS - 1, self->told.fd);
		EXPECT_EQ(EBADF, self->told.error);
		ASSERT_EQ(0, pthread_join(other->thread, &ret));
		EXPECT_EQ(NULL, ret);
	}
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(3, self->told.nr);
}

/* Only a turn that has changes and finds no record makes a call more. */
TEST_F(shared, calls)
{
	struct other *other = &self->other;

	memset(&counted, 0, sizeof(counted));
	ASSERT_EQ(0, say(other->end[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, other->end[0], EV_IN);
	EXPECT_EQ(0U, counted.ctl);
	EXPECT_LE(counted.wait, 1U);
	ukevent_fds_set(&self->fds, other->end[0], EV_IN | EV_OUT);
	memset(&counted, 0, sizeof(counted));
	EXPECT_TOLD(UKEVENT_FOREVER, other->end[0], EV_IN | EV_OUT);
	EXPECT_CALLS(0, 1, 1);
	ukevent_fds_set(&self->fds, other->end[0], EV_IN);
	ASSERT_EQ(0, hear(other->end[0]));
	EXPECT_EQ(0, TURN(0));
	/* For the change, and for the sleep. */
	ukevent_fds_remove(&self->fds, other->end[0]);
	memset(&counted, 0, sizeof(counted));
	EXPECT_EQ(0, TURN(1));
	EXPECT_CALLS(0, 2, 1);
}

/*
 * Numbers that come and go: nothing is told of one that is not set, whoever was there
 * before, and all is of one that stays.
 */
#define NR_SLOTS	8

struct slot {
	int		pair[2];	/* -1: closed */
	bool		heard;
};

struct slots {
	struct ukevent_fds	*fds;
	struct slot		slot[NR_SLOTS];
	int			end[2];
	int			loops;
	unsigned int		seed;
};

/* Opens one, or closes one that was heard, or by chance another one. */
static int slots_change(struct slots *slots)
{
	struct slot *slot = slots->slot + rand_r(&slots->seed) % NR_SLOTS;
	const int chance = rand_r(&slots->seed) % 4;

	if (slot->pair[0] < 0) {
		slot->heard = false;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, slot->pair))
			return -1;
		/* Before and after it is told of. */
		if (chance & 1 && say(slot->pair[1]))
			return -1;
		if (chance & 2)
			ukevent_fds_set(slots->fds, slot->pair[0], EV_OUT);
		ukevent_fds_set(slots->fds, slot->pair[0], EV_IN);
		return chance & 1 ? 0 : say(slot->pair[1]);
	}
	if (!slot->heard && chance)
		return 0;
	ukevent_fds_remove(slots->fds, slot->pair[0]);
	pair_close(slot->pair);
	slot->pair[0] = -1;
	return 0;
}

static bool slots_heard(const struct slots *slots)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		if (slots->slot[i].pair[0] >= 0 && !slots->slot[i].heard)
			return false;
	return true;
}

static void *slots_main(void *arg)
{
	struct slots *slots = arg;
	bool heard = false;
	int ret = 0;

	while (!ret && !heard) {
		pthread_mutex_lock(&lock);
		if (slots->loops > 0)
			ret = slots_change(slots);
		else
			heard = slots_heard(slots);
		slots->loops--;
		pthread_mutex_unlock(&lock);
		sched_yield();
	}
	return (void *)(long)(ret | say(slots->end[1]));
}

TEST_F_TIMEOUT(shared, race, 300)
{
	struct slots slots = {
		.fds = &self->fds, .loops = test_loops(20000), .seed = 1,
		.end = { self->other.end[0], self->other.end[1] },
	};
	pthread_t thread;
	bool ended = false;
	int i, k, n;
	void *ret;

	for (i = 0; i < NR_SLOTS; i++)
		slots.slot[i].pair[0] = -1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, slots_main, &slots));
	while (!ended) {
		n = TURN(UKEVENT_FOREVER);
		ASSERT_GT(n, 0);
		for (i = 0; i < n; i++) {
			if (self->ev[i].cookie == (__u64)slots.end[0]) {
				ended = true;
				continue;
			}
			for (k = 0; k < NR_SLOTS; k++)
				if (self->ev[i].cookie == (__u64)slots.slot[k].pair[0])
					break;
			ASSERT_LT(k, NR_SLOTS);
			/* One more may have been told before it was heard. */
			if (!slots.slot[k].heard)
				ASSERT_EQ(0, hear(slots.slot[k].pair[0]));
			slots.slot[k].heard = true;
		}
	}
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, hear(slots.end[0]));
	for (i = 0; i < NR_SLOTS; i++) {
		if (slots.slot[i].pair[0] < 0)
			continue;
		EXPECT_NOT_WATCHED(slots.slot[i].pair[0]);
		pair_close(slots.slot[i].pair);
	}
	if (!variant->noring)
		EXPECT_EQ(0, flush_ring(&self->q));
	EXPECT_EQ(0, self->told.nr);
}

/* ---- streams, in one table with others ---- */

#define STREAM_IN	(KEVENT_STREAM_RECV | KEVENT_STREAM_RDHUP)
#define STREAM_OFF	KEVENT_STREAM_RDHUP

struct fds_unsent {
	int	nr;
	int	remove;		/* that descriptor, then; -1: none */
	__s32	result;
};

FIXTURE(streams)
{
	struct ukevent_queue	q;
	struct ukevent_fds	fds;
	struct ukevent_fd	table[NR_FDS];
	struct ukevent		ev[NR_FDS];
	struct fds_unsent	unsent;
	int			pair[2], other[2];
};

static void note_unsent(struct ukevent_fds *fds, const struct kevent_send *send,
			uint64_t cookie)
{
	struct fds_unsent *unsent = fds->data;

	unsent->nr++;
	unsent->result = send->result;
	if (unsent->remove >= 0)
		ukevent_fds_remove(fds, unsent->remove);
	(void)cookie;
}

FIXTURE_SETUP(streams)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_DATA, .ring_entries = 256,
		.data_size = KEVENT_MIN_DATA_SIZE,
	};
	int ret = ukevent_queue_init(&self->q, &params);

	if (ret == -EOPNOTSUPP)
		SKIP(return, "the kernel carries no bytes");
	ASSERT_EQ(0, ret);
	ukevent_fds_init(&self->fds, &self->q, self->table, NR_FDS, KEVENT_TYPE_POLL, NULL);
	self->unsent.nr = 0;
	self->unsent.remove = -1;
	self->fds.data = &self->unsent;
	self->fds.unsent = note_unsent;
	pair_open(_metadata, self->pair);
	pair_open(_metadata, self->other);
	memset(&counted, 0, sizeof(counted));
}

FIXTURE_TEARDOWN(streams)
{
	pair_close(self->pair);
	pair_close(self->other);
	ukevent_queue_exit(&self->q);
}

static bool has_text(const struct ukevent_queue *q, const struct ukevent *ev,
		     const char *text)
{
	return ukevent_has_bytes(ev) && ukevent_length(ev) == strlen(text) &&
	       !memcmp(text, ukevent_bytes(q, ev), strlen(text));
}

/* The only record of a turn, with these bytes. */
#define EXPECT_BYTES(timeout, number, text) \
do { \
	ASSERT_EQ(1, TURN(timeout)); \
	EXPECT_EQ((__u64)(number), self->ev[0].cookie); \
	ASSERT_TRUE(has_text(&self->q, self->ev, text)); \
} while (0)

static int tell(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* The answer, what is set anew and the next wait are one call; a turn gives back. */
TEST_F(streams, turns)
{
	char answer[4];
	int i;

	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	ukevent_fds_set(&self->fds, self->other[0], EV_IN);
	/* More than the area holds: 256 of each record, at least. */
	for (i = 0; i < 2 * KEVENT_MIN_DATA_SIZE / 256; i++) {
		ASSERT_EQ(0, tell(self->pair[1], "ask"));
		memset(&counted, 0, sizeof(counted));
		EXPECT_BYTES(UKEVENT_FOREVER, self->pair[0], "ask");
		EXPECT_EQ(i ? 1U : 0U, counted.send);
		EXPECT_EQ(i ? 0U : 1U, counted.wait);
		EXPECT_EQ(i ? 1U : 2U, counted.changes);
		EXPECT_EQ(0U, counted.ctl);
		if (i) {
			ASSERT_EQ(3, read(self->pair[1], answer, sizeof(answer)));
			EXPECT_EQ(0, memcmp("ask", answer, 3));
		}
		ASSERT_EQ(0, ukevent_io_send(&self->fds.io, self->pair[0],
					     ukevent_bytes(&self->q, self->ev), 3, 0, 0));
		ukevent_fds_set(&self->fds, self->other[0], i % 2 ? EV_IN : EV_IN | EV_PRI);
	}
	ASSERT_EQ(0, say(self->other[1]));
	EXPECT_TOLD(UKEVENT_FOREVER, self->other[0], EV_IN);
	EXPECT_EQ(0, self->unsent.nr);
}

/* What has left the socket is told, though it is not asked for any more by then. */
TEST_F(streams, told_without_recv)
{
	char c;

	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	EXPECT_EQ(0, TURN(0));
	ASSERT_EQ(0, tell(self->pair[1], "early"));
	EXPECT_EQ(1, flush_ring(&self->q));
	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_OFF);
	EXPECT_BYTES(0, self->pair[0], "early");
	ASSERT_EQ(0, tell(self->pair[1], "late"));
	EXPECT_EQ(0, TURN(0));
	ASSERT_EQ(1, read(self->pair[0], &c, 1));
	EXPECT_EQ('l', c);
	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	EXPECT_BYTES(UKEVENT_FOREVER, self->pair[0], "ate");
}

/* Set without RECV at once, and what the ring has taken: the rest is in the socket. */
TEST_F(streams, handed_over)
{
	char rest[8];
	__u32 release;

	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	ukevent_fds_set(&self->fds, self->other[0], EV_IN);
	EXPECT_EQ(0, TURN(0));
	ASSERT_EQ(0, tell(self->pair[1], "early"));
	EXPECT_EQ(1, flush_ring(&self->q));
	ASSERT_EQ(0, say(self->other[1]));
	memset(&counted, 0, sizeof(counted));
	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_OFF);
	EXPECT_EQ(0, ukevent_fds_now(&self->fds, self->pair[0]));
	ASSERT_EQ(0, tell(self->pair[1], "late"));
	ASSERT_GE(ukevent_fds_take(&self->fds, self->ev, NR_FDS), 1);
	EXPECT_EQ((__u64)self->pair[0], self->ev[0].cookie);
	ASSERT_TRUE(has_text(&self->q, self->ev, "early"));
	release = KEVENT_STREAM_RELEASE(self->ev[0].data[1]);
	EXPECT_CALLS(1, 0, 1);
	ASSERT_EQ(4, read(self->pair[0], rest, sizeof(rest)));
	EXPECT_EQ(0, memcmp("late", rest, 4));
	/* What is level is told again, and the bytes are given back. */
	EXPECT_TOLD(UKEVENT_FOREVER, self->other[0], EV_IN);
	EXPECT_EQ(release, __atomic_load_n(self->q.release, __ATOMIC_RELAXED));
}

/* A number goes from one type to the other, with the interest of before ended by id. */
TEST_F(streams, changes_type)
{
	int i;

	for (i = 0; i < 3; i++) {
		ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
		ASSERT_EQ(0, tell(self->pair[1], "taken"));
		EXPECT_BYTES(UKEVENT_FOREVER, self->pair[0], "taken");
		ukevent_fds_remove(&self->fds, self->pair[0]);
		ukevent_fds_set(&self->fds, self->pair[0], EV_IN);
		EXPECT_EQ(0, TURN(0));
		ASSERT_EQ(0, say(self->pair[1]));
		EXPECT_TOLD(UKEVENT_FOREVER, self->pair[0], EV_IN);
		ASSERT_EQ(0, hear(self->pair[0]));
		ukevent_fds_remove(&self->fds, self->pair[0]);
	}
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, flush_ring(&self->q));
}

/* Bytes of a socket that was removed are nobody's, and do not stay in the area. */
TEST_F(streams, stale)
{
	int i;

	for (i = 0; i < 2 * KEVENT_MIN_DATA_SIZE / 256; i++) {
		ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
		EXPECT_EQ(0, TURN(0));
		ASSERT_EQ(0, tell(self->pair[1], "lost"));
		EXPECT_EQ(1, flush_ring(&self->q));
		ukevent_fds_remove(&self->fds, self->pair[0]);
		EXPECT_EQ(0, TURN(0));
	}
	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	ASSERT_EQ(0, tell(self->pair[1], "found"));
	EXPECT_BYTES(UKEVENT_FOREVER, self->pair[0], "found");
}

/* Who removes while it is told of sends does not lose what the turn added before. */
TEST_F(streams, unsent_removes)
{
	static char much[1 << 20];

	ukevent_fds_stream(&self->fds, self->pair[0], STREAM_IN);
	EXPECT_EQ(0, TURN(0));
	ukevent_fds_set(&self->fds, self->other[0], EV_IN);
	self->unsent.remove = self->pair[0];
	ASSERT_EQ(0, ukevent_io_send(&self->fds.io, self->pair[0], much, sizeof(much), 0, 0));
	/* It does not sleep. */
	EXPECT_EQ(0, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(1, self->unsent.nr);
	EXPECT_GT(self->unsent.result, 0);
	self->unsent.remove = -1;
	ASSERT_EQ(0, say(self->other[1]));
	EXPECT_TOLD(0, self->other[0], EV_IN);
	ukevent_fds_remove(&self->fds, self->other[0]);
	EXPECT_EQ(0, TURN(0));
	/* Without its id it would be watched for ever. */
	EXPECT_EQ(0, flush_ring(&self->q));
}

static int other_streams(struct other *other)
{
	ukevent_fds_stream(other->fds, other->pair[0], STREAM_IN);
	return tell(other->pair[1], "bytes");
}

/*
 * A thread that sets and removes streams; what is gathered to be sent leaves before the
 * turn sleeps, so that the thread may close its socket.
 */
TEST_F(streams, shared)
{
	struct other other = { .fds = &self->fds,
			       .pair = { self->pair[0], self->pair[1] },
			       .end = { self->other[0], self->other[1] } };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, loops = test_loops(5000);
	void *ret;
	char c;

	ASSERT_EQ(0, ukevent_fds_share(&self->fds, leave));
	pthread_mutex_lock(&lock);
	ukevent_fds_set(&self->fds, other.end[0], EV_IN);
	/* The turn may receive what the thread says, while that removes the stream. */
	for (i = 0; i < 3 || (i < loops && !test_loops_done(start, 10)); i++) {
		other.turns = i % 2 ? getpid() : 0;
		other.act = other_streams;
		other.told = EV_IN;
		ASSERT_EQ(0, pthread_create(&other.thread, NULL, other_main, &other));
		EXPECT_BYTES(UKEVENT_FOREVER, other.pair[0], "bytes");
		ASSERT_EQ(0, pthread_join(other.thread, &ret));
		EXPECT_EQ(NULL, ret);

		other.act = other_removes_late;
		other.told = 0;
		ASSERT_EQ(0, ukevent_io_send(&self->fds.io, other.pair[0], "x", 1, 0, 0));
		ASSERT_EQ(0, pthread_create(&other.thread, NULL, other_main, &other));
		EXPECT_TOLD(UKEVENT_FOREVER, other.end[0], EV_IN);
		ASSERT_EQ(0, pthread_join(other.thread, &ret));
		EXPECT_EQ(NULL, ret);
		ASSERT_EQ(0, hear(other.end[0]));
		ASSERT_EQ(1, read(other.pair[1], &c, 1));
		/* The byte is in the socket, or went with the interest. */
		while (read(other.pair[0], &c, 1) == 1)
			;
	}
	EXPECT_EQ(0, TURN(0));
	EXPECT_EQ(0, self->unsent.nr);
	pthread_mutex_unlock(&lock);
}

TEST_HARNESS_MAIN
