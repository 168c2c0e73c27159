// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The guide's first queue: one pipe, one record, and the end of an interest.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <ukevent.h>

#define COOKIE	42

int main(void)
{
	struct kevent_params params = { .nr_expected = 1 };
	struct ukevent_queue queue;
	struct ukevent ev;
	int end[2], ret;

	ret = ukevent_queue_init(&queue, &params);
	if (ret) {
		fprintf(stderr, "no queue: %s\n", strerror(-ret));
		return 1;
	}
	if (pipe(end))
		return 1;

	ret = ukevent_add_poll(&queue, end[0], POLLIN,
			       KEVENT_EDGE | KEVENT_WANT_LAST, COOKIE);
	if (ret) {
		fprintf(stderr, "not watched: %s\n", strerror(-ret));
		return 1;
	}

	/* Nothing happened yet, and that costs no system call to find out. */
	printf("records in the ring: %d\n", ukevent_take(&queue, &ev, 1));

	if (write(end[1], "x", 1) != 1)
		return 1;
	if (ukevent_dequeue(&queue, &ev, UKEVENT_FOREVER) == 1)
		printf("cookie %d: %s\n", (int)ev.cookie,
		       ev.events & POLLIN ? "readable" : "something else");

	/* Whatever the cookie stands for can be freed after this record. */
	close(end[0]);
	if (ukevent_dequeue(&queue, &ev, UKEVENT_FOREVER) == 1)
		printf("cookie %d: %s\n", (int)ev.cookie,
		       ev.flags & KEVENT_REC_LAST ? "last record" : "more follow");

	close(end[1]);
	ukevent_queue_exit(&queue);
	return 0;
}
