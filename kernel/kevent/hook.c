// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - hooks in the wait queues that ->poll names
 *
 * An interest hangs in the first queue by the hook inside struct kevent_file, in
 * further ones (ttys, read-write FIFOs) by a chain of struct kevent_extra_hook
 * that starts in the private pointer of the first.
 *
 * ->poll is never called from a wake-up.
 */

#include <linux/poll.h>
#include <linux/slab.h>

#include "kevent.h"
#include "trigger.h"

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
	poll_table		pt;
	struct kevent		*k;
	wait_queue_func_t	func;
	int			error;
};

/* An extra hook begins with its struct kevent_hook.  NULL if there is none. */
static inline struct kevent_hook *kevent_first_hook(struct kevent *k)
{
	struct kevent_hook *hook = &kevent_to_file(k)->hook;

	return hook->wait.func ? hook : NULL;
}

/**
 * kevent_hook_wake_vague - a wake-up does not tell what the program asked for
 * @hook: the hook
 * @k: its interest
 * @wake_flags: of the wake-up
 * @happened: key of the wake-up
 *
 * Or the queue head is going away before the file (signalfd, binder).  Then,
 * after the store nothing protects the hook: kevent_unhook() no longer finds a
 * head whose lock it would have to wait for.
 *
 * Return: 0, what a wake function returns that others are to hear as well.
 */
int kevent_hook_wake_vague(struct kevent_hook *hook, struct kevent *k,
			   int wake_flags, __poll_t happened)
{
	kevent_trigger_query(k, wake_flags);
	if (happened & POLLFREE) {
		list_del_init(&hook->wait.entry);
		/* pairs with the load in kevent_unhook() */
		smp_store_release(&hook->head, NULL);
	}
	return 0;
}

/**
 * kevent_hook_wake_ask - a wake function that believes no key
 * @wait: the first hook's entry
 * @mode: ignored
 * @sync: flags of the wake-up
 * @key: of the wake-up, which may stand for anything
 *
 * Return: 0, as kevent_hook_wake_vague()
 */
int kevent_hook_wake_ask(wait_queue_entry_t *wait, unsigned int mode, int sync,
			 void *key)
{
	struct kevent *k = kevent_of_wait(wait);

	trace_kevent_wake(k, (__force u32)key_to_poll(key));
	return kevent_hook_wake_vague(&kevent_to_file(k)->hook, k, sync,
				      key_to_poll(key));
}

/* Further queues are rare: whatever they may mean is asked for. */
static int kevent_hook_wake_extra(wait_queue_entry_t *wait, unsigned int mode,
				  int sync, void *key)
{
	struct kevent_extra_hook *extra =
		container_of(wait, struct kevent_extra_hook, hook.wait);

	trace_kevent_wake(extra->k, (__force u32)key_to_poll(key));
	return kevent_hook_wake_vague(&extra->hook, extra->k, sync,
				      key_to_poll(key));
}

static void kevent_hook_queue(struct file *file, wait_queue_head_t *head,
			      poll_table *pt)
{
	struct kevent_poll_table *table =
		container_of(pt, struct kevent_poll_table, pt);
	struct kevent *k = table->k;
	struct kevent_hook *first = &kevent_to_file(k)->hook, *hook = first;
	struct kevent_extra_hook *extra;

	if (table->error)
		return;
	if (!first->wait.func) {
		init_waitqueue_func_entry(&hook->wait, table->func);
	} else {
		extra = kmalloc(sizeof(*extra), KEVENT_GFP);
		if (!extra) {
			table->error = -ENOMEM;
			return;
		}
		extra->k = k;
		hook = &extra->hook;
		init_waitqueue_func_entry(&hook->wait, kevent_hook_wake_extra);
		hook->wait.private = first->wait.private;
		first->wait.private = extra;
	}
	hook->head = head;
	if (k->flags & KEVENT_EXCLUSIVE)
		add_wait_queue_exclusive(head, &hook->wait);
	else
		add_wait_queue(head, &hook->wait);
}

/**
 * kevent_hook_attach - hook an interest into all that its file's ->poll names
 * @k: the interest
 * @func: wake function of the first queue; it finds the interest by
 *	kevent_of_wait().  What comes from others is always asked for.
 * @key: events that ->poll shall look for
 *
 * Process context, may sleep, the file pinned.
 *
 * Return: what ->poll returned, or -ENOMEM; kevent_hook_detach() is due then too.
 */
s64 kevent_hook_attach(struct kevent *k, wait_queue_func_t func, u32 key)
{
	struct kevent_poll_table table = { .k = k, .func = func };
	__poll_t mask;

	init_poll_funcptr(&table.pt, kevent_hook_queue);
	table.pt._key = (__force __poll_t)key;
	mask = vfs_poll(kevent_to_file(k)->file, &table.pt);
	return table.error ?: (s64)(__force u32)mask;
}

static void kevent_unhook(struct kevent_hook *hook)
{
	wait_queue_head_t *head;

	/*
	 * A head that POLLFREE takes from us is freed after a grace period.  If
	 * it is NULL here, the wake function is past touching the hook.
	 */
	rcu_read_lock();
	/* pairs with the store in kevent_hook_wake_vague() */
	head = smp_load_acquire(&hook->head);
	if (head) {
		remove_wait_queue(head, &hook->wait);
		/* From here on POLLFREE does not tell us; kevent_hook_sync() */
		smp_store_release(&hook->head, NULL);
	}
	rcu_read_unlock();
}

/**
 * kevent_hook_detach - undo kevent_hook_attach()
 * @k: the interest
 */
void kevent_hook_detach(struct kevent *k)
{
	struct kevent_hook *hook;

	for (hook = kevent_first_hook(k); hook; hook = hook->wait.private)
		kevent_unhook(hook);
}

/**
 * kevent_hook_free - free what kevent_hook_attach() allocated
 * @k: the interest
 *
 * Not sooner than the interest: MODIFY may walk the chain while the reaper
 * detaches.
 */
void kevent_hook_free(struct kevent *k)
{
	struct kevent_hook *hook, *next;

	for (hook = kevent_to_file(k)->hook.wait.private; hook; hook = next) {
		next = hook->wait.private;
		kfree(hook);
	}
}

/**
 * kevent_hook_sync - wait for wake functions that run
 * @k: the interest, whose file is pinned
 *
 * A wake-up whose section under the head's lock came before ours may have used
 * the old events, but then what it changed is visible to the query that
 * follows; one that comes later sees the new events.
 */
void kevent_hook_sync(struct kevent *k)
{
	wait_queue_head_t *head;
	struct kevent_hook *hook;
	unsigned long irqflags;

	for (hook = kevent_first_hook(k); hook; hook = hook->wait.private) {
		rcu_read_lock();
		/* pairs with kevent_hook_wake_vague() and kevent_unhook() */
		head = smp_load_acquire(&hook->head);
		if (head) {
			spin_lock_irqsave(&head->lock, irqflags);
			spin_unlock_irqrestore(&head->lock, irqflags);
		}
		rcu_read_unlock();
	}
}

/* Wake as the source does, whatever it is. */
static void kevent_wake_head(wait_queue_head_t *head, __poll_t key)
{
	unsigned long irqflags;

	spin_lock_irqsave(&head->lock, irqflags);
#ifdef CONFIG_EVENTFD
	/* Whom this wakes must not signal an eventfd, which may be this one. */
	current->in_eventfd = 1;
#endif
	wake_up_locked_poll(head, key);
#ifdef CONFIG_EVENTFD
	current->in_eventfd = 0;
#endif
	spin_unlock_irqrestore(&head->lock, irqflags);
}

/**
 * kevent_hook_pass_on - wake another one that watches exclusively
 * @k: the interest, disabled or dead, whose file is pinned
 * @bits: events that its queue was told of, and did not consume
 *
 * Only those of which not everybody has heard; and which still hold: the program may
 * have read without its record, and a one-shot of others would end by it.  No lock
 * held but the queue's mutex: ->poll is called, and the walk takes other queues'
 * locks.
 *
 * The heads are those of files whose wakers were read (see kevent_poll_attach()):
 * eventfds, timerfds, pipes and sockets.  Never those of epoll sets: these take
 * each other's heads inside their own, by a level that only they keep.
 */
void kevent_hook_pass_on(struct kevent *k, u32 bits)
{
	wait_queue_head_t *head;
	struct kevent_hook *hook;

	bits &= (__force u32)(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDNORM |
			      EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND);
	if (!bits)
		return;
	/* What a listener has is told as ACCEPT. */
	if (bits & (__force u32)EPOLLRDNORM)
		bits |= (__force u32)EPOLLIN;
	bits &= kevent_hook_query(k, bits);
	if (!bits)
		return;
	for (hook = kevent_first_hook(k); hook; hook = hook->wait.private) {
		rcu_read_lock();
		/* pairs with kevent_hook_wake_vague() and kevent_unhook() */
		head = smp_load_acquire(&hook->head);
		if (head)
			kevent_wake_head(head, (__force __poll_t)bits);
		rcu_read_unlock();
	}
}
