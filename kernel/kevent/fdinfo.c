// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - /proc/PID/fdinfo of a queue
 *
 *   entries: 64 produced: 12 consumed: 10 pending: 0 interests: 3
 *   backlog: 0 deferred: 0 recheck: 1
 *   id: 1 type: poll ident: 7 events: 1 cookie: 55d0 flags: 2
 *
 * id and numbers in decimal, events, cookie and flags in hex.
 */

#include <linux/seq_file.h>

#include "kevent.h"
#include "ring.h"

struct kevent_snapshot {
	u64	id;
	u64	cookie;
	u32	events;
	u16	flags;
	u8	type;
	int	fd;
};

/* The interest with the smallest id above @shot->id. */
static bool kevent_next_snapshot(struct kevent_user *user,
				 struct kevent_snapshot *shot)
{
	struct rb_node *node;
	struct kevent *k, *found = NULL;

	spin_lock_irq(&user->lock);
	node = user->tree.rb_root.rb_node;
	while (node) {
		k = rb_entry(node, struct kevent, node);
		if (k->id > shot->id) {
			found = k;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	if (found) {
		shot->id = found->id;
		shot->cookie = found->cookie;
		shot->events = found->events;
		shot->flags = found->flags;
		shot->type = found->type;
		shot->fd = found->fd;
	}
	spin_unlock_irq(&user->lock);
	return found;
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
	struct kevent_snapshot shot = { .id = 0 };

	/* The buffer is there already: printing under the lock does not sleep. */
	spin_lock_irq(&user->lock);
	kevent_ring_refresh(user);
	seq_printf(m, "entries: %u produced: %llu consumed: %llu pending: %d interests: %u\n",
		   user->mask + 1, user->produced, user->consumed,
		   user->attention & KEVENT_A_PENDING, user->nr_kevents);
	seq_printf(m, "backlog: %u deferred: %u recheck: %u\n",
		   user->nr_listed[KEVENT_BACKLOG],
		   user->nr_listed[KEVENT_DEFERRED],
		   user->nr_listed[KEVENT_RECHECK]);
	spin_unlock_irq(&user->lock);
	while (!seq_has_overflowed(m) && kevent_next_snapshot(user, &shot)) {
		seq_printf(m, "id: %llu type: %s ident: %d events: %x cookie: %llx flags: %x\n",
			   shot.id, kevent_sources[shot.type]->name, shot.fd,
			   shot.events & kevent_sources[shot.type]->valid_events,
			   shot.cookie, shot.flags & KEVENT_F_USER);
		cond_resched();
	}
}
