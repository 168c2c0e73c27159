/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of the source PROCESS.
 */
#ifndef KEVENT_PROCESS_TEST_H
#define KEVENT_PROCESS_TEST_H

#include "kevent_test.h"

#include <grp.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL
#endif

#define LAST		KEVENT_REC_LAST
#define UNKNOWN		KEVENT_REC_UNKNOWN
#define PROCESS		KEVENT_TYPE_PROCESS
#define EXITED		KEVENT_PROCESS_EXITED
#define HUP		KEVENT_PROCESS_HUP

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

#define EXPECT_EXIT(q, cookie, flags, status) \
	EXPECT_TAKE_TYPED(q, PROCESS, cookie, EXITED, flags, status, 0)

/* ---- helpers ---- */

static inline int open_pidfd(pid_t pid, unsigned int flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

static inline int add_process(struct ukevent_queue *q, int pidfd, __u32 flags,
			      __u64 cookie)
{
	return ukevent_add(q, PROCESS, pidfd, 0, flags, cookie);
}

static inline int add_with_id(struct ukevent_queue *q, int pidfd, __u32 flags,
			      __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, PROCESS, pidfd, 0,
					    flags, cookie);
	int ret = do_change(q->fd, &c);

	*id = c.id;
	return ret;
}

static inline int op_process(struct ukevent_queue *q, unsigned int op, int pidfd)
{
	return ukevent_op(q, op, PROCESS, pidfd);
}

static inline int modify_process(struct ukevent_queue *q, int pidfd, __u32 flags,
				 __u64 cookie)
{
	struct kevent_change c = make_typed(KEVENT_OP_MODIFY, PROCESS, pidfd, 0,
					    flags, cookie);

	return do_change(q->fd, &c);
}

static inline int op_process_id(struct ukevent_queue *q, unsigned int op, __u64 id)
{
	struct kevent_change c = make_typed(op, PROCESS, 0, 0, KEVENT_BY_ID, 0);

	c.id = id;
	return do_change(q->fd, &c);
}

/**
 * struct child - a process that goes on when it is told to
 * @pid: its number
 * @pidfd: stands for it
 * @sock: to it; at the end of this it goes as well
 */
struct child {
	pid_t pid;
	int pidfd;
	int sock;
};

/* Lets the other side go on. */
static inline bool step(int sock)
{
	return send(sock, "s", 1, MSG_NOSIGNAL) == 1;
}

/* Waits until the other side says so; false if it is gone. */
static inline bool await(int sock)
{
	char c;

	return read(sock, &c, 1) == 1;
}

static inline int child_start(struct child *c,
			      int (*run)(int sock, const void *arg),
			      const void *arg)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return -errno;
	c->sock = sv[0];
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid) {
		close(sv[0]);
		_exit(run(sv[1], arg));
	}
	close(sv[1]);
	c->pidfd = open_pidfd(c->pid, 0);
	return c->pidfd < 0 ? -errno : 0;
}

static inline void child_close(struct child *c)
{
	close(c->pidfd);
	close(c->sock);
}

static inline int exits_with(int sock, const void *arg)
{
	const int *code = arg;

	return await(sock) ? *code : 255;
}

/* Starts one that exits with @code. */
static inline int start_exit(struct child *c, int code)
{
	return child_start(c, exits_with, &code);
}

/* Waits until a child is a zombie. */
static inline int zombie(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT) ? -errno : 0;
}

/* Reaps a child: its status, which both kinds of waiting must agree on, or -1. */
static inline int reap(pid_t pid)
{
	siginfo_t info = {};
	int status, told;

	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	told = info.si_code == CLD_EXITED ? info.si_status << 8 :
	       info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return told == status ? status : -1;
}

/* Waits until a task is in a state of /proc. */
static inline int state_reaches(pid_t pid, int state)
{
	int i;

	for (i = 0; i < TEST_LONG_MS; i++) {
		if (task_state(pid) == state)
			return 0;
		sleep_ms(1);
	}
	return -ETIME;
}

/* What becomes of children: left to wait(2), or nobody wants to know. */
static inline void on_sigchld(void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_flags = flags };

	sa.sa_handler = handler;
	sigaction(SIGCHLD, &sa, NULL);
}

/* With no rights but those of that user. */
static inline bool become(uid_t uid, gid_t gid)
{
	return !setgroups(0, NULL) && !setresgid(gid, gid, gid) &&
	       !setresuid(uid, uid, uid);
}

#define EXIT_ARG	"--exit-when-told"

/* This program again, or a copy of it: it exits with @code when told to. */
static inline int exec_exit(const char *path, int sock, int code, const char *drop)
{
	char sock_arg[16], code_arg[16];

	snprintf(sock_arg, sizeof(sock_arg), "%d", sock);
	snprintf(code_arg, sizeof(code_arg), "%d", code);
	execl(path, "process_test", EXIT_ARG, sock_arg, code_arg, drop, NULL);
	return 254;
}

/* What it does there. */
static inline int process_main(int argc, char **argv)
{
	int sock;

	if (argc < 4 || strcmp(argv[1], EXIT_ARG))
		return test_harness_run(argc, argv);
	sock = atoi(argv[2]);
	if (argc == 5 && !become(getuid(), getgid()))
		return 248;
	return step(sock) && await(sock) ? atoi(argv[3]) : 249;
}

/* A queue and room for a child. */
FIXTURE(process)
{
	struct ukevent_queue q;
	struct child c;
};

FIXTURE_SETUP(process)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(process)
{
	ukevent_queue_exit(&self->q);
}

#endif /* KEVENT_PROCESS_TEST_H */
