// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - the environment, and what is counted
 *
 * KEVENT_EPOLL=exact	(default) answers are those of epoll
 *		ring	records are told as they are, with no kernel entry as long as
 *			there are some: by the time it is told a condition may be gone
 *		off	everything is left to epoll
 * KEVENT_EPOLL_SPIN=MICROSECONDS
 *			in ring mode: look at an empty ring for up to so long before a
 *			sleep, if sleeps are shorter than that; 200 if not set
 * KEVENT_EPOLL_STATS=FILE
 *			enum ke_count, as 64-bit numbers, adding up over processes
 */
#include <fcntl.h>
#include <stdlib.h>

#include "shim.h"

uint64_t *ke_counts;

static enum ke_mode mode;
static uint64_t spin_ns = 200 * 1000;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
	const char *word = secure_getenv("KEVENT_EPOLL");
	const char *spin = secure_getenv("KEVENT_EPOLL_SPIN");
	const char *stats = secure_getenv("KEVENT_EPOLL_STATS");
	void *map;
	int fd;

	if (word && !strcmp(word, "ring"))
		mode = KE_RING;
	else if (word && !strcmp(word, "off"))
		mode = KE_OFF;
	if (spin)
		spin_ns = strtoul(spin, NULL, 10) * 1000;
	if (!stats)
		return;
	fd = open(stats, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	if (!ftruncate(fd, KE_N_COUNTS * sizeof(*ke_counts))) {
		map = mmap(NULL, KE_N_COUNTS * sizeof(*ke_counts),
			   PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED)
			ke_counts = map;
	}
	ke_real()->close(fd);
}

enum ke_mode ke_mode(void)
{
	pthread_once(&once, read_environment);
	return mode;
}

uint64_t ke_spin_ns(void)
{
	return spin_ns;
}

/* For tests of this library: these two. */
void ke_set_mode(enum ke_mode to)
{
	ke_mode();
	mode = to;
}

void ke_set_spin_ns(uint64_t to)
{
	spin_ns = to;
}
