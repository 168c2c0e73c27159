// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - does it still hold?
 *
 * epoll looks when it is asked.  A record was written when something happened: what
 * it told may be gone, and what else holds is not in it.
 */
#include <poll.h>
#include <sys/socket.h>

#include "shim.h"

/*
 * A stream socket wakes with what is true.  Pipes, eventfds, UDP ... may wake with
 * what is not.
 */
static bool is_stream(struct ke_slot *s)
{
	int type = 0, saved = errno;
	socklen_t size = sizeof(type);

	if (s->stream < 0) {
		s->stream = !getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &size) &&
			    type == SOCK_STREAM;
		errno = saved;
	}
	return s->stream;
}

/**
 * ke_must_ask - is a record not enough to tell what epoll would?
 * @set: the set, locked
 * @s: the interest
 * @fresh: it was published while this call looked
 *
 * A level interest, all of which was false then, has told what became true.  An edge
 * record has that only, and not what held before.
 */
bool ke_must_ask(struct ke_set *set, struct ke_slot *s, bool fresh)
{
	const uint32_t both = EPOLLIN | EPOLLOUT;

	/* The number may be another file's: whom could it ask? */
	if (set->by_fd[s->fd] != s - set->slot)
		return false;
	return !fresh || (!ke_is_level(s) && (s->events & both) == both) ||
	       !is_stream(s);
}

/**
 * ke_ask - ask poll(2) what holds, with one call
 * @look: the interests
 * @nr: how many, at most %KE_CHUNK
 */
void ke_ask(struct ke_look *look, unsigned int nr)
{
	struct pollfd pfd[KE_CHUNK];
	unsigned int i;
	long ret;

	for (i = 0; i < nr; i++) {
		pfd[i].fd = look[i].fd;
		pfd[i].events = look[i].events;
		pfd[i].revents = 0;
	}
#ifdef __NR_poll
	ret = ukevent_call4(__NR_poll, (long)pfd, nr, 0, 0);
#else
	{
		struct timespec now = { 0, 0 };

		ret = ukevent_call6(__NR_ppoll, (long)pfd, nr, (long)&now, 0, 0, 0);
	}
#endif
	ke_count(KE_N_ASKS, 1);
	if (ret < 0)
		return;
	for (i = 0; i < nr; i++) {
		/* Closed, while a duplicate keeps the file. */
		if (pfd[i].fd >= 0 && !(pfd[i].revents & POLLNVAL))
			look[i].bits = (uint16_t)pfd[i].revents;
	}
}
