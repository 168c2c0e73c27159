// SPDX-License-Identifier: GPL-2.0
/*
 * S11: limits per user, the switch, and the memory cgroup.
 */
#include "kevent_test.h"
#include <sys/mount.h>

#define DISABLED	"/proc/sys/kernel/kevent_disabled"

FIXTURE(limits)
{
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, raise_nofile(4000));
	ASSERT_EQ(0, own_limits());
}

FIXTURE_TEARDOWN(limits)
{
}

static int write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	return write_text(path, text);
}

TEST_F(limits, queues)
{
	struct ukevent_queue q[16];
	int i, n, ret = 0;

	ASSERT_EQ(0, write_text(MAX_QUEUES, "10"));
	for (n = 0; n < 16; n++) {
		ret = queue_init(&q[n], 4);
		if (ret)
			break;
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(10, n);
	/* counted down with the last of descriptor and mappings */
	close(q[0].fd);
	q[0].fd = -1;
	EXPECT_EQ(-ENOSPC, queue_init(&q[15], 4));
	ukevent_queue_exit(&q[0]);
	EXPECT_EQ(0, queue_init(&q[0], 4));
	EXPECT_EQ(-ENOSPC, queue_init(&q[15], 4));
	/* a queue that failed to come into being is not counted */
	for (i = 0; i < n; i++)
		ukevent_queue_exit(&q[i]);
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EFAULT, sys_kevent_create(NULL, 128, 0));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, queue_init(&q[i], 4));
	for (i = 0; i < 10; i++)
		ukevent_queue_exit(&q[i]);
	ASSERT_EQ(0, write_text(MAX_QUEUES, "0"));
	EXPECT_EQ(-ENOSPC, queue_init(&q[0], 4));
}

/* Adds copies of @fd until it fails; how many, the error in @error. */
static int add_many(int kfd, int fd, int max, int *copies, int *error)
{
	int n;

	*error = 0;
	for (n = 0; n < max; n++) {
		copies[n] = dup(fd);
		if (copies[n] < 0) {
			*error = -errno;
			break;
		}
		*error = add_fd(kfd, copies[n], EV_IN, KEVENT_EDGE, n, NULL);
		if (*error) {
			close(copies[n]);
			break;
		}
	}
	return n;
}

TEST_F(limits, interests)
{
	static int copies[2000], more[2000];
	int i, n, m, error, fd = make_eventfd(0);
	struct ukevent_queue q, q2;

	ASSERT_EQ(0, queue_init(&q, 64));
	ASSERT_EQ(0, queue_init(&q2, 64));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "1000"));
	n = add_many(q.fd, fd, 2000, copies, &error);
	EXPECT_EQ(-ENOSPC, error);
	EXPECT_EQ(1000, n);
	/* what is there works */
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(64, take_all(&q, NULL));
	/* and makes room when it goes, for this queue ... */
	for (i = 0; i < n / 2; i++)
		EXPECT_EQ(0, remove_fd(q.fd, copies[i]));
	for (i = 0; i < n / 2; i++)
		EXPECT_EQ(0, add_fd(q.fd, copies[i], EV_IN, 0, 1, NULL));
	/* ... and, but for a small reserve, for others */
	for (i = 0; i < n / 2; i++)
		EXPECT_EQ(0, remove_fd(q.fd, copies[i]));
	m = add_many(q2.fd, fd, 2000, more, &error);
	EXPECT_GE(500, m);
	EXPECT_LE(300, m);
	EXPECT_EQ(-ENOSPC, error);
	TH_LOG("%d by one queue, then %d by another for 500", n, m);
	ukevent_queue_exit(&q);
	ukevent_queue_exit(&q2);
	/* all of it is given back */
	for (i = 0; i < m; i++)
		close(more[i]);
	for (i = 0; i < n; i++)
		close(copies[i]);
	ASSERT_EQ(0, queue_init(&q, 64));
	n = add_many(q.fd, fd, 1000, copies, &error);
	EXPECT_EQ(1000, n);
	ukevent_queue_exit(&q);
}

/* A queue with one interest counts about one, not a group of them. */
TEST_F(limits, one_counts_one)
{
	enum { NR = 200 };
	static struct ukevent_queue q[NR + 1];
	int i, fd = make_eventfd(0);

	ASSERT_EQ(0, write_number(MAX_INTERESTS, NR));
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 1));
		ASSERT_EQ(0, add_fd(q[i].fd, fd, EV_IN, KEVENT_EDGE, i, NULL))
			TH_LOG("queue %d of %d", i, NR);
	}
	ASSERT_EQ(0, queue_init(&q[NR], 1));
	EXPECT_EQ(-ENOSPC, add_fd(q[NR].fd, fd, EV_IN, 0, 0, NULL));
	/* nothing is kept back by a queue that has none left */
	EXPECT_EQ(0, remove_fd(q[0].fd, fd));
	EXPECT_EQ(0, add_fd(q[NR].fd, fd, EV_IN, 0, 0, NULL));
	for (i = 0; i <= NR; i++)
		ukevent_queue_exit(&q[i]);
}

/* What is there already is told as that, whatever the limits say. */
TEST_F(limits, there_already)
{
	int n, fd = make_eventfd(0);
	struct ukevent_queue q;
	struct kevent_change c;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, 0, 0, NULL));
	c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 1, 0, 0, 0);
	ASSERT_EQ(0, do_change(q.fd, &c));
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, write_text(n < 2 ? MAX_INTERESTS : MAX_PAGES,
					n ? "0" : "2"));
		EXPECT_EQ(-EEXIST, add_fd(q.fd, fd, EV_IN, 0, 0, NULL));
		c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 1, 0, 0, 0);
		EXPECT_EQ(-EEXIST, do_change(q.fd, &c));
		c.ident = 2;
		EXPECT_EQ(-ENOSPC, do_change(q.fd, &c));
	}
	ukevent_queue_exit(&q);
}

/* Whatever a queue grows to, what it has charged is near what it has. */
TEST_F(limits, charged_what_is_used)
{
	enum { NR = 1000 };
	static int copies[NR], more[NR];
	int left, error, n, m, i, fd = make_eventfd(0);
	struct ukevent_queue q, other;

	ASSERT_EQ(0, write_number(MAX_INTERESTS, NR));
	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, queue_init(&other, 1));
	for (n = 1; n < NR; n += n / 2 + 1) {
		ASSERT_EQ(n, add_many(q.fd, fd, n, copies, &error));
		m = add_many(other.fd, fd, NR, more, &error);
		EXPECT_EQ(-ENOSPC, error);
		left = NR - n - m;
		EXPECT_LE(0, left);
		EXPECT_GE(n / 4, left)
			TH_LOG("%d of one queue, %d of another", n, m);
		for (i = 0; i < m; i++) {
			EXPECT_EQ(0, remove_fd(other.fd, more[i]));
			close(more[i]);
		}
		for (i = 0; i < n; i++) {
			EXPECT_EQ(0, remove_fd(q.fd, copies[i]));
			close(copies[i]);
		}
	}
	ukevent_queue_exit(&q);
	ukevent_queue_exit(&other);
}

/* Pages of a queue of so many entries: the ring and the consumer page. */
static long queue_pages(unsigned int entries)
{
	return 1 + (64 + 32L * entries + page_size() - 1) / page_size();
}

/* Memory of queues, mapped or not, has a limit of its own. */
TEST_F(limits, pages)
{
	struct ukevent_queue q[4];
	long each = queue_pages(1 << 10);

	ASSERT_EQ(0, write_number(MAX_PAGES, 3 * each));
	EXPECT_EQ(0, queue_init(&q[0], 1 << 10));
	EXPECT_EQ(0, queue_init_noring(&q[1], 1 << 10));
	EXPECT_EQ(0, queue_init(&q[2], 1 << 10));
	EXPECT_EQ(-ENOSPC, queue_init(&q[3], 1));
	EXPECT_EQ(-ENOSPC, queue_init_noring(&q[3], 1));
	/* one that failed left nothing behind */
	ukevent_queue_exit(&q[1]);
	EXPECT_EQ(-ENOSPC, queue_init(&q[3], 1 << 11));
	EXPECT_EQ(-ENOSPC, queue_init(&q[3], 1 << 11));
	EXPECT_EQ(0, queue_init(&q[1], 1 << 10));
	/* a mapping keeps them after the descriptor */
	close(q[0].fd);
	q[0].fd = -1;
	EXPECT_EQ(-ENOSPC, queue_init(&q[3], 1));
	ukevent_queue_exit(&q[0]);
	EXPECT_EQ(0, queue_init(&q[0], 1 << 10));
	ukevent_queue_exit(&q[0]);
	ukevent_queue_exit(&q[1]);
	ukevent_queue_exit(&q[2]);
	ASSERT_EQ(0, write_text(MAX_PAGES, "0"));
	EXPECT_EQ(-ENOSPC, queue_init(&q[0], 1));
}

static int data_queue_init(struct ukevent_queue *q, __u32 size)
{
	struct kevent_params p = {
		.flags = KEVENT_CREATE_DATA, .ring_entries = 1, .data_size = size,
	};

	return ukevent_queue_init(q, &p);
}

/* So is the memory of data areas, and all of it is given back. */
TEST_F(limits, pages_of_data_areas)
{
	/* with a buffer to receive to where bytes do not come by themselves */
	long each = queue_pages(1) + ((1 << 20) + KEVENT_STREAM_MAX_MOST) /
				     page_size();
	struct ukevent_queue q[3];
	int i;

	ASSERT_EQ(0, write_number(MAX_PAGES, 2 * each));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOSPC, data_queue_init(&q[0], 4 << 20));
		EXPECT_EQ(0, data_queue_init(&q[0], 1 << 20));
		EXPECT_EQ(-ENOSPC, data_queue_init(&q[1], 2 << 20));
		EXPECT_EQ(0, data_queue_init(&q[1], 1 << 20));
		EXPECT_EQ(-ENOSPC, queue_init(&q[2], 1));
		/* a mapping keeps it after the descriptor */
		close(q[0].fd);
		q[0].fd = -1;
		EXPECT_EQ(-ENOSPC, data_queue_init(&q[2], 65536));
		ukevent_queue_exit(&q[0]);
		ukevent_queue_exit(&q[1]);
	}
	ASSERT_EQ(0, write_number(MAX_PAGES, each - 1));
	EXPECT_EQ(-ENOSPC, data_queue_init(&q[0], 1 << 20));
	EXPECT_EQ(0, data_queue_init(&q[0], 1 << 19));
	ukevent_queue_exit(&q[0]);
}

/* What looks interests up is queue memory as well. */
TEST_F(limits, pages_of_interests)
{
	enum { NR = 2000 };
	static int copies[NR];
	int n, i, error, fd = make_eventfd(0);
	struct ukevent_queue q;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, write_number(MAX_PAGES, queue_pages(1)));
	EXPECT_EQ(-ENOSPC, add_fd(q.fd, fd, EV_IN, 0, 0, NULL));
	ASSERT_EQ(0, write_number(MAX_PAGES, queue_pages(1) + 1));
	n = add_many(q.fd, fd, NR, copies, &error);
	EXPECT_EQ(-ENOSPC, error);
	EXPECT_LE(64, n);
	/* a place that is given up is a place again */
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, remove_fd(q.fd, copies[i]));
		EXPECT_EQ(0, add_fd(q.fd, copies[i], EV_IN, 0, 0, NULL));
	}
	ASSERT_EQ(0, write_number(MAX_PAGES, queue_pages(1) + 2));
	EXPECT_EQ(0, add_fd(q.fd, fd, EV_IN, 0, 0, NULL));
	ukevent_queue_exit(&q);
}

/* A failed entry does not fail the others of its batch, nor the queue. */
TEST_F(limits, in_a_batch)
{
	struct kevent_change c[8];
	struct ukevent_queue q;
	int i, fds[8];

	ASSERT_EQ(0, queue_init(&q, 64));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "4"));
	for (i = 0; i < 8; i++) {
		fds[i] = make_eventfd(0);
		c[i] = make_change(KEVENT_OP_ADD, fds[i], EV_IN, 0, i);
	}
	c[6] = make_change(KEVENT_OP_REMOVE, fds[0], 0, 0, 0);
	EXPECT_EQ(8, sys_kevent_ctl(q.fd, c, 8, sizeof(c[0]), 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i < 4 || i > 5 ? 0 : -ENOSPC, c[i].result)
			TH_LOG("entry %d", i);
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "0"));
	EXPECT_EQ(-ENOSPC, add_fd(q.fd, make_eventfd(0), EV_IN, 0, 0, NULL));
	ukevent_queue_exit(&q);
}

/* S6: an interest counts until its LAST is published. */
TEST_F(limits, until_last)
{
	int i, n, ret = 0, fd = make_eventfd(0), other = make_eventfd(1);
	struct ukevent_queue q;
	struct ukevent ev;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, add_fd(q.fd, other, EV_IN, KEVENT_ONESHOT, 9, NULL));
	ASSERT_EQ(1, in_ring(&q));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "200"));
	for (n = 0; n < 1000; n++) {
		ret = add_fd(q.fd, fd, EV_IN, KEVENT_WANT_LAST, n, NULL);
		if (ret)
			break;
		ASSERT_EQ(0, remove_fd(q.fd, fd));
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_GE(200, n);
	EXPECT_LE(150, n);
	/* one place free: one record out, one LAST in, one interest more */
	EXPECT_TAKE(&q, 9, EV_IN, 0);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_EQ(0, add_fd(q.fd, fd, EV_IN, 0, 1000, NULL));
	EXPECT_EQ(0, remove_fd(q.fd, fd));
	for (i = 0; i < n; i++) {
		while (!ukevent_take(&q, &ev, 1))
			ASSERT_LT(0, flush_ring(&q));
		EXPECT_RECORD(&ev, i, 0, KEVENT_REC_LAST);
	}
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
}

/* One-shots do not leak what they are charged. */
TEST_F(limits, oneshot_storm)
{
	int i, fd = make_eventfd(1);
	struct ukevent_queue q;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "100"));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, KEVENT_ONESHOT, i, NULL))
			TH_LOG("round %d", i);
		EXPECT_TAKE(&q, i, EV_IN, 0);
	}
	ukevent_queue_exit(&q);
}

/* Limits are those of the creator, in whatever hands the queue is. */
TEST_F(limits, user_namespace)
{
	int i, status, n, error;
	struct ukevent_queue q;
	static int copies[100];
	pid_t pid;

	ASSERT_EQ(0, queue_init(&q, 64));
	pid = fork();
	if (!pid) {
		struct ukevent_queue mine;

		/* each namespace has limits of its own below its parent's */
		if (own_limits())
			_exit(6);
		if (write_text(MAX_QUEUES, "3"))
			_exit(1);
		if (write_text(MAX_INTERESTS, "50"))
			_exit(2);
		for (i = 0; i < 3; i++)
			if (queue_init(&mine, 8))
				_exit(3);
		if (queue_init(&mine, 8) != -ENOSPC)
			_exit(4);
		/* the parent's queue is charged to the parent */
		n = add_many(q.fd, make_eventfd(0), 100, copies, &error);
		_exit(n == 100 ? 0 : 5);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ukevent_queue_exit(&q);
}

/* Nobody without privilege takes the machine's memory by rings. */
TEST(pages_by_default)
{
	char pages[32];
	int status, n, i;
	pid_t pid;

	ASSERT_LT(0, read_text(MAX_PAGES, pages, sizeof(pages)));
	pid = fork();
	if (!pid) {
		static struct ukevent_queue q[64];
		struct rlimit none = { 65536, 65536 };

		if (setrlimit(RLIMIT_MEMLOCK, &none) ||
		    setresuid(65534, 65534, 65534))
			_exit(100);
		for (n = 0; n < 64; n++)
			if (queue_init_noring(&q[n], 1 << 20))
				break;
		for (i = 0; i < n; i++)
			ukevent_queue_exit(&q[i]);
		_exit(n);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	/* a sixteenth of the memory, in rings of 32 MiB */
	EXPECT_EQ(atol(pages) / queue_pages(1 << 20), WEXITSTATUS(status));
	EXPECT_GE((sysconf(_SC_PHYS_PAGES) + 15) / 16, atol(pages));
	EXPECT_LE(sysconf(_SC_PHYS_PAGES) / 20, atol(pages));
}

/* The value to put back; tests run one after another, as root. */
FIXTURE(sysctl)
{
	char disabled[32];
};

FIXTURE_SETUP(sysctl)
{
	ASSERT_LT(0, read_text(DISABLED, self->disabled, 32));
}

FIXTURE_TEARDOWN(sysctl)
{
	EXPECT_EQ(0, write_text(DISABLED, self->disabled));
}

/* 0: everybody may make queues, 1: CAP_SYS_ADMIN, 2: nobody. */
TEST_F(sysctl, switched_off)
{
	int status, fd = make_eventfd(0);
	struct ukevent_queue q, q2;
	pid_t pid;

	ASSERT_EQ(0, queue_init(&q, 64));
	ASSERT_EQ(0, write_text(DISABLED, "1"));
	EXPECT_EQ(0, queue_init(&q2, 64));
	ukevent_queue_exit(&q2);
	pid = fork();
	if (!pid) {
		if (setresuid(65534, 65534, 65534))
			_exit(1);
		_exit(queue_init(&q2, 64) == -EPERM ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, write_text(DISABLED, "2"));
	EXPECT_EQ(-EPERM, queue_init(&q2, 64));
	EXPECT_EQ(-EPERM, queue_init_noring(&q2, 64));
	/* queues that are there go on */
	EXPECT_EQ(0, add_fd(q.fd, fd, EV_IN, 0, 1, NULL));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, wait_ms(&q, 1, TEST_LONG_MS));
	EXPECT_TAKE(&q, 1, EV_IN, 0);
	EXPECT_NE(0, write_text(DISABLED, "3"));
	EXPECT_NE(0, write_text(DISABLED, "-1"));
	ASSERT_EQ(0, write_text(DISABLED, "0"));
	EXPECT_EQ(0, queue_init(&q2, 64));
	ukevent_queue_exit(&q2);
	ukevent_queue_exit(&q);
}

/* ---- memory cgroup ---- */

FIXTURE(memcg)
{
	char root[64];
	char group[80];
	int mounted;
};

static int group_write(const char *group, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return write_text(path, text);
}

static long group_read(const char *group, const char *name)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return read_text(path, buf, sizeof(buf)) > 0 ? atol(buf) : -1;
}

/* A number of memory.stat. */
static long group_stat(const char *group, const char *key)
{
	char path[128], buf[8192], *p;

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, key);
	return p ? atol(p + strlen(key)) : -1;
}

FIXTURE_SETUP(memcg)
{
	snprintf(self->root, sizeof(self->root), "/tmp/kevent-cg-%d", getpid());
	snprintf(self->group, sizeof(self->group), "%s/kevent", self->root);
	mkdir("/tmp", 01777);
	ASSERT_EQ(0, mkdir(self->root, 0700));
	if (mount("none", self->root, "cgroup2", 0, NULL)) {
		rmdir(self->root);
		SKIP(return, "cannot mount cgroup2: %s", strerror(errno));
	}
	self->mounted = 1;
	if (group_write(self->root, "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller in cgroup2");
	ASSERT_EQ(0, mkdir(self->group, 0700));
	ASSERT_EQ(0, raise_nofile(30000));
}

FIXTURE_TEARDOWN(memcg)
{
	int i;

	if (!self->mounted)
		return;
	for (i = 0; i < 100 && rmdir(self->group); i++)
		sleep_ms(10);
	umount(self->root);
	rmdir(self->root);
}

/* Runs in a child inside the group. */
static int in_group(const char *group)
{
	return group_write(group, "cgroup.procs", "0");
}

TEST_F_TIMEOUT(memcg, charged_and_freed, 120)
{
	long before, ring, interests, after, min_ring;
	struct ukevent_queue q;
	int status, i, fd;
	pid_t pid;

	pid = fork();
	if (!pid) {
		enum { NR = 4000 };

		if (in_group(self->group))
			_exit(1);
		fd = make_eventfd(0);
		/* the descriptors themselves come first */
		for (i = 0; i < NR; i++)
			if (dup2(fd, 100 + i) < 0)
				_exit(2);
		before = group_stat(self->group, "\nkernel ");
		if (queue_init(&q, 1 << 16))
			_exit(3);
		ring = group_stat(self->group, "\nkernel ");
		for (i = 0; i < NR; i++)
			if (add_fd(q.fd, 100 + i, EV_IN, 0, 1, NULL))
				_exit(4);
		interests = group_stat(self->group, "\nkernel ");
		min_ring = (32L << 16) * 9 / 10;
		TH_LOG("ring of 2 MiB: %ld, an interest: %ld bytes",
		       ring - before, (interests - ring) / NR);
		if (ring - before < min_ring)
			_exit(5);
		if (interests - ring < 64 * NR)
			_exit(6);
		ukevent_queue_exit(&q);
		/* given back, be it after a while */
		for (i = 0; i < 500; i++) {
			after = group_stat(self->group, "\nkernel ");
			if (after - before < (ring - before) / 4)
				break;
			sleep_ms(20);
		}
		if (after - before >= (ring - before) / 4) {
			TH_LOG("%ld bytes not given back", after - before);
			_exit(7);
		}
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/*
 * T37: in a small group rings end in an error, not with the killer.  The group
 * is bounded in size, so this is the proof that the memory is charged as well.
 */
TEST_F_TIMEOUT(memcg, small_group, 120)
{
	struct ukevent_queue q[64];
	int status, n, ret = 0;
	pid_t pid;

	ASSERT_EQ(0, group_write(self->group, "memory.max", "16777216"));
	pid = fork();
	if (!pid) {
		if (in_group(self->group))
			_exit(1);
		for (n = 0; n < 64; n++) {
			ret = queue_init(&q[n], 1 << 16);
			if (ret)
				break;
		}
		TH_LOG("%d rings of 2 MiB in 16 MiB, then %s", n,
		       strerror(-ret));
		if (ret != -ENOMEM && ret != -ENOSPC)
			_exit(2);
		if (n < 4 || n > 8)
			_exit(3);
		/* and room is room again */
		while (n--)
			ukevent_queue_exit(&q[n]);
		for (n = 0; n < 1000 && queue_init(&q[0], 1 << 16); n++)
			sleep_ms(20);
		_exit(n == 1000 ? 4 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The same with data areas. */
TEST_F_TIMEOUT(memcg, small_group_data, 120)
{
	struct ukevent_queue q[64];
	int status, n, ret = 0;
	long before, after = 0;
	pid_t pid;

	ASSERT_EQ(0, group_write(self->group, "memory.max", "16777216"));
	pid = fork();
	if (!pid) {
		if (in_group(self->group))
			_exit(1);
		before = group_stat(self->group, "\nkernel ");
		if (data_queue_init(&q[0], 4 << 20))
			_exit(2);
		after = group_stat(self->group, "\nkernel ");
		if (after - before < (4L << 20) * 9 / 10)
			_exit(3);
		for (n = 1; n < 64; n++) {
			ret = data_queue_init(&q[n], 4 << 20);
			if (ret)
				break;
		}
		TH_LOG("%d areas of 4 MiB in 16 MiB, then %s", n,
		       strerror(-ret));
		if (ret != -ENOMEM && ret != -ENOSPC)
			_exit(4);
		if (n < 2 || n > 4)
			_exit(5);
		while (n--)
			ukevent_queue_exit(&q[n]);
		for (n = 0; n < 1000 && data_queue_init(&q[0], 4 << 20); n++)
			sleep_ms(20);
		_exit(n == 1000 ? 6 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The same with interests; nobody is killed for them either. */
TEST_F_TIMEOUT(memcg, small_group_interests, 120)
{
	int status, i, n, fd, ret = 0;
	struct ukevent_queue q;
	pid_t pid;

	pid = fork();
	if (!pid) {
		enum { NR = 20000 };
		char text[32], path[128];
		int max;

		snprintf(path, sizeof(path), "%s/memory.max", self->group);
		max = open(path, O_WRONLY);
		fd = make_eventfd(0);
		for (i = 0; i < NR; i++)
			if (dup2(fd, 100 + i) < 0)
				_exit(1);
		if (queue_init(&q, 64) || in_group(self->group))
			_exit(2);
		/* touch what the rest of this needs */
		if (add_fd(q.fd, 100, EV_IN, 0, 1, NULL))
			_exit(3);
		TH_LOG("start");
		snprintf(text, sizeof(text), "%ld",
			 group_read(self->group, "memory.current") + (1L << 20));
		if (write(max, text, strlen(text)) < 0)
			_exit(4);
		for (n = 1; n < NR; n++) {
			ret = add_fd(q.fd, 100 + n, EV_IN, 0, 1, NULL);
			if (ret)
				break;
		}
		/* before anything else needs memory */
		write(max, "max", 3);
		TH_LOG("%d interests in 1 MiB, then %s", n, strerror(-ret));
		if (ret != -ENOMEM && ret != -ENOSPC)
			_exit(5);
		/* all of those before work */
		if (eventfd_add(fd, 1) || wait_ms(&q, 64, TEST_LONG_MS) != 64)
			_exit(6);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
