/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory in which whoever touches it stands still, for as long as a test likes.
 */
#ifndef KEVENT_STALL_TEST_H
#define KEVENT_STALL_TEST_H

#include "kevent_test.h"

#include <linux/userfaultfd.h>

/**
 * struct stall_page - a page that is missing until it is filled in
 * @uffd: the userfaultfd
 * @page: the page
 */
struct stall_page {
	int uffd;
	char *page;
};

/* -ENOSYS or -EPERM: this system has no userfaultfd for us. */
static inline int stall_open(struct stall_page *s)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	s->page = NULL;
	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (s->uffd < 0)
		return -errno;
	s->page = (char *)mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->page == (char *)MAP_FAILED || ioctl(s->uffd, UFFDIO_API, &api))
		return -EPROTO;
	reg.range.start = (unsigned long)s->page;
	reg.range.len = page_size();
	return ioctl(s->uffd, UFFDIO_REGISTER, &reg) ? -EPROTO : 0;
}

static inline void stall_close(struct stall_page *s)
{
	if (s->uffd >= 0)
		close(s->uffd);
	if (s->page)
		munmap(s->page, page_size());
}

/* Waits until somebody stands still. */
static inline int stall_reached(struct stall_page *s)
{
	struct uffd_msg msg;

	if (!is_ready(s->uffd, POLLIN, TEST_LONG_MS))
		return -ETIME;
	if (read(s->uffd, &msg, sizeof(msg)) != sizeof(msg))
		return -errno;
	return msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -EPROTO;
}

/* Lets it go on, with these bytes in the page. */
static inline int stall_end(struct stall_page *s, const void *page)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)s->page,
		.src = (unsigned long)page,
		.len = page_size(),
	};

	return ioctl(s->uffd, UFFDIO_COPY, &copy) ? -errno : 0;
}

#endif /* KEVENT_STALL_TEST_H */
