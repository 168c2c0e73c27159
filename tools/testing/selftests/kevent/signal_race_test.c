// SPDX-License-Identifier: GPL-2.0
/*
 * The source SIGNAL under races: processes that send all the time, against what is
 * done to the interests, to the queue and to the process; each signal is counted
 * once, and each interest ends once.
 */
#include "signal_test.h"
#include <sys/prctl.h>

#define RACE_SECONDS	8	/* at most, for each test */
#define NR_SENDERS	3
#define NR_SIGS		3

static const int sigs[NR_SIGS] = { SIGUSR1, SIGUSR2, RT(0) };

/**
 * struct senders - processes that send, seen by all
 * @target: to whom, 0 for nobody
 * @ready: cookie of the target that has added all
 * @stop: they shall end
 * @budget: signals that each sends at most, 0 for no limit
 * @finished: how many have sent that
 * @sent: what @target was sent, and may not have got
 * @pids: their numbers
 */
struct senders {
	pid_t target;
	__u64 ready;
	int stop;
	__u64 budget;
	int finished;
	__u64 sent[NR_SIGS];
	pid_t pids[NR_SENDERS];
};

static void on_signal(int sig)
{
}

static int ignore_all(void)
{
	return ignore(sigs[0]) ?: ignore(sigs[1]) ?: ignore(sigs[2]);
}

/* Of the third there are soon too many. */
static int block_one(void)
{
	struct rlimit limit = { 50, 50 };

	return setrlimit(RLIMIT_SIGPENDING, &limit) ? -errno : block(sigs[2]);
}

/*
 * Are these rounds enough, or is it late?  A few of them may be over before a sender
 * runs at all: not before something was told.
 */
static bool races_done(__u64 start, bool enough, __u64 told)
{
	return told ? enough || test_loops_done(start, RACE_SECONDS) :
		      test_loops_done(start, 60);
}

/* An unknown number of times, few. */
static void dawdle(unsigned int *seed)
{
	while (rand_r(seed) % 4)
		sched_yield();
}

static void send_all_the_time(struct senders *s, unsigned int seed)
{
	__u64 start = now_ns(CLOCK_MONOTONIC), n = 0;
	pid_t target;
	int nr, ret;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		target = __atomic_load_n(&s->target, __ATOMIC_ACQUIRE);
		if (!target) {
			sched_yield();
			continue;
		}
		nr = rand_r(&seed) % NR_SIGS;
		ret = rand_r(&seed) % 2 ? queue_signal(target, sigs[nr], n + 1) :
		      kill(target, sigs[nr]) ? -errno : 0;
		/* dropped ones are told as well */
		if (!ret || ret == -EAGAIN)
			__atomic_add_fetch(&s->sent[nr], 1, __ATOMIC_RELAXED);
		n++;
		if (rand_r(&seed) % 64 == 0)
			sched_yield();
		if (s->budget && (n == s->budget ||
				  test_loops_done(start, RACE_SECONDS)))
			break;
	}
	__atomic_add_fetch(&s->finished, 1, __ATOMIC_RELEASE);
}

static struct senders *senders_start(pid_t target, __u64 budget)
{
	struct senders *s;
	pid_t pid;
	int i;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED |
		 MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return NULL;
	s->target = target;
	s->budget = budget;
	for (i = 0; i < NR_SENDERS; i++) {
		pid = fork();
		if (!pid) {
			/* should the test fail, nobody stops it */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			send_all_the_time(s, i + 1);
			_exit(0);
		}
		s->pids[i] = pid;
	}
	return s;
}

static int senders_stop(struct senders *s)
{
	int i, ret = 0;

	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_SENDERS; i++)
		ret |= child_status(s->pids[i]);
	return ret;
}

static bool is_sender(struct senders *s, pid_t pid)
{
	int i;

	for (i = 0; i < NR_SENDERS; i++)
		if (s->pids[i] == pid)
			return true;
	return false;
}

/* NULL, or what is wrong with a record. */
static const char *wrong_record(struct senders *s, const struct ukevent *ev)
{
	if (ev->type != SIGNAL)
		return "type";
	if (!ev->events)
		return ev->flags == LAST && !ev->data[0] && !ev->data[1] ?
		       NULL : "no events, and yet not only the last one";
	if (ev->events != SENT || ev->flags & ~LAST)
		return "events or flags";
	if (!KEVENT_SIGNAL_COUNT(ev->data[0]))
		return "no signal";
	if (!is_sender(s, KEVENT_SIGNAL_SENDER(ev->data[0])))
		return "sender";
	return NULL;
}

/* ---- every signal is counted ---- */

FIXTURE(lossless)
{
	struct ukevent_queue q;
};

enum consumer { SLEEPS, SPINS, AT_RANDOM, COPIES };

FIXTURE_VARIANT(lossless)
{
	enum consumer consumer;
	__u32 entries;
	bool churn;
};

FIXTURE_VARIANT_ADD(lossless, sleeps)
{
	.consumer = SLEEPS,
	.entries = 8,
};

FIXTURE_VARIANT_ADD(lossless, spins_tiny)
{
	.consumer = SPINS,
	.entries = 1,
};

FIXTURE_VARIANT_ADD(lossless, at_random)
{
	.consumer = AT_RANDOM,
	.entries = 8,
};

FIXTURE_VARIANT_ADD(lossless, copies)
{
	.consumer = COPIES,
	.entries = 4,
};

FIXTURE_VARIANT_ADD(lossless, sleeps_churn)
{
	.consumer = SLEEPS,
	.entries = 4,
	.churn = true,
};

FIXTURE_VARIANT_ADD(lossless, at_random_churn)
{
	.consumer = AT_RANDOM,
	.entries = 2,
	.churn = true,
};

FIXTURE_SETUP(lossless)
{
	int i;

	ASSERT_EQ(0, variant->consumer == COPIES ?
		     queue_init_noring(&self->q, variant->entries) :
		     queue_init(&self->q, variant->entries));
	ASSERT_EQ(0, ignore_all());
	ASSERT_EQ(0, block_one());
	ASSERT_NE(SIG_ERR, signal(sigs[1], on_signal));
	for (i = 0; i < NR_SIGS; i++)
		ASSERT_EQ(0, add_signal(&self->q, sigs[i], 0, i, NULL));
}

FIXTURE_TEARDOWN(lossless)
{
	ukevent_queue_exit(&self->q);
}

/* Up to four records; a signal that is handled may come between. */
static int consume(struct ukevent_queue *q, enum consumer how,
		   struct ukevent *ev, unsigned int *seed)
{
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.timeout_ns = 20 * NSEC_PER_MSEC,
		.clockid = CLOCK_MONOTONIC,
	};
	int ret;

	if (how == SLEEPS) {
		ret = ukevent_dequeue_batch(q, ev, 4, args.timeout_ns);
		return ret == -EINTR ? 0 : ret;
	}
	if (how == COPIES) {
		ret = sys_kevent_get_events(q->fd, ev, 1, 4, &args,
					    sizeof(args));
		return ret == -EINTR ? 0 : ret;
	}
	if (how == AT_RANDOM) {
		if (rand_r(seed) % 8 == 0)
			sleep_ms(rand_r(seed) % 3);
		dawdle(seed);
		if (rand_r(seed) % 2)
			return ukevent_take(q, ev, rand_r(seed) % 4 + 1);
	}
	if (ukevent_flush_due(q, !in_ring(q)))
		flush_ring(q);
	return ukevent_take(q, ev, 4);
}

struct churn {
	struct ukevent_queue *q;
	int stop;
	int error;
};

/* Off and on, and modified; on in the end. */
static void *churn_main(void *arg)
{
	struct churn *c = arg;
	unsigned int seed = 77;
	int nr, ret = 0;

	while (!ret && !__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		nr = rand_r(&seed) % NR_SIGS;
		ret = op_signal(c->q, KEVENT_OP_DISABLE, sigs[nr]);
		dawdle(&seed);
		if (!ret && rand_r(&seed) % 2)
			ret = modify_signal(c->q, sigs[nr], 0, nr);
		dawdle(&seed);
		if (!ret)
			ret = op_signal(c->q, KEVENT_OP_ENABLE, sigs[nr]);
		if (!ret && rand_r(&seed) % 2)
			ret = modify_signal(c->q, sigs[nr], KEVENT_EDGE, nr);
	}
	c->error = ret;
	return NULL;
}

/*
 *   three processes    send the three signals, as fast as they can
 *   churn              DISABLE, MODIFY, ENABLE
 *   main               consumes: the counts sum up to what was sent
 */
TEST_F_TIMEOUT(lossless, sums, 180)
{
	struct senders *s = senders_start(getpid(), test_loops(33334));
	struct churn c = { .q = &self->q };
	struct ukevent_queue *q = &self->q;
	__u64 told[NR_SIGS] = {}, records = 0;
	unsigned int seed = 5;
	const char *wrong = NULL;
	struct ukevent ev[4];
	pthread_t thread;
	int i, n, ended;

	ASSERT_NE(NULL, s);
	if (variant->churn)
		ASSERT_EQ(0, pthread_create(&thread, NULL, churn_main, &c));
	do {
		ended = __atomic_load_n(&s->finished, __ATOMIC_ACQUIRE) ==
			NR_SENDERS;
		if (ended && variant->churn && !c.stop) {
			__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
			pthread_join(thread, NULL);
		}
		n = consume(q, ended && variant->consumer == AT_RANDOM ?
			    SPINS : variant->consumer, ev, &seed);
		ASSERT_LE(0, n);
		for (i = 0; i < n && !wrong; i++) {
			wrong = ev[i].cookie >= NR_SIGS ? "cookie" :
				wrong_record(s, &ev[i]);
			told[ev[i].cookie % NR_SIGS] +=
				KEVENT_SIGNAL_COUNT(ev[i].data[0]);
			records++;
		}
	} while (!wrong && (!ended || n));
	EXPECT_EQ(0, senders_stop(s));
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	EXPECT_EQ(0, c.error);
	for (i = 0; i < NR_SIGS; i++) {
		EXPECT_EQ(s->sent[i], told[i]);
		EXPECT_LT(0ULL, told[i]);
	}
	TH_LOG("%llu signals in %llu records",
	       (unsigned long long)(told[0] + told[1] + told[2]),
	       (unsigned long long)records);
}

/* ---- against changes ---- */

FIXTURE(race)
{
	struct ukevent_queue q;
	struct senders *s;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, ignore_all());
	ASSERT_EQ(0, block_one());
	self->s = senders_start(getpid(), 0);
	ASSERT_NE(NULL, self->s);
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_EQ(0, senders_stop(self->s));
	ukevent_queue_exit(&self->q);
}

/* After REMOVE nothing, but one last record; and nothing for the next one. */
TEST_F_TIMEOUT(race, remove, 120)
{
	__u64 id, start = now_ns(CLOCK_MONOTONIC);
	int ret, ends, loops = test_loops(10000);
	struct ukevent_queue *q = &self->q;
	unsigned int seed = 4;
	struct ukevent ev;
	__u64 n, told = 0;
	__u32 produced;

	for (n = 1; !races_done(start, n > (__u64)loops, told); n++) {
		ASSERT_EQ(0, add_signal(q, sigs[n % NR_SIGS], KEVENT_WANT_LAST |
					modes[rand_r(&seed) % ARRAY_SIZE(modes)],
					n, &id));
		dawdle(&seed);
		ret = op_signal_id(q, KEVENT_OP_REMOVE, id, KEVENT_ACK);
		produced = producer_index(q);
		ASSERT_TRUE(!ret || ret == -ENOENT);
		ends = 0;
		while (ukevent_take(q, &ev, 1)) {
			EXPECT_EQ(0, ends);
			EXPECT_EQ(n, ev.cookie);
			EXPECT_EQ(NULL, wrong_record(self->s, &ev));
			told += KEVENT_SIGNAL_COUNT(ev.data[0]);
			ends += !!(ev.flags & LAST);
		}
		EXPECT_EQ(1, ends);
		EXPECT_EQ(produced, producer_index(q));
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	EXPECT_LT(0ULL, told);
	EXPECT_QUIET(q);
	TH_LOG("%llu rounds, %llu signals", n - 1, told);
}

#define MAX_ADDS	200000

/**
 * struct changers - threads that change the same interests
 * @q: the queue
 * @stop: they shall end
 * @cookies: the last that was given to an ADD or MODIFY
 * @added: ADDs that succeeded
 * @error: a result that should not be
 */
struct changers {
	struct ukevent_queue *q;
	int stop;
	__u32 cookies;
	int added;
	int error;
};

static void *change_main(void *arg)
{
	struct changers *c = arg;
	unsigned int seed = (uintptr_t)&seed >> 12;
	__u32 cookie, mode;
	int op, sig, ret;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		op = rand_r(&seed) % KEVENT_OP_DISABLE + 1;
		sig = sigs[rand_r(&seed) % NR_SIGS];
		mode = modes[rand_r(&seed) % 3];
		cookie = __atomic_add_fetch(&c->cookies, 1, __ATOMIC_RELAXED);
		if (cookie >= MAX_ADDS)
			break;
		if (op == KEVENT_OP_ADD)
			ret = add_signal(c->q, sig, mode | KEVENT_WANT_LAST |
					 (rand_r(&seed) % 4 ? 0 :
					  KEVENT_START_DISABLED), cookie, NULL);
		else if (op == KEVENT_OP_MODIFY)
			ret = modify_signal(c->q, sig, mode | KEVENT_WANT_LAST,
					    cookie);
		else
			ret = op_signal(c->q, op, sig);
		if (!ret && op == KEVENT_OP_ADD)
			__atomic_add_fetch(&c->added, 1, __ATOMIC_RELAXED);
		if (ret && ret != (op == KEVENT_OP_ADD ? -EEXIST : -ENOENT))
			__atomic_store_n(&c->error, ret, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 *   senders          signals
 *   three threads    ADD, MODIFY, REMOVE, ENABLE, DISABLE of the same three
 *   main             consumes: as many last records as ADDs, nothing after one
 */
TEST_F_TIMEOUT(race, changes, 120)
{
	char *ended = calloc(1, MAX_ADDS);
	struct changers c = { .q = &self->q };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, lasts = 0, loops = test_loops(30000);
	struct ukevent_queue *q = &self->q;
	pthread_t thread[3];
	bool done = false;
	struct ukevent ev;

	ASSERT_NE(NULL, ended);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, change_main, &c));
	while (in_ring(q) || flush_ring(q) > 0 || !done) {
		if (!done && (lasts >= loops || c.cookies >= MAX_ADDS ||
			      test_loops_done(start, RACE_SECONDS))) {
			__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
			for (i = 0; i < 3; i++)
				pthread_join(thread[i], NULL);
			for (i = 0; i < NR_SIGS; i++)
				op_signal(q, KEVENT_OP_REMOVE, sigs[i]);
			done = true;
		}
		if (!ukevent_take(q, &ev, 1))
			continue;
		ASSERT_EQ(NULL, wrong_record(self->s, &ev));
		ASSERT_GT((__u64)MAX_ADDS, ev.cookie);
		ASSERT_EQ(0, ended[ev.cookie]);
		ended[ev.cookie] = !!(ev.flags & LAST);
		lasts += ended[ev.cookie];
	}
	EXPECT_EQ(0, c.error);
	EXPECT_EQ(c.added, lasts);
	EXPECT_LT(0, lasts);
	EXPECT_QUIET(q);
	TH_LOG("%d interests, %u changes", lasts, c.cookies);
	free(ended);
}

/*
 * The queue goes while it is told of signals: closed by this process, or by another
 * one that was the last to have it.
 */
TEST_F_TIMEOUT(race, close, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, n, loops = test_loops(1000);
	unsigned int seed = 6;
	struct ukevent_queue q;
	__u64 records = 0;
	pid_t pid;

	for (n = 0; !races_done(start, n >= loops, records); n++) {
		ASSERT_EQ(0, n % 4 == 3 ? queue_init_noring(&q, 8) :
			     queue_init(&q, n % 4 == 2 ? 1 : 8));
		for (i = 0; i < NR_SIGS; i++)
			ASSERT_EQ(0, add_signal(&q, sigs[i], modes[(n + i) % 4] |
						(n % 3 ? KEVENT_WANT_LAST : 0),
						i, NULL));
		pid = 0;
		if (n % 5 < 2) {
			pid = fork();
			if (!pid) {
				dawdle(&seed);
				_exit(0);
			}
		}
		dawdle(&seed);
		if (q.ring_map)
			records += producer_index(&q);
		ukevent_queue_exit(&q);
		if (pid)
			ASSERT_EQ(0, child_status(pid));
	}
	EXPECT_LT(0ULL, records);
	TH_LOG("%d queues", n);
}

/* ---- against the end of the process ---- */

enum end { EXIT, KILLED, EXIT_GROUP, EXEC, EXEC_THREAD };

FIXTURE(target)
{
	struct ukevent_queue q;
	struct senders *s;
};

FIXTURE_VARIANT(target)
{
	enum end how;
};

FIXTURE_VARIANT_ADD(target, exit)
{
	.how = EXIT,
};

FIXTURE_VARIANT_ADD(target, killed)
{
	.how = KILLED,
};

FIXTURE_VARIANT_ADD(target, exit_group)
{
	.how = EXIT_GROUP,
};

FIXTURE_VARIANT_ADD(target, exec)
{
	.how = EXEC,
};

FIXTURE_VARIANT_ADD(target, exec_in_thread)
{
	.how = EXEC_THREAD,
};

FIXTURE_SETUP(target)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_INHERIT, .ring_entries = 16,
	};

	ASSERT_EQ(0, ukevent_queue_init(&self->q, &params));
	ASSERT_EQ(0, ignore_all());
	self->s = senders_start(0, 0);
	ASSERT_NE(NULL, self->s);
}

FIXTURE_TEARDOWN(target)
{
	EXPECT_EQ(0, senders_stop(self->s));
	ukevent_queue_exit(&self->q);
}

#define EXEC_ARG	"--after-exec"

struct target {
	struct ukevent_queue *q;
	enum end how;
	__u64 cookie;
	bool created;
};

static void exec_again(struct target *t)
{
	char kfd[16], cookie[24];

	snprintf(kfd, sizeof(kfd), "%d", t->q->fd);
	snprintf(cookie, sizeof(cookie), "%llu",
		 (unsigned long long)t->cookie + NR_SIGS);
	execl("/proc/self/exe", "signal_race_test", EXEC_ARG, kfd, cookie, NULL);
	_exit(99);
}

/* The interests of the program before may have something to tell yet. */
static int after_exec(int kfd, __u64 cookie)
{
	struct ukevent_queue q = { .fd = kfd };
	unsigned int seed = cookie;
	int i, ret;

	for (i = 0; i < NR_SIGS; i++) {
		do {
			ret = add_signal(&q, sigs[i], KEVENT_WANT_LAST,
					 cookie + i, NULL);
			sched_yield();
		} while (ret == -EEXIST);
		if (ret)
			return 98;
	}
	dawdle(&seed);
	return 0;
}

/* Ends the process, or changes other interests until that happens. */
static void *target_thread(void *arg)
{
	struct target *t = arg;
	unsigned int seed = t->cookie;
	int sig;

	if (t->how == EXEC_THREAD || t->how == EXIT_GROUP) {
		/*
		 * next_thread() of 6.12 never gets back to the old leader while
		 * another thread that executes a program takes its place:
		 * complete_signal() then runs for ever.  A signal that is
		 * ignored does not come there, unless it is blocked, and
		 * pthread_create() blocks all.
		 */
		while (!__atomic_load_n(&t->created, __ATOMIC_ACQUIRE))
			sched_yield();
		dawdle(&seed);
		if (t->how == EXEC_THREAD)
			exec_again(t);
		syscall(SYS_exit_group, 0);
	}
	for (;;) {
		sig = RT(1 + rand_r(&seed) % 10);
		if (rand_r(&seed) % 2)
			add_signal(t->q, sig, 0, 0, NULL);
		else
			op_signal(t->q, KEVENT_OP_REMOVE, sig);
	}
	return NULL;
}

/* Adds, while it is sent signals, and ends. */
static void be_target(struct target *t, struct senders *s)
{
	unsigned int seed = t->cookie;
	struct ukevent_queue own;
	pthread_t thread;
	int i;

	__atomic_store_n(&s->target, getpid(), __ATOMIC_RELEASE);
	if (queue_init_noring(&own, 4))
		_exit(1);
	for (i = 0; i < NR_SIGS; i++)
		if (add_signal(t->q, sigs[i], KEVENT_WANT_LAST |
			       modes[rand_r(&seed) % 4], t->cookie + i, NULL) ||
		    add_signal(&own, sigs[i], 0, 0, NULL))
			_exit(2);
	if (pthread_create(&thread, NULL, target_thread, t))
		_exit(3);
	__atomic_store_n(&t->created, true, __ATOMIC_RELEASE);
	__atomic_store_n(&s->ready, t->cookie, __ATOMIC_RELEASE);
	dawdle(&seed);
	if (t->how == EXIT)
		_exit(0);
	if (t->how == EXEC)
		exec_again(t);
	for (;;)
		pause();
}

/* Ids of interests, as fdinfo shows them; how many. */
static int list_ids(struct ukevent_queue *q, __u64 *ids, int max)
{
	static char buf[16384];
	char path[64], *p = buf;
	unsigned long long id;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return -EIO;
	while (n < max && (p = strstr(p, "\nid: "))) {
		p++;
		if (sscanf(p, "id: %llu", &id) != 1)
			return -EPROTO;
		ids[n++] = id;
	}
	return n;
}

/**
 * struct tally - what the records of one target said
 * @cookie: of its first interest
 * @ended: last records, by interest
 * @told: signals
 * @seen: records
 */
struct tally {
	__u64 cookie;
	bool ended[2 * NR_SIGS];
	__u64 told;
	__u64 seen;
};

/* Takes what there is; NULL, or what is wrong with it. */
static const char *tally_all(struct tally *t, struct ukevent_queue *q,
			     struct senders *s)
{
	const char *wrong = NULL;
	struct ukevent ev;

	while (!wrong && ukevent_take(q, &ev, 1)) {
		t->seen++;
		if (!ev.cookie)
			continue;	/* of the target's thread */
		wrong = wrong_record(s, &ev);
		ev.cookie -= t->cookie;
		if (ev.cookie >= ARRAY_SIZE(t->ended))
			return "cookie";
		if (t->ended[ev.cookie])
			return "after the last one";
		t->ended[ev.cookie] = ev.flags & LAST;
		t->told += KEVENT_SIGNAL_COUNT(ev.data[0]);
	}
	return wrong;
}

/* What is disabled or held back needs ENABLE; how many interests there are. */
static int enable_all(struct ukevent_queue *q, unsigned int *seed)
{
	__u64 ids[64];
	int i, nr = list_ids(q, ids, ARRAY_SIZE(ids));

	for (i = 0; i < nr; i++) {
		if (seed && rand_r(seed) % 4 == 0)
			op_signal_id(q, KEVENT_OP_DISABLE, ids[i], 0);
		op_signal_id(q, KEVENT_OP_ENABLE, ids[i], 0);
	}
	flush_ring(q);
	return nr;
}

/*
 *   senders       signals
 *   target        ADD, to this queue and to one of its own; a thread of it changes
 *                 other interests; exits, is killed, executes a program
 *   new program   ADD, exits
 *   main          consumes, DISABLE and ENABLE by id: each interest ends, once
 */
TEST_F_TIMEOUT(target, ends, 180)
{
	int adds = variant->how == EXEC || variant->how == EXEC_THREAD ?
		   2 * NR_SIGS : NR_SIGS;
	struct target target = { .q = &self->q, .how = variant->how };
	__u64 told = 0, start = now_ns(CLOCK_MONOTONIC), round;
	int i, n, status, loops = test_loops(300);
	struct ukevent_queue *q = &self->q;
	unsigned int seed = 9;
	struct tally t;
	pid_t pid, gone;

	for (n = 0; !races_done(start, n >= loops, told); n++) {
		memset(&t, 0, sizeof(t));
		t.cookie = (n + 1) * 100;
		target.cookie = t.cookie;
		round = now_ns(CLOCK_MONOTONIC);
		pid = fork();
		if (!pid)
			be_target(&target, self->s);
		do {
			if (variant->how == KILLED &&
			    __atomic_load_n(&self->s->ready, __ATOMIC_ACQUIRE) ==
			    t.cookie)
				kill(pid, SIGKILL);
			gone = waitpid(pid, &status, WNOHANG);
			enable_all(q, &seed);
			ASSERT_EQ(NULL, tally_all(&t, q, self->s));
			ASSERT_FALSE(test_loops_done(round, 2 * TEST_LONG_MS /
						     1000));
		} while (gone != pid);
		EXPECT_EQ(variant->how == KILLED ? SIGKILL : 0, status);
		/* it has gone, and so do they */
		for (i = 0; i < 10 && enable_all(q, NULL) > 0; i++)
			ASSERT_EQ(NULL, tally_all(&t, q, self->s));
		EXPECT_GT(10, i);
		ASSERT_EQ(NULL, tally_all(&t, q, self->s));
		for (i = 0; i < (int)ARRAY_SIZE(t.ended); i++)
			EXPECT_EQ(i < adds, t.ended[i]);
		EXPECT_QUIET(q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code)
			TH_LOG("round %d", n);
		told += t.told;
	}
	EXPECT_LT(0ULL, told);
	TH_LOG("%d targets, %llu signals told", n, (unsigned long long)told);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], EXEC_ARG))
		return after_exec(atoi(argv[2]), strtoull(argv[3], NULL, 10));
	return test_harness_run(argc, argv);
}
