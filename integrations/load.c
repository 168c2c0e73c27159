// SPDX-License-Identifier: GPL-2.0
/*
 * load - a closed loop of requests over many connections, from one thread
 *
 *	load [-1] -p PORT -c CONNECTIONS -n REQUESTS echo|memcached|redis|http
 *
 * -1: each request has a connection of its own, closed here when it is answered.
 *
 * Waits by poll(2), so that what is preloaded in the server is not measured here.  Each
 * answer is compared with what it is to be, or, of http, with the first but for the
 * date.  All requests but the first of each connection, or place for one, are between
 * two marks for the counting plugin of bench/, which are no more than NOPs elsewhere.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mark.h"

#define MOST	1024
#define DATE	"\r\nDate: "
#define DATE_SIZE	29	/* Sun, 06 Nov 1994 08:49:37 GMT */
#define ECHO	"0123456789012345678901234567890123456789012345678901234567890123"

static const struct protocol {
	const char *name, *first, *first_answer, *request, *answer;
} protocols[] = {
	{ "echo", NULL, NULL, ECHO, ECHO },
	{ "memcached", "set key 0 0 32\r\n01234567890123456789012345678901\r\n", "STORED\r\n",
	  "get key\r\n", "VALUE key 0 32\r\n01234567890123456789012345678901\r\nEND\r\n" },
	{ "redis", "SET key 01234567890123456789012345678901\r\n", "+OK\r\n",
	  "GET key\r\n", "$32\r\n01234567890123456789012345678901\r\n" },
	{ "http", NULL, NULL, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n", NULL },
};

static long calls;	/* system calls made to answer requests */

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
	calls += 3;
	return fd;
}

/* Another connection in the place of one that is done with. */
static int dial_again(int fd, int port)
{
	close(fd);
	calls++;
	return dial(port);
}

static void ask(int fd, const char *request)
{
	size_t size = strlen(request);

	calls++;
	if (write(fd, request, size) != (ssize_t)size)
		die("write");
}

static void wrong(void)
{
	fprintf(stderr, "load: a wrong answer\n");
	exit(1);
}

/**
 * struct answer - what is to come
 * @text: it
 * @size: its size
 * @date: where the date begins, which is not compared; @size if there is none
 */
struct answer {
	const char *text;
	size_t size;
	size_t date;
};

static struct answer answer_of(const char *text)
{
	const char *date = strstr(text, DATE);
	struct answer answer = { .text = text, .size = strlen(text) };

	answer.date = date ? (size_t)(date - text) + strlen(DATE) : answer.size;
	return answer;
}

/* The first answer of http, to a request for a small file that ends with a newline. */
static const char *learn(int fd, const char *request)
{
	static char text[4096];
	size_t got = 0;
	ssize_t n;

	ask(fd, request);
	do {
		n = read(fd, text + got, sizeof(text) - 1 - got);
		if (n <= 0)
			wrong();
		got += n;
	} while (!strstr(text, "\r\n\r\n") || text[got - 1] != '\n' || text[got - 2] == '\r');
	if (strncmp(text, "HTTP/1.1 200 ", 13) || !strstr(text, DATE))
		wrong();
	return text;
}

/* Take what is there of an answer; returns whether it is complete. */
static int take(int fd, const struct answer *answer, size_t *got)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));
	size_t from, to;

	calls++;
	if (n <= 0 || *got + n > answer->size)
		wrong();
	from = *got > answer->date ? *got : answer->date;
	to = answer->date + DATE_SIZE < *got + n ? answer->date + DATE_SIZE : *got + n;
	if (from < to)
		memcpy(buf + from - *got, answer->text + from, to - from);
	if (memcmp(buf, answer->text + *got, n))
		wrong();
	*got += n;
	if (*got < answer->size)
		return 0;
	*got = 0;
	return 1;
}

/* Wait for all of an answer. */
static void await(int fd, struct answer answer)
{
	size_t got = 0;

	while (!take(fd, &answer, &got))
		;
}

int main(int argc, char **argv)
{
	int port = 0, connections = 32, option, i, ready;
	int each = 0;
	long requests = 10000, asked = 0, answered = 0, turns = 0;
	static struct pollfd pfd[MOST];
	static size_t got[MOST];
	const struct protocol *p = NULL;
	struct answer answer;

	while ((option = getopt(argc, argv, "1p:c:n:")) != -1) {
		if (option == '1')
			each = 1;
		else if (option == 'p')
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
		fprintf(stderr, "usage: load [-1] -p PORT -c CONNECTIONS -n REQUESTS PROTOCOL\n");
		return 2;
	}
	for (i = 0; i < connections; i++) {
		pfd[i].fd = dial(port);
		pfd[i].events = POLLIN;
	}
	if (p->first) {
		ask(pfd[0].fd, p->first);
		await(pfd[0].fd, answer_of(p->first_answer));
	}
	if (p->answer) {
		answer = answer_of(p->answer);
	} else {
		answer = answer_of(learn(pfd[0].fd, p->request));
	}
	for (i = 0; i < connections; i++) {
		ask(pfd[i].fd, p->request);
		await(pfd[i].fd, answer);
		if (each)
			pfd[i].fd = dial_again(pfd[i].fd, port);
	}
	calls = 0;
	mark_case();
	mark_begin(0);
	for (i = 0; i < connections; i++, asked++)
		ask(pfd[i].fd, p->request);
	while (answered < asked) {
		calls++;
		ready = poll(pfd, connections, 20000);
		if (ready <= 0) {
			fprintf(stderr, "load: no answer any more after %ld\n", answered);
			return 1;
		}
		turns++;
		for (i = 0; i < connections; i++) {
			if (!pfd[i].revents || !take(pfd[i].fd, &answer, got + i))
				continue;
			answered++;
			if (asked < requests) {
				if (each)
					pfd[i].fd = dial_again(pfd[i].fd, port);
				ask(pfd[i].fd, p->request);
				asked++;
			} else if (each) {
				close(pfd[i].fd);
				calls++;
				pfd[i].fd = -1;
			}
		}
	}
	mark_end(0);
	printf("%ld requests on %d connections, %.1f at a time, %ld polls, %ld calls\n",
	       answered, connections, (double)answered / turns, turns, calls);
	return 0;
}
