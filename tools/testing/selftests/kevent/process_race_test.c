// SPDX-License-Identifier: GPL-2.0
/*
 * The source PROCESS under races, and many that exit at once.
 */
#include "process_test.h"

/* ---- many, and races ---- */

#define CROWD		200
#define CROWD_RING	16

/* Reaped before the first was looked at: no record, and no status, is lost. */
TEST_F_TIMEOUT(process, crowd, 120)
{
	static char told[CROWD];
	static int pidfds[CROWD];
	static pid_t pids[CROWD];
	struct ukevent_queue q;
	struct ukevent ev;
	int i, n, gate[2];
	char c;

	ASSERT_EQ(0, queue_init(&q, CROWD_RING));
	ASSERT_EQ(0, pipe2(gate, O_CLOEXEC));
	for (i = 0; i < CROWD; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			close(gate[1]);
			_exit(read(gate[0], &c, 1) ? 255 : i);
		}
		ASSERT_LT(0, pids[i]);
		pidfds[i] = open_pidfd(pids[i], 0);
		ASSERT_EQ(0, add_process(&q, pidfds[i], modes[i % 4] |
					 KEVENT_WANT_LAST, i));
	}
	EXPECT_QUIET(&q);
	close(gate[1]);
	for (i = 0; i < CROWD; i++)
		EXPECT_EQ(i << 8, reap(pids[i]));
	EXPECT_EQ(CROWD_RING, in_ring(&q));
	EXPECT_EQ(1, is_pending(&q));
	for (n = 0; n < CROWD; n++) {
		ASSERT_EQ(1, ukevent_dequeue(&q, &ev,
					     TEST_LONG_MS * NSEC_PER_MSEC));
		ASSERT_GT((__u64)CROWD, ev.cookie);
		EXPECT_EQ(1, ++told[ev.cookie]);
		check_record(_metadata, __LINE__, &ev, PROCESS, ev.cookie,
			     EXITED, LAST, ev.cookie << 8, 0);
	}
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
	for (i = 0; i < CROWD; i++)
		close(pidfds[i]);
	close(gate[0]);
}

#define RACE_MS		1500	/* for each race */
#define RACE_TRIALS	8

/*
 * A process exits while something is done to the interest.  In every other round
 * it is reaped at once, as nobody waits for it.  However it goes: one last record,
 * and the exit in it unless something else ended the interest before.
 */
FIXTURE(race)
{
	struct ukevent_queue q;
	char *stack;
};

FIXTURE_VARIANT(race)
{
	enum {
		RACE_ADD,
		RACE_REMOVE,
		RACE_CLOSE,	/* of the pidfd */
		RACE_QUEUE,	/* its close */
		RACE_REAP,
		RACE_DISABLE,	/* and ENABLE */
		RACE_MODIFY,
		RACE_CONSUME,	/* what keeps the ring full */
	} what;
};

FIXTURE_VARIANT_ADD(race, add) { .what = RACE_ADD };
FIXTURE_VARIANT_ADD(race, remove) { .what = RACE_REMOVE };
FIXTURE_VARIANT_ADD(race, close) { .what = RACE_CLOSE };
FIXTURE_VARIANT_ADD(race, queue) { .what = RACE_QUEUE };
FIXTURE_VARIANT_ADD(race, reap) { .what = RACE_REAP };
FIXTURE_VARIANT_ADD(race, disable) { .what = RACE_DISABLE };
FIXTURE_VARIANT_ADD(race, modify) { .what = RACE_MODIFY };
FIXTURE_VARIANT_ADD(race, consume) { .what = RACE_CONSUME };

#define RACE_STACK	65536

FIXTURE_SETUP(race)
{
	self->q.fd = -1;
	self->stack = malloc(RACE_STACK);
	ASSERT_NE(NULL, self->stack);
}

FIXTURE_TEARDOWN(race)
{
	on_sigchld(SIG_DFL, 0);
	ukevent_queue_exit(&self->q);
	free(self->stack);
}

struct runner {
	int go;
	int code;
};

/* In the memory of the test, so that it starts soon, and exits soon when told. */
static int runner_main(void *arg)
{
	struct runner *r = arg;

	while (!__atomic_load_n(&r->go, __ATOMIC_ACQUIRE))
		__asm__ __volatile__("");
	return r->code;
}

TEST_F_TIMEOUT(race, told_once, 120)
{
	int i, pidfd, ret, ret2, loops = test_loops(3000), exits = 0;
	__u64 start = now_ns(CLOCK_MONOTONIC), go, cookie, takes = 0;
	struct ukevent_queue *q = &self->q;
	struct runner r;
	struct ukevent ev;
	bool auto_reap;
	__u32 want;
	pid_t pid;

	for (i = 0; i < loops &&
	     now_ns(CLOCK_MONOTONIC) - start < RACE_MS * NSEC_PER_MSEC; i++) {
		auto_reap = i & 1;
		on_sigchld(auto_reap ? SIG_IGN : SIG_DFL, 0);
		if (q->fd < 0)
			ASSERT_EQ(0, queue_init(q, 1));
		r.go = 0;
		r.code = i % 256;
		cookie = i;
		ret = 0;
		ret2 = 0;
		pid = clone(runner_main, self->stack + RACE_STACK,
			    CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, &r);
		ASSERT_LT(0, pid);
		pidfd = open_pidfd(pid, 0);
		ASSERT_LE(0, pidfd);
		if (variant->what == RACE_CONSUME) {
			ASSERT_EQ(0, ukevent_add(q, KEVENT_TYPE_USER, i, 0,
						 KEVENT_ONESHOT, ~0ULL));
			ASSERT_EQ(0, ukevent_trigger(q, i, 0));
		}
		if (variant->what != RACE_ADD)
			ASSERT_EQ(0, add_process(q, pidfd, modes[i / 2 % 4] |
						 KEVENT_WANT_LAST, cookie));

		go = now_ns(CLOCK_MONOTONIC);
		__atomic_store_n(&r.go, 1, __ATOMIC_RELEASE);
		/* first see how long it takes, then aim at that */
		if (i < RACE_TRIALS) {
			ASSERT_TRUE(is_ready(pidfd, POLLIN, TEST_LONG_MS));
			takes += (now_ns(CLOCK_MONOTONIC) - go) / RACE_TRIALS;
		}
		while (now_ns(CLOCK_MONOTONIC) - go < takes * (i * 37 % 128) / 64)
			;
		switch (variant->what) {
		case RACE_ADD:
			ret = add_process(q, pidfd, modes[i / 2 % 4] |
					  KEVENT_WANT_LAST, cookie);
			break;
		case RACE_REMOVE:
			ret = op_process(q, KEVENT_OP_REMOVE, pidfd);
			break;
		case RACE_CLOSE:
			close(pidfd);
			break;
		case RACE_QUEUE:
			ukevent_queue_exit(q);
			break;
		case RACE_REAP:
			break;
		case RACE_DISABLE:
			ret = op_process(q, KEVENT_OP_DISABLE, pidfd);
			ret2 = op_process(q, KEVENT_OP_ENABLE, pidfd);
			break;
		case RACE_MODIFY:
			ret = modify_process(q, pidfd, KEVENT_DISPATCH |
					     KEVENT_WANT_LAST, cookie + 1);
			cookie += !ret;
			break;
		case RACE_CONSUME:
			EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
			EXPECT_EQ(~0ULL, ev.cookie);
			break;
		}
		ASSERT_EQ(auto_reap ? -ECHILD : r.code, child_status(pid));

		if (variant->what == RACE_QUEUE)
			goto next;
		/* all has happened; what was held back comes now */
		if (!in_ring(q))
			ASSERT_EQ(1, flush_ring(q));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		want = EXITED;
		if (variant->what == RACE_REMOVE && !ret)
			want = 0;
		if (variant->what == RACE_CLOSE && ev.events == HUP)
			want = HUP;
		if (variant->what == RACE_ADD && auto_reap && ev.flags & UNKNOWN)
			check_record(_metadata, __LINE__, &ev, PROCESS, cookie,
				     EXITED, LAST | UNKNOWN, 0, 0);
		else
			check_record(_metadata, __LINE__, &ev, PROCESS, cookie,
				     want, LAST,
				     want == EXITED ? r.code << 8 : 0, 0);
		/* what is done to one that has ended */
		EXPECT_TRUE(!ret || (ret == -ENOENT && variant->what != RACE_ADD))
			TH_LOG("%d", ret);
		if (variant->what == RACE_DISABLE)
			EXPECT_EQ(ret, ret2);
		exits += want == EXITED;
		EXPECT_QUIET(q);
next:
		if (variant->what != RACE_CLOSE)
			close(pidfd);
		if (_metadata->exit_code != KSFT_PASS)
			break;
	}
	TH_LOG("%d rounds, %d exits told, one takes %d us", i, exits,
	       (int)(takes / 1000));
}

TEST_HARNESS_MAIN
