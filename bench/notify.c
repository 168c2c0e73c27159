// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * notify.c - sources that tell what happened, not only that something did
 *
 * Workload signal: the process sends itself each active signal, then learns which
 * came, how often and from whom.  Peers read that from a signalfd; for kevent the
 * signals are ignored otherwise.  The floor ignores them and that is all.
 * Workload inode: a byte is written to each active file, then the program learns to
 * which.  Peers read that from an inotify descriptor.
 *
 * A peer has one descriptor for all, and reads as much at once as there is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "bench.h"

static int told;	/* where peers read */

/* one active thing: b->fd[at] is a signal, or a file */
typedef void (*act_fn)(int what);

static pid_t self;

static inline void send_signal(int signal)
{
	if (kill(self, signal))
		die("kill");
}

static inline void modify(int file)
{
	char byte = 0;

	if (pwrite(file, &byte, 1, 0) != 1)
		die("pwrite");
}

static __always_inline void act_all(struct bench *b, act_fn act)
{
	unsigned int i;

	for (i = 0; i < b->active; i++) {
		act(b->fd[b->next]);
		if (++b->next == b->registered)
			b->next = 0;
	}
}

static __always_inline void floor_rounds(struct bench *b, act_fn act)
{
	unsigned int round;

	for (round = 0; round < b->rounds; round++) {
		act_all(b, act);
		b->collected += b->active;
	}
}

/* A short read says that there is no more, so edge-triggered ones are served. */
static __always_inline void read_rounds(struct bench *b, enum peer peer,
					act_fn act, size_t size)
{
	static char buf[64 * sizeof(struct signalfd_siginfo)]
		__attribute__((aligned(8)));
	unsigned int round, got;
	ssize_t n;

	for (round = 0; round < b->rounds; round++) {
		act_all(b, act);
		for (got = 0; got < b->active; got += n / size) {
			if (collect(b, peer) != 1)
				die_of("one descriptor is watched");
			n = read(told, buf, sizeof(buf));
			if (n < 0)
				die("read");
		}
		b->collected += got;
	}
}

/* Signals are counted in the record; of writes each file has one. */
static inline unsigned int happened(const struct ukevent *record)
{
	return record->type == KEVENT_TYPE_SIGNAL ?
		KEVENT_SIGNAL_COUNT(record->data[0]) : 1;
}

static __always_inline void kevent_rounds(struct bench *b, act_fn act)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		act_all(b, act);
		for (got = 0; got < b->active; ) {
			n = kevent_collect(b, UKEVENT_FOREVER);
			for (i = 0; i < n; i++)
				got += happened(&b->record_buf[i]);
		}
		b->collected += got;
	}
}

/* sources */

static void ignored_signals(struct bench *b)
{
	unsigned int i;

	self = getpid();
	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = SIGRTMIN + i;
		if (b->fd[i] > SIGRTMAX)
			die_of("there are not that many signals");
		if (signal(b->fd[i], SIG_IGN) == SIG_ERR)
			die("signal");
	}
}

/* the one descriptor that is registered instead */
static void watch_told(struct bench *b, void (*queue)(struct bench *b))
{
	const unsigned int registered = b->registered;
	int *const fd = b->fd;

	b->registered = 1;
	b->fd = &told;
	queue(b);
	b->registered = registered;
	b->fd = fd;
}

static void blocked_signals(struct bench *b)
{
	unsigned int i;
	sigset_t set;

	ignored_signals(b);
	sigemptyset(&set);
	for (i = 0; i < b->registered; i++) {
		sigaddset(&set, b->fd[i]);
		signal(b->fd[i], SIG_DFL);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		die("sigprocmask");
	told = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (told < 0)
		die("signalfd");
}

static void path_of(unsigned int i, char path[32])
{
	snprintf(path, 32, "/files/%u", i);
}

static void files(struct bench *b)
{
	unsigned int i;
	char path[32];

	if (mkdir("/files", 0755) && errno != EEXIST)
		die("/files");
	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		path_of(i, path);
		b->fd[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (b->fd[i] < 0)
			die(path);
		modify(b->fd[i]);
	}
}

static void files_of_inotify(struct bench *b)
{
	unsigned int i;
	char path[32];

	files(b);
	told = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (told < 0)
		die_unless_missing("inotify_init1");
	for (i = 0; i < b->registered; i++) {
		path_of(i, path);
		if (inotify_add_watch(told, path, IN_MODIFY) < 0)
			die("inotify_add_watch");
	}
}

/* queues */

static void told_epoll_lt(struct bench *b)
{
	watch_told(b, epoll_lt_queue);
}

static void told_epoll_et(struct bench *b)
{
	watch_told(b, epoll_et_queue);
}

static void told_uring(struct bench *b)
{
	watch_told(b, uring_queue);
}

static void told_uring_defer(struct bench *b)
{
	watch_told(b, uring_defer_queue);
}

static void kevent_queue(struct bench *b, unsigned int type, uint32_t events)
{
	unsigned int i;

	kevent_make(b);
	for (i = 0; i < b->registered; i++)
		kevent_check(ukevent_add(&b->queue, type, b->fd[i], events,
					 KEVENT_EDGE, b->fd[i]), "kevent_ctl");
}

static void kevent_signals(struct bench *b)
{
	kevent_queue(b, KEVENT_TYPE_SIGNAL, KEVENT_SIGNAL_SENT);
}

static void kevent_inodes(struct bench *b)
{
	kevent_queue(b, KEVENT_TYPE_INODE, KEVENT_INODE_MODIFY);
}

#define ALL_ROUNDS(source, act, size)					\
ROUNDS(floor_##source, floor_rounds(b, act))				\
ROUNDS(epoll_##source, read_rounds(b, EPOLL, act, size))		\
ROUNDS(uring_##source, read_rounds(b, URING, act, size))		\
ROUNDS(kevent_##source, kevent_rounds(b, act))

ALL_ROUNDS(signal, send_signal, sizeof(struct signalfd_siginfo))
ALL_ROUNDS(inode, modify, sizeof(struct inotify_event))

/*
 * A write sets the time of a file if that is not of this tick.  With a pause before
 * each window, and if a window writes to each file once at most, all of them do.
 */
static void let_time_pass(struct bench *b)
{
	if (b->rounds * b->active > b->registered)
		die_of("a window writes to a file twice");
}

#define RUNS(name, source, quiet, read_from, kevents, between)		\
	{ name, "floor", quiet, NULL, floor_##source, NULL, between },	\
	{ name, "epoll-lt", read_from, told_epoll_lt, epoll_##source, NULL, between }, \
	{ name, "epoll-et", read_from, told_epoll_et, epoll_##source, NULL, between }, \
	{ name, "uring", read_from, told_uring, uring_##source, NULL, between }, \
	{ name, "uring-defer", read_from, told_uring_defer, uring_##source, NULL, between }, \
	{ name, "kevent-edge", quiet, kevents, kevent_##source, NULL, between }

const struct run notify_runs[] = {
	RUNS("signal", signal, ignored_signals, blocked_signals, kevent_signals, NULL),
	RUNS("inode", inode, files, files_of_inotify, kevent_inodes, let_time_pass),
	{ 0 },
};
