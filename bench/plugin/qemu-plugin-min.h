/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * qemu-plugin-min.h - the part of QEMU's TCG plugin interface insn.c needs
 *
 * Debian ships a qemu that loads plugins, but not the header that declares the
 * interface, so the few functions used are declared here, written down from
 * the interface's documentation.
 *
 * Version 1 is what Debian 12's qemu 7.2 speaks.  Newer ones count in per-vCPU
 * scoreboards instead of at a plain address and copy an instruction's bytes to
 * a buffer of the plugin's.  QEMU refuses a plugin whose version it does not
 * support, with a message, so a mismatch cannot go unnoticed.
 */
#ifndef QEMU_PLUGIN_MIN_H
#define QEMU_PLUGIN_MIN_H

#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_VERSION	1
#define QEMU_PLUGIN_EXPORT	__attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

typedef uint64_t qemu_plugin_id_t;

/* what a callback wants to see of the guest's registers: nothing */
enum qemu_plugin_cb_flags {
	QEMU_PLUGIN_CB_NO_REGS,
};

/* the only operation that needs no call: *ptr += imm */
enum qemu_plugin_op {
	QEMU_PLUGIN_INLINE_ADD_U64,
};

/* to be provided by the plugin */
extern QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const struct qemu_info *info,
					   int argc, char **argv);

/* a vCPU comes into being */
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, unsigned int vcpu));

/* a block of guest code is being translated */
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t index);

/* one instruction of it; valid during the translation callback only */
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* to happen each time before that instruction is executed */
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
		void (*cb)(unsigned int vcpu, void *data),
		enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
		enum qemu_plugin_op op, void *ptr, uint64_t imm);

/* the emulator exits */
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, void *data), void *data);

#endif /* QEMU_PLUGIN_MIN_H */
