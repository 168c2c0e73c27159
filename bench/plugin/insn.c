// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * insn.c - TCG plugin: what exactly was executed between two marks
 *
 * Every instruction of the guest, kernel and user alike, has a 64-bit counter
 * that the translated code itself increments: no call on the way, and exact
 * wherever a mark lies within a block of code.  A mark (see mark.h) is an
 * instruction without a counter, but with a callback: the opening one
 * remembers all counters, the closing one writes the differences.  Both are
 * thus outside the window, and everything between them is inside, including
 * timer ticks; who reads the output tells those by their address.
 *
 * An instruction that faults and is restarted counts twice.  A "rep" string
 * instruction counts once per iteration, so run the guest with a CPU for which
 * the kernel does not choose those (erms=off,fsrm=off).
 *
 * With more than one vCPU increments may be lost unless the vCPUs share one
 * thread, as they do with -icount.  What is exact then is the number of system
 * calls, which is counted per vCPU as well, by a callback.
 *
 * Argument: out=FILE.  Output, text:
 *   W <case> <id> <instructions> <locked> <syscalls> <fences>
 *     and on the same line <syscalls of vCPU 0> <of vCPU 1> ...
 *   <pc, hex> <count> <kind, as below, dec>
 *   ...
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin-min.h"
#include "../mark.h"

/* kinds of instructions, bits */
#define KIND_LOCKED	1	/* LOCK prefix, or xchg with memory */
#define KIND_SYSCALL	2	/* SYSCALL */
#define KIND_FENCE	4	/* MFENCE */

/*
 * Counters never move, as translated code knows their address.  A slot is
 * found by address and kind, so that code that is patched at run time, or two
 * programs at one address, do not mix up the kinds; a block that is translated
 * again finds its old slots.
 */
struct slot {
	uint64_t	pc;
	uint64_t	count;
	uint64_t	start;		/* count at the opening mark */
	unsigned int	kind;
	struct slot	*next;		/* in the hash chain */
};

#define CHUNK_SLOTS	4096
#define HASH_BITS	18

struct chunk {
	struct slot	slots[CHUNK_SLOTS];
	unsigned int	used;
	struct chunk	*next;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *hash[1 << HASH_BITS];
static struct chunk *chunks;
#define MAX_VCPUS	8

/* system calls of a vCPU, written by its thread only */
static struct {
	uint64_t	count;
	uint64_t	start;
} __attribute__((aligned(64))) vcpus[MAX_VCPUS];
static unsigned int nr_vcpus;

static FILE *out;
static unsigned long case_nr;
static bool open_window;

static struct slot *slot_get(uint64_t pc, unsigned int kind)
{
	uint64_t h = (pc + kind) * 0x9e3779b97f4a7c15ULL >> (64 - HASH_BITS);
	struct slot *s;

	for (s = hash[h]; s; s = s->next)
		if (s->pc == pc && s->kind == kind)
			return s;

	if (!chunks || chunks->used == CHUNK_SLOTS) {
		struct chunk *c = calloc(1, sizeof(*c));

		if (!c) {
			perror("insn plugin");
			abort();
		}
		c->next = chunks;
		chunks = c;
	}
	s = &chunks->slots[chunks->used++];
	s->pc = pc;
	s->kind = kind;
	s->next = hash[h];
	hash[h] = s;
	/* code first met inside a window counts from zero */
	return s;
}

/* What an instruction is, from its bytes. */
static unsigned int decode(const uint8_t *b, size_t len)
{
	bool locked = false;
	size_t i = 0;

	for (; i < len; i++) {
		switch (b[i]) {
		case 0xf0:
			locked = true;
			continue;
		case 0x26: case 0x2e: case 0x36: case 0x3e:
		case 0x64: case 0x65: case 0x66: case 0x67:
		case 0xf2: case 0xf3:
			continue;
		}
		break;
	}
	if (i < len && (b[i] & 0xf0) == 0x40)	/* REX, next to the opcode */
		i++;
	if (locked)
		return KIND_LOCKED;
	if (i + 1 >= len)
		return 0;
	/* xchg with memory locks without being asked */
	if ((b[i] == 0x86 || b[i] == 0x87) && b[i + 1] >> 6 != 3)
		return KIND_LOCKED;
	if (b[i] == 0x0f && b[i + 1] == 0x05)
		return KIND_SYSCALL;
	if (b[i] == 0x0f && b[i + 1] == 0xae && i + 2 < len && b[i + 2] == 0xf0)
		return KIND_FENCE;
	return 0;
}

static void window_begin(void)
{
	struct chunk *c;
	unsigned int i;

	if (open_window)
		fprintf(stderr, "insn plugin: window opened twice\n");
	for (c = chunks; c; c = c->next)
		for (i = 0; i < c->used; i++)
			c->slots[i].start = c->slots[i].count;
	for (i = 0; i < nr_vcpus; i++)
		vcpus[i].start = __atomic_load_n(&vcpus[i].count,
						 __ATOMIC_RELAXED);
	open_window = true;
}

static void window_end(unsigned int id)
{
	uint64_t insns = 0, locked = 0, syscalls = 0, fences = 0;
	struct chunk *c;
	unsigned int i;

	if (!open_window) {
		fprintf(stderr, "insn plugin: window closed, but not open\n");
		return;
	}
	open_window = false;
	for (c = chunks; c; c = c->next) {
		for (i = 0; i < c->used; i++) {
			struct slot *s = &c->slots[i];
			uint64_t n = s->count - s->start;

			insns += n;
			if (s->kind & KIND_LOCKED)
				locked += n;
			if (s->kind & KIND_SYSCALL)
				syscalls += n;
			if (s->kind & KIND_FENCE)
				fences += n;
		}
	}
	fprintf(out, "W %lu %u %lu %lu %lu %lu", case_nr, id, insns,
		locked, syscalls, fences);
	for (i = 0; i < nr_vcpus; i++)
		fprintf(out, " %lu", __atomic_load_n(&vcpus[i].count,
						     __ATOMIC_RELAXED) -
			vcpus[i].start);
	fputc('\n', out);
	for (c = chunks; c; c = c->next) {
		for (i = 0; i < c->used; i++) {
			struct slot *s = &c->slots[i];

			if (s->count != s->start)
				fprintf(out, "%lx %lu %u\n", s->pc,
					s->count - s->start, s->kind);
		}
	}
	fflush(out);
}

static void mark_executed(unsigned int vcpu, void *data)
{
	unsigned int what = (uintptr_t)data;

	(void)vcpu;
	pthread_mutex_lock(&lock);
	switch (what >> 8) {
	case MARK_OP_BEGIN:
		window_begin();
		break;
	case MARK_OP_END:
		window_end(what & 0xff);
		break;
	case MARK_OP_CASE:
		/* one that died may have left a window open */
		open_window = false;
		case_nr++;
		break;
	default:
		fprintf(stderr, "insn plugin: unknown mark %x\n", what);
	}
	pthread_mutex_unlock(&lock);
}

static void syscall_executed(unsigned int vcpu, void *data)
{
	(void)data;
	__atomic_store_n(&vcpus[vcpu].count, vcpus[vcpu].count + 1,
			 __ATOMIC_RELAXED);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	pthread_mutex_lock(&lock);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *b = qemu_plugin_insn_data(insn);
		size_t len = qemu_plugin_insn_size(insn);
		unsigned int kind;
		uint32_t disp;

		if (len == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80) {
			memcpy(&disp, b + 3, sizeof(disp));
			if ((disp & 0xffff0000) == MARK_MAGIC) {
				qemu_plugin_register_vcpu_insn_exec_cb(insn,
					mark_executed, QEMU_PLUGIN_CB_NO_REGS,
					(void *)(uintptr_t)(disp & 0xffff));
				continue;
			}
		}
		kind = decode(b, len);
		qemu_plugin_register_vcpu_insn_exec_inline(insn,
			QEMU_PLUGIN_INLINE_ADD_U64,
			&slot_get(qemu_plugin_insn_vaddr(insn), kind)->count, 1);
		if (kind & KIND_SYSCALL)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
				syscall_executed, QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
	pthread_mutex_unlock(&lock);
}

/* of all of them, before the machine runs */
static void vcpu_made(qemu_plugin_id_t id, unsigned int vcpu)
{
	(void)id;
	pthread_mutex_lock(&lock);
	if (vcpu >= MAX_VCPUS) {
		fprintf(stderr, "insn plugin: more than %d vCPUs\n", MAX_VCPUS);
		abort();
	}
	if (vcpu >= nr_vcpus)
		nr_vcpus = vcpu + 1;
	pthread_mutex_unlock(&lock);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
			int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4) && !out) {
			out = fopen(argv[i] + 4, "w");
			if (!out) {
				perror(argv[i] + 4);
				return -1;
			}
		} else {
			fprintf(stderr, "insn plugin: what is \"%s\"?\n", argv[i]);
			return -1;
		}
	}
	if (!out) {
		fprintf(stderr, "insn plugin: out=FILE is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_init_cb(id, vcpu_made);
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
