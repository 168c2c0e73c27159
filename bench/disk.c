// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * disk.c - files to be sent: on a disk whose requests take their time, or in memory
 *
 * The disk is null_blk with memory, which answers a request by a timer: so the time is
 * the machine's own, and the same in each run.  measure.sh says what that is, and puts
 * an image of ext4 beside this program, with a file of each size that is named by it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "bench.h"
#include "file.h"

#define DEVICE	"/dev/nullb0"
#define IMAGE	"/disk.img"
#define PLACE	"/disk"

static void fill_device(int device)
{
	static const char zeroes[1 << 16];
	static char room[1 << 16];
	int image = open(IMAGE, O_RDONLY | O_CLOEXEC);
	off_t pos;
	ssize_t n;

	if (image < 0)
		die(IMAGE);
	for (pos = 0; (n = pread(image, room, sizeof(room), pos)) > 0; pos += n)
		if (memcmp(room, zeroes, n) && pwrite(device, room, n, pos) != n)
			die(DEVICE);
	if (n || fsync(device) || posix_fadvise(device, 0, 0, POSIX_FADV_DONTNEED))
		die(IMAGE);
	close(image);
}

/* Nothing is written there, so nothing happens in the background. */
static void mount_disk(void)
{
	int device;

	if (mkdir(PLACE, 0755)) {
		if (errno == EEXIST)
			return;
		die(PLACE);
	}
	if (mkdir("/dev", 0755) && errno != EEXIST)
		die("/dev");
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		die("/dev");
	device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0) {
		rmdir(PLACE);
		if (errno == ENOENT)
			errno = EOPNOTSUPP;
		die_unless_missing(DEVICE);
	}
	fill_device(device);
	close(device);
	if (mount(DEVICE, PLACE, "ext4", MS_RDONLY | MS_NOATIME, NULL))
		die_unless_missing("mount");
}

static void check_size(off_t size)
{
	struct stat st;

	if (fstat(file, &st))
		die("fstat");
	if (st.st_size != size)
		die_of("the file has another size");
	file_size = size;
}

void file_on_disk(off_t size)
{
	char path[64];

	mount_disk();
	snprintf(path, sizeof(path), PLACE "/%llu", (unsigned long long)size);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		die(path);
	check_size(size);
}

/* Memory is likely to be got in order: every @step-th page, then those behind them. */
static void fill_memory(off_t size, unsigned int step)
{
	char page[4096];
	unsigned int i;
	off_t pos;

	file = memfd_create("file", MFD_CLOEXEC);
	if (file < 0)
		die("memfd_create");
	memset(page, 'a', sizeof(page));
	for (i = 0; i < step; i++)
		for (pos = i * sizeof(page); pos < size; pos += step * sizeof(page))
			if (pwrite(file, page, sizeof(page), pos) != sizeof(page))
				die("write");
	if (ftruncate(file, size))
		die("ftruncate");
	check_size(size);
}

void file_in_memory(off_t size)
{
	fill_memory(size, 1);
}

void file_scattered(off_t size)
{
	fill_memory(size, 2);
}
