/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the kevent tests.
 *
 * The tests judge order, counts and invariants, never how long something took:
 * they run on slow emulators.  A wait that must end is given TEST_LONG_MS, a
 * look for something that must not happen is made after TEST_SHORT_MS.
 */
#ifndef KEVENT_TEST_H
#define KEVENT_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../../../lib/kevent/ukevent.h"
#include "../kselftest_harness.h"

/* A host that is busy stops a guest for seconds, several times in a test. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	120

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define TEST_LONG_MS	20000
#define TEST_SHORT_MS	30

#define MAX_QUEUES	"/proc/sys/user/max_kevent_queues"
#define MAX_INTERESTS	"/proc/sys/user/max_kevent_interests"
#define MAX_PAGES	"/proc/sys/user/max_kevent_pages"

/* Poll bits as numbers of one type: epoll.h has an enum, poll.h has ints. */
#define EV_IN		0x0001U
#define EV_PRI		0x0002U
#define EV_OUT		0x0004U
#define EV_ERR		0x0008U
#define EV_HUP		0x0010U
#define EV_RDNORM	0x0040U
#define EV_RDBAND	0x0080U
#define EV_WRNORM	0x0100U
#define EV_RDHUP	0x2000U

static inline __u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * NSEC_PER_MSEC };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Repeats for a loop of @nr, scaled by the environment in percent. */
static inline int test_loops(int nr)
{
	const char *env = getenv("KEVENT_TEST_PERCENT");
	int percent = env ? atoi(env) : 100;

	nr = (long long)nr * percent / 100;
	return nr > 0 ? nr : 1;
}

static inline int test_loops_done(__u64 start, int seconds)
{
	return now_ns(CLOCK_MONOTONIC) - start > seconds * NSEC_PER_SEC;
}

/* Lets as many descriptors be open as the system allows, up to @nr. */
static inline int raise_nofile(rlim_t nr)
{
	struct rlimit rl = { nr, nr };

	return setrlimit(RLIMIT_NOFILE, &rl) ? -errno : 0;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static inline int read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	buf[len] = 0;
	close(fd);
	return len;
}

/*
 * Gives the caller, who must have no second thread, limits per user of its own,
 * for the queues it makes from then on.  What others have does not count there,
 * nor what is freed late of an earlier test, and nobody else meets the limits it
 * sets.  To the outside the caller is no longer privileged; it may still mount.
 */
static inline int own_limits(void)
{
	char map[32];
	int ret;

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	ret = write_text("/proc/self/uid_map", map) ?:
	      write_text("/proc/self/setgroups", "deny");
	return ret ?: write_text("/proc/self/gid_map", map);
}

/* Is there something like a kernel address? */
static inline bool has_address(const char *p)
{
	/* 64 bits with the upper ones set: nothing else here is like that */
	for (p = strstr(p, "ffff"); p; p = strstr(p + 1, "ffff"))
		if (strspn(p, "0123456789abcdef") >= 16)
			return true;
	return false;
}

/* Binds the caller, and the threads it starts, to a processor. */
static inline int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* The same, to the one it runs on. */
static inline int stay_here(void)
{
	return run_on(sched_getcpu());
}

/* From here on no other thread of this processor runs, woken or not. */
static inline int run_alone(void)
{
	struct sched_param param = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO, &param) ? -errno : 0;
}

static inline int run_together(void)
{
	struct sched_param param = { .sched_priority = 0 };

	return sched_setscheduler(0, SCHED_OTHER, &param) ? -errno : 0;
}

/* Binds the caller, and who it starts; can it run_alone() later? */
static inline bool may_run_alone(void)
{
	return !stay_here() && !run_alone() && !run_together();
}

/* Waits for a child: its exit status, -EFAULT if it was killed. */
static inline int child_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EFAULT;
}

/* Sends a descriptor with one byte over a UNIX socket. */
static inline int send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

/* ---- memory that faults ---- */

static inline size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/*
 * Maps @pages pages followed by one without access; returns the address of the
 * latter.  What is written up to there can be reached, nothing beyond.
 */
static inline char *guarded_end(size_t pages)
{
	size_t size = (pages + 1) * page_size();
	char *map = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == (char *)MAP_FAILED)
		return NULL;
	map += pages * page_size();
	if (mprotect(map, page_size(), PROT_NONE))
		return NULL;
	return map;
}

/* ---- queues ---- */

static inline int queue_init(struct ukevent_queue *q, __u32 entries)
{
	struct kevent_params params;

	memset(&params, 0, sizeof(params));
	params.ring_entries = entries;
	return ukevent_queue_init(q, &params);
}

static inline int queue_init_noring(struct ukevent_queue *q, __u32 entries)
{
	struct kevent_params params;

	memset(&params, 0, sizeof(params));
	params.flags = KEVENT_CREATE_NORING;
	params.ring_entries = entries;
	return ukevent_queue_init(q, &params);
}

static inline __u32 producer_index(const struct ukevent_queue *q)
{
	return __atomic_load_n(q->producer, __ATOMIC_ACQUIRE);
}

/* Unconsumed records, without entering the kernel. */
static inline int in_ring(const struct ukevent_queue *q)
{
	return (int)(producer_index(q) -
		     __atomic_load_n(q->consumer, __ATOMIC_RELAXED));
}

static inline int is_pending(const struct ukevent_queue *q)
{
	return !!(__atomic_load_n(q->flags, __ATOMIC_ACQUIRE) &
		  KEVENT_RING_PENDING);
}

/* Waits without entering the queue until the ring holds @nr; what it holds. */
static inline int ring_reaches(const struct ukevent_queue *q, int nr)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (in_ring(q) < nr && now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return in_ring(q);
}

static inline int pending_reaches(const struct ukevent_queue *q, int value)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (is_pending(q) != value && now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return is_pending(q);
}

static inline int flush_ring(struct ukevent_queue *q)
{
	return sys_kevent_wait(q->fd, 0, NULL, 0);
}

static inline int wait_ms(struct ukevent_queue *q, __u32 min_nr, __u64 ms)
{
	return ukevent_wait(q, min_nr, ms * NSEC_PER_MSEC);
}

/* Takes all there is; returns how many, keeps the last one in @last. */
static inline int take_all(struct ukevent_queue *q, struct ukevent *last)
{
	struct ukevent ev;
	int n = 0;

	while (ukevent_take(q, &ev, 1) > 0) {
		if (last)
			*last = ev;
		n++;
	}
	return n;
}

/* ---- changes ---- */

static inline struct kevent_change make_typed(unsigned int op, unsigned int type,
					      __u64 ident, __u32 events,
					      __u32 flags, __u64 cookie)
{
	struct kevent_change c;

	memset(&c, 0, sizeof(c));
	c.op = op;
	c.type = type;
	c.flags = flags;
	c.cookie = cookie;
	c.ident = ident;
	c.events = events;
	c.result = 12345;	/* an out field: what was there must not matter */
	return c;
}

static inline struct kevent_change make_change(unsigned int op, int fd,
					       __u32 events, __u32 flags,
					       __u64 cookie)
{
	return make_typed(op, KEVENT_TYPE_POLL, fd, events, flags, cookie);
}

/* Flags that an operation of each type takes alone, in the first entry. */
static inline __u32 flags_taken(unsigned int op)
{
	const __u32 sets = KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH |
			   KEVENT_WANT_LAST | KEVENT_START_DISABLED;

	switch (op) {
	case KEVENT_OP_ADD:
	case KEVENT_OP_SET:
		return sets;
	case KEVENT_OP_MODIFY:
		return sets | KEVENT_BY_ID;
	case KEVENT_OP_REMOVE:
		return KEVENT_BY_ID | KEVENT_ACK | KEVENT_NO_LAST;
	default:
		return KEVENT_BY_ID;
	}
}

static inline int do_change(int kfd, struct kevent_change *c)
{
	int ret = sys_kevent_ctl(kfd, c, 1, sizeof(*c), 0);

	if (ret < 0)
		return ret;
	return ret == 1 ? c->result : -EPROTO;
}

static inline int add_fd(int kfd, int fd, __u32 events, __u32 flags,
			 __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_change(KEVENT_OP_ADD, fd, events, flags,
					     cookie);
	int ret = do_change(kfd, &c);

	if (id)
		*id = c.id;
	return ret;
}

static inline int modify_fd(int kfd, int fd, __u32 events, __u32 flags,
			    __u64 cookie)
{
	struct kevent_change c = make_change(KEVENT_OP_MODIFY, fd, events,
					     flags, cookie);

	return do_change(kfd, &c);
}

static inline int op_fd(int kfd, unsigned int op, int fd)
{
	struct kevent_change c = make_change(op, fd, 0, 0, 0);

	return do_change(kfd, &c);
}

static inline int remove_fd(int kfd, int fd)
{
	return op_fd(kfd, KEVENT_OP_REMOVE, fd);
}

static inline int op_id(int kfd, unsigned int op, __u64 id, __u32 flags)
{
	struct kevent_change c = make_change(op, 0, 0, KEVENT_BY_ID | flags, 0);

	c.id = id;
	return do_change(kfd, &c);
}

/* REMOVE after a record: a one-shot has ended with it, the others are there. */
static inline int removed(__u32 mode)
{
	return mode & KEVENT_ONESHOT ? -ENOENT : 0;
}

/* ---- sources ---- */

static inline int make_eventfd(__u64 value)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd >= 0 && value && write(fd, &value, sizeof(value)) < 0)
		return -errno;
	return fd;
}

static inline int eventfd_add(int fd, __u64 value)
{
	return write(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -errno;
}

static inline __u64 eventfd_take(int fd)
{
	__u64 value;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

enum source_kind {
	SRC_EVENTFD,
	SRC_PIPE,
	SRC_FIFO,
	SRC_UNIX,
	SRC_TCP4,
	SRC_TCP6,
	SRC_UDP,
	SRC_TIMERFD,
	SRC_PTY,
};

/**
 * struct source - something to watch
 * @kind: what it is
 * @fd: the descriptor watched
 * @peer: where to write to make @fd readable; may be @fd itself
 */
struct source {
	enum source_kind kind;
	int fd;
	int peer;
};

static inline void loopback_up(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, "lo", 3);
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

static inline int inet_pair(int family, int type, int *fd, int *peer)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len;
	int l;

	loopback_up();
	memset(&addr, 0, sizeof(addr));
	addr.sa.sa_family = family;
	if (family == AF_INET) {
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		len = sizeof(addr.in);
	} else {
		addr.in6.sin6_addr = in6addr_loopback;
		len = sizeof(addr.in6);
	}
	l = socket(family, type | SOCK_CLOEXEC, 0);
	*peer = socket(family, type | SOCK_CLOEXEC, 0);
	if (l < 0 || *peer < 0 || bind(l, &addr.sa, len) ||
	    getsockname(l, &addr.sa, &len))
		return -errno;
	if (type == SOCK_DGRAM) {
		*fd = l;
		return connect(*peer, &addr.sa, len) ? -errno : 0;
	}
	if (listen(l, 1) || connect(*peer, &addr.sa, len))
		return -errno;
	*fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	close(l);
	return *fd < 0 ? -errno : 0;
}

static inline int pty_pair(int *fd, int *peer)
{
	struct termios tio;
	char name[64];
	int nr, unlock = 0;

	mkdir("/dev/pts", 0755);
	*peer = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*peer < 0 || ioctl(*peer, TIOCSPTLCK, &unlock) ||
	    ioctl(*peer, TIOCGPTN, &nr))
		return -errno;
	snprintf(name, sizeof(name), "/dev/pts/%d", nr);
	*fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)	/* devpts need not be mounted for this */
		*fd = ioctl(*peer, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0 || tcgetattr(*fd, &tio))
		return -errno;
	cfmakeraw(&tio);
	return tcsetattr(*fd, TCSANOW, &tio) ? -errno : 0;
}

static inline int fifo_open(int *fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/kevent-fifo-%d", getpid());
	mkdir("/tmp", 01777);
	unlink(name);
	if (mkfifo(name, 0600))
		return -errno;
	*fd = open(name, O_RDWR | O_CLOEXEC);
	unlink(name);
	return *fd < 0 ? -errno : 0;
}

static inline int source_open(struct source *s, enum source_kind kind)
{
	int sv[2] = { -1, -1 };
	int ret = 0;

	s->kind = kind;
	switch (kind) {
	case SRC_EVENTFD:
		sv[0] = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
		sv[1] = sv[0];
		break;
	case SRC_PIPE:
		ret = pipe2(sv, O_CLOEXEC) ? -errno : 0;
		break;
	case SRC_FIFO:
		ret = fifo_open(&sv[0]);
		sv[1] = sv[0];
		break;
	case SRC_UNIX:
		ret = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) ?
		      -errno : 0;
		break;
	case SRC_TCP4:
		ret = inet_pair(AF_INET, SOCK_STREAM, &sv[0], &sv[1]);
		break;
	case SRC_TCP6:
		ret = inet_pair(AF_INET6, SOCK_STREAM, &sv[0], &sv[1]);
		break;
	case SRC_UDP:
		ret = inet_pair(AF_INET, SOCK_DGRAM, &sv[0], &sv[1]);
		break;
	case SRC_TIMERFD:
		sv[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		sv[1] = sv[0];
		break;
	case SRC_PTY:
		ret = pty_pair(&sv[0], &sv[1]);
		break;
	}
	if (!ret && sv[0] < 0)
		ret = -errno;
	s->fd = sv[0];
	s->peer = sv[1];
	if (!ret && fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK))
		ret = -errno;
	return ret;
}

static inline int is_ready(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

/* Bytes to be read, where that can be asked, else 0. */
static inline int source_bytes(struct source *s)
{
	int n = 0;

	if (s->kind == SRC_TCP4 || s->kind == SRC_TCP6 || s->kind == SRC_PTY)
		ioctl(s->fd, FIONREAD, &n);
	return n;
}

/*
 * Makes the source readable, eight bytes or one unit more than it was.  Where
 * they arrive in another context this waits for them, and a little for the
 * wake-up that comes next.
 */
static inline int source_fire(struct source *s)
{
	struct itimerspec its = { .it_value = { 0, 1 } };
	int before = source_bytes(s), i;
	__u64 one = 1;

	if (s->kind == SRC_TIMERFD) {
		if (timerfd_settime(s->fd, 0, &its, NULL))
			return -errno;
	} else if (write(s->peer, &one, sizeof(one)) != sizeof(one)) {
		return -errno;
	}
	if (s->kind == SRC_PTY) {
		for (i = 0; i < TEST_LONG_MS && source_bytes(s) < before + 8; i++)
			sleep_ms(1);
		sleep_ms(TEST_SHORT_MS);
	} else if (s->kind == SRC_TCP4 || s->kind == SRC_TCP6) {
		while (source_bytes(s) < before + 8)
			sched_yield();
	}
	return is_ready(s->fd, POLLIN, TEST_LONG_MS) & POLLIN ? 0 : -ETIME;
}

/* Takes one unit. */
static inline int source_take(struct source *s)
{
	__u64 v;
	ssize_t n = read(s->fd, &v, sizeof(v));

	return n < 0 ? -errno : n;
}

static inline int source_drain(struct source *s)
{
	while (source_take(s) > 0)
		;
	return is_ready(s->fd, POLLIN, 0) & POLLIN ? -EBUSY : 0;
}

static inline void source_close(struct source *s)
{
	if (s->peer != s->fd && s->peer >= 0)
		close(s->peer);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->peer = -1;
}

static inline void close_peer(struct source *s)
{
	close(s->peer);
	s->peer = -1;
}

/* ---- threads that wait ---- */

/**
 * struct waiter - a thread inside kevent_wait()
 * @q: in: the queue
 * @min_nr: in: argument
 * @args: in: argument, may be NULL
 * @thread: the thread
 * @tid: its kernel number, once it runs
 * @done: set after the call returned
 * @ret: what it returned
 * @returned_at: when, on CLOCK_MONOTONIC
 */
struct waiter {
	struct ukevent_queue *q;
	__u32 min_nr;
	struct kevent_wait_args *args;
	pthread_t thread;
	int tid;
	int done;
	int ret;
	__u64 returned_at;
};

static inline void *waiter_main(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	__atomic_store_n(&w->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	w->ret = sys_kevent_wait(w->q->fd, w->min_nr, w->args,
				 w->args ? sizeof(*w->args) : 0);
	w->returned_at = now_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* State letter of a task, as in /proc. */
static inline int task_state(int tid)
{
	char path[64], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return 0;
	p = strrchr(buf, ')');
	return p && p[1] == ' ' ? p[2] : 0;
}

/* Waits until the task sleeps; 0 or -ETIME. */
static inline int task_asleep(int tid)
{
	int i;

	for (i = 0; i < TEST_LONG_MS; i++) {
		if (task_state(tid) == 'S')
			return 0;
		sleep_ms(1);
	}
	return -ETIME;
}

/* The line on its system call, or that it runs; 0 or less where none is told. */
static inline int task_syscall(int tid, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	return read_text(path, buf, size);
}

/*
 * Waits until a task that was seen asleep has left its processor: it may be on the
 * way there for long, where a host has stopped that, and is not yet counted as asleep.
 */
static inline int task_left(int tid)
{
	int i, ret = task_asleep(tid);
	char buf[128];

	for (i = 0; i < TEST_LONG_MS && !ret; i++) {
		if (task_syscall(tid, buf, sizeof(buf)) <= 0) {
			/* a system that does not say it */
			sleep_ms(TEST_SHORT_MS);
			return 0;
		}
		if (strncmp(buf, "running", 7))
			return 0;
		sleep_ms(1);
	}
	return ret ?: -ETIME;
}

/* How often the task gave up the processor of its own will. */
static inline long task_sleeps(int tid)
{
	char path[64], buf[4096], *p;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, "\nvoluntary_ctxt_switches:");
	return p ? atol(p + 25) : -1;
}

static inline int started(int *tid)
{
	int i;

	for (i = 0; i < TEST_LONG_MS; i++) {
		if (__atomic_load_n(tid, __ATOMIC_ACQUIRE))
			return 0;
		sleep_ms(1);
	}
	return -ETIME;
}

/* Starts a waiter and returns when it sleeps (or was done at once). */
static inline int waiter_start(struct waiter *w, struct ukevent_queue *q,
			       __u32 min_nr, struct kevent_wait_args *args)
{
	int ret;

	memset(w, 0, sizeof(*w));
	w->q = q;
	w->min_nr = min_nr;
	w->args = args;
	ret = -pthread_create(&w->thread, NULL, waiter_main, w);
	if (!ret)
		ret = started(&w->tid);
	while (!ret && !__atomic_load_n(&w->done, __ATOMIC_ACQUIRE) &&
	       task_state(w->tid) != 'S')
		sleep_ms(1);
	return ret;
}

static inline int waiter_done(struct waiter *w, unsigned int ms)
{
	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		if (!ms--)
			return 0;
		sleep_ms(1);
	}
	return 1;
}

/* Waits for the end of the call; its result, or -ETIME if it hangs. */
static inline int waiter_result(struct waiter *w)
{
	if (!waiter_done(w, TEST_LONG_MS))
		return -ETIME;
	pthread_join(w->thread, NULL);
	return w->ret;
}

/* ---- checks ---- */

static inline void check_record(struct __test_metadata *_metadata, int line,
				const struct ukevent *ev, unsigned int type,
				__u64 cookie, __u32 events, __u32 flags,
				__u64 data0, __u64 data1)
{
	if (ev->cookie == cookie && ev->events == events &&
	    ev->flags == flags && ev->type == type &&
	    ev->data[0] == data0 && ev->data[1] == data1)
		return;
	TH_LOG("line %d: record %#llx, %#x type %u flags %#x data %llx %llx, not %#llx, %#x type %u %#x data %llx %llx",
	       line, (unsigned long long)ev->cookie, ev->events, ev->type,
	       ev->flags, (unsigned long long)ev->data[0],
	       (unsigned long long)ev->data[1], (unsigned long long)cookie,
	       events, type, flags, (unsigned long long)data0,
	       (unsigned long long)data1);
	_metadata->exit_code = KSFT_FAIL;
}

#define EXPECT_RECORD(ev, cookie, events, flags) \
	check_record(_metadata, __LINE__, ev, KEVENT_TYPE_POLL, cookie, \
		     events, flags, 0, 0)

/* Takes one record, which must be there, and compares it. */
#define EXPECT_TAKE(q, cookie, events, flags) \
do { \
	struct ukevent __ev = {}; \
	EXPECT_EQ(1, (int)ukevent_take(q, &__ev, 1)); \
	EXPECT_RECORD(&__ev, cookie, events, flags); \
} while (0)

/* The same for any type, with its data words. */
#define EXPECT_TAKE_TYPED(q, type, cookie, events, flags, data0, data1) \
do { \
	struct ukevent __ev = {}; \
	EXPECT_EQ(1, (int)ukevent_take(q, &__ev, 1)); \
	check_record(_metadata, __LINE__, &__ev, type, cookie, events, flags, \
		     data0, data1); \
} while (0)

/* What an empty queue must look like: nothing there, nothing to come. */
static inline void check_quiet(struct __test_metadata *_metadata, int line,
			       struct ukevent_queue *q)
{
	int before = in_ring(q), flushed = flush_ring(q), p = is_pending(q);

	if (!before && !flushed && !p)
		return;
	TH_LOG("line %d: not quiet: %d records, kevent_wait(0) gave %d, pending %d",
	       line, before, flushed, p);
	_metadata->exit_code = KSFT_FAIL;
}

#define EXPECT_QUIET(q) check_quiet(_metadata, __LINE__, q)

#endif /* KEVENT_TEST_H */
