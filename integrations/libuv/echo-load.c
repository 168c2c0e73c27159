// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * echo-load.c - the first process of a guest that measures: runs "tcp MODE PORT" in
 * each mode under a load of 32 connections, with a window of the counting plugin
 * around it, see ../../bench/plugin/insn.c
 *
 * Windows 0: each connection has one message under way: the client reads the answers in
 * turn, and sends the next message where it has read one.  Windows 1: a connection for
 * each message.  With two processors client and server have one each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mark.h"

#define CONNECTIONS	32
#define PORT		7000
#define WARM_UP		32	/* rounds */
#define ROUNDS		64	/* in a window */
#define SHORT_ROUNDS	8	/* in a window of short connections */
#define SIZE		64	/* bytes of a message */

static int fd[CONNECTIONS];

static void end(const char *what)
{
	if (what)
		printf("MEASURE failed: %s: %s\n", what, strerror(errno));
	else
		printf("MEASURE done\n");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void processor(int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		end("sched_setaffinity");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &request))
		end("lo");
	close(s);
}

static pid_t start_server(const char *mode)
{
	char port[8];
	pid_t pid = fork();

	if (pid < 0)
		end("fork");
	if (pid)
		return pid;
	snprintf(port, sizeof(port), "%d", PORT);
	processor(0);
	/* Of a build with the back-end, that does not use it. */
	if (!strcmp(mode, "epoll"))
		setenv("UV_USE_KEVENT", "0", 1);
	execl("/tcp", "tcp", mode, port, NULL);
	_exit(127);
}

static void connect_all(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int i, tries = 0, one = 1;

	for (i = 0; i < CONNECTIONS; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		while (connect(fd[i], (struct sockaddr *)&address, sizeof(address))) {
			if (++tries > 1000)
				end("connect");
			usleep(10000);
		}
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
}

static void send_one(int i)
{
	static char message[SIZE];

	message[0] = i;
	if (write(fd[i], message, SIZE) != SIZE)
		end("write");
}

static void receive_one(int i)
{
	char message[SIZE];

	if (read(fd[i], message, SIZE) != SIZE || message[0] != i)
		end("read");
}

static void rounds(int nr)
{
	int i;

	while (nr--)
		for (i = 0; i < CONNECTIONS; i++) {
			receive_one(i);
			send_one(i);
		}
}

static void close_all(void)
{
	int i;

	for (i = 0; i < CONNECTIONS; i++) {
		receive_one(i);
		close(fd[i]);
	}
}

static void short_rounds(int nr)
{
	int i;

	while (nr--) {
		connect_all();
		for (i = 0; i < CONNECTIONS; i++)
			send_one(i);
		close_all();
	}
}

static void measure(const char *mode)
{
	pid_t pid = start_server(mode);
	int i, window;

	mark_case();
	connect_all();
	for (i = 0; i < CONNECTIONS; i++)
		send_one(i);
	rounds(WARM_UP);
	for (window = 0; window < 3; window++) {
		mark_begin(0);
		rounds(ROUNDS);
		mark_end(0);
	}
	close_all();
	short_rounds(1);
	for (window = 0; window < 3; window++) {
		mark_begin(1);
		short_rounds(SHORT_ROUNDS);
		mark_end(1);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("MEASURE %s\n", mode);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	mkdir("/proc", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL))
		end("/proc");
	loopback_up();
	processor(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	measure("epoll");
	measure("kevent");
	end(NULL);
}
