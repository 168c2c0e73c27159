// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - a set that another one is to watch
 *
 * A queue is refused as a source of queues, and whether it is readable says less than
 * of an epoll set: a level interest that was told counts until the next wait.  So a set
 * that is added to another one is handed over to epoll, with what it watches: an epoll
 * set takes the place of the queue at all descriptors of this process.
 *
 * Not handed over is what epoll does not let us make: an interest whose descriptor is
 * closed or another file's by now, and what a one-shot was told.
 */
#include <fcntl.h>

#include "shim.h"

static int copy_interests(struct ke_set *set, int real_epfd)
{
	struct epoll_event ev;
	struct ke_slot *s;
	uint32_t nr;

	for (nr = 1; nr < set->sh->top; nr++) {
		s = set->slot + nr;
		if (!s->used || !ke_has_fd(s))
			continue;
		ev.events = s->armed ? s->events : s->events & ~KE_POLL_BITS;
		ev.data.u64 = s->data;
		if (ke_real()->epoll_ctl(real_epfd, EPOLL_CTL_ADD, s->fd, &ev) &&
		    errno != EBADF && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/**
 * ke_wake_next - wake a thread that sleeps in a set that epoll has taken over
 * @set: the set
 *
 * It wakes the next.
 */
void ke_wake_next(struct ke_set *set)
{
	struct kevent_change change;

	if (set->moved >= 0 && __atomic_load_n(&set->sh->sleepers, __ATOMIC_RELAXED))
		ke_change(set->moved, ukevent_prep_trigger(&change, set->sh->name, 0, 0));
}

/**
 * ke_become_epoll - hand a set over to epoll
 * @set: the set
 * @epfd: its descriptor
 *
 * Return: 0, also if the descriptor is none of a set after all, or a negative error
 * number.
 */
int ke_become_epoll(struct ke_set *set, int epfd)
{
	const struct ke_real *real = ke_real();
	int real_epfd, ret = 0;

	ke_lock(set);
	if (set->moved >= 0 || !ke_is_of(set, epfd))
		goto unlock;
	real_epfd = real->epoll_create1(EPOLL_CLOEXEC);
	ret = real_epfd < 0 ? -errno : copy_interests(set, real_epfd);
	if (!ret) {
		set->moved = real->fcntl(epfd, F_DUPFD_CLOEXEC, 0);
		if (set->moved < 0)
			ret = -errno;
	}
	if (ret) {
		if (real_epfd >= 0)
			real->close(real_epfd);
		goto unlock;
	}
	ke_count(KE_N_EPOLLS, 1);
	ke_hand_over(set, real_epfd);
	ke_wake_next(set);
unlock:
	ke_unlock(set);
	return ret;
}
