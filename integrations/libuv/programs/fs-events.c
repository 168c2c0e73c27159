// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * fs-events.c - a directory and a file are watched: who tells is inotify in both
 * modes, as INODE has no names, and the loop is to hear of it
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

static uv_loop_t *loop;
static uv_fs_event_t directory, file;
static uv_timer_t timer;
static int created, renamed, changed, removed, file_changed, steps;

static void in_directory(uv_fs_event_t *handle, const char *name, int events,
			 int status)
{
	CHECK_EQ(status, 0);
	CHECK(name);
	if (!strcmp(name, "new") && events & UV_RENAME)
		created++;
	if (!strcmp(name, "other") && events & UV_RENAME)
		renamed++;
	if (!strcmp(name, "watched") && events & UV_CHANGE)
		changed++;
	if (!strcmp(name, "watched") && events & UV_RENAME)
		removed++;
}

static void of_file(uv_fs_event_t *handle, const char *name, int events,
		    int status)
{
	CHECK_EQ(status, 0);
	CHECK(!strcmp(name, "watched"));
	if (events & UV_CHANGE)
		file_changed++;
}

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
}

/* A step at a time, when what the one before did was told. */
static void step(uv_timer_t *handle)
{
	switch (steps) {
	case 0:
		write_file("dir/new");
		break;
	case 1:
		if (!created)
			return;
		CHECK_EQ(rename("dir/new", "dir/other"), 0);
		break;
	case 2:
		if (!renamed)
			return;
		write_file("dir/watched");
		break;
	case 3:
		if (!changed || !file_changed)
			return;
		CHECK_EQ(unlink("dir/watched"), 0);
		break;
	case 4:
		if (!removed)
			return;
		uv_close((uv_handle_t *)&directory, NULL);
		uv_close((uv_handle_t *)&file, NULL);
		uv_close((uv_handle_t *)handle, NULL);
		break;
	}
	steps++;
}

int main(int argc, char **argv)
{
	loop = check_loop(argc, argv);
	CHECK_EQ(mkdir("dir", 0700), 0);
	write_file("dir/watched");
	CHECK_EQ(uv_fs_event_init(loop, &directory), 0);
	CHECK_EQ(uv_fs_event_start(&directory, in_directory, "dir", 0), 0);
	CHECK_EQ(uv_fs_event_init(loop, &file), 0);
	CHECK_EQ(uv_fs_event_start(&file, of_file, "dir/watched", 0), 0);
	CHECK_EQ(uv_timer_init(loop, &timer), 0);
	CHECK_EQ(uv_timer_start(&timer, step, 1, 1), 0);
	check_end(loop);
	CHECK_EQ(steps, 5);
	printf("created, renamed, changed and removed, each by its name\n");
	return 0;
}
