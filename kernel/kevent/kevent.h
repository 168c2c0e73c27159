/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - types and functions shared by the files of kernel/kevent
 *
 * See the banner of core.c for the lock order and the life of an interest.
 */
#ifndef _KERNEL_KEVENT_H
#define _KERNEL_KEVENT_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/kevent.h>

struct fsnotify_group;
struct kevent_clock;
struct kevent_ring;
struct kevent_slot;
struct socket;
struct ucounts;

/* A memory cgroup at its limit gives -ENOMEM, not an OOM kill. */
#define KEVENT_GFP		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL)
/* Backlog entries that a trigger, one for each hook, publishes before its own. */
#define KEVENT_TRIGGER_BUDGET	2
/* Level interests that a kevent_wait() looks at, if it need not find more. */
#define KEVENT_RECHECK_BUDGET	64U
/* Publications after which a walk opens the lock for interrupts. */
#define KEVENT_PUBLISH_BATCH	64
/* Interests that a wait looks at all the same when the ring is full. */
#define KEVENT_FULL_DEFERRED	8U
#define KEVENT_FULL_RECHECK	1U
/* Slots of the table after which a walk over all opens the lock. */
#define KEVENT_WALK_SLOTS	256
/* Looks at interests after which a walk offers the processor. */
#define KEVENT_WALK_BATCH	16
/* Bytes of files after which a walk leaves further steps to the next one. */
#define KEVENT_WALK_SENT	(1U << 20)

/* struct kevent.flags; what programs ask for keeps its value of the UAPI. */
#define KEVENT_MODES	(KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH)
#define KEVENT_LAST	(KEVENT_WANT_LAST | KEVENT_HOLD_LAST)
#define KEVENT_F_USER	(KEVENT_MODES | KEVENT_LAST | KEVENT_EXCLUSIVE)
#define KEVENT_F_DISABLED	KEVENT_START_DISABLED	/* publish nothing */
#define KEVENT_F_UNSURE		0x0040	/* what wakes it may be untrue */
#define KEVENT_F_BUSY		0x0100	/* attach or a read runs: only accumulate */
#define KEVENT_F_GONE		0x0200	/* the source is, a record is to come */
#define KEVENT_F_DEAD		0x0400	/* has ended */
#define KEVENT_F_QUERY		0x0800	/* ask the source before publishing */
#define KEVENT_F_HELD		0x1000	/* HOLD_LAST: record not yet acknowledged */
#define KEVENT_F_LAST_DUE	0x2000	/* dead, its last record is to come */
#define KEVENT_F_LISTED		0x4000	/* list is not KEVENT_NO_LIST */
#define KEVENT_F_DATA		0x8000	/* the source fills data words */

/* struct kevent_user.attention */
#define KEVENT_A_PENDING	0x01	/* PENDING is set in the ring */
#define KEVENT_A_SLEEPERS	0x02	/* there may be waiters or pollers */
#define KEVENT_A_LEFT		0x04	/* the last walk has left some of RECHECK out */
#define KEVENT_A_TIMERS		0x08	/* a callback has left timers over */
#define KEVENT_A_LEVEL		0x10	/* LEVEL is set in the ring */
#define KEVENT_A_RESERVED	0x20	/* places in the ring are kept for reads */
/* Each of these shows as PENDING: a kevent_wait(0) would do something about it. */
#define KEVENT_A_HELD_BACK	(KEVENT_A_PENDING | KEVENT_A_LEFT | KEVENT_A_TIMERS)
/* Each of these keeps a trigger off the short way. */
#define KEVENT_A_SLOW		(KEVENT_A_PENDING | KEVENT_A_RESERVED)

/* What struct kevent.link is on. */
enum kevent_list {
	KEVENT_NO_LIST,
	KEVENT_BACKLOG,		/* to be published, in order */
	KEVENT_DEFERRED,	/* waits for itself: a query, or its own records */
	KEVENT_RECHECK,		/* level, published: ask again once consumed */
	KEVENT_REAP,		/* one-shot that ended: to be detached */
	/* From here on, of those that carry bytes: */
	KEVENT_ROOM,		/* waits, in order, for room in the data area */
	KEVENT_SHARE,		/* has its share of it, until some is given back */
	KEVENT_OWES,		/* the next wait acknowledges what was received */
	/* Apart, as a walk does only so much of this: */
	KEVENT_STEPS,		/* something is to be done for it, in order */
	KEVENT_NR_LISTS,
};

/**
 * struct kevent - one interest, the part that all types have
 * @user: the queue, which this interest keeps allocated
 * @events: events of interest; written under @user->lock, read without it by
 *	wake functions (see @modified of the source)
 * @pending: events triggered and not yet published; of a dead interest the
 *	events of its last record, or, if it is to be reaped, those to pass on
 * @flags: mode and state, KEVENT_F_DEAD and so on
 * @type: index into the table of sources
 * @list: enum kevent_list, what @link is on
 * @pos: producer position after the newest record
 * @gap: how far the record before that one lies behind it, 0 for none
 * @seen: events of the newest record and of the one before
 * @cookie: copied to each record
 * @link: on one of @user->lists
 * @chain: next of those whose identity has the same hash, while it is live
 * @id: never used again in this queue, see table.c
 * @refs: the attachment to the source, queries that run, a last record to come
 * @fd: types with a descriptor: its number at ADD (here, as it fills a hole)
 *
 * Fields without a word on it: @user->lock, or fixed when the interest is made.
 */
struct kevent {
	struct kevent_user	*user;
	u16			events;
	u16			pending;
	u16			flags;
	u8			type;
	u8			list;
	u64			pos;
	u32			gap;
	u16			seen[2];
	u64			cookie;
	struct list_head	link;
	struct kevent		*chain;
	u64			id;
	u32			refs;
	int			fd;
};

/**
 * struct kevent_hook - an entry in a wait queue of the watched file
 * @wait: the entry; its private pointer is free for the owner of the hook
 * @head: the queue, NULL after POLLFREE (release/acquire)
 */
struct kevent_hook {
	wait_queue_entry_t	wait;
	wait_queue_head_t	*head;
};

/**
 * struct kevent_file - an interest in a file
 * @k: what all interests have
 * @hook: in the wait queue that ->poll named first
 * @file: what is watched; valid until the close hook has seen this interest
 * @node: in @file's list of interests; file->f_lock
 */
struct kevent_file {
	struct kevent		k;
	struct kevent_hook	hook;
	struct file		*file;
	struct hlist_node	node;
};

/**
 * struct kevent_number - an interest named by a number of the program's choice
 * @k: what all interests have
 * @number: the number
 */
struct kevent_number {
	struct kevent		k;
	u64			number;
};

/* Entries of kevent_ctl() that are applied at a time. */
#define KEVENT_CHANGE_CHUNK	6

/**
 * struct kevent_batch - memory of interests that is freed at once
 * @nr: how many
 * @type: of all of them
 * @k: the interests
 *
 * As long as a queue points to it: user->lock.
 */
struct kevent_batch {
	u32		nr;
	u8		type;
	struct kevent	*k[KEVENT_CHANGE_CHUNK];
};

/**
 * struct kevent_table - the interests of a queue, see table.c
 * @pages: the slots
 * @nr_pages: how many pages
 * @capacity: slots in them
 * @nr: slots that have been given out, so many buckets are in use
 * @mask: one less than @nr rounded up to a power of two
 * @free: first slot to be given out again, 0 for none
 * @found: head of the bucket that a look-up went to last: REMOVE unlinks from there
 * @secret: odd factors of the hash
 *
 * Written under user->lock; all but @free and @found with user->mutex held as well.
 */
struct kevent_table {
	struct kevent_slot	**pages;
	u32			nr_pages;
	u32			capacity;
	u32			nr;
	u32			mask;
	u32			free;
	struct kevent		**found;
	u64			secret[3];
};

/**
 * struct kevent_area - a queue's memory for bytes that records carry, see area.h
 * @memory: the bytes, NULL if there is no such area
 * @release: the release index, in the consumer page; anything may be in it
 * @size: bytes, a power of two, 0 if there is no area
 * @reserved: bytes kept for reads that are under way
 * @produced: bytes that pieces have taken up since the queue was made
 * @released: how many of them the program has given back, as last seen
 * @refused: somebody has found no room since the last walk began
 * @blocked: or since a read that reserves some began
 *
 * All under user->lock; size and pointers are fixed.
 */
struct kevent_area {
	void		*memory;
	u32		*release;
	u32		size;
	u32		reserved;
	u64		produced;
	u64		released;
	bool		refused;
	bool		blocked;
};

/**
 * struct kevent_user - a queue
 * @lock: irq-safe; taken inside wait queue heads of sources
 * @produced: records published since the queue was made
 * @consumed: records consumed, as last seen; see kevent_ring_refresh()
 * @ring: producer index, flag word and records, in the ring mapping
 * @consumer: the consumer index, in the consumer page; anything may be in it
 * @mask: entries - 1
 * @attention: KEVENT_A_PENDING and so on
 * @need_query: an interest was deferred for a query since the last walk
 * @query_woken: a waiter was woken for that
 * @poll_due: pollers of the queue are to be woken
 * @noring: records are fetched by kevent_get_events()
 * @sends_files: %KEVENT_CREATE_SENDFILE
 * @waiters: sleepers of kevent_wait(), first come first served
 * @min_want: no waiter wants fewer records than that
 * @promised: records for which waiters were woken that have not run yet, and
 *	those that kevent_get_events() is copying
 * @poll_wait: pollers of the queue's own descriptor
 * @notified: @produced when @poll_wait was last looked at
 * @lists: interests by enum kevent_list
 * @nr_listed: their numbers
 * @waits: calls that wait, each when it first takes @lock
 * @sleeps: how often one of them went to sleep
 * @triggers: TRIGGERs that found their interest
 * @left_out: events without a record of their own, as an unread one says the same
 * @held_back: how often an interest began to wait for room, in the ring or of its own
 * @ctls: calls of kevent_ctl() that took @mutex, under which it is written
 * @table: interests by id, live ones by what they watch
 * @batch: where memory is collected while changes are applied, or NULL
 * @credit: interests charged to @ucounts and not in use
 * @nr_kevents: interests allocated
 * @mutex: serialises changes to the set of interests; no user memory under it
 * @copy_mutex: serialises kevent_get_events() callers over their copying
 * @poll_work: wakes @poll_wait outside of any source's locks
 * @ucounts: limits of the user who made the queue
 * @inode_group: of the marks of its interests in inodes, NULL if there were none
 * @clocks: one for each clock, NULL before the first timer; @mutex
 * @map: the memory of all mappings
 * @map_pages: its size
 * @reserved: records that reads under way will publish
 * @data: the data area
 * @read_buffer: for reads that sleep, NULL before the first one and in use
 * @stepped: bytes of files sent, and what steps cost beside them, ever
 * @charged_pages: pages charged to @ucounts; @mutex, once there is a file
 * @refs: the file, each interest, the close hook while it runs
 */
struct kevent_user {
	spinlock_t		lock;		/* inside the source's locks */
	u32			mask;
	u64			produced;
	u64			consumed;
	struct kevent_ring	*ring;
	u32			*consumer;
	u8			attention;
	bool			need_query;
	bool			query_woken;
	bool			poll_due;
	bool			noring;
	bool			sends_files;
	u32			min_want;
	u64			promised;
	struct list_head	waiters;
	wait_queue_head_t	poll_wait;
	u64			notified;
	struct list_head	lists[KEVENT_NR_LISTS];
	u32			nr_listed[KEVENT_NR_LISTS];
	/* For fdinfo alone, and where a call, or what publishes nothing, writes anyway. */
	u64			waits;
	u64			sleeps;
	u64			triggers;
	u64			left_out;
	u64			held_back;
	unsigned long		ctls;
	struct kevent_table	table;
	struct kevent_batch	*batch;
	u32			credit;
	u32			nr_kevents;
	struct mutex		mutex;		/* changes */
	struct mutex		copy_mutex;	/* outermost, over user memory */
	struct irq_work		poll_work;
	struct ucounts		*ucounts;
	struct fsnotify_group	*inode_group;
	struct kevent_clock	*clocks;
	void			*map;
	unsigned int		map_pages;
	u32			reserved;
	struct kevent_area	data;
	void			*read_buffer;
	u64			stepped;
	unsigned int		charged_pages;
	refcount_t		refs;
};

/* What ident means, and so what an interest begins with. */
enum kevent_identity {
	KEVENT_IDENT_FD,	/* a descriptor: struct kevent_file */
	KEVENT_IDENT_NUMBER,	/* a number: struct kevent_number */
	KEVENT_IDENT_NONE,	/* of ADD alone, it names nothing: struct kevent */
};

struct kevent_source_ops;

/**
 * union kevent_found - what an ADD names by more than a number
 * @inode: INODE: the path, and if @attach answers -EEXIST the id of the interest that
 *	is there
 * @sendfile: SENDFILE: the file, and a copy of the bytes that go before; NULL if
 *	@attach has taken them
 */
union kevent_found {
	struct {
		struct path	path;
		u64		exists;
	} inode;
	struct {
		struct file	*file;
		void		*header;
	} sendfile;
};

/**
 * struct kevent_entry - a change that is being applied
 * @change: what the program wrote, and what it will be told
 * @ops: of its type; NULL if there is none, or @change.result says what is wrong
 * @found: what an ADD names, if the source has @look_up
 */
struct kevent_entry {
	struct kevent_change		*change;
	const struct kevent_source_ops	*ops;
	union kevent_found		found;
};

/**
 * struct kevent_source_ops - a type of source
 * @type: as programs call it, a safe index
 * @name: for fdinfo and tracepoints
 * @size: bytes of its interests
 * @identity: what an interest is named by, besides its id
 * @ends: there is one record, every interest is a one-shot
 * @restarts: MODIFY detaches and attaches again, which then must not fail
 * @no_level: level is the same as edge, also of what is @rereadable
 * @query_in_wait: a query is for the wait calls alone: it may take long, and what it
 *	finds is published by itself
 * @steps: a query does what is to be done next, and says whether there is more, also
 *	while records are unread
 * @fills_dead: data words are filled in after the end as well
 * @rereadable: a query tells all there is: a trigger may be left out while an
 *	unread record says the same.  Else triggers are counted by the source.
 * @valid_events: events a program may ask for
 * @always_events: events every interest has
 * @add_flags: change flags that ADD takes beyond the common ones
 * @set_flags: the same for ADD, MODIFY and SET
 * @check: are addr and param of an ADD, MODIFY, SET or TRIGGER all right?  0 or a
 *	negative error number; looks at nothing else.  NULL: they must be 0.
 * @look_up: find what an ADD names.  0 or a negative error number.  May read user
 *	memory, no lock is held.  NULL: nothing to find
 * @forget: release what @look_up has found and @attach has not taken; no lock is held
 * @check_file: may @file be watched with this ADD?  0 or a negative error number
 * @check_modify: may @k be changed like that?  0 or a negative error number.
 *	user->lock is held.  NULL: yes
 * @attach: hook @k into its source and return the events that hold now, or a
 *	negative error number, after which @detach is called all the same.  May
 *	sleep; the queue's mutex is held and the file pinned; the interest is
 *	%KEVENT_F_BUSY, so that triggers only accumulate.  @found is what
 *	@look_up has found, NULL for MODIFY
 * @detach: unhook @k.  When it returns no wake function of @k runs or will run.
 *	Process context, the file pinned or in the close hook; takes the heads'
 *	locks, so not under @user->lock.
 * @free: free what @attach allocated; any context, user->lock is held.  NULL:
 *	nothing
 * @set: take what this type alone has from a MODIFY; user->lock is held, wake
 *	functions may run.  NULL: nothing
 * @modified: MODIFY was applied to @k: make sure that every wake-up from now on
 *	sees the new events and every earlier one is seen by a query that follows.
 *	The file is pinned.  NULL: nothing
 * @has_room: is there room in the data area for what a query publishes?
 *	user->lock is held.  Of types whose interests are on ROOM or SHARE
 * @query: the events that hold now.  May sleep, no lock held but the queue's
 *	mutex by ENABLE and MODIFY, the file pinned.
 *	If @rereadable or @steps only.
 * @stop: REMOVE and DISABLE are to be exact: wait until no query of @k, whose file is
 *	pinned, runs in another thread.  user->lock is held, and may be dropped meanwhile; the
 *	queue's mutex is held, so not for long, unless it @must.  0, -EINTR or -EBUSY.
 *	NULL: nothing to wait for
 * @fill: data words of a record with @bits, and its flags beyond LAST; forgets
 *	what it tells.  Any context, user->lock is held.  NULL: there are none.
 * @enable: ENABLE found nothing to publish; user->lock is held.  NULL: nothing
 * @trigger: TRIGGER: count it and return the events; user->lock is held.  NULL:
 *	not to be triggered by programs
 * @show: print to fdinfo what only this type has; user->lock is held.  NULL:
 *	nothing
 */
struct kevent_source_ops {
	u8		type;
	const char	*name;
	unsigned int	size;
	enum kevent_identity identity;
	bool		ends;
	bool		restarts;
	bool		no_level;
	bool		query_in_wait;
	bool		steps;
	bool		fills_dead;
	bool		rereadable;
	u16		valid_events;
	u16		always_events;
	u32		add_flags;
	u32		set_flags;
	int		(*check)(const struct kevent_change *change);
	int		(*look_up)(const struct kevent_change *change,
				   union kevent_found *found);
	void		(*forget)(union kevent_found *found);
	int		(*check_file)(const struct kevent_change *change,
				      struct file *file);
	int		(*check_modify)(const struct kevent *k,
					const struct kevent_change *change);
	s64		(*attach)(struct kevent *k,
				  const struct kevent_change *change,
				  union kevent_found *found);
	void		(*detach)(struct kevent *k);
	void		(*free)(struct kevent *k);
	void		(*set)(struct kevent *k,
			       const struct kevent_change *change);
	void		(*modified)(struct kevent *k);
	bool		(*has_room)(struct kevent *k);
	u32		(*query)(struct kevent *k);
	int		(*stop)(struct kevent *k, bool must);
	u16		(*fill)(struct kevent *k, u32 bits, u64 data[2]);
	void		(*enable)(struct kevent *k);
	u32		(*trigger)(struct kevent *k,
				   const struct kevent_change *change);
	void		(*show)(const struct kevent *k, struct seq_file *m);
};

/* source.c */
#define KEVENT_NR_TYPES	(KEVENT_TYPE_SENDFILE + 1)

extern const struct kevent_source_ops *const kevent_sources[KEVENT_NR_TYPES];
u64 kevent_source_types(void);
struct kevent *kevent_alloc(unsigned int type);
void kevent_free_memory(struct kevent *k, struct kevent_batch *batch);
void kevent_free_batch(struct kevent_batch *batch);

static inline const struct kevent_source_ops *kevent_ops(const struct kevent *k)
{
	return kevent_sources[k->type];
}

/* A file each, also net/core/kevent_sock.c, kevent_stream.c and fs/kevent_inode.c. */
extern const struct kevent_source_ops kevent_poll_ops;
extern const struct kevent_source_ops kevent_sock_ops;
extern const struct kevent_source_ops kevent_timer_ops;
extern const struct kevent_source_ops kevent_user_ops;
extern const struct kevent_source_ops kevent_inode_ops;
extern const struct kevent_source_ops kevent_signal_ops;
extern const struct kevent_source_ops kevent_process_ops;
extern const struct kevent_source_ops kevent_stream_ops;
extern const struct kevent_source_ops kevent_sendfile_ops;

/* core.c */
bool kevent_trigger_slow(struct kevent *k, u32 bits, unsigned long irqflags,
			 int wake_flags)
	__releases(k->user->lock);
void kevent_trigger_query(struct kevent *k, int wake_flags);
void kevent_publish_or_queue(struct kevent *k, u32 bits);
void kevent_flush_backlog(struct kevent_user *user, unsigned int budget);
void kevent_publish_bytes(struct kevent *k, u64 data0, u64 data1);
void kevent_release_busy(struct kevent *k, u32 bits);
void kevent_list_move(struct kevent *k, enum kevent_list list);
void kevent_settle(struct kevent *k, u32 bits);
void kevent_defer_query(struct kevent *k);
bool kevent_has_room(struct kevent *k);
u32 kevent_to_pass_on(struct kevent *k);
bool kevent_notify(struct kevent_user *user, int wake_flags);
bool kevent_notify_unlock(struct kevent_user *user, unsigned long irqflags,
			  int wake_flags)
	__releases(user->lock);
void kevent_end(struct kevent *k, u32 events);
bool kevent_source_gone(struct kevent *k);
void kevent_release_held(struct kevent *k);
void kevent_put(struct kevent *k);
void kevent_detach(struct kevent *k);
void kevent_reap_listed(struct kevent_user *user, bool closing);

/**
 * kevent_reap - detach one-shots that have ended
 * @user: the queue
 * @closing: it has no file any more, and what it did not consume is passed on
 *
 * Process context, no locks.
 */
static inline void kevent_reap(struct kevent_user *user, bool closing)
{
	/* One that ends right now is for the next call. */
	if (unlikely(data_race(user->nr_listed[KEVENT_REAP])))
		kevent_reap_listed(user, closing);
}

/* table.c */

/* Is there no slot for one more interest? */
static inline bool kevent_table_full(const struct kevent_table *table)
{
	/* The caller holds the mutex: a slot may get free, but none is taken. */
	return !data_race(table->free) && table->nr == table->capacity;
}

void kevent_table_init(struct kevent_table *table);
void kevent_table_free(struct kevent_table *table);
int kevent_table_grow(struct kevent_user *user);
int kevent_table_insert(struct kevent *k);
void kevent_table_unlink(struct kevent *k);
void kevent_table_erase(struct kevent *k);
struct kevent *kevent_find_id(struct kevent_user *user, u64 id);
struct kevent *kevent_next(struct kevent_user *user, u32 *n);

/* file.c */
void kevent_remember_file(struct kevent *k);
struct file *kevent_pin_file(struct kevent *k);
bool kevent_unpin_file(struct file *file);
bool kevent_pin(struct kevent *k, struct file **file);
void kevent_forget_file(struct kevent *k);

/* hook.c */
s64 kevent_hook_attach(struct kevent *k, wait_queue_func_t func, u32 key);
void kevent_hook_detach(struct kevent *k);
void kevent_hook_free(struct kevent *k);
void kevent_hook_sync(struct kevent *k);
void kevent_hook_pass_on(struct kevent *k, u32 bits);
int kevent_hook_wake_ask(wait_queue_entry_t *wait, unsigned int mode, int sync,
			 void *key);
int kevent_hook_wake_vague(struct kevent_hook *hook, struct kevent *k,
			   int wake_flags, __poll_t happened);

/**
 * kevent_hook_trust - how far are the wake-ups of a file believed?
 * @k: the interest, about to be hooked: nobody else changes its flags
 * @known: by their keys; else all who watch it are asked each time, so that there
 *	is nothing to wake exclusively, or to pass on
 * @unsure: they may tell what is not true
 */
static inline void kevent_hook_trust(struct kevent *k, bool known, bool unsure)
{
	if (!known)
		k->flags &= ~KEVENT_EXCLUSIVE;
	if (unsure)
		k->flags |= KEVENT_F_UNSURE;
}

/* Does a change use neither address nor parameters? */
static inline bool kevent_is_plain(const struct kevent_change *change)
{
	return !(change->addr | change->param[0] | change->param[1] |
		 change->param[2] | change->param[3]);
}

static inline struct kevent_file *kevent_to_file(const struct kevent *k)
{
	return container_of(k, struct kevent_file, k);
}

static inline struct kevent_number *kevent_to_number(const struct kevent *k)
{
	return container_of(k, struct kevent_number, k);
}

/**
 * kevent_hook_query - ask the file
 * @k: the interest, whose file is pinned
 * @key: events that ->poll shall look for
 *
 * Return: what ->poll returned.
 */
static inline u32 kevent_hook_query(struct kevent *k, u32 key)
{
	poll_table pt = { ._key = (__force __poll_t)key };

	return (__force u32)vfs_poll(kevent_to_file(k)->file, &pt);
}

/* What a program calls it. */
static inline u64 kevent_ident(const struct kevent *k)
{
	return kevent_ops(k)->identity == KEVENT_IDENT_NUMBER ?
	       kevent_to_number(k)->number : (u64)k->fd;
}

/**
 * struct kevent_wait_call - what the waiting calls differ in
 * @user: the queue
 * @buf: kevent_get_events(): where to; else NULL
 * @min_nr: records to wait for
 * @max_nr: kevent_get_events(): room in @buf
 * @sends: kevent_send(): what to send first
 * @nr_sends: how many
 */
struct kevent_wait_call {
	struct kevent_user	*user;
	struct ukevent __user	*buf;
	u32			min_nr;
	u32			max_nr;
	struct kevent_send __user *sends;
	u32			nr_sends;
};

/* syscalls.c */
struct kevent_user *kevent_user_of(const struct file *file);
int kevent_do_wait(const struct kevent_wait_call *call,
		   struct kevent_wait_args __user *uargs, size_t size);

/* send.c */
#ifdef CONFIG_KEVENT_IO
int kevent_send_all(struct kevent_user *user, struct kevent_send __user *sends, u32 nr,
		    bool *failed);
#else
static inline int kevent_send_all(struct kevent_user *user,
				  struct kevent_send __user *sends, u32 nr,
				  bool *failed)
{
	return -EINVAL;
}
#endif

/* pages.c */
#ifdef CONFIG_KEVENT_SENDFILE
int kevent_send_file(struct socket *sock, const struct kevent_send *send);
#else
static inline int kevent_send_file(struct socket *sock, const struct kevent_send *send)
{
	return -EOPNOTSUPP;
}
#endif

/* A call is not restarted for what it does for one of its entries or interests. */
static inline int kevent_no_restart(int ret)
{
	return unlikely(ret <= -ERESTARTSYS) ? -EINTR : ret;
}

/* changes.c */
/* What kevent_prepare() returns */
#define KEVENT_LOOKED_UP	0x1
#define KEVENT_ASKS		0x2

unsigned int kevent_prepare(struct kevent_entry *entry);
void kevent_unprepare(struct kevent_entry *entry);
int kevent_apply(struct kevent_user *user, struct kevent_entry *entry);
void kevent_undo_add(struct kevent_user *user, struct kevent_change *added);

/* user.c */
extern const struct file_operations kevent_fops;
struct kevent_user *kevent_user_alloc(u32 entries, bool noring, u32 data_size);
void kevent_user_put(struct kevent_user *user);

/**
 * struct kevent_wait_spec - how long a wait may take
 * @may_sleep: sleep at all
 * @has_deadline: @deadline is meant
 * @clock: clock of @deadline
 * @deadline: end of the wait on @clock, in host time
 * @min_wait_ns: longest wait for more once there is a record, 0 for no limit
 * @min_wait_end: when that ends on CLOCK_MONOTONIC, 0 if it has not begun
 * @budget: level interests to look at even if there are enough records
 * @copied: records that the call has copied already
 * @calls: 1 until the call is counted, then 0
 */
struct kevent_wait_spec {
	bool		may_sleep;
	bool		has_deadline;
	clockid_t	clock;
	ktime_t		deadline;
	u64		min_wait_ns;
	ktime_t		min_wait_end;
	u32		budget;
	u32		copied;
	u32		calls;
};

/* wait.c */
int kevent_wait_ring(struct kevent_user *user, u32 min_nr,
		     struct kevent_wait_spec *spec);
int kevent_wait_copy(struct kevent_user *user, struct ukevent __user *buf,
		     u32 min_nr, u32 max_nr, struct kevent_wait_spec *spec);
bool kevent_wake_waiters(struct kevent_user *user, int wake_flags);

/* fs/kevent_inode.c */
#ifdef CONFIG_KEVENT_INODE
void kevent_inode_put_group(struct kevent_user *user);
#else
static inline void kevent_inode_put_group(struct kevent_user *user)
{
}
#endif

/* timer.c */
#ifdef CONFIG_KEVENT_TIMER
void kevent_timer_put_clocks(struct kevent_user *user);
void kevent_timer_catch_up(struct kevent_user *user);
#else
static inline void kevent_timer_catch_up(struct kevent_user *user)
{
}

static inline void kevent_timer_put_clocks(struct kevent_user *user)
{
}
#endif

/* limits.c */
extern int sysctl_kevent_disabled;
extern int sysctl_kevent_io_disabled;
extern int sysctl_kevent_sendfile_disabled;
bool kevent_may(const int *disabled);
struct ucounts *kevent_charge_queue(void);
void kevent_uncharge_queue(struct ucounts *ucounts);
bool kevent_charge(struct kevent_user *user);
void kevent_uncharge(struct kevent_user *user);
void kevent_uncharge_all(struct kevent_user *user);
bool kevent_charge_pages(struct kevent_user *user, unsigned int nr);
void kevent_uncharge_pages(struct kevent_user *user, unsigned int nr);

/* fdinfo.c */
void kevent_show_fdinfo(struct seq_file *m, struct file *file);

/**
 * kevent_lock - take a queue's lock
 * @user: the queue
 *
 * The barrier orders what the source changed before its wake-up against
 * reading the consumer index; it pairs with fence E of the consumer.
 *
 * Return: interrupt state for kevent_unlock().
 */
static __always_inline unsigned long kevent_lock(struct kevent_user *user)
	__acquires(user->lock)
{
	unsigned long irqflags;

	spin_lock_irqsave(&user->lock, irqflags);
	/* pairs with fence E of the consumer, see ukevent.h */
	smp_mb__after_spinlock();
	return irqflags;
}

/**
 * kevent_unlock_wake - drop a queue's lock and wake who waits for what was done
 * @user: the queue
 * @irqflags: from kevent_lock()
 * @wake_flags: of the source's wake-up, for the scheduler
 *
 * Return: whether somebody who waits for records was woken.
 */
static __always_inline bool kevent_unlock_wake(struct kevent_user *user,
					       unsigned long irqflags,
					       int wake_flags)
	__releases(user->lock)
{
	if (unlikely(user->attention & KEVENT_A_SLEEPERS))
		return kevent_notify_unlock(user, irqflags, wake_flags);
	spin_unlock_irqrestore(&user->lock, irqflags);
	return false;
}

/* The same where no source has woken. */
static __always_inline void kevent_unlock(struct kevent_user *user,
					  unsigned long irqflags)
	__releases(user->lock)
{
	kevent_unlock_wake(user, irqflags, 0);
}

/* The same for process context, where interrupts are open. */
static __always_inline void kevent_lock_irq(struct kevent_user *user)
	__acquires(user->lock)
{
	spin_lock_irq(&user->lock);
	/* pairs with fence E of the consumer, see ukevent.h */
	smp_mb__after_spinlock();
}

static __always_inline void kevent_unlock_irq(struct kevent_user *user)
	__releases(user->lock)
{
	if (unlikely(user->attention & KEVENT_A_SLEEPERS))
		kevent_notify(user, 0);
	spin_unlock_irq(&user->lock);
}

/* Is there a level interest whose record was consumed, to be looked at? */
static inline bool kevent_recheck_due(struct kevent_user *user)
{
	const struct kevent *k =
		list_first_entry_or_null(&user->lists[KEVENT_RECHECK],
					 struct kevent, link);

	/* In the order of publication: if not this one, none. */
	return k && k->pos <= user->consumed;
}

#endif /* _KERNEL_KEVENT_H */
