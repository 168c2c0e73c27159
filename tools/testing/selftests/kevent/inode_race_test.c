// SPDX-License-Identifier: GPL-2.0
/*
 * Source INODE: inodes that die, interests that change and end, queues that are
 * closed and consumers, all at the same time.  Made for a kernel with sanitisers.
 */
#include "inode_test.h"
#include <dirent.h>
#include <sys/statfs.h>

#define RACE_SECONDS	20

/* Inodes that the file system could still make; those that leak are missing. */
static long free_inodes(const char *root)
{
	struct statfs st;

	return statfs(root, &st) ? -errno : (long)st.f_ffree;
}

/* Waits until there are so many; how many there are. */
static long free_inodes_reach(const char *root, long nr)
{
	int i;

	for (i = 0; i < TEST_LONG_MS && free_inodes(root) != nr; i++)
		sleep_ms(1);
	return free_inodes(root);
}

/* ---- two things at the same time ---- */

enum {
	DO_UNLINK	= 1 << 0,
	DO_UMOUNT	= 1 << 1,
	DO_REMOVE	= 1 << 2,
	DO_MODIFY	= 1 << 3,
	DO_TOGGLE	= 1 << 4,
	DO_QUEUE	= 1 << 5,
	DO_CONSUME	= 1 << 6,
	DO_CHANGE	= 1 << 7,
	DO_ADD		= 1 << 8,
};

FIXTURE(race)
{
	char root[32];
	struct ukevent_queue q;
};

FIXTURE_VARIANT(race)
{
	int a, b;
};

FIXTURE_VARIANT_ADD(race, unlink_remove) { DO_UNLINK, DO_REMOVE };
FIXTURE_VARIANT_ADD(race, unlink_modify) { DO_UNLINK, DO_MODIFY };
FIXTURE_VARIANT_ADD(race, unlink_toggle) { DO_UNLINK, DO_TOGGLE };
FIXTURE_VARIANT_ADD(race, unlink_queue) { DO_UNLINK, DO_QUEUE };
FIXTURE_VARIANT_ADD(race, unlink_consume) { DO_UNLINK, DO_CONSUME };
FIXTURE_VARIANT_ADD(race, unlink_change) { DO_UNLINK, DO_CHANGE };
FIXTURE_VARIANT_ADD(race, unlink_add) { DO_UNLINK, DO_ADD };
FIXTURE_VARIANT_ADD(race, umount_remove) { DO_UMOUNT, DO_REMOVE };
FIXTURE_VARIANT_ADD(race, umount_modify) { DO_UMOUNT, DO_MODIFY };
FIXTURE_VARIANT_ADD(race, umount_toggle) { DO_UMOUNT, DO_TOGGLE };
FIXTURE_VARIANT_ADD(race, umount_queue) { DO_UMOUNT, DO_QUEUE };
FIXTURE_VARIANT_ADD(race, umount_consume) { DO_UMOUNT, DO_CONSUME };
FIXTURE_VARIANT_ADD(race, umount_change) { DO_UMOUNT, DO_CHANGE };
FIXTURE_VARIANT_ADD(race, umount_add) { DO_UMOUNT, DO_ADD };
FIXTURE_VARIANT_ADD(race, change_remove) { DO_CHANGE, DO_REMOVE };
FIXTURE_VARIANT_ADD(race, change_modify) { DO_CHANGE, DO_MODIFY };
FIXTURE_VARIANT_ADD(race, change_toggle) { DO_CHANGE, DO_TOGGLE };
FIXTURE_VARIANT_ADD(race, change_queue) { DO_CHANGE, DO_QUEUE };
FIXTURE_VARIANT_ADD(race, change_consume) { DO_CHANGE, DO_CONSUME };
FIXTURE_VARIANT_ADD(race, remove_queue) { DO_REMOVE, DO_QUEUE };
FIXTURE_VARIANT_ADD(race, remove_consume) { DO_REMOVE, DO_CONSUME };
FIXTURE_VARIANT_ADD(race, modify_queue) { DO_MODIFY, DO_QUEUE };
FIXTURE_VARIANT_ADD(race, modify_consume) { DO_MODIFY, DO_CONSUME };

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, fs_enter(self->root));
	/* not to be kept by a working directory */
	ASSERT_EQ(0, chdir("/"));
	self->q.fd = -1;
}

FIXTURE_TEARDOWN(race)
{
	ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, fs_leave(self->root));
}

#define MAX_GOT	64

/**
 * struct racer - what two threads do to a file or directory and its interest
 * @what: DO_... for the other thread
 * @q: the queue
 * @kfd: its descriptor, which may be closed
 * @root: the mount point
 * @path: what is watched
 * @dir: whether it is a directory
 * @flags: of the interest
 * @id: its id, 0 if there is none yet
 * @added: result of ADD
 * @removed: of REMOVE, 1 if there was none
 * @changed: of the others, the last error that was not -ENOENT
 * @got: records taken by DO_CONSUME
 * @nr_got: their number
 * @round: counts up to start one
 * @ended: follows
 */
struct racer {
	int what;
	struct ukevent_queue *q;
	int kfd;
	const char *root;
	char path[64];
	bool dir;
	__u32 flags;
	__u64 id;
	int added, removed, changed;
	struct ukevent got[MAX_GOT];
	int nr_got;
	int round, ended;
};

static void race_add(struct racer *r)
{
	r->added = add_inode(r->q, r->path, ASKED, r->flags, r->round, &r->id);
}

/* By descriptor, as the queue's mappings may go meanwhile. */
static void race_op(struct racer *r, unsigned int op, __u32 events, __u32 flags)
{
	struct kevent_change c = make_typed(op, INODE, 0, events,
					    flags | KEVENT_BY_ID,
					    events ? r->round : 0);
	int ret;

	c.id = r->id;
	ret = do_change(r->kfd, &c);
	if (op == KEVENT_OP_REMOVE)
		r->removed = ret;
	else if (ret && ret != -ENOENT && !(ret == -EBADF && r->q->fd < 0))
		r->changed = ret;
}

static void race_consume(struct racer *r)
{
	int i;

	for (i = 0; i < 4; i++) {
		r->nr_got += ukevent_take(r->q, r->got + r->nr_got,
					  MAX_GOT - r->nr_got);
		flush_ring(r->q);
	}
}

static void race_do(struct racer *r, int what)
{
	char inside[80];

	switch (what) {
	case DO_UNLINK:
		remove(r->path);
		break;
	case DO_UMOUNT:
		umount2(r->root, MNT_DETACH);
		break;
	case DO_REMOVE:
		race_op(r, KEVENT_OP_REMOVE, 0, 0);
		break;
	case DO_MODIFY:
		/* children of a directory are watched, and are not */
		race_op(r, KEVENT_OP_MODIFY, DELETE_SELF, r->flags);
		race_op(r, KEVENT_OP_MODIFY, ASKED, r->flags);
		break;
	case DO_TOGGLE:
		race_op(r, KEVENT_OP_DISABLE, 0, 0);
		race_op(r, KEVENT_OP_ENABLE, 0, 0);
		break;
	case DO_QUEUE:
		ukevent_queue_exit(r->q);
		break;
	case DO_CONSUME:
		race_consume(r);
		break;
	case DO_CHANGE:
		if (r->dir) {
			snprintf(inside, sizeof(inside), "%s/x", r->path);
			make_file(inside);
			unlink(inside);
		} else {
			truncate(r->path, r->round % 1000);
		}
		break;
	case DO_ADD:
		race_add(r);
		break;
	}
}

static void *race_thread(void *arg)
{
	struct racer *r = arg;
	int round = 0, now;

	for (;;) {
		do {
			now = __atomic_load_n(&r->round, __ATOMIC_ACQUIRE);
			if (now == round)
				sched_yield();
		} while (now == round);
		if (now < 0)
			return NULL;
		round = now;
		race_do(r, r->what);
		__atomic_store_n(&r->ended, round, __ATOMIC_RELEASE);
	}
}

/* Takes what is left, until nothing more can come. */
static void race_drain(struct racer *r)
{
	int i, last = 0;

	for (i = 0; i < 8 && !last; i++) {
		while (r->nr_got < MAX_GOT &&
		       (ukevent_take(r->q, r->got + r->nr_got, 1) ||
			(flush_ring(r->q) > 0 &&
			 ukevent_take(r->q, r->got + r->nr_got, 1))))
			last |= r->got[r->nr_got++].flags & LAST;
		/* whoever held a dispatch record is done with it */
		if (!last && r->flags & KEVENT_DISPATCH)
			ukevent_op_id(r->q, KEVENT_OP_ENABLE, INODE, r->id, 0);
	}
}

/* One LAST, at the end, and before it what ended the interest. */
static void race_check(struct __test_metadata *_metadata, struct racer *r, int both)
{
	__u32 end = both & DO_UMOUNT ? UNMOUNT : DELETE_SELF;
	int i, lasts = 0, ends = 0, expected = 1;

	if (!r->removed || r->added || r->flags & KEVENT_ONESHOT)
		expected = 0;	/* or removed, or ended by something before */
	for (i = 0; i < r->nr_got; i++) {
		EXPECT_EQ((__u64)r->round, r->got[i].cookie);
		EXPECT_EQ(0U, r->got[i].events & ~(ASKED | UNMOUNT));
		EXPECT_EQ(0, lasts);
		lasts += !!(r->got[i].flags & LAST);
		ends += !!(r->got[i].events & end);
	}
	EXPECT_EQ(!r->added, lasts) TH_LOG("round %d, flags %#x", r->round, r->flags);
	EXPECT_LE(expected, ends) TH_LOG("round %d, flags %#x", r->round, r->flags);
	EXPECT_GE(1, ends);
	EXPECT_TRUE(r->removed == 1 || !r->removed || r->removed == -ENOENT);
	EXPECT_TRUE(!r->added || (r->added == -ENOENT && both & DO_ADD));
	EXPECT_EQ(0, r->changed);
}

TEST_F_TIMEOUT(race, pair, 200)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT,
		KEVENT_DISPATCH | KEVENT_HOLD_LAST
	};
	int i, spin, loops = test_loops(3000), both = variant->a | variant->b;
	struct racer r = { .what = variant->a, .q = &self->q, .root = self->root };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	long inodes = free_inodes(self->root);
	pthread_t thread;

	snprintf(r.path, sizeof(r.path), "%s/t", self->root);
	ASSERT_EQ(0, pthread_create(&thread, NULL, race_thread, &r));
	for (i = 1; i <= loops && !test_loops_done(start, RACE_SECONDS); i++) {
		if (self->q.fd < 0)
			ASSERT_EQ(0, queue_init(&self->q, 2));
		if (both & DO_UMOUNT && i > 1)
			ASSERT_EQ(0, mount("none", self->root, "tmpfs", 0, NULL));
		r.kfd = self->q.fd;
		r.dir = i / 4 % 2;
		r.flags = modes[i % 4] | KEVENT_WANT_LAST;
		r.id = 0;
		r.added = 0;
		r.removed = 1;
		r.changed = 0;
		r.nr_got = 0;
		ASSERT_EQ(0, r.dir ? mkdir(r.path, 0755) : make_file(r.path));
		if (!(both & DO_ADD)) {
			r.added = add_inode(r.q, r.path, ASKED, r.flags, i, &r.id);
			ASSERT_EQ(0, r.added);
		}
		__atomic_store_n(&r.round, i, __ATOMIC_RELEASE);
		for (spin = i * 7 % 400; spin; spin--)
			__asm__ __volatile__("");
		race_do(&r, variant->b);
		while (__atomic_load_n(&r.ended, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		/* a directory may have had something in it when it was unlinked */
		if (!(both & DO_UMOUNT)) {
			remove(r.path);
			ASSERT_EQ(0ULL, ino_of(r.path));
		}
		if (self->q.fd < 0)
			continue;
		if (!r.added)
			race_drain(&r);
		race_check(_metadata, &r, both);
		EXPECT_QUIET(&self->q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	TH_LOG("%d rounds", i - 1);
	__atomic_store_n(&r.round, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	if (self->q.fd >= 0)
		EXPECT_EQ(0, interests_of(&self->q));
	if (!(both & DO_UMOUNT))
		EXPECT_EQ(inodes, free_inodes_reach(self->root, inodes));
}

/* ---- many at the same time ---- */

#define NR_QUEUES	3
#define NR_MAKERS	2
#define STABLE		1000000	/* cookie of the interests that stay */

FIXTURE(storm)
{
	char root[32];
	struct ukevent_queue q[NR_QUEUES];
};

FIXTURE_SETUP(storm)
{
	int i;

	ASSERT_EQ(0, fs_enter(self->root));
	for (i = 0; i < NR_QUEUES; i++)
		ASSERT_EQ(0, queue_init(&self->q[i], 4 << i));
}

FIXTURE_TEARDOWN(storm)
{
	int i;

	for (i = 0; i < NR_QUEUES; i++)
		ukevent_queue_exit(&self->q[i]);
	EXPECT_EQ(0, fs_leave(self->root));
}

/**
 * struct maker - a thread that changes the directory
 * @nr: which one
 * @changes: how many renames it shall make
 * @failed: first error
 */
struct maker {
	int nr, changes, failed;
};

/* A file of which the name counts, and others in sub that come and go. */
static void *make_changes(void *arg)
{
	char old[32], new[32], other[32];
	struct maker *m = arg;
	int i, failed = 0;

	snprintf(other, sizeof(other), "sub/%d", m->nr);
	for (i = 1; i <= m->changes && !failed; i++) {
		snprintf(old, sizeof(old), "%d.%d", m->nr, i - 1);
		snprintf(new, sizeof(new), "%d.%d", m->nr, i);
		if (i % 3 == 0)
			failed = make_file(other) ?: unlink(other);
		if (!failed && rename(old, new))
			failed = -errno;
	}
	m->failed = failed;
	return NULL;
}

/**
 * struct consumer - a thread that consumes from a queue
 * @q: the queue
 * @done: in: nothing more happens
 * @known: how far each maker was seen to be
 * @lasts: number of last records
 * @records: of the interest that stays
 * @wrong: what is wrong
 */
struct consumer {
	struct ukevent_queue *q;
	int *done;
	int known[NR_MAKERS];
	int lasts, records;
	const char *wrong;
};

static void look(int known[NR_MAKERS])
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	unsigned int nr;
	int count;

	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "%u.%d", &nr, &count) == 2 &&
		    nr < NR_MAKERS && count > known[nr])
			known[nr] = count;
	if (dir)
		closedir(dir);
}

static void *consume(void *arg)
{
	struct consumer *c = arg;
	struct ukevent ev;
	int n, done;

	do {
		done = __atomic_load_n(c->done, __ATOMIC_ACQUIRE);
		n = ukevent_dequeue(c->q, &ev,
				    done ? 0 : TEST_SHORT_MS * NSEC_PER_MSEC);
		if (n < 0)
			c->wrong = "wait";
		if (n <= 0)
			continue;
		c->lasts += !!(ev.flags & LAST);
		if (ev.cookie != STABLE)
			continue;
		if (ev.flags & LAST)
			c->wrong = "ended";
		c->records++;
		look(c->known);
	} while ((n || !done) && !c->wrong);
	return NULL;
}

/* Interests come and go, the one that stays is modified.  How many were added. */
static int churn(struct ukevent_queue *q, __u64 stable, int round, int *wrong)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT,
		KEVENT_DISPATCH | KEVENT_HOLD_LAST
	};
	const char *path = round / NR_QUEUES % 3 ? "sub" : "sub/0";
	__u32 mode = modes[round % 4];
	__u64 id;
	int ret;

	ret = modify_inode(q, stable, MOVED_TO | (round % 2 ? CREATE | MODIFY : 0),
			   round % 5 ? KEVENT_EDGE : 0, STABLE);
	if (ret || add_inode(q, ".", ASKED, 0, round, NULL) != -EEXIST)
		*wrong = ret ?: -EPROTO;
	ret = add_inode(q, path, ASKED, mode | KEVENT_WANT_LAST, round, &id);
	if (ret && ret != -ENOENT)
		*wrong = ret;
	if (ret)
		return 0;
	sched_yield();
	ret = inode_op(q, KEVENT_OP_REMOVE, id, KEVENT_ACK);
	if (ret && ret != -ENOENT)
		*wrong = ret;
	return 1;
}

/*
 *   two threads      create, rename and unlink in a directory
 *   one thread       adds, modifies and removes interests of all queues
 *   a thread each    consumes: at the end it has seen the last renames
 */
TEST_F_TIMEOUT(storm, churn, 200)
{
	int i, nr, done = 0, wrong = 0, added[NR_QUEUES] = {};
	int loops = test_loops(4000), rounds = test_loops(3000);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	pthread_t makers[NR_MAKERS], consumers[NR_QUEUES];
	struct consumer c[NR_QUEUES] = {};
	struct maker m[NR_MAKERS] = {};
	__u64 stable[NR_QUEUES];
	char path[32];

	ASSERT_EQ(0, mkdir("sub", 0755));
	for (i = 0; i < NR_MAKERS; i++) {
		snprintf(path, sizeof(path), "%d.0", i);
		ASSERT_EQ(0, make_file(path));
	}
	for (i = 0; i < NR_QUEUES; i++) {
		c[i].q = &self->q[i];
		c[i].done = &done;
		ASSERT_EQ(0, add_inode(c[i].q, ".", MOVED_TO | CREATE | MODIFY, 0,
				       STABLE, &stable[i]));
		ASSERT_EQ(0, pthread_create(&consumers[i], NULL, consume, &c[i]));
	}
	for (i = 0; i < NR_MAKERS; i++) {
		m[i].nr = i;
		m[i].changes = loops;
		ASSERT_EQ(0, pthread_create(&makers[i], NULL, make_changes, &m[i]));
	}
	for (nr = 0; nr < rounds && !wrong && !test_loops_done(start, RACE_SECONDS); nr++)
		added[nr % NR_QUEUES] += churn(&self->q[nr % NR_QUEUES],
					       stable[nr % NR_QUEUES], nr, &wrong);
	for (i = 0; i < NR_MAKERS; i++) {
		pthread_join(makers[i], NULL);
		EXPECT_EQ(0, m[i].failed);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_QUEUES; i++) {
		pthread_join(consumers[i], NULL);
		EXPECT_EQ(NULL, c[i].wrong);
		for (nr = 0; nr < NR_MAKERS; nr++)
			EXPECT_EQ(loops, c[i].known[nr]);
		EXPECT_EQ(added[i], c[i].lasts);
		EXPECT_EQ(1, interests_of(&self->q[i]));
		EXPECT_QUIET(&self->q[i]);
		TH_LOG("queue %d: %d records, %d interests came and went", i,
		       c[i].records, added[i]);
	}
	EXPECT_EQ(0, wrong);
}

static void *flush(void *arg)
{
	struct consumer *c = arg;

	while (!__atomic_load_n(c->done, __ATOMIC_ACQUIRE))
		flush_ring(c->q);
	return NULL;
}

#define NR_FILES	16

/*
 *   ADD, one change, record taken, ADD ... of some files
 *   kevent_wait() by another thread, which detaches one-shots that have ended
 */
TEST_F_TIMEOUT(storm, oneshot_again, 100)
{
	int i, n, done = 0, loops = test_loops(2000);
	struct ukevent_queue *q = &self->q[2];
	struct consumer c = { .q = q, .done = &done };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct kevent_change add[NR_FILES];
	char path[NR_FILES][8];
	pthread_t thread;

	for (i = 0; i < NR_FILES; i++) {
		snprintf(path[i], sizeof(path[i]), "f%d", i);
		ASSERT_EQ(0, make_file(path[i]));
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, flush, &c));
	for (n = 0; n < loops && !test_loops_done(start, RACE_SECONDS); n++) {
		for (i = 0; i < NR_FILES; i++) {
			add[i] = make_typed(KEVENT_OP_ADD, INODE, AT_FDCWD, MODIFY,
					    KEVENT_ONESHOT, i);
			add[i].addr = (uintptr_t)path[i];
		}
		ASSERT_EQ(NR_FILES, sys_kevent_ctl(q->fd, add, NR_FILES,
						   sizeof(add[0]), 0));
		for (i = 0; i < NR_FILES; i++) {
			ASSERT_EQ(0, add[i].result) TH_LOG("%d in round %d", i, n);
			ASSERT_EQ(0, truncate(path[i], n % 100));
		}
		ASSERT_EQ(NR_FILES, take_all(q, NULL));
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TH_LOG("%d rounds", n);
}

/* Processes that die with their queues, while what they watch dies. */
TEST_F_TIMEOUT(storm, dying_processes, 200)
{
	long inodes = free_inodes(self->root);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, to[2], loops = test_loops(300);
	struct ukevent_queue q;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(to));
	for (i = 0; i < loops && !test_loops_done(start, RACE_SECONDS); i++) {
		ASSERT_EQ(0, make_file("f"));
		ASSERT_EQ(0, mkdir("d", 0755));
		pid = fork();
		if (!pid) {
			if (queue_init(&q, 1) ||
			    add_inode(&q, "f", ASKED, KEVENT_WANT_LAST, 1, NULL) ||
			    add_inode(&q, "d", ASKED, 0, 2, NULL) ||
			    add_inode(&q, ".", ASKED, KEVENT_DISPATCH, 3, NULL) ||
			    write(to[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				wait_ms(&q, 1, TEST_LONG_MS);
		}
		ASSERT_EQ(1, read(to[0], &c, 1));
		if (i % 2)
			kill(pid, SIGKILL);
		truncate("f", 1);
		unlink("f");
		rmdir("d");
		kill(pid, SIGKILL);
		ASSERT_EQ(-EFAULT, child_status(pid));
	}
	EXPECT_EQ(inodes, free_inodes_reach(self->root, inodes));
	TH_LOG("%d rounds", i);
}

TEST_HARNESS_MAIN
