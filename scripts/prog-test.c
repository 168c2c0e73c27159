// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * prog-test.c - a stranger's program, for prog-test.sh: outside of this tree, built by
 * what pkg-config says of an installed libkevent
 *
 * prog-test STATUS [TEXT]: adds a user event, triggers it from a thread, prints what the
 * record says and its arguments, copies /share/in to /share/out, prints more than a
 * serial line has sent by then, and exits with STATUS.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <ukevent.h>
#include <ukevent_text.h>

static struct ukevent_queue queue;

static void *trigger(void *unused)
{
	ukevent_trigger(&queue, 1, 42);
	return unused;
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = 1 };
	int i, c, ret = ukevent_queue_init(&queue, &params);
	struct ukevent ev;
	pthread_t thread;
	FILE *in, *out;

	if (ret) {
		puts(ukevent_strerror(UKEVENT_CREATE, ret));
		return 99;
	}
	ukevent_add(&queue, KEVENT_TYPE_USER, 1, KEVENT_USER_TRIGGERED, 0, 7);
	if (pthread_create(&thread, NULL, trigger, NULL))
		return 99;
	if (ukevent_dequeue(&queue, &ev, UKEVENT_FOREVER) == 1)
		printf("%s %d told %d\n", ukevent_type_name(ev.type), (int)ev.cookie,
		       (int)ev.data[0]);
	for (i = 1; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);
	in = fopen("/share/in", "r");
	out = fopen("/share/out", "w");
	if (in && out)
		while ((c = getc(in)) != EOF)
			putc(c, out);
	if (out)
		fclose(out);
	for (i = 1; i <= 500; i++)
		printf("line %d\n", i);
	return argc > 1 ? atoi(argv[1]) : 0;
}
