// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - which descriptors of this process are sets
 *
 * A set lives as long as descriptors and calls refer to it.  Its memory goes back to
 * a pool and is never anything else, so that it can be looked at without a lock: who
 * has got a reference looks whether the descriptor is still that of the set.
 */
#include <fcntl.h>

#include "shim.h"

static struct ke_set *sets[KE_MAX_FD];
/* No descriptor from here on is one. */
static unsigned int sets_end;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ke_set *pool;
static struct ke_set first_sets[16];
static unsigned int first_used;

/* A child of vfork() has the memory of its parent, and descriptors of its own. */
static pid_t process;

static bool in_process(void)
{
	return getpid() == process;
}

static void forked(void)
{
	process = getpid();
}

static void before_fork(void)
{
	pthread_mutex_lock(&pool_lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&pool_lock);
}

static void after_fork_child(void)
{
	after_fork();
	forked();
}

/**
 * ke_alloc - memory for a set
 *
 * Return: the set, without a reference, its fields of before; or NULL.
 */
struct ke_set *ke_alloc(void)
{
	struct ke_set *set;

	pthread_mutex_lock(&pool_lock);
	if (!process) {
		process = getpid();
		pthread_atfork(before_fork, after_fork, after_fork_child);
	}
	set = pool;
	if (set)
		pool = set->next_free;
	else if (first_used < sizeof(first_sets) / sizeof(first_sets[0]))
		set = first_sets + first_used++;
	pthread_mutex_unlock(&pool_lock);
	if (!set) {
		set = mmap(NULL, sizeof(*set), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (set == MAP_FAILED)
			set = NULL;
	}
	return set;
}

static struct ke_set **place(int fd)
{
	return fd >= 0 && (unsigned int)fd < __atomic_load_n(&sets_end, __ATOMIC_RELAXED) ?
	       sets + fd : NULL;
}

/**
 * ke_get - the set of a descriptor, with a reference
 * @fd: the descriptor
 *
 * Return: the set, or NULL if it is none of ours.
 */
struct ke_set *ke_get(int fd)
{
	struct ke_set **at = place(fd), *set;
	int refs;

	while (at && (set = __atomic_load_n(at, __ATOMIC_ACQUIRE))) {
		refs = __atomic_load_n(&set->refs, __ATOMIC_RELAXED);
		while (refs && !__atomic_compare_exchange_n(&set->refs, &refs, refs + 1,
							    true, __ATOMIC_ACQUIRE,
							    __ATOMIC_RELAXED))
			;
		if (!refs)
			continue;
		if (__atomic_load_n(at, __ATOMIC_ACQUIRE) == set)
			return set;
		ke_put(set);
	}
	return NULL;
}

/**
 * ke_put - drop a reference
 * @set: the set
 */
void ke_put(struct ke_set *set)
{
	if (__atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL))
		return;
	ke_destroy(set);
	pthread_mutex_lock(&pool_lock);
	set->next_free = pool;
	pool = set;
	pthread_mutex_unlock(&pool_lock);
}

static void exchange(int fd, struct ke_set *set)
{
	struct ke_set *old = __atomic_exchange_n(sets + fd, set, __ATOMIC_ACQ_REL);

	if (old)
		ke_put(old);
}

/**
 * ke_install - a descriptor is that of a set
 * @fd: the descriptor, below %KE_MAX_FD
 * @set: the set, whose reference this takes
 */
void ke_install(int fd, struct ke_set *set)
{
	unsigned int end = __atomic_load_n(&sets_end, __ATOMIC_RELAXED);

	while (end <= (unsigned int)fd &&
	       !__atomic_compare_exchange_n(&sets_end, &end, fd + 1, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	exchange(fd, set);
}

/**
 * ke_forget - a descriptor is about to be closed
 * @fd: the descriptor
 */
void ke_forget(int fd)
{
	struct ke_set **at = place(fd);

	if (at && __atomic_load_n(at, __ATOMIC_RELAXED) && in_process())
		exchange(fd, NULL);
}

/**
 * ke_forget_range - descriptors are about to be closed
 * @first: the first of them
 * @last: the last
 */
void ke_forget_range(unsigned int first, unsigned int last)
{
	unsigned int end = __atomic_load_n(&sets_end, __ATOMIC_RELAXED);

	for (; first < end && first <= last; first++)
		ke_forget(first);
}

/**
 * ke_copied - a descriptor was duplicated
 * @from: of what
 * @to: the duplicate, which may have been something else before
 */
void ke_copied(int from, int to)
{
	struct ke_set *set;

	if (from == to)
		return;
	set = ke_get(from);
	if (!set)
		ke_forget(to);
	else if (to >= (int)KE_MAX_FD || !in_process())
		ke_put(set);
	else
		ke_install(to, set);
}

/**
 * ke_hand_over - let all descriptors of a set be those of an epoll set
 * @set: the set, to which the caller has a reference
 * @epfd: the epoll set, closed
 */
void ke_hand_over(struct ke_set *set, int epfd)
{
	const struct ke_real *real = ke_real();
	int fd, end = __atomic_load_n(&sets_end, __ATOMIC_RELAXED), flags;

	for (fd = 0; fd < end; fd++) {
		if (__atomic_load_n(sets + fd, __ATOMIC_RELAXED) != set)
			continue;
		flags = real->fcntl(fd, F_GETFD);
		real->dup3(epfd, fd, flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
		exchange(fd, NULL);
	}
	real->close(epfd);
}
