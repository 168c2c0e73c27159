// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * chat-server - all that a server waits for, in one loop
 *
 * Lines go to all other clients.  "/sum N" has a thread add up the numbers to N,
 * "/run N" a child exit with N, "/quit" ends; who says nothing for too long is
 * disconnected.  SIGHUP reads the greeting anew, SIGTERM ends the server.
 *
 * What a server author may want to copy:
 *
 * - Changes are gathered while records are handled, and applied by the next turn:
 *   one kernel entry, however many clients get a new time limit.
 * - A client is freed when both its interests have told their last, or could not be
 *   added.  Its descriptor is closed by the last record of its timer, which is
 *   removed: so no change that is still gathered names a descriptor that is another
 *   client's by now.
 * - Threads hand results over by a list, and trigger a user event if that was
 *   empty.  Signals are ignored and told; children are told with their status.
 *
 * A client that does not read what it is sent is disconnected: a real server would
 * keep it for a while.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ukevent_loop.h"

#define BATCH		64		/* records taken at once */
#define THREADS		2
#define RESULTS		0		/* of the user event */

struct client {
	LIST_ENTRY(client)	link;
	int			fd;
	bool			closing;
	unsigned int		refs;		/* interests, and jobs */
	__u64			number;		/* of its timer */
	size_t			len;
	char			line[512];
};

/* for a thread, or a child */
struct job {
	STAILQ_ENTRY(job)	link;
	struct client		*client;
	int			pidfd;
	unsigned long long	value;
};

STAILQ_HEAD(job_list, job);

static LIST_HEAD(, client) clients = LIST_HEAD_INITIALIZER(clients);
static struct job_list asked = STAILQ_HEAD_INITIALIZER(asked);	/* in this turn */
static struct job_list todo = STAILQ_HEAD_INITIALIZER(todo);
static struct job_list results = STAILQ_HEAD_INITIALIZER(results);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* of these two */
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct ukevent_queue queue;
static struct ukevent_loop loop;
static const char *greeting_path;
static char greeting[128];
static __u64 idle_ns;
static int listener;
static bool stopping;

static void die(const char *what, int err)
{
	fprintf(stderr, "chat-server: %s: %s\n", what, strerror(err));
	exit(1);
}

static void read_greeting(void)
{
	FILE *file = fopen(greeting_path, "r");

	if (!file || !fgets(greeting, sizeof(greeting), file))
		strcpy(greeting, "welcome\n");
	if (file)
		fclose(file);
}

/* ---- clients ---- */

static void client_set_timer(struct client *c, unsigned int op)
{
	ukevent_prep_timer(ukevent_next(&loop), op, c->number, idle_ns, 0,
			   idle_ns / 16, UKEVENT_MONOTONIC,
			   KEVENT_DISPATCH | KEVENT_WANT_LAST, (uintptr_t)c);
}

static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	shutdown(c->fd, SHUT_RDWR);
	LIST_REMOVE(c, link);
	ukevent_prep_op(ukevent_next(&loop), KEVENT_OP_REMOVE,
			KEVENT_TYPE_TIMER, c->number, 0);
}

static void client_put(struct client *c)
{
	if (!--c->refs)
		free(c);
}

static void client_send(struct client *c, const char *text)
{
	ssize_t len = strlen(text);

	if (!c->closing && send(c->fd, text, len, MSG_NOSIGNAL) != len)
		client_close(c);
}

static void send_all(const char *text, const struct client *but)
{
	struct client *c, *next;

	for (c = LIST_FIRST(&clients); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c != but)
			client_send(c, text);
	}
}

static void accept_clients(void)
{
	static __u64 number;
	struct client *c;
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = calloc(1, sizeof(*c));
		if (!c || stopping) {
			free(c);
			close(fd);
			continue;
		}
		c->fd = fd;
		c->number = ++number;
		c->refs = 2;
		LIST_INSERT_HEAD(&clients, c, link);
		client_set_timer(c, KEVENT_OP_ADD);
		ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, fd,
				    KEVENT_SOCK_RECV, 0,
				    KEVENT_EDGE | KEVENT_WANT_LAST, (uintptr_t)c);
		client_send(c, greeting);
	}
}

/* ---- jobs ---- */

static struct job *job_new(struct client *c, unsigned long long value)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		die("memory", ENOMEM);
	job->client = c;
	job->value = value;
	c->refs++;
	return job;
}

static void job_done(struct job *job, const char *format)
{
	char text[64];

	snprintf(text, sizeof(text), format, job->value);
	client_send(job->client, text);
	client_put(job->client);
	free(job);
}

static void *worker(void *arg)
{
	struct job_list mine = STAILQ_HEAD_INITIALIZER(mine);
	struct job *job;
	bool first;

	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (STAILQ_EMPTY(&todo))
			pthread_cond_wait(&more, &lock);
		STAILQ_CONCAT(&mine, &todo);
		pthread_mutex_unlock(&lock);
		STAILQ_FOREACH(job, &mine, link)
			job->value = job->value * (job->value + 1) / 2;
		pthread_mutex_lock(&lock);
		first = STAILQ_EMPTY(&results);
		STAILQ_CONCAT(&results, &mine);
		if (first)
			ukevent_trigger(&queue, RESULTS, 0);
	}
	return NULL;
}

static void hand_out_jobs(void)
{
	if (STAILQ_EMPTY(&asked))
		return;
	pthread_mutex_lock(&lock);
	STAILQ_CONCAT(&todo, &asked);
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

static void take_results(void)
{
	struct job_list done = STAILQ_HEAD_INITIALIZER(done);
	struct job *job;

	pthread_mutex_lock(&lock);
	STAILQ_CONCAT(&done, &results);
	pthread_mutex_unlock(&lock);
	while ((job = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		job_done(job, "sum %llu\n");
	}
}

static void run_child(struct client *c, int status)
{
	pid_t pid = fork();
	struct job *job;

	if (!pid)
		_exit(status);
	if (pid < 0)
		return client_send(c, "no child\n");
	job = job_new(c, 0);
	job->pidfd = syscall(SYS_pidfd_open, pid, 0);
	ukevent_prep_process(ukevent_next(&loop), KEVENT_OP_ADD, job->pidfd, 0,
			     (uintptr_t)job);
}

static void child_exited(struct job *job, int status)
{
	siginfo_t info;

	waitid(P_PIDFD, job->pidfd, &info, WEXITED);
	close(job->pidfd);
	job->value = WEXITSTATUS(status);
	job_done(job, "exit %llu\n");
}

/* ---- what is told ---- */

static void client_line(struct client *c, char *line)
{
	char text[sizeof(c->line) + 32];
	struct job *job;

	if (!strncmp(line, "/sum ", 5)) {
		job = job_new(c, strtoull(line + 5, NULL, 10));
		STAILQ_INSERT_TAIL(&asked, job, link);
	} else if (!strncmp(line, "/run ", 5)) {
		run_child(c, atoi(line + 5));
	} else if (!strcmp(line, "/quit")) {
		client_close(c);
	} else {
		snprintf(text, sizeof(text), "%llu: %s\n",
			 (unsigned long long)c->number, line);
		send_all(text, c);
	}
}

static void client_read(struct client *c)
{
	char *end, *line;
	ssize_t n;

	while (!c->closing) {
		n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)		/* gone, or a line too long */
			return client_close(c);
		c->len += n;
		c->line[c->len] = 0;
		for (line = c->line; !c->closing && (end = strchr(line, '\n'));
		     line = end + 1) {
			*end = 0;
			client_line(c, line);
		}
		c->len -= line - c->line;
		memmove(c->line, line, c->len);
	}
	if (!c->closing)
		client_set_timer(c, KEVENT_OP_MODIFY);
}

static void stop(void)
{
	stopping = true;
	send_all("bye\n", NULL);
	while (!LIST_EMPTY(&clients))
		client_close(LIST_FIRST(&clients));
}

static void handle(const struct ukevent *ev)
{
	void *what = (void *)(uintptr_t)ev->cookie;
	struct client *c = what;

	switch (ev->type) {
	case KEVENT_TYPE_SOCKET:
		if (!c)
			return accept_clients();
		if (!(ev->flags & KEVENT_REC_LAST))
			return client_read(c);
		client_close(c);
		client_put(c);
		break;
	case KEVENT_TYPE_TIMER:
		client_close(c);
		if (!(ev->flags & KEVENT_REC_LAST))
			break;
		close(c->fd);
		client_put(c);
		break;
	case KEVENT_TYPE_USER:
		take_results();
		break;
	case KEVENT_TYPE_PROCESS:
		child_exited(what, ev->data[0]);
		break;
	case KEVENT_TYPE_SIGNAL:
		if (ev->cookie == SIGTERM)
			return stop();
		read_greeting();
		send_all(greeting, NULL);
		break;
	}
}

/* What could not be added tells no more. */
static void change_failed(struct ukevent_loop *l, const struct kevent_change *e)
{
	struct ukevent last = {
		.cookie = e->cookie, .type = e->type, .flags = KEVENT_REC_LAST,
	};

	(void)l;
	if (e->op == KEVENT_OP_ADD)
		handle(&last);
}

static void listen_on(int port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, SOMAXCONN))
		die("listen", errno);
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = 1024 };
	static const int signals[] = { SIGHUP, SIGTERM };
	struct ukevent ev[BATCH];
	pthread_t thread;
	int i, n, ret;

	if (argc != 4) {
		fprintf(stderr, "usage: chat-server PORT GREETING-FILE IDLE-MS\n");
		return 2;
	}
	greeting_path = argv[2];
	idle_ns = strtoull(argv[3], NULL, 10) * 1000000;
	read_greeting();
	listen_on(atoi(argv[1]));
	ret = ukevent_queue_init(&queue, &params);
	if (ret)
		die("kevent_create", -ret);
	ukevent_loop_init(&loop, &queue, change_failed);
	ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, listener,
			    KEVENT_SOCK_ACCEPT, 0, KEVENT_EDGE, 0);
	ukevent_prep_user(ukevent_next(&loop), KEVENT_OP_ADD, RESULTS, 0, 0);
	for (i = 0; i < 2; i++) {
		signal(signals[i], SIG_IGN);
		ukevent_prep_signal(ukevent_next(&loop), KEVENT_OP_ADD,
				    signals[i], 0, signals[i]);
	}
	if (ukevent_flush(&loop))
		die("register", EINVAL);
	for (i = 0; i < THREADS; i++) {
		ret = pthread_create(&thread, NULL, worker, NULL);
		if (ret)
			die("thread", ret);
	}

	do {
		n = ukevent_turn(&loop, ev, BATCH, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR)
			die("kevent_wait", -n);
		for (i = 0; i < n; i++)
			handle(&ev[i]);
		hand_out_jobs();
	} while (!stopping || loop.nr);	/* then nothing is to come */
	ukevent_queue_exit(&queue);
	return 0;
}
