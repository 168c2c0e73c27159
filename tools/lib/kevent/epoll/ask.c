// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - does it still hold?
 *
 * epoll looks when it is asked.  A record was written when something happened: what
 * it told may be gone, and what else holds is not in it.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shim.h"

static bool is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[32], to[sizeof(name)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, to, sizeof(to)) == sizeof(name) - 1 &&
	       !memcmp(to, name, sizeof(name) - 1);
}

/*
 * Stream sockets wake with what is true.  Pipes and eventfds do if they are watched for
 * IN, but for a write of 0, and one that faults, which are not worth a system call for
 * each event.  Whom nobody has read is asked by the kernel.
 */
static bool find_out(const struct ke_slot *s)
{
	socklen_t size = sizeof(int);
	struct stat st;
	int type = 0;

	if (fstat(s->fd, &st))
		return false;
	if (S_ISSOCK(st.st_mode))
		return !getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &size) &&
		       type == SOCK_STREAM;
	return !(s->events & EPOLLOUT) && (S_ISFIFO(st.st_mode) || is_eventfd(s->fd));
}

/* Does it wake with what is true?  Found out once. */
static bool is_true(struct ke_slot *s)
{
	int saved = errno;

	if (s->true_wakes < 0) {
		s->true_wakes = find_out(s);
		errno = saved;
		ke_count(KE_N_CHANGES, 1);
	}
	return s->true_wakes;
}

/**
 * ke_must_ask - is a record not enough to tell what epoll would?
 * @s: the interest, its set locked
 * @fresh: it was published while this call looked
 *
 * A level interest, all of which was false then, has told what became true.  An edge
 * record has that only, and not what held before.
 *
 * Return: whether poll(2) must be asked.
 */
bool ke_must_ask(struct ke_slot *s, bool fresh)
{
	const uint32_t both = EPOLLIN | EPOLLOUT;

	/* The number may be another file's: whom could it ask? */
	if (!ke_has_fd(s))
		return false;
	return !fresh || (!ke_is_level(s) && (s->events & both) == both) ||
	       !is_true(s);
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
