// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * nested.c - a loop in another one, by uv_poll_t on its backend descriptor; poll(2) on
 * that; and descriptors that are closed and reused while a duplicate is open
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static uv_loop_t *outer, inner;
static uv_poll_t embedded;
static uv_async_t async;
static int woken;

static void async_told(uv_async_t *handle)
{
	if (++woken == 3) {
		uv_close((uv_handle_t *)handle, NULL);
		uv_poll_stop(&embedded);
	} else {
		uv_async_send(handle);
	}
}

static void run_inner(uv_poll_t *handle, int status, int events)
{
	CHECK_EQ(status, 0);
	uv_run(&inner, UV_RUN_NOWAIT);
}

static void nest(void)
{
	CHECK_EQ(uv_loop_init(&inner), 0);
	check_backend(&inner);
	CHECK_EQ(uv_async_init(&inner, &async, async_told), 0);
	uv_run(&inner, UV_RUN_NOWAIT);	/* it is watched from now on */
	CHECK_EQ(uv_poll_init(outer, &embedded, uv_backend_fd(&inner)), 0);
	CHECK_EQ(uv_poll_start(&embedded, UV_READABLE, run_inner), 0);
	uv_async_send(&async);
	CHECK_EQ(uv_run(outer, UV_RUN_DEFAULT), 0);
	CHECK_EQ(woken, 3);
	uv_close((uv_handle_t *)&embedded, NULL);
	uv_run(outer, UV_RUN_NOWAIT);
	uv_run(&inner, UV_RUN_NOWAIT);
	CHECK_EQ(uv_loop_close(&inner), 0);
}

/* Readable when there is something to be told, and quiet after that was told. */
static void poll_loop(void)
{
	struct pollfd pfd = { .events = POLLIN };
	int i;

	CHECK_EQ(uv_loop_init(&inner), 0);
	CHECK_EQ(uv_async_init(&inner, &async, NULL), 0);
	uv_run(&inner, UV_RUN_NOWAIT);
	pfd.fd = uv_backend_fd(&inner);
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	uv_async_send(&async);
	CHECK_EQ(poll(&pfd, 1, 10000), 1);
	for (i = 0; i < 3 && poll(&pfd, 1, 0); i++)
		uv_run(&inner, UV_RUN_NOWAIT);
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	uv_close((uv_handle_t *)&async, NULL);
	uv_run(&inner, UV_RUN_NOWAIT);
	CHECK_EQ(uv_loop_close(&inner), 0);
}

static uv_poll_t first, second;
static int first_told, second_told;

static void of_first(uv_poll_t *handle, int status, int events)
{
	first_told++;
}

static void of_second(uv_poll_t *handle, int status, int events)
{
	second_told++;
}

/* What was watched by that number before is not told to who has it now. */
static void reuse(void)
{
	int old[2], new[2], duplicate, i;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
	CHECK_EQ(uv_poll_init(outer, &first, old[0]), 0);
	CHECK_EQ(uv_poll_start(&first, UV_READABLE, of_first), 0);
	uv_run(outer, UV_RUN_NOWAIT);
	duplicate = dup(old[0]);
	CHECK(duplicate >= 0);
	CHECK_EQ(write(old[1], "x", 1), 1);	/* told, and not taken */
	uv_close((uv_handle_t *)&first, NULL);
	CHECK_EQ(dup2(new[0], old[0]), old[0]);
	CHECK_EQ(uv_poll_init(outer, &second, old[0]), 0);
	CHECK_EQ(uv_poll_start(&second, UV_READABLE, of_second), 0);
	for (i = 0; i < 5; i++) {
		uv_run(outer, UV_RUN_NOWAIT);
		CHECK_EQ(write(old[1], "x", 1), 1);
	}
	CHECK_EQ(first_told, 0);
	CHECK_EQ(second_told, 0);
	CHECK_EQ(write(new[1], "x", 1), 1);
	uv_run(outer, UV_RUN_NOWAIT);
	CHECK_EQ(second_told, 1);
	uv_close((uv_handle_t *)&second, NULL);
	uv_run(outer, UV_RUN_NOWAIT);
}

/* A regular file cannot be polled, a closed descriptor even less. */
static void refuse(void)
{
	int fd = open("regular", O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(uv_poll_init(outer, &first, fd), UV_EPERM);
	close(fd);
	CHECK_EQ(uv_poll_init(outer, &first, fd), UV_EBADF);
}

int main(int argc, char **argv)
{
	outer = check_loop(argc, argv);
	nest();
	poll_loop();
	reuse();
	refuse();
	check_end(outer);
	printf("a loop in a loop, and none is told of what was closed\n");
	return 0;
}
