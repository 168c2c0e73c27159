// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A load on the server, by a child of it that ends by itself: some connections, and a
 * request on each in every round, most of them for a few bytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define SECONDS		8
#define ROUNDS		5000	/* at most, however fast it is */
#define CONNS		64
#define PATIENCE	20	/* seconds, for a slow emulator */

#ifndef P_PIDFD
#define P_PIDFD		3
#endif

static const char small[] = "GET /hello.txt HTTP/1.1\r\nHost: load\r\n\r\n";
static const char large[] = "GET /big.txt HTTP/1.1\r\nHost: load\r\n\r\n";

/**
 * load_start - start the child
 * @addr: where the server listens
 * @port: likewise
 *
 * Return: a pidfd of it, or a negative error number.
 */
int load_start(const char *addr, int port)
{
	char number[8];
	char *argv[] = { "http-load", "--load", (char *)addr, number, NULL };
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;
	int err, fd;

	snprintf(number, sizeof(number), "%d", port);
	posix_spawnattr_init(&attr);
	/* It is stopped by what the server does not die of. */
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (err)
		return -err;
	/* Nobody else waits for it: the number is its own. */
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		return fd;
	err = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -err;
}

/**
 * load_reap - the child has ended
 * @pidfd: of load_start(), closed by this
 *
 * Return: 0 if it ended well.
 */
int load_reap(int pidfd)
{
	siginfo_t info = {};

	while (waitid(P_PIDFD, pidfd, &info, WEXITED) && errno == EINTR)
		;
	close(pidfd);
	return info.si_code == CLD_EXITED ? info.si_status : -1;
}

static int connect_to(const struct sockaddr_in *sin)
{
	struct timeval limit = { .tv_sec = PATIENCE };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) &&
	    !connect(fd, (const struct sockaddr *)sin, sizeof(*sin)))
		return fd;
	close(fd);
	return -1;
}

/* One answer, of which nobody keeps anything. */
static bool skip_answer(int fd)
{
	char buf[16384 + 1], *body, *field;
	size_t have = 0, left;
	ssize_t n;

	do {
		n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (n <= 0)
			return false;
		have += n;
		buf[have] = '\0';
		body = strstr(buf, "\r\n\r\n");
	} while (!body);
	body += 4;
	field = strstr(buf, "\r\nContent-Length: ");
	if (!field || field > body)
		return false;
	left = strtoull(field + 18, NULL, 10);
	have -= body - buf;
	if (have > left)	/* nothing was asked for behind it */
		return false;
	for (left -= have; left; left -= n) {
		n = recv(fd, buf, left < sizeof(buf) ? left : sizeof(buf), 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool round_trip(const int *fds, unsigned int round)
{
	const char *request;
	int i;

	for (i = 0; i < CONNS; i++) {
		request = i == (int)(round % CONNS) ? large : small;
		if (send(fds[i], request, strlen(request), MSG_NOSIGNAL) < 0)
			return false;
	}
	for (i = 0; i < CONNS; i++)
		if (!skip_answer(fds[i]))
			return false;
	return true;
}

static time_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/**
 * load_main - the child
 * @addr: where the server listens
 * @port: likewise
 *
 * Return: exit status.
 */
int load_main(const char *addr, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	unsigned int round;
	int fds[CONNS], i;
	time_t end;

	/* Not longer than the server. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		return 2;
	if (sin.sin_addr.s_addr == htonl(INADDR_ANY))
		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < CONNS; i++) {
		fds[i] = connect_to(&sin);
		if (fds[i] < 0)
			return 1;
	}
	end = seconds() + SECONDS;
	for (round = 0; round < ROUNDS && seconds() < end; round++)
		if (!round_trip(fds, round))
			return 1;
	return 0;
}
