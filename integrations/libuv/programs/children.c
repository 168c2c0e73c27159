// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * children.c - children that exit, are killed, and are let go of before they exit; on
 * kevent without a handler for SIGCHLD, unless the parent ignored that
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

#define CHILDREN	20

static uv_loop_t *loop;
static uv_process_t process[CHILDREN];
static int exited;

static void has_exited(uv_process_t *p, int64_t status, int signum)
{
	int i = p - process;

	if (i % 4 == 3) {
		CHECK_EQ(status, 0);
		CHECK_EQ(signum, SIGTERM);
	} else {
		CHECK_EQ(status, i);
		CHECK_EQ(signum, 0);
	}
	exited++;
	uv_close((uv_handle_t *)p, NULL);
}

static void spawn(uv_process_t *p, const char *script)
{
	char *args[] = { "sh", "-c", (char *)script, NULL };
	uv_process_options_t options = {
		.file = "/bin/sh",
		.args = args,
		.exit_cb = has_exited,
	};

	CHECK_EQ(uv_spawn(loop, p, &options), 0);
}

static int has_handler(void)
{
	struct sigaction action;

	CHECK_EQ(sigaction(SIGCHLD, NULL, &action), 0);
	return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

static void spawn_all(void)
{
	char script[64];
	int i;

	exited = 0;
	for (i = 0; i < CHILDREN; i++) {
		snprintf(script, sizeof(script),
			 i % 4 == 3 ? "exec sleep 1000" : "exit %d", i);
		spawn(process + i, script);
		if (i % 4 == 3)
			CHECK_EQ(uv_process_kill(process + i, SIGTERM), 0);
	}
}

int main(int argc, char **argv)
{
	uv_process_t left;
	int fds;

	loop = check_loop(argc, argv);
	spawn_all();
	CHECK_EQ(has_handler(), !on_kevent);
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK_EQ(exited, CHILDREN);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);

	/* Who is let go of is not told, and not waited for. */
	fds = dup(0);
	close(fds);
	spawn(&left, "exec sleep 1000");
	uv_close((uv_handle_t *)&left, NULL);
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK_EQ(exited, CHILDREN);
	CHECK_EQ(kill(left.pid, SIGKILL), 0);
	CHECK_EQ(waitpid(left.pid, NULL, 0), left.pid);
	CHECK_EQ(dup(0), fds);
	close(fds);

	/* A parent that ignored SIGCHLD: the status would be lost. */
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	spawn_all();
	CHECK(has_handler());
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK_EQ(exited, CHILDREN);
	check_end(loop);
	printf("%d children, told by %s\n", CHILDREN,
	       on_kevent ? "the queue" : "SIGCHLD");
	return 0;
}
