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

/*
 * The process whose descriptors these are, in a page that a fork clears, however it
 * is made.  A child of vfork() has the memory of its parent, and descriptors of its own.
 */
static pid_t *process;

/* The file that a descriptor was last added to a set for; 0 for none, or closed. */
static uint64_t files[KE_MAX_FD];
static unsigned int files_end;
static uint32_t files_seen;

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
	*process = getpid();
}

/*
 * Fork handlers of the program that use epoll find no lock held: ours are the first,
 * so that they are called last before a fork and first after it.  Nor is there
 * anything to be looked for in a child, which has one thread of many.
 */
static void begin(void)
{
	static pid_t shared;
	void *page = mmap(NULL, sizeof(*process), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		madvise(page, sizeof(*process), MADV_WIPEONFORK);
	process = page != MAP_FAILED ? page : &shared;
	*process = getpid();
	pthread_atfork(before_fork, after_fork, after_fork_child);
	ke_real();
	ke_mode();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static __attribute__((constructor)) void ke_begin(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	/* The C library is initialised after this one. */
	if (!environ)
		environ = envp;
	pthread_once(&once, begin);
}

static bool in_process(void)
{
	pid_t pid = getpid();

	if (*process == pid)
		return true;
	if (*process)
		return false;
	/* Forked by a system call of the program's own: whoever had the lock is not here. */
	pthread_mutex_init(&pool_lock, NULL);
	*process = pid;
	return true;
}

/**
 * ke_alloc - memory for a set
 *
 * Return: the set, without a reference, its fields of before; or NULL.
 */
struct ke_set *ke_alloc(void)
{
	struct ke_set *set;

	/* By a library that is initialised before this one, perhaps. */
	pthread_once(&once, begin);
	in_process();
	pthread_mutex_lock(&pool_lock);
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

static void raise_to(unsigned int *end, unsigned int fd)
{
	unsigned int was = __atomic_load_n(end, __ATOMIC_RELAXED);

	while (was <= fd && !__atomic_compare_exchange_n(end, &was, fd + 1, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
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
	raise_to(&sets_end, fd);
	exchange(fd, set);
}

/**
 * ke_forget - a descriptor is about to be closed
 * @fd: the descriptor
 */
void ke_forget(int fd)
{
	struct ke_set **at = place(fd);

	bool set = at && __atomic_load_n(at, __ATOMIC_RELAXED);
	bool file = fd >= 0 && fd < (int)KE_MAX_FD &&
		    __atomic_load_n(files + fd, __ATOMIC_RELAXED);

	if (!(set || file) || !in_process())
		return;
	if (file)
		__atomic_store_n(files + fd, 0, __ATOMIC_RELAXED);
	if (set)
		exchange(fd, NULL);
}

/**
 * ke_forget_range - descriptors are about to be closed
 * @first: the first of them
 * @last: the last
 */
void ke_forget_range(unsigned int first, unsigned int last)
{
	unsigned int end = __atomic_load_n(&files_end, __ATOMIC_RELAXED);

	if (end < __atomic_load_n(&sets_end, __ATOMIC_RELAXED))
		end = __atomic_load_n(&sets_end, __ATOMIC_RELAXED);
	for (; first < end && first <= last; first++)
		ke_forget(first);
}

/**
 * ke_file - a name for the file of a descriptor
 * @fd: the descriptor, below %KE_MAX_FD
 *
 * Other processes that have the set may have another file by that number, and so may
 * this one, once it is closed.
 *
 * Return: the same as long as it is not closed here, and nothing else anywhere; not 0.
 */
uint64_t ke_file(int fd)
{
	uint64_t file = __atomic_load_n(files + fd, __ATOMIC_RELAXED);

	if (file)
		return file;
	raise_to(&files_end, fd);
	file = (uint64_t)getpid() << 32 |
	       __atomic_add_fetch(&files_seen, 1, __ATOMIC_RELAXED);
	__atomic_store_n(files + fd, file, __ATOMIC_RELAXED);
	return file;
}

/**
 * ke_has_fd - is an interest's descriptor still that of its file?
 * @s: the interest
 *
 * Return: whether it is in this process, as far as we know.
 */
bool ke_has_fd(const struct ke_slot *s)
{
	return __atomic_load_n(files + s->fd, __ATOMIC_RELAXED) == s->file;
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
	ke_forget(to);
	set = ke_get(from);
	if (!set)
		return;
	if (to >= (int)KE_MAX_FD || !in_process())
		ke_put(set);
	else
		ke_install(to, set);
}

/**
 * ke_is_of - is a descriptor really that of a set?
 * @set: the set it is known to be of, to which the caller has a reference
 * @fd: the descriptor
 *
 * The program may have closed it where nobody sees that here, and have got the number
 * for something else.  If so, it is forgotten.
 *
 * Return: whether it is.
 */
bool ke_is_of(struct ke_set *set, int fd)
{
	struct ke_set **at = place(fd), *expected = set;
	struct kevent_change change;

	ukevent_prep_op(&change, KEVENT_OP_QUERY, 0, 0, 0);
	if (!ke_change(fd, ukevent_by_id(&change, set->sh->name_id)) &&
	    change.type == KEVENT_TYPE_USER && change.ident == set->sh->name)
		return true;
	if (at && in_process() &&
	    __atomic_compare_exchange_n(at, &expected, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		ke_put(set);
	return false;
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
		if (__atomic_load_n(sets + fd, __ATOMIC_RELAXED) != set ||
		    !ke_is_of(set, fd))
			continue;
		flags = real->fcntl(fd, F_GETFD);
		real->dup3(epfd, fd, flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
		exchange(fd, NULL);
	}
	real->close(epfd);
}
