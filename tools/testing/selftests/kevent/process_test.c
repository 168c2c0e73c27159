// SPDX-License-Identifier: GPL-2.0
/*
 * The source PROCESS: each exit is told once, with the status that wait(2) gives,
 * and ends the interest.
 */
#include "process_test.h"

/* ---- the status ---- */

TEST_F(process, every_code)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	int code;

	for (code = 0; code < 256; code++) {
		ASSERT_EQ(0, start_exit(c, code));
		ASSERT_EQ(0, add_process(q, c->pidfd, 0, code));
		EXPECT_EQ(0, in_ring(q));
		ASSERT_TRUE(step(c->sock));
		ASSERT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_EXIT(q, code, 0, code << 8);
		EXPECT_EQ(code << 8, reap(c->pid));
		child_close(c);
	}
	EXPECT_QUIET(q);
}

static int dies_by(int sock, const void *arg)
{
	const struct rlimit *core = arg;
	sigset_t none;
	int sig;

	for (sig = 1; sig <= 64; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* where a core can be left, and nobody looks */
	if (chdir("/tmp") || setrlimit(RLIMIT_CORE, core))
		return 255;
	step(sock);
	await(sock);
	return 255;
}

/* Each that kills, and whether it leaves a core, as wait(2) says. */
TEST_F(process, every_signal)
{
	static const struct rlimit cores[] = {
		{ 0, 0 }, { RLIM_INFINITY, RLIM_INFINITY }
	};
	static const char no_kill[] = {
		SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN,
		SIGTTOU, 0
	};
	static const char leaves_core[] = {
		SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
		SIGXCPU, SIGXFSZ, SIGSYS, 0
	};
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	int sig, core, want;

	mkdir("/tmp", 01777);
	for (sig = 1; sig <= 64; sig++) {
		if (strchr(no_kill, sig))
			continue;
		for (core = 0; core <= !!strchr(leaves_core, sig); core++) {
			want = sig | (core ? 0x80 : 0);
			ASSERT_EQ(0, child_start(c, dies_by, &cores[core]));
			ASSERT_TRUE(await(c->sock));
			ASSERT_EQ(0, add_process(q, c->pidfd, 0, sig));
			ASSERT_EQ(0, kill(c->pid, sig));
			ASSERT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
			EXPECT_EXIT(q, sig, 0, want);
			EXPECT_EQ(want, reap(c->pid));
			child_close(c);
		}
	}
	unlink("/tmp/core");
	EXPECT_QUIET(q);
}

/* It stops, and goes on: that is no exit. */
TEST_F(process, stop_is_no_exit)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;

	ASSERT_EQ(0, start_exit(c, 3));
	ASSERT_EQ(0, add_process(q, c->pidfd, 0, 1));
	ASSERT_EQ(0, kill(c->pid, SIGSTOP));
	ASSERT_EQ(0, state_reaches(c->pid, 'T'));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill(c->pid, SIGCONT));
	ASSERT_EQ(0, state_reaches(c->pid, 'S'));
	EXPECT_QUIET(q);
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 1, 0, 3 << 8);
	EXPECT_EQ(3 << 8, reap(c->pid));
}

/* ---- when it is added ---- */

FIXTURE_VARIANT(when)
{
	bool add_first, reap_first;
	bool ignored;		/* SIGCHLD */
	int sa_flags;
};

FIXTURE(when)
{
	struct ukevent_queue q;
	struct child c;
};

FIXTURE_SETUP(when)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(when)
{
	ukevent_queue_exit(&self->q);
}

FIXTURE_VARIANT_ADD(when, running) { .add_first = true };
FIXTURE_VARIANT_ADD(when, zombie) {};
FIXTURE_VARIANT_ADD(when, reaped) { .reap_first = true };
FIXTURE_VARIANT_ADD(when, running_ignored) { .add_first = true, .ignored = true };
FIXTURE_VARIANT_ADD(when, running_nocldwait) { .add_first = true, .sa_flags = SA_NOCLDWAIT };
FIXTURE_VARIANT_ADD(when, gone_ignored) { .ignored = true };

/* The record ends the interest, whatever the mode; it can be added again. */
TEST_F(when, one_record)
{
	static const __u16 ops[] = {
		KEVENT_OP_REMOVE, KEVENT_OP_ENABLE, KEVENT_OP_DISABLE,
		KEVENT_OP_MODIFY,
	};
	bool auto_reap = variant->ignored || variant->sa_flags;
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	__u32 last, flags, again;
	int end, m;
	size_t op;
	bool known;
	__u64 id = 0;

	on_sigchld(variant->ignored ? SIG_IGN : SIG_DFL, variant->sa_flags);
	known = variant->add_first || !(auto_reap || variant->reap_first);
	again = auto_reap || variant->reap_first ? UNKNOWN : 0;
	for (m = 0; m < 8; m++) {
		last = m & 1 ? KEVENT_WANT_LAST : 0;
		flags = modes[m / 2] | last;
		end = auto_reap ? -ECHILD : variant->reap_first ? 40 + m : 0;
		ASSERT_EQ(0, start_exit(c, 40 + m));
		if (variant->add_first) {
			ASSERT_EQ(0, add_with_id(q, c->pidfd, flags, m, &id));
			EXPECT_EQ(-EEXIST, add_process(q, c->pidfd, flags, 9));
			EXPECT_QUIET(q);
		}
		ASSERT_TRUE(step(c->sock));
		ASSERT_EQ(end, auto_reap || variant->reap_first ?
			  child_status(c->pid) : zombie(c->pid));
		/* wait(2) does not wait for the end of one that reaps itself */
		if (end)
			ASSERT_EQ(POLLHUP, is_ready(c->pidfd, 0, TEST_LONG_MS));
		if (!variant->add_first)
			ASSERT_EQ(0, add_with_id(q, c->pidfd, flags, m, &id));

		/* it is in the ring by now, nobody has to ask */
		EXPECT_EQ(1, in_ring(q));
		EXPECT_EXIT(q, m, (last ? LAST : 0) | (known ? 0 : UNKNOWN),
			    known ? (40 + m) << 8 : 0);
		for (op = 0; op < ARRAY_SIZE(ops); op++) {
			EXPECT_EQ(-ENOENT, op_process(q, ops[op], c->pidfd));
			EXPECT_EQ(-ENOENT, op_process_id(q, ops[op], id));
		}
		EXPECT_QUIET(q);

		EXPECT_EQ(0, add_process(q, c->pidfd, flags, m + 100));
		EXPECT_EXIT(q, m + 100, (last ? LAST : 0) | again,
			    again ? 0 : (40 + m) << 8);
		EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, c->pidfd));
		EXPECT_QUIET(q);
		if (!again)
			EXPECT_EQ((40 + m) << 8, reap(c->pid));
		child_close(c);
	}
}

/* ---- what is not told yet ---- */

FIXTURE_VARIANT(held)
{
	bool full, start_disabled, disable;
};

FIXTURE(held)
{
	struct ukevent_queue q;
	struct child c;
};

FIXTURE_SETUP(held)
{
	ASSERT_EQ(0, queue_init(&self->q, 2));
}

FIXTURE_TEARDOWN(held)
{
	ukevent_queue_exit(&self->q);
}

FIXTURE_VARIANT_ADD(held, unread) {};
FIXTURE_VARIANT_ADD(held, full_ring) { .full = true };
FIXTURE_VARIANT_ADD(held, disabled) { .disable = true };
FIXTURE_VARIANT_ADD(held, starts_disabled) { .start_disabled = true };
FIXTURE_VARIANT_ADD(held, disabled_full_ring) { .full = true, .disable = true };

/* Was the exit told while the interest, of flags @flags, is held back? */
static void hold_exit(struct __test_metadata *_metadata,
		      struct ukevent_queue *q, struct child *c, __u32 flags,
		      bool full, bool disable)
{
	int i, fds[2];

	for (i = 0; full && i < 2; i++) {
		fds[i] = make_eventfd(1);
		ASSERT_EQ(0, add_fd(q->fd, fds[i], EV_IN, KEVENT_ONESHOT, 90 + i,
				    NULL));
	}
	ASSERT_EQ(0, start_exit(c, 7));
	ASSERT_EQ(0, add_process(q, c->pidfd, flags, 1));
	if (disable)
		ASSERT_EQ(0, op_process(q, KEVENT_OP_DISABLE, c->pidfd));
	ASSERT_TRUE(step(c->sock));
	/* reaped before anybody has looked */
	ASSERT_EQ(7 << 8, reap(c->pid));
	if (full) {
		EXPECT_EQ(2, in_ring(q));
		EXPECT_TAKE(q, 90, EV_IN, 0);
		EXPECT_TAKE(q, 91, EV_IN, 0);
	}
}

/* The status is that of the exit, though there is no zombie any more. */
TEST_F(held, reaped_meanwhile)
{
	__u32 start = variant->start_disabled ? KEVENT_START_DISABLED : 0;
	bool disabled = variant->disable || variant->start_disabled;
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;

	hold_exit(_metadata, q, c, start | KEVENT_WANT_LAST, variant->full,
		  variant->disable);
	if (disabled) {
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_process(q, KEVENT_OP_ENABLE, c->pidfd));
	}
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EXIT(q, 1, LAST, 7 << 8);
	EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_ENABLE, c->pidfd));
	EXPECT_QUIET(q);
}

/* MODIFY keeps it, and gives it the new cookie. */
TEST_F(held, modified_meanwhile)
{
	__u32 start = variant->start_disabled ? KEVENT_START_DISABLED : 0;
	bool disabled = variant->disable || variant->start_disabled;
	bool told = !variant->full && !disabled;
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;

	hold_exit(_metadata, q, c, start, variant->full, variant->disable);
	if (disabled) {
		EXPECT_EQ(0, modify_process(q, c->pidfd, KEVENT_EDGE |
					    KEVENT_START_DISABLED, 1));
		EXPECT_QUIET(q);
	}
	/* which arms it, too */
	EXPECT_EQ(told ? -ENOENT : 0,
		  modify_process(q, c->pidfd, KEVENT_EDGE, 2));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EXIT(q, told ? 1 : 2, 0, 7 << 8);
	/* still a one-shot */
	EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, c->pidfd));
	EXPECT_QUIET(q);
}

/* REMOVE discards what is not in the ring, so does the close of the pidfd. */
TEST_F(held, ended_meanwhile)
{
	__u32 start = variant->start_disabled ? KEVENT_START_DISABLED : 0;
	bool told = !variant->full && !variant->disable && !start;
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	int by_close;

	for (by_close = 0; by_close < 2; by_close++) {
		hold_exit(_metadata, q, c, start | KEVENT_WANT_LAST,
			  variant->full, variant->disable);
		if (by_close)
			close(c->pidfd);
		else
			EXPECT_EQ(told ? -ENOENT : 0,
				  op_process(q, KEVENT_OP_REMOVE, c->pidfd));
		EXPECT_EQ(1, flush_ring(q));
		if (told)
			EXPECT_EXIT(q, 1, LAST, 7 << 8);
		else
			EXPECT_TAKE_TYPED(q, PROCESS, 1, by_close ? HUP : 0,
					  LAST, 0, 0);
		EXPECT_QUIET(q);
		if (!by_close)
			child_close(c);
	}
}

/* ---- the pidfd ---- */

TEST_F(process, pidfd_closed)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	int last;
	__u64 id;

	for (last = 0; last < 2; last++) {
		ASSERT_EQ(0, start_exit(c, 0));
		ASSERT_EQ(0, add_with_id(q, c->pidfd, last ? KEVENT_WANT_LAST :
					 0, 5, &id));
		close(c->pidfd);
		EXPECT_EQ(last, wait_ms(q, last, TEST_LONG_MS));
		if (last)
			EXPECT_TAKE_TYPED(q, PROCESS, 5, HUP, LAST, 0, 0);
		EXPECT_EQ(-ENOENT, op_process_id(q, KEVENT_OP_REMOVE, id));
		ASSERT_TRUE(step(c->sock));
		EXPECT_EQ(0, reap(c->pid));
		EXPECT_QUIET(q);
		close(c->sock);
	}
}

/* As with every file: the interest lives as long as a duplicate, under its id. */
TEST_F(process, pidfd_duplicated)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c, other;
	int number, copy;
	__u64 id;

	ASSERT_EQ(0, start_exit(c, 1));
	ASSERT_EQ(0, start_exit(&other, 2));
	number = c->pidfd;
	copy = dup(number);
	ASSERT_EQ(0, add_with_id(q, number, 0, 1, &id));
	/* another key */
	ASSERT_EQ(0, add_process(q, copy, 0, 2));
	ASSERT_EQ(number, dup2(other.pidfd, number));
	EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, number));
	EXPECT_EQ(0, add_process(q, number, 0, 3));
	EXPECT_EQ(0, op_process_id(q, KEVENT_OP_DISABLE, id));
	EXPECT_EQ(0, op_process_id(q, KEVENT_OP_ENABLE, id));
	ASSERT_TRUE(step(other.sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 3, 0, 2 << 8);
	ASSERT_TRUE(step(c->sock));
	/* in the order of the wait queue: the last one first */
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_EXIT(q, 2, 0, 1 << 8);
	EXPECT_EXIT(q, 1, 0, 1 << 8);
	EXPECT_QUIET(q);
	EXPECT_EQ(1 << 8, reap(c->pid));
	EXPECT_EQ(2 << 8, reap(other.pid));
}

/* Each queue, and each pidfd that stands for the process. */
TEST_F(process, told_to_all)
{
	struct child *c = &self->c;
	struct ukevent_queue q[3];
	struct ukevent ev;
	int i, n, pidfds[2], seen;

	ASSERT_EQ(0, start_exit(c, 9));
	pidfds[0] = c->pidfd;
	pidfds[1] = open_pidfd(c->pid, 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 8));
		for (n = 0; n < 2; n++)
			ASSERT_EQ(0, add_process(&q[i], pidfds[n], 0, n));
	}
	ASSERT_TRUE(step(c->sock));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(2, wait_ms(&q[i], 2, TEST_LONG_MS));
		for (seen = 0; ukevent_take(&q[i], &ev, 1); seen |= 1 << ev.cookie) {
			EXPECT_EQ((__u32)EXITED, ev.events);
			EXPECT_EQ(0U, ev.flags);
			EXPECT_EQ(9ULL << 8, ev.data[0]);
		}
		EXPECT_EQ(3, seen);
		EXPECT_QUIET(&q[i]);
		ukevent_queue_exit(&q[i]);
	}
	EXPECT_EQ(9 << 8, reap(c->pid));
}

/* A POLL interest in the same pidfd has its own record. */
TEST_F(process, beside_poll)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	struct ukevent ev;
	int i, polls = 0;

	ASSERT_EQ(0, start_exit(c, 4));
	ASSERT_EQ(0, add_fd(q->fd, c->pidfd, EV_IN, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, add_process(q, c->pidfd, 0, 2));
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
		if (ev.type == PROCESS) {
			EXPECT_EQ(4ULL << 8, ev.data[0]);
			continue;
		}
		EXPECT_RECORD(&ev, 1, EV_IN, 0);
		polls++;
	}
	EXPECT_EQ(1, polls);
	EXPECT_EQ(4 << 8, reap(c->pid));
	EXPECT_EQ(0, remove_fd(q->fd, c->pidfd));
	EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, c->pidfd));
}

/* ---- errors ---- */

FIXTURE(error)
{
	struct ukevent_queue q;
	struct child c, other;
};

/* One interest is there; a good change is for it, or an ADD of the other. */
FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, start_exit(&self->c, 1));
	ASSERT_EQ(0, start_exit(&self->other, 2));
	ASSERT_EQ(0, add_process(&self->q, self->c.pidfd, 0, 1));
}

/* No error has left anything behind, or taken anything away. */
FIXTURE_TEARDOWN(error)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, self->other.pidfd));
	EXPECT_EQ(0, add_process(q, self->other.pidfd, 0, 2));
	EXPECT_QUIET(q);
	EXPECT_TRUE(step(self->c.sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 1, 0, 1 << 8);
	EXPECT_EQ(0, op_process(q, KEVENT_OP_REMOVE, self->other.pidfd));
	ukevent_queue_exit(q);
	child_close(&self->c);
	child_close(&self->other);
}

#define MODES_ALL	(KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH)

static const struct {
	__u16 op;
	__u32 events;	/* that it takes */
	__u64 cookie;
} takes[] = {
	{ KEVENT_OP_ADD, EXITED, 2 }, { KEVENT_OP_MODIFY, EXITED, 2 },
	{ KEVENT_OP_REMOVE, 0, 0 }, { KEVENT_OP_ENABLE, 0, 0 },
	{ KEVENT_OP_DISABLE, 0, 0 },
};

TEST_F(error, fields)
{
	int kfd = self->q.fd, pidfd, bit, i;
	struct kevent_change good, c;
	size_t t;

	for (t = 0; t < ARRAY_SIZE(takes); t++) {
		pidfd = takes[t].op == KEVENT_OP_ADD ? self->other.pidfd :
			self->c.pidfd;
		good = make_typed(takes[t].op, PROCESS, pidfd, 0, 0,
				  takes[t].cookie);
		for (bit = 0; bit < 32; bit++) {
			c = good;
			c.flags = 1U << bit;
			if (!(flags_taken(c.op) & c.flags))
				EXPECT_EQ(-EINVAL, do_change(kfd, &c))
					TH_LOG("op %d flag %d", c.op, bit);
			c = good;
			c.events = 1U << bit;
			if (!(takes[t].events & c.events))
				EXPECT_EQ(-EINVAL, do_change(kfd, &c))
					TH_LOG("op %d event %d", c.op, bit);
		}
		for (bit = 0; bit < 64; bit += 21) {
			c = good;
			c.addr = 1ULL << bit;
			EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			c = good;
			c.id = 1ULL << bit;
			EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			for (i = 0; i < 4; i++) {
				c = good;
				c.param[i] = 1ULL << bit;
				EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			}
			for (i = 0; i < 2; i++) {
				c = good;
				c.reserved[i] = 1ULL << bit;
				EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			}
		}
	}
}

TEST_F(error, two_modes)
{
	static const __u32 flags[] = {
		KEVENT_EDGE | KEVENT_ONESHOT, KEVENT_EDGE | KEVENT_DISPATCH,
		KEVENT_ONESHOT | KEVENT_DISPATCH, MODES_ALL
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(-EINVAL, add_process(&self->q, self->other.pidfd,
					       flags[i], 2));
		EXPECT_EQ(-EINVAL, modify_process(&self->q, self->c.pidfd,
						  flags[i], 2));
	}
}

/* EXITED is watched, whether asked for or not. */
TEST_F(error, known_events)
{
	EXPECT_EQ(0, ukevent_add(&self->q, PROCESS, self->other.pidfd, EXITED, 0,
				 3));
	EXPECT_EQ(0, op_process(&self->q, KEVENT_OP_REMOVE, self->other.pidfd));
}

TEST_F(error, what_ident_names)
{
	struct ukevent_queue *q = &self->q;
	int fds[4], dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
	struct kevent_change c;
	size_t i, t;

	/* no pidfds, though pidfd_send_signal(2) takes such a directory */
	fds[0] = make_eventfd(0);
	fds[1] = dir;
	fds[2] = q->fd;
	fds[3] = self->c.sock;
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(-EINVAL, add_process(q, fds[i], 0, 3))
			TH_LOG("descriptor %zu", i);
		EXPECT_EQ(-ENOENT, op_process(q, KEVENT_OP_REMOVE, fds[i]));
	}
	for (t = 0; t < ARRAY_SIZE(takes); t++) {
		static const __u64 bad[] = {
			1000, ~0ULL, 1ULL << 31, 1ULL << 32, 1ULL << 63
		};

		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			c = make_typed(takes[t].op, PROCESS, bad[i], 0, 0,
				       takes[t].cookie);
			EXPECT_EQ(-EBADF, do_change(q->fd, &c));
		}
		if (takes[t].op == KEVENT_OP_ADD)
			continue;
		c = make_typed(takes[t].op, PROCESS, self->other.pidfd, 0, 0,
			       takes[t].cookie);
		EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
		c.flags = KEVENT_BY_ID;
		c.ident = 0;
		c.id = 99;
		EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
		/* the interest is there, but of another type */
		c.type = KEVENT_TYPE_POLL;
		c.id = 1;
		EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	}
	close(fds[0]);
	close(dir);
}

TEST_F(error, trigger)
{
	struct kevent_change c = make_typed(KEVENT_OP_TRIGGER, PROCESS,
					    self->c.pidfd, 0, 0, 0);

	EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
	c.reserved[0] = 1;
	EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
}

/* ---- the queue ---- */

TEST_F(process, fdinfo)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	char path[64], want[128];
	static char buf[4096];
	__u64 id;

	ASSERT_EQ(0, start_exit(c, 1));
	ASSERT_EQ(0, add_with_id(q, c->pidfd, KEVENT_WANT_LAST, 0x77, &id));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	/* whatever mode it is given, it is a one-shot */
	snprintf(want, sizeof(want),
		 "id: %llu type: process ident: %d events: 1 cookie: 77 flags: %x\n",
		 (unsigned long long)id, c->pidfd,
		 KEVENT_ONESHOT | KEVENT_WANT_LAST);
	ASSERT_LT(0, read_text(path, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, want)) TH_LOG("%s", buf);
	EXPECT_NE(NULL, strstr(buf, "interests: 1\n"));
	EXPECT_FALSE(has_address(buf));
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 0x77, LAST, 1 << 8);
	EXPECT_QUIET(q);
	ASSERT_LT(0, read_text(path, buf, sizeof(buf)));
	EXPECT_EQ(NULL, strstr(buf, "type: process"));
	EXPECT_NE(NULL, strstr(buf, "interests: 0\n"));
	EXPECT_EQ(1 << 8, reap(c->pid));
}

TEST_F(process, without_ring)
{
	struct child *c = &self->c;
	struct ukevent_queue q;
	struct ukevent ev[2];

	ASSERT_EQ(0, queue_init_noring(&q, 8));
	ASSERT_EQ(0, start_exit(c, 21));
	ASSERT_EQ(0, add_process(&q, c->pidfd, KEVENT_WANT_LAST, 1));
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, ev, 0, 2, NULL, 0));
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(1, sys_kevent_get_events(q.fd, ev, 1, 2, NULL, 0));
	check_record(_metadata, __LINE__, ev, PROCESS, 1, EXITED, LAST, 21 << 8,
		     0);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, ev, 0, 2, NULL, 0));
	EXPECT_EQ(21 << 8, reap(c->pid));
	ukevent_queue_exit(&q);
}

/* A thread that sleeps in the wait, and one that polls the queue. */
TEST_F(process, wakes_sleepers)
{
	struct ukevent_queue *q = &self->q;
	struct child *c = &self->c;
	struct waiter w;

	ASSERT_EQ(0, start_exit(c, 1));
	ASSERT_EQ(0, add_process(q, c->pidfd, 0, 1));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	ASSERT_TRUE(step(c->sock));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, TEST_LONG_MS));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EXIT(q, 1, 0, 1 << 8);
	EXPECT_EQ(1 << 8, reap(c->pid));
}

/* One that was told does not count any more. */
TEST(told_is_free)
{
	struct ukevent_queue q;
	struct child c;
	int i, ret = 0;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "40"));
	ASSERT_EQ(0, queue_init(&q, 64));
	ASSERT_EQ(0, start_exit(&c, 2));
	for (i = 0; i < 64 && !ret; i++)
		ret = add_process(&q, open_pidfd(c.pid, 0), 0, i);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(41, i);
	ASSERT_TRUE(step(c.sock));
	EXPECT_EQ(40, wait_ms(&q, 40, TEST_LONG_MS));
	EXPECT_EQ(40, take_all(&q, NULL));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, add_process(&q, c.pidfd, 0, i)) TH_LOG("%d", i);
		EXPECT_EXIT(&q, i, 0, 2 << 8);
	}
	EXPECT_EQ(2 << 8, reap(c.pid));
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
