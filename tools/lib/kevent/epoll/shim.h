/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * libkevent-epoll.so - epoll(7) on a kevent queue, for programs as they are
 *
 *	LD_PRELOAD=libkevent-epoll.so program
 *
 * The descriptor of a set is that of its queue.  An interest is one of type POLL:
 * level, edge for EPOLLET, dispatch for EPOLLONESHOT.  Records are hints: what a set
 * answers is, unless it is told otherwise, what epoll would.
 *
 *   calls.c   what is exported
 *   hooks.c   close, dup, fork ...: what becomes of descriptors
 *   fds.c     which descriptors of this process are sets
 *   set.c     a set, and its table of interests
 *   ctl.c     epoll_ctl()
 *   wait.c    epoll_wait(): when to enter the kernel, and what to tell
 *   ask.c     does it still hold?
 *   spin.c    how long to look at an empty ring
 *   nest.c    a set that another one is to watch
 *   env.c     the environment, and what is counted
 *   next.c    the functions of that name that would be called without this library
 *
 * Who is preloaded is called from anywhere: no function here allocates, and a lock
 * of a set is held over changes to its queue, but not over a wait or poll(2).
 */
#ifndef _KEVENT_EPOLL_SHIM_H
#define _KEVENT_EPOLL_SHIM_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#include "../ukevent.h"

/* Descriptors above are left to epoll. */
#define KE_MAX_FD	(sizeof(long) == 8 ? 1 << 20 : 1 << 16)

/* Bits of poll(2) that a queue takes; epoll keeps others and never tells them. */
#define KE_POLL_BITS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | 0x20 | \
			 EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | \
			 EPOLLMSG | EPOLLRDHUP)

/* Records taken, and descriptors asked, at a time. */
#define KE_CHUNK	128

/**
 * struct ke_slot - an interest
 * @data: epoll_event.data
 * @id: the queue's name for it
 * @file: ke_file() of the descriptor, in the process that added or changed it
 * @events: epoll_event.events
 * @gen: upper half of its cookie, the lower is the number of the slot; records of
 *	another one are of what it was before
 * @fd: the descriptor it was added by
 * @next: in the list of those to be asked again, or of free slots; 0 for none
 * @prev: likewise
 * @turn: the call that told it last
 * @out: where in that call's answer
 * @used: not free
 * @listed: to be asked again
 * @armed: not a one-shot that was told
 * @added: the queue has taken it
 * @true_wakes: it wakes with what is true; -1 not known
 */
struct ke_slot {
	uint64_t	data;
	uint64_t	id;
	uint64_t	file;
	uint32_t	events;
	uint32_t	gen;
	int32_t		fd;
	uint32_t	next;
	uint32_t	prev;
	uint32_t	turn;
	uint32_t	out;
	uint8_t		used;
	uint8_t		listed;
	uint8_t		armed;
	uint8_t		added;
	int8_t		true_wakes;
};

/**
 * struct ke_shared - what all processes that have a set share, as after fork
 * @lock: held to change anything here, and to take records
 * @name: of a user event in the queue, by which it can be told from others and who
 *	sleeps can be woken
 * @name_id: the queue's name for that
 * @sleepers: threads asleep in a wait
 * @looking: calls that have the kernel look at what was told, @level cleared
 * @level: a level interest was told, or a record of one dropped, and its source may
 *	have to be looked at again by the kernel
 * @again: first and last level interest that was told since
 * @free: first free slot below @top
 * @top: slots that were ever used
 * @max: slots there are
 * @turn: of the last call
 * @skipped: calls since the kernel has looked at what was told
 * @left: the last call left records for the next
 * @orphans: slots whose descriptor's number leads to another slot, or to none
 *
 * Followed by the slots, and the slot of each descriptor, 0 for none.
 */
struct ke_shared {
	pthread_mutex_t	lock;
	uint64_t	name;
	uint64_t	name_id;
	uint32_t	sleepers;
	uint32_t	looking;
	uint32_t	level;
	uint32_t	again[2];
	uint32_t	free;
	uint32_t	top;
	uint32_t	max;
	uint32_t	turn;
	uint32_t	left;
	uint32_t	skipped;
	uint32_t	orphans;
};

/**
 * struct ke_set - a set, in this process
 * @q: its queue; the descriptor is that of a call, as there may be duplicates
 * @sh: shared with other processes
 * @slot: the interests
 * @by_fd: their numbers, by descriptor
 * @size: of the shared mapping
 * @refs: descriptors, and calls
 * @moved: duplicate of the queue's descriptor if epoll has taken over, else -1
 * @spin_ns: how long to look at an empty ring before a sleep
 * @sleeps: that were not measured
 * @next_free: in the pool
 */
struct ke_set {
	struct ukevent_queue	q;
	struct ke_shared	*sh;
	struct ke_slot		*slot;
	uint32_t		*by_fd;
	size_t			size;
	int			refs;
	int			moved;
	uint64_t		spin_ns;
	uint32_t		sleeps;
	struct ke_set		*next_free;
};

/* What the functions here are called instead of. */
struct ke_real {
	int (*epoll_create1)(int);
	int (*epoll_ctl)(int, int, int, struct epoll_event *);
	int (*epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
	int (*epoll_pwait2)(int, struct epoll_event *, int, const struct timespec *,
			    const sigset_t *);
	int (*close)(int);
	int (*dup)(int);
	int (*dup2)(int, int);
	int (*dup3)(int, int, int);
	int (*fcntl)(int, int, ...);
	int (*close_range)(unsigned int, unsigned int, int);
	void (*closefrom)(int);
	long (*syscall)(long, ...);
};

/* next.c, or in a static program syscalls.c */
const struct ke_real *ke_real(void);

/* env.c */
enum ke_mode { KE_EXACT, KE_RING, KE_OFF };
enum ke_count {
	KE_N_WAITS,	/* calls of epoll_wait() */
	KE_N_ENTRIES,	/* kevent_wait() by them */
	KE_N_ASKS,	/* poll(2) by them */
	KE_N_TOLD,	/* events they answered with */
	KE_N_RECORDS,	/* records taken */
	KE_N_DROPPED,	/* of these, not told */
	KE_N_CTLS,	/* calls of epoll_ctl() */
	KE_N_CHANGES,	/* kevent_ctl(), and to find out what is watched */
	KE_N_SETS,	/* sets made */
	KE_N_EPOLLS,	/* sets left to epoll, or handed over to it */
	KE_N_COUNTS
};

enum ke_mode ke_mode(void);
uint64_t ke_spin_ns(void);
void ke_set_mode(enum ke_mode to);
void ke_set_spin_ns(uint64_t to);
extern uint64_t *ke_counts;

static inline void ke_count(enum ke_count what, uint64_t n)
{
	if (ke_counts)
		__atomic_fetch_add(ke_counts + what, n, __ATOMIC_RELAXED);
}

/* fds.c */
struct ke_set *ke_alloc(void);
struct ke_set *ke_get(int fd);
void ke_put(struct ke_set *set);
void ke_install(int fd, struct ke_set *set);
void ke_forget(int fd);
void ke_forget_range(unsigned int first, unsigned int last);
void ke_copied(int from, int to);
uint64_t ke_file(int fd);
bool ke_has_fd(const struct ke_slot *s);
bool ke_is_of(struct ke_set *set, int fd);
void ke_hand_over(struct ke_set *set, int epfd);

/* set.c */
int ke_create(int flags);
void ke_destroy(struct ke_set *set);
void ke_lock(struct ke_set *set);
void ke_unlock(struct ke_set *set);
uint32_t ke_slot_new(struct ke_set *set);
void ke_slot_free(struct ke_set *set, uint32_t nr);
struct ke_slot *ke_slot_of(struct ke_set *set, const struct ukevent *ev);
void ke_again(struct ke_set *set, struct ke_slot *s);
void ke_not_again(struct ke_set *set, struct ke_slot *s);

static inline uint32_t ke_nr(const struct ke_set *set, const struct ke_slot *s)
{
	return s - set->slot;
}

static inline uint64_t ke_cookie(const struct ke_set *set, const struct ke_slot *s)
{
	return (uint64_t)s->gen << 32 | ke_nr(set, s);
}

static inline bool ke_is_level(const struct ke_slot *s)
{
	return !(s->events & (EPOLLET | EPOLLONESHOT));
}

/* ctl.c */
int ke_ctl(struct ke_set *set, int epfd, int op, int fd, struct epoll_event *ev);
int ke_change(int epfd, struct kevent_change *change);

/**
 * struct ke_time - how long a call waits
 * @sleeps: at all
 * @ends: at @at, in ns of CLOCK_MONOTONIC
 * @at: see there
 */
struct ke_time {
	bool		sleeps;
	bool		ends;
	uint64_t	at;
};

#define NSEC_PER_SEC	1000000000ULL

static inline uint64_t ke_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

#define KE_MOVED	(-4095)	/* epoll has taken over, or it is none of ours */

/* wait.c */
int ke_wait(struct ke_set *set, int epfd, struct epoll_event *events, int max,
	    const struct ke_time *time, const sigset_t *mask);

/* spin.c */
bool ke_spin_begins(struct ke_set *set);
void ke_spin_ended(struct ke_set *set, uint64_t ns);
bool ke_spin(const struct ke_set *set, uint64_t until);

/**
 * struct ke_look - an interest of which something may hold
 * @slot: its number
 * @gen: of the slot, then
 * @bits: what a record told; ke_ask() puts what holds
 * @events: what it waits for
 * @fd: whom to ask, -1 to believe the record
 */
struct ke_look {
	uint32_t	slot;
	uint32_t	gen;
	uint32_t	bits;
	uint32_t	events;
	int		fd;
};

/* ask.c */
bool ke_must_ask(struct ke_slot *s, bool fresh);
void ke_ask(struct ke_look *look, unsigned int nr);

/* nest.c */
int ke_become_epoll(struct ke_set *set, int epfd);
void ke_wake_next(struct ke_set *set);

#endif /* _KEVENT_EPOLL_SHIM_H */
