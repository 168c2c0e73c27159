// SPDX-License-Identifier: GPL-2.0
/*
 * kevent ring - the memory that kernel and program share
 *
 * In one piece: the consumer page, the ring, the data area if there is one.  The
 * program maps the parts separately, the ring for reading only.
 */

#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <asm/shmparam.h>

#include "area.h"
#include "kevent.h"
#include "ring.h"

/**
 * kevent_ring_size - bytes of the ring mapping
 * @user: the queue
 *
 * Return: their number, a multiple of the page size.
 */
unsigned long kevent_ring_size(const struct kevent_user *user)
{
	return ((unsigned long)(user->map_pages - 1) << PAGE_SHIFT) - user->data.size;
}

/**
 * kevent_data_offset - mmap offset of the data area
 * @user: the queue
 *
 * Return: the offset, a multiple of the page size.
 */
unsigned long kevent_data_offset(const struct kevent_user *user)
{
	return KEVENT_MMAP_RING + kevent_ring_size(user);
}

/**
 * kevent_ring_alloc - allocate the ring of a new queue
 * @user: the queue
 * @entries: records it shall hold, a power of two
 * @data_size: bytes of the data area, 0 for none
 *
 * Charged to the memory cgroup of the caller, and to the maker's limit.
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int kevent_ring_alloc(struct kevent_user *user, u32 entries, u32 data_size)
{
	struct kevent_ring *ring;
	size_t size = KEVENT_MMAP_RING + PAGE_ALIGN(struct_size(ring, records, entries)) +
		      data_size;

	BUILD_BUG_ON(offsetof(struct kevent_ring, records) != 64);
	BUILD_BUG_ON(sizeof(struct ukevent) != KEVENT_RECORD_SIZE);

	/* With a buffer for reads that sleep, which few need. */
	if (!kevent_charge_pages(user, (size >> PAGE_SHIFT) + (data_size ?
				 DIV_ROUND_UP(KEVENT_STREAM_MAX_MOST, PAGE_SIZE) : 0)))
		return -ENOSPC;
	/* vmalloc_user(), but accounted */
	user->map = __vmalloc_node_range(size, SHMLBA,
					 VMALLOC_START, VMALLOC_END,
					 KEVENT_GFP | __GFP_ZERO | __GFP_NOWARN,
					 PAGE_KERNEL, VM_USERMAP, NUMA_NO_NODE,
					 __builtin_return_address(0));
	if (!user->map)
		return -ENOMEM;
	user->map_pages = size >> PAGE_SHIFT;
	user->consumer = user->map + KEVENT_MMAP_CONSUMER;
	user->ring = user->map + KEVENT_MMAP_RING;
	user->mask = entries - 1;
	if (data_size) {
		user->data.size = data_size;
		user->data.memory = user->map + size - data_size;
		user->data.release = user->map + KEVENT_MMAP_CONSUMER +
				     KEVENT_RELEASE_OFFSET;
	}
	return 0;
}

/**
 * kevent_ring_free - free the ring
 * @user: the queue
 */
void kevent_ring_free(struct kevent_user *user)
{
	vfree(user->map);
}

/**
 * kevent_ring_mmap - map one of the parts
 * @user: the queue
 * @vma: the mapping to be
 *
 * Return: 0, -EINVAL or -EPERM, see Documentation/kevent/reference.rst.
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
	} else if (user->data.size &&
		   vma->vm_pgoff == kevent_data_offset(user) >> PAGE_SHIFT) {
		if (size != user->data.size)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	/* VM_DONTEXPAND and VM_DONTDUMP are set by remap_vmalloc_range_partial() */
	vm_flags_mod(vma, VM_DONTCOPY, VM_EXEC | VM_MAYEXEC);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return remap_vmalloc_range_partial(vma, vma->vm_start, user->map,
					   vma->vm_pgoff, size);
}
