// SPDX-License-Identifier: GPL-2.0
/*
 * Source INODE: what is told of changes to files and directories, and how
 * interests in them are added and changed.
 *
 * Each test has a file system of its own and unmounts it at the end, which fails,
 * or never comes back, if anything still holds an inode of it.
 */
#include "inode_test.h"
#include <grp.h>
#include <sys/inotify.h>
#include <sys/sysmacros.h>

/* ---- what is told of an action, to whom, beside inotify ---- */

enum object { D, E, F, O, S, G, NR_OBJECTS, NEW = NR_OBJECTS };

static const char * const names[] = { "d", "e", "d/f", "d/o", "d/s", "e/g", "d/n" };

/**
 * struct told - records of an action
 * @who: whose interests get them
 * @what: of which inode they tell
 * @events: a record for each
 */
struct told {
	enum object who, what;
	__u32 events;
};

FIXTURE(action)
{
	struct place p;
	struct ukevent_queue each[16];	/* one per event */
	int inotify;
};

FIXTURE_VARIANT(action)
{
	int (*act)(void);
	struct told told[8];
};

/* Opens, does one thing, and closes. */
enum then { NOTHING_MORE, READ, WRITE, ALLOCATE, MAP };

static int open_and(const char *path, int flags, enum then then)
{
	int fd = open(path, flags | O_CLOEXEC, 0644), ret = 0;
	char c = 'y', *map;

	if (fd < 0)
		return -errno;
	switch (then) {
	case NOTHING_MORE:
		break;
	case READ:
		ret = read(fd, &c, 1) != 1;
		break;
	case WRITE:
		ret = write(fd, &c, 1) != 1;
		break;
	case ALLOCATE:
		ret = fallocate(fd, 0, 0, 4096);
		break;
	case MAP:
		map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ret = map == (char *)MAP_FAILED;
		if (!ret) {
			*map = 'z';
			munmap(map, 1);
		}
	}
	if (ret)
		ret = -errno;
	close(fd);
	return ret;
}

#define TOLD_OF(name, expression, ...) \
static int act_##name(void) \
{ \
	int ret = (expression); \
\
	return ret; \
} \
FIXTURE_VARIANT_ADD(action, name) \
{ \
	.act = act_##name, \
	.told = { __VA_ARGS__ }, \
}

#define RENAMED(old, new, flags) \
	((int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags))
#define EXCHANGE	2

TOLD_OF(read, open_and("d/f", O_RDONLY, READ),
	{ F, F, OPEN | CLOSE_NOWRITE }, { D, F, OPEN | CLOSE_NOWRITE });
TOLD_OF(write, open_and("d/f", O_WRONLY, WRITE),
	{ F, F, OPEN | MODIFY | CLOSE_WRITE },
	{ D, F, OPEN | MODIFY | CLOSE_WRITE });
TOLD_OF(write_by_other_name, open_and("e/l", O_RDWR, WRITE),
	{ F, F, OPEN | MODIFY | CLOSE_WRITE },
	{ E, F, OPEN | MODIFY | CLOSE_WRITE });
TOLD_OF(open_truncating, open_and("d/f", O_WRONLY | O_TRUNC, NOTHING_MORE),
	{ F, F, OPEN | MODIFY | CLOSE_WRITE },
	{ D, F, OPEN | MODIFY | CLOSE_WRITE });
TOLD_OF(truncate, truncate("d/f", 100), { F, F, MODIFY }, { D, F, MODIFY });
TOLD_OF(allocate, open_and("d/f", O_RDWR, ALLOCATE),
	{ F, F, OPEN | MODIFY | CLOSE_WRITE },
	{ D, F, OPEN | MODIFY | CLOSE_WRITE });
/* as with inotify, stores into a mapping are not told */
TOLD_OF(map, open_and("d/f", O_RDWR, MAP),
	{ F, F, OPEN | CLOSE_WRITE }, { D, F, OPEN | CLOSE_WRITE });
TOLD_OF(open_path, open_and("d/f", O_PATH, NOTHING_MORE), { });
TOLD_OF(chmod, chmod("d/f", 0600), { F, F, ATTRIB }, { D, F, ATTRIB });
TOLD_OF(chown, chown("d/f", 5, 5), { F, F, ATTRIB }, { D, F, ATTRIB });
TOLD_OF(times, utimensat(AT_FDCWD, "d/f", NULL, 0),
	{ F, F, ATTRIB }, { D, F, ATTRIB });
TOLD_OF(chmod_directory, chmod("d", 0700), { D, D, ATTRIB });
TOLD_OF(chmod_subdirectory, chmod("d/s", 0700),
	{ S, S, ATTRIB }, { D, S, ATTRIB });
TOLD_OF(list, open_and("d", O_DIRECTORY, NOTHING_MORE),
	{ D, D, OPEN | CLOSE_NOWRITE });
TOLD_OF(list_subdirectory, open_and("d/s", O_DIRECTORY, NOTHING_MORE),
	{ S, S, OPEN | CLOSE_NOWRITE }, { D, S, OPEN | CLOSE_NOWRITE });
TOLD_OF(create, open_and("d/n", O_WRONLY | O_CREAT | O_EXCL, NOTHING_MORE),
	{ D, NEW, CREATE | OPEN | CLOSE_WRITE });
TOLD_OF(create_and_write, open_and("d/n", O_WRONLY | O_CREAT | O_EXCL, WRITE),
	{ D, NEW, CREATE | OPEN | MODIFY | CLOSE_WRITE });
TOLD_OF(mkdir, mkdir("d/n", 0755), { D, NEW, CREATE });
TOLD_OF(symlink, symlink("f", "d/n"), { D, NEW, CREATE });
TOLD_OF(mkfifo, mkfifo("d/n", 0600), { D, NEW, CREATE });
TOLD_OF(link, link("d/f", "d/n"), { F, F, ATTRIB }, { D, F, CREATE });
TOLD_OF(unlink_one_of_two, unlink("e/l"), { F, F, ATTRIB }, { E, F, DELETE });
TOLD_OF(unlink_last, unlink("d/o"),
	{ O, O, ATTRIB | DELETE_SELF }, { D, O, DELETE });
TOLD_OF(rmdir, rmdir("d/s"), { S, S, DELETE_SELF }, { D, S, DELETE });
TOLD_OF(rename_inside, rename("d/f", "d/n"),
	{ D, F, MOVED_FROM | MOVED_TO }, { F, F, MOVE_SELF });
TOLD_OF(rename_across, rename("d/f", "e/n"),
	{ D, F, MOVED_FROM }, { E, F, MOVED_TO }, { F, F, MOVE_SELF });
TOLD_OF(rename_over, rename("d/f", "e/g"),
	{ D, F, MOVED_FROM }, { E, F, MOVED_TO }, { F, F, MOVE_SELF },
	{ G, G, ATTRIB | DELETE_SELF });
TOLD_OF(rename_exchange, RENAMED("d/f", "e/g", EXCHANGE),
	{ D, F, MOVED_FROM }, { D, G, MOVED_TO }, { F, F, MOVE_SELF },
	{ E, F, MOVED_TO }, { E, G, MOVED_FROM }, { G, G, MOVE_SELF });
TOLD_OF(rename_subdirectory, rename("d/s", "e/s"),
	{ D, S, MOVED_FROM }, { E, S, MOVED_TO }, { S, S, MOVE_SELF });
TOLD_OF(rename_directory, rename("d", "x"), { D, D, MOVE_SELF });

FIXTURE_SETUP(action)
{
	int bit;

	ASSERT_EQ(0, place_init(&self->p, 16));
	for (bit = 0; bit < 16; bit++)
		ASSERT_EQ(0, queue_init(&self->each[bit], 16));
	self->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ASSERT_LE(0, self->inotify);
}

FIXTURE_TEARDOWN(action)
{
	int bit;

	for (bit = 0; bit < 16; bit++)
		ukevent_queue_exit(&self->each[bit]);
	close(self->inotify);
	EXPECT_EQ(0, place_exit(&self->p));
}

/**
 * struct expected - what is to be told of an object
 * @events: all of it
 * @ino: number of the inode concerned, per event
 * @only: the number, if all events are of one inode, else 0
 * @beside: what inotify told
 * @cookie: its cookie, per event
 */
struct expected {
	__u32 events;
	__u64 ino[16];
	__u64 only;
	__u32 beside;
	__u32 cookie[16];
};

static void expect(struct expected want[NR_OBJECTS], const struct told *told,
		   const __u64 *ino)
{
	int bit;

	for (; told->events; told++) {
		struct expected *w = &want[told->who];

		for (bit = 0; bit < 16; bit++)
			if (told->events & 1U << bit)
				w->ino[bit] = ino[told->what];
		w->only = w->events && w->only != ino[told->what] ? 0 : ino[told->what];
		w->events |= told->events;
	}
}

static void read_inotify(int fd, struct expected want[NR_OBJECTS], const int *wd)
{
	struct inotify_event in;
	char buf[4096], *p;
	int i, bit;
	ssize_t size = read(fd, buf, sizeof(buf));

	for (p = buf; p < buf + size; p += sizeof(in) + in.len) {
		memcpy(&in, p, sizeof(in));
		for (i = 0; i < NR_OBJECTS; i++) {
			if (wd[i] != in.wd)
				continue;
			want[i].beside |= in.mask & ~(IN_ISDIR | IN_IGNORED | IN_ACCESS |
						      IN_Q_OVERFLOW);
			for (bit = 0; bit < 16; bit++)
				if (in.mask & 1U << bit)
					want[i].cookie[bit] = in.cookie;
		}
	}
}

/*
 *   each     a queue per event with all objects: exactly what was told, of what
 *   p.q      all events of all objects, not read meanwhile: nothing lost
 *   inotify  a watch per object: the same, and the same cookies
 */
TEST_F(action, told)
{
	struct expected want[NR_OBJECTS] = {};
	struct ukevent_queue *q = &self->p.q;
	__u32 told[NR_OBJECTS] = {};
	__u64 ino[NR_OBJECTS + 1];
	int i, bit, wd[NR_OBJECTS];
	struct ukevent ev;

	for (i = 0; i < NR_OBJECTS; i++) {
		ino[i] = ino_of(names[i]);
		ASSERT_EQ(0, add_inode(q, names[i], ASKED, 0, i, NULL));
		for (bit = 0; bit < 16; bit++)
			ASSERT_EQ(0, add_inode(&self->each[bit], names[i],
					       ASKED & 1U << bit, 0, i, NULL));
		wd[i] = inotify_add_watch(self->inotify, names[i], IN_ALL_EVENTS);
		ASSERT_LT(0, wd[i]);
	}
	ASSERT_EQ(0, variant->act()) TH_LOG("%m");
	ino[NEW] = ino_of(names[NEW]);
	expect(want, variant->told, ino);
	read_inotify(self->inotify, want, wd);

	for (bit = 0; bit < 16; bit++) {
		while (ukevent_take(&self->each[bit], &ev, 1)) {
			i = ev.cookie;
			check_record(_metadata, __LINE__, &ev, INODE, i, 1U << bit, 0,
				     want[i].ino[bit], want[i].cookie[bit]);
			EXPECT_EQ(!!(ev.events & MOVED), !!ev.data[1]);
			told[i] |= ev.events;
		}
		EXPECT_QUIET(&self->each[bit]);
	}
	for (i = 0; i < NR_OBJECTS; i++) {
		EXPECT_EQ(want[i].events, told[i]) TH_LOG("%s", names[i]);
		EXPECT_EQ(want[i].beside, told[i]) TH_LOG("%s", names[i]);
		told[i] = 0;
	}

	/* two of each at most, and what is merged */
	EXPECT_GE(2 * NR_OBJECTS, in_ring(q));
	while (next_record(q, &ev)) {
		i = ev.cookie;
		told[i] |= ev.events;
		EXPECT_EQ(!ev.data[0], !!(ev.flags & KEVENT_REC_UNKNOWN));
		if (want[i].only)
			EXPECT_EQ(want[i].only, ev.data[0]);
	}
	for (i = 0; i < NR_OBJECTS; i++)
		EXPECT_EQ(want[i].events, told[i]) TH_LOG("%s, merged", names[i]);
	EXPECT_QUIET(q);
}

/* ---- adding ---- */

FIXTURE(added)
{
	struct place p;
};

/**
 * struct _fixture_variant_added - how an interest in d/o is added
 * @open: what is opened
 * @flags: how, -1 for not at all: then AT_FDCWD
 * @path: what ADD gets beside the descriptor
 * @absolute: the path, with the root in front, and a descriptor that is not open
 */
FIXTURE_VARIANT(added)
{
	const char *open;
	int flags;
	const char *path;
	bool absolute;
};

FIXTURE_VARIANT_ADD(added, read_only) { .open = "d/o", .flags = O_RDONLY };
FIXTURE_VARIANT_ADD(added, write_only) { .open = "d/o", .flags = O_WRONLY };
FIXTURE_VARIANT_ADD(added, o_path) { .open = "d/o", .flags = O_PATH };
FIXTURE_VARIANT_ADD(added, of_directory) { .open = "d", .flags = O_RDONLY, .path = "o" };
FIXTURE_VARIANT_ADD(added, of_o_path_directory) { .open = "d/s", .flags = O_PATH, .path = "../o" };
FIXTURE_VARIANT_ADD(added, of_cwd) { .flags = -1, .path = "d/s/../o" };
FIXTURE_VARIANT_ADD(added, by_symlink) { .flags = -1, .path = "link" };
FIXTURE_VARIANT_ADD(added, by_absolute_path) { .flags = -1, .path = "d/o", .absolute = true };

FIXTURE_SETUP(added)
{
	ASSERT_EQ(0, place_init(&self->p, 16));
	ASSERT_EQ(0, symlink("d/o", "link"));
}

FIXTURE_TEARDOWN(added)
{
	EXPECT_EQ(0, place_exit(&self->p));
}

/*
 *   descriptor closed, file renamed, directory renamed, written: told
 *   another file takes the name, written: not told
 *   unlinked: told, and the end
 */
TEST_F(added, in_the_inode)
{
	struct ukevent_queue *q = &self->p.q;
	int fd = AT_FDCWD;
	char path[64];
	__u64 id;
	__u64 ino;

	if (variant->absolute) {
		snprintf(path, sizeof(path), "%s/%s", self->p.root, variant->path);
		fd = 12345;
	}
	ino = ino_of("d/o");
	if (variant->flags >= 0)
		fd = open(variant->open, variant->flags | O_CLOEXEC);
	ASSERT_NE(-1, fd);
	ASSERT_EQ(0, add_inode_at(q, fd, variant->absolute ? path : variant->path,
				  0, MODIFY | MOVE_SELF | DELETE_SELF,
				  KEVENT_WANT_LAST, 7, &id));
	EXPECT_LT(0, (int)id);
	if (variant->flags >= 0)
		ASSERT_EQ(0, close(fd));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, rename("d/o", "e/o"));
	EXPECT_TOLD(q, 7, MOVE_SELF, 0, ino);
	ASSERT_EQ(0, rename("e", "x"));
	ASSERT_EQ(0, make_file("d/o"));
	ASSERT_EQ(0, write_text("d/o", "other"));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, write_text("x/o", "this"));
	EXPECT_TOLD(q, 7, MODIFY, 0, ino);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, unlink("x/o"));
	EXPECT_TOLD(q, 7, DELETE_SELF, 0, ino);
	EXPECT_TOLD(q, 7, 0, LAST, 0);
	EXPECT_EQ(-ENOENT, inode_op(q, KEVENT_OP_REMOVE, id, 0));
	EXPECT_QUIET(q);
}

/* ---- a place and a queue, nothing added ---- */

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

/* Without NOFOLLOW what the link names is watched, with it the link. */
TEST_F(inode, symlinks)
{
	struct ukevent_queue *q = &self->p.q, q2;
	__u64 ino;
	int fd;

	ASSERT_EQ(0, queue_init(&q2, 4));
	ASSERT_EQ(0, symlink("d/o", "link"));
	ASSERT_EQ(0, symlink("nothing", "dangling"));
	ino = ino_of("link");
	fd = open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, add_inode(q, "link", ASKED, 0, 1, NULL));
	ASSERT_EQ(0, add_inode_at(q, AT_FDCWD, "link", KEVENT_INODE_NOFOLLOW,
				  ASKED, 0, 2, NULL));
	EXPECT_EQ(-EEXIST, add_inode_at(q, fd, NULL, 0, ASKED, 0, 3, NULL));
	ASSERT_EQ(0, add_inode_at(&q2, fd, NULL, 0, ASKED, 0, 3, NULL));
	close(fd);
	EXPECT_EQ(-ENOENT, add_inode(q, "dangling", ASKED, 0, 4, NULL));
	EXPECT_EQ(0, add_inode_at(q, AT_FDCWD, "dangling", KEVENT_INODE_NOFOLLOW,
				  ASKED, 0, 5, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, truncate("link", 0));
	EXPECT_TOLD(q, 1, MODIFY, 0, ino_of("d/o"));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, rename("link", "link2"));
	EXPECT_TOLD(q, 2, MOVE_SELF, 0, ino);
	EXPECT_TOLD(&q2, 3, MOVE_SELF, 0, ino);
	EXPECT_QUIET(q);
	EXPECT_QUIET(&q2);
	ukevent_queue_exit(&q2);
}

struct bad {
	int ret;
	__u64 ident;
	const char *path;
	__u32 events;
	__u32 flags;
	__u64 lookup;
};

TEST_F(inode, errors_of_add)
{
	const __u64 cwd = AT_FDCWD;
	int file = open("d/f", O_RDONLY | O_CLOEXEC), closed = dup(file);
	int dir = open("d", O_RDONLY | O_CLOEXEC);
	static char name[300], path[5000];
	const char *wild = guarded_end(1);
	const struct bad rows[] = {
		{ -ENOENT, cwd, "nothing", MODIFY, 0, 0 },
		{ -ENOENT, cwd, "d/nothing/f", MODIFY, 0, 0 },
		{ -ENOENT, dir, "d", MODIFY, 0, 0 },
		{ -ENOENT, cwd, "", MODIFY, 0, 0 },
		{ -ENOENT, file, "", MODIFY, 0, 0 },
		{ -ENOTDIR, cwd, "d/f/x", MODIFY, 0, 0 },
		{ -ENOTDIR, file, "x", MODIFY, 0, 0 },
		{ -ENOTDIR, cwd, "d/f", MODIFY, 0, KEVENT_INODE_ONLYDIR },
		{ -ENOTDIR, file, NULL, MODIFY, 0, KEVENT_INODE_ONLYDIR },
		{ -ENOTDIR, cwd, "to-d", MODIFY, 0,
		  KEVENT_INODE_ONLYDIR | KEVENT_INODE_NOFOLLOW },
		{ -ELOOP, cwd, "circle", MODIFY, 0, 0 },
		{ -EBADF, closed, NULL, MODIFY, 0, 0 },
		{ -EBADF, closed, "f", MODIFY, 0, 0 },
		{ -EBADF, cwd, NULL, MODIFY, 0, 0 },
		{ -EBADF, ~0ULL, NULL, MODIFY, 0, 0 },
		{ -EBADF, ~0ULL, "f", MODIFY, 0, 0 },
		{ -EBADF, 1ULL << 32, NULL, MODIFY, 0, 0 },
		{ -EBADF, (1ULL << 32) + dir, "f", MODIFY, 0, 0 },
		{ -EBADF, (__u32)AT_FDCWD, "d/f", MODIFY, 0, 0 },
		{ -EFAULT, cwd, wild, MODIFY, 0, 0 },
		{ -EFAULT, cwd, (const char *)16, MODIFY, 0, 0 },
		{ -ENAMETOOLONG, cwd, name, MODIFY, 0, 0 },
		{ -ENAMETOOLONG, cwd, path, MODIFY, 0, 0 },
		{ -EINVAL, cwd, "d/f", 0x0001, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | 0x1000, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | IN_Q_OVERFLOW, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | IN_IGNORED, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | IN_ONLYDIR, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | IN_ISDIR, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY | 1U << 31, 0, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, KEVENT_EXCLUSIVE, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, KEVENT_ABSTIME, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, KEVENT_BY_ID, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, KEVENT_ACK, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, 1U << 31, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, KEVENT_EDGE | KEVENT_ONESHOT, 0 },
		{ -EINVAL, cwd, "d/f", MODIFY, 0, 4 },
		{ -EINVAL, cwd, "d/f", MODIFY, 0, 1ULL << 32 },
		{ -EINVAL, file, NULL, MODIFY, 0, KEVENT_INODE_NOFOLLOW },
		/* what may not be asked for is found before what is not there */
		{ -EINVAL, cwd, "nothing", 0x0001, 0, 0 },
		{ -EINVAL, closed, NULL, MODIFY, KEVENT_EXCLUSIVE, 0 },
	};
	struct ukevent_queue *q = &self->p.q;
	struct kevent_change c;
	size_t i;

	ASSERT_EQ(0, close(closed));
	ASSERT_EQ(0, symlink("d", "to-d"));
	ASSERT_EQ(0, symlink("circle", "circle"));
	memset(name, 'x', sizeof(name) - 1);
	for (i = 0; i < sizeof(path) - 1; i++)
		path[i] = "./"[i % 2];
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		c = make_typed(KEVENT_OP_ADD, INODE, rows[i].ident, rows[i].events,
			       rows[i].flags, 7);
		c.addr = (uintptr_t)rows[i].path;
		c.param[KEVENT_INODE_LOOKUP] = rows[i].lookup;
		EXPECT_EQ(rows[i].ret, do_change(q->fd, &c)) TH_LOG("row %zu", i);
		EXPECT_EQ(0ULL, c.id);
	}
	for (i = 0; i < 7; i++) {
		c = make_typed(KEVENT_OP_ADD, INODE, file, MODIFY, 0, 7);
		if (i < 3)
			c.param[i + 1] = 1;
		else if (i < 5)
			c.reserved[i - 3] = 1;
		else if (i < 6)
			c.id = 1;
		EXPECT_EQ(i < 6 ? -EINVAL : 0, do_change(q->fd, &c))
			TH_LOG("field %zu", i);
	}
	EXPECT_EQ(1, interests_of(q));
	close(file);
	close(dir);
	EXPECT_QUIET(q);
}

/* UNMOUNT is always watched, and as with other types may be asked for. */
TEST_F(inode, events_to_ask_for)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 ino[2] = { ino_of("d/f"), ino_of("d/o") };
	struct ukevent ev;
	int i;

	EXPECT_EQ(0, add_inode(q, "d/f", 0, 0, 0, NULL));
	EXPECT_EQ(0, add_inode(q, "d/o", UNMOUNT, 0, 1, NULL));
	EXPECT_EQ(0, open_and("d/f", O_WRONLY, WRITE));
	EXPECT_EQ(0, open_and("d/o", O_WRONLY, WRITE));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, fs_unmount(self->p.root));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, ukevent_take(q, &ev, 1));
		check_record(_metadata, __LINE__, &ev, INODE, ev.cookie, UNMOUNT, 0,
			     ino[ev.cookie % 2], 0);
	}
	EXPECT_EQ(0, interests_of(q));
	EXPECT_QUIET(q);
}

/* A descriptor and a path name nothing but for ADD. */
TEST_F(inode, by_id_only)
{
	static const __u16 ops[] = {
		KEVENT_OP_MODIFY, KEVENT_OP_DISABLE, KEVENT_OP_ENABLE, KEVENT_OP_REMOVE
	};
	int i, fd = open("d/f", O_RDWR | O_CLOEXEC);
	struct ukevent_queue *q = &self->p.q;
	struct kevent_change c;
	__u64 id;

	ASSERT_EQ(0, add_inode_at(q, fd, NULL, 0, MODIFY, 0, 7, &id));
	for (i = 0; i < 4; i++) {
		c = make_typed(ops[i], INODE, fd, 0, 0, i ? 0 : 7);
		EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		c.id = id;
		EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		c.flags = KEVENT_BY_ID;
		EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		c.ident = 0;
		c.addr = (uintptr_t)"d/f";
		EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		c.addr = 0;
		c.param[KEVENT_INODE_LOOKUP] = KEVENT_INODE_NOFOLLOW;
		EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		c.param[KEVENT_INODE_LOOKUP] = 0;
		c.id = id + 1;
		EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
		c.id = id;
		c.type = KEVENT_TYPE_USER;
		EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	}
	c = make_typed(KEVENT_OP_TRIGGER, INODE, fd, 0, 0, 0);
	EXPECT_EQ(-EOPNOTSUPP, do_change(q->fd, &c));
	/* nothing of that did anything */
	ASSERT_EQ(1, write(fd, "x", 1));
	EXPECT_TOLD(q, 7, MODIFY, 0, ino_of("d/f"));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, inode_op(q, ops[i], id, 0));
	EXPECT_EQ(-ENOENT, inode_op(q, KEVENT_OP_REMOVE, id, 0));
	ASSERT_EQ(1, write(fd, "x", 1));
	close(fd);
	EXPECT_QUIET(q);
}

TEST_F(inode, each_queue_is_told)
{
	int i, n, fd = open("d/f", O_WRONLY | O_CLOEXEC);
	__u64 id, ino = ino_of("d/f");
	struct ukevent_queue q[4];

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		ASSERT_EQ(0, add_inode_at(&q[i], fd, NULL, 0, i == 1 ? ATTRIB : MODIFY,
					  0, i, &id));
	}
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(0, fchmod(fd, 0600));
		for (i = 0; i < 4 - n; i++) {
			EXPECT_TOLD(&q[i], i, i == 1 ? ATTRIB : MODIFY, 0, ino);
			EXPECT_QUIET(&q[i]);
		}
		/* the others go on */
		if (!n)
			ASSERT_EQ(0, inode_op(&q[3], KEVENT_OP_REMOVE, id, 0));
	}
	EXPECT_QUIET(&q[3]);
	close(fd);
	for (i = 0; i < 4; i++)
		ukevent_queue_exit(&q[i]);
}

/* By whatever name; again when the interest has ended. */
TEST_F(inode, once_in_a_queue)
{
	static const __u32 modes[] = { 0, KEVENT_ONESHOT, KEVENT_START_DISABLED };
	int i, fd = open("d/f", O_WRONLY | O_CLOEXEC);
	struct ukevent_queue *q = &self->p.q;
	__u64 id, other;

	for (i = 0; i < 9; i++) {
		ASSERT_EQ(0, add_inode(q, "d/f", MODIFY, modes[i % 3], i, &id));
		EXPECT_EQ(-EEXIST, add_inode(q, "d/f", ATTRIB, 0, 99, &other));
		EXPECT_EQ(id, other);
		EXPECT_EQ(-EEXIST, add_inode(q, "e/l", MODIFY, 0, 99, &other));
		EXPECT_EQ(id, other);
		EXPECT_EQ(-EEXIST, add_inode_at(q, fd, NULL, 0, MODIFY,
						KEVENT_WANT_LAST, 99, &other));
		EXPECT_EQ(id, other);
		EXPECT_EQ(1, interests_of(q));
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(0, fchmod(fd, 0600));
		if (modes[i % 3] != KEVENT_START_DISABLED)
			EXPECT_TOLD(q, i, MODIFY, 0, ino_of("d/f"));
		EXPECT_EQ(removed(modes[i % 3]),
			  inode_op(q, KEVENT_OP_REMOVE, id, 0));
	}
	close(fd);
	EXPECT_QUIET(q);
}

/* Fewer events, other cookies and modes; more events than ADD: never. */
TEST_F(inode, modify)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 ino = ino_of("d/f");
	__u64 id;

	ASSERT_EQ(0, add_inode(q, "d", MODIFY | OPEN, 0, 1, &id));
	EXPECT_EQ(-EPERM, modify_inode(q, id, MODIFY | OPEN | ATTRIB, 0, 2));
	EXPECT_EQ(-EPERM, modify_inode(q, id, DELETE_SELF, 0, 2));
	EXPECT_EQ(-EINVAL, modify_inode(q, id, MODIFY | 1, 0, 2));
	EXPECT_EQ(-EINVAL, modify_inode(q, id, MODIFY, KEVENT_EXCLUSIVE, 2));
	ASSERT_EQ(0, truncate("d/f", 3));
	EXPECT_TOLD(q, 1, MODIFY, 0, ino);
	ASSERT_EQ(0, modify_inode(q, id, OPEN, 0, 2));
	ASSERT_EQ(0, truncate("d/f", 4));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, open_and("d/f", O_RDONLY, NOTHING_MORE));
	EXPECT_TOLD(q, 2, OPEN, 0, ino);
	ASSERT_EQ(0, modify_inode(q, id, 0, 0, 3));
	EXPECT_EQ(0, open_and("d/f", O_WRONLY, WRITE));
	EXPECT_QUIET(q);
	/* what ADD asked for stays permitted */
	ASSERT_EQ(0, modify_inode(q, id, MODIFY, KEVENT_ONESHOT |
				  KEVENT_WANT_LAST, 4));
	ASSERT_EQ(0, truncate("d/f", 5));
	EXPECT_TOLD(q, 4, MODIFY, LAST, ino);
	EXPECT_EQ(-ENOENT, modify_inode(q, id, MODIFY, 0, 5));
	EXPECT_QUIET(q);
}

/* ---- rights ---- */

struct right {
	int ret;
	mode_t dir, file;
	uid_t owner;
	int flags;		/* of a descriptor that is inherited, or -1: path */
	const char *watch;
};

/* Read permission of the inode counts, as asked of who adds, not the descriptor's. */
TEST_F(inode, rights)
{
	static const struct right rows[] = {
		{ 0, 0755, 0644, 0, -1, "d/f" },
		{ 0, 0755, 0644, 0, O_WRONLY, "d/f" },
		{ 0, 0755, 0644, 0, O_PATH, "d/f" },
		{ 0, 0700, 0644, 0, O_RDONLY, "d/f" },
		{ 0, 0711, 0644, 0, -1, "d/f" },
		{ 0, 0755, 0400, 1000, -1, "d/f" },
		{ 0, 0755, 0600, 0, -1, "d" },
		{ -EACCES, 0755, 0600, 0, -1, "d/f" },
		{ -EACCES, 0755, 0600, 0, O_RDWR, "d/f" },
		{ -EACCES, 0755, 0600, 0, O_RDONLY, "d/f" },
		{ -EACCES, 0755, 0600, 0, O_PATH, "d/f" },
		{ -EACCES, 0755, 0622, 0, -1, "d/f" },
		{ -EACCES, 0755, 0222, 1000, O_WRONLY, "d/f" },
		{ -EACCES, 0700, 0644, 0, -1, "d/f" },
		{ -EACCES, 0711, 0644, 0, -1, "d" },
		{ -EACCES, 0711, 0644, 0, O_RDONLY, "d" },
	};
	struct ukevent_queue q;
	size_t i;
	pid_t pid;
	int fd;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct right *r = &rows[i];

		ASSERT_EQ(0, chmod("d", r->dir));
		ASSERT_EQ(0, chmod("d/f", r->file));
		ASSERT_EQ(0, chown("d/f", r->owner, 0));
		fd = r->flags < 0 ? AT_FDCWD : open(r->watch, r->flags | O_CLOEXEC);
		ASSERT_NE(-1, fd);
		ASSERT_EQ(0, queue_init(&q, 4));
		pid = fork();
		if (!pid) {
			if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
			    setresuid(1000, 1000, 1000))
				_exit(255);
			_exit(-add_inode_at(&q, fd, fd < 0 ? r->watch : NULL, 0,
					    ASKED, 0, i, NULL));
		}
		EXPECT_EQ(-r->ret, child_status(pid)) TH_LOG("row %zu", i);
		EXPECT_EQ(!r->ret, interests_of(&q));
		ukevent_queue_exit(&q);
		if (fd >= 0)
			close(fd);
	}
}

/* ---- several changes in one record ---- */

FIXTURE(merged)
{
	struct place p;
	int fd;
};

FIXTURE_VARIANT(merged)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(merged, level)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(merged, edge)
{
	.flags = KEVENT_EDGE,
};

FIXTURE_SETUP(merged)
{
	ASSERT_EQ(0, place_init(&self->p, 16));
	self->fd = open("d/f", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(merged)
{
	close(self->fd);
	EXPECT_EQ(0, place_exit(&self->p));
}

/* Two records unread, what comes then is one more. */
TEST_F(merged, of_one_inode)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 ino = ino_of("d/f");
	int i;

	ASSERT_EQ(0, add_inode(q, "d", MODIFY | ATTRIB, variant->flags, 7, NULL));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(0, fchmod(self->fd, 0600));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_TOLD(q, 7, MODIFY, 0, ino);
	EXPECT_TOLD(q, 7, MODIFY, 0, ino);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TOLD(q, 7, MODIFY | ATTRIB, 0, ino);
	EXPECT_QUIET(q);
}

TEST_F(merged, of_several_inodes)
{
	struct ukevent_queue *q = &self->p.q;
	char path[8];
	int i;

	ASSERT_EQ(0, add_inode(q, "d/s", CREATE | DELETE, variant->flags, 7, NULL));
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "d/s/%d", i);
		ASSERT_EQ(0, make_file(path));
	}
	EXPECT_EQ(2, in_ring(q));
	EXPECT_TOLD(q, 7, CREATE, 0, ino_of("d/s/0"));
	EXPECT_TOLD(q, 7, CREATE, 0, ino_of("d/s/1"));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TOLD(q, 7, CREATE, KEVENT_REC_UNKNOWN, 0);
	/* that is over then */
	ASSERT_EQ(0, make_file("d/s/5"));
	EXPECT_TOLD(q, 7, CREATE, 0, ino_of("d/s/5"));
	EXPECT_QUIET(q);
}

/* Two records that are unread, so that what comes is merged. */
static int leave_unread(int fd)
{
	return fchmod(fd, 0600) || fchmod(fd, 0644) ? -errno : 0;
}

/*
 *   both halves of a rename     number and cookie of it
 *   and a write to it           the same
 *   two renames of it           number, no cookie, UNKNOWN
 *   renames of two              nothing, UNKNOWN
 */
TEST_F(merged, renames)
{
	struct ukevent_queue *q = &self->p.q, q2;
	__u64 ino = ino_of("d/f");
	struct ukevent half;
	int i;

	ASSERT_EQ(0, queue_init(&q2, 4));
	ASSERT_EQ(0, add_inode(q, "d", MODIFY | ATTRIB | MOVED, variant->flags, 7,
			       NULL));
	ASSERT_EQ(0, add_inode(&q2, "d", MOVED_FROM, 0, 8, NULL));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, leave_unread(self->fd));
		if (i == 1)
			ASSERT_EQ(1, write(self->fd, "x", 1));
		ASSERT_EQ(0, rename("d/f", "d/n"));
		if (i < 2)
			ASSERT_EQ(1, take_all(&q2, &half));
		if (i == 1)
			ASSERT_EQ(1, write(self->fd, "x", 1));
		if (i == 2)
			ASSERT_EQ(0, rename("d/n", "d/m"));
		if (i == 3)
			ASSERT_EQ(0, rename("d/o", "d/m"));
		EXPECT_EQ(2, take_all(q, NULL));
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_NE(0ULL, half.data[1]);
		EXPECT_TAKE_TYPED(q, INODE, 7, i == 1 ? MOVED | MODIFY : MOVED,
				  i < 2 ? 0 : KEVENT_REC_UNKNOWN, i < 3 ? ino : 0,
				  i < 2 ? half.data[1] : 0);
		EXPECT_QUIET(q);
		if (i < 3)
			ASSERT_EQ(0, rename(i == 2 ? "d/m" : "d/n", "d/f"));
		take_all(q, NULL);
		EXPECT_QUIET(q);
		take_all(&q2, NULL);
	}
	ukevent_queue_exit(&q2);
}

/* While disabled changes are told to nobody, and kept. */
TEST_F(merged, while_disabled)
{
	struct ukevent_queue *q = &self->p.q;
	__u64 ino = ino_of("d/f");
	__u64 id;
	int i;

	ASSERT_EQ(0, add_inode(q, "d/f", MODIFY | ATTRIB,
			       variant->flags | KEVENT_START_DISABLED, 7, &id));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, write(self->fd, "x", 1));
		if (i)
			ASSERT_EQ(0, fchmod(self->fd, 0600));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
		EXPECT_TOLD(q, 7, i ? MODIFY | ATTRIB : MODIFY, 0, ino);
		/* each time it is enabled, and when there was nothing */
		ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, inode_op(q, KEVENT_OP_DISABLE, id, 0));
	}
	/* what MODIFY no longer asks for is not told afterwards */
	ASSERT_EQ(1, write(self->fd, "x", 1));
	ASSERT_EQ(0, fchmod(self->fd, 0600));
	ASSERT_EQ(0, modify_inode(q, id, ATTRIB, variant->flags, 8));
	ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
	EXPECT_TOLD(q, 8, ATTRIB, 0, ino);
	EXPECT_QUIET(q);
}

/* One record, then disabled until ENABLE, which tells what came meanwhile. */
TEST_F(inode, dispatch)
{
	int i, fd = open("d/f", O_WRONLY | O_CLOEXEC);
	struct ukevent_queue *q = &self->p.q;
	__u64 ino = ino_of("d/f");
	__u64 id;

	ASSERT_EQ(0, add_inode(q, "d/f", MODIFY | ATTRIB, KEVENT_DISPATCH, 7, &id));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, write(fd, "x", 1));
		EXPECT_EQ(1, in_ring(q));
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(0, fchmod(fd, 0600));
		EXPECT_TOLD(q, 7, MODIFY, 0, ino);
		EXPECT_QUIET(q);
		ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
		EXPECT_TOLD(q, 7, MODIFY | ATTRIB, 0, ino);
		ASSERT_EQ(0, inode_op(q, KEVENT_OP_ENABLE, id, 0));
		EXPECT_QUIET(q);
	}
	close(fd);
}

/* One record and the end; ADD makes a new one. */
TEST_F(inode, oneshot)
{
	struct ukevent_queue *q = &self->p.q;
	int fd = open("d/f", O_WRONLY | O_CLOEXEC);
	__u64 id, last_id = 0;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, add_inode(q, "d/f", MODIFY, KEVENT_ONESHOT, i, &id));
		EXPECT_LT(last_id, id);
		last_id = id;
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(1, write(fd, "x", 1));
		EXPECT_EQ(-ENOENT, inode_op(q, KEVENT_OP_REMOVE, id, 0));
		EXPECT_TOLD(q, i, MODIFY, 0, ino_of("d/f"));
		EXPECT_QUIET(q);
	}
	EXPECT_EQ(0, interests_of(q));
	close(fd);
}

/* ---- what all sources have ---- */

TEST_F(inode, fdinfo)
{
	char path[64], text[4096], want[160];
	struct ukevent_queue *q = &self->p.q;
	struct stat st;
	__u64 id;

	ASSERT_EQ(0, stat("d/f", &st));
	ASSERT_EQ(0, add_inode(q, "d/f", MODIFY | DELETE_SELF,
			       KEVENT_EDGE | KEVENT_WANT_LAST, 0xabc, &id));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	ASSERT_LT(0, read_text(path, text, sizeof(text)));
	snprintf(want, sizeof(want),
		 "\nid: %llu type: inode ident: 0 events: 2402 cookie: abc flags: 9 ino: %llu dev: %u:%u\n",
		 (unsigned long long)id, (unsigned long long)st.st_ino,
		 major(st.st_dev), minor(st.st_dev));
	EXPECT_NE(NULL, strstr(text, want)) TH_LOG("%s", text);
	EXPECT_FALSE(has_address(text));
}

TEST_F(inode, without_ring)
{
	__u64 ino = ino_of("d/o");
	struct ukevent_queue q;
	struct ukevent ev[8];
	int n;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, add_inode(&q, "d/o", MODIFY | DELETE_SELF, KEVENT_WANT_LAST, 7,
			       NULL));
	ASSERT_EQ(0, truncate("d/o", 5));
	ASSERT_EQ(0, unlink("d/o"));
	n = sys_kevent_get_events(q.fd, ev, 3, 8, NULL, 0);
	ASSERT_EQ(3, n);
	check_record(_metadata, __LINE__, &ev[0], INODE, 7, MODIFY, 0, ino, 0);
	check_record(_metadata, __LINE__, &ev[1], INODE, 7, DELETE_SELF, 0, ino, 0);
	check_record(_metadata, __LINE__, &ev[2], INODE, 7, 0, LAST, 0, 0);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, ev, 0, 8, NULL, 0));
	ukevent_queue_exit(&q);
}

/* Who sleeps in kevent_wait() or in poll() of the queue wakes. */
TEST_F(inode, wakes)
{
	struct ukevent_queue *q = &self->p.q;
	struct waiter w;
	pid_t pid;

	ASSERT_EQ(0, add_inode(q, "d", CREATE, 0, 7, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(0, make_file("d/n"));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TOLD(q, 7, CREATE, 0, ino_of("d/n"));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	pid = fork();
	if (!pid)
		_exit(!!task_asleep(getppid()) || make_file("d/m"));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, TEST_LONG_MS));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TOLD(q, 7, CREATE, 0, ino_of("d/m"));
	EXPECT_QUIET(q);
}

TEST_HARNESS_MAIN
