// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source STREAM - bytes of a connected stream socket, told with the record
 *
 * The way of a byte
 * -----------------
 *
 *   TCP queues it, calls      kevent_stream_data_ready()  in place of
 *                             sock_def_readable(); slock held, nobody owns the socket
 *    which takes it           kevent_stream_take()        as tcp_read_sock() would
 *     into the data area,     kevent_stream_piece()       one section of user->lock:
 *      with its record         kevent_publish_bytes()     room, copy, record
 *
 * or, if that may not be, or there was no room: the interest is deferred, and the next
 * kevent_wait() calls kevent_stream_query(), which takes it the same way, under slock.
 *
 * A byte is copied in the section of user->lock that publishes its record, so it leaves
 * the socket if and only if the record is in the ring: whoever ends or disables the
 * interest needs no more than that lock, and what is left is for recv(2).  The price
 * is a copy of at most KEVENT_STREAM_MAX_MOST bytes with interrupts off.  Nothing is
 * allocated or pinned; a socket that is not taken from closes its window.
 *
 * As the bytes arrive at most KEVENT_STREAM_ARRIVING are taken in one go, so that a peer
 * has no more than that copied at the cost of whom it interrupts.  More is left to the
 * wait, where it is the consumer's time, KEVENT_STREAM_TURN a turn.
 *
 * Other sockets than plain TCP (kTLS, sockmap, UNIX ...) are read by sock_recvmsg(), in
 * the wait only.  That sleeps, so a record and memory are reserved first, and the
 * interest is BUSY: REMOVE, DISABLE and MODIFY give -EBUSY, and what the source tells
 * meanwhile accumulates.
 *
 * Rules of slock
 * --------------
 *
 * slock is outside of user->lock, and of sk_lock.wq inside it.  Nothing of kevent
 * waits for the owner of a socket, who may sleep for as long as it likes (a page fault of
 * its sendmsg()): a query that finds one leaves an entry in sk_lock.wq, which
 * release_sock() wakes, and is asked again.  (sock_recvmsg() does wait; it is called
 * when there was none.)
 *
 * sk_user_data names the interest for the handler, tagged %SK_USER_DATA_NOCOPY and
 * nothing else, which no other user of a socket with this handler has.  It is written
 * under sk_callback_lock and read with slock held and no owner; who has cleared it takes
 * slock once, and no handler knows the interest any more.  A socket of which it is in
 * use is read in the wait alone.  A child of a later listen() has the handler and no
 * pointer, a kTLS socket calls the handler when it has decrypted: it only wakes then.
 * tcp_child_process() calls the handler of a listener without its slock, perhaps when it
 * is none any more: one that ever was, which SOCK_RCU_FREE tells, is not read there.
 */

#include <linux/poll.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/rps.h>

#include "../../kernel/kevent/area.h"
#include "../../kernel/kevent/kevent.h"
#include "../../kernel/kevent/ring.h"
#include "../../kernel/kevent/sock.h"
#include "../../kernel/kevent/trigger.h"

/* Bytes taken from a socket in one go: as they arrive, and by a wait. */
#define KEVENT_STREAM_ARRIVING	(16U << 10)
#define KEVENT_STREAM_TURN	(64U << 10)
/* What a piece counts at least: it is a record, whatever its size. */
#define KEVENT_STREAM_LEAST	256U

#define KEVENT_STREAM_DEFAULT_MOST	4096

#define KEVENT_STREAM_STATUS	(KEVENT_STREAM_SEND | KEVENT_STREAM_RDHUP | \
				 KEVENT_STREAM_HUP | KEVENT_STREAM_ERROR)

/* A wake-up with these alone says that there is room to send. */
#define KEVENT_STREAM_WRITE	(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

static_assert((__force u32)EPOLLIN == KEVENT_STREAM_RECV);
static_assert((__force u32)EPOLLOUT == KEVENT_STREAM_SEND);
static_assert((__force u32)EPOLLERR == KEVENT_STREAM_ERROR);
static_assert((__force u32)EPOLLHUP == KEVENT_STREAM_HUP);
static_assert((__force u32)EPOLLRDHUP == KEVENT_STREAM_RDHUP);

/* struct kevent_stream.state */
#define KEVENT_STREAM_CLAIMED	0x01	/* the socket is ours; file->f_lock */
#define KEVENT_STREAM_ARMED	0x02	/* bytes are taken as they arrive */
#define KEVENT_STREAM_GONE	0x04	/* was detached; sk_lock.wq.lock */

/* struct kevent_stream.flags; user->lock */
#define KEVENT_STREAM_COUNTS	0x01	/* @base is a position */
#define KEVENT_STREAM_UNASKED	0x02	/* armed anew, is there room to send? */

/**
 * struct kevent_stream - an interest of type STREAM
 * @f: what interests in files have
 * @owner: in sk_lock.wq while a query waits for the owner of the socket
 * @last: where its newest piece ends in the area
 * @told: producer position after its newest record with bytes, the lower half
 * @held: bytes of its pieces that were not given back; an upper bound
 * @base: plain TCP: sequence number of the position 0; else the next position
 * @lowat: fewer bytes are left in the socket; plain TCP
 * @share: the most that @held may be, in KiB
 * @most: bytes per record
 * @state: %KEVENT_STREAM_CLAIMED and so on
 * @error: of a read, to be told
 * @begun: the mark was met, and some of what was there is left; slock
 * @flags: %KEVENT_STREAM_COUNTS and so on
 *
 * user->lock, but for @owner and what says so.
 */
struct kevent_stream {
	struct kevent_file	f;
	wait_queue_entry_t	owner;
	u64			last;
	u32			told;
	u32			held;
	u32			base;
	u32			lowat;
	u16			share;
	u16			most;
	u8			state;
	u8			error;
	bool			begun;
	u8			flags;
};

static inline struct kevent_stream *kevent_to_stream(const struct kevent *k)
{
	return container_of(k, struct kevent_stream, f.k);
}

/* ---- taking bytes ---- */

/* A query is to look for room to send; user->lock is held. */
static void kevent_stream_enable(struct kevent *k)
{
	kevent_to_stream(k)->flags |= KEVENT_STREAM_UNASKED;
}

/*
 * There is no room: ask the interest again when there is, from @list.  A sleeper is
 * woken for it once, as what it waits for may not come: a wait does not ask itself.
 */
static void kevent_stream_refuse(struct kevent *k, enum kevent_list list, bool in_wait)
{
	struct kevent_user *user = k->user;

	if (!in_wait && !(k->flags & KEVENT_F_QUERY))
		user->need_query = true;
	k->flags |= KEVENT_F_QUERY;
	/* Room to send, say, is not told by what is pending then. */
	if (k->list == KEVENT_DEFERRED && k->pending) {
		kevent_stream_enable(k);
		k->pending = 0;
	}
	if (k->list != KEVENT_BACKLOG && k->list != list)
		kevent_list_move(k, list);
	if (unlikely(user->reserved))
		user->data.blocked = true;
	kevent_ring_set_pending(user);
}

/**
 * struct kevent_stream_taking - a go at a socket
 * @budget: bytes it may still take, a small piece counts as %KEVENT_STREAM_LEAST
 * @copied: bytes taken
 * @in_wait: by a wait, not as they arrive
 * @reservation: not now, but after a read that sleeps
 * @turn: it is its turn, should others wait for room
 * @behind: earlier bytes were unread: who receives has not kept up
 */
struct kevent_stream_taking {
	s32	budget;
	u32	copied;
	bool	in_wait;
	bool	reservation;
	bool	turn;
	bool	behind;
};

/* Has the interest enough of the area already? */
static bool kevent_stream_has_share(struct kevent_stream *ks,
				    struct kevent_area *area, u32 len)
{
	u32 share = ks->share * 1024U;

	if (likely(ks->held + len <= share))
		return true;
	kevent_area_refresh(area);
	if (area->released >= ks->last)
		ks->held = 0;
	else	/* in order: what is left of it lies between the two */
		ks->held = min_t(u64, ks->held, ks->last - area->released);
	return ks->held + len <= share;
}

/* Would a query find room in the area? */
static bool kevent_stream_has_room(struct kevent *k)
{
	struct kevent_stream *ks = kevent_to_stream(k);
	struct kevent_area *area = &k->user->data;
	u64 begin;

	return kevent_stream_has_share(ks, area, 1) &&
	       kevent_area_find(area, ks->most, false, &begin);
}

/* Is nothing to be taken from the socket, for now?  user->lock is held. */
static inline bool kevent_stream_is_off(const struct kevent *k)
{
	return k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED | KEVENT_F_BUSY) ||
	       !(k->events & KEVENT_STREAM_RECV);
}

/**
 * kevent_stream_admit - may @len bytes be told now?
 * @ks: the interest, not BUSY; user->lock is held
 * @len: how many
 * @taking: by whom, and whether it is its turn, should others wait for room
 * @begin: where in the area
 *
 * If not, the interest is deferred.
 *
 * Return: whether they may.
 */
static bool kevent_stream_admit(struct kevent_stream *ks, u32 len,
				const struct kevent_stream_taking *taking, u64 *begin)
{
	struct kevent *k = &ks->f.k;
	struct kevent_user *user = k->user;
	struct kevent_area *area = &user->data;
	bool reservation = taking->reservation;
	u32 need = reservation ? kevent_area_worst(len) : len;
	bool turn = taking->turn || !user->nr_listed[KEVENT_ROOM];

	if (unlikely(user->nr_listed[KEVENT_BACKLOG])) {
		kevent_flush_backlog(user, KEVENT_TRIGGER_BUDGET);
		/* It may have been on there itself. */
		if (kevent_stream_is_off(k))
			return false;
	}
	if (unlikely(user->nr_listed[KEVENT_BACKLOG] || !kevent_ring_has_room(user))) {
		kevent_stream_refuse(k, k->list == KEVENT_ROOM ? KEVENT_ROOM :
				     KEVENT_DEFERRED, taking->in_wait);
		/* With the flag set the consumer index was read again. */
		if (user->nr_listed[KEVENT_BACKLOG] || !kevent_ring_has_room(user))
			return false;
	}
	if (unlikely(!kevent_stream_has_share(ks, area, len))) {
		kevent_area_refused(user);
		kevent_stream_refuse(k, KEVENT_SHARE, taking->in_wait);
		return kevent_stream_has_share(ks, area, len) && turn &&
		       kevent_area_find(area, need, reservation, begin);
	}
	if (likely(turn && kevent_area_find(area, need, reservation, begin)))
		return true;
	kevent_area_refresh(area);
	if (turn && kevent_area_find(area, need, reservation, begin))
		return true;
	kevent_area_refused(user);
	kevent_stream_refuse(k, KEVENT_ROOM, taking->in_wait);
	/* PENDING can be seen: was memory given back before? */
	kevent_area_refresh(area);
	return turn && kevent_area_find(area, need, reservation, begin);
}

/* A piece is in the area, about to be published: what is known of it then. */
static inline void kevent_stream_note(struct kevent_stream *ks, u32 len)
{
	struct kevent_user *user = ks->f.k.user;

	ks->held += ALIGN(len, KEVENT_DATA_UNIT);
	ks->last = user->data.produced;
	ks->told = user->produced + 1;
}

/* The record is in the ring: who takes the queue over sees that first. */
static inline void kevent_stream_show_producer(struct kevent_user *user)
{
	/* pairs with the program's load, before that of the producer index */
	smp_store_release(&user->ring->data_producer,
			  (u32)(user->data.produced / KEVENT_DATA_UNIT));
}

/*
 * Does who receives not keep up?  The newest record with bytes is still unread, or a
 * sleeper is about to be woken; user->lock is held.  One who answers acknowledges by that.
 */
static bool kevent_stream_is_behind(const struct kevent_stream *ks,
				    const struct sock *sk)
{
	struct kevent_user *user = ks->f.k.user;

	if ((s32)(ks->told - (u32)user->consumed) <= 0)
		return user->attention & KEVENT_A_SLEEPERS &&
		       !list_empty(&user->waiters) &&
		       user->promised + user->min_want <= kevent_ring_unread(user) + 1 &&
		       !inet_csk_in_pingpong_mode((struct sock *)sk);
	kevent_ring_refresh(user);
	return (s32)(ks->told - (u32)user->consumed) > 0;
}

/*
 * kevent_stream_admit() when nothing stands in the way: nearly always.  Nor is there
 * anything to do about the interest then when the record was published.
 */
static __always_inline bool kevent_stream_is_clear(const struct kevent_stream *ks,
						   u32 len,
						   const struct kevent_stream_taking *taking,
						   u64 *begin)
{
	const struct kevent *k = &ks->f.k;
	const struct kevent_user *user = k->user;
	const struct kevent_area *area = &user->data;
	u64 at = area->produced;

	*begin = at;
	/* With PENDING clear nobody waits, in the backlog or for room; others may. */
	return likely(!(k->flags & ~KEVENT_F_SHORT) &&
		      k->events & KEVENT_STREAM_RECV &&
		      (!(user->attention & KEVENT_A_SLOW) ||
		       (taking->in_wait &&
			!(user->nr_listed[KEVENT_BACKLOG] |
			  user->nr_listed[KEVENT_ROOM] | user->reserved))) &&
		      kevent_ring_unread(user) <= user->mask &&
		      taking->budget > 0 &&
		      ks->held + len <= ks->share * 1024U &&
		      area->size - (at & (area->size - 1)) >= len &&
		      at + len <= area->released + area->size);
}

/* kevent_stream_admit() when something does; user->lock is held. */
static noinline bool kevent_stream_may_take(struct kevent_stream *ks, u32 len,
					    const struct kevent_stream_taking *taking,
					    u64 *begin)
{
	struct kevent *k = &ks->f.k;

	if (kevent_stream_is_off(k)) {
		/* What attaches asks when it is done. */
		if (k->flags & KEVENT_F_BUSY)
			k->flags |= KEVENT_F_QUERY;
		return false;
	}
	if (taking->budget <= 0) {
		k->flags |= KEVENT_F_QUERY;
		kevent_defer_query(k);
		return false;
	}
	return kevent_stream_admit(ks, len, taking, begin);
}

/*
 * skb_copy_bits(), which takes as long as a copy of 200 bytes to find out that all of
 * it is in one fragment: so it is on the loopback, and behind most cards.
 */
static inline int kevent_stream_copy(const struct sk_buff *skb, u32 offset, void *to,
				     u32 len)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);

	if (IS_ENABLED(CONFIG_HIGHMEM) || skb_headlen(skb) || shinfo->nr_frags != 1 ||
	    shinfo->frag_list || !skb_frags_readable(skb))
		return skb_copy_bits(skb, offset, to, len);
	memcpy(to, skb_frag_address(&shinfo->frags[0]) + offset, len);
	return 0;
}

/* Take @len bytes of @skb, which begin at @seq, if they may be told; slock is held. */
static bool kevent_stream_piece(struct kevent_stream *ks, const struct sock *sk,
				struct sk_buff *skb, u32 offset, u32 len, u32 seq,
				struct kevent_stream_taking *taking)
{
	struct kevent *k = &ks->f.k;
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);
	bool clear, taken = false;
	u64 data[2], begin;

	clear = kevent_stream_is_clear(ks, len, taking, &begin);
	if (!clear && !kevent_stream_may_take(ks, len, taking, &begin))
		goto out;
	/* What cannot be copied is not in memory that can be read (devmem). */
	if (unlikely(kevent_stream_copy(skb, offset, kevent_area_at(&user->data, begin),
					len))) {
		WRITE_ONCE(ks->error, EOPNOTSUPP);
		goto out;
	}
	/* It was of another kind. */
	if (unlikely(ks->flags & KEVENT_STREAM_COUNTS)) {
		ks->flags &= ~KEVENT_STREAM_COUNTS;
		ks->base = seq - ks->base;
	}
	kevent_area_place(&user->data, begin, len, seq - ks->base, data);
	if (kevent_stream_is_behind(ks, sk))
		taking->behind = true;
	kevent_stream_note(ks, len);
	taken = true;
	if (clear && !taking->behind) {
		kevent_publish_plain_bytes(k, data[0], data[1]);
		kevent_stream_show_producer(user);
		goto out;
	}
	/* Its turn is over when the next one of those who wait comes first. */
	if (k->list == KEVENT_ROOM)
		kevent_list_move(k, k->flags & KEVENT_F_QUERY ?
				 KEVENT_DEFERRED : KEVENT_NO_LIST);
	kevent_publish_bytes(k, data[0], data[1]);
	kevent_stream_show_producer(user);
	if (taking->behind && !taking->in_wait && k->list == KEVENT_NO_LIST &&
	    !(k->flags & KEVENT_F_DEAD))
		kevent_list_move(k, KEVENT_OWES);
out:
	kevent_unlock(user, irqflags);
	return taken;
}

/*
 * How much of @len bytes at @seq may be taken before urgent data?  The urgent byte is
 * skipped unless it is in line: 0, and the caller goes on behind it.  It stays for
 * recv(2) with MSG_OOB: nobody has decided not to read it.
 */
static u32 kevent_stream_before_urgent(const struct sock *sk, u32 seq, u32 len)
{
	u32 before = tcp_sk(sk)->urg_seq - seq;

	if (before >= len)
		return len;
	return before ?: sock_flag(sk, SOCK_URGINLINE) ? len : 0;
}

/* Fewer than the program wants, and more may come. */
static inline bool kevent_stream_below_mark(const struct kevent_stream *ks,
					    const struct sock *sk)
{
	u32 lowat = READ_ONCE(ks->lowat);

	/* The wake function asks without slock: a query more, or a wake-up less */
	return unlikely(lowat) && !data_race(ks->begun) &&
	       !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) &&
	       kevent_sock_below_mark(sk, lowat);
}

/* tcp_recv_skb(), which is not called to learn that there is no more. */
static inline struct sk_buff *kevent_stream_next_skb(struct sock *sk, u32 seq, u32 *offset)
{
	return skb_queue_empty(&sk->sk_receive_queue) ? NULL :
	       tcp_recv_skb(sk, seq, offset);
}

/*
 * tcp_read_sock(), without its acknowledgment.  slock is held, nobody owns the socket,
 * which is plain.
 */
static void kevent_stream_take(struct kevent_stream *ks, struct sock *sk,
			       struct kevent_stream_taking *taking)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 seq = tp->copied_seq, offset, len, most = READ_ONCE(ks->most);
	struct sk_buff *skb;

	if (kevent_stream_below_mark(ks, sk)) {
		/* It may owe for what came before. */
		if (taking->in_wait && kevent_sock_connected(sk->sk_state))
			tcp_cleanup_rbuf(sk, 1);
		return;
	}
	while ((skb = kevent_stream_next_skb(sk, seq, &offset))) {
		if (offset < skb->len) {
			len = skb->len - offset;
			if (unlikely(tp->urg_data))
				len = kevent_stream_before_urgent(sk, seq, len);
			len = min(len, most);
			if (likely(len)) {
				if (!kevent_stream_piece(ks, sk, skb, offset, len, seq,
							 taking))
					break;
				taking->copied += len;
				taking->budget -= max(len, KEVENT_STREAM_LEAST);
			} else {
				/* A hint: who asks next skips it as well. */
				if (data_race(kevent_stream_is_off(&ks->f.k)))
					break;
				len = 1;	/* urgent data */
			}
			seq += len;
			WRITE_ONCE(tp->copied_seq, seq);
			if (unlikely(tp->urg_data && after(seq, tp->urg_seq) &&
				     (tp->urg_data == TCP_URG_READ ||
				      sock_flag(sk, SOCK_URGINLINE)))) {
				WRITE_ONCE(tp->urg_data, 0);
				tcp_fast_path_check(sk);
			}
			if (offset + len < skb->len)
				continue;
		}
		if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN)
			WRITE_ONCE(tp->copied_seq, ++seq);
		sk_eat_skb(sk, skb);
	}
	if (unlikely(ks->lowat))
		ks->begun = skb && (ks->begun || taking->copied);
	if (!taking->copied &&
	    (!taking->in_wait || skb || !kevent_sock_connected(sk->sk_state)))
		return;
	tcp_rcv_space_adjust(sk);
	/*
	 * As recv(2) acknowledges.  One that takes everything at once would do so for
	 * each segment: who is behind is acknowledged for by the next wait, which
	 * comes about when recv(2) would have.
	 */
	if (taking->in_wait || !taking->behind)
		tcp_cleanup_rbuf(sk, taking->copied ?: 1);
}

/* What there is to tell of a socket of which everything was received. */
static u32 kevent_stream_status(struct kevent_stream *ks, const struct sock *sk)
{
	int state = inet_sk_state_load(sk);
	u8 shutdown = READ_ONCE(sk->sk_shutdown);
	u32 bits = 0;

	if (shutdown & RCV_SHUTDOWN)
		bits |= KEVENT_STREAM_RDHUP;
	if (shutdown == SHUTDOWN_MASK || state == TCP_CLOSE)
		bits |= KEVENT_STREAM_HUP;
	if (kevent_sock_has_error(sk) || READ_ONCE(ks->error))
		bits |= KEVENT_STREAM_ERROR;
	return bits;
}

static u16 kevent_stream_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_stream *ks = kevent_to_stream(k);

	if (bits & KEVENT_STREAM_ERROR) {
		data[1] = READ_ONCE(kevent_sk(k)->sk_err) ?: ks->error;
		ks->error = 0;
	}
	return 0;
}

/* The interest that has armed a socket; slock is held, or sk_callback_lock. */
static struct kevent_stream *kevent_stream_of(const struct sock *sk)
{
	uintptr_t user_data = (uintptr_t)READ_ONCE(sk->sk_user_data);

	if ((user_data & ~SK_USER_DATA_PTRMASK) != SK_USER_DATA_NOCOPY)
		return NULL;
	return (struct kevent_stream *)(user_data & SK_USER_DATA_PTRMASK);
}

/* In place of sock_def_readable(), see the rules of slock. */
static void kevent_stream_data_ready(struct sock *sk)
{
	struct kevent_stream_taking taking = { .budget = KEVENT_STREAM_ARRIVING };
	struct kevent_stream *ks;
	u32 bits;

	if (sock_owned_by_user_nocheck(sk) || !kevent_sock_connected(sk->sk_state) ||
	    sock_flag(sk, SOCK_RCU_FREE) || !kevent_sock_plain(sk))
		goto wake;
	/* The bulk is for the wait, and not to be cut in two. */
	ks = kevent_stream_of(sk);
	if (!ks || tcp_sk(sk)->rcv_nxt - tcp_sk(sk)->copied_seq > KEVENT_STREAM_ARRIVING)
		goto wake;
	kevent_stream_take(ks, sk, &taking);
	if (unlikely(!skb_queue_empty(&sk->sk_receive_queue)))
		goto wake;
	if (likely(!(sk->sk_shutdown & RCV_SHUTDOWN)))
		return;
	bits = kevent_stream_status(ks, sk) & READ_ONCE(ks->f.k.events);
	if (bits)
		kevent_trigger(&ks->f.k, bits, kevent_stream_fill, 0);
	return;
wake:
	/* Whoever watches, we among them. */
	sock_def_readable(sk);
}

/* ---- reading by sock_recvmsg() ---- */

/* Enough to go on without memory. */
#define KEVENT_STREAM_SMALL	256

/* A buffer for one read: that of the queue, if no other thread has it. */
static void *kevent_stream_get_buffer(struct kevent_user *user)
{
	void *buffer = xchg(&user->read_buffer, NULL);

	return buffer ?: kvmalloc(KEVENT_STREAM_MAX_MOST, KEVENT_GFP);
}

static void kevent_stream_put_buffer(struct kevent_user *user, void *buffer)
{
	kvfree(xchg(&user->read_buffer, buffer));
}

/* Keep a record and memory for a read; the interest is BUSY then. */
static bool kevent_stream_reserve(struct kevent_stream *ks, const struct sock *sk,
				  u32 most, bool turn)
{
	const struct kevent_stream_taking taking = {
		.in_wait = true, .reservation = true, .turn = turn,
	};
	struct kevent *k = &ks->f.k;
	struct kevent_user *user = k->user;
	bool reserved = false;
	u64 begin;

	kevent_lock_irq(user);
	if (k->flags & KEVENT_F_BUSY) {
		/* Another wait reads: it asks again. */
		k->flags |= KEVENT_F_QUERY;
	} else if (!kevent_stream_is_off(k) &&
		   kevent_stream_admit(ks, most, &taking, &begin)) {
		/* It was plain TCP: the same place, as long as nobody else reads. */
		if (!(ks->flags & KEVENT_STREAM_COUNTS))
			ks->base = READ_ONCE(tcp_sk(sk)->copied_seq) - ks->base;
		ks->flags |= KEVENT_STREAM_COUNTS;
		k->flags |= KEVENT_F_BUSY;
		user->reserved++;
		user->attention |= KEVENT_A_RESERVED;
		user->data.reserved += kevent_area_worst(most);
		reserved = true;
	}
	kevent_unlock_irq(user);
	return reserved;
}

/*
 * A read is over: tell @n bytes of @buffer, or none.  Also of an interest whose ADD was
 * undone meanwhile: no byte is lost.
 */
static void kevent_stream_commit(struct kevent_stream *ks, const void *buffer, int n,
				 u32 most)
{
	struct kevent *k = &ks->f.k;
	struct kevent_user *user = k->user;
	u64 data[2], begin;

	kevent_lock_irq(user);
	user->data.reserved -= kevent_area_worst(most);
	if (!--user->reserved)
		user->attention &= ~KEVENT_A_RESERVED;
	if (user->data.blocked) {
		user->data.blocked = false;
		user->need_query = true;
	}
	if (n > 0) {
		/* There is room: it was reserved for wherever the piece comes to lie. */
		kevent_area_find(&user->data, n, false, &begin);
		memcpy(kevent_area_at(&user->data, begin), buffer, n);
		kevent_area_place(&user->data, begin, n, ks->base, data);
		ks->base += n;
		if (k->list == KEVENT_ROOM)
			kevent_list_move(k, KEVENT_NO_LIST);
		kevent_stream_note(ks, n);
		kevent_publish_bytes(k, data[0], data[1]);
		kevent_stream_show_producer(user);
	} else if (n < 0 && n != -EAGAIN && n != -EINTR) {
		WRITE_ONCE(ks->error, -n <= U8_MAX ? -n : EIO);
	}
	kevent_release_busy(k, 0);
	kevent_unlock_irq(user);
}

static int kevent_stream_recvmsg(struct socket *sock, void *buffer, u32 size,
				 int flags)
{
	struct kvec vec = { .iov_base = buffer, .iov_len = size };
	struct msghdr msg = {};
	int ret = kernel_recvmsg(sock, &msg, &vec, 1, size, MSG_DONTWAIT | flags);

	return kevent_no_restart(ret);
}

/* The next wait asks again; nobody is woken for it. */
static void kevent_stream_again(struct kevent *k)
{
	kevent_lock_irq(k->user);
	if (!kevent_stream_is_off(k))
		kevent_stream_refuse(k, KEVENT_DEFERRED, true);
	kevent_unlock_irq(k->user);
}

/* Is there something for recv(2), or the end? */
static bool kevent_stream_is_readable(struct kevent_stream *ks)
{
	return kevent_hook_query(&ks->f.k, KEVENT_STREAM_RECV) & KEVENT_STREAM_RECV;
}

/*
 * Read as long as there is something, or until it was enough.  Return what the last
 * recvmsg() has said, or 1 if there may be more.
 */
static int kevent_stream_read(struct kevent_stream *ks, struct socket *sock, bool turn)
{
	struct kevent_user *user = ks->f.k.user;
	u32 copied = 0, most = READ_ONCE(ks->most);
	void *large = kevent_stream_get_buffer(user), *buffer = large;
	u8 small[KEVENT_STREAM_SMALL];
	int n;

	if (!buffer) {
		buffer = small;
		most = min_t(u32, most, sizeof(small));
	}
	do {
		n = 1;
		if (copied >= KEVENT_STREAM_TURN) {
			kevent_trigger_query(&ks->f.k, 0);
			break;
		}
		if (!kevent_stream_reserve(ks, sock->sk, most, turn))
			break;
		n = kevent_stream_recvmsg(sock, buffer, most, 0);
		kevent_stream_commit(ks, buffer, n, most);
		copied += max_t(int, n, KEVENT_STREAM_LEAST);
		if (n > 0 && !kevent_stream_is_readable(ks))
			n = -EAGAIN;
	} while (n > 0);
	if (large)
		kevent_stream_put_buffer(user, large);
	return n;
}

/* ---- asking ---- */

/* release_sock() of whom a query has found to own the socket; slock is held. */
static int kevent_stream_wake_owner(wait_queue_entry_t *wait, unsigned int mode,
				    int sync, void *key)
{
	struct kevent_stream *ks = container_of(wait, struct kevent_stream, owner);

	list_del_init(&wait->entry);
	kevent_trigger_query(&ks->f.k, 0);
	return 0;
}

/* Is the socket owned?  Then the interest is asked again afterwards; slock is held. */
static bool kevent_stream_await_owner(struct kevent_stream *ks, struct sock *sk)
{
	wait_queue_head_t *head = &sk->sk_lock.wq;

	if (!sock_owned_by_user_nocheck(sk))
		return false;
	spin_lock_irq(&head->lock);
	/* A query may run while the interest is removed. */
	if (!(ks->state & KEVENT_STREAM_GONE) && list_empty(&ks->owner.entry))
		__add_wait_queue(head, &ks->owner);
	spin_unlock_irq(&head->lock);
	return true;
}

/*
 * Of plain TCP: take what is there and say what else there is to tell.  Return false if
 * the socket is of another kind.
 */
static bool kevent_stream_query_plain(struct kevent_stream *ks, struct sock *sk,
				      bool turn, u32 *bits)
{
	struct kevent_stream_taking taking = {
		.budget = KEVENT_STREAM_TURN, .in_wait = true, .turn = turn,
	};
	bool plain;

	*bits = 0;
	/* As recv(2) has receive flow steering follow it. */
	sock_rps_record_flow(sk);
	spin_lock_bh(&sk->sk_lock.slock);
	/* Who makes another kind of it (kTLS, sockmap) owns it. */
	plain = kevent_sock_plain(sk);
	if (!plain || kevent_stream_await_owner(ks, sk))
		goto out;
	if (sk->sk_state != TCP_LISTEN)
		kevent_stream_take(ks, sk, &taking);
	if (skb_queue_empty(&sk->sk_receive_queue))
		*bits = kevent_stream_status(ks, sk);
	else if (!(READ_ONCE(ks->f.k.events) & KEVENT_STREAM_RECV) || READ_ONCE(ks->error))
		*bits = kevent_stream_status(ks, sk) & ~KEVENT_STREAM_RDHUP;
out:
	spin_unlock_bh(&sk->sk_lock.slock);
	return plain;
}

/* Of any other socket: the same, by its own functions. */
static u32 kevent_stream_query_other(struct kevent_stream *ks, struct socket *sock,
				     bool turn)
{
	bool wanted = READ_ONCE(ks->f.k.events) & KEVENT_STREAM_RECV, owned;
	struct sock *sk = sock->sk;
	u32 mask, end;
	int n = 0;
	u8 byte;

	/* Nearly all would wait for an owner. */
	spin_lock_bh(&sk->sk_lock.slock);
	owned = kevent_stream_await_owner(ks, sk);
	spin_unlock_bh(&sk->sk_lock.slock);
	if (owned)
		return 0;
	/* Before the bytes are read: what comes to an end later wakes again. */
	mask = kevent_hook_query(&ks->f.k, KEVENT_STREAM_STATUS | KEVENT_STREAM_RECV);
	end = mask & (KEVENT_STREAM_RDHUP | KEVENT_STREAM_HUP | KEVENT_STREAM_ERROR);
	/* The end can be received too: are there bytes before it? */
	if (!wanted && mask & KEVENT_STREAM_RECV &&
	    (end & (KEVENT_STREAM_RDHUP | KEVENT_STREAM_ERROR)) == KEVENT_STREAM_RDHUP &&
	    kevent_stream_recvmsg(sock, &byte, 1, MSG_PEEK))
		end &= ~KEVENT_STREAM_RDHUP;
	if (!wanted)
		return end;
	if (mask & KEVENT_STREAM_RECV)
		n = kevent_stream_read(ks, sock, turn);
	if (n > 0)
		return 0;
	if (READ_ONCE(ks->error))
		return end | KEVENT_STREAM_ERROR;
	if (n == 0 && mask & KEVENT_STREAM_RECV)
		return end | KEVENT_STREAM_RDHUP;
	/* There is something for recv(2), and there is not: nobody may tell of it. */
	if (mask & KEVENT_STREAM_RECV && kevent_stream_is_readable(ks))
		kevent_stream_again(&ks->f.k);
	return end;
}

static u32 kevent_stream_query(struct kevent *k)
{
	struct kevent_stream *ks = kevent_to_stream(k);
	struct socket *sock = kevent_to_file(k)->file->private_data;
	struct kevent_user *user = k->user;
	/* Only a wait takes it off there, and not before it was asked. */
	bool turn = data_race(k->list) == KEVENT_ROOM;
	/* Those that are known have told of it. */
	bool room = !kevent_sock_is_known(sock->sk);
	u32 bits;

	/* set before the query was asked for; looked at again under the lock */
	if (unlikely(data_race(ks->flags) & KEVENT_STREAM_UNASKED)) {
		kevent_lock_irq(user);
		room |= ks->flags & KEVENT_STREAM_UNASKED;
		ks->flags &= ~KEVENT_STREAM_UNASKED;
		kevent_unlock_irq(user);
	}
	if (!kevent_sock_plain(sock->sk) ||
	    !kevent_stream_query_plain(ks, sock->sk, turn, &bits))
		bits = kevent_stream_query_other(ks, sock, turn);
	/* It had its turn, and there was nothing: let the next one come. */
	if (unlikely(turn)) {
		kevent_lock_irq(user);
		if (k->list == KEVENT_ROOM && !(k->flags & KEVENT_F_QUERY))
			kevent_list_move(k, KEVENT_NO_LIST);
		kevent_unlock_irq(user);
	}
	if (room && READ_ONCE(k->events) & KEVENT_STREAM_SEND)
		bits |= kevent_hook_query(k, KEVENT_STREAM_SEND) & KEVENT_STREAM_SEND;
	return bits;
}

/*
 * Room to send is told at once.  All else is asked for, so that it comes after what was
 * received.
 */
static int kevent_stream_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
			      void *key)
{
	struct kevent *k = kevent_of_wait(wait);
	struct kevent_stream *ks = kevent_to_stream(k);
	const struct sock *sk = kevent_sk(k);
	__poll_t happened = key_to_poll(key);

	trace_kevent_wake(k, (__force u32)happened);
	if (happened && !(happened & ~KEVENT_STREAM_WRITE) && kevent_sock_is_known(sk)) {
		if (READ_ONCE(k->events) & KEVENT_STREAM_SEND)
			kevent_trigger(k, KEVENT_STREAM_SEND, kevent_stream_fill, sync);
		return 0;
	}
	if (READ_ONCE(ks->state) & KEVENT_STREAM_ARMED && kevent_sock_plain(sk) &&
	    !sock_owned_by_user_nocheck(sk)) {
		/* The handler, which waits for more. */
		if (happened & EPOLLIN && kevent_stream_below_mark(ks, sk))
			return 0;
		/* tcp_fin(), which the handler is called after. */
		if (!happened && READ_ONCE(sk->sk_shutdown) == RCV_SHUTDOWN &&
		    !READ_ONCE(sk->sk_err))
			return 0;
		/*
		 * The handler, which left bytes there, and has deferred the interest:
		 * who clears QUERY takes slock next, which is held here.
		 */
		if (happened & EPOLLIN && data_race(k->flags) & KEVENT_F_QUERY)
			return 0;
	}
	return kevent_hook_wake_vague(&kevent_to_file(k)->hook, k, sync, happened);
}

/* ---- the interest ---- */

static int kevent_stream_check(const struct kevent_change *change)
{
	u64 most = change->param[KEVENT_STREAM_MOST] ?: KEVENT_STREAM_DEFAULT_MOST;
	u64 share = change->param[KEVENT_STREAM_SHARE];

	if (change->addr || change->param[3] ||
	    change->param[KEVENT_STREAM_LOWAT] > INT_MAX ||
	    most > KEVENT_STREAM_MAX_MOST || share > KEVENT_MAX_DATA_SIZE ||
	    (share && share < most))
		return -EINVAL;
	return 0;
}

/* What is only told of TCP. */
static int kevent_stream_check_sock(const struct kevent_change *change,
				    const struct sock *sk)
{
	return change->param[KEVENT_STREAM_LOWAT] > 1 && !kevent_sock_plain(sk) ?
	       -EOPNOTSUPP : 0;
}

static int kevent_stream_check_file(const struct kevent_change *change,
				    struct file *file)
{
	struct socket *sock = sock_from_file(file);
	int state;

	if (!sock)
		return -ENOTSOCK;
	if (sock->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	state = inet_sk_state_load(sock->sk);
	if (state == TCP_LISTEN)
		return -EINVAL;
	/* One that was reset after accept() has something to tell as well. */
	if (READ_ONCE(sock->state) != SS_CONNECTED &&
	    !(kevent_sock_is_tcp(sock->sk) && kevent_sock_connected(state)))
		return -ENOTCONN;
	return kevent_stream_check_sock(change, sock->sk);
}

static int kevent_stream_check_share(const struct kevent_user *user,
				     const struct kevent_change *change)
{
	return change->param[KEVENT_STREAM_SHARE] > user->data.size ? -EINVAL : 0;
}

static int kevent_stream_check_modify(const struct kevent *k,
				      const struct kevent_change *change)
{
	return kevent_stream_check_share(k->user, change) ?:
	       kevent_stream_check_sock(change, kevent_sk(k));
}

static void kevent_stream_set(struct kevent *k, const struct kevent_change *change)
{
	struct kevent_stream *ks = kevent_to_stream(k);
	u64 share = change->param[KEVENT_STREAM_SHARE] ?: k->user->data.size / 4;

	WRITE_ONCE(ks->lowat, change->param[KEVENT_STREAM_LOWAT] > 1 ?
			      change->param[KEVENT_STREAM_LOWAT] : 0);
	WRITE_ONCE(ks->most, change->param[KEVENT_STREAM_MOST] ?:
			     KEVENT_STREAM_DEFAULT_MOST);
	ks->share = DIV_ROUND_UP(share, 1024);
	ks->flags |= KEVENT_STREAM_UNASKED;
}

/* One interest takes the bytes of a socket.  All of them are on the file's list. */
static bool kevent_stream_claim(struct kevent_stream *ks)
{
	struct file *file = ks->f.file;
	struct kevent_file *kf;
	bool free = true;

	spin_lock(&file->f_lock);
	/* Of others: the bit does not change while they are on the list. */
	hlist_for_each_entry(kf, &file->f_kevent, node)
		if (kf->k.type == KEVENT_TYPE_STREAM &&
		    /* Other bits do. */
		    data_race(kevent_to_stream(&kf->k)->state) & KEVENT_STREAM_CLAIMED)
			free = false;
	if (free)
		ks->state |= KEVENT_STREAM_CLAIMED;
	spin_unlock(&file->f_lock);
	return free;
}

/* Take bytes as they arrive, if that may be. */
static void kevent_stream_arm(struct kevent_stream *ks, struct sock *sk)
{
	void (*ready)(struct sock *sk);

	write_lock_bh(&sk->sk_callback_lock);
	ready = READ_ONCE(sk->sk_data_ready);
	if (kevent_sock_plain(sk) && !sk->sk_user_data && !sock_flag(sk, SOCK_RCU_FREE) &&
	    (ready == sock_def_readable || ready == kevent_stream_data_ready)) {
		WRITE_ONCE(ks->state, ks->state | KEVENT_STREAM_ARMED);
		__rcu_assign_sk_user_data_with_flags(sk, ks, SK_USER_DATA_NOCOPY);
		WRITE_ONCE(sk->sk_data_ready, kevent_stream_data_ready);
	}
	write_unlock_bh(&sk->sk_callback_lock);
}

static void kevent_stream_disarm(struct kevent_stream *ks, struct sock *sk)
{
	if (!(ks->state & KEVENT_STREAM_ARMED))
		return;
	write_lock_bh(&sk->sk_callback_lock);
	/* kTLS, which came later, goes on to call it. */
	if (sk->sk_data_ready == kevent_stream_data_ready)
		WRITE_ONCE(sk->sk_data_ready, sock_def_readable);
	if (kevent_stream_of(sk) == ks)
		rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	/* A handler that has found the interest holds slock. */
	spin_lock_bh(&sk->sk_lock.slock);
	spin_unlock_bh(&sk->sk_lock.slock);
}

static s64 kevent_stream_attach(struct kevent *k, const struct kevent_change *change,
				union kevent_found *found)
{
	struct kevent_stream *ks = kevent_to_stream(k);
	struct socket *sock = kevent_to_file(k)->file->private_data;
	struct sock *sk = sock->sk;
	struct msghdr msg = {};
	s64 mask;
	int ret;

	init_waitqueue_func_entry(&ks->owner, kevent_stream_wake_owner);
	INIT_LIST_HEAD(&ks->owner.entry);
	if (!k->user->data.size)
		return -ENXIO;
	if (!kevent_may(&sysctl_kevent_io_disabled))
		return -EPERM;
	ret = kevent_stream_check_share(k->user, change);
	if (ret)
		return ret;
	if (!kevent_stream_claim(ks))
		return -EBUSY;
	/*
	 * recv(2) asks each time.  An interrupt has nobody to ask for: who may
	 * receive now may until the interest ends.
	 */
	ret = security_socket_recvmsg(sock, &msg, k->user->data.size, MSG_DONTWAIT);
	if (ret)
		return ret;
	kevent_stream_set(k, change);
	if (kevent_sock_plain(sk))
		ks->base = READ_ONCE(tcp_sk(sk)->copied_seq);
	else
		ks->flags |= KEVENT_STREAM_COUNTS;
	mask = kevent_hook_attach(k, kevent_stream_wake,
				  KEVENT_STREAM_STATUS | KEVENT_STREAM_RECV);
	if (mask < 0)
		return mask;
	if (!(change->flags & KEVENT_LATE))
		kevent_stream_arm(ks, sk);
	ks->flags &= ~KEVENT_STREAM_UNASKED;
	/* What is there is for the next wait. */
	mask &= KEVENT_STREAM_STATUS | KEVENT_STREAM_RECV;
	if (mask & ~KEVENT_STREAM_SEND || !skb_queue_empty_lockless(&sk->sk_receive_queue))
		kevent_trigger_query(k, 0);
	return mask & KEVENT_STREAM_SEND;
}

static void kevent_stream_detach(struct kevent *k)
{
	struct kevent_stream *ks = kevent_to_stream(k);
	struct sock *sk = kevent_sk(k);
	wait_queue_head_t *head = &sk->sk_lock.wq;

	kevent_hook_detach(k);
	kevent_stream_disarm(ks, sk);
	spin_lock_irq(&head->lock);
	WRITE_ONCE(ks->state, ks->state | KEVENT_STREAM_GONE);
	list_del_init(&ks->owner.entry);
	spin_unlock_irq(&head->lock);
}

static void kevent_stream_show(const struct kevent *k, struct seq_file *m)
{
	const struct kevent_stream *ks = kevent_to_stream(k);

	seq_printf(m, " lowat: %u most: %u share: %u held: %u late: %d", ks->lowat,
		   ks->most, ks->share * 1024U, ks->held,
		   !(ks->state & KEVENT_STREAM_ARMED));
}

const struct kevent_source_ops kevent_stream_ops = {
	.type		= KEVENT_TYPE_STREAM,
	.name		= "stream",
	.size		= sizeof(struct kevent_stream),
	.rereadable	= true,
	.no_level	= true,
	.query_in_wait	= true,
	.valid_events	= KEVENT_STREAM_RECV | KEVENT_STREAM_STATUS,
	.always_events	= KEVENT_STREAM_HUP | KEVENT_STREAM_ERROR |
			  (__force u16)POLLFREE,
	.add_flags	= KEVENT_LATE,
	.check		= kevent_stream_check,
	.check_file	= kevent_stream_check_file,
	.check_modify	= kevent_stream_check_modify,
	.attach		= kevent_stream_attach,
	.detach		= kevent_stream_detach,
	.free		= kevent_hook_free,
	.set		= kevent_stream_set,
	.modified	= kevent_hook_sync,
	.query		= kevent_stream_query,
	.has_room	= kevent_stream_has_room,
	.fill		= kevent_stream_fill,
	.enable		= kevent_stream_enable,
	.show		= kevent_stream_show,
};
