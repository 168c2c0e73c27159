/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * mark.h - how a workload tells the counting plugin what to count
 *
 * A mark is a seven-byte NOP, "nopl disp32(%rax)", whose displacement says
 * what it means: 'K' 'E' in the upper half, then an operation, then the id of
 * a window.  It changes nothing, not even a flag, costs nothing outside the
 * plugin, works in any privilege level, and no compiler emits it.
 *
 *   0f 1f 80  id op 45 4b
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_MAGIC	0x4b450000
#define MARK_OP_BEGIN	0x01	/* open a window */
#define MARK_OP_END	0x02	/* close it */
#define MARK_OP_CASE	0x03	/* the windows from here on are of the next case */

#ifdef BENCH_NATIVE

/* Nobody counts from outside: native/counters.c does. */
void counters_open(void);
void counters_begin(void);
void counters_end(void);
void counters_print(const char *workload, const char *mode, unsigned int registered,
		    unsigned int active, unsigned int events);

#define mark_begin(id)	counters_begin()
#define mark_end(id)	counters_end()
#define mark_case()	((void)0)

#else

#define MARK_STR2(x)	#x
#define MARK_STR(x)	MARK_STR2(x)

/* @op and @id must be constants; the clobber keeps the code where it is */
#define mark(op, id)							\
	asm volatile(".byte 0x0f, 0x1f, 0x80\n\t"			\
		     ".long " MARK_STR(MARK_MAGIC) " + ("		\
		     MARK_STR(op) " << 8) + " MARK_STR(id) : : : "memory")

#define mark_begin(id)	mark(MARK_OP_BEGIN, id)
#define mark_end(id)	mark(MARK_OP_END, id)
#define mark_case()	mark(MARK_OP_CASE, 0)

#endif

#endif /* BENCH_MARK_H */
