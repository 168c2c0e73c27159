// SPDX-License-Identifier: GPL-2.0
/*
 * The source SIGNAL and processes: an interest is that of the process that added
 * it, whoever has the queue, and ends with its program: by exec or exit.
 */
#include "signal_test.h"
#include <sys/prctl.h>

FIXTURE(shared)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(shared)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, ignore(SIGUSR1));
	ASSERT_EQ(0, ignore(SIGUSR2));
}

FIXTURE_TEARDOWN(shared)
{
	ukevent_queue_exit(&self->q);
}

/* ---- children ---- */

/*
 *   parent                child
 *   ADD USR1
 *                         kills itself: not told; the parent: told
 *                         ADD USR1: is there already; USR2: its own
 *                         kills itself, and the parent, by USR2: the first is told
 *                         exits, and its interest ends
 *   kills itself: told
 */
TEST_F(shared, fork_shared_queue)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid, parent = getpid();

	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_WANT_LAST, 1, NULL));
	pid = fork();
	if (!pid) {
		if (kill_self(SIGUSR1) || sys_kevent_wait(q->fd, 0, NULL, 0) ||
		    kill(parent, SIGUSR1))
			_exit(1);
		if (add_signal(q, SIGUSR1, 0, 3, NULL) != -EEXIST ||
		    add_signal(q, SIGUSR2, KEVENT_WANT_LAST, 2, NULL))
			_exit(2);
		_exit(kill_self(SIGUSR2) || kill(parent, SIGUSR2) ? 3 : 0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_SIGNAL(q, 1, 0, pid, 0, 1);
	EXPECT_SIGNAL(q, 2, 0, pid, 0, 1);
	EXPECT_LAST(q, 2);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill_self(SIGUSR2));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	EXPECT_QUIET(q);
}

static int get(int kfd, struct ukevent *ev, __u32 min_nr)
{
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = TEST_LONG_MS * NSEC_PER_MSEC,
	};

	return sys_kevent_get_events(kfd, ev, min_nr, 1, &args, sizeof(args));
}

static bool is_signal(const struct ukevent *ev, pid_t sender, __u32 count)
{
	return ev->type == SIGNAL && ev->events == SENT &&
	       ev->data[0] == sent_by(sender, count);
}

/* What is sent to the parent the child reads; its own go to a queue of its own. */
TEST_F(shared, fork_reads)
{
	pid_t pid, parent = getpid();
	struct ukevent_queue q, own;
	struct ukevent ev = {};
	int i;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, add_signal(&q, SIGUSR1, 0, 1, NULL));
	pid = fork();
	if (!pid) {
		if (queue_init_noring(&own, 4) ||
		    add_signal(&own, SIGUSR1, 0, 2, NULL) ||
		    kill_self(SIGUSR1))
			_exit(1);
		for (i = 0; i < 5; i++)
			if (get(q.fd, &ev, 1) != 1 || ev.cookie != 1 ||
			    !is_signal(&ev, parent, 1))
				_exit(2);
		_exit(get(own.fd, &ev, 1) != 1 || ev.cookie != 2 ||
		      !is_signal(&ev, getpid(), 1) || get(own.fd, &ev, 0));
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, task_asleep(pid));
		ASSERT_EQ(0, kill_self(SIGUSR1));
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, get(q.fd, &ev, 0));
	ukevent_queue_exit(&q);
}

static int in_child(struct ukevent_queue *q, unsigned int op, __u64 id,
		    __u32 flags)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-op_signal_id(q, op, id, flags));
	return -child_status(pid);
}

/* Who has the queue changes what is in it; whose signals these are stays. */
TEST_F(shared, holder_changes)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_WANT_LAST, 1, &id));
	EXPECT_EQ(0, in_child(q, KEVENT_OP_DISABLE, id, 0));
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_QUIET(q);
	/* which gives it the cookie 0 */
	EXPECT_EQ(0, in_child(q, KEVENT_OP_MODIFY, id, KEVENT_WANT_LAST |
			      KEVENT_START_DISABLED));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, in_child(q, KEVENT_OP_ENABLE, id, 0));
	EXPECT_SIGNAL(q, 0, 0, getpid(), 0, 1);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 0, 0, getpid(), 0, 1);
	EXPECT_EQ(0, in_child(q, KEVENT_OP_REMOVE, id, 0));
	EXPECT_LAST(q, 0);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, in_child(q, KEVENT_OP_REMOVE, id, 0));
	EXPECT_EQ(0, add_signal(q, SIGUSR1, 0, 2, NULL));
}

static __u64 clone_stack[8192];	/* aligned enough by the C library */

static int clone_main(void *arg)
{
	struct ukevent_queue *q = arg;

	return kill(getpid(), SIGUSR1) ||
	       add_signal(q, SIGUSR2, KEVENT_WANT_LAST, 2, NULL) ||
	       kill(getpid(), SIGUSR2);
}

/* Memory, descriptors and handlers in common do not make it one process. */
TEST_F(shared, clone_with_handlers)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, 0, 1, NULL));
	pid = clone(clone_main, clone_stack + ARRAY_SIZE(clone_stack),
		    CLONE_VM | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, q);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_SIGNAL(q, 2, 0, pid, 0, 1);
	EXPECT_LAST(q, 2);
	ASSERT_EQ(0, kill_self(SIGUSR2));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
}

/* The death of the parent is a signal as well. */
TEST_F(shared, parent_death)
{
	struct ukevent_queue *q = &self->q;
	int fds[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		if (!fork()) {
			if (prctl(PR_SET_PDEATHSIG, SIGUSR1) ||
			    add_signal(q, SIGUSR1, KEVENT_WANT_LAST, 1, NULL) ||
			    write(fds[1], "x", 1) != 1)
				_exit(1);
			sys_kevent_wait(q->fd, 1, NULL, 0);
			_exit(0);
		}
		_exit(read(fds[0], &byte, 1) != 1);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_SIGNAL(q, 1, 0, pid, 0, 1);
	EXPECT_LAST(q, 1);
	EXPECT_QUIET(q);
}

/* ---- the end: exit and exec ---- */

enum end { EXIT, KILLED, EXIT_GROUP, THREAD_LAST, EXEC, EXEC_THREAD };

#define ORDER_KILL	100	/* itself */
#define ORDER_GET	101	/* a record, of a queue without a ring */
#define ORDER_END	102

/**
 * struct order - what the other process shall do
 * @op: one of the above, or KEVENT_OP_ADD
 * @sig: the signal, also as the cookie
 * @flags: of ADD
 * @how: to end
 */
struct order {
	unsigned int op;
	int sig;
	__u32 flags;
	enum end how;
};

struct answer {
	int ret;
	__u64 id;
	struct ukevent ev;
};

/**
 * struct other - another process, which adds to the queue and then ends
 * @kfd: the queue
 * @sock: orders and answers
 * @pid: its number
 * @how: it ends
 * @id: of the interest that it added last
 * @ev: record it got last
 */
struct other {
	int kfd;
	int sock;
	pid_t pid;
	enum end how;
	__u64 id;
	struct ukevent ev;
};

#define EXEC_ARG	"--after-exec"

static void exec_again(struct other *o)
{
	char kfd[16], sock[16];

	snprintf(kfd, sizeof(kfd), "%d", o->kfd);
	snprintf(sock, sizeof(sock), "%d", o->sock);
	execl("/proc/self/exe", "signal_process_test", EXEC_ARG, kfd, sock, NULL);
	_exit(99);
}

static void *end_in_thread(void *arg)
{
	struct other *o = arg;
	char byte;

	if (o->how == EXEC_THREAD)
		exec_again(o);
	if (o->how == EXIT_GROUP)
		syscall(SYS_exit_group, 0);
	/* who waits for that knows that the leader is gone */
	syscall(SYS_exit, read(o->sock, &byte, 1) != 1);
	return NULL;
}

static void end_by(struct other *o)
{
	pthread_t thread;

	if (o->how == EXIT)
		_exit(0);
	if (o->how == KILLED)
		kill_self(SIGKILL);
	if (o->how == EXEC)
		exec_again(o);
	if (pthread_create(&thread, NULL, end_in_thread, o))
		_exit(98);
	if (o->how == THREAD_LAST)
		syscall(SYS_exit, 0);
	for (;;)
		pause();
}

/* Obeys until there are no more orders. */
static int serve(struct other *o)
{
	struct kevent_change c;
	struct order order;
	struct answer a;

	while (read(o->sock, &order, sizeof(order)) == sizeof(order)) {
		memset(&a, 0, sizeof(a));
		switch (order.op) {
		case KEVENT_OP_ADD:
			c = make_typed(KEVENT_OP_ADD, SIGNAL, order.sig, 0,
				       order.flags, order.sig);
			a.ret = do_change(o->kfd, &c);
			a.id = c.id;
			break;
		case ORDER_KILL:
			a.ret = kill_self(order.sig);
			break;
		case ORDER_GET:
			a.ret = get(o->kfd, &a.ev, 0);
			break;
		case ORDER_END:
			o->how = order.how;
			end_by(o);
		}
		if (write(o->sock, &a, sizeof(a)) != sizeof(a))
			return 97;
	}
	return 0;
}

static int after_exec(int kfd, int sock)
{
	struct other o = { .kfd = kfd, .sock = sock };
	struct answer a = {};

	return write(sock, &a, sizeof(a)) == sizeof(a) ? serve(&o) : 96;
}

static int other_start(struct other *o, int kfd)
{
	int sv[2];

	memset(o, 0, sizeof(*o));
	o->kfd = kfd;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return -errno;
	o->pid = fork();
	if (!o->pid) {
		close(sv[0]);
		o->sock = sv[1];
		_exit(serve(o));
	}
	close(sv[1]);
	o->sock = sv[0];
	return o->pid < 0 ? -errno : 0;
}

static int other_answer(struct other *o)
{
	struct answer a;

	if (read(o->sock, &a, sizeof(a)) != sizeof(a))
		return -EPIPE;
	o->id = a.id ?: o->id;
	o->ev = a.ev;
	return a.ret;
}

static int other_does(struct other *o, unsigned int op, int sig, __u32 flags)
{
	struct order order = { .op = op, .sig = sig, .flags = flags };

	if (write(o->sock, &order, sizeof(order)) != sizeof(order))
		return -EPIPE;
	return other_answer(o);
}

static int other_adds(struct other *o, int sig, __u32 flags)
{
	return other_does(o, KEVENT_OP_ADD, sig, flags);
}

/* The process has ended, or its first program has. */
static int other_ends(struct other *o, enum end how)
{
	struct order order = { .op = ORDER_END, .how = how };
	int status;

	o->how = how;
	if (write(o->sock, &order, sizeof(order)) != sizeof(order))
		return -EPIPE;
	if (how == EXEC || how == EXEC_THREAD)
		return other_answer(o);
	if (how == THREAD_LAST) {
		while (task_state(o->pid) != 'Z')
			sleep_ms(1);
		if (write(o->sock, "x", 1) != 1)
			return -EPIPE;
	}
	if (waitpid(o->pid, &status, 0) != o->pid)
		return -ECHILD;
	return status == (how == KILLED ? SIGKILL : 0) ? 0 : -EFAULT;
}

static int other_finish(struct other *o)
{
	close(o->sock);
	if (o->how == EXEC || o->how == EXEC_THREAD)
		return child_status(o->pid);
	return 0;
}

FIXTURE(ends)
{
	struct ukevent_queue q;
	struct other o;
};

FIXTURE_VARIANT(ends)
{
	enum end how;
};

FIXTURE_VARIANT_ADD(ends, exit)
{
	.how = EXIT,
};

FIXTURE_VARIANT_ADD(ends, killed)
{
	.how = KILLED,
};

FIXTURE_VARIANT_ADD(ends, exit_group_in_thread)
{
	.how = EXIT_GROUP,
};

FIXTURE_VARIANT_ADD(ends, leader_first)
{
	.how = THREAD_LAST,
};

FIXTURE_VARIANT_ADD(ends, exec)
{
	.how = EXEC,
};

FIXTURE_VARIANT_ADD(ends, exec_in_thread)
{
	.how = EXEC_THREAD,
};

FIXTURE_SETUP(ends)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_INHERIT, .ring_entries = 8,
	};

	ASSERT_EQ(0, ukevent_queue_init(&self->q, &params));
	ASSERT_EQ(0, ignore(SIGUSR1));
	ASSERT_EQ(0, ignore(RT(0)));
	ASSERT_EQ(0, ignore(RT(1)));
	ASSERT_EQ(0, other_start(&self->o, self->q.fd));
}

FIXTURE_TEARDOWN(ends)
{
	EXPECT_QUIET(&self->q);
	EXPECT_EQ(0, other_finish(&self->o));
	ukevent_queue_exit(&self->q);
}

/* In every mode; who wants no last record gets none. */
TEST_F(ends, last)
{
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;
	__u64 got = 0;
	struct ukevent ev;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, other_adds(o, RT(m), modes[m] | KEVENT_WANT_LAST));
		ASSERT_EQ(0, other_adds(o, RT(10 + m), modes[m]));
	}
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_EQ(4, in_ring(q));
	while (ukevent_take(q, &ev, 1)) {
		check_record(_metadata, __LINE__, &ev, SIGNAL, ev.cookie, 0,
			     LAST, 0, 0);
		got |= 1ULL << (ev.cookie - RT(0));
	}
	EXPECT_EQ(15ULL, got);
}

TEST_F(ends, wakes_sleeper)
{
	struct waiter w;

	ASSERT_EQ(0, other_adds(&self->o, SIGUSR1, KEVENT_WANT_LAST));
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	ASSERT_EQ(0, other_ends(&self->o, variant->how));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_LAST(&self->q, SIGUSR1);
}

/* What was counted comes first, as soon as there is room for it. */
TEST_F(ends, records_unread)
{
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;
	int n;

	ASSERT_EQ(0, other_adds(o, SIGUSR1, KEVENT_WANT_LAST));
	ASSERT_EQ(0, other_adds(o, RT(0), 0));
	for (n = 1; n <= 5; n++) {
		ASSERT_EQ(0, queue_signal(o->pid, SIGUSR1, n));
		ASSERT_EQ(0, queue_signal(o->pid, RT(0), n));
	}
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_EQ(4, flush_ring(q));
	for (n = 1; n <= 2; n++) {
		EXPECT_SIGNAL(q, SIGUSR1, 0, getpid(), n, 1);
		EXPECT_SIGNAL(q, RT(0), 0, getpid(), n, 1);
	}
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_SIGNAL(q, SIGUSR1, LAST, getpid(), 5, 3);
	EXPECT_SIGNAL(q, RT(0), 0, getpid(), 5, 3);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_REMOVE, o->id, 0));
	EXPECT_EQ(-ENOENT, op_signal(q, KEVENT_OP_REMOVE, SIGUSR1));
}

TEST_F(ends, ring_full)
{
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;
	int n;

	for (n = 0; n < 8; n++) {
		ASSERT_EQ(0, ukevent_add(q, KEVENT_TYPE_USER, n, 0,
					 KEVENT_ONESHOT, 100 + n));
		ASSERT_EQ(0, ukevent_trigger(q, n, 0));
	}
	ASSERT_EQ(0, other_adds(o, SIGUSR1, KEVENT_WANT_LAST));
	ASSERT_EQ(0, other_adds(o, RT(0), KEVENT_WANT_LAST));
	for (n = 1; n <= 3; n++)
		ASSERT_EQ(0, queue_signal(o->pid, SIGUSR1, n));
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_SIGNAL(q, SIGUSR1, LAST, getpid(), 3, 3);
	EXPECT_LAST(q, RT(0));
}

/* ENABLE brings it; nothing else can be done with what is left but REMOVE. */
TEST_F(ends, disabled)
{
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;
	int n, last;
	__u64 id[2];

	for (last = 0; last < 2; last++) {
		ASSERT_EQ(0, other_adds(o, last ? RT(0) : SIGUSR1,
					KEVENT_START_DISABLED |
					(last ? KEVENT_WANT_LAST : 0)));
		id[last] = o->id;
		for (n = 1; n <= 3; n++)
			ASSERT_EQ(0, kill(o->pid, last ? RT(0) : SIGUSR1));
	}
	ASSERT_EQ(0, other_adds(o, RT(1), KEVENT_START_DISABLED |
				KEVENT_WANT_LAST));
	ASSERT_EQ(0, kill(o->pid, RT(1)));
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_QUIET(q);
	for (last = 0; last < 2; last++) {
		EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_MODIFY, id[last],
						0));
		EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_DISABLE, id[last],
						0));
		EXPECT_EQ(0, op_signal_id(q, KEVENT_OP_ENABLE, id[last], 0));
		EXPECT_SIGNAL(q, last ? RT(0) : SIGUSR1, last ? LAST : 0,
			      getpid(), 0, 3);
		EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_ENABLE, id[last],
						0));
	}
	EXPECT_EQ(0, op_signal_id(q, KEVENT_OP_REMOVE, o->id, 0));
	EXPECT_LAST(q, RT(1));
}

/* A dispatch record is in somebody's hands: LAST waits until it is given back. */
TEST_F(ends, held_back)
{
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;

	ASSERT_EQ(0, other_adds(o, SIGUSR1, KEVENT_DISPATCH |
				KEVENT_WANT_LAST | KEVENT_HOLD_LAST));
	ASSERT_EQ(0, kill(o->pid, SIGUSR1));
	EXPECT_SIGNAL(q, SIGUSR1, 0, getpid(), 0, 1);
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_ENABLE, o->id, 0));
	EXPECT_LAST(q, SIGUSR1);
}

/* The same with signals that came meanwhile: told, or thrown away with it. */
TEST_F(ends, held_back_with_more)
{
	static const int sigs[] = { SIGUSR1, RT(0), RT(1) };
	struct ukevent_queue *q = &self->q;
	struct other *o = &self->o;
	__u64 id[3];
	int i, n;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, other_adds(o, sigs[i], KEVENT_DISPATCH |
					KEVENT_WANT_LAST | KEVENT_HOLD_LAST));
		id[i] = o->id;
		for (n = 0; n < 3; n++)
			ASSERT_EQ(0, kill(o->pid, sigs[i]));
		EXPECT_SIGNAL(q, sigs[i], 0, getpid(), 0, 1);
	}
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_signal_id(q, KEVENT_OP_ENABLE, id[0], 0));
	EXPECT_SIGNAL(q, sigs[0], LAST, getpid(), 0, 2);
	EXPECT_EQ(0, op_signal_id(q, KEVENT_OP_REMOVE, id[1], KEVENT_ACK));
	EXPECT_LAST(q, sigs[1]);
	EXPECT_EQ(0, op_signal_id(q, KEVENT_OP_REMOVE, id[2], 0));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_signal_id(q, KEVENT_OP_ENABLE, id[2], 0));
	EXPECT_LAST(q, sigs[2]);
}

/* As long as one thread is left. */
TEST_F(shared, leader_exits)
{
	struct order order = { .op = ORDER_END, .how = THREAD_LAST };
	struct ukevent_queue *q = &self->q;
	struct other o;
	int i;

	ASSERT_EQ(0, other_start(&o, q->fd));
	ASSERT_EQ(0, other_adds(&o, SIGUSR1, KEVENT_WANT_LAST));
	ASSERT_EQ((int)sizeof(order), write(o.sock, &order, sizeof(order)));
	for (i = 0; i < TEST_LONG_MS && task_state(o.pid) != 'Z'; i++)
		sleep_ms(1);
	ASSERT_EQ('Z', task_state(o.pid));
	ASSERT_EQ(0, kill(o.pid, SIGUSR1));
	EXPECT_SIGNAL(q, SIGUSR1, 0, getpid(), 0, 1);
	EXPECT_QUIET(q);
	ASSERT_EQ(1, write(o.sock, "x", 1));
	EXPECT_EQ(0, child_status(o.pid));
	EXPECT_LAST(q, SIGUSR1);
	/* a zombie is told of nothing, and nobody of it */
	EXPECT_QUIET(q);
	close(o.sock);
}

FIXTURE(exec)
{
	struct ukevent_queue q;
	struct other o;
};

FIXTURE_VARIANT(exec)
{
	enum end how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(exec, ring)
{
	.how = EXEC,
};

FIXTURE_VARIANT_ADD(exec, in_thread_ring)
{
	.how = EXEC_THREAD,
};

FIXTURE_VARIANT_ADD(exec, noring)
{
	.how = EXEC,
	.flags = KEVENT_CREATE_NORING,
};

FIXTURE_VARIANT_ADD(exec, in_thread_noring)
{
	.how = EXEC_THREAD,
	.flags = KEVENT_CREATE_NORING,
};

FIXTURE_SETUP(exec)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_INHERIT | variant->flags,
		.ring_entries = 8,
	};

	ASSERT_EQ(0, ukevent_queue_init(&self->q, &params));
	ASSERT_EQ(0, ignore(SIGUSR1));
	ASSERT_EQ(0, other_start(&self->o, self->q.fd));
}

FIXTURE_TEARDOWN(exec)
{
	EXPECT_EQ(0, other_finish(&self->o));
	ukevent_queue_exit(&self->q);
}

/* The next record of the queue, taken by this process or by the other. */
static int next_record(FIXTURE_DATA(exec) * self, struct ukevent *ev)
{
	struct other *o = &self->o;
	int ret;

	if (self->q.ring_map)
		return flush_ring(&self->q) ? (int)ukevent_take(&self->q, ev, 1) :
					      0;
	ret = other_does(o, ORDER_GET, 0, 0);
	*ev = o->ev;
	return ret;
}

#define EXPECT_NEXT(events, flags, count) \
do { \
	struct ukevent __ev = {}; \
	__u32 __count = (count); \
	EXPECT_EQ(1, next_record(self, &__ev)); \
	check_record(_metadata, __LINE__, &__ev, SIGNAL, SIGUSR1, events, \
		     flags, __count ? sent_by(self->o.pid, __count) : 0, 0); \
} while (0)

#define EXPECT_NOTHING() \
do { \
	struct ukevent __ev; \
	EXPECT_EQ(0, next_record(self, &__ev)); \
} while (0)

/* The new program has the queue, and nothing in it is told of its signals. */
TEST_F(exec, begins_anew)
{
	struct other *o = &self->o;
	int n;

	/* without a ring only the other one has the queue then */
	if (variant->flags)
		ukevent_queue_exit(&self->q);
	ASSERT_EQ(0, other_adds(o, SIGUSR1, KEVENT_WANT_LAST));
	for (n = 0; n < 4; n++)
		ASSERT_EQ(0, other_does(o, ORDER_KILL, SIGUSR1, 0));
	ASSERT_EQ(0, other_ends(o, variant->how));
	ASSERT_EQ(0, other_does(o, ORDER_KILL, SIGUSR1, 0));
	EXPECT_NEXT(SENT, 0, 1);
	EXPECT_NEXT(SENT, 0, 1);
	EXPECT_NEXT(SENT, LAST, 2);
	EXPECT_NOTHING();
	ASSERT_EQ(0, other_does(o, ORDER_KILL, SIGUSR1, 0));
	EXPECT_NOTHING();
	ASSERT_EQ(0, other_adds(o, SIGUSR1, KEVENT_WANT_LAST));
	ASSERT_EQ(0, other_does(o, ORDER_KILL, SIGUSR1, 0));
	EXPECT_NEXT(SENT, 0, 1);
	/* and once more */
	ASSERT_EQ(0, other_ends(o, variant->how));
	EXPECT_NEXT(0, LAST, 0);
	ASSERT_EQ(0, other_adds(o, SIGUSR1, 0));
	ASSERT_EQ(0, other_ends(o, variant->how));
	ASSERT_EQ(0, other_does(o, ORDER_KILL, SIGUSR1, 0));
	EXPECT_NOTHING();
}

/* One that did not take place ends nothing. */
TEST_F(shared, exec_fails)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_WANT_LAST, 1, NULL));
	EXPECT_EQ(-1, execl("/nonexistent", "x", NULL));
	EXPECT_EQ(-1, execl("/proc/self/status", "x", NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
}

/* An interest counts until it has ended, and then no more. */
TEST_F(shared, limit)
{
	struct ukevent_queue q;
	int i, ret = 0;
	pid_t pid;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "300"));
	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 200 && !ret; i++) {
		pid = fork();
		if (!pid)
			_exit(add_signal(&q, SIGUSR1, 0, 0, NULL) ||
			      add_signal(&q, SIGUSR2, KEVENT_WANT_LAST, 0, NULL));
		ret = child_status(pid);
		EXPECT_LAST(&q, 0);
	}
	EXPECT_EQ(0, ret) TH_LOG("round %d", i);
	ukevent_queue_exit(&q);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], EXEC_ARG))
		return after_exec(atoi(argv[2]), atoi(argv[3]));
	return test_harness_run(argc, argv);
}
