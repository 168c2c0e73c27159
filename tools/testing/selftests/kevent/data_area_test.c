// SPDX-License-Identifier: GPL-2.0
/*
 * The data area: how it is made, the third mapping and programs that abuse it, who may
 * have one.
 */
#include "stream_test.h"

#include <sys/personality.h>

#define IO_DISABLED	"/proc/sys/kernel/kevent_io_disabled"

/* ---- kevent_create() ---- */

static int try_create(struct kevent_params *p, __u32 flags, __u64 data_size)
{
	int fd;

	memset(p, 0, sizeof(*p));
	p->ring_entries = 16;
	p->data_size = data_size;
	fd = sys_kevent_create(p, sizeof(*p), flags);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST(sizes)
{
	static const struct {
		__u64 in, out;	/* 0: refused */
	} cases[] = {
		{ 0, 256 << 10 }, { 1, 64 << 10 }, { 4096, 64 << 10 },
		{ 65535, 64 << 10 }, { 65536, 64 << 10 }, { 65537, 128 << 10 },
		{ 100000, 128 << 10 }, { 1 << 20, 1 << 20 },
		{ (1 << 20) + 1, 2 << 20 }, { (1 << 24) - 1, 1 << 24 },
		{ 1 << 24, 1 << 24 }, { (1 << 24) + 1, 0 }, { 1U << 31, 0 },
		{ 1ULL << 32, 0 }, { (1ULL << 32) + 65536, 0 }, { 1ULL << 63, 0 },
		{ ~0ULL, 0 },
	};
	struct kevent_params p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].out ? 0 : -EINVAL,
			  try_create(&p, KEVENT_CREATE_DATA, cases[i].in))
			TH_LOG("size %llu", (unsigned long long)cases[i].in);
		if (cases[i].out)
			EXPECT_EQ(cases[i].out, p.data_size);
		/* not asked for: not even a good one */
		EXPECT_EQ(cases[i].in ? -EINVAL : 0,
			  try_create(&p, 0, cases[i].in));
	}
	EXPECT_EQ(-EINVAL, try_create(&p, KEVENT_CREATE_DATA |
				      KEVENT_CREATE_NORING, 0));
	EXPECT_EQ(-EINVAL, try_create(&p, KEVENT_CREATE_DATA |
				      KEVENT_CREATE_QUERY, 0));
	EXPECT_EQ(0, try_create(&p, KEVENT_CREATE_DATA | KEVENT_CREATE_INHERIT,
				0));
}

/* A queue of which nobody asked has none. */
TEST(without)
{
	struct kevent_params p;

	ASSERT_EQ(0, try_create(&p, 0, 0));
	EXPECT_EQ(0U, p.flags);
	EXPECT_EQ(0ULL, p.data_size | p.data_mmap_offset | p.release_offset);
	ASSERT_EQ(0, try_create(&p, KEVENT_CREATE_NORING, 0));
	EXPECT_EQ(0ULL, p.data_size | p.data_mmap_offset | p.release_offset);
}

TEST(told)
{
	__u64 start[3], size[3], page = page_size();
	struct kevent_params p, again;
	struct stream_queue s;
	size_t i, k;

	ASSERT_EQ(0, stream_queue_init(&s, 100, 1 << 20));
	p = s.p;
	EXPECT_EQ(KEVENT_CREATE_DATA, p.flags);
	EXPECT_NE(0ULL, p.features & KEVENT_FEAT_DATA);
	EXPECT_NE(0ULL, p.features & KEVENT_FEAT_SEND);
	EXPECT_NE(0ULL, p.types & 1ULL << KEVENT_TYPE_STREAM);
	start[0] = p.ring_mmap_offset;
	size[0] = p.ring_mmap_size;
	start[1] = p.consumer_mmap_offset;
	size[1] = p.consumer_mmap_size;
	start[2] = p.data_mmap_offset;
	size[2] = p.data_size;
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0ULL, start[i] % page);
		/* what mmap2() of a 32-bit program can take */
		EXPECT_GT(1ULL << 31, start[i] + size[i]);
		for (k = 0; k < i; k++) {
			EXPECT_TRUE(start[i] + size[i] <= start[k] ||
				    start[k] + size[k] <= start[i]);
		}
	}
	EXPECT_EQ(0U, p.release_offset % 4);
	EXPECT_NE(p.consumer_offset, p.release_offset);
	EXPECT_GE(page, p.release_offset + 4ULL);
	/* nothing of what the memory held before */
	for (i = 0; i < s.size && !s.area[i]; i++)
		;
	EXPECT_EQ(s.size, i);
	EXPECT_EQ(0U, *s.release);
	/* whoever asks later is told the same */
	memset(&again, 0, sizeof(again));
	again.queue = s.q.fd;
	ASSERT_EQ(0, sys_kevent_create(&again, sizeof(again),
				       KEVENT_CREATE_QUERY));
	again.queue = 0;
	EXPECT_EQ(0, memcmp(&again, &p, sizeof(p)));
	stream_queue_exit(&s);
}

/* ---- the mapping ---- */

FIXTURE(area)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	int fd;
	int peer;
};

FIXTURE_SETUP(area)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	stream_expect(&self->st, 1, 0);
	self->fd = self->c.fd;
	self->peer = self->c.peer;
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
}

FIXTURE_TEARDOWN(area)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* Not mmap(), which in a 32-bit program cuts the offset. */
static int try_map(int kfd, __u64 offset, __u64 size, int prot, int flags)
{
	void *p = mmap64(NULL, size, prot, flags, kfd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, size);
	return 0;
}

TEST_F(area, access)
{
	static const struct {
		int prot, flags, result;
	} cases[] = {
		{ PROT_READ | PROT_WRITE, MAP_SHARED, 0 },
		{ PROT_READ, MAP_SHARED, 0 },
		{ PROT_WRITE, MAP_SHARED, 0 },
		{ PROT_NONE, MAP_SHARED, 0 },
		{ PROT_READ | PROT_EXEC, MAP_SHARED, -EPERM },
		{ PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, -EPERM },
		{ PROT_EXEC, MAP_SHARED, -EPERM },
		{ PROT_READ, MAP_PRIVATE, -EINVAL },
		{ PROT_READ | PROT_WRITE, MAP_PRIVATE, -EINVAL },
	};
	struct kevent_params *p = &self->s.p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].result,
			  try_map(self->s.q.fd, p->data_mmap_offset, p->data_size,
				  cases[i].prot, cases[i].flags))
			TH_LOG("case %zu", i);
	}
}

TEST_F(area, wrong_place)
{
	int prot = PROT_READ | PROT_WRITE, kfd = self->s.q.fd;
	struct kevent_params *p = &self->s.p;
	struct ukevent_queue without;
	__u64 page = page_size();
	const struct {
		__u64 offset, size;
	} cases[] = {
		{ p->data_mmap_offset, p->data_size - page },
		{ p->data_mmap_offset, p->data_size + page },
		{ p->data_mmap_offset, 2 * p->data_size },
		{ p->data_mmap_offset, page },
		{ p->data_mmap_offset + page, p->data_size - page },
		{ p->data_mmap_offset + page, p->data_size },
		{ p->data_mmap_offset - page, p->data_size + page },
		{ p->data_mmap_offset + p->data_size, page },
		{ p->data_mmap_offset, p->ring_mmap_size },
		{ p->consumer_mmap_offset, p->data_size },
		{ 0, p->data_mmap_offset + p->data_size },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(-EINVAL, try_map(kfd, cases[i].offset, cases[i].size,
					   prot, MAP_SHARED))
			TH_LOG("case %zu", i);
	}
	/* a queue without one has nothing there */
	ASSERT_EQ(0, queue_init(&without, 64));
	EXPECT_EQ(-EINVAL, try_map(without.fd, p->data_mmap_offset, p->data_size,
				   prot, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(without.fd, p->data_mmap_offset, page, prot,
				   MAP_SHARED));
	ukevent_queue_exit(&without);
}

/* N12: what a program does to its mapping is nothing to the kernel. */
TEST_F(area, protected)
{
	unsigned char *area = self->s.area;
	size_t size = self->s.size;
	__u64 sent = 0;

	EXPECT_EQ(-1, mprotect(area, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(area, size, PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, mprotect(area, size, PROT_NONE));
	SEND(5000);
	EXPECT_EQ(2, ring_reaches(&self->s.q, 2));
	/* in part, too */
	ASSERT_EQ(0, mprotect(area + page_size(), page_size(), PROT_READ));
	SEND(5000);
	EXPECT_EQ(4, ring_reaches(&self->s.q, 4));
	ASSERT_EQ(0, mprotect(area, size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

TEST_F(area, not_expandable)
{
	size_t size = self->s.size, page = page_size();
	unsigned char *area = self->s.area;
	__u64 sent = 0;

	EXPECT_EQ(MAP_FAILED, mremap(area, size, size + page, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(area, size, 2 * size, MREMAP_MAYMOVE));
	/* nor doubled by the size of 0 */
	EXPECT_EQ(MAP_FAILED, mremap(area, 0, size, MREMAP_MAYMOVE));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

TEST_F(area, moved)
{
	size_t size = self->s.size;
	__u64 sent = 0;
	void *to;

	SEND(1000);
	ASSERT_EQ(1, ring_reaches(&self->s.q, 1));
	to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_EQ(to, mremap(self->s.area, size, size, MREMAP_MAYMOVE |
			     MREMAP_FIXED, to));
	self->s.area = to;
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* Pieces of it taken out, the rest goes on; mapped again it is all there. */
TEST_F(area, partial_unmap)
{
	struct kevent_params *p = &self->s.p;
	size_t page = page_size(), size = self->s.size;
	unsigned char *area = self->s.area;
	__u64 sent = 0;

	ASSERT_EQ(0, munmap(area, page));
	ASSERT_EQ(0, munmap(area + 4 * page, 2 * page));
	ASSERT_EQ(0, munmap(area + size - page, page));
	SEND(14000);
	EXPECT_LE(4, ring_reaches(&self->s.q, 4));
	ASSERT_EQ(0, munmap(area, size));
	SEND(1000);
	area = mmap64(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      self->s.q.fd, p->data_mmap_offset);
	ASSERT_NE(MAP_FAILED, (void *)area);
	self->s.area = area;
	EXPECT_EQ(0, REACHES(sent));
	/* around the end of it */
	SEND(100000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

TEST_F(area, twice)
{
	struct kevent_params *p = &self->s.p;
	unsigned char *other;
	__u64 sent = 0;

	other = mmap64(NULL, self->s.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       self->s.q.fd, p->data_mmap_offset);
	ASSERT_NE(MAP_FAILED, (void *)other);
	SEND(1000);
	ASSERT_EQ(1, ring_reaches(&self->s.q, 1));
	EXPECT_EQ(0, memcmp(other, self->s.area, self->s.size));
	other[5000] = 77;
	EXPECT_EQ(77, self->s.area[5000]);
	ASSERT_EQ(0, munmap(other, self->s.size));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

static void exit_on_fault(int sig)
{
	_exit(77);
}

TEST_F(area, not_in_child)
{
	struct sigaction sa = { .sa_handler = exit_on_fault };
	struct kevent_params *p = &self->s.p;
	unsigned char *mine;
	__u64 sent = 0;
	pid_t pid;

	SEND(1000);
	ASSERT_EQ(1, ring_reaches(&self->s.q, 1));
	pid = fork();
	if (!pid) {
		sigaction(SIGSEGV, &sa, NULL);
		sigaction(SIGBUS, &sa, NULL);
		__atomic_load_n(self->s.area, __ATOMIC_RELAXED);
		_exit(1);
	}
	EXPECT_EQ(77, child_status(pid));
	/* it may map it itself: the queue is in its hands as well */
	pid = fork();
	if (!pid) {
		mine = mmap64(NULL, self->s.size, PROT_READ, MAP_SHARED,
			      self->s.q.fd, p->data_mmap_offset);
		if (mine == MAP_FAILED)
			_exit(2);
		_exit(pattern_is(mine, 1, 0, 1000) ? 0 : 3);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* Each mapping keeps the queue, and what it watches, alive. */
TEST_F(area, outlives_descriptor)
{
	struct ukevent_queue *q = &self->s.q;
	__u64 sent = 0;

	close(q->fd);
	q->fd = -1;
	SEND(1000);
	ASSERT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, TAKE());
	EXPECT_STREAM(&self->st, sent);
	ASSERT_EQ(0, munmap(q->ring_map, q->ring_size));
	ASSERT_EQ(0, munmap(q->consumer_map, q->consumer_size));
	q->ring_map = NULL;
	q->consumer_map = NULL;
	/* the library's own mapping of the area */
	ASSERT_EQ(0, munmap(q->data, q->data_size));
	q->data = NULL;
	ASSERT_EQ(0, send_pattern(self->peer, 1, sent, 1000));
	/* on the next unit after those 1000 */
	while (!pattern_is(self->s.area + 1024, 1, sent, 1000))
		sched_yield();
	ASSERT_EQ(0, munmap(self->s.area, self->s.size));
	self->s.area = NULL;
	/* now it is gone, and the socket free */
	SEND(100);
	EXPECT_EQ(100, recv_pattern_all(self->fd, 1, sent - 100, 100));
}

TEST_F(area, read_implies_exec)
{
	static char text[65536];
	int old = personality(0xffffffff);
	struct stream_queue s;
	char want[64], *line;

	ASSERT_LE(0, old);
	ASSERT_LE(0, personality(old | READ_IMPLIES_EXEC));
	ASSERT_EQ(0, stream_queue_init(&s, 4, 0));
	ASSERT_LT(0, read_text("/proc/self/maps", text, sizeof(text)));
	snprintf(want, sizeof(want), "%lx-%lx rw-s", (unsigned long)s.area,
		 (unsigned long)s.area + s.size);
	line = strstr(text, want);
	EXPECT_NE(NULL, line) TH_LOG("%s", want);
	stream_queue_exit(&s);
	ASSERT_LE(0, personality(old));
}

struct mapper {
	struct stream_queue *s;
	int stop;
	int error;
};

static void *map_and_unmap(void *arg)
{
	struct mapper *m = arg;
	void *p;

	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE)) {
		p = mmap64(NULL, m->s->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   m->s->q.fd, m->s->p.data_mmap_offset);
		if (p == MAP_FAILED)
			m->error = -errno;
		else
			munmap(p, m->s->size);
	}
	return NULL;
}

/* Mapped and unmapped while bytes come. */
TEST_F_TIMEOUT(area, unmap_while_bytes_come, 60)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 20000,
		.total = test_loops(1024) * 1024ULL, .no_fin = true,
	};
	struct mapper m = { .s = &self->s };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, map_and_unmap, &m));
	ASSERT_EQ(0, sender_start(&t));
	EXPECT_EQ(0, REACHES(t.total));
	__atomic_store_n(&m.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, sender_stop(&t));
	EXPECT_EQ(0, m.error);
	EXPECT_STREAM(&self->st, t.total);
}

/* ---- who may ---- */

FIXTURE(io_disabled)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	int fd;
	int peer;
	char before[32];
};

FIXTURE_SETUP(io_disabled)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	stream_expect(&self->st, 1, 0);
	self->fd = self->c.fd;
	self->peer = self->c.peer;
	ASSERT_LT(0, read_text(IO_DISABLED, self->before, sizeof(self->before)));
}

FIXTURE_TEARDOWN(io_disabled)
{
	EXPECT_EQ(0, write_text(IO_DISABLED, self->before));
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* The four results that depend on it, as one number of a digit each: 1 refused. */
static int refused(int fd)
{
	struct kevent_send s = make_send(fd, "x", 1);
	struct ukevent_queue q;
	struct kevent_params p;
	int create, send, none, ready;

	create = try_create(&p, KEVENT_CREATE_DATA, 0);
	ready = queue_init(&q, 4);
	if (ready)
		return 9;
	send = call_send(q.fd, &s, 1, 0, NULL, 0);
	none = call_send(q.fd, NULL, 0, 0, NULL, 0);
	ukevent_queue_exit(&q);
	if ((create && create != -EPERM) || (send && send != -EPERM) ||
	    (none && none != -EPERM))
		return 8;
	if (s.result != (send ? 12345 : 1))
		return 7;
	return !!create + 2 * !!send;
}

TEST_F(io_disabled, levels)
{
	static const struct {
		const char *value;
		int root, other;
	} cases[] = {
		{ "0", 0, 0 }, { "1", 0, 3 }, { "2", 3, 3 }, { "0", 0, 0 },
	};
	size_t i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, write_text(IO_DISABLED, cases[i].value));
		EXPECT_EQ(cases[i].root, refused(self->peer))
			TH_LOG("case %zu", i);
		pid = fork();
		if (!pid) {
			if (setresuid(65534, 65534, 65534))
				_exit(6);
			_exit(refused(self->peer));
		}
		EXPECT_EQ(cases[i].other, child_status(pid))
			TH_LOG("case %zu", i);
	}
	EXPECT_NE(0, write_text(IO_DISABLED, "3"));
	EXPECT_NE(0, write_text(IO_DISABLED, "-1"));
}

/* Interests that are there go on; no other socket can be added. */
TEST_F(io_disabled, what_is_there_goes_on)
{
	struct source c2;
	struct stream st;
	__u64 sent = 0;

	ASSERT_EQ(0, stream_pair(&c2, AF_INET));
	stream_expect(&st, 1, 0);
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, write_text(IO_DISABLED, "2"));
	SEND(1000);
	EXPECT_EQ(0, stream_reaches(&self->s, &st, 1, &st, sent));
	EXPECT_EQ(-EPERM, add_stream(&self->s, c2.fd, ST_RECV, 0, 1, NULL));
	SEND(1000);
	EXPECT_EQ(0, stream_reaches(&self->s, &st, 1, &st, sent));
	EXPECT_STREAM(&st, sent);
	source_close(&c2);
}

TEST_HARNESS_MAIN
