// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * pipes.c - a megabyte through a pipe(2), a UNIX socket that is listened on, and a
 * connection of that which is handed over to another one
 */
#include "check.h"

#define SIZE	(1 << 20)

static uv_loop_t *loop;
static unsigned char *data;

/* A pipe(2): more than it holds, to its end. */
static uv_pipe_t reader, writer;
static size_t received;

static void close_writer(uv_write_t *write, int status)
{
	CHECK_EQ(status, 0);
	uv_close((uv_handle_t *)&writer, NULL);
}

static void read_pipe(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	if (n == UV_EOF) {
		uv_close((uv_handle_t *)stream, NULL);
		return;
	}
	CHECK(n >= 0 && received + n <= SIZE);
	CHECK(!memcmp(data + received, buf->base, n));
	received += n;
}

static void one_way(void)
{
	uv_buf_t buf = uv_buf_init((char *)data, SIZE);
	static uv_write_t write;
	uv_file fds[2];

	CHECK_EQ(uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
	CHECK_EQ(uv_pipe_init(loop, &reader, 0), 0);
	CHECK_EQ(uv_pipe_init(loop, &writer, 0), 0);
	CHECK_EQ(uv_pipe_open(&reader, fds[0]), 0);
	CHECK_EQ(uv_pipe_open(&writer, fds[1]), 0);
	CHECK_EQ(uv_read_start((uv_stream_t *)&reader, check_alloc, read_pipe), 0);
	CHECK_EQ(uv_write(&write, (uv_stream_t *)&writer, &buf, 1, close_writer), 0);
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK_EQ(received, SIZE);
}

/* A listener: the client sends a connection of a second one, who says so there. */
static uv_pipe_t listener, second_listener, client, server, second, handed;
static char greeting[16];

static void read_greeting(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	if (n == UV_EOF) {
		uv_close((uv_handle_t *)stream, NULL);
		return;
	}
	CHECK(n >= 0 && n < (ssize_t)sizeof(greeting));
	memcpy(greeting, buf->base, n);
}

static void greeted(uv_write_t *write, int status)
{
	CHECK_EQ(status, 0);
	uv_close((uv_handle_t *)&handed, NULL);
	uv_close((uv_handle_t *)&server, NULL);
}

static void receive_handle(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	static uv_write_t write;
	uv_buf_t out = uv_buf_init("hello", 5);

	/* The client's end is closed when it has sent the connection. */
	if (!n || (n == UV_EOF && uv_is_writable((uv_stream_t *)&handed)))
		return;
	CHECK_EQ(n, 1);
	CHECK_EQ(uv_pipe_pending_count((uv_pipe_t *)stream), 1);
	CHECK_EQ(uv_pipe_pending_type((uv_pipe_t *)stream), UV_NAMED_PIPE);
	CHECK_EQ(uv_pipe_init(loop, &handed, 0), 0);
	CHECK_EQ(uv_accept(stream, (uv_stream_t *)&handed), 0);
	CHECK_EQ(uv_write(&write, (uv_stream_t *)&handed, &out, 1, greeted), 0);
}

static void handle_sent(uv_write_t *write, int status)
{
	CHECK_EQ(status, 0);
	uv_close((uv_handle_t *)&second, NULL);
	uv_close((uv_handle_t *)&client, NULL);
	uv_close((uv_handle_t *)&listener, NULL);
	uv_close((uv_handle_t *)&second_listener, NULL);
}

static void accept_client(uv_stream_t *stream, int status)
{
	CHECK_EQ(status, 0);
	CHECK_EQ(uv_pipe_init(loop, &server, 1), 0);
	CHECK_EQ(uv_accept(stream, (uv_stream_t *)&server), 0);
	CHECK_EQ(uv_read_start((uv_stream_t *)&server, check_alloc, receive_handle), 0);
}

static void accept_second(uv_stream_t *stream, int status)
{
	static uv_write_t write;
	uv_buf_t out = uv_buf_init("h", 1);

	CHECK_EQ(status, 0);
	CHECK_EQ(uv_pipe_init(loop, &second, 0), 0);
	CHECK_EQ(uv_accept(stream, (uv_stream_t *)&second), 0);
	CHECK_EQ(uv_write2(&write, (uv_stream_t *)&client, &out, 1,
			   (uv_stream_t *)&second, handle_sent), 0);
}

static uv_pipe_t peer;

static void peer_connected(uv_connect_t *connect, int status)
{
	CHECK_EQ(status, 0);
	CHECK_EQ(uv_read_start((uv_stream_t *)&peer, check_alloc, read_greeting), 0);
}

static void client_connected(uv_connect_t *connect, int status)
{
	static uv_connect_t again;

	CHECK_EQ(status, 0);
	CHECK_EQ(uv_pipe_init(loop, &peer, 0), 0);
	uv_pipe_connect(&again, &peer, "second.sock", peer_connected);
}

static void handed_over(void)
{
	static uv_connect_t connect;

	CHECK_EQ(uv_pipe_init(loop, &listener, 0), 0);
	CHECK_EQ(uv_pipe_bind(&listener, "first.sock"), 0);
	CHECK_EQ(uv_listen((uv_stream_t *)&listener, 8, accept_client), 0);
	CHECK_EQ(uv_pipe_init(loop, &second_listener, 0), 0);
	CHECK_EQ(uv_pipe_bind(&second_listener, "second.sock"), 0);
	CHECK_EQ(uv_listen((uv_stream_t *)&second_listener, 8, accept_second), 0);
	CHECK_EQ(uv_pipe_init(loop, &client, 1), 0);
	uv_pipe_connect(&connect, &client, "first.sock", client_connected);
	CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
	CHECK(!strcmp(greeting, "hello"));
}

int main(int argc, char **argv)
{
	size_t i;

	loop = check_loop(argc, argv);
	data = malloc(SIZE);
	CHECK(data);
	for (i = 0; i < SIZE; i++)
		data[i] = i * 31 + i / 4096;
	one_way();
	handed_over();
	check_end(loop);
	printf("%zu bytes through a pipe, a connection handed over\n", received);
	return 0;
}
