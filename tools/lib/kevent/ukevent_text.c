// SPDX-License-Identifier: GPL-2.0 OR MIT
/* ukevent_text.c - names and errors as text: ukevent_text.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ukevent_text.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

struct name {
	uint32_t	bit;
	const char	*name;
};

static const char *const types[] = {
	[KEVENT_TYPE_POLL]	= "POLL",
	[KEVENT_TYPE_SOCKET]	= "SOCKET",
	[KEVENT_TYPE_TIMER]	= "TIMER",
	[KEVENT_TYPE_USER]	= "USER",
	[KEVENT_TYPE_INODE]	= "INODE",
	[KEVENT_TYPE_SIGNAL]	= "SIGNAL",
	[KEVENT_TYPE_PROCESS]	= "PROCESS",
	[KEVENT_TYPE_STREAM]	= "STREAM",
	[KEVENT_TYPE_SENDFILE]	= "SENDFILE",
};

static const char *const ops[] = {
	[KEVENT_OP_ADD]		= "ADD",
	[KEVENT_OP_MODIFY]	= "MODIFY",
	[KEVENT_OP_REMOVE]	= "REMOVE",
	[KEVENT_OP_ENABLE]	= "ENABLE",
	[KEVENT_OP_DISABLE]	= "DISABLE",
	[KEVENT_OP_TRIGGER]	= "TRIGGER",
	[KEVENT_OP_SET]		= "SET",
	[KEVENT_OP_QUERY]	= "QUERY",
};

/* poll(2)'s, as numbers: <poll.h> has some of them with extensions only. */
static const struct name poll_events[] = {
	{ 0x0001, "IN" }, { 0x0002, "PRI" }, { 0x0004, "OUT" }, { 0x0008, "ERR" },
	{ 0x0010, "HUP" }, { 0x0020, "NVAL" }, { 0x0040, "RDNORM" },
	{ 0x0080, "RDBAND" }, { 0x0100, "WRNORM" }, { 0x0200, "WRBAND" },
	{ 0x0400, "MSG" }, { 0x2000, "RDHUP" }, { 0, NULL }
};

static const struct name socket_events[] = {
	{ KEVENT_SOCK_RECV, "RECV" }, { KEVENT_SOCK_SEND, "SEND" },
	{ KEVENT_SOCK_ERROR, "ERROR" }, { KEVENT_SOCK_HUP, "HUP" },
	{ KEVENT_SOCK_ACCEPT, "ACCEPT" }, { KEVENT_SOCK_CONNECT, "CONNECT" },
	{ KEVENT_SOCK_RDHUP, "RDHUP" }, { 0, NULL }
};

static const struct name timer_events[] = {
	{ KEVENT_TIMER_EXPIRED, "EXPIRED" }, { 0, NULL }
};

static const struct name user_events[] = {
	{ KEVENT_USER_TRIGGERED, "TRIGGERED" }, { 0, NULL }
};

static const struct name inode_events[] = {
	{ KEVENT_INODE_MODIFY, "MODIFY" }, { KEVENT_INODE_ATTRIB, "ATTRIB" },
	{ KEVENT_INODE_CLOSE_WRITE, "CLOSE_WRITE" },
	{ KEVENT_INODE_CLOSE_NOWRITE, "CLOSE_NOWRITE" },
	{ KEVENT_INODE_OPEN, "OPEN" }, { KEVENT_INODE_MOVED_FROM, "MOVED_FROM" },
	{ KEVENT_INODE_MOVED_TO, "MOVED_TO" }, { KEVENT_INODE_CREATE, "CREATE" },
	{ KEVENT_INODE_DELETE, "DELETE" },
	{ KEVENT_INODE_DELETE_SELF, "DELETE_SELF" },
	{ KEVENT_INODE_MOVE_SELF, "MOVE_SELF" },
	{ KEVENT_INODE_UNMOUNT, "UNMOUNT" }, { 0, NULL }
};

static const struct name signal_events[] = {
	{ KEVENT_SIGNAL_SENT, "SENT" }, { 0, NULL }
};

static const struct name process_events[] = {
	{ KEVENT_PROCESS_EXITED, "EXITED" }, { KEVENT_PROCESS_HUP, "HUP" }, { 0, NULL }
};

static const struct name stream_events[] = {
	{ KEVENT_STREAM_RECV, "RECV" }, { KEVENT_STREAM_SEND, "SEND" },
	{ KEVENT_STREAM_ERROR, "ERROR" }, { KEVENT_STREAM_HUP, "HUP" },
	{ KEVENT_STREAM_RDHUP, "RDHUP" }, { 0, NULL }
};

static const struct name sendfile_events[] = {
	{ KEVENT_SENDFILE_PROGRESS, "PROGRESS" }, { KEVENT_SENDFILE_DONE, "DONE" },
	{ KEVENT_SENDFILE_EOF, "EOF" }, { KEVENT_SENDFILE_ERROR, "ERROR" },
	{ KEVENT_SENDFILE_HUP, "HUP" }, { 0, NULL }
};

static const struct name *const events_of[] = {
	[KEVENT_TYPE_POLL]	= poll_events,
	[KEVENT_TYPE_SOCKET]	= socket_events,
	[KEVENT_TYPE_TIMER]	= timer_events,
	[KEVENT_TYPE_USER]	= user_events,
	[KEVENT_TYPE_INODE]	= inode_events,
	[KEVENT_TYPE_SIGNAL]	= signal_events,
	[KEVENT_TYPE_PROCESS]	= process_events,
	[KEVENT_TYPE_STREAM]	= stream_events,
	[KEVENT_TYPE_SENDFILE]	= sendfile_events,
};

static const struct name change_flags[] = {
	{ KEVENT_EDGE, "EDGE" }, { KEVENT_ONESHOT, "ONESHOT" },
	{ KEVENT_DISPATCH, "DISPATCH" }, { KEVENT_WANT_LAST, "WANT_LAST" },
	{ KEVENT_START_DISABLED, "START_DISABLED" }, { KEVENT_HOLD_LAST, "HOLD_LAST" },
	{ KEVENT_BY_ID, "BY_ID" }, { KEVENT_EXCLUSIVE, "EXCLUSIVE" },
	{ KEVENT_ABSTIME, "ABSTIME" }, { KEVENT_ACK, "ACK" },
	{ KEVENT_NO_LAST, "NO_LAST" }, { KEVENT_DEPENDS, "DEPENDS" },
	{ KEVENT_HINTS, "HINTS" }, { KEVENT_LATE, "LATE" }, { KEVENT_MORE, "MORE" },
	{ 0, NULL }
};

static const struct name record_flags[] = {
	{ KEVENT_REC_LAST, "LAST" }, { KEVENT_REC_MORE, "MORE" },
	{ KEVENT_REC_SATURATED, "SATURATED" }, { KEVENT_REC_HINT, "HINT" },
	{ KEVENT_REC_UNKNOWN, "UNKNOWN" }, { KEVENT_REC_ERROR, "ERROR" }, { 0, NULL }
};

const char *ukevent_type_name(unsigned int type)
{
	return type < COUNT(types) && types[type] ? types[type] : "?";
}

const char *ukevent_op_name(unsigned int op)
{
	return op < COUNT(ops) && ops[op] ? ops[op] : "?";
}

/* Appends as far as there is room; the length grows in any case. */
static size_t append(char *buf, size_t size, size_t len, const char *text)
{
	for (; *text; text++, len++)
		if (len + 1 < size)
			buf[len] = *text;
	return len;
}

static int names(char *buf, size_t size, const struct name *name, uint32_t bits)
{
	size_t len = 0;
	char rest[16];

	for (; name && name->name; name++) {
		if (!(bits & name->bit))
			continue;
		if (len)
			len = append(buf, size, len, "|");
		len = append(buf, size, len, name->name);
		bits &= ~name->bit;
	}
	if (bits || !len) {
		snprintf(rest, sizeof(rest), bits ? "%s0x%x" : "%s%x", len ? "|" : "",
			 (unsigned int)bits);
		len = append(buf, size, len, rest);
	}
	if (size)
		buf[len < size ? len : size - 1] = 0;
	return (int)len;
}

int ukevent_event_names(char *buf, size_t size, unsigned int type, uint32_t events)
{
	return names(buf, size, type < COUNT(events_of) ? events_of[type] : NULL, events);
}

int ukevent_change_flag_names(char *buf, size_t size, uint32_t flags)
{
	return names(buf, size, change_flags, flags);
}

int ukevent_record_flag_names(char *buf, size_t size, uint32_t flags)
{
	return names(buf, size, record_flags, flags);
}

/* Results of single entries, beside UKEVENT_CREATE and so on. */
#define OF_CHANGE	100
#define OF_SEND		101

#define T(type)		(1U << KEVENT_TYPE_##type)
#define FILES		(T(POLL) | T(SOCKET) | T(PROCESS) | T(STREAM) | T(SENDFILE))

/* The first that fits is meant; without types it is for all of them. */
static const struct error {
	unsigned int	where;
	int		error;
	uint32_t	types;
	const char	*text;
} errors[] = {
	{ UKEVENT_CREATE, ENOSYS, 0, "this kernel has no kevent" },
	{ UKEVENT_CREATE, EFAULT, 0, "the parameters cannot be read or written" },
	{ UKEVENT_CREATE, EINVAL, 0, "an unknown flag, or a parameter out of range or not 0" },
	{ UKEVENT_CREATE, EBADF, 0, "the queue that is asked for is not open" },
	{ UKEVENT_CREATE, EOPNOTSUPP, 0, "this kernel was built without data areas, or without sending files" },
	{ UKEVENT_CREATE, E2BIG, 0, "parameters that this kernel does not know are not 0" },
	{ UKEVENT_CREATE, ENOSPC, 0, "too many queues of this user, or too much memory in them" },
	{ UKEVENT_CREATE, EPERM, 0, "switched off by a sysctl: kernel.kevent_disabled, kevent_io_disabled or kevent_sendfile_disabled" },
	{ UKEVENT_CREATE, ENOMEM, 0, "no memory for the queue" },
	{ UKEVENT_CREATE, EMFILE, 0, "this process has too many descriptors open" },
	{ UKEVENT_CREATE, ENFILE, 0, "the system has too many files open" },

	{ UKEVENT_MMAP, EINVAL, 0, "not MAP_SHARED, another offset or size than the queue's, or it has no ring" },
	{ UKEVENT_MMAP, EPERM, 0, "the ring cannot be written to, and no mapping executed" },

	{ UKEVENT_CTL, ENOSYS, 0, "this kernel has no kevent" },
	{ UKEVENT_CTL, EBADF, 0, "the queue is not open" },
	{ UKEVENT_CTL, EINVAL, 0, "not a queue, or a size, number or flag that is wrong" },
	{ UKEVENT_CTL, E2BIG, 0, "the size of a change is above a page" },
	{ UKEVENT_CTL, EFAULT, 0, "the first change cannot be read or written" },
	{ UKEVENT_CTL, EINTR, 0, "killed before the first change" },

	{ UKEVENT_WAIT, ENOSYS, 0, "this kernel has no kevent" },
	{ UKEVENT_WAIT, EBADF, 0, "the queue is not open" },
	{ UKEVENT_WAIT, EINVAL, 0, "not a queue, one of the other kind (with or without a ring), or a number, flag, clock or size that is wrong" },
	{ UKEVENT_WAIT, E2BIG, 0, "arguments that this kernel does not know are not 0" },
	{ UKEVENT_WAIT, EFAULT, 0, "arguments, signal mask, changes or room for records cannot be accessed" },
	{ UKEVENT_WAIT, EINTR, 0, "a signal came first" },
	{ UKEVENT_WAIT, ECHILD, 0, "the queue is mapped in the parent of this process only" },

	{ UKEVENT_SEND, EINVAL, 0, "as a wait, or too many sends, or records are waited for in a queue without a ring" },
	{ UKEVENT_SEND, EPERM, 0, "switched off by the sysctl kernel.kevent_io_disabled" },
	{ UKEVENT_SEND, EFAULT, 0, "sends or arguments cannot be accessed; those before may have been sent" },

	{ OF_CHANGE, EINVAL, T(SIGNAL), "no such signal, SIGKILL, SIGSTOP, or a flag or field that this change does not take" },
	{ OF_CHANGE, EINVAL, T(PROCESS), "no pidfd, or a flag or field that this change does not take" },
	{ OF_CHANGE, EINVAL, 0, "an unknown operation, type, flag or event, one that this change does not take, or a parameter out of range or not 0" },
	{ OF_CHANGE, E2BIG, 0, "fields that this kernel does not know are not 0" },
	{ OF_CHANGE, ECANCELED, 0, "the change before, on which this one depends, failed" },
	{ OF_CHANGE, EOPNOTSUPP, T(SOCKET), "not built in, no such operation, or CONNECT or a low-water mark on other than TCP" },
	{ OF_CHANGE, EOPNOTSUPP, T(STREAM), "not built in, no such operation, no stream socket, or a low-water mark on other than TCP" },
	{ OF_CHANGE, EOPNOTSUPP, T(SENDFILE), "not built in, no such operation, no stream socket, or a file that cannot be sent" },
	{ OF_CHANGE, EOPNOTSUPP, 0, "the type is not built in, or has no such operation" },
	{ OF_CHANGE, EBADF, T(SENDFILE), "the socket is not open, or the file not for reading" },
	{ OF_CHANGE, EBADF, FILES | T(INODE), "the descriptor is not open" },
	{ OF_CHANGE, EPERM, T(POLL), "the file cannot be polled" },
	{ OF_CHANGE, EPERM, T(INODE), "an event that was not asked for when the interest was added" },
	{ OF_CHANGE, EPERM, T(PROCESS), "no right to read the state of that process" },
	{ OF_CHANGE, EPERM, T(STREAM), "switched off by the sysctl kernel.kevent_io_disabled" },
	{ OF_CHANGE, EACCES, T(INODE), "no right to read the inode, or to search the path" },
	{ OF_CHANGE, ENOTSOCK, 0, "the descriptor is not a socket" },
	{ OF_CHANGE, ENOTCONN, 0, "the socket is not connected, or not yet" },
	{ OF_CHANGE, ENXIO, T(STREAM), "the queue has no data area" },
	{ OF_CHANGE, ENXIO, T(SENDFILE), "the queue was not made to send files" },
	{ OF_CHANGE, EBUSY, T(STREAM), "another queue receives from the socket, or a wait of another thread reads" },
	{ OF_CHANGE, EBUSY, T(SENDFILE), "another interest sends on the socket, or another thread takes a step" },
	{ OF_CHANGE, ELOOP, T(POLL), "a queue cannot be watched by a queue" },
	{ OF_CHANGE, ELOOP, T(INODE), "too many symbolic links" },
	{ OF_CHANGE, ENOTDIR, T(INODE), "not a directory" },
	{ OF_CHANGE, EFAULT, T(INODE), "the path cannot be read" },
	{ OF_CHANGE, EFAULT, T(SENDFILE), "the header cannot be read" },
	{ OF_CHANGE, EINTR, T(SENDFILE), "a signal came first" },
	{ OF_CHANGE, EEXIST, 0, "the queue has that interest already" },
	{ OF_CHANGE, ENOENT, T(INODE), "no such interest, it has ended, or no such path" },
	{ OF_CHANGE, ENOENT, 0, "no such interest, or it has ended" },
	{ OF_CHANGE, ENOSPC, T(INODE), "too many interests or inotify watches of this user, or too much memory in queues" },
	{ OF_CHANGE, ENOSPC, T(SIGNAL), "too many interests in that signal or of this user, or too much memory in queues" },
	{ OF_CHANGE, ENOSPC, 0, "too many interests of this user, or too much memory in queues" },
	{ OF_CHANGE, ENOMEM, 0, "no memory for the interest" },

	{ OF_SEND, EBADF, 0, "the socket is not open, or the file not for reading" },
	{ OF_SEND, ENOTSOCK, 0, "the descriptor is not a socket" },
	{ OF_SEND, EINVAL, 0, "an unknown flag, a field not 0 without its flag, or too long" },
	{ OF_SEND, EOPNOTSUPP, 0, "a file that cannot be sent, or a socket that is no stream" },
	{ OF_SEND, ENXIO, 0, "the queue was not made to send files" },
	{ OF_SEND, EPERM, 0, "switched off by the sysctl kernel.kevent_sendfile_disabled" },
	{ OF_SEND, EBUSY, 0, "an interest sends a file on the socket" },
	{ OF_SEND, EINTR, 0, "a signal came while another sender of kTLS was waited for" },
	{ OF_SEND, ECANCELED, 0, "an earlier send on the socket was not done in full" },
	{ OF_SEND, EAGAIN, 0, "the socket has no room, or nothing of the file is cached there" },
	{ OF_SEND, EFAULT, 0, "the bytes cannot be read" },
	{ OF_SEND, EPIPE, 0, "the connection is shut down" },
};

static const char *meaning(unsigned int where, uint32_t type, int error)
{
	size_t i;

	if (error < 0)
		error = -error;
	if (!error)
		return "no error";
	for (i = 0; i < COUNT(errors); i++)
		if (errors[i].where == where && errors[i].error == error &&
		    (!errors[i].types || errors[i].types & type))
			return errors[i].text;
	return strerror(error);
}

const char *ukevent_strerror(unsigned int where, int error)
{
	return meaning(where < OF_CHANGE ? where : 0, 0, error);
}

const char *ukevent_change_error(const struct kevent_change *change)
{
	return meaning(OF_CHANGE, change->type < 32 ? 1U << change->type : 0,
		       change->result < 0 ? change->result : 0);
}

const char *ukevent_send_error(const struct kevent_send *send)
{
	return meaning(OF_SEND, 0, send->result < 0 ? send->result : 0);
}
