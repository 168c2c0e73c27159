// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source POLL - any file that has ->poll
 *
 * An interest hangs in each wait queue that ->poll names; the first by the hook
 * inside struct kevent, further ones (ttys, read-write FIFOs) by a chain of
 * struct kevent_extra_hook that starts in the private pointer of the first.
 *
 * The wake-up key is believed for EPOLLIN and EPOLLOUT only.  Sockets wake with
 * IN|PRI|RDNORM|RDBAND whatever came, pipe ends and many drivers with no key:
 * anything else requested is asked for in process context.  ->poll is never
 * called from a wake-up.
 */

#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "kevent.h"
#include "trigger.h"

#define KEVENT_POLL_BELIEVED	(EPOLLIN | EPOLLOUT)
#define KEVENT_POLL_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | \
				 EPOLLHUP | EPOLLRDNORM | EPOLLRDBAND | \
				 EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | \
				 EPOLLRDHUP)

/* struct kevent.seen has 16 bits */
static_assert((__force u32)KEVENT_POLL_EVENTS <= U16_MAX);

/**
 * struct kevent_extra_hook - hook in a further wait queue
 * @hook: the hook; its private pointer is the next of the chain
 * @k: the interest
 */
struct kevent_extra_hook {
	struct kevent_hook	hook;
	struct kevent		*k;
};

struct kevent_poll_table {
	poll_table	pt;
	struct kevent	*k;
	int		error;
};

/*
 * The wake-up tells less than what was asked for, or that the queue head is
 * going away before the file (signalfd, binder).  Then, after the store nothing
 * protects the hook: kevent_unhook() no longer finds a head whose lock it would
 * have to wait for.
 */
static noinline int kevent_poll_wake_vague(struct kevent_hook *hook,
					   struct kevent *k, __poll_t happened)
{
	kevent_trigger_query(k);
	if (happened & POLLFREE) {
		list_del_init(&hook->wait.entry);
		/* pairs with the load in kevent_unhook() */
		smp_store_release(&hook->head, NULL);
	}
	return 1;
}

static __always_inline int kevent_poll_wake(struct kevent_hook *hook,
					    struct kevent *k, void *key)
{
	__poll_t happened = key_to_poll(key);
	/* kevent_poll_modified() makes sure that a change is seen in time. */
	u32 bits = (__force u32)happened & READ_ONCE(k->events);

	if (!bits && happened)
		return 0;
	if (unlikely(!bits || bits & ~(__force u32)KEVENT_POLL_BELIEVED))
		return kevent_poll_wake_vague(hook, k, happened);
	return kevent_trigger(k, bits);
}

static int kevent_poll_wake_first(wait_queue_entry_t *wait, unsigned int mode,
				  int sync, void *key)
{
	struct kevent *k = container_of(wait, struct kevent, hook.wait);

	return kevent_poll_wake(&k->hook, k, key);
}

static int kevent_poll_wake_extra(wait_queue_entry_t *wait, unsigned int mode,
				  int sync, void *key)
{
	struct kevent_extra_hook *extra =
		container_of(wait, struct kevent_extra_hook, hook.wait);

	return kevent_poll_wake(&extra->hook, extra->k, key);
}

static void kevent_poll_queue(struct file *file, wait_queue_head_t *head,
			      poll_table *pt)
{
	struct kevent_poll_table *table =
		container_of(pt, struct kevent_poll_table, pt);
	struct kevent *k = table->k;
	struct kevent_extra_hook *extra;
	struct kevent_hook *hook = &k->hook;

	if (table->error)
		return;
	if (!hook->wait.func) {
		init_waitqueue_func_entry(&hook->wait, kevent_poll_wake_first);
	} else {
		extra = kmalloc(sizeof(*extra), KEVENT_GFP);
		if (!extra) {
			table->error = -ENOMEM;
			return;
		}
		extra->k = k;
		hook = &extra->hook;
		init_waitqueue_func_entry(&hook->wait, kevent_poll_wake_extra);
		hook->wait.private = k->hook.wait.private;
		k->hook.wait.private = extra;
	}
	hook->head = head;
	add_wait_queue(head, &hook->wait);
}

static u32 kevent_poll_file(struct kevent *k, poll_table *pt)
{
	u32 events = READ_ONCE(k->events);

	pt->_key = (__force __poll_t)events;
	return (__force u32)vfs_poll(k->file, pt) & events;
}

static int kevent_poll_check_file(const struct file *file)
{
	/* A queue may be watched through an epoll set, but not directly. */
	if (file->f_op == &kevent_fops)
		return -ELOOP;
	return file->f_op->poll ? 0 : -EPERM;
}

static s64 kevent_poll_attach(struct kevent *k)
{
	struct kevent_poll_table table = { .k = k };
	u32 bits;

	init_poll_funcptr(&table.pt, kevent_poll_queue);
	bits = kevent_poll_file(k, &table.pt);
	return table.error ?: (s64)bits;
}

static void kevent_unhook(struct kevent_hook *hook)
{
	wait_queue_head_t *head;

	/*
	 * A head that POLLFREE takes from us is freed after a grace period.  If
	 * it is NULL here, the wake function is past touching the hook.
	 */
	rcu_read_lock();
	/* pairs with the store in kevent_poll_wake_vague() */
	head = smp_load_acquire(&hook->head);
	if (head) {
		remove_wait_queue(head, &hook->wait);
		/* From here on POLLFREE does not tell us; kevent_sync_head() */
		smp_store_release(&hook->head, NULL);
	}
	rcu_read_unlock();
}

static void kevent_poll_detach(struct kevent *k)
{
	struct kevent_extra_hook *extra;

	if (!k->hook.wait.func)
		return;		/* ->poll named no queue: always ready */
	kevent_unhook(&k->hook);
	for (extra = k->hook.wait.private; extra; extra = extra->hook.wait.private)
		kevent_unhook(&extra->hook);
}

/* Not sooner: MODIFY may walk the chain while the reaper detaches. */
static void kevent_poll_free(struct kevent *k)
{
	struct kevent_extra_hook *extra, *next;

	for (extra = k->hook.wait.private; extra; extra = next) {
		next = extra->hook.wait.private;
		kfree(extra);
	}
}

static void kevent_sync_head(struct kevent_hook *hook)
{
	wait_queue_head_t *head;
	unsigned long irqflags;

	rcu_read_lock();
	/* pairs with the stores in kevent_poll_wake_vague(), kevent_unhook() */
	head = smp_load_acquire(&hook->head);
	if (head) {
		spin_lock_irqsave(&head->lock, irqflags);
		spin_unlock_irqrestore(&head->lock, irqflags);
	}
	rcu_read_unlock();
}

/*
 * A wake-up whose section under the head's lock came before ours may have used
 * the old events, but then what it changed is visible to the query that
 * follows; one that comes later sees the new events.
 */
static void kevent_poll_modified(struct kevent *k)
{
	struct kevent_extra_hook *extra;

	if (!k->hook.wait.func)
		return;
	kevent_sync_head(&k->hook);
	for (extra = k->hook.wait.private; extra; extra = extra->hook.wait.private)
		kevent_sync_head(&extra->hook);
}

static u32 kevent_poll_query(struct kevent *k)
{
	poll_table pt;

	init_poll_funcptr(&pt, NULL);
	return kevent_poll_file(k, &pt);
}

const struct kevent_source_ops kevent_poll_ops = {
	.name		= "poll",
	.valid_events	= (__force u32)KEVENT_POLL_EVENTS,
	/*
	 * The last two are for the wake function, ->poll does not return them:
	 * not to be believed.  A wake-up by a queue's own wake-up, through an
	 * epoll set, must not publish: it could go round for ever.
	 */
	.always_events	= (__force u32)(EPOLLERR | EPOLLHUP | POLLFREE |
					EPOLL_URING_WAKE),
	.rereadable	= true,
	.check_file	= kevent_poll_check_file,
	.attach		= kevent_poll_attach,
	.detach		= kevent_poll_detach,
	.free		= kevent_poll_free,
	.modified	= kevent_poll_modified,
	.query		= kevent_poll_query,
};
