/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent.h - the user side of a kevent queue, inline
 *
 * The ring has one index written by the kernel (producer) and one written by
 * the program (consumer).  Both run freely over 32 bits and are masked on use.
 *
 *   kernel                                 program
 *   ------                                 -------
 *   c = consumer            (A)            p = producer, acquire       (C)
 *   full if produced - c >= entries        p == consumer: empty
 *   fill slot                              copy the record out
 *   producer = ++produced   (B) release    consumer = c + n, release   (D)
 *                                          full fence                  (E)
 *                                          look at the flag word; act
 *   flags |= PENDING
 *   full barrier            (F)
 *   c = consumer, once more
 *
 *   A pairs with D: a slot is free before it is overwritten.
 *   B pairs with C: a record is complete before it is seen.
 *   E pairs with F: either the program sees PENDING, or the kernel sees the
 *   room it made.  E pairs as well with the full barrier between a change of
 *   the source and reading the consumer index when the kernel leaves an event
 *   out because a record for it is still unread: a program that acts after E
 *   sees that change.  So: copy out, advance, fence, and only then act.
 *
 * One consumer: ukevent_take(), ukevent_dequeue().  Several threads on one queue:
 * ukevent_take_shared(), ukevent_dequeue_shared() in all of them; the two must not
 * be mixed.
 *
 * Functions return a negative error number and leave errno alone.
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_H
#define _UKEVENT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/kevent.h>

#if defined(__STRICT_ANSI__) && !defined(__cplusplus)
/* Kept from programs in strict C. */
extern long syscall(long number, ...);
#endif

#ifndef __NR_kevent_create
#define __NR_kevent_create	500
#define __NR_kevent_ctl		501
#define __NR_kevent_wait	502
#define __NR_kevent_get_events	503
#endif

#define UKEVENT_FOREVER		(~0ULL)

/* <time.h> keeps it from programs in strict C. */
#define UKEVENT_MONOTONIC	1

/**
 * struct ukevent_queue - a queue and its two mappings
 * @fd: the queue's descriptor
 * @entries: records the ring holds, a power of two
 * @head: consumer index (the single consumer's own copy)
 * @flush_after: enter the kernel for what it holds back after that many
 * @taken: records taken since the kernel was last entered
 * @has_level: there are level interests, which ukevent_add_poll() notes: the
 *	kernel is then entered every @flush_after records, and when the ring is
 *	empty, as only that publishes them again
 * @sleepers: threads asleep in ukevent_dequeue_shared()
 * @producer: producer index, in the ring mapping
 * @flags: flag word, in the ring mapping
 * @records: the records, in the ring mapping
 * @consumer: consumer index, in the consumer mapping
 * @ring_map: start of the ring mapping
 * @ring_size: its size
 * @consumer_map: start of the consumer mapping
 * @consumer_size: its size
 */
struct ukevent_queue {
	int			fd;
	uint32_t		entries;
	uint32_t		head;
	uint32_t		flush_after;
	uint32_t		taken;
	int			has_level;
	uint32_t		sleepers;
	const uint32_t		*producer;
	const uint32_t		*flags;
	const struct ukevent	*records;
	uint32_t		*consumer;
	void			*ring_map;
	size_t			ring_size;
	void			*consumer_map;
	size_t			consumer_size;
};

/* The four calls, as they are but for the error convention. */

static inline long ukevent_result(long ret, int saved)
{
	if (ret >= 0)
		return ret;
	ret = -errno;
	errno = saved;
	return ret;
}

static inline int sys_kevent_create(struct kevent_params *params, size_t size,
				    uint32_t flags)
{
	int saved = errno;

	return ukevent_result(syscall(__NR_kevent_create, params, size, flags),
			      saved);
}

static inline int sys_kevent_ctl(int fd, struct kevent_change *changes,
				 uint32_t nr, uint32_t change_size,
				 uint32_t flags)
{
	int saved = errno;

	return ukevent_result(syscall(__NR_kevent_ctl, fd, changes, nr,
				      change_size, flags), saved);
}

static inline int sys_kevent_wait(int fd, uint32_t min_nr,
				  struct kevent_wait_args *args, size_t size)
{
	int saved = errno;

	return ukevent_result(syscall(__NR_kevent_wait, fd, min_nr, args,
				      size), saved);
}

static inline int sys_kevent_get_events(int fd, struct ukevent *buf,
					uint32_t min_nr, uint32_t max_nr,
					struct kevent_wait_args *args,
					size_t size)
{
	int saved = errno;

	return ukevent_result(syscall(__NR_kevent_get_events, fd, buf, min_nr,
				      max_nr, args, size), saved);
}

/**
 * ukevent_queue_exit - unmap and close a queue
 * @q: the queue
 */
static inline void ukevent_queue_exit(struct ukevent_queue *q)
{
	int saved = errno;

	if (q->ring_map)
		munmap(q->ring_map, q->ring_size);
	if (q->consumer_map)
		munmap(q->consumer_map, q->consumer_size);
	if (q->fd >= 0)
		close(q->fd);
	memset(q, 0, sizeof(*q));
	q->fd = -1;
	errno = saved;
}

/* Map what @params tell of a queue; if that fails, nothing is left mapped. */
static inline int ukevent_queue_map(struct ukevent_queue *q, int fd,
				    const struct kevent_params *params)
{
	int saved = errno, ret;
	char *ring, *consumer;

	if (params->flags & KEVENT_CREATE_NORING)
		goto done;
	ring = (char *)mmap(NULL, params->ring_mmap_size, PROT_READ, MAP_SHARED,
			    fd, params->ring_mmap_offset);
	if (ring == (char *)MAP_FAILED)
		goto fail;
	q->ring_map = ring;
	q->ring_size = params->ring_mmap_size;
	consumer = (char *)mmap(NULL, params->consumer_mmap_size,
				PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				params->consumer_mmap_offset);
	if (consumer == (char *)MAP_FAILED)
		goto fail;
	q->consumer_map = consumer;
	q->consumer_size = params->consumer_mmap_size;

	q->entries = params->ring_entries;
	q->flush_after = q->entries < KEVENT_FLUSH_RECORDS ?
			 q->entries : KEVENT_FLUSH_RECORDS;
	q->producer = (const uint32_t *)(ring + params->producer_offset);
	q->flags = (const uint32_t *)(ring + params->flags_offset);
	q->records = (const struct ukevent *)(ring + params->records_offset);
	q->consumer = (uint32_t *)(consumer + params->consumer_offset);
	q->head = __atomic_load_n(q->consumer, __ATOMIC_RELAXED);
done:
	q->fd = fd;
	return 0;
fail:
	ret = -errno;
	errno = saved;
	ukevent_queue_exit(q);
	return ret;
}

/**
 * ukevent_queue_open - map the ring of a queue that exists
 * @q: filled in
 * @fd: its descriptor, inherited or received; belongs to @q if this succeeds
 *
 * Who has it mapped as well is another consumer of the same records.
 *
 * Return: 0 or a negative error number; nothing is left mapped then.
 */
static inline int ukevent_queue_open(struct ukevent_queue *q, int fd)
{
	struct kevent_params params;
	int ret;

	memset(q, 0, sizeof(*q));
	q->fd = -1;
	memset(&params, 0, sizeof(params));
	params.queue = fd;
	ret = sys_kevent_create(&params, sizeof(params), KEVENT_CREATE_QUERY);
	return ret ? ret : ukevent_queue_map(q, fd, &params);
}

/**
 * ukevent_queue_init - make a queue and map its ring
 * @q: filled in
 * @params: in: flags, for the third argument of kevent_create(), ring_entries,
 *	nr_expected; out: as kevent_create()
 *
 * Return: 0 or a negative error number; nothing is left open then.
 */
static inline int ukevent_queue_init(struct ukevent_queue *q,
				     struct kevent_params *params)
{
	int fd = sys_kevent_create(params, sizeof(*params), params->flags);
	int saved = errno, ret;

	memset(q, 0, sizeof(*q));
	q->fd = -1;
	if (fd < 0)
		return fd;
	ret = ukevent_queue_map(q, fd, params);
	if (ret) {
		close(fd);
		errno = saved;
	}
	return ret;
}

/* Copy records out; they lie in one run, or in two around the ring's end. */
static inline void ukevent_copy(const struct ukevent_queue *q, uint32_t index,
				struct ukevent *to, uint32_t nr)
{
	const struct ukevent *from = q->records + (index & (q->entries - 1));
	const struct ukevent *end = q->records + q->entries;

	for (; nr; nr--) {
		*to++ = *from++;
		if (from == end)
			from = q->records;
	}
}

/**
 * ukevent_take - take records, single consumer, no system call
 * @q: the queue
 * @buf: receives the records
 * @max: room in @buf
 *
 * Return: number of records taken, 0 if the ring is empty.
 */
static inline uint32_t ukevent_take(struct ukevent_queue *q,
				    struct ukevent *buf, uint32_t max)
{
	uint32_t head = q->head;
	uint32_t n = __atomic_load_n(q->producer, __ATOMIC_ACQUIRE) - head; /* C */

	if (!n)
		return 0;
	if (n > max)
		n = max;
	ukevent_copy(q, head, buf, n);
	q->head = head + n;
	q->taken += n;
	__atomic_store_n(q->consumer, head + n, __ATOMIC_RELEASE); /* D */
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* E */
	return n;
}

/**
 * ukevent_take_shared - take records, several consumers, no system call
 * @q: the queue
 * @buf: receives the records
 * @max: room in @buf
 *
 * The records are copied first and claimed second; a copy that another thread
 * was faster to claim is thrown away.
 *
 * Return: number of records taken, 0 if the ring is empty.
 */
static inline uint32_t ukevent_take_shared(struct ukevent_queue *q,
					   struct ukevent *buf, uint32_t max)
{
	uint32_t head = __atomic_load_n(q->consumer, __ATOMIC_ACQUIRE);
	uint32_t n;

	for (;;) {
		n = __atomic_load_n(q->producer, __ATOMIC_ACQUIRE) - head; /* C */
		if (!n)
			return 0;
		if (n > q->entries) {	/* others went on since head was read */
			uint32_t stale = head;

			head = __atomic_load_n(q->consumer, __ATOMIC_ACQUIRE);
			if (head == stale)
				return 0;	/* scribbled over */
			continue;
		}
		if (n > max)
			n = max;
		ukevent_copy(q, head, buf, n);
		/* D; failing, it is the acquire of a fresh head */
		if (__atomic_compare_exchange_n(q->consumer, &head, head + n, 0,
						__ATOMIC_SEQ_CST,
						__ATOMIC_ACQUIRE))
			break;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* E */
	__atomic_fetch_add(&q->taken, n, __ATOMIC_RELAXED);
	return n;
}

/**
 * ukevent_flush_due - does the kernel hold back something to be fetched now?
 * @q: the queue
 * @empty: whether the ring was found empty
 *
 * To be asked after taking records, or after finding none.
 *
 * Return: nonzero if kevent_wait() should be entered.
 */
static inline int ukevent_flush_due(const struct ukevent_queue *q, int empty)
{
	int many = __atomic_load_n(&q->taken, __ATOMIC_RELAXED) >= q->flush_after;

	if (many && q->has_level)
		return 1;
	return (empty || many) &&
	       (__atomic_load_n(q->flags, __ATOMIC_RELAXED) & KEVENT_RING_PENDING);
}

/**
 * ukevent_wait - enter the kernel: publish what is held back, then sleep
 * @q: the queue
 * @min_nr: sleep until the ring holds that many records; 0 not to sleep
 * @timeout_ns: at most that long, or %UKEVENT_FOREVER
 *
 * Return: number of records in the ring, or a negative error number.
 */
static inline int ukevent_wait(struct ukevent_queue *q, uint32_t min_nr,
			       uint64_t timeout_ns)
{
	struct kevent_wait_args args;

	__atomic_store_n(&q->taken, 0, __ATOMIC_RELAXED);
	if (!min_nr || timeout_ns == UKEVENT_FOREVER)
		return sys_kevent_wait(q->fd, min_nr, NULL, 0);
	memset(&args, 0, sizeof(args));
	args.flags = KEVENT_WAIT_TIMEOUT;
	args.clockid = UKEVENT_MONOTONIC;
	args.timeout_ns = timeout_ns;
	return sys_kevent_wait(q->fd, min_nr, &args, sizeof(args));
}

/**
 * ukevent_dequeue_batch - take records, sleeping if there are none
 * @q: the queue, with a single consumer
 * @buf: receives the records
 * @max: room in @buf
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * A program that keeps up makes no system call here: the kernel is entered
 * when it holds something back, when the ring is empty, and every so many
 * records for level interests.
 *
 * Return: number of records, 0 after the timeout, or a negative error number.
 */
static inline int ukevent_dequeue_batch(struct ukevent_queue *q,
					struct ukevent *buf, uint32_t max,
					uint64_t timeout_ns)
{
	uint32_t n;
	int ret;

	if (ukevent_flush_due(q, 0)) {
		ret = ukevent_wait(q, 0, 0);
		if (ret < 0)
			return ret;
	}
	n = ukevent_take(q, buf, max);
	if (n)
		return n;
	if (!timeout_ns && !q->has_level && !ukevent_flush_due(q, 1))
		return 0;
	ret = ukevent_wait(q, timeout_ns ? 1 : 0, timeout_ns);
	if (ret < 0)
		return ret;
	return ukevent_take(q, buf, max);
}

/**
 * ukevent_dequeue - take one record, sleeping if there is none
 * @q: the queue, with a single consumer
 * @ev: receives the record
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * Return: 1, 0 after the timeout, or a negative error number.
 */
static inline int ukevent_dequeue(struct ukevent_queue *q, struct ukevent *ev,
				  uint64_t timeout_ns)
{
	return ukevent_dequeue_batch(q, ev, 1, timeout_ns);
}

/**
 * ukevent_dequeue_shared - the same with several consumers
 * @q: the queue
 * @buf: receives the records
 * @max: room in @buf
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * What a level interest told goes on holding for the others: if some of them sleep
 * the kernel is entered once more, to look and to wake the next.  Sleepers of other
 * processes are not known here: there use one-shot or dispatch interests.
 *
 * Return: number of records, 0 after the timeout or if others took what woke this
 * one before it, or a negative error number.
 */
static inline int ukevent_dequeue_shared(struct ukevent_queue *q,
					 struct ukevent *buf, uint32_t max,
					 uint64_t timeout_ns)
{
	uint32_t n, sleeps = timeout_ns ? 1 : 0;
	int ret, waited = 0;

	while (!(n = ukevent_take_shared(q, buf, max))) {
		if (waited && timeout_ns != UKEVENT_FOREVER)
			return 0;
		if (!sleeps && !q->has_level && !ukevent_flush_due(q, 1))
			return 0;
		/* Before it looks for the last time; read after fence E. */
		__atomic_fetch_add(&q->sleepers, sleeps, __ATOMIC_SEQ_CST);
		ret = ukevent_wait(q, sleeps, timeout_ns);
		__atomic_fetch_sub(&q->sleepers, sleeps, __ATOMIC_RELAXED);
		if (ret < 0)
			return ret;
		waited = 1;
	}
	if (ukevent_flush_due(q, 0) ||
	    (q->has_level && __atomic_load_n(&q->sleepers, __ATOMIC_RELAXED)))
		ukevent_wait(q, 0, 0);
	return n;
}

/**
 * ukevent_change - apply one change
 * @q: the queue
 * @change: the change; its result and id are filled in
 *
 * Return: 0 or a negative error number, the change's own or the call's.
 */
static inline int ukevent_change(struct ukevent_queue *q,
				 struct kevent_change *change)
{
	int ret = sys_kevent_ctl(q->fd, change, 1, sizeof(*change), 0);

	return ret < 0 ? ret : change->result;
}

/**
 * ukevent_add - register an interest that needs no parameters
 * @q: the queue
 * @type: %KEVENT_TYPE_POLL and so on
 * @ident: the descriptor, or the number chosen for it
 * @events: events of that type
 * @flags: %KEVENT_EDGE and so on
 * @cookie: value to find in the records
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_add(struct ukevent_queue *q, unsigned int type,
			      uint64_t ident, uint32_t events, uint32_t flags,
			      uint64_t cookie)
{
	struct kevent_change change;

	memset(&change, 0, sizeof(change));
	change.op = KEVENT_OP_ADD;
	change.type = type;
	change.flags = flags;
	change.cookie = cookie;
	change.ident = ident;
	change.events = events;
	if ((type == KEVENT_TYPE_POLL || type == KEVENT_TYPE_SOCKET) &&
	    !(flags & (KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH)))
		q->has_level = 1;
	return ukevent_change(q, &change);
}

/**
 * ukevent_op - remove, enable, disable
 * @q: the queue
 * @op: %KEVENT_OP_REMOVE, %KEVENT_OP_ENABLE or %KEVENT_OP_DISABLE
 * @type: as at ADD
 * @ident: as at ADD
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_op(struct ukevent_queue *q, unsigned int op,
			     unsigned int type, uint64_t ident)
{
	struct kevent_change change;

	memset(&change, 0, sizeof(change));
	change.op = op;
	change.type = type;
	change.ident = ident;
	return ukevent_change(q, &change);
}

/**
 * ukevent_add_poll - register a descriptor
 * @q: the queue
 * @fd: any descriptor that can be polled
 * @events: poll(2) bits
 * @flags: %KEVENT_EDGE and so on
 * @cookie: value to find in the records
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_add_poll(struct ukevent_queue *q, int fd,
				   uint32_t events, uint32_t flags,
				   uint64_t cookie)
{
	return ukevent_add(q, KEVENT_TYPE_POLL, fd, events, flags, cookie);
}

/**
 * ukevent_add_socket - register a socket
 * @q: the queue
 * @fd: the socket
 * @events: %KEVENT_SOCK_RECV and so on
 * @flags: %KEVENT_EDGE and so on
 * @cookie: value to find in the records
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_add_socket(struct ukevent_queue *q, int fd,
				     uint32_t events, uint32_t flags,
				     uint64_t cookie)
{
	return ukevent_add(q, KEVENT_TYPE_SOCKET, fd, events, flags, cookie);
}

/**
 * ukevent_set_timer - add a timer, or start it anew
 * @q: the queue
 * @op: %KEVENT_OP_ADD, %KEVENT_OP_MODIFY or %KEVENT_OP_SET
 * @number: names the timer in this queue
 * @time_ns: until the first expiry, or with %KEVENT_ABSTIME the time of it
 * @period_ns: between expirations, 0 for one only
 * @clockid: CLOCK_MONOTONIC and so on
 * @flags: %KEVENT_EDGE and so on
 * @cookie: value to find in the records
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_set_timer(struct ukevent_queue *q, unsigned int op,
				    uint64_t number, uint64_t time_ns,
				    uint64_t period_ns, int clockid,
				    uint32_t flags, uint64_t cookie)
{
	struct kevent_change change;

	memset(&change, 0, sizeof(change));
	change.op = op;
	change.type = KEVENT_TYPE_TIMER;
	change.flags = flags;
	change.cookie = cookie;
	change.ident = number;
	change.param[KEVENT_TIMER_TIME] = time_ns;
	change.param[KEVENT_TIMER_PERIOD] = period_ns;
	change.param[KEVENT_TIMER_CLOCK] = clockid;
	return ukevent_change(q, &change);
}

/**
 * ukevent_trigger - post a user event
 * @q: the queue; from a signal handler as well
 * @number: of an interest of %KEVENT_TYPE_USER
 * @payload: value to find in the record, if no later trigger replaces it
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_trigger(struct ukevent_queue *q, uint64_t number,
				  uint64_t payload)
{
	struct kevent_change change;

	memset(&change, 0, sizeof(change));
	change.op = KEVENT_OP_TRIGGER;
	change.type = KEVENT_TYPE_USER;
	change.ident = number;
	change.param[KEVENT_USER_PAYLOAD] = payload;
	return ukevent_change(q, &change);
}

/**
 * ukevent_add_inode - watch a file or directory
 * @q: the queue
 * @fd: its descriptor, or with @path a directory or AT_FDCWD
 * @path: relative to @fd, or NULL
 * @lookup: %KEVENT_INODE_NOFOLLOW, %KEVENT_INODE_ONLYDIR
 * @events: %KEVENT_INODE_MODIFY and so on
 * @flags: %KEVENT_ONESHOT and so on
 * @cookie: value to find in the records
 * @id: receives what ukevent_op_id() takes; may be NULL
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_add_inode(struct ukevent_queue *q, int fd,
				    const char *path, uint32_t lookup,
				    uint32_t events, uint32_t flags,
				    uint64_t cookie, uint64_t *id)
{
	struct kevent_change change;
	int ret;

	memset(&change, 0, sizeof(change));
	change.op = KEVENT_OP_ADD;
	change.type = KEVENT_TYPE_INODE;
	change.flags = flags;
	change.cookie = cookie;
	change.ident = fd;
	change.events = events;
	change.addr = (uintptr_t)path;
	change.param[KEVENT_INODE_LOOKUP] = lookup;
	ret = ukevent_change(q, &change);
	if (id)
		*id = change.id;
	return ret;
}

/**
 * ukevent_op_id - remove, enable or disable an interest by its id
 * @q: the queue
 * @op: %KEVENT_OP_REMOVE, %KEVENT_OP_ENABLE or %KEVENT_OP_DISABLE
 * @type: as at ADD
 * @id: from ADD
 * @flags: 0, or %KEVENT_ACK or %KEVENT_NO_LAST with %KEVENT_OP_REMOVE
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_op_id(struct ukevent_queue *q, unsigned int op,
				unsigned int type, uint64_t id, uint32_t flags)
{
	struct kevent_change change;

	memset(&change, 0, sizeof(change));
	change.op = op;
	change.type = type;
	change.flags = flags | KEVENT_BY_ID;
	change.id = id;
	return ukevent_change(q, &change);
}

/**
 * ukevent_op_poll - remove, enable or disable the interest in a descriptor
 * @q: the queue
 * @op: %KEVENT_OP_REMOVE, %KEVENT_OP_ENABLE or %KEVENT_OP_DISABLE
 * @fd: the descriptor
 *
 * Return: 0 or a negative error number.
 */
static inline int ukevent_op_poll(struct ukevent_queue *q, unsigned int op,
				  int fd)
{
	return ukevent_op(q, op, KEVENT_TYPE_POLL, fd);
}

#endif /* _UKEVENT_H */
