// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - epoll_ctl()
 */
#include "shim.h"

/* With EPOLLEXCLUSIVE there may be these, and no others. */
#define KE_EXCLUSIVE_BITS (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | \
			   EPOLLET | EPOLLEXCLUSIVE)

/**
 * ke_change - apply a change to a queue
 * @epfd: its descriptor
 * @change: the change
 *
 * Return: 0 or a negative error number.
 */
int ke_change(int epfd, struct kevent_change *change)
{
	int ret = sys_kevent_ctl(epfd, change, 1, sizeof(*change), 0);

	ke_count(KE_N_CHANGES, 1);
	return ret < 0 ? ret : change->result;
}

/*
 * What would epoll say to that, of an empty set?  Its errors come in an order of
 * their own, and some are for what a queue does not look at.
 */
static int epoll_says(int op, int fd, struct epoll_event *ev)
{
	const struct ke_real *real = ke_real();
	int epfd = real->epoll_create1(EPOLL_CLOEXEC), ret;

	if (epfd < 0)
		return -errno;
	ret = real->epoll_ctl(epfd, op, fd, ev) ? -errno : 0;
	real->close(epfd);
	return ret;
}

static uint32_t mode_of(uint32_t events)
{
	uint32_t flags = KEVENT_WANT_LAST;

	if (events & EPOLLONESHOT)
		flags |= KEVENT_DISPATCH;
	else if (events & EPOLLET)
		flags |= KEVENT_EDGE;
	return flags;
}

/*
 * With a last record the slot is known to be free, however its file was closed.
 * The number may be added again before, by another file: then the old slot goes on
 * without it, as an interest of epoll would.
 */
static int add(struct ke_set *set, int epfd, int fd, const struct epoll_event *ev)
{
	uint32_t nr = ke_slot_new(set), flags = mode_of(ev->events);
	struct ke_slot *s = set->slot + nr;
	struct kevent_change change;
	int ret;

	if (!nr)
		return -ENOSPC;
	s->fd = fd;
	s->file = ke_file(fd);
	s->events = ev->events;
	s->data = ev->data.u64;
	if (ev->events & EPOLLEXCLUSIVE)
		flags |= KEVENT_EXCLUSIVE;
	ukevent_prep_poll(&change, KEVENT_OP_ADD, fd, ev->events & KE_POLL_BITS, flags,
			  ke_cookie(set, s));
	ret = ke_change(epfd, &change);
	if (ret) {
		ke_slot_free(set, nr);
		return ret;
	}
	s->id = change.id;
	s->added = 1;
	set->sh->orphans += set->by_fd[fd] != 0;
	set->by_fd[fd] = nr;
	return 0;
}

static bool lives(int epfd, const struct ke_slot *s, struct kevent_change *change)
{
	ukevent_prep_op(change, KEVENT_OP_QUERY, 0, 0, 0);
	return !ke_change(epfd, ukevent_by_id(change, s->id));
}

/* The next one that may be an interest in what the descriptor is here. */
static uint32_t next_of(struct ke_set *set, int epfd, int fd, uint32_t nr)
{
	struct kevent_change change;

	while (++nr < set->sh->top) {
		const struct ke_slot *s = set->slot + nr;

		if (s->used && s->added && s->fd == fd && lives(epfd, s, &change))
			return nr;
	}
	return 0;
}

/* The cookie of no slot. */
#define KE_MARK		(1ULL << 32)

/*
 * The slot of a descriptor.  After a duplicate was closed, or in another process, the
 * number may be that of several files of which the set has interests.  The queue
 * knows which one it is here: it marks that, to be looked for by ids.  Its
 * interest is left disabled then, in which case @marked is set.
 */
static int find(struct ke_set *set, int epfd, int fd, bool *marked)
{
	struct kevent_change change;
	uint32_t nr;
	int ret;

	*marked = false;
	if (!set->sh->orphans)
		return (int)set->by_fd[fd] ?: -ENOENT;
	nr = next_of(set, epfd, fd, 0);
	if (!nr)
		return -ENOENT;
	if (!next_of(set, epfd, fd, nr))
		return nr;
	ukevent_prep_poll(&change, KEVENT_OP_MODIFY, fd, 0,
			  KEVENT_WANT_LAST | KEVENT_START_DISABLED, KE_MARK);
	ret = ke_change(epfd, &change);
	if (ret)
		return ret;
	*marked = true;
	for (; nr; nr = next_of(set, epfd, fd, nr)) {
		if (lives(epfd, set->slot + nr, &change) && change.cookie == KE_MARK)
			return nr;
	}
	return -ENOENT;
}

/* The slot has what the descriptor leads to, in this process. */
static void lead_to(struct ke_set *set, struct ke_slot *s)
{
	uint32_t *at = set->by_fd + s->fd;

	s->file = ke_file(s->fd);
	if (*at != ke_nr(set, s)) {
		set->sh->orphans -= !*at;
		*at = ke_nr(set, s);
	}
}

/* A new generation: what lies in the ring is of what it was before. */
static int modify(struct ke_set *set, int epfd, int fd, const struct epoll_event *ev)
{
	uint32_t events = ev->events, flags;
	struct kevent_change change;
	struct ke_slot *s;
	bool marked, refused;
	int nr = find(set, epfd, fd, &marked), ret;

	if (nr < 0)
		return nr;
	s = set->slot + nr;
	refused = s->events & EPOLLEXCLUSIVE;
	if (refused) {
		if (!marked)
			return -EINVAL;
		events = s->events;	/* as it was */
	}
	s->gen++;
	flags = mode_of(events);
	ukevent_prep_poll(&change, KEVENT_OP_MODIFY, fd, events & KE_POLL_BITS, flags,
			  ke_cookie(set, s));
	ret = ke_change(epfd, &change);
	if (ret) {
		s->gen--;
		return ret;
	}
	ke_not_again(set, s);
	if (refused)
		return -EINVAL;
	lead_to(set, s);
	s->events = ev->events;
	s->data = ev->data.u64;
	s->armed = 1;
	s->true_wakes = -1;
	return 0;
}

static int delete(struct ke_set *set, int epfd, int fd)
{
	struct kevent_change change;
	bool marked;
	int nr = find(set, epfd, fd, &marked), ret;

	ukevent_prep_op(&change, KEVENT_OP_REMOVE, KEVENT_TYPE_POLL, fd, KEVENT_NO_LAST);
	ret = ke_change(epfd, &change);
	if (!ret && nr > 0)
		ke_slot_free(set, nr);
	return ret;
}

static int apply(struct ke_set *set, int epfd, int op, int fd, const struct epoll_event *ev)
{
	switch (op) {
	case EPOLL_CTL_ADD:
		return add(set, epfd, fd, ev);
	case EPOLL_CTL_MOD:
		return modify(set, epfd, fd, ev);
	default:
		return delete(set, epfd, fd);
	}
}

/* Another set is to be watched: as a queue it could not be. */
static int nest(int op, int fd)
{
	struct ke_set *inner = op == EPOLL_CTL_ADD ? ke_get(fd) : NULL;
	int ret = 0;

	if (inner) {
		ret = ke_become_epoll(inner, fd);
		ke_put(inner);
	}
	return ret;
}

/**
 * ke_ctl - epoll_ctl() of a set
 * @set: the set
 * @epfd: its descriptor
 * @op: EPOLL_CTL_ADD and so on
 * @fd: what is watched
 * @ev: for what
 *
 * Return: 0, %KE_MOVED, or a negative error number.
 */
int ke_ctl(struct ke_set *set, int epfd, int op, int fd, struct epoll_event *ev)
{
	uint32_t events;
	int ret;

	if (op != EPOLL_CTL_DEL && !ev)
		return -EFAULT;
	events = op == EPOLL_CTL_DEL ? 0 : ev->events;
	if (op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD || fd < 0 || fd == epfd ||
	    (events & EPOLLEXCLUSIVE &&
	     (op != EPOLL_CTL_ADD || events & ~KE_EXCLUSIVE_BITS)))
		return fd == epfd ? -EINVAL : epoll_says(op, fd, ev) ?: -EINVAL;
	if (fd >= (int)KE_MAX_FD || (uint32_t)fd >= set->sh->max)
		return epoll_says(op, fd, ev) ?: -ENOSPC;
	ret = nest(op, fd);
	if (ret)
		return ret;

	ke_lock(set);
	ret = set->moved >= 0 ? KE_MOVED : apply(set, epfd, op, fd, ev);
	ke_unlock(set);
	if ((ret == -EINVAL || ret == -EBADF) && !ke_is_of(set, epfd))
		return KE_MOVED;
	return ret == -ENOENT ? epoll_says(op, fd, ev) ?: -ENOENT : ret;
}
