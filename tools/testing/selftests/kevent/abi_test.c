// SPDX-License-Identifier: GPL-2.0
/*
 * The binary interface: sizes and offsets, kevent_create() and its errors, the
 * geometry of the mappings, extensible structs both ways.
 */
#include "kevent_test.h"

#ifndef __NR_kevent_send
#define __NR_kevent_send	504
#endif

#define CHECK_FIELD(type, field, offset) \
	EXPECT_EQ((size_t)(offset), offsetof(struct type, field))

TEST(layout)
{
	EXPECT_EQ((size_t)KEVENT_CHANGE_SIZE_VER0, sizeof(struct kevent_change));
	EXPECT_EQ((size_t)96, sizeof(struct kevent_change));
	CHECK_FIELD(kevent_change, op, 0);
	CHECK_FIELD(kevent_change, type, 2);
	CHECK_FIELD(kevent_change, flags, 4);
	CHECK_FIELD(kevent_change, cookie, 8);
	CHECK_FIELD(kevent_change, ident, 16);
	CHECK_FIELD(kevent_change, events, 24);
	CHECK_FIELD(kevent_change, result, 28);
	CHECK_FIELD(kevent_change, id, 32);
	CHECK_FIELD(kevent_change, addr, 40);
	CHECK_FIELD(kevent_change, param, 48);
	CHECK_FIELD(kevent_change, reserved, 80);

	EXPECT_EQ((size_t)KEVENT_RECORD_SIZE, sizeof(struct ukevent));
	EXPECT_EQ((size_t)32, sizeof(struct ukevent));
	CHECK_FIELD(ukevent, cookie, 0);
	CHECK_FIELD(ukevent, events, 8);
	CHECK_FIELD(ukevent, type, 12);
	CHECK_FIELD(ukevent, flags, 14);
	CHECK_FIELD(ukevent, data, 16);

	EXPECT_EQ((size_t)KEVENT_PARAMS_SIZE_VER0, sizeof(struct kevent_params));
	EXPECT_EQ((size_t)128, sizeof(struct kevent_params));
	CHECK_FIELD(kevent_params, size, 0);
	CHECK_FIELD(kevent_params, flags, 4);
	CHECK_FIELD(kevent_params, ring_entries, 8);
	CHECK_FIELD(kevent_params, nr_expected, 12);
	CHECK_FIELD(kevent_params, record_size, 16);
	CHECK_FIELD(kevent_params, queue, 20);
	CHECK_FIELD(kevent_params, features, 24);
	CHECK_FIELD(kevent_params, types, 32);
	CHECK_FIELD(kevent_params, ops, 40);
	CHECK_FIELD(kevent_params, ring_mmap_offset, 48);
	CHECK_FIELD(kevent_params, ring_mmap_size, 56);
	CHECK_FIELD(kevent_params, consumer_mmap_offset, 64);
	CHECK_FIELD(kevent_params, consumer_mmap_size, 72);
	CHECK_FIELD(kevent_params, producer_offset, 80);
	CHECK_FIELD(kevent_params, flags_offset, 84);
	CHECK_FIELD(kevent_params, records_offset, 88);
	CHECK_FIELD(kevent_params, consumer_offset, 92);
	CHECK_FIELD(kevent_params, data_size, 96);
	CHECK_FIELD(kevent_params, data_mmap_offset, 104);
	CHECK_FIELD(kevent_params, release_offset, 112);
	CHECK_FIELD(kevent_params, data_producer_offset, 116);
	CHECK_FIELD(kevent_params, reserved, 120);

	EXPECT_EQ((size_t)KEVENT_WAIT_ARGS_SIZE_VER0,
		  sizeof(struct kevent_wait_args));
	EXPECT_EQ((size_t)72, sizeof(struct kevent_wait_args));
	CHECK_FIELD(kevent_wait_args, flags, 0);
	CHECK_FIELD(kevent_wait_args, clockid, 4);
	CHECK_FIELD(kevent_wait_args, timeout_ns, 8);
	CHECK_FIELD(kevent_wait_args, min_wait_ns, 16);
	CHECK_FIELD(kevent_wait_args, sigmask, 24);
	CHECK_FIELD(kevent_wait_args, sigmask_size, 32);
	CHECK_FIELD(kevent_wait_args, nr_changes, 36);
	CHECK_FIELD(kevent_wait_args, changes, 40);
	CHECK_FIELD(kevent_wait_args, change_size, 48);
	CHECK_FIELD(kevent_wait_args, changes_done, 52);
	CHECK_FIELD(kevent_wait_args, busy_poll_usecs, 56);
	CHECK_FIELD(kevent_wait_args, busy_poll_budget, 60);
	CHECK_FIELD(kevent_wait_args, busy_poll_flags, 62);
	CHECK_FIELD(kevent_wait_args, reserved, 64);

	EXPECT_EQ((size_t)KEVENT_SEND_SIZE, sizeof(struct kevent_send));
	EXPECT_EQ((size_t)32, sizeof(struct kevent_send));
	CHECK_FIELD(kevent_send, addr, 0);
	CHECK_FIELD(kevent_send, fd, 8);
	CHECK_FIELD(kevent_send, len, 12);
	CHECK_FIELD(kevent_send, flags, 16);
	CHECK_FIELD(kevent_send, result, 20);
	CHECK_FIELD(kevent_send, file_fd, 24);
	CHECK_FIELD(kevent_send, release, 28);

#if defined(__x86_64__) || defined(__i386__)
	EXPECT_EQ(500, __NR_kevent_create);
	EXPECT_EQ(501, __NR_kevent_ctl);
	EXPECT_EQ(502, __NR_kevent_wait);
	EXPECT_EQ(503, __NR_kevent_get_events);
	EXPECT_EQ(504, __NR_kevent_send);
#endif
}

#define VALUE(name, number)	{ #name, name, number }

/* Numbers that programs have compiled in: all that the header has. */
TEST(constants)
{
	static const struct {
		const char *name;
		unsigned long long value, expected;
	} values[] = {
		VALUE(KEVENT_TYPE_POLL, 1),
		VALUE(KEVENT_TYPE_SOCKET, 2),
		VALUE(KEVENT_TYPE_TIMER, 3),
		VALUE(KEVENT_TYPE_USER, 4),
		VALUE(KEVENT_TYPE_INODE, 5),
		VALUE(KEVENT_TYPE_SIGNAL, 6),
		VALUE(KEVENT_TYPE_PROCESS, 7),
		VALUE(KEVENT_TYPE_STREAM, 8),
		VALUE(KEVENT_TYPE_SENDFILE, 9),
		VALUE(KEVENT_OP_ADD, 1),
		VALUE(KEVENT_OP_MODIFY, 2),
		VALUE(KEVENT_OP_REMOVE, 3),
		VALUE(KEVENT_OP_ENABLE, 4),
		VALUE(KEVENT_OP_DISABLE, 5),
		VALUE(KEVENT_OP_TRIGGER, 6),
		VALUE(KEVENT_OP_SET, 7),
		VALUE(KEVENT_OP_QUERY, 8),
		VALUE(KEVENT_EDGE, 1),
		VALUE(KEVENT_ONESHOT, 2),
		VALUE(KEVENT_DISPATCH, 4),
		VALUE(KEVENT_WANT_LAST, 8),
		VALUE(KEVENT_START_DISABLED, 0x10),
		VALUE(KEVENT_HOLD_LAST, 0x20),
		VALUE(KEVENT_BY_ID, 0x40),
		VALUE(KEVENT_EXCLUSIVE, 0x80),
		VALUE(KEVENT_ABSTIME, 0x100),
		VALUE(KEVENT_ACK, 0x200),
		VALUE(KEVENT_NO_LAST, 0x400),
		VALUE(KEVENT_DEPENDS, 0x800),
		VALUE(KEVENT_HINTS, 0x1000),
		VALUE(KEVENT_LATE, 0x2000),
		VALUE(KEVENT_MORE, 0x4000),
		VALUE(KEVENT_SOCK_RECV, 1),
		VALUE(KEVENT_SOCK_SEND, 4),
		VALUE(KEVENT_SOCK_ERROR, 8),
		VALUE(KEVENT_SOCK_HUP, 0x10),
		VALUE(KEVENT_SOCK_ACCEPT, 0x40),
		VALUE(KEVENT_SOCK_CONNECT, 0x100),
		VALUE(KEVENT_SOCK_RDHUP, 0x2000),
		VALUE(KEVENT_SOCK_LOWAT, 0),
		VALUE(KEVENT_TIMER_EXPIRED, 1),
		VALUE(KEVENT_TIMER_TIME, 0),
		VALUE(KEVENT_TIMER_PERIOD, 1),
		VALUE(KEVENT_TIMER_SLACK, 2),
		VALUE(KEVENT_TIMER_CLOCK, 3),
		VALUE(KEVENT_TIMER_MIN_PERIOD, 0x186a0),
		VALUE(KEVENT_USER_TRIGGERED, 1),
		VALUE(KEVENT_USER_PAYLOAD, 0),
		VALUE(KEVENT_USER_COUNT, 1),
		VALUE(KEVENT_INODE_MODIFY, 2),
		VALUE(KEVENT_INODE_ATTRIB, 4),
		VALUE(KEVENT_INODE_CLOSE_WRITE, 8),
		VALUE(KEVENT_INODE_CLOSE_NOWRITE, 0x10),
		VALUE(KEVENT_INODE_OPEN, 0x20),
		VALUE(KEVENT_INODE_MOVED_FROM, 0x40),
		VALUE(KEVENT_INODE_MOVED_TO, 0x80),
		VALUE(KEVENT_INODE_CREATE, 0x100),
		VALUE(KEVENT_INODE_DELETE, 0x200),
		VALUE(KEVENT_INODE_DELETE_SELF, 0x400),
		VALUE(KEVENT_INODE_MOVE_SELF, 0x800),
		VALUE(KEVENT_INODE_UNMOUNT, 0x2000),
		VALUE(KEVENT_INODE_CLOSE, 0x18),
		VALUE(KEVENT_INODE_MOVE, 0xc0),
		VALUE(KEVENT_INODE_LOOKUP, 0),
		VALUE(KEVENT_INODE_NOFOLLOW, 1),
		VALUE(KEVENT_INODE_ONLYDIR, 2),
		VALUE(KEVENT_SIGNAL_SENT, 1),
		VALUE(KEVENT_PROCESS_EXITED, 1),
		VALUE(KEVENT_PROCESS_HUP, 0x10),
		VALUE(KEVENT_STREAM_RECV, 1),
		VALUE(KEVENT_STREAM_SEND, 4),
		VALUE(KEVENT_STREAM_ERROR, 8),
		VALUE(KEVENT_STREAM_HUP, 0x10),
		VALUE(KEVENT_STREAM_RDHUP, 0x2000),
		VALUE(KEVENT_STREAM_LOWAT, 0),
		VALUE(KEVENT_STREAM_MOST, 1),
		VALUE(KEVENT_STREAM_SHARE, 2),
		VALUE(KEVENT_STREAM_MAX_MOST, 0x4000),
		VALUE(KEVENT_SENDFILE_PROGRESS, 1),
		VALUE(KEVENT_SENDFILE_DONE, 2),
		VALUE(KEVENT_SENDFILE_EOF, 4),
		VALUE(KEVENT_SENDFILE_ERROR, 8),
		VALUE(KEVENT_SENDFILE_HUP, 0x10),
		VALUE(KEVENT_SENDFILE_FD, 0),
		VALUE(KEVENT_SENDFILE_OFFSET, 1),
		VALUE(KEVENT_SENDFILE_LENGTH, 2),
		VALUE(KEVENT_SENDFILE_MARK, 3),
		VALUE(KEVENT_SENDFILE_TO_END, 0xffffffffffffffffULL),
		VALUE(KEVENT_SENDFILE_MAX_HEADER, 0x1000),
		VALUE(KEVENT_CHANGE_SIZE_VER0, 0x60),
		VALUE(KEVENT_REC_LAST, 1),
		VALUE(KEVENT_REC_MORE, 2),
		VALUE(KEVENT_REC_SATURATED, 4),
		VALUE(KEVENT_REC_HINT, 8),
		VALUE(KEVENT_REC_UNKNOWN, 0x10),
		VALUE(KEVENT_REC_ERROR, 0x20),
		VALUE(KEVENT_RECORD_SIZE, 0x20),
		VALUE(KEVENT_CREATE_NORING, 1),
		VALUE(KEVENT_CREATE_INHERIT, 2),
		VALUE(KEVENT_CREATE_QUERY, 4),
		VALUE(KEVENT_CREATE_DATA, 8),
		VALUE(KEVENT_CREATE_SENDFILE, 0x10),
		VALUE(KEVENT_MAX_ENTRIES, 0x100000),
		VALUE(KEVENT_MIN_DATA_SIZE, 0x10000),
		VALUE(KEVENT_MAX_DATA_SIZE, 0x1000000),
		VALUE(KEVENT_DATA_UNIT, 0x40),
		VALUE(KEVENT_FEAT_LAST, 1),
		VALUE(KEVENT_FEAT_MIN_WAIT, 2),
		VALUE(KEVENT_FEAT_CHANGES, 4),
		VALUE(KEVENT_FEAT_HOLD_LAST, 8),
		VALUE(KEVENT_FEAT_DEPENDS, 0x10),
		VALUE(KEVENT_FEAT_EXCLUSIVE, 0x20),
		VALUE(KEVENT_FEAT_QUERY, 0x40),
		VALUE(KEVENT_FEAT_HINTS, 0x80),
		VALUE(KEVENT_FEAT_DATA, 0x100),
		VALUE(KEVENT_FEAT_SEND, 0x200),
		VALUE(KEVENT_FEAT_SENDFILE, 0x400),
		VALUE(KEVENT_PARAMS_SIZE_VER0, 0x80),
		VALUE(KEVENT_RING_PENDING, 1),
		VALUE(KEVENT_RING_LEVEL, 2),
		VALUE(KEVENT_FLUSH_RECORDS, 0x100),
		VALUE(KEVENT_WAIT_TIMEOUT, 1),
		VALUE(KEVENT_WAIT_ABSTIME, 2),
		VALUE(KEVENT_WAIT_ARGS_SIZE_VER0, 0x48),
		VALUE(KEVENT_SEND_MORE, 1),
		VALUE(KEVENT_SEND_FILE, 2),
		VALUE(KEVENT_SEND_RELEASE, 4),
		VALUE(KEVENT_SEND_SIZE, 0x20),
		VALUE(KEVENT_MAX_SENDS, 0x400),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		EXPECT_EQ(values[i].expected, values[i].value)
			TH_LOG("%s", values[i].name);
}

/* Events that poll(2) has as well. */
TEST(bits_of_poll)
{
	static const struct {
		unsigned int poll, socket, stream;
	} bits[] = {
		{ POLLIN, KEVENT_SOCK_RECV, KEVENT_STREAM_RECV },
		{ POLLOUT, KEVENT_SOCK_SEND, KEVENT_STREAM_SEND },
		{ POLLERR, KEVENT_SOCK_ERROR, KEVENT_STREAM_ERROR },
		{ POLLHUP, KEVENT_SOCK_HUP, KEVENT_STREAM_HUP },
		{ POLLRDHUP, KEVENT_SOCK_RDHUP, KEVENT_STREAM_RDHUP },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		EXPECT_EQ(bits[i].poll, bits[i].socket);
		EXPECT_EQ(bits[i].poll, bits[i].stream);
	}
	EXPECT_EQ(POLLHUP, KEVENT_PROCESS_HUP);
	EXPECT_EQ(POLLHUP, KEVENT_SENDFILE_HUP);
}

/* What data words are made of. */
TEST(data_words)
{
	const __u64 word = 0x89abcdef01234567ULL;
	const __u32 low = 0x01234567, high = 0x89abcdef;

	EXPECT_EQ(low, KEVENT_STREAM_OFFSET(word));
	EXPECT_EQ(high, KEVENT_STREAM_LENGTH(word));
	EXPECT_EQ(low, KEVENT_STREAM_RELEASE(word));
	EXPECT_EQ(high, KEVENT_STREAM_POSITION(word));
	EXPECT_EQ(low, KEVENT_SENDFILE_ERRNO(word));
	EXPECT_EQ(high, KEVENT_SENDFILE_HEADER_SENT(word));
	EXPECT_EQ(0x1234000000000000ULL, KEVENT_SENDFILE_HEADER(0x1234));
	EXPECT_EQ(low, KEVENT_SIGNAL_COUNT(word));
	EXPECT_EQ((__s32)high, KEVENT_SIGNAL_SENDER(word));
}

FIXTURE(create)
{
	struct kevent_params p;
	int fd;
};

FIXTURE_SETUP(create)
{
	self->fd = -1;
}

FIXTURE_TEARDOWN(create)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* Makes a queue and closes it again; 0 or the error. */
static int try_flags(struct kevent_params *p, size_t size, __u32 flags)
{
	int fd = sys_kevent_create(p, size, flags);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_create(struct kevent_params *p, size_t size)
{
	return try_flags(p, size, 0);
}

TEST_F(create, answers)
{
	self->fd = sys_kevent_create(&self->p, sizeof(self->p), 0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(128, (int)self->p.size);
	EXPECT_EQ(0U, self->p.flags);
	EXPECT_EQ(32, (int)self->p.record_size);
	EXPECT_EQ(256, (int)self->p.ring_entries);
	EXPECT_NE(0ULL, self->p.types & (1ULL << KEVENT_TYPE_POLL));
	EXPECT_EQ(0, (int)(self->p.types & 1));
	EXPECT_EQ(0ULL, self->p.types >> (KEVENT_TYPE_SENDFILE + 1));
	EXPECT_EQ(0x1beULL, self->p.ops & 0x1beULL);
	EXPECT_EQ(0ULL, self->p.ops & ~0x1feULL);
	EXPECT_EQ(0x7ffULL, self->p.features);
	EXPECT_EQ(0, self->p.queue);
	EXPECT_EQ(0ULL, self->p.data_size | self->p.data_mmap_offset |
		  self->p.release_offset | self->p.data_producer_offset |
		  self->p.reserved);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(create, inherit)
{
	self->fd = sys_kevent_create(&self->p, sizeof(self->p),
				     KEVENT_CREATE_INHERIT);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, fcntl(self->fd, F_GETFD));
}

TEST_F(create, noring)
{
	self->fd = sys_kevent_create(&self->p, sizeof(self->p),
				     KEVENT_CREATE_NORING);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(KEVENT_CREATE_NORING, self->p.flags);
	EXPECT_EQ(0ULL, self->p.ring_mmap_offset | self->p.ring_mmap_size |
		  self->p.consumer_mmap_offset | self->p.consumer_mmap_size);
	EXPECT_EQ(0U, self->p.producer_offset | self->p.flags_offset |
		  self->p.records_offset | self->p.consumer_offset);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(create, entries)
{
	static const struct {
		__u32 entries, nr_expected, result;
	} cases[] = {
		{ 1, 0, 1 }, { 2, 0, 2 }, { 3, 0, 4 }, { 64, 0, 64 },
		{ 65, 0, 128 }, { 1000, 5, 1024 }, { 4097, 0, 8192 },
		{ 0, 0, 256 }, { 0, 1, 64 }, { 0, 64, 64 }, { 0, 65, 128 },
		{ 0, 1000, 1024 }, { 0, 65536, 65536 }, { 0, 65537, 65536 },
		{ 0, 0xffffffff, 65536 }, { (1 << 19) + 1, 0, 1 << 20 },
		{ 1 << 20, 0, 1 << 20 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&self->p, 0, sizeof(self->p));
		self->p.ring_entries = cases[i].entries;
		self->p.nr_expected = cases[i].nr_expected;
		EXPECT_EQ(0, try_create(&self->p, sizeof(self->p)));
		EXPECT_EQ(cases[i].result, self->p.ring_entries)
			TH_LOG("case %zu", i);
	}
	memset(&self->p, 0, sizeof(self->p));
	self->p.ring_entries = (1 << 20) + 1;
	EXPECT_EQ(-EINVAL, try_create(&self->p, sizeof(self->p)));
	self->p.ring_entries = 0x80000000;
	EXPECT_EQ(-EINVAL, try_create(&self->p, sizeof(self->p)));
	self->p.ring_entries = 0xffffffff;
	EXPECT_EQ(-EINVAL, try_create(&self->p, sizeof(self->p)));
}

TEST_F(create, geometry)
{
	static const __u32 entries[] = { 1, 2, 64, 128, 4096, 1 << 20 };
	struct kevent_params *p = &self->p;
	__u64 page = page_size(), want;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		memset(p, 0, sizeof(*p));
		p->ring_entries = entries[i];
		ASSERT_EQ(0, try_create(&self->p, sizeof(*p)));
		/* index and flag word in one cache line, records next to it */
		EXPECT_EQ(p->producer_offset / 64, p->flags_offset / 64);
		EXPECT_NE(p->producer_offset, p->flags_offset);
		EXPECT_EQ((p->producer_offset / 64 + 1) * 64,
			  p->records_offset);
		EXPECT_EQ(0U, p->producer_offset % 4);
		EXPECT_EQ(0U, p->flags_offset % 4);
		EXPECT_EQ(0U, p->consumer_offset % 4);
		want = p->records_offset + 32ULL * entries[i];
		want = (want + page - 1) / page * page;
		EXPECT_EQ(want, p->ring_mmap_size);
		EXPECT_EQ(0ULL, p->ring_mmap_offset % page);
		EXPECT_EQ(0ULL, p->consumer_mmap_offset % page);
		EXPECT_EQ(page, p->consumer_mmap_size);
		EXPECT_GE(page, p->consumer_offset + 4ULL);
		EXPECT_TRUE(p->ring_mmap_offset + p->ring_mmap_size <=
			    p->consumer_mmap_offset ||
			    p->consumer_mmap_offset + p->consumer_mmap_size <=
			    p->ring_mmap_offset);
		if (entries[i] == 1)
			EXPECT_EQ(page, p->ring_mmap_size);
		if (entries[i] == 1 << 20)
			EXPECT_EQ((32ULL << 20) + page, p->ring_mmap_size);
	}
}

TEST_F(create, unknown_flags)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		__u32 flag = 1U << bit;

		if (flag == KEVENT_CREATE_QUERY)
			continue;
		memset(&self->p, 0, sizeof(self->p));
		EXPECT_EQ(bit < 2 || flag == KEVENT_CREATE_DATA ||
			  flag == KEVENT_CREATE_SENDFILE ? 0 : -EINVAL,
			  try_flags(&self->p, sizeof(self->p), flag))
			TH_LOG("bit %u", bit);
		/* what is told of another queue is not asked of a new one */
		EXPECT_EQ(-EINVAL, try_flags(&self->p, sizeof(self->p),
					     flag | KEVENT_CREATE_QUERY));
	}
}

TEST_F(create, reserved)
{
	unsigned int byte;

	/* what goes with another flag, what is told, and the rest */
	for (byte = offsetof(struct kevent_params, data_size);
	     byte < sizeof(self->p); byte++) {
		bool told = byte >= offsetof(struct kevent_params,
					     data_mmap_offset) &&
			    byte < offsetof(struct kevent_params, reserved);

		memset(&self->p, 0, sizeof(self->p));
		((char *)&self->p)[byte] = 1;
		EXPECT_EQ(told ? 0 : -EINVAL,
			  try_create(&self->p, sizeof(self->p)))
			TH_LOG("byte %u", byte);
		if (byte < offsetof(struct kevent_params, data_mmap_offset))
			continue;
		memset(&self->p, 0, sizeof(self->p));
		((char *)&self->p)[byte] = 1;
		EXPECT_EQ(told ? 0 : -EINVAL,
			  try_flags(&self->p, sizeof(self->p),
				    KEVENT_CREATE_DATA)) TH_LOG("byte %u", byte);
	}
	memset(&self->p, 0, sizeof(self->p));
	self->p.queue = 1;
	EXPECT_EQ(-EINVAL, try_create(&self->p, sizeof(self->p)));
	/* fields that are only told do not matter */
	memset(&self->p, 0, sizeof(self->p));
	memset(&self->p.features, 0xff, offsetof(struct kevent_params, data_size) -
	       offsetof(struct kevent_params, features));
	self->p.size = 1;
	self->p.flags = ~0U;
	self->p.record_size = 1;
	EXPECT_EQ(0, try_create(&self->p, sizeof(self->p)));
	/* so what was told can be passed on */
	self->p.ring_entries = 0;
	EXPECT_EQ(0, try_create(&self->p, sizeof(self->p)));
	EXPECT_EQ(0, try_flags(&self->p, sizeof(self->p), KEVENT_CREATE_DATA));
	EXPECT_EQ(0, try_flags(&self->p, sizeof(self->p), KEVENT_CREATE_DATA));
}

TEST_F(create, size)
{
	EXPECT_EQ(-EINVAL, try_create(&self->p, 0));
	EXPECT_EQ(-EINVAL, try_create(&self->p, 127));
	EXPECT_EQ(-E2BIG, try_create(&self->p, page_size() + 1));
	EXPECT_EQ(-E2BIG, try_create(&self->p, ~0UL));
	EXPECT_EQ(0, try_create(&self->p, 128));
}

TEST_F(create, newer_program)
{
	struct {
		struct kevent_params p;
		__u64 more[512];
	} big;
	size_t page = page_size();
	int fd;

	memset(&big, 0, sizeof(big));
	fd = sys_kevent_create(&big.p, 136, 0);
	EXPECT_LE(0, fd);
	close(fd);
	/* told how much of it the kernel knows */
	EXPECT_EQ(128, (int)big.p.size);
	EXPECT_EQ(0ULL, big.more[0]);

	memset(&big, 0, sizeof(big));
	fd = sys_kevent_create(&big.p, page, 0);
	EXPECT_LE(0, fd);
	close(fd);

	memset(&big, 0, sizeof(big));
	big.more[0] = 1;
	EXPECT_EQ(-E2BIG, sys_kevent_create(&big.p, 136, 0));
	memset(&big, 0, sizeof(big));
	((char *)&big)[page - 1] = 1;
	EXPECT_EQ(-E2BIG, sys_kevent_create(&big.p, page, 0));
	/* what lies beyond the size does not matter */
	fd = sys_kevent_create(&big.p, page - 1, 0);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(create, faults)
{
	char *end = guarded_end(1);
	struct kevent_params *p;
	int next, fd;

	ASSERT_NE(NULL, end);
	EXPECT_EQ(-EFAULT, sys_kevent_create(NULL, 128, 0));
	EXPECT_EQ(-EFAULT, sys_kevent_create((void *)end, 128, 0));
	p = (struct kevent_params *)(end - 120);
	EXPECT_EQ(-EFAULT, sys_kevent_create(p, 128, 0));
	p = (struct kevent_params *)(end - 128);
	EXPECT_EQ(-EFAULT, sys_kevent_create(p, 136, 0));
	EXPECT_EQ(-EFAULT, sys_kevent_create((void *)-4096L, 128, 0));

	/* an answer that cannot be written leaves no descriptor behind */
	next = dup(0);
	ASSERT_LE(0, next);
	close(next);
	ASSERT_EQ(0, mprotect(end - page_size(), page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_create(p, 128, 0));
	fd = dup(0);
	EXPECT_EQ(next, fd);
	close(fd);
	ASSERT_EQ(0, mprotect(end - page_size(), page_size(),
			      PROT_READ | PROT_WRITE));
	fd = sys_kevent_create(p, 128, 0);
	EXPECT_EQ(next, fd);
	close(fd);
}

TEST_F(create, descriptors)
{
	struct rlimit rl;
	int next = dup(0);

	ASSERT_LE(0, next);
	close(next);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_cur = next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &rl));
	EXPECT_EQ(-EMFILE, try_create(&self->p, sizeof(self->p)));
	rl.rlim_cur = rl.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &rl));
	EXPECT_EQ(0, try_create(&self->p, sizeof(self->p)));
}

FIXTURE(sizes)
{
	struct ukevent_queue q;
	int fd;
	__u64 words[1024];
	char *buf;
};

FIXTURE_SETUP(sizes)
{
	self->buf = (char *)self->words;
	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(sizes)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

static struct kevent_change *entry(char *buf, int nr, int size)
{
	return (struct kevent_change *)(buf + nr * size);
}

TEST_F(sizes, change)
{
	static const struct {
		unsigned int size;
		int result;
	} cases[] = {
		{ 0, -EINVAL }, { 8, -EINVAL }, { 88, -EINVAL },
		{ 95, -EINVAL }, { 96, 1 }, { 97, -EINVAL }, { 100, -EINVAL },
		{ 104, 1 }, { 4096, 1 }, { 0xfffffff8, -E2BIG },
	};
	struct kevent_change *c = entry(self->buf, 0, 0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		*c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0, 0);
		EXPECT_EQ(cases[i].result,
			  sys_kevent_ctl(self->q.fd, c, 1, cases[i].size, 0))
			TH_LOG("size %u", cases[i].size);
		if (cases[i].result != 1)
			continue;
		EXPECT_EQ(0, c->result);
		EXPECT_EQ(0, remove_fd(self->q.fd, self->fd));
	}
	*c = make_change(KEVENT_OP_ADD, self->fd, EV_IN, 0, 0);
	EXPECT_EQ(-E2BIG, sys_kevent_ctl(self->q.fd, c, 1, page_size() + 8, 0));
}

TEST_F(sizes, newer_change)
{
	int fds[3], i;

	/* wider entries, one of them with something in the part unknown here */
	for (i = 0; i < 3; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_LE(0, fds[i]);
		*entry(self->buf, i, 120) = make_change(KEVENT_OP_ADD, fds[i],
							EV_IN, 0, i);
	}
	self->buf[120 + 119] = 1;
	EXPECT_EQ(3, sys_kevent_ctl(self->q.fd, entry(self->buf, 0, 120), 3,
				    120, 0));
	EXPECT_EQ(0, entry(self->buf, 0, 120)->result);
	EXPECT_EQ(-E2BIG, entry(self->buf, 1, 120)->result);
	EXPECT_EQ(0, entry(self->buf, 2, 120)->result);
	EXPECT_EQ(0, remove_fd(self->q.fd, fds[0]));
	EXPECT_EQ(-ENOENT, remove_fd(self->q.fd, fds[1]));
	EXPECT_EQ(0, remove_fd(self->q.fd, fds[2]));
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

TEST_F(sizes, wait_args)
{
	struct kevent_wait_args *a = (struct kevent_wait_args *)self->buf;
	int kfd = self->q.fd;
	size_t page = page_size();

	EXPECT_EQ(0, sys_kevent_wait(kfd, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(kfd, 0, NULL, 72));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(kfd, 0, a, 0));
	EXPECT_EQ(-EINVAL, sys_kevent_wait(kfd, 0, a, 71));
	EXPECT_EQ(0, sys_kevent_wait(kfd, 0, a, 72));
	EXPECT_EQ(0, sys_kevent_wait(kfd, 0, a, 80));
	EXPECT_EQ(0, sys_kevent_wait(kfd, 0, a, page));
	EXPECT_EQ(-E2BIG, sys_kevent_wait(kfd, 0, a, page + 1));
	self->buf[79] = 1;
	EXPECT_EQ(-E2BIG, sys_kevent_wait(kfd, 0, a, 80));
	EXPECT_EQ(0, sys_kevent_wait(kfd, 0, a, 72));
	self->buf[79] = 0;
	self->buf[page - 1] = 1;
	EXPECT_EQ(-E2BIG, sys_kevent_wait(kfd, 0, a, page));
}

TEST_HARNESS_MAIN
