// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - /proc/PID/fdinfo of a queue
 *
 *   entries: 64 produced: 12 consumed: 10 pending: 0 interests: 3
 *   backlog: 0 deferred: 0 recheck: 1
 *   waits: 5 sleeps: 3 ctls: 2 triggers: 0 left_out: 1 held_back: 0
 *   id: 4294967297 type: poll ident: 7 events: 19 cookie: 55d0 flags: 2
 *   id: 8589934593 type: timer ident: 1 events: 1 cookie: 0 flags: 1 clock: 1 left: 9876543 ...
 *
 * id and numbers in decimal, events, cookie and flags in hex, times in ns.  What
 * follows flags depends on the type: clock, time left, period, slack; count of
 * triggers not told; low-water mark.
 */

#include <linux/seq_file.h>

#include "kevent.h"
#include "ring.h"

static void kevent_show(struct seq_file *m, const struct kevent *k)
{
	const struct kevent_source_ops *ops = kevent_ops(k);

	seq_printf(m, "id: %llu type: %s ident: %llu events: %x cookie: %llx flags: %x",
		   k->id, ops->name, kevent_ident(k),
		   k->events & ops->valid_events, k->cookie,
		   k->flags & (KEVENT_F_USER | KEVENT_F_DISABLED));
	/* What is being attached has nothing to show yet. */
	if (ops->show && !(k->flags & KEVENT_F_BUSY))
		ops->show(k, m);
	seq_putc(m, '\n');
}

/**
 * kevent_show_fdinfo - print a queue and its interests
 * @m: where to
 * @file: the queue's file
 *
 * Takes the lock per line, so that a large set keeps nobody waiting; what
 * changes meanwhile may be missed.
 */
void kevent_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct kevent_user *user = file->private_data;
	struct kevent *k;
	u32 n = 0;

	/* The buffer is there already: printing under the lock does not sleep. */
	spin_lock_irq(&user->lock);
	kevent_ring_refresh(user);
	seq_printf(m, "entries: %u produced: %llu consumed: %llu pending: %d interests: %u\n",
		   user->mask + 1, user->produced, user->consumed,
		   !!(user->attention & KEVENT_A_HELD_BACK), user->nr_kevents);
	seq_printf(m, "backlog: %u deferred: %u recheck: %u\n",
		   user->nr_listed[KEVENT_BACKLOG],
		   user->nr_listed[KEVENT_DEFERRED] + user->nr_listed[KEVENT_STEPS],
		   user->nr_listed[KEVENT_RECHECK]);
	seq_printf(m, "waits: %llu sleeps: %llu ctls: %lu triggers: %llu left_out: %llu held_back: %llu\n",
		   user->waits, user->sleeps, READ_ONCE(user->ctls),
		   user->triggers, user->left_out, user->held_back);
	if (user->data.size)
		seq_printf(m, "data: %u produced: %llu released: %llu reserved: %u room: %u owes: %u\n",
			   user->data.size, user->data.produced, user->data.released,
			   user->data.reserved, user->nr_listed[KEVENT_ROOM],
			   user->nr_listed[KEVENT_OWES]);
	while (!seq_has_overflowed(m) && n < user->table.nr) {
		k = kevent_next(user, &n);
		if (k)
			kevent_show(m, k);
		spin_unlock_irq(&user->lock);
		cond_resched();
		spin_lock_irq(&user->lock);
	}
	spin_unlock_irq(&user->lock);
}
