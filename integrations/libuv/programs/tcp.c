// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * tcp.c - an echo server, and 32 clients that each send messages of growing size
 *
 *   tcp MODE		both in one loop; each byte that comes back is looked at
 *   tcp MODE PORT	the server alone, for ever, for who measures it
 */
#include "check.h"

#define CLIENTS		32
#define MESSAGES	100

struct echo {
	uv_write_t		write;
	char			bytes[];
};

struct client {
	uv_tcp_t		tcp;
	uv_connect_t		connect;
	uv_write_t		write;
	unsigned int		number;
	unsigned int		messages;
	size_t			received;
	unsigned char		out[MESSAGES * 40];
};

static uv_loop_t *loop;
static uv_tcp_t server;
static struct client clients[CLIENTS];
static int accepted, closed, alone;

static void free_handle(uv_handle_t *handle)
{
	free(handle);
	if (++closed == CLIENTS && !alone)
		uv_close((uv_handle_t *)&server, NULL);
}

static void echoed(uv_write_t *write, int status)
{
	free(write);
}

static void server_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	uv_buf_t out = uv_buf_init(buf->base, n);
	struct echo *echo;
	ssize_t sent;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, free_handle);
		return;
	}
	if (!n)
		return;
	sent = uv_try_write(stream, &out, 1);
	if (sent == n)
		return;
	if (sent < 0)
		sent = 0;
	echo = malloc(sizeof(*echo) + n - sent);
	CHECK(echo);
	memcpy(echo->bytes, buf->base + sent, n - sent);
	out = uv_buf_init(echo->bytes, n - sent);
	CHECK_EQ(uv_write(&echo->write, stream, &out, 1, echoed), 0);
}

static void connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *tcp = malloc(sizeof(*tcp));

	CHECK_EQ(status, 0);
	CHECK(tcp);
	CHECK_EQ(uv_tcp_init(loop, tcp), 0);
	CHECK_EQ(uv_accept(listener, (uv_stream_t *)tcp), 0);
	CHECK_EQ(uv_tcp_nodelay(tcp, 1), 0);
	CHECK_EQ(uv_read_start((uv_stream_t *)tcp, check_alloc, server_read), 0);
	accepted++;
}

static void client_send(struct client *c)
{
	size_t i, size = ++c->messages * 40;
	uv_buf_t buf = uv_buf_init((char *)c->out, size);

	c->received = 0;
	for (i = 0; i < size; i++)
		c->out[i] = i * 7 + c->messages + c->number;
	CHECK_EQ(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, NULL), 0);
}

static void client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = (struct client *)stream;

	CHECK(n >= 0);
	CHECK(c->received + n <= c->messages * 40);
	CHECK(!memcmp(c->out + c->received, buf->base, n));
	c->received += n;
	if (c->received < c->messages * 40)
		return;
	if (c->messages < MESSAGES)
		client_send(c);
	else
		uv_close((uv_handle_t *)stream, NULL);
}

static void connected(uv_connect_t *connect, int status)
{
	struct client *c = (struct client *)connect->handle;

	CHECK_EQ(status, 0);
	CHECK_EQ(uv_read_start(connect->handle, check_alloc, client_read), 0);
	client_send(c);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	int length = sizeof(address), i, total = 0;

	loop = check_loop(argc, argv);
	alone = argc > 2;
	CHECK_EQ(uv_ip4_addr("127.0.0.1", alone ? atoi(argv[2]) : 0, &address), 0);
	CHECK_EQ(uv_tcp_init(loop, &server), 0);
	CHECK_EQ(uv_tcp_bind(&server, (struct sockaddr *)&address, 0), 0);
	CHECK_EQ(uv_listen((uv_stream_t *)&server, 128, connection), 0);
	if (alone)
		return uv_run(loop, UV_RUN_DEFAULT);

	CHECK_EQ(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length), 0);
	for (i = 0; i < CLIENTS; i++) {
		clients[i].number = i;
		CHECK_EQ(uv_tcp_init(loop, &clients[i].tcp), 0);
		CHECK_EQ(uv_tcp_connect(&clients[i].connect, &clients[i].tcp,
					(struct sockaddr *)&address, connected), 0);
	}
	check_end(loop);
	CHECK_EQ(accepted, CLIENTS);
	for (i = 0; i < CLIENTS; i++)
		total += clients[i].messages;
	CHECK_EQ(total, CLIENTS * MESSAGES);
	printf("%d connections, %d messages echoed\n", accepted, total);
	return 0;
}
