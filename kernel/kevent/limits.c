// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - limits per user, and the switch
 */

#include <linux/cred.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "kevent.h"
#include "table.h"

/* Interests are charged and given back in groups of at most that many. */
#define KEVENT_CHARGE_BATCH	64U

#define KEVENT_DEFAULT_QUEUES		4096
#define KEVENT_MIN_DEFAULT_INTERESTS	65536
#define KEVENT_MAX_DEFAULT_INTERESTS	(16 << 20)

/* 0: anybody may make queues; 1: CAP_SYS_ADMIN only; 2: nobody */
int sysctl_kevent_disabled __read_mostly;
/* The same for queues whose records carry bytes, and for kevent_send() */
int sysctl_kevent_io_disabled __read_mostly;
/* The same for queues that send files, and for such entries of kevent_send() */
int sysctl_kevent_sendfile_disabled __read_mostly;

/**
 * kevent_may - does a switch let the current task pass?
 * @disabled: the switch
 *
 * Return: whether it does.
 */
bool kevent_may(const int *disabled)
{
	int value = READ_ONCE(*disabled);

	return !value || (value == 1 && capable(CAP_SYS_ADMIN));
}

/**
 * kevent_charge_queue - charge a queue to the current user
 *
 * Return: where it was charged, NULL if the limit is reached.
 */
struct ucounts *kevent_charge_queue(void)
{
	return inc_ucount(current_user_ns(), current_euid(),
			  UCOUNT_KEVENT_QUEUES);
}

/**
 * kevent_uncharge_queue - undo kevent_charge_queue()
 * @ucounts: what that returned
 */
void kevent_uncharge_queue(struct ucounts *ucounts)
{
	dec_ucount(ucounts, UCOUNT_KEVENT_QUEUES);
}

/* Add unless it is too much then: nobody else is to see a sum that will not stay. */
static bool kevent_add_below(atomic_long_t *count, long nr, long max)
{
	long old = atomic_long_read(count);

	do {
		if (old > max - nr)
			return false;
	} while (!atomic_long_try_cmpxchg(count, &old, old + nr));
	return true;
}

/* inc_ucount() for more than one, in a place that was found already. */
static bool kevent_charge_many(struct ucounts *ucounts, enum ucount_type type,
			       long nr)
{
	struct ucounts *iter, *undo;

	for (iter = ucounts; iter; iter = iter->ns->ucounts) {
		long max = READ_ONCE(iter->ns->ucount_max[type]);

		if (!kevent_add_below(&iter->ucount[type], nr, max))
			goto too_many;
	}
	return true;

too_many:
	for (undo = ucounts; undo != iter; undo = undo->ns->ucounts)
		atomic_long_sub(nr, &undo->ucount[type]);
	return false;
}

static void kevent_uncharge_many(struct ucounts *ucounts, enum ucount_type type,
				 long nr)
{
	struct ucounts *iter;

	for (iter = ucounts; iter; iter = iter->ns->ucounts)
		atomic_long_sub(nr, &iter->ucount[type]);
}

/*
 * What a queue may have charged and not use: little beside what it uses, and
 * nothing if it is small.
 */
static inline u32 kevent_max_credit(const struct kevent_user *user)
{
	return min(user->nr_kevents / 8, KEVENT_CHARGE_BATCH);
}

/**
 * kevent_charge - charge one interest to the maker of the queue
 * @user: the queue, locked
 *
 * Return: false if the limit is reached.
 */
bool kevent_charge(struct kevent_user *user)
{
	u32 more = kevent_max_credit(user);

	if (likely(user->credit)) {
		user->credit--;
		return true;
	}
	if (kevent_charge_many(user->ucounts, UCOUNT_KEVENT_INTERESTS, 1 + more)) {
		user->credit = more;
		return true;
	}
	return more && kevent_charge_many(user->ucounts, UCOUNT_KEVENT_INTERESTS, 1);
}

/**
 * kevent_uncharge - give one interest back
 * @user: the queue, locked; any context
 */
void kevent_uncharge(struct kevent_user *user)
{
	u32 keep = kevent_max_credit(user);

	if (++user->credit <= 2 * keep)
		return;
	kevent_uncharge_many(user->ucounts, UCOUNT_KEVENT_INTERESTS,
			     user->credit - keep);
	user->credit = keep;
}

/**
 * kevent_charge_pages - charge memory of a queue to its maker
 * @user: the queue, being made or its mutex held
 * @nr: number of pages
 *
 * Return: false if the limit is reached.
 */
bool kevent_charge_pages(struct kevent_user *user, unsigned int nr)
{
	if (!kevent_charge_many(user->ucounts, UCOUNT_KEVENT_PAGES, nr))
		return false;
	user->charged_pages += nr;
	return true;
}

/**
 * kevent_uncharge_pages - undo kevent_charge_pages()
 * @user: the queue
 * @nr: number of pages
 */
void kevent_uncharge_pages(struct kevent_user *user, unsigned int nr)
{
	user->charged_pages -= nr;
	kevent_uncharge_many(user->ucounts, UCOUNT_KEVENT_PAGES, nr);
}

/**
 * kevent_uncharge_all - give back what a queue has charged
 * @user: the queue, about to be freed, without interests
 */
void kevent_uncharge_all(struct kevent_user *user)
{
	kevent_uncharge_many(user->ucounts, UCOUNT_KEVENT_INTERESTS, user->credit);
	user->credit = 0;
	kevent_uncharge_pages(user, user->charged_pages);
}

#ifdef CONFIG_SYSCTL
static struct ctl_table kevent_table[] = {
	{
		.procname	= "kevent_disabled",
		.data		= &sysctl_kevent_disabled,
		.maxlen		= sizeof(sysctl_kevent_disabled),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	},
#ifdef CONFIG_KEVENT_IO
	{
		.procname	= "kevent_io_disabled",
		.data		= &sysctl_kevent_io_disabled,
		.maxlen		= sizeof(sysctl_kevent_io_disabled),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	},
#endif
#ifdef CONFIG_KEVENT_SENDFILE
	{
		.procname	= "kevent_sendfile_disabled",
		.data		= &sysctl_kevent_sendfile_disabled,
		.maxlen		= sizeof(sysctl_kevent_sendfile_disabled),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	},
#endif
};
#endif

static int __init kevent_limits_init(void)
{
	struct sysinfo si;
	unsigned long interests;

	/* Interests in at most 1 % of the memory that can hold them. */
	si_meminfo(&si);
	interests = (((si.totalram - si.totalhigh) / 100) << PAGE_SHIFT) /
		    (sizeof(struct kevent_file) + sizeof(struct kevent_slot));
	init_user_ns.ucount_max[UCOUNT_KEVENT_QUEUES] = KEVENT_DEFAULT_QUEUES;
	init_user_ns.ucount_max[UCOUNT_KEVENT_PAGES] = si.totalram / 16;
	init_user_ns.ucount_max[UCOUNT_KEVENT_INTERESTS] =
		clamp(interests, (unsigned long)KEVENT_MIN_DEFAULT_INTERESTS,
		      (unsigned long)KEVENT_MAX_DEFAULT_INTERESTS);
#ifdef CONFIG_SYSCTL
	register_sysctl_init("kernel", kevent_table);
#endif
	return 0;
}
fs_initcall(kevent_limits_init);
