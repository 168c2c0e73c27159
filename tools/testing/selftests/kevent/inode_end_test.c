// SPDX-License-Identifier: GPL-2.0
/*
 * Source INODE: how interests end, limits, and that no change goes untold, however
 * fast it comes and however little room there is.
 */
#include "inode_test.h"
#include <dirent.h>
#include <sys/inotify.h>

FIXTURE(inode)
{
	struct place p;
};

FIXTURE_SETUP(inode)
{
	ASSERT_EQ(0, place_init(&self->p, 16));
}

FIXTURE_TEARDOWN(inode)
{
	EXPECT_EQ(0, place_exit(&self->p));
}

/* ---- the end of interests ---- */

/* Open files keep an inode whose last link is gone. */
TEST_F(inode, unlinked_while_open)
{
	struct ukevent_queue *q = &self->p.q;
	int fd = open("d/o", O_WRONLY | O_CLOEXEC);
	__u64 ino = ino_of("d/o");

	ASSERT_EQ(0, add_inode(q, "d/o", MODIFY | ATTRIB | DELETE_SELF,
			       KEVENT_WANT_LAST, 7, NULL));
	ASSERT_EQ(0, unlink("d/o"));
	EXPECT_TOLD(q, 7, ATTRIB, 0, ino);
	EXPECT_QUIET(q);
	ASSERT_EQ(1, write(fd, "x", 1));
	EXPECT_TOLD(q, 7, MODIFY, 0, ino);
	EXPECT_QUIET(q);
	close(fd);
	EXPECT_TOLD(q, 7, DELETE_SELF, 0, ino);
	EXPECT_TOLD(q, 7, 0, LAST, 0);
	EXPECT_QUIET(q);
}

TEST_F(inode, unlinked_by_and_by)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 ino = ino_of("d/f");

	ASSERT_EQ(0, add_inode(q, "d/f", ATTRIB | DELETE_SELF, KEVENT_WANT_LAST, 7,
			       NULL));
	ASSERT_EQ(0, unlink("d/f"));
	EXPECT_TOLD(q, 7, ATTRIB, 0, ino);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, unlink("e/l"));
	EXPECT_TOLD(q, 7, ATTRIB, 0, ino);
	EXPECT_TOLD(q, 7, DELETE_SELF, 0, ino);
	EXPECT_TOLD(q, 7, 0, LAST, 0);
	EXPECT_QUIET(q);
}

enum deed { DONE, TRUNCATE, UNLINK, RMDIR, RENAME_OVER, UMOUNT, REMOVE, REMOVE_ACK,
	    ENABLE, DISABLE };

struct rec {
	__u32 events, flags;
};

/**
 * struct step - something that is done, and what is told then
 * @what: what is done
 * @ret: its result
 * @recs: the records, as with WANT_LAST
 */
struct step {
	enum deed what;
	int ret;
	struct rec recs[2];
};

FIXTURE(end)
{
	struct place p;
};

FIXTURE_VARIANT(end)
{
	const char *path;
	__u32 events, flags;
	const struct step *steps;
};

#define ENDS_BY(name, on, ask, how, ...) \
static const struct step name##_steps[] = { __VA_ARGS__, { .what = DONE } }; \
FIXTURE_VARIANT_ADD(end, name) { on, ask, how, name##_steps }

#define ONLY_LAST	{ { 0, LAST } }

ENDS_BY(remove, "d/o", ASKED, 0, { REMOVE, 0, ONLY_LAST });
ENDS_BY(remove_directory, "d", ASKED, 0, { REMOVE, 0, ONLY_LAST });
ENDS_BY(oneshot, "d/o", MODIFY, KEVENT_ONESHOT, { TRUNCATE, 0, { { MODIFY, LAST } } });
ENDS_BY(unlink, "d/o", DELETE_SELF, 0,
	{ UNLINK, 0, { { DELETE_SELF, 0 }, { 0, LAST } } });
ENDS_BY(unlink_not_asked, "d/o", MODIFY, 0, { UNLINK, 0, ONLY_LAST });
ENDS_BY(unlink_oneshot, "d/o", DELETE_SELF, KEVENT_ONESHOT,
	{ UNLINK, 0, { { DELETE_SELF, LAST } } });
ENDS_BY(unlink_oneshot_not_asked, "d/o", MODIFY, KEVENT_ONESHOT,
	{ UNLINK, 0, ONLY_LAST });
ENDS_BY(rmdir, "d/s", DELETE_SELF, 0,
	{ RMDIR, 0, { { DELETE_SELF, 0 }, { 0, LAST } } });
ENDS_BY(rename_over, "d/o", DELETE_SELF, 0,
	{ RENAME_OVER, 0, { { DELETE_SELF, 0 }, { 0, LAST } } });
ENDS_BY(umount, "d/o", MODIFY, 0,
	{ UMOUNT, 0, { { UNMOUNT, 0 }, { 0, LAST } } });
ENDS_BY(umount_directory, "d", 0, 0,
	{ UMOUNT, 0, { { UNMOUNT, 0 }, { 0, LAST } } });
ENDS_BY(umount_oneshot, "d/o", MODIFY, KEVENT_ONESHOT,
	{ UMOUNT, 0, { { UNMOUNT, LAST } } });
/* disabled: what is to be told waits for ENABLE, and the end with it */
ENDS_BY(unlink_disabled, "d/o", DELETE_SELF, KEVENT_START_DISABLED,
	{ UNLINK, 0, {} }, { DISABLE, -ENOENT, {} },
	{ ENABLE, 0, { { DELETE_SELF, LAST } } });
ENDS_BY(unlink_disabled_nothing_to_tell, "d/o", MODIFY, KEVENT_START_DISABLED,
	{ UNLINK, 0, ONLY_LAST });
ENDS_BY(unlink_disabled_remove, "d/o", DELETE_SELF, KEVENT_START_DISABLED,
	{ UNLINK, 0, {} }, { REMOVE, 0, ONLY_LAST });
ENDS_BY(umount_disabled, "d/o", MODIFY, KEVENT_START_DISABLED,
	{ TRUNCATE, 0, {} }, { UMOUNT, 0, {} },
	{ ENABLE, 0, { { MODIFY | UNMOUNT, LAST } } });
/* dispatch: who holds a record is told of the end when it is done with it */
#define HELD	(KEVENT_DISPATCH | KEVENT_HOLD_LAST)

ENDS_BY(dispatch_remove, "d/o", MODIFY, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { REMOVE_ACK, 0, ONLY_LAST });
ENDS_BY(dispatch_unlink, "d/o", MODIFY | DELETE_SELF, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { UNLINK, 0, {} },
	{ ENABLE, 0, { { DELETE_SELF, LAST } } });
ENDS_BY(dispatch_unlink_remove_ack, "d/o", MODIFY | DELETE_SELF, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { UNLINK, 0, {} }, { REMOVE_ACK, 0, ONLY_LAST });
ENDS_BY(dispatch_unheld_unlink, "d/o", DELETE_SELF, HELD,
	{ UNLINK, 0, { { DELETE_SELF, 0 } } }, { ENABLE, -ENOENT, ONLY_LAST });
ENDS_BY(dispatch_umount, "d/o", MODIFY, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { UMOUNT, 0, {} },
	{ ENABLE, 0, { { UNMOUNT, LAST } } });
ENDS_BY(dispatch_held_remove, "d/o", MODIFY, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { REMOVE, 0, {} },
	{ ENABLE, -ENOENT, ONLY_LAST });
ENDS_BY(dispatch_held_unlink, "d/o", MODIFY, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { UNLINK, 0, {} },
	{ ENABLE, -ENOENT, ONLY_LAST });
ENDS_BY(dispatch_held_unlink_ack, "d/o", MODIFY, HELD,
	{ TRUNCATE, 0, { { MODIFY, 0 } } }, { UNLINK, 0, {} },
	{ REMOVE_ACK, -ENOENT, ONLY_LAST });

FIXTURE_SETUP(end)
{
	ASSERT_EQ(0, place_init(&self->p, 16));
}

FIXTURE_TEARDOWN(end)
{
	EXPECT_EQ(0, place_exit(&self->p));
}

static int do_step(struct place *p, enum deed what, __u64 id)
{
	switch (what) {
	case TRUNCATE:
		return truncate("d/o", 9) ? -errno : 0;
	case UNLINK:
		return unlink("d/o") ? -errno : 0;
	case RMDIR:
		return rmdir("d/s") ? -errno : 0;
	case RENAME_OVER:
		return rename("d/f", "d/o") ? -errno : 0;
	case UMOUNT:
		return fs_unmount(p->root);
	case REMOVE:
		return inode_op(&p->q, KEVENT_OP_REMOVE, id, 0);
	case REMOVE_ACK:
		return inode_op(&p->q, KEVENT_OP_REMOVE, id, KEVENT_ACK);
	case ENABLE:
		return inode_op(&p->q, KEVENT_OP_ENABLE, id, 0);
	case DISABLE:
		return inode_op(&p->q, KEVENT_OP_DISABLE, id, 0);
	case DONE:
		break;
	}
	return -EPROTO;
}

static void run_steps(struct __test_metadata *_metadata, struct place *p,
		      const FIXTURE_VARIANT(end) * variant, __u32 want_last)
{
	const struct step *step;
	__u32 flags = variant->flags | want_last;
	__u64 ino = ino_of(variant->path);
	__u64 id;
	int i;

	/* what is not wanted cannot be held back */
	if (!want_last)
		flags &= ~KEVENT_HOLD_LAST;
	ASSERT_EQ(0, add_inode(&p->q, variant->path, variant->events, flags, 7,
			       &id));
	for (step = variant->steps; step->what != DONE; step++) {
		EXPECT_EQ(step->ret, do_step(p, step->what, id))
			TH_LOG("step %d", (int)(step - variant->steps));
		for (i = 0; i < 2; i++) {
			const struct rec *r = &step->recs[i];

			if (want_last ? r->events | r->flags : r->events)
				EXPECT_TOLD(&p->q, 7, r->events,
					    want_last ? r->flags : 0,
					    r->events ? ino : 0);
		}
		EXPECT_QUIET(&p->q);
	}
	EXPECT_EQ(-ENOENT, inode_op(&p->q, KEVENT_OP_ENABLE, id, 0));
	EXPECT_EQ(-ENOENT, inode_op(&p->q, KEVENT_OP_REMOVE, id, KEVENT_ACK));
	EXPECT_EQ(0, interests_of(&p->q));
	EXPECT_QUIET(&p->q);
}

TEST_F(end, with_last)
{
	run_steps(_metadata, &self->p, variant, KEVENT_WANT_LAST);
}

TEST_F(end, without_last)
{
	run_steps(_metadata, &self->p, variant, 0);
}

/* What ends an interest is told, however little room there was when it happened. */
FIXTURE(gone)
{
	struct place p;
	struct ukevent_queue q;
	__u64 id;
};

enum how {
	FULL	= 1 << 0,	/* the ring, of another's records */
	UNREAD	= 1 << 1,	/* are records of its own */
	NORING	= 1 << 2,
	GONE_FS	= 1 << 3,	/* unmounted, not unlinked */
};

FIXTURE_VARIANT(gone)
{
	unsigned int how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(gone, full) { FULL, 0 };
FIXTURE_VARIANT_ADD(gone, full_last) { FULL, KEVENT_WANT_LAST };
FIXTURE_VARIANT_ADD(gone, full_dispatch) { FULL, KEVENT_WANT_LAST | HELD };
FIXTURE_VARIANT_ADD(gone, full_noring) { FULL | NORING, KEVENT_WANT_LAST };
FIXTURE_VARIANT_ADD(gone, full_umount) { FULL | GONE_FS, KEVENT_WANT_LAST };
FIXTURE_VARIANT_ADD(gone, unread) { UNREAD, 0 };
FIXTURE_VARIANT_ADD(gone, unread_last) { UNREAD, KEVENT_WANT_LAST };
FIXTURE_VARIANT_ADD(gone, unread_edge) { UNREAD, KEVENT_WANT_LAST | KEVENT_EDGE };
FIXTURE_VARIANT_ADD(gone, unread_noring) { UNREAD | NORING, KEVENT_WANT_LAST };
FIXTURE_VARIANT_ADD(gone, unread_umount) { UNREAD | GONE_FS, 0 };
FIXTURE_VARIANT_ADD(gone, both) { FULL | UNREAD, 0 };
FIXTURE_VARIANT_ADD(gone, both_last) { FULL | UNREAD, KEVENT_WANT_LAST };

FIXTURE_SETUP(gone)
{
	__u32 entries = variant->how & FULL ? 1 : 16;
	int i;

	ASSERT_EQ(0, place_init(&self->p, 16));
	ASSERT_EQ(0, variant->how & NORING ? queue_init_noring(&self->q, entries) :
				       queue_init(&self->q, entries));
	ASSERT_EQ(0, add_user(&self->q, 6, 0, 60));
	if (variant->how & FULL)
		ASSERT_EQ(0, ukevent_trigger(&self->q, 6, 0));
	ASSERT_EQ(0, add_inode(&self->q, "d/o", MODIFY | DELETE_SELF,
			       variant->flags, 7, &self->id));
	if (variant->how & UNREAD)
		for (i = 1; i < 5; i++)
			ASSERT_EQ(0, truncate("d/o", i));
	ASSERT_EQ(0, variant->how & GONE_FS ? fs_unmount(self->p.root) : unlink("d/o"));
}

FIXTURE_TEARDOWN(gone)
{
	ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, place_exit(&self->p));
}

/* Number of records but those of the filler; the last one is kept in @ev. */
static int drain(struct ukevent_queue *q, struct ukevent *ev)
{
	struct ukevent next;
	int n = 0;

	while (next_record(q, &next) > 0) {
		if (next.cookie == 60)
			continue;
		*ev = next;
		n++;
	}
	return n;
}

TEST_F(gone, told_at_last)
{
	__u32 last = variant->flags & KEVENT_WANT_LAST ? LAST : 0;
	struct ukevent ev = {};

	EXPECT_EQ(-ENOENT, modify_inode(&self->q, self->id, DELETE_SELF, 0, 8));
	EXPECT_EQ(-ENOENT, inode_op(&self->q, KEVENT_OP_DISABLE, self->id, 0));
	EXPECT_EQ(2, interests_of(&self->q));
	EXPECT_LE(1, drain(&self->q, &ev));
	EXPECT_EQ(7ULL, ev.cookie);
	EXPECT_EQ(variant->how & GONE_FS ? UNMOUNT : DELETE_SELF, (int)ev.events & ~MODIFY);
	EXPECT_EQ(last, ev.flags);
	EXPECT_LT(0, (int)ev.data[0]);
	EXPECT_EQ(-ENOENT, inode_op(&self->q, KEVENT_OP_REMOVE, self->id, KEVENT_ACK));
	EXPECT_EQ(0, drain(&self->q, &ev));
	EXPECT_EQ(1, interests_of(&self->q));
}

/* REMOVE discards it, LAST comes all the same. */
TEST_F(gone, removed)
{
	struct ukevent ev = {};
	int n;

	EXPECT_EQ(0, inode_op(&self->q, KEVENT_OP_REMOVE, self->id, 0));
	EXPECT_EQ(-ENOENT, inode_op(&self->q, KEVENT_OP_REMOVE, self->id, 0));
	n = drain(&self->q, &ev);
	EXPECT_EQ(0U, ev.events & (DELETE_SELF | UNMOUNT));
	if (variant->flags & KEVENT_WANT_LAST)
		check_record(_metadata, __LINE__, &ev, INODE, 7, 0, LAST, 0, 0);
	else
		EXPECT_TRUE(!n || ev.events == MODIFY);
	EXPECT_EQ(1, interests_of(&self->q));
}

/* It goes with its queue. */
TEST_F(gone, queue_closed)
{
	ukevent_queue_exit(&self->q);
}

/* Only the last mount of a file system takes it away. */
TEST_F(inode, mounted_twice)
{
	struct ukevent_queue *q = &self->p.q;
	char second[] = "/tmp/kevent-second-XXXXXX";
	__u64 ino = ino_of("d/o");

	ASSERT_NE(NULL, mkdtemp(second));
	ASSERT_EQ(0, mount(self->p.root, second, NULL, MS_BIND, NULL));
	ASSERT_EQ(0, add_inode(q, "d/o", 0, KEVENT_WANT_LAST, 7, NULL));
	ASSERT_EQ(0, fs_unmount(self->p.root));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, umount(second));
	EXPECT_TOLD(q, 7, UNMOUNT, 0, ino);
	EXPECT_TOLD(q, 7, 0, LAST, 0);
	EXPECT_EQ(0, interests_of(q));
	EXPECT_QUIET(q);
	rmdir(second);
}

/* A mount namespace goes with the only process in it, the queue is elsewhere. */
TEST_F(inode, namespace_ends)
{
	struct ukevent_queue *q = &self->p.q;
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWNS) ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", "d/s", "tmpfs", 0, NULL) || make_file("d/s/f"))
			_exit(1);
		_exit(-add_inode(q, "d/s/f", MODIFY, KEVENT_WANT_LAST,
				 ino_of("d/s/f"), NULL));
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_EQ(UNMOUNT, (int)q->records[0].events);
	EXPECT_EQ(q->records[0].cookie, q->records[0].data[0]);
	EXPECT_EQ((__u32)LAST, q->records[1].flags);
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_EQ(0, interests_of(q));
	EXPECT_QUIET(q);
}

/* Who dies without closing anything. */
TEST_F(inode, process_dies)
{
	struct ukevent_queue q;
	int to[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(to));
	pid = fork();
	if (!pid) {
		if (queue_init(&q, 4) || add_inode(&q, "d/o", ASKED, 0, 7, NULL) ||
		    add_inode(&q, "d", ASKED, KEVENT_WANT_LAST, 8, NULL) ||
		    truncate("d/o", 5) || write(to[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(to[0], &c, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-EFAULT, child_status(pid));
	EXPECT_EQ(0, unlink("d/o"));
}

/* ---- eviction ---- */

/* In sysfs inodes stay only while they are used; the number finds them again. */
FIXTURE(evict)
{
	struct ukevent_queue q;
	__u64 id;
};

#define ATTRIBUTE	"/sys/kernel/uevent_seqnum"

static int evict_unused(void)
{
	return write_text("/proc/sys/vm/drop_caches", "3") ?:
	       write_text("/proc/sys/vm/drop_caches", "3");
}

FIXTURE_SETUP(evict)
{
	ASSERT_EQ(0, queue_init(&self->q, 4));
	ASSERT_EQ(0, add_inode(&self->q, ATTRIBUTE, OPEN, KEVENT_WANT_LAST, 7,
			       &self->id));
	ASSERT_EQ(0, evict_unused());
}

FIXTURE_TEARDOWN(evict)
{
	ukevent_queue_exit(&self->q);
}

TEST_F(evict, not_while_watched)
{
	char text[64];

	EXPECT_QUIET(&self->q);
	ASSERT_LT(0, read_text(ATTRIBUTE, text, sizeof(text)));
	EXPECT_TOLD(&self->q, 7, OPEN, 0, ino_of(ATTRIBUTE));
	EXPECT_QUIET(&self->q);
}

/* REMOVE, then the close of the queue, drops the last reference to an inode. */
TEST_F(evict, removed_last)
{
	char text[64];

	EXPECT_EQ(0, inode_op(&self->q, KEVENT_OP_REMOVE, self->id, 0));
	EXPECT_TOLD(&self->q, 7, 0, LAST, 0);
	ASSERT_EQ(0, add_inode(&self->q, ATTRIBUTE, OPEN, 0, 8, NULL));
	ASSERT_EQ(0, evict_unused());
	ukevent_queue_exit(&self->q);
	EXPECT_LT(0, read_text(ATTRIBUTE, text, sizeof(text)));
}

/* ---- limits ---- */

#define MAX_INSTANCES	"/proc/sys/user/max_inotify_instances"
#define MAX_WATCHES	"/proc/sys/user/max_inotify_watches"

FIXTURE(limited)
{
	struct place p;
};

FIXTURE_SETUP(limited)
{
	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, place_init(&self->p, 64));
}

FIXTURE_TEARDOWN(limited)
{
	EXPECT_EQ(0, place_exit(&self->p));
}

/* One too many is refused; those that ended, however they did, do not count. */
TEST_F(limited, interests)
{
	struct ukevent_queue *q = &self->p.q;
	char path[20][8];
	__u64 id[20];
	int i, n;

	for (i = 0; i < 20; i++) {
		snprintf(path[i], sizeof(path[i]), "%d", i);
		ASSERT_EQ(0, make_file(path[i]));
	}
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "20"));
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 20; i++)
			ASSERT_EQ(0, add_inode(q, path[i], MODIFY,
					       i < 10 ? KEVENT_ONESHOT : 0, i, &id[i]))
				TH_LOG("%d in round %d", i, n);
		for (i = 0; i < 50; i++)
			EXPECT_EQ(-ENOSPC, add_inode(q, "d/f", MODIFY, 0, 20, NULL));
		EXPECT_EQ(20, interests_of(q));
		for (i = 0; i < 20; i++) {
			EXPECT_EQ(0, i < 10 ? truncate(path[i], n + 1) :
				  i < 15 ? inode_op(q, KEVENT_OP_REMOVE, id[i], 0) :
				  unlink(path[i]) ?: make_file(path[i]));
		}
		EXPECT_EQ(10, take_all(q, NULL));
	}
}

/* Each interest is a watch of inotify's to the user, until it is gone. */
TEST_F(limited, watches)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 id[4];
	int i, n, fd;

	ASSERT_EQ(0, make_file("d/g"));
	ASSERT_EQ(0, write_text(MAX_WATCHES, "3"));
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, add_inode(q, "d", MODIFY, 0, 0, &id[0]));
		ASSERT_EQ(0, add_inode(q, "d/f", MODIFY, KEVENT_WANT_LAST, 1, &id[1]));
		ASSERT_EQ(0, add_inode(q, "d/g", MODIFY, 0, 2, &id[2]));
		EXPECT_EQ(-ENOSPC, add_inode(q, ".", MODIFY, 0, 3, &id[3]));
		fd = inotify_init();
		ASSERT_LE(0, fd);
		EXPECT_EQ(-1, inotify_add_watch(fd, "d", IN_MODIFY));
		EXPECT_EQ(ENOSPC, errno);
		EXPECT_EQ(3, interests_of(q));
		EXPECT_EQ(0, inode_op(q, KEVENT_OP_REMOVE, id[0], 0));
		EXPECT_LT(0, inotify_add_watch(fd, "d", IN_MODIFY));
		close(fd);
		for (i = 1; i < 3; i++)
			EXPECT_EQ(0, inode_op(q, KEVENT_OP_REMOVE, id[i], 0));
		EXPECT_EQ(1, take_all(q, NULL));
		EXPECT_EQ(0, interests_of(q));
	}
}

#define MANY_PATHS	3000

/* What is kept for each path until a call returns is bounded. */
TEST_F(limited, paths_of_a_call)
{
	struct kevent_change *c = calloc(MANY_PATHS, sizeof(*c));
	struct ukevent_queue *q = &self->p.q;
	int i, n, done = 0;

	ASSERT_NE(NULL, c);
	for (i = 0; i < MANY_PATHS; i++) {
		c[i] = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_INODE, AT_FDCWD,
				  MODIFY, 0, i);
		c[i].addr = (uintptr_t)(i % 2 ? "d/f" : "d/none");
	}
	for (i = 0; done < MANY_PATHS; done += n, i++) {
		n = sys_kevent_ctl(q->fd, c + done, MANY_PATHS - done,
				   sizeof(*c), 0);
		ASSERT_LT(0, n);
		if (n < MANY_PATHS - done) {
			EXPECT_LE(1024, n);
			EXPECT_GT(1034, n);
		}
	}
	EXPECT_EQ(3, i);
	for (i = 0; i < MANY_PATHS; i++)
		EXPECT_EQ(!(i % 2) ? -ENOENT : i == 1 ? 0 : -EEXIST, c[i].result);
	free(c);
}

/* A queue that watches inodes is an inotify instance to its user, as long as it is. */
TEST_F(limited, instances)
{
	struct ukevent_queue q[8];
	int i, n, fd;

	ASSERT_EQ(0, write_text(MAX_INSTANCES, "4"));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, queue_init(&q[i], 4));
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 8; i++) {
			EXPECT_EQ(i < 4 ? 0 : -ENOSPC,
				  add_inode(&q[i], "d/f", MODIFY, 0, i, NULL));
			EXPECT_EQ(i < 4 ? 0 : -ENOSPC,
				  add_inode(&q[i], "d", MODIFY, KEVENT_WANT_LAST, i, NULL));
			EXPECT_EQ(i < 4 ? 2 : i == 7 ? n : 0, interests_of(&q[i]));
		}
		EXPECT_EQ(-1, inotify_init());
		/* what was refused one leaves no trace, and can do other things */
		EXPECT_QUIET(&q[7]);
		EXPECT_EQ(0, add_user(&q[7], n, 0, 1));
		for (i = 0; i < 4; i++) {
			ukevent_queue_exit(&q[i]);
			ASSERT_EQ(0, queue_init(&q[i], 4));
		}
	}
	fd = inotify_init();
	EXPECT_LE(0, fd);
	close(fd);
	for (i = 0; i < 8; i++)
		ukevent_queue_exit(&q[i]);
}

/* ---- nothing lost, however fast it comes ---- */

enum storm { STORM_WRITE, STORM_CREATE, STORM_RENAME };

FIXTURE(storm)
{
	struct place p;
	struct ukevent_queue q;
	int fd;
};

FIXTURE_VARIANT(storm)
{
	enum storm what;
	__u32 flags;
	__u32 entries;
	bool process;		/* and not a thread */
};

FIXTURE_VARIANT_ADD(storm, write) { STORM_WRITE, 0, 16, false };
FIXTURE_VARIANT_ADD(storm, write_by_process) { STORM_WRITE, 0, 16, true };
FIXTURE_VARIANT_ADD(storm, write_tiny) { STORM_WRITE, 0, 1, false };
FIXTURE_VARIANT_ADD(storm, write_dispatch) { STORM_WRITE, KEVENT_DISPATCH, 4, false };
FIXTURE_VARIANT_ADD(storm, write_oneshot) { STORM_WRITE, KEVENT_ONESHOT, 4, false };
FIXTURE_VARIANT_ADD(storm, create) { STORM_CREATE, 0, 16, false };
FIXTURE_VARIANT_ADD(storm, create_tiny) { STORM_CREATE, KEVENT_EDGE, 1, true };
FIXTURE_VARIANT_ADD(storm, create_dispatch) { STORM_CREATE, KEVENT_DISPATCH, 1, false };
FIXTURE_VARIANT_ADD(storm, rename) { STORM_RENAME, 0, 16, false };
FIXTURE_VARIANT_ADD(storm, rename_oneshot) { STORM_RENAME, KEVENT_ONESHOT, 1, false };

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, place_init(&self->p, 16));
	ASSERT_EQ(0, queue_init(&self->q, variant->entries));
	ASSERT_EQ(0, make_file("counter"));
	ASSERT_EQ(0, make_file("e/0"));
	self->fd = open("counter", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(storm)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, place_exit(&self->p));
}

/* Shared with a child, if that makes the changes. */
struct maker {
	enum storm what;
	int fd, nr, failed, done;
};

static void *make_changes(void *arg)
{
	struct maker *m = arg;
	char old[32], new[32];
	int i;

	for (i = 1; i <= m->nr && !m->failed; i++) {
		switch (m->what) {
		case STORM_WRITE:
			m->failed = pwrite(m->fd, &i, sizeof(i), 0) != sizeof(i);
			break;
		case STORM_CREATE:
			snprintf(new, sizeof(new), "d/s/%d", i);
			m->failed = !!make_file(new);
			break;
		case STORM_RENAME:
			snprintf(old, sizeof(old), "e/%d", i - 1);
			snprintf(new, sizeof(new), "e/%d", i);
			m->failed = !!rename(old, new);
		}
	}
	__atomic_store_n(&m->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* How far the changes have come, beyond what was known. */
static int look(enum storm what, int fd, int known)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;
	int nr;

	switch (what) {
	case STORM_WRITE:
		return pread(fd, &nr, sizeof(nr), 0) == sizeof(nr) ? nr : known;
	case STORM_CREATE:
		for (;; known++) {
			snprintf(path, sizeof(path), "d/s/%d", known + 1);
			if (!ino_of(path))
				return known;
		}
	case STORM_RENAME:
		/* one that is being renamed may be listed twice, or not at all */
		dir = opendir("e");
		while (dir && (entry = readdir(dir)))
			if (atoi(entry->d_name) > known)
				known = atoi(entry->d_name);
		if (dir)
			closedir(dir);
	}
	return known;
}

/*
 *   makes a change           takes a record, looks how far the changes have come
 *   the last one             the last record: must have seen it then
 */
TEST_F_TIMEOUT(storm, last_change_is_seen, 200)
{
	static const char * const watched[] = { "counter", "d/s", "e" };
	static const __u32 events[] = { MODIFY, CREATE, MOVED_TO };
	struct maker *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *path = watched[variant->what];
	int n, known = 0, done, records = 0;
	struct ukevent_queue *q = &self->q;
	pthread_t thread;
	struct ukevent ev;
	pid_t pid = 0;
	__u64 id;

	ASSERT_NE(MAP_FAILED, (void *)m);
	m->what = variant->what;
	m->fd = self->fd;
	m->nr = test_loops(5000);
	ASSERT_EQ(0, add_inode(q, path, events[m->what], variant->flags, 7, &id));
	if (variant->process) {
		pid = fork();
		if (!pid) {
			make_changes(m);
			_exit(0);
		}
	} else {
		ASSERT_EQ(0, pthread_create(&thread, NULL, make_changes, m));
	}
	do {
		done = __atomic_load_n(&m->done, __ATOMIC_ACQUIRE);
		/* beside a thread without sleeping, so that there are more records */
		n = ukevent_dequeue(q, &ev, done || !variant->process ? 0 :
				    TEST_SHORT_MS * NSEC_PER_MSEC);
		ASSERT_LE(0, n);
		if (!n)
			continue;
		records++;
		EXPECT_EQ(7ULL, ev.cookie);
		EXPECT_EQ(events[m->what], ev.events);
		/* a one-shot watches again before it looks */
		if (variant->flags & KEVENT_ONESHOT)
			ASSERT_EQ(0, add_inode(q, path, events[m->what],
					       variant->flags, 7, &id));
		known = look(m->what, m->fd, known);
		if (variant->flags & KEVENT_DISPATCH)
			ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
	} while (n || !done);
	EXPECT_EQ(0, m->failed);
	EXPECT_EQ(m->nr, known);
	EXPECT_GE(m->nr, records);
	EXPECT_QUIET(q);
	TH_LOG("%d changes, %d records", m->nr, records);
	EXPECT_EQ(0, pid ? child_status(pid) : pthread_join(thread, NULL));
	munmap(m, sizeof(*m));
}

TEST_HARNESS_MAIN
