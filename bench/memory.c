// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * memory.c - P9: kernel memory of an interest on which nothing happens
 *
 * Workload memory: a memory cgroup of its own says how much it grows by a queue,
 * and by the interests in all that is registered.  "kernel" is all that the kernel
 * took; "slab" is its part in objects.  What the cgroup's pages hold beyond the
 * objects is in "kernel" alone, so with many interests it is the same.
 */
#include <fcntl.h>
#include <time.h>
#include <sys/mount.h>
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

static void grow(struct bench *b, const char *mode,
		 void (*make)(struct bench *b), void (*add_all)(struct bench *b))
{
	struct usage before, made, full;

	sources(b);
	usage();	/* what the first look allocates */
	before = usage();
	make(b);
	made = usage();
	add_all(b);
	full = usage();
	printf("BENCH workload=memory mode=%s registered=%u queue=%lu kernel=%lu slab=%lu\n",
	       mode, b->registered, made.kernel - before.kernel,
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

static void epoll(struct bench *b)
{
	grow(b, "epoll", epoll_make, epoll_add_edge);
}

static void kevent(struct bench *b)
{
	grow(b, "kevent", kevent_make, kevent_add_edge);
}

static void uring(struct bench *b)
{
	grow(b, "uring", uring_make_default, uring_add_all);
}

const struct run memory_runs[] = {
	{ "memory", "epoll", .once = epoll },
	{ "memory", "kevent", .once = kevent },
	{ "memory", "uring", .once = uring },
	{ 0 },
};
