// SPDX-License-Identifier: GPL-2.0
/*
 * load - a closed loop of requests over many connections, from one thread
 *
 *	load -p PORT -c CONNECTIONS -n REQUESTS memcached|redis|http
 *
 * Waits by poll(2), so that what is preloaded in the server is not measured here.  Each
 * answer is compared with what it is to be.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST	1024

static const struct protocol {
	const char *name, *first, *first_answer, *request, *answer;
} protocols[] = {
	{ "memcached", "set key 0 0 32\r\n01234567890123456789012345678901\r\n", "STORED\r\n",
	  "get key\r\n", "VALUE key 0 32\r\n01234567890123456789012345678901\r\nEND\r\n" },
	{ "redis", "SET key 01234567890123456789012345678901\r\n", "+OK\r\n",
	  "GET key\r\n", "$32\r\n01234567890123456789012345678901\r\n" },
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void ask(int fd, const char *request)
{
	size_t size = strlen(request);

	if (write(fd, request, size) != (ssize_t)size)
		die("write");
}

/* Take what is there of an answer; returns whether it is complete. */
static int take(int fd, const char *answer, size_t *got)
{
	size_t size = strlen(answer);
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0 || *got + n > size || memcmp(buf, answer + *got, n)) {
		fprintf(stderr, "load: a wrong answer\n");
		exit(1);
	}
	*got += n;
	if (*got < size)
		return 0;
	*got = 0;
	return 1;
}

int main(int argc, char **argv)
{
	int port = 0, connections = 32, option, i, ready;
	long requests = 10000, asked = 0, answered = 0, turns = 0;
	static struct pollfd pfd[MOST];
	static size_t got[MOST];
	const struct protocol *p = NULL;

	while ((option = getopt(argc, argv, "p:c:n:")) != -1) {
		if (option == 'p')
			port = atoi(optarg);
		else if (option == 'c')
			connections = atoi(optarg);
		else if (option == 'n')
			requests = atol(optarg);
	}
	for (i = 0; optind < argc && i < (int)(sizeof(protocols) / sizeof(*protocols)); i++) {
		if (!strcmp(protocols[i].name, argv[optind]))
			p = protocols + i;
	}
	if (!p || !port || connections < 1 || connections > MOST) {
		fprintf(stderr, "usage: load -p PORT -c CONNECTIONS -n REQUESTS PROTOCOL\n");
		return 2;
	}
	for (i = 0; i < connections; i++) {
		pfd[i].fd = dial(port);
		pfd[i].events = POLLIN;
	}
	ask(pfd[0].fd, p->first);
	while (!take(pfd[0].fd, p->first_answer, got))
		;
	for (i = 0; i < connections; i++, asked++)
		ask(pfd[i].fd, p->request);
	while (answered < asked) {
		ready = poll(pfd, connections, 20000);
		if (ready <= 0) {
			fprintf(stderr, "load: no answer any more after %ld\n", answered);
			return 1;
		}
		turns++;
		for (i = 0; i < connections; i++) {
			if (!pfd[i].revents || !take(pfd[i].fd, p->answer, got + i))
				continue;
			answered++;
			if (asked < requests) {
				ask(pfd[i].fd, p->request);
				asked++;
			}
		}
	}
	printf("%ld requests on %d connections, %.1f at a time\n", answered, connections,
	       (double)answered / turns);
	return 0;
}
