// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE from a disk that takes its time: who waits does not stand still for it.
 */
#include "sendfile_test.h"

#include <linux/dm-ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>

FIXTURE(cold)
{
	struct ukevent_queue q;
	struct place place;
	struct transfer t;
	int fd;
};

FIXTURE_SETUP(cold)
{
	int tries;

	OPEN_PLACE(&self->place, "slow");
	ASSERT_EQ(0, files_queue(&self->q, 64, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	self->fd = make_file(&self->place, "cold", 4 * MIB);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, make_cold(self->fd));
	/* what is read of the file itself, and the place of its bytes */
	make_warm(self->fd, 0, 1);
	make_warm(self->fd, 4 * MIB - 1, 1);
	ASSERT_TRUE(is_cached(self->fd, 0));
	/* What is being read stays until it was, and comes after it was looked at. */
	for (tries = 0; tries < 500; tries++) {
		ASSERT_EQ(0, make_cold(self->fd));
		sleep_ms(20);
		if (!is_cached(self->fd, 0) && !is_cached(self->fd, 2 * MIB) &&
		    !is_cached(self->fd, 4 * MIB - 1))
			break;
	}
	ASSERT_GT(500, tries);
}

FIXTURE_TEARDOWN(cold)
{
	close(self->fd);
	place_clean(&self->place);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
}

static long sleeps(void)
{
	return task_sleeps(syscall(SYS_gettid));
}

/* How often sendfile(2) on a socket that does not block has its caller sleep. */
static long sleeps_of_sendfile(struct __test_metadata *_metadata, struct transfer *t, int fd)
{
	long before = sleeps();
	off_t pos = 0;
	ssize_t n;

	while (pos < (off_t)(4 * MIB)) {
		n = sendfile(t->s.fd, fd, &pos, 4 * MIB - pos);
		EXPECT_TRUE(n > 0 || (n < 0 && errno == EAGAIN));
		transfer_receive(t, SIZE_MAX);
	}
	before = sleeps() - before;
	t->told = 4 * MIB;
	EXPECT_EQ(0, transfer_drain(t));
	return before;
}

/*
 * F6: the same file, by steps that are asked for all the time.  A machine that is slow
 * itself finds more of it there: it takes more rounds to tell the two apart.
 */
TEST_F_TIMEOUT(cold, does_not_sleep, 300)
{
	long waits = 0, slept = 0;
	int round;

	for (round = 0; round < 30 && (waits < 8 || slept > waits / 4); round++) {
		ASSERT_EQ(0, make_cold(self->fd));
		transfer_next(&self->t, self->fd, 0, TO_END);
		waits += sleeps_of_sendfile(_metadata, &self->t, self->fd);
		ASSERT_EQ(0, make_cold(self->fd));
		transfer_next(&self->t, self->fd, 0, TO_END);
		ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
		slept -= sleeps();
		while (!self->t.ended) {
			ASSERT_LE(0, flush_ring(&self->q));
			transfer_records(&self->q);
			transfer_receive(&self->t, SIZE_MAX);
		}
		slept += sleeps();
		EXPECT_EQ(0, transfer_drain(&self->t));
		EXPECT_END(&self->t, SF_DONE, 4 * MIB, 0);
	}
	TH_LOG("%d rounds: sendfile(2) slept %ld times, steps %ld", round, waits, slept);
	EXPECT_LE(8, waits);
	EXPECT_LE(slept, waits / 4);
}

/* Who sleeps in the wait is woken by the page. */
TEST_F_TIMEOUT(cold, woken_by_page, 300)
{
	struct waiter w;

	source_close(&self->t.s);
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	transfer_next(&self->t, self->fd, 100, 30000);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	EXPECT_EQ(1, waiter_result(&w));
	transfer_records(&self->q);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_END(&self->t, SF_DONE, 30000, 0);
}

/*
 * Others' events are told between its steps: of an echo beside it more are served than
 * by who sends the file with sendfile(2), in the same time.
 */
struct echo {
	int fd;
	int stop;
	long answers;
};

static void *echo_main(void *arg)
{
	struct echo *e = arg;
	char c;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		if (send(e->fd, "x", 1, MSG_NOSIGNAL) != 1 || recv(e->fd, &c, 1, 0) != 1)
			break;
		e->answers++;
	}
	return NULL;
}

static void echo_serve(int fd)
{
	char c;

	if (recv(fd, &c, 1, MSG_DONTWAIT) == 1 && send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		perror("send");
}

TEST_F_TIMEOUT(cold, echo_beside, 300)
{
	struct transfer *t = &self->t;
	struct source beside;
	struct echo e;
	pthread_t thread;
	long answers[2] = {};
	int i, by_step;
	off_t pos;

	ASSERT_EQ(0, sock_pair(&beside, AF_INET, SOCK_STREAM));
	/* two and fourteen on a busy host, that may stop who asks: in several rounds */
	for (i = 0; i < 10 && (i % 2 || answers[1] <= answers[0] * 3 / 2 + 4); i++) {
		by_step = i % 2;
		pos = 0;
		ASSERT_EQ(0, make_cold(self->fd));
		transfer_next(t, self->fd, 0, TO_END);
		memset(&e, 0, sizeof(e));
		e.fd = beside.peer;
		ASSERT_EQ(0, pthread_create(&thread, NULL, echo_main, &e));
		if (by_step)
			ASSERT_EQ(0, do_change(self->q.fd, &t->c));
		while (by_step ? !t->ended : pos < (off_t)(4 * MIB)) {
			if (by_step) {
				ASSERT_LE(0, flush_ring(&self->q));
				transfer_records(&self->q);
			} else {
				sendfile(t->s.fd, self->fd, &pos, 4 * MIB - pos);
			}
			echo_serve(beside.fd);
			transfer_receive(t, SIZE_MAX);
		}
		answers[by_step] += __atomic_load_n(&e.answers, __ATOMIC_RELAXED);
		__atomic_store_n(&e.stop, 1, __ATOMIC_RELEASE);
		while (pthread_tryjoin_np(thread, NULL))
			echo_serve(beside.fd);
		t->told = 4 * MIB;
		EXPECT_EQ(0, transfer_drain(t));
	}
	TH_LOG("answers beside sendfile(2): %ld, beside steps: %ld", answers[0], answers[1]);
	EXPECT_LT(answers[0] * 3 / 2 + 4, answers[1]);
	source_close(&beside);
}

/* F2: it waits for a page, and for nothing else, when it is removed. */
TEST_F_TIMEOUT(cold, removed_while_read, 300)
{
	__u64 sent;
	int i;

	for (i = 0; i < test_loops(40); i++) {
		ASSERT_EQ(0, make_cold(self->fd));
		transfer_next(&self->t, self->fd, i * 100000, TO_END);
		ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
		ASSERT_EQ(0, flush_ring(&self->q));
		ASSERT_EQ(0, op_sendfile(&self->q, KEVENT_OP_REMOVE, self->t.s.fd));
		transfer_records(&self->q);
		sent = self->t.told;
		EXPECT_GT(1 * MIB, sent);
		EXPECT_END(&self->t, 0, sent, 0);
		ASSERT_EQ(0, transfer_drain(&self->t));
	}
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, transfer_receive(&self->t, SIZE_MAX));
	EXPECT_QUIET(&self->q);
}

/* F18: as many wait as queues for pages collide; the end of one leaves the others. */
TEST_F_TIMEOUT(cold, many_wait, 300)
{
	enum { NR = 300 };
	struct transfer *t = calloc(NR, sizeof(*t));
	struct ukevent_queue q;
	int i, ret, left = 0;

	ASSERT_NE(NULL, t);
	ASSERT_EQ(0, raise_nofile(4 * NR + 100));
	ASSERT_EQ(0, files_queue(&q, 1024, 0));
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, transfer_open(&t[i], AF_UNIX));
		transfer_next(&t[i], self->fd, (i * 37 % 1000) * 4096, 4096);
		ASSERT_EQ(0, do_change(q.fd, &t[i].c));
	}
	ASSERT_LE(0, flush_ring(&q));
	for (i = 0; i < NR; i += 2) {
		ret = op_sendfile(&q, KEVENT_OP_REMOVE, t[i].s.fd);
		ASSERT_TRUE(!ret || ret == -ENOENT);
	}
	ASSERT_EQ(0, transfers_run(&q, t, NR, SIZE_MAX));
	for (i = 0; i < NR; i++) {
		if (i % 2)
			EXPECT_END(&t[i], SF_DONE, 4096, 0);
		else
			left += !t[i].end.events;
		source_close(&t[i].s);
	}
	TH_LOG("%d were removed before their page came", left);
	free(t);
	ukevent_queue_exit(&q);
}

/* ---- a disk with a bad place ---- */

#define BAD_NAME	"kevent-bad"

/**
 * struct bad_disk - a device that is the disk ext4, but for one place
 * @ctl: the device mapper
 * @dev: where the device is
 * @sectors: its size
 * @under: the disk
 */
struct bad_disk {
	int ctl;
	char dev[64];
	__u64 sectors;
	char under[64];
};

struct dm_request {
	struct dm_ioctl io;
	char data[1024];
};

static int dm_call(struct bad_disk *d, unsigned int command, struct dm_request *r)
{
	static const __u32 version[3] = { DM_VERSION_MAJOR, 0, 0 };

	memcpy(r->io.version, version, sizeof(version));
	r->io.data_size = sizeof(*r);
	r->io.data_start = offsetof(struct dm_request, data);
	strcpy(r->io.name, BAD_NAME);
	return ioctl(d->ctl, command, r) ? -errno : 0;
}

static char *dm_target(char *to, __u64 start, __u64 len, const char *type,
		       const char *under)
{
	struct dm_target_spec *spec = (struct dm_target_spec *)to;

	memset(spec, 0, sizeof(*spec));
	spec->sector_start = start;
	spec->length = len;
	spec->next = sizeof(*spec) + 96;
	strcpy(spec->target_type, type);
	if (under)
		snprintf(to + sizeof(*spec), 96, "%s %llu", under,
			 (unsigned long long)start);
	else
		to[sizeof(*spec)] = 0;
	return to + spec->next;
}

/* Makes it what it is to be; with no sector bad if @bad is 0. */
static int dm_load(struct bad_disk *d, __u64 bad)
{
	struct dm_request r;
	char *to = r.data;
	int ret;

	memset(&r, 0, sizeof(r));
	if (bad) {
		r.io.target_count = 3;
		to = dm_target(to, 0, bad, "linear", d->under);
		to = dm_target(to, bad, 8, "error", NULL);
		dm_target(to, bad + 8, d->sectors - bad - 8, "linear", d->under);
	} else {
		r.io.target_count = 1;
		dm_target(to, 0, d->sectors, "linear", d->under);
	}
	ret = dm_call(d, DM_TABLE_LOAD, &r);
	if (ret)
		return ret;
	/* what is under way ends first; and on it goes */
	memset(&r, 0, sizeof(r));
	r.io.flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG;
	ret = dm_call(d, DM_DEV_SUSPEND, &r);
	memset(&r, 0, sizeof(r));
	return ret ?: dm_call(d, DM_DEV_SUSPEND, &r);
}

static int bad_disk_open(struct bad_disk *d)
{
	struct dm_request r;
	__u64 bytes;
	int ret, fd;

	ret = find_disk("ext4", d->under, sizeof(d->under));
	if (ret)
		return ret;
	fd = open(d->under, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		return -errno;
	close(fd);
	d->sectors = bytes / 512;
	d->ctl = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (d->ctl < 0)
		return -ENODEV;
	memset(&r, 0, sizeof(r));
	ret = dm_call(d, DM_DEV_CREATE, &r);
	if (ret)
		return ret;
	snprintf(d->dev, sizeof(d->dev), "/tmp/bad-%d", getpid());
	if (mknod(d->dev, S_IFBLK | 0600, makedev((r.io.dev >> 8) & 0xfff,
						  (r.io.dev & 0xff))))
		return -errno;
	return dm_load(d, 0);
}

static int bad_disk_close(struct bad_disk *d)
{
	struct dm_request r;
	int ret;

	memset(&r, 0, sizeof(r));
	ret = dm_call(d, DM_DEV_REMOVE, &r);
	unlink(d->dev);
	close(d->ctl);
	return ret;
}

/* Where on its disk the byte of a file is. */
static __u64 place_of(int fd, __u64 pos)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} f;

	memset(&f, 0, sizeof(f));
	f.map.fm_start = pos;
	f.map.fm_length = 1;
	f.map.fm_extent_count = 1;
	if (ioctl(fd, FS_IOC_FIEMAP, &f.map) || f.map.fm_mapped_extents != 1)
		return 0;
	return f.extent.fe_physical + pos - f.extent.fe_logical;
}

FIXTURE(bad)
{
	struct bad_disk d;
};

FIXTURE_SETUP(bad)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

FIXTURE_TEARDOWN(bad)
{
}

/* F5: all before the bad page is sent; then, when it is good again, the rest. */
TEST_F_TIMEOUT(bad, read_error, 300)
{
	const __u64 bad = 500 * KIB;
	struct bad_disk *d = &self->d;
	struct ukevent_queue q;
	struct transfer t;
	struct place p;
	int fd, ret, i;
	__u64 place;

	ret = bad_disk_open(d);
	if (ret == -ENOENT)
		SKIP(return, "no disk ext4 (scripts/boot.sh)");
	if (ret == -ENODEV)
		SKIP(return, "no device mapper in this kernel (CONFIG_BLK_DEV_DM)");
	ASSERT_EQ(0, ret);
	strcpy(p.base, "/tmp/bad");
	strcpy(p.dir, p.base);
	strcpy(p.view, p.base);
	mkdir(p.base, 0755);
	ASSERT_EQ(0, mount(d->dev, p.base, "ext4", 0, NULL));
	ASSERT_EQ(0, files_queue(&q, 8, 0));
	ASSERT_EQ(0, transfer_open(&t, AF_INET));
	fd = make_file(&p, "bad", MIB);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, make_cold(fd));
	place = place_of(fd, bad);
	ASSERT_NE(0U, place);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, dm_load(d, place / 512));
		ASSERT_EQ(0, make_cold_at(fd, bad));
		transfer_next(&t, fd, i * 1000, TO_END);
		ASSERT_EQ(0, transfer_run(&q, &t));
		EXPECT_END(&t, SF_DONE | SF_ERROR, bad - i * 1000, EIO);
		ASSERT_EQ(0, dm_load(d, 0));
		transfer_next(&t, fd, bad, TO_END);
		ASSERT_EQ(0, transfer_run(&q, &t));
		EXPECT_END(&t, SF_DONE, MIB - bad, 0);
	}
	close(fd);
	place_clean(&p);
	source_close(&t.s);
	ukevent_queue_exit(&q);
	EXPECT_EQ(0, umount(p.base));
	EXPECT_EQ(0, bad_disk_close(d));
}

/* ---- a disk that does not answer ---- */

static int bad_disk_stop(struct bad_disk *d)
{
	struct dm_request r;

	memset(&r, 0, sizeof(r));
	r.io.flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG;
	return dm_call(d, DM_DEV_SUSPEND, &r);
}

static int bad_disk_go_on(struct bad_disk *d)
{
	struct dm_request r;

	memset(&r, 0, sizeof(r));
	return dm_call(d, DM_DEV_SUSPEND, &r);
}

/* A thread whose steps sleep, as where the bytes are has to be read first. */
FIXTURE(asleep)
{
	struct ukevent_queue q;
	struct bad_disk d;
	struct place p;
	struct transfer t;
	pthread_t thread;
	int tid;
	int stop;
	int fd;
	bool mounted;
};

static void *asleep_main(void *arg)
{
	FIXTURE_DATA(asleep) *self = arg;
	struct kevent_wait_args args;

	__atomic_store_n(&self->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&self->stop, __ATOMIC_ACQUIRE)) {
		memset(&args, 0, sizeof(args));
		ukevent_set_timeout(&args, NSEC_PER_MSEC);
		sys_kevent_wait(self->q.fd, self->q.entries, &args, sizeof(args));
	}
	return NULL;
}

FIXTURE_SETUP(asleep)
{
	int ret, fd, i;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ret = bad_disk_open(&self->d);
	if (ret == -ENOENT)
		SKIP(return, "no disk ext4 (scripts/boot.sh)");
	if (ret == -ENODEV)
		SKIP(return, "no device mapper in this kernel (CONFIG_BLK_DEV_DM)");
	ASSERT_EQ(0, ret);
	strcpy(self->p.base, "/tmp/asleep");
	strcpy(self->p.dir, self->p.base);
	strcpy(self->p.view, self->p.base);
	mkdir(self->p.base, 0755);
	ASSERT_EQ(0, mount(self->d.dev, self->p.base, "ext4", 0, NULL));
	self->mounted = true;
	/* in so many places that its inode cannot say where they are */
	fd = make_file(&self->p, "asleep", 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, write_pattern(fd, FILE_SEED, i * 65536, 4096));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	/* and nothing of that is in memory */
	ASSERT_EQ(0, umount(self->p.base));
	ASSERT_EQ(0, mount(self->d.dev, self->p.base, "ext4", 0, NULL));
	self->fd = open_file(&self->p, "asleep", O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	self->t.is = file_or_zero;
	transfer_next(&self->t, self->fd, 0, TO_END);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, asleep_main, self));
	ASSERT_EQ(0, started(&self->tid));

	ASSERT_EQ(0, bad_disk_stop(&self->d));
	ASSERT_EQ(0, do_change(self->q.fd, &self->t.c));
	for (i = 0; i < TEST_LONG_MS && task_state(self->tid) != 'D'; i++)
		sleep_ms(1);
	EXPECT_EQ('D', task_state(self->tid));
}

FIXTURE_TEARDOWN(asleep)
{
	if (!self->mounted)
		return;
	bad_disk_go_on(&self->d);
	__atomic_store_n(&self->stop, 1, __ATOMIC_RELEASE);
	pthread_join(self->thread, NULL);
	close(self->fd);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->q);
	place_clean(&self->p);
	EXPECT_EQ(0, umount(self->p.base));
	EXPECT_EQ(0, bad_disk_close(&self->d));
}

struct remover {
	struct ukevent_queue *q;
	int fd;
	int tid;
	int ret;
};

static void *remover_main(void *arg)
{
	struct remover *r = arg;

	__atomic_store_n(&r->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	r->ret = op_sendfile(r->q, KEVENT_OP_REMOVE, r->fd);
	return NULL;
}

static void no_handler(int sig)
{
}

/* What would have to wait for it is refused, and works when it is over. */
TEST_F_TIMEOUT(asleep, refused, 300)
{
	struct sigaction sa = { .sa_handler = no_handler };
	struct kevent_change c;
	struct remover r;
	pthread_t thread;
	int tries;

	EXPECT_EQ(-EBUSY, op_sendfile(&self->q, KEVENT_OP_REMOVE, self->t.s.fd));
	EXPECT_EQ(-EBUSY, op_sendfile(&self->q, KEVENT_OP_DISABLE, self->t.s.fd));
	c = make_typed(KEVENT_OP_REMOVE, KEVENT_TYPE_SENDFILE, 0, 0, KEVENT_BY_ID, 0);
	c.id = self->t.c.id;
	EXPECT_EQ(-EBUSY, do_change(self->q.fd, &c));
	EXPECT_EQ(0, op_sendfile(&self->q, KEVENT_OP_ENABLE, self->t.s.fd));
	EXPECT_EQ(-EBUSY, send_one_entry(&self->q, make_send(self->t.s.fd, "x", 1)));

	/* a signal ends the patience */
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	/* which may have ended by itself where this one is stopped for long */
	for (tries = 0, r.ret = -EBUSY; tries < 10 && r.ret == -EBUSY; tries++) {
		r = (struct remover) { .q = &self->q, .fd = self->t.s.fd };
		ASSERT_EQ(0, pthread_create(&thread, NULL, remover_main, &r));
		ASSERT_EQ(0, started(&r.tid));
		while (task_state(r.tid) == 'R')
			sleep_ms(1);
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, NULL);
	}
	EXPECT_EQ(-EINTR, r.ret);

	/* none of that has changed anything */
	EXPECT_EQ('D', task_state(self->tid));
	EXPECT_EQ(0, in_ring(&self->q));
	ASSERT_EQ(0, bad_disk_go_on(&self->d));
	ASSERT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 39 * 65536 + 4096, 0);
}

/* It holds up nobody who waits for something else. */
TEST_F_TIMEOUT(asleep, others_go_on, 300)
{
	int ready = make_eventfd(1), other = make_memfd(200000);
	struct transfer t;

	ASSERT_EQ(0, add_fd(self->q.fd, ready, EV_IN, KEVENT_EDGE, 0, NULL));
	EXPECT_EQ(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, take_all(&self->q, NULL));
	EXPECT_EQ(0, remove_fd(self->q.fd, ready));
	ASSERT_EQ(0, transfer_open(&t, AF_INET));
	transfer_next(&t, other, 0, TO_END);
	ASSERT_EQ(0, transfer_run(&self->q, &t));
	EXPECT_END(&t, SF_DONE, 200000, 0);
	EXPECT_EQ('D', task_state(self->tid));
	source_close(&t.s);
	close(other);
	close(ready);
}

/* REMOVE that begins while it sleeps, and has it over before its patience ends. */
TEST_F_TIMEOUT(asleep, removed, 300)
{
	struct remover r = { .q = &self->q, .fd = self->t.s.fd };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, remover_main, &r));
	ASSERT_EQ(0, started(&r.tid));
	ASSERT_EQ(0, task_asleep(r.tid));
	ASSERT_EQ(0, bad_disk_go_on(&self->d));
	pthread_join(thread, NULL);
	/* on a busy host that takes more than a second */
	if (r.ret == -EBUSY)
		r.ret = op_sendfile(&self->q, KEVENT_OP_REMOVE, self->t.s.fd);
	ASSERT_EQ(0, r.ret);
	transfer_records(&self->q);
	EXPECT_END(&self->t, 0, self->t.told, 0);
	EXPECT_EQ(0, transfer_drain(&self->t));
	EXPECT_QUIET(&self->q);
}

/* Its socket is closed: that is told when it is over. */
TEST_F_TIMEOUT(asleep, closed, 300)
{
	close(self->t.s.fd);
	self->t.s.fd = -1;
	EXPECT_EQ(0, in_ring(&self->q));
	ASSERT_EQ(0, bad_disk_go_on(&self->d));
	while (!self->t.ended) {
		ASSERT_LE(0, wait_ms(&self->q, 1, TEST_LONG_MS));
		transfer_records(&self->q);
	}
	EXPECT_END(&self->t, SF_HUP, self->t.told, 0);
	EXPECT_EQ(0, transfer_drain(&self->t));
}

TEST_HARNESS_MAIN
