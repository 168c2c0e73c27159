// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: in whose name is sent what somebody else carries on, what a filter of
 * system calls can forbid, and what a user or a group of processes may have of it.
 */
#include "filter_test.h"
#include "sendfile_test.h"

#define NOBODY	65534

FIXTURE(rights)
{
	struct ukevent_queue q;
	struct transfer t;
	int fd;
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_UNIX));
	self->fd = make_memfd(MIB);
	ASSERT_LE(0, self->fd);
	transfer_next(&self->t, self->fd, 0, TO_END);
}

FIXTURE_TEARDOWN(rights)
{
	close(self->fd);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
}

/* ---- in whose name ---- */

/* Receives one piece, and who the kernel says has sent it. */
static ssize_t receive_from(int fd, struct ucred *who)
{
	char control[CMSG_SPACE(sizeof(*who))];
	static char buf[65536];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	memset(who, 0xff, sizeof(*who));
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(who, CMSG_DATA(c), sizeof(*who));
	return n;
}

/*
 * F16: a socket that tells who sends says: who has added the transfer.  So does a
 * security module that is asked in the same call.  The process is the one that waits:
 * as it may be told apart by that, it is another one here.
 */
TEST_F_TIMEOUT(rights, sent_by_who_added, 300)
{
	static const uid_t adds[] = { 0, 1234 };
	unsigned int i, pieces;
	struct ucred who;
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->t.s.peer, SOL_SOCKET, SO_PASSCRED, &on,
				sizeof(on)));
	for (i = 0; i < ARRAY_SIZE(adds); i++) {
		pid_t adder = fork(), waiter;
		__u64 got = 0;
		ssize_t n;

		if (!adder) {
			if (adds[i] && (setresgid(adds[i], adds[i], adds[i]) ||
					setresuid(adds[i], adds[i], adds[i])))
				_exit(1);
			transfer_next(&self->t, self->fd, 0, TO_END);
			transfer_header(&self->t, 100);
			_exit(do_change(self->q.fd, &self->t.c) ? 2 : 0);
		}
		ASSERT_EQ(0, child_status(adder));
		waiter = fork();
		if (!waiter) {
			struct ukevent_queue q;

			if (setresgid(NOBODY, NOBODY, NOBODY) ||
			    setresuid(NOBODY, NOBODY, NOBODY) ||
			    ukevent_queue_open(&q, self->q.fd))
				_exit(1);
			while (wait_ms(&q, 1, 1) == 0)
				;
			/* and it is itself again */
			_exit(getuid() == NOBODY && geteuid() == NOBODY ? 0 : 2);
		}
		for (pieces = 0; got < MIB + 100;) {
			n = receive_from(self->t.s.peer, &who);
			if (n < 0) {
				ASSERT_EQ(EAGAIN, errno);
				sched_yield();
				continue;
			}
			ASSERT_LT(0, n);
			got += n;
			pieces++;
			ASSERT_EQ(adds[i], who.uid) TH_LOG("piece %u", pieces);
			ASSERT_EQ(adds[i], who.gid);
			ASSERT_EQ(waiter, who.pid);
		}
		EXPECT_EQ(0, child_status(waiter));
		EXPECT_EQ(1, take_all(&self->q, NULL));
		EXPECT_LT(1U, pieces);
	}
}

/* An entry of an array is of who calls. */
TEST_F_TIMEOUT(rights, entry_by_who_calls, 300)
{
	struct ucred who;
	pid_t pid;
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->t.s.peer, SOL_SOCKET, SO_PASSCRED, &on,
				sizeof(on)));
	pid = fork();
	if (!pid) {
		struct kevent_send s = make_file_send(self->t.s.fd, self->fd, 0, 100);

		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		_exit(send_one_entry(&self->q, s) == 100 ? 0 : 2);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(100, receive_from(self->t.s.peer, &who));
	EXPECT_EQ((uid_t)NOBODY, who.uid);
	EXPECT_EQ(pid, who.pid);
}

/* In a child, which has no mappings of the queue. */
static bool sends_all(const struct ukevent_queue *parents, struct transfer *t)
{
	struct ukevent_queue q;

	return !ukevent_queue_open(&q, parents->fd) && !transfer_run(&q, t) &&
	       t->end.events == SF_DONE && t->told == MIB;
}

/* Who may not open the file may be given its descriptor, and send from that. */
TEST_F_TIMEOUT(rights, by_descriptor, 300)
{
	pid_t pid = fork();

	if (!pid) {
		int writer = open("/tmp/rights-writer", O_CREAT | O_WRONLY | O_CLOEXEC,
				  0600);
		char path[64];

		if (writer < 0 || fchmod(self->fd, 0600) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
		if (open(path, O_RDONLY) >= 0 || errno != EACCES)
			_exit(2);
		if (!sends_all(&self->q, &self->t))
			_exit(3);
		/* but not what was opened to be written */
		transfer_next(&self->t, writer, 0, TO_END);
		if (do_change(self->q.fd, &self->t.c) != -EBADF)
			_exit(4);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
}

/* ---- filters of system calls ---- */

/*
 * F16: without the flag at kevent_create() no file leaves by a queue, whatever the
 * calls that are allowed; a queue that was there before goes on.
 */
TEST_F_TIMEOUT(rights, filtered_create, 300)
{
	pid_t pid = fork();

	if (!pid) {
		struct kevent_send s = make_file_send(self->t.s.fd, self->fd, 0, 100);
		struct ukevent_queue q;

		if (refuse(__NR_kevent_create, 2, KEVENT_CREATE_SENDFILE))
			_exit(77);
		if (files_queue(&q, 8, 0) != -EACCES ||
		    files_queue(&q, 8, KEVENT_CREATE_NORING) != -EACCES)
			_exit(1);
		if (queue_init(&q, 8))
			_exit(2);
		if (do_change(q.fd, &self->t.c) != -ENXIO ||
		    send_one_entry(&q, s) != -ENXIO)
			_exit(3);
		if (unread(self->t.s.peer))
			_exit(4);
		/* not even by a queue that does, from one that does not */
		if (!sends_all(&self->q, &self->t))
			_exit(5);
		_exit(0);
	}
	pid = child_status(pid);
	if (pid == 77)
		SKIP(return, "no filters (CONFIG_SECCOMP_FILTER)");
	EXPECT_EQ(0, pid);
}

/* sendfile(2) being forbidden is no reason: as with writev(2) and splice(2). */
TEST_F_TIMEOUT(rights, not_sendfile, 300)
{
	pid_t pid = fork();

	if (!pid) {
		if (refuse(__NR_sendfile, 0, 0))
			_exit(77);
		/* the C library may take another one */
		if (syscall(__NR_sendfile, self->t.s.fd, self->fd, NULL, 100L) != -1 ||
		    errno != EACCES)
			_exit(1);
		if (!sends_all(&self->q, &self->t))
			_exit(2);
		_exit(0);
	}
	pid = child_status(pid);
	if (pid == 77)
		SKIP(return, "no filters (CONFIG_SECCOMP_FILTER)");
	EXPECT_EQ(0, pid);
}

/* ---- limits ---- */

/* F19: an interest counts until its last record is published, and no longer. */
TEST_F_TIMEOUT(rights, counted, 300)
{
	struct ukevent_queue q;
	struct transfer t;
	char c;
	int i;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, files_queue(&q, 8, 0));
	ASSERT_EQ(0, transfer_open(&t, AF_UNIX));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "1"));
	for (i = 0; i < 20; i++) {
		transfer_next(&self->t, self->fd, 0, 1000);
		transfer_next(&t, self->fd, 0, 1000);
		ASSERT_EQ(0, do_change(q.fd, &self->t.c));
		EXPECT_EQ(-ENOSPC, do_change(q.fd, &t.c));
		/* which the socket does not know of */
		EXPECT_EQ(1, send_one_entry(&self->q, make_send(t.s.fd, "x", 1)));
		EXPECT_EQ(1, recv(t.s.peer, &c, 1, 0));
		if (i % 2) {
			ASSERT_EQ(0, op_sendfile(&q, KEVENT_OP_REMOVE, self->t.s.fd));
		} else {
			ASSERT_EQ(0, transfers_run(&q, &self->t, 1, SIZE_MAX));
		}
		take_all(&q, NULL);
		ASSERT_EQ(0, transfer_run(&q, &t));
		EXPECT_END(&t, SF_DONE, 1000, 0);
	}
	source_close(&t.s);
	ukevent_queue_exit(&q);
}

FIXTURE(group)
{
	char root[64];
	char name[80];
	bool mounted;
};

static int group_write(const char *group, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return write_text(path, text);
}

FIXTURE_SETUP(group)
{
	snprintf(self->root, sizeof(self->root), "/tmp/sf-cg-%d", getpid());
	snprintf(self->name, sizeof(self->name), "%s/sf", self->root);
	ASSERT_EQ(0, mkdir(self->root, 0700));
	if (mount("none", self->root, "cgroup2", 0, NULL)) {
		rmdir(self->root);
		SKIP(return, "cannot mount cgroup2: %s", strerror(errno));
	}
	self->mounted = true;
	if (group_write(self->root, "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller in cgroup2");
	ASSERT_EQ(0, mkdir(self->name, 0700));
	ASSERT_EQ(0, raise_nofile(10000));
}

FIXTURE_TEARDOWN(group)
{
	int i;

	if (!self->mounted)
		return;
	for (i = 0; i < 100 && rmdir(self->name); i++)
		sleep_ms(10);
	umount(self->root);
	rmdir(self->root);
}

/*
 * F19: in a small group transfers end in an error, not with the killer: they and their
 * headers are charged.  Those that were taken are sent.
 */
TEST_F_TIMEOUT(group, small, 300)
{
	enum { NR = 1000 };
	pid_t pid = fork();

	if (!pid) {
		struct transfer *t = calloc(NR, sizeof(*t));
		char text[64], path[128];
		struct ukevent_queue q;
		int max, fd, i, n, ret = 0;

		snprintf(path, sizeof(path), "%s/memory.max", self->name);
		max = open(path, O_WRONLY | O_CLOEXEC);
		fd = make_memfd(4096);
		/* all that the rest needs of memory, in another group */
		for (i = 0; i < NR; i++) {
			if (transfer_open(&t[i], AF_UNIX))
				_exit(1);
			transfer_next(&t[i], fd, 0, TO_END);
			transfer_header(&t[i], 4096);
		}
		if (files_queue(&q, NR, 0) || group_write(self->name, "cgroup.procs", "0"))
			_exit(2);
		if (do_change(q.fd, &t[0].c))
			_exit(3);
		TH_LOG("start");
		snprintf(path, sizeof(path), "%s/memory.current", self->name);
		if (read_text(path, text, sizeof(text)) <= 0)
			_exit(4);
		snprintf(text, sizeof(text), "%ld", atol(text) + (1L << 20));
		if (write(max, text, strlen(text)) < 0)
			_exit(4);
		for (n = 1; n < NR && !ret; n++)
			ret = do_change(q.fd, &t[n].c);
		/* before anything else needs memory */
		if (write(max, "max", 3) != 3)
			_exit(5);
		TH_LOG("%d transfers in 1 MiB, then %s", n - 1, strerror(-ret));
		if (ret != -ENOMEM)
			_exit(6);
		n--;
		/* with a header each of a page */
		if (n > 300)
			_exit(7);
		if (transfers_run(&q, t, n, SIZE_MAX))
			_exit(8);
		for (i = 0; i < n; i++)
			if (t[i].end.events != SF_DONE || t[i].got != 8192)
				_exit(9);
		/* the one that was refused has left nothing */
		t[n].c.id = 0;
		if (transfer_run(&q, &t[n]) || t[n].got != 8192)
			_exit(10);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
}

TEST_HARNESS_MAIN
