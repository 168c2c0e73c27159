// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source POLL - any file that has ->poll
 *
 * The key of a wake-up is believed only from wakers that somebody has read: the
 * table is in Documentation/kevent/internals.rst.  Many drivers announce one thing under the
 * key of another, or all of it under one: those are asked, in process context,
 * whatever the key says.  That is decided once, when the interest is hooked.
 *
 * And it is believed for EPOLLIN and EPOLLOUT only.  Sockets wake with
 * IN|PRI|RDNORM|RDBAND whatever came, pipe ends with no key: anything else
 * requested is asked for as well.
 */

#include <linux/kevent.h>
#include <linux/pipe_fs_i.h>
#include <linux/poll.h>

#include "kevent.h"
#include "sock.h"
#include "trigger.h"

#define KEVENT_POLL_BELIEVED	(EPOLLIN | EPOLLOUT)
#define KEVENT_POLL_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | \
				 EPOLLHUP | EPOLLNVAL | EPOLLRDNORM | \
				 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | \
				 EPOLLMSG | EPOLLRDHUP)

/* struct kevent.events and .seen have 16 bits */
static_assert((__force u32)KEVENT_POLL_EVENTS <= U16_MAX);
static_assert((__force u32)POLLFREE <= U16_MAX);

static int kevent_poll_wake_vague(struct kevent *k, int sync, __poll_t happened)
{
	return kevent_hook_wake_vague(&kevent_to_file(k)->hook, k, sync, happened);
}

static int kevent_poll_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct kevent *k = kevent_of_wait(wait);
	__poll_t happened = key_to_poll(key);
	/*
	 * kevent_hook_sync() makes sure that a change is seen in time.  A wake-up
	 * by a queue's own wake-up, through an epoll set, must not publish: it
	 * could go round for ever.
	 */
	u32 bits = (__force u32)happened &
		   (READ_ONCE(k->events) | (__force u32)EPOLL_URING_WAKE);

	trace_kevent_wake(k, (__force u32)happened);
	if (!bits)
		return happened ? 0 : kevent_poll_wake_vague(k, sync, happened);
	if (unlikely(bits & ~(__force u32)KEVENT_POLL_BELIEVED))
		return kevent_poll_wake_vague(k, sync, happened);
	return kevent_trigger(k, bits, NULL, sync);
}

static int kevent_poll_wake_tcp(wait_queue_entry_t *wait, unsigned int mode,
				int sync, void *key)
{
	if (kevent_sock_urgent(kevent_sk(kevent_of_wait(wait))))
		return kevent_hook_wake_ask(wait, mode, sync, key);
	return kevent_poll_wake(wait, mode, sync, key);
}

/* Of a datagram socket whose peer may have no room. */
static int kevent_poll_wake_unix(wait_queue_entry_t *wait, unsigned int mode,
				 int sync, void *key)
{
	u32 asked = READ_ONCE(kevent_of_wait(wait)->events);

	if (key_to_poll(key) & EPOLLOUT && asked & (__force u32)EPOLLOUT)
		return kevent_hook_wake_ask(wait, mode, sync, key);
	return kevent_poll_wake(wait, mode, sync, key);
}

static wait_queue_func_t kevent_poll_wake_sock(struct kevent *k,
					       const struct sock *sk)
{
	bool known = kevent_sock_is_known(sk);

	/* A checksum is looked at by ->poll. */
	kevent_hook_trust(k, known, sk_is_udp(sk));
	if (kevent_sock_is_tcp(sk))
		return kevent_poll_wake_tcp;
	if (kevent_sock_peer_decides(sk))
		return kevent_poll_wake_unix;
	return known ? kevent_poll_wake : kevent_hook_wake_ask;
}

/* What wakes @k, by the type of its file; NULL if it must not be watched so. */
static wait_queue_func_t kevent_poll_wake_of(struct kevent *k, struct file *file)
{
	struct socket *sock;

	if (IS_ENABLED(CONFIG_EVENTFD) && kevent_is_eventfd(file))
		return kevent_poll_wake;
	sock = IS_ENABLED(CONFIG_NET) ? sock_from_file(file) : NULL;
	if (sock)
		return kevent_poll_wake_sock(k, sock->sk);
	if (IS_ENABLED(CONFIG_TIMERFD) && kevent_is_timerfd(file))
		return kevent_poll_wake;
	/* Part of a page was read. */
	if (get_pipe_info(file, false)) {
		kevent_hook_trust(k, true, true);
		return kevent_poll_wake;
	}
	/* What was ready is not any more. */
	if (IS_ENABLED(CONFIG_EPOLL) && kevent_is_eventpoll(file)) {
		kevent_hook_trust(k, true, true);
		/* As EPOLLEXCLUSIVE: see kevent_hook_pass_on(). */
		return k->flags & KEVENT_EXCLUSIVE ? NULL : kevent_poll_wake;
	}
	kevent_hook_trust(k, false, false);
	return kevent_hook_wake_ask;
}

static int kevent_poll_check_file(const struct kevent_change *change,
				  struct file *file)
{
	/* A queue may be watched through an epoll set, but not directly. */
	if (file->f_op == &kevent_fops)
		return -ELOOP;
	return file->f_op->poll ? 0 : -EPERM;
}

static s64 kevent_poll_attach(struct kevent *k,
			      const struct kevent_change *change,
			      union kevent_found *found)
{
	wait_queue_func_t func = kevent_poll_wake_of(k, kevent_to_file(k)->file);

	return func ? kevent_hook_attach(k, func, READ_ONCE(k->events)) : -EINVAL;
}

static u32 kevent_poll_query(struct kevent *k)
{
	return kevent_hook_query(k, READ_ONCE(k->events));
}

const struct kevent_source_ops kevent_poll_ops = {
	.type		= KEVENT_TYPE_POLL,
	.name		= "poll",
	.size		= sizeof(struct kevent_file),
	.rereadable	= true,
	.valid_events	= (__force u16)KEVENT_POLL_EVENTS,
	/* The last one is for the wake function, ->poll does not return it. */
	.always_events	= (__force u16)(EPOLLERR | EPOLLHUP | POLLFREE),
	.add_flags	= KEVENT_EXCLUSIVE,
	.check_file	= kevent_poll_check_file,
	.attach		= kevent_poll_attach,
	.detach		= kevent_hook_detach,
	.free		= kevent_hook_free,
	.modified	= kevent_hook_sync,
	.query		= kevent_poll_query,
};
