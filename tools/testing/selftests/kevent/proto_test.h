/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets that are more than their family says: TLS in the kernel, sockets in a BPF
 * map.
 */
#ifndef KEVENT_PROTO_TEST_H
#define KEVENT_PROTO_TEST_H

#include "kevent_test.h"

#include <netinet/tcp.h>

#include <linux/bpf.h>
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS	282
#endif
#ifndef TCP_ULP
#define TCP_ULP	31
#endif

/* ---- TLS ---- */

static inline int tls_ulp(int fd)
{
	return setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 4) ? -errno : 0;
}

static inline int tls_key(int fd, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 key = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
		.key = "kevent, secret.",
		.salt = "slt",
		.iv = "vector.",
	};

	return setsockopt(fd, SOL_TLS, direction, &key, sizeof(key)) ?
	       -errno : 0;
}

static inline int tls_start(int fd, int direction)
{
	int ret = tls_ulp(fd);

	return ret ? ret : tls_key(fd, direction);
}

/* ---- sockets in a BPF map ---- */

static inline int bpf_call(int cmd, union bpf_attr *attr)
{
	int ret = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static inline int sockmap_create(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = 4;
	attr.value_size = 4;
	attr.max_entries = 1;
	return bpf_call(BPF_MAP_CREATE, &attr);
}

/* "return SK_PASS", for each piece of data that comes. */
static inline int sockmap_attach(int map)
{
	static const struct bpf_insn prog[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = SK_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	int fd, ret;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SK_SKB;
	attr.insns = (unsigned long)prog;
	attr.insn_cnt = ARRAY_SIZE(prog);
	attr.license = (unsigned long)"GPL";
	fd = bpf_call(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return fd;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = map;
	attr.attach_bpf_fd = fd;
	attr.attach_type = BPF_SK_SKB_VERDICT;
	ret = bpf_call(BPF_PROG_ATTACH, &attr);
	close(fd);
	return ret;
}

static inline int sockmap_insert(int map, int fd)
{
	union bpf_attr attr;
	__u32 key = 0;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)&fd;
	return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}

static inline int sockmap_delete(int map)
{
	union bpf_attr attr;
	__u32 key = 0;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	return bpf_call(BPF_MAP_DELETE_ELEM, &attr);
}

#endif /* KEVENT_PROTO_TEST_H */
