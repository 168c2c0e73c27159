// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * signals.c - handles of two loops for one signal, others that stop each other, and
 * that a child started with fork(2) has its own; on kevent nothing goes through the
 * pipe of the loop
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

#define TIMES	100

static uv_loop_t *loop, other;
static uv_signal_t usr1, usr1_too, usr1_other, usr2, hup, once, winch;
static int told[4], stopped, once_told, hup_told;

static void count(uv_signal_t *handle, int signum)
{
	int *counter = handle->data;

	++*counter;
}

/* Of two handles for one signal whichever is told first stops both. */
static void stop_both(uv_signal_t *handle, int signum)
{
	stopped++;
	CHECK_EQ(uv_signal_stop(&usr2), 0);
	CHECK_EQ(uv_signal_stop(&winch), 0);
}

static void told_once(uv_signal_t *handle, int signum)
{
	once_told++;
}

static void start(uv_loop_t *l, uv_signal_t *handle, uv_signal_cb cb, int signum,
		  int *counter)
{
	CHECK_EQ(uv_signal_init(l, handle), 0);
	handle->data = counter;
	CHECK_EQ(uv_signal_start(handle, cb, signum), 0);
}

/* What has come: there is an end of it. */
static void drain(uv_loop_t *l)
{
	int i;

	for (i = 0; i < 10; i++)
		uv_run(l, UV_RUN_NOWAIT);
}

static void child(void)
{
	CHECK_EQ(uv_loop_fork(loop), 0);
	check_backend(loop);
	told[0] = 0;
	raise(SIGUSR1);
	drain(loop);
	CHECK_EQ(told[0], 1);
	_exit(0);
}

int main(int argc, char **argv)
{
	int i, status, before;
	pid_t pid;

	loop = check_loop(argc, argv);
	CHECK_EQ(uv_loop_init(&other), 0);
	check_backend(&other);
	CHECK_EQ(uv_signal_init(loop, &hup), 0);
	CHECK_EQ(uv_signal_start(&hup, count, SIGKILL), UV_EINVAL);
	CHECK_EQ(uv_signal_start(&hup, count, 1000), UV_EINVAL);
	hup.data = &hup_told;
	CHECK_EQ(uv_signal_start(&hup, count, SIGHUP), 0);
	start(loop, &usr1, count, SIGUSR1, told);
	start(loop, &usr1_too, count, SIGUSR1, told + 1);
	start(&other, &usr1_other, count, SIGUSR1, told + 2);
	start(loop, &usr2, stop_both, SIGUSR2, NULL);
	start(loop, &winch, stop_both, SIGUSR2, NULL);
	CHECK_EQ(uv_signal_init(loop, &once), 0);
	CHECK_EQ(uv_signal_start_oneshot(&once, told_once, SIGALRM), 0);

	for (i = 0; i < TIMES; i++)
		raise(SIGUSR1);
	raise(SIGUSR2);
	raise(SIGALRM);
	raise(SIGHUP);
	drain(loop);
	drain(&other);
	CHECK_EQ(told[0], TIMES);
	CHECK_EQ(told[1], TIMES);
	CHECK_EQ(told[2], TIMES);
	CHECK_EQ(stopped, 1);
	CHECK_EQ(once_told, 1);
	CHECK_EQ(hup_told, 1);
	CHECK(!uv_is_active((uv_handle_t *)&once));

	/* The pipe is what a handler writes to: usr1 is told by it on epoll. */
	before = usr1.caught_signals;
	CHECK_EQ(before, on_kevent ? 0 : TIMES);

	/* One of two handles goes, the other one is still told; then it starts anew. */
	CHECK_EQ(uv_signal_stop(&usr1), 0);
	raise(SIGUSR1);
	drain(loop);
	CHECK_EQ(told[0], TIMES);
	CHECK_EQ(told[1], TIMES + 1);
	CHECK_EQ(uv_signal_stop(&usr1_too), 0);
	CHECK_EQ(uv_signal_start(&usr1, count, SIGUSR1), 0);
	raise(SIGUSR1);
	drain(loop);
	CHECK_EQ(told[0], TIMES + 1);
	CHECK_EQ(told[1], TIMES + 1);

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		child();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);

	/* The parent is told what is sent to it, and nothing of the child's. */
	before = told[0];
	drain(loop);
	CHECK_EQ(told[0], before);
	raise(SIGUSR1);
	drain(loop);
	CHECK_EQ(told[0], before + 1);

	uv_close((uv_handle_t *)&usr1_other, NULL);
	CHECK_EQ(uv_run(&other, UV_RUN_DEFAULT), 0);
	CHECK_EQ(uv_loop_close(&other), 0);
	uv_close((uv_handle_t *)&usr1, NULL);
	uv_close((uv_handle_t *)&usr1_too, NULL);
	uv_close((uv_handle_t *)&usr2, NULL);
	uv_close((uv_handle_t *)&winch, NULL);
	uv_close((uv_handle_t *)&hup, NULL);
	uv_close((uv_handle_t *)&once, NULL);
	check_end(loop);
	printf("%d signals to three handles in two loops, by %s\n", TIMES,
	       on_kevent ? "the queue" : "a handler and a pipe");
	return 0;
}
