// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - a set, and its table of interests
 *
 * The table is in memory that a child shares, as it does the queue: both change the
 * same set, and either may be told of what the other has added.
 */
#include <sys/resource.h>

#include "shim.h"

/* A ring of 32 KiB: more interests than that seldom become ready at a time. */
#define KE_RING_ENTRIES	1024

static int share(struct ke_set *set)
{
	struct ke_shared *sh;
	pthread_mutexattr_t attr;
	struct rlimit limit;
	uint32_t max = KE_MAX_FD;
	size_t size;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max < max)
		max = limit.rlim_max;
	/* Some may outlive the number of their descriptor. */
	max += 64;
	size = sizeof(*sh) + (size_t)max * (sizeof(struct ke_slot) + sizeof(uint32_t));
	sh = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sh == MAP_FAILED)
		return -ENOMEM;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	/* One of the processes may die. */
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&sh->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	sh->top = 1;
	sh->max = max;
	set->sh = sh;
	set->slot = (struct ke_slot *)(sh + 1);
	set->by_fd = (uint32_t *)(set->slot + max);
	set->size = size;
	return 0;
}

/*
 * What tells a queue from all others.  Its cookie is that of no slot.
 */
static int name_queue(struct ke_set *set, int fd)
{
	struct ke_shared *sh = set->sh;
	struct kevent_change change;
	int ret;

	sh->name = ke_now_ns() ^ (uint64_t)getpid() << 40 ^ (uintptr_t)sh << 12;
	ret = ke_change(fd, ukevent_prep_user(&change, KEVENT_OP_ADD, sh->name, 0, 0));
	sh->name_id = change.id;
	return ret;
}

/**
 * ke_create - make a set
 * @flags: of epoll_create1(2), valid
 *
 * Return: its descriptor, or a negative error number: then it is left to epoll.
 */
int ke_create(int flags)
{
	struct kevent_params params = {
		.flags = flags & EPOLL_CLOEXEC ? 0 : KEVENT_CREATE_INHERIT,
		.ring_entries = KE_RING_ENTRIES,
	};
	struct ke_set *set = ke_alloc();
	int fd, ret;

	if (!set)
		return -ENOMEM;
	ret = ukevent_queue_init(&set->q, &params);
	fd = set->q.fd;
	set->sh = NULL;
	if (!ret)
		ret = fd < (int)KE_MAX_FD ? share(set) : -EMFILE;
	if (!ret)
		ret = name_queue(set, fd);
	set->moved = -1;
	set->spin_ns = 0;
	set->sleeps = 0;
	__atomic_store_n(&set->refs, 1, __ATOMIC_RELEASE);
	if (ret) {
		if (fd >= 0)
			ke_real()->close(fd);
		ke_put(set);
		return ret;
	}
	ke_install(fd, set);
	ke_count(KE_N_SETS, 1);
	return fd;
}

/**
 * ke_destroy - nobody refers to a set any more
 * @set: the set, whose descriptors are closed or about to be
 */
void ke_destroy(struct ke_set *set)
{
	set->q.fd = set->moved;
	ukevent_queue_exit(&set->q);
	if (set->sh)
		munmap(set->sh, set->size);
	set->sh = NULL;
}

/* A process died over its changes: what is linked anew, and looked at, is right again. */
static void repair(struct ke_set *set)
{
	struct ke_shared *sh = set->sh;
	struct ke_slot *s;
	uint32_t nr;

	sh->again[0] = 0;
	sh->again[1] = 0;
	sh->free = 0;
	sh->orphans = 0;
	sh->level = 1;
	for (nr = 1; nr < sh->top; nr++) {
		s = set->slot + nr;
		s->listed = 0;
		if (!s->used) {
			if (set->by_fd[s->fd] == nr)
				set->by_fd[s->fd] = 0;
			s->next = sh->free;
			sh->free = nr;
		} else if (!set->by_fd[s->fd]) {
			set->by_fd[s->fd] = nr;
		}
	}
	for (nr = 1; nr < sh->top; nr++) {
		s = set->slot + nr;
		sh->orphans += s->used && s->added && set->by_fd[s->fd] != nr;
	}
}

void ke_lock(struct ke_set *set)
{
	if (pthread_mutex_lock(&set->sh->lock) == EOWNERDEAD) {
		repair(set);
		pthread_mutex_consistent(&set->sh->lock);
	}
}

void ke_unlock(struct ke_set *set)
{
	pthread_mutex_unlock(&set->sh->lock);
}

/**
 * ke_slot_new - take a free slot
 * @set: the set, locked
 *
 * Return: its number, 0 if there is none.
 */
uint32_t ke_slot_new(struct ke_set *set)
{
	struct ke_shared *sh = set->sh;
	uint32_t nr = sh->free;
	struct ke_slot *s;

	if (nr)
		sh->free = set->slot[nr].next;
	else if (sh->top < sh->max)
		nr = sh->top++;
	else
		return 0;
	s = set->slot + nr;
	s->next = 0;
	s->gen++;
	s->used = 1;
	s->armed = 1;
	s->added = 0;
	s->true_wakes = -1;
	s->turn = 0;
	return nr;
}

/**
 * ke_slot_free - an interest has ended
 * @set: the set, locked
 * @nr: its slot
 */
void ke_slot_free(struct ke_set *set, uint32_t nr)
{
	struct ke_slot *s = set->slot + nr;

	ke_not_again(set, s);
	if (set->by_fd[s->fd] == nr)
		set->by_fd[s->fd] = 0;
	else if (s->added)
		set->sh->orphans--;
	s->gen++;
	s->used = 0;
	s->next = set->sh->free;
	set->sh->free = nr;
}

/**
 * ke_slot_of - the interest that a record is of
 * @set: the set, locked
 * @ev: the record
 *
 * Return: its slot, or NULL if it has ended, or is another one by now.
 */
struct ke_slot *ke_slot_of(struct ke_set *set, const struct ukevent *ev)
{
	uint32_t nr = (uint32_t)ev->cookie;
	struct ke_slot *s = set->slot + nr;

	if (!nr || nr >= set->sh->top || !s->used || s->gen != ev->cookie >> 32)
		return NULL;
	return s;
}

/**
 * ke_again - a level interest is told: look at it again next time
 * @set: the set, locked
 * @s: the interest
 */
void ke_again(struct ke_set *set, struct ke_slot *s)
{
	uint32_t nr = ke_nr(set, s), last = set->sh->again[1];

	set->sh->level = 1;
	if (s->listed)
		return;
	s->listed = 1;
	s->prev = last;
	s->next = 0;
	if (last)
		set->slot[last].next = nr;
	else
		set->sh->again[0] = nr;
	set->sh->again[1] = nr;
}

/**
 * ke_not_again - undo ke_again()
 * @set: the set, locked
 * @s: the interest
 */
void ke_not_again(struct ke_set *set, struct ke_slot *s)
{
	if (!s->listed)
		return;
	s->listed = 0;
	if (s->prev)
		set->slot[s->prev].next = s->next;
	else
		set->sh->again[0] = s->next;
	if (s->next)
		set->slot[s->next].prev = s->prev;
	else
		set->sh->again[1] = s->prev;
}
