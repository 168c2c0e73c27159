/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trace buffer of one's own.
 */
#ifndef KEVENT_TRACE_H
#define KEVENT_TRACE_H

#include "kevent_test.h"
#include <sys/mount.h>

/**
 * struct tracer - an instance of tracefs
 * @root: where tracefs is mounted
 * @dir: the instance, empty if there is none
 */
struct tracer {
	char root[64];
	char dir[128];
};

static inline int trace_write(const struct tracer *t, const char *name,
			      const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	return write_text(path, text);
}

static inline int trace_read(const struct tracer *t, const char *name,
			     char *text, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	return read_text(path, text, size);
}

/* The trace as a stream. */
static inline FILE *trace_open(const struct tracer *t)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/trace", t->dir);
	return fopen(path, "re");
}

/* Forgets what was traced so far. */
static inline int trace_clear(const struct tracer *t)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/trace", t->dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Makes the instance; -ENODEV if the kernel has no tracefs. */
static inline int tracer_open(struct tracer *t)
{
	int ret;

	t->dir[0] = 0;
	snprintf(t->root, sizeof(t->root), "/tmp/kevent-trace-%d", getpid());
	mkdir("/tmp", 01777);
	if (mkdir(t->root, 0700))
		return -errno;
	if (mount("none", t->root, "tracefs", 0, NULL)) {
		ret = -errno;
		rmdir(t->root);
		return ret;
	}
	snprintf(t->dir, sizeof(t->dir), "%s/instances/kevent_test", t->root);
	rmdir(t->dir);	/* of a test that was killed */
	if (mkdir(t->dir, 0700))
		return -errno;
	/* what is told may be on several processors */
	return trace_write(t, "trace_clock", "global");
}

static inline int tracer_close(struct tracer *t)
{
	int ret;

	if (!t->dir[0])
		return 0;
	ret = trace_write(t, "events/enable", "0");
	if (rmdir(t->dir) && !ret)
		ret = -errno;
	umount(t->root);
	rmdir(t->root);
	return ret;
}

#define TRACER_SETUP(t) \
do { \
	int __ret = tracer_open(t); \
	if (__ret == -ENODEV) \
		SKIP(return, "no tracefs (a kernel without CONFIG_TRACING)"); \
	ASSERT_EQ(0, __ret); \
} while (0)

/* Processor and time of a line, and what follows the colon after them. */
static inline const char *trace_line(const char *line, unsigned int *cpu,
				     __u64 *ns)
{
	unsigned long sec, usec;
	const char *p = line;
	int n = 0;

	/* the name of a task may have brackets */
	while ((p = strchr(p, '['))) {
		if (sscanf(p, "[%u] %*s %lu.%lu: %n", cpu, &sec, &usec, &n) == 3 &&
		    n) {
			*ns = sec * NSEC_PER_SEC + usec * 1000;
			return p + n;
		}
		p++;
	}
	return NULL;
}

#endif /* KEVENT_TRACE_H */
