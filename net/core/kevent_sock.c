// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source SOCKET - what happened is told from the wake-up itself
 *
 * Sockets wake with IN|PRI|RDNORM|RDBAND whatever there is to read, and with no
 * key when their state changes.  For the families below both are resolved in the
 * wake-up, by lock-free reads of what the protocols change before they wake:
 * sk_state, sk_shutdown, sk_err.  Other families are asked by ->poll in process
 * context, like any file of type POLL.
 *
 * Each event has the value of a bit of poll(2) that wake-ups for it carry, so
 * that keys and events can be compared.  Room to send is announced by TCP only
 * after a send has failed, or ->poll has found none, which attaching does.
 */

#include <linux/poll.h>
#include <linux/seq_file.h>

#include "../../kernel/kevent/kevent.h"
#include "../../kernel/kevent/sock.h"
#include "../../kernel/kevent/trigger.h"

#define KEVENT_SOCK_SAME	(KEVENT_SOCK_RECV | KEVENT_SOCK_SEND |	\
				 KEVENT_SOCK_RDHUP | KEVENT_SOCK_HUP |	\
				 KEVENT_SOCK_ERROR)

/* What a listener tells that has a connection. */
#define KEVENT_SOCK_LISTENER	(KEVENT_SOCK_ACCEPT | KEVENT_SOCK_RECV)

static_assert((__force u32)EPOLLIN == KEVENT_SOCK_RECV);
static_assert((__force u32)EPOLLOUT == KEVENT_SOCK_SEND);
static_assert((__force u32)EPOLLERR == KEVENT_SOCK_ERROR);
static_assert((__force u32)EPOLLHUP == KEVENT_SOCK_HUP);
static_assert((__force u32)EPOLLRDHUP == KEVENT_SOCK_RDHUP);
static_assert((__force u32)EPOLLRDNORM == KEVENT_SOCK_ACCEPT);
static_assert((__force u32)EPOLLWRNORM == KEVENT_SOCK_CONNECT);

/**
 * struct kevent_sock - an interest of type SOCKET
 * @f: what interests in files have
 * @lowat: bytes that RECV waits for, 0 for any; TCP only.  Written under
 *	user->lock, read without it by wake functions
 * @hints: %KEVENT_HINTS; user->lock
 * @known: it is of a family whose wake-ups are resolved
 */
struct kevent_sock {
	struct kevent_file	f;
	u32			lowat;
	bool			hints;
	bool			known;
};

static inline struct kevent_sock *kevent_to_sock(const struct kevent *k)
{
	return container_of(k, struct kevent_sock, f.k);
}

/* Events of a socket that was shut down, or whose state has @changed. */
static u32 kevent_sock_state_events(const struct sock *sk, int state, u8 shutdown,
				    bool changed)
{
	bool connected = kevent_sock_connected(state);
	u32 bits = 0;

	if (shutdown & RCV_SHUTDOWN)
		bits |= KEVENT_SOCK_RDHUP | (state == TCP_LISTEN ?
			KEVENT_SOCK_LISTENER : KEVENT_SOCK_RECV);
	if (shutdown == SHUTDOWN_MASK ||
	    (changed && state == TCP_CLOSE && sk->sk_type != SOCK_DGRAM))
		bits |= KEVENT_SOCK_HUP;
	if (changed && connected)
		bits |= KEVENT_SOCK_CONNECT;
	/* tcp_poll() has it for closed sockets as well. */
	if (changed && (connected || (state == TCP_CLOSE && kevent_sock_is_tcp(sk))) &&
	    kevent_sock_writable(sk, shutdown))
		bits |= KEVENT_SOCK_SEND;
	return bits;
}

/*
 * Who waits for a connection knows that there is none: a TCP socket that is not
 * connected, and was not shut down either, by the program or as that failed.
 */
static inline u32 kevent_sock_spare(const struct kevent *k, int state, u8 shutdown)
{
	return READ_ONCE(k->events) & KEVENT_SOCK_CONNECT && state == TCP_CLOSE &&
	       !shutdown ? KEVENT_SOCK_SEND | KEVENT_SOCK_HUP : 0;
}

/* What can be told of a socket that woke with a key, or without one. */
static inline u32 kevent_sock_resolve(const struct kevent *k,
				      const struct sock *sk, __poll_t happened)
{
	int state = inet_sk_state_load(sk);
	u8 shutdown = READ_ONCE(sk->sk_shutdown);
	u32 bits = 0;

	if (happened & EPOLLIN) {
		if (unlikely(state == TCP_LISTEN))
			bits |= KEVENT_SOCK_LISTENER;
		else if (!kevent_sock_below_mark(sk, READ_ONCE(kevent_to_sock(k)->lowat)))
			bits |= KEVENT_SOCK_RECV;
	}
	if (happened & EPOLLOUT && !kevent_sock_peer_decides(sk))
		bits |= KEVENT_SOCK_SEND;
	/* connect(AF_UNSPEC) wakes with an error and has none. */
	if (unlikely(!(happened & (EPOLLIN | EPOLLOUT)) || shutdown))
		bits |= kevent_sock_state_events(sk, state, shutdown,
						 !happened || state == TCP_CLOSE);
	if (unlikely(kevent_sock_has_error(sk)))
		bits |= KEVENT_SOCK_ERROR;
	return bits & ~kevent_sock_spare(k, state, shutdown);
}

/* How much is there, as a record tells it; negative if that is not known. */
static s64 kevent_sock_hint(const struct sock *sk)
{
	int bytes;

	if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
		return sk->sk_family == AF_UNIX ?
		       skb_queue_len_lockless(&sk->sk_receive_queue) :
		       READ_ONCE(sk->sk_ack_backlog);
	if (!kevent_sock_plain(sk))
		return -1;
	bytes = READ_ONCE(tcp_sk(sk)->rcv_nxt) - READ_ONCE(tcp_sk(sk)->copied_seq);
	/* A FIN has a number of its own. */
	if (bytes > 0 && sock_flag(sk, SOCK_DONE))
		bytes--;
	return max(bytes, 0);
}

/* Of a socket whose wake-ups are resolved. */
static __always_inline u16 kevent_sock_fill_known(struct kevent *k, u32 bits,
						  u64 data[2])
{
	s64 hint;

	if (unlikely(bits & KEVENT_SOCK_CONNECT))	/* told once */
		WRITE_ONCE(k->events, k->events & ~KEVENT_SOCK_CONNECT);
	if (unlikely(bits & KEVENT_SOCK_ERROR))
		data[1] = READ_ONCE(kevent_sk(k)->sk_err);
	if (likely(!kevent_to_sock(k)->hints))
		return 0;
	hint = kevent_sock_hint(kevent_sk(k));
	if (hint < 0)
		return 0;
	data[0] = hint;
	return KEVENT_REC_HINT;
}

static u16 kevent_sock_fill(struct kevent *k, u32 bits, u64 data[2])
{
	return kevent_to_sock(k)->known ? kevent_sock_fill_known(k, bits, data) : 0;
}

/* Whatever a wake-up may mean; see kevent_sock_wake(). */
static noinline int kevent_sock_wake_any(struct kevent *k, int sync,
					 __poll_t happened)
{
	u32 events = READ_ONCE(k->events), bits;

	bits = events & kevent_sock_resolve(k, kevent_sk(k), happened);
	/* The peer of a datagram socket decides, or a connection has no room yet. */
	if (unlikely((!happened || happened & EPOLLOUT) &&
		     events & KEVENT_SOCK_SEND & ~bits))
		kevent_trigger_query(k, sync);
	if (!bits)
		return 0;
	trace_kevent_trigger(k, bits);
	/*
	 * Of those that watch exclusively, one is enough if it was told of what has
	 * woken it.  All hear of errors and changes; one that is told of an old error
	 * does not take the data from others.
	 */
	return kevent_trigger_slow(k, bits, kevent_lock(k->user), sync) &&
	       !(happened & (EPOLLERR | EPOLLHUP)) &&
	       bits & (__force u32)happened &
	       (KEVENT_SOCK_RECV | KEVENT_SOCK_ACCEPT | KEVENT_SOCK_SEND);
}

static int kevent_sock_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct kevent *k = kevent_of_wait(wait);
	const struct sock *sk = kevent_sk(k);
	__poll_t happened = key_to_poll(key);

	trace_kevent_wake(k, (__force u32)happened);
	/*
	 * Data for who takes any amount, and nothing else: nearly always.  What is
	 * rare is one test.
	 */
	if (unlikely((happened & (EPOLLIN | EPOLLOUT)) != EPOLLIN ||
		     READ_ONCE(sk->sk_state) == TCP_LISTEN || kevent_sock_urgent(sk) ||
		     READ_ONCE(kevent_to_sock(k)->lowat) |
		     READ_ONCE(sk->sk_shutdown) | kevent_sock_has_error(sk)))
		return kevent_sock_wake_any(k, sync, happened);
	/* kevent_hook_sync() makes sure that a change is seen in time. */
	if (!(READ_ONCE(k->events) & KEVENT_SOCK_RECV))
		return 0;
	return kevent_trigger(k, KEVENT_SOCK_RECV, kevent_sock_fill_known, sync);
}

/* What ->poll said, in events of sockets. */
static u32 kevent_sock_translate(const struct kevent *k, u32 mask)
{
	u32 bits = mask & KEVENT_SOCK_SAME;
	const struct sock *sk;
	u8 shutdown;
	int state;

	if (!kevent_to_sock(k)->known)
		return bits & KEVENT_SOCK_RECV ? bits | KEVENT_SOCK_LISTENER : bits;
	sk = kevent_sk(k);
	state = inet_sk_state_load(sk);
	shutdown = READ_ONCE(sk->sk_shutdown);
	if (state == TCP_LISTEN)
		return bits & KEVENT_SOCK_RECV ? bits | KEVENT_SOCK_LISTENER : bits;
	if (bits & KEVENT_SOCK_RECV && !(shutdown & RCV_SHUTDOWN) &&
	    kevent_sock_below_mark(sk, READ_ONCE(kevent_to_sock(k)->lowat)))
		bits &= ~KEVENT_SOCK_RECV;
	if (READ_ONCE(k->events) & KEVENT_SOCK_CONNECT &&
	    kevent_sock_connected(state))
		bits |= KEVENT_SOCK_CONNECT;
	return bits & ~kevent_sock_spare(k, state, shutdown);
}

static int kevent_sock_check(const struct kevent_change *change)
{
	if (change->addr || change->param[KEVENT_SOCK_LOWAT] > INT_MAX ||
	    change->param[1] || change->param[2] || change->param[3])
		return -EINVAL;
	return 0;
}

/* What is only told of TCP. */
static int kevent_sock_check_tcp(const struct kevent_change *change,
				 const struct sock *sk)
{
	if (change->param[KEVENT_SOCK_LOWAT] > 1 && !kevent_sock_plain(sk))
		return -EOPNOTSUPP;
	if (change->events & KEVENT_SOCK_CONNECT && !kevent_sock_is_tcp(sk))
		return -EOPNOTSUPP;
	return 0;
}

static int kevent_sock_check_file(const struct kevent_change *change,
				  struct file *file)
{
	struct socket *sock = sock_from_file(file);

	return sock ? kevent_sock_check_tcp(change, sock->sk) : -ENOTSOCK;
}

static int kevent_sock_check_modify(const struct kevent *k,
				    const struct kevent_change *change)
{
	/* As it was when it was hooked: SMC may have become TCP since. */
	if (!kevent_to_sock(k)->known && (change->events & KEVENT_SOCK_CONNECT ||
					  change->param[KEVENT_SOCK_LOWAT] > 1))
		return -EOPNOTSUPP;
	return kevent_sock_check_tcp(change, kevent_sk(k));
}

/* What ->poll is asked for in these words, it knows by others. */
static u32 kevent_sock_poll_key(const struct kevent *k)
{
	u32 events = READ_ONCE(k->events);

	if (events & KEVENT_SOCK_ACCEPT)
		events |= (__force u32)EPOLLIN;
	if (events & KEVENT_SOCK_CONNECT)
		events |= (__force u32)EPOLLOUT;
	return events;
}

static void kevent_sock_set(struct kevent *k, const struct kevent_change *change)
{
	struct kevent_sock *ks = kevent_to_sock(k);

	WRITE_ONCE(ks->lowat, change->param[KEVENT_SOCK_LOWAT] > 1 ?
			      change->param[KEVENT_SOCK_LOWAT] : 0);
	ks->hints = change->flags & KEVENT_HINTS;
}

static s64 kevent_sock_attach(struct kevent *k,
			      const struct kevent_change *change,
			      union kevent_found *found)
{
	struct kevent_sock *ks = kevent_to_sock(k);
	const struct sock *sk = kevent_sk(k);
	s64 mask;

	kevent_sock_set(k, change);
	ks->known = kevent_sock_is_known(sk);
	kevent_hook_trust(k, ks->known, sk_is_udp(sk));
	mask = kevent_hook_attach(k, ks->known ? kevent_sock_wake :
						 kevent_hook_wake_ask,
				  kevent_sock_poll_key(k));
	return mask < 0 ? mask : kevent_sock_translate(k, mask);
}

static u32 kevent_sock_query(struct kevent *k)
{
	return kevent_sock_translate(k, kevent_hook_query(k, kevent_sock_poll_key(k)));
}

static void kevent_sock_show(const struct kevent *k, struct seq_file *m)
{
	seq_printf(m, " lowat: %u hints: %d", kevent_to_sock(k)->lowat,
		   kevent_to_sock(k)->hints);
}

const struct kevent_source_ops kevent_sock_ops = {
	.type		= KEVENT_TYPE_SOCKET,
	.name		= "socket",
	.size		= sizeof(struct kevent_sock),
	.rereadable	= true,
	.valid_events	= KEVENT_SOCK_SAME | KEVENT_SOCK_ACCEPT |
			  KEVENT_SOCK_CONNECT,
	.always_events	= KEVENT_SOCK_HUP | KEVENT_SOCK_ERROR |
			  (__force u16)POLLFREE,
	.add_flags	= KEVENT_EXCLUSIVE,
	.set_flags	= KEVENT_HINTS,
	.check		= kevent_sock_check,
	.check_file	= kevent_sock_check_file,
	.check_modify	= kevent_sock_check_modify,
	.attach		= kevent_sock_attach,
	.detach		= kevent_hook_detach,
	.free		= kevent_hook_free,
	.set		= kevent_sock_set,
	.modified	= kevent_hook_sync,
	.query		= kevent_sock_query,
	.fill		= kevent_sock_fill,
	.show		= kevent_sock_show,
};
