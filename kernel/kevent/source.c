// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - the table of source types
 */

#include <linux/bug.h>
#include <linux/kernel.h>

#include "kevent.h"

#define KEVENT_NR_TYPES	(KEVENT_TYPE_PROCESS + 1)

/* Indexed by the type of the UAPI; NULL: known, but not built in. */
const struct kevent_source_ops *const kevent_sources[KEVENT_NR_TYPES] = {
	[KEVENT_TYPE_POLL] = &kevent_poll_ops,
};

/**
 * kevent_source - find the operations of a type
 * @type: as the program gave it
 *
 * Return: the operations, -EINVAL for a type that does not exist, -EOPNOTSUPP
 * for one that is not built in.
 */
const struct kevent_source_ops *kevent_source(unsigned int type)
{
	if (!type || type >= KEVENT_NR_TYPES)
		return ERR_PTR(-EINVAL);
	return kevent_sources[type] ?: ERR_PTR(-EOPNOTSUPP);
}

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
