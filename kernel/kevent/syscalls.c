// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - the system calls: checks, copies, descriptors
 *
 * Errors and when they come: Documentation/kevent/reference.rst.
 */

#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/task_work.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>

#include "area.h"
#include "kevent.h"
#include "ring.h"

/*
 * Paths that a call looks up: the audit context keeps the name of each until the
 * call returns, and searches them.
 */
#define KEVENT_MAX_PATHS	1024

/* Changes that a call applies before it looks for signals. */
#define KEVENT_MIN_CHANGES	4096

/**
 * struct kevent_chunk - changes copied in, applied and answered at a time
 * @changes: what the program wrote, and what it will be told
 * @entries: what is known about them
 * @prepared: what kevent_prepare() returned for some of @entries
 * @before: result of the entry before these, KEVENT_NO_ENTRY if there is none
 * @calls: 1 until the call of kevent_ctl() is counted, then 0
 * @freed: memory of interests that were removed
 *
 * Lives on the stack.
 */
struct kevent_chunk {
	struct kevent_change	changes[KEVENT_CHANGE_CHUNK];
	struct kevent_entry	entries[KEVENT_CHANGE_CHUNK];
	unsigned int		prepared;
	s32			before;
	u32			calls;
	struct kevent_batch	freed;
};

#define KEVENT_NO_ENTRY		1

#define KEVENT_DEFAULT_ENTRIES	256U
#define KEVENT_DEFAULT_MIN	64U
#define KEVENT_DEFAULT_MAX	65536U
#define KEVENT_DEFAULT_DATA	(256U << 10)

/* The selftest abi_test has the offsets. */
static_assert(sizeof(struct ukevent) == KEVENT_RECORD_SIZE);
static_assert(sizeof(struct kevent_change) == KEVENT_CHANGE_SIZE_VER0);
static_assert(sizeof(struct kevent_params) == KEVENT_PARAMS_SIZE_VER0);
static_assert(sizeof(struct kevent_wait_args) == KEVENT_WAIT_ARGS_SIZE_VER0);
static_assert(sizeof(struct kevent_send) == KEVENT_SEND_SIZE);

/* The size checks that the extensible structs share. */
static int kevent_check_size(size_t size, size_t least)
{
	if (size < least)
		return -EINVAL;
	return size > PAGE_SIZE ? -E2BIG : 0;
}

/* @flags: of kevent_create() */
static bool kevent_may_create(u32 flags)
{
	return kevent_may(&sysctl_kevent_disabled) &&
	       (!(flags & KEVENT_CREATE_DATA) ||
		kevent_may(&sysctl_kevent_io_disabled)) &&
	       (!(flags & KEVENT_CREATE_SENDFILE) ||
		kevent_may(&sysctl_kevent_sendfile_disabled));
}

static u32 kevent_data_size(const struct kevent_params *params, u32 flags)
{
	u32 size = params->data_size ?: KEVENT_DEFAULT_DATA;

	if (!(flags & KEVENT_CREATE_DATA))
		return 0;
	return roundup_pow_of_two(max3(size, KEVENT_MIN_DATA_SIZE, (u32)PAGE_SIZE));
}

static u32 kevent_ring_entries(const struct kevent_params *params)
{
	u32 entries = params->ring_entries;

	if (!entries && params->nr_expected)
		entries = clamp(params->nr_expected, KEVENT_DEFAULT_MIN,
				KEVENT_DEFAULT_MAX);
	return roundup_pow_of_two(entries ?: KEVENT_DEFAULT_ENTRIES);
}

static void kevent_fill_params(struct kevent_params *params,
			       const struct kevent_user *user)
{
	params->flags = (user->noring ? KEVENT_CREATE_NORING : 0) |
			(user->data.size ? KEVENT_CREATE_DATA : 0) |
			(user->sends_files ? KEVENT_CREATE_SENDFILE : 0);
	params->ring_entries = user->mask + 1;
	params->record_size = KEVENT_RECORD_SIZE;
	params->features = KEVENT_FEAT_LAST | KEVENT_FEAT_MIN_WAIT |
			   KEVENT_FEAT_CHANGES | KEVENT_FEAT_HOLD_LAST |
			   KEVENT_FEAT_DEPENDS | KEVENT_FEAT_EXCLUSIVE |
			   KEVENT_FEAT_QUERY | KEVENT_FEAT_HINTS |
			   (IS_ENABLED(CONFIG_KEVENT_IO) ?
			    KEVENT_FEAT_DATA | KEVENT_FEAT_SEND : 0) |
			   (IS_ENABLED(CONFIG_KEVENT_SENDFILE) ?
			    KEVENT_FEAT_SENDFILE : 0);
	params->types = kevent_source_types();
	params->ops = BIT_ULL(KEVENT_OP_ADD) | BIT_ULL(KEVENT_OP_MODIFY) |
		      BIT_ULL(KEVENT_OP_REMOVE) | BIT_ULL(KEVENT_OP_ENABLE) |
		      BIT_ULL(KEVENT_OP_DISABLE) | BIT_ULL(KEVENT_OP_SET) |
		      BIT_ULL(KEVENT_OP_QUERY) |
		      (IS_ENABLED(CONFIG_KEVENT_USER) ?
		       BIT_ULL(KEVENT_OP_TRIGGER) : 0);
	memset(&params->ring_mmap_offset, 0, sizeof(*params) -
	       offsetof(struct kevent_params, ring_mmap_offset));
	if (user->noring)
		return;
	params->ring_mmap_offset = KEVENT_MMAP_RING;
	params->ring_mmap_size = kevent_ring_size(user);
	params->consumer_mmap_offset = KEVENT_MMAP_CONSUMER;
	params->consumer_mmap_size = PAGE_SIZE;
	params->producer_offset = offsetof(struct kevent_ring, producer);
	params->flags_offset = offsetof(struct kevent_ring, flags);
	params->records_offset = offsetof(struct kevent_ring, records);
	if (!user->data.size)
		return;
	params->data_size = user->data.size;
	params->data_mmap_offset = kevent_data_offset(user);
	params->release_offset = KEVENT_RELEASE_OFFSET;
	params->data_producer_offset = offsetof(struct kevent_ring, data_producer);
}

/* Never more than the program has room for. */
static int kevent_write_params(struct kevent_params *params,
			       struct kevent_params __user *to, size_t size)
{
	params->size = min(size, sizeof(*params));
	return copy_to_user(to, params, params->size) ? -EFAULT : 0;
}

/**
 * kevent_user_of - the queue of a descriptor
 * @file: what fget() has found: the calls run task work, which may close the
 *	descriptor, so fdget() is not enough
 *
 * Return: the queue, -EBADF or -EINVAL.
 */
struct kevent_user *kevent_user_of(const struct file *file)
{
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &kevent_fops)
		return ERR_PTR(-EINVAL);
	return file->private_data;
}

/* KEVENT_CREATE_QUERY */
static int kevent_query_params(struct kevent_params *params,
			       struct kevent_params __user *to, size_t size)
{
	struct file *file __free(fput) = fget(params->queue);
	struct kevent_user *user = kevent_user_of(file);

	if (IS_ERR(user))
		return PTR_ERR(user);
	kevent_fill_params(params, user);
	return kevent_write_params(params, to, size);
}

static int kevent_check_params(const struct kevent_params *params, u32 flags)
{
	u32 known = KEVENT_CREATE_NORING | KEVENT_CREATE_INHERIT |
		    KEVENT_CREATE_DATA | KEVENT_CREATE_SENDFILE;
	u32 both = KEVENT_CREATE_NORING | KEVENT_CREATE_DATA;

	if (flags == KEVENT_CREATE_QUERY) {
		if (params->ring_entries || params->nr_expected)
			return -EINVAL;
	} else if (flags & ~known || params->queue) {
		return -EINVAL;
	}
	if (params->ring_entries > KEVENT_MAX_ENTRIES || (flags & both) == both ||
	    params->data_size > (flags & KEVENT_CREATE_DATA ? KEVENT_MAX_DATA_SIZE : 0) ||
	    params->reserved)
		return -EINVAL;
	if (flags & KEVENT_CREATE_DATA && !IS_ENABLED(CONFIG_KEVENT_IO))
		return -EOPNOTSUPP;
	if (flags & KEVENT_CREATE_SENDFILE && !IS_ENABLED(CONFIG_KEVENT_SENDFILE))
		return -EOPNOTSUPP;
	return 0;
}

/**
 * sys_kevent_create - make a queue, or tell of one
 * @uparams: &struct kevent_params, in and out
 * @size: its size as the program knows it
 * @flags: %KEVENT_CREATE_NORING and so on
 *
 * Return: a file descriptor, 0 with %KEVENT_CREATE_QUERY, or a negative error
 * number.
 */
SYSCALL_DEFINE3(kevent_create, struct kevent_params __user *, uparams,
		size_t, size, u32, flags)
{
	struct kevent_params params;
	struct kevent_user *user;
	struct file *file;
	int ret, fd;

	ret = kevent_check_size(size, KEVENT_PARAMS_SIZE_VER0);
	if (ret)
		return ret;
	ret = copy_struct_from_user(&params, sizeof(params), uparams, size);
	if (ret)
		return ret;
	ret = kevent_check_params(&params, flags);
	if (ret)
		return ret;
	if (flags & KEVENT_CREATE_QUERY)
		return kevent_query_params(&params, uparams, size);
	if (!kevent_may_create(flags))
		return -EPERM;

	user = kevent_user_alloc(kevent_ring_entries(&params),
				 flags & KEVENT_CREATE_NORING,
				 kevent_data_size(&params, flags));
	if (IS_ERR(user))
		return PTR_ERR(user);
	user->sends_files = flags & KEVENT_CREATE_SENDFILE;
	kevent_fill_params(&params, user);
	/* An inode of its own lets a security module tell queues apart. */
	file = anon_inode_create_getfile("[kevent]", &kevent_fops, user, O_RDWR,
					 NULL);
	if (IS_ERR(file)) {
		kevent_user_put(user);
		return PTR_ERR(file);
	}
	/* From here on the file owns the queue. */
	fd = get_unused_fd_flags(flags & KEVENT_CREATE_INHERIT ? 0 : O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	ret = kevent_write_params(&params, uparams, size);
	if (ret) {
		put_unused_fd(fd);
		fput(file);
		return ret;
	}
	fd_install(fd, file);
	return fd;
}

static void __user *kevent_entry(void __user *changes, u32 index, u32 change_size)
{
	return changes + (size_t)index * change_size;
}

/* Copy what we know of an entry in; the rest must be 0. */
static int kevent_copy_change(struct kevent_change *change,
			      const void __user *from, u32 change_size)
{
	size_t size = sizeof(*change);
	int zeroed;

	if (copy_from_user(change, from, size))
		return -EFAULT;
	zeroed = check_zeroed_user(from + size, change_size - size);
	return zeroed > 0 ? 0 : zeroed ?: -E2BIG;
}

/* Copy entries in, until one faults, and prepare them. */
static u32 kevent_copy_changes(struct kevent_chunk *chunk, void __user *from,
			       u32 nr, u32 change_size)
{
	size_t size = sizeof(*chunk->changes);
	bool copied = change_size == size &&
		      !copy_from_user(chunk->changes, from, nr * size);
	u32 i;

	chunk->prepared = 0;
	for (i = 0; i < nr; i++) {
		struct kevent_entry *entry = &chunk->entries[i];

		entry->change = &chunk->changes[i];
		if (!copied) {
			int ret = kevent_copy_change(entry->change,
						     kevent_entry(from, i, change_size),
						     change_size);

			if (ret == -EFAULT)
				break;
			entry->ops = NULL;
			entry->change->result = ret;
			if (ret)
				continue;
		}
		chunk->prepared |= kevent_prepare(entry);
	}
	return i;
}

/* Write results and ids, of each entry or of each @step, until one faults. */
static u32 kevent_write_results(const struct kevent_change *changes,
				void __user *to, u32 nr, u32 change_size, u32 step)
{
	u32 i = 0;

	if (!user_write_access_begin(to, (size_t)nr * change_size))
		return 0;
	for (i = 0; i < nr; i += step) {
		struct kevent_change __user *entry =
			kevent_entry(to, i, change_size);

		unsafe_put_user(changes[i].result, &entry->result, fault);
		unsafe_put_user(changes[i].id, &entry->id, fault);
	}
	i = nr;
fault:
	user_write_access_end();
	return i;
}

/*
 * Can the results be written?  Entries that fill less than a page are on two at
 * most, that of the first one's result and that of the last one's.
 */
static u32 kevent_try_results(const struct kevent_change *changes,
			      void __user *to, u32 nr, u32 change_size)
{
	if (nr > 2 && nr * change_size <= PAGE_SIZE &&
	    kevent_write_results(changes, to, nr, change_size, nr - 1) == nr)
		return nr;
	return kevent_write_results(changes, to, nr, change_size, 1);
}

/* QUERY is answered with the whole entry. */
static u32 kevent_write_answers(const struct kevent_change *changes,
				void __user *to, u32 nr, u32 change_size)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (changes[i].op == KEVENT_OP_QUERY &&
		    copy_to_user(kevent_entry(to, i, change_size), &changes[i],
				 sizeof(*changes)))
			break;
	return i;
}

static void kevent_set_batch(struct kevent_user *user, struct kevent_batch *batch)
{
	spin_lock_irq(&user->lock);
	user->batch = batch;
	spin_unlock_irq(&user->lock);
}

/* Skip an entry if that which it depends on has failed.  Rare. */
static noinline void kevent_skip(struct kevent_chunk *chunk, u32 i)
{
	s32 before = i ? chunk->changes[i - 1].result : chunk->before;

	if (before)
		chunk->changes[i].result = before == KEVENT_NO_ENTRY ?
					   -EINVAL : -ECANCELED;
}

/* Apply prepared entries; -EINTR if that was not to be. */
static int kevent_apply_chunk(struct kevent_user *user, struct kevent_chunk *chunk,
			      u32 nr, bool *failed)
{
	/* The first one tells what most of them are. */
	bool batched = chunk->changes[0].op == KEVENT_OP_REMOVE;
	bool locked = false;
	u32 i;

	/* TRIGGER alone waits for nobody's ->poll. */
	for (i = 0; i < nr && !locked; i++)
		locked = chunk->changes[i].op != KEVENT_OP_TRIGGER;
	if (locked) {
		if (mutex_lock_killable(&user->mutex))
			return -EINTR;
		WRITE_ONCE(user->ctls, user->ctls + chunk->calls);
		chunk->calls = 0;
	}
	if (batched) {
		chunk->freed.nr = 0;
		kevent_set_batch(user, &chunk->freed);
	}
	for (i = 0; i < nr; i++) {
		struct kevent_entry *entry = &chunk->entries[i];
		struct kevent_change *change = entry->change;
		int ret;

		if (unlikely(change->flags & KEVENT_DEPENDS))
			kevent_skip(chunk, i);
		ret = change->result ?: kevent_apply(user, entry);
		change->result = ret;
		/* Of what has ended already a REMOVE has what it is for. */
		if (ret && (ret != -ENOENT || change->op != KEVENT_OP_REMOVE))
			*failed = true;
	}
	chunk->before = chunk->changes[nr - 1].result;
	if (batched)
		kevent_set_batch(user, NULL);
	if (locked)
		mutex_unlock(&user->mutex);
	if (batched)
		kevent_free_batch(&chunk->freed);
	/* A file that was closed here is not to be held by what follows. */
	if (task_work_pending(current))
		task_work_run();
	return 0;
}

/* Does an entry need to know what became of the one before it? */
static bool kevent_continues(struct kevent_change __user *entry)
{
	u32 flags;

	return !get_user(flags, &entry->flags) && flags & KEVENT_DEPENDS;
}

/**
 * kevent_apply_changes - apply an array of changes
 * @user: the queue
 * @changes: the array, in user memory
 * @nr: number of entries
 * @change_size: bytes per entry
 * @calls: to be counted as that many calls of kevent_ctl()
 * @failed: set if the result of an entry is an error
 *
 * The queue's mutex is not held while user memory is touched.  That the results
 * can be written is tried before a chunk is applied; should it fail all the
 * same, ADDs of this chunk whose result is not told are taken back.
 *
 * Return: the number of entries whose results were written, or -EFAULT or -EINTR
 * if that is none.
 */
static int kevent_apply_changes(struct kevent_user *user, void __user *changes,
				u32 nr, u32 change_size, u32 calls, bool *failed)
{
	/* Zeroing it costs a single change too much; what is read was written. */
	struct kevent_chunk chunk __uninitialized;
	u32 done = 0, paths = 0, prepared, n, told, i;
	int ret;

	chunk.before = KEVENT_NO_ENTRY;
	chunk.calls = calls;
	while (done < nr) {
		void __user *from = kevent_entry(changes, done, change_size);

		/* Per chunk, or one-shots that end at ADD would pile up. */
		kevent_reap(user, false);
		n = min(nr - done, KEVENT_CHANGE_CHUNK);
		prepared = kevent_copy_changes(&chunk, from, n, change_size);
		n = kevent_try_results(chunk.changes, from, prepared, change_size);
		ret = n ? kevent_apply_chunk(user, &chunk, n, failed) : -EFAULT;
		for (i = 0; chunk.prepared & KEVENT_LOOKED_UP && i < prepared; i++) {
			paths += chunk.changes[i].type == KEVENT_TYPE_INODE &&
				 chunk.changes[i].addr;
			kevent_unprepare(&chunk.entries[i]);
		}
		if (ret)
			return done ?: ret;

		told = kevent_write_results(chunk.changes, from, n, change_size, 1);
		if (chunk.prepared & KEVENT_ASKS)
			told = kevent_write_answers(chunk.changes, from, told,
						    change_size);
		done += told;
		if (told < n) {
			if (mutex_lock_killable(&user->mutex))
				return done ?: -EFAULT;
			for (i = told; i < n; i++)
				if (chunk.changes[i].op == KEVENT_OP_ADD &&
				    !chunk.changes[i].result)
					kevent_undo_add(user, &chunk.changes[i]);
			mutex_unlock(&user->mutex);
			return done ?: -EFAULT;
		}
		if (fatal_signal_pending(current) || paths >= KEVENT_MAX_PATHS)
			break;
		/* The rest is for another call: arrays may have any length. */
		if (done >= KEVENT_MIN_CHANGES && done < nr &&
		    signal_pending(current) &&
		    !kevent_continues(kevent_entry(changes, done, change_size)))
			break;
		cond_resched();
	}
	return done;
}

static int kevent_check_changes(u32 nr, u32 change_size)
{
	if (nr > INT_MAX || change_size % sizeof(u64))
		return -EINVAL;
	return kevent_check_size(change_size, KEVENT_CHANGE_SIZE_VER0);
}

/**
 * sys_kevent_ctl - apply changes to a queue's set of interests
 * @kfd: the queue
 * @changes: array of &struct kevent_change
 * @nr: number of entries
 * @change_size: bytes per entry as the program knows it
 * @flags: must be 0
 *
 * Return: the number of entries applied, each with a result of its own, or a
 * negative error number.
 */
SYSCALL_DEFINE5(kevent_ctl, int, kfd, struct kevent_change __user *, changes,
		u32, nr, u32, change_size, u32, flags)
{
	struct file *file __free(fput) = fget(kfd);
	struct kevent_user *user = kevent_user_of(file);
	bool failed = false;
	int ret;

	if (IS_ERR(user))
		return PTR_ERR(user);
	if (flags)
		return -EINVAL;
	ret = kevent_check_changes(nr, change_size);
	if (ret)
		return ret;
	return kevent_apply_changes(user, changes, nr, change_size, 1, &failed);
}

static int kevent_check_wait_args(const struct kevent_wait_args *args)
{
	if (args->flags & ~(KEVENT_WAIT_TIMEOUT | KEVENT_WAIT_ABSTIME) ||
	    args->busy_poll_usecs || args->busy_poll_budget ||
	    args->busy_poll_flags || args->reserved)
		return -EINVAL;
	if (args->timeout_ns > KTIME_MAX || args->min_wait_ns > KTIME_MAX)
		return -EINVAL;
	if (!(args->flags & KEVENT_WAIT_TIMEOUT)) {
		if (args->flags || args->clockid || args->timeout_ns)
			return -EINVAL;
	} else if (args->clockid != CLOCK_MONOTONIC &&
		   args->clockid != CLOCK_REALTIME &&
		   args->clockid != CLOCK_BOOTTIME &&
		   args->clockid != CLOCK_TAI) {
		return -EINVAL;
	}
	if (!args->sigmask && args->sigmask_size)
		return -EINVAL;
	if (!args->nr_changes)
		return args->changes || args->change_size ? -EINVAL : 0;
	return kevent_check_changes(args->nr_changes, args->change_size);
}

static void kevent_fill_spec(struct kevent_wait_spec *spec,
			     const struct kevent_wait_args *args)
{
	spec->may_sleep = true;
	spec->min_wait_ns = args->min_wait_ns;
	if (!(args->flags & KEVENT_WAIT_TIMEOUT))
		return;
	spec->has_deadline = true;
	spec->clock = args->clockid;
	if (args->flags & KEVENT_WAIT_ABSTIME) {
		spec->deadline = timens_ktime_to_host(spec->clock,
						      args->timeout_ns);
		return;
	}
	/* A span is not changed by setting a clock. */
	if (spec->clock == CLOCK_BOOTTIME) {
		spec->deadline = ktime_get_boottime();
	} else {
		spec->clock = CLOCK_MONOTONIC;
		spec->deadline = ktime_get();
	}
	spec->deadline = ktime_add_safe(spec->deadline, args->timeout_ns);
	spec->may_sleep = args->timeout_ns;
}

static int kevent_set_sigmask(const struct kevent_wait_args *args)
{
	void __user *mask = u64_to_user_ptr(args->sigmask);

	if (!mask)
		return 0;
#ifdef CONFIG_COMPAT
	if (in_compat_syscall())
		return set_compat_user_sigmask(mask, args->sigmask_size);
#endif
	return set_user_sigmask(mask, args->sigmask_size);
}

static int kevent_run_wait(const struct kevent_wait_call *call,
			   struct kevent_wait_spec *spec)
{
	if (call->buf)
		return kevent_wait_copy(call->user, call->buf, call->min_nr,
					call->max_nr, spec);
	return kevent_wait_ring(call->user, call->min_nr, spec);
}

static int kevent_do_wait_args(const struct kevent_wait_call *call,
			       struct kevent_wait_args __user *uargs, size_t size)
{
	struct kevent_wait_args args;
	struct kevent_wait_spec spec = { .budget = KEVENT_RECHECK_BUDGET, .calls = 1 };
	bool failed = false;
	int ret, done = 0;

	ret = kevent_check_size(size, KEVENT_WAIT_ARGS_SIZE_VER0);
	if (ret)
		return ret;
	ret = copy_struct_from_user(&args, sizeof(args), uargs, size);
	if (ret)
		return ret;
	ret = kevent_check_wait_args(&args);
	if (ret)
		return ret;
	kevent_fill_spec(&spec, &args);
	ret = kevent_set_sigmask(&args);
	if (ret)
		return ret;

	if (call->nr_sends) {
		ret = kevent_send_all(call->user, call->sends, call->nr_sends,
				      &failed);
		if (ret)
			goto restore;
	}
	if (args.nr_changes) {
		/* Changes are applied once: see first that it can be told. */
		ret = put_user(0, &uargs->changes_done);
		if (ret)
			goto restore;
		done = kevent_apply_changes(call->user,
					    u64_to_user_ptr(args.changes),
					    args.nr_changes, args.change_size, 0,
					    &failed);
		if (done < 0) {
			ret = done;
			goto restore;
		}
		/* A signal that ended it keeps the wait from sleeping as well. */
		if (done < args.nr_changes && !signal_pending(current))
			spec.may_sleep = false;
		ret = put_user(done, &uargs->changes_done);
		if (ret)
			goto restore;
	}
	if (failed)
		spec.may_sleep = false;
	ret = kevent_run_wait(call, &spec);
restore:
	restore_saved_sigmask_unless(ret == -EINTR);
	return ret;
}

/**
 * kevent_do_wait - send, change, wait, by what the call was given
 * @call: which of the waiting calls, checked
 * @uargs: &struct kevent_wait_args or NULL
 * @size: its size as the program knows it, 0 without
 *
 * Return: as the call.
 */
int kevent_do_wait(const struct kevent_wait_call *call,
		   struct kevent_wait_args __user *uargs, size_t size)
{
	struct kevent_wait_spec spec = {
		.may_sleep = true, .budget = KEVENT_RECHECK_BUDGET, .calls = 1,
	};
	bool failed = false;
	int ret;

	if (uargs)
		return kevent_do_wait_args(call, uargs, size);
	if (size)
		return -EINVAL;
	if (call->nr_sends) {
		ret = kevent_send_all(call->user, call->sends, call->nr_sends,
				      &failed);
		if (ret)
			return ret;
		spec.may_sleep = !failed;
	}
	return kevent_run_wait(call, &spec);
}

/**
 * sys_kevent_wait - publish what is held back and wait for records
 * @kfd: a queue with a ring
 * @min_nr: sleep until the ring holds that many; 0 not to sleep
 * @uargs: &struct kevent_wait_args or NULL
 * @size: its size as the program knows it, 0 without
 *
 * Return: the number of unconsumed records or a negative error number.
 */
SYSCALL_DEFINE4(kevent_wait, int, kfd, u32, min_nr,
		struct kevent_wait_args __user *, uargs, size_t, size)
{
	struct file *file __free(fput) = fget(kfd);
	struct kevent_wait_call call = {
		.user = kevent_user_of(file), .min_nr = min_nr,
	};

	if (IS_ERR(call.user))
		return PTR_ERR(call.user);
	if (call.user->noring || min_nr > call.user->mask + 1)
		return -EINVAL;
	return kevent_do_wait(&call, uargs, size);
}

/**
 * sys_kevent_get_events - wait for records and copy them
 * @kfd: a queue without a ring
 * @buf: room for @max_nr records
 * @min_nr: sleep until there are that many; 0 not to sleep
 * @max_nr: copy at most that many
 * @uargs: &struct kevent_wait_args or NULL
 * @size: its size as the program knows it, 0 without
 *
 * Return: the number of records copied or a negative error number.
 */
SYSCALL_DEFINE6(kevent_get_events, int, kfd, struct ukevent __user *, buf,
		u32, min_nr, u32, max_nr,
		struct kevent_wait_args __user *, uargs, size_t, size)
{
	struct file *file __free(fput) = fget(kfd);
	struct kevent_wait_call call = {
		.user = kevent_user_of(file), .buf = buf,
		.min_nr = min_nr, .max_nr = max_nr,
	};

	if (IS_ERR(call.user))
		return PTR_ERR(call.user);
	if (!call.user->noring || !max_nr || max_nr > INT_MAX || min_nr > max_nr)
		return -EINVAL;
	if (!buf)
		return -EFAULT;
	return kevent_do_wait(&call, uargs, size);
}
