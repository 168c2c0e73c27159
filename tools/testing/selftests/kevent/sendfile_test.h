/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of sent files: file systems, files whose bytes are known
 * by position, transfers that are received and compared.
 */
#ifndef KEVENT_SENDFILE_TEST_H
#define KEVENT_SENDFILE_TEST_H

/* Positions that 32 bits cannot say, in programs of 32 bits as well. */
#define _FILE_OFFSET_BITS 64

#include "stream_test.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define SF_PROGRESS	((__u32)KEVENT_SENDFILE_PROGRESS)
#define SF_DONE		((__u32)KEVENT_SENDFILE_DONE)
#define SF_EOF		((__u32)KEVENT_SENDFILE_EOF)
#define SF_ERROR	((__u32)KEVENT_SENDFILE_ERROR)
#define SF_HUP		((__u32)KEVENT_SENDFILE_HUP)

#define MIB		(1024U * KIB)

#define TO_END		KEVENT_SENDFILE_TO_END

/* Seeds of patterns. */
#define FILE_SEED	1
#define HEADER_SEED	2
#define OTHER_SEED	3

/* ---- queues ---- */

static inline int files_queue(struct ukevent_queue *q, __u32 entries, __u32 flags)
{
	struct kevent_params params;

	memset(&params, 0, sizeof(params));
	params.ring_entries = entries;
	params.flags = KEVENT_CREATE_SENDFILE | flags;
	return ukevent_queue_init(q, &params);
}

/* ---- file systems ---- */

/* Finds the disk with that serial number, see scripts/boot.sh. */
static inline int find_disk(const char *serial, char *dev, size_t size)
{
	DIR *dir = opendir("/sys/block");
	char path[300], text[64];
	struct dirent *entry;
	int ret = -ENOENT;

	while (dir && ret && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/block/%s/serial", entry->d_name);
		if (read_text(path, text, sizeof(text)) < 0)
			continue;
		text[strcspn(text, "\n")] = 0;
		if (strcmp(text, serial))
			continue;
		snprintf(dev, size, "/dev/%.32s", entry->d_name);
		ret = 0;
	}
	if (dir)
		closedir(dir);
	return ret;
}

/**
 * struct place - a file system that is mounted
 * @dir: where files are made
 * @view: where they are opened: of an overlay somewhere else
 * @base: where the file system is
 */
struct place {
	char dir[80];
	char view[80];
	char base[48];
};

static inline void remove_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

/* Leaves the disk to the next test as it was. */
static inline void place_clean(const struct place *p)
{
	char upper[80];

	remove_files(p->dir);
	snprintf(upper, sizeof(upper), "%s/upper", p->base);
	remove_files(upper);
}

static inline int mount_disk(const char *serial, const char *type, const char *at)
{
	char dev[64];
	int ret = find_disk(serial, dev, sizeof(dev));

	return ret ? ret : mount(dev, at, type, 0, NULL) ? -errno : 0;
}

/*
 * Mounts what a test wants, in a name space that goes with the caller: a disk by its
 * serial number, "tmpfs", or "overlay" over the disk ext4.  -ENOENT: there is no such
 * disk; -ENODEV: no such file system in this kernel.
 */
static inline int place_open(struct place *p, const char *name)
{
	char options[256];
	int ret;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	snprintf(p->base, sizeof(p->base), "/tmp/place-%s-%d", name, getpid());
	if (mkdir(p->base, 0755))
		return -errno;
	strcpy(p->dir, p->base);
	strcpy(p->view, p->base);
	if (!strcmp(name, "tmpfs"))
		return mount("tmpfs", p->base, "tmpfs", 0, NULL) ? -errno : 0;
	if (!strcmp(name, "slow"))
		return mount_disk("slow", "ext4", p->base);
	if (strcmp(name, "overlay"))
		return mount_disk(name, name, p->base);
	ret = mount_disk("ext4", "ext4", p->base);
	if (ret)
		return ret;
	snprintf(p->dir, sizeof(p->dir), "%s/lower", p->base);
	snprintf(p->view, sizeof(p->view), "%s/merged", p->base);
	place_clean(p);
	mkdir(p->dir, 0755);
	mkdir(p->view, 0755);
	snprintf(options, sizeof(options), "%s/upper", p->base);
	mkdir(options, 0755);
	snprintf(options, sizeof(options), "%s/work", p->base);
	mkdir(options, 0755);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
		 p->dir, p->base, p->base);
	return mount("overlay", p->view, "overlay", 0, options) ? -errno : 0;
}

#define OPEN_PLACE(p, name) \
do { \
	int __ret = place_open(p, name); \
	if (__ret == -ENOENT) \
		SKIP(return, "no disk %s (scripts/boot.sh)", name); \
	if (__ret == -ENODEV) \
		SKIP(return, "no %s in this kernel", name); \
	ASSERT_EQ(0, __ret); \
} while (0)

/* ---- files ---- */

static inline int write_pattern(int fd, __u32 seed, __u64 pos, size_t len)
{
	static unsigned char buf[65536];
	size_t n;

	while (len) {
		n = len < sizeof(buf) ? len : sizeof(buf);
		pattern_fill(buf, seed, pos, n);
		if (pwrite(fd, buf, n, pos) != (ssize_t)n)
			return -errno;
		pos += n;
		len -= n;
	}
	return 0;
}

/* Leaves nothing of a file in the page cache that can go. */
static inline int make_cold(int fd)
{
	if (fsync(fd))
		return -errno;
	return -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* Is the byte at @pos in the page cache?  A read that does not wait would bring it. */
static inline bool is_cached(int fd, __u64 pos)
{
	unsigned char there = 0;
	void *map;

	map = mmap64(NULL, page_size(), PROT_READ, MAP_SHARED, fd,
		     pos & ~(__u64)(page_size() - 1));
	if (map == MAP_FAILED)
		return false;
	if (mincore(map, page_size(), &there))
		there = 0;
	munmap(map, page_size());
	return there & 1;
}

/* ... and of the byte at @pos nothing: a page stays while a packet has it. */
static inline int make_cold_at(int fd, __u64 pos)
{
	int tries, ret;

	for (tries = 0; tries < 500; tries++) {
		ret = make_cold(fd);
		if (ret || !is_cached(fd, pos))
			return ret;
		sleep_ms(20);
	}
	return -EBUSY;
}

static inline void make_warm(int fd, __u64 pos, size_t len)
{
	static char buf[65536];
	ssize_t n;

	while (len) {
		n = pread(fd, buf, len < sizeof(buf) ? len : sizeof(buf), pos);
		if (n <= 0)
			return;
		pos += n;
		len -= n;
	}
}

/* A file of that name and size where @p says, open for reading and writing. */
static inline int make_file(const struct place *p, const char *name, __u64 size)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	ret = write_pattern(fd, FILE_SEED, 0, size);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/* The same file where it is looked at. */
static inline int open_file(const struct place *p, const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->view, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static inline int make_memfd(__u64 size)
{
	int fd = memfd_create("kevent", MFD_CLOEXEC);
	int ret = fd < 0 ? -errno : write_pattern(fd, FILE_SEED, 0, size);

	return ret ? ret : fd;
}

/* ---- changes ---- */

static inline struct kevent_change make_sendfile(int sock, int fd, __u64 offset,
						 __u64 length)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_SENDFILE, sock, 0,
					    KEVENT_WANT_LAST, 0);

	c.param[KEVENT_SENDFILE_FD] = fd;
	c.param[KEVENT_SENDFILE_OFFSET] = offset;
	c.param[KEVENT_SENDFILE_LENGTH] = length;
	return c;
}

static inline int op_sendfile(struct ukevent_queue *q, unsigned int op, int sock)
{
	struct kevent_change c = make_typed(op, KEVENT_TYPE_SENDFILE, sock, 0, 0, 0);

	return do_change(q->fd, &c);
}

/* ---- transfers ---- */

/* Are these bytes what may come from position @pos of the file? */
typedef bool (*bytes_fn)(const void *from, __u64 pos, size_t len);

static inline bool file_bytes(const void *from, __u64 pos, size_t len)
{
	return pattern_is(from, FILE_SEED, pos, len);
}

/* Of a file that is changed: a byte as it was, or zero. */
static inline bool file_or_zero(const void *from, __u64 pos, size_t len)
{
	const unsigned char *p = (const unsigned char *)from;

	for (; len; len--, pos++, p++)
		if (*p && !pattern_is(p, FILE_SEED, pos, 1))
			return false;
	return true;
}

static inline bool file_or_other(const void *from, __u64 pos, size_t len)
{
	const unsigned char *p = (const unsigned char *)from;

	for (; len; len--, pos++, p++)
		if (!pattern_is(p, FILE_SEED, pos, 1) &&
		    !pattern_is(p, OTHER_SEED, pos, 1))
			return false;
	return true;
}

/**
 * struct transfer - a file that is being sent, and received at the other end
 * @s: the sockets: it is sent from fd
 * @c: the ADD
 * @header: bytes that go before
 * @is: what the bytes must be
 * @got: bytes received, with those of the header
 * @wrong: one of them was not what was sent
 * @told: bytes of the file that were sent, by the newest record
 * @header_told: likewise of the header
 * @progress: records of progress
 * @backward: one said less than one before
 * @end: the last record, once there was one
 * @ended: there was
 */
struct transfer {
	struct source s;
	struct kevent_change c;
	unsigned char header[4096];
	bytes_fn is;
	__u64 got;
	bool wrong;
	__u64 told;
	__u32 header_told;
	unsigned int progress;
	bool backward;
	struct ukevent end;
	bool ended;
};

static inline __u32 header_len(const struct transfer *t)
{
	return t->c.param[KEVENT_SENDFILE_MARK] >> 48;
}

static inline int transfer_open(struct transfer *t, int family)
{
	memset(t, 0, sizeof(*t));
	t->is = file_bytes;
	return stream_pair(&t->s, family);
}

/* Room in the sockets that does not grow. */
static inline int transfer_narrow(struct transfer *t, int room)
{
	if (setsockopt(t->s.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) ||
	    setsockopt(t->s.peer, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)))
		return -errno;
	return 0;
}

static inline void transfer_header(struct transfer *t, __u32 len)
{
	pattern_fill(t->header, HEADER_SEED, 0, len);
	t->c.addr = len ? (unsigned long)t->header : 0;
	t->c.param[KEVENT_SENDFILE_MARK] |= KEVENT_SENDFILE_HEADER(len);
}

static inline void transfer_mark(struct transfer *t, __u32 mark)
{
	t->c.param[KEVENT_SENDFILE_MARK] |= mark;
	t->c.events |= SF_PROGRESS;
}

/* The next one on the same sockets. */
static inline void transfer_next(struct transfer *t, int fd, __u64 offset, __u64 length)
{
	struct source s = t->s;
	bytes_fn is = t->is;

	memset(t, 0, sizeof(*t));
	t->s = s;
	t->is = is;
	t->c = make_sendfile(s.fd, fd, offset, length);
	t->c.cookie = (unsigned long)t;
}

/* Receives what is there, at most @max bytes; how many. */
static inline long transfer_receive(struct transfer *t, size_t max)
{
	static __thread unsigned char buf[65536];
	__u64 offset = t->c.param[KEVENT_SENDFILE_OFFSET];
	__u32 header = header_len(t), skip;
	long n, total = 0;

	while (max) {
		n = recv(t->s.peer, buf, max < sizeof(buf) ? max : sizeof(buf),
			 MSG_DONTWAIT);
		if (n <= 0)
			break;
		skip = t->got < header ? header - t->got : 0;
		if (skip > n)
			skip = n;
		if (!pattern_is(buf, HEADER_SEED, t->got, skip) ||
		    !t->is(buf + skip, offset + t->got + skip - header, n - skip))
			t->wrong = true;
		t->got += n;
		total += n;
		max -= n;
	}
	return total;
}

/* Takes the records there are, of any transfer. */
static inline void transfer_records(struct ukevent_queue *q)
{
	struct ukevent ev;

	while (ukevent_take(q, &ev, 1) > 0) {
		struct transfer *t = (struct transfer *)(unsigned long)ev.cookie;

		if (ev.data[0] < t->told)
			t->backward = true;
		t->told = ev.data[0];
		t->header_told = KEVENT_SENDFILE_HEADER_SENT(ev.data[1]);
		/* In order: the header is whole before the file begins. */
		if (t->header_told > header_len(t) ||
		    (t->told && t->header_told < header_len(t)))
			t->backward = true;
		if (ev.events & SF_PROGRESS)
			t->progress++;
		if (ev.flags & KEVENT_REC_LAST || ev.events & SF_DONE) {
			t->end = ev;
			t->ended = true;
		}
	}
}

/* Goes on until all that was sent was received; 0, -ETIME or -EBADMSG. */
static inline int transfer_drain(struct transfer *t)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (t->got < t->header_told + t->told && now_ns(CLOCK_MONOTONIC) < end)
		if (!transfer_receive(t, SIZE_MAX))
			sched_yield();
	if (t->wrong)
		return -EBADMSG;
	return t->got == t->header_told + t->told ? 0 : -ETIME;
}

/* Waits, and receives at most @max bytes of each, until all @nr have ended. */
static inline int transfers_run(struct ukevent_queue *q, struct transfer *t,
				unsigned int nr, size_t max)
{
	unsigned int i, ended = 0;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int ret = 0;

	while (ended < nr) {
		if (now_ns(CLOCK_MONOTONIC) - start > 3 * TEST_LONG_MS * NSEC_PER_MSEC)
			return -ETIME;
		ret = wait_ms(q, 1, 1);
		if (ret < 0)
			return ret;
		transfer_records(q);
		for (i = ended = 0; i < nr; i++) {
			transfer_receive(&t[i], max);
			ended += t[i].ended;
		}
	}
	for (i = 0, ret = 0; i < nr && !ret; i++)
		ret = transfer_drain(&t[i]);
	return ret;
}

static inline int transfer_run(struct ukevent_queue *q, struct transfer *t)
{
	int ret = do_change(q->fd, &t->c);

	return ret ? ret : transfers_run(q, t, 1, SIZE_MAX);
}

/* Waits without receiving until the socket has taken all that it can. */
static inline void transfer_stall(struct ukevent_queue *q, struct transfer *t)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int before, now = -1;

	do {
		before = now;
		wait_ms(q, 1, TEST_SHORT_MS);
		transfer_records(q);
		now = unsent(t->s.fd) + unread(t->s.peer);
	} while ((!now || now != before) && !t->ended &&
		 now_ns(CLOCK_MONOTONIC) - start < TEST_LONG_MS * NSEC_PER_MSEC);
}

static inline void check_end(struct __test_metadata *_metadata, int line,
			     const struct transfer *t, __u32 events, __u64 sent,
			     __u32 error)
{
	const struct ukevent *ev = &t->end;

	if (t->ended && ev->events == events && ev->data[0] == sent &&
	    KEVENT_SENDFILE_ERRNO(ev->data[1]) == error && ev->type == KEVENT_TYPE_SENDFILE &&
	    ev->flags == KEVENT_REC_LAST && !t->wrong && !t->backward)
		return;
	TH_LOG("line %d: ended %d events %#x data %llu %llu flags %#x wrong %d backward %d, not %#x %llu %u",
	       line, t->ended, ev->events, (unsigned long long)ev->data[0],
	       (unsigned long long)ev->data[1], ev->flags, t->wrong, t->backward, events,
	       (unsigned long long)sent, error);
	_metadata->exit_code = KSFT_FAIL;
}

#define EXPECT_END(t, events, sent, error) \
	check_end(_metadata, __LINE__, t, events, sent, error)

/* ---- entries of kind FILE ---- */

static inline struct kevent_send make_file_send(int sock, int fd, __u64 offset, __u32 len)
{
	struct kevent_send s = make_send(sock, NULL, len);

	s.addr = offset;
	s.flags = KEVENT_SEND_FILE;
	s.file_fd = fd;
	return s;
}

/* One alone: its result, or the error of the call. */
static inline int send_one_entry(struct ukevent_queue *q, struct kevent_send s)
{
	int ret = call_send(q->fd, &s, 1, 0, NULL, 0);

	return ret < 0 ? ret : s.result;
}

#endif /* KEVENT_SENDFILE_TEST_H */
