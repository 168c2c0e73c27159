// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The guide's threads: each has a queue of its own, all of them accept from one
 * listening socket, and one is told of what the others have done by a user event.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <ukevent.h>

#define THREADS		4
#define CLIENTS		100
#define STOP		1	/* number and cookie of the user event of a thread */
#define LISTENER	2

static struct ukevent_queue queue[THREADS];
static struct ukevent_queue results;
static int listener;

static void die(const char *what)
{
	fprintf(stderr, "threads: %s failed\n", what);
	exit(1);
}

static void make_queue(struct ukevent_queue *q)
{
	struct kevent_params params = { .nr_expected = 64 };

	if (ukevent_queue_init(q, &params) ||
	    ukevent_add(q, KEVENT_TYPE_USER, STOP, KEVENT_USER_TRIGGERED, 0, STOP))
		die("making a queue");
}

/* Answers who is there, and tells the results queue of how many that were. */
static void serve(void)
{
	unsigned int served = 0;
	struct kevent_change e;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
			served++;
		close(fd);
	}
	/* Another thread was faster: EAGAIN is no error. */
	if (!served)
		return;
	ukevent_prep_trigger(&e, STOP, 0, served);
	if (ukevent_change(&results, &e))
		die("telling");
}

static void *worker(void *arg)
{
	struct ukevent_queue *q = arg;
	struct ukevent ev;

	/* Of those that wait for the same socket one is woken, not all. */
	if (ukevent_add_socket(q, listener, KEVENT_SOCK_ACCEPT,
			       KEVENT_EDGE | KEVENT_EXCLUSIVE, LISTENER))
		die("watching the socket");
	while (ukevent_dequeue(q, &ev, UKEVENT_FOREVER) == 1 && ev.cookie != STOP)
		serve();
	return NULL;
}

static void *client(void *arg)
{
	char byte;
	int i, fd;

	for (i = 0; i < CLIENTS; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, arg, sizeof(struct sockaddr_in)) ||
		    recv(fd, &byte, 1, 0) != 1)
			die("connecting");
		close(fd);
	}
	return NULL;
}

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	pthread_t thread[THREADS + 1];
	unsigned int served = 0;
	struct ukevent ev;
	int i;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, SOMAXCONN) ||
	    getsockname(listener, (struct sockaddr *)&sin, &len))
		die("listening");
	make_queue(&results);
	for (i = 0; i < THREADS; i++) {
		make_queue(queue + i);
		if (pthread_create(thread + i, NULL, worker, queue + i))
			die("making a thread");
	}
	if (pthread_create(thread + i, NULL, client, &sin))
		die("making a thread");

	/* What is triggered while a record is unread adds up: nothing gets lost. */
	while (served < CLIENTS) {
		if (ukevent_dequeue(&results, &ev, UKEVENT_FOREVER) != 1)
			die("waiting");
		served += ev.data[1];
	}
	printf("%u clients were served\n", served);

	for (i = 0; i < THREADS; i++)
		ukevent_trigger(queue + i, STOP, 0);
	for (i = 0; i <= THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < THREADS; i++)
		ukevent_queue_exit(queue + i);
	ukevent_queue_exit(&results);
	return 0;
}
