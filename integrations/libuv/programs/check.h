/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * check.h - what the programs have in common: each is run as "PROGRAM epoll" and
 * "PROGRAM kevent", and fails if its loop is on the other one
 */
#ifndef PROGRAMS_CHECK_H
#define PROGRAMS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1);					\
		}							\
	} while (0)

#define CHECK_EQ(a, b)							\
	do {								\
		long long a_ = (a), b_ = (b);				\
		if (a_ != b_) {						\
			printf("%s:%d: %s is %lld, not %s, %lld\n",	\
			       __FILE__, __LINE__, #a, a_, #b, b_);	\
			exit(1);					\
		}							\
	} while (0)

static int on_kevent;

/* Also what the loop waits with. */
static inline void check_backend(const uv_loop_t *loop)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", uv_backend_fd(loop));
	CHECK(readlink(path, target, sizeof(target) - 1) > 0);
	if (strcmp(target, on_kevent ? "anon_inode:[kevent]" :
				       "anon_inode:[eventpoll]")) {
		printf("the loop waits with %s\n", target);
		exit(1);
	}
}

static inline uv_loop_t *check_loop(int argc, char **argv)
{
	CHECK(argc > 1);
	on_kevent = !strcmp(argv[1], "kevent");
	CHECK(on_kevent || !strcmp(argv[1], "epoll"));
	check_backend(uv_default_loop());
	return uv_default_loop();
}

/* A loop that is done has nothing left open. */
static inline void check_end(uv_loop_t *loop)
{
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK_EQ(uv_loop_close(loop), 0);
}

static inline void check_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char memory[65536];

	*buf = uv_buf_init(memory, sizeof(memory));
}

#endif /* PROGRAMS_CHECK_H */
