/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - what the sources POLL, SOCKET, STREAM and SENDFILE know of sockets
 *
 * The interest is unhooked before the file is released, so in a wake function,
 * and under user->lock while the interest is not dead, sock->sk is there.
 */
#ifndef _KERNEL_KEVENT_SOCK_H
#define _KERNEL_KEVENT_SOCK_H

#include <linux/net.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "kevent.h"

static inline struct sock *kevent_sk(const struct kevent *k)
{
	struct socket *sock =
		container_of(k, struct kevent_file, k)->file->private_data;

	return sock->sk;
}

static inline bool kevent_sock_is_tcp(const struct sock *sk)
{
	return IS_ENABLED(CONFIG_INET) && sk_is_tcp(sk);
}

/* Of a family whose wakers were read. */
static inline bool kevent_sock_is_known(const struct sock *sk)
{
	return kevent_sock_is_tcp(sk) || sk_is_udp(sk) || sk->sk_family == AF_UNIX;
}

/* TCP whose bytes go to the program as they come: no TLS, no sockmap. */
static inline bool kevent_sock_plain(const struct sock *sk)
{
	return IS_ENABLED(CONFIG_INET) &&
	       READ_ONCE(sk->sk_prot)->recvmsg == tcp_recvmsg;
}

/*
 * TCP that is given what programs send, as they do: kTLS and sockmap may have a say in
 * one direction alone.
 */
static inline bool kevent_sock_sends_plain(const struct sock *sk)
{
	return IS_ENABLED(CONFIG_INET) &&
	       READ_ONCE(sk->sk_prot)->sendmsg == tcp_sendmsg;
}

/* There is, or was, urgent data: it wakes as data does, and is none. */
static inline bool kevent_sock_urgent(const struct sock *sk)
{
	return kevent_sock_plain(sk) && unlikely(READ_ONCE(tcp_sk(sk)->urg_data));
}

/*
 * A datagram of a UNIX socket may wait for its peer's room, and what is freed when
 * it cannot be sent wakes as if there were some.
 */
static inline bool kevent_sock_peer_decides(const struct sock *sk)
{
	return sk->sk_family == AF_UNIX && sk->sk_type == SOCK_DGRAM;
}

/*
 * Not enough to be announced, and room for more.  Urgent data that comes next is
 * none, as for tcp_poll().
 */
static inline bool kevent_sock_below_mark(const struct sock *sk, u32 lowat)
{
	int target = max_t(int, lowat, sock_rcvlowat(sk, 0, INT_MAX));

	if (!kevent_sock_plain(sk))
		return false;
	if (kevent_sock_urgent(sk) &&
	    READ_ONCE(tcp_sk(sk)->urg_seq) == READ_ONCE(tcp_sk(sk)->copied_seq) &&
	    !sock_flag(sk, SOCK_URGINLINE))
		target++;
	return !tcp_epollin_ready(sk, target);
}

/* Not 0 if there is an error, of the socket or in its queue. */
static inline u32 kevent_sock_has_error(const struct sock *sk)
{
	/* pairs with smp_wmb() in tcp_done_with_error() */
	smp_rmb();
	return READ_ONCE(sk->sk_err) |
	       skb_queue_len_lockless(&sk->sk_error_queue);
}

static inline bool kevent_sock_connected(int state)
{
	return !((1 << state) & (TCPF_CLOSE | TCPF_LISTEN | TCPF_SYN_SENT |
				 TCPF_SYN_RECV | TCPF_NEW_SYN_RECV));
}

/* Room to send, where that can be told without asking. */
static inline bool kevent_sock_writable(const struct sock *sk, u8 shutdown)
{
	if (kevent_sock_is_tcp(sk))
		return shutdown & SEND_SHUTDOWN || sk_stream_is_writeable(sk);
	/* as unix_writable() */
	return sk->sk_type != SOCK_DGRAM &&
	       refcount_read(&sk->sk_wmem_alloc) << 2 <= READ_ONCE(sk->sk_sndbuf);
}

#endif /* _KERNEL_KEVENT_SOCK_H */
