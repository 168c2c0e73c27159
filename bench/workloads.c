// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * workloads.c - what is measured: one workload in one mode per run
 *
 *	workloads workload[:parameter] mode registered active events windows
 *
 * "events" are those of one window; a window is opened and closed by a mark
 * (mark.h) and its contents are counted from outside, so this program knows
 * nothing of the result.  It checks that it received what it should, prints
 * one line that says what was done, and exits with 0, with 1 if something went
 * wrong, or with 2 if this kernel cannot do it.
 *
 * As process 1 it takes its arguments from the lines of /cases, runs each in a
 * process of its own, and ends the machine.
 *
 * All modes do the same work in the same order, as a careful program would:
 * "collect" until all that is known to be active was received, then "consume".
 * What differs is only how the ready descriptors are learned.  The floor knows
 * them for free.
 *
 * Here is what all share, but for the queues, which are in queues.c and
 * uring.c, and connections, in tcp.c.  Adding a workload or a mode means its
 * functions and its lines in one of the tables: in eventfd.c, producers.c, echo.c,
 * bulk.c, acks.c, file.c, cold.c, pingpong.c, change.c, timers.c, notify.c, sleepers.c,
 * memory.c or spin.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <termios.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "bench.h"
#include "mark.h"

#define EXIT_UNSUPPORTED	2

static const struct run *const all_runs[] = {
	eventfd_runs, echo_runs, pingpong_runs, timers_runs, spin_runs,
	change_runs, memory_runs, producers_runs, notify_runs, sleepers_runs,
	bulk_runs, acks_runs, file_runs, cold_runs,
};

_Noreturn void die(const char *what)
{
	fprintf(stderr, "workloads: %s: %s\n", what, strerror(errno));
	exit(1);
}

_Noreturn void die_of(const char *reason)
{
	fprintf(stderr, "workloads: %s\n", reason);
	exit(1);
}

_Noreturn void die_unless_missing(const char *what)
{
	if (errno == ENOSYS || errno == EPERM || errno == EOPNOTSUPP) {
		printf("BENCH-SKIP %s: %s\n", what, strerror(errno));
		exit(EXIT_UNSUPPORTED);
	}
	die(what);
}

void *get_memory(size_t n, size_t size)
{
	void *p = malloc(n * size);

	if (!p)
		die("malloc");
	/*
	 * Touched here, so that no page fault happens in a window; a compiler
	 * that sees through it would call calloc(), which does not touch.
	 */
	asm volatile("" : "+r" (p));
	return memset(p, 0, n * size);
}

/*
 * For this thread and those it makes: who wakes another one is not preempted by
 * it, so that the scheduler has no say in how many switches a round has.
 */
void run_until_sleep(void)
{
	const struct sched_param param = { 0 };

	if (sched_setscheduler(0, SCHED_BATCH, &param))
		die("sched_setscheduler");
}

void make_eventfds(struct bench *b, int flags)
{
	unsigned int i;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = eventfd(0, EFD_CLOEXEC | flags);
		if (b->fd[i] < 0)
			die("eventfd");
	}
}

static unsigned int number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || !n || n > 10000000) {
		fprintf(stderr, "workloads: not a number from 1 on: %s\n", s);
		exit(1);
	}
	return n;
}

/*
 * What the kernel does later for what was done before (RCU, work queues, the
 * console) shall not happen in a window.  With -icount sleep=off waiting costs
 * no real time.
 */
static void settle(void)
{
	const struct timespec t = { .tv_nsec = 200 * 1000 * 1000 };

	nanosleep(&t, NULL);
}

/*
 * Interrupts from one processor to another, so far: a line of each kind, with a
 * number per processor, and words behind them.
 */
static unsigned long count_ipis(void)
{
	static const char *const kinds[] = { "RES:", "CAL:", "TLB:" };
	static char line[1024];
	unsigned long sum = 0, n;
	char *word, *end;
	size_t i;
	FILE *f = fopen("/proc/interrupts", "re");

	if (!f)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), f)) {
		word = strtok(line, " \t\n");
		for (i = 0; word && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(word, kinds[i]))
				continue;
			while ((word = strtok(NULL, " \t\n"))) {
				n = strtoul(word, &end, 10);
				if (*end)
					break;
				sum += n;
			}
			break;
		}
	}
	fclose(f);
	return sum;
}

struct second_thread {
	const struct run	*run;
	struct bench		*b;
};

static void *second_thread(void *arg)
{
	struct second_thread *second = arg;

	second->run->beside(second->b);
	return NULL;
}

static void prepare(const struct run *run, struct bench *b)
{
	if (run->between) {
		run->between(b);
		settle();
	}
}

/*
 * Returns the number of IPIs from the first window to the last, if there are
 * several processors.
 */
static unsigned long measure(const struct run *run, struct bench *b,
			     unsigned int windows)
{
	static struct second_thread second;
	unsigned long ipis = 0;
	pthread_t thread;
	cpu_set_t cpus;
	unsigned int i;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("sched_getaffinity");
#ifdef BENCH_NATIVE
	counters_open();
#endif
	if (run->sources)
		run->sources(b);
	if (run->queue)
		run->queue(b);
	if (run->beside) {
		second.run = run;
		second.b = b;
		errno = pthread_create(&thread, NULL, second_thread, &second);
		if (errno)
			die("pthread_create");
	}

	/* fault in what there is to fault in, come to a steady state */
	prepare(run, b);
	run->rounds(b);
	prepare(run, b);
	run->rounds(b);
	settle();
	prepare(run, b);
	run->rounds(b);
	b->collected = 0;
	b->client_calls = 0;
	if (CPU_COUNT(&cpus) > 1)
		ipis = count_ipis();

	for (i = 0; i < windows; i++) {
		prepare(run, b);
		mark_begin(0);
		run->rounds(b);
		mark_end(0);
	}
	if (CPU_COUNT(&cpus) > 1)
		ipis = count_ipis() - ipis;

	if (b->collected != (uint64_t)windows * b->rounds * b->active) {
		fprintf(stderr, "workloads: collected %u events of %lu\n",
			b->collected, (uint64_t)windows * b->rounds * b->active);
		exit(1);
	}
	return ipis;
}

#ifdef BENCH_NATIVE

/* Is there a kevent to be measured? */
static int run_check(void)
{
	struct bench b = { .registered = 1 };

	kevent_make(&b);
	return 0;
}

#else

/*
 * Two windows whose contents are known, so that whoever counts can show that
 * the count is right: CHECK_SHORT has 5 instructions between marks in the same
 * straight line; CHECK_LOOP runs 1000 times through 7, of which 3 lock, and
 * has 3 system calls of 2 instructions each and one more before the loop.
 */
#define CHECK_SHORT	1
#define CHECK_LOOP	2

static int run_check(void)
{
	static uint64_t word;
	uint64_t n, result;

	mark_begin(CHECK_SHORT);
	asm volatile("nop\n\tnop\n\tnop\n\tnop\n\tnop");
	mark_end(CHECK_SHORT);

	/* "word" is at a fixed address, nothing needs to be loaded for it */
	mark_begin(CHECK_LOOP);
	asm volatile("mov $1000, %k0\n"
		     "1:\tlock addq $1, %2\n\t"
		     "xchg %%rcx, %2\n\t"	/* locks, unasked */
		     "xchg %%rcx, %%rcx\n\t"	/* does not */
		     "xchg %%rcx, %2\n\t"
		     "nop\n\t"
		     "dec %0\n\t"
		     "jnz 1b\n\t"
		     "mov $39, %k1\n\tsyscall\n\t"	/* getpid */
		     "mov $39, %k1\n\tsyscall\n\t"
		     "mov $39, %k1\n\tsyscall"
		     : "=&r" (n), "=&a" (result), "+m" (word)
		     : : "rcx", "r11", "memory");
	mark_end(CHECK_LOOP);
	return 0;
}

#endif

static int run_case(char **arg)
{
	const char *workload = arg[0], *mode = arg[1];
	const char *parameter = strchr(workload, ':');
	const size_t length = strcspn(workload, ":");
	struct bench b = {
		.registered = number(arg[2]),
		.active = number(arg[3]),
		.parameter = parameter ? number(parameter + 1) : 0,
		.batch = BATCH,
	};
	unsigned int windows = number(arg[5]);
	const struct run *run;
	unsigned long ipis;
	size_t i;

	b.rounds = number(arg[4]) / b.active;
	if (!b.rounds)
		b.rounds = 1;
	if (b.active > b.registered)
		die_of("more active than registered");

	for (i = 0; i < sizeof(all_runs) / sizeof(all_runs[0]); i++) {
		for (run = all_runs[i]; run->workload; run++) {
			if (strncmp(run->workload, workload, length) ||
			    run->workload[length] || strcmp(run->mode, mode))
				continue;
			if (run->once) {
				run->once(&b);
				return 0;
			}
			ipis = measure(run, &b, windows);
#ifdef BENCH_NATIVE
			counters_print(workload, mode, b.registered, b.active,
				       b.rounds * b.active);
#endif
			printf("BENCH workload=%s mode=%s registered=%u active=%u rounds=%u windows=%u ipis=%lu client=%lu\n",
			       workload, mode, b.registered, b.active,
			       b.rounds, windows, ipis, b.client_calls);
			/* second threads are not asked to end */
			return 0;
		}
	}
	fprintf(stderr, "workloads: no workload %s in mode %s\n", workload, mode);
	return 1;
}

/* One of kevent's, where there is kevent. */
static void raise_limit(const char *path)
{
	static const char limit[] = "1000000";
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, limit, sizeof(limit) - 1) < 0)
		die(path);
	close(fd);
}

/* What the workloads expect of a machine that has only this program. */
static void set_up_machine(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (mkdir("/proc", 0555) && errno != EEXIST)
		die("/proc");
	if (mount("proc", "/proc", "proc", 0, NULL))
		die("mount");
	/* as many as the largest case has descriptors, and queues */
	raise_limit("/proc/sys/user/max_kevent_interests");
	raise_limit("/proc/sys/user/max_kevent_queues");
	raise_limit("/proc/sys/user/max_kevent_pages");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		die("lo");
	close(fd);
}

/*
 * As process 1.  Each case starts from a fresh process image, so that none
 * inherits descriptors or memory of the one before.
 */
static void run_all(void)
{
	static char line[256];
	char *arg[16];
	unsigned int n, case_nr = 0;
	pid_t pid;
	FILE *f = fopen("/cases", "re");
	struct utsname u;
	int status;

	if (!f || uname(&u))
		die("/cases");
	set_up_machine();
	printf("BENCH-KERNEL %s %s\n", u.release, u.version);
	while (fgets(line, sizeof(line), f)) {
		arg[0] = "/init";
		n = 1;
		for (char *p = strtok(line, " \t\n"); p && n < 15;
		     p = strtok(NULL, " \t\n"))
			arg[n++] = p;
		arg[n] = NULL;
		if (n == 1 || arg[1][0] == '#')
			continue;

		mark_case();
		case_nr++;
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			execv(arg[0], arg);
			die("execv");
		}
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		printf("BENCH-CASE %u %s %s status=%x\n", case_nr, arg[1],
		       n > 2 ? arg[2] : "-", status);
		/* a console that still transmits would interrupt the next case */
		fflush(stdout);
		tcdrain(STDOUT_FILENO);
	}
	printf("BENCH-END\n");
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 17, 1 << 17 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (setrlimit(RLIMIT_NOFILE, &files)) {
		/* then as many as this user may have */
		if (errno != EPERM || getrlimit(RLIMIT_NOFILE, &files))
			die("setrlimit");
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files))
			die("setrlimit");
	}
	if (argc == 2 && !strcmp(argv[1], "check"))
		return run_check();
	if (argc == 7)
		return run_case(argv + 1);
	if (getpid() == 1) {
		run_all();
		reboot(RB_AUTOBOOT);	/* the emulator exits instead */
		die("reboot");
	}
	fprintf(stderr, "usage: %s workload mode registered active events windows\n",
		argv[0]);
	return 1;
}
