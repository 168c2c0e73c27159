// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source POLL - any file that has ->poll
 *
 * The wake-up key is believed for EPOLLIN and EPOLLOUT only.  Sockets wake with
 * IN|PRI|RDNORM|RDBAND whatever came, pipe ends and many drivers with no key:
 * anything else requested is asked for in process context.
 */

#include <linux/net.h>
#include <linux/poll.h>

#include "kevent.h"
#include "trigger.h"

#define KEVENT_POLL_BELIEVED	(EPOLLIN | EPOLLOUT)
#define KEVENT_POLL_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | \
				 EPOLLHUP | EPOLLNVAL | EPOLLRDNORM | \
				 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | \
				 EPOLLMSG | EPOLLRDHUP)

/* struct kevent.events and .seen have 16 bits */
static_assert((__force u32)KEVENT_POLL_EVENTS <= U16_MAX);
static_assert((__force u32)POLLFREE <= U16_MAX);

static int kevent_poll_wake_vague(struct kevent *k, __poll_t happened)
{
	return kevent_hook_wake_vague(&kevent_to_file(k)->hook, k, happened);
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
		return happened ? 0 : kevent_poll_wake_vague(k, happened);
	if (unlikely(bits & ~(__force u32)KEVENT_POLL_BELIEVED))
		return kevent_poll_wake_vague(k, happened);
	return kevent_trigger(k, bits, NULL);
}

/* Room that the peer of a datagram socket must have: see kevent_sock.c. */
static int kevent_poll_wake_unix(wait_queue_entry_t *wait, unsigned int mode,
				 int sync, void *key)
{
	if (key_to_poll(key) & EPOLLOUT)
		return kevent_hook_wake_ask(wait, kevent_of_wait(wait), key);
	return kevent_poll_wake(wait, mode, sync, key);
}

static bool kevent_poll_is_unix(struct file *file)
{
	struct socket *sock = IS_ENABLED(CONFIG_UNIX) ? sock_from_file(file) : NULL;

	return sock && sock->type == SOCK_DGRAM &&
	       READ_ONCE(sock->ops)->family == PF_UNIX;
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
			      const struct path *path)
{
	return kevent_hook_attach(k, kevent_poll_is_unix(kevent_to_file(k)->file) ?
				     kevent_poll_wake_unix : kevent_poll_wake,
				  READ_ONCE(k->events));
}

static u32 kevent_poll_query(struct kevent *k)
{
	return kevent_hook_query(k, READ_ONCE(k->events));
}

static void kevent_poll_modified(struct kevent *k,
				 const struct kevent_change *change)
{
	kevent_hook_sync(k);
}

const struct kevent_source_ops kevent_poll_ops = {
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
	.modified	= kevent_poll_modified,
	.query		= kevent_poll_query,
};
