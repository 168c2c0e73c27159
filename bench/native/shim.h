/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * shim.h - what kernel/kevent/ring.h needs, for a program
 *
 * The guards keep the kernel's own headers out; the two structures have those of
 * their fields that the ring code uses.
 */
#ifndef BENCH_NATIVE_SHIM_H
#define BENCH_NATIVE_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kevent.h>

#define _KERNEL_KEVENT_H
#define _TRACE_KEVENT_H

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define KEVENT_A_PENDING	0x01
#define KEVENT_A_LEVEL		0x04

struct kevent_ring;
struct vm_area_struct;

struct kevent_user {
	u64			produced;
	u64			consumed;
	u32			*consumer;
	struct kevent_ring	*ring;
	u32			mask;
	u32			attention;
	bool			poll_due;
};

struct kevent {
	u64			cookie;
	u16			type;
};

#define likely(x)		__builtin_expect(!!(x), 1)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

/* tracepoints, off */
#define trace_kevent_consume(user, step)	((void)(step))
#define trace_kevent_hold(k, events, flags)	((void)0)

#endif /* BENCH_NATIVE_SHIM_H */
