// SPDX-License-Identifier: GPL-2.0
/*
 * samples/kevent/echo-server, in both of its modes: every byte comes back, whoever
 * reads late, ends early or goes away.  And the calls that it takes.
 */
#include "counted.h"
#include "kevent_test.h"

#define main echo_main
#include "../../../../samples/kevent/echo-server.c"
#undef main
#include "../../../../samples/kevent/echo-stream.c"

#define CLIENTS	32

FIXTURE(echo)
{
	pid_t server;
	int port;
	int report;		/* where the server tells what it counted */
	int fd[CLIENTS];
};

FIXTURE_VARIANT(echo)
{
	bool stream;
};

FIXTURE_VARIANT_ADD(echo, readiness)
{
	.stream = false,
};

FIXTURE_VARIANT_ADD(echo, stream)
{
	.stream = true,
};

static int report_to;

static void tell_counted(int signo)
{
	if (write(report_to, &counted, sizeof(counted)) < 0)
		_exit(1);
	_exit(0);
}

/* What is echoed, by client and position. */
static char echo_byte(int client, size_t position)
{
	return (position * 2654435761U >> 13) + client;
}

static int echo_connect(int port)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	struct timeval limit = { .tv_sec = TEST_LONG_MS / 1000 };
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (connect(fd, (struct sockaddr *)&sin, sizeof(sin))) {
		if (now_ns(CLOCK_MONOTONIC) > end) {
			close(fd);
			return -1;
		}
		sleep_ms(1);	/* it only starts */
	}
	return fd;
}

/* Sends the stream of @client on from @from, what goes without blocking; how much. */
static size_t say_some(int fd, int client, size_t from, size_t len)
{
	char buf[8192];
	size_t i;
	ssize_t n;

	if (len > sizeof(buf))
		len = sizeof(buf);
	for (i = 0; i < len; i++)
		buf[i] = echo_byte(client, from + i);
	n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n > 0 ? n : 0;
}

/* Reads what there is; how much, or -1 if it is not what was sent. */
static ssize_t hear_some(int fd, int client, size_t from, int flags)
{
	char buf[8192];
	ssize_t n = recv(fd, buf, sizeof(buf), flags), i;

	for (i = 0; i < n; i++)
		if (buf[i] != echo_byte(client, from + i))
			return -1;
	return n > 0 ? n : 0;
}

/* Says @len bytes and hears them; whether it did. */
static bool is_echoed(int fd, int client, size_t from, size_t len)
{
	size_t said = 0, heard = 0;
	ssize_t n;

	while (heard < len) {
		said += say_some(fd, client, from + said, len - said);
		n = hear_some(fd, client, from + heard,
			      said < len ? MSG_DONTWAIT : 0);
		if (n < 0 || (!n && said == len))
			return false;
		heard += n;
	}
	return true;
}

FIXTURE_SETUP(echo)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int ends[2], i, ret, sock = socket(AF_INET, SOCK_STREAM, 0);
	struct kevent_params params;
	struct ukevent_queue q;
	char port[16];

	if (variant->stream) {
		memset(&params, 0, sizeof(params));
		params.flags = KEVENT_CREATE_DATA;
		ret = ukevent_queue_init(&q, &params);
		if (ret == -EOPNOTSUPP)
			SKIP(return, "the kernel carries no bytes");
		ASSERT_EQ(0, ret);
		ukevent_queue_exit(&q);
	}
	loopback_up();
	for (i = 0; i < CLIENTS; i++)
		self->fd[i] = -1;
	ASSERT_EQ(0, bind(sock, (struct sockaddr *)&sin, len));
	ASSERT_EQ(0, getsockname(sock, (struct sockaddr *)&sin, &len));
	close(sock);
	self->port = ntohs(sin.sin_port);
	ASSERT_EQ(0, pipe(ends));
	self->report = ends[0];
	report_to = ends[1];
	memset(&counted, 0, sizeof(counted));
	snprintf(port, sizeof(port), "%d", self->port);
	self->server = fork();
	if (!self->server) {
		char *argv[] = { "echo-server", "--stream", port, NULL };

		signal(SIGTERM, tell_counted);
		if (!variant->stream)
			argv[1] = port;
		_exit(echo_main(variant->stream ? 3 : 2, argv));
	}
	close(ends[1]);
}

FIXTURE_TEARDOWN(echo)
{
	int i;

	if (self->server > 0) {
		kill(self->server, SIGKILL);
		waitpid(self->server, NULL, 0);
	}
	close(self->report);
	for (i = 0; i < CLIENTS; i++)
		if (self->fd[i] >= 0)
			close(self->fd[i]);
}

#define CONNECT(nr) \
do { \
	int __i; \
	for (__i = 0; __i < (nr); __i++) { \
		self->fd[__i] = echo_connect(self->port); \
		ASSERT_GE(self->fd[__i], 0); \
	} \
} while (0)

/* All at once, in pieces of any size. */
TEST_F_TIMEOUT(echo, all_bytes, 120)
{
	size_t said[CLIENTS] = {}, heard[CLIENTS] = {}, total = test_loops(200000);
	int i, left = CLIENTS;
	ssize_t n;

	CONNECT(CLIENTS);
	srand(1);
	while (left) {
		for (i = 0; i < CLIENTS; i++) {
			if (heard[i] == total)
				continue;
			n = 1 + rand() % 8192;
			if (n > (ssize_t)(total - said[i]))
				n = total - said[i];
			if (n)
				said[i] += say_some(self->fd[i], i, said[i], n);
			n = hear_some(self->fd[i], i, heard[i],
				      said[i] == total ? 0 : MSG_DONTWAIT);
			ASSERT_GE(n, 0);
			ASSERT_TRUE(n || said[i] < total);
			heard[i] += n;
			left -= heard[i] == total;
		}
	}
}

/* Who does not read is not read from for ever, loses nothing, and holds nobody up. */
TEST_F_TIMEOUT(echo, late_reader, 120)
{
	size_t said, heard, before;
	int idle = 0;
	ssize_t n;

	CONNECT(2);
	for (said = 0, idle = 0; idle < 20 && said < 256U << 20;) {
		before = said;
		said += say_some(self->fd[0], 0, said, 8192);
		if (said != before) {
			idle = 0;
			continue;
		}
		idle++;
		ASSERT_TRUE(is_echoed(self->fd[1], 1, 0, 10000));
		sleep_ms(10);
	}
	ASSERT_EQ(20, idle);
	for (heard = 0; heard < said; heard += n) {
		n = hear_some(self->fd[0], 0, heard, 0);
		ASSERT_GT(n, 0);
	}
	EXPECT_TRUE(is_echoed(self->fd[0], 0, said, 100000));
}

/* Who ends first gets everything, and then the end; also if it reads late. */
TEST_F_TIMEOUT(echo, half_closed, 120)
{
	static const size_t sizes[] = { 0, 1, 5000, 200000, 1000000 };
	size_t said, heard;
	unsigned int i;
	ssize_t n;

	CONNECT(5);
	for (i = 0; i < 5; i++) {
		for (said = 0; said < sizes[i]; said += n) {
			struct pollfd p = { .fd = self->fd[i], .events = POLLOUT };

			/* More than both buffers hold may be on its way. */
			n = say_some(self->fd[i], i, said, sizes[i] - said);
			if (!n && !poll(&p, 1, 100))
				break;
		}
		ASSERT_EQ(0, shutdown(self->fd[i], SHUT_WR));
		for (heard = 0; heard < said; heard += n) {
			n = hear_some(self->fd[i], i, heard, 0);
			ASSERT_GT(n, 0);
		}
		EXPECT_EQ(0, recv(self->fd[i], &n, 1, 0));
	}
}

/* Connections that are reset with bytes under way, and those that come after. */
TEST_F_TIMEOUT(echo, reset, 120)
{
	struct linger at_once = { .l_onoff = 1 };
	int i, round;

	for (round = 0; round < 5; round++) {
		CONNECT(CLIENTS);
		for (i = 0; i < CLIENTS; i++) {
			say_some(self->fd[i], i, 0, 1 + 200 * i);
			if (i % 3 == 2)
				continue;
			if (i % 3)
				setsockopt(self->fd[i], SOL_SOCKET, SO_LINGER,
					   &at_once, sizeof(at_once));
			close(self->fd[i]);
			self->fd[i] = -1;
		}
		for (i = 2; i < CLIENTS; i += 3) {
			EXPECT_EQ(1 + 200 * i, recv(self->fd[i], (char[8192]){},
						    1 + 200 * i, MSG_WAITALL));
			close(self->fd[i]);
			self->fd[i] = -1;
		}
	}
	CONNECT(1);
	EXPECT_TRUE(is_echoed(self->fd[0], 0, 0, 100000));
}

/* A round of all clients, which have sent before the server looks. */
TEST_F_TIMEOUT(echo, few_calls, 120)
{
	const int rounds = 20;
	struct counted total;
	int i, round, status;
	unsigned int calls;

	CONNECT(CLIENTS);
	for (i = 0; i < CLIENTS; i++)
		ASSERT_TRUE(is_echoed(self->fd[i], i, 0, 64));
	for (round = 1; round <= rounds; round++) {
		kill(self->server, SIGSTOP);
		ASSERT_EQ(self->server, waitpid(self->server, &status, WUNTRACED));
		for (i = 0; i < CLIENTS; i++)
			ASSERT_EQ(64U, say_some(self->fd[i], i, 64 * round, 64));
		kill(self->server, SIGCONT);
		for (i = 0; i < CLIENTS; i++)
			ASSERT_EQ(64, hear_some(self->fd[i], i, 64 * round, 0));
	}
	kill(self->server, SIGTERM);
	ASSERT_EQ((ssize_t)sizeof(total), read(self->report, &total, sizeof(total)));
	calls = total.ctl + total.wait + total.send;
	TH_LOG("%u calls for events and sends, of which %u send", calls, total.send);
	/* One for each client to come; then two a round, as SIGCONT ends the sleep. */
	if (variant->stream) {
		EXPECT_LE(calls, CLIENTS * 4U + 3U * rounds);
	} else {
		EXPECT_EQ(0U, total.send);
	}
}

TEST_HARNESS_MAIN
