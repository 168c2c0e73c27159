// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source SENDFILE - part of a file, sent on a stream socket
 *
 * The way of a page
 * -----------------
 *
 *   ADD defers the interest, and the next kevent_wait() calls
 *                             kevent_sendfile_query()   one step, of one thread
 *    which looks for pages,   kevent_pages_get()        in the page cache only
 *     hands them over,        sock_sendmsg()            MSG_SPLICE_PAGES, no wait
 *     starts readahead,       kevent_sendfile_fetch()
 *    and ends with            kevent_sendfile_end()     records, and what comes next
 *
 * There is no thread.  A step that finds a page locked, as it is being read, leaves an
 * entry in the wait queue of its folio; one that finds no room is hooked into the
 * socket, which costs something with each of its wake-ups and so comes last; one that
 * has used up its turn is deferred again, behind the others.  Each of these has the next
 * kevent_wait() take another step.  A step may sleep as submitting a read does, for
 * metadata of the file or for a truncation of it, but not for its data.
 *
 * A socket has one transfer at a time, and says so by a bit, as an array of sends must
 * not tear what is sent.
 *
 * Who is to stop it (REMOVE, DISABLE) waits for the step that runs, which ends early
 * then; if that is asleep for long, the change is refused.  So what the last record says
 * is what the socket was given, to the byte.
 * The last close of the socket, and that of the queue, find no step: it pins both.
 *
 * Locks: none is held over a step.  The wake function of the folio runs under the lock
 * of a hashed wait queue, with interrupts off, that of the socket under the one of its
 * own; both only defer the interest, under user->lock.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>
#include <net/sock.h>
#include <net/tls.h>

#include "kevent.h"
#include "pages.h"
#include "sock.h"
#include "trigger.h"

/* Bytes that a step sends. */
#define KEVENT_SENDFILE_TURN	(256U << 10)

/* What a step costs a walk at least, and what having pages read costs it. */
#define KEVENT_SENDFILE_COST	(16U << 10)

/* Time until the next step of one that nothing is sure to wake. */
#define KEVENT_SENDFILE_RETRY	msecs_to_jiffies(10)

/* Fruitless steps, and rounds of a step, after which that is waited for. */
#define KEVENT_SENDFILE_FRUITLESS	2
#define KEVENT_SENDFILE_ROUNDS		8

/* Time that REMOVE and DISABLE wait for a step. */
#define KEVENT_SENDFILE_PATIENCE	HZ

/*
 * Waiters for folios, of all queues: the wait queues are few and shared, and walked with
 * interrupts off.  Who comes then looks again.
 */
#define KEVENT_SENDFILE_WAITERS	1024

static atomic_t kevent_sendfile_waiters = ATOMIC_INIT(0);

/* Events of poll(2) that a transfer has something to do about. */
#define KEVENT_SENDFILE_WAKE	(EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP | POLLFREE)

/* struct kevent_sendfile.state; user->lock */
#define KEVENT_SENDFILE_STEPPING	0x01	/* a step runs */
#define KEVENT_SENDFILE_AGAIN		0x02	/* and another one is to follow */
#define KEVENT_SENDFILE_STOP		0x04	/* somebody waits for it to end */

/* Reads of one page by itself: it may be taken away, and written in part, meanwhile. */
#define KEVENT_SENDFILE_READS		3

/**
 * struct kevent_sendfile - an interest of type SENDFILE
 * @f: what interests in files have: it is the socket
 * @wait: in the queue of the folio that is waited for, which is NULL for none
 * @retry: has a step taken where nothing is sure to wake it
 * @ra: a state of readahead of its own: others may send from the same file
 * @file: what is sent.  NULL: it is over
 * @cred: of who has added it, for sending
 * @header: bytes that go before those of the file, NULL if they have gone
 * @header_sent: how many of them have gone
 * @header_len: how many there are
 * @begin: position in the file of the first byte
 * @pos: position of the next one; the step's, others read it without a lock
 * @end: position after the last one, LLONG_MAX for the end of the file
 * @told: @pos as the newest record has it
 * @read: index of the page that was read by itself, after readahead of it had failed
 * @reads: how often that was done
 * @waits: it counts among those that wait for a folio
 * @holds: the socket has our bit
 * @mark: bytes from a record of progress to the next
 * @ended: events of the end, 0 before
 * @error: what went wrong
 * @state: %KEVENT_SENDFILE_STEPPING and so on
 * @fruitless: steps in a row that did not get on, and had no reason to wait
 * @more: the last byte is not to be pushed, if that is what was asked for: the program
 *	says what follows that, not what follows an early end of the file
 *
 * What has no word on it is the step's, or that of who attaches or detaches.
 */
struct kevent_sendfile {
	struct kevent_file	f;
	struct wait_page_queue	wait;
	struct timer_list	retry;
	struct file_ra_state	ra;
	struct file		*file;
	const struct cred	*cred;
	void			*header;
	u16			header_sent;
	u16			header_len;
	u32			mark;
	loff_t			begin;
	loff_t			pos;
	loff_t			end;
	loff_t			told;
	pgoff_t			read;
	u16			ended;
	u16			error;
	u8			state;
	u8			fruitless;
	u8			reads;
	bool			waits;
	bool			holds;
	bool			more;
};

static inline struct kevent_sendfile *kevent_to_sendfile(const struct kevent *k)
{
	return container_of(k, struct kevent_sendfile, f.k);
}

/**
 * struct kevent_step - a step
 * @sock: the socket
 * @inode: of kevent_file_inode()
 * @begin: position in the file at its beginning
 * @rounds: rounds since something was sent
 * @cost: what it costs a walk, beside the bytes
 * @room: the socket was asked for room, where that is no promise
 * @corked: the last byte that was sent was not pushed, as others were to follow
 */
struct kevent_step {
	struct socket	*sock;
	struct inode	*inode;
	loff_t		begin;
	u32		rounds;
	u32		cost;
	bool		room;
	bool		corked;
};

/* What a step ends with, beside negative error numbers. */
enum kevent_stepped {
	KEVENT_STEPPED_GO_ON,	/* only while it runs */
	KEVENT_STEPPED_TURN,	/* its turn is over */
	KEVENT_STEPPED_WAIT,	/* it will be woken */
	KEVENT_STEPPED_ROOM,	/* the same, by the socket */
	KEVENT_STEPPED_OWNED,	/* somebody else has the socket */
	KEVENT_STEPPED_RETRY,	/* there was no memory, or the like */
	KEVENT_STEPPED_SWAPPED,	/* a page of a file in memory is not in memory */
	KEVENT_STEPPED_DONE,
};

/* ---- waiting for a page ---- */

/* Does not wait any more: whoever finds that first, the program may come late. */
static void kevent_sendfile_count_out(struct kevent_sendfile *s)
{
	if (xchg(&s->waits, false))
		atomic_dec(&kevent_sendfile_waiters);
}

/* A page that is waited for was unlocked; the lock of its wait queue is held. */
static int kevent_sendfile_wake_folio(wait_queue_entry_t *entry, unsigned int mode,
				      int sync, void *arg)
{
	struct kevent_sendfile *s = container_of(entry, struct kevent_sendfile, wait.wait);

	/* Others have the same queue. */
	if (!wake_page_match(&s->wait, arg))
		return 0;
	list_del_init(&entry->entry);
	kevent_sendfile_count_out(s);
	kevent_trigger_query(&s->f.k, 0);
	return 0;
}

static void kevent_sendfile_leave_folio(struct kevent_sendfile *s)
{
	struct folio *folio = s->wait.folio;

	if (!folio)
		return;
	folio_remove_wait_queue(folio, &s->wait.wait);
	s->wait.folio = NULL;
	folio_put(folio);
	kevent_sendfile_count_out(s);
}

/* Have the interest woken when @folio is unlocked, unless it is. */
static int kevent_sendfile_await_folio(struct kevent_sendfile *s, struct folio *folio)
{
	if (!folio_test_locked(folio))
		return KEVENT_STEPPED_GO_ON;
	if (atomic_inc_return(&kevent_sendfile_waiters) > KEVENT_SENDFILE_WAITERS) {
		atomic_dec(&kevent_sendfile_waiters);
		return KEVENT_STEPPED_RETRY;
	}
	folio_get(folio);
	s->waits = true;
	s->wait.folio = folio;
	s->wait.bit_nr = PG_locked;
	folio_add_wait_queue(folio, &s->wait.wait);
	/* pairs with folio_unlock(): that finds the waiter, or this that it is unlocked */
	smp_mb();
	if (folio_test_locked(folio))
		return KEVENT_STEPPED_WAIT;
	kevent_sendfile_leave_folio(s);
	return KEVENT_STEPPED_GO_ON;
}

/*
 * Read a page by itself: readahead of it has failed, or was undone.  The four file
 * systems only submit it here.
 */
static int kevent_sendfile_read(struct kevent_sendfile *s, struct file *file,
				struct address_space *mapping, struct folio *folio)
{
	int ret = KEVENT_STEPPED_GO_ON;

	filemap_invalidate_lock_shared(mapping);
	if (!folio_trylock(folio))
		goto out;
	if (folio->mapping != mapping || folio_test_uptodate(folio)) {
		folio_unlock(folio);
	} else if (s->read == folio->index && s->reads == KEVENT_SENDFILE_READS) {
		folio_unlock(folio);
		ret = -EIO;
	} else {
		if (s->read != folio->index)
			s->reads = 0;
		s->read = folio->index;
		s->reads++;
		ret = mapping->a_ops->read_folio(file, folio);
		if (!ret)
			ret = KEVENT_STEPPED_GO_ON;
		else if (ret != -ENOMEM)
			ret = ret == AOP_TRUNCATED_PAGE ? KEVENT_STEPPED_GO_ON : -EIO;
	}
out:
	filemap_invalidate_unlock_shared(mapping);
	return ret;
}

/**
 * kevent_sendfile_fetch - the page at the position is not there, or not up to date
 * @s: the interest
 * @step: its step
 * @folio: what there is of it, or NULL
 *
 * Return: %KEVENT_STEPPED_GO_ON to look again, or what the step ends with.
 */
static int kevent_sendfile_fetch(struct kevent_sendfile *s, struct kevent_step *step,
				 struct folio *folio)
{
	struct address_space *mapping = step->inode->i_mapping;
	/* Of an overlay it is not the file that reads. */
	struct file *file = mapping == s->file->f_mapping ? s->file : NULL;
	pgoff_t index = folio ? folio->index : s->pos >> PAGE_SHIFT;
	unsigned long nr = min_t(u64, KEVENT_PAGES,
				 ((s->end - 1) >> PAGE_SHIFT) - (s->pos >> PAGE_SHIFT) + 1);
	DEFINE_READAHEAD(ractl, file, &s->ra, mapping, index);
	int ret = KEVENT_STEPPED_GO_ON;
	unsigned int noio;

	if (shmem_mapping(mapping))
		return xa_is_value(xa_load(&mapping->i_pages, index)) ?
		       KEVENT_STEPPED_SWAPPED : KEVENT_STEPPED_GO_ON;
	step->cost += KEVENT_SENDFILE_COST;
	noio = memalloc_noio_save();
	if (folio) {
		/* First of all: else the disk is idle when this one is there. */
		if (folio_test_readahead(folio))
			page_cache_async_ra(&ractl, folio, nr);
		ret = kevent_sendfile_await_folio(s, folio);
		if (ret == KEVENT_STEPPED_GO_ON && !folio_test_uptodate(folio))
			ret = kevent_sendfile_read(s, file, mapping, folio);
	} else if (!step->rounds) {
		page_cache_sync_ra(&ractl, nr);
	} else {
		/*
		 * Of a file whose bytes are in its inode it takes the pages away again:
		 * not this one, which is read in the next round.  Beside a truncation
		 * it may be one behind the end, as with read(2).
		 */
		s->ra.size = mapping_min_folio_nrpages(mapping);
		s->ra.async_size = 0;
		page_cache_ra_unbounded(&ractl, 1, 0);
	}
	memalloc_noio_restore(noio);
	return ret;
}

/* The batch that was sent has reached the mark: let the next pages be read. */
static void kevent_sendfile_read_on(struct kevent_sendfile *s, struct kevent_step *step,
				    struct folio *folio)
{
	struct address_space *mapping = step->inode->i_mapping;
	struct file *file = mapping == s->file->f_mapping ? s->file : NULL;
	DEFINE_READAHEAD(ractl, file, &s->ra, mapping, folio->index);
	unsigned int noio = memalloc_noio_save();

	step->cost += KEVENT_SENDFILE_COST;
	page_cache_async_ra(&ractl, folio, KEVENT_PAGES);
	memalloc_noio_restore(noio);
}

/* ---- waiting for the socket ---- */

static int kevent_sendfile_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
				void *key)
{
	struct kevent *k = kevent_of_wait(wait);
	__poll_t happened = key_to_poll(key);

	trace_kevent_wake(k, (__force u32)happened);
	/* Without a key its state has changed. */
	if (happened && !(happened & KEVENT_SENDFILE_WAKE))
		return 0;
	return kevent_hook_wake_vague(&kevent_to_file(k)->hook, k, sync, happened);
}

static void kevent_sendfile_retry(struct timer_list *timer)
{
	struct kevent_sendfile *s = from_timer(s, timer, retry);

	kevent_trigger_query(&s->f.k, 0);
}

/* Does a sender of kTLS have it?  Who waits for room keeps that lock. */
static bool kevent_sock_tls_busy(const struct sock *sk)
{
	bool busy = false;
#if IS_ENABLED(CONFIG_TLS)
	const struct tcp_ulp_ops *ulp;
	struct tls_context *tls;

	rcu_read_lock();
	ulp = READ_ONCE(inet_csk(sk)->icsk_ulp_ops);
	if (unlikely(ulp) && !strcmp(ulp->name, "tls")) {
		tls = rcu_dereference(inet_csk(sk)->icsk_ulp_data);
		busy = tls && mutex_is_locked(&tls->tx_lock);
	}
	rcu_read_unlock();
#endif
	return busy;
}

/*
 * Who owns a TCP socket may sleep for as long as it likes (a page fault of its
 * sendmsg()): a step does not wait for it, nearly always.
 */
static bool kevent_sock_owned(const struct sock *sk)
{
	if (!kevent_sock_is_tcp(sk))
		return false;
	/* It may be one the next moment: then the step waits after all. */
	return data_race(sock_owned_by_user_nocheck(sk)) || kevent_sock_tls_busy(sk);
}

/* Is a wake-up certain once a send has found no room?  Not of what is above TCP. */
static bool kevent_sock_tells_room(const struct sock *sk)
{
	return kevent_sock_sends_plain(sk) || sk->sk_family == AF_UNIX;
}

/*
 * The socket did not take all.  Will it wake when there is room?  Else there is some
 * already, or it has something else to say; one that says so again is left alone.
 */
static int kevent_sendfile_await_room(struct kevent_sendfile *s, struct kevent_step *step)
{
	const u32 key = (__force u32)(EPOLLOUT | EPOLLERR | EPOLLHUP);
	struct kevent_hook *hook = &s->f.hook;
	struct kevent *k = &s->f.k;
	s64 mask;

	if (!hook->wait.func) {
		mask = kevent_hook_attach(k, kevent_sendfile_wake, key);
		if (mask < 0) {
			/* As it was: there are no wake-ups in there any more. */
			kevent_hook_detach(k);
			kevent_hook_free(k);
			hook->wait.private = NULL;
			hook->wait.func = NULL;
			return KEVENT_STEPPED_RETRY;
		}
	} else if (!kevent_sock_tells_room(step->sock->sk)) {
		/* It may have to be asked before it tells. */
		mask = kevent_hook_query(k, key);
	} else {
		return KEVENT_STEPPED_ROOM;
	}
	if (!(mask & key))
		return KEVENT_STEPPED_ROOM;
	if (step->room)
		return KEVENT_STEPPED_RETRY;
	step->room = true;
	return KEVENT_STEPPED_GO_ON;
}

/* ---- the step ---- */

/* Are there no more bytes of the file to be sent? */
static bool kevent_sendfile_at_end(const struct kevent_sendfile *s,
				   const struct inode *inode)
{
	return s->pos >= min(s->end, i_size_read(inode));
}

static int kevent_sendfile_send_header(struct kevent_sendfile *s,
				       struct kevent_step *step)
{
	struct kvec vec = {
		.iov_base = s->header + s->header_sent,
		.iov_len = s->header_len - s->header_sent,
	};
	bool last = kevent_sendfile_at_end(s, step->inode);
	/* Pushed at the end of the step, if the first page is not there. */
	bool cork = !last && kevent_sock_sends_plain(step->sock->sk);
	struct msghdr msg = {};
	bool whole;
	int ret;

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	/* Of a file that ends before it should nothing is held back. */
	whole = last && (s->pos >= s->end || s->end == LLONG_MAX);
	ret = kevent_sock_give(step->sock, &msg, cork || (s->more && whole));
	if (ret < 0)
		return ret;
	s->header_sent += ret;
	step->room = false;
	if (s->header_sent < s->header_len)
		return kevent_sock_tells_room(step->sock->sk) ? -EAGAIN :
								KEVENT_STEPPED_GO_ON;
	step->corked = cork;
	kfree(s->header);
	s->header = NULL;
	return KEVENT_STEPPED_GO_ON;
}

/*
 * Send a batch.  Return %KEVENT_STEPPED_GO_ON if that was done, and what else there is
 * to do otherwise.
 */
static int kevent_sendfile_batch(struct kevent_sendfile *s, struct kevent_step *step)
{
	struct kevent_pages pages;
	bool cork;
	int ret;

	ret = kevent_pages_get(&pages, step->inode, s->pos, s->end);
	if (ret)
		goto out;
	if (!pages.bytes) {
		ret = pages.ended ? KEVENT_STEPPED_DONE :
				    kevent_sendfile_fetch(s, step, pages.folio);
		goto out;
	}
	/* Nothing stays corked between two steps: there may be no other one. */
	cork = s->pos + pages.bytes - step->begin < KEVENT_SENDFILE_TURN &&
	       kevent_pages_cork(&pages, step->sock->sk);
	ret = kevent_pages_send(&pages, step->sock, cork || (s->more && pages.whole));
	if (ret < 0)
		goto out;
	WRITE_ONCE(s->pos, s->pos + ret);
	s->ra.prev_pos = s->pos;
	s->read = ULONG_MAX;
	step->corked = cork && ret == pages.bytes;
	step->room = false;
	if (pages.folio && s->pos > folio_pos(pages.folio))
		kevent_sendfile_read_on(s, step, pages.folio);
	ret = ret < pages.bytes && kevent_sock_tells_room(step->sock->sk) ?
	      -EAGAIN : KEVENT_STEPPED_GO_ON;
out:
	kevent_pages_put(&pages);
	return ret;
}

/* One round: return %KEVENT_STEPPED_GO_ON if another one is to follow. */
static int kevent_sendfile_round(struct kevent_sendfile *s, struct kevent_step *step)
{
	int ret;

	/* Before its turn is over: no step is to follow for that alone. */
	if (!s->header && kevent_sendfile_at_end(s, step->inode))
		return KEVENT_STEPPED_DONE;
	if (s->pos - step->begin >= KEVENT_SENDFILE_TURN ||
	    READ_ONCE(s->state) & KEVENT_SENDFILE_STOP || fatal_signal_pending(current))
		return KEVENT_STEPPED_TURN;
	if (step->rounds >= KEVENT_SENDFILE_ROUNDS)
		return KEVENT_STEPPED_RETRY;
	if (kevent_sock_owned(step->sock->sk))
		return KEVENT_STEPPED_OWNED;
	if (s->header)
		ret = kevent_sendfile_send_header(s, step);
	else
		ret = kevent_sendfile_batch(s, step);
	switch (ret) {
	case -EAGAIN:
		return kevent_sendfile_await_room(s, step);
	case -ENOMEM:
	case -ENOBUFS:
	case -EINTR:	/* It had to wait. */
		return KEVENT_STEPPED_RETRY;
	}
	return ret;
}

/* Send as much as a turn may, and can.  Nobody else does that for @s. */
static int kevent_sendfile_step(struct kevent_sendfile *s, struct kevent_step *step)
{
	const struct cred *old;
	u64 done;
	int ret;

	kevent_sendfile_leave_folio(s);
	if (!kevent_inode_sends(step->inode))	/* an overlay's was copied up */
		return -EOPNOTSUPP;
	old = override_creds(s->cred);
	do {
		done = (u64)s->pos + s->header_sent;
		ret = kevent_sendfile_round(s, step);
		step->rounds = (u64)s->pos + s->header_sent == done ?
			       step->rounds + 1 : 0;
		cond_resched();
	} while (ret == KEVENT_STEPPED_GO_ON);
	if (step->corked)
		kevent_sock_push(step->sock);
	revert_creds(old);
	if (s->pos > step->begin)
		kevent_file_account(s->file, s->pos - step->begin);
	return ret;
}

/* Is a step to be taken?  Then nobody else takes one. */
static bool kevent_sendfile_begin(struct kevent_sendfile *s)
{
	struct kevent *k = &s->f.k;
	bool begun = false;

	kevent_lock_irq(k->user);
	if (k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED)) {
		/* What ended it, or will enable it, goes before. */
	} else if (unlikely(s->ended)) {
		kevent_settle(k, s->ended);
	} else if (k->list == KEVENT_BACKLOG) {
		/* Another step has told of progress: that may end it, and comes first. */
		k->flags |= KEVENT_F_QUERY;
	} else if (s->state & (KEVENT_SENDFILE_STEPPING | KEVENT_SENDFILE_STOP)) {
		s->state |= KEVENT_SENDFILE_AGAIN;
	} else {
		/* What waits to be told is told anew, with what comes now. */
		k->pending = 0;
		if (k->list != KEVENT_NO_LIST)
			kevent_list_move(k, KEVENT_NO_LIST);
		k->flags &= ~KEVENT_F_QUERY;
		s->state |= KEVENT_SENDFILE_STEPPING;
		begun = true;
	}
	kevent_unlock_irq(k->user);
	return begun;
}

/*
 * Nothing more is sent: let others send.  With the last record, in whatever thread, which
 * holds user->lock: who detaches takes that before it lets go of the socket.
 */
static void kevent_sendfile_let_others(struct kevent_sendfile *s)
{
	struct socket *sock;

	/* Later there may be none. */
	if (!xchg(&s->holds, false))
		return;
	sock = s->f.file->private_data;
	clear_bit(SOCK_SENDING_FILE, &sock->flags);
}

/* Let go of everything.  What is told of the interest stays. */
static void kevent_sendfile_release(struct kevent_sendfile *s)
{
	kevent_sendfile_leave_folio(s);
	kevent_sendfile_let_others(s);
	if (s->file)
		fput(s->file);
	s->file = NULL;
	kfree(s->header);
	s->header = NULL;
}

/* Have another step taken; user->lock is held. */
static void kevent_sendfile_defer(struct kevent_sendfile *s)
{
	struct kevent *k = &s->f.k;

	s->state &= ~KEVENT_SENDFILE_AGAIN;
	if (k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED) || s->ended)
		return;
	k->flags |= KEVENT_F_QUERY;
	kevent_defer_query(k);
}

/*
 * Is the next step for the timer?  A send that fails for want of memory wakes the socket
 * by itself: do not go round with it.  That can be told from others by what they find:
 * nothing.  user->lock is held.
 */
static bool kevent_sendfile_is_fruitless(struct kevent_sendfile *s, int ret, bool moved)
{
	struct kevent *k = &s->f.k;
	bool again = k->flags & KEVENT_F_QUERY || s->state & KEVENT_SENDFILE_AGAIN;

	if (ret == KEVENT_STEPPED_OWNED)
		again = true;
	else if (ret != KEVENT_STEPPED_ROOM && ret != KEVENT_STEPPED_RETRY)
		again = false;
	if (moved || !again)
		s->fruitless = 0;
	if (ret != KEVENT_STEPPED_RETRY) {
		if (!again)
			return false;
		if (s->fruitless < KEVENT_SENDFILE_FRUITLESS) {
			s->fruitless++;
			s->state |= KEVENT_SENDFILE_AGAIN;
			return false;
		}
	}
	k->flags &= ~KEVENT_F_QUERY;
	if (k->list == KEVENT_STEPS)
		kevent_list_move(k, KEVENT_NO_LIST);
	s->state &= ~KEVENT_SENDFILE_AGAIN;
	return true;
}

/* What the transfer tells when it is over. */
static u32 kevent_sendfile_finish(struct kevent_sendfile *s, int ret)
{
	u32 bits = KEVENT_SENDFILE_DONE;

	if (ret == KEVENT_STEPPED_SWAPPED)
		ret = -EAGAIN;
	if (ret < 0) {
		s->error = -ret;
		bits |= KEVENT_SENDFILE_ERROR;
	} else if (s->pos < s->end && s->end != LLONG_MAX) {
		bits |= KEVENT_SENDFILE_EOF;
	}
	/* May wait for a journal: once, and not for one that is removed. */
	if (s->pos > s->begin)
		file_accessed(s->file);
	kevent_sendfile_release(s);
	return bits;
}

/* A step is over: tell what it did, and see to the next one. */
static void kevent_sendfile_end(struct kevent_sendfile *s,
				const struct kevent_step *step, int ret)
{
	struct kevent *k = &s->f.k;
	u32 bits = 0, ended = 0;
	bool stop;

	if (ret < 0 || ret >= KEVENT_STEPPED_SWAPPED)
		ended = kevent_sendfile_finish(s, ret);

	kevent_lock_irq(k->user);
	trace_kevent_step(k, s->pos - step->begin, ret);
	k->user->stepped += max_t(u64, s->pos - step->begin + step->cost,
				  KEVENT_SENDFILE_COST);
	if (ended) {
		s->ended = ended;
		bits = ended;
		/* As kevent_source_gone(): the record ends it. */
		k->flags &= ~(KEVENT_MODES | KEVENT_F_QUERY);
		k->flags |= KEVENT_ONESHOT | KEVENT_F_GONE;
		k->pending = 0;		/* it says more than progress did */
	} else if (kevent_sendfile_is_fruitless(s, ret, s->pos > step->begin)) {
		mod_timer(&s->retry, jiffies + KEVENT_SENDFILE_RETRY);
	}
	if (!ended && s->mark && s->pos - s->told >= s->mark)
		bits |= KEVENT_SENDFILE_PROGRESS;
	s->state &= ~KEVENT_SENDFILE_STEPPING;
	kevent_settle(k, bits);
	if (ret == KEVENT_STEPPED_TURN || s->state & KEVENT_SENDFILE_AGAIN)
		kevent_sendfile_defer(s);
	stop = s->state & KEVENT_SENDFILE_STOP;
	kevent_unlock_irq(k->user);
	if (stop) {
		/* pairs with the waiter, which queues itself and then looks at the state */
		smp_mb();
		wake_up_var(&s->state);
	}
}

static u32 kevent_sendfile_query(struct kevent *k)
{
	struct kevent_sendfile *s = kevent_to_sendfile(k);

	if (kevent_sendfile_begin(s)) {
		struct kevent_step step = {
			.sock = kevent_to_file(k)->file->private_data,
			.inode = kevent_file_inode(s->file),
			.begin = s->pos,
		};

		kevent_sendfile_end(s, &step, kevent_sendfile_step(s, &step));
	}
	/* It was told, in the section that ends the step. */
	return 0;
}

/*
 * Wait until no step runs; not for long, with the queue's mutex held, unless that cannot
 * be refused.  user->lock is held, and dropped meanwhile.
 */
static int kevent_sendfile_stop(struct kevent *k, bool must)
	__must_hold(k->user->lock)
{
	long left = must ? MAX_SCHEDULE_TIMEOUT : KEVENT_SENDFILE_PATIENCE;
	unsigned int state = must ? TASK_KILLABLE : TASK_INTERRUPTIBLE;
	struct kevent_sendfile *s = kevent_to_sendfile(k);
	bool stopped;
	long ret;

	if (likely(!(s->state & KEVENT_SENDFILE_STEPPING)))
		return 0;
	/* No step begins as long as STOP is set. */
	WRITE_ONCE(s->state, s->state | KEVENT_SENDFILE_STOP);
	kevent_unlock_irq(k->user);
	ret = ___wait_var_event(&s->state,
				!(READ_ONCE(s->state) & KEVENT_SENDFILE_STEPPING) || !left,
				state, 0, 0, left = schedule_timeout(left));
	kevent_lock_irq(k->user);
	stopped = !(s->state & KEVENT_SENDFILE_STEPPING);
	s->state &= ~KEVENT_SENDFILE_STOP;
	/* Who stopped it does something about that. */
	if (s->state & KEVENT_SENDFILE_AGAIN)
		kevent_sendfile_defer(s);
	if (stopped)
		return 0;
	return ret ? -EINTR : -EBUSY;
}

/* ---- the interest ---- */

#define KEVENT_SENDFILE_MARK_OF(param)		((u32)(param))
#define KEVENT_SENDFILE_HEADER_OF(param)	((u16)((param) >> 48))

static int kevent_sendfile_check(const struct kevent_change *change)
{
	u64 fd = change->param[KEVENT_SENDFILE_FD];
	u64 offset = change->param[KEVENT_SENDFILE_OFFSET];
	u64 length = change->param[KEVENT_SENDFILE_LENGTH];
	u64 more = change->param[KEVENT_SENDFILE_MARK];
	u16 header = KEVENT_SENDFILE_HEADER_OF(more);

	if (change->op == KEVENT_OP_SET)
		return -EOPNOTSUPP;
	/* A transfer is what it is, and can be paused or ended. */
	if (change->op == KEVENT_OP_MODIFY)
		return -EINVAL;
	if (offset > LLONG_MAX ||
	    (length != KEVENT_SENDFILE_TO_END && length > LLONG_MAX - offset) ||
	    more & ~KEVENT_SENDFILE_HEADER(0xffff) & ~(u64)U32_MAX ||
	    header > KEVENT_SENDFILE_MAX_HEADER || !header != !change->addr ||
	    !(change->events & KEVENT_SENDFILE_PROGRESS) != !KEVENT_SENDFILE_MARK_OF(more))
		return -EINVAL;
	return fd > INT_MAX ? -EBADF : 0;
}

static int kevent_sendfile_look_up(const struct kevent_change *change,
				   union kevent_found *found)
{
	u64 offset = change->param[KEVENT_SENDFILE_OFFSET];
	u64 length = min(change->param[KEVENT_SENDFILE_LENGTH], LLONG_MAX - offset);
	u16 header = KEVENT_SENDFILE_HEADER_OF(change->param[KEVENT_SENDFILE_MARK]);
	struct inode *inode;
	struct file *file;
	void *bytes = NULL;
	int ret;

	file = fget(change->param[KEVENT_SENDFILE_FD]);
	if (!file)
		return -EBADF;
	inode = kevent_file_may_send(file, offset, length);
	ret = PTR_ERR_OR_ZERO(inode);
	if (ret)
		goto put;
	if (header) {
		ret = -ENOMEM;
		bytes = kmalloc(header, KEVENT_GFP);
		if (!bytes)
			goto put;
		ret = -EFAULT;
		if (copy_from_user(bytes, u64_to_user_ptr(change->addr), header))
			goto free;
	}
	found->sendfile.file = file;
	found->sendfile.header = bytes;
	return 0;
free:
	kfree(bytes);
put:
	fput(file);
	return ret;
}

static void kevent_sendfile_forget(union kevent_found *found)
{
	if (found->sendfile.file)
		fput(found->sendfile.file);
	kfree(found->sendfile.header);
}

static int kevent_sendfile_check_file(const struct kevent_change *change,
				      struct file *file)
{
	struct socket *sock = sock_from_file(file);
	int state;

	if (!sock)
		return -ENOTSOCK;
	if (!kevent_sock_is_stream(sock))
		return -EOPNOTSUPP;
	state = inet_sk_state_load(sock->sk);
	if (state == TCP_LISTEN)
		return -EINVAL;
	/* To one that was reset after accept() nothing can be sent, and that is told. */
	if (READ_ONCE(sock->state) != SS_CONNECTED &&
	    !(kevent_sock_is_tcp(sock->sk) && kevent_sock_connected(state)))
		return -ENOTCONN;
	/* As sendfile(2), but for fanotify, which has nothing to say of sockets. */
	return security_file_permission(file, MAY_WRITE);
}

static s64 kevent_sendfile_attach(struct kevent *k, const struct kevent_change *change,
				  union kevent_found *found)
{
	struct kevent_sendfile *s = kevent_to_sendfile(k);
	struct socket *sock = kevent_to_file(k)->file->private_data;
	u64 length = change->param[KEVENT_SENDFILE_LENGTH];
	u64 more = change->param[KEVENT_SENDFILE_MARK];

	init_waitqueue_func_entry(&s->wait.wait, kevent_sendfile_wake_folio);
	INIT_LIST_HEAD(&s->wait.wait.entry);
	timer_setup(&s->retry, kevent_sendfile_retry, 0);
	if (!k->user->sends_files)
		return -ENXIO;
	if (test_and_set_bit(SOCK_SENDING_FILE, &sock->flags))
		return -EBUSY;
	s->holds = true;
	swap(s->file, found->sendfile.file);
	swap(s->header, found->sendfile.header);
	s->cred = get_current_cred();
	s->header_len = KEVENT_SENDFILE_HEADER_OF(more);
	s->mark = KEVENT_SENDFILE_MARK_OF(more);
	s->begin = change->param[KEVENT_SENDFILE_OFFSET];
	s->pos = s->begin;
	s->told = s->begin;
	s->end = length == KEVENT_SENDFILE_TO_END ? LLONG_MAX : s->begin + length;
	s->more = change->flags & KEVENT_MORE;
	s->read = ULONG_MAX;
	file_ra_state_init(&s->ra, kevent_file_inode(s->file)->i_mapping);
	/* It is known to go on from here. */
	s->ra.prev_pos = s->pos;
	kevent_trigger_query(k, 0);
	return 0;
}

static void kevent_sendfile_detach(struct kevent *k)
{
	struct kevent_sendfile *s = kevent_to_sendfile(k);

	kevent_hook_detach(k);
	timer_delete_sync(&s->retry);
	kevent_sendfile_release(s);
	if (s->cred)
		put_cred(s->cred);
}

static u16 kevent_sendfile_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_sendfile *s = kevent_to_sendfile(k);

	/* No step runs as long as there is something to tell. */
	s->told = s->pos;
	data[0] = s->pos - s->begin;
	data[1] = s->error | (u64)s->header_sent << 32;
	/* The next one may begin with the record that ends this one. */
	if (k->flags & (KEVENT_ONESHOT | KEVENT_F_DEAD))
		kevent_sendfile_let_others(s);
	return 0;
}

static void kevent_sendfile_show(const struct kevent *k, struct seq_file *m)
{
	const struct kevent_sendfile *s = kevent_to_sendfile(k);

	seq_printf(m, " offset: %lld length: %lld sent: %lld mark: %u", s->begin,
		   s->end == LLONG_MAX ? -1 : s->end - s->begin,
		   READ_ONCE(s->pos) - s->begin, s->mark);
}

const struct kevent_source_ops kevent_sendfile_ops = {
	.type		= KEVENT_TYPE_SENDFILE,
	.name		= "sendfile",
	.size		= sizeof(struct kevent_sendfile),
	.query_in_wait	= true,
	.steps		= true,
	.fills_dead	= true,
	.valid_events	= KEVENT_SENDFILE_PROGRESS | KEVENT_SENDFILE_DONE |
			  KEVENT_SENDFILE_EOF | KEVENT_SENDFILE_ERROR |
			  KEVENT_SENDFILE_HUP,
	.always_events	= KEVENT_SENDFILE_DONE | KEVENT_SENDFILE_EOF |
			  KEVENT_SENDFILE_ERROR | KEVENT_SENDFILE_HUP,
	.add_flags	= KEVENT_MORE,
	.check		= kevent_sendfile_check,
	.look_up	= kevent_sendfile_look_up,
	.forget		= kevent_sendfile_forget,
	.check_file	= kevent_sendfile_check_file,
	.attach		= kevent_sendfile_attach,
	.detach		= kevent_sendfile_detach,
	.free		= kevent_hook_free,
	.query		= kevent_sendfile_query,
	.stop		= kevent_sendfile_stop,
	.fill		= kevent_sendfile_fill,
	.show		= kevent_sendfile_show,
};
