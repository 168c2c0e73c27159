/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - what the sources POLL and SOCKET know of sockets
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

#endif /* _KERNEL_KEVENT_SOCK_H */
