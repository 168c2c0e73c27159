// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - the queue and its file
 */

#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kevent.h"
#include "ring.h"

/* Wakes the pollers of a queue with none of the sources' locks held. */
static void kevent_poll_work(struct irq_work *work)
{
	struct kevent_user *user = container_of(work, struct kevent_user,
						poll_work);

	/* The last flag stops rings that this wake-up would feed in a circle. */
	wake_up_poll(&user->poll_wait,
		     EPOLLIN | EPOLLRDNORM | EPOLL_URING_WAKE);
}

/**
 * kevent_user_alloc - make a queue
 * @entries: records of the ring, a power of two
 * @noring: for kevent_get_events(), not to be mapped
 * @data_size: bytes of the data area, 0 for none
 *
 * Return: the queue with one reference, or -ENOSPC or -ENOMEM.
 */
struct kevent_user *kevent_user_alloc(u32 entries, bool noring, u32 data_size)
{
	struct kevent_user *user;
	int i, ret;

	user = kzalloc(sizeof(*user), KEVENT_GFP);
	if (!user)
		return ERR_PTR(-ENOMEM);
	ret = -ENOSPC;
	user->ucounts = kevent_charge_queue();
	if (!user->ucounts)
		goto free;
	ret = kevent_ring_alloc(user, entries, data_size);
	if (ret)
		goto uncharge;

	spin_lock_init(&user->lock);
	mutex_init(&user->mutex);
	mutex_init(&user->copy_mutex);
	init_waitqueue_head(&user->poll_wait);
	init_irq_work(&user->poll_work, kevent_poll_work);
	INIT_LIST_HEAD(&user->waiters);
	for (i = 0; i < KEVENT_NR_LISTS; i++)
		INIT_LIST_HEAD(&user->lists[i]);
	kevent_table_init(&user->table);
	user->noring = noring;
	user->min_want = U32_MAX;
	refcount_set(&user->refs, 1);
	return user;

uncharge:
	kevent_uncharge_all(user);
	kevent_uncharge_queue(user->ucounts);
free:
	kfree(user);
	return ERR_PTR(ret);
}

/**
 * kevent_user_put - drop a reference
 * @user: the queue; process context, no locks
 */
void kevent_user_put(struct kevent_user *user)
{
	if (!refcount_dec_and_test(&user->refs))
		return;
	kevent_timer_put_clocks(user);
	irq_work_sync(&user->poll_work);
	kevent_inode_put_group(user);
	kevent_table_free(&user->table);
	kevent_ring_free(user);
	kvfree(user->read_buffer);
	kevent_uncharge_all(user);
	kevent_uncharge_queue(user->ucounts);
	mutex_destroy(&user->mutex);
	mutex_destroy(&user->copy_mutex);
	kfree(user);
}

/*
 * Last close of the queue.  No call on it runs any more; wake-ups and close
 * hooks of watched files do.
 */
static int kevent_file_release(struct inode *inode, struct file *file)
{
	struct kevent_user *user = file->private_data;
	unsigned int batch = 0;
	struct kevent *k;
	u32 bits, n = 0;

	spin_lock_irq(&user->lock);
	/* Nobody reads what is still to be published. */
	while (n < user->table.nr) {
		k = kevent_next(user, &n);
		if (!(n % KEVENT_WALK_SLOTS))
			batch = KEVENT_PUBLISH_BATCH - 1;
		if (!k) {
			/* free slots */
		} else if (k->flags & KEVENT_F_DEAD) {
			kevent_table_erase(k);
			k->flags &= ~KEVENT_F_HELD;
			kevent_put(k);
		} else {
			bits = kevent_to_pass_on(k);
			k->flags &= ~(KEVENT_WANT_LAST | KEVENT_F_HELD);
			kevent_end(k, 0);
			k->pending = bits;
			kevent_list_move(k, KEVENT_REAP);
		}
		if (!(++batch % KEVENT_PUBLISH_BATCH)) {
			spin_unlock_irq(&user->lock);
			cond_resched();
			spin_lock_irq(&user->lock);
		}
	}
	while ((k = list_first_entry_or_null(&user->lists[KEVENT_BACKLOG],
					     struct kevent, link))) {
		kevent_list_move(k, KEVENT_NO_LIST);
		kevent_put(k);
		if (!(++batch % KEVENT_PUBLISH_BATCH)) {
			spin_unlock_irq(&user->lock);
			cond_resched();
			spin_lock_irq(&user->lock);
		}
	}
	spin_unlock_irq(&user->lock);

	kevent_reap(user, true);
	kevent_user_put(user);
	return 0;
}

static __poll_t kevent_file_poll(struct file *file, poll_table *wait)
{
	struct kevent_user *user = file->private_data;
	bool readable;

	poll_wait(file, &user->poll_wait, wait);

	spin_lock_irq(&user->lock);
	kevent_ring_refresh(user);
	/* Memory of the data area has to be given back first: nothing to wait for. */
	readable = kevent_ring_unread(user) ||
		   user->nr_listed[KEVENT_BACKLOG] ||
		   user->nr_listed[KEVENT_DEFERRED] ||
		   user->nr_listed[KEVENT_STEPS] ||
		   user->attention & (KEVENT_A_LEFT | KEVENT_A_TIMERS) ||
		   kevent_recheck_due(user);
	user->attention |= KEVENT_A_SLEEPERS;
	user->notified = user->produced;
	user->poll_due = false;
	spin_unlock_irq(&user->lock);
	return readable ? EPOLLIN | EPOLLRDNORM : 0;
}

static int kevent_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	return kevent_ring_mmap(file->private_data, vma);
}

const struct file_operations kevent_fops = {
	.owner		= THIS_MODULE,
	.release	= kevent_file_release,
	.poll		= kevent_file_poll,
	.mmap		= kevent_file_mmap,
	.llseek		= noop_llseek,
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= kevent_show_fdinfo,
#endif
};
