// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * cold.c - D14: a file that is not in the page cache, and an echo beside it
 *
 * Workload cold: a client asks for a file of as many bytes as the parameter says, as in
 * file.c, on one connection, while another one sends a byte on a second connection
 * every 200 us and waits for the answer.  One thread serves both.  Before each run
 * nothing of the file is cached, and a request of the disk takes 8 ms (disk.c).
 *
 * What is told, of each of several runs: how often the server's thread slept in a call
 * that was not to wait (sendfile(2), or kevent_wait() for nothing; then it waits in
 * poll(2)), the longest such call, how long the answers took, and the file.  The modes
 * whose call waits for events and sends the file cannot tell both apart.
 *
 * Mode readahead has no server: what is told is how long readahead(2) of the file takes,
 * 128 KiB at a time, which only submits the reads.
 *
 * The time is the emulated machine's, where an instruction takes a nanosecond.  The
 * disk has its data copied when a request is submitted, which real ones do not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "bench.h"
#include "file.h"

#define RUNS		5
#define PAUSE		200000		/* ns between echoes */
#define WINDOW		(128 << 10)	/* of readahead(2) */
#define FILE_AT		0		/* connections */
#define ECHO_AT		1

/* one run; the first two are the server's */
static struct {
	long		blocked;
	uint64_t	longest;
	uint64_t	echoes;
	uint64_t	echo_max;
	uint64_t	echo_sum;
	uint64_t	ns;
} run;

static uint64_t now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t))
		die("clock_gettime");
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void pause_for(uint64_t ns)
{
	const struct timespec t = { .tv_nsec = ns };

	nanosleep(&t, NULL);
}

/* how often this thread gave the processor away */
static long sleeps(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		die("getrusage");
	return usage.ru_nvcsw;
}

struct call {
	uint64_t	begin;
	long		sleeps;
};

static struct call call_begin(void)
{
	return (struct call) { now(), sleeps() };
}

static void call_end(const struct call *call)
{
	const uint64_t ns = now() - call->begin;

	run.blocked += sleeps() - call->sleeps;
	if (ns > run.longest)
		run.longest = ns;
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches");
	close(fd);
}

/* ---- servers ---- */

static void echo(int fd)
{
	char room[64];
	ssize_t n = recv(fd, room, sizeof(room), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n != 1 || send(fd, room, 1, MSG_NOSIGNAL) != 1)
		die("server: echo");
}

static void serve(struct bench *b, int fd)
{
	struct call call;

	if (fd == b->fd[ECHO_AT]) {
		echo(fd);
		return;
	}
	call = call_begin();
	file_serve(fd);
	call_end(&call);
}

static __always_inline void server(struct bench *b, enum peer peer)
{
	int i, n;

	for (;;) {
		n = collect(b, peer);
		for (i = 0; i < n; i++)
			serve(b, collected_fd(b, peer, i));
	}
}

static void epoll_server(struct bench *b)
{
	epoll_make(b);
	epoll_add_all(b, EPOLLOUT | EPOLLET);
	server(b, EPOLL);
}

static void kevent_server(struct bench *b)
{
	kevent_make(b);
	file_add_socket(b, b->fd[FILE_AT], KEVENT_SOCK_SEND);
	file_add_socket(b, b->fd[ECHO_AT], 0);
	server(b, KEVENT);
}

static void wait_until_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, -1) != 1)
		die("poll");
}

/* @by_poll: the call that sends does not wait. */
static __always_inline void sendfile_loop(struct bench *b, const bool by_poll)
{
	struct kevent_change change;
	struct kevent_wait_args args = {
		.changes = (uintptr_t)&change,
		.change_size = sizeof(change),
	};
	const struct ukevent *record;
	struct call call = { 0 };
	int i, n;

	file_queue(b, 0);
	for (i = 0; i < (int)b->registered; i++)
		file_add_socket(b, b->fd[i], 0);
	for (;;) {
		if (by_poll && !args.nr_changes)
			wait_until_readable(b->queue.fd);
		if (by_poll)
			call = call_begin();
		kevent_check(args.nr_changes ?
			     sys_kevent_wait(b->queue.fd, !by_poll, &args, sizeof(args)) :
			     sys_kevent_wait(b->queue.fd, !by_poll, NULL, 0),
			     "kevent_wait");
		if (by_poll)
			call_end(&call);
		if (args.nr_changes)
			kevent_check(change.result, "SENDFILE");
		args.nr_changes = 0;
		n = ukevent_take(&b->queue, b->record_buf, b->batch);
		for (i = 0; i < n; i++) {
			record = &b->record_buf[i];
			if (record->type == KEVENT_TYPE_SENDFILE) {
				file_check_end(record);
			} else if ((int)record->cookie == b->fd[ECHO_AT]) {
				echo(b->fd[ECHO_AT]);
			} else if (file_request(b->fd[FILE_AT])) {
				file_prepare_add(&change, b->fd[FILE_AT], 0);
				args.nr_changes = 1;
			}
		}
	}
}

static void sendfile_server(struct bench *b)
{
	sendfile_loop(b, false);
}

static void sendfile_poll_server(struct bench *b)
{
	sendfile_loop(b, true);
}

/* ---- io_uring: two linked splices, which wait in a worker ---- */

#define BUFFERS		16
#define ECHO_SENT	(FILE_SENT + 1)

static void uring_received(struct bench *b, unsigned int i)
{
	struct io_uring_sqe *sqe;

	if (i == FILE_AT) {
		file_left[b->fd[i]] = file_size;
		file_splice(b, i);
		return;
	}
	sqe = uring_sqe(b);
	io_uring_prep_send(sqe, b->fd[i], "", 1, MSG_NOSIGNAL);
	sqe->user_data = ECHO_SENT * b->registered + i;
}

static void uring_server(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head, i;
	int given, n;

	/* A worker is not told of room. */
	if (fcntl(b->fd[FILE_AT], F_SETFL, 0))
		die("fcntl");
	uring_make_defer(b);
	uring_make_buffers(b, BUFFERS, 64);
	file_make_pipes(b);
	for (i = 0; i < b->registered; i++)
		uring_recv_multishot(b, i);
	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		given = n = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			n++;
			i = cqe->user_data % b->registered;
			if (cqe->res <= 0)
				uring_unexpected(cqe);
			switch (cqe->user_data / b->registered) {
			case FILE_REQUEST:
				if (cqe->res != 1 || !(cqe->flags & IORING_CQE_F_MORE))
					uring_unexpected(cqe);
				uring_give_back(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
						given++);
				uring_received(b, i);
				break;
			case FILE_SENT:
				file_left[b->fd[i]] -= cqe->res;
				if (file_left[b->fd[i]])
					file_splice(b, i);
				break;
			case ECHO_SENT:
				break;
			default:
				uring_unexpected(cqe);
			}
		}
		io_uring_buf_ring_advance(b->buf_ring, given);
		io_uring_cq_advance(&b->ring, n);
	}
}

/* ---- clients ---- */

static bool stopped;

static void *echo_client(void *arg)
{
	const int fd = *(const int *)arg;
	uint64_t ns;
	char c;

	do {
		ns = now();
		if (send(fd, "", 1, 0) != 1 || recv(fd, &c, 1, 0) != 1)
			die("client: echo");
		ns = now() - ns;
		run.echoes++;
		run.echo_sum += ns;
		if (ns > run.echo_max)
			run.echo_max = ns;
		pause_for(PAUSE);
	} while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED));
	return NULL;
}

static void file_client(int fd)
{
	off_t left;
	ssize_t n;

	if (send(fd, "", 1, 0) != 1)
		die("client: send");
	for (left = file_size; left; left -= n) {
		n = recv(fd, NULL, left, MSG_TRUNC);
		if (n <= 0)
			die("client: recv");
	}
}

static void start_thread(pthread_t *thread, void *(*main)(void *arg), void *arg)
{
	errno = pthread_create(thread, NULL, main, arg);
	if (errno)
		die("pthread_create");
}

static void run_clients(struct bench *b)
{
	pthread_t thread;

	drop_caches();
	/* what is still to be done for the run before */
	pause_for(200000000);
	memset(&run, 0, sizeof(run));
	stopped = false;
	start_thread(&thread, echo_client, &b->clients[ECHO_AT]);
	run.ns = now();
	file_client(b->clients[FILE_AT]);
	run.ns = now() - run.ns;
	__atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static void run_readahead(struct bench *b)
{
	struct call call;
	off_t pos;

	(void)b;
	drop_caches();
	pause_for(200000000);
	memset(&run, 0, sizeof(run));
	for (pos = 0; pos < file_size; pos += WINDOW) {
		call = call_begin();
		if (readahead(file, pos, WINDOW))
			die("readahead");
		call_end(&call);
		run.ns += now() - call.begin;
		pause_for(20000000);
	}
}

/* ---- modes ---- */

static void (*serve_all)(struct bench *b);

static void *server_thread(void *arg)
{
	serve_all(arg);
	return NULL;
}

static void measure(struct bench *b, const char *mode, void (*server)(struct bench *b),
		    void (*do_run)(struct bench *b))
{
	pthread_t thread;
	int i;

	if (b->registered != 2 || !b->parameter)
		die_of("cold is a file and an echo, and has a size");
	run_until_sleep();
	file_on_disk(b->parameter);
	tcp_connections(b, SOCK_NONBLOCK);
	file_left = get_memory(b->fd[b->registered - 1] + 1, sizeof(*file_left));
	serve_all = server;
	if (server)
		start_thread(&thread, server_thread, b);
	do_run(b);
	for (i = 0; i < RUNS; i++) {
		do_run(b);
		printf("BENCH-COLD workload=cold:%u mode=%s blocked=%ld longest=%lu echoes=%lu echo_max=%lu echo_sum=%lu ns=%lu\n",
		       b->parameter, mode, run.blocked, run.longest, run.echoes,
		       run.echo_max, run.echo_sum, run.ns);
	}
}

#define COLD(name, mode, server, run)					\
static void name(struct bench *b)					\
{									\
	measure(b, mode, server, run);					\
}

COLD(epoll, "epoll-et", epoll_server, run_clients)
COLD(kevent, "kevent-edge", kevent_server, run_clients)
COLD(sendfile_wait, "kevent-sendfile", sendfile_server, run_clients)
COLD(sendfile_poll, "kevent-sendfile-poll", sendfile_poll_server, run_clients)
COLD(uring, "uring-defer-splice", uring_server, run_clients)
COLD(readahead_alone, "readahead", NULL, run_readahead)

const struct run cold_runs[] = {
	{ "cold", "epoll-et", .once = epoll },
	{ "cold", "kevent-edge", .once = kevent },
	{ "cold", "kevent-sendfile", .once = sendfile_wait },
	{ "cold", "kevent-sendfile-poll", .once = sendfile_poll },
	{ "cold", "uring-defer-splice", .once = uring },
	{ "cold", "readahead", .once = readahead_alone },
	{ 0 },
};
