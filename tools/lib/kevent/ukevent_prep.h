/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent_prep.h - fill in changes, for each source with all its parameters
 *
 * @e: the entry, filled in whatever was there: of a struct ukevent_loop
 *	(ukevent_next()), of an array for kevent_ctl(), or a single one.  Returned
 * @op: KEVENT_OP_ADD, MODIFY or SET.  The others: ukevent_prep_op()
 * @flags: the mode and so on, KEVENT_DEPENDS as well
 * @cookie: value to find in the records
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_PREP_H
#define _UKEVENT_PREP_H

#include <stdint.h>
#include <string.h>

#include <linux/kevent.h>

/*
 * What programs call: libkevent.c has all of it as symbols.  The rest, static in any
 * case, is the header's own.
 */
#ifndef UKEVENT_INLINE
#define UKEVENT_INLINE		static inline
#endif

/* <time.h> keeps CLOCK_MONOTONIC from programs in strict C. */
#define UKEVENT_MONOTONIC	1

/**
 * ukevent_prep - fill in a change that needs no parameters
 * @e: the entry
 * @op: %KEVENT_OP_ADD and so on
 * @type: %KEVENT_TYPE_POLL and so on
 * @ident: the descriptor, or the number chosen for it
 * @events: events of that type
 * @flags: %KEVENT_EDGE and so on
 * @cookie: value to find in the records
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep(struct kevent_change *e, unsigned int op, unsigned int type,
	     uint64_t ident, uint32_t events, uint32_t flags, uint64_t cookie)
{
	memset(e, 0, sizeof(*e));
	e->op = op;
	e->type = type;
	e->flags = flags;
	e->cookie = cookie;
	e->ident = ident;
	e->events = events;
	return e;
}

/**
 * ukevent_prep_op - REMOVE, ENABLE, DISABLE
 * @e: the entry
 * @op: which of them
 * @type: as at ADD
 * @ident: as at ADD
 * @flags: %KEVENT_ACK, %KEVENT_NO_LAST with REMOVE; %KEVENT_DEPENDS
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_op(struct kevent_change *e, unsigned int op, unsigned int type,
		uint64_t ident, uint32_t flags)
{
	return ukevent_prep(e, op, type, ident, 0, flags, 0);
}

/**
 * ukevent_by_id - let a change name its interest by id
 * @e: the entry, filled in for MODIFY, REMOVE, ENABLE, DISABLE or TRIGGER
 * @id: from ADD or SET
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *ukevent_by_id(struct kevent_change *e,
						   uint64_t id)
{
	e->flags |= KEVENT_BY_ID;
	e->ident = 0;
	e->id = id;
	return e;
}

/* @events: poll(2) bits */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_poll(struct kevent_change *e, unsigned int op, int fd,
		  uint32_t events, uint32_t flags, uint64_t cookie)
{
	return ukevent_prep(e, op, KEVENT_TYPE_POLL, fd, events, flags, cookie);
}

/* @events: KEVENT_SOCK_RECV and so on; @lowat: low-water mark, 0 for none */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_socket(struct kevent_change *e, unsigned int op, int fd,
		    uint32_t events, uint32_t lowat, uint32_t flags,
		    uint64_t cookie)
{
	ukevent_prep(e, op, KEVENT_TYPE_SOCKET, fd, events, flags, cookie);
	e->param[KEVENT_SOCK_LOWAT] = lowat;
	return e;
}

/*
 * @number: names the timer in this queue
 * @time_ns: until the first expiry, or with KEVENT_ABSTIME the time of it
 * @period_ns: between expirations, 0 for one only
 * @slack_ns: that it may be late
 * @clockid: UKEVENT_MONOTONIC, CLOCK_REALTIME and so on
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_timer(struct kevent_change *e, unsigned int op, uint64_t number,
		   uint64_t time_ns, uint64_t period_ns, uint64_t slack_ns,
		   int clockid, uint32_t flags, uint64_t cookie)
{
	ukevent_prep(e, op, KEVENT_TYPE_TIMER, number, KEVENT_TIMER_EXPIRED,
		     flags, cookie);
	e->param[KEVENT_TIMER_TIME] = time_ns;
	e->param[KEVENT_TIMER_PERIOD] = period_ns;
	e->param[KEVENT_TIMER_SLACK] = slack_ns;
	e->param[KEVENT_TIMER_CLOCK] = clockid;
	return e;
}

/* @number: names the user event in this queue */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_user(struct kevent_change *e, unsigned int op, uint64_t number,
		  uint32_t flags, uint64_t cookie)
{
	return ukevent_prep(e, op, KEVENT_TYPE_USER, number,
			    KEVENT_USER_TRIGGERED, flags, cookie);
}

/*
 * @payload: value to find in the record, if no later trigger replaces it
 * @count: triggers that this one stands for, 0 for one
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_trigger(struct kevent_change *e, uint64_t number, uint64_t payload,
		     uint64_t count)
{
	ukevent_prep_op(e, KEVENT_OP_TRIGGER, KEVENT_TYPE_USER, number, 0);
	e->param[KEVENT_USER_PAYLOAD] = payload;
	e->param[KEVENT_USER_COUNT] = count;
	return e;
}

/*
 * ADD.  To MODIFY there is the id only: ukevent_prep() and ukevent_by_id().
 *
 * @fd: of the file, or with @path a directory or AT_FDCWD
 * @path: relative to @fd, or NULL; has to stay until the change is applied
 * @lookup: KEVENT_INODE_NOFOLLOW, KEVENT_INODE_ONLYDIR
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_inode(struct kevent_change *e, int fd, const char *path,
		   uint32_t lookup, uint32_t events, uint32_t flags,
		   uint64_t cookie)
{
	ukevent_prep(e, KEVENT_OP_ADD, KEVENT_TYPE_INODE, fd, events, flags,
		     cookie);
	e->addr = (uintptr_t)path;
	e->param[KEVENT_INODE_LOOKUP] = lookup;
	return e;
}

UKEVENT_INLINE struct kevent_change *
ukevent_prep_signal(struct kevent_change *e, unsigned int op, int signo,
		    uint32_t flags, uint64_t cookie)
{
	return ukevent_prep(e, op, KEVENT_TYPE_SIGNAL, signo,
			    KEVENT_SIGNAL_SENT, flags, cookie);
}

UKEVENT_INLINE struct kevent_change *
ukevent_prep_process(struct kevent_change *e, unsigned int op, int pidfd,
		     uint32_t flags, uint64_t cookie)
{
	return ukevent_prep(e, op, KEVENT_TYPE_PROCESS, pidfd,
			    KEVENT_PROCESS_EXITED, flags, cookie);
}

/*
 * For a queue with a data area, see ukevent_data.h
 *
 * @fd: a stream socket that is connected
 * @events: KEVENT_STREAM_RECV and so on; without RECV the bytes stay in the socket
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_stream(struct kevent_change *e, unsigned int op, int fd,
		    uint32_t events, uint32_t flags, uint64_t cookie)
{
	return ukevent_prep(e, op, KEVENT_TYPE_STREAM, fd, events, flags, cookie);
}

/**
 * ukevent_stream_limits - let a STREAM interest take other pieces than by default
 * @e: the entry, filled in by ukevent_prep_stream()
 * @lowat: fewer bytes are left in the socket; 0 for any
 * @most: bytes in a record; 0 for 4096
 * @share: bytes of the area that may wait for their release; 0 for a quarter
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *
ukevent_stream_limits(struct kevent_change *e, uint32_t lowat, uint32_t most,
		      uint32_t share)
{
	e->param[KEVENT_STREAM_LOWAT] = lowat;
	e->param[KEVENT_STREAM_MOST] = most;
	e->param[KEVENT_STREAM_SHARE] = share;
	return e;
}

/*
 * For a queue made with KEVENT_CREATE_SENDFILE.  ADD: there is neither MODIFY nor SET;
 * DISABLE, ENABLE and REMOVE by ukevent_prep_op().
 *
 * @fd: a stream socket that is connected
 * @file_fd: of the file, open until the change is applied
 * @offset: position in the file of the first byte
 * @length: how many bytes, %KEVENT_SENDFILE_TO_END for all there is
 * @flags: KEVENT_WANT_LAST, KEVENT_MORE and so on
 */
UKEVENT_INLINE struct kevent_change *
ukevent_prep_sendfile(struct kevent_change *e, int fd, int file_fd, uint64_t offset,
		      uint64_t length, uint32_t flags, uint64_t cookie)
{
	ukevent_prep(e, KEVENT_OP_ADD, KEVENT_TYPE_SENDFILE, fd, KEVENT_SENDFILE_DONE,
		     flags, cookie);
	e->param[KEVENT_SENDFILE_FD] = file_fd;
	e->param[KEVENT_SENDFILE_OFFSET] = offset;
	e->param[KEVENT_SENDFILE_LENGTH] = length;
	return e;
}

/**
 * ukevent_sendfile_header - have bytes sent before those of the file
 * @e: the entry, filled in by ukevent_prep_sendfile()
 * @addr: the bytes, which have to stay until the change is applied
 * @len: how many, up to %KEVENT_SENDFILE_MAX_HEADER; 0 for none
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *
ukevent_sendfile_header(struct kevent_change *e, const void *addr, uint16_t len)
{
	e->addr = len ? (uintptr_t)addr : 0;
	e->param[KEVENT_SENDFILE_MARK] = (uint32_t)e->param[KEVENT_SENDFILE_MARK] |
					 KEVENT_SENDFILE_HEADER(len);
	return e;
}

/**
 * ukevent_sendfile_mark - have progress told
 * @e: the entry, filled in by ukevent_prep_sendfile()
 * @mark: a record each time that so many bytes more were sent; 0 for none
 *
 * Return: @e.
 */
UKEVENT_INLINE struct kevent_change *
ukevent_sendfile_mark(struct kevent_change *e, uint32_t mark)
{
	const uint64_t param = e->param[KEVENT_SENDFILE_MARK];

	e->events &= ~(uint32_t)KEVENT_SENDFILE_PROGRESS;
	if (mark)
		e->events |= KEVENT_SENDFILE_PROGRESS;
	e->param[KEVENT_SENDFILE_MARK] = (param & ~(uint64_t)0xffffffff) | mark;
	return e;
}

#endif /* _UKEVENT_PREP_H */
