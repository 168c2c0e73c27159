// SPDX-License-Identifier: GPL-2.0
/*
 * The source SIGNAL: each signal sent to the process that added the interest is
 * told, with its sender and value, whatever becomes of the signal, which is not
 * changed by it.
 */
#include "signal_test.h"
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>

/* ---- ways to send, and what becomes of the signal ---- */

#define VALUE	((uintptr_t)0x123456789abcdef0ULL)

/*
 * Each sends one signal and returns the value that the record is to have, or a
 * negative error number.
 */
static __s64 by_kill(int sig)
{
	return kill_self(sig);
}

/* A group of its own meanwhile, as the test has relatives. */
static __s64 by_group(int sig)
{
	pid_t group = getpgrp();
	int ret;

	if (setpgid(0, 0))
		return -errno;
	ret = kill(0, sig) ? -errno : 0;
	setpgid(0, group);
	return ret;
}

static __s64 by_raise(int sig)
{
	return raise(sig) ? -errno : 0;
}

static __s64 by_tkill(int sig)
{
	return syscall(SYS_tkill, syscall(SYS_gettid), sig) ? -errno : 0;
}

static __s64 by_tgkill(int sig)
{
	return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig) ?
	       -errno : 0;
}

static __s64 by_pthread_kill(int sig)
{
	return -pthread_kill(pthread_self(), sig);
}

static __s64 by_sigqueue(int sig)
{
	return queue_signal(getpid(), sig, VALUE) ?: (__s64)VALUE;
}

static __s64 by_pthread_sigqueue(int sig)
{
	union sigval v = { .sival_ptr = (void *)VALUE };

	return -pthread_sigqueue(pthread_self(), sig, v) ?: (__s64)VALUE;
}

static __s64 pidfd_send(int sig, siginfo_t *info)
{
	int ret, fd = syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_pidfd_send_signal, fd, sig, info, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static __s64 by_pidfd(int sig)
{
	return pidfd_send(sig, NULL);
}

static __s64 by_pidfd_info(int sig)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_ptr = (void *)VALUE;
	return pidfd_send(sig, &info) ?: (__s64)VALUE;
}

static __s64 by_itimer(int which)
{
	struct itimerval it = { .it_value = { 0, 1000 } };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i;

	if (setitimer(which, &it, NULL))
		return -errno;
	/* two of them count the time that we run */
	do {
		for (i = 0; i < 100000; i++)
			__asm__ __volatile__("");
		if (getitimer(which, &it))
			return -errno;
	} while ((it.it_value.tv_sec || it.it_value.tv_usec) &&
		 !test_loops_done(start, TEST_LONG_MS / 1000));
	return 0;
}

static __s64 by_real_itimer(int sig)
{
	return by_itimer(ITIMER_REAL);
}

static __s64 by_virtual_itimer(int sig)
{
	return by_itimer(ITIMER_VIRTUAL);
}

static __s64 by_prof_itimer(int sig)
{
	return by_itimer(ITIMER_PROF);
}

static int set_timer(timer_t *timer, int sig, int notify, __u64 time,
		     __u64 period)
{
	struct sigevent sev = { .sigev_notify = notify, .sigev_signo = sig };
	struct itimerspec its = {
		.it_value = { 0, time },
		.it_interval = { 0, period },
	};

	sev.sigev_value.sival_ptr = (void *)VALUE;
	sev._sigev_un._tid = syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &sev, timer) ||
	    timer_settime(*timer, 0, &its, NULL))
		return -errno;
	return 0;
}

static __s64 by_timer(int sig)
{
	timer_t timer;

	return set_timer(&timer, sig, SIGEV_SIGNAL, 1, 0) ?: (__s64)VALUE;
}

static __s64 by_timer_to_thread(int sig)
{
	timer_t timer;

	return set_timer(&timer, sig, SIGEV_THREAD_ID, 1, 0) ?: (__s64)VALUE;
}

static __s64 by_broken_pipe(int sig)
{
	int ret, fds[2];

	if (pipe(fds))
		return -errno;
	close(fds[0]);
	ret = write(fds[1], "x", 1) < 0 && errno == EPIPE ? 0 : -EPROTO;
	close(fds[1]);
	return ret;
}

/* A pipe with something to read, of which @sig tells, 0 for SIGIO. */
static __s64 pipe_send(int sig, enum __pid_type type)
{
	struct f_owner_ex owner = {
		.type = type,
		.pid = type == F_OWNER_TID ? syscall(SYS_gettid) : getpid(),
	};
	int ret, fds[2];

	if (pipe(fds))
		return -errno;
	ret = fds[0];
	if (fcntl(fds[0], F_SETOWN_EX, &owner) ||
	    fcntl(fds[0], F_SETSIG, sig) ||
	    fcntl(fds[0], F_SETFL, O_ASYNC) || write(fds[1], "x", 1) != 1)
		ret = -errno;
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static __s64 by_plain_async(int sig)
{
	__s64 ret = pipe_send(0, F_OWNER_PID);

	return ret < 0 ? ret : 0;
}

static __s64 by_async(int sig)
{
	return pipe_send(sig, F_OWNER_PID);
}

static __s64 by_async_to_thread(int sig)
{
	return pipe_send(sig, F_OWNER_TID);
}

static __s64 by_urgent_data(int sig)
{
	struct source s;
	int ret;

	if (source_open(&s, SRC_TCP4) || fcntl(s.fd, F_SETOWN, getpid()) ||
	    send(s.peer, "u", 1, MSG_OOB) != 1)
		return -errno;
	ret = is_ready(s.fd, POLLPRI, TEST_LONG_MS) & POLLPRI ? 0 : -ETIME;
	source_close(&s);
	return ret;
}

/**
 * struct way - a way for a signal to come about
 * @name: for messages
 * @send: does it
 * @sig: with this number
 * @by_us: this process is the sender, else the kernel
 */
static const struct way {
	const char *name;
	__s64 (*send)(int sig);
	int sig;
	bool by_us;
} ways[] = {
	{ "kill", by_kill, SIGUSR1, true },
	{ "kill, real-time", by_kill, RT(0), true },
	{ "kill of the group", by_group, SIGHUP, true },
	{ "raise", by_raise, SIGTERM, true },
	{ "tkill", by_tkill, SIGINT, true },
	{ "tgkill", by_tgkill, SIGQUIT, true },
	{ "pthread_kill", by_pthread_kill, SIGUSR2, true },
	{ "pthread_kill, real-time", by_pthread_kill, RT(1), true },
	{ "sigqueue", by_sigqueue, SIGUSR1, true },
	{ "sigqueue, real-time", by_sigqueue, RT(30), true },
	{ "pthread_sigqueue", by_pthread_sigqueue, RT(2), true },
	{ "pidfd", by_pidfd, SIGUSR2, true },
	{ "pidfd with info", by_pidfd_info, RT(3), true },
	{ "itimer", by_real_itimer, SIGALRM, false },
	{ "itimer, virtual", by_virtual_itimer, SIGVTALRM, false },
	{ "itimer, prof", by_prof_itimer, SIGPROF, false },
	{ "timer", by_timer, SIGALRM, false },
	{ "timer, real-time", by_timer, RT(4), false },
	{ "timer to a thread", by_timer_to_thread, RT(5), false },
	{ "broken pipe", by_broken_pipe, SIGPIPE, true },
	{ "O_ASYNC", by_plain_async, SIGIO, false },
	{ "O_ASYNC, F_SETSIG SIGIO", by_async, SIGIO, false },
	{ "O_ASYNC, F_SETSIG", by_async, RT(6), false },
	{ "O_ASYNC to a thread", by_async_to_thread, SIGUSR1, false },
	{ "urgent data", by_urgent_data, SIGURG, false },
};

static int nr_handled, handled_pid;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	__atomic_store_n(&handled_pid, info->si_pid, __ATOMIC_RELAXED);
	__atomic_add_fetch(&nr_handled, 1, __ATOMIC_RELEASE);
}

static int handle(int sig, int flags)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_RESTART | flags,
	};

	__atomic_store_n(&nr_handled, 0, __ATOMIC_RELAXED);
	return sigaction(sig, &sa, NULL) ? -errno : 0;
}

static int handled_reaches(int nr)
{
	int i;

	for (i = 0; i < TEST_LONG_MS &&
	     __atomic_load_n(&nr_handled, __ATOMIC_ACQUIRE) < nr; i++)
		sleep_ms(1);
	return nr_handled;
}

static int is_sent(int sig)
{
	sigset_t set;

	return sigpending(&set) ? -errno : sigismember(&set, sig);
}

/* Takes a signal that is blocked and pending; its number or -EAGAIN. */
static int take_pending(int sig, siginfo_t *info)
{
	struct timespec zero = {};
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ret = sigtimedwait(&set, info, &zero);
	return ret < 0 ? -errno : ret;
}

enum fate { IGNORED, HANDLED, BLOCKED };

static int decide(int sig, enum fate fate)
{
	int ret = fate == IGNORED ? ignore(sig) : handle(sig, 0);

	return ret || fate != BLOCKED ? ret : block(sig);
}

FIXTURE(fate)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(fate)
{
	enum fate fate;
};

FIXTURE_VARIANT_ADD(fate, ignored)
{
	.fate = IGNORED,
};

FIXTURE_VARIANT_ADD(fate, handled)
{
	.fate = HANDLED,
};

FIXTURE_VARIANT_ADD(fate, blocked)
{
	.fate = BLOCKED,
};

FIXTURE_SETUP(fate)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(fate)
{
	ukevent_queue_exit(&self->q);
}

/* As if nobody had been told of the two signals. */
static void check_fate(struct __test_metadata *_metadata, const struct way *w,
		       enum fate fate, __u64 value)
{
	/* each timer has its own place in the queue */
	int n, nr = w->sig < RT(0) && w->send != by_timer ? 1 : 2;
	siginfo_t info;

	EXPECT_EQ(fate == HANDLED ? 2 : 0, handled_reaches(fate == HANDLED ?
							   2 : 0));
	if (fate == HANDLED && w->by_us)
		EXPECT_EQ(getpid(), handled_pid);
	EXPECT_EQ(fate == BLOCKED, is_sent(w->sig));
	for (n = 0; fate == BLOCKED && n < nr; n++) {
		memset(&info, 0, sizeof(info));
		EXPECT_EQ(w->sig, take_pending(w->sig, &info));
		EXPECT_EQ(w->sig, info.si_signo);
		if (w->by_us)
			EXPECT_EQ(getpid(), info.si_pid);
		if (info.si_code == SI_QUEUE || info.si_code == SI_TIMER)
			EXPECT_EQ(value, (uintptr_t)info.si_ptr);
	}
	EXPECT_EQ(0, is_sent(w->sig));
}

/* Twice: the second time a blocked one is pending already. */
TEST_F(fate, told)
{
	struct ukevent_queue *q = &self->q;
	const struct way *w;
	__s64 value = 0;
	int n;

	for (w = ways; w < ways + ARRAY_SIZE(ways); w++) {
		ASSERT_EQ(0, decide(w->sig, variant->fate));
		ASSERT_EQ(0, add_signal(q, w->sig, 0, w->sig, NULL));
		for (n = 0; n < 2; n++) {
			value = w->send(w->sig);
			ASSERT_LE(0, value) TH_LOG("%s: %s", w->name,
						   strerror(-value));
			/* not all of them come before that returns */
			EXPECT_EQ(1, ring_reaches(q, 1));
			EXPECT_SIGNAL(q, w->sig, 0, w->by_us ? getpid() : 0,
				      value, 1);
		}
		check_fate(_metadata, w, variant->fate, value);
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_REMOVE, w->sig));
		EXPECT_QUIET(q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code) TH_LOG("%s", w->name);
	}
}

FIXTURE(signals)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(signals)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, ignore(SIGUSR1));
	ASSERT_EQ(0, ignore(SIGUSR2));
}

FIXTURE_TEARDOWN(signals)
{
	ukevent_queue_exit(&self->q);
}

TEST_F(signals, ignored_by_default)
{
	static const int sigs[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sigs); i++) {
		ASSERT_EQ(0, add_signal(q, sigs[i], 0, i, NULL));
		ASSERT_EQ(0, kill_self(sigs[i]));
		EXPECT_SIGNAL(q, i, 0, getpid(), 0, 1);
		EXPECT_EQ(0, is_sent(sigs[i]));
	}
	EXPECT_QUIET(q);
}

/* All that there are, at once; each is told of its own. */
TEST_F(signals, each_number)
{
	struct ukevent_queue *q = &self->q;
	sigset_t all;
	int sig;

	/* the C library keeps two for itself */
	memset(&all, 0xff, sizeof(all));
	ASSERT_EQ(0, syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	for (sig = 1; sig <= 64; sig++)
		ASSERT_EQ(sig == SIGKILL || sig == SIGSTOP ? -EINVAL : 0,
			  add_signal(q, sig, 0, sig, NULL));
	for (sig = 1; sig <= 64; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		ASSERT_EQ(0, kill_self(sig));
		EXPECT_SIGNAL(q, sig, 0, getpid(), 0, 1);
		EXPECT_EQ(0, in_ring(q));
	}
	/* whether a process is there */
	ASSERT_EQ(0, kill_self(0));
	EXPECT_QUIET(q);
}

static void *await_main(void *arg)
{
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	__atomic_store_n((int *)arg, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	sigwait(&set, &sig);
	return (void *)(long)sig;
}

/* Those who wait for the signal itself get it, too. */
TEST_F(signals, awaited)
{
	struct ukevent_queue *q = &self->q;
	struct signalfd_siginfo info = {};
	pthread_t thread;
	int fd, tid = 0;
	sigset_t set;
	void *ret;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, block(SIGUSR1));
	ASSERT_EQ(0, handle(SIGUSR1, 0));
	ASSERT_EQ(0, add_signal(q, SIGUSR1, 0, 1, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, await_main, &tid));
	ASSERT_EQ(0, started(&tid));
	ASSERT_EQ(0, task_asleep(tid));
	ASSERT_EQ(0, kill_self(SIGUSR1));
	pthread_join(thread, &ret);
	EXPECT_EQ((void *)(long)SIGUSR1, ret);
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);

	fd = signalfd(-1, &set, SFD_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 2, NULL));
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 2, EV_IN, 0);
	ASSERT_EQ((int)sizeof(info), read(fd, &info, sizeof(info)));
	EXPECT_EQ((__u32)getpid(), info.ssi_pid);
	EXPECT_EQ(0, nr_handled);
	EXPECT_QUIET(q);
	close(fd);
}

/* Takes what there is and what comes by flushing; the sum of the counts. */
static __u64 sum_counts(struct ukevent_queue *q, struct ukevent *last)
{
	__u64 sum = 0;

	while (in_ring(q) || flush_ring(q) > 0) {
		ukevent_take(q, last, 1);
		sum += KEVENT_SIGNAL_COUNT(last->data[0]);
	}
	return sum;
}

/* With the signal ignored the timer goes on by itself. */
TEST_F(signals, periodic_timer)
{
	__u64 sum = 0, start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	timer_t timer;

	ASSERT_EQ(0, ignore(RT(0)));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	ASSERT_EQ(0, set_timer(&timer, RT(0), SIGEV_SIGNAL, 1, 2000000));
	while (sum < 10 && !test_loops_done(start, TEST_LONG_MS / 1000))
		sum += sum_counts(q, &ev);
	EXPECT_LE(10ULL, sum);
	EXPECT_EQ((__u64)VALUE, ev.data[1]);
	EXPECT_EQ(0, KEVENT_SIGNAL_SENDER(ev.data[0]));
	ASSERT_EQ(0, timer_delete(timer));
	sum_counts(q, &ev);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
}

/* ---- T14: counts ---- */

/* Real-time signals are queued, one by one; so are they told. */
TEST_F(signals, thousand_queued)
{
	struct rlimit limit = { 2000, 2000 };
	struct ukevent_queue *q = &self->q;
	siginfo_t info;
	uintptr_t i;

	ASSERT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	ASSERT_EQ(0, block(RT(0)));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	for (i = 1; i <= 1000; i++)
		ASSERT_EQ(0, queue_signal(getpid(), RT(0), i));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 1, 1);
	EXPECT_SIGNAL(q, 1, 0, getpid(), 2, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 1000, 998);
	EXPECT_QUIET(q);
	for (i = 1; i <= 1000; i++) {
		ASSERT_EQ(RT(0), take_pending(RT(0), &info));
		ASSERT_EQ(i, (uintptr_t)info.si_ptr);
	}
	EXPECT_EQ(0, is_sent(RT(0)));
}

/* Those that the kernel drops are told all the same. */
TEST_F(signals, too_many_queued)
{
	struct rlimit limit = { 10, 10 };
	struct ukevent_queue *q = &self->q;
	int i, again = 0, ret, pending;
	struct ukevent ev = {};
	siginfo_t info;

	ASSERT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	ASSERT_EQ(0, block(RT(0)));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	for (i = 1; i <= 30; i++) {
		ret = queue_signal(getpid(), RT(0), i);
		EXPECT_TRUE(!ret || ret == -EAGAIN);
		again += !!ret;
	}
	/* this one is never refused, it has no info then */
	EXPECT_EQ(0, kill_self(RT(0)));
	EXPECT_LE(20, again);
	EXPECT_EQ(31ULL, sum_counts(q, &ev));
	EXPECT_EQ(getpid(), KEVENT_SIGNAL_SENDER(ev.data[0]));
	EXPECT_EQ(0ULL, ev.data[1]);
	for (pending = 0; take_pending(RT(0), &info) == RT(0); pending++)
		;
	/* others may have used up all of the limit */
	EXPECT_EQ(again < 30 ? 30 - again : 1, pending);
	EXPECT_QUIET(q);
}

/* Sends in a child; its number. */
static pid_t sent_by_child(pid_t to, int sig, uintptr_t value)
{
	pid_t pid = fork();

	if (!pid)
		_exit(value ? !!queue_signal(to, sig, value) : !!kill(to, sig));
	return child_status(pid) ? -1 : pid;
}

TEST_F(signals, last_sender)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid;
	int i;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_START_DISABLED, 1, NULL));
	for (i = 0; i < 3; i++)
		ASSERT_LT(0, sent_by_child(getpid(), SIGUSR1, 0));
	pid = sent_by_child(getpid(), SIGUSR1, VALUE);
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_signal(q, KEVENT_OP_ENABLE, SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, pid, VALUE, 4);
	/* nothing is left of it */
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	EXPECT_QUIET(q);
}

/*
 * As the receiver would see it, whatever others call the sender.
 *
 *   this name space    another one
 *   this process       -
 *   child              1, blocks and watches SIGUSR1
 *   ...                2, sends
 */
TEST_F(signals, sender_in_pid_namespace)
{
	struct ukevent_queue *q = &self->q;
	siginfo_t info = {};
	int sv[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, syscall(SYS_unshare, CLONE_NEWPID));
	pid = fork();
	if (!pid) {
		if (block(SIGUSR1) || handle(SIGUSR1, 0) ||
		    add_signal(q, SIGUSR1, 0, 1, NULL) ||
		    write(sv[1], "x", 1) != 1 || read(sv[1], &byte, 1) != 1 ||
		    take_pending(SIGUSR1, &info) != SIGUSR1 || info.si_pid)
			_exit(1);
		if (sent_by_child(1, SIGUSR1, 0) != 2 ||
		    take_pending(SIGUSR1, &info) != SIGUSR1 || info.si_pid != 2)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(1, read(sv[0], &byte, 1));
	ASSERT_EQ(0, kill(pid, SIGUSR1));
	ASSERT_EQ(1, write(sv[0], "x", 1));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_SIGNAL(q, 1, 0, 0, 0, 1);
	EXPECT_SIGNAL(q, 1, 0, 2, 0, 1);
	EXPECT_QUIET(q);
}

/* ---- SIGCHLD ---- */

FIXTURE(child)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(child)
{
	bool blocked;
	bool handled;
	bool ignored;
	int flags;	/* of sigaction() */
	bool reaped;	/* by the kernel, at once */
};

FIXTURE_VARIANT_ADD(child, by_default)
{
};

FIXTURE_VARIANT_ADD(child, ignored)
{
	.ignored = true,
	.reaped = true,
};

FIXTURE_VARIANT_ADD(child, handled)
{
	.handled = true,
};

FIXTURE_VARIANT_ADD(child, handled_no_wait)
{
	.handled = true,
	.flags = SA_NOCLDWAIT,
	.reaped = true,
};

FIXTURE_VARIANT_ADD(child, handled_no_stop)
{
	.handled = true,
	.flags = SA_NOCLDSTOP,
};

FIXTURE_VARIANT_ADD(child, blocked)
{
	.blocked = true,
};

FIXTURE_SETUP(child)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, variant->ignored ? ignore(SIGCHLD) : 0);
	ASSERT_EQ(0, variant->handled ? handle(SIGCHLD, variant->flags) : 0);
	ASSERT_EQ(0, variant->blocked ? block(SIGCHLD) : 0);
}

FIXTURE_TEARDOWN(child)
{
	ukevent_queue_exit(&self->q);
}

/* A child that ends like that, or, with a negative @code, waits to be killed. */
static pid_t start_child(int code)
{
	pid_t pid = fork();

	while (!pid && code < 0)
		pause();
	if (!pid)
		_exit(code);
	return pid;
}

/* Waits until it is gone: was there something to reap? */
static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, 0) == pid;
}

TEST_F(child, exits)
{
	static const struct {
		int code, sig;
	} ends[] = {
		{ 0, 0 }, { 7, 0 }, { 255, 0 }, { -1, SIGKILL },
		{ -1, SIGTERM }, { -1, SIGABRT }, { -1, RT(30) },
	};
	struct ukevent_queue *q = &self->q;
	pid_t pid;
	size_t i;

	ASSERT_EQ(0, add_signal(q, SIGCHLD, 0, 1, NULL));
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		pid = start_child(ends[i].code);
		ASSERT_LT(0, pid);
		if (ends[i].sig)
			ASSERT_EQ(0, kill(pid, ends[i].sig));
		EXPECT_EQ(!variant->reaped, reap(pid));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_SIGNAL(q, 1, 0, pid, ends[i].sig ?: ends[i].code, 1);
		EXPECT_EQ(variant->blocked, is_sent(SIGCHLD));
	}
	EXPECT_EQ(variant->handled ? (int)i : 0, nr_handled);
	EXPECT_QUIET(q);
}

/* The signal is pending once, and says little; the count is that of children. */
TEST_F(child, several_exit)
{
	struct ukevent_queue *q = &self->q;
	pid_t pids[20];
	int i;

	ASSERT_EQ(0, add_signal(q, SIGCHLD, KEVENT_START_DISABLED, 1, NULL));
	for (i = 0; i < 20; i++) {
		pids[i] = start_child(i < 19 ? i : -1);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < 19; i++)
		EXPECT_EQ(!variant->reaped, reap(pids[i]));
	ASSERT_EQ(0, kill(pids[19], SIGKILL));
	EXPECT_EQ(!variant->reaped, reap(pids[19]));
	EXPECT_EQ(0, op_signal(q, KEVENT_OP_ENABLE, SIGCHLD));
	EXPECT_SIGNAL(q, 1, 0, pids[19], SIGKILL, 20);
	EXPECT_QUIET(q);
}

/* Stops and continues are told unless the process said that it wants none. */
TEST_F(child, stops)
{
	bool told = !(variant->flags & SA_NOCLDSTOP);
	struct ukevent_queue *q = &self->q;
	pid_t pid = start_child(-1);
	int status;

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, add_signal(q, SIGCHLD, 0, 1, NULL));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	/* waitpid() may come first, and leaves no status to the signal */
	if (told) {
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_SIGNAL(q, 1, 0, pid, SIGSTOP, 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(0, in_ring(q));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, WCONTINUED));
	EXPECT_EQ(told, told ? ring_reaches(q, 1) : in_ring(q));
	if (told)
		EXPECT_SIGNAL(q, 1, 0, pid, SIGCONT, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(!variant->reaped, reap(pid));
	EXPECT_SIGNAL(q, 1, 0, pid, SIGKILL, 1);
	EXPECT_QUIET(q);
}

/* ---- modes ---- */

TEST_F(signals, merges_after_two)
{
	struct ukevent_queue *q = &self->q;
	int m, n;

	for (m = 0; m < 2; m++) {
		ASSERT_EQ(0, add_signal(q, RT(0), modes[m], m, NULL));
		ASSERT_EQ(0, ignore(RT(0)));
		for (n = 1; n <= 10; n++) {
			ASSERT_EQ(0, queue_signal(getpid(), RT(0), n));
			EXPECT_EQ(n < 2 ? n : 2, in_ring(q));
			EXPECT_EQ(n > 2, is_pending(q));
		}
		EXPECT_SIGNAL(q, m, 0, getpid(), 1, 1);
		EXPECT_SIGNAL(q, m, 0, getpid(), 2, 1);
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_SIGNAL(q, m, 0, getpid(), 10, 8);
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_REMOVE, RT(0)));
	}
}

/* It has ended with its record; what comes then is not told. */
TEST_F(signals, oneshot)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_ONESHOT |
					KEVENT_WANT_LAST, n, NULL));
		EXPECT_EQ(-EEXIST, add_signal(q, SIGUSR1, 0, 9, NULL));
		ASSERT_EQ(0, kill_self(SIGUSR1));
		ASSERT_EQ(0, kill_self(SIGUSR1));
		EXPECT_EQ(-ENOENT, op_signal(q, KEVENT_OP_REMOVE, SIGUSR1));
	}
	for (n = 0; n < 3; n++)
		EXPECT_SIGNAL(q, n, LAST, getpid(), 0, 1);
	EXPECT_QUIET(q);
}

TEST_F(signals, dispatch)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_DISPATCH, 1, NULL));
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	for (n = 1; n < 5; n++) {
		ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, 10 * n));
		ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, n));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_ENABLE, SIGUSR1));
		EXPECT_SIGNAL(q, 1, 0, getpid(), n, 2);
	}
	EXPECT_EQ(0, op_signal(q, KEVENT_OP_ENABLE, SIGUSR1));
	EXPECT_QUIET(q);
}

/* Disabled from the start or later, and modified meanwhile: it counts. */
TEST_F(signals, disabled_counts)
{
	struct ukevent_queue *q = &self->q;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_signal(q, SIGUSR1, modes[m] | (m % 2 ?
					KEVENT_START_DISABLED : 0), 9, NULL));
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_DISABLE, SIGUSR1));
		ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, 1));
		ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, 2));
		EXPECT_EQ(0, modify_signal(q, SIGUSR1, modes[m] |
					   KEVENT_START_DISABLED, m));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_ENABLE, SIGUSR1));
		EXPECT_SIGNAL(q, m, 0, getpid(), 2, 2);
		EXPECT_QUIET(q);
		EXPECT_EQ(removed(modes[m]),
			  op_signal(q, KEVENT_OP_REMOVE, SIGUSR1));
	}
}

/* What was not told yet is told under the new cookie, in the new mode. */
TEST_F(signals, modify_keeps)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_signal(q, SIGUSR1, 0, 1, NULL));
	for (n = 1; n <= 5; n++)
		ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, n));
	EXPECT_EQ(0, modify_signal(q, SIGUSR1, KEVENT_ONESHOT, 2));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 1, 1);
	EXPECT_SIGNAL(q, 1, 0, getpid(), 2, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_SIGNAL(q, 2, 0, getpid(), 5, 3);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_signal(q, KEVENT_OP_REMOVE, SIGUSR1));
}

TEST_F(signals, remove_discards)
{
	struct ukevent_queue *q = &self->q;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_signal(q, SIGUSR1, modes[m] | KEVENT_WANT_LAST |
					KEVENT_START_DISABLED, m, NULL));
		ASSERT_EQ(0, kill_self(SIGUSR1));
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_REMOVE, SIGUSR1));
		EXPECT_LAST(q, m);
		ASSERT_EQ(0, kill_self(SIGUSR1));
		EXPECT_QUIET(q);
	}
	/* the next one begins at nothing */
	ASSERT_EQ(0, add_signal(q, SIGUSR1, 0, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
}

/* ---- queues ---- */

TEST_F(signals, each_queue_is_told)
{
	struct ukevent_queue q[3];
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		ASSERT_EQ(0, add_signal(&q[i], SIGUSR1, 0, i, NULL));
	}
	ASSERT_EQ(0, kill_self(SIGUSR1));
	for (i = 0; i < 3; i++)
		EXPECT_SIGNAL(&q[i], i, 0, getpid(), 0, 1);
	EXPECT_EQ(0, op_signal(&q[0], KEVENT_OP_REMOVE, SIGUSR1));
	ukevent_queue_exit(&q[2]);
	ASSERT_EQ(0, kill_self(SIGUSR1));
	EXPECT_QUIET(&q[0]);
	EXPECT_SIGNAL(&q[1], 1, 0, getpid(), 0, 1);
	EXPECT_QUIET(&self->q);
	for (i = 0; i < 2; i++)
		ukevent_queue_exit(&q[i]);
}

/* As whoever sends tells all of them, there is a limit, for each number. */
TEST_F(signals, too_many_queues)
{
	struct ukevent_queue q[65];
	int i;

	for (i = 0; i < 65; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		EXPECT_EQ(i < 64 ? 0 : -ENOSPC,
			  add_signal(&q[i], SIGUSR1, KEVENT_WANT_LAST, i, NULL));
	}
	ASSERT_EQ(0, kill_self(SIGUSR1));
	for (i = 0; i < 64; i++)
		EXPECT_SIGNAL(&q[i], i, 0, getpid(), 0, 1);
	EXPECT_QUIET(&q[64]);
	/* those that have ended do not count */
	EXPECT_EQ(0, op_signal(&q[0], KEVENT_OP_REMOVE, SIGUSR1));
	EXPECT_LAST(&q[0], 0);
	EXPECT_EQ(0, add_signal(&q[64], SIGUSR1, 0, 64, NULL));
	ukevent_queue_exit(&q[1]);
	EXPECT_EQ(0, add_signal(&q[0], SIGUSR1, 0, 0, NULL));
	EXPECT_EQ(-ENOSPC, add_signal(&self->q, SIGUSR1, 0, 0, NULL));
	for (i = 0; i < 65; i++)
		if (i != 1)
			ukevent_queue_exit(&q[i]);
}

TEST_F(signals, fdinfo)
{
	static const char line[] =
		"type: signal ident: 10 events: 1 cookie: 7 flags: 9 count: 3\n";
	struct ukevent_queue *q = &self->q;
	char path[64], buf[4096];
	int n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	ASSERT_EQ(0, add_signal(q, SIGUSR1, KEVENT_WANT_LAST, 7, NULL));
	for (n = 0; n < 5; n++)
		ASSERT_EQ(0, kill_self(SIGUSR1));
	ASSERT_LT(0, read_text(path, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, line)) TH_LOG("%s", buf);
	EXPECT_FALSE(has_address(buf));
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	ASSERT_LT(0, read_text(path, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, " count: 0\n"));
}

/* ---- who waits ---- */

struct thread_that_adds {
	struct ukevent_queue *q;
	int ret;
};

static void *add_main(void *arg)
{
	struct thread_that_adds *t = arg;

	t->ret = add_signal(t->q, SIGUSR1, 0, 1, NULL);
	return NULL;
}

/*
 * T26: the interest is the process's, whoever added it and whoever waits.
 *
 *   A              B                   main
 *   ADD, exits
 *                  kevent_wait()
 *                                      kill, pthread_kill of main: B is told
 */
TEST_F(signals, thread_that_added_exits)
{
	struct ukevent_queue *q = &self->q;
	struct thread_that_adds t = { .q = q };
	struct waiter w;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, add_main, &t));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, t.ret);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		ASSERT_EQ(0, i ? pthread_kill(i == 1 ? w.thread : pthread_self(),
					      SIGUSR1) : kill_self(SIGUSR1));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	}
	EXPECT_QUIET(q);
}

/* The record is there before the signal: it ends the wait, not EINTR. */
TEST_F(fate, wakes)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	int i;

	ASSERT_EQ(0, decide(RT(0), variant->fate));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	for (i = 1; i < 5; i++) {
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		EXPECT_EQ(0, waiter_done(&w, 5));
		ASSERT_EQ(0, pthread_kill(w.thread, RT(0)));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
		/* its thread may have ended before the signal got there */
		EXPECT_GE(variant->fate == HANDLED ? i : 0, nr_handled);
	}
	EXPECT_EQ(variant->fate == HANDLED, !!nr_handled);
}

/* Less than it waits for: only a handler ends the wait, and the record stays. */
TEST_F(fate, wakes_for_more)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, decide(RT(0), variant->fate));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 2, NULL));
	ASSERT_EQ(0, pthread_kill(w.thread, RT(0)));
	if (variant->fate == HANDLED) {
		EXPECT_EQ(-EINTR, waiter_result(&w));
		EXPECT_EQ(1, nr_handled);
		EXPECT_EQ(1, in_ring(q));
		ASSERT_EQ(0, waiter_start(&w, q, 2, NULL));
	}
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, queue_signal(getpid(), RT(0), 5));
	EXPECT_EQ(2, waiter_result(&w));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	EXPECT_SIGNAL(q, 1, 0, getpid(), 5, 1);
	EXPECT_QUIET(q);
}

/* And who waits for the queue itself. */
TEST_F(fate, wakes_poller)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid, parent = getpid();
	int ret;

	ASSERT_EQ(0, decide(RT(0), variant->fate));
	ASSERT_EQ(0, add_signal(q, RT(0), 0, 1, NULL));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	pid = fork();
	if (!pid)
		_exit(task_asleep(parent) || kill(parent, RT(0)));
	ret = is_ready(q->fd, POLLIN, TEST_LONG_MS);
	/* a handler may come first */
	EXPECT_TRUE(ret == POLLIN || (variant->fate == HANDLED && !ret));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, 0));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_SIGNAL(q, 1, 0, pid, 0, 1);
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
}

/* ---- faults ---- */

static sigjmp_buf after_fault;
static char blocks_calls;

static void on_fault(int sig)
{
	blocks_calls = SYSCALL_DISPATCH_FILTER_ALLOW;
	nr_handled++;
	siglongjmp(after_fault, 1);
}

static void fault_read(void)
{
	__atomic_load_n(guarded_end(1), __ATOMIC_RELAXED);
}

static void fault_write(void)
{
	__atomic_store_n((char *)page_size(), 1, __ATOMIC_RELAXED);
}

static void fault_beyond_file(void)
{
	int fd = syscall(SYS_memfd_create, "empty", 0);

	__atomic_load_n((char *)mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
				     fd, 0), __ATOMIC_RELAXED);
}

static void fault_call(void)
{
	prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
	      &blocks_calls);
	blocks_calls = SYSCALL_DISPATCH_FILTER_BLOCK;
	syscall(SYS_getppid);
}

#if defined(__x86_64__) || defined(__i386__)
static void fault_divide(void)
{
	int high = 0, low = 1;

	__asm__ __volatile__("idivl %2" : "+a"(low), "+d"(high) : "r"(0));
}

static void fault_instruction(void)
{
	__asm__ __volatile__("ud2");
}

static void fault_trap(void)
{
	__asm__ __volatile__("int3");
}

/* The kernel has no address for this one. */
static void fault_general(void)
{
	__asm__ __volatile__("hlt");
}
#endif

static const struct {
	int sig;
	void (*make)(void);
} faults[] = {
	{ SIGSEGV, fault_read },
	{ SIGSEGV, fault_write },
	{ SIGBUS, fault_beyond_file },
	{ SIGSYS, fault_call },
#if defined(__x86_64__) || defined(__i386__)
	{ SIGFPE, fault_divide },
	{ SIGILL, fault_instruction },
	{ SIGTRAP, fault_trap },
	{ SIGSEGV, fault_general },
#endif
};

/* A thread's own are not told; sent by somebody the same signals are. */
TEST_F(signals, faults)
{
	struct ukevent_queue *q = &self->q;
	int sig, n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		sig = faults[i].sig;
		nr_handled = 0;
		ASSERT_NE(SIG_ERR, signal(sig, on_fault));
		ASSERT_EQ(0, add_signal(q, sig, 0, i, NULL));
		for (n = 1; n <= 3; n++) {
			if (!sigsetjmp(after_fault, 1))
				faults[i].make();
			EXPECT_EQ(n, nr_handled) TH_LOG("fault %zu", i);
			EXPECT_QUIET(q);
		}
		prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0,
		      0);
		if (!sigsetjmp(after_fault, 1))
			kill_self(sig);
		EXPECT_SIGNAL(q, i, 0, getpid(), 0, 1);
		if (!sigsetjmp(after_fault, 1))
			queue_signal(getpid(), sig, VALUE);
		EXPECT_SIGNAL(q, i, 0, getpid(), VALUE, 1);
		EXPECT_EQ(5, nr_handled);
		EXPECT_EQ(0, op_signal(q, KEVENT_OP_REMOVE, sig));
	}
	EXPECT_QUIET(q);
}

/* ---- errors ---- */

FIXTURE(error)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, ignore(SIGUSR1));
	ASSERT_EQ(0, add_signal(&self->q, SIGUSR1, 0, 1, NULL));
}

/* No error has left anything behind, or taken anything away. */
FIXTURE_TEARDOWN(error)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_QUIET(q);
	EXPECT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(q, 1, 0, getpid(), 0, 1);
	EXPECT_EQ(0, add_signal(q, SIGUSR2, 0, 2, NULL));
	EXPECT_QUIET(q);
	ukevent_queue_exit(q);
}

TEST_F(error, each)
{
	enum { ADD = KEVENT_OP_ADD, MODIFY, REMOVE, ENABLE, DISABLE, TRIGGER };
	static const struct {
		__u16 op;
		__u32 flags;
		__u64 ident;
		__u32 events;
		int result;
	} e[] = {
		{ ADD, 0, 0, 0, -EINVAL },
		{ ADD, 0, SIGKILL, 0, -EINVAL },
		{ ADD, 0, SIGSTOP, 0, -EINVAL },
		{ ADD, 0, 65, 0, -EINVAL },
		{ ADD, 0, 1ULL << 32 | SIGUSR2, 0, -EINVAL },
		{ ADD, 0, ~0ULL, 0, -EINVAL },
		{ ADD, 0, SIGUSR1, 0, -EEXIST },
		{ ADD, KEVENT_ONESHOT, SIGUSR1, SENT, -EEXIST },
		{ ADD, KEVENT_EXCLUSIVE, SIGUSR2, 0, -EINVAL },
		{ ADD, KEVENT_ABSTIME, SIGUSR2, 0, -EINVAL },
		{ ADD, KEVENT_BY_ID, SIGUSR2, 0, -EINVAL },
		{ ADD, KEVENT_ACK, SIGUSR2, 0, -EINVAL },
		{ ADD, KEVENT_NO_LAST, SIGUSR2, 0, -EINVAL },
		{ ADD, 1U << 12, SIGUSR2, 0, -EINVAL },
		{ ADD, KEVENT_EDGE | KEVENT_ONESHOT, SIGUSR2, 0, -EINVAL },
		{ ADD, 0, SIGUSR2, 2, -EINVAL },
		{ ADD, 0, SIGUSR2, 1U << 31 | SENT, -EINVAL },
		{ MODIFY, 0, 0, 0, -EINVAL },
		{ MODIFY, 0, SIGKILL, 0, -EINVAL },
		{ MODIFY, 0, 1ULL << 32 | SIGUSR1, 0, -EINVAL },
		{ MODIFY, 0, SIGUSR2, 0, -ENOENT },
		{ MODIFY, KEVENT_BY_ID, 0, 0, -ENOENT },
		{ MODIFY, KEVENT_EXCLUSIVE, SIGUSR1, 0, -EINVAL },
		{ MODIFY, 0, SIGUSR1, 4, -EINVAL },
		{ REMOVE, 0, SIGUSR2, 0, -ENOENT },
		{ REMOVE, 0, 0, 0, -ENOENT },
		{ REMOVE, 0, SIGSTOP, 0, -ENOENT },
		{ REMOVE, 0, 1ULL << 32 | SIGUSR1, 0, -ENOENT },
		{ REMOVE, KEVENT_EDGE, SIGUSR1, 0, -EINVAL },
		{ REMOVE, 0, SIGUSR1, SENT, -EINVAL },
		{ ENABLE, 0, SIGUSR2, 0, -ENOENT },
		{ ENABLE, KEVENT_ACK, SIGUSR1, 0, -EINVAL },
		{ DISABLE, 0, SIGUSR2, 0, -ENOENT },
		{ DISABLE, 0, SIGUSR1, SENT, -EINVAL },
		{ TRIGGER, 0, SIGUSR1, 0, -EOPNOTSUPP },
		{ TRIGGER, 0, SIGUSR2, 0, -EOPNOTSUPP },
	};
	struct kevent_change c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(e); i++) {
		c = make_typed(e[i].op, SIGNAL, e[i].ident, e[i].events,
			       e[i].flags, e[i].op <= MODIFY ? 9 : 0);
		EXPECT_EQ(e[i].result, do_change(self->q.fd, &c))
			TH_LOG("entry %zu", i);
	}
}

TEST_F(error, unused_fields)
{
	static const __u16 ops[] = {
		KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_REMOVE,
		KEVENT_OP_ENABLE, KEVENT_OP_DISABLE,
	};
	struct kevent_change c;
	__u64 *field[8] = {
		&c.id, &c.addr, &c.param[0], &c.param[1], &c.param[2],
		&c.param[3], &c.reserved[0], &c.reserved[1],
	};
	size_t op, i;

	for (op = 0; op < ARRAY_SIZE(ops); op++) {
		for (i = 0; i < ARRAY_SIZE(field); i++) {
			c = make_typed(ops[op], SIGNAL, op ? SIGUSR1 : SIGUSR2,
				       0, 0, op < 2 ? 9 : 0);
			*field[i] = i % 2 ? 1 : 1ULL << 63;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c))
				TH_LOG("op %u field %zu", ops[op], i);
		}
	}
}

TEST_F(error, no_space)
{
	struct ukevent_queue q;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "0"));
	EXPECT_EQ(-ENOSPC, add_signal(&q, SIGUSR1, 0, 0, NULL));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "1"));
	EXPECT_EQ(-ENOENT, op_signal(&q, KEVENT_OP_REMOVE, SIGUSR1));
	EXPECT_EQ(0, kill_self(SIGUSR1));
	EXPECT_SIGNAL(&self->q, 1, 0, getpid(), 0, 1);
	EXPECT_QUIET(&q);
	EXPECT_EQ(0, add_signal(&q, SIGUSR1, 0, 0, NULL));
	ukevent_queue_exit(&q);
}

/* What the kernel says it has. */
TEST(announced)
{
	struct kevent_params p = {};
	int fd = sys_kevent_create(&p, sizeof(p), 0);

	ASSERT_LE(0, fd);
	EXPECT_NE(0ULL, p.types & 1ULL << SIGNAL);
	close(fd);
}

TEST_HARNESS_MAIN
