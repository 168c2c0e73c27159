// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * noring - numbers the lines of its input, and tells when none came for a while
 *
 * A queue without a ring has no mapping and costs no memory for one: for programs that
 * wait now and then, and for those that a filter keeps from mmap(2).  Records are copied
 * by kevent_get_events(), which ukevent_dequeue() and ukevent_turn() call then; all else
 * is as with a ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <ukevent_loop.h>
#include <ukevent_text.h>

enum { INPUT, QUIET };

static struct ukevent_loop loop;
static __u64 quiet_ns;

static void set_timer(unsigned int op)
{
	ukevent_prep_timer(ukevent_next(&loop), op, QUIET, quiet_ns, 0, 0,
			   UKEVENT_MONOTONIC, KEVENT_DISPATCH, QUIET);
}

/* Reads what there is; false at the end. */
static bool copy_lines(void)
{
	static unsigned long line = 1;
	static bool inside;
	char buf[4096];
	ssize_t i, n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++) {
			if (!inside)
				printf("%lu ", line++);
			putchar(buf[i]);
			inside = buf[i] != '\n';
		}
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void failed(struct ukevent_loop *l, const struct kevent_change *change)
{
	(void)l;
	fprintf(stderr, "noring: %s: %s\n", ukevent_op_name(change->op),
		ukevent_change_error(change));
	exit(1);
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .flags = KEVENT_CREATE_NORING };
	struct ukevent_queue q;
	struct ukevent ev[4];
	int i, n, ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	quiet_ns = 1000000ULL * (argc > 1 ? atoi(argv[1]) : 1000);
	ret = ukevent_queue_init(&q, &params);
	if (ret) {
		fprintf(stderr, "noring: %s\n", ukevent_strerror(UKEVENT_CREATE, ret));
		return 1;
	}
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	ukevent_loop_init(&loop, &q, failed);
	ukevent_prep_poll(ukevent_next(&loop), KEVENT_OP_ADD, STDIN_FILENO, POLLIN,
			  KEVENT_EDGE, INPUT);
	set_timer(KEVENT_OP_ADD);

	for (;;) {
		n = ukevent_turn(&loop, ev, 4, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR) {
			fprintf(stderr, "noring: %s\n",
				ukevent_strerror(UKEVENT_WAIT, n));
			return 1;
		}
		for (i = 0; i < n; i++) {
			if (ev[i].cookie == QUIET) {
				puts("quiet");
			} else if (copy_lines()) {
				set_timer(KEVENT_OP_MODIFY);
			} else {
				puts("end");
				ukevent_queue_exit(&q);
				return 0;
			}
		}
	}
}
