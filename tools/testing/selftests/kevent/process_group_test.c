// SPDX-License-Identifier: GPL-2.0
/*
 * The source PROCESS: threads, exec and tracers; processes that watch a relative,
 * or themselves.
 */
#include "process_test.h"

#include <sys/ptrace.h>

/* ---- threads, exec ---- */

struct crew {
	int tids[2];
	pthread_t threads[2];
	int sock;
	enum {
		GROUP_EXIT,		/* by a thread */
		LEADER_THEN_THREAD,	/* each exits */
		LEADER_THEN_GROUP,	/* the thread takes all with it */
		LEADER_THEN_KILL,
		ONE_THEN_GROUP,		/* a thread, then all */
		EXEC_BY_LEADER,
		EXEC_BY_THREAD,
	} what;
	int ready;
} *crew;	/* shared with the child */

#define EXEC_STATUS	11

static void *crew_main(void *arg)
{
	int me = arg == &crew->tids[1];

	crew->tids[me] = syscall(SYS_gettid);
	if (__atomic_add_fetch(&crew->ready, 1, __ATOMIC_SEQ_CST) == 2)
		step(crew->sock);
	if (me || crew->what == EXEC_BY_LEADER)
		for (;;)
			pause();
	if (!await(crew->sock))
		_exit(255);
	switch (crew->what) {
	case GROUP_EXIT:
	case LEADER_THEN_GROUP:
		_exit(7);
	case LEADER_THEN_THREAD:
		/* the other one is gone as well */
		syscall(SYS_exit, 8);
		break;
	case ONE_THEN_GROUP:
		syscall(SYS_exit, 5);
		break;
	case EXEC_BY_THREAD:
		_exit(exec_exit("/proc/self/exe", crew->sock, EXEC_STATUS, NULL));
	default:
		for (;;)
			pause();
	}
	return NULL;
}

/* A leader and one or two threads. */
static int crew_run(int sock, const void *arg)
{
	int two = crew->what == ONE_THEN_GROUP, what = crew->what;

	crew->sock = sock;
	crew->ready = !two;
	pthread_create(&crew->threads[0], NULL, crew_main, &crew->tids[0]);
	if (two)
		pthread_create(&crew->threads[1], NULL, crew_main, &crew->tids[1]);
	if (what == LEADER_THEN_THREAD || what == LEADER_THEN_GROUP ||
	    what == LEADER_THEN_KILL)
		syscall(SYS_exit, 1);
	if (what == EXEC_BY_LEADER) {
		if (!await(sock))
			return 255;
		return exec_exit("/proc/self/exe", sock, EXEC_STATUS, NULL);
	}
	if (two) {
		pthread_join(crew->threads[0], NULL);
		return await(sock) ? 9 : 255;
	}
	for (;;)
		pause();
}

static int crew_start(struct child *c, int what)
{
	crew = mmap(NULL, sizeof(*crew), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew == MAP_FAILED)
		return -errno;
	crew->what = what;
	if (child_start(c, crew_run, NULL))
		return -ECHILD;
	return await(c->sock) ? 0 : -EPIPE;
}

FIXTURE(group)
{
	struct ukevent_queue q, late;
	struct child c;
};

FIXTURE_VARIANT(group)
{
	int what, status;
};

FIXTURE_VARIANT_ADD(group, exit_by_thread) { .what = GROUP_EXIT, .status = 7 << 8 };
FIXTURE_VARIANT_ADD(group, leader_then_thread) { .what = LEADER_THEN_THREAD, .status = 8 << 8 };
FIXTURE_VARIANT_ADD(group, leader_then_group) { .what = LEADER_THEN_GROUP, .status = 7 << 8 };
FIXTURE_VARIANT_ADD(group, leader_then_kill) { .what = LEADER_THEN_KILL, .status = SIGTERM };

FIXTURE_SETUP(group)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, queue_init(&self->late, 8));
}

FIXTURE_TEARDOWN(group)
{
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->late);
}

/* Told when the last one is gone, with the status of the group. */
TEST_F(group, last_one_counts)
{
	struct child *c = &self->c;

	ASSERT_EQ(0, crew_start(c, variant->what));
	ASSERT_EQ(0, add_process(&self->q, c->pidfd, 0, 1));
	if (variant->what != GROUP_EXIT)
		ASSERT_EQ(0, state_reaches(c->pid, 'Z'));
	/* a leader that is a zombie, and no exit */
	EXPECT_EQ(0, add_process(&self->late, c->pidfd, KEVENT_WANT_LAST, 2));
	EXPECT_QUIET(&self->q);
	EXPECT_QUIET(&self->late);
	ASSERT_TRUE(variant->what == LEADER_THEN_KILL ?
		    !kill(c->pid, SIGTERM) : step(c->sock));
	EXPECT_EQ(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	EXPECT_EXIT(&self->q, 1, 0, variant->status);
	EXPECT_EQ(1, wait_ms(&self->late, 1, TEST_LONG_MS));
	EXPECT_EXIT(&self->late, 2, LAST, variant->status);
	EXPECT_EQ(variant->status, reap(c->pid));
	EXPECT_QUIET(&self->q);
	EXPECT_QUIET(&self->late);
}

/* A pidfd of a thread tells of the thread; that of the leader of the process. */
TEST_F(process, thread_pidfds)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	int i, pidfds[3], seen = 0;
	struct ukevent ev;

	ASSERT_EQ(0, crew_start(c, ONE_THEN_GROUP));
	for (i = 0; i < 3; i++) {
		pidfds[i] = open_pidfd(i < 2 ? crew->tids[i] : c->pid,
				       PIDFD_THREAD);
		ASSERT_LE(0, pidfds[i]);
		ASSERT_EQ(0, add_process(q, pidfds[i], 0, i));
	}
	ASSERT_EQ(0, add_process(q, c->pidfd, 0, 3));
	EXPECT_QUIET(q);
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 0, 0, 5 << 8);
	EXPECT_QUIET(q);
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(3, wait_ms(q, 3, TEST_LONG_MS));
	while (ukevent_take(q, &ev, 1)) {
		EXPECT_EQ((__u32)EXITED, ev.events);
		EXPECT_EQ(0U, ev.flags);
		EXPECT_EQ(9ULL << 8, ev.data[0]);
		seen |= 1 << ev.cookie;
	}
	EXPECT_EQ(2 | 4 | 8, seen);
	EXPECT_EQ(9 << 8, reap(c->pid));
	/* a thread that is gone has left nothing */
	EXPECT_EQ(0, add_process(q, pidfds[0], 0, 4));
	EXPECT_EXIT(q, 4, UNKNOWN, 0);
	EXPECT_QUIET(q);
}

static void *thread_exits(void *arg)
{
	int *tid = arg;

	__atomic_store_n(tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (__atomic_load_n(tid, __ATOMIC_ACQUIRE))
		sched_yield();
	syscall(SYS_exit, 6);
	return NULL;
}

/* One of this process's own. */
TEST_F(process, own_thread)
{
	struct ukevent_queue *q = &self->q;
	int pidfd, tid = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_exits, &tid));
	ASSERT_EQ(0, started(&tid));
	pidfd = open_pidfd(tid, PIDFD_THREAD);
	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, add_process(q, pidfd, 0, 1));
	__atomic_store_n(&tid, 0, __ATOMIC_RELEASE);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 1, 0, 6 << 8);
	EXPECT_QUIET(q);
}

FIXTURE_VARIANT(exec)
{
	int what;
};

FIXTURE(exec)
{
	struct ukevent_queue q;
	struct child c;
};

FIXTURE_SETUP(exec)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(exec)
{
	ukevent_queue_exit(&self->q);
}

FIXTURE_VARIANT_ADD(exec, by_leader) { .what = EXEC_BY_LEADER };
FIXTURE_VARIANT_ADD(exec, by_thread) { .what = EXEC_BY_THREAD };

/* Another program is the same process, whichever thread has called it. */
TEST_F(exec, is_no_exit)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	struct ukevent ev = {};
	int pidfd;

	ASSERT_EQ(0, crew_start(c, variant->what));
	pidfd = open_pidfd(crew->tids[0], PIDFD_THREAD);
	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, add_process(q, pidfd, 0, 1));
	ASSERT_EQ(0, add_process(q, c->pidfd, 0, 2));
	ASSERT_TRUE(step(c->sock));
	ASSERT_TRUE(await(c->sock));
	/* the number of the thread is gone: it has exited, or has become leader */
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
	EXPECT_EQ(1ULL, ev.cookie);
	EXPECT_EQ((__u32)EXITED, ev.events);
	EXPECT_EQ(variant->what == EXEC_BY_THREAD ? UNKNOWN : 0, ev.flags);
	EXPECT_EQ(0ULL, ev.data[0]);
	EXPECT_QUIET(q);
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 2, 0, EXEC_STATUS << 8);
	EXPECT_EQ(EXEC_STATUS << 8, reap(c->pid));
	EXPECT_QUIET(q);
}

/* ---- who watches whom ---- */

/* Has a child that watches it. */
static int watched_by_child(int sock, const void *arg)
{
	struct ukevent_queue q;
	struct ukevent ev = {};
	int pidfd;

	if (fork())
		return await(sock) ? 5 : 255;
	pidfd = open_pidfd(getppid(), 0);
	if (pidfd < 0 || queue_init(&q, 8) || add_process(&q, pidfd, 0, 1))
		return 1;
	step(sock);
	if (wait_ms(&q, 1, TEST_LONG_MS) == 1 && ukevent_take(&q, &ev, 1) &&
	    ev.events == EXITED && !ev.flags && ev.data[0] == 5 << 8)
		step(sock);
	return 0;
}

TEST_F(process, own_parent)
{
	struct child *c = &self->c;

	ASSERT_EQ(0, child_start(c, watched_by_child, NULL));
	ASSERT_TRUE(await(c->sock));
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(5, child_status(c->pid));
	/* by the one that is left, if it was told */
	EXPECT_TRUE(await(c->sock));
}

struct self_watch {
	struct ukevent_queue *q;
	bool keep;
};

/* Watches itself, in a queue of others. */
static int watches_itself(int sock, const void *arg)
{
	const struct self_watch *w = arg;
	int pidfd = open_pidfd(getpid(), 0);

	if (pidfd < 0 ||
	    add_process(w->q, pidfd, KEVENT_WANT_LAST, w->keep))
		return 1;
	/* in flight, it outlives the descriptors of this process */
	if (w->keep && send_fd(sock, pidfd))
		return 2;
	if (!w->keep)
		step(sock);
	return await(sock) ? 6 : 255;
}

/* Its descriptors are closed before it is a zombie. */
TEST_F(process, itself)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	struct self_watch w = { .q = q };
	int keep;

	for (keep = 0; keep < 2; keep++) {
		w.keep = keep;
		ASSERT_EQ(0, child_start(c, watches_itself, &w));
		ASSERT_TRUE(is_ready(c->sock, POLLIN, TEST_LONG_MS));
		if (!keep)
			ASSERT_TRUE(await(c->sock));
		EXPECT_QUIET(q);
		ASSERT_TRUE(step(c->sock));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		if (keep)
			EXPECT_EXIT(q, 1, LAST, 6 << 8);
		else
			EXPECT_TAKE_TYPED(q, PROCESS, 0, HUP, LAST, 0, 0);
		EXPECT_EQ(6, child_status(c->pid));
		child_close(c);
		EXPECT_QUIET(q);
	}
}

/* One of another process: it seizes the target, and waits for it when told to. */
static int traces(int sock, const void *arg)
{
	const struct child *target = arg;

	if (ptrace(PTRACE_SEIZE, target->pid, NULL, NULL))
		return 1;
	if (!step(sock) || !await(sock))
		return 2;
	return reap(target->pid) == 12 << 8 ? 0 : 3;
}

/* First the tracer reaps it, then the parent; it exits once. */
TEST_F(process, traced)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c, tracer;
	int by_other;

	for (by_other = 0; by_other < 2; by_other++) {
		ASSERT_EQ(0, start_exit(c, 12));
		if (by_other) {
			ASSERT_EQ(0, child_start(&tracer, traces, c));
			ASSERT_TRUE(await(tracer.sock));
		} else {
			ASSERT_EQ(0, ptrace(PTRACE_SEIZE, c->pid, NULL, NULL));
		}
		ASSERT_EQ(0, add_process(q, c->pidfd, 0, by_other));
		EXPECT_QUIET(q);
		ASSERT_TRUE(step(c->sock));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_EXIT(q, by_other, 0, 12 << 8);
		if (by_other) {
			ASSERT_TRUE(step(tracer.sock));
			EXPECT_EQ(0, child_status(tracer.pid));
			child_close(&tracer);
		}
		EXPECT_EQ(12 << 8, reap(c->pid));
		EXPECT_QUIET(q);
		child_close(c);
	}
}

int main(int argc, char **argv)
{
	return process_main(argc, argv);
}
