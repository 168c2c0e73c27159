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
 * Bytes that records carry lie in a third mapping, with an index of its own by which
 * the program gives them back: ukevent_data.h.
 *
 * One consumer: ukevent_take(), ukevent_dequeue().  Several threads on one queue:
 * ukevent_take_shared(), ukevent_dequeue_shared() in all of them; the two must not
 * be mixed.
 *
 * The kernel publishes nothing for a level interest unless it is entered, and tells
 * by KEVENT_RING_LEVEL that there are such, whoever made them.
 *
 * A queue is the process's that opened it: its child has not the mappings, and gets
 * -ECHILD, until it maps the queue by ukevent_queue_remap().  Changes need no
 * mapping: a child makes them, to the queue of both, as any holder of the descriptor.
 *
 * Functions return a negative error number and leave errno alone.
 *
 * Without a ring (KEVENT_CREATE_NORING) the functions that dequeue call
 * kevent_get_events().
 *
 * ukevent_prep.h fills in changes, ukevent_loop.h gathers them for the next wait,
 * ukevent_data.h receives and sends.
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
#include <linux/mman.h>

#include "ukevent_prep.h"

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
#ifndef __NR_kevent_send
#define __NR_kevent_send	504
#endif

#define UKEVENT_FOREVER		(~(uint64_t)0)

/* What few need is kept out of the way of the others, which is in line. */
#define UKEVENT_APART		static __attribute__((__noinline__, __unused__))
#define UKEVENT_IN_LINE		static inline __attribute__((__always_inline__))

/**
 * struct ukevent_here - what a fork clears, in a page that MADV_WIPEONFORK is for
 * @ring: there is a ring, mapped by this process
 * @process: the queue was opened by this process
 */
struct ukevent_here {
	uint32_t	ring;
	uint32_t	process;
};

/**
 * struct ukevent_queue - a queue and its mappings
 * @fd: the queue's descriptor
 * @entries: records the ring holds, a power of two
 * @head: consumer index (the single consumer's own copy)
 * @flush_after: enter the kernel for what it holds back after that many
 * @taken: records taken since the kernel was last entered
 * @sleepers: threads asleep in ukevent_dequeue_shared()
 * @here: 0 in a child
 * @producer: producer index, in the ring mapping
 * @flags: flag word, in the ring mapping
 * @records: the records, in the ring mapping
 * @consumer: consumer index, in the consumer mapping
 * @ring_map: start of the ring mapping
 * @ring_size: its size
 * @consumer_map: start of the consumer mapping
 * @consumer_size: its size
 * @data: the data area, NULL for a queue without
 * @data_size: its size
 * @release: release index, in the consumer mapping, of a queue with a data area
 */
struct ukevent_queue {
	int			fd;
	uint32_t		entries;
	uint32_t		head;
	uint32_t		flush_after;
	uint32_t		taken;
	uint32_t		sleepers;
	struct ukevent_here	*here;
	const uint32_t		*producer;
	const uint32_t		*flags;
	const struct ukevent	*records;
	uint32_t		*consumer;
	void			*ring_map;
	size_t			ring_size;
	void			*consumer_map;
	size_t			consumer_size;
	char			*data;
	size_t			data_size;
	uint32_t		*release;
};

/*
 * The calls, as they are but for the error convention: syscall(2) would put the
 * error in errno, which was to be saved before each call.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(syscall)

static inline long ukevent_call4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall" : "=a" (ret)
			 : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long ukevent_call6(long nr, long a, long b, long c, long d, long e,
				 long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a" (ret)
			 : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10),
			   "r" (r8), "r" (r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#else

static inline long ukevent_call6(long nr, long a, long b, long c, long d, long e,
				 long f)
{
	int saved = errno;
	long ret = syscall(nr, a, b, c, d, e, f);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

static inline long ukevent_call4(long nr, long a, long b, long c, long d)
{
	return ukevent_call6(nr, a, b, c, d, 0, 0);
}

#endif

UKEVENT_INLINE int sys_kevent_create(struct kevent_params *params, size_t size,
				     uint32_t flags)
{
	return ukevent_call4(__NR_kevent_create, (long)params, size, flags, 0);
}

UKEVENT_INLINE int sys_kevent_ctl(int fd, struct kevent_change *changes,
				  uint32_t nr, uint32_t change_size,
				  uint32_t flags)
{
	return ukevent_call6(__NR_kevent_ctl, fd, (long)changes, nr, change_size,
			     flags, 0);
}

UKEVENT_INLINE int sys_kevent_wait(int fd, uint32_t min_nr,
				   struct kevent_wait_args *args, size_t size)
{
	return ukevent_call4(__NR_kevent_wait, fd, min_nr, (long)args, size);
}

UKEVENT_INLINE int sys_kevent_get_events(int fd, struct ukevent *buf,
					 uint32_t min_nr, uint32_t max_nr,
					 struct kevent_wait_args *args,
					 size_t size)
{
	return ukevent_call6(__NR_kevent_get_events, fd, (long)buf, min_nr, max_nr,
			     (long)args, size);
}

UKEVENT_INLINE int sys_kevent_send(int fd, struct kevent_send *sends, uint32_t nr,
				   uint32_t min_nr, struct kevent_wait_args *args,
				   size_t size)
{
	return ukevent_call6(__NR_kevent_send, fd, (long)sends, nr, min_nr,
			     (long)args, size);
}

/**
 * ukevent_has_type - does this kernel have a type of interest?
 * @params: as kevent_create() or ukevent_queue_init() answered
 * @type: %KEVENT_TYPE_POLL and so on
 *
 * Return: nonzero if it was built with that type.
 */
UKEVENT_INLINE int ukevent_has_type(const struct kevent_params *params,
				    unsigned int type)
{
	return type < 64 && params->types >> type & 1;
}

/**
 * ukevent_queue_size - bytes of a struct ukevent_queue
 *
 * For languages that cannot read this header: the memory is theirs, zeroed or not, and
 * aligned as that of malloc(3); what is in it is the library's.
 *
 * Return: their number.
 */
UKEVENT_INLINE size_t ukevent_queue_size(void)
{
	return sizeof(struct ukevent_queue);
}

/**
 * ukevent_queue_exit - unmap and close a queue
 * @q: the queue
 */
UKEVENT_INLINE void ukevent_queue_exit(struct ukevent_queue *q)
{
	int saved = errno;

	/* In a child there may be something else by now. */
	if (q->here && q->here->process) {
		if (q->ring_map)
			munmap(q->ring_map, q->ring_size);
		if (q->consumer_map)
			munmap(q->consumer_map, q->consumer_size);
		if (q->data)
			munmap(q->data, q->data_size);
	}
	if (q->here)
		munmap(q->here, sizeof(*q->here));
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
	char *ring, *consumer, *data;
	void *here;

	here = mmap(NULL, sizeof(*q->here), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (here == MAP_FAILED)
		goto fail;
	q->here = (struct ukevent_here *)here;
	q->here->process = 1;
	/* A page, which the kernel makes of it; not declared in strict C. */
	if (syscall(__NR_madvise, here, sizeof(*q->here), MADV_WIPEONFORK))
		goto fail;
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
	if (params->flags & KEVENT_CREATE_DATA) {
		data = (char *)mmap(NULL, params->data_size,
				    PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				    params->data_mmap_offset);
		if (data == (char *)MAP_FAILED)
			goto fail;
		q->data = data;
		q->data_size = params->data_size;
		q->release = (uint32_t *)(consumer + params->release_offset);
	}

	q->entries = params->ring_entries;
	q->flush_after = q->entries < KEVENT_FLUSH_RECORDS ?
			 q->entries : KEVENT_FLUSH_RECORDS;
	q->producer = (const uint32_t *)(ring + params->producer_offset);
	q->flags = (const uint32_t *)(ring + params->flags_offset);
	q->records = (const struct ukevent *)(ring + params->records_offset);
	q->consumer = (uint32_t *)(consumer + params->consumer_offset);
	q->head = __atomic_load_n(q->consumer, __ATOMIC_RELAXED);
	q->here->ring = 1;
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
UKEVENT_INLINE int ukevent_queue_open(struct ukevent_queue *q, int fd)
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
 * ukevent_queue_remap - map a queue anew, in a child
 * @q: the queue as the parent had it
 *
 * Parent and child then are consumers of the same records, with one index: either
 * one of them goes on alone, or both are among several consumers.  Changes that a
 * struct ukevent_loop of the parent had gathered are the parent's: the child makes
 * its own loop by ukevent_loop_init().
 *
 * Return: 0 or a negative error number; @q then has the descriptor only, to be closed
 * by ukevent_queue_exit().
 */
UKEVENT_INLINE int ukevent_queue_remap(struct ukevent_queue *q)
{
	int fd = q->fd, ret;

	q->fd = -1;
	ukevent_queue_exit(q);
	ret = ukevent_queue_open(q, fd);
	q->fd = fd;
	return ret;
}

/**
 * ukevent_queue_init - make a queue and map its ring
 * @q: filled in
 * @params: in: flags, for the third argument of kevent_create(), ring_entries,
 *	nr_expected, data_size; out: as kevent_create()
 *
 * Return: 0 or a negative error number; nothing is left open then.
 */
UKEVENT_INLINE int ukevent_queue_init(struct ukevent_queue *q,
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

/* Why there is no ring here. */
static inline int ukevent_no_ring(const struct ukevent_queue *q)
{
	return q->here->process ? -EINVAL : -ECHILD;
}

/* ukevent_take() of a ring that is there. */
static inline int ukevent_take_mapped(struct ukevent_queue *q,
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

/* ukevent_take_shared() of a ring that is there. */
static inline int ukevent_take_shared_mapped(struct ukevent_queue *q,
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
 * ukevent_take - take records, single consumer, no system call
 * @q: the queue
 * @buf: receives the records
 * @max: room in @buf
 *
 * Return: number of records taken, 0 if the ring is empty, -ECHILD in a child,
 * -EINVAL without a ring.
 */
UKEVENT_INLINE int ukevent_take(struct ukevent_queue *q, struct ukevent *buf,
				uint32_t max)
{
	return q->here->ring ? ukevent_take_mapped(q, buf, max) :
			       ukevent_no_ring(q);
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
 * Return: as ukevent_take().
 */
UKEVENT_INLINE int ukevent_take_shared(struct ukevent_queue *q,
				       struct ukevent *buf, uint32_t max)
{
	return q->here->ring ? ukevent_take_shared_mapped(q, buf, max) :
			       ukevent_no_ring(q);
}

/**
 * ukevent_flush_due - is there something that only the kernel can publish now?
 * @q: the queue, mapped here
 * @empty: whether the ring was found empty
 *
 * To be asked after taking records, or after finding none; and after releasing bytes
 * as well, which all functions that dequeue do.
 *
 * Return: nonzero if kevent_wait() should be entered.
 */
UKEVENT_INLINE int ukevent_flush_due(const struct ukevent_queue *q, int empty)
{
	if (!empty &&
	    __atomic_load_n(&q->taken, __ATOMIC_RELAXED) < q->flush_after)
		return 0;
	return __atomic_load_n(q->flags, __ATOMIC_RELAXED) &
	       (KEVENT_RING_PENDING | KEVENT_RING_LEVEL);
}

/* Sets the time that a wait sleeps, not called for one that does not end. */
static inline void ukevent_set_timeout(struct kevent_wait_args *args,
				       uint64_t timeout_ns)
{
	args->flags = KEVENT_WAIT_TIMEOUT;
	args->clockid = UKEVENT_MONOTONIC;
	args->timeout_ns = timeout_ns;
}

/*
 * Enters the kernel, of a queue of this process.  @args: NULL, or zeroed but for
 * changes that it shall apply first.
 */
static inline int ukevent_enter(struct ukevent_queue *q,
				struct kevent_wait_args *args, uint32_t min_nr,
				uint64_t timeout_ns)
{
	struct kevent_wait_args own;

	__atomic_store_n(&q->taken, 0, __ATOMIC_RELAXED);
	if (min_nr && timeout_ns != UKEVENT_FOREVER) {
		if (!args) {
			memset(&own, 0, sizeof(own));
			args = &own;
		}
		ukevent_set_timeout(args, timeout_ns);
	}
	return sys_kevent_wait(q->fd, min_nr, args, args ? sizeof(*args) : 0);
}

/* The same without a ring, which may be that of the parent. */
UKEVENT_APART int ukevent_fetch(struct ukevent_queue *q,
				struct kevent_wait_args *args,
				struct ukevent *buf, uint32_t max,
				uint64_t timeout_ns)
{
	struct kevent_wait_args own;

	if (!q->here->process)
		return -ECHILD;
	if (timeout_ns && timeout_ns != UKEVENT_FOREVER) {
		if (!args) {
			memset(&own, 0, sizeof(own));
			args = &own;
		}
		ukevent_set_timeout(args, timeout_ns);
	}
	return sys_kevent_get_events(q->fd, buf, timeout_ns ? 1 : 0, max, args,
				     args ? sizeof(*args) : 0);
}

/**
 * ukevent_wait - enter the kernel: publish what is held back, then sleep
 * @q: the queue
 * @min_nr: sleep until the ring holds that many records; 0 not to sleep
 * @timeout_ns: at most that long, or %UKEVENT_FOREVER
 *
 * Return: number of records in the ring, or a negative error number.
 */
UKEVENT_INLINE int ukevent_wait(struct ukevent_queue *q, uint32_t min_nr,
				uint64_t timeout_ns)
{
	return q->here->process ? ukevent_enter(q, NULL, min_nr, timeout_ns) :
				  -ECHILD;
}

/*
 * ukevent_dequeue_batch(), with @args as of ukevent_enter(): then it enters the
 * kernel, and once only.
 */
UKEVENT_IN_LINE int ukevent_dequeue_args(struct ukevent_queue *q,
					 struct kevent_wait_args *args,
					 struct ukevent *buf, uint32_t max,
					 uint64_t timeout_ns)
{
	const uint32_t least = timeout_ns ? 1 : 0;
	int n;

	if (!q->here->ring)
		return ukevent_fetch(q, args, buf, max, timeout_ns);
	if (args || ukevent_flush_due(q, 0)) {
		n = ukevent_enter(q, args, args ? least : 0, timeout_ns);
		if (n < 0)
			return n;
	}
	n = ukevent_take_mapped(q, buf, max);
	if (n || args || (!least && !ukevent_flush_due(q, 1)))
		return n;
	n = ukevent_enter(q, NULL, least, timeout_ns);
	return n <= 0 ? n : ukevent_take_mapped(q, buf, max);
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
UKEVENT_INLINE int ukevent_dequeue_batch(struct ukevent_queue *q,
					 struct ukevent *buf, uint32_t max,
					 uint64_t timeout_ns)
{
	return ukevent_dequeue_args(q, NULL, buf, max, timeout_ns);
}

/**
 * ukevent_dequeue - take one record, sleeping if there is none
 * @q: the queue, with a single consumer
 * @ev: receives the record
 * @timeout_ns: sleep at most that long, 0 for not at all, or %UKEVENT_FOREVER
 *
 * Return: 1, 0 after the timeout, or a negative error number.
 */
UKEVENT_INLINE int ukevent_dequeue(struct ukevent_queue *q, struct ukevent *ev,
				   uint64_t timeout_ns)
{
	return ukevent_dequeue_batch(q, ev, 1, timeout_ns);
}

/* ukevent_dequeue_shared(), with @args as of ukevent_dequeue_args(). */
static inline int ukevent_dequeue_shared_args(struct ukevent_queue *q,
					      struct kevent_wait_args *args,
					      struct ukevent *buf, uint32_t max,
					      uint64_t timeout_ns)
{
	const uint32_t least = timeout_ns ? 1 : 0;
	int n, entered = 0;

	if (!q->here->ring)
		return ukevent_fetch(q, args, buf, max, timeout_ns);
	for (;;) {
		n = args && !entered ? 0 :
		    ukevent_take_shared_mapped(q, buf, max);
		if (n)
			break;
		if (entered && (args || timeout_ns != UKEVENT_FOREVER))
			return 0;
		if (!args && !least && !ukevent_flush_due(q, 1))
			return 0;
		/* Before it looks for the last time; read after fence E. */
		__atomic_fetch_add(&q->sleepers, least, __ATOMIC_SEQ_CST);
		n = ukevent_enter(q, args, least, timeout_ns);
		__atomic_fetch_sub(&q->sleepers, least, __ATOMIC_RELAXED);
		if (n < 0)
			return n;
		entered = 1;
	}
	/* Who sleeps does not see the index move: what is held back is for them. */
	if (ukevent_flush_due(q, __atomic_load_n(&q->sleepers, __ATOMIC_RELAXED) != 0))
		ukevent_enter(q, NULL, 0, 0);
	return n;
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
UKEVENT_INLINE int ukevent_dequeue_shared(struct ukevent_queue *q,
					  struct ukevent *buf, uint32_t max,
					  uint64_t timeout_ns)
{
	return ukevent_dequeue_shared_args(q, NULL, buf, max, timeout_ns);
}

/**
 * ukevent_change - apply one change
 * @q: the queue
 * @change: the change; its result and id are filled in
 *
 * Return: 0 or a negative error number, the change's own or the call's.
 */
UKEVENT_INLINE int ukevent_change(struct ukevent_queue *q,
				  struct kevent_change *change)
{
	int ret = sys_kevent_ctl(q->fd, change, 1, sizeof(*change), 0);

	return ret < 0 ? ret : change->result;
}

/*
 * A change at once, for programs that make few; the functions of ukevent_prep.h of
 * the same names have the parameters, and those of ukevent_loop.h make one call of
 * many changes.
 */

UKEVENT_INLINE int ukevent_add(struct ukevent_queue *q, unsigned int type,
			       uint64_t ident, uint32_t events, uint32_t flags,
			       uint64_t cookie)
{
	struct kevent_change change;

	return ukevent_change(q, ukevent_prep(&change, KEVENT_OP_ADD, type,
					      ident, events, flags, cookie));
}

/* Remove, enable, disable. */
UKEVENT_INLINE int ukevent_op(struct ukevent_queue *q, unsigned int op,
			      unsigned int type, uint64_t ident)
{
	struct kevent_change change;

	return ukevent_change(q, ukevent_prep_op(&change, op, type, ident, 0));
}

/* The same by id; @flags: 0, or %KEVENT_ACK or %KEVENT_NO_LAST to remove. */
UKEVENT_INLINE int ukevent_op_id(struct ukevent_queue *q, unsigned int op,
				 unsigned int type, uint64_t id, uint32_t flags)
{
	struct kevent_change change;

	ukevent_prep_op(&change, op, type, 0, flags);
	return ukevent_change(q, ukevent_by_id(&change, id));
}

UKEVENT_INLINE int ukevent_add_poll(struct ukevent_queue *q, int fd,
				    uint32_t events, uint32_t flags,
				    uint64_t cookie)
{
	return ukevent_add(q, KEVENT_TYPE_POLL, fd, events, flags, cookie);
}

UKEVENT_INLINE int ukevent_op_poll(struct ukevent_queue *q, unsigned int op,
				   int fd)
{
	return ukevent_op(q, op, KEVENT_TYPE_POLL, fd);
}

UKEVENT_INLINE int ukevent_add_socket(struct ukevent_queue *q, int fd,
				      uint32_t events, uint32_t flags,
				      uint64_t cookie)
{
	return ukevent_add(q, KEVENT_TYPE_SOCKET, fd, events, flags, cookie);
}

UKEVENT_INLINE int ukevent_set_timer(struct ukevent_queue *q, unsigned int op,
				     uint64_t number, uint64_t time_ns,
				     uint64_t period_ns, int clockid,
				     uint32_t flags, uint64_t cookie)
{
	struct kevent_change change;

	return ukevent_change(q, ukevent_prep_timer(&change, op, number, time_ns,
						    period_ns, 0, clockid,
						    flags, cookie));
}

/* From a signal handler as well. */
UKEVENT_INLINE int ukevent_trigger(struct ukevent_queue *q, uint64_t number,
				   uint64_t payload)
{
	struct kevent_change change;

	return ukevent_change(q, ukevent_prep_trigger(&change, number, payload,
						      0));
}

/* @id: receives what ukevent_op_id() takes; may be NULL. */
UKEVENT_INLINE int ukevent_add_inode(struct ukevent_queue *q, int fd,
				     const char *path, uint32_t lookup,
				     uint32_t events, uint32_t flags,
				     uint64_t cookie, uint64_t *id)
{
	struct kevent_change change;
	int ret = ukevent_change(q, ukevent_prep_inode(&change, fd, path, lookup,
						       events, flags, cookie));

	if (id)
		*id = change.id;
	return ret;
}

#endif /* _UKEVENT_H */
