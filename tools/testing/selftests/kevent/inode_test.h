/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of inodes.
 */
#ifndef KEVENT_INODE_TEST_H
#define KEVENT_INODE_TEST_H

#define _FILE_OFFSET_BITS 64	/* inode numbers, in programs of 32 bits as well */

#include "source_test.h"
#include <sys/mount.h>

#define INODE		KEVENT_TYPE_INODE
#define MODIFY		KEVENT_INODE_MODIFY
#define ATTRIB		KEVENT_INODE_ATTRIB
#define CLOSE_WRITE	KEVENT_INODE_CLOSE_WRITE
#define CLOSE_NOWRITE	KEVENT_INODE_CLOSE_NOWRITE
#define OPEN		KEVENT_INODE_OPEN
#define MOVED_FROM	KEVENT_INODE_MOVED_FROM
#define MOVED_TO	KEVENT_INODE_MOVED_TO
#define CREATE		KEVENT_INODE_CREATE
#define DELETE		KEVENT_INODE_DELETE
#define DELETE_SELF	KEVENT_INODE_DELETE_SELF
#define MOVE_SELF	KEVENT_INODE_MOVE_SELF
#define UNMOUNT		KEVENT_INODE_UNMOUNT
#define MOVED		KEVENT_INODE_MOVE
#define ASKED		(MODIFY | ATTRIB | KEVENT_INODE_CLOSE | OPEN | MOVED | CREATE | \
			 DELETE | DELETE_SELF | MOVE_SELF)

/* Makes an empty file system the working directory. */
static inline int fs_enter(char root[32])
{
	snprintf(root, 32, "/tmp/kevent-inode-XXXXXX");
	mkdir("/tmp", 01777);
	return !mkdtemp(root) || mount("none", root, "tmpfs", 0, NULL) ||
	       chdir(root) ? -errno : 0;
}

/* Fails if anything but the working directory keeps it. */
static inline int fs_unmount(const char *root)
{
	return chdir("/") || umount(root) ? -errno : 0;
}

/* The same at the end of a test, which may have unmounted it. */
static inline int fs_leave(const char *root)
{
	int ret = fs_unmount(root);

	if (ret && ret != -EINVAL)
		return ret;
	return rmdir(root) ? -errno : 0;
}

static inline int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 || close(fd) ? -errno : 0;
}

/* Number of an inode, which is not opened by that; 0 if there is none. */
static inline __u64 ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_ino;
}

static inline int add_inode_at(struct ukevent_queue *q, int fd, const char *path,
			       __u32 lookup, __u32 events, __u32 flags,
			       __u64 cookie, __u64 *id)
{
	uint64_t its_id = 0;
	int ret = ukevent_add_inode(q, fd, path, lookup, events, flags, cookie,
				    &its_id);

	if (id)
		*id = its_id;
	return ret;
}

static inline int add_inode(struct ukevent_queue *q, const char *path,
			    __u32 events, __u32 flags, __u64 cookie, __u64 *id)
{
	return add_inode_at(q, AT_FDCWD, path, 0, events, flags, cookie, id);
}

static inline int inode_op(struct ukevent_queue *q, unsigned int op, __u64 id,
			   __u32 flags)
{
	return ukevent_op_id(q, op, INODE, id, flags);
}

/* MODIFY of events and mode. */
static inline int modify_inode(struct ukevent_queue *q, __u64 id, __u32 events,
			       __u32 flags, __u64 cookie)
{
	struct kevent_change c = make_typed(KEVENT_OP_MODIFY, INODE, 0, events,
					    flags | KEVENT_BY_ID, cookie);

	c.id = id;
	return do_change(q->fd, &c);
}

/* Number of interests that a queue has allocated, by its fdinfo. */
static inline int interests_of(const struct ukevent_queue *q)
{
	char path[64], text[4096], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	if (read_text(path, text, sizeof(text)) <= 0)
		return -EIO;
	p = strstr(text, "interests: ");
	return p ? atoi(p + 11) : -EPROTO;
}

/* ---- a place for tests ---- */

/*
 *   d/f, also e/l     d/o     d/s/     e/g
 */
struct place {
	char root[32];
	struct ukevent_queue q;
};

static inline int place_init(struct place *p, __u32 entries)
{
	int ret = fs_enter(p->root);

	if (ret)
		return ret;
	if (mkdir("d", 0755) || mkdir("d/s", 0755) || mkdir("e", 0755))
		return -errno;
	ret = make_file("d/f") ?: make_file("d/o") ?: make_file("e/g") ?:
	      write_text("d/f", "x") ?: queue_init(&p->q, entries);
	return ret ?: link("d/f", "e/l") ? -errno : 0;
}

static inline int place_exit(struct place *p)
{
	ukevent_queue_exit(&p->q);
	return fs_leave(p->root);
}

#define EXPECT_TOLD(q, cookie, events, flags, ino) \
	EXPECT_TAKE_TYPED(q, INODE, cookie, events, flags, ino, 0)

/* The next record, if need be from what the kernel holds back. */
static inline int next_record(struct ukevent_queue *q, struct ukevent *ev)
{
	if (!q->ring_map)
		return sys_kevent_get_events(q->fd, ev, 0, 1, NULL, 0);
	if (!in_ring(q))
		flush_ring(q);
	return ukevent_take(q, ev, 1);
}

#endif /* KEVENT_INODE_TEST_H */
