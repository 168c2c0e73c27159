// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * memory.c - P9, D10: kernel memory of an interest on which nothing happens
 *
 * Workload memory: a memory cgroup of its own says how much it grows by a queue,
 * and by the interests in all that is registered.  "kernel" is all that the kernel
 * took; "slab" is its part in objects.  What the cgroup's pages hold beyond the
 * objects is in "kernel" alone, so with many interests it is the same.
 * Workload memory-tcp: what is registered are TCP connections.
 */
#include <fcntl.h>
#include <time.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bench.h"

#define ROOT	"/cgroup"
#define GROUP	ROOT "/memory"

struct usage {
	unsigned long	kernel;
	unsigned long	slab;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != length)
		die(path);
	close(fd);
}

/* Nothing of this task was charged to a cgroup before. */
static void enter_group(void)
{
	if (mkdir(ROOT, 0755) && errno != EEXIST)
		die(ROOT);
	if (mount("cgroup2", ROOT, "cgroup2", 0, NULL) && errno != EBUSY)
		die_unless_missing("cgroup2");
	write_file(ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		die(GROUP);
	write_file(GROUP "/cgroup.procs", "0");
}

/* The kernel sums up what processors counted every two seconds, if it is little. */
static void await_sums(void)
{
	const struct timespec t = { .tv_sec = 5 };

	nanosleep(&t, NULL);
}

static struct usage usage(void)
{
	struct usage u = { 0 };
	unsigned int found = 0;
	unsigned long n;
	char name[64];
	FILE *f;

	await_sums();
	f = fopen(GROUP "/memory.stat", "re");
	if (!f)
		die("memory.stat");
	while (fscanf(f, "%63s %lu", name, &n) == 2) {
		if (!strcmp(name, "kernel")) {
			u.kernel = n;
			found++;
		} else if (!strcmp(name, "slab")) {
			u.slab = n;
			found++;
		}
	}
	fclose(f);
	if (found != 2)
		die_of("memory.stat has no kernel or slab");
	return u;
}

static void sources(struct bench *b)
{
	make_eventfds(b, EFD_NONBLOCK);
	enter_group();
}

static void tcp_sources(struct bench *b)
{
	tcp_connections(b, SOCK_NONBLOCK);
	enter_group();
}

static void grow(struct bench *b, const char *workload, const char *mode,
		 void (*make)(struct bench *b), void (*add_all)(struct bench *b))
{
	struct usage before, made, full;

	usage();	/* what the first look allocates */
	before = usage();
	make(b);
	made = usage();
	add_all(b);
	full = usage();
	printf("BENCH workload=%s mode=%s registered=%u queue=%lu kernel=%lu slab=%lu\n",
	       workload, mode, b->registered, made.kernel - before.kernel,
	       full.kernel - made.kernel, full.slab - made.slab);
}

static void epoll_add_edge(struct bench *b)
{
	epoll_add_all(b, EPOLLET);
}

static void kevent_add_edge(struct bench *b)
{
	kevent_add_all(b, KEVENT_EDGE);
}

static void stream_make(struct bench *b)
{
	kevent_data_make(b, 0);
}

static void stream_add(struct bench *b)
{
	kevent_stream_add_all(b, 0, 0, 0);
}

static void recv_make(struct bench *b)
{
	uring_make_default(b);
	uring_make_buffers(b, BATCH, 4096);
}

static void recv_add(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++)
		uring_recv_multishot(b, i);
	uring_check(io_uring_submit(&b->ring), "io_uring_submit");
}

static void epoll(struct bench *b)
{
	sources(b);
	grow(b, "memory", "epoll", epoll_make, epoll_add_edge);
}

static void kevent(struct bench *b)
{
	sources(b);
	grow(b, "memory", "kevent", kevent_make, kevent_add_edge);
}

static void uring(struct bench *b)
{
	sources(b);
	grow(b, "memory", "uring", uring_make_default, uring_add_all);
}

static void tcp_epoll(struct bench *b)
{
	tcp_sources(b);
	grow(b, "memory-tcp", "epoll", epoll_make, epoll_add_edge);
}

static void tcp_socket(struct bench *b)
{
	tcp_sources(b);
	grow(b, "memory-tcp", "kevent-socket", kevent_make, kevent_socket_add_all);
}

static void tcp_stream(struct bench *b)
{
	tcp_sources(b);
	grow(b, "memory-tcp", "kevent-stream", stream_make, stream_add);
}

static void tcp_recv(struct bench *b)
{
	tcp_sources(b);
	grow(b, "memory-tcp", "uring-recv", recv_make, recv_add);
}

const struct run memory_runs[] = {
	{ "memory", "epoll", .once = epoll },
	{ "memory", "kevent", .once = kevent },
	{ "memory", "uring", .once = uring },
	{ "memory-tcp", "epoll", .once = tcp_epoll },
	{ "memory-tcp", "kevent-socket", .once = tcp_socket },
	{ "memory-tcp", "kevent-stream", .once = tcp_stream },
	{ "memory-tcp", "uring-recv", .once = tcp_recv },
	{ 0 },
};
