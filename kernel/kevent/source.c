// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - the table of source types
 */

#include <linux/bug.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "kevent.h"

/* Indexed by the type of the UAPI; NULL: known, but not built in. */
const struct kevent_source_ops *const kevent_sources[KEVENT_NR_TYPES] = {
	[KEVENT_TYPE_POLL] = &kevent_poll_ops,
#ifdef CONFIG_KEVENT_SOCKET
	[KEVENT_TYPE_SOCKET] = &kevent_sock_ops,
#endif
#ifdef CONFIG_KEVENT_TIMER
	[KEVENT_TYPE_TIMER] = &kevent_timer_ops,
#endif
#ifdef CONFIG_KEVENT_USER
	[KEVENT_TYPE_USER] = &kevent_user_ops,
#endif
#ifdef CONFIG_KEVENT_INODE
	[KEVENT_TYPE_INODE] = &kevent_inode_ops,
#endif
#ifdef CONFIG_KEVENT_SIGNAL
	[KEVENT_TYPE_SIGNAL] = &kevent_signal_ops,
#endif
#ifdef CONFIG_KEVENT_PROCESS
	[KEVENT_TYPE_PROCESS] = &kevent_process_ops,
#endif
#ifdef CONFIG_KEVENT_IO
	[KEVENT_TYPE_STREAM] = &kevent_stream_ops,
#endif
#ifdef CONFIG_KEVENT_SENDFILE
	[KEVENT_TYPE_SENDFILE] = &kevent_sendfile_ops,
#endif
};

static struct kmem_cache *kevent_caches[KEVENT_NR_TYPES] __ro_after_init;

/**
 * kevent_source_types - the types that are built in
 *
 * Return: bit (1 << type) for each.
 */
u64 kevent_source_types(void)
{
	u64 types = 0;
	unsigned int type;

	for (type = 0; type < KEVENT_NR_TYPES; type++)
		if (kevent_sources[type])
			types |= BIT_ULL(type);
	return types;
}

/**
 * kevent_alloc - allocate an interest
 * @type: its type, which is built in
 *
 * Return: the memory, not cleared; NULL if there is none.
 */
struct kevent *kevent_alloc(unsigned int type)
{
	return kmem_cache_alloc(kevent_caches[type], KEVENT_GFP);
}

/**
 * kevent_free_memory - undo kevent_alloc() for one interest
 * @k: the interest; any context
 * @batch: where to collect it, if it fits in there; or NULL
 */
void kevent_free_memory(struct kevent *k, struct kevent_batch *batch)
{
	if (!batch || batch->nr == ARRAY_SIZE(batch->k) ||
	    (batch->nr && batch->type != k->type)) {
		kmem_cache_free(kevent_caches[k->type], k);
		return;
	}
	batch->type = k->type;
	batch->k[batch->nr++] = k;
}

/**
 * kevent_free_batch - free what was collected
 * @batch: no queue points to it any more; interrupts are open
 */
void kevent_free_batch(struct kevent_batch *batch)
{
	if (batch->nr)
		kmem_cache_free_bulk(kevent_caches[batch->type], batch->nr,
				     (void **)batch->k);
}

static int __init kevent_source_init(void)
{
	unsigned int type;
	char *name;

	for (type = 0; type < KEVENT_NR_TYPES; type++) {
		if (!kevent_sources[type])
			continue;
		/* Kept: a cache that is merged with another one keeps no copy. */
		name = kasprintf(GFP_KERNEL, "kevent_%s", kevent_sources[type]->name);
		kevent_caches[type] = kmem_cache_create(name,
							kevent_sources[type]->size,
							sizeof(u64),
							SLAB_ACCOUNT | SLAB_PANIC, NULL);
	}
	return 0;
}
fs_initcall(kevent_source_init);
