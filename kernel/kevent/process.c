// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source PROCESS - exit of the process or thread that a pidfd stands for
 *
 * The wake-up of a pidfd comes while the task is a zombie and its parent is kept
 * from reaping it by tasklist_lock: the status is taken there.  Whoever adds the
 * interest later finds a zombie, and its status, or nothing.
 */

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/security.h>

#include "kevent.h"
#include "trigger.h"

/* What is no status. */
#define KEVENT_PROCESS_UNKNOWN	(-1)
#define KEVENT_PROCESS_RUNS	(-2)

/**
 * struct kevent_process - an interest of type PROCESS
 * @f: what interests in files have
 * @watcher: credentials of who added it, NULL if that was the parent
 * @status: as of wait(2), or one of the above; user->lock
 */
struct kevent_process {
	struct kevent_file	f;
	const struct cred	*watcher;
	int			status;
};

static struct kevent_process *kevent_to_process(struct kevent *k)
{
	return container_of(kevent_to_file(k), struct kevent_process, f);
}

static bool kevent_process_may_trace(const struct cred *watcher,
				     struct user_namespace *ns)
{
	return !security_capable(watcher, ns, CAP_SYS_PTRACE, CAP_OPT_NOAUDIT);
}

/*
 * Would /proc show the status of @task, a zombie, to @watcher?  As in
 * __ptrace_may_access() and cap_ptrace_access_check(); that other security modules
 * had no objection was seen at ADD.
 */
static bool kevent_process_may_tell(const struct cred *watcher,
				    struct task_struct *task)
{
	const struct cred *cred;
	bool may;

	if (!watcher)
		return true;
	rcu_read_lock();
	cred = __task_cred(task);
	may = (uid_eq(watcher->fsuid, cred->euid) &&
	       uid_eq(watcher->fsuid, cred->suid) &&
	       uid_eq(watcher->fsuid, cred->uid) &&
	       gid_eq(watcher->fsgid, cred->egid) &&
	       gid_eq(watcher->fsgid, cred->sgid) &&
	       gid_eq(watcher->fsgid, cred->gid) &&
	       watcher->user_ns == cred->user_ns &&
	       cap_issubset(cred->cap_permitted, watcher->cap_effective)) ||
	      kevent_process_may_trace(watcher, cred->user_ns);
	rcu_read_unlock();
	/* Not all 6.12 kernels ask for that. */
#ifdef KEVENT_USER_DUMPABLE
	may = may && (task->user_dumpable ||
		      kevent_process_may_trace(watcher, &init_user_ns));
#endif
	return may;
}

/*
 * The status of what @pid stands for, or one of the above; tasklist_lock is held.
 */
static int kevent_process_status(const struct kevent_process *p, struct pid *pid)
{
	struct task_struct *task = pid_task(pid, PIDTYPE_PID);

	if (!task)
		return KEVENT_PROCESS_UNKNOWN;
	/* A leader is reported when its threads are gone. */
	if (!task->exit_state || delay_group_leader(task))
		return KEVENT_PROCESS_RUNS;
	if (!kevent_process_may_tell(p->watcher, task))
		return KEVENT_PROCESS_UNKNOWN;
	if (thread_group_leader(task) && task->signal->flags & SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->exit_code;
}

/* By do_notify_pidfd(), which holds tasklist_lock for writing. */
static int kevent_process_wake(wait_queue_entry_t *wait, unsigned int mode,
			       int sync, void *key)
{
	struct kevent *k = kevent_of_wait(wait);
	struct kevent_process *p = kevent_to_process(k);
	struct kevent_user *user = k->user;
	unsigned long irqflags;
	int status;

	trace_kevent_wake(k, (__force u32)key_to_poll(key));
	/* Wakes again when the task is reaped, and has no status then. */
	if (READ_ONCE(p->status) != KEVENT_PROCESS_RUNS)
		return 0;
	status = kevent_process_status(p, container_of(p->f.hook.head, struct pid,
						       wait_pidfd));
	if (status == KEVENT_PROCESS_RUNS)
		return 0;
	irqflags = kevent_lock(user);
	WRITE_ONCE(p->status, status);
	trace_kevent_trigger(k, KEVENT_PROCESS_EXITED);
	kevent_settle(k, KEVENT_PROCESS_EXITED);
	kevent_unlock(user, irqflags);
	return 0;
}

static int kevent_process_check_file(const struct kevent_change *change,
				     struct file *file)
{
	return IS_ERR(pidfd_pid(file)) ? -EINVAL : 0;
}

static s64 kevent_process_attach(struct kevent *k,
				 const struct kevent_change *change,
				 union kevent_found *found)
{
	struct kevent_process *p = kevent_to_process(k);
	struct pid *pid = pidfd_pid(p->f.file);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	int status;
	s64 bits;

	p->status = KEVENT_PROCESS_RUNS;
	/* What was reaped has nothing to hide. */
	if (task) {
		bool parent;

		rcu_read_lock();
		/* Nobody keeps the parent of a task that was reaped. */
		parent = pid_alive(task) &&
			 same_thread_group(rcu_dereference(task->real_parent),
					   current);
		rcu_read_unlock();
		if (!parent) {
			p->watcher = get_current_cred();
			if (!ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS)) {
				put_task_struct(task);
				return -EPERM;
			}
		}
		put_task_struct(task);
	}
	bits = kevent_hook_attach(k, kevent_process_wake,
				  (__force u32)(EPOLLIN | EPOLLRDNORM));
	if (bits < 0)
		return bits;
	read_lock(&tasklist_lock);
	status = kevent_process_status(p, pid);
	read_unlock(&tasklist_lock);
	if (status == KEVENT_PROCESS_RUNS)
		return 0;
	/* If it exited just now, the wake-up may have come before. */
	spin_lock_irq(&k->user->lock);
	if (p->status == KEVENT_PROCESS_RUNS)
		WRITE_ONCE(p->status, status);
	spin_unlock_irq(&k->user->lock);
	return KEVENT_PROCESS_EXITED;
}

static void kevent_process_free(struct kevent *k)
{
	put_cred(kevent_to_process(k)->watcher);
	kevent_hook_free(k);
}

static u16 kevent_process_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_process *p = kevent_to_process(k);

	if (p->status == KEVENT_PROCESS_UNKNOWN)
		return KEVENT_REC_UNKNOWN;
	data[0] = p->status;
	return 0;
}

const struct kevent_source_ops kevent_process_ops = {
	.type		= KEVENT_TYPE_PROCESS,
	.name		= "process",
	.size		= sizeof(struct kevent_process),
	.ends		= true,
	.valid_events	= KEVENT_PROCESS_EXITED,
	.always_events	= KEVENT_PROCESS_EXITED,
	.check_file	= kevent_process_check_file,
	.attach		= kevent_process_attach,
	.detach		= kevent_hook_detach,
	.free		= kevent_process_free,
	.fill		= kevent_process_fill,
};
