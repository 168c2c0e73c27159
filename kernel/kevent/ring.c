// SPDX-License-Identifier: GPL-2.0
/*
 * kevent ring - the memory that kernel and program share
 *
 * One area: the consumer page, then the ring.  The program maps the two parts
 * separately, the second one for reading only.
 */

#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <asm/shmparam.h>

#include "kevent.h"
#include "ring.h"

/**
 * kevent_ring_size - bytes of the ring mapping
 * @user: the queue
 */
unsigned long kevent_ring_size(const struct kevent_user *user)
{
	return (unsigned long)(user->area_pages - 1) << PAGE_SHIFT;
}

/**
 * kevent_ring_alloc - allocate the ring of a new queue
 * @user: the queue
 * @entries: records it shall hold, a power of two
 *
 * Charged to the memory cgroup of the caller, and to the maker's limit.
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int kevent_ring_alloc(struct kevent_user *user, u32 entries)
{
	struct kevent_ring *ring;
	size_t size = PAGE_ALIGN(struct_size(ring, records, entries));

	BUILD_BUG_ON(offsetof(struct kevent_ring, records) != 64);
	BUILD_BUG_ON(sizeof(struct ukevent) != KEVENT_RECORD_SIZE);

	if (!kevent_charge_pages(user, 1 + (size >> PAGE_SHIFT)))
		return -ENOSPC;
	/* vmalloc_user(), but accounted */
	user->area = __vmalloc_node_range(PAGE_SIZE + size, SHMLBA,
					  VMALLOC_START, VMALLOC_END,
					  KEVENT_GFP | __GFP_ZERO | __GFP_NOWARN,
					  PAGE_KERNEL, VM_USERMAP, NUMA_NO_NODE,
					  __builtin_return_address(0));
	if (!user->area)
		return -ENOMEM;
	user->area_pages = 1 + (size >> PAGE_SHIFT);
	user->consumer = user->area + KEVENT_MMAP_CONSUMER;
	user->ring = user->area + KEVENT_MMAP_RING;
	user->mask = entries - 1;
	return 0;
}

/**
 * kevent_ring_free - free the ring
 * @user: the queue
 */
void kevent_ring_free(struct kevent_user *user)
{
	vfree(user->area);
}

/**
 * kevent_ring_mmap - map one of the two parts
 * @user: the queue
 * @vma: the mapping to be
 *
 * Return: 0, -EINVAL or -EPERM, see Documentation/kevent.rst.
 */
int kevent_ring_mmap(struct kevent_user *user, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;

	if (user->noring || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* Reading implies it for old programs: they get a mapping without. */
	if (vma->vm_flags & VM_EXEC && !(current->personality & READ_IMPLIES_EXEC))
		return -EPERM;

	if (vma->vm_pgoff == KEVENT_MMAP_CONSUMER >> PAGE_SHIFT) {
		if (size != PAGE_SIZE)
			return -EINVAL;
	} else if (vma->vm_pgoff == KEVENT_MMAP_RING >> PAGE_SHIFT) {
		if (size != kevent_ring_size(user))
			return -EINVAL;
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	} else {
		return -EINVAL;
	}
	/* VM_DONTEXPAND and VM_DONTDUMP are set by remap_vmalloc_range_partial() */
	vm_flags_mod(vma, VM_DONTCOPY, VM_EXEC | VM_MAYEXEC);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return remap_vmalloc_range_partial(vma, vma->vm_start, user->area,
					   vma->vm_pgoff, size);
}
