// SPDX-License-Identifier: GPL-2.0
/*
 * samples/kevent/chat-server: a scripted session, and the calls that it takes.
 *
 * What the clients do in a round is done while the server is stopped, so that it
 * finds all of it at once, whatever else the machine has to do.
 */
#include "counted.h"
#include "kevent_test.h"

#define main chat_main
#include "../../../../samples/kevent/chat-server.c"
#undef main

#define CLIENTS	36
#define ROUNDS	23

FIXTURE(chat)
{
	char greeting[64];
	int port;
	int report;		/* where the server tells what it counted */
	pid_t server;
	int fd[CLIENTS];
	FILE *in[CLIENTS];
};

static int server_start(FIXTURE_DATA(chat) * self, const char *idle_ms)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int ends[2], sock = socket(AF_INET, SOCK_STREAM, 0);
	char port[16];

	loopback_up();
	if (bind(sock, (struct sockaddr *)&sin, len) ||
	    getsockname(sock, (struct sockaddr *)&sin, &len) || pipe(ends))
		return -errno;
	close(sock);
	self->port = ntohs(sin.sin_port);
	self->report = ends[0];
	snprintf(port, sizeof(port), "%d", self->port);
	memset(&counted, 0, sizeof(counted));
	self->server = fork();
	if (!self->server) {
		char *argv[] = {
			"chat-server", port, self->greeting, (char *)idle_ms,
			NULL
		};
		int ret = chat_main(4, argv);

		if (write(ends[1], &counted, sizeof(counted)) < 0)
			ret = 1;
		_exit(ret);
	}
	close(ends[1]);
	return self->server < 0 ? -errno : 0;
}

/* Connects client @i, and waits for a server that only starts. */
static int join(FIXTURE_DATA(chat) * self, int i)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	struct timeval limit = { .tv_sec = TEST_LONG_MS / 1000 };
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(self->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (connect(fd, (struct sockaddr *)&sin, sizeof(sin))) {
		if (now_ns(CLOCK_MONOTONIC) > end)
			return -errno;
		sleep_ms(1);
	}
	self->fd[i] = fd;
	self->in[i] = fdopen(fd, "r");
	return self->in[i] ? 0 : -errno;
}

static int say(int fd, const char *text)
{
	ssize_t len = strlen(text);

	return send(fd, text, len, MSG_NOSIGNAL) == len ? 0 : -errno;
}

/* Reads lines; how many of them contain @text, which shall be all. */
static int hears(FILE *in, int lines, const char *text)
{
	char line[128];
	int right = 0;

	while (lines-- && fgets(line, sizeof(line), in))
		right += !!strstr(line, text);
	return right;
}

/* It is disconnected, and nothing more comes. */
static bool hears_end(FILE *in)
{
	return fgetc(in) == EOF && feof(in);
}

static int hold(FIXTURE_DATA(chat) * self)
{
	int status;

	kill(self->server, SIGSTOP);
	return waitpid(self->server, &status, WUNTRACED) == self->server &&
	       WIFSTOPPED(status) ? 0 : -ECHILD;
}

static void let_go(FIXTURE_DATA(chat) * self)
{
	kill(self->server, SIGCONT);
}

static void set_greeting(FIXTURE_DATA(chat) * self, const char *text)
{
	int fd = open(self->greeting, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd >= 0 && write(fd, text, strlen(text)) > 0)
		close(fd);
}

FIXTURE_SETUP(chat)
{
	int i;

	mkdir("/tmp", 01777);
	snprintf(self->greeting, sizeof(self->greeting), "/tmp/chat-%d",
		 getpid());
	set_greeting(self, "hello\n");
	self->server = -1;
	for (i = 0; i < CLIENTS; i++)
		self->in[i] = NULL;
}

FIXTURE_TEARDOWN(chat)
{
	int i;

	if (self->server > 0)
		kill(self->server, SIGKILL);
	for (i = 0; i < CLIENTS; i++)
		if (self->in[i])
			fclose(self->in[i]);
	unlink(self->greeting);
}

/* Everything, in one session; then what it took. */
TEST_F_TIMEOUT(chat, session, 120)
{
	struct counted total;
	unsigned int calls;
	char text[32];
	int i, round;

	ASSERT_EQ(0, server_start(self, "3600000"));
	ASSERT_EQ(0, join(self, 0));
	ASSERT_EQ(1, hears(self->in[0], 1, "hello"));

	ASSERT_EQ(0, hold(self));
	for (i = 1; i < CLIENTS; i++)
		ASSERT_EQ(0, join(self, i));
	let_go(self);
	for (i = 1; i < CLIENTS; i++)
		ASSERT_EQ(1, hears(self->in[i], 1, "hello"));

	for (round = 0; round < ROUNDS; round++) {
		snprintf(text, sizeof(text), "word %d\n", round);
		ASSERT_EQ(0, hold(self));
		for (i = 0; i < CLIENTS; i++)
			ASSERT_EQ(0, say(self->fd[i], text));
		let_go(self);
		for (i = 0; i < CLIENTS; i++)
			ASSERT_EQ(CLIENTS - 1,
				  hears(self->in[i], CLIENTS - 1, text));
	}

	/* threads */
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, hold(self));
		for (i = 0; i < CLIENTS; i++) {
			snprintf(text, sizeof(text), "/sum %d\n", 100 * i);
			ASSERT_EQ(0, say(self->fd[i], text));
		}
		let_go(self);
		for (i = 0; i < CLIENTS; i++) {
			snprintf(text, sizeof(text), "sum %d\n",
				 50 * i * (100 * i + 1));
			ASSERT_EQ(1, hears(self->in[i], 1, text));
		}
	}

	/* children */
	ASSERT_EQ(0, hold(self));
	for (i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "/run %d\n", i);
		ASSERT_EQ(0, say(self->fd[i], text));
	}
	let_go(self);
	for (i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "exit %d\n", i);
		ASSERT_EQ(1, hears(self->in[i], 1, text));
	}

	/* reload */
	set_greeting(self, "changed\n");
	kill(self->server, SIGHUP);
	for (i = 0; i < CLIENTS; i++)
		ASSERT_EQ(1, hears(self->in[i], 1, "changed"));

	/* one half says good-bye or just goes, the others are told to */
	ASSERT_EQ(0, hold(self));
	for (i = 0; i < CLIENTS / 2; i++) {
		ASSERT_EQ(0, i % 2 ? say(self->fd[i], "/quit\n") :
				     shutdown(self->fd[i], SHUT_WR));
	}
	let_go(self);
	for (i = 0; i < CLIENTS / 2; i++)
		EXPECT_TRUE(hears_end(self->in[i]));
	kill(self->server, SIGTERM);
	for (; i < CLIENTS; i++) {
		EXPECT_EQ(1, hears(self->in[i], 1, "bye"));
		EXPECT_TRUE(hears_end(self->in[i]));
	}
	EXPECT_EQ(0, child_status(self->server));
	self->server = -1;
	ASSERT_EQ((ssize_t)sizeof(total), read(self->report, &total, sizeof(total)));

	/* one call for each change and each wait, as with the simple helpers */
	calls = total.ctl + total.wait;
	TH_LOG("%u calls, %u changes: %u one by one", calls, total.changes,
	       total.changes + total.wait);
	EXPECT_GE(130U, calls);
	EXPECT_LE(1000U, total.changes + total.wait);
}

/*
 * Who says nothing is disconnected, who speaks now and then is not.  Nor is it now and
 * then where all of this is stopped for seconds: once more, with a longer time.
 */
TEST_F_TIMEOUT(chat, idle, 240)
{
	static const char *const idle_ms[] = { "3000", "10000", "40000" };
	unsigned int t;
	bool alone;
	int i, n;

	for (t = 0, alone = false; !alone && t < 3; t++) {
		if (t) {
			kill(self->server, SIGKILL);
			waitpid(self->server, NULL, 0);
			for (i = 0; i < 2; i++) {
				fclose(self->in[i]);
				self->in[i] = NULL;
			}
		}
		ASSERT_EQ(0, server_start(self, idle_ms[t]));
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, join(self, i));
			ASSERT_EQ(1, hears(self->in[i], 1, "hello"));
		}
		for (i = 0; !is_ready(self->fd[1], POLLRDHUP, 200); i++)
			if (say(self->fd[0], "still\n"))
				break;
		alone = !is_ready(self->fd[0], POLLRDHUP, TEST_SHORT_MS);
	}
	ASSERT_TRUE(alone);
	/* what is said when it goes may come too late for it */
	n = hears(self->in[1], i, "still");
	EXPECT_LE(i - 1, n);
	EXPECT_TRUE(hears_end(self->in[1]));
	EXPECT_EQ(0, say(self->fd[0], "/sum 4\n"));
	EXPECT_EQ(1, hears(self->in[0], 1, "sum 10"));
	kill(self->server, SIGTERM);
	EXPECT_EQ(1, hears(self->in[0], 1, "bye"));
	EXPECT_EQ(0, child_status(self->server));
	self->server = -1;
}

TEST_HARNESS_MAIN
