// SPDX-License-Identifier: GPL-2.0
/*
 * T40: the calls as a 32-bit program makes them.  There is one layout for both
 * and no compat entry, so a 64-bit program that enters the kernel the 32-bit way
 * finds out what matters: the numbers, the structs, the signal mask.  A 32-bit
 * program has no other way.
 */
#include "kevent_test.h"
#include <setjmp.h>

#define I386_GETPID		20
#define I386_KEVENT_CREATE	500
#define I386_KEVENT_CTL		501
#define I386_KEVENT_WAIT	502
#define I386_KEVENT_GET_EVENTS	503
#define I386_KEVENT_SEND	504

#ifdef __x86_64__
static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r8 __asm__("r8") = f;
	long ret;

	__asm__ __volatile__("lea	-128(%%rsp), %%rsp\n\t"
			     "push	%%rbp\n\t"
			     "movl	%%r8d, %%ebp\n\t"
			     "int	$0x80\n\t"
			     "pop	%%rbp\n\t"
			     "lea	128(%%rsp), %%rsp"
			     : "=a" (ret), "+r" (r8)
			     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d),
			       "D" (e)
			     : "memory", "cc", "r9", "r10", "r11");
	return (int)ret;
}
#elif defined(__i386__)
static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = syscall(nr, a, b, c, d, e, f);

	return ret < 0 ? -errno : ret;
}
#else
static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	return -EOPNOTSUPP;
}
#endif

static sigjmp_buf no_int80;

static void on_fault(int sig)
{
	siglongjmp(no_int80, 1);
}

static int has_int80(void)
{
	struct sigaction sa = { .sa_handler = on_fault }, old;
	int ret;

	sigaction(SIGSEGV, &sa, &old);
	ret = !sigsetjmp(no_int80, 1) &&
	      int80(I386_GETPID, 0, 0, 0, 0, 0, 0) == getpid();
	sigaction(SIGSEGV, &old, NULL);
	return ret;
}

/* What the calls point to, in memory that 32 bits reach. */
struct low {
	struct kevent_params params;
	struct kevent_change changes[4];
	struct kevent_wait_args args;
	struct ukevent events[4];
	struct kevent_send sends[3];
	char bytes[16];
	__u64 mask;
};

FIXTURE(compat)
{
	struct low *low;
	__u64 addr;
	int fd;
};

FIXTURE_SETUP(compat)
{
	if (!has_int80())
		SKIP(return, "no 32-bit system calls here (CONFIG_IA32_EMULATION)");
#ifdef MAP_32BIT
	self->low = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
#endif
	ASSERT_NE((struct low *)MAP_FAILED, self->low);
	self->addr = (unsigned long)self->low;
	ASSERT_GT(1ULL << 32, self->addr);
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(compat)
{
}

#define LOW(field) (self->addr + offsetof(struct low, field))

TEST_F(compat, ring)
{
	struct kevent_params *p = &self->low->params;
	struct kevent_change *c = self->low->changes;
	struct ukevent_queue q = {};

	p->ring_entries = 16;
	q.fd = int80(I386_KEVENT_CREATE, LOW(params), sizeof(*p), 0, 0, 0, 0);
	ASSERT_LE(0, q.fd);
	EXPECT_EQ(128U, p->size);
	EXPECT_EQ(32U, p->record_size);
	/* offsets that mmap2() of a 32-bit program can take */
	EXPECT_GT(1ULL << 31, p->ring_mmap_offset + p->ring_mmap_size);
	EXPECT_GT(1ULL << 31, p->consumer_mmap_offset + p->consumer_mmap_size);
	ASSERT_EQ(0, ukevent_queue_map(&q, q.fd, p));

	c[0] = make_change(KEVENT_OP_ADD, self->fd, EV_IN, KEVENT_EDGE,
			   0x123456789abcdef0ULL);
	c[1] = make_change(KEVENT_OP_ADD, 999, EV_IN, 0, 0);
	EXPECT_EQ(2, int80(I386_KEVENT_CTL, q.fd, LOW(changes), 2,
			   sizeof(*c), 0, 0));
	EXPECT_EQ(0, c[0].result);
	EXPECT_NE(0ULL, c[0].id);
	EXPECT_EQ(-EBADF, c[1].result);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, int80(I386_KEVENT_WAIT, q.fd, 1, 0, 0, 0, 0));
	EXPECT_TAKE(&q, 0x123456789abcdef0ULL, EV_IN, 0);
	EXPECT_EQ(-EINVAL, int80(I386_KEVENT_WAIT, q.fd, 17, 0, 0, 0, 0));
	EXPECT_EQ(-EINVAL, int80(I386_KEVENT_WAIT, q.fd, -1, 0, 0, 0, 0));
	EXPECT_EQ(-EFAULT, int80(I386_KEVENT_CTL, q.fd, 0xfffff000, 1,
				 sizeof(*c), 0, 0));
	ukevent_queue_exit(&q);
}

static int caught;

static void on_signal(int sig)
{
	caught++;
}

TEST_F(compat, wait_args)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct kevent_wait_args *a = &self->low->args;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue q;
	sigset_t set;

	ASSERT_EQ(0, queue_init(&q, 4));
	a->flags = KEVENT_WAIT_TIMEOUT;
	a->clockid = CLOCK_MONOTONIC;
	a->timeout_ns = 20 * NSEC_PER_MSEC;
	EXPECT_EQ(0, int80(I386_KEVENT_WAIT, q.fd, 1, LOW(args), 72, 0, 0));
	EXPECT_LE(start + 20 * NSEC_PER_MSEC, now_ns(CLOCK_MONOTONIC));

	/* the mask: eight bytes, bit 0 is signal 1 */
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGRTMAX, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMAX);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	raise(SIGRTMAX);
	a->sigmask = LOW(mask);
	a->sigmask_size = 8;
	self->low->mask = 1ULL << (SIGUSR1 - 1) | 1ULL << (SIGRTMAX - 1);
	EXPECT_EQ(0, int80(I386_KEVENT_WAIT, q.fd, 1, LOW(args), 72, 0, 0));
	EXPECT_EQ(0, caught);
	self->low->mask = 1ULL << (SIGRTMAX - 1);
	EXPECT_EQ(-EINTR, int80(I386_KEVENT_WAIT, q.fd, 1, LOW(args), 72, 0,
				0));
	EXPECT_EQ(1, caught);
	self->low->mask = 1ULL << (SIGUSR1 - 1);
	EXPECT_EQ(-EINTR, int80(I386_KEVENT_WAIT, q.fd, 1, LOW(args), 72, 0,
				0));
	EXPECT_EQ(2, caught);
	ukevent_queue_exit(&q);
}

TEST_F(compat, get_events)
{
	struct kevent_wait_args *a = &self->low->args;
	struct ukevent *ev = self->low->events;
	struct ukevent_queue q;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	self->low->changes[0] = make_change(KEVENT_OP_ADD, self->fd, EV_IN,
					    KEVENT_ONESHOT, 77);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	a->changes = LOW(changes);
	a->nr_changes = 1;
	a->change_size = 96;
	EXPECT_EQ(1, int80(I386_KEVENT_GET_EVENTS, q.fd, LOW(events), 1, 4,
			   LOW(args), 72));
	EXPECT_EQ(1U, a->changes_done);
	EXPECT_RECORD(&ev[0], 77, EV_IN, 0);
	/* addresses are 64 bits in the structs: the upper half counts */
	a->changes |= 1ULL << 40;
	EXPECT_EQ(-EFAULT, int80(I386_KEVENT_GET_EVENTS, q.fd, LOW(events), 0,
				 4, LOW(args), 72));
	ukevent_queue_exit(&q);
}

/* A queue with a data area; six arguments, of which the array is one. */
TEST_F(compat, send)
{
	struct kevent_params *p = &self->low->params;
	struct kevent_send *s = self->low->sends;
	struct kevent_wait_args *a = &self->low->args;
	int i, kfd, sv[2];
	char buf[32];

	p->ring_entries = 16;
	p->data_size = 100000;
	kfd = int80(I386_KEVENT_CREATE, LOW(params), sizeof(*p),
		    KEVENT_CREATE_DATA, 0, 0, 0);
	ASSERT_LE(0, kfd);
	EXPECT_EQ(131072ULL, p->data_size);
	EXPECT_GT(1ULL << 31, p->data_mmap_offset + p->data_size);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv));
	memcpy(self->low->bytes, "0123456789abcdef", 16);
	for (i = 0; i < 3; i++) {
		memset(&s[i], 0, sizeof(s[i]));
		s[i].addr = LOW(bytes) + 5 * i;
		s[i].fd = sv[0];
		s[i].len = 5;
	}
	/* addresses are 64 bits in the struct: the upper half counts */
	s[1].addr |= 1ULL << 40;
	s[1].fd = dup(sv[0]);
	a->flags = KEVENT_WAIT_TIMEOUT;
	a->clockid = CLOCK_MONOTONIC;
	EXPECT_EQ(0, int80(I386_KEVENT_SEND, kfd, LOW(sends), 3, 1, LOW(args),
			   72));
	EXPECT_EQ(5, s[0].result);
	EXPECT_EQ(-EFAULT, s[1].result);
	EXPECT_EQ(-ECANCELED, s[2].result);
	EXPECT_EQ(5, recv(sv[1], buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "01234", 5));
	EXPECT_EQ(-EINVAL, int80(I386_KEVENT_SEND, kfd, LOW(sends), 1025, 0, 0,
				 0));
	EXPECT_EQ(-EINVAL, int80(I386_KEVENT_SEND, kfd, LOW(sends), 1, -1, 0, 0));
	EXPECT_EQ(-EFAULT, int80(I386_KEVENT_SEND, kfd, 0xfffff000, 1, 0, 0, 0));
	EXPECT_EQ(-1, recv(sv[1], buf, sizeof(buf), 0));
	close(s[1].fd);
	close(sv[0]);
	close(sv[1]);
	close(kfd);
}

/* Positions beyond 32 bits, and a header below them; of an interest and of an entry. */
TEST_F(compat, sendfile)
{
	struct kevent_params *p = &self->low->params;
	struct kevent_change *c = self->low->changes;
	struct kevent_send *s = self->low->sends;
	int file = memfd_create("compat", MFD_CLOEXEC), sv[2];
	const __u64 far = (5ULL << 30) + 4090;
	struct ukevent_queue q = {};
	struct ukevent ev;
	char buf[32];

	p->ring_entries = 16;
	q.fd = int80(I386_KEVENT_CREATE, LOW(params), sizeof(*p),
		     KEVENT_CREATE_SENDFILE, 0, 0, 0);
	ASSERT_LE(0, q.fd);
	EXPECT_TRUE(!!(p->features & KEVENT_FEAT_SENDFILE));
	ASSERT_EQ(0, ukevent_queue_map(&q, q.fd, p));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv));
	ASSERT_EQ(16, pwrite64(file, "0123456789abcdef", 16, far));
	memcpy(self->low->bytes, "head", 4);

	c[0] = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_SENDFILE, sv[0], 0,
			  KEVENT_WANT_LAST, 0x123456789abcdef0ULL);
	c[0].param[KEVENT_SENDFILE_FD] = file;
	c[0].param[KEVENT_SENDFILE_OFFSET] = far;
	c[0].param[KEVENT_SENDFILE_LENGTH] = KEVENT_SENDFILE_TO_END;
	c[0].param[KEVENT_SENDFILE_MARK] = KEVENT_SENDFILE_HEADER(4);
	c[0].addr = LOW(bytes);
	/* not what the lower halves say */
	c[1] = c[0];
	c[1].addr |= 1ULL << 40;
	c[2] = c[0];
	c[2].param[KEVENT_SENDFILE_FD] |= 1ULL << 32;
	EXPECT_EQ(3, int80(I386_KEVENT_CTL, q.fd, LOW(changes), 3, sizeof(*c), 0,
			   0));
	EXPECT_EQ(0, c[0].result);
	EXPECT_EQ(-EFAULT, c[1].result);
	EXPECT_EQ(-EBADF, c[2].result);
	EXPECT_EQ(1, int80(I386_KEVENT_WAIT, q.fd, 1, 0, 0, 0, 0));
	ASSERT_EQ(1, (int)ukevent_take(&q, &ev, 1));
	EXPECT_EQ(0x123456789abcdef0ULL, ev.cookie);
	EXPECT_EQ((__u32)KEVENT_SENDFILE_DONE, ev.events);
	EXPECT_EQ(16ULL, ev.data[0]);
	EXPECT_EQ(20, recv(sv[1], buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "head0123456789abcdef", 20));

	memset(s, 0, sizeof(*s));
	s->fd = sv[0];
	s->addr = far + 10;
	s->len = 100;
	s->flags = KEVENT_SEND_FILE;
	s->file_fd = file;
	EXPECT_EQ(0, int80(I386_KEVENT_SEND, q.fd, LOW(sends), 1, 0, 0, 0));
	EXPECT_EQ(6, s->result);
	EXPECT_EQ(6, recv(sv[1], buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	ukevent_queue_exit(&q);
	close(file);
	close(sv[0]);
	close(sv[1]);
}

TEST_HARNESS_MAIN
