// SPDX-License-Identifier: GPL-2.0
/*
 * edges - what libevent's own tests do not ask of a back-end
 *
 *	edges [NAME...]
 *
 * Descriptors whose number is used again or that a duplicate keeps open, children, and
 * what cannot be watched; told in TAP, on whatever back-end the environment leaves.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct event_base *base;
static int told, empty;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void make_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		die("socketpair");
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)arg;
	told |= what;
}

static struct event *watch(int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(base, fd, what | EV_PERSIST, fn, NULL);

	if (!ev || event_add(ev, NULL))
		die("event_add");
	return ev;
}

/* What the next turn tells. */
static int turn(void)
{
	told = 0;
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return told;
}

/* The events of another file, under the same number, are not told. */
static int reused(void)
{
	int old[2], new[2];
	struct event *ev;

	make_pair(old);
	make_pair(new);
	ev = watch(old[0], EV_READ, on_ready);
	if (turn())
		return 0;
	if (write(old[1], "x", 1) != 1)
		return 0;
	event_free(ev);
	if (dup2(new[0], old[0]) < 0)
		die("dup2");
	ev = watch(old[0], EV_READ, on_ready);
	if (turn())
		return 0;
	if (write(new[1], "x", 1) != 1 || turn() != EV_READ)
		return 0;
	event_free(ev);
	return 1;
}

/* The same if the number is used again without an event_del() in between. */
static int replaced(void)
{
	int old[2], new[2];
	struct event *ev;

	make_pair(old);
	make_pair(new);
	ev = watch(old[0], EV_READ, on_ready);
	if (turn() || dup2(new[0], old[0]) < 0)
		return 0;
	event_del(ev);
	event_add(ev, NULL);
	if (turn() || write(new[1], "x", 1) != 1 || turn() != EV_READ)
		return 0;
	event_free(ev);
	return 1;
}

/* A file that a duplicate keeps open, and ready, is no concern any more. */
static int duplicated(void)
{
	int old[2], new[2], copy, i;
	struct event *ev;

	make_pair(old);
	make_pair(new);
	copy = dup(old[0]);
	ev = watch(old[0], EV_READ, on_ready);
	if (turn())
		return 0;
	event_free(ev);
	if (dup2(new[0], old[0]) < 0)
		die("dup2");
	ev = watch(old[0], EV_READ, on_ready);
	for (i = 0; i < 3; i++) {
		if (write(old[1], "x", 1) != 1 || turn())
			return 0;
	}
	event_free(ev);
	if (turn())
		return 0;
	close(old[0]);
	close(copy);
	return 1;
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct event *ev = *(struct event **)arg;
	static int left = 20;

	(void)what;
	if (left-- && write(fd, "x", 1) == 1)
		event_add(ev, NULL);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct event *ev = *(struct event **)arg;
	char buf[64];

	(void)what;
	if (read(fd, buf, sizeof(buf)) < 0)
		empty++;
	event_add(ev, NULL);
}

/* Not told of what was read in the turn in which it came. */
static int read_already(void)
{
	struct event *to, *from;
	int pair[2], i;

	make_pair(pair);
	empty = 0;
	to = event_new(base, pair[0], EV_WRITE, on_write, &to);
	from = event_new(base, pair[1], EV_READ, on_read, &from);
	event_add(to, NULL);
	event_add(from, NULL);
	for (i = 0; i < 100; i++)
		turn();
	event_free(to);
	event_free(from);
	return !empty;
}

/* A child that has not called event_reinit() is told, and so is its parent. */
static int forked(void)
{
	struct event *ev;
	int pair[2], status;
	pid_t pid;

	make_pair(pair);
	ev = watch(pair[0], EV_READ, on_ready);
	if (turn() || write(pair[1], "x", 1) != 1)
		return 0;
	pid = fork();
	if (!pid)
		_exit(turn() == EV_READ ? 0 : 1);
	if (waitpid(pid, &status, 0) != pid || status)
		return 0;
	if (turn() != EV_READ)
		return 0;
	event_free(ev);
	return 1;
}

/* Who executes another program leaves it with signals as they were. */
static int executed(void)
{
	struct event *ev = evsignal_new(base, SIGTERM, on_ready, NULL);
	int status;
	pid_t pid;

	event_add(ev, NULL);
	raise(SIGTERM);
	if (turn() != EV_SIGNAL)
		return 0;
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 0", NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 0;
	event_free(ev);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
}

/* What cannot be watched is refused, or told as something to read. */
static int closed(void)
{
	struct event *ev;
	int pair[2], ok;

	make_pair(pair);
	close(pair[0]);
	ev = event_new(base, pair[0], EV_READ | EV_PERSIST, on_ready, NULL);
	ok = event_add(ev, NULL) || turn() == EV_READ;
	event_free(ev);
	return ok;
}

static const struct test {
	const char *name;
	int (*run)(void);
} tests[] = {
	{ "reused", reused }, { "replaced", replaced }, { "duplicated", duplicated },
	{ "read_already", read_already }, { "forked", forked }, { "executed", executed },
	{ "closed", closed },
};

int main(int argc, char **argv)
{
	int i, j, ok, failed = 0, nr = sizeof(tests) / sizeof(tests[0]);

	printf("1..%d\n", nr);
	for (i = 0; i < nr; i++) {
		for (j = 1; j < argc && strcmp(argv[j], tests[i].name); j++)
			;
		if (argc > 1 && j == argc) {
			printf("ok %d %s # SKIP not asked for\n", i + 1, tests[i].name);
			continue;
		}
		base = event_base_new();
		if (!base)
			die("event_base_new");
		ok = tests[i].run();
		failed += !ok;
		printf("%sok %d %s\n", ok ? "" : "not ", i + 1, tests[i].name);
		event_base_free(base);
	}
	return failed != 0;
}
