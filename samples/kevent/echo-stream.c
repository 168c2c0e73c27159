// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * echo-stream - TCP echo in which the bytes come with the records
 *
 * - The kernel puts what a client sends into the data area and tells where it is.
 *   From there it is sent back, by the call that waits for what comes next: no copy
 *   in user space, and one or two system calls for whatever all clients have sent.
 * - The area is for what is under way, not for what a slow client does not take:
 *   that is copied to the client's own memory.  As long as there is some the
 *   interest is without RECV, so that what the client sends stays in its socket and
 *   then with itself.  SEND tells when there is room.
 * - RDHUP comes after the last byte: what is left is sent, then it is closed.
 *
 * That nothing is released before it was sent or copied is the library's business.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-stream.h"
#include "ukevent_data.h"

#define STREAM_BATCH	64		/* records taken, connections accepted at once */
#define STREAM_PAUSE	100000000	/* ns, when accept() is out of resources */

struct stream {
	int	fd;			/* -1: closed, wait for LAST */
	bool	eof;			/* nothing more will come */
	char	*rest;			/* what the socket did not take ... */
	size_t	pos, end, size;		/* ... in rest[pos..end) */
};

static struct ukevent_queue stream_queue;
static struct ukevent_io stream_io;

/* The interest ends here, the memory lives on until LAST. */
static void stream_close(struct stream *s)
{
	int fd = s->fd;

	s->fd = -1;		/* what is told of it from now on is too late */
	ukevent_io_close(&stream_io, fd);
}

static void stream_free(struct stream *s)
{
	free(s->rest);
	free(s);
}

static void stream_change(struct stream *s, unsigned int op, __u32 events)
{
	ukevent_prep_stream(ukevent_next(&stream_io.loop), op, s->fd,
			    events | KEVENT_STREAM_SEND | KEVENT_STREAM_RDHUP,
			    KEVENT_EDGE | KEVENT_WANT_LAST, (uintptr_t)s);
}

/*
 * Behind what is left already.  That is not more than a share of the area, and what
 * came until the interest was without RECV.
 */
static void stream_keep(struct stream *s, const char *bytes, size_t len)
{
	size_t size = s->size ? s->size : 4096;
	char *rest = s->rest;

	while (size < s->end + len)
		size *= 2;
	if (size != s->size)
		rest = realloc(rest, size);
	if (!rest) {
		stream_close(s);
		return;
	}
	if (!s->end)
		stream_change(s, KEVENT_OP_MODIFY, 0);
	s->rest = rest;
	s->size = size;
	memcpy(rest + s->end, bytes, len);
	s->end += len;
}

/* Told by the turn for each send that was not done in full. */
static void stream_unsent(struct ukevent_io *io, const struct kevent_send *send,
			  uint64_t cookie)
{
	struct stream *s = (struct stream *)(uintptr_t)cookie;
	const char *bytes;
	uint32_t len;

	(void)io;
	if (s->fd < 0)
		return;
	if (ukevent_unsent(send, &bytes, &len))
		stream_close(s);
	else
		stream_keep(s, bytes, len);
}

/* Told by the turn for each change that failed: an ADD, if the client is gone. */
static void stream_failed(struct ukevent_loop *loop,
			  const struct kevent_change *change)
{
	struct stream *s = (struct stream *)(uintptr_t)change->cookie;

	(void)loop;
	if (change->op == KEVENT_OP_ADD) {	/* there will be no LAST */
		close(s->fd);
		stream_free(s);
	} else if (s->fd >= 0) {
		stream_close(s);
	}
}

static void stream_write(struct stream *s)
{
	ssize_t n;

	while (s->pos < s->end) {
		n = send(s->fd, s->rest + s->pos, s->end - s->pos, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			stream_close(s);
			return;
		}
		s->pos += n;
	}
	free(s->rest);
	s->rest = NULL;
	s->pos = 0;
	s->end = 0;
	s->size = 0;
	if (s->eof)
		stream_close(s);
	else
		stream_change(s, KEVENT_OP_MODIFY, KEVENT_STREAM_RECV);
}

static void stream_bytes(struct stream *s, const char *bytes, uint32_t len)
{
	if (s->end)
		stream_keep(s, bytes, len);
	else
		ukevent_io_send(&stream_io, s->fd, bytes, len, 0, (uintptr_t)s);
}

static void stream_record(struct stream *s, const struct ukevent *ev)
{
	if (ev->flags & KEVENT_REC_LAST) {
		stream_free(s);
		return;
	}
	if (s->fd < 0)
		return;
	if (ukevent_has_bytes(ev)) {
		stream_bytes(s, ukevent_bytes(&stream_queue, ev),
			     ukevent_length(ev));
		return;
	}
	if (ev->events & (KEVENT_STREAM_HUP | KEVENT_STREAM_ERROR)) {
		stream_close(s);
		return;
	}
	if (ev->events & KEVENT_STREAM_RDHUP) {
		s->eof = true;
		ukevent_io_flush(&stream_io);
		if (s->fd >= 0 && !s->end)
			stream_close(s);
	}
	if (ev->events & KEVENT_STREAM_SEND && s->fd >= 0 && s->end)
		stream_write(s);
}

/* Returns 0 when there are no more, else an error number to wait for. */
static int stream_accept(int listener)
{
	struct stream *s;
	int fd, i;

	for (i = 0; i < STREAM_BATCH; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return errno == EAGAIN ? 0 : errno;
		}
		s = calloc(1, sizeof(*s));
		if (!s) {
			close(fd);
			continue;
		}
		s->fd = fd;
		stream_change(s, KEVENT_OP_ADD, KEVENT_STREAM_RECV);
	}
	return EAGAIN;
}

void echo_stream(int listener)
{
	struct kevent_params params = {
		.flags = KEVENT_CREATE_DATA, .nr_expected = 1024,
	};
	struct ukevent ev[STREAM_BATCH];
	int accept_more = 0;		/* EAGAIN: at once, another: later */
	uint64_t timeout;
	int i, n, ret;

	ret = ukevent_queue_init(&stream_queue, &params);
	if (ret < 0)
		die("a queue with a data area", -ret);
	ret = ukevent_add_socket(&stream_queue, listener, KEVENT_SOCK_ACCEPT,
				 KEVENT_EDGE, 0);
	if (ret < 0)
		die("register listener", -ret);
	ukevent_io_init(&stream_io, &stream_queue, stream_failed, stream_unsent);

	for (;;) {
		timeout = accept_more == EAGAIN ? 0 :
			  accept_more ? STREAM_PAUSE : UKEVENT_FOREVER;
		n = ukevent_io_turn(&stream_io, ev, STREAM_BATCH, timeout);
		if (n < 0 && n != -EINTR)
			die("kevent_wait", -n);
		for (i = 0; i < n; i++) {
			if (ev[i].cookie)
				stream_record((struct stream *)(uintptr_t)
					      ev[i].cookie, &ev[i]);
			else
				accept_more = EAGAIN;
		}
		if (accept_more)
			accept_more = stream_accept(listener);
	}
}
