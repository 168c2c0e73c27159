// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * watch-dirs - tells what happens in directories, until they are gone
 *
 * A record has the number of the inode, not a name: that is looked up in the directory,
 * and may be another one by now, or none.  Records that stand for several inodes have no
 * number (KEVENT_REC_UNKNOWN): a program that keeps a list then reads the directory anew,
 * as one has to do with inotify after an overflow.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <ukevent.h>
#include <ukevent_text.h>

#define EVENTS	(KEVENT_INODE_CREATE | KEVENT_INODE_DELETE | KEVENT_INODE_MOVE | \
		 KEVENT_INODE_CLOSE_WRITE | KEVENT_INODE_ATTRIB | \
		 KEVENT_INODE_DELETE_SELF)

/* Prints the name of an entry of @path, or nothing. */
static void print_name(const char *path, __u64 inode)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_ino == inode)
			printf(" %s", entry->d_name);
	if (dir)
		closedir(dir);
}

static void print_record(const char *path, const struct ukevent *ev)
{
	char names[128];

	ukevent_event_names(names, sizeof(names), ev->type, ev->events);
	printf("%s: %s", path, names);
	if (ev->flags & KEVENT_REC_UNKNOWN)
		printf(" several");
	else if (ev->data[0])
		print_name(path, ev->data[0]);
	if (ev->data[1])
		printf(" (rename %llu)", (unsigned long long)ev->data[1]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = argc };
	struct ukevent_queue q;
	struct ukevent ev;
	int i, ret, left = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		fprintf(stderr, "usage: watch-dirs DIRECTORY...\n");
		return 2;
	}
	ret = ukevent_queue_init(&q, &params);
	if (!ret && !ukevent_has_type(&params, KEVENT_TYPE_INODE))
		ret = -EOPNOTSUPP;
	if (ret) {
		fprintf(stderr, "watch-dirs: %s\n",
			ukevent_strerror(UKEVENT_CREATE, ret));
		return 1;
	}
	for (i = 1; i < argc; i++) {
		ret = ukevent_add_inode(&q, AT_FDCWD, argv[i],
					KEVENT_INODE_ONLYDIR, EVENTS,
					KEVENT_WANT_LAST, i, NULL);
		if (ret)
			fprintf(stderr, "watch-dirs: %s: %s\n", argv[i],
				ukevent_strerror(UKEVENT_CTL, ret));
		left += !ret;
	}
	ret = left ? 0 : 1;
	if (left)
		printf("watching %d\n", left);
	while (left) {
		i = ukevent_dequeue(&q, &ev, UKEVENT_FOREVER);
		if (i == -EINTR)
			continue;
		if (i != 1) {
			fprintf(stderr, "watch-dirs: %s\n",
				ukevent_strerror(UKEVENT_WAIT, i));
			return 1;
		}
		print_record(argv[ev.cookie], &ev);
		left -= !!(ev.flags & KEVENT_REC_LAST);
	}
	ukevent_queue_exit(&q);
	return ret;
}
