// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - many sends and a wait, in one call
 *
 * Each send is a write(2) to a socket that does not block: it copies, in the order of
 * the array, and is over when the next one begins.  So nothing is pinned, nothing can
 * be cancelled, and the program may reuse its memory on return; what a socket does
 * not take is the program's to send later, as after send(2).
 *
 * An entry of kind FILE sends what is cached of a file, pages.c.
 *
 * A stream must not be torn: once an entry was not done in full, later ones of the same
 * call for the same socket, by whatever descriptor, are refused; and so is all for a
 * socket on which an interest is sending a file.
 *
 * What is sent from the data area can be given back by the same call, when it is sent
 * and before it sleeps.
 *
 * A send asks the security module as send(2) does, by sock_sendmsg(), each time.  What
 * system call filters see is this call by its number.
 */

#include <linux/file.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>
#include <net/sock.h>

#include "area.h"
#include "kevent.h"
#include "sock.h"

/* Entries copied in, done and answered at a time; on the stack. */
#define KEVENT_SEND_CHUNK	16

/**
 * struct kevent_unsent - sockets of which an entry was not done in full
 * @cookie: the sockets, by numbers that are not used again; @few or allocated
 * @nr: how many
 * @all: there was no memory for them: nothing more is sent
 * @few: enough, nearly always
 */
struct kevent_unsent {
	u64	*cookie;
	u32	nr;
	bool	all;
	u64	few[8];
};

static noinline bool kevent_is_unsent(const struct kevent_unsent *unsent,
				      const struct sock *sk)
{
	/* 0 if it has none: then it was not noted. */
	u64 cookie = atomic64_read(&sk->sk_cookie);
	u32 i;

	for (i = 0; i < unsent->nr; i++)
		if (unsent->cookie[i] == cookie)
			return true;
	return unsent->all;
}

static noinline void kevent_note_unsent(struct kevent_unsent *unsent,
					struct sock *sk)
{
	u64 *more;

	if (!unsent->nr) {
		unsent->cookie = unsent->few;
	} else if (unsent->nr == ARRAY_SIZE(unsent->few) &&
		   unsent->cookie == unsent->few) {
		more = kmalloc_array(KEVENT_MAX_SENDS, sizeof(*more), KEVENT_GFP);
		if (!more) {
			unsent->all = true;
			return;
		}
		memcpy(more, unsent->few, sizeof(unsent->few));
		unsent->cookie = more;
	}
	unsent->cookie[unsent->nr++] = sock_gen_cookie(sk);
}

/* What can be told from the entry and the queue alone. */
static int kevent_check_send(const struct kevent_user *user,
			     const struct kevent_send *send)
{
	if (send->flags & ~(KEVENT_SEND_MORE | KEVENT_SEND_FILE | KEVENT_SEND_RELEASE) ||
	    send->len > INT_MAX ||
	    (send->file_fd && !(send->flags & KEVENT_SEND_FILE)) ||
	    (send->flags & KEVENT_SEND_RELEASE ? !user->data.size : send->release))
		return -EINVAL;
	if (likely(!(send->flags & KEVENT_SEND_FILE)))
		return 0;
	if (!IS_ENABLED(CONFIG_KEVENT_SENDFILE))
		return -EOPNOTSUPP;
	if (!user->sends_files)
		return -ENXIO;
	return kevent_may(&sysctl_kevent_sendfile_disabled) ? 0 : -EPERM;
}

static int kevent_send_to(const struct kevent_user *user, struct socket *sock,
			  const struct kevent_send *send)
{
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
	};
	int ret;

	ret = kevent_check_send(user, send);
	if (unlikely(ret))
		return ret;
	if (send->flags & KEVENT_SEND_MORE)
		msg.msg_flags |= MSG_MORE;
	if (unlikely(test_bit(SOCK_SENDING_FILE, &sock->flags)))
		return -EBUSY;
	if (unlikely(send->flags & KEVENT_SEND_FILE))
		return kevent_send_file(sock, send);
	ret = import_ubuf(ITER_SOURCE, u64_to_user_ptr(send->addr), send->len,
			  &msg.msg_iter);
	if (ret)
		return ret;
	ret = sock_sendmsg(sock, &msg);
	return kevent_no_restart(ret);
}

static int kevent_send_one(const struct kevent_user *user,
			   const struct kevent_send *send,
			   struct kevent_unsent *unsent)
{
	struct socket *sock;
	int ret;

	CLASS(fd, f)(send->fd);
	if (fd_empty(f))
		return -EBADF;
	sock = sock_from_file(fd_file(f));
	if (!sock)
		return -ENOTSOCK;
	if (unlikely(unsent->nr) && kevent_is_unsent(unsent, sock->sk))
		return -ECANCELED;
	ret = kevent_send_to(user, sock, send);
	if (unlikely(ret < 0 || ret != send->len))
		kevent_note_unsent(unsent, sock->sk);
	return ret;
}

/* Write the results of each entry or of each @step, until one faults. */
static u32 kevent_write_sent(const struct kevent_send *chunk,
			     struct kevent_send __user *to, u32 nr, u32 step)
{
	u32 i = 0;

	if (!user_write_access_begin(to, nr * sizeof(*to)))
		return 0;
	for (i = 0; i < nr; i += step)
		unsafe_put_user(chunk[i].result, &to[i].result, fault);
	i = nr;
fault:
	user_write_access_end();
	return i;
}

/**
 * kevent_send_all - do an array of sends
 * @user: the queue
 * @sends: the array, in user memory
 * @nr: number of entries, at most %KEVENT_MAX_SENDS
 * @failed: set if an entry was not done in full
 *
 * Process context, no locks.  Only a fatal signal ends it early: it does not block, but
 * for who owns a socket just then, and the array is bounded.
 *
 * Return: 0, -EFAULT, or -EINTR.
 */
int kevent_send_all(struct kevent_user *user, struct kevent_send __user *sends, u32 nr,
		    bool *failed)
{
	/* Zeroing them costs a single send too much; what is read was written. */
	struct kevent_send chunk[KEVENT_SEND_CHUNK] __uninitialized;
	struct kevent_unsent unsent __uninitialized;
	bool releases = false;
	u32 release = 0, done, n, i;
	int ret = 0;

	unsent.nr = 0;
	unsent.all = false;
	for (done = 0; done < nr && !ret; done += n) {
		struct kevent_send __user *from = sends + done;

		n = min(nr - done, KEVENT_SEND_CHUNK);
		ret = -EFAULT;
		if (copy_from_user(chunk, from, n * sizeof(*chunk)))
			break;
		/*
		 * What is sent can be told: try it first.  A chunk fills less than a
		 * page, so it is on two at most.
		 */
		if (kevent_write_sent(chunk, from, n, n > 1 ? n - 1 : 1) != n)
			break;
		for (i = 0; i < n; i++) {
			struct kevent_send *send = &chunk[i];

			send->result = kevent_send_one(user, send, &unsent);
			if (unlikely(send->result < 0 || send->result != send->len)) {
				*failed = true;
			} else if (send->flags & KEVENT_SEND_RELEASE && !*failed) {
				release = send->release;
				releases = true;
			}
			/* A copy of that much takes its time. */
			if (unlikely(send->len >= SZ_1M) && fatal_signal_pending(current))
				break;
		}
		if (kevent_write_sent(chunk, from, n, 1) != n)
			break;
		ret = fatal_signal_pending(current) ? -EINTR : 0;
		if (n == KEVENT_SEND_CHUNK)
			cond_resched();
	}
	if (releases) {
		kevent_lock_irq(user);
		/*
		 * Stored as well: an index that is left behind would be taken for one
		 * that is ahead when they have gone round.
		 */
		if (kevent_area_release(&user->data, release) &&
		    (s32)(release - READ_ONCE(*user->data.release)) > 0)
			WRITE_ONCE(*user->data.release, release);
		kevent_unlock_irq(user);
	}
	if (unlikely(unsent.nr > ARRAY_SIZE(unsent.few)))
		kfree(unsent.cookie);
	return ret;
}

/**
 * sys_kevent_send - send an array of replies and wait for records
 * @kfd: a queue
 * @sends: array of &struct kevent_send
 * @nr: number of entries, up to %KEVENT_MAX_SENDS
 * @min_nr: as kevent_wait(); 0 of a queue without a ring
 * @uargs: as kevent_wait(); changes in there are applied after the sends
 * @size: as kevent_wait()
 *
 * Return: as kevent_wait().  The wait does not sleep if an entry was not done in full.
 */
SYSCALL_DEFINE6(kevent_send, int, kfd, struct kevent_send __user *, sends, u32, nr,
		u32, min_nr, struct kevent_wait_args __user *, uargs, size_t, size)
{
	struct file *file __free(fput) = fget(kfd);
	struct kevent_wait_call call = {
		.user = kevent_user_of(file), .min_nr = min_nr,
		.sends = sends, .nr_sends = nr,
	};

	if (IS_ERR(call.user))
		return PTR_ERR(call.user);
	if (nr > KEVENT_MAX_SENDS ||
	    min_nr > (call.user->noring ? 0 : call.user->mask + 1))
		return -EINVAL;
	if (!kevent_may(&sysctl_kevent_io_disabled))
		return -EPERM;
	return kevent_do_wait(&call, uargs, size);
}
