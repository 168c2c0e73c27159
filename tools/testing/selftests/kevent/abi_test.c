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
	EXPECT_EQ(503, __NR_kevent_get_events);
	EXPECT_EQ(504, __NR_kevent_send);
#endif
}

/* Numbers that programs have compiled in. */
TEST(constants)
{
	EXPECT_EQ(8, KEVENT_TYPE_STREAM);
	EXPECT_EQ(9, KEVENT_TYPE_SENDFILE);
	EXPECT_EQ(1U << 13, KEVENT_LATE);
	EXPECT_EQ(1U << 14, KEVENT_MORE);
	EXPECT_EQ(1U << 3, KEVENT_CREATE_DATA);
	EXPECT_EQ(1U << 4, KEVENT_CREATE_SENDFILE);
	EXPECT_EQ(1ULL << 8, KEVENT_FEAT_DATA);
	EXPECT_EQ(1ULL << 9, KEVENT_FEAT_SEND);
	EXPECT_EQ(1ULL << 10, KEVENT_FEAT_SENDFILE);
	EXPECT_EQ(64, KEVENT_DATA_UNIT);
	EXPECT_EQ(65536U, KEVENT_MIN_DATA_SIZE);
	EXPECT_EQ(16777216U, KEVENT_MAX_DATA_SIZE);
	EXPECT_EQ(16384, KEVENT_STREAM_MAX_MOST);
	EXPECT_EQ(1024, KEVENT_MAX_SENDS);
	EXPECT_EQ(1U, KEVENT_SEND_MORE);
	EXPECT_EQ(2U, KEVENT_SEND_FILE);
	EXPECT_EQ(1, KEVENT_SENDFILE_PROGRESS);
	EXPECT_EQ(2, KEVENT_SENDFILE_DONE);
	EXPECT_EQ(4, KEVENT_SENDFILE_EOF);
	EXPECT_EQ(8, KEVENT_SENDFILE_ERROR);
	EXPECT_EQ(16, KEVENT_SENDFILE_HUP);
	EXPECT_EQ(4096, KEVENT_SENDFILE_MAX_HEADER);
	EXPECT_EQ(0x1234000000000000ULL, KEVENT_SENDFILE_HEADER(0x1234));
	/* bits of poll(2) */
	EXPECT_EQ(POLLIN, KEVENT_STREAM_RECV);
	EXPECT_EQ(POLLOUT, KEVENT_STREAM_SEND);
	EXPECT_EQ(POLLERR, KEVENT_STREAM_ERROR);
	EXPECT_EQ(POLLHUP, KEVENT_STREAM_HUP);
	EXPECT_EQ(POLLRDHUP, KEVENT_STREAM_RDHUP);
	/* what the data words are made of */
	EXPECT_EQ(0x89abcdefU, KEVENT_STREAM_OFFSET(0x0123456789abcdefULL));
	EXPECT_EQ(0x01234567U, KEVENT_STREAM_LENGTH(0x0123456789abcdefULL));
	EXPECT_EQ(0x89abcdefU, KEVENT_STREAM_RELEASE(0x0123456789abcdefULL));
	EXPECT_EQ(0x01234567U, KEVENT_STREAM_POSITION(0x0123456789abcdefULL));
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
