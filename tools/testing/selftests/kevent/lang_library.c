// SPDX-License-Identifier: GPL-2.0
/* The library in strict C99 and C11, and in C++: each function of it. */
#include "ukevent_data.h"
#include "ukevent_fds.h"
#include "ukevent_text.h"
#include "lang.h"

LANG_EXPORT int LANG_NAME(library)(void);

/* A turn for each kind of consumer, with each change; 0 or what went wrong. */
static int turns(struct ukevent_queue *q)
{
	struct ukevent_loop loop;
	struct ukevent ev[4];

	ukevent_loop_init(&loop, q, NULL);
	ukevent_together(&loop, 2);
	ukevent_prep_user(ukevent_next(&loop), KEVENT_OP_ADD, 7, KEVENT_EDGE, 1);
	ukevent_prep_trigger(ukevent_next(&loop), 7, 5, 3);
	if (ukevent_turn(&loop, ev, 4, UKEVENT_FOREVER) != 1 ||
	    ev[0].data[1] != 3)
		return -EPROTO;
	ukevent_prep_poll(ukevent_next(&loop), KEVENT_OP_SET, -1, 1, 0, 0);
	ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_SET, -1, 1, 2, 0, 0);
	ukevent_prep_inode(ukevent_next(&loop), -1, NULL, 0, 2, 0, 0);
	ukevent_prep_signal(ukevent_next(&loop), KEVENT_OP_ADD, -1, 0, 0);
	ukevent_prep_process(ukevent_next(&loop), KEVENT_OP_ADD, -1, 0, 0);
	ukevent_by_id(ukevent_prep_op(ukevent_next(&loop), KEVENT_OP_REMOVE,
				      KEVENT_TYPE_USER, 0, 0), 1);
	if (ukevent_turn_shared(&loop, ev, 4, 0) || loop.nr ||
	    ukevent_flush(&loop))
		return -EPROTO;
	return 0;
}

static void unsent(struct ukevent_io *io, const struct kevent_send *send,
		   uint64_t cookie)
{
	const char *rest;
	uint64_t offset;
	uint32_t len;

	if (ukevent_is_file(send)) {
		if (ukevent_unsent_file(send, &offset, &len) == -EBADF &&
		    cookie == 10 && len == 3 && offset == 10)
			++*(int *)io->loop.data;
		return;
	}
	if (ukevent_unsent(send, &rest, &len) == -EBADF && cookie == 9 &&
	    len == 3 && *rest == 'o' && ukevent_io_send(io, -1, rest, 1, 0, 0))
		++*(int *)io->loop.data;
}

/* Bytes there and back, if the kernel carries any; 0 or what went wrong. */
static int bytes(void)
{
	struct kevent_params params;
	struct ukevent_queue q;
	struct ukevent_io io;
	struct ukevent ev[4];
	int ret, told = 0;

	memset(&params, 0, sizeof(params));
	ret = ukevent_queue_init_data(&q, &params);
	if (ret)
		return ret;
	ukevent_io_init(&io, &q, NULL, unsent);
	io.loop.data = &told;
	ukevent_stream_limits(ukevent_prep_stream(ukevent_next(&io.loop),
						  KEVENT_OP_ADD, -1,
						  KEVENT_STREAM_RECV, 0, 1),
			      0, 0, 8192);
	ukevent_io_send(&io, -1, "one", 3, 0, 9);
	if (ukevent_io_turn(&io, ev, 4, UKEVENT_FOREVER) || told != 1)
		ret = -EPROTO;
	memset(ev, 0, sizeof(ev));
	ev[0].type = KEVENT_TYPE_STREAM;
	ev[0].events = KEVENT_STREAM_RECV;
	ev[0].data[0] = (uint64_t)3 << 32;
	if (ukevent_bytes(&q, ev) != q.data || ukevent_length(ev) != 3)
		ret = -EPROTO;
	ukevent_io_release(&io, ev);
	if (q.data)
		ukevent_release_batch(&q, ev, 4);
	ukevent_io_send(&io, -1, "one", 3, KEVENT_SEND_MORE, 9);
	ukevent_io_close(&io, -1);
	if (ukevent_io_flush(&io) || told != 2)
		ret = -EPROTO;
	ukevent_sendfile_mark(ukevent_sendfile_header(
		ukevent_prep_sendfile(ukevent_next(&io.loop), -1, -1, 0, 10, 0, 1),
		"head", 4), 1 << 16);
	ukevent_io_send_file(&io, -1, -1, 10, 3, 0, 10);
	if (ukevent_io_turn(&io, ev, 4, 0) || told != 3)
		ret = -EPROTO;
	ukevent_queue_exit(&q);
	return ret;
}

static void refused(struct ukevent_fds *fds, int fd, int error)
{
	if (fd >= 0 && error == ENOTSOCK)
		++*(int *)fds->data;
}

static void leave(struct ukevent_fds *fds, int away)
{
	*(int *)fds->data += away ? 10 : -10;
}

/* What is no socket cannot be watched as one; 0 or what went wrong. */
static int descriptors(struct ukevent_queue *q)
{
	struct ukevent_fd table[256], more[512];
	struct ukevent_fds fds;
	struct ukevent ev[4];
	int ends[2], told = 0;

	if (pipe(ends))
		return -errno;
	ukevent_fds_init(&fds, q, table, 256, KEVENT_TYPE_SOCKET, refused);
	fds.data = &told;
	memcpy(more, table, sizeof(table));
	ukevent_fds_resize(&fds, more, 512);
	ukevent_fds_set(&fds, ends[0], KEVENT_SOCK_RECV);
	if (ukevent_fds_turn(&fds, ev, 4, UKEVENT_FOREVER) || told != 1)
		return -EPROTO;
	ukevent_fds_set(&fds, ends[0], KEVENT_SOCK_RECV);
	if (ukevent_fds_now(&fds, ends[0]) != -ENOTSOCK)
		return -EPROTO;
	ukevent_fds_stream(&fds, ends[0], KEVENT_STREAM_RECV);
	ukevent_fds_remove(&fds, ends[0]);
	close(ends[0]);
	close(ends[1]);
	if (ukevent_fds_take(&fds, ev, 4))
		return -EPROTO;
	if (ukevent_fds_share(&fds, leave))
		return -EPROTO;
	return ukevent_fds_turn(&fds, ev, 4, 0) || ukevent_fds_turn(&fds, ev, 4, 1) ||
	       told != 1 ? -EPROTO : 0;
}

/* What there is, by name; 0 or what went wrong. */
static int names(const struct kevent_params *params)
{
	char buf[32];

	if (!ukevent_has_type(params, KEVENT_TYPE_USER) ||
	    ukevent_has_type(params, 0) || ukevent_has_type(params, 64) ||
	    strcmp(ukevent_type_name(KEVENT_TYPE_USER), "USER") ||
	    ukevent_event_names(buf, sizeof(buf), KEVENT_TYPE_USER,
				KEVENT_USER_TRIGGERED) != 9 ||
	    strcmp(buf, "TRIGGERED") ||
	    ukevent_queue_size() != sizeof(struct ukevent_queue) ||
	    ukevent_loop_size() != sizeof(struct ukevent_loop) ||
	    ukevent_io_size() != sizeof(struct ukevent_io))
		return -EPROTO;
	return 0;
}

/* A user event and a timer, told; 0 or what went wrong. */
int LANG_NAME(library)(void)
{
	struct kevent_params params;
	struct ukevent_queue q, again;
	struct ukevent ev[4];
	int ret;

	memset(&params, 0, sizeof(params));
	params.ring_entries = 8;
	ret = ukevent_queue_init(&q, &params);
	if (!ret)
		ret = names(&params);
	if (ret)
		return ret;
	ret = ukevent_add(&q, KEVENT_TYPE_USER, 1, KEVENT_USER_TRIGGERED,
			  KEVENT_EDGE, 11);
	if (!ret)
		ret = ukevent_trigger(&q, 1, 5);
	if (!ret)
		ret = ukevent_set_timer(&q, KEVENT_OP_SET, 1, 0, 0,
					UKEVENT_MONOTONIC, KEVENT_ONESHOT, 12);
	if (!ret)
		ret = ukevent_op(&q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER, 1);
	if (!ret && ukevent_dequeue_batch(&q, ev, 4, UKEVENT_FOREVER) != 2)
		ret = -EPROTO;
	if (!ret && (ev[0].cookie != 11 || ev[1].cookie != 12))
		ret = -EPROTO;
	if (!ret && (ukevent_add_poll(&q, -1, 1, 0, 0) != -EBADF ||
		     ukevent_add_socket(&q, -1, 1, 0, 0) != -EBADF ||
		     ukevent_op_poll(&q, KEVENT_OP_REMOVE, -1) != -EBADF ||
		     ukevent_add_inode(&q, -1, NULL, 0, 2, 0, 0, NULL) != -EBADF ||
		     ukevent_op_id(&q, KEVENT_OP_ENABLE, KEVENT_TYPE_USER, 99,
				   0) != -ENOENT ||
		     ukevent_dequeue(&q, ev, 0) ||
		     ukevent_take_shared(&q, ev, 1)))
		ret = -EPROTO;
	if (!ret) {
		ret = ukevent_queue_open(&again, q.fd);
		if (!ret) {
			q.fd = -1;
			ukevent_queue_exit(&again);
		}
	}
	if (!ret) {
		ret = ukevent_queue_init(&q, &params);
		if (!ret)
			ret = turns(&q);
		if (!ret)
			ret = descriptors(&q);
		if (!ret)
			ret = ukevent_queue_remap(&q);
	}
	ukevent_queue_exit(&q);
	return ret ? ret : bytes();
}
