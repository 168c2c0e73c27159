/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent_data.h - bytes that records carry, and sends that leave with a turn
 *
 * A queue made with KEVENT_CREATE_DATA has a data area, into which the kernel puts
 * what is received on the sockets of KEVENT_TYPE_STREAM interests.  The bytes of a
 * record stay where they are until the program gives them back, in the order of the
 * records, by an index that it alone writes:
 *
 *   program                                kernel
 *   -------                                ------
 *   take records, parse in place           full if produced - r + length > size
 *   released = r, release        (G)       flags |= PENDING
 *   full fence                   (H)       full barrier            (F)
 *   look at the flag word                  r = released, once more
 *
 *   G pairs with the acquire of r: the program is done with bytes before others
 *   take their place.
 *   H pairs with F, as E does: see ukevent.h.
 *
 * With the functions of ukevent.h:
 *
 *	n = ukevent_dequeue_batch(&q, ev, 64, UKEVENT_FOREVER);
 *	for (i = 0; i < n; i++)
 *		if (ukevent_has_bytes(ev + i))
 *			parse(ukevent_bytes(&q, ev + i), ukevent_length(ev + i));
 *	ukevent_release_batch(&q, ev, n);
 *
 * Each of those looks at the flag word, so that what there was no room for comes by
 * the next one.  Who keeps bytes for long keeps everybody's: copy them.
 *
 * struct ukevent_io is a struct ukevent_loop that sends as well, from the area if the
 * program likes.  A turn is one kernel entry that sends, gives the bytes of the last
 * turn back, changes and sleeps.  That order is the turn's, whatever the program
 * forgets; if a send was not done in full, that is told before anything is given back.
 *
 *	ukevent_io_init(&io, &q, failed, unsent);
 *	for (;;) {
 *		n = ukevent_io_turn(&io, ev, 64, UKEVENT_FOREVER);
 *		for (i = 0; i < n; i++)
 *			if (ukevent_has_bytes(ev + i))
 *				ukevent_io_send(&io, fd, ukevent_bytes(&q, ev + i),
 *						ukevent_length(ev + i), 0, cookie);
 *	}
 *
 * One consumer.  A loop without a data area can send, too.
 *
 * Of a queue made with KEVENT_CREATE_SENDFILE a turn sends files as well, as far as they
 * are cached and the socket has room.  The rest is for an interest, which waits for both:
 *
 *	ukevent_io_send(&io, fd, head, len, KEVENT_SEND_MORE, cookie);
 *	ukevent_io_send_file(&io, fd, file, 0, size, 0, cookie);
 *
 *	unsent():
 *		if (ukevent_is_file(send))
 *			err = ukevent_unsent_file(send, &offset, &len);
 *
 *	later, with nothing else gathered for the socket:
 *		ukevent_sendfile_header(
 *			ukevent_prep_sendfile(ukevent_next(&io.loop), fd, file, offset,
 *					      len, KEVENT_WANT_LAST, cookie),
 *			rest_of_head, its_length);
 *
 * Later, as changes are applied after all sends of their turn.  A file that is large is
 * given to an interest from the beginning, with what goes before it.
 *
 * A kernel without all that, or one that does not let this program do it, refuses
 * KEVENT_CREATE_DATA: ukevent_queue_init_data() then makes a queue without, on which
 * the program watches by SOCKET and receives by recv(2).  What is gathered to be sent
 * is sent in any case; files that the kernel does not send, on that queue or of that file
 * system, by reading them and send(2).  That waits for the disk, and whoever has no
 * KEVENT_CREATE_SENDFILE has no interest for the rest either: sendfile(2), then.
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_DATA_H
#define _UKEVENT_DATA_H

#include <sys/socket.h>

#include "ukevent_loop.h"

/* A result that no send has. */
#define UKEVENT_NOT_SENT	(-0x7fffffff - 1)

/**
 * ukevent_queue_init_data - make a queue with a data area, if the kernel does
 * @q: filled in; @q->data tells
 * @params: as ukevent_queue_init(); @params->flags without %KEVENT_CREATE_DATA, but with
 *	%KEVENT_CREATE_SENDFILE if files shall be sent: they are if it is still there
 *	when the call returns
 *
 * Without one or the other, for want of the facility or of the right to use it, the queue
 * is made all the same.
 *
 * Return: 0 or a negative error number; nothing is left open then.
 */
UKEVENT_INLINE int ukevent_queue_init_data(struct ukevent_queue *q,
					   struct kevent_params *params)
{
	const struct kevent_params wanted = *params;
	const uint32_t files = wanted.flags & KEVENT_CREATE_SENDFILE;
	int way, ret;

	/* With both, without files, without an area, without anything. */
	for (way = files ? 0 : 1; ; way += files ? 1 : 2) {
		*params = wanted;
		if (way & 1)
			params->flags &= ~KEVENT_CREATE_SENDFILE;
		if (way & 2)
			params->data_size = 0;
		else
			params->flags |= KEVENT_CREATE_DATA;
		ret = ukevent_queue_init(q, params);
		if (way == 3 ||
		    (ret != -EINVAL && ret != -EOPNOTSUPP && ret != -EPERM))
			return ret;
	}
}

/**
 * ukevent_has_bytes - does the record carry bytes?
 * @ev: a record
 *
 * Return: nonzero if it does; such a record tells nothing else.
 */
UKEVENT_INLINE int ukevent_has_bytes(const struct ukevent *ev)
{
	return ev->type == KEVENT_TYPE_STREAM && ev->events & KEVENT_STREAM_RECV;
}

/**
 * ukevent_bytes - where the bytes of a record are
 * @q: the queue, mapped here
 * @ev: a record that has bytes
 *
 * Return: the first of them, to be read and written until they are released.
 */
UKEVENT_INLINE char *ukevent_bytes(const struct ukevent_queue *q,
				   const struct ukevent *ev)
{
	return q->data + KEVENT_STREAM_OFFSET(ev->data[0]);
}

/**
 * ukevent_length - how many bytes a record has
 * @ev: a record that has bytes
 *
 * Return: their number.
 */
UKEVENT_INLINE uint32_t ukevent_length(const struct ukevent *ev)
{
	return KEVENT_STREAM_LENGTH(ev->data[0]);
}

/* Is there something to be given back up to @index?  Before what was is a wild one. */
static inline int ukevent_is_due(const struct ukevent_queue *q, uint32_t index)
{
	return (int32_t)(index - __atomic_load_n(q->release, __ATOMIC_RELAXED)) > 0;
}

static inline void ukevent_release_index(struct ukevent_queue *q, uint32_t index)
{
	if (!ukevent_is_due(q, index))
		return;
	__atomic_store_n(q->release, index, __ATOMIC_RELEASE); /* G */
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* H */
}

/**
 * ukevent_release - give the bytes of a record back, with those of all before it
 * @q: the queue, mapped here
 * @ev: a record that has bytes
 *
 * What has to be given back for the next bytes to come is little: once for a batch of
 * records will do, see ukevent_release_batch().
 */
UKEVENT_INLINE void ukevent_release(struct ukevent_queue *q,
				    const struct ukevent *ev)
{
	ukevent_release_index(q, KEVENT_STREAM_RELEASE(ev->data[1]));
}

/* The last record that has bytes, or NULL. */
static inline const struct ukevent *
ukevent_last_bytes(const struct ukevent *ev, int nr)
{
	while (nr-- > 0)
		if (ukevent_has_bytes(ev + nr))
			return ev + nr;
	return NULL;
}

/**
 * ukevent_release_batch - give the bytes of a batch back, with those of all before it
 * @q: the queue, mapped here
 * @ev: records, as they were taken; with or without bytes
 * @nr: how many; nothing is done if that is an error number
 */
UKEVENT_INLINE void ukevent_release_batch(struct ukevent_queue *q,
					  const struct ukevent *ev, int nr)
{
	const struct ukevent *last = ukevent_last_bytes(ev, nr);

	if (last)
		ukevent_release(q, last);
}

/**
 * struct ukevent_io - what a thread has gathered for its next turn, sends as well
 * @loop: the changes; ukevent_next() and so on are for them
 * @nr: sends gathered
 * @room: places for them; 0 while their results are told
 * @due: release index up to which the next turn gives back, after its sends
 * @keeps: nonzero: a turn releases only what ukevent_io_release() was told
 * @by_hand: the kernel does not send arrays, send(2) does
 * @files: a file is among the sends
 * @unsent: called for each send that was not done in full, in their order, before
 *	anything is released; may be NULL.  It copies the rest (ukevent_unsent()) to
 *	where it can stay, and may gather changes, but no sends
 * @cookie: the program's own value for each send
 * @send: the sends
 */
struct ukevent_io {
	struct ukevent_loop	loop;
	uint32_t		nr;
	uint32_t		room;
	uint32_t		due;
	uint32_t		keeps;
	uint32_t		by_hand;
	uint32_t		files;
	void			(*unsent)(struct ukevent_io *io,
					  const struct kevent_send *send,
					  uint64_t cookie);
	uint64_t		cookie[UKEVENT_GATHERED];
	struct kevent_send	send[UKEVENT_GATHERED];
};

/**
 * ukevent_io_size - bytes of a struct ukevent_io, as ukevent_queue_size()
 *
 * Return: their number.
 */
UKEVENT_INLINE size_t ukevent_io_size(void)
{
	return sizeof(struct ukevent_io);
}

/**
 * ukevent_io_init - nothing is gathered
 * @io: filled in
 * @q: its queue, with a single consumer
 * @failed: of its loop; may be NULL
 * @unsent: see there; may be NULL
 */
UKEVENT_INLINE void
ukevent_io_init(struct ukevent_io *io, struct ukevent_queue *q,
		void (*failed)(struct ukevent_loop *loop,
			       const struct kevent_change *change),
		void (*unsent)(struct ukevent_io *io,
			       const struct kevent_send *send, uint64_t cookie))
{
	memset(io, 0, sizeof(*io));
	ukevent_loop_init(&io->loop, q, failed);
	io->room = UKEVENT_GATHERED;
	io->unsent = unsent;
	if (q->release)
		io->due = __atomic_load_n(q->release, __ATOMIC_RELAXED);
}

/**
 * ukevent_unsent - what is left of a send
 * @send: the send, as told to @unsent of struct ukevent_io
 * @rest: receives where it begins
 * @len: receives how much it is
 *
 * Return: 0 if there is no room for it now (KEVENT_STREAM_SEND tells when there is), or
 * because something before it on this socket could not be sent or is being sent
 * (SENDFILE); else a negative error number, of the connection.
 */
UKEVENT_INLINE int ukevent_unsent(const struct kevent_send *send,
				  const char **rest, uint32_t *len)
{
	const uint32_t sent = send->result > 0 ? send->result : 0;

	*rest = (const char *)(uintptr_t)send->addr + sent;
	*len = send->len - sent;
	return send->result >= 0 || send->result == -EAGAIN || send->result == -EBUSY ||
	       send->result == -ECANCELED ? 0 : send->result;
}

/**
 * ukevent_is_file - is the send one of ukevent_io_send_file()?
 * @send: the send, as told to @unsent of struct ukevent_io
 *
 * Return: nonzero if it is; ukevent_unsent_file() has its rest then, not ukevent_unsent().
 */
UKEVENT_INLINE int ukevent_is_file(const struct kevent_send *send)
{
	return send->flags & KEVENT_SEND_FILE ? 1 : 0;
}

/**
 * ukevent_unsent_file - what is left of a file
 * @send: the send, as told to @unsent of struct ukevent_io
 * @offset: receives where in the file it begins
 * @len: receives how much it is
 *
 * Return: 0 if that can be sent later: there is no room, no more is cached, the file
 * ends there, or as ukevent_unsent().  Whichever it is, ukevent_prep_sendfile() goes on
 * or tells: no KEVENT_STREAM_SEND needs to come.  Else a negative error number.
 */
UKEVENT_INLINE int ukevent_unsent_file(const struct kevent_send *send,
				       uint64_t *offset, uint32_t *len)
{
	const char *rest;
	int ret = ukevent_unsent(send, &rest, len);

	*offset = send->addr + (send->len - *len);
	return ret;
}

static inline int ukevent_is_sent(const struct kevent_send *send)
{
	return send->result >= 0 && (uint32_t)send->result == send->len;
}

/* Was one before @end, for the same descriptor, not sent in full? */
static inline int ukevent_io_stuck(const struct ukevent_io *io, uint32_t end, int fd)
{
	while (end--)
		if (io->send[end].fd == fd)
			return !ukevent_is_sent(io->send + end);
	return 0;
}

/* As an entry of an array, but for a file's, which is read for that. */
UKEVENT_APART int ukevent_send_by_hand(const struct kevent_send *s)
{
	const int more = s->flags & KEVENT_SEND_MORE ? MSG_MORE : 0;
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	char buf[8192];
	struct iovec iov;
	uint32_t done = 0;
	uint64_t pos;
	ssize_t n, sent;
	int hold;

	if (!ukevent_is_file(s)) {
		n = send(s->fd, (const void *)(uintptr_t)s->addr, s->len, flags | more);
		return n < 0 ? -errno : (int)n;
	}
	while (done < s->len) {
		pos = s->addr + done;
		iov.iov_base = buf;
		iov.iov_len = s->len - done < sizeof(buf) ? s->len - done : sizeof(buf);
		n = syscall(__NR_preadv, (long)s->file_fd, &iov, 1L, (unsigned long)pos,
			    (unsigned long)(pos >> 32), 0L);
		if (!n)
			break;
		/* Of a file that has ended nothing is held back. */
		hold = n < (ssize_t)iov.iov_len ? 0 :
		       done + n < s->len ? MSG_MORE : more;
		sent = n < 0 ? n : send(s->fd, buf, n, flags | hold);
		if (sent < 0)
			return done ? (int)done : -errno;
		done += sent;
		if (sent < n)
			break;
	}
	return done;
}

/* What the kernel has not looked at, or does not do, one by one. */
UKEVENT_APART void ukevent_io_by_hand(struct ukevent_io *io)
{
	struct kevent_send *s;
	int saved = errno;
	uint32_t i;

	for (i = 0; i < io->nr; i++) {
		s = io->send + i;
		if (s->result != UKEVENT_NOT_SENT)
			continue;
		s->result = ukevent_io_stuck(io, i, s->fd) ? -ECANCELED :
							     ukevent_send_by_hand(s);
	}
	errno = saved;
}

/*
 * Files that the kernel does not send, and what was refused as they were in its way, are
 * marked as not sent; how many these are.
 */
UKEVENT_APART uint32_t ukevent_io_refused(struct ukevent_io *io)
{
	uint32_t i, k, nr = 0;
	struct kevent_send *s;

	for (i = 0; i < io->nr; i++) {
		s = io->send + i;
		if (!ukevent_is_file(s) ||
		    (s->result != -ENXIO && s->result != -EOPNOTSUPP &&
		     s->result != -EPERM))
			continue;
		s->result = UKEVENT_NOT_SENT;
		nr++;
		for (k = i + 1; k < io->nr; k++)
			if (io->send[k].fd == s->fd && io->send[k].result == -ECANCELED)
				io->send[k].result = UKEVENT_NOT_SENT;
	}
	return nr;
}

/*
 * Send what is gathered; @least and @args as of kevent_wait().  An error is that of the
 * wait: the sends are done.  -ENOSYS if there was no wait.
 */
static inline int ukevent_io_enter(struct ukevent_io *io, uint32_t least,
				   struct kevent_wait_args *args)
{
	struct ukevent_queue *q = io->loop.q;
	int ret = -ENOSYS;

	if (!io->by_hand) {
		__atomic_store_n(&q->taken, 0, __ATOMIC_RELAXED);
		ret = sys_kevent_send(q->fd, io->send, io->nr, least, args,
				      args ? sizeof(*args) : 0);
	}
	if (io->send[io->nr - 1].result != UKEVENT_NOT_SENT) {
		/* With one that failed the kernel has neither slept nor released. */
		if (!io->files || !ukevent_io_refused(io))
			return ret;
		ukevent_io_by_hand(io);
		return -ENOSYS;
	}
	ukevent_io_by_hand(io);
	if (ret == -ENOSYS || ret == -EOPNOTSUPP || ret == -EPERM)
		io->by_hand = 1;
	return -ENOSYS;
}

/* Tells what was not sent in full; how many these are. */
static inline uint32_t ukevent_io_tell(struct ukevent_io *io)
{
	uint32_t i, unsent = 0;

	io->room = 0;
	for (i = 0; i < io->nr; i++) {
		if (ukevent_is_sent(io->send + i))
			continue;
		unsent++;
		if (io->unsent)
			io->unsent(io, io->send + i, io->cookie[i]);
	}
	io->nr = 0;
	io->files = 0;
	io->room = UKEVENT_GATHERED;
	return unsent;
}

/**
 * ukevent_io_flush - send what is gathered now, not in the next turn
 * @io: the loop
 *
 * Before shutdown(2), say.  Changes are not applied, nothing is released.
 *
 * Return: how many were not sent in full, all of which @unsent was told of.
 */
UKEVENT_INLINE uint32_t ukevent_io_flush(struct ukevent_io *io)
{
	if (!io->nr || !io->room || !io->loop.q->here->process)
		return 0;
	ukevent_io_enter(io, 0, NULL);
	return ukevent_io_tell(io);
}

/* The entry for another send, with the place of its result. */
static inline int ukevent_io_gather(struct ukevent_io *io, const struct kevent_send *send,
				    uint64_t cookie)
{
	struct kevent_send *s, own;
	int stuck;

	if (!io->room)
		return -EBUSY;
	if (io->nr == io->room) {
		/* As if it had been the last one of that call. */
		ukevent_io_enter(io, 0, NULL);
		stuck = ukevent_io_stuck(io, io->nr, send->fd);
		ukevent_io_tell(io);
		s = stuck ? &own : io->send;
	} else {
		stuck = 0;
		s = io->send + io->nr;
	}
	*s = *send;
	s->result = stuck ? -ECANCELED : UKEVENT_NOT_SENT;
	if (!stuck) {
		io->cookie[io->nr++] = cookie;
		io->files |= ukevent_is_file(s);
	} else if (io->unsent) {
		io->room = 0;
		io->unsent(io, s, cookie);
		io->room = UKEVENT_GATHERED;
	}
	return 0;
}

/**
 * ukevent_io_send - gather a send
 * @io: the loop
 * @fd: a socket that is connected
 * @addr: the bytes, which must stay as they are until the next turn returns: in the
 *	data area those of records that the last turn returned do
 * @len: how many
 * @flags: %KEVENT_SEND_MORE
 * @cookie: value for @unsent
 *
 * What is sent on one socket arrives in the order in which it was gathered.  After
 * @unsent told of one, the rest of it is to be sent first: what comes after it is the
 * program's to append to that rest.  With 64 gathered they are sent at once.
 *
 * Return: 0; -EBUSY, and nothing is gathered, while results are told.
 */
UKEVENT_INLINE int ukevent_io_send(struct ukevent_io *io, int fd, const void *addr,
				   uint32_t len, uint32_t flags, uint64_t cookie)
{
	struct kevent_send send;

	send.addr = (uintptr_t)addr;
	send.fd = fd;
	send.len = len;
	send.flags = flags;
	send.result = 0;
	send.file_fd = 0;
	send.release = 0;
	return ukevent_io_gather(io, &send, cookie);
}

/**
 * ukevent_io_send_file - gather a send of part of a file
 * @io: the loop
 * @fd: a socket that is connected, of a stream
 * @file_fd: the file, which must stay open until the next turn returns, or be closed by
 *	ukevent_io_close()
 * @offset: position in the file of the first byte
 * @len: how many, less than 2 GiB
 * @flags: %KEVENT_SEND_MORE
 * @cookie: value for @unsent
 *
 * For files that are small, and likely cached: what is not is neither read nor waited
 * for, but told to @unsent.  In the same order as ukevent_io_send().
 *
 * Return: as ukevent_io_send().
 */
UKEVENT_INLINE int ukevent_io_send_file(struct ukevent_io *io, int fd, int file_fd,
					uint64_t offset, uint32_t len, uint32_t flags,
					uint64_t cookie)
{
	struct kevent_send send;

	send.addr = offset;
	send.fd = fd;
	send.len = len;
	send.flags = flags | KEVENT_SEND_FILE;
	send.result = 0;
	send.file_fd = file_fd;
	send.release = 0;
	return ukevent_io_gather(io, &send, cookie);
}

static inline int ukevent_sends_by(const struct kevent_send *send, int fd)
{
	return send->fd == fd || (ukevent_is_file(send) && send->file_fd == fd);
}

static inline int ukevent_changes_by(const struct kevent_change *change, int fd)
{
	return change->ident == (uint64_t)fd ||
	       (change->type == KEVENT_TYPE_SENDFILE && change->op == KEVENT_OP_ADD &&
		change->param[KEVENT_SENDFILE_FD] == (uint64_t)fd);
}

/**
 * ukevent_io_close - close a descriptor that something gathered may name
 * @io: the loop
 * @fd: the descriptor, of a socket or of a file that is sent
 *
 * A number that is in use again by the next turn would be taken for the old one.
 * Sends are done, and changes applied, before, if there are some for @fd: its owner,
 * whom the callbacks may tell of that, forgets it first.
 */
UKEVENT_INLINE void ukevent_io_close(struct ukevent_io *io, int fd)
{
	int saved = errno;
	uint32_t i;

	for (i = 0; i < io->nr && !ukevent_sends_by(io->send + i, fd); i++)
		;
	if (i < io->nr)
		ukevent_io_flush(io);
	for (i = 0; i < io->loop.nr && !ukevent_changes_by(io->loop.change + i, fd); i++)
		;
	if (i < io->loop.nr)
		ukevent_flush(&io->loop);
	close(fd);
	errno = saved;
}

/**
 * ukevent_io_release - have the next turn release the bytes of a record
 * @io: the loop, with @keeps
 * @ev: a record that has bytes; released with all before it
 */
UKEVENT_INLINE void ukevent_io_release(struct ukevent_io *io, const struct ukevent *ev)
{
	const uint32_t index = KEVENT_STREAM_RELEASE(ev->data[1]);

	if ((int32_t)(index - io->due) > 0)
		io->due = index;
}

/* The sends of a turn, with its changes and, if it can be had there, its sleep. */
static inline int ukevent_io_out(struct ukevent_io *io, uint64_t *timeout_ns)
{
	struct ukevent_loop *loop = &io->loop;
	struct ukevent_queue *q = loop->q;
	struct kevent_send *last = io->send + io->nr - 1;
	struct kevent_wait_args args, *with = NULL;
	const uint32_t least = *timeout_ns && q->here->ring ? 1 : 0;
	const int releases = q->release && ukevent_is_due(q, io->due);
	uint32_t failed = 0, unsent;
	int ret;

	args.changes_done = 0;
	if (loop->nr || (least && *timeout_ns != UKEVENT_FOREVER)) {
		memset(&args, 0, sizeof(args));
		with = &args;
	}
	if (loop->nr) {
		args.changes = (uintptr_t)loop->change;
		args.nr_changes = loop->nr;
		args.change_size = sizeof(loop->change[0]);
	}
	if (least && *timeout_ns != UKEVENT_FOREVER)
		ukevent_set_timeout(&args, *timeout_ns);
	if (releases) {
		last->flags |= KEVENT_SEND_RELEASE;
		last->release = io->due;
	}
	ret = ukevent_io_enter(io, least, with);
	io->room = 0;
	if (loop->nr && (ret >= 0 || args.changes_done))
		failed = ukevent_settle(loop, args.changes_done);
	unsent = ukevent_io_tell(io);
	/* The kernel has, and knows what that makes room for. */
	if (releases && !unsent && ret != -ENOSYS)
		__atomic_store_n(q->release, io->due, __ATOMIC_RELEASE);
	if (failed || unsent || (least && ret >= 0))
		*timeout_ns = 0;
	return ret == -ENOSYS ? 0 : ret;
}

/**
 * ukevent_io_turn - send, apply changes, release, take records, sleep if there are none
 * @io: the loop
 * @buf: receives the records; their bytes stay until the next turn has sent, or with
 *	@keeps until ukevent_io_release()
 * @max: room in @buf; with @loop.interest at most %UKEVENT_GATHERED are taken
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * With nothing to be sent as ukevent_turn().
 *
 * Return: number of records; 0 after the timeout, or if a change failed or a send was
 * not done in full; or a negative error number: after -EINTR sends are done.
 */
UKEVENT_INLINE int ukevent_io_turn(struct ukevent_io *io, struct ukevent *buf,
				   uint32_t max, uint64_t timeout_ns)
{
	struct ukevent_queue *q = io->loop.q;
	const struct ukevent *last;
	int n = 0;

	if (!q->here->process)
		return -ECHILD;
	if (io->nr)
		n = ukevent_io_out(io, &timeout_ns);
	if (q->release)
		ukevent_release_index(q, io->due);
	if (n < 0)
		return n;
	n = ukevent_turn(&io->loop, buf, max, timeout_ns);
	last = io->keeps ? NULL : ukevent_last_bytes(buf, n);
	if (last)
		io->due = KEVENT_STREAM_RELEASE(last->data[1]);
	return n;
}

#endif /* _UKEVENT_DATA_H */
