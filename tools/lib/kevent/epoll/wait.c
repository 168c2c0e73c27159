// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - epoll_wait()
 *
 * A call enters the kernel once.  Records that the ring holds are from before the call.
 * If they are of level interests they are thrown away: kevent_wait() looks again at
 * those whose record is consumed, and sleeps; what it published is true, but for what
 * ke_must_ask() knows.  Else poll(2) tells which of them, and of the level interests
 * told last time, still hold.
 *
 * In ring mode the records are told as they are, and looked for before a sleep (spin.c).
 */
#include <sched.h>

#include "shim.h"

/*
 * Rounds in which nothing held of what the kernel has told.  Others may have been faster
 * to read, so many times; or the descriptor is another file's by now, and poll(2) says
 * nothing of this one.  Then the kernel looks once more, and is believed.
 */
#define KE_ROUNDS	8

/* Rounds in which others looked; each is a call of theirs. */
#define KE_PATIENCE	1000

/*
 * Calls in ring mode that may go by without a look at what level interests were told:
 * a program accepts one connection of many at a time.
 */
#define KE_SKIPS	8

/* Level interests that a wait looks at, if one of them holds. */
#define KE_LOOKS	64

/**
 * struct ke_call - a call of epoll_wait()
 * @set: the set, locked but where the kernel is entered
 * @epfd: its descriptor
 * @events: the answer
 * @max: room for it
 * @n: events told
 * @turn: of the call
 * @exact: tell what holds
 * @believe: tell what the kernel says holds
 * @dry: rounds that had nothing to tell
 * @records: taken from the ring
 * @levels: level interests that the kernel may have to look at
 * @thrown: records were thrown away, for the kernel to look again
 * @entered: the kernel has looked, in this round
 * @told_level: some were of level interests, which others may want to be told, too
 */
struct ke_call {
	struct ke_set		*set;
	int			epfd;
	struct epoll_event	*events;
	int			max;
	int			n;
	uint32_t		turn;
	bool			exact;
	bool			believe;
	unsigned int		dry;
	unsigned int		records;
	unsigned int		levels;
	bool			thrown;
	bool			entered;
	bool			told_level;
};

static bool ring_is_empty(const struct ukevent_queue *q)
{
	return __atomic_load_n(q->producer, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(q->consumer, __ATOMIC_RELAXED);
}

static bool is_pending(const struct ukevent_queue *q)
{
	return __atomic_load_n(q->flags, __ATOMIC_RELAXED) & KEVENT_RING_PENDING;
}

/* Put an event into the answer, where there is none of that interest yet. */
static void tell(struct ke_call *c, struct ke_slot *s, uint32_t bits)
{
	if (s->turn == c->turn) {
		c->events[s->out].events |= bits;
		return;
	}
	s->turn = c->turn;
	s->out = c->n;
	c->events[c->n].events = bits;
	c->events[c->n].data.u64 = s->data;
	c->n++;
	if (s->events & EPOLLONESHOT) {
		s->armed = 0;
	} else if (ke_is_level(s)) {
		ke_again(c->set, s);
		c->told_level = true;
	}
}

/* What a record told does not hold.  Whatever comes then is to be told. */
static void drop(struct ke_call *c, struct ke_slot *s)
{
	struct kevent_change change;

	ke_count(KE_N_DROPPED, 1);
	if (ke_is_level(s)) {
		c->set->sh->level = 1;
	} else if (s->events & EPOLLONESHOT && s->armed) {
		ukevent_prep_op(&change, KEVENT_OP_ENABLE, KEVENT_TYPE_POLL, 0, 0);
		ke_change(c->epfd, ukevent_by_id(&change, s->id));
	}
}

static void look_at(struct ke_set *set, struct ke_slot *s, uint32_t bits, bool ask,
		    struct ke_look *look)
{
	look->slot = ke_nr(set, s);
	look->gen = s->gen;
	look->bits = bits;
	look->events = s->events & KE_POLL_BITS;
	look->fd = ask ? s->fd : -1;
}

/* The interest of a record, unless that is told to nobody. */
static struct ke_slot *slot_to_tell(struct ke_set *set, const struct ukevent *ev)
{
	struct ke_slot *s = ke_slot_of(set, ev);

	if (s && ev->flags & KEVENT_REC_LAST) {
		ke_slot_free(set, (uint32_t)ev->cookie);
		return NULL;
	}
	/* It may be a level one, consumed now. */
	if (!s)
		set->sh->level = 1;
	return s && s->armed ? s : NULL;
}

static unsigned int room_of(const struct ke_call *c)
{
	return c->max - c->n < KE_CHUNK ? c->max - c->n : KE_CHUNK;
}

/*
 * May the ring be emptied for the kernel to fill it again?  It would in the order of
 * its own list: not if some did not fit into the last answer, whose turn it is.
 */
static bool may_recheck(const struct ke_call *c)
{
	const struct ukevent_queue *q = &c->set->q;
	unsigned int room = room_of(c);

	return !c->n && !c->entered && !c->set->sh->left &&
	       __atomic_load_n(q->producer, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(q->consumer, __ATOMIC_RELAXED) <= room;
}

/*
 * Take records, and tell what they do; one chunk.  Return false if the ring has no
 * more of them.
 */
static bool collect_some(struct ke_call *c, bool fresh)
{
	struct ke_set *set = c->set;
	struct ukevent rec[KE_CHUNK];
	struct ke_look look[KE_CHUNK];
	unsigned int room = room_of(c);
	unsigned int i, nr, looks = 0, asked = 0, other = 0;
	bool recheck = c->exact && !fresh && may_recheck(c), level = false;
	struct ke_slot *s;

	nr = ukevent_take_shared_mapped(&set->q, rec, room);
	ke_count(KE_N_RECORDS, nr);
	c->records += nr;
	for (i = 0; i < nr; i++) {
		s = slot_to_tell(set, rec + i);
		if (!s) {
			ke_count(KE_N_DROPPED, 1);
			continue;
		}
		look_at(set, s, rec[i].events,
			c->exact && !c->believe && ke_must_ask(s, fresh), look + looks);
		asked += look[looks++].fd >= 0;
		other += !ke_is_level(s);
		level |= asked && ke_is_level(s);
	}
	if (recheck && !other) {
		set->sh->level = 1;
		c->levels += looks;
		c->thrown = true;
		return false;
	}
	/* One call for all: those that were told last time, too. */
	while (asked && !fresh && looks < room && set->sh->again[0]) {
		s = set->slot + set->sh->again[0];
		ke_not_again(set, s);
		if (ke_has_fd(s))
			look_at(set, s, 0, true, look + looks++);
	}
	if (asked) {
		/* Who looks meanwhile is not to think that there is none. */
		set->sh->level |= level;
		ke_unlock(set);
		ke_ask(look, looks);
		ke_lock(set);
	}
	for (i = 0; i < looks; i++) {
		s = set->slot + look[i].slot;
		if (s->gen != look[i].gen)
			continue;
		look[i].bits &= s->events | EPOLLERR | EPOLLHUP;
		if (look[i].bits)
			tell(c, s, look[i].bits);
		else
			drop(c, s);
	}
	return nr == room && c->n < c->max;
}

static void collect(struct ke_call *c, bool fresh)
{
	while (collect_some(c, fresh))
		;
}

struct ke_sleeper {
	struct ke_set	*set;
	bool		sleeps;
};

static void wake_up(void *arg)
{
	struct ke_sleeper *sleeper = arg;

	if (sleeper->sleeps)
		__atomic_fetch_sub(&sleeper->set->sh->sleepers, 1, __ATOMIC_RELAXED);
}

static void cancelled(void *arg)
{
	struct ke_sleeper *sleeper = arg;

	wake_up(sleeper);
	sleeper->set->sh->level = 1;
	__atomic_fetch_sub(&sleeper->set->sh->looking, 1, __ATOMIC_RELAXED);
	ke_put(sleeper->set);
}

static uint32_t room_in_ring(const struct ke_call *c)
{
	const uint32_t room = c->max - c->n;

	return room < c->set->q.entries ? room : c->set->q.entries;
}

/* Enter the kernel, not locked.  A thread can be cancelled here. */
static int enter(struct ke_call *c, const struct ke_time *time, const sigset_t *mask)
{
	struct ke_sleeper sleeper = { c->set, time->sleeps };
	struct kevent_wait_args args;
	int type, ret;

	memset(&args, 0, sizeof(args));
	if (time->sleeps && time->ends) {
		args.flags = KEVENT_WAIT_TIMEOUT | KEVENT_WAIT_ABSTIME;
		args.clockid = CLOCK_MONOTONIC;
		args.timeout_ns = time->at;
	}
	if (mask) {
		args.sigmask = (uintptr_t)mask;
		args.sigmask_size = _NSIG / 8;
	}
	ke_count(KE_N_ENTRIES, 1);
	if (!time->sleeps) {
		/* It looks at as many level interests as are asked for. */
		args.flags = KEVENT_WAIT_TIMEOUT;
		args.clockid = CLOCK_MONOTONIC;
		return sys_kevent_wait(c->epfd, room_in_ring(c), &args, sizeof(args));
	}
	/* Before it looks for the last time; read after fence E. */
	__atomic_fetch_add(&c->set->sh->sleepers, 1, __ATOMIC_SEQ_CST);
	pthread_cleanup_push(cancelled, &sleeper);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = sys_kevent_wait(c->epfd, 1, &args, sizeof(args));
	pthread_setcanceltype(type, NULL);
	pthread_cleanup_pop(0);
	wake_up(&sleeper);
	return ret;
}

/* In a child the queue is to be mapped first. */
static int map(struct ke_call *c)
{
	struct ukevent_queue *q = &c->set->q;

	if (q->here && q->here->ring)
		return 0;
	q->fd = c->epfd;
	return ukevent_queue_remap(q);
}

/* Those told before the kernel looks again need not be asked by us. */
static void forget_again(struct ke_call *c)
{
	struct ke_set *set = c->set;
	struct ke_shared *sh = set->sh;
	uint32_t nr;

	for (nr = sh->again[0]; nr; nr = set->slot[nr].next) {
		set->slot[nr].listed = 0;
		c->levels++;
	}
	sh->again[0] = 0;
	sh->again[1] = 0;
	sh->level = 0;
	__atomic_fetch_add(&sh->looking, 1, __ATOMIC_RELAXED);
	sh->skipped = 0;
	__atomic_store_n(&set->q.taken, 0, __ATOMIC_RELAXED);
}

/* Look at an empty ring for a while; true if there is something. */
static bool spin(struct ke_call *c, const struct ke_time *time, uint64_t since)
{
	uint64_t until = since + c->set->spin_ns;
	bool found;

	if (time->ends && time->at < until)
		until = time->at;
	ke_unlock(c->set);
	found = ke_spin(c->set, until);
	ke_lock(c->set);
	return found && !ring_is_empty(&c->set->q);
}

/* Something is told, but there may be more that held before. */
static void collect_rest(struct ke_call *c)
{
	static const struct ke_time now;
	int n = -1;

	if (!c->exact)
		return;
	c->entered = true;
	while (n < c->n && c->n < c->max && (n < 0 || is_pending(&c->set->q))) {
		n = c->n;
		ke_unlock(c->set);
		enter(c, &now, NULL);
		ke_lock(c->set);
		collect(c, true);
	}
}

/* Have the kernel look at what was told. */
static int look(struct ke_call *c, const struct ke_time *time, const sigset_t *mask)
{
	int ret;

	forget_again(c);
	ke_unlock(c->set);
	ret = enter(c, time, mask);
	ke_lock(c->set);
	__atomic_fetch_sub(&c->set->sh->looking, 1, __ATOMIC_RELAXED);
	return ret;
}

/* No more than that; true if something is told. */
static bool look_again(struct ke_call *c)
{
	static const struct ke_time now;

	look(c, &now, NULL);
	c->entered = true;
	collect(c, true);
	return c->n;
}

/* The kernel was entered, and there is nothing to tell: 0 to say so, or look again. */
static int dry_round(struct ke_call *c, const struct ke_time *time, int unread)
{
	const struct ke_set *set = c->set;
	const struct ke_shared *sh = set->sh;
	bool believed = c->believe;
	uint32_t looking;

	c->believe = false;
	c->dry++;
	if (set->moved >= 0 || (believed && time->sleeps))
		return -EAGAIN;
	if (time->sleeps)
		return time->ends && (!unread || ke_now_ns() >= time->at) ? 0 : -EAGAIN;
	/* It looks at so many level interests at a time; others may have been told of one. */
	if (is_pending(&set->q) || sh->level || sh->again[0] || !ring_is_empty(&set->q))
		return c->dry < KE_ROUNDS + sh->top / KE_LOOKS ? -EAGAIN : 0;
	/* Others look just now, at what was not there for us to look at. */
	looking = __atomic_load_n(&sh->looking, __ATOMIC_RELAXED);
	if (looking > __atomic_load_n(&sh->sleepers, __ATOMIC_RELAXED)) {
		ke_unlock(c->set);
		sched_yield();
		ke_lock(c->set);
		return c->dry < KE_PATIENCE ? -EAGAIN : 0;
	}
	/* Of those who sleep one may be about to. */
	return looking && c->dry < 2 ? -EAGAIN : 0;
}

/*
 * One round.  Return 1 if there is something to tell, 0 if the time is over, -EAGAIN if
 * it has to look again, or another negative error number.
 */
static int look_once(struct ke_call *c, const struct ke_time *time, const sigset_t *mask)
{
	static const struct ke_time now;
	struct ke_set *set = c->set;
	const struct ukevent_queue *q = &set->q;
	bool empty, held, measured;
	int tries = KE_ROUNDS, ret;
	uint64_t since = 0;

	if (set->moved >= 0)
		return KE_MOVED;
	ret = map(c);
	if (ret)
		return ret;
	empty = ring_is_empty(q);
	/* Only the kernel can say what holds, and whom nobody can ask. */
	if (c->exact)
		held = ukevent_flush_due(q, 0) || is_pending(q) || set->sh->orphans;
	else
		held = ukevent_flush_due(q, 0) || set->sh->skipped >= KE_SKIPS;
	c->entered = false;
	if (!empty && (!held || (c->exact && may_recheck(c)))) {
		/* What comes meanwhile is older than the kernel's look, too. */
		do {
			c->thrown = false;
			collect(c, false);
		} while (c->thrown && !ring_is_empty(q) && may_recheck(c) && --tries);
		if (c->n) {
			set->sh->skipped += set->sh->level;
			if (held)
				collect_rest(c);
			return 1;
		}
		empty = ring_is_empty(q);
	}
	if (!time->sleeps && !(held || is_pending(q) || set->sh->level ||
			       __atomic_load_n(&set->sh->looking, __ATOMIC_RELAXED)))
		return 0;
	measured = !c->exact && empty && time->sleeps && ke_spin_begins(set);
	if (measured) {
		since = ke_now_ns();
		if (spin(c, time, since))
			return -EAGAIN;
		/* What holds on was there all the time, and was not seen. */
		if (set->spin_ns && set->sh->level && look_again(c)) {
			ke_spin_ended(set, ~0ULL);
			return 1;
		}
	}
	c->believe = c->dry % KE_ROUNDS == KE_ROUNDS - 1;
	ret = look(c, c->believe ? &now : time, mask);
	if (ret < 0) {
		/* It may have left before it looked at those. */
		set->sh->level = 1;
		if ((ret == -EINVAL || ret == -EBADF) &&
		    (set->moved >= 0 || !ke_is_of(set, c->epfd)))
			return KE_MOVED;
		return ret;
	}
	if (measured)
		ke_spin_ended(set, ret ? ke_now_ns() - since : ~0ULL);
	c->entered = true;
	collect(c, empty);
	if (c->n) {
		/* It looks at some of the levels, and the ring may have been full. */
		if (is_pending(q) && (c->levels > KE_LOOKS || c->records >= q->entries))
			collect_rest(c);
		return 1;
	}
	return dry_round(c, time, ret);
}

/**
 * ke_wait - epoll_wait() of a set
 * @set: the set
 * @epfd: its descriptor
 * @events: the answer
 * @max: room for it
 * @time: until when to wait
 * @mask: signal mask while it waits, or NULL
 *
 * Return: number of events, %KE_MOVED, or a negative error number.
 */
int ke_wait(struct ke_set *set, int epfd, struct epoll_event *events, int max,
	    const struct ke_time *time, const sigset_t *mask)
{
	struct ke_call c = {
		.set = set, .epfd = epfd, .events = events, .max = max,
		.exact = ke_mode() == KE_EXACT,
	};
	bool others;
	int ret;

	ke_lock(set);
	c.turn = ++set->sh->turn ?: ++set->sh->turn;
	do
		ret = look_once(&c, time, mask);
	while (ret == -EAGAIN);
	/* Who sleeps does not see the index move, and may want to be told, too. */
	others = __atomic_load_n(&set->sh->sleepers, __ATOMIC_RELAXED) && ret >= 0 &&
		 (c.told_level || is_pending(&set->q));
	set->sh->left = c.n == max && !ring_is_empty(&set->q);
	ke_unlock(set);
	if (ret == KE_MOVED)
		ke_wake_next(set);
	if (others) {
		ke_count(KE_N_ENTRIES, 1);
		sys_kevent_wait(epfd, 0, NULL, 0);
	}
	ke_count(KE_N_TOLD, c.n);
	return ret < 0 ? ret : c.n;
}
