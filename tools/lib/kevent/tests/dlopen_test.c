// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * dlopen_test.c - the library as another language sees it: symbols, no header
 *
 * dlopen_test [LIBRARY].  Prints "ready" where there is a kevent and "-ENOSYS" where
 * there is none; fails otherwise.
 */
/* dlvsym() */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;

static void fail(const char *what, long value)
{
	fprintf(stderr, "%s: %ld\n", what, value);
	exit(1);
}

/* Of the version that programs are linked with. */
static void *symbol(const char *name)
{
	void *found = dlvsym(library, name, "LIBKEVENT_1.0");

	if (!found)
		fail(dlerror(), 0);
	return found;
}

#define FUNCTION(ret, name, ...)	\
	ret (*name)(__VA_ARGS__) = (ret (*)(__VA_ARGS__))symbol("ukevent_" #name)

int main(int argc, char **argv)
{
	library = dlopen(argc > 1 ? argv[1] : "libkevent.so.1", RTLD_NOW);
	if (!library)
		fail(dlerror(), 0);

	FUNCTION(size_t, queue_size, void);
	FUNCTION(size_t, loop_size, void);
	FUNCTION(int, queue_init, void *q, void *params);
	FUNCTION(void, queue_exit, void *q);
	FUNCTION(void, loop_init, void *loop, void *q, void *failed);
	FUNCTION(void *, next, void *loop);
	FUNCTION(void *, prep_user, void *change, unsigned int op, uint64_t number,
		 uint32_t flags, uint64_t cookie);
	FUNCTION(void *, prep_trigger, void *change, uint64_t number, uint64_t payload,
		 uint64_t count);
	FUNCTION(int, turn, void *loop, void *buf, uint32_t max, uint64_t timeout_ns);
	FUNCTION(const char *, strerror, unsigned int where, int error);
	FUNCTION(const char *, type_name, unsigned int type);

	uint64_t params[16] = { 0 };
	struct {
		uint64_t cookie;
		uint32_t events;
		uint16_t type, flags;
		uint64_t data[2];
	} record;
	void *q = malloc(queue_size()), *loop = malloc(loop_size());
	int ret = queue_init(q, params);

	if (ret == -ENOSYS) {
		if (strcmp(strerror(1, ret), "this kernel has no kevent"))
			fail("strerror", ret);
		puts("-ENOSYS");
		return 0;
	}
	if (ret)
		fail(strerror(1, ret), ret);
	loop_init(loop, q, NULL);
	prep_user(next(loop), 1, 5, 0, 42);
	prep_trigger(next(loop), 5, 7, 3);
	ret = turn(loop, &record, 1, UINT64_MAX);
	if (ret != 1)
		fail("turn", ret);
	if (record.cookie != 42 || record.data[0] != 7 || record.data[1] != 3)
		fail("record", record.cookie);
	if (strcmp(type_name(record.type), "USER"))
		fail("type", record.type);
	queue_exit(q);
	free(q);
	free(loop);
	puts("ready");
	return 0;
}
