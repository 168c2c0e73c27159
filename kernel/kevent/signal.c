// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source SIGNAL - signals sent to the process that added the interest
 *
 * signalfd's wait queue tells neither number nor sender, and not of signals that
 * are ignored or pending; so the signal code calls here, first thing, if
 * signal_struct.kevent is set.
 *
 * struct kevent_signals is what a process and its interests share.  The process
 * refers to it from its first interest until it executes another program or
 * exits, which siglock keeps apart from signals that are being sent; an interest
 * until it is freed, so that a queue can be closed and changed by who has it,
 * whatever the process does.  Locks, outer to inner:
 *
 *   siglock            of the process
 *     signals->lock    the lists; held while an interest is told of a signal, so
 *                      that nobody calls it any more when it was taken off
 *       user->lock
 */

#include <linux/kevent.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/signal.h>
#include <linux/slab.h>

#include "kevent.h"
#include "trace.h"

/* Interests that a process may have in one signal. */
#define KEVENT_SIGNAL_MAX	64

/**
 * struct kevent_signals - the interests in the signals of a process
 * @lock: irq-safe
 * @refs: the process, each interest
 * @interests: by number - 1; under @lock
 */
struct kevent_signals {
	spinlock_t		lock;		/* inside siglock */
	refcount_t		refs;
	struct hlist_head	interests[_NSIG];
};

/**
 * struct kevent_signal - an interest of type SIGNAL
 * @n: what interests named by numbers have
 * @signals: of the process, NULL until attached
 * @node: in @signals->interests; hashed while attached
 * @value: of the last signal
 * @sender: of the last signal
 * @count: signals not told yet
 * @saturated: there were more
 */
struct kevent_signal {
	struct kevent_number	n;
	struct kevent_signals	*signals;
	struct hlist_node	node;
	u64			value;
	u32			sender;
	u32			count;
	bool			saturated;
};

static struct kevent_signal *kevent_to_signal(const struct kevent *k)
{
	return container_of(kevent_to_number(k), struct kevent_signal, n);
}

/* Is this a thread's own fault? */
static bool kevent_signal_is_fault(int sig, const struct kernel_siginfo *info)
{
	if (info == SEND_SIG_NOINFO || info == SEND_SIG_PRIV ||
	    info->si_code <= SI_USER)
		return false;
	switch (sig) {
	case SIGBUS:
		/* found by the kernel, not touched by anybody */
		return info->si_code != BUS_MCEERR_AO;
	case SIGSEGV:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		return true;
	}
	return false;
}

/* Who sent it, and with what? */
static u32 kevent_signal_read(const struct kernel_siginfo *info,
			      struct task_struct *t, u64 *value)
{
	*value = 0;
	if (info == SEND_SIG_NOINFO)
		return task_tgid_nr_ns(current, task_active_pid_ns(t));
	if (info == SEND_SIG_PRIV)
		return 0;
	switch (siginfo_layout(info->si_signo, info->si_code)) {
	case SIL_KILL:
		return info->si_pid;
	case SIL_RT:
		*value = (unsigned long)info->si_value.sival_ptr;
		return info->si_pid;
	case SIL_CHLD:
		*value = (u32)info->si_status;
		return info->si_pid;
	case SIL_TIMER:
		*value = (unsigned long)info->si_value.sival_ptr;
		return 0;
	case SIL_POLL:
		*value = (u32)info->si_fd;
		return 0;
	default:
		return 0;
	}
}

static void kevent_signal_count(struct kevent_signal *s, u32 sender, u64 value)
{
	struct kevent *k = &s->n.k;
	struct kevent_user *user = k->user;
	unsigned long irqflags;

	trace_kevent_wake(k, KEVENT_SIGNAL_SENT);
	irqflags = kevent_lock(user);
	s->sender = sender;
	s->value = value;
	if (s->count == U32_MAX)
		s->saturated = true;
	else
		s->count++;
	trace_kevent_trigger(k, KEVENT_SIGNAL_SENT);
	kevent_settle(k, KEVENT_SIGNAL_SENT);
	kevent_unlock(user, irqflags);
}

/**
 * kevent_signal_sent - tell the interests in a signal
 * @sig: its number
 * @info: as the signal code has it, special values included
 * @t: who it is sent to, its siglock held and signal_struct.kevent set
 */
void kevent_signal_sent(int sig, const struct kernel_siginfo *info,
			struct task_struct *t)
{
	struct kevent_signals *signals = READ_ONCE(t->signal->kevent);
	struct kevent_signal *s;
	u64 value;
	u32 sender;

	lockdep_assert_held(&t->sighand->siglock);
	if (kevent_signal_is_fault(sig, info))
		return;
	sender = kevent_signal_read(info, t, &value);
	spin_lock(&signals->lock);
	hlist_for_each_entry(s, &signals->interests[sig - 1], node)
		kevent_signal_count(s, sender, value);
	spin_unlock(&signals->lock);
}

static void kevent_signals_put(struct kevent_signals *signals)
{
	if (refcount_dec_and_test(&signals->refs))
		kfree(signals);
}

/**
 * kevent_signals_end - the process executes another program, or exits
 * @t: its only thread
 *
 * Process context, no locks.
 */
void kevent_signals_end(struct task_struct *t)
{
	struct sighand_struct *sighand = rcu_dereference_protected(t->sighand, 1);
	struct kevent_signals *signals;
	struct kevent_signal *s;
	int i;

	spin_lock_irq(&sighand->siglock);
	signals = t->signal->kevent;
	WRITE_ONCE(t->signal->kevent, NULL);
	spin_unlock_irq(&sighand->siglock);

	spin_lock_irq(&signals->lock);
	for (i = 0; i < _NSIG; i++) {
		while (!hlist_empty(&signals->interests[i])) {
			struct kevent_user *user;
			unsigned long irqflags;

			s = hlist_entry(signals->interests[i].first,
					struct kevent_signal, node);
			user = s->n.k.user;
			refcount_inc(&user->refs);
			hlist_del_init(&s->node);
			irqflags = kevent_lock(user);
			if (kevent_source_gone(&s->n.k))
				kevent_put(&s->n.k);
			kevent_unlock(user, irqflags);
			spin_unlock_irq(&signals->lock);
			kevent_user_put(user);
			cond_resched();
			spin_lock_irq(&signals->lock);
		}
	}
	spin_unlock_irq(&signals->lock);
	kevent_signals_put(signals);
}

static int kevent_signal_check(const struct kevent_change *change)
{
	u64 sig = change->ident;

	if (!kevent_is_plain(change))
		return -EINVAL;
	if (change->flags & KEVENT_BY_ID)
		return 0;
	return !sig || sig > _NSIG || sig == SIGKILL || sig == SIGSTOP ? -EINVAL : 0;
}

/* The process's own, with a reference; NULL if there is no memory. */
static struct kevent_signals *kevent_signals_get(void)
{
	struct kevent_signals *signals = READ_ONCE(current->signal->kevent), *new;

	if (!signals) {
		new = kzalloc(sizeof(*new), KEVENT_GFP);
		if (!new)
			return NULL;
		spin_lock_init(&new->lock);
		refcount_set(&new->refs, 1);
		/* Other threads may do the same. */
		signals = cmpxchg(&current->signal->kevent, NULL, new);
		if (signals)
			kfree(new);
		else
			signals = new;
	}
	/* Nobody takes it from the process while a thread is in here. */
	refcount_inc(&signals->refs);
	return signals;
}

static s64 kevent_signal_attach(struct kevent *k,
				const struct kevent_change *change,
				union kevent_found *found)
{
	struct kevent_signal *s = kevent_to_signal(k);
	struct kevent_signals *signals = kevent_signals_get();
	struct hlist_head *head;
	int ret = 0;

	if (!signals)
		return -ENOMEM;
	s->signals = signals;
	head = &signals->interests[change->ident - 1];
	spin_lock_irq(&signals->lock);
	/* They are told with interrupts off, by whoever sends. */
	if (hlist_count_nodes(head) < KEVENT_SIGNAL_MAX)
		hlist_add_head(&s->node, head);
	else
		ret = -ENOSPC;
	spin_unlock_irq(&signals->lock);
	return ret;
}

static void kevent_signal_detach(struct kevent *k)
{
	struct kevent_signal *s = kevent_to_signal(k);

	if (!s->signals)
		return;
	spin_lock_irq(&s->signals->lock);
	hlist_del_init(&s->node);
	spin_unlock_irq(&s->signals->lock);
}

static void kevent_signal_free(struct kevent *k)
{
	struct kevent_signal *s = kevent_to_signal(k);

	if (s->signals)
		kevent_signals_put(s->signals);
}

static u16 kevent_signal_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_signal *s = kevent_to_signal(k);
	u16 flags = s->saturated ? KEVENT_REC_SATURATED : 0;

	data[0] = (u64)s->sender << 32 | s->count;
	data[1] = s->value;
	s->count = 0;
	s->saturated = false;
	return flags;
}

static void kevent_signal_show(const struct kevent *k, struct seq_file *m)
{
	seq_printf(m, " count: %u", kevent_to_signal(k)->count);
}

const struct kevent_source_ops kevent_signal_ops = {
	.type		= KEVENT_TYPE_SIGNAL,
	.name		= "signal",
	.size		= sizeof(struct kevent_signal),
	.identity	= KEVENT_IDENT_NUMBER,
	.valid_events	= KEVENT_SIGNAL_SENT,
	.always_events	= KEVENT_SIGNAL_SENT,
	.check		= kevent_signal_check,
	.attach		= kevent_signal_attach,
	.detach		= kevent_signal_detach,
	.free		= kevent_signal_free,
	.fill		= kevent_signal_fill,
	.show		= kevent_signal_show,
};
