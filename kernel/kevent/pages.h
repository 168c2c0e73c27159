/* SPDX-License-Identifier: GPL-2.0 */
/* kevent - pages of files, handed over to sockets; see pages.c */
#ifndef _KERNEL_KEVENT_PAGES_H
#define _KERNEL_KEVENT_PAGES_H

#include <linux/folio_queue.h>

struct file;
struct inode;
struct msghdr;
struct sock;
struct socket;

/* Handed over at a time. */
#define KEVENT_PAGES	16
static_assert(KEVENT_PAGES < PAGEVEC_SIZE);

/**
 * struct kevent_pages - pages of a file that can be handed over at once
 * @queue: what was found, referenced
 * @pos: where in the file what can be handed over begins
 * @bytes: how much that is
 * @folio: readahead goes on when this one is reached, or if @bytes is 0, it is not
 *	up to date; one of @queue, or NULL
 * @next: what follows them can be handed over as well
 * @last: they are the last ones of the file, or of what is to be sent
 * @whole: and not of a file that ends before that
 * @ended: the file has none at that position any more
 * @zero: it is the page of zeroes, not referenced
 */
struct kevent_pages {
	struct folio_queue	queue;
	loff_t			pos;
	u32			bytes;
	struct folio		*folio;
	bool			next;
	bool			last;
	bool			whole;
	bool			ended;
	bool			zero;
};

struct inode *kevent_file_inode(const struct file *file);
bool kevent_inode_sends(const struct inode *inode);
struct inode *kevent_file_may_send(struct file *file, loff_t pos, u64 length);
void kevent_file_account(struct file *file, u64 sent);

bool kevent_sock_is_stream(const struct socket *sock);
int kevent_sock_give(struct socket *sock, struct msghdr *msg, bool more);
void kevent_sock_push(struct socket *sock);

int kevent_pages_get(struct kevent_pages *pages, struct inode *inode, loff_t pos,
		     loff_t end);
bool kevent_pages_cork(const struct kevent_pages *pages, const struct sock *sk);
int kevent_pages_send(struct kevent_pages *pages, struct socket *sock, bool more);
void kevent_pages_put(struct kevent_pages *pages);

#endif /* _KERNEL_KEVENT_PAGES_H */
