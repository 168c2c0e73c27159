// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - pages of files, handed over to sockets
 *
 * What is in the page cache goes to a stream socket without a copy, and nothing here
 * waits for data, or has them read: that is the source SENDFILE's, sendfile.c.  Entries
 * of kind FILE of an array of sends come here alone.
 */

#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fsnotify.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/xacct.h>
#include <linux/shmem_fs.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "kevent.h"
#include "pages.h"
#include "sock.h"

/*
 * The inode whose page cache holds the bytes of @file.  Of an overlay that is another
 * one, which changes when the file is copied up.
 */
struct inode *kevent_file_inode(const struct file *file)
{
	return unlikely(file->f_path.dentry->d_flags & DCACHE_OP_REAL) ?
	       d_real_inode(file->f_path.dentry) : file->f_mapping->host;
}

/*
 * Only files that are read into the page cache without waiting, and in memory: what is
 * asked for is a capability, whatever the file system.
 */
bool kevent_inode_sends(const struct inode *inode)
{
	if (!inode || !S_ISREG(inode->i_mode) || IS_DAX(inode))
		return false;
	return inode->i_fop->fop_flags & FOP_BUFFER_RASYNC ||
	       shmem_mapping(inode->i_mapping);
}

/*
 * May so many bytes from @pos on be sent?  A fanotify daemon may be asked.  Return the
 * inode of kevent_file_inode(), or an error.
 */
struct inode *kevent_file_may_send(struct file *file, loff_t pos, u64 length)
{
	struct inode *inode;
	int ret;

	if (!(file->f_mode & FMODE_READ))
		return ERR_PTR(-EBADF);
	if (!S_ISREG(file_inode(file)->i_mode) || !(file->f_mode & FMODE_PREAD) ||
	    file->f_flags & O_DIRECT)
		return ERR_PTR(-EOPNOTSUPP);
	inode = kevent_file_inode(file);
	if (!kevent_inode_sends(inode))
		return ERR_PTR(-EOPNOTSUPP);
	ret = rw_verify_area(READ, file, &pos, min_t(u64, length, MAX_RW_COUNT));
	return ret ? ERR_PTR(kevent_no_restart(ret)) : inode;
}

/* SCTP has the type, and keeps messages apart. */
bool kevent_sock_is_stream(const struct socket *sock)
{
	return sock->type == SOCK_STREAM && sock->sk->sk_protocol != IPPROTO_SCTP;
}

static bool kevent_folio_poisoned(struct folio *folio)
{
	return unlikely(folio_test_hwpoison(folio)) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

void kevent_pages_put(struct kevent_pages *pages)
{
	/* They stay in the page cache: no need to drain this CPU's LRU batches first. */
	if (!pages->zero)
		folios_put(&pages->queue.vec);
}

/*
 * Of files in memory: what was never written reads as zeroes.  What was swapped out is
 * not there.  @end is in the file, and in this batch.  What was found is let go.
 */
static void kevent_pages_zero(struct kevent_pages *pages, struct address_space *mapping,
			      loff_t end)
{
	pgoff_t known = pages->folio ? folio_next_index(pages->folio) : 0;
	pgoff_t index = pages->pos >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	unsigned int nr = 0;

	kevent_pages_put(pages);
	pages->folio = NULL;
	pages->zero = true;
	for (; index <= last; index++) {
		if (index >= known && xa_load(&mapping->i_pages, index))
			break;
		pages->queue.vec.folios[nr] = page_folio(ZERO_PAGE(0));
		pages->queue.orders[nr++] = 0;
	}
	pages->queue.vec.nr = nr;
	if (index <= last)
		end = (loff_t)index << PAGE_SHIFT;
	if (nr)
		pages->bytes = end - pages->pos;
}

/**
 * kevent_pages_get - what of a file is in the page cache
 * @pages: the result, to be released
 * @inode: of kevent_file_inode()
 * @pos: from there
 * @end: up to there, LLONG_MAX for the end of the file
 *
 * Return: 0 or -EIO.
 */
int kevent_pages_get(struct kevent_pages *pages, struct inode *inode, loff_t pos,
		     loff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio_batch *found = &pages->queue.vec;
	loff_t batch = KEVENT_PAGES * PAGE_SIZE - offset_in_page(pos);
	loff_t stop = end - pos > batch ? pos + batch : end, size;
	pgoff_t index = pos >> PAGE_SHIFT, last = (stop - 1) >> PAGE_SHIFT, next = 0;
	struct folio *folio;
	unsigned int i;

	/* An iterator looks at nothing else of the queue. */
	folio_batch_init(found);
	pages->queue.next = NULL;
	pages->queue.prev = NULL;
	pages->pos = pos;
	pages->bytes = 0;
	pages->folio = NULL;
	pages->zero = false;
	/* With the one behind, if that is to be sent. */
	filemap_get_folios_contig(mapping, &index, last + (stop < end), found);
	for (i = 0; i < folio_batch_count(found); i++) {
		folio = found->folios[i];
		if (kevent_folio_poisoned(folio)) {
			if (!i)
				return -EIO;
			break;
		}
		if (!folio_test_uptodate(folio)) {
			if (!i)
				pages->folio = folio;
			break;
		}
		if (folio_test_readahead(folio) && folio->index <= last)
			pages->folio = folio;
		pages->queue.orders[i] = folio_order(folio);
		next = folio_next_index(folio);
	}
	/* After that they were found up to date, as for read(2). */
	size = i_size_read(inode);
	pages->ended = pos >= size;
	pages->next = next > last + 1;
	stop = min(stop, size);
	if (next && pos < stop) {
		if (next <= (stop - 1) >> PAGE_SHIFT)
			stop = (loff_t)next << PAGE_SHIFT;
		pages->bytes = stop - pos;
		if (mapping_writably_mapped(mapping)) {
			while (i--)
				flush_dcache_folio(found->folios[i]);
		}
	} else if (pos < stop && shmem_mapping(mapping)) {
		kevent_pages_zero(pages, mapping, stop);
	}
	pos += pages->bytes;
	pages->last = pos >= min(end, size);
	pages->whole = pages->last && (pos >= end || end == LLONG_MAX);
	return 0;
}

/* Is what was sent to wait for the next batch?  Only if that can follow at once. */
bool kevent_pages_cork(const struct kevent_pages *pages, const struct sock *sk)
{
	return !pages->last && pages->next && kevent_sock_sends_plain(sk);
}

/*
 * The next batch does not follow at once after all: have what there is pushed.  May
 * sleep for who owns the socket, unless that is seen: TCP pushes by itself a little later.
 */
void kevent_sock_push(struct socket *sock)
{
#ifdef CONFIG_INET
	/* Of TCP itself: kTLS, if it was set meanwhile, would wait for its senders. */
	if (!kevent_sock_sends_plain(sock->sk))
		return;
	/* It pushes by itself a little later: that is worth no wait. */
	if (!data_race(sock_owned_by_user_nocheck(sock->sk)))
		tcp_splice_eof(sock);
#endif
}

/* Return the bytes that the socket took, which are some, or an error. */
int kevent_sock_give(struct socket *sock, struct msghdr *msg, bool more)
{
	int ret;

	msg->msg_flags |= MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ret = sock_sendmsg(sock, msg);
	return kevent_no_restart(ret) ?: -EIO;
}

/* Hand pages over, to be followed by something. */
int kevent_pages_send(struct kevent_pages *pages, struct socket *sock, bool more)
{
	struct msghdr msg = { .msg_flags = MSG_SPLICE_PAGES };
	struct folio **folio = pages->queue.vec.folios;
	loff_t end;
	int ret;

	iov_iter_folio_queue(&msg.msg_iter, ITER_SOURCE, &pages->queue, 0,
			     offset_in_folio(*folio, pages->pos), pages->bytes);
	ret = kevent_sock_give(sock, &msg, more);
	if (ret < 0 || pages->zero)
		return ret;
	end = pages->pos + ret;
	do
		folio_mark_accessed(*folio);
	while (folio_next_index(*folio++) <= (end - 1) >> PAGE_SHIFT);
	return ret;
}

void kevent_file_account(struct file *file, u64 sent)
{
	fsnotify_access(file);
	add_rchar(current, sent);
	add_wchar(current, sent);
}

/**
 * kevent_send_file - send what is cached of a part of a file, for an array of sends
 * @sock: a socket
 * @send: the entry, of kind FILE
 *
 * Process context, no locks.  Neither waits for data nor starts to read them.
 *
 * Return: the bytes that were sent, 0 at the end of the file, -EAGAIN if the socket has
 * no room or nothing is cached there, or another error.
 */
int kevent_send_file(struct socket *sock, const struct kevent_send *send)
{
	bool more = send->flags & KEVENT_SEND_MORE, corked = false, cork;
	loff_t begin = send->addr, pos = begin, end;
	struct kevent_pages pages;
	struct inode *inode;
	int ret = 0;

	CLASS(fd, f)(send->file_fd);
	if (fd_empty(f))
		return -EBADF;
	if (!kevent_sock_is_stream(sock))
		return -EOPNOTSUPP;
	if (begin < 0)
		return -EINVAL;
	end = begin + min_t(u64, send->len, min_t(u64, LLONG_MAX - begin, MAX_RW_COUNT));
	inode = kevent_file_may_send(fd_file(f), begin, end - begin);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	while (pos < end) {
		ret = kevent_pages_get(&pages, inode, pos, end);
		cork = !ret && kevent_pages_cork(&pages, sock->sk);
		if (!ret && pages.bytes)
			ret = kevent_pages_send(&pages, sock, cork || (more && pages.whole));
		else if (!ret && !pages.ended)
			ret = -EAGAIN;
		kevent_pages_put(&pages);
		if (ret <= 0)
			break;
		pos += ret;
		corked = cork && ret == pages.bytes;
		if (ret < pages.bytes || pages.last || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	if (corked)
		kevent_sock_push(sock);
	if (pos == begin)
		return ret;
	kevent_file_account(fd_file(f), pos - begin);
	file_accessed(fd_file(f));
	return pos - begin;
}
