// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE with the file systems it is for: every byte, whatever of it is cached, and
 * files that change while they are sent.
 */
#include "sendfile_test.h"

FIXTURE(fs)
{
	struct ukevent_queue q;
	struct place place;
	struct transfer t;
	bool cached;	/* what it has is always in memory */
};

FIXTURE_VARIANT(fs)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(fs, ext4) { .name = "ext4" };
FIXTURE_VARIANT_ADD(fs, xfs) { .name = "xfs" };
FIXTURE_VARIANT_ADD(fs, btrfs) { .name = "btrfs" };
FIXTURE_VARIANT_ADD(fs, f2fs) { .name = "f2fs" };
FIXTURE_VARIANT_ADD(fs, overlay) { .name = "overlay" };
FIXTURE_VARIANT_ADD(fs, tmpfs) { .name = "tmpfs" };

FIXTURE_SETUP(fs)
{
	OPEN_PLACE(&self->place, variant->name);
	self->cached = !strcmp(variant->name, "tmpfs");
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
}

FIXTURE_TEARDOWN(fs)
{
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
	place_clean(&self->place);
}

/* Sends a part of a file, with @length 0 all that is there, and checks what came. */
static void check_part(struct __test_metadata *_metadata, struct ukevent_queue *q,
		       struct transfer *t, int fd, __u64 size, __u64 offset, __u64 length)
{
	__u64 there = offset < size ? size - offset : 0;
	__u64 sent = length && length < there ? length : there;
	int ret;

	transfer_next(t, fd, offset, length ? length : TO_END);
	ret = transfer_run(q, t);
	if (ret)
		TH_LOG("size %llu offset %llu length %llu: %d, got %llu",
		       (unsigned long long)size, (unsigned long long)offset,
		       (unsigned long long)length, ret, (unsigned long long)t->got);
	EXPECT_EQ(0, ret);
	EXPECT_END(t, SF_DONE | (length > there ? SF_EOF : 0), sent, 0);
}

/* F1: sizes and offsets around pages and batches; cold, warm, and in between. */
TEST_F_TIMEOUT(fs, every_byte, 600)
{
	static const __u64 sizes[] = {
		0, 1, 4095, 4096, 4097, 65536, 65537, 262144 + 3, MIB + 5, 8 * MIB,
	};
	static const __u64 parts[][2] = {
		{ 0, 0 }, { 1, 0 }, { 4095, 2 }, { 4096, 4096 }, { 100, 70000 },
		{ 65535, 65537 }, { 300000, 1 }, { 0, 16 * MIB },
	};
	unsigned int i, j, cold;
	char name[32];
	int fd;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd = make_file(&self->place, name, sizes[i]);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, make_cold(fd));
		close(fd);
		fd = open_file(&self->place, name, O_RDONLY);
		ASSERT_LE(0, fd);
		for (j = 0; j < ARRAY_SIZE(parts); j++) {
			for (cold = 0; cold < 3; cold++) {
				if (cold)
					ASSERT_EQ(0, make_cold(fd));
				/* islands of what is cached */
				if (cold == 2) {
					make_warm(fd, 20000, 10000);
					make_warm(fd, 200000, 1);
				}
				check_part(_metadata, &self->q, &self->t, fd, sizes[i],
					   parts[j][0], parts[j][1]);
			}
		}
		close(fd);
	}
	EXPECT_QUIET(&self->q);
}

/* Beyond what 32 bits can say; there is a hole before. */
TEST_F_TIMEOUT(fs, far_away, 600)
{
	__u64 far = 5ULL << 30;
	int fd = make_file(&self->place, "far", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_pattern(fd, FILE_SEED, far, 100000));
	ASSERT_EQ(0, make_cold(fd));
	close(fd);
	fd = open_file(&self->place, "far", O_RDONLY);
	ASSERT_LE(0, fd);
	check_part(_metadata, &self->q, &self->t, fd, far + 100000, far + 1, 0);
	check_part(_metadata, &self->q, &self->t, fd, far + 100000, far + 70000, 40000);
	self->t.is = file_or_zero;
	check_part(_metadata, &self->q, &self->t, fd, far + 100000, far - 100000, 0);
	check_part(_metadata, &self->q, &self->t, fd, far + 100000, 4000, 300000);
	close(fd);
}

/* At the end of all positions: nothing is added to them. */
TEST_F_TIMEOUT(fs, farthest, 600)
{
	__u64 size = 0x7fffffffffffffffULL;
	int fd = make_file(&self->place, "farthest", 0);

	ASSERT_LE(0, fd);
	if (ftruncate(fd, size)) {
		ASSERT_EQ(EFBIG, errno);
		close(fd);
		SKIP(return, "%s has no files of that size", variant->name);
	}
	close(fd);
	fd = open_file(&self->place, "farthest", O_RDONLY);
	ASSERT_LE(0, fd);
	self->t.is = file_or_zero;
	check_part(_metadata, &self->q, &self->t, fd, size, size - 1, 0);
	check_part(_metadata, &self->q, &self->t, fd, size, size - 100000, 0);
	check_part(_metadata, &self->q, &self->t, fd, size, size - 100000, 100000);
	check_part(_metadata, &self->q, &self->t, fd, size, size - 30000, 20000);
	/* an entry of an array, of a page that is cached */
	transfer_next(&self->t, fd, size - 1000, TO_END);
	EXPECT_EQ(1000, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, fd, size - 1000, 2000)));
	self->t.told = 1000;
	EXPECT_EQ(0, transfer_drain(&self->t));
	close(fd);
}

/* The time of access changes when it does for sendfile(2). */
static bool was_accessed(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_atime != 1;
}

TEST_F_TIMEOUT(fs, accessed, 600)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int fd = make_file(&self->place, "accessed", 5000), rd;
	char buf[5000];
	bool expected;

	ASSERT_LE(0, fd);
	rd = open_file(&self->place, "accessed", O_RDONLY);
	ASSERT_LE(0, rd);
	ASSERT_EQ(0, futimens(fd, old));
	ASSERT_EQ(5000, sendfile(self->t.s.fd, rd, &(off_t){ 0 }, 5000));
	ASSERT_EQ(5000, recv(self->t.s.peer, buf, 5000, MSG_WAITALL));
	expected = was_accessed(rd);
	ASSERT_EQ(0, futimens(fd, old));
	ASSERT_FALSE(was_accessed(rd));
	check_part(_metadata, &self->q, &self->t, rd, 5000, 0, 0);
	EXPECT_EQ(expected, was_accessed(rd));
	close(rd);
	close(fd);
}

/* Data at a multiple of 64 KiB, and nothing behind. */
static bool with_holes(const void *from, __u64 pos, size_t len)
{
	const unsigned char *p = from;

	for (; len; len--, pos++, p++)
		if (pos % 65536 < 5000 ? !pattern_is(p, FILE_SEED, pos, 1) : *p)
			return false;
	return true;
}

TEST_F_TIMEOUT(fs, holes, 600)
{
	int fd = make_file(&self->place, "holes", 0), i;
	__u64 size = 20 * 65536 + 30000;

	ASSERT_LE(0, fd);
	for (i = 0; i <= 20; i++)
		ASSERT_EQ(0, write_pattern(fd, FILE_SEED, i * 65536, 5000));
	ASSERT_EQ(0, ftruncate(fd, size));
	ASSERT_EQ(0, make_cold(fd));
	close(fd);
	fd = open_file(&self->place, "holes", O_RDONLY);
	ASSERT_LE(0, fd);
	self->t.is = with_holes;
	check_part(_metadata, &self->q, &self->t, fd, size, 0, 0);
	check_part(_metadata, &self->q, &self->t, fd, size, 3, size);
	check_part(_metadata, &self->q, &self->t, fd, size, 5000, 60536);
	close(fd);
}

/* Room that is reserved, and not written. */
TEST_F_TIMEOUT(fs, preallocated, 600)
{
	int fd = make_file(&self->place, "reserved", 10000);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fallocate(fd, 0, 0, 300000));
	ASSERT_EQ(0, make_cold(fd));
	close(fd);
	fd = open_file(&self->place, "reserved", O_RDONLY);
	ASSERT_LE(0, fd);
	self->t.is = file_or_zero;
	check_part(_metadata, &self->q, &self->t, fd, 300000, 0, 0);
	check_part(_metadata, &self->q, &self->t, fd, 300000, 9999, 100000);
	close(fd);
}

/* A transfer of a file of 4 MiB that stands still, as nobody receives. */
static int stalled(struct ukevent_queue *q, struct place *place, struct transfer *t,
		   bool cold, __u64 length)
{
	int fd = make_file(place, "stalled", 4 * MIB), ret;

	if (fd < 0)
		return fd;
	ret = transfer_narrow(t, 200000);
	if (!ret)
		ret = cold ? make_cold(fd) : fsync(fd);
	close(fd);
	fd = open_file(place, "stalled", O_RDONLY);
	if (fd < 0)
		return fd;
	transfer_next(t, fd, 0, length ? length : TO_END);
	ret = ret ?: do_change(q->fd, &t->c);
	close(fd);
	if (!ret)
		transfer_stall(q, t);
	return ret ?: t->ended ? -ECANCELED : 0;
}

static int change_size(const struct place *place, __u64 size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/stalled", place->dir);
	return truncate(path, size) ? -errno : 0;
}

/* F4: cut off while it waits for the socket.  The overlay does not know of that. */
TEST_F_TIMEOUT(fs, cut_off, 600)
{
	static const __u64 sizes[] = { 3 * MIB + 100, MIB, 0 };
	unsigned int i, cold;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (cold = 0; cold < 2; cold++) {
			self->t.is = file_or_zero;
			ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, cold,
					     4 * MIB));
			ASSERT_EQ(0, change_size(&self->place, sizes[i]));
			ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
			EXPECT_LE(self->t.told, 4 * MIB - 1);
			EXPECT_GE(self->t.told, sizes[i]);
			EXPECT_END(&self->t, SF_DONE | SF_EOF, self->t.told, 0);
		}
	}
}

/* To the end means to where it is then. */
TEST_F_TIMEOUT(fs, grown, 600)
{
	char path[128];
	int fd;

	ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
	snprintf(path, sizeof(path), "%s/stalled", self->place.dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_pattern(fd, FILE_SEED, 4 * MIB, 100001));
	close(fd);
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB + 100001, 0);
}

TEST_F_TIMEOUT(fs, punched, 600)
{
	char path[128];
	int fd;

	self->t.is = file_or_zero;
	ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
	snprintf(path, sizeof(path), "%s/stalled", self->place.dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			       4 * MIB - 5000));
	close(fd);
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

TEST_F_TIMEOUT(fs, rewritten, 600)
{
	char path[128];
	int fd;

	self->t.is = file_or_other;
	ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
	snprintf(path, sizeof(path), "%s/stalled", self->place.dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_pattern(fd, OTHER_SEED, 0, 4 * MIB));
	close(fd);
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/* Nobody has a name or a descriptor of it any more. */
TEST_F_TIMEOUT(fs, unlinked, 600)
{
	char path[128];

	ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
	snprintf(path, sizeof(path), "%s/stalled", self->place.view);
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

/* The file system is busy until the transfer ends, by itself or by REMOVE. */
TEST_F_TIMEOUT(fs, unmounted, 600)
{
	int removed;

	for (removed = 0; removed < 2; removed++) {
		ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
		EXPECT_EQ(-1, umount(self->place.view));
		EXPECT_EQ(EBUSY, errno);
		if (removed) {
			ASSERT_EQ(0, op_sendfile(&self->q, KEVENT_OP_REMOVE,
						 self->t.s.fd));
			transfer_records(&self->q);
			EXPECT_EQ(0, transfer_drain(&self->t));
			EXPECT_END(&self->t, 0, self->t.told, 0);
		} else {
			ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
			EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
		}
	}
	EXPECT_EQ(0, umount(self->place.view));
}

/* F17: from one descriptor, at places far apart, each in its own order. */
TEST_F_TIMEOUT(fs, many_at_once, 600)
{
	enum { NR = 16 };
	struct transfer *t = calloc(NR, sizeof(*t));
	int fd = make_file(&self->place, "many", 8 * MIB), i;

	ASSERT_NE(NULL, t);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, make_cold(fd));
	close(fd);
	fd = open_file(&self->place, "many", O_RDONLY);
	ASSERT_LE(0, fd);
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, transfer_open(&t[i], i % 2 ? AF_UNIX : AF_INET));
		transfer_next(&t[i], fd, i * (MIB / 4) + i, MIB);
		transfer_header(&t[i], i * 100);
		ASSERT_EQ(0, do_change(self->q.fd, &t[i].c));
	}
	close(fd);
	ASSERT_EQ(0, transfers_run(&self->q, t, NR, 40000));
	for (i = 0; i < NR; i++) {
		EXPECT_END(&t[i], SF_DONE, MIB, 0);
		source_close(&t[i].s);
	}
	free(t);
}

/* Entries of an array: what is cached, and no more. */
TEST_F_TIMEOUT(fs, array, 600)
{
	int fd = make_file(&self->place, "array", MIB);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, make_cold(fd));
	close(fd);
	fd = open_file(&self->place, "array", O_RDONLY);
	ASSERT_LE(0, fd);
	transfer_next(&self->t, fd, 0, TO_END);
	if (!self->cached) {
		ASSERT_EQ(0, make_cold_at(fd, 0));
		EXPECT_EQ(-EAGAIN, send_one_entry(&self->q,
			make_file_send(self->t.s.fd, fd, 0, 20000)));
		EXPECT_EQ(-EAGAIN, send_one_entry(&self->q,
			make_file_send(self->t.s.fd, fd, 0, 20000)));
	}
	make_warm(fd, 0, 16384);
	EXPECT_EQ(10000, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, fd, 0, 10000)));
	EXPECT_EQ(6384, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, fd, 10000, 6384)));
	make_warm(fd, 0, MIB);
	EXPECT_EQ(20000, send_one_entry(&self->q,
		make_file_send(self->t.s.fd, fd, 16384, 20000)));
	self->t.told = 36384;
	EXPECT_EQ(0, transfer_drain(&self->t));
	close(fd);
}

FIXTURE(overlay)
{
	struct ukevent_queue q;
	struct place place;
	struct transfer t;
};

FIXTURE_SETUP(overlay)
{
	OPEN_PLACE(&self->place, "overlay");
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
}

FIXTURE_TEARDOWN(overlay)
{
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
	place_clean(&self->place);
}

/* The lower file is sent; then, copied up by a writer, the upper one. */
TEST_F_TIMEOUT(overlay, copied_up, 600)
{
	int fd;

	self->t.is = file_or_other;
	ASSERT_EQ(0, stalled(&self->q, &self->place, &self->t, true, 0));
	fd = open_file(&self->place, "stalled", O_WRONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_pattern(fd, OTHER_SEED, 0, 4 * MIB));
	close(fd);
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
}

TEST_HARNESS_MAIN
