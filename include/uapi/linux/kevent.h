/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * kevent - one place to wait for everything, events delivered in memory
 *
 * Layout rules: natural alignment by hand, the same for 32- and 64-bit
 * programs, pointers as aligned 64-bit integers, every reserved field zero.
 */
#ifndef _UAPI_LINUX_KEVENT_H
#define _UAPI_LINUX_KEVENT_H

#include <linux/types.h>

/**
 * DOC: event types
 *
 * What an interest watches; &struct kevent_change.type and
 * &struct ukevent.type.  A type this kernel knows but was built without
 * answers ``-EOPNOTSUPP``, one it does not know ``-EINVAL``.
 *
 * - %KEVENT_TYPE_POLL: any file descriptor that can be polled, sockets as well
 * - %KEVENT_TYPE_SOCKET: a socket, of which more is to be told than poll(2) has
 *   words for
 * - %KEVENT_TYPE_TIMER: a timer of the queue's own
 * - %KEVENT_TYPE_USER: triggered by threads and processes
 * - %KEVENT_TYPE_INODE: changes to a file or directory
 * - %KEVENT_TYPE_SIGNAL: signals sent to this process
 * - %KEVENT_TYPE_PROCESS: exit of a process
 * - %KEVENT_TYPE_STREAM: what is received on a connected stream socket, with the
 *   bytes: for queues with a data area (%KEVENT_CREATE_DATA)
 * - %KEVENT_TYPE_SENDFILE: part of a file is sent on a stream socket: for queues that
 *   do so (%KEVENT_CREATE_SENDFILE)
 */
#define KEVENT_TYPE_POLL	1
#define KEVENT_TYPE_SOCKET	2
#define KEVENT_TYPE_TIMER	3
#define KEVENT_TYPE_USER	4
#define KEVENT_TYPE_INODE	5
#define KEVENT_TYPE_SIGNAL	6
#define KEVENT_TYPE_PROCESS	7
#define KEVENT_TYPE_STREAM	8
#define KEVENT_TYPE_SENDFILE	9

/**
 * DOC: operations
 *
 * &struct kevent_change.op:
 *
 * - %KEVENT_OP_ADD: register an interest; if its condition holds already, a
 *   record is published at once
 * - %KEVENT_OP_MODIFY: make an interest what an ADD of the entry would make it,
 *   armed as well; id, exclusiveness and what was counted stay
 * - %KEVENT_OP_SET: MODIFY if there is such an interest, else ADD; not for
 *   %KEVENT_TYPE_INODE and %KEVENT_TYPE_SENDFILE
 * - %KEVENT_OP_REMOVE: end an interest; nothing but its last record, if asked
 *   for, is published after the call returned
 * - %KEVENT_OP_ENABLE: arm a disabled interest again and query its condition
 * - %KEVENT_OP_DISABLE: publish nothing until enabled
 * - %KEVENT_OP_TRIGGER: post an event (types that are triggered by programs)
 * - %KEVENT_OP_QUERY: by id only, type 0: if the interest lives, its type, ident,
 *   flags (with %KEVENT_START_DISABLED if it is disabled, but those that one type
 *   alone takes), events and cookie are written into the entry
 */
#define KEVENT_OP_ADD		1
#define KEVENT_OP_MODIFY	2
#define KEVENT_OP_REMOVE	3
#define KEVENT_OP_ENABLE	4
#define KEVENT_OP_DISABLE	5
#define KEVENT_OP_TRIGGER	6
#define KEVENT_OP_SET		7
#define KEVENT_OP_QUERY		8

/**
 * DOC: change flags
 *
 * &struct kevent_change.flags.  At most one of EDGE, ONESHOT and DISPATCH;
 * none of them means level: a condition that still holds is published again by
 * a later kevent_wait().
 *
 * With %KEVENT_OP_ADD, %KEVENT_OP_MODIFY and %KEVENT_OP_SET:
 *
 * - %KEVENT_EDGE: publish each change of the condition once
 * - %KEVENT_ONESHOT: the interest ends when its first record is published
 * - %KEVENT_DISPATCH: disabled when a record is published, until it is armed by
 *   %KEVENT_OP_ENABLE or %KEVENT_OP_MODIFY
 * - %KEVENT_WANT_LAST: publish a final record flagged %KEVENT_REC_LAST when
 *   the interest ends, for whatever reason
 * - %KEVENT_HOLD_LAST: with DISPATCH and WANT_LAST only, for several consumers:
 *   from the publication of a record on, hold the last one back until the first
 *   is acknowledged by arming the interest, or by REMOVE with %KEVENT_ACK
 * - %KEVENT_START_DISABLED: disabled, instead of armed
 *
 * With %KEVENT_OP_ADD only:
 *
 * - %KEVENT_EXCLUSIVE: POLL and SOCKET: of several queues that watch it
 *   exclusively, wake one that sleeps, all if none does; errors, hang-ups and
 *   what has to be asked for go to all.  What a queue did not consume when it
 *   disables or ends the interest wakes another one.  Not for epoll sets
 *
 * With %KEVENT_OP_ADD of %KEVENT_TYPE_STREAM:
 *
 * - %KEVENT_LATE: receive in kevent_wait() only, never as the bytes arrive
 *
 * With %KEVENT_OP_ADD of %KEVENT_TYPE_SENDFILE:
 *
 * - %KEVENT_MORE: more is to follow, as MSG_MORE of send(2); not where less is sent than
 *   was asked for
 *
 * With %KEVENT_OP_ADD, %KEVENT_OP_MODIFY and %KEVENT_OP_SET of
 * %KEVENT_TYPE_TIMER:
 *
 * - %KEVENT_ABSTIME: the first expiry is a time on the clock, not a span
 *
 * With %KEVENT_OP_ADD, %KEVENT_OP_MODIFY and %KEVENT_OP_SET of
 * %KEVENT_TYPE_SOCKET:
 *
 * - %KEVENT_HINTS: records say how much there is, where that is known, and have
 *   %KEVENT_REC_HINT then
 *
 * With every operation but %KEVENT_OP_ADD and %KEVENT_OP_SET:
 *
 * - %KEVENT_BY_ID: &struct kevent_change.id names the interest, ident must be 0;
 *   reaches interests whose descriptor is closed or reused
 *
 * With %KEVENT_OP_REMOVE only:
 *
 * - %KEVENT_ACK: the caller is done with the last record of this dispatch
 *   interest; its %KEVENT_REC_LAST record need not be held back
 * - %KEVENT_NO_LAST: the caller needs no last record of what it removes itself
 *
 * With every operation:
 *
 * - %KEVENT_DEPENDS: skip this entry, with ``-ECANCELED``, if the one before it in
 *   the array failed; what is skipped has failed.  Not in the first entry
 */
#define KEVENT_EDGE		(1U << 0)
#define KEVENT_ONESHOT		(1U << 1)
#define KEVENT_DISPATCH		(1U << 2)
#define KEVENT_WANT_LAST	(1U << 3)
#define KEVENT_START_DISABLED	(1U << 4)
#define KEVENT_HOLD_LAST	(1U << 5)
#define KEVENT_BY_ID		(1U << 6)
#define KEVENT_EXCLUSIVE	(1U << 7)
#define KEVENT_ABSTIME		(1U << 8)
#define KEVENT_ACK		(1U << 9)
#define KEVENT_NO_LAST		(1U << 10)
#define KEVENT_DEPENDS		(1U << 11)
#define KEVENT_HINTS		(1U << 12)
#define KEVENT_LATE		(1U << 13)
#define KEVENT_MORE		(1U << 14)

/**
 * DOC: events of sockets
 *
 * &struct kevent_change.events and &struct ukevent.events with
 * %KEVENT_TYPE_SOCKET.  HUP and ERROR are always watched.  Each has the value of
 * a bit of poll(2) that sockets report at the same time; 0x0002 is kept for
 * urgent data.
 *
 * - %KEVENT_SOCK_RECV: there is something to receive: data (urgent data alone is
 *   none), the end of the stream (then with RDHUP), or on a listener a connection
 * - %KEVENT_SOCK_SEND: there is room to send
 * - %KEVENT_SOCK_ACCEPT: a listener has a connection; sockets other than TCP,
 *   UDP and UNIX tell it whenever they tell RECV
 * - %KEVENT_SOCK_CONNECT: TCP only: the connection that connect(2) left in
 *   progress is established; told once, and again after a MODIFY that asks for
 *   it.  Until then who asks for it is told neither SEND nor HUP of a socket that
 *   is not connected, never was or not any more: connect(AF_UNSPEC), or
 *   shutdown(2) while it connects.  If connecting fails: ERROR and HUP.  After
 *   that, or a shutdown(2) of a socket that does not connect: what poll(2) says.
 *   A connect(2) that returned 0 is not told
 * - %KEVENT_SOCK_RDHUP: the peer sends no more
 * - %KEVENT_SOCK_HUP: both directions are shut down, the connection failed, or
 *   there is none; also in the last record after the last close
 * - %KEVENT_SOCK_ERROR: there is an error to be fetched by SO_ERROR or from the
 *   error queue
 *
 * &struct ukevent.data: [0] who asks with %KEVENT_HINTS is told, in records with
 * %KEVENT_REC_HINT, the bytes that could be received (TCP), or the connections
 * that could be accepted (TCP, UNIX), when the record was written; else 0.  It
 * says how much to expect, not where to stop: what comes while the record is
 * unread is told by it, so receive until there is no more.  [1] with ERROR the
 * error number, positive as in SO_ERROR, which stays with the socket; 0 if it is
 * in the error queue.
 *
 * &struct kevent_change.param: [%KEVENT_SOCK_LOWAT] fewer bytes than that are
 * not announced by RECV, unless the socket cannot take more; 0 or 1 for any;
 * TCP only.
 */
#define KEVENT_SOCK_RECV	0x0001
#define KEVENT_SOCK_SEND	0x0004
#define KEVENT_SOCK_ERROR	0x0008
#define KEVENT_SOCK_HUP		0x0010
#define KEVENT_SOCK_ACCEPT	0x0040
#define KEVENT_SOCK_CONNECT	0x0100
#define KEVENT_SOCK_RDHUP	0x2000

#define KEVENT_SOCK_LOWAT	0

/**
 * DOC: events of timers
 *
 * %KEVENT_TYPE_TIMER: &struct kevent_change.ident is a number of the program's
 * choice; %KEVENT_TIMER_EXPIRED is always watched.  Level and edge are the same.
 * &struct ukevent.data: [0] expirations since the last record.
 *
 * &struct kevent_change.param of ADD, MODIFY and SET; MODIFY starts the timer
 * anew and forgets expirations that were not published:
 *
 * - [%KEVENT_TIMER_TIME]: nanoseconds until the first expiry, or with
 *   %KEVENT_ABSTIME the time of it; 0 or a time in the past: at once, it does
 *   not disarm; as many as a signed 64-bit number holds: never
 * - [%KEVENT_TIMER_PERIOD]: nanoseconds between expirations, 0 for one only
 * - [%KEVENT_TIMER_SLACK]: nanoseconds that an expiry may be late, to be handled
 *   together with others
 * - [%KEVENT_TIMER_CLOCK]: CLOCK_REALTIME (which is 0), CLOCK_MONOTONIC,
 *   CLOCK_BOOTTIME or CLOCK_TAI; setting a clock moves times, not spans
 *
 * Periods shorter than %KEVENT_TIMER_MIN_PERIOD are counted exactly and told
 * about that often.  A periodic timer whose records are unread or that is
 * disabled does not interrupt anybody: it counts when it is asked again.
 * %KEVENT_OP_ENABLE starts a timer again that was given a span and no period,
 * and has expired.
 */
#define KEVENT_TIMER_EXPIRED	0x0001

#define KEVENT_TIMER_TIME	0
#define KEVENT_TIMER_PERIOD	1
#define KEVENT_TIMER_SLACK	2
#define KEVENT_TIMER_CLOCK	3

#define KEVENT_TIMER_MIN_PERIOD	100000	/* ns */

/**
 * DOC: user events
 *
 * %KEVENT_TYPE_USER: &struct kevent_change.ident is a number of the program's
 * choice; %KEVENT_USER_TRIGGERED is always watched.  Level and edge are the same.
 * &struct ukevent.data: [0] the last payload, [1] triggers since the last record.
 *
 * &struct kevent_change.param of %KEVENT_OP_TRIGGER: [%KEVENT_USER_PAYLOAD] any
 * value; [%KEVENT_USER_COUNT] triggers this one stands for, 0 for one.
 */
#define KEVENT_USER_TRIGGERED	0x0001

#define KEVENT_USER_PAYLOAD	0
#define KEVENT_USER_COUNT	1

/**
 * DOC: events of inodes
 *
 * %KEVENT_TYPE_INODE: &struct kevent_change.ident is a descriptor of the file or
 * directory, or, with a path at &struct kevent_change.addr, of the directory where
 * the path begins, or AT_FDCWD.  The interest is in the inode: descriptor and path
 * may change, so only %KEVENT_BY_ID reaches it afterwards.  A queue has one per
 * inode.  Who adds it must be allowed to read the inode, and a queue that watches
 * inodes counts as an inotify instance of who made it.  Each event has the value of
 * inotify's; level and edge are the same.
 *
 * - %KEVENT_INODE_MODIFY: a file was written or truncated
 * - %KEVENT_INODE_ATTRIB: mode, owner, times, number of links ... changed
 * - %KEVENT_INODE_CLOSE_WRITE, %KEVENT_INODE_CLOSE_NOWRITE: closed by who could
 *   write, could not
 * - %KEVENT_INODE_OPEN: opened
 * - %KEVENT_INODE_MOVED_FROM, %KEVENT_INODE_MOVED_TO: something was renamed out
 *   of or into the directory
 * - %KEVENT_INODE_CREATE, %KEVENT_INODE_DELETE: the directory got an entry, lost
 *   one
 * - %KEVENT_INODE_DELETE_SELF: the last link is gone and nobody has it open; ends
 *   the interest
 * - %KEVENT_INODE_MOVE_SELF: the inode itself was renamed
 * - %KEVENT_INODE_UNMOUNT: the file system was unmounted; always watched, ends the
 *   interest
 *
 * With a directory the first four events tell of what is in it as well.
 *
 * &struct ukevent.data: [0] number of the inode concerned, in a directory that of
 * the entry; [1] cookie of a rename, the same in the records of both directories,
 * 0 for none.  A record can stand for several changes.  If these were of several
 * inodes or renames, or the number is not known, the record has
 * %KEVENT_REC_UNKNOWN and 0 for what would differ: look at the directory.
 *
 * &struct kevent_change.param: [%KEVENT_INODE_LOOKUP] %KEVENT_INODE_NOFOLLOW: a
 * symbolic link at the end of the path is not followed; %KEVENT_INODE_ONLYDIR:
 * -ENOTDIR for what is no directory.  MODIFY can ask for events that ADD asked
 * for, as those were permitted.
 */
#define KEVENT_INODE_MODIFY		0x0002
#define KEVENT_INODE_ATTRIB		0x0004
#define KEVENT_INODE_CLOSE_WRITE	0x0008
#define KEVENT_INODE_CLOSE_NOWRITE	0x0010
#define KEVENT_INODE_OPEN		0x0020
#define KEVENT_INODE_MOVED_FROM		0x0040
#define KEVENT_INODE_MOVED_TO		0x0080
#define KEVENT_INODE_CREATE		0x0100
#define KEVENT_INODE_DELETE		0x0200
#define KEVENT_INODE_DELETE_SELF	0x0400
#define KEVENT_INODE_MOVE_SELF		0x0800
#define KEVENT_INODE_UNMOUNT		0x2000

#define KEVENT_INODE_CLOSE	(KEVENT_INODE_CLOSE_WRITE | KEVENT_INODE_CLOSE_NOWRITE)
#define KEVENT_INODE_MOVE	(KEVENT_INODE_MOVED_FROM | KEVENT_INODE_MOVED_TO)

#define KEVENT_INODE_LOOKUP	0

#define KEVENT_INODE_NOFOLLOW	(1U << 0)
#define KEVENT_INODE_ONLYDIR	(1U << 1)

/**
 * DOC: signals
 *
 * %KEVENT_TYPE_SIGNAL: &struct kevent_change.ident is the number of a signal,
 * other than SIGKILL and SIGSTOP; %KEVENT_SIGNAL_SENT is always watched.  Level and
 * edge are the same.  The interest is in the process that adds it, whoever waits
 * on the queue; a queue has one per signal number, a process at most 64.  It ends
 * when the process executes another program or exits; a child does not inherit it.
 *
 * Every signal sent to the process or to a thread of it is told, also if it is
 * ignored, blocked, pending already, or dropped as too many are queued; not
 * those of faults of a thread of its own (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * SIGTRAP, SIGSYS from the kernel).  What becomes of the signal otherwise does not
 * change: set it to SIG_IGN and the record takes the place of its delivery.
 *
 * &struct ukevent.data: [0] signals since the last record in the lower 32 bits
 * (KEVENT_SIGNAL_COUNT()), the sender of the last one in the upper 32 bits
 * (KEVENT_SIGNAL_SENDER()), as the si_pid that the process would see, 0 for the
 * kernel; [1] its value: that of sigqueue(3) or of the timer, of SIGCHLD the
 * si_status, of SIGIO the descriptor, else 0.
 */
#define KEVENT_SIGNAL_SENT	0x0001

#define KEVENT_SIGNAL_COUNT(data0)	((__u32)(data0))
#define KEVENT_SIGNAL_SENDER(data0)	((__s32)((data0) >> 32))

/**
 * DOC: exit of processes
 *
 * %KEVENT_TYPE_PROCESS: &struct kevent_change.ident is a pidfd;
 * %KEVENT_PROCESS_EXITED is always watched.  The record ends the interest, as with
 * %KEVENT_ONESHOT; the close of the pidfd does before, with %KEVENT_PROCESS_HUP
 * in the last record.  The pidfd of a thread (PIDFD_THREAD) tells of the thread; if
 * that executes another program and takes the process's number over, without a
 * status.
 *
 * Who is not the parent needs the right to read the process's state as of
 * ptrace(2), PTRACE_MODE_READ_FSCREDS.
 *
 * &struct ukevent.data: [0] the status as of wait(2), for WIFEXITED() and so on.  With
 * %KEVENT_REC_UNKNOWN it is not known: the process was reaped before the
 * interest was added, or has got credentials since, or is not dumpable any more, so
 * that it is kept from who added it.
 */
#define KEVENT_PROCESS_EXITED	0x0001
#define KEVENT_PROCESS_HUP	0x0010

/**
 * DOC: received bytes
 *
 * %KEVENT_TYPE_STREAM: &struct kevent_change.ident is a connected stream socket, of
 * which a system has one such interest.  What arrives is taken from the socket and
 * put into the data area of the queue (%KEVENT_CREATE_DATA): if and only if a byte
 * has left the socket it is told by a record.  What is not taken stays in the socket
 * and is told when there is room; REMOVE, DISABLE or a MODIFY without RECV leave the
 * rest there, for recv(2).  Level and edge are the same.
 *
 * - %KEVENT_STREAM_RECV: bytes; no other event is in such a record
 * - %KEVENT_STREAM_SEND: there is room to send, after a send has found none, and
 *   when the interest is added
 * - %KEVENT_STREAM_RDHUP: the peer sends no more; all that it sent was told before.  Not told
 *   while bytes are left in the socket as RECV is not asked for
 * - %KEVENT_STREAM_HUP: both directions are shut down, or the connection is gone;
 *   also in the last record after the last close
 * - %KEVENT_STREAM_ERROR: there is an error, after all that could be received
 *
 * HUP and ERROR are always watched.  Each has the value of SOCKET's.
 *
 * &struct ukevent.data with RECV: [0] where in the data area the bytes are, and how
 * many (KEVENT_STREAM_OFFSET(), KEVENT_STREAM_LENGTH()); [1] the value of the
 * release index that gives them back, with all before them
 * (KEVENT_STREAM_RELEASE()), and the position of the first one in the stream since
 * the interest was added, modulo 2^32 (KEVENT_STREAM_POSITION()): a gap was
 * received by somebody else, or is urgent data, which is skipped unless
 * SO_OOBINLINE is set.  With other events: [1] with ERROR the error number,
 * positive as in SO_ERROR; 0 if it is in the error queue.
 *
 * The bytes are the program's until it releases them, also after the end of the
 * interest; it may write there, and send from there.
 *
 * &struct kevent_change.param of ADD, MODIFY and SET:
 *
 * - [%KEVENT_STREAM_LOWAT] fewer bytes than that are left in the socket, unless it
 *   cannot take more or nothing else comes; 0 or 1 for any; TCP only
 * - [%KEVENT_STREAM_MOST] bytes in a record at most, 0 for 4096, up to
 *   %KEVENT_STREAM_MAX_MOST
 * - [%KEVENT_STREAM_SHARE] bytes of the area, not released, after which no more
 *   are taken from this socket; 0 for a quarter of it, else at least
 *   [%KEVENT_STREAM_MOST], rounded up to 1024
 */
#define KEVENT_STREAM_RECV	0x0001
#define KEVENT_STREAM_SEND	0x0004
#define KEVENT_STREAM_ERROR	0x0008
#define KEVENT_STREAM_HUP	0x0010
#define KEVENT_STREAM_RDHUP	0x2000

#define KEVENT_STREAM_LOWAT	0
#define KEVENT_STREAM_MOST	1
#define KEVENT_STREAM_SHARE	2

#define KEVENT_STREAM_MAX_MOST	16384

#define KEVENT_STREAM_OFFSET(data0)	((__u32)(data0))
#define KEVENT_STREAM_LENGTH(data0)	((__u32)((data0) >> 32))
#define KEVENT_STREAM_RELEASE(data1)	((__u32)(data1))
#define KEVENT_STREAM_POSITION(data1)	((__u32)((data1) >> 32))

/**
 * DOC: sent files
 *
 * %KEVENT_TYPE_SENDFILE: an ADD has part of a file sent on the connected stream socket
 * &struct kevent_change.ident, which has one such interest at a time.  The next
 * kevent_wait(), and those after it, give the socket what is in the page cache, as it
 * takes it, and have the rest read; they do not wait for it.  Nothing else is to be
 * sent on the socket meanwhile: kevent_send() gives ``-EBUSY``, send(2) goes between.
 *
 * - %KEVENT_SENDFILE_PROGRESS: so many bytes more were sent as the mark says
 * - %KEVENT_SENDFILE_DONE: the transfer is over, and with it the interest
 * - %KEVENT_SENDFILE_EOF: with DONE: the file ended before the length asked for
 * - %KEVENT_SENDFILE_ERROR: with DONE: there was an error
 * - %KEVENT_SENDFILE_HUP: in the last record after the last close of the socket
 *
 * All but PROGRESS are always watched.  DONE comes when the program has consumed the
 * records of progress.  Level and edge are the same.
 *
 * &struct ukevent.data, also of a last record: [0] bytes of the file that were given
 * to the socket; [1] KEVENT_SENDFILE_ERRNO(), positive: EPIPE and ECONNRESET as of
 * send(2), EIO if the file could not be read, EAGAIN if a page of a file in memory was
 * swapped out; and KEVENT_SENDFILE_HEADER_SENT(), bytes of the header that were given to
 * the socket, before those of the file.
 * After REMOVE the last record tells exactly how far it got; after DISABLE nothing is
 * sent until ENABLE, which goes on.
 *
 * &struct kevent_change.param of ADD; there is no MODIFY:
 *
 * - [%KEVENT_SENDFILE_FD] a descriptor of a file that can be read, which may be
 *   closed afterwards; its position is neither used nor changed
 * - [%KEVENT_SENDFILE_OFFSET] position in the file of the first byte
 * - [%KEVENT_SENDFILE_LENGTH] how many bytes, %KEVENT_SENDFILE_TO_END for all to the
 *   end of the file; with 0 only the header is sent
 * - [%KEVENT_SENDFILE_MARK] bytes from one record of progress to the next, in the
 *   lower 32 bits; 0 if and only if PROGRESS is not watched.  With
 *   KEVENT_SENDFILE_HEADER(), so many bytes at &struct kevent_change.addr are sent
 *   before those of the file, and copied by the ADD; up to
 *   %KEVENT_SENDFILE_MAX_HEADER
 *
 * Files of ext4, xfs, btrfs, f2fs, of overlayfs over these, and in memory (tmpfs,
 * memfd) can be sent; all else is ``-EOPNOTSUPP``.  As with sendfile(2), what is
 * written to a file while it is sent may or may not be sent.
 */
#define KEVENT_SENDFILE_PROGRESS	0x0001
#define KEVENT_SENDFILE_DONE		0x0002
#define KEVENT_SENDFILE_EOF		0x0004
#define KEVENT_SENDFILE_ERROR		0x0008
#define KEVENT_SENDFILE_HUP		0x0010

#define KEVENT_SENDFILE_FD	0
#define KEVENT_SENDFILE_OFFSET	1
#define KEVENT_SENDFILE_LENGTH	2
#define KEVENT_SENDFILE_MARK	3

#define KEVENT_SENDFILE_HEADER(bytes)	((__u64)(bytes) << 48)
#define KEVENT_SENDFILE_TO_END		(~(__u64)0)

#define KEVENT_SENDFILE_MAX_HEADER	4096

#define KEVENT_SENDFILE_ERRNO(data1)		((__u32)(data1))
#define KEVENT_SENDFILE_HEADER_SENT(data1)	((__u32)((data1) >> 32))

/**
 * struct kevent_change - one change to a queue's set of interests
 * @op: what to do, %KEVENT_OP_ADD and so on
 * @type: what kind of thing @ident names, %KEVENT_TYPE_POLL and so on
 * @flags: %KEVENT_EDGE and so on
 * @cookie: the program's own value, copied into every record; with operations
 *	that set none it must be 0
 * @ident: what is watched: a file descriptor, a number the caller chose or that of
 *	a signal, depending on @type; must be 0 with %KEVENT_BY_ID
 * @events: the events of interest, 0 with operations that set none;
 *	for %KEVENT_TYPE_POLL the bits of poll(2),
 *	of which the error and hang-up bits are always watched; for other types
 *	%KEVENT_SOCK_RECV, %KEVENT_TIMER_EXPIRED and so on
 * @result: out: 0 or a negative error number, for this entry alone
 * @id: out for %KEVENT_OP_ADD and %KEVENT_OP_SET: a number that this queue never
 *	uses again; also with ``-EEXIST`` of %KEVENT_TYPE_INODE, that of the interest that is
 *	there; in with %KEVENT_BY_ID; must be 0 otherwise
 * @addr: user address of a path, or of bytes to be sent, for types that take one; must
 *	be 0 otherwise
 * @param: parameters whose meaning depends on @type; unused ones must be 0
 * @reserved: must be 0
 */
struct kevent_change {
	__u16		op;
	__u16		type;
	__u32		flags;
	__aligned_u64	cookie;
	__aligned_u64	ident;
	__u32		events;
	__s32		result;
	__aligned_u64	id;
	__aligned_u64	addr;
	__aligned_u64	param[4];
	__aligned_u64	reserved[2];
};

#define KEVENT_CHANGE_SIZE_VER0	96

/**
 * DOC: record flags
 *
 * &struct ukevent.flags; the upper eight bits are reserved and zero.
 *
 * - %KEVENT_REC_LAST: no further record of this interest follows; whatever
 *   the cookie names can be freed
 * - %KEVENT_REC_MORE: the next record of this interest continues this one
 * - %KEVENT_REC_SATURATED: a counter in data is full and stands for more
 * - %KEVENT_REC_HINT: data holds values read without a lock, true at the time
 * - %KEVENT_REC_UNKNOWN: the event is certain, its data could not be learned
 * - %KEVENT_REC_ERROR: the source failed; data[0] is the error number, positive
 */
#define KEVENT_REC_LAST		(1U << 0)
#define KEVENT_REC_MORE		(1U << 1)
#define KEVENT_REC_SATURATED	(1U << 2)
#define KEVENT_REC_HINT		(1U << 3)
#define KEVENT_REC_UNKNOWN	(1U << 4)
#define KEVENT_REC_ERROR	(1U << 5)

/**
 * struct ukevent - a record, as it lies in the ring
 * @cookie: the value given with the interest
 * @events: the events that happened; 0 in a record that only says
 *	%KEVENT_REC_LAST
 * @type: type of the interest
 * @flags: %KEVENT_REC_LAST and so on
 * @data: values of the source, by type; 0 for %KEVENT_TYPE_POLL
 *
 * A record is a hint in the sense of poll(2): by the time it is read the
 * condition may be gone.  Use non-blocking descriptors.
 */
struct ukevent {
	__aligned_u64	cookie;
	__u32		events;
	__u16		type;
	__u16		flags;
	__aligned_u64	data[2];
};

#define KEVENT_RECORD_SIZE	32

/**
 * DOC: queue flags
 *
 * Third argument of kevent_create(), where a filter of system calls sees them:
 *
 * - %KEVENT_CREATE_NORING: no mappings; records are fetched with
 *   kevent_get_events()
 * - %KEVENT_CREATE_INHERIT: do not set close-on-exec on the descriptor
 * - %KEVENT_CREATE_QUERY: make nothing, answer with the parameters of the queue
 *   at &struct kevent_params.queue; with no other flag
 * - %KEVENT_CREATE_DATA: a data area, for records that carry bytes; not with
 *   %KEVENT_CREATE_NORING.  Without it a queue tells of readiness only
 * - %KEVENT_CREATE_SENDFILE: files can be sent by the queue: %KEVENT_TYPE_SENDFILE and
 *   %KEVENT_SEND_FILE, which are ``-ENXIO`` without it
 */
#define KEVENT_CREATE_NORING	(1U << 0)
#define KEVENT_CREATE_INHERIT	(1U << 1)
#define KEVENT_CREATE_QUERY	(1U << 2)
#define KEVENT_CREATE_DATA	(1U << 3)
#define KEVENT_CREATE_SENDFILE	(1U << 4)

#define KEVENT_MAX_ENTRIES	(1U << 20)

#define KEVENT_MIN_DATA_SIZE	(1U << 16)
#define KEVENT_MAX_DATA_SIZE	(1U << 24)
#define KEVENT_DATA_UNIT	64	/* bytes that the release index counts in */

/**
 * DOC: features
 *
 * &struct kevent_params.features; a bit for each thing that another kernel could
 * lack, beside types and operations, which have their own:
 *
 * - %KEVENT_FEAT_LAST: %KEVENT_WANT_LAST, %KEVENT_NO_LAST
 * - %KEVENT_FEAT_MIN_WAIT: &struct kevent_wait_args.min_wait_ns
 * - %KEVENT_FEAT_CHANGES: changes inside a wait
 * - %KEVENT_FEAT_HOLD_LAST: %KEVENT_HOLD_LAST, %KEVENT_ACK
 * - %KEVENT_FEAT_DEPENDS: %KEVENT_DEPENDS
 * - %KEVENT_FEAT_EXCLUSIVE: %KEVENT_EXCLUSIVE
 * - %KEVENT_FEAT_QUERY: %KEVENT_CREATE_QUERY
 * - %KEVENT_FEAT_HINTS: %KEVENT_HINTS
 * - %KEVENT_FEAT_DATA: %KEVENT_CREATE_DATA
 * - %KEVENT_FEAT_SEND: kevent_send()
 * - %KEVENT_FEAT_SENDFILE: %KEVENT_CREATE_SENDFILE, %KEVENT_SEND_FILE
 */
#define KEVENT_FEAT_LAST	((__u64)1 << 0)
#define KEVENT_FEAT_MIN_WAIT	((__u64)1 << 1)
#define KEVENT_FEAT_CHANGES	((__u64)1 << 2)
#define KEVENT_FEAT_HOLD_LAST	((__u64)1 << 3)
#define KEVENT_FEAT_DEPENDS	((__u64)1 << 4)
#define KEVENT_FEAT_EXCLUSIVE	((__u64)1 << 5)
#define KEVENT_FEAT_QUERY	((__u64)1 << 6)
#define KEVENT_FEAT_HINTS	((__u64)1 << 7)
#define KEVENT_FEAT_DATA	((__u64)1 << 8)
#define KEVENT_FEAT_SEND	((__u64)1 << 9)
#define KEVENT_FEAT_SENDFILE	((__u64)1 << 10)

/**
 * struct kevent_params - argument of kevent_create(), in and out
 * @size: out: bytes of this struct that were filled in, at most those that the
 *	program passed
 * @flags: out: %KEVENT_CREATE_NORING if the queue has no ring,
 *	%KEVENT_CREATE_DATA if it has a data area, %KEVENT_CREATE_SENDFILE if it
 *	sends files
 * @ring_entries: in: records the ring shall hold, 1 to %KEVENT_MAX_ENTRIES,
 *	0 for a default taken from @nr_expected; out: the power of two used
 * @nr_expected: in: number of interests expected, 0 if not known
 * @record_size: out: bytes per record, %KEVENT_RECORD_SIZE
 * @queue: in: with %KEVENT_CREATE_QUERY a descriptor of the queue, then
 *	@ring_entries and @nr_expected must be 0; else must be 0
 * @features: out: %KEVENT_FEAT_LAST and so on
 * @types: out: bit (1 << type) set for each type this kernel was built with
 * @ops: out: bit (1 << op) set for each operation
 * @ring_mmap_offset: out: mmap offset of the ring, to be mapped read-only
 * @ring_mmap_size: out: size of that mapping, a multiple of the page size
 * @consumer_mmap_offset: out: mmap offset of the consumer page, to be mapped
 *	for reading and writing
 * @consumer_mmap_size: out: size of that mapping
 * @producer_offset: out: offset of the producer index (u32) in the ring mapping
 * @flags_offset: out: offset of the flag word (u32) in the ring mapping
 * @records_offset: out: offset of the first record in the ring mapping
 * @consumer_offset: out: offset of the consumer index (u32) in the consumer
 *	mapping
 * @data_size: with %KEVENT_CREATE_DATA in: bytes of the data area, up to
 *	%KEVENT_MAX_DATA_SIZE, rounded up to a power of two and to
 *	%KEVENT_MIN_DATA_SIZE, 0 for a default; out: the size used, which is that
 *	of the mapping.  Without the flag: must be 0, and is
 * @data_mmap_offset: out: mmap offset of the data area, to be mapped for reading,
 *	and for writing by who likes to change the bytes in place
 * @release_offset: out: offset in the consumer mapping of the index (u32) up to
 *	which the program has given the data area back, in units of
 *	%KEVENT_DATA_UNIT bytes since the queue was made, as records tell it
 * @data_producer_offset: out: offset in the ring mapping of the index (u32) that would
 *	give back all that was told: for who takes a queue over, and reads this
 *	before the producer index
 * @reserved: must be 0
 *
 * What is there in the fields that are only told does not matter.
 *
 * The mappings must be %MAP_SHARED and of exactly the sizes given; they are
 * not inherited over fork and cannot grow.  All offsets and sizes are 0 for a
 * queue without a ring, those of the data area for one without.
 */
struct kevent_params {
	__u32		size;
	__u32		flags;
	__u32		ring_entries;
	__u32		nr_expected;
	__u32		record_size;
	__s32		queue;
	__aligned_u64	features;
	__aligned_u64	types;
	__aligned_u64	ops;
	__aligned_u64	ring_mmap_offset;
	__aligned_u64	ring_mmap_size;
	__aligned_u64	consumer_mmap_offset;
	__aligned_u64	consumer_mmap_size;
	__u32		producer_offset;
	__u32		flags_offset;
	__u32		records_offset;
	__u32		consumer_offset;
	__aligned_u64	data_size;
	__aligned_u64	data_mmap_offset;
	__u32		release_offset;
	__u32		data_producer_offset;
	__aligned_u64	reserved;
};

#define KEVENT_PARAMS_SIZE_VER0	128

/**
 * DOC: ring flags
 *
 * The flag word in the ring mapping, written by the kernel only:
 *
 * - %KEVENT_RING_PENDING: the kernel holds back events that a
 *   kevent_wait(0) would publish or find out about, or the last call has looked
 *   at some level interests only.  Look after advancing the
 *   consumer index and a full fence; enter when the ring is empty, or when
 *   min(entries, %KEVENT_FLUSH_RECORDS) records were taken since the last
 *   entry.
 * - %KEVENT_RING_LEVEL: the queue has, or had, an interest that is level, whoever
 *   made it so; only a call publishes such a one again.  Enter as for PENDING;
 *   it stays set
 */
#define KEVENT_RING_PENDING	(1U << 0)
#define KEVENT_RING_LEVEL	(1U << 1)

#define KEVENT_FLUSH_RECORDS	256

/**
 * DOC: wait flags
 *
 * &struct kevent_wait_args.flags:
 *
 * - %KEVENT_WAIT_TIMEOUT: @timeout_ns is meant; without it the wait is endless
 * - %KEVENT_WAIT_ABSTIME: @timeout_ns is a time on @clockid, not a span
 */
#define KEVENT_WAIT_TIMEOUT	(1U << 0)
#define KEVENT_WAIT_ABSTIME	(1U << 1)

/**
 * struct kevent_wait_args - optional argument of the two waiting calls
 * @flags: %KEVENT_WAIT_TIMEOUT, %KEVENT_WAIT_ABSTIME
 * @clockid: clock of @timeout_ns: CLOCK_MONOTONIC, CLOCK_REALTIME,
 *	CLOCK_BOOTTIME or CLOCK_TAI; setting a clock moves times, not spans
 * @timeout_ns: nanoseconds; a time in the past or a span of 0 means not to
 *	sleep
 * @min_wait_ns: once there is a record, wait at most this many nanoseconds
 *	for the minimum number; 0 for no such limit
 * @sigmask: user address of the signal mask during the wait, 0 for none
 * @sigmask_size: bytes of that mask; 0 without one
 * @nr_changes: number of entries at @changes, applied before the wait
 * @changes: user address of an array of struct kevent_change
 * @change_size: bytes per entry; 0 without changes
 * @changes_done: out: entries applied, written if @nr_changes is not 0.  The
 *	call does not sleep if one of them failed, but for a REMOVE with
 *	``-ENOENT``, whose interest has ended already; and fails with ``-EINTR``
 *	rather than to be restarted when interrupted after applying any
 * @busy_poll_usecs: place of the time to poll network devices before the sleep;
 *	must be 0
 * @busy_poll_budget: place of the packets per poll; must be 0
 * @busy_poll_flags: must be 0
 * @reserved: must be 0
 */
struct kevent_wait_args {
	__u32		flags;
	__s32		clockid;
	__aligned_u64	timeout_ns;
	__aligned_u64	min_wait_ns;
	__aligned_u64	sigmask;
	__u32		sigmask_size;
	__u32		nr_changes;
	__aligned_u64	changes;
	__u32		change_size;
	__u32		changes_done;
	__u32		busy_poll_usecs;
	__u16		busy_poll_budget;
	__u16		busy_poll_flags;
	__aligned_u64	reserved;
};

#define KEVENT_WAIT_ARGS_SIZE_VER0 72

/**
 * DOC: send flags
 *
 * &struct kevent_send.flags:
 *
 * - %KEVENT_SEND_MORE: more is to follow, as MSG_MORE of send(2); not where a file ends
 *   before @len
 * - %KEVENT_SEND_FILE: the bytes are those of a file, %KEVENT_TYPE_SENDFILE says of
 *   which kind.  What is not cached is not sent, nor waited for
 * - %KEVENT_SEND_RELEASE: @release gives the data area back up to there, as if the
 *   program had stored it, after the sends and before the wait; unless this entry, or
 *   one before it in the array, was not done in full, as its bytes are still needed
 */
#define KEVENT_SEND_MORE	(1U << 0)
#define KEVENT_SEND_FILE	(1U << 1)
#define KEVENT_SEND_RELEASE	(1U << 2)

/**
 * struct kevent_send - one send of kevent_send()
 * @addr: user address of the bytes; they may lie in a data area; of a file the offset
 * @fd: a socket that is connected
 * @len: how many bytes
 * @flags: %KEVENT_SEND_MORE and so on
 * @result: out: bytes that the socket took, or a negative error number:
 *	``-EAGAIN`` if it has no room or nothing of the file is cached there,
 *	``-EBUSY`` if an interest sends a file on it, ``-ECANCELED`` if the last entry
 *	of this call for the same socket was not done in full; 0 at the end of a file
 * @file_fd: with %KEVENT_SEND_FILE a descriptor of the file; else must be 0
 * @release: with %KEVENT_SEND_RELEASE a value of the release index, as a record
 *	tells it; else must be 0
 */
struct kevent_send {
	__aligned_u64	addr;
	__s32		fd;
	__u32		len;
	__u32		flags;
	__s32		result;
	__s32		file_fd;
	__u32		release;
};

#define KEVENT_SEND_SIZE	32

#define KEVENT_MAX_SENDS	1024

#endif /* _UAPI_LINUX_KEVENT_H */
