// SPDX-License-Identifier: GPL-2.0
/*
 * The source PROCESS: who may be told of whose exit, and of its status.
 */
#include "process_test.h"

#include <sys/prctl.h>
#include <sys/statvfs.h>

/* ---- who may know ---- */

struct rights {
	uid_t by, of;		/* who watches, the target; and gid */
	gid_t of_gid;		/* if not 0 */
	bool hidden;		/* the target is not dumpable */
	bool zombie;		/* at ADD */
	bool eperm;		/* ADD fails */
	enum {
		STAY,
		DROP,		/* to uid 1000 */
		HIDE,		/* not dumpable any more */
		SET_UID,	/* execute a set-user-ID program */
		SET_GID,
		SET_UID_DROP,	/* one that gives it up again */
	} then;
};

/**
 * struct scene - the process that is watched, and who watches it; shared
 * @rights: who they are
 * @pid: of the target
 * @shown: the status that /proc shows to the watcher
 * @ev: what it is told
 */
struct scene {
	const struct rights *rights;
	pid_t pid;
	long shown;
	struct ukevent ev;
} *scene;

#define TARGET_CODE	42

static char set_id_path[64];

/* Makes this program, as a file with bits of @mode. */
static int copy_program(const char *path, mode_t mode)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		return -errno;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -EIO;
	if (n || fchmod(out, mode))
		return -errno;
	close(in);
	return close(out) ? -errno : 0;
}

static int target_run(int sock, const void *arg)
{
	const struct rights *r = arg;

	if (r->of && !become(r->of, r->of_gid ? r->of_gid : r->of))
		return 250;
	/* after a change of credentials it is not */
	prctl(PR_SET_DUMPABLE, !r->hidden);
	if (!step(sock) || !await(sock))
		return 251;
	switch (r->then) {
	case STAY:
		break;
	case DROP:
		if (!become(1000, 1000))
			return 252;
		break;
	case HIDE:
		prctl(PR_SET_DUMPABLE, 0);
		break;
	case SET_UID:
	case SET_GID:
		return exec_exit(set_id_path, sock, TARGET_CODE, NULL);
	case SET_UID_DROP:
		return exec_exit(set_id_path, sock, TARGET_CODE, "drop");
	}
	return step(sock) && await(sock) ? TARGET_CODE : 253;
}

/* The exit status as /proc shows it to the caller: the last word of the line. */
static long shown_status(pid_t pid)
{
	char path[64], buf[1024], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strrchr(buf, ' ');
	return p ? atol(p) : -1;
}

/* Not the parent of the target.  Exits with the error of ADD, if there is one. */
static int watcher_run(int sock, const void *arg)
{
	struct scene *s = scene;
	uid_t uid = s->rights->by;
	struct ukevent_queue q;
	int pidfd, ret;

	if (uid && !become(uid, uid))
		return 250;
	pidfd = open_pidfd(s->pid, 0);
	if (pidfd < 0 || queue_init(&q, 8))
		return 251;
	ret = add_process(&q, pidfd, 0, 1);
	if (ret)
		return -ret;
	if (!step(sock) || !await(sock))
		return 252;
	s->shown = shown_status(s->pid);
	if (wait_ms(&q, 1, TEST_LONG_MS) != 1 || !ukevent_take(&q, &s->ev, 1))
		return 253;
	return 0;
}

FIXTURE(rights)
{
	struct child target, watcher;
};

FIXTURE_VARIANT(rights)
{
	struct rights r;
};

FIXTURE_VARIANT_ADD(rights, same_uid) { .r = { .by = 1000, .of = 1000 } };
FIXTURE_VARIANT_ADD(rights, other_uid) { .r = { .by = 1001, .of = 1000, .eperm = true } };

FIXTURE_VARIANT_ADD(rights, other_gid)
{
	.r = { .by = 1000, .of = 1000, .of_gid = 1001, .eperm = true },
};

FIXTURE_VARIANT_ADD(rights, of_root) { .r = { .by = 1000, .of = 0, .eperm = true } };
FIXTURE_VARIANT_ADD(rights, by_root) { .r = { .by = 0, .of = 1000 } };

FIXTURE_VARIANT_ADD(rights, hidden)
{
	.r = { .by = 1000, .of = 1000, .hidden = true, .eperm = true },
};

FIXTURE_VARIANT_ADD(rights, hidden_by_root) { .r = { .by = 0, .of = 1000, .hidden = true } };
FIXTURE_VARIANT_ADD(rights, zombie) { .r = { .by = 1000, .of = 1000, .zombie = true } };

FIXTURE_VARIANT_ADD(rights, zombie_other_uid)
{
	.r = { .by = 1001, .of = 1000, .zombie = true, .eperm = true },
};

FIXTURE_VARIANT_ADD(rights, then_dropped) { .r = { .by = 0, .of = 0, .then = DROP } };
FIXTURE_VARIANT_ADD(rights, then_hidden) { .r = { .by = 1000, .of = 1000, .then = HIDE } };
FIXTURE_VARIANT_ADD(rights, then_set_uid) { .r = { .by = 1000, .of = 1000, .then = SET_UID } };
FIXTURE_VARIANT_ADD(rights, then_set_gid) { .r = { .by = 1000, .of = 1000, .then = SET_GID } };
FIXTURE_VARIANT_ADD(rights, then_set_uid_by_root) { .r = { .by = 0, .of = 1000, .then = SET_UID } };

FIXTURE_VARIANT_ADD(rights, then_set_uid_dropped)
{
	.r = { .by = 1000, .of = 1000, .then = SET_UID_DROP },
};

FIXTURE_SETUP(rights)
{
	mode_t mode = variant->r.then == SET_GID ? 02755 : 04755;
	struct statvfs fs;

	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, scene);
	if (variant->r.then < SET_UID)
		return;
	mkdir("/tmp", 01777);
	ASSERT_EQ(0, statvfs("/tmp", &fs));
	if (fs.f_flag & (ST_NOSUID | ST_NOEXEC))
		SKIP(return, "/tmp is nosuid or noexec");
	snprintf(set_id_path, sizeof(set_id_path), "/tmp/kevent-setid-%d",
		 getpid());
	ASSERT_EQ(0, copy_program(set_id_path, mode));
}

FIXTURE_TEARDOWN(rights)
{
	if (set_id_path[0])
		unlink(set_id_path);
}

/* It does what it does after ADD, and exits. */
static int target_exits(struct child *c)
{
	return step(c->sock) && await(c->sock) && step(c->sock) ?
	       zombie(c->pid) : -EPIPE;
}

/* What /proc would show, when the process has exited. */
TEST_F(rights, as_proc_shows)
{
	const struct rights *r = &variant->r;
	struct child *target = &self->target, *watcher = &self->watcher;
	int status = r->by && r->then >= HIDE ? 0 : TARGET_CODE << 8;
	struct scene *s = scene;

	ASSERT_EQ(0U, geteuid());
	s->rights = r;
	ASSERT_EQ(0, child_start(target, target_run, r));
	ASSERT_TRUE(await(target->sock));
	s->pid = target->pid;
	if (r->zombie)
		ASSERT_EQ(0, target_exits(target));
	ASSERT_EQ(0, child_start(watcher, watcher_run, NULL));
	if (r->eperm) {
		EXPECT_EQ(EPERM, child_status(watcher->pid));
		return;
	}
	ASSERT_TRUE(await(watcher->sock))
		TH_LOG("%d", child_status(watcher->pid));
	if (!r->zombie)
		ASSERT_EQ(0, target_exits(target));
	ASSERT_TRUE(step(watcher->sock));
	ASSERT_EQ(0, child_status(watcher->pid));
	check_record(_metadata, __LINE__, &s->ev, PROCESS, 1, EXITED,
		     status ? 0 : UNKNOWN, status, 0);
	EXPECT_EQ(status, s->shown);
	EXPECT_EQ(TARGET_CODE << 8, reap(target->pid));
}

/* A parent is told by wait(2) anyway.  0, or a number that says where it failed. */
static int parent_run(int sock, const void *arg)
{
	const struct rights *r = arg;
	struct ukevent ev = {};
	struct ukevent_queue q;
	struct child c;

	if (!become(1000, 1000))
		return 1;
	if (queue_init(&q, 8) || child_start(&c, target_run, r) || !await(c.sock))
		return 2;
	if (add_process(&q, c.pidfd, 0, 1))
		return 3;
	if (!step(c.sock) || !await(c.sock) || !step(c.sock))
		return 4;
	if (wait_ms(&q, 1, TEST_LONG_MS) != 1 || !ukevent_take(&q, &ev, 1))
		return 5;
	if (ev.flags || ev.data[0] != TARGET_CODE << 8)
		return 6;
	return reap(c.pid) == TARGET_CODE << 8 ? 0 : 7;
}

TEST_F(rights, of_the_parent)
{
	struct rights r = variant->r;
	struct child parent;

	/* it is forked by one of that uid */
	r.of = 0;
	if (r.then == DROP)
		r.then = STAY;
	ASSERT_EQ(0, child_start(&parent, parent_run, &r));
	EXPECT_EQ(0, child_status(parent.pid));
}

int main(int argc, char **argv)
{
	return process_main(argc, argv);
}
